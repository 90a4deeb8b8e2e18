//! Machine ECALLs: terminate, read, write, and the words of a read.

use lockstep::ecall::BUFFER_END;
use lockstep::ecall::{MAX_IO_BYTES, READ, WRITE};
use lockstep::isa::{Op, Reg};

use super::boundary::{HALT, end};
use super::chip;
use super::fetch::WORDS;
use super::step::{Decoded, RS1, Read, SLOTS, Step, Write, access};
use crate::air::{Builder, Bus, Times, columns};
use crate::expr::Expr;

/// `terminate` (ECALL-2).
pub struct Terminate;

/// `read` and `write` (ECALL-3, ECALL-4).
pub struct Io;

/// The words that a `read` fills.
pub struct Fill;

columns! {
    /// A row is one terminate.
    TerminateRow {
        step: Step,
        real,
        /// The time of the access to a7 before.
        a7_t_prev,
        /// Halt or pause.
        is_pause,
        /// Whether it is a pause in the last word of memory, so that pc becomes 0.
        wraps,
        /// The 16 bits that the program chose.
        user_exit,
        /// The time of the access to a0 before.
        a0_t_prev,
    }
}

columns! {
    /// A row is one read or write that is not refused.
    IoRow {
        step: Step,
        is_read, is_write,
        a7_t_prev,
        a0: Write, a1: Read, a2_t_prev,
        /// The length asked for.
        len,
        /// Whether it is 0, and its inverse if not.
        is_empty, len_inverse,
        /// The length that the host delivered or took.
        count,
        /// Bits 2 to 15 and the low bits of the pointer.
        quotient, offset[2],
        /// The low half of the address of the last byte, and the carry into its high half.
        last_lo, carry,
        /// Whether there are words to fill, and the inverse of count if it is not 0.
        fills, count_inverse,
    }
}

columns! {
    /// A row is one word of a buffer that the host fills.
    FillRow {
        ts,
        waddr,
        /// Which byte is the first to be filled.
        start[4],
        /// The bytes still to be filled.
        left,
        is_final,
        t_prev,
        old[4], new[4],
        /// Which bytes are filled.
        mask[4],
    }
}

chip!(Terminate, "terminate", TerminateRow);
chip!(Io, "io", IoRow);
chip!(Fill, "fill", FillRow);

fn ecall<X: p3_field::PrimeCharacteristicRing>() -> Decoded<Expr<X>> {
    Decoded::bare(Expr::of(Op::Ecall as u32))
}

fn register<X: p3_field::PrimeCharacteristicRing>(reg: Reg) -> Expr<X> {
    Expr::of(reg.index() as u32)
}

impl Terminate {
    fn constrain<B: Builder>(b: &mut B, row: TerminateRow<Expr<B::Raw>>) {
        let TerminateRow { step, real, a7_t_prev, is_pause, wraps, user_exit, a0_t_prev } = &row;
        super::booleans(b, &[real.clone(), is_pause.clone(), wraps.clone()]);
        b.zero("ECALL-1: machine mode", real * step.mode.not());
        step.fetch(b, real, ecall());
        let a7 = Read { value: [Expr::zero(), Expr::zero()], t_prev: a7_t_prev.clone() };
        step.read(b, real, &register(Reg::A7), RS1, &a7);
        let a0 = Read { value: [is_pause.clone(), user_exit.clone()], t_prev: a0_t_prev.clone() };
        step.read(b, real, &register(Reg::A0), RS1, &a0);
        // ECALL-2: pc stays for halt and becomes pc + 4 for pause.
        let pcw = &step.pcw + is_pause;
        b.zero("behind the last word is the first", wraps * (&pcw - WORDS));
        let pcw = pcw - wraps * WORDS;
        let kind = is_pause + HALT;
        let zero = Expr::zero;
        let tuple = [&step.ts + SLOTS, pcw, step.mode.clone(), kind, user_exit.clone(), zero(), zero()];
        end(b, Times::Send(real.clone()), tuple);
    }
}

impl Io {
    fn constrain<B: Builder>(b: &mut B, row: IoRow<Expr<B::Raw>>) {
        let IoRow { step, is_read, is_write, a0, a1, len, count, .. } = &row;
        let real = &super::one_hot(b, [is_read, is_write]);
        b.zero("ECALL-1: machine mode", real * step.mode.not());
        step.execute(b, real, ecall(), step.next_pcw(), step.mode.clone());
        let number = is_read * READ + is_write * WRITE;
        let a7 = Read { value: [number, Expr::zero()], t_prev: row.a7_t_prev.clone() };
        step.read(b, real, &register(Reg::A7), RS1, &a7);
        step.read(b, real, &register(Reg::A1), RS1, a1);
        let a2 = Read { value: [len.clone(), Expr::zero()], t_prev: row.a2_t_prev.clone() };
        step.read(b, real, &register(Reg::A2), RS1, &a2);
        // ECALL-3, ECALL-4: a0 becomes the count; ECALL-8: at most what was asked for.
        step.write(b, real, &register(Reg::A0), a0, [count.clone(), Expr::zero()]);
        b.half(real.clone(), count.clone());
        b.half(real.clone(), len - count);
        // ECALL-7.
        b.half(real.clone(), -len.clone() + MAX_IO_BYTES);
        row.buffer(b, real);
        row.fill(b, real);
    }
}

impl<X: p3_field::PrimeCharacteristicRing> IoRow<Expr<X>> {
    /// ECALL-7: a buffer that is not empty lies between the invalid page and the register cells.
    fn buffer<B: Builder<Raw = X>>(&self, b: &mut B, real: &Expr<X>) {
        let IoRow { len, is_empty, len_inverse, last_lo, carry, .. } = self;
        b.boolean("is_empty is boolean", is_empty.clone());
        b.zero("an empty buffer has length 0", is_empty * len);
        b.zero("a buffer of length 0 is empty", len * len_inverse - (real - is_empty));
        b.zero("an empty buffer is real", is_empty * real.not());
        let filled = real - is_empty;
        b.boolean("carry is boolean", carry.clone());
        let [lo, hi] = &self.a1.value;
        b.half(filled.clone(), last_lo.clone());
        b.integer_zero("last byte", &filled * (lo + len - 1 - last_lo - carry * 0x10000));
        b.half(filled.clone(), hi - 1);
        b.half(filled, -(hi + carry) + ((BUFFER_END >> 16) - 1));
    }

    /// A read that delivers bytes fills words.
    fn fill<B: Builder<Raw = X>>(&self, b: &mut B, real: &Expr<X>) {
        let IoRow { step, is_read, count, quotient, offset, fills, count_inverse, .. } = self;
        super::booleans(b, offset);
        b.boolean("fills is boolean", fills.clone());
        b.zero("only a read fills words", fills * is_read.not());
        b.zero("a count of 0 fills nothing", fills * (count * count_inverse - 1));
        b.zero("a count that is not 0 fills words", is_read * (fills.not() * count));
        let low2 = &offset[0] + &offset[1] * 2;
        super::quarter(b, real, quotient, low2.clone());
        b.known(quotient.clone(), 0x3fff);
        b.integer_zero("low half of the pointer", quotient * 4 + &low2 - &self.a1.value[0]);
        let waddr = &self.a1.value[1] * 0x4000 + quotient;
        b.interact(Bus::Fill, Times::Send(fills.clone()), [step.ts.clone(), waddr, low2, count.clone()]);
    }
}

impl Fill {
    fn constrain<B: Builder>(b: &mut B, row: FillRow<Expr<B::Raw>>) {
        let FillRow { ts, waddr, start, left, is_final, t_prev, old, new, mask } = &row;
        let real = &super::one_hot(b, [&start[0], &start[1], &start[2], &start[3]]);
        super::booleans(b, mask);
        b.boolean("is_final is boolean", is_final.clone());
        b.zero("the final word is real", is_final * real.not());
        // The bytes filled are those from `start` on, to the end of the word unless it is the final one.
        b.zero("the first byte is filled", Expr::sum((0..4).map(|j| &start[j] * mask[j].not())));
        for j in 0..4 {
            let begun = Expr::sum(start[..=j].iter().cloned());
            b.zero("no byte before the first is filled", &mask[j] * begun.not());
            if j > 0 {
                let begun = Expr::sum(start[..j].iter().cloned());
                b.zero("the bytes filled follow each other", begun * &mask[j] * mask[j - 1].not());
            }
            b.zero("a byte not filled is kept", mask[j].not() * (&new[j] - &old[j]));
        }
        let goes_on = real - is_final;
        b.zero("a word that is not final is filled to its end", &goes_on * mask[3].not());
        let count = Expr::sum(mask.iter().cloned());
        b.zero("the final word takes what is left", is_final * (left - &count));
        super::bytes(b, real, old);
        super::bytes(b, real, new);
        let first = &start[1] + &start[2] * 2 + &start[3] * 3;
        b.interact(Bus::Fill, Times::Receive(real.clone()), [ts.clone(), waddr.clone(), first, left.clone()]);
        b.interact(Bus::Fill, Times::Send(goes_on), [ts.clone(), waddr + 1, Expr::zero(), left - count]);
        access(b, real, waddr.clone(), &super::halves(old), t_prev, super::halves(new), ts + super::step::LOAD);
    }
}
