//! Instruction words to instructions: the manual's listings (chapter 24, tables "RV32I Base
//! Instruction Set" and "RV32M Standard Extension"), column by column.

use crate::word::Word;

/// The name of an instruction; the 48 of the listings, and MRET (ISA-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[rustfmt::skip]
#[allow(missing_docs, reason = "the names are the manual's")]
pub enum Op {
    Lui, Auipc, Jal, Jalr,
    Beq, Bne, Blt, Bge, Bltu, Bgeu,
    Lb, Lh, Lw, Lbu, Lhu, Sb, Sh, Sw,
    Addi, Slti, Sltiu, Xori, Ori, Andi, Slli, Srli, Srai,
    Add, Sub, Sll, Slt, Sltu, Xor, Srl, Sra, Or, And,
    Fence, Ecall, Ebreak, Mret,
    Mul, Mulh, Mulhsu, Mulhu, Div, Divu, Rem, Remu,
}

/// An instruction. A register or immediate that it lacks is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// What to do.
    pub op: Op,
    /// The number of the destination register.
    pub rd: u32,
    /// The number of the first source register.
    pub rs1: u32,
    /// The number of the second source register.
    pub rs2: u32,
    /// The immediate as the instruction uses it: sign-extended, and shifted where the format says so.
    pub imm: u32,
}

/// The instruction that `word` encodes, or `None` for an illegal instruction (ISA-2, ISA-3).
pub fn decode(word: u32) -> Option<Instruction> {
    let (rd, rs1, rs2) = (word.field(11, 7), word.field(19, 15), word.field(24, 20));
    let r = |op| Instruction { op, rd, rs1, rs2, imm: 0 };
    let i = |op| Instruction { op, rd, rs1, rs2: 0, imm: imm_i(word) };
    let shift = |op| Instruction { op, rd, rs1, rs2: 0, imm: shamt(word) };
    let s = |op| Instruction { op, rd: 0, rs1, rs2, imm: imm_s(word) };
    let b = |op| Instruction { op, rd: 0, rs1, rs2, imm: imm_b(word) };
    let u = |op| Instruction { op, rd, rs1: 0, rs2: 0, imm: imm_u(word) };
    let j = |op| Instruction { op, rd, rs1: 0, rs2: 0, imm: imm_j(word) };
    let bare = |op| Instruction { op, rd: 0, rs1: 0, rs2: 0, imm: 0 };

    let (funct7, funct3, opcode) = (word.field(31, 25), word.field(14, 12), word.field(6, 0));
    Some(match (opcode, funct3, funct7) {
        (0b0110111, _, _) => u(Op::Lui),
        (0b0010111, _, _) => u(Op::Auipc),
        (0b1101111, _, _) => j(Op::Jal),
        (0b1100111, 0b000, _) => i(Op::Jalr),

        (0b1100011, 0b000, _) => b(Op::Beq),
        (0b1100011, 0b001, _) => b(Op::Bne),
        (0b1100011, 0b100, _) => b(Op::Blt),
        (0b1100011, 0b101, _) => b(Op::Bge),
        (0b1100011, 0b110, _) => b(Op::Bltu),
        (0b1100011, 0b111, _) => b(Op::Bgeu),

        (0b0000011, 0b000, _) => i(Op::Lb),
        (0b0000011, 0b001, _) => i(Op::Lh),
        (0b0000011, 0b010, _) => i(Op::Lw),
        (0b0000011, 0b100, _) => i(Op::Lbu),
        (0b0000011, 0b101, _) => i(Op::Lhu),
        (0b0100011, 0b000, _) => s(Op::Sb),
        (0b0100011, 0b001, _) => s(Op::Sh),
        (0b0100011, 0b010, _) => s(Op::Sw),

        (0b0010011, 0b000, _) => i(Op::Addi),
        (0b0010011, 0b010, _) => i(Op::Slti),
        (0b0010011, 0b011, _) => i(Op::Sltiu),
        (0b0010011, 0b100, _) => i(Op::Xori),
        (0b0010011, 0b110, _) => i(Op::Ori),
        (0b0010011, 0b111, _) => i(Op::Andi),
        (0b0010011, 0b001, 0b0000000) => shift(Op::Slli),
        (0b0010011, 0b101, 0b0000000) => shift(Op::Srli),
        (0b0010011, 0b101, 0b0100000) => shift(Op::Srai),

        (0b0110011, 0b000, 0b0000000) => r(Op::Add),
        (0b0110011, 0b000, 0b0100000) => r(Op::Sub),
        (0b0110011, 0b001, 0b0000000) => r(Op::Sll),
        (0b0110011, 0b010, 0b0000000) => r(Op::Slt),
        (0b0110011, 0b011, 0b0000000) => r(Op::Sltu),
        (0b0110011, 0b100, 0b0000000) => r(Op::Xor),
        (0b0110011, 0b101, 0b0000000) => r(Op::Srl),
        (0b0110011, 0b101, 0b0100000) => r(Op::Sra),
        (0b0110011, 0b110, 0b0000000) => r(Op::Or),
        (0b0110011, 0b111, 0b0000000) => r(Op::And),

        (0b0110011, 0b000, 0b0000001) => r(Op::Mul),
        (0b0110011, 0b001, 0b0000001) => r(Op::Mulh),
        (0b0110011, 0b010, 0b0000001) => r(Op::Mulhsu),
        (0b0110011, 0b011, 0b0000001) => r(Op::Mulhu),
        (0b0110011, 0b100, 0b0000001) => r(Op::Div),
        (0b0110011, 0b101, 0b0000001) => r(Op::Divu),
        (0b0110011, 0b110, 0b0000001) => r(Op::Rem),
        (0b0110011, 0b111, 0b0000001) => r(Op::Remu),

        // ISA-4: the fields fm, pred, succ, rs1 and rd of FENCE are ignored.
        (0b0001111, 0b000, _) => bare(Op::Fence),
        (0b1110011, 0b000, _) => bare(system(word)?),
        _ => return None,
    })
}

/// The instructions of opcode SYSTEM without operands are single words (ISA-3).
#[allow(clippy::unusual_byte_groupings, reason = "the groups are the columns of the listing")]
fn system(word: u32) -> Option<Op> {
    match word {
        0b000000000000_00000_000_00000_1110011 => Some(Op::Ecall),
        0b000000000001_00000_000_00000_1110011 => Some(Op::Ebreak),
        // Volume II, section 3.3.2: funct7 0011000, rs2 00010.
        0b0011000_00010_00000_000_00000_1110011 => Some(Op::Mret),
        _ => None,
    }
}

// Figure 2.4: the immediates, each bit labelled with the bit of the instruction it comes from.

/// I-immediate: inst\[31\] copied to 31..11, then inst\[30:25\], inst\[24:21\], inst\[20\].
pub fn imm_i<W: Word>(inst: W) -> W {
    let high = place(inst.clone(), 30, 25, 5);
    let low = place(inst.clone(), 24, 21, 1).or(inst.clone().field(20, 20));
    sign(inst, 11).or(high).or(low)
}

/// S-immediate: inst\[31\] copied to 31..11, then inst\[30:25\], inst\[11:8\], inst\[7\].
pub fn imm_s<W: Word>(inst: W) -> W {
    let high = place(inst.clone(), 30, 25, 5);
    let low = place(inst.clone(), 11, 8, 1).or(inst.clone().field(7, 7));
    sign(inst, 11).or(high).or(low)
}

/// B-immediate: inst\[31\] copied to 31..12, then inst\[7\], inst\[30:25\], inst\[11:8\], 0.
pub fn imm_b<W: Word>(inst: W) -> W {
    let high = place(inst.clone(), 7, 7, 11).or(place(inst.clone(), 30, 25, 5));
    let low = place(inst.clone(), 11, 8, 1);
    sign(inst, 12).or(high).or(low)
}

/// U-immediate: inst\[31:12\], then twelve zeros.
pub fn imm_u<W: Word>(inst: W) -> W {
    place(inst, 31, 12, 12)
}

/// J-immediate: inst\[31\] copied to 31..20, then inst\[19:12\], inst\[20\], inst\[30:25\], inst\[24:21\], 0.
pub fn imm_j<W: Word>(inst: W) -> W {
    let high = place(inst.clone(), 19, 12, 12).or(place(inst.clone(), 20, 20, 11));
    let low = place(inst.clone(), 30, 25, 5).or(place(inst.clone(), 24, 21, 1));
    sign(inst, 20).or(high).or(low)
}

/// The shift amount of SLLI, SRLI and SRAI: inst\[24:20\].
pub fn shamt<W: Word>(inst: W) -> W {
    inst.field(24, 20)
}

/// inst\[high:low\], placed so that inst\[low\] becomes bit `at`.
fn place<W: Word>(inst: W, high: u32, low: u32, at: u32) -> W {
    inst.field(high, low).shl(W::constant(at))
}

/// inst\[31\] in bits 31 down to `from`, zeros below.
fn sign<W: Word>(inst: W, from: u32) -> W {
    inst.ashr(W::constant(31)).shl(W::constant(from))
}
