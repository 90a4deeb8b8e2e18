//! What a run costs in host memory (MEM-8): what the guest touches, and not more the longer it runs.
//! A test of its own process, so that nothing else allocates meanwhile.

use lockstep::ecall::NoHost;
use lockstep::exec::{AnyEngine, Engine, EngineKind, Exit, Until};
use lockstep::hart::Machine;
use lockstep::isa::{Insn, Op, Reg, encode};
use lockstep::map;
use lockstep::mem::Memory;

const CODE: u32 = 0x0001_0000;
const DATA: u32 = 0x4000_0000;

fn insn(op: Op, rd: u32, rs1: u32, rs2: u32, imm: i32) -> u32 {
    encode(&Insn { op, rd: Reg::new(rd), rs1: Reg::new(rs1), rs2: Reg::new(rs2), imm })
}

fn machine(code: impl IntoIterator<Item = u32>) -> Machine {
    let mut mem = Memory::new();
    for (i, word) in code.into_iter().enumerate() {
        mem.set_word(CODE + 4 * i as u32, word);
    }
    mem.set_word(map::SUSPEND_PC, CODE);
    Machine::from_image(mem).expect("the start is aligned and valid")
}

/// The bytes of this process that are in memory (proc(5): `statm`, the second field, in pages).
fn resident_bytes() -> u64 {
    const PAGE: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has /proc");
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number of pages") * PAGE
}

/// How much `run` makes this process grow.
fn growth(run: impl FnOnce()) -> u64 {
    let before = resident_bytes();
    run();
    resident_bytes().saturating_sub(before)
}

fn run(engine: &mut AnyEngine, machine: &mut Machine, order: u64) {
    assert_eq!(engine.run(machine, &mut NoHost, Until::order(order), &mut ()), Exit::Order);
}

/// Long runs, one behind the other: what grows with a run grows in each, and what a thread beside it still translates
/// only in the first.
const RUNS: u64 = 3;

/// A loop that stores to 64 KiB over and over: after the first time round, neither the guest nor the host grows.
fn a_long_run_leaves_no_growth(kind: EngineKind, orders: [u64; 2]) {
    let code = [
        insn(Op::Lui, 5, 0, 0, DATA as i32),
        insn(Op::Add, 6, 5, 7, 0),
        insn(Op::Sw, 0, 6, 7, 0),
        insn(Op::Lw, 8, 6, 0, 0),
        insn(Op::Addi, 7, 7, 0, 64),
        insn(Op::Slli, 7, 7, 0, 16),
        insn(Op::Srli, 7, 7, 0, 16),
        insn(Op::Jal, 0, 0, 0, -28),
    ];
    let mut machine = machine(code);
    let mut engine = AnyEngine::new(kind);
    run(&mut engine, &mut machine, orders[0]);
    let pages = machine.mem.page_count();
    assert!(pages >= 64, "the loop has not been round: {pages} pages");
    let runs = (1..=RUNS).map(|i| growth(|| run(&mut engine, &mut machine, i * orders[1])));
    let grown = runs.min().expect("three runs");
    assert_eq!(machine.mem.page_count(), pages, "{}", kind.name());
    assert!(grown < 1 << 20, "{} grew by {grown} bytes", kind.name());
}

/// 24 MiB of code, run twice: more translations than the cache keeps, so old ones have to go.
fn the_code_cache_is_bounded(kind: EngineKind) {
    const COUNT: u32 = 6 << 20;
    let straight = (0..COUNT - 1).map(|i| insn(Op::Addi, 10, 10, 0, (i % 2048) as i32));
    let back = [insn(Op::Jalr, 0, 5, 0, 0)];
    let mut machine = machine(straight.chain(back));
    machine.hart.set_x(Reg::new(5), CODE);
    let mut engine = AnyEngine::new(kind);
    let grown = growth(|| run(&mut engine, &mut machine, 2 * u64::from(COUNT)));
    // As many operations of 16 bytes as instructions would be 96 MiB.
    assert!(grown < 80 << 20, "{} grew by {} MiB", kind.name(), grown >> 20);
}

/// MEM-8. One test: two at a time would see each other grow.
#[test]
fn runs_cost_what_they_touch() {
    a_long_run_leaves_no_growth(EngineKind::Step, [100_000, 2_000_000]);
    a_long_run_leaves_no_growth(EngineKind::Block, [100_000, 20_000_000]);
    a_long_run_leaves_no_growth(EngineKind::Jit, [1_000_000, 400_000_000]);
    the_code_cache_is_bounded(EngineKind::Block);
    let grown = growth(|| drop(std::hint::black_box(machine([]))));
    assert!(grown < 8 << 20, "an empty machine costs {grown} bytes");
}
