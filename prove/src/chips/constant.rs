//! lui, auipc and jal: what they write and where they go depends on pc and the word alone, so the
//! decoder has computed it.

use lockstep::isa::Op;

use super::chip;
use super::step::{Decoded, Step, Write};
use crate::air::{Builder, columns};
use crate::expr::Expr;

/// `lui`, `auipc` and `jal`.
pub struct Constant;

columns! {
    /// A row is one of them.
    ConstantRow {
        step: Step,
        is_lui, is_auipc, is_jal,
        rd,
        /// What is written: the immediate, pc plus the immediate, or pc + 4.
        value[2],
        /// Where execution goes on / 4.
        target,
        write: Write,
    }
}

chip!(Constant, "constant", ConstantRow);

impl Constant {
    fn constrain<B: Builder>(b: &mut B, row: ConstantRow<Expr<B::Raw>>) {
        let ConstantRow { step, is_lui, is_auipc, is_jal, rd, value, target, write } = &row;
        let real = &super::one_hot(b, [is_lui, is_auipc, is_jal]);
        let op = is_lui * Op::Lui as u32 + is_auipc * Op::Auipc as u32 + is_jal * Op::Jal as u32;
        let insn = Decoded { rd: rd.clone(), imm: value.clone(), target: target.clone(), ..Decoded::bare(op) };
        step.execute(b, real, insn, target.clone(), step.mode.clone());
        super::half_words_known(b, value);
        step.write(b, real, rd, write, value.clone());
    }
}
