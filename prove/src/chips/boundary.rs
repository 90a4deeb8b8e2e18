//! The two ends of a segment: where it resumes, how it ended, and what the claim says about both.

use lockstep::map;

use super::chip;
use super::step::{FILE_WORDS, Read, SLOTS, USER_FILE, Write, ZERO_OFFSET, access, read_word};
use super::tables::USER;
use crate::air::{Builder, Bus, Times, columns};
use crate::expr::Expr;

/// The boundary: one row, and padding.
pub struct Boundary;

/// The segment ends because it is full; the next one goes on.
pub const CONTINUE: u32 = 0;
/// The program halted (ECALL-2).
pub const HALT: u32 = 1;
/// The program paused (ECALL-2).
pub const PAUSE: u32 = 2;
/// The program ended by a fault (TRAP-4).
pub const FAULT: u32 = 3;

/// The time of the accesses before the first instruction.
const RESUME: u32 = 1;

columns! {
    /// What the claim says, in the order of the public values.
    Publics {
        /// The page tree's root before.
        pre[8],
        /// The page tree's root after.
        post[8],
        /// How the segment ended.
        kind,
        /// The user exit of a halt or pause, the cause of a fault.
        code,
        /// The half-words of the address that TRAP-5 assigns to a fault.
        addr[2],
        /// pc / 4 and mode at the end.
        pcw, mode,
        /// The time after the last step.
        ts,
        /// The half-words of the input digest at the start and of the output digest at the end.
        input[16], output[16],
    }
}

columns! {
    /// The row.
    BoundaryRow {
        real,
        /// Whether the segment goes on in another.
        is_continue,
        /// Where the segment resumes: bits 2 to 15 and 16 to 31 of pc, whether they are privileged, the mode.
        quotient, hi, privileged, mode,
        /// The suspend words at the end, before they are written.
        pc_out: Write, mode_out: Write,
        /// Where it ended: bits 2 to 15 and 16 to 31 of pc.
        end_quotient, end_hi,
        /// The times of the accesses to the output digest before.
        output_t_prev[8],
        /// The times of the last accesses to the cells that stand for x0.
        zero_t[2],
    }
}

/// The number of public values.
pub const PUBLICS: usize = Publics::<()>::WIDTH;

chip!(
    Boundary,
    "boundary",
    BoundaryRow,
    fn reads_next(&self) -> bool {
        true
    },
    fn publics(&self) -> usize {
        PUBLICS
    }
);

/// Puts the end of the segment on its bus: time, pc / 4, mode, kind, code, address.
pub fn end<B: Builder>(b: &mut B, times: Times<Expr<B::Raw>>, tuple: [Expr<B::Raw>; 7]) {
    b.interact(Bus::End, times, tuple);
}

impl Boundary {
    fn constrain<B: Builder>(b: &mut B, row: BoundaryRow<Expr<B::Raw>>) {
        let real = &row.real;
        // Exactly one row is real: the first.
        let next = BoundaryRow::next(b);
        b.zero("the first row is real", b.is_first() * real.not());
        b.zero("no other row is real", b.is_transition() * next.real);
        b.boolean("real is boolean", real.clone());
        let publics = &Publics::take(&mut (0..PUBLICS).map(|i| b.public(i)));
        row.resume(b, publics);
        row.finish(b, publics);
        row.roots(b, publics);
        row.zeros(b);
    }
}

impl<X: p3_field::PrimeCharacteristicRing> BoundaryRow<Expr<X>> {
    /// MODE-1: the first step executes where the suspend words say; the claim names the input digest (MAP-11).
    fn resume<B: Builder<Raw = X>>(&self, b: &mut B, publics: &Publics<Expr<X>>) {
        let BoundaryRow { real, quotient, hi, privileged, mode, .. } = self;
        super::booleans(b, &[mode.clone(), privileged.clone()]);
        super::quarter(b, real, quotient, Expr::zero());
        b.interact(Bus::Region, Times::Send(real.clone()), [hi.clone(), privileged + USER]);
        // Nothing is earlier, so these are the pages' own words.
        let read = |b: &mut B, addr: u32, value: [Expr<X>; 2]| {
            read_word(b, real, Expr::of(addr >> 2), Expr::of(RESUME), &Read { value, t_prev: Expr::zero() });
        };
        read(b, map::SUSPEND_PC, [quotient * 4, hi.clone()]);
        read(b, map::SUSPEND_MODE, [mode.clone(), Expr::zero()]);
        for (i, word) in publics.input.as_chunks::<2>().0.iter().enumerate() {
            read(b, map::INPUT_DIGEST + 4 * i as u32, word.clone());
        }
        let tuple = [Expr::of(SLOTS), hi * 0x4000 + quotient, mode.clone()];
        b.interact(Bus::Execution, Times::Send(real.clone()), tuple);
    }

    /// The suspend words say where the next segment resumes, and the claim how this one ended.
    fn finish<B: Builder<Raw = X>>(&self, b: &mut B, publics: &Publics<Expr<X>>) {
        let BoundaryRow { real, is_continue, end_quotient, end_hi, .. } = self;
        let Publics { kind, code, addr, pcw, mode, ts, output, .. } = publics;
        b.boolean("is_continue is boolean", is_continue.clone());
        b.zero("only a real row continues", is_continue * real.not());
        b.zero("a segment that continues says so", is_continue * kind);
        for cell in [code, &addr[0], &addr[1]] {
            b.zero("a segment that continues has no code", is_continue * cell);
        }
        let state = [ts.clone(), pcw.clone(), mode.clone()];
        b.interact(Bus::Execution, Times::Receive(is_continue.clone()), state.clone());
        let [ts, pcw, mode] = state;
        let [lo, hi] = addr.clone();
        let tuple = [ts.clone(), pcw.clone(), mode.clone(), kind.clone(), code.clone(), lo, hi];
        end(b, Times::Receive(real - is_continue), tuple);
        super::quarter(b, real, end_quotient, Expr::zero());
        b.half(real.clone(), end_hi.clone());
        b.zero("pc at the end", real * (end_hi * 0x4000 + end_quotient - pcw));
        let write = |b: &mut B, addr: u32, out: &Write<Expr<X>>, new: [Expr<X>; 2]| {
            access(b, real, Expr::of(addr >> 2), &out.old, &out.t_prev, new, ts.clone());
        };
        write(b, map::SUSPEND_PC, &self.pc_out, [end_quotient * 4, end_hi.clone()]);
        write(b, map::SUSPEND_MODE, &self.mode_out, [mode, Expr::zero()]);
        for i in 0..map::DIGEST_WORDS {
            let value = [output[2 * i].clone(), output[2 * i + 1].clone()];
            let read = Read { value, t_prev: self.output_t_prev[i].clone() };
            read_word(b, real, Expr::of((map::OUTPUT_DIGEST >> 2) + i as u32), ts.clone(), &read);
        }
    }

    /// The roots are those of the page tree.
    fn roots<B: Builder<Raw = X>>(&self, b: &mut B, publics: &Publics<Expr<X>>) {
        let Publics { pre, post, .. } = publics.clone();
        super::tree::node(b, Times::Send(self.real.clone()), Expr::zero(), Expr::zero(), pre, post);
    }

    /// The cells that stand for x0 hold 0, and belong to no page.
    fn zeros<B: Builder<Raw = X>>(&self, b: &mut B) {
        let zero = Expr::zero;
        for (i, mode) in [0, 1].into_iter().enumerate() {
            let cell = || Expr::of(USER_FILE - FILE_WORDS * mode + ZERO_OFFSET);
            b.interact(Bus::Memory, Times::Send(self.real.clone()), [cell(), zero(), zero(), zero()]);
            let last = self.zero_t[i].clone();
            b.interact(Bus::Memory, Times::Receive(self.real.clone()), [cell(), zero(), zero(), last]);
        }
    }
}
