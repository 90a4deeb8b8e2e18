//! Our machine beside the interpreters that are always there: rrs-lib and softcore-rv64.

mod common;

use common::{DATA, i, machine, mixer, r, s, u};
use lockstep::ecall::NoHost;
use lockstep::exec::{Exit, Step};
use lockstep::hart::Machine;
use lockstep::isa::{Op, Reg};
use lockstep::map::Mode;
use lockstep_harness::lockstep::{Agreement, Depth, Verdict, run};
use lockstep_harness::machines::emulator::Emulator;
use lockstep_harness::machines::{all, open};

fn compare(machine: Machine, name: &str, depth: Depth) -> Agreement {
    let mut leader = Emulator::new("step", Step::new, machine);
    let mut follower = open(name).expect("the interpreter is always there");
    match run(&mut leader, &mut *follower, &mut NoHost, depth, u64::MAX).expect("the follower works") {
        Verdict::Agreed(agreement) => agreement,
        Verdict::Diverged(divergence) => panic!("{divergence}"),
    }
}

/// ISA-1 on a program that ends.
#[test]
fn agrees_with_both_on_a_program() {
    for depth in [Depth::Block(5_000), Depth::Step] {
        let rrs = compare(machine(Mode::Machine, &mixer(1_024)), "rrs", depth);
        assert_eq!((rrs.steps, rrs.carried), (4 + 16 * 1_024 + 3, 1));
        let softcore = compare(machine(Mode::Machine, &mixer(1_024)), "softcore", depth);
        // Two loads and two stores a round are carried over, and the ECALL.
        assert_eq!((softcore.steps, softcore.carried), (rrs.steps, 4 * 1_024 + 1));
    }
}

/// Faults that rrs-lib can judge (TRAP-1).
#[test]
fn agrees_with_rrs_on_faults() {
    let at = |addr: i32, word| vec![u(Op::Lui, 5, addr), word];
    let programs = [
        vec![0],
        vec![u(Op::Ebreak, 0, 0)],
        vec![i(Op::Lw, 5, 0, 0)],
        vec![s(Op::Sh, 0, 0, 4)],
        at(0x2_0000, i(Op::Lw, 6, 5, 2)),
        at(0x2_0000, s(Op::Sh, 5, 0, 1)),
        at(0x2_0000, i(Op::Jalr, 1, 5, 2)),
        at(0xC000_0000_u32.cast_signed(), i(Op::Lb, 6, 5, 0)),
        vec![i(Op::Jalr, 1, 0, 4)],
    ];
    for program in programs {
        let agreement = compare(machine(Mode::User, &program), "rrs", Depth::Step);
        assert!(matches!(agreement.exit, Some(Exit::Fault(_))), "{program:x?}: {agreement:?}");
    }
}

/// Every register-register and branch instruction on the corners of the range, judged by the Sail-derived core
/// (ISA-7 to ISA-9, ISA-12, ISA-15, ISA-16).
#[test]
fn the_sail_core_agrees_on_every_corner() {
    const CORNERS: [u32; 10] = [0, 1, 2, 31, 32, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, 0xFFFF_FFFE, 0xFFFF_FFFF];
    let binary = Op::ALL.iter().filter(|op| matches!(op.format(), lockstep::isa::Format::R | lockstep::isa::Format::B));
    let mut program: Vec<u32> = Vec::new();
    for &op in binary {
        match op.format() {
            lockstep::isa::Format::B => program.extend([s(op, 5, 6, 8), i(Op::Addi, 7, 7, 1)]),
            _ => program.push(r(op, 8, 5, 6)),
        }
    }
    let mut judged = 0;
    for a in CORNERS {
        for b in CORNERS {
            let mut start = machine(Mode::Machine, &program);
            start.hart.set_x(Reg::new(5), a);
            start.hart.set_x(Reg::new(6), b);
            let agreement = compare(start, "softcore", Depth::Step);
            assert_eq!(agreement.carried, 0, "{a:#x} {b:#x}");
            judged += agreement.steps;
        }
    }
    assert!(judged >= 100 * (18 + 6), "{judged}");
}

/// The list names every machine, present or not.
#[test]
fn the_list_is_complete() {
    let names: Vec<&str> = all().iter().map(|machine| machine.name).collect();
    for name in ["spec", "spike", "rrs", "softcore"] {
        assert!(names.contains(&name), "{name}");
    }
    assert_eq!(DATA % 4096, 0);
}
