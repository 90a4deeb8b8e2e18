//! and, or, xor, with a register or an immediate: the bitwise part of the family alu.

use lockstep::isa::Op;

use super::chip;
use super::step::{Decoded, RS1, RS2, Read, Step, Write, read_word};
use crate::air::{Builder, columns};
use crate::expr::Expr;

/// `xor`, `or`, `and`, `xori`, `ori` and `andi`.
pub struct Bitwise;

columns! {
    /// A row is one bitwise operation.
    BitwiseRow {
        step: Step,
        is_xor, is_or, is_and,
        /// Whether the second operand is the immediate.
        is_immediate,
        rd, rs1, rs2,
        b_t_prev, c_t_prev, write: Write,
        /// The bytes of the operands, and of the conjunction.
        b[4], c[4], and[4],
    }
}

chip!(Bitwise, "bitwise", BitwiseRow);

impl Bitwise {
    fn constrain<B: Builder>(b: &mut B, row: BitwiseRow<Expr<B::Raw>>) {
        let BitwiseRow { step, is_xor, is_or, is_and, is_immediate, rd, rs1, rs2, .. } = &row;
        let real = &super::one_hot(b, [is_xor, is_or, is_and]);
        b.boolean("is_immediate is boolean", is_immediate.clone());
        b.zero("an immediate is real", is_immediate * real.not());
        let second = [super::halves(&row.b), super::halves(&row.c)];
        let [x, y] = second;
        // Of each of the three, the immediate form is 19 or so rows away in the table.
        let op = is_xor * Op::Xor as u32
            + is_or * Op::Or as u32
            + is_and * Op::And as u32
            + is_immediate * (is_xor * IMMEDIATE[0] + is_or * IMMEDIATE[1] + is_and * IMMEDIATE[2]);
        let insn = Decoded {
            rd: rd.clone(),
            rs1: rs1.clone(),
            rs2: rs2.clone(),
            imm: [is_immediate * &y[0], is_immediate * &y[1]],
            ..Decoded::bare(op)
        };
        step.execute(b, real, insn, step.next_pcw(), step.mode.clone());
        step.read(b, real, rs1, RS1, &Read { value: x, t_prev: row.b_t_prev.clone() });
        let read = Read { value: y, t_prev: row.c_t_prev.clone() };
        read_word(b, &(real - is_immediate), step.file() + rs2, step.at(RS2), &read);
        for i in 0..4 {
            b.two_bytes(real.clone(), row.b[i].clone(), row.c[i].clone(), row.and[i].clone());
        }
        // x ^ y = x + y - 2 (x & y), x | y = x + y - (x & y).
        let result = std::array::from_fn(|i| {
            (is_xor + is_or) * (&row.b[i] + &row.c[i]) + (is_and - is_or - is_xor * 2) * &row.and[i]
        });
        step.write(b, real, rd, &row.write, super::halves(&result));
    }
}

/// What to add to the number of `xor`, `or` and `and` for that of the immediate form, in the field.
const IMMEDIATE: [u32; 3] =
    [super::offset(Op::Xor, Op::Xori), super::offset(Op::Or, Op::Ori), super::offset(Op::And, Op::Andi)];
