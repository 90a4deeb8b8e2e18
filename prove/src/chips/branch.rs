//! The six conditional branches.

use lockstep::isa::Op;
use p3_field::PrimeCharacteristicRing;

use super::chip;
use super::less::Compare;
use super::step::{Decoded, RS1, RS2, Read, Step};
use crate::air::{Builder, columns};
use crate::expr::Expr;

/// `beq`, `bne`, `blt`, `bge`, `bltu` and `bgeu`.
pub struct Branch;

columns! {
    /// Whether a branch is taken.
    Condition {
        is_beq, is_bne, is_blt, is_bge, is_bltu, is_bgeu,
        compare: Compare,
        /// Whether the operands are equal.
        is_equal,
        /// The inverse of the sum of the differences if they are not.
        inverse,
        is_taken,
    }
}

impl<X: PrimeCharacteristicRing> Condition<Expr<X>> {
    fn flags(&self) -> [&Expr<X>; 6] {
        [&self.is_beq, &self.is_bne, &self.is_blt, &self.is_bge, &self.is_bltu, &self.is_bgeu]
    }

    /// 1 for a branch, 0 for none.
    pub fn is_branch(&self) -> Expr<X> {
        Expr::sum(self.flags().into_iter().cloned())
    }

    /// The number of the operation.
    pub fn op(&self) -> Expr<X> {
        let ops = [Op::Beq, Op::Bne, Op::Blt, Op::Bge, Op::Bltu, Op::Bgeu];
        Expr::sum(self.flags().into_iter().zip(ops).map(|(flag, op)| flag * op as u32))
    }

    /// Constrains `is_taken` to be the comparison of `x` and `y`, of a branch; and 0 of none.
    pub fn constrain<B: Builder<Raw = X>>(&self, b: &mut B, x: &[Expr<X>; 2], y: &[Expr<X>; 2]) {
        let Condition { is_beq, is_bne, is_blt, is_bge, is_bltu, is_bgeu, compare, is_equal, inverse, is_taken } = self;
        let real = &super::one_hot(b, self.flags());
        compare.constrain(b, real, &(is_blt + is_bge), x, y);
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

columns! {
    /// A row is one branch, taken or not.
    BranchRow {
        step: Step,
        rs1, rs2,
        b: Read, c: Read,
        condition: Condition,
        /// The target / 4, from the decoder.
        target,
    }
}

chip!(Branch, "branch", BranchRow);

impl Branch {
    fn constrain<B: Builder>(b: &mut B, row: BranchRow<Expr<B::Raw>>) {
        let BranchRow { step, rs1, rs2, condition, target, .. } = &row;
        let real = &condition.is_branch();
        let op = Decoded::bare(condition.op());
        let insn = Decoded { rs1: rs1.clone(), rs2: rs2.clone(), target: target.clone(), ..op };
        let next = step.next_pcw() + &condition.is_taken * (target - step.next_pcw());
        step.execute(b, real, insn, next, step.mode.clone());
        step.read(b, real, rs1, RS1, &row.b);
        step.read(b, real, rs2, RS2, &row.c);
        condition.constrain(b, &row.b.value, &row.c.value);
    }
}
