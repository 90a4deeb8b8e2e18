//! Our engines beside QEMU's system mode, over its gdbstub, where it is installed.

mod common;

use common::{machine, mixer};
use lockstep::ecall::NoHost;
use lockstep::exec::{Exit, Step};
use lockstep::map::Mode;
use lockstep_harness::lockstep::{Depth, Verdict, run};
use lockstep_harness::machines::emulator::Emulator;
use lockstep_harness::machines::open;

fn main() -> std::process::ExitCode {
    common::with_simulator("qemu", &[("agrees_with_qemu", agrees_with_qemu)])
}

/// A program of a few hundred steps (ISA-1, ISA-14).
fn agrees_with_qemu() {
    for depth in [Depth::Block(100), Depth::Step] {
        let mut qemu = open("qemu").expect("main looked whether QEMU is here");
        let mut leader = Emulator::new("step", Step::new, machine(Mode::Machine, &mixer(20)));
        match run(&mut leader, &mut *qemu, &mut NoHost, depth, u64::MAX).expect("qemu works") {
            Verdict::Diverged(divergence) => panic!("{depth:?}: {divergence}"),
            Verdict::Agreed(agreement) => {
                assert!(matches!(agreement.exit, Some(Exit::Terminated { .. })), "{agreement:?}");
                assert_eq!((agreement.steps, agreement.carried), (4 + 16 * 20 + 3, 1));
            }
        }
    }
}
