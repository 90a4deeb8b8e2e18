//! Spike's command line: its log.

mod common;

use common::{i, machine, mixer};
use lockstep::ecall::NoHost;
use lockstep::exec::{Engine, Exit, Step, Until};
use lockstep::isa::Op;
use lockstep::map::Mode;
use lockstep::trace::Retired;
use lockstep_harness::lockstep::{Verdict, run_along};
use lockstep_harness::machines::emulator::Emulator;
use lockstep_harness::machines::log::{Log, bare};
use lockstep_harness::machines::spike_cli::parse;

const LOG: &str = "\
core   0: 0x00001010 (0x00028067) jr      t0
core   0: 3 0x00001010 (0x00028067)
core   0: >>>>  _start
core   0: 0x00010000 (0x00742623) sw      t2, 12(s0)
core   0: 3 0x00010000 (0x00742623) mem 0x0001100c 0x00000123
core   0: 3 0x00010004 (0x00d40583) x11 0xffffff81 mem 0x0001100d
core   0: 3 0x00010008 (0x00741723) mem 0x0001100e 0x0123
core   0: 3 0x0001000c (0x30529073) c773_mtvec 0x00000004
core   0: exception trap_load_address_misaligned, epc 0x00010010
core   0:           tval 0x00011001
";

#[test]
fn parses_commits_and_exceptions() {
    let steps = parse(LOG).expect("the log can be read");
    let pcs: Vec<u32> = steps.iter().map(|step| step.pc).collect();
    assert_eq!(pcs, [0x1010, 0x1_0000, 0x1_0004, 0x1_0008, 0x1_000c, 0x1_0010]);
    let mem = |n: usize| steps[n].mem.expect("an access");
    assert_eq!((mem(1).addr, mem(1).wmask, mem(1).wdata), (0x1_100c, 15, 0x123));
    assert_eq!((mem(2).addr, mem(2).rmask, mem(2).wmask), (0x1_100d, 0, 0), "a load has no data in the log");
    assert_eq!(steps[2].rd.map(|rd| rd.value), Some(0xffff_ff81));
    assert_eq!((mem(3).wmask, steps[4].rd), (3, None));
    assert_eq!(steps[5].trap.map(|cause| cause.number()), Some(4));
    assert_eq!(steps[0].next_pc, 0x1_0000);
}

#[test]
fn names_the_line_that_cannot_be_read() {
    for wrong in
        ["core   0: 3 0x00010000 (nonsense)", "core   0: exception odd_name, epc 0x0", "core   0: 3 0x0 (0x0) x77 0x0"]
    {
        assert!(parse(&format!("\n{wrong}")).expect_err(wrong).starts_with("line 2: "));
    }
}

/// Runs `program` along `log`.
fn along(program: &[u32], steps: Vec<Retired>) -> Verdict {
    let mut leader = Emulator::new("step", Step::new, machine(Mode::Machine, program));
    run_along(&mut leader, &mut NoHost, "log", &Log { registers: [0; 32], steps })
}

/// The trace depth: a log that differs in one field of one step is found there.
#[test]
fn a_difference_in_a_log_is_found_at_its_step() {
    let program = mixer(10);
    let mut log: Vec<Retired> = Vec::new();
    Step::new().run(&mut machine(Mode::Machine, &program), &mut NoHost, Until::END, &mut log);
    assert!(matches!(along(&program, log.clone()), Verdict::Agreed(agreed) if agreed.steps == log.len() as u64));
    let spoil: [(usize, fn(&mut Retired)); 3] = [
        (50, |step| step.insn ^= 0x80),
        (61, |step| step.pc += 4),
        (12, |step| step.mem.as_mut().expect("a store").wdata ^= 1),
    ];
    for (index, spoil) in spoil {
        let mut log = log.clone();
        spoil(&mut log[index]);
        let Verdict::Diverged(found) = along(&program, log) else { panic!("not found at {index}") };
        assert_eq!((found.order, found.differences.len()), (index as u64, 1), "{found}");
    }
}

/// TRAP-4: a fault that ends our run must be the simulator's trap at the same place.
#[test]
fn the_fault_at_the_end_of_a_log_is_compared() {
    let program = [i(Op::Lw, 5, 0, 0)];
    let trap = |number, pc| Retired {
        trap: lockstep_harness::machine::cause_of(number),
        ..bare(pc, program[0], Mode::Machine)
    };
    let agreed = along(&program, vec![trap(5, 0x1_0000)]);
    assert!(matches!(agreed, Verdict::Agreed(agreed) if matches!(agreed.exit, Some(Exit::Fault(_)))));
    for wrong in [trap(7, 0x1_0000), trap(5, 0x1_0004), bare(0x1_0000, program[0], Mode::Machine)] {
        assert!(matches!(along(&program, vec![wrong]), Verdict::Diverged(_)), "{wrong:?}");
    }
}
