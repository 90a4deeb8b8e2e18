//! The comparison finds exactly the step at which a difference was planted.

mod common;

use common::faulty::{Faulty, Plant};
use common::{START, ecall, i, machine, mixer, r, s, ties, u, with_kernel};
use lockstep::ecall::{Halt, NoHost};
use lockstep::exec::{Engine, Exit, Step, Until};
use lockstep::hart::Machine;
use lockstep::isa::{Op, Reg};
use lockstep::map::{self, Mode};
use lockstep::trace::Retired;
use lockstep_harness::lockstep::{Agreement, Depth, Divergence, Verdict, run};
use lockstep_harness::machine::Reference;
use lockstep_harness::machines::emulator::Emulator;
use lockstep_harness::machines::spec::Spec;

fn compare(machine: Machine, follower: &mut dyn Reference, depth: Depth) -> Verdict {
    let mut leader = Emulator::new("step", Step::new, machine);
    run(&mut leader, follower, &mut NoHost, depth, u64::MAX).expect("the follower works")
}

fn agreed(verdict: Verdict) -> Agreement {
    match verdict {
        Verdict::Agreed(agreement) => agreement,
        Verdict::Diverged(divergence) => panic!("{divergence}"),
    }
}

fn planted(order: u64, plant: Plant, depth: Depth) -> Divergence {
    let make = move || Faulty { engine: Step::new(), order, plant };
    let mut leader = Emulator::new("faulty", make, machine(Mode::Machine, &mixer(4_096)));
    match run(&mut leader, &mut Spec::new(), &mut NoHost, depth, u64::MAX).expect("the follower works") {
        Verdict::Diverged(divergence) => *divergence,
        Verdict::Agreed(agreement) => panic!("not found: {agreement:?}"),
    }
}

const DEPTHS: [Depth; 3] = [Depth::Block(20_000), Depth::Block(999), Depth::Step];

/// A planted register, pc or memory word is found at its step at every depth, with its context.
#[test]
fn finds_the_planted_step() {
    let plants = [
        (60_007, Plant::Register(Reg::new(20)), "x20 (s4)"),
        (23_456, Plant::Pc, "pc"),
        (77, Plant::Memory(0x0009_0000), "mem[0x00090000]"),
        (0, Plant::Register(Reg::new(30)), "x30 (t5)"),
    ];
    for depth in DEPTHS {
        for (order, plant, field) in plants {
            let found = planted(order, plant, depth);
            assert_eq!((found.order, found.steps), (order, 1), "{plant:?} {depth:?}\n{found}");
            let fields: Vec<&str> = found.differences.iter().map(|difference| difference.field.as_str()).collect();
            assert!(fields.contains(&field), "{plant:?} {depth:?}: {fields:?}");
            assert_eq!(found.context.len() as u64, order.min(20));
            assert!(found.context.last().is_none_or(|step| step.order + 1 == order));
        }
    }
}

/// The plain engine and the specification agree on a program that ends (ISA-1, TIME-1).
#[test]
fn agrees_to_the_end() {
    for depth in DEPTHS {
        let agreement = agreed(compare(machine(Mode::Machine, &mixer(1_000)), &mut Spec::new(), depth));
        assert_eq!(agreement.exit, Some(Exit::Terminated { halt: Halt::Halted, user_exit: 0 }));
        assert_eq!(agreement.steps, 4 + 16 * 1_000 + 3);
    }
}

/// Every comparison, sum, shift, product and quotient where it is wrong by one if it is wrong (ISA-7 to ISA-9, ISA-12,
/// ISA-15, ISA-16).
#[test]
fn agrees_on_equal_and_neighbouring_operands() {
    for depth in DEPTHS {
        let agreement = agreed(compare(machine(Mode::Machine, &ties()), &mut Spec::new(), depth));
        assert_eq!(agreement.exit, Some(Exit::Terminated { halt: Halt::Halted, user_exit: 0 }));
        assert!(agreement.steps > 1_500, "{agreement:?}");
    }
}

/// A kernel that counts user ECALLs and faults in its own x5, returns behind them, and ends the run at
/// the fourth (MODE-2, MODE-4, TRAP-3, MAP-6).
fn kernel() -> Vec<u32> {
    vec![
        i(Op::Addi, 5, 5, 1),
        i(Op::Addi, 6, 0, 4),
        s(Op::Bne, 5, 6, 12),
        i(Op::Addi, 10, 0, 0),
        ecall(),
        // The user's x10 becomes the count.
        u(Op::Lui, 7, map::MACHINE_REGS.cast_signed()),
        s(Op::Sw, 7, 5, (map::USER_REGS - map::MACHINE_REGS) as i32 + 40),
        u(Op::Mret, 0, 0),
    ]
}

fn user_program() -> Vec<u32> {
    let mut program = mixer(3);
    program.truncate(program.len() - 3);
    program.extend([ecall(), i(Op::Lw, 11, 0, 16), r(Op::Add, 12, 10, 10), 0, ecall()]);
    program
}

/// Modes, traps and register windows against the specification (MODE-2 to MODE-4, TRAP-3).
#[test]
fn agrees_through_the_kernel() {
    for depth in DEPTHS {
        let machine = with_kernel(Mode::User, &user_program(), &kernel());
        let agreement = agreed(compare(machine, &mut Spec::new(), depth));
        assert!(matches!(agreement.exit, Some(Exit::Terminated { .. })), "{agreement:?}");
    }
}

/// Faults end both runs in the same way (TRAP-4 to TRAP-6).
#[test]
fn agrees_on_faults() {
    let programs = [
        vec![0],
        vec![u(Op::Ebreak, 0, 0)],
        vec![i(Op::Lw, 5, 0, 0)],
        vec![s(Op::Sh, 0, 0, 1)],
        vec![u(Op::Lui, 5, 0x2_0000), i(Op::Lw, 6, 5, 2)],
        vec![u(Op::Lui, 5, 0x2_0000), i(Op::Jalr, 1, 5, 2)],
        vec![i(Op::Jalr, 1, 0, 4)],
        vec![i(Op::Addi, 17, 0, 9), ecall()],
    ];
    for program in programs {
        for mode in [Mode::User, Mode::Machine] {
            let agreement = agreed(compare(machine(mode, &program), &mut Spec::new(), Depth::Step));
            assert!(matches!(agreement.exit, Some(Exit::Fault(_))), "{program:x?} {mode:?}");
        }
    }
}

/// The report shows the step, the fields and both values.
#[test]
fn the_report_can_be_read() {
    let text = planted(50, Plant::Register(Reg::new(20)), Depth::Step).to_string();
    assert!(text.starts_with("faulty and spec differ at step 50\n"), "{text}");
    assert!(text.contains("x20 (s4)") && text.contains("0x00000100") && text.contains("0x00000000"), "{text}");
    assert!(text.lines().filter(|line| line.starts_with("> ")).count() == 1, "{text}");
}

/// Records know where they are (TIME-1), which the comparison relies on.
#[test]
fn the_specification_records_what_the_engine_records() {
    let machine = machine(Mode::Machine, &mixer(10));
    let mut ours: Vec<Retired> = Vec::new();
    Step::new().run(&mut machine.clone(), &mut NoHost, Until::END, &mut ours);
    let (mut spec, mut theirs) = (Spec::new(), Vec::new());
    spec.load(&machine).expect("the specification loads");
    spec.trace(u64::MAX, &mut NoHost, &mut theirs).expect("the specification runs");
    assert_eq!(ours, theirs);
    assert_eq!(ours[0].pc, START);
}
