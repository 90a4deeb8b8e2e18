//! What every instruction row has in common: its place in time, its fetch, its register accesses.
//!
//! ```text
//!   ts + 0   fetch from a data page
//!   ts + 1   rs1
//!   ts + 2   rs2, or the word of a load
//!   ts + 3   rd, or the word of a store
//! ```
//! No instruction accesses one cell twice at one time, so the order of accesses to a cell is strict.

use p3_field::PrimeCharacteristicRing;

use crate::air::{Builder, Bus, Times, columns};
use crate::expr::Expr;

/// Time units an instruction takes.
pub const SLOTS: u32 = 4;
/// The slot of the read of rs1.
pub const RS1: u32 = 1;
/// The slot of the read of rs2 and of a load.
pub const RS2: u32 = 2;
/// The slot of a load.
pub const LOAD: u32 = 2;
/// The slot of the write of rd and of a store.
pub const RD: u32 = 3;

/// The word index of x0 of user mode; that of machine mode is [`FILE_WORDS`] lower (MAP-6).
pub const USER_FILE: u32 = 0xFFFF_0080 >> 2;
/// The words between the register files of the two modes.
pub const FILE_WORDS: u32 = 32;
/// From x0's cell to the cell behind all of memory that always holds 0, which stands for x0 when it is read.
///
/// The x0 cells of the register window are plain memory (MAP-7), so they cannot.
pub const ZERO_OFFSET: u32 = (1 << 30) + FILE_WORDS - USER_FILE;
/// From x0's cell to the sink that takes what is written to x0 (MAP-7).
pub const SINK_OFFSET: u32 = 64;

columns! {
    /// When and where an instruction executes.
    Step {
        /// The time of its first slot.
        ts,
        /// pc / 4.
        pcw,
        /// 0 user, 1 machine.
        mode,
        /// 0 for an instruction from a code page, `ts` for one fetched from memory.
        tag,
    }
}

columns! {
    /// A word that is read.
    Read {
        /// Its half-words, low first.
        value[2],
        /// The time of the access before.
        t_prev,
    }
}

columns! {
    /// A word that is replaced.
    Write {
        /// The half-words that were there.
        old[2],
        /// The time of the access before.
        t_prev,
    }
}

/// The decoded instruction as a chip sees it; what its family lacks is 0.
pub struct Decoded<E> {
    /// The number of the operation.
    pub op: E,
    /// From x0's cell to the destination's.
    pub rd: E,
    /// From x0's cell to the first source's.
    pub rs1: E,
    /// From x0's cell to the second source's.
    pub rs2: E,
    /// The immediate, or what the decoder computed from pc and it.
    pub imm: [E; 2],
    /// The branch's or jump's target / 4.
    pub target: E,
}

impl<X: PrimeCharacteristicRing> Decoded<Expr<X>> {
    /// An instruction with operation `op` and no operands.
    pub fn bare(op: Expr<X>) -> Self {
        let zero = Expr::zero;
        Decoded { op, rd: zero(), rs1: zero(), rs2: zero(), imm: [zero(), zero()], target: zero() }
    }
}

impl<X: PrimeCharacteristicRing> Step<Expr<X>> {
    /// The word index of the current mode's x0.
    pub fn file(&self) -> Expr<X> {
        -(&self.mode * FILE_WORDS) + USER_FILE
    }

    /// The time of slot `slot`.
    pub fn at(&self, slot: u32) -> Expr<X> {
        &self.ts + slot
    }

    /// Constrains the row to be one step that executes `insn` and goes on at `next` in `next_mode`.
    ///
    /// `real` is 0 in padding rows; the chip constrains it to be boolean.
    pub fn execute<B: Builder<Raw = X>>(
        &self,
        b: &mut B,
        real: &Expr<X>,
        insn: Decoded<Expr<X>>,
        next: Expr<X>,
        next_mode: Expr<X>,
    ) {
        self.fetch(b, real, insn);
        let ts = &self.ts + SLOTS;
        b.interact(Bus::Execution, Times::Send(real.clone()), [ts, next, next_mode]);
    }

    /// Constrains the row to be at the step that the execution has reached, and `insn` to be there.
    pub fn fetch<B: Builder<Raw = X>>(&self, b: &mut B, real: &Expr<X>, insn: Decoded<Expr<X>>) {
        let Step { ts, pcw, mode, tag } = self.clone();
        b.interact(Bus::Execution, Times::Receive(real.clone()), [ts.clone(), pcw.clone(), mode.clone()]);
        // An instruction from a data page is decoded for this step alone.
        b.zero("tag is 0 or ts", &tag * (&tag - ts));
        let Decoded { op, rd, rs1, rs2, imm: [lo, hi], target } = insn;
        b.interact(Bus::Program, Times::Send(real.clone()), [tag, pcw, mode, op, rd, rs1, rs2, lo, hi, target]);
    }

    /// Continues with the next word.
    pub fn next_pcw(&self) -> Expr<X> {
        &self.pcw + 1
    }

    /// Reads the register at `offset` from x0's cell in `slot`.
    pub fn read<B: Builder<Raw = X>>(
        &self,
        b: &mut B,
        real: &Expr<X>,
        offset: &Expr<X>,
        slot: u32,
        read: &Read<Expr<X>>,
    ) {
        read_word(b, real, self.file() + offset, self.at(slot), read);
    }

    /// Writes `value` to the register at `offset` from x0's cell.
    pub fn write<B: Builder<Raw = X>>(
        &self,
        b: &mut B,
        real: &Expr<X>,
        offset: &Expr<X>,
        write: &Write<Expr<X>>,
        value: [Expr<X>; 2],
    ) {
        access(b, real, self.file() + offset, &write.old, &write.t_prev, value, self.at(RD));
    }
}

/// Reads the word at `waddr` at time `t`.
pub fn read_word<B: Builder>(
    b: &mut B,
    real: &Expr<B::Raw>,
    waddr: Expr<B::Raw>,
    t: Expr<B::Raw>,
    read: &Read<Expr<B::Raw>>,
) {
    access(b, real, waddr, &read.value, &read.t_prev, read.value.clone(), t);
}

/// Replaces `old`, which is at `waddr` since `t_prev`, by `new` at the later time `t`.
pub fn access<B: Builder>(
    b: &mut B,
    real: &Expr<B::Raw>,
    waddr: Expr<B::Raw>,
    old: &[Expr<B::Raw>; 2],
    t_prev: &Expr<B::Raw>,
    new: [Expr<B::Raw>; 2],
    t: Expr<B::Raw>,
) {
    for half in old {
        // Every word on the memory bus was checked when it was written, or by the page chip.
        b.known(half.clone(), 0xffff);
    }
    let [lo, hi] = old.clone();
    b.interact(Bus::Memory, Times::Receive(real.clone()), [waddr.clone(), lo, hi, t_prev.clone()]);
    // Of a cell that was left alone for longer the chip refresh has moved the time on.
    b.half(real.clone(), &t - t_prev - 1);
    let [lo, hi] = new;
    b.interact(Bus::Memory, Times::Send(real.clone()), [waddr, lo, hi, t]);
}
