//! jalr.

use lockstep::isa::Op;

use super::chip;
use super::step::{Decoded, RS1, Read, Step, Write};
use crate::air::{Builder, columns};
use crate::expr::Expr;

/// `jalr`.
pub struct Jalr;

columns! {
    /// A row is one jalr to an aligned target.
    JalrRow {
        step: Step,
        real,
        rd, rs1,
        imm[2],
        b: Read, write: Write,
        /// The upper half of pc + 4, from the decoder.
        link_hi,
        /// Whether pc is the last word of memory, so that the link is 0.
        link_wraps,
        /// Bits 2 to 15 of the target.
        quotient,
        /// Bit 0 of the sum, which is cleared (ISA-11).
        bit0,
        /// The upper half of the target.
        hi,
        carry[2],
    }
}

chip!(Jalr, "jalr", JalrRow);

impl Jalr {
    fn constrain<B: Builder>(b: &mut B, row: JalrRow<Expr<B::Raw>>) {
        let JalrRow { step, real, rd, rs1, imm, link_hi, link_wraps, quotient, bit0, hi, carry, .. } = &row;
        super::booleans(b, &[real.clone(), link_wraps.clone()]);
        let link = &(link_hi + link_wraps * 0x10000);
        b.half(real.clone(), link_hi.clone());
        let op = Decoded::bare(Expr::of(Op::Jalr as u32));
        let insn = Decoded { rd: rd.clone(), rs1: rs1.clone(), imm: imm.clone(), target: link.clone(), ..op };
        // ISA-13: bit 1 of the target is 0, so the two low bits of the sum are bit 0.
        b.boolean("bit 0 is boolean", bit0.clone());
        super::quarter(b, real, quotient, bit0.clone());
        b.known(quotient.clone(), 0x3fff);
        b.half(real.clone(), hi.clone());
        super::half_words_known(b, imm);
        super::sum(b, &row.b.value, imm, &[quotient * 4 + bit0, hi.clone()], carry);
        step.execute(b, real, insn, hi * 0x4000 + quotient, step.mode.clone());
        step.read(b, real, rs1, RS1, &row.b);
        // pc + 4 = 4 (pcw + 1), less its upper half.
        let link_lo = (step.next_pcw() - link * 0x4000) * 4;
        step.write(b, real, rd, &row.write, [link_lo, link_hi.clone()]);
    }
}
