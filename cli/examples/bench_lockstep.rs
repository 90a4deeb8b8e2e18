//! How fast does each reference run beside us, at each depth? `make bench-lockstep`.
//!
//! The program mixes registers and memory in a loop (multiplication, division, loads and stores of three widths).

use std::process::ExitCode;
use std::time::Instant;

use lockstep::ecall::NoHost;
use lockstep::exec::{AnyEngine, EngineKind};
use lockstep::hart::Machine;
use lockstep_harness::lockstep::{BLOCK_STEPS, Depth, Verdict, run};
use lockstep_harness::machines::emulator::Emulator;
use lockstep_harness::machines::{STEPPABLE, Unavailable, open};

#[path = "../../harness/tests/common/mod.rs"]
mod common;

/// A run of each must take about a second on the slowest machine that we know.
const STEPS: [(&str, Depth, u64); 6] = [
    ("spike", Depth::Block(BLOCK_STEPS), 200_000_000),
    ("spike", Depth::Step, 20_000_000),
    ("spec", Depth::Block(BLOCK_STEPS), 10_000_000),
    ("spec", Depth::Step, 5_000_000),
    ("rrs", Depth::Block(BLOCK_STEPS), 20_000_000),
    ("rrs", Depth::Step, 10_000_000),
];

fn main() -> ExitCode {
    println!(
        "engine {}, million instructions a second, wall time; the machine is shared with whatever runs",
        EngineKind::FASTEST.name()
    );
    let rounds = i32::MAX & !0xfff;
    let machine = common::machine(lockstep::map::Mode::Machine, &common::mixer(rounds));
    let mut is_good = true;
    for (name, depth, steps) in STEPS {
        let label = if depth == Depth::Step { "step" } else { "block" };
        match measure(name, depth, steps, &machine) {
            Ok(mips) => println!("{name:>8} {label:<5} {mips:>7.1}"),
            Err(Unavailable::Skipped(reason)) => println!("{name:>8} {label:<5} skipped ({reason})"),
            Err(Unavailable::Failed(failure)) => {
                println!("{name:>8} {label:<5} FAILED {failure}");
                is_good = false;
            }
        }
    }
    assert!(STEPPABLE.contains(&"spike"));
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(name: &str, depth: Depth, steps: u64, machine: &Machine) -> Result<f64, Unavailable> {
    let mut follower = open(name)?;
    let mut leader = Emulator::new("lockstep", || AnyEngine::new(EngineKind::FASTEST), machine.clone());
    let start = Instant::now();
    let verdict = run(&mut leader, &mut *follower, &mut NoHost, depth, steps).map_err(Unavailable::Failed)?;
    let seconds = start.elapsed().as_secs_f64();
    if let Verdict::Diverged(divergence) = verdict {
        println!("{divergence}");
    }
    Ok(steps as f64 / seconds / 1e6)
}
