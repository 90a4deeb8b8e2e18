//! The six conditional branches.

use lockstep::isa::Op;

use super::chip;
use super::less::Compare;
use super::step::{Decoded, RS1, RS2, Read, Step};
use crate::air::{Builder, columns};
use crate::expr::Expr;

/// `beq`, `bne`, `blt`, `bge`, `bltu` and `bgeu`.
pub struct Branch;

columns! {
    /// A row is one branch, taken or not.
    BranchRow {
        step: Step,
        is_beq, is_bne, is_blt, is_bge, is_bltu, is_bgeu,
        rs1, rs2,
        b: Read, c: Read,
        compare: Compare,
        /// Whether the operands are equal.
        is_equal,
        /// The inverse of the sum of the differences if they are not.
        inverse,
        /// The target / 4, from the decoder.
        target,
        is_taken,
    }
}

chip!(Branch, "branch", BranchRow);

impl Branch {
    fn constrain<B: Builder>(b: &mut B, row: BranchRow<Expr<B::Raw>>) {
        let BranchRow { step, is_beq, is_bne, is_blt, is_bge, is_bltu, is_bgeu, rs1, rs2, compare, .. } = &row;
        let BranchRow { is_equal, inverse, target, is_taken, .. } = &row;
        let real = &super::one_hot(b, [is_beq, is_bne, is_blt, is_bge, is_bltu, is_bgeu]);
        let op = is_beq * Op::Beq as u32
            + is_bne * Op::Bne as u32
            + is_blt * Op::Blt as u32
            + is_bge * Op::Bge as u32
            + is_bltu * Op::Bltu as u32
            + is_bgeu * Op::Bgeu as u32;
        let insn = Decoded { rs1: rs1.clone(), rs2: rs2.clone(), target: target.clone(), ..Decoded::bare(op) };
        let next = step.next_pcw() + is_taken * (target - step.next_pcw());
        step.execute(b, real, insn, next, step.mode.clone());
        step.read(b, real, rs1, RS1, &row.b);
        step.read(b, real, rs2, RS2, &row.c);
        compare.constrain(b, real, &(is_blt + is_bge), &row.b.value, &row.c.value);
        // Two half-words are both 0 exactly if their sum is.
        let difference = &compare.difference[0] + &compare.difference[1];
        b.zero("equal words do not differ", is_equal * &difference);
        b.zero("words that do not differ are equal", real - is_equal - &difference * inverse);
        let is_less = &compare.is_less;
        b.zero(
            "taken when the comparison holds",
            is_beq * is_equal
                + is_bne * is_equal.not()
                + (is_blt + is_bltu) * is_less
                + (is_bge + is_bgeu) * is_less.not()
                - is_taken,
        );
    }
}
