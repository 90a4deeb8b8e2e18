//! Traps: what happens when an instruction was raised instead of executed.
//!
//! The chips `fetch`, `misjump`, `forbidden` and `refused` show that a trap was raised, and why. This one shows what
//! came of it: in user mode with a valid trap vector the kernel goes on, else the segment ends by the fault.

use lockstep::map;
use p3_field::PrimeCharacteristicRing;

use super::boundary::{FAULT, end};
use super::step::{LOAD, RD, Read, SLOTS, Write, access, read_word};
use super::{chip, half_words_known};
use crate::air::{Builder, Bus, Times, columns};
use crate::expr::Expr;

/// The traps.
pub struct Trap;

columns! {
    /// A vector word (MAP-15), and why it is valid or not.
    Vector {
        /// Its bits 2 to 15, its bits 0 and 1, its upper half, and the time of the access before.
        quotient, low[2], hi, t_prev,
        /// Whether it is divisible by 4 and lies in kernel memory.
        is_valid,
        /// Why not: not divisible by 4, below kernel memory, above it.
        is_misaligned, is_below, is_above,
    }
}

impl<X: PrimeCharacteristicRing> Vector<Expr<X>> {
    /// Constrains this to be the word `waddr` at time `t` and to be valid or not, if `real`.
    pub fn constrain<B: Builder<Raw = X>>(&self, b: &mut B, real: &Expr<X>, waddr: u32, t: Expr<X>) {
        let Vector { quotient, low, hi, t_prev, is_valid, is_misaligned, is_below, is_above } = self;
        let sum = super::one_hot(b, [is_valid, is_misaligned, is_below, is_above]);
        b.zero("a vector is valid, or not for one reason", sum - real);
        super::booleans(b, low);
        let low2 = &low[0] + &low[1] * 2;
        super::quarter(b, real, quotient, low2.clone());
        b.known(quotient.clone(), 0x3fff);
        let word = [quotient * 4 + low2, hi.clone()];
        read_word(b, real, Expr::of(waddr >> 2), t, &Read { value: word, t_prev: t_prev.clone() });
        b.zero("a valid vector is aligned", is_valid * (&low[0] + &low[1]));
        b.zero("a misaligned vector is not", is_misaligned * low[0].not() * low[1].not());
        let (first, last) = (map::KERNEL_START >> 16, (map::SYSTEM_START >> 16) - 1);
        b.half(is_valid.clone(), -hi.clone() + last);
        let from = is_valid * (hi - first) + is_below * (-hi.clone() + (first - 1)) + is_above * (hi - (last + 1));
        b.half(is_valid + is_below + is_above, from);
    }

    /// Where the kernel begins, if the vector is valid.
    fn pcw(&self) -> Expr<X> {
        &self.hi * 0x4000 + &self.quotient
    }
}

columns! {
    /// A row is one trap.
    TrapRow {
        real,
        ts, mode,
        /// pc: its bits 2 to 15 and its upper half.
        quotient, hi,
        cause,
        /// The half-words of the address that TRAP-5 assigns.
        addr[2],
        /// The trap vector, which user mode looks at.
        vector: Vector,
        /// MEPC before.
        mepc: Write,
    }
}

chip!(Trap, "trap", TrapRow);

/// Says that a trap was raised: its time, pc / 4, mode, cause and address.
pub fn raise<B: Builder>(b: &mut B, real: &Expr<B::Raw>, tuple: [Expr<B::Raw>; 6]) {
    b.interact(Bus::Trap, Times::Send(real.clone()), tuple);
}

impl Trap {
    fn constrain<B: Builder>(b: &mut B, row: TrapRow<Expr<B::Raw>>) {
        let TrapRow { real, ts, mode, quotient, hi, cause, addr, vector, mepc } = &row;
        super::booleans(b, &[real.clone(), mode.clone()]);
        b.zero("a mode is a real row's", mode * real.not());
        let pcw = &(hi * 0x4000 + quotient);
        let [lo, upper] = addr.clone();
        let tuple = [ts.clone(), pcw.clone(), mode.clone(), cause.clone(), lo.clone(), upper.clone()];
        b.interact(Bus::Trap, Times::Receive(real.clone()), tuple);
        super::quarter(b, real, quotient, Expr::zero());
        b.half(real.clone(), hi.clone());
        half_words_known(b, addr);
        // TRAP-3: user mode looks at the vector, machine mode does not.
        vector.constrain(b, &(real - mode), map::TRAP_VECTOR, ts + LOAD);
        let enters = &vector.is_valid;
        let pc = [quotient * 4, hi.clone()];
        access(b, enters, Expr::of(map::MEPC >> 2), &mepc.old, &mepc.t_prev, pc, ts + RD);
        let after = ts + SLOTS;
        b.interact(Bus::Execution, Times::Send(enters.clone()), [after.clone(), vector.pcw(), Expr::one()]);
        // TRAP-4.
        let tuple = [after, pcw.clone(), mode.clone(), Expr::of(FAULT), cause.clone(), lo, upper];
        end(b, Times::Send(real - enters), tuple);
    }
}
