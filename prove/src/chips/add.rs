//! add, sub, addi: the arithmetic part of the family alu.

use lockstep::isa::Op;

use super::chip;
use super::step::{Decoded, RS1, RS2, Read, Step, Write};
use crate::air::{Builder, columns};
use crate::expr::Expr;

/// `add` and `sub`, register with register.
pub struct Add;

/// `addi`.
pub struct AddImmediate;

columns! {
    /// A row is one add or sub.
    AddRow {
        step: Step,
        is_add, is_sub,
        rd, rs1, rs2,
        b: Read, c: Read, write: Write,
        /// The half-words of the result.
        a[2],
        /// `carry[0] = (x[0] + c[0] - y[0]) / 2^16`, and so on, where x + c = y.
        carry[2],
    }
}

columns! {
    /// A row is one addi.
    AddImmediateRow {
        step: Step,
        real,
        rd, rs1,
        imm[2],
        b: Read, write: Write,
        /// The half-words of the result.
        a[2],
        /// The carries out of the half-words.
        carry[2],
    }
}

chip!(Add, "add", AddRow);
chip!(AddImmediate, "add-immediate", AddImmediateRow);

impl Add {
    fn constrain<B: Builder>(b: &mut B, row: AddRow<Expr<B::Raw>>) {
        let AddRow { step, is_add, is_sub, rd, rs1, rs2, a, carry, .. } = &row;
        let real = &super::one_hot(b, [is_add, is_sub]);
        let op = is_add * Op::Add as u32 + is_sub * Op::Sub as u32;
        let insn = Decoded { rd: rd.clone(), rs1: rs1.clone(), rs2: rs2.clone(), ..Decoded::bare(op) };
        step.execute(b, real, insn, step.next_pcw(), step.mode.clone());
        step.read(b, real, rs1, RS1, &row.b);
        step.read(b, real, rs2, RS2, &row.c);
        step.write(b, real, rd, &row.write, a.clone());
        super::half_words(b, real, a);
        super::booleans(b, carry);
        // add: b + c = a. sub: a + c = b.
        let (x, y) = (&row.b.value, &row.c.value);
        let difference = |i: usize| is_add * (&x[i] + &y[i] - &a[i]) + is_sub * (&a[i] + &y[i] - &x[i]);
        b.integer_zero("low half", difference(0) - &carry[0] * 0x10000);
        b.integer_zero("high half", difference(1) + &carry[0] - &carry[1] * 0x10000);
    }
}

impl AddImmediate {
    fn constrain<B: Builder>(b: &mut B, row: AddImmediateRow<Expr<B::Raw>>) {
        let AddImmediateRow { step, real, rd, rs1, imm, a, carry, .. } = &row;
        b.boolean("real is boolean", real.clone());
        let op = Decoded::bare(Expr::of(Op::Addi as u32));
        let insn = Decoded { rd: rd.clone(), rs1: rs1.clone(), imm: imm.clone(), ..op };
        step.execute(b, real, insn, step.next_pcw(), step.mode.clone());
        step.read(b, real, rs1, RS1, &row.b);
        step.write(b, real, rd, &row.write, a.clone());
        super::half_words(b, real, a);
        super::half_words_known(b, imm);
        super::sum(b, &row.b.value, imm, a, carry);
    }
}
