//! lb, lh, lw, lbu and lhu.

use lockstep::isa::Op;

use super::chip;
use super::step::{Decoded, LOAD, RS1, Read, Step, Write, read_word};
use crate::air::{Builder, Bus, Times, columns};
use crate::expr::Expr;

/// The five loads.
pub struct Load;

columns! {
    /// The address of a load or store.
    Address {
        /// Bits 2 to 15.
        quotient,
        /// Bits 0 and 1.
        offset[2],
        /// Bits 16 to 31.
        hi,
        carry[2],
        /// Whether it lies in kernel or system memory.
        privileged,
    }
}

impl<X: p3_field::PrimeCharacteristicRing> Address<Expr<X>> {
    /// Constrains the address to be `base + imm`, where `mode` may go; returns its word index.
    pub fn constrain<B: Builder<Raw = X>>(
        &self,
        b: &mut B,
        real: &Expr<X>,
        base: &[Expr<X>; 2],
        imm: &[Expr<X>; 2],
        mode: &Expr<X>,
    ) -> Expr<X> {
        let Address { quotient, offset, hi, carry, privileged } = self;
        super::booleans(b, offset);
        let low2 = &offset[0] + &offset[1] * 2;
        super::quarter(b, real, quotient, low2.clone());
        b.known(quotient.clone(), 0x3fff);
        super::permitted(b, real, hi, mode, privileged);
        b.known(hi.clone(), 0xffff);
        super::half_words_known(b, base);
        super::half_words_known(b, imm);
        super::sum(b, base, imm, &[quotient * 4 + low2, hi.clone()], carry);
        hi * 0x4000 + quotient
    }
}

columns! {
    /// A row is one load that succeeds.
    LoadRow {
        step: Step,
        is_lb, is_lh, is_lw, is_lbu, is_lhu,
        rd, rs1,
        imm[2],
        b: Read, write: Write,
        address: Address,
        /// The word that holds the address.
        word: Read,
        /// Whether it lies in a code page.
        from_code,
        /// The bytes of the half-word at the address.
        bytes[2],
        /// The highest byte that is loaded, of a byte or half-word.
        top,
        /// Bit 7 of it.
        sign,
        /// Its copies above: 1 if it is set and the load extends it.
        fill,
        /// The half-words of the result.
        a[2],
    }
}

chip!(Load, "load", LoadRow);

impl Load {
    fn constrain<B: Builder>(b: &mut B, row: LoadRow<Expr<B::Raw>>) {
        let LoadRow { step, is_lb, is_lh, is_lw, is_lbu, is_lhu, rd, rs1, imm, word, from_code, .. } = &row;
        let LoadRow { bytes, top, sign, fill, a, address, .. } = &row;
        let real = &super::one_hot(b, [is_lb, is_lh, is_lw, is_lbu, is_lhu]);
        let op = is_lb * Op::Lb as u32
            + is_lh * Op::Lh as u32
            + is_lw * Op::Lw as u32
            + is_lbu * Op::Lbu as u32
            + is_lhu * Op::Lhu as u32;
        let insn = Decoded { rd: rd.clone(), rs1: rs1.clone(), imm: imm.clone(), ..Decoded::bare(op) };
        step.execute(b, real, insn, step.next_pcw(), step.mode.clone());
        step.read(b, real, rs1, RS1, &row.b);
        let waddr = address.constrain(b, real, &row.b.value, imm, &step.mode);
        // MEM-3.
        let offset = &address.offset;
        b.zero("a word is aligned", is_lw * (&offset[0] + &offset[1]));
        b.zero("a half-word is aligned", (is_lh + is_lhu) * &offset[0]);
        // A word of a code page is the same at all times.
        b.boolean("from_code is boolean", from_code.clone());
        b.zero("from_code is real", from_code * real.not());
        let [lo, hi] = word.value.clone();
        b.interact(Bus::Code, Times::Send(from_code.clone()), [waddr.clone(), lo.clone(), hi.clone()]);
        read_word(b, &(real - from_code), waddr, step.at(LOAD), word);
        // The half-word at the address, and its bytes.
        let half = &lo + &offset[1] * (&hi - &lo);
        b.pair(real.clone(), bytes[0].clone(), bytes[1].clone());
        b.integer_zero("bytes of the half-word", half.clone() - &bytes[0] - &bytes[1] * 256);
        let byte = &bytes[0] + &offset[0] * (&bytes[1] - &bytes[0]);
        b.when("top of a byte", is_lb + is_lbu, top - &byte);
        b.when("top of a half-word", is_lh + is_lhu, top - &bytes[1]);
        b.when("a word has no top", is_lw.clone(), top.clone());
        b.boolean("sign is boolean", sign.clone());
        b.pair(real.clone(), (top - sign * 0x80) * 2, Expr::zero());
        b.zero("lb and lh extend the sign", (is_lb + is_lh) * sign - fill);
        let is_byte = is_lb + is_lbu;
        let is_half = is_lh + is_lhu;
        b.when("low half of a byte", is_byte.clone(), top + fill * 0xff00 - &a[0]);
        b.when("low half of a half-word", is_half.clone(), &bytes[0] + &bytes[1] * 256 - &a[0]);
        b.when("low half of a word", is_lw.clone(), &lo - &a[0]);
        b.when("high half of a part", is_byte + is_half, fill * 0xffff - &a[1]);
        b.when("high half of a word", is_lw.clone(), &hi - &a[1]);
        step.write(b, real, rd, &row.write, a.clone());
    }
}
