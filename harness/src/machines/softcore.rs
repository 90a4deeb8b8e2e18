//! The crate softcore-rv64: the official Sail model translated to Rust. A witness for arithmetic,
//! comparisons, branches and jumps; loads, stores, traps and illegal words are beyond it.
//!
//! Its registers have 64 bits. A 32-bit value goes in sign-extended, which keeps signed and unsigned
//! order, and the low 32 bits of the result count. Where that would give another result than RV32, the
//! RV64 instruction that works on words takes its place: `addw` for `add`, and so on.

use lockstep_spec::encdec::{Instruction, Op, decode};
use softcore_rv64::prelude::bv;
use softcore_rv64::registers::{X5, X6, X7};
use softcore_rv64::{Core, config, new_core};

use super::plain::{Hart, Interpreter, Made, Plain};
use crate::adapters::writes_rd;

/// The Sail-derived core beside ours.
pub type Softcore = Plain<SailCore>;

/// The translated model.
pub struct SailCore {
    core: Box<Core>,
}

impl Default for SailCore {
    fn default() -> Self {
        let mut core = Box::new(new_core(config::U74));
        // Before its reset the core has no extension, M among them.
        core.reset();
        SailCore { core }
    }
}

/// How an instruction of RV32 is put to a core of RV64.
struct Embedding {
    /// Bits to flip in the word.
    flip: u32,
    /// Whether rs1 and rs2 go in sign-extended.
    is_signed: (bool, bool),
    /// Where the result begins in rd.
    result_bit: u32,
}

/// OP to OP-32, OP-IMM to OP-IMM-32.
const WORD_FORM: u32 = 0x08;

/// The embedding of `op`, if this core is a witness for it.
fn embedding(op: Op) -> Option<Embedding> {
    let same = Embedding { flip: 0, is_signed: (true, true), result_bit: 0 };
    // MUL has funct3 0; the product of two embedded words is exact in 64 bits.
    let high = |funct3: u32, is_signed| Embedding { flip: funct3 << 12, is_signed, result_bit: 32 };
    Some(match op {
        Op::Add | Op::Sll | Op::Srl | Op::Sra | Op::Addi | Op::Slli | Op::Srli | Op::Srai => {
            Embedding { flip: WORD_FORM, ..same }
        }
        Op::Mul | Op::Div | Op::Divu | Op::Rem | Op::Remu => Embedding { flip: WORD_FORM, ..same },
        Op::Mulh => high(1, (true, true)),
        Op::Mulhsu => high(2, (true, false)),
        Op::Mulhu => high(3, (false, false)),
        // SUBW is broken in the crate; the low half of a 64-bit difference is the same.
        Op::Sub | Op::Slt | Op::Sltu | Op::Xor | Op::Or | Op::And => same,
        Op::Slti | Op::Sltiu | Op::Xori | Op::Ori | Op::Andi | Op::Lui | Op::Auipc => same,
        Op::Jal | Op::Jalr | Op::Beq | Op::Bne | Op::Blt | Op::Bge | Op::Bltu | Op::Bgeu => same,
        Op::Lb | Op::Lh | Op::Lw | Op::Lbu | Op::Lhu | Op::Sb | Op::Sh | Op::Sw => return None,
        Op::Fence | Op::Ecall | Op::Ebreak | Op::Mret => return None,
    })
}

fn extended(value: u32, is_signed: bool) -> u64 {
    if is_signed { i64::from(value.cast_signed()).cast_unsigned() } else { u64::from(value) }
}

/// `word` with x5, x6 and x7 for the registers that it has.
fn with_own_registers(word: u32, op: Op) -> u32 {
    let has_rs2 = matches!(word & 0x7f, 0x33 | 0x63);
    let has_rs1 = !matches!(op, Op::Lui | Op::Auipc | Op::Jal);
    let put = |word: u32, is_there: bool, at: u32, register: u32| {
        if is_there { word & !(31 << at) | register << at } else { word }
    };
    put(put(put(word, writes_rd(op), 7, 5), has_rs1, 15, 6), has_rs2, 20, 7)
}

impl SailCore {
    /// The value for rd and the next pc.
    fn execute(&mut self, hart: &Hart, word: u32, instruction: &Instruction) -> Option<(u32, u32)> {
        let embedding = embedding(instruction.op)?;
        let core = &mut self.core;
        core.set(X6, extended(hart.x[instruction.rs1 as usize], embedding.is_signed.0));
        core.set(X7, extended(hart.x[instruction.rs2 as usize], embedding.is_signed.1));
        core.PC = bv(u64::from(hart.pc));
        core.nextPC = bv(u64::from(hart.pc.wrapping_add(4)));
        let ast = core.decode_instr(with_own_registers(word, instruction.op) ^ embedding.flip);
        if core.execute(ast).trapped() {
            return None;
        }
        Some(((core.get(X5) >> embedding.result_bit) as u32, core.nextPC.bits() as u32))
    }
}

impl Interpreter for SailCore {
    const NAME: &'static str = "softcore";

    fn step(&mut self, hart: &mut Hart) -> Made {
        let Some(word) = hart.memory.word(hart.pc) else { return Made::Beyond };
        let Some(instruction) = decode(word) else { return Made::Beyond };
        match self.execute(hart, word, &instruction) {
            // The core has the C extension, so it has no misaligned targets to judge (ISA-13).
            Some((rd, next_pc)) if next_pc % 4 == 0 => {
                if writes_rd(instruction.op) && instruction.rd != 0 {
                    hart.x[instruction.rd as usize] = rd;
                }
                hart.pc = next_pc;
                Made::Retired
            }
            _ => Made::Beyond,
        }
    }
}
