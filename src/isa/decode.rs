//! Words to instructions and back.

use super::op::{Format, Op};
use super::reg::Reg;

/// A decoded instruction. Operands that its format lacks are x0 and 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Insn {
    /// What to do.
    pub op: Op,
    /// The destination register.
    pub rd: Reg,
    /// The first source register.
    pub rs1: Reg,
    /// The second source register.
    pub rs2: Reg,
    /// The immediate, sign-extended; of LUI and AUIPC already shifted left by 12.
    pub imm: i32,
}

/// The instruction that `word` encodes, or `None` for an illegal instruction (ISA-3).
pub fn decode(word: u32) -> Option<Insn> {
    let op = identify(word)?;
    Some(operands(op, word))
}

/// The word that encodes `insn`; the inverse of [`decode`].
///
/// Bits of the immediate that the format cannot hold are dropped. FENCE is encoded as `fence iorw, iorw`.
pub fn encode(insn: &Insn) -> u32 {
    let imm = insn.imm as u32;
    let rd = (insn.rd.index() as u32) << 7;
    let rs1 = (insn.rs1.index() as u32) << 15;
    let rs2 = (insn.rs2.index() as u32) << 20;
    insn.op.row().pattern
        | match insn.op.format() {
            Format::R => rd | rs1 | rs2,
            Format::I => rd | rs1 | (imm << 20),
            Format::Shamt => rd | rs1 | ((imm & 31) << 20),
            Format::S => rs1 | rs2 | ((imm >> 5 & 0x7f) << 25) | ((imm & 0x1f) << 7),
            Format::B => rs1 | rs2 | scatter_b(imm),
            Format::U => rd | (imm & 0xffff_f000),
            Format::J => rd | scatter_j(imm),
            Format::Fence => 0x0ff0_0000,
            Format::Bare => 0,
        }
}

/// The row that `word` belongs to.
fn identify(word: u32) -> Option<Op> {
    for candidate in CANDIDATES[key(word)] {
        let op = candidate?;
        if word & op.row().mask == op.row().pattern {
            return Some(op);
        }
    }
    None
}

fn operands(op: Op, word: u32) -> Insn {
    let mut insn = Insn { op, rd: Reg::ZERO, rs1: Reg::ZERO, rs2: Reg::ZERO, imm: 0 };
    let (rd, rs1, rs2) = (Reg::new(word >> 7), Reg::new(word >> 15), Reg::new(word >> 20));
    match op.format() {
        Format::R => (insn.rd, insn.rs1, insn.rs2) = (rd, rs1, rs2),
        Format::I => (insn.rd, insn.rs1, insn.imm) = (rd, rs1, word as i32 >> 20),
        Format::Shamt => (insn.rd, insn.rs1, insn.imm) = (rd, rs1, rs2.index() as i32),
        Format::S => (insn.rs1, insn.rs2, insn.imm) = (rs1, rs2, imm_s(word)),
        Format::B => (insn.rs1, insn.rs2, insn.imm) = (rs1, rs2, imm_b(word)),
        Format::U => (insn.rd, insn.imm) = (rd, (word & 0xffff_f000) as i32),
        Format::J => (insn.rd, insn.imm) = (rd, imm_j(word)),
        Format::Fence | Format::Bare => {}
    }
    insn
}

/// `imm[11:5]` from bits 31..25, `imm[4:0]` from bits 11..7.
fn imm_s(word: u32) -> i32 {
    ((word as i32 >> 25) << 5) | (word >> 7 & 0x1f) as i32
}

/// `imm[12|10:5]` from bits 31..25, `imm[4:1|11]` from bits 11..7.
fn imm_b(word: u32) -> i32 {
    ((word as i32 >> 31) << 12)
        | (((word >> 7 & 1) << 11) | ((word >> 25 & 0x3f) << 5) | ((word >> 8 & 0xf) << 1)) as i32
}

/// `imm[20|10:1|11|19:12]` from bits 31..12.
fn imm_j(word: u32) -> i32 {
    ((word as i32 >> 31) << 20) | ((word & 0x000f_f000) | ((word >> 20 & 1) << 11) | ((word >> 21 & 0x3ff) << 1)) as i32
}

fn scatter_b(imm: u32) -> u32 {
    ((imm >> 12 & 1) << 31) | ((imm >> 5 & 0x3f) << 25) | ((imm >> 1 & 0xf) << 8) | ((imm >> 11 & 1) << 7)
}

fn scatter_j(imm: u32) -> u32 {
    ((imm >> 20 & 1) << 31) | ((imm >> 1 & 0x3ff) << 21) | ((imm >> 11 & 1) << 20) | (imm & 0x000f_f000)
}

/// Opcode bits 6..2 and funct3: which rows a word can belong to.
const fn key(word: u32) -> usize {
    ((word >> 2 & 0x1f) | (word >> 12 & 7) << 5) as usize
}

/// No key has more rows than this (SYSTEM and OP with funct3 = 0 or 5 have three).
const MOST_CANDIDATES: usize = 3;

/// The rows that the words of each key can belong to.
static CANDIDATES: [[Option<Op>; MOST_CANDIDATES]; 256] = candidates();

const fn candidates() -> [[Option<Op>; MOST_CANDIDATES]; 256] {
    let mut table = [[None; MOST_CANDIDATES]; 256];
    let mut k = 0;
    while k < 256 {
        let mut count = 0;
        let mut i = 0;
        while i < Op::ALL.len() {
            let row = Op::ALL[i].row();
            if key(row.mask) & (k ^ key(row.pattern)) == 0 {
                table[k][count] = Some(Op::ALL[i]);
                count += 1;
            }
            i += 1;
        }
        k += 1;
    }
    table
}
