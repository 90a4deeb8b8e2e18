//! The machine ECALL sha2 (ECALL-13): the call, and what it leaves in memory.
//!
//! ```text
//!   call      reads the state from memory, writes the state of the end   (this file)
//!   block     begins the rounds of a block, adds what they leave         (sha2_round.rs)
//!   rounds    64 of them, each a row
//! ```
//! State and table are read in the slot of rs1, data in that of a load, the state of the end is written in that of rd.
//! So the state of the end may be where the first one was; apart from that it must not touch the state or the data, or
//! the order of the accesses would show. Such a call is served and has no proof.

use lockstep::ecall::sha2::MAX_BLOCKS;
use lockstep::ecall::{BUFFER_END, SHA2};
use lockstep::isa::{Op, Reg};

use super::chip;
use super::step::{Decoded, RD, RS1, Read, Step, access};
use crate::air::{Builder, Bus, Times, columns};
use crate::expr::Expr;

/// The calls.
pub struct Sha2;

/// Words of a state.
pub const STATE_WORDS: usize = 8;
/// Words of a block.
pub const BLOCK_WORDS: u32 = 16;
/// Words of the table of constants.
const TABLE_WORDS: u32 = 64;

columns! {
    /// An address of words in a register.
    Pointer {
        register: Read,
        /// Bits 2 to 15.
        quotient,
        /// The low half of the address of the last byte, and the carry into its high half.
        last_lo, carry,
    }
}

columns! {
    /// Two ranges that do not touch: which is the higher, and the words between them.
    Apart { is_above, gap[2] }
}

columns! {
    /// A row is one call with at least one block.
    Sha2Row {
        step: Step,
        real,
        a7_t_prev,
        state: Pointer, end: Pointer, data: Pointer, table: Pointer,
        /// The number of blocks; v2 does not look at the high half.
        blocks: Read,
        /// The state's bytes, and the times of the accesses before.
        before[32], before_t_prev[STATE_WORDS],
        /// The bytes of the state at the end, what they replace, and the times of the accesses before.
        after[32], replaced[16], after_t_prev[STATE_WORDS],
        /// Whether the state is replaced where it is.
        is_in_place,
        state_apart: Apart, data_apart: Apart,
    }
}

chip!(Sha2, "sha2", Sha2Row);

impl Sha2 {
    fn constrain<B: Builder>(b: &mut B, row: Sha2Row<Expr<B::Raw>>) {
        let Sha2Row { step, real, blocks, is_in_place, .. } = &row;
        super::booleans(b, &[real.clone(), is_in_place.clone()]);
        b.zero("ECALL-1: machine mode", real * step.mode.not());
        step.execute(b, real, Decoded::bare(Expr::of(Op::Ecall as u32)), step.next_pcw(), step.mode.clone());
        let a7 = Read { value: [Expr::of(SHA2) * real, Expr::zero()], t_prev: row.a7_t_prev.clone() };
        step.read(b, real, &register(Reg::A7), RS1, &a7);
        step.read(b, real, &register(Reg::A3), RS1, blocks);
        // ECALL-14.
        let [count, _] = &blocks.value;
        b.half(real.clone(), count - 1);
        b.half(real.clone(), -count.clone() + MAX_BLOCKS);
        let state = row.state.words(b, step, real, Reg::A0, Expr::of(STATE_WORDS as u32));
        let end = row.end.words(b, step, real, Reg::A1, Expr::of(STATE_WORDS as u32));
        let data = row.data.words(b, step, real, Reg::A2, count * BLOCK_WORDS);
        let table = row.table.words(b, step, real, Reg::A4, Expr::of(TABLE_WORDS));
        b.zero("in place is real", is_in_place * real.not());
        b.zero("in place", is_in_place * (&state - &end));
        row.state_apart.constrain(b, &(real - is_in_place), (&state, Expr::of(STATE_WORDS as u32)), &end);
        row.data_apart.constrain(b, real, (&data, count * BLOCK_WORDS), &end);
        row.read_state(b, &state);
        row.write_state(b, &end);
        let (ts, last) = (step.ts.clone(), &data + count * BLOCK_WORDS);
        let begin =
            block_tuple([ts.clone(), count.clone(), real.clone(), data, table.clone()], big_endian(&row.before));
        b.interact(Bus::Sha2Block, Times::Send(real.clone()), begin);
        let done = block_tuple([ts, Expr::zero(), Expr::zero(), last, table], big_endian(&row.after));
        b.interact(Bus::Sha2Block, Times::Receive(real.clone()), done);
    }
}

/// What goes on [`Bus::Sha2Block`].
pub fn block_tuple<X: Clone>(head: [Expr<X>; 5], state: [Expr<X>; 16]) -> [Expr<X>; 21] {
    std::array::from_fn(|i| if i < 5 { head[i].clone() } else { state[i - 5].clone() })
}

fn register<X: p3_field::PrimeCharacteristicRing>(reg: Reg) -> Expr<X> {
    Expr::of(reg.index() as u32)
}

impl<X: p3_field::PrimeCharacteristicRing> Pointer<Expr<X>> {
    /// Constrains `reg` to hold the address of `words` words that a service may use (ECALL-18); returns its word index.
    fn words<B: Builder<Raw = X>>(
        &self,
        b: &mut B,
        step: &Step<Expr<X>>,
        real: &Expr<X>,
        reg: Reg,
        words: Expr<X>,
    ) -> Expr<X> {
        let Pointer { register: read, quotient, last_lo, carry } = self;
        step.read(b, real, &register(reg), RS1, read);
        let [lo, hi] = &read.value;
        super::quarter(b, real, quotient, Expr::zero());
        b.known(quotient.clone(), 0x3fff);
        b.integer_zero("the address is aligned", real * (quotient * 4 - lo));
        b.boolean("carry is boolean", carry.clone());
        b.half(real.clone(), last_lo.clone());
        b.known(words.clone(), MAX_BLOCKS * BLOCK_WORDS);
        b.integer_zero("last byte", real * (lo + &words * 4 - 1 - last_lo - carry * 0x10000));
        b.half(real.clone(), hi - 1);
        b.half(real.clone(), -(hi + carry) + ((BUFFER_END >> 16) - 1));
        hi * 0x4000 + quotient
    }
}

impl<X: p3_field::PrimeCharacteristicRing> Apart<Expr<X>> {
    /// Constrains the words from `range` on, as many as it says, not to touch the state at `end`.
    ///
    /// Word indices and the gap are below 2^30. An equation that holds modulo p and not among the integers has a
    /// distance of more than 2^29 words between the two, which touch as little.
    fn constrain<B: Builder<Raw = X>>(&self, b: &mut B, real: &Expr<X>, range: (&Expr<X>, Expr<X>), end: &Expr<X>) {
        let Apart { is_above, gap } = self;
        let (start, words) = range;
        b.boolean("is_above is boolean", is_above.clone());
        b.half(real.clone(), gap[0].clone());
        super::quarter(b, real, &gap[1], Expr::zero());
        let gap = &gap[0] + &gap[1] * 0x10000;
        let above = start - end - STATE_WORDS as u32 - &gap;
        let below = end - start - words - gap;
        b.zero("the ranges are apart", real * (is_above * &above + is_above.not() * below));
    }
}

impl<X: p3_field::PrimeCharacteristicRing> Sha2Row<Expr<X>> {
    fn read_state<B: Builder<Raw = X>>(&self, b: &mut B, state: &Expr<X>) {
        let t = self.step.at(RS1);
        for (i, word) in self.before.as_chunks::<4>().0.iter().enumerate() {
            super::bytes(b, &self.real, word);
            let halves = super::halves(word);
            access(b, &self.real, state + i as u32, &halves, &self.before_t_prev[i], halves.clone(), t.clone());
        }
    }

    fn write_state<B: Builder<Raw = X>>(&self, b: &mut B, end: &Expr<X>) {
        let t = self.step.at(RD);
        for (i, word) in self.after.as_chunks::<4>().0.iter().enumerate() {
            super::bytes(b, &self.real, word);
            let old = [self.replaced[2 * i].clone(), self.replaced[2 * i + 1].clone()];
            access(b, &self.real, end + i as u32, &old, &self.after_t_prev[i], super::halves(word), t.clone());
        }
    }
}

/// The half-words, low first, of the words that SHA-256 sees in the bytes `state`.
fn big_endian<X: p3_field::PrimeCharacteristicRing>(state: &[Expr<X>; 32]) -> [Expr<X>; 16] {
    let halves: Vec<_> = state.as_chunks::<4>().0.iter().flat_map(swapped).collect();
    std::array::from_fn(|i| halves[i].clone())
}

/// The half-words, low first, of the word with the bytes `bytes`, high first.
pub fn swapped<X: p3_field::PrimeCharacteristicRing>(bytes: &[Expr<X>; 4]) -> [Expr<X>; 2] {
    [&bytes[3] + &bytes[2] * 256, &bytes[1] + &bytes[0] * 256]
}
