//! Fetches: the word at pc; and the traps of a fetch that is forbidden, and of a word that is no instruction.

use lockstep::trap::Cause;
use p3_field::PrimeCharacteristicRing;

use super::chip;
use super::step::{Read, read_word};
use super::tables::{FUNCT7_0, FUNCT7_0_1, FUNCT7_0_1_32, FUNCT7_0_32, PRIVILEGED, SYSTEM};
use super::trap::raise;
use crate::air::{Builder, Bus, Times, columns};
use crate::expr::Expr;

columns! {
    /// A word that is fetched.
    Fetch {
        /// Whether it is fetched from a data page, for one step.
        is_dynamic,
        /// The time of that step, else 0.
        tag,
        /// When the word was written, if it is fetched from a data page.
        t_prev,
        mode,
        /// Bits 2 to 15 of pc.
        pc_quotient,
        /// Bits 16 to 31 of pc.
        pc_hi,
        /// Whether pc lies in kernel or system memory.
        privileged,
        /// The word.
        bit[32],
    }
}

impl<X: PrimeCharacteristicRing> Fetch<Expr<X>> {
    /// The number in bits `low` to `low + count - 1` of the word.
    pub fn bits(&self, low: usize, count: usize) -> Expr<X> {
        Expr::sum((0..count).map(|i| &self.bit[low + i] * (1 << i)))
    }

    /// The half-words of the word.
    pub fn word(&self) -> [Expr<X>; 2] {
        [self.bits(0, 16), self.bits(16, 16)]
    }

    /// pc / 4.
    pub fn pcw(&self) -> Expr<X> {
        &self.pc_hi * 0x4000 + &self.pc_quotient
    }

    /// Constrains the word to be at pc, and pc to be where the mode may fetch (MAP-5).
    pub fn constrain<B: Builder<Raw = X>>(&self, b: &mut B, real: &Expr<X>) {
        super::booleans(b, &self.bit);
        super::booleans(b, &[self.is_dynamic.clone(), self.mode.clone()]);
        b.zero("a dynamic fetch is real", &self.is_dynamic * real.not());
        b.zero("a code page has tag 0", &self.tag * self.is_dynamic.not());
        super::quarter(b, real, &self.pc_quotient, Expr::zero());
        b.known(self.pc_quotient.clone(), 0x3fff);
        super::permitted(b, real, &self.pc_hi, &self.mode, &self.privileged);
        b.known(self.pc_hi.clone(), 0xffff);
        let [lo, hi] = self.word();
        b.interact(Bus::Code, Times::Send(real - &self.is_dynamic), [self.pcw(), lo, hi]);
        let read = Read { value: self.word(), t_prev: self.t_prev.clone() };
        read_word(b, &self.is_dynamic, self.pcw(), self.tag.clone(), &read);
    }
}

/// Fetches from where the mode may not fetch.
pub struct Unfetchable;

columns! {
    /// A row is one such fetch.
    UnfetchableRow {
        real,
        ts, mode,
        /// pc: its bits 2 to 15 and its upper half.
        quotient, hi,
        /// Whether execution went on behind the last word of memory: pc is 0 then.
        wraps,
        /// Whether pc lies in the invalid region; else it is privileged.
        is_invalid,
    }
}

chip!(Unfetchable, "unfetchable", UnfetchableRow);

/// The words of memory.
const WORDS: u32 = 1 << 30;

impl Unfetchable {
    fn constrain<B: Builder>(b: &mut B, row: UnfetchableRow<Expr<B::Raw>>) {
        let UnfetchableRow { real, ts, mode, quotient, hi, wraps, is_invalid } = &row;
        super::booleans(b, &[real.clone(), mode.clone(), wraps.clone(), is_invalid.clone()]);
        super::quarter(b, real, quotient, Expr::zero());
        let pcw = &(hi * 0x4000 + quotient);
        b.zero("behind the last word is the first", wraps * pcw);
        b.interact(Bus::Execution, Times::Receive(real.clone()), [ts.clone(), pcw + wraps * WORDS, mode.clone()]);
        // MAP-1, MAP-5. The class of the invalid region is 0.
        b.interact(Bus::Region, Times::Send(real.clone()), [hi.clone(), is_invalid.not() * PRIVILEGED]);
        b.zero("machine mode fetches from privileged memory", real * is_invalid.not() * mode);
        let cause = Expr::of(Cause::InstructionAccessFault.number());
        raise(b, real, [ts.clone(), pcw.clone(), mode.clone(), cause, quotient * 4, hi.clone()]);
    }
}

/// Words that are no instruction (ISA-3).
pub struct Illegal;

columns! {
    /// A row is one such word.
    IllegalRow {
        ts,
        fetch: Fetch,
        /// What the table says of opcode and funct3: nothing has them, or the rest must be right and is not.
        is_unknown, is_funct7_0, is_funct7_0_32, is_funct7_0_1, is_funct7_0_1_32, is_system,
        /// funct7 times its distances from 1, from 32, and from both.
        from_0_1, from_0_32, from_0_1_32,
        /// Bits 7 to 31 times their distance from those of ebreak, and that times that from those of mret.
        from_ebreak, from_mret,
        /// The product that is not 0, and its inverse.
        distance, inverse,
    }
}

chip!(Illegal, "illegal", IllegalRow);

/// Bits 7 to 31 of ebreak and mret; those of ecall are 0.
const EBREAK: u32 = 0x0010_0073 >> 7;
const MRET: u32 = 0x3020_0073 >> 7;

impl Illegal {
    fn constrain<B: Builder>(b: &mut B, row: IllegalRow<Expr<B::Raw>>) {
        let IllegalRow { ts, fetch, is_unknown, is_funct7_0, is_funct7_0_32, is_funct7_0_1, is_funct7_0_1_32, .. } =
            &row;
        let IllegalRow { is_system, from_0_1, from_0_32, from_0_1_32, from_ebreak, from_mret, .. } = &row;
        let flags = [is_unknown, is_funct7_0, is_funct7_0_32, is_funct7_0_1, is_funct7_0_1_32, is_system];
        let real = &super::one_hot(b, flags);
        fetch.constrain(b, real);
        b.zero("a dynamic fetch is this step's", &fetch.is_dynamic * (&fetch.tag - ts));
        let key = fetch.bits(0, 7) + fetch.bits(12, 3) * 0x80;
        let kind = is_funct7_0 * FUNCT7_0
            + is_funct7_0_32 * FUNCT7_0_32
            + is_funct7_0_1 * FUNCT7_0_1
            + is_funct7_0_1_32 * FUNCT7_0_1_32
            + is_system * SYSTEM;
        b.interact(Bus::Opcode, Times::Send(real.clone()), [key, kind]);
        let funct7 = &fetch.bits(25, 7);
        b.zero("funct7 is not 0 or 1", funct7 * (funct7 - 1) - from_0_1);
        b.zero("funct7 is not 0 or 32", funct7 * (funct7 - 32) - from_0_32);
        b.zero("funct7 is not 0, 1 or 32", from_0_1 * (funct7 - 32) - from_0_1_32);
        let rest = &fetch.bits(7, 25);
        b.zero("the word is not ecall or ebreak", rest * (rest - EBREAK) - from_ebreak);
        b.zero("the word is not ecall, ebreak or mret", from_ebreak * (rest - MRET) - from_mret);
        let distance = is_funct7_0 * funct7
            + is_funct7_0_32 * from_0_32
            + is_funct7_0_1 * from_0_1
            + is_funct7_0_1_32 * from_0_1_32
            + is_system * from_mret;
        b.zero("the distance from what is legal", distance - &row.distance);
        b.zero("the word is not legal", &row.distance * &row.inverse - (real - is_unknown));
        let state = [ts.clone(), fetch.pcw(), fetch.mode.clone()];
        b.interact(Bus::Execution, Times::Receive(real.clone()), state.clone());
        let ([ts, pcw, mode], [lo, hi]) = (state, fetch.word());
        raise(b, real, [ts, pcw, mode, Expr::of(Cause::IllegalInstruction.number()), lo, hi]);
    }
}
