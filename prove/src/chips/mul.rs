//! mul, mulh, mulhsu and mulhu: the product of two 64-bit words that extend the operands.
//!
//! Both operands are four bytes and a sign, which stands for four more bytes 0 or 0xff. The product
//! modulo 2^64 is the high and low word of every one of the four instructions.

use lockstep::isa::Op;

use super::chip;
use super::step::{Decoded, RS1, RS2, Read, Step, Write};
use crate::air::{Builder, columns};
use crate::expr::Expr;

/// The four multiplications.
pub struct Mul;

columns! {
    /// A row is one multiplication.
    MulRow {
        step: Step,
        is_mul, is_mulh, is_mulhsu, is_mulhu,
        rd, rs1, rs2,
        b_t_prev, c_t_prev, write: Write,
        /// The bytes of the operands.
        b[4], c[4],
        /// Bit 31 of the operands.
        sign[2],
        /// The same where the instruction takes the operand as signed, else 0.
        extend[2],
        /// The half-words of the product modulo 2^64.
        product[4],
        /// The carry out of each.
        carry[4],
    }
}

chip!(Mul, "mul", MulRow);

impl Mul {
    fn constrain<B: Builder>(b: &mut B, row: MulRow<Expr<B::Raw>>) {
        let MulRow { step, is_mul, is_mulh, is_mulhsu, is_mulhu, rd, rs1, rs2, .. } = &row;
        let MulRow { sign, extend, product, carry, .. } = &row;
        let real = &super::one_hot(b, [is_mul, is_mulh, is_mulhsu, is_mulhu]);
        let op = is_mul * Op::Mul as u32
            + is_mulh * Op::Mulh as u32
            + is_mulhsu * Op::Mulhsu as u32
            + is_mulhu * Op::Mulhu as u32;
        let insn = Decoded { rd: rd.clone(), rs1: rs1.clone(), rs2: rs2.clone(), ..Decoded::bare(op) };
        step.execute(b, real, insn, step.next_pcw(), step.mode.clone());
        super::bytes(b, real, &row.b);
        super::bytes(b, real, &row.c);
        let (x, y) = (super::halves(&row.b), super::halves(&row.c));
        super::sign_bit(b, real, &x[1], &sign[0]);
        super::sign_bit(b, real, &y[1], &sign[1]);
        b.zero("mulh and mulhsu take rs1 as signed", (is_mulh + is_mulhsu) * &sign[0] - &extend[0]);
        b.zero("mulh takes rs2 as signed", is_mulh * &sign[1] - &extend[1]);
        // Products of booleans.
        extend.iter().for_each(|extend| b.known(extend.clone(), 1));
        step.read(b, real, rs1, RS1, &Read { value: x, t_prev: row.b_t_prev.clone() });
        step.read(b, real, rs2, RS2, &Read { value: y, t_prev: row.c_t_prev.clone() });
        let columns = convolve(&row.b, &extend[0], &row.c, &extend[1]);
        product_halves(b, real, columns, [Expr::zero(), Expr::zero(), Expr::zero(), Expr::zero()], product, carry);
        product.iter().for_each(|half| b.half(real.clone(), half.clone()));
        let is_high = is_mulh + is_mulhsu + is_mulhu;
        let a = std::array::from_fn(|i| is_mul * &product[i] + &is_high * &product[i + 2]);
        step.write(b, real, rd, &row.write, a);
    }
}

/// The byte columns 0 to 7 of the product of two words of four bytes and a sign.
pub fn convolve<X: p3_field::PrimeCharacteristicRing>(
    x: &[Expr<X>; 4],
    x_sign: &Expr<X>,
    y: &[Expr<X>; 4],
    y_sign: &Expr<X>,
) -> [Expr<X>; 8] {
    let byte = |word: &[Expr<X>; 4], sign: &Expr<X>, i: usize| match word.get(i) {
        Some(byte) => byte.clone(),
        None => sign * 0xff,
    };
    std::array::from_fn(|k| Expr::sum((0..=k).map(|i| byte(x, x_sign, i) * byte(y, y_sign, k - i))))
}

/// Constrains the half-words `product` to be the sum of the byte columns and the half-words `plus`,
/// modulo 2^64.
pub fn product_halves<B: Builder>(
    b: &mut B,
    real: &Expr<B::Raw>,
    columns: [Expr<B::Raw>; 8],
    plus: [Expr<B::Raw>; 4],
    product: &[Expr<B::Raw>; 4],
    carry: &[Expr<B::Raw>; 4],
) {
    for i in 0..4 {
        let before = if i == 0 { Expr::zero() } else { carry[i - 1].clone() };
        let sum = &columns[2 * i] + &columns[2 * i + 1] * 256 + &plus[i] + before;
        // The carry is below 2^14, so that the right side stays below 2^30 (and so below p).
        super::quarter(b, real, &carry[i], Expr::zero());
        b.integer_zero("half-word of the product", sum - &product[i] - &carry[i] * 0x10000);
    }
}
