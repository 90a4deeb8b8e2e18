//! One instruction as one function: from its operands to its effect, without state.
//!
//! An effect says what the instruction asks of the machine; [`crate::zkvm`] carries it out or traps.

use crate::encdec::Op;
use crate::word::Word;
use crate::{rv32i, rv32m};

/// What an instruction reads.
#[derive(Clone, Copy, Debug)]
pub struct Operands<W> {
    /// The address of the instruction.
    pub pc: W,
    /// The value of rs1.
    pub rs1: W,
    /// The value of rs2.
    pub rs2: W,
    /// The immediate.
    pub imm: W,
}

/// The width of a load or store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 8 bits.
    Byte,
    /// 16 bits.
    Half,
    /// 32 bits.
    Word,
}

/// What an instruction asks of the machine.
#[derive(Clone, Debug)]
pub enum Effect<W: Word> {
    /// Write rd, continue behind the instruction.
    Write(W),
    /// Write `link` to rd, continue at `target`.
    Jump {
        /// The next pc.
        target: W,
        /// The value of rd.
        link: W,
    },
    /// Continue at `target` if `is_taken`, else behind the instruction.
    Branch {
        /// Whether to branch.
        is_taken: W::Bool,
        /// Where to.
        target: W,
    },
    /// Write to rd what `read` makes of the memory word around `addr`.
    Load {
        /// The byte address.
        addr: W,
        /// How much is read.
        width: Width,
        /// The memory word and the address to the value of rd.
        read: fn(W, W) -> W,
    },
    /// Replace the memory word around `addr` by what `write` makes of it.
    Store {
        /// The byte address.
        addr: W,
        /// How much is written.
        width: Width,
        /// The value of rs2.
        value: W,
        /// The memory word, the address and the value to the memory word afterwards.
        write: fn(W, W, W) -> W,
    },
    /// Do nothing (ISA-4).
    Fence,
    /// Ask the environment (MODE-2, ECALL-1).
    Ecall,
    /// Raise a breakpoint (ISA-5).
    Ebreak,
    /// Return to user mode (MODE-4).
    Mret,
}

impl Width {
    /// Bytes of this width.
    pub const fn bytes(self) -> u32 {
        match self {
            Width::Byte => 1,
            Width::Half => 2,
            Width::Word => 4,
        }
    }
}

/// What `op` asks of the machine, given its operands.
pub fn effect<W: Word>(op: Op, operands: Operands<W>) -> Effect<W> {
    use Effect::Write;
    let Operands { pc, rs1, rs2, imm } = operands;
    match op {
        Op::Lui => Write(rv32i::lui(imm)),
        Op::Auipc => Write(rv32i::auipc(pc, imm)),
        Op::Jal => jump(rv32i::jal_target(pc.clone(), imm), pc),
        Op::Jalr => jump(rv32i::jalr_target(rs1, imm), pc),
        Op::Beq => branch(rv32i::beq(rs1, rs2), pc, imm),
        Op::Bne => branch(rv32i::bne(rs1, rs2), pc, imm),
        Op::Blt => branch(rv32i::blt(rs1, rs2), pc, imm),
        Op::Bge => branch(rv32i::bge(rs1, rs2), pc, imm),
        Op::Bltu => branch(rv32i::bltu(rs1, rs2), pc, imm),
        Op::Bgeu => branch(rv32i::bgeu(rs1, rs2), pc, imm),
        Op::Lb => load(Width::Byte, rs1, imm, rv32i::lb),
        Op::Lh => load(Width::Half, rs1, imm, rv32i::lh),
        Op::Lw => load(Width::Word, rs1, imm, |word, _| rv32i::lw(word)),
        Op::Lbu => load(Width::Byte, rs1, imm, rv32i::lbu),
        Op::Lhu => load(Width::Half, rs1, imm, rv32i::lhu),
        Op::Sb => store(Width::Byte, rs1, rs2, imm, rv32i::sb),
        Op::Sh => store(Width::Half, rs1, rs2, imm, rv32i::sh),
        Op::Sw => store(Width::Word, rs1, rs2, imm, |_, _, value| rv32i::sw(value)),
        Op::Addi => Write(rv32i::addi(rs1, imm)),
        Op::Slti => Write(rv32i::slti(rs1, imm)),
        Op::Sltiu => Write(rv32i::sltiu(rs1, imm)),
        Op::Xori => Write(rv32i::xori(rs1, imm)),
        Op::Ori => Write(rv32i::ori(rs1, imm)),
        Op::Andi => Write(rv32i::andi(rs1, imm)),
        Op::Slli => Write(rv32i::slli(rs1, imm)),
        Op::Srli => Write(rv32i::srli(rs1, imm)),
        Op::Srai => Write(rv32i::srai(rs1, imm)),
        Op::Add => Write(rv32i::add(rs1, rs2)),
        Op::Sub => Write(rv32i::sub(rs1, rs2)),
        Op::Sll => Write(rv32i::sll(rs1, rs2)),
        Op::Slt => Write(rv32i::slt(rs1, rs2)),
        Op::Sltu => Write(rv32i::sltu(rs1, rs2)),
        Op::Xor => Write(rv32i::xor(rs1, rs2)),
        Op::Srl => Write(rv32i::srl(rs1, rs2)),
        Op::Sra => Write(rv32i::sra(rs1, rs2)),
        Op::Or => Write(rv32i::or(rs1, rs2)),
        Op::And => Write(rv32i::and(rs1, rs2)),
        Op::Fence => Effect::Fence,
        Op::Ecall => Effect::Ecall,
        Op::Ebreak => Effect::Ebreak,
        Op::Mret => Effect::Mret,
        Op::Mul => Write(rv32m::mul(rs1, rs2)),
        Op::Mulh => Write(rv32m::mulh(rs1, rs2)),
        Op::Mulhsu => Write(rv32m::mulhsu(rs1, rs2)),
        Op::Mulhu => Write(rv32m::mulhu(rs1, rs2)),
        Op::Div => Write(rv32m::div(rs1, rs2)),
        Op::Divu => Write(rv32m::divu(rs1, rs2)),
        Op::Rem => Write(rv32m::rem(rs1, rs2)),
        Op::Remu => Write(rv32m::remu(rs1, rs2)),
    }
}

fn jump<W: Word>(target: W, pc: W) -> Effect<W> {
    Effect::Jump { target, link: rv32i::next_pc(pc) }
}

fn branch<W: Word>(is_taken: W::Bool, pc: W, imm: W) -> Effect<W> {
    Effect::Branch { is_taken, target: rv32i::branch_target(pc, imm) }
}

fn load<W: Word>(width: Width, rs1: W, imm: W, read: fn(W, W) -> W) -> Effect<W> {
    Effect::Load { addr: rv32i::effective_address(rs1, imm), width, read }
}

fn store<W: Word>(width: Width, rs1: W, rs2: W, imm: W, write: fn(W, W, W) -> W) -> Effect<W> {
    Effect::Store { addr: rv32i::effective_address(rs1, imm), width, value: rs2, write }
}
