//! div, divu, rem and remu: `b = c * q + r` over 64-bit words, with `|r| < |c|` and the sign of b.

use lockstep::isa::Op;

use super::chip;
use super::mul::{convolve, product_halves};
use super::step::{Decoded, RS1, RS2, Read, Step, Write};
use crate::air::{Builder, columns};
use crate::expr::Expr;

/// The four divisions.
pub struct Div;

columns! {
    /// A row is one division.
    DivRow {
        step: Step,
        is_div, is_divu, is_rem, is_remu,
        rd, rs1, rs2,
        b: Read, c_t_prev, write: Write,
        /// The bytes of the divisor and the quotient.
        c[4], q[4],
        /// The half-words of the remainder.
        r[2],
        /// Bit 31 of dividend and divisor.
        sign[2],
        /// The same in a signed division, else 0.
        extend[2],
        /// Whether the quotient stands for itself less 2^32.
        q_negative,
        /// Whether the remainder does.
        r_negative,
        /// Whether the divisor is 0.
        by_zero,
        /// The magnitude of the divisor and of the remainder, and the carries of their negation.
        c_abs[2], r_abs[2], c_carry, r_carry,
        /// `|c| - |r| - 1` and the borrow of its low half.
        gap[2], borrow,
        /// The carry out of each half-word of `c * q + r`.
        carry[4],
    }
}

chip!(Div, "div", DivRow);

impl Div {
    fn constrain<B: Builder>(b: &mut B, row: DivRow<Expr<B::Raw>>) {
        let DivRow { step, is_div, is_divu, is_rem, is_remu, rd, rs1, rs2, q, r, .. } = &row;
        let real = &super::one_hot(b, [is_div, is_divu, is_rem, is_remu]);
        let op =
            is_div * Op::Div as u32 + is_divu * Op::Divu as u32 + is_rem * Op::Rem as u32 + is_remu * Op::Remu as u32;
        let insn = Decoded { rd: rd.clone(), rs1: rs1.clone(), rs2: rs2.clone(), ..Decoded::bare(op) };
        step.execute(b, real, insn, step.next_pcw(), step.mode.clone());
        super::bytes(b, real, &row.c);
        super::bytes(b, real, q);
        super::half_words(b, real, r);
        let divisor = super::halves(&row.c);
        step.read(b, real, rs1, RS1, &row.b);
        step.read(b, real, rs2, RS2, &Read { value: divisor.clone(), t_prev: row.c_t_prev.clone() });
        row.signs(b, real, &divisor);
        row.euclid(b, real);
        row.magnitudes(b, real, &divisor);
        let quotient = super::halves(q);
        // ISA-16: division by 0 yields 2^32 - 1; the remainder is the dividend by the equation.
        for half in &quotient {
            b.zero("quotient of a division by 0", &row.by_zero * (half - 0xffff));
        }
        let a = std::array::from_fn(|i| (is_div + is_divu) * &quotient[i] + (is_rem + is_remu) * &r[i]);
        step.write(b, real, rd, &row.write, a);
    }
}

impl<X: p3_field::PrimeCharacteristicRing> DivRow<Expr<X>> {
    fn signs<B: Builder<Raw = X>>(&self, b: &mut B, real: &Expr<X>, divisor: &[Expr<X>; 2]) {
        let is_signed = &(&self.is_div + &self.is_rem);
        super::sign_bit(b, real, &self.b.value[1], &self.sign[0]);
        super::sign_bit(b, real, &divisor[1], &self.sign[1]);
        b.zero("sign of the dividend", is_signed * &self.sign[0] - &self.extend[0]);
        b.zero("sign of the divisor", is_signed * &self.sign[1] - &self.extend[1]);
        // Products of booleans.
        self.extend.iter().for_each(|extend| b.known(extend.clone(), 1));
        super::booleans(b, &[self.q_negative.clone(), self.r_negative.clone(), self.by_zero.clone()]);
        b.zero("an unsigned quotient is not negative", &self.q_negative * is_signed.not());
        // The remainder is 0 or has the sign of the dividend.
        b.zero("only a negative dividend has a negative remainder", &self.r_negative * self.extend[0].not());
        b.zero(
            "the remainder of a negative dividend is negative or 0",
            (&self.extend[0] - &self.r_negative) * (&self.r[0] + &self.r[1]),
        );
    }

    /// `c * q + r = b` modulo 2^64. No product of such numbers reaches 2^64, so it holds in the integers.
    fn euclid<B: Builder<Raw = X>>(&self, b: &mut B, real: &Expr<X>) {
        let columns = convolve(&self.c, &self.extend[1], &self.q, &self.q_negative);
        let r = [self.r[0].clone(), self.r[1].clone(), &self.r_negative * 0xffff, &self.r_negative * 0xffff];
        let [lo, hi] = self.b.value.clone();
        let sum = [lo, hi, &self.extend[0] * 0xffff, &self.extend[0] * 0xffff];
        product_halves(b, real, columns, r, &sum, &self.carry);
    }

    /// `|r| < |c|`, unless `c` is 0.
    fn magnitudes<B: Builder<Raw = X>>(&self, b: &mut B, real: &Expr<X>, divisor: &[Expr<X>; 2]) {
        magnitude(b, real, divisor, &self.extend[1], &self.c_abs, &self.c_carry);
        magnitude(b, real, &self.r, &self.r_negative, &self.r_abs, &self.r_carry);
        b.zero("by_zero means a divisor of 0", &self.by_zero * (&divisor[0] + &divisor[1]));
        b.boolean("borrow is boolean", self.borrow.clone());
        super::half_words(b, real, &self.gap);
        let low = &self.c_abs[0] - &self.r_abs[0] - 1 + &self.borrow * 0x10000 - &self.gap[0];
        let high = &self.c_abs[1] - &self.r_abs[1] - &self.borrow - &self.gap[1];
        let unless_zero = real - &self.by_zero;
        b.integer_zero("low half of the gap", &unless_zero * low);
        b.integer_zero("high half of the gap", &unless_zero * high);
    }
}

/// Constrains `abs` to be `word`, or `2^32 - word` if `negative`.
fn magnitude<B: Builder>(
    b: &mut B,
    real: &Expr<B::Raw>,
    word: &[Expr<B::Raw>; 2],
    negative: &Expr<B::Raw>,
    abs: &[Expr<B::Raw>; 2],
    carry: &Expr<B::Raw>,
) {
    super::half_words(b, real, abs);
    b.boolean("carry is boolean", carry.clone());
    for i in 0..2 {
        b.zero("magnitude of a positive word", negative.not() * (&abs[i] - &word[i]));
    }
    b.integer_zero("low half of a negation", negative * (&abs[0] + &word[0] - carry * 0x10000));
    b.integer_zero("high half of a negation", negative * (&abs[1] + &word[1] + carry - 0x10000));
}
