//! What each instruction computes: straight-line functions of words.
//!
//! Every engine calls these, and `harness/src/smt` proves their compiled form equal to the
//! specification: no loops, no tables, no memory, no panics. Names are the manual's;
//! an instruction with an immediate uses the function of its register form.

/// ADD, ADDI (ISA-7).
#[inline]
pub fn add(a: u32, b: u32) -> u32 {
    a.wrapping_add(b)
}

/// SUB (ISA-7).
#[inline]
pub fn sub(a: u32, b: u32) -> u32 {
    a.wrapping_sub(b)
}

/// XOR, XORI.
#[inline]
pub fn xor(a: u32, b: u32) -> u32 {
    a ^ b
}

/// OR, ORI.
#[inline]
pub fn or(a: u32, b: u32) -> u32 {
    a | b
}

/// AND, ANDI.
#[inline]
pub fn and(a: u32, b: u32) -> u32 {
    a & b
}

/// SLT, SLTI (ISA-9).
#[inline]
pub fn slt(a: u32, b: u32) -> u32 {
    u32::from((a as i32) < b as i32)
}

/// SLTU, SLTIU (ISA-9).
#[inline]
pub fn sltu(a: u32, b: u32) -> u32 {
    u32::from(a < b)
}

/// SLL, SLLI (ISA-8).
#[inline]
pub fn sll(a: u32, b: u32) -> u32 {
    a.wrapping_shl(b)
}

/// SRL, SRLI (ISA-8).
#[inline]
pub fn srl(a: u32, b: u32) -> u32 {
    a.wrapping_shr(b)
}

/// SRA, SRAI (ISA-8).
#[inline]
pub fn sra(a: u32, b: u32) -> u32 {
    (a as i32).wrapping_shr(b) as u32
}

/// BEQ: whether the branch is taken (ISA-12).
#[inline]
pub fn beq(a: u32, b: u32) -> bool {
    a == b
}

/// BNE: whether the branch is taken (ISA-12).
#[inline]
pub fn bne(a: u32, b: u32) -> bool {
    a != b
}

/// BLT: whether the branch is taken (ISA-12).
#[inline]
pub fn blt(a: u32, b: u32) -> bool {
    (a as i32) < b as i32
}

/// BGE: whether the branch is taken (ISA-12).
#[inline]
pub fn bge(a: u32, b: u32) -> bool {
    a as i32 >= b as i32
}

/// BLTU: whether the branch is taken (ISA-12).
#[inline]
pub fn bltu(a: u32, b: u32) -> bool {
    a < b
}

/// BGEU: whether the branch is taken (ISA-12).
#[inline]
pub fn bgeu(a: u32, b: u32) -> bool {
    a >= b
}

/// LUI: `imm` is the immediate already shifted into bits 31..12 (ISA-10).
#[inline]
pub fn lui(imm: u32) -> u32 {
    imm
}

/// AUIPC: `imm` is the immediate already shifted into bits 31..12 (ISA-10).
#[inline]
pub fn auipc(pc: u32, imm: u32) -> u32 {
    pc.wrapping_add(imm)
}

/// The target of JAL and of a taken branch (ISA-11, ISA-12).
#[inline]
pub fn pc_relative(pc: u32, imm: u32) -> u32 {
    pc.wrapping_add(imm)
}

/// The target of JALR (ISA-11).
#[inline]
pub fn jalr_target(rs1: u32, imm: u32) -> u32 {
    rs1.wrapping_add(imm) & !1
}

/// The address behind the instruction at `pc`: the link of JAL and JALR.
#[inline]
pub fn next_pc(pc: u32) -> u32 {
    pc.wrapping_add(4)
}

/// Whether a jump may go to `target` (ISA-13).
#[inline]
pub fn is_aligned_target(target: u32) -> bool {
    target & 3 == 0
}

/// The address of a load or store (ISA-14).
#[inline]
pub fn effective_address(rs1: u32, imm: u32) -> u32 {
    rs1.wrapping_add(imm)
}

/// LB: the byte of `word` at `addr` (ISA-14).
#[inline]
pub fn lb(word: u32, addr: u32) -> u32 {
    lbu(word, addr) as u8 as i8 as u32
}

/// LH: the half-word of `word` at the aligned address `addr` (ISA-14).
#[inline]
pub fn lh(word: u32, addr: u32) -> u32 {
    lhu(word, addr) as u16 as i16 as u32
}

/// LW: `word` itself (ISA-14).
#[inline]
pub fn lw(word: u32) -> u32 {
    word
}

/// LBU: the byte of `word` at `addr` (ISA-14).
#[inline]
pub fn lbu(word: u32, addr: u32) -> u32 {
    word.wrapping_shr(8 * (addr & 3)) & 0xff
}

/// LHU: the half-word of `word` at the aligned address `addr` (ISA-14).
#[inline]
pub fn lhu(word: u32, addr: u32) -> u32 {
    word.wrapping_shr(8 * (addr & 2)) & 0xffff
}

/// SB: `word` with the byte at `addr` replaced (ISA-14).
#[inline]
pub fn sb(word: u32, addr: u32, value: u32) -> u32 {
    insert(word, 8 * (addr & 3), 0xff, value)
}

/// SH: `word` with the half-word at the aligned address `addr` replaced (ISA-14).
#[inline]
pub fn sh(word: u32, addr: u32, value: u32) -> u32 {
    insert(word, 8 * (addr & 2), 0xffff, value)
}

/// SW: `value` itself (ISA-14).
#[inline]
pub fn sw(value: u32) -> u32 {
    value
}

#[inline]
fn insert(word: u32, shift: u32, mask: u32, value: u32) -> u32 {
    (word & !mask.wrapping_shl(shift)) | (value & mask).wrapping_shl(shift)
}

/// MUL (ISA-15).
#[inline]
pub fn mul(a: u32, b: u32) -> u32 {
    a.wrapping_mul(b)
}

/// MULH (ISA-15).
#[inline]
pub fn mulh(a: u32, b: u32) -> u32 {
    (i64::from(a as i32).wrapping_mul(i64::from(b as i32)) >> 32) as u32
}

/// MULHSU (ISA-15).
#[inline]
pub fn mulhsu(a: u32, b: u32) -> u32 {
    // A signed word times an unsigned word fits a signed 64-bit product.
    (i64::from(a as i32).wrapping_mul(i64::from(b)) >> 32) as u32
}

/// MULHU (ISA-15).
#[inline]
pub fn mulhu(a: u32, b: u32) -> u32 {
    (u64::from(a).wrapping_mul(u64::from(b)) >> 32) as u32
}

/// DIV (ISA-16).
#[inline]
pub fn div(a: u32, b: u32) -> u32 {
    if b == 0 { u32::MAX } else { (a as i32).wrapping_div(b as i32) as u32 }
}

/// DIVU (ISA-16).
#[inline]
pub fn divu(a: u32, b: u32) -> u32 {
    a.checked_div(b).unwrap_or(u32::MAX)
}

/// REM (ISA-16).
#[inline]
pub fn rem(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { (a as i32).wrapping_rem(b as i32) as u32 }
}

/// REMU (ISA-16).
#[inline]
pub fn remu(a: u32, b: u32) -> u32 {
    a.checked_rem(b).unwrap_or(a)
}
