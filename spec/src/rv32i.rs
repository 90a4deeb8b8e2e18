//! What each instruction of RV32I computes, under the manual's own words (chapter 2).
//!
//! An instruction that writes a register is a function of its operands to the value of rd; a branch
//! is a function to whether it is taken; a load or store sees the memory word around its address.

use crate::word::{Bool, Word};

// 2.4 Integer Computational Instructions: Register-Immediate.

/// ADDI adds the sign-extended 12-bit immediate to rs1; overflow is ignored (ISA-7).
pub fn addi<W: Word>(rs1: W, imm: W) -> W {
    rs1.add(imm)
}

/// SLTI places 1 in rd if rs1 is less than the sign-extended immediate, both signed, else 0 (ISA-9).
pub fn slti<W: Word>(rs1: W, imm: W) -> W {
    W::from_bool(rs1.slt(imm))
}

/// SLTIU is similar but compares as unsigned; the immediate is first sign-extended (ISA-7, ISA-9).
pub fn sltiu<W: Word>(rs1: W, imm: W) -> W {
    W::from_bool(rs1.ult(imm))
}

/// XORI performs bitwise XOR on rs1 and the sign-extended 12-bit immediate.
pub fn xori<W: Word>(rs1: W, imm: W) -> W {
    rs1.xor(imm)
}

/// ORI performs bitwise OR on rs1 and the sign-extended 12-bit immediate.
pub fn ori<W: Word>(rs1: W, imm: W) -> W {
    rs1.or(imm)
}

/// ANDI performs bitwise AND on rs1 and the sign-extended 12-bit immediate.
pub fn andi<W: Word>(rs1: W, imm: W) -> W {
    rs1.and(imm)
}

/// SLLI is a logical left shift: zeros are shifted into the lower bits. The amount is the
/// lower 5 bits of the immediate (ISA-8).
pub fn slli<W: Word>(rs1: W, shamt: W) -> W {
    rs1.shl(shamt.zext(5))
}

/// SRLI is a logical right shift: zeros are shifted into the upper bits (ISA-8).
pub fn srli<W: Word>(rs1: W, shamt: W) -> W {
    rs1.lshr(shamt.zext(5))
}

/// SRAI is an arithmetic right shift: the sign bit is copied into the vacated upper bits (ISA-8).
pub fn srai<W: Word>(rs1: W, shamt: W) -> W {
    rs1.ashr(shamt.zext(5))
}

/// LUI places the 20-bit U-immediate in the top 20 bits of rd, filling the lowest 12 with zeros (ISA-10).
///
/// `imm` is the U-immediate as [`crate::encdec::imm_u`] gives it, already in the top bits.
pub fn lui<W: Word>(imm: W) -> W {
    imm
}

/// AUIPC adds the U-immediate, in the top 20 bits, to the address of the AUIPC instruction (ISA-10).
pub fn auipc<W: Word>(pc: W, imm: W) -> W {
    pc.add(imm)
}

// 2.4 Integer Computational Instructions: Register-Register.

/// ADD performs the addition of rs1 and rs2; overflow is ignored (ISA-7).
pub fn add<W: Word>(rs1: W, rs2: W) -> W {
    rs1.add(rs2)
}

/// SUB performs the subtraction of rs2 from rs1; overflow is ignored (ISA-7).
pub fn sub<W: Word>(rs1: W, rs2: W) -> W {
    rs1.sub(rs2)
}

/// SLT performs a signed compare, writing 1 to rd if rs1 < rs2, 0 otherwise (ISA-9).
pub fn slt<W: Word>(rs1: W, rs2: W) -> W {
    W::from_bool(rs1.slt(rs2))
}

/// SLTU performs an unsigned compare, writing 1 to rd if rs1 < rs2, 0 otherwise (ISA-9).
pub fn sltu<W: Word>(rs1: W, rs2: W) -> W {
    W::from_bool(rs1.ult(rs2))
}

/// AND performs a bitwise logical operation.
pub fn and<W: Word>(rs1: W, rs2: W) -> W {
    rs1.and(rs2)
}

/// OR performs a bitwise logical operation.
pub fn or<W: Word>(rs1: W, rs2: W) -> W {
    rs1.or(rs2)
}

/// XOR performs a bitwise logical operation.
pub fn xor<W: Word>(rs1: W, rs2: W) -> W {
    rs1.xor(rs2)
}

/// SLL shifts rs1 left by the amount held in the lower 5 bits of rs2 (ISA-8).
pub fn sll<W: Word>(rs1: W, rs2: W) -> W {
    rs1.shl(rs2.zext(5))
}

/// SRL shifts rs1 right, zeros coming in, by the amount held in the lower 5 bits of rs2 (ISA-8).
pub fn srl<W: Word>(rs1: W, rs2: W) -> W {
    rs1.lshr(rs2.zext(5))
}

/// SRA shifts rs1 right, the sign coming in, by the amount held in the lower 5 bits of rs2 (ISA-8).
pub fn sra<W: Word>(rs1: W, rs2: W) -> W {
    rs1.ashr(rs2.zext(5))
}

// 2.5 Control Transfer Instructions.

/// JAL: the offset is sign-extended and added to the address of the jump instruction to form the target (ISA-11).
pub fn jal_target<W: Word>(pc: W, imm: W) -> W {
    pc.add(imm)
}

/// JALR: the target is the sign-extended 12-bit immediate added to rs1, then with its
/// least-significant bit set to zero (ISA-11).
pub fn jalr_target<W: Word>(rs1: W, imm: W) -> W {
    rs1.add(imm).and(W::constant(!1))
}

/// JAL and JALR store the address of the instruction following the jump (pc+4) into rd (ISA-11);
/// every other instruction continues there.
pub fn next_pc<W: Word>(pc: W) -> W {
    pc.add(W::constant(4))
}

/// A branch adds its offset to the address of the branch instruction to give the target (ISA-12).
pub fn branch_target<W: Word>(pc: W, imm: W) -> W {
    pc.add(imm)
}

/// An instruction-address-misaligned exception is generated if the target is not aligned to a
/// four-byte boundary (ISA-13).
pub fn is_misaligned_target<W: Word>(target: W) -> W::Bool {
    target.zext(2).eq(W::constant(0)).not()
}

/// BEQ takes the branch if rs1 and rs2 are equal (ISA-12).
pub fn beq<W: Word>(rs1: W, rs2: W) -> W::Bool {
    rs1.eq(rs2)
}

/// BNE takes the branch if rs1 and rs2 are unequal (ISA-12).
pub fn bne<W: Word>(rs1: W, rs2: W) -> W::Bool {
    rs1.eq(rs2).not()
}

/// BLT takes the branch if rs1 is less than rs2, using signed comparison (ISA-12).
pub fn blt<W: Word>(rs1: W, rs2: W) -> W::Bool {
    rs1.slt(rs2)
}

/// BLTU takes the branch if rs1 is less than rs2, using unsigned comparison (ISA-12).
pub fn bltu<W: Word>(rs1: W, rs2: W) -> W::Bool {
    rs1.ult(rs2)
}

/// BGE takes the branch if rs1 is greater than or equal to rs2, using signed comparison (ISA-12).
pub fn bge<W: Word>(rs1: W, rs2: W) -> W::Bool {
    rs1.slt(rs2).not()
}

/// BGEU takes the branch if rs1 is greater than or equal to rs2, using unsigned comparison (ISA-12).
pub fn bgeu<W: Word>(rs1: W, rs2: W) -> W::Bool {
    rs1.ult(rs2).not()
}

// 2.6 Load and Store Instructions. `word` is the aligned memory word that holds the byte at `addr`.

/// The effective address is obtained by adding rs1 to the sign-extended 12-bit offset (ISA-14).
pub fn effective_address<W: Word>(rs1: W, imm: W) -> W {
    rs1.add(imm)
}

/// LB loads an 8-bit value from memory, then sign-extends to 32 bits (ISA-14).
pub fn lb<W: Word>(word: W, addr: W) -> W {
    word.lshr(bit_of_byte(addr)).sext(8)
}

/// LH loads a 16-bit value from memory, then sign-extends to 32 bits (ISA-14).
pub fn lh<W: Word>(word: W, addr: W) -> W {
    word.lshr(bit_of_half(addr)).sext(16)
}

/// LW loads a 32-bit value from memory (ISA-14).
pub fn lw<W: Word>(word: W) -> W {
    word
}

/// LBU loads an 8-bit value from memory, then zero-extends to 32 bits (ISA-14).
pub fn lbu<W: Word>(word: W, addr: W) -> W {
    word.lshr(bit_of_byte(addr)).zext(8)
}

/// LHU loads a 16-bit value from memory, then zero-extends to 32 bits (ISA-14).
pub fn lhu<W: Word>(word: W, addr: W) -> W {
    word.lshr(bit_of_half(addr)).zext(16)
}

/// SB stores the low 8 bits of rs2 to memory (ISA-14): the memory word afterwards.
pub fn sb<W: Word>(word: W, addr: W, rs2: W) -> W {
    replace(word, bit_of_byte(addr), W::constant(0xFF), rs2)
}

/// SH stores the low 16 bits of rs2 to memory (ISA-14): the memory word afterwards.
pub fn sh<W: Word>(word: W, addr: W, rs2: W) -> W {
    replace(word, bit_of_half(addr), W::constant(0xFFFF), rs2)
}

/// SW stores the 32 bits of rs2 to memory (ISA-14): the memory word afterwards.
pub fn sw<W: Word>(rs2: W) -> W {
    rs2
}

/// MEM-1: byte n of a little-endian word begins at bit 8n.
fn bit_of_byte<W: Word>(addr: W) -> W {
    addr.zext(2).shl(W::constant(3))
}

/// MEM-1, MEM-3: an aligned half-word begins at bit 0 or 16.
fn bit_of_half<W: Word>(addr: W) -> W {
    addr.and(W::constant(2)).shl(W::constant(3))
}

/// `word` with the bits of `mask`, moved up to `bit`, taken from `value`.
fn replace<W: Word>(word: W, bit: W, mask: W, value: W) -> W {
    let kept = word.and(mask.clone().shl(bit.clone()).not());
    kept.or(value.and(mask).shl(bit))
}
