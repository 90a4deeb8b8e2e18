//! sll, srl and sra, with a register or an immediate.
//!
//! A shift by `s = bits + 8 * bytes` is a multiplication of each byte by `m`, which splits it in two
//! parts, and a move of the parts by whole bytes:
//! ```text
//!   left:   m = 2^bits        byte * m = 256 * high + low    y[j] = low[j] + high[j - 1]
//!   right:  m = 2^(8 - bits)  byte * m = 256 * high + low    y[j] = high[j] + low[j + 1]
//! ```

use lockstep::isa::Op;

use super::chip;
use super::step::{Decoded, RS1, RS2, Read, Step, Write, read_word};
use crate::air::{Builder, Bus, Times, columns};
use crate::expr::Expr;

/// `sll`, `srl`, `sra`, `slli`, `srli` and `srai`.
pub struct Shift;

columns! {
    /// A row is one shift.
    ShiftRow {
        step: Step,
        is_sll, is_srl, is_sra, is_immediate,
        rd, rs1, rs2,
        b_t_prev, c: Read, write: Write,
        /// The bytes to shift.
        b[4],
        /// The two parts of each byte.
        high[4], low[4],
        /// Bits 0 to 2 of the amount.
        bit[3],
        /// Which whole-byte shift it is: 1, 2 or 3; none is 0.
        by[3],
        /// 2^bits.
        power,
        /// What the bytes are multiplied by.
        multiplier,
        /// Bit 31 of the word.
        sign,
        /// The sign in an arithmetic shift, else 0.
        fill,
        /// What the sign adds to the highest byte of a right shift; a column keeps the degree at 3.
        spill,
        /// The half-words of the result.
        a[2],
    }
}

chip!(Shift, "shift", ShiftRow);

impl Shift {
    fn constrain<B: Builder>(b: &mut B, row: ShiftRow<Expr<B::Raw>>) {
        let ShiftRow { step, is_sll, is_srl, is_sra, is_immediate, rd, rs1, rs2, c, a, .. } = &row;
        let ShiftRow { high, low, bit, by, power, multiplier, sign, fill, spill, .. } = &row;
        let real = &super::one_hot(b, [is_sll, is_srl, is_sra]);
        let is_right = &(is_srl + is_sra);
        b.boolean("is_immediate is boolean", is_immediate.clone());
        b.zero("an immediate is real", is_immediate * real.not());
        let op = is_sll * Op::Sll as u32
            + is_srl * Op::Srl as u32
            + is_sra * Op::Sra as u32
            + is_immediate * (is_sll * IMMEDIATE[0] + is_srl * IMMEDIATE[1] + is_sra * IMMEDIATE[2]);
        let insn = Decoded {
            rd: rd.clone(),
            rs1: rs1.clone(),
            rs2: rs2.clone(),
            imm: [is_immediate * &c.value[0], is_immediate * &c.value[1]],
            ..Decoded::bare(op)
        };
        step.execute(b, real, insn, step.next_pcw(), step.mode.clone());
        let word = super::halves(&row.b);
        let read = Read { value: word.clone(), t_prev: row.b_t_prev.clone() };
        step.read(b, real, rs1, RS1, &read);
        read_word(b, &(real - is_immediate), step.file() + rs2, step.at(RS2), c);
        super::bytes(b, real, &row.b);
        // ISA-8: the low five bits of the second operand.
        super::booleans(b, bit);
        let by_any = super::one_hot(b, [&by[0], &by[1], &by[2]]);
        let bits = &bit[0] + &bit[1] * 2 + &bit[2] * 4;
        let bytes = &by[0] + &by[1] * 2 + &by[2] * 3;
        b.interact(Bus::Amount, Times::Send(real.clone()), [c.value[0].clone(), bits + bytes * 8]);
        b.zero("power is 2^bits", (&bit[0] + 1) * (&bit[1] * 3 + 1) * (&bit[2] * 15 + 1) - power);
        // 2^bits or 2^(8 - bits), by the two constraints below.
        b.known(multiplier.clone(), 256);
        b.when("left by 2^bits", is_sll.clone(), multiplier - power);
        b.when("right by 2^(8 - bits)", is_right.clone(), multiplier * power - 256);
        for i in 0..4 {
            b.integer_zero("the parts of a byte", &row.b[i] * multiplier - &high[i] * 256 - &low[i]);
            b.pair(real.clone(), low[i].clone(), high[i].clone());
        }
        super::sign_bit(b, real, &word[1], sign);
        b.zero("only an arithmetic shift fills with the sign", is_sra * sign - fill);
        // The upper bits of the byte 0xff, shifted in: 256 - 2^(8 - bits).
        b.known(spill.clone(), 256);
        b.zero("the sign spills into the highest byte", fill * (-multiplier.clone() + 256) - spill);
        // Behind the highest byte of a right shift come bytes 0xff if the sign fills.
        let zero = Expr::zero;
        let left: [_; 4] = std::array::from_fn(|j| if j == 0 { low[0].clone() } else { &low[j] + &high[j - 1] });
        let right: [_; 4] = std::array::from_fn(|j| match low.get(j + 1) {
            Some(low) => &high[j] + low,
            None => &high[j] + spill,
        });
        let choose = |j: usize| {
            let from = |k: usize| {
                let l = if j >= k { left[j - k].clone() } else { zero() };
                let r = if j + k < 4 { right[j + k].clone() } else { fill * 0xff };
                (l, r)
            };
            let parts = [from(0), from(1), from(2), from(3)];
            let flags = [by_any.not(), by[0].clone(), by[1].clone(), by[2].clone()];
            let chosen = || parts.iter().zip(&flags);
            (
                Expr::sum(chosen().map(|(part, flag)| flag * &part.0)),
                Expr::sum(chosen().map(|(part, flag)| flag * &part.1)),
            )
        };
        let y: [_; 4] = std::array::from_fn(choose);
        for i in 0..2 {
            let left = &y[2 * i].0 + &y[2 * i + 1].0 * 256;
            let right = &y[2 * i].1 + &y[2 * i + 1].1 * 256;
            b.when("the result of a left shift", is_sll.clone(), left - &a[i]);
            b.when("the result of a right shift", is_right.clone(), right - &a[i]);
        }
        step.write(b, real, rd, &row.write, a.clone());
    }
}

/// What to add to the number of `sll`, `srl` and `sra` for that of the immediate form, in the field.
const IMMEDIATE: [u32; 3] =
    [super::offset(Op::Sll, Op::Slli), super::offset(Op::Srl, Op::Srli), super::offset(Op::Sra, Op::Srai)];
