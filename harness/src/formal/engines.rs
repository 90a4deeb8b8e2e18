//! The engines' use of the functions: every engine against the specification's machine.
//!
//! The functions are proved for all values; what is left is that each engine calls the right one
//! with the right operands. That is tested: for every instruction all register operands there are,
//! and corner values of everything it reads.

use lockstep::ecall::NoHost;
use lockstep::exec::{AnyEngine, Engine, EngineKind, Exit, Until};
use lockstep::hart::{Hart, Machine};
use lockstep::isa::{Class, Format, Insn, Op, Reg, disassemble, encode};
use lockstep::map::Mode;
use lockstep::mem::Memory;
use lockstep_spec::zkvm;

use super::Options;
use super::clock::timed;
use super::report::{Entry, Layer, Method, Outcome};
use super::values::{CORNERS, Random, SEED};
use super::witness::immediate;
use crate::adapters;

/// Runs every engine of this build on every instruction that computes something.
pub fn check(options: &Options) -> Vec<Entry> {
    let mut entries = Vec::new();
    for kind in EngineKind::ALL {
        for op in Op::ALL.into_iter().filter(|op| op.class() != Class::System || *op == Op::Fence) {
            if options.wants(Layer::Engine, &[kind.name(), op.mnemonic(), &name(*kind, op)]) {
                entries.push(check_op(*kind, op));
            }
        }
        let name = format!("engine.{}.pairs", kind.name());
        if *kind != EngineKind::Step && options.wants(Layer::Engine, &[kind.name(), &name]) {
            entries.push(check_pairs(*kind, &name));
        }
    }
    entries
}

fn name(kind: EngineKind, op: Op) -> String {
    format!("engine.{}.{}", kind.name(), op.mnemonic())
}

fn check_op(kind: EngineKind, op: Op) -> Entry {
    let claim = format!(
        "the engine `{}` runs {} as the specification's machine does, with {} and corner values",
        kind.name(),
        op.mnemonic(),
        if kind == EngineKind::Jit { "all ways of equal registers" } else { "all register operands" },
    );
    let entry = match kind {
        EngineKind::Jit => run_cases(kind, &name(kind, op), &claim, compiled_cases(op)),
        _ => run_cases(kind, &name(kind, op), &claim, registers(op).chain(values(op))),
    };
    Entry { instructions: vec![op.mnemonic().to_string()], ..entry }
}

/// Blocks of two instructions: pairs that the block engine has codes of its own for are among them,
/// and whatever the compiler makes of one instruction behind another.
fn check_pairs(kind: EngineKind, name: &str) -> Entry {
    let claim = format!(
        "the engine `{}` runs each instruction behind each other one as the specification's machine does",
        kind.name()
    );
    let entry = run_cases(kind, name, &claim, pairs(if kind == EngineKind::Jit { 2 } else { 24 }));
    let ops = Op::ALL.into_iter().filter(|op| op.class() != Class::System);
    Entry { instructions: ops.map(|op| op.mnemonic().to_string()).collect(), ..entry }
}

fn run_cases(kind: EngineKind, name: &str, claim: &str, cases: impl Iterator<Item = Case>) -> Entry {
    let mut bench = match Bench::new(kind) {
        Ok(bench) => bench,
        Err(reason) => {
            return Entry::new(Layer::Engine, name, claim, Method::Tested(0), 0.0, Outcome::Skip(reason));
        }
    };
    let mut count = 0;
    let (found, seconds) = timed(|| {
        cases.into_iter().find_map(|case| {
            count += 1;
            bench.difference(&case)
        })
    });
    let found = found.or_else(|| bench.idle_compiler());
    Entry::new(Layer::Engine, name, claim, Method::Tested(count), seconds, Outcome::from_finding(found))
}

/// One run of one instruction.
#[derive(Clone, Debug)]
struct Case {
    insn: Insn,
    /// The instruction behind it; without one, a word that is none.
    second: Option<Insn>,
    pc: u32,
    is_user: bool,
    /// The values of rs1 and rs2, where they are not those of the bench.
    sources: Option<(u32, u32)>,
}

/// Every choice of the registers that the format has.
fn registers(op: Op) -> impl Iterator<Item = Case> {
    let [rd, rs1, rs2] = register_counts(op);
    let all = (0..rd).flat_map(move |d| (0..rs1).flat_map(move |a| (0..rs2).map(move |b| (d, a, b))));
    all.map(move |(d, a, b)| {
        let imm = immediate(op, 0x7a5c_b2c0) as i32;
        let insn = Insn { op, rd: Reg::new(d), rs1: Reg::new(a), rs2: Reg::new(b), imm };
        Case { insn, second: None, pc: CODE, is_user: false, sources: None }
    })
}

/// How many rd, rs1 and rs2 the format has.
fn register_counts(op: Op) -> [u32; 3] {
    match op.format() {
        Format::R => [32, 32, 32],
        Format::I | Format::Shamt => [32, 32, 1],
        Format::S | Format::B => [1, 32, 32],
        Format::U | Format::J => [32, 1, 1],
        Format::Fence | Format::Bare => [1, 1, 1],
    }
}

/// Corner values of both sources with random immediates, in both modes and at several addresses.
fn values(op: Op) -> impl Iterator<Item = Case> {
    let mut random = Random(SEED ^ op as u64);
    let is_access = matches!(op.class(), Class::Load | Class::Store);
    let firsts = if is_access { ADDRESSES.to_vec() } else { CORNERS.to_vec() };
    let pairs = firsts.into_iter().flat_map(|a| CORNERS.iter().map(move |b| (a, *b)));
    pairs.flat_map(|pair| [pair; ROUNDS]).map(move |(a, b)| {
        let bits = random.word();
        // Loads and stores stay near their addresses half of the time.
        let imm = immediate(op, if is_access && bits & 1 == 0 { bits & 0x0030_0380 } else { bits });
        let (rd, rs1, rs2) = (Reg::new(7), Reg::new(5), Reg::new(6));
        let insn = Insn { op, rd, rs1, rs2, imm: imm as i32 };
        // Encoding and decoding leaves the operands that the format has.
        let insn = lockstep::isa::decode(encode(&insn)).unwrap_or(insn);
        let pc = PCS[bits as usize / 2 % PCS.len()];
        Case { insn, second: None, pc, is_user: bits & 64 != 0, sources: Some((a, b)) }
    })
}

/// Cases for compiled code. Code is compiled once for a page, so each instruction has a page of its own and
/// is run there with many values.
fn compiled_cases(op: Op) -> impl Iterator<Item = Case> {
    let few = |count: u32| if count == 1 { vec![0] } else { vec![0, 5, 6, 31] };
    let [rd, rs1, rs2] = register_counts(op).map(few);
    let mut pages = Pages::default();
    let mut random = Random(SEED ^ op as u64);
    let numbers: Vec<(u32, u32, u32)> =
        rd.iter().flat_map(|d| rs1.iter().flat_map(|a| rs2.iter().map(|b| (*d, *a, *b))).collect::<Vec<_>>()).collect();
    let equal = numbers.into_iter().map(|(d, a, b)| {
        let imm = immediate(op, 0x7a5c_b2c0) as i32;
        let insn = Insn { op, rd: Reg::new(d), rs1: Reg::new(a), rs2: Reg::new(b), imm };
        Case { insn, second: None, pc: pages.next(), is_user: d == 5, sources: None }
    });
    let equal: Vec<Case> = equal.collect();
    let valued = (0..ROUNDS as u32).flat_map(|round| {
        let is_access = matches!(op.class(), Class::Load | Class::Store);
        let imm = immediate(op, if is_access { 0x0030_0380 & random.word() } else { random.word() }) as i32;
        let insn = Insn { op, rd: Reg::new(7), rs1: Reg::new(5), rs2: Reg::new(6), imm };
        let insn = lockstep::isa::decode(encode(&insn)).unwrap_or(insn);
        let firsts = if is_access { ADDRESSES.to_vec() } else { CORNERS.to_vec() };
        let pc = pages.next();
        let pairs = firsts.into_iter().flat_map(|a| CORNERS.iter().map(move |b| (a, *b)));
        let case = move |pair| Case { insn, second: None, pc, is_user: round % 2 == 0, sources: Some(pair) };
        pairs.map(case).collect::<Vec<_>>()
    });
    let valued: Vec<Case> = valued.collect();
    equal.into_iter().chain(valued)
}

/// Every two instructions, `rounds` times with other registers and immediates.
fn pairs(rounds: u32) -> impl Iterator<Item = Case> {
    let computes = |op: &Op| op.class() != Class::System;
    let mut random = Random(SEED);
    let mut pages = Pages::default();
    let ops = move || Op::ALL.into_iter().filter(computes);
    let both = ops().flat_map(move |first| ops().map(move |second| (first, second)));
    both.flat_map(move |ops| (0..rounds).map(move |round| (ops, round))).map(move |((first, second), round)| {
        let mut insn = |op: Op| {
            let bits = random.word();
            let reg = |shift: u32| Reg::new([5, 6, 7, 0][(bits >> shift & 3) as usize]);
            let imm = if op.class() == Class::Branch { 8 } else { immediate(op, bits & 0x0030_0380) };
            let insn = Insn { op, rd: reg(0), rs1: reg(2), rs2: reg(4), imm: imm as i32 };
            lockstep::isa::decode(encode(&insn)).unwrap_or(insn)
        };
        let (insn, second) = (insn(first), Some(insn(second)));
        Case { insn, second, pc: pages.next(), is_user: round % 2 == 0, sources: None }
    })
}

/// Pages for code, one after another.
#[derive(Default)]
struct Pages(u32);

impl Pages {
    fn next(&mut self) -> u32 {
        const FIRST: u32 = 0x1000_0000;
        self.0 += 1;
        FIRST + 1024 * self.0
    }
}

/// Runs of each pair of values, with other immediates.
const ROUNDS: usize = 8;
const CODE: u32 = 0x0002_0000;
/// Around the borders of the regions that both modes may execute in.
const PCS: [u32; 4] = [CODE, 0x0001_0000, 0xBFFF_FFF8, 0x0900_0ffc];
/// Data, its alignments, and the borders of the regions.
const ADDRESSES: [u32; 20] = [
    0x0003_0000,
    0x0003_0001,
    0x0003_0002,
    0x0003_0003,
    0x0003_0400,
    0x0003_07ff,
    0,
    4,
    0x0000_fffc,
    0x0000_ffff,
    0x0001_0000,
    0x0001_0002,
    0xBFFF_FFF0,
    0xBFFF_FFFC,
    0xBFFF_FFFF,
    0xC000_0000,
    0xFEFF_FFFC,
    0xFF00_0000,
    0xFFFF_0014,
    0xFFFF_FFFF,
];

/// An engine with its machine, and the specification's machine in the same state.
struct Bench {
    engine: AnyEngine,
    ours: Machine,
    theirs: zkvm::Machine,
}

/// Steps that a case may make: the instruction, and what its target happens to hold.
/// Memory is 0 but for the instruction and the data, so that most cases end at the second step.
const STEPS: u64 = 8;

impl Bench {
    /// # Errors
    /// Why there is no such engine here.
    fn new(kind: EngineKind) -> Result<Bench, String> {
        let engine = AnyEngine::eager(kind).ok_or("this build has no such engine for this machine")?;
        let ours = Machine { hart: Hart::new(CODE, Mode::Machine), mem: Memory::new() };
        let (pc, mode, memory) = (CODE, zkvm::Mode::Machine, lockstep_spec::memory::Memory::new());
        let theirs = zkvm::Machine { pc, mode, instructions: 0, cycles: 0, last_user_trap: None, memory };
        let mut bench = Bench { engine, ours, theirs };
        ADDRESSES.iter().for_each(|addr| bench.set_word(addr & !3, initial(addr & !3)));
        Ok(bench)
    }

    /// That the compiling engine compiled nothing, so that its cases say nothing of it.
    fn idle_compiler(&self) -> Option<String> {
        let is_idle = self.engine.kind() == EngineKind::Jit && self.engine.compiled() == 0;
        is_idle.then(|| "no case was compiled".to_string())
    }

    fn set_word(&mut self, addr: u32, value: u32) {
        self.ours.set_word(addr, value);
        self.theirs.memory.set_word(addr, value);
    }

    /// Runs the case on both machines; the first thing that differs.
    fn difference(&mut self, case: &Case) -> Option<String> {
        self.place(case);
        let start = self.ours.hart.instructions;
        let ours = self.engine.run(&mut self.ours, &mut NoHost, Until::order(start + STEPS), &mut ());
        let (theirs, touched) = self.run_specification();
        let found = self.state_difference(ours, theirs, &touched);
        if matches!(self.engine, AnyEngine::Step(_)) || case.second.is_none() && case.pc < 0x1000_0000 {
            self.set_word(case.pc, 0);
        }
        touched.into_iter().for_each(|addr| self.set_word(addr, initial(addr)));
        found.map(|what| {
            let mut text = disassemble(encode(&case.insn), case.pc);
            if let Some(second) = case.second {
                text += &format!("; {}", disassemble(encode(&second), case.pc + 4));
            }
            let sources =
                case.sources.map_or(String::new(), |(a, b)| format!(" with rs1 = 0x{a:08x}, rs2 = 0x{b:08x}"));
            format!("`{text}` at pc 0x{:08x}{sources}: {what}", case.pc)
        })
    }

    fn place(&mut self, case: &Case) {
        for n in 1..32 {
            self.set_word(MACHINE_X + 4 * n, register(n));
            self.set_word(USER_X + 4 * n, register(n + 32));
        }
        // What is compiled stays as it is.
        for (i, insn) in (0..).zip([Some(case.insn), case.second].into_iter().flatten()) {
            let (addr, word) = (case.pc + 4 * i, encode(&insn));
            if self.ours.word(addr) != word {
                self.set_word(addr, word);
            }
        }
        let window = if case.is_user { USER_X } else { MACHINE_X };
        if let Some((a, b)) = case.sources {
            self.set_word(window + 4 * case.insn.rs1.index() as u32, a);
            self.set_word(window + 4 * case.insn.rs2.index() as u32, b);
        }
        self.ours.hart.mode = if case.is_user { Mode::User } else { Mode::Machine };
        self.theirs.mode = if case.is_user { zkvm::Mode::User } else { zkvm::Mode::Machine };
        (self.ours.hart.pc, self.theirs.pc) = (case.pc, case.pc);
        self.theirs.instructions = self.ours.hart.instructions;
    }

    /// How the specification's machine ends, and the words it stored.
    fn run_specification(&mut self) -> (Option<Exit>, Vec<u32>) {
        let mut stored = Vec::new();
        for _ in 0..STEPS {
            match self.theirs.step(&mut NoWorld) {
                zkvm::Outcome::Stepped(step) => {
                    stored.extend(step.access.filter(|access| access.is_store).map(|access| access.addr & !3));
                }
                zkvm::Outcome::Faulted(fault) => return (adapters::fault(&fault), stored),
                // No case contains an ECALL.
                zkvm::Outcome::Terminated { .. } => return (None, stored),
            }
        }
        (Some(Exit::Order), stored)
    }

    fn state_difference(&self, ours: Exit, theirs: Option<Exit>, stored: &[u32]) -> Option<String> {
        if theirs != Some(ours) {
            return Some(format!("the engine ends with {ours:x?}, the specification with {theirs:x?}"));
        }
        let places = [
            ("pc", self.ours.hart.pc, self.theirs.pc),
            ("the mode", self.ours.hart.mode as u32, self.theirs.mode as u32),
            ("the step count", self.ours.hart.instructions as u32, self.theirs.instructions as u32),
        ];
        let registers = (MACHINE_X..REGISTERS_END).step_by(4);
        let cells = registers.chain(stored.iter().copied());
        let mut words = cells.map(|addr| (addr, self.ours.word(addr), self.theirs.memory.word(addr)));
        let mut places = places.into_iter();
        let place = places.find(|(_, a, b)| a != b).map(|(name, a, b)| (name.to_string(), a, b));
        let place = place
            .or_else(|| words.find(|(_, a, b)| a != b).map(|(addr, a, b)| (format!("the word at 0x{addr:08x}"), a, b)));
        place.map(|(name, a, b)| format!("{name} is 0x{a:08x} and should be 0x{b:08x}"))
    }
}

// MAP-6, MAP-7: both windows of registers, and the sinks behind them.
const MACHINE_X: u32 = 0xFFFF_0000;
const USER_X: u32 = 0xFFFF_0080;
const REGISTERS_END: u32 = 0xFFFF_0184;

/// Distinct values for all registers, most of them addresses of data.
fn register(n: u32) -> u32 {
    0x0003_0000 + 4 * (37 * n % 64) + (n >> 2 & 3)
}

/// What the word at `addr` holds before a case.
fn initial(addr: u32) -> u32 {
    let is_data = ADDRESSES.iter().any(|data| data & !3 == addr) && addr < MACHINE_X && addr > CODE;
    if is_data { addr.wrapping_mul(0x9E37_79B1) | 0x8080_8080 } else { 0 }
}

/// A world that nobody asks.
struct NoWorld;

impl zkvm::Host for NoWorld {
    fn read(&mut self, _order: u64, _fd: u32, _bytes: &mut [u8]) -> u32 {
        0
    }
    fn write(&mut self, _order: u64, _fd: u32, _bytes: &[u8]) -> u32 {
        0
    }
}
