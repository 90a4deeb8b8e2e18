//! ebreak, mret of user mode, ecall of user mode without a kernel, and machine ECALLs that are refused.

use lockstep::ecall::{BIGINT, BUFFER_END, MAX_IO_BYTES, READ};
use lockstep::isa::{Op, Reg};
use lockstep::map;
use lockstep::trap::Cause;

use super::chip;
use super::step::{Decoded, LOAD, RS1, Read, Step};
use super::trap::{Vector, raise};
use crate::air::{Builder, columns};
use crate::expr::Expr;

/// Instructions that raise whatever their operands are.
pub struct Refused;

columns! {
    /// A row is one of them.
    RefusedRow {
        step: Step,
        /// ebreak (ISA-5), mret of user mode (MODE-5), ecall of user mode (MODE-6).
        is_ebreak, is_mret, is_ecall,
        /// The ECALL vector of that ecall, which is not valid.
        vector: Vector,
        /// pc: its bits 2 to 15 and its upper half.
        quotient, hi,
    }
}

chip!(Refused, "refused", RefusedRow);

/// The word of mret.
const MRET: u32 = 0x3020_0073;

impl Refused {
    fn constrain<B: Builder>(b: &mut B, row: RefusedRow<Expr<B::Raw>>) {
        let RefusedRow { step, is_ebreak, is_mret, is_ecall, vector, quotient, hi } = &row;
        let real = &super::one_hot(b, [is_ebreak, is_mret, is_ecall]);
        let op = is_ebreak * Op::Ebreak as u32 + is_mret * Op::Mret as u32 + is_ecall * Op::Ecall as u32;
        step.fetch(b, real, Decoded::bare(op));
        b.zero("mret and ecall of user mode", (is_mret + is_ecall) * &step.mode);
        vector.constrain(b, is_ecall, map::ECALL_VECTOR, step.at(LOAD));
        b.zero("a kernel would take the ecall", vector.is_valid.clone());
        super::quarter(b, real, quotient, Expr::zero());
        b.half(real.clone(), hi.clone());
        b.zero("pc is pcw times 4", real * (hi * 0x4000 + quotient - &step.pcw));
        let cause = is_ebreak * Cause::Breakpoint.number()
            + is_mret * Cause::IllegalInstruction.number()
            + is_ecall * Cause::UserEcall.number();
        // TRAP-5: pc, but for an illegal instruction its word.
        let is_pc = &(is_ebreak + is_ecall);
        let lo = is_pc * (quotient * 4) + is_mret * (MRET & 0xffff);
        let upper = is_pc * hi + is_mret * (MRET >> 16);
        raise(b, real, [step.ts.clone(), step.pcw.clone(), step.mode.clone(), cause, lo, upper]);
    }
}

/// Machine ECALLs that ECALL-6, ECALL-7 and ECALL-9 refuse.
pub struct Declined;

columns! {
    /// A row is one of them.
    DeclinedRow {
        step: Step,
        /// A number above those of the services, by its low or its high half (ECALL-6).
        is_unknown, is_huge,
        /// terminate with a halt type that does not exist (ECALL-9).
        is_type,
        /// read or write of more than 1,024 bytes, by the low or the high half of the length (ECALL-7).
        is_long, is_endless,
        /// read or write with a buffer that begins too low or ends too high (ECALL-7).
        is_low, is_high,
        /// Of the last four: whether it is a write.
        is_write,
        a7: Read, a0: Read, a1: Read, a2: Read,
        /// The inverse of the high half that is not 0.
        inverse,
        /// The low half of the address of the last byte, and the carry into its high half.
        last_lo, carry,
    }
}

chip!(Declined, "declined", DeclinedRow);

impl Declined {
    fn constrain<B: Builder>(b: &mut B, row: DeclinedRow<Expr<B::Raw>>) {
        let DeclinedRow { step, is_unknown, is_huge, is_type, is_long, is_endless, is_low, is_high, .. } = &row;
        let DeclinedRow { is_write, a7, a0, a1, a2, inverse, last_lo, carry, .. } = &row;
        let real = &super::one_hot(b, [is_unknown, is_huge, is_type, is_long, is_endless, is_low, is_high]);
        let has_pointer = &(is_low + is_high);
        let is_io = &(has_pointer + is_long + is_endless);
        b.boolean("is_write is boolean", is_write.clone());
        b.zero("ECALL-1: machine mode", real * step.mode.not());
        step.fetch(b, real, Decoded::bare(Expr::of(Op::Ecall as u32)));
        let register = |reg: Reg| Expr::of(reg.index() as u32);
        step.read(b, real, &register(Reg::A7), RS1, a7);
        step.read(b, is_type, &register(Reg::A0), RS1, a0);
        step.read(b, has_pointer, &register(Reg::A1), RS1, a1);
        step.read(b, is_io, &register(Reg::A2), RS1, a2);
        // The number: terminate is 0, read 1, write 2.
        b.zero("the number of the service", is_type * &a7.value[0] + is_io * (&a7.value[0] - READ - is_write));
        b.zero("the number is below 2^16", (is_type + is_io) * &a7.value[1]);
        // The half that is out of its range: above the last service, the last halt type, the longest length.
        let excess = is_unknown * (&a7.value[0] - (BIGINT + 1))
            + is_type * (&a0.value[0] - 2)
            + is_long * (&a2.value[0] - (MAX_IO_BYTES + 1));
        b.half(is_unknown + is_type + is_long, excess);
        let high = is_huge * &a7.value[1] + is_endless * &a2.value[1];
        b.zero("a high half that is not 0", high * inverse - (is_huge + is_endless));
        // A buffer of 1 to 1,024 bytes.
        b.zero("the length is below 2^16", has_pointer * &a2.value[1]);
        b.half(has_pointer.clone(), &a2.value[0] - 1);
        b.half(has_pointer.clone(), -a2.value[0].clone() + MAX_IO_BYTES);
        b.zero("a buffer that begins too low", is_low * &a1.value[1]);
        b.boolean("carry is boolean", carry.clone());
        b.half(is_high.clone(), last_lo.clone());
        let last = &a1.value[0] + &a2.value[0] - 1 - last_lo - carry * 0x10000;
        b.zero("last byte", is_high * last);
        let last_hi = &a1.value[1] + carry;
        let end = BUFFER_END >> 16;
        b.zero("a buffer that ends too high", is_high * (&last_hi - end) * (&last_hi - (end + 1)));
        let addr = |i: usize| {
            (is_unknown + is_huge) * &a7.value[i]
                + is_type * &a0.value[i]
                + (is_long + is_endless) * &a2.value[i]
                + has_pointer * &a1.value[i]
        };
        let cause = Expr::of(Cause::MachineEcall.number());
        raise(b, real, [step.ts.clone(), step.pcw.clone(), step.mode.clone(), cause, addr(0), addr(1)]);
    }
}

const _: () = assert!(BUFFER_END >> 16 == 0xffff && BUFFER_END & 0xffff == 0);
