//! slt and sltu, with a register or an immediate; and the comparison that branches share.

use lockstep::isa::Op;

use super::chip;
use super::step::{Decoded, RS1, RS2, Read, Step, Write, read_word};
use crate::air::{Builder, columns};
use crate::expr::Expr;

/// `slt`, `sltu`, `slti` and `sltiu`.
pub struct Less;

columns! {
    /// Whether a word is less than another.
    Compare {
        /// Bit 31 of each, 0 in an unsigned comparison.
        sign[2],
        /// `x - y + 2^16 borrow` in each half-word, the high ones with their sign bit moved.
        difference[2],
        /// The borrow of the low half.
        borrow,
        /// The borrow of the high half: x < y.
        is_less,
    }
}

impl<X: p3_field::PrimeCharacteristicRing> Compare<Expr<X>> {
    /// Constrains `is_less` to be `x < y`, signed if `is_signed`.
    pub fn constrain<B: Builder<Raw = X>>(
        &self,
        b: &mut B,
        real: &Expr<X>,
        is_signed: &Expr<X>,
        x: &[Expr<X>; 2],
        y: &[Expr<X>; 2],
    ) {
        super::booleans(b, &[self.sign[0].clone(), self.sign[1].clone(), self.borrow.clone(), self.is_less.clone()]);
        // A signed word plus 2^31, modulo 2^32, orders as an unsigned one.
        let shifted = |word: &[Expr<X>; 2], sign: &Expr<X>| &word[1] + is_signed * 0x8000 - sign * 0x10000;
        let [x_hi, y_hi] = [shifted(x, &self.sign[0]), shifted(y, &self.sign[1])];
        for sign in &self.sign {
            b.zero("sign only if signed", sign * is_signed.not());
        }
        b.half(real.clone(), x_hi.clone());
        b.half(real.clone(), y_hi.clone());
        super::half_words(b, real, &self.difference);
        b.integer_zero("low difference", &x[0] - &y[0] + &self.borrow * 0x10000 - &self.difference[0]);
        b.integer_zero("high difference", x_hi - y_hi - &self.borrow + &self.is_less * 0x10000 - &self.difference[1]);
    }
}

columns! {
    /// A row is one comparison.
    LessRow {
        step: Step,
        is_slt, is_sltu, is_immediate,
        rd, rs1, rs2,
        b: Read, c: Read, write: Write,
        compare: Compare,
    }
}

chip!(Less, "less", LessRow);

impl Less {
    fn constrain<B: Builder>(b: &mut B, row: LessRow<Expr<B::Raw>>) {
        let LessRow { step, is_slt, is_sltu, is_immediate, rd, rs1, rs2, c, compare, .. } = &row;
        let real = &super::one_hot(b, [is_slt, is_sltu]);
        b.boolean("is_immediate is boolean", is_immediate.clone());
        b.zero("an immediate is real", is_immediate * real.not());
        let op = is_slt * Op::Slt as u32
            + is_sltu * Op::Sltu as u32
            + is_immediate * (is_slt * IMMEDIATE[0] + is_sltu * IMMEDIATE[1]);
        let insn = Decoded {
            rd: rd.clone(),
            rs1: rs1.clone(),
            rs2: rs2.clone(),
            imm: [is_immediate * &c.value[0], is_immediate * &c.value[1]],
            ..Decoded::bare(op)
        };
        step.execute(b, real, insn, step.next_pcw(), step.mode.clone());
        step.read(b, real, rs1, RS1, &row.b);
        read_word(b, &(real - is_immediate), step.file() + rs2, step.at(RS2), c);
        compare.constrain(b, real, is_slt, &row.b.value, &c.value);
        step.write(b, real, rd, &row.write, [compare.is_less.clone(), Expr::zero()]);
    }
}

/// What to add to the number of `slt` and `sltu` for that of the immediate form, in the field.
const IMMEDIATE: [u32; 2] = [super::offset(Op::Slt, Op::Slti), super::offset(Op::Sltu, Op::Sltiu)];
