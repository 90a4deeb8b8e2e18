//! Programs generated from the coverage points: every instruction with every register in every place,
//! corner values crossed, walking bits, every lane, every trap, every edge of the map.
//!
//! There is no expected result in them: [`End::Spec`] runs the executable specification on the same
//! image and compares the whole state at the end. Each result is stored to memory of its own, so that
//! a wrong one cannot be overwritten by a later right one.

use std::sync::Arc;

use lockstep::isa::{Class, Format, Insn, Op, Reg, decode, encode};
use lockstep::map::{self, Addr, Mode};

use super::{End, Program, Test};
use crate::coverage::{ACCESS_EDGES, CELLS, CORNERS, IMM_CORNERS, width};

/// Words at addresses: the image of a generated program.
pub type Chunks = Vec<(Addr, Vec<u32>)>;

const CODE: Addr = map::USER_START;
const KERNEL: Addr = map::KERNEL_START;
/// The kernel's answer to an ECALL: terminate.
const ON_ECALL: Addr = KERNEL + 0x100;
/// Where results go.
const RESULTS: Addr = 0x0800_0000;
/// Where loads and stores go.
const DATA: Addr = 0x0900_0000;
/// Where machine mode finds code at an address that x0 reaches: `jalr ra, -2048(x0)`.
const TOP: Addr = 0xFFFF_F800;

const ECALL: u32 = 0x0000_0073;
const MRET: u32 = 0x3020_0073;
/// `jalr x0, 0(ra)`.
const RETURN: u32 = 0x0000_8067;

/// Every generated test.
pub fn tests(suite: &str) -> Vec<Test> {
    let mut tests = Vec::new();
    for mode in [Mode::Machine, Mode::User] {
        let suffix = if mode == Mode::User { "-user" } else { "" };
        for op in Op::ALL {
            if let Some(builder) = instruction(op, mode) {
                tests.push(builder.test(suite, format!("{}{suffix}", op.mnemonic())));
            }
        }
        tests.push(edges(mode).test(suite, format!("edges{suffix}")));
    }
    tests.push(cells().test(suite, "cells".into()));
    tests.push(services().test(suite, "services".into()));
    tests.push(pause().test(suite, "pause".into()));
    tests.push(user_traps().test(suite, "traps-user".into()));
    tests.push(illegal_words().test(suite, "illegal-user".into()));
    tests.extend(machine_traps().into_iter().map(|(name, builder)| builder.test(suite, format!("traps/{name}"))));
    tests
}

/// A program being written.
struct Builder {
    mode: Mode,
    code: Vec<u32>,
    /// Where the next result goes.
    result: Addr,
    chunks: Chunks,
}

impl Builder {
    fn new(mode: Mode) -> Builder {
        Builder { mode, code: Vec::new(), result: RESULTS, chunks: Vec::new() }
    }

    /// The address of the next instruction.
    fn here(&self) -> Addr {
        CODE + 4 * self.code.len() as u32
    }

    fn word(&mut self, word: u32) {
        self.code.push(word);
    }

    fn emit(&mut self, op: Op, rd: u32, rs1: u32, rs2: u32, imm: i32) {
        self.word(insn(op, rd, rs1, rs2, imm));
    }

    /// x`reg` = `value`, in two instructions whatever the value is.
    fn set(&mut self, reg: u32, value: u32) {
        let low = (value as i32) << 20 >> 20;
        self.emit(Op::Lui, reg, 0, 0, value.wrapping_sub(low as u32) as i32);
        self.emit(Op::Addi, reg, reg, 0, low);
    }

    /// Stores x`reg` as a result.
    fn keep(&mut self, reg: u32) {
        let base = if reg == 30 { 29 } else { 30 };
        self.set(base, self.result);
        self.emit(Op::Sw, 0, base, reg, 0);
        self.result += 4;
    }

    /// terminate, with the exit code 0.
    fn finish(&mut self) {
        self.set(17, 0);
        self.set(10, 0);
        self.word(ECALL);
    }

    fn test(mut self, suite: &str, name: String) -> Test {
        self.finish();
        let mut chunks = self.chunks;
        chunks.push((CODE, self.code));
        // The handler of traps goes on at the user's x31; that of ECALLs ends the run.
        let x31 = (map::USER_REGS + 4 * 31 - map::MACHINE_REGS) as i32;
        let mepc = (map::MEPC - map::MACHINE_REGS) as i32;
        let handler = [
            insn(Op::Lui, 5, 0, 0, map::MACHINE_REGS as i32),
            insn(Op::Lw, 6, 5, 0, x31),
            insn(Op::Addi, 6, 6, 0, -4),
            insn(Op::Sw, 0, 5, 6, mepc),
            MRET,
        ];
        let end = [insn(Op::Addi, 17, 0, 0, 0), insn(Op::Addi, 10, 0, 0, 0), ECALL];
        if self.mode == Mode::User {
            chunks.push((KERNEL, handler.to_vec()));
            chunks.push((ON_ECALL, end.to_vec()));
            chunks.push((map::TRAP_VECTOR, vec![KERNEL]));
            chunks.push((map::ECALL_VECTOR, vec![ON_ECALL]));
        }
        let program = Program::Generated { chunks: Arc::new(chunks), start: CODE, mode: self.mode };
        Test {
            suite: suite.into(),
            name,
            program,
            end: End::SPEC,
            stdin: Vec::new(),
            stdout: None,
            clauses: Vec::new(),
        }
    }
}

fn insn(op: Op, rd: u32, rs1: u32, rs2: u32, imm: i32) -> u32 {
    encode(&Insn { op, rd: Reg::new(rd), rs1: Reg::new(rs1), rs2: Reg::new(rs2), imm })
}

/// The program of one instruction.
fn instruction(op: Op, mode: Mode) -> Option<Builder> {
    let mut builder = Builder::new(mode);
    match (op.format(), op.class()) {
        (Format::R, _) => register_form(&mut builder, op),
        (Format::I | Format::Shamt, Class::Alu | Class::Less | Class::Shift) => immediate_form(&mut builder, op),
        (_, Class::Load) => loads(&mut builder, op),
        (_, Class::Store) => stores(&mut builder, op),
        (_, Class::Branch) => branches(&mut builder, op),
        (Format::U, _) => upper(&mut builder, op),
        (Format::J, _) => jal(&mut builder),
        (_, Class::Jump) => jalr(&mut builder),
        (Format::Fence, _) => fence(&mut builder),
        _ => return None,
    }
    Some(builder)
}

/// Triples (rd, rs1, rs2) with every register in every place and every way of being equal.
fn triples() -> Vec<(u32, u32, u32)> {
    let mut triples: Vec<(u32, u32, u32)> = (0..32).map(|i| (i, (i + 7) % 32, (i + 19) % 32)).collect();
    triples.extend([(5, 5, 6), (5, 6, 5), (5, 6, 6), (5, 5, 5), (0, 0, 0), (0, 5, 5)]);
    triples
}

/// Values with one bit set, and with one bit clear.
fn walking() -> impl Iterator<Item = u32> {
    (0..32).flat_map(|bit| [1 << bit, !(1 << bit)])
}

/// Pairs of operands: corners crossed, walking bits on either side, and some of no shape.
fn pairs() -> Vec<(u32, u32)> {
    let mut pairs: Vec<(u32, u32)> = CORNERS.iter().flat_map(|a| CORNERS.map(|b| (a.0, b.0))).collect();
    pairs.extend(walking().flat_map(|value| [(value, 0x1234_5678), (0xcafe_f00d, value), (value, value)]));
    let mut random = Random(0x9a17);
    pairs.extend((0..64).map(|_| (random.word(), random.word())));
    pairs.extend((0..32).map(|_| (random.word() % 64, random.word() % 64)));
    pairs
}

fn register_form(builder: &mut Builder, op: Op) {
    let mut case = |(rd, rs1, rs2): (u32, u32, u32), (a, b): (u32, u32)| {
        builder.set(rs1, a);
        builder.set(rs2, b);
        builder.emit(op, rd, rs1, rs2, 0);
        builder.keep(rd);
    };
    triples().into_iter().for_each(|registers| case(registers, (0x8000_1235, 0xffff_fff3)));
    pairs().into_iter().for_each(|values| case((10, 11, 12), values));
    // Every shift amount, with garbage above the five bits that count (ISA-8).
    (0..32).for_each(|amount| case((10, 11, 12), (0x9abc_def1, 0xffff_ff00 | 0x60 | amount)));
}

fn immediate_form(builder: &mut Builder, op: Op) {
    let mut case = |rd: u32, rs1: u32, a: u32, imm: i32| {
        builder.set(rs1, a);
        builder.emit(op, rd, rs1, 0, imm);
        builder.keep(rd);
    };
    triples().into_iter().for_each(|(rd, rs1, _)| case(rd, rs1, 0x8000_1235, 9));
    CORNERS.iter().for_each(|a| IMM_CORNERS.iter().for_each(|imm| case(10, 11, a.0, *imm)));
    walking().for_each(|value| case(10, 11, value, 5));
    (0..12).for_each(|bit| case(10, 11, 0x55aa_33cc, ((1 << bit) << 20) >> 20));
    (0..32).for_each(|amount| case(10, 11, 0x9abc_def1, amount));
}

fn loads(builder: &mut Builder, op: Op) {
    // Bytes, half-words and words of both signs.
    builder.chunks.push((DATA, vec![0x80ff_7f01, 0x0180_fe7f, 0x7fff_8000, 0x8000_7fff]));
    let mut case = |rd: u32, rs1: u32, addr: Addr, imm: i32| {
        builder.set(rs1, addr.wrapping_sub(imm as u32));
        builder.emit(op, rd, rs1, 0, imm);
        builder.keep(rd);
    };
    triples().into_iter().filter(|(_, rs1, _)| *rs1 != 0).for_each(|(rd, rs1, _)| case(rd, rs1, DATA, 8));
    (0..16).step_by(width(op).into()).for_each(|offset| case(10, 11, DATA + offset, 0));
    IMM_CORNERS.iter().for_each(|imm| case(10, 11, DATA + 4, *imm));
    (0..12).for_each(|bit| case(10, 11, DATA + 8, ((1 << bit) << 20) >> 20));
}

fn stores(builder: &mut Builder, op: Op) {
    let mut addr = DATA;
    let mut case = |rs1: u32, rs2: u32, value: u32, offset: u32, imm: i32| {
        // A word of known bytes first: a store must leave the neighbours as they were.
        builder.set(28, addr);
        builder.set(29, 0x5aa5_c33c);
        builder.emit(Op::Sw, 0, 28, 29, 0);
        builder.set(rs2, value);
        builder.set(rs1, (addr + offset).wrapping_sub(imm as u32));
        builder.emit(op, 0, rs1, rs2, imm);
        addr += 4;
    };
    triples().into_iter().filter(|(_, rs1, _)| *rs1 != 0).for_each(|(_, rs1, rs2)| case(rs1, rs2, 0x8091_a2b3, 0, 0));
    for offset in (0..4).step_by(width(op).into()) {
        [0, u32::MAX, 0x8091_a2b3].into_iter().for_each(|value| case(10, 11, value, offset, 0));
    }
    IMM_CORNERS.iter().for_each(|imm| case(10, 11, 0x0102_0304, 0, *imm));
    (0..12).for_each(|bit| case(10, 11, 0x0102_0304, 0, ((1 << bit) << 20) >> 20));
    walking().for_each(|value| case(10, 11, value, 0, 0));
}

fn branches(builder: &mut Builder, op: Op) {
    let mut case = |rs1: u32, rs2: u32, (a, b): (u32, u32), back: bool| {
        builder.set(rs1, a);
        builder.set(rs2, b);
        // The mark says which way it went: 2 for taken, 1 for not.
        let mark = [1, 2].map(|value| insn(Op::Addi, 29, 0, 0, value));
        let over = |offset| insn(Op::Jal, 0, 0, 0, offset);
        let words = match back {
            false => vec![insn(op, 0, rs1, rs2, 12), mark[0], over(8), mark[1]],
            true => vec![over(12), mark[1], over(12), insn(op, 0, rs1, rs2, -8), mark[0]],
        };
        words.into_iter().for_each(|word| builder.word(word));
        builder.keep(29);
    };
    for (_, rs1, rs2) in triples() {
        [(3, 3), (0xffff_fffb, 4), (4, 0xffff_fffb)].into_iter().for_each(|values| case(rs1, rs2, values, false));
    }
    for values in pairs() {
        [false, true].into_iter().for_each(|back| case(10, 11, values, back));
    }
    far(builder, |builder, offset| {
        builder.set(10, 3);
        builder.set(11, if matches!(op, Op::Bne | Op::Blt | Op::Bltu) { 4 } else { 3 });
        builder.emit(op, 0, 10, 11, offset);
    });
}

/// Jumps over 2^k bytes of code for the offsets that a branch can hold, and back again.
fn far(builder: &mut Builder, jump: impl Fn(&mut Builder, i32)) {
    const BITS: std::ops::Range<u32> = 5..12;
    for bit in BITS {
        let offset = 1 << bit;
        jump(builder, offset);
        // What is jumped over marks x28, and then leaves.
        let landing = builder.here() - 4 + offset as u32;
        while builder.here() < landing {
            builder.emit(Op::Addi, 28, 28, 0, 1);
        }
        builder.keep(28);
    }
}

fn upper(builder: &mut Builder, op: Op) {
    let mut case = |rd: u32, imm: u32| {
        builder.emit(op, rd, 0, 0, imm as i32);
        builder.keep(rd);
    };
    (0..32).for_each(|rd| case(rd, 0x8765_4000));
    [0, 0x1000, 0xffff_f000, 0x7fff_f000, 0x8000_0000].into_iter().for_each(|imm| case(10, imm));
    (12..32).for_each(|bit| case(10, 1 << bit));
}

fn jal(builder: &mut Builder) {
    for rd in 0..32 {
        builder.emit(Op::Jal, rd, 0, 0, 8);
        builder.word(0);
        builder.keep(rd);
        // 0: to 2, 1: to 3, 2: back to 1.
        builder.emit(Op::Jal, 0, 0, 0, 8);
        builder.emit(Op::Jal, 0, 0, 0, 8);
        builder.emit(Op::Jal, rd, 0, 0, -4);
        builder.keep(rd);
    }
    far(builder, |builder, offset| builder.emit(Op::Jal, 1, 0, 0, offset));
}

fn jalr(builder: &mut Builder) {
    /// Instructions of `set`, and so the distance from it to what follows the JALR.
    const SET: u32 = 2;
    let case = |builder: &mut Builder, rd: u32, rs1: u32, imm: i32, odd: u32| {
        let target = builder.here() + 4 * (SET + 2) + odd;
        builder.set(rs1, target.wrapping_sub(imm as u32));
        builder.emit(Op::Jalr, rd, rs1, 0, imm);
        builder.word(0);
        builder.keep(rd);
    };
    for (rd, rs1, _) in triples() {
        // x0 as the base is below.
        let rs1 = rs1.max(1);
        case(builder, rd, rs1, 4, 0);
        case(builder, rd, rs1, -3, 1);
    }
    IMM_CORNERS.into_iter().for_each(|imm| case(builder, 1, 10, imm, 0));
    // Backwards: 0: to 2, 1: to 3 behind the JALR.
    let target = builder.here() + 4 * SET + 4;
    builder.set(10, target);
    builder.emit(Op::Jal, 0, 0, 0, 8);
    builder.emit(Op::Jal, 0, 0, 0, 8);
    builder.emit(Op::Jalr, 1, 10, 0, 0);
    builder.keep(1);
    if builder.mode == Mode::Machine {
        builder.chunks.push((TOP, vec![RETURN]));
        builder.emit(Op::Jalr, 1, 0, 0, -2048);
        builder.keep(1);
    } else {
        // In user mode x0 reaches nothing that can be executed: the jump retires, the fetch traps.
        let resume = builder.here() + 4 * (SET + 1);
        builder.set(31, resume);
        builder.emit(Op::Jalr, 1, 0, 0, -2048);
        builder.keep(1);
    }
}

fn fence(builder: &mut Builder) {
    let mut random = Random(0xfe7ce);
    for _ in 0..64 {
        let row = Op::Fence.row();
        builder.word((random.word() & !row.mask) | row.pattern);
    }
    (1..32).for_each(|reg| builder.keep(reg));
}

/// Loads, stores and fetches at the edges of the map: those the mode may make; and in user mode the others.
fn edges(mode: Mode) -> Builder {
    let mut builder = Builder::new(mode);
    for addr in ACCESS_EDGES {
        let target = addr & !3;
        if mode == Mode::Machine && !mode.may_access(addr) {
            continue;
        }
        if target != CODE && mode.may_access(target) {
            builder.chunks.push((target, vec![RETURN]));
        }
        for op in [Op::Lbu, Op::Sb] {
            let resume = builder.here() + 4 * 5;
            builder.set(31, resume);
            builder.set(10, addr);
            builder.emit(op, 11, 10, 11, 0);
            builder.keep(11);
        }
        if target != CODE {
            let resume = builder.here() + 4 * 5;
            builder.set(31, resume);
            builder.set(10, target);
            builder.emit(Op::Jalr, 1, 10, 0, 0);
            builder.keep(1);
        }
    }
    builder
}

/// Every cell of system memory in every width.
fn cells() -> Builder {
    let mut builder = Builder::new(Mode::Machine);
    for cell in CELLS {
        for (load, store) in [(Op::Lw, Op::Sw), (Op::Lhu, Op::Sh), (Op::Lb, Op::Sb)] {
            builder.set(10, cell);
            builder.set(11, 0x8091_a2b3 ^ cell);
            builder.emit(store, 0, 10, 11, 0);
            builder.emit(load, 12, 10, 0, 0);
            builder.keep(12);
            builder.emit(Op::Lw, 12, 10, 0, 0);
            builder.keep(12);
        }
    }
    builder
}

/// write in every length of a few words, whose cost counts (TIME-2), and the registers that an image begins with.
fn services() -> Builder {
    const WRITE: u32 = 2;
    let mut builder = Builder::new(Mode::Machine);
    builder.chunks.push((map::MACHINE_REGS + 4 * 20, vec![0x2020_2020, 0x2121_2121]));
    builder.chunks.push((map::USER_REGS + 4 * 20, vec![0x4040_4040]));
    builder.keep(20);
    builder.keep(21);
    for len in (0..=9).chain([1023, 1024]) {
        builder.set(17, WRITE);
        builder.set(10, 1);
        builder.set(11, DATA + len);
        builder.set(12, len);
        builder.word(ECALL);
        builder.keep(10);
    }
    builder
}

/// A pause: unlike after a halt, pc is behind the ECALL (ECALL-2).
fn pause() -> Builder {
    let mut builder = Builder::new(Mode::Machine);
    builder.set(17, 0);
    builder.set(10, 0x0003_0001);
    builder.word(ECALL);
    builder
}

/// Each trap of each instruction, as a set-up and the word that raises.
fn trap_words(op: Op) -> Vec<(&'static str, u32, u32)> {
    let (a, b) = if matches!(op, Op::Bne | Op::Blt | Op::Bltu) { (10, 9) } else { (9, 9) };
    let access = |name, addr: Addr| (name, addr, insn(op, 11, 10, 11, 0));
    let forbidden = access("access", 0x0000_0004);
    let misaligned = access("misaligned", DATA + 1);
    match op.class() {
        // x9 = 0 and x10 = DATA + 2: the branches compare the two, or x9 with itself.
        Class::Branch => vec![("misaligned", DATA + 2, insn(op, 0, b, a, 2))],
        Class::Jump => vec![("misaligned", DATA + 2, insn(op, 1, 10, 0, if op == Op::Jal { 6 } else { 0 }))],
        Class::Load | Class::Store if width(op) == 1 => vec![forbidden],
        Class::Load | Class::Store => vec![forbidden, misaligned],
        Class::System if op != Op::Fence => vec![("raises", DATA, op.row().pattern)],
        _ => Vec::new(),
    }
}

/// Every trap in user mode, one after the other.
fn user_traps() -> Builder {
    let mut builder = Builder::new(Mode::User);
    for op in Op::ALL.into_iter().filter(|op| *op != Op::Ecall) {
        for (_, a0, word) in trap_words(op) {
            let resume = builder.here() + 4 * 7;
            builder.set(31, resume);
            builder.set(9, 0);
            builder.set(10, a0);
            builder.word(word);
            builder.keep(11);
        }
    }
    builder
}

/// Every trap in machine mode: each ends a run.
fn machine_traps() -> Vec<(String, Builder)> {
    let mut programs = Vec::new();
    for op in Op::ALL {
        for (name, a0, word) in trap_words(op) {
            let mut builder = Builder::new(Mode::Machine);
            // MRET to a misaligned address; an ECALL with an unknown number.
            builder.chunks.push((map::MEPC, vec![CODE + 1]));
            builder.set(17, 99);
            builder.set(9, 0);
            builder.set(10, a0);
            builder.word(word);
            programs.push((format!("{}-{name}", op.mnemonic()), builder));
        }
    }
    for addr in ACCESS_EDGES.into_iter().filter(|addr| !Mode::Machine.may_access(*addr)) {
        for (name, op) in [("load", Op::Lbu), ("store", Op::Sb), ("fetch", Op::Jalr)] {
            let mut builder = Builder::new(Mode::Machine);
            builder.set(10, if op == Op::Jalr { addr & !3 } else { addr });
            builder.emit(op, 11, 10, 11, 0);
            programs.push((format!("{name}-0x{addr:08x}"), builder));
        }
    }
    programs
}

/// Words that are no instruction: next to each row of the table, and anywhere.
fn illegal_words() -> Builder {
    const WORDS: usize = 2000;
    let mut builder = Builder::new(Mode::User);
    let mut random = Random(0x0111_e6a1);
    let near = |op: Op, bit: u32, fill: u32| ((fill & !op.row().mask) | op.row().pattern) ^ (1 << bit);
    let rows = Op::ALL.into_iter().flat_map(|op| (0..32).map(move |bit| (op, bit)));
    let mut words: Vec<u32> = rows.flat_map(|(op, bit)| [near(op, bit, 0), near(op, bit, 0x00c5_8500)]).collect();
    words.extend((0..WORDS).map(|_| random.word()));
    words.retain(|word| decode(*word).is_none());
    for word in words {
        let resume = builder.here() + 4 * 3;
        builder.set(31, resume);
        builder.word(word);
    }
    (1..31).for_each(|reg| builder.keep(reg));
    builder
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn word(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z >> 32) as u32
    }
}
