//! The rounds of SHA-256 (FIPS 180-4, 6.2.2): a row is one round, and another begins and ends the rounds of a block.
//!
//! Rows hand the state on by [`Bus::Sha2Round`], so that each stands for itself. The numbers of the call's time, of the
//! blocks left and of the round make every tuple of a call different.

use p3_field::PrimeCharacteristicRing;

use super::chip;
use super::sha2::{BLOCK_WORDS, STATE_WORDS, block_tuple, swapped};
use super::step::{LOAD, RS1, access};
use crate::air::{Builder, Bus, Times, columns};
use crate::expr::Expr;

/// The rounds.
pub struct Sha2Round;

/// What goes around the rounds of a block.
pub struct Sha2Block;

/// Rounds of a block.
pub const ROUNDS: u32 = 64;

/// Half-words of the last 16 words of the message schedule.
const WINDOW: usize = 32;
/// Half-words of a state.
const HALVES: usize = 2 * STATE_WORDS;

columns! {
    /// A row is one block.
    Sha2BlockRow {
        real,
        ts,
        /// The blocks left, and whether none was done before.
        left, is_first,
        /// The word indices of the block and of the table of constants.
        data, table,
        /// The half-words of the state before, of what the rounds leave, and of their sum.
        state[HALVES], rounds[HALVES], sum[HALVES],
        carry[HALVES],
        /// What the rounds leave of the schedule.
        window[WINDOW],
    }
}

columns! {
    /// A row is one round.
    Sha2RoundRow {
        real,
        /// Whether the round takes a word of the block.
        is_load,
        ts, left, is_first, round, data, table,
        /// The last 16 words of the schedule: bits of the second and the fifteenth, half-words of the others.
        far[32], near[32], window[28],
        /// sigma0 of the second, sigma1 of the fifteenth.
        small[4],
        /// The word of the round: its bytes in memory if it comes from there, its half-words.
        byte[4], word_t_prev, word[2], word_carry[4],
        constant[2], constant_t_prev,
        a[32], b[32], c[32], d[2], e[32], f[32], g[32], h[2],
        /// The first and the fifth word behind the round.
        new_a[2], a_carry[6], new_e[2], e_carry[6],
    }
}

chip!(Sha2Block, "sha2-block", Sha2BlockRow);
chip!(Sha2Round, "sha2-round", Sha2RoundRow);

impl Sha2Block {
    fn constrain<B: Builder>(b: &mut B, row: Sha2BlockRow<Expr<B::Raw>>) {
        let Sha2BlockRow { real, ts, left, is_first, data, table, state, rounds, sum, carry, window } = &row;
        b.boolean("real is boolean", real.clone());
        let head = [ts, left, is_first, data, table].map(Expr::clone);
        b.interact(Bus::Sha2Block, Times::Receive(real.clone()), block_tuple(head, state.clone()));
        let round = |round: u32, window: [Expr<B::Raw>; WINDOW], state: &[Expr<B::Raw>; HALVES]| {
            let head = [ts, left, is_first, &Expr::of(round), data, table].map(Expr::clone);
            round_tuple(head, window, state.clone())
        };
        let blank = std::array::from_fn(|_| Expr::zero());
        b.interact(Bus::Sha2Round, Times::Send(real.clone()), round(0, blank, state));
        b.interact(Bus::Sha2Round, Times::Receive(real.clone()), round(ROUNDS, window.clone(), rounds));
        for i in 0..STATE_WORDS {
            let word = |halves: &[Expr<B::Raw>; HALVES]| [halves[2 * i].clone(), halves[2 * i + 1].clone()];
            let (x, y, z) = (word(state), word(rounds), word(sum));
            super::half_words_known(b, &x);
            // What the last round computes no other round takes apart; the rest was bits of that round.
            if i % 4 == 0 {
                super::half_words(b, real, &y);
            } else {
                super::half_words_known(b, &y);
            }
            super::half_words(b, real, &z);
            super::sum(b, &x, &y, &z, &word(carry));
        }
        let next = [ts.clone(), left - 1, Expr::zero(), data + BLOCK_WORDS, table.clone()];
        b.interact(Bus::Sha2Block, Times::Send(real.clone()), block_tuple(next, sum.clone()));
    }
}

/// What goes on [`Bus::Sha2Round`].
fn round_tuple<X: Clone>(
    head: [Expr<X>; 6],
    window: [Expr<X>; WINDOW],
    state: [Expr<X>; HALVES],
) -> [Expr<X>; 6 + WINDOW + HALVES] {
    let mut cells = head.into_iter().chain(window).chain(state);
    std::array::from_fn(|_| cells.next().expect("6 + 32 + 16 cells"))
}

impl Sha2Round {
    fn constrain<B: Builder>(b: &mut B, row: Sha2RoundRow<Expr<B::Raw>>) {
        row.flags(b);
        row.take_constant(b);
        row.take_word(b);
        row.schedule(b);
        row.mix(b);
        row.hand_on(b);
    }
}

type Word<X> = [Expr<X>; 2];

impl<X: PrimeCharacteristicRing> Sha2RoundRow<Expr<X>> {
    fn flags<B: Builder<Raw = X>>(&self, b: &mut B) {
        let Sha2RoundRow { real, is_load, is_first, .. } = self;
        super::booleans(b, &[real.clone(), is_load.clone(), is_first.clone()]);
        b.zero("only a real row loads", is_load * real.not());
        b.zero("only a real row reads the table", is_first * real.not());
        let bits = [&self.far, &self.near, &self.a, &self.b, &self.c, &self.e, &self.f, &self.g];
        bits.into_iter().for_each(|word| super::booleans(b, word));
        [&self.a_carry, &self.e_carry].into_iter().for_each(|carry| super::booleans(b, carry));
        super::booleans(b, &self.word_carry);
    }

    /// The constant is that of the round, and in the first block of a call memory has it too (ECALL-14).
    fn take_constant<B: Builder<Raw = X>>(&self, b: &mut B) {
        let [lo, hi] = self.constant.clone();
        let fact = [self.round.clone(), lo, hi, self.is_load.clone()];
        b.interact(Bus::Sha2Constant, Times::Send(self.real.clone()), fact);
        let (waddr, t) = (&self.table + &self.round, &self.ts + RS1);
        access(b, &self.is_first, waddr, &self.constant, &self.constant_t_prev, self.constant.clone(), t);
    }

    /// The first 16 rounds take the words of the block.
    fn take_word<B: Builder<Raw = X>>(&self, b: &mut B) {
        let Sha2RoundRow { is_load, byte, word, .. } = self;
        super::bytes(b, is_load, byte);
        let (halves, t) = (super::halves(byte), &self.ts + LOAD);
        access(b, is_load, &self.data + &self.round, &halves, &self.word_t_prev, halves.clone(), t);
        for (half, byte) in word.iter().zip(swapped(byte)) {
            b.integer_zero("the word of the block", is_load * (half - byte));
        }
        super::half_words(b, &self.real, word);
    }

    /// The others compute their word from the last 16.
    fn schedule<B: Builder<Raw = X>>(&self, b: &mut B) {
        let small = [small_sigma(&self.far, [7, 18], 3), small_sigma(&self.near, [17, 19], 10)];
        for (half, sigma) in self.small.iter().zip(small.into_iter().flatten()) {
            b.integer_zero("sigma", half - sigma);
            b.known(half.clone(), 0xffff);
        }
        let is_mix = &self.real - &self.is_load;
        let carries = [self.carry(&self.word_carry, 0, 2), self.carry(&self.word_carry, 2, 2)];
        let (oldest, middle) = (self.window_word(0), self.window_word(9));
        // They were looked up in the rounds that took or computed them.
        [&oldest, &middle].into_iter().for_each(|word| super::half_words_known(b, word));
        for i in 0..2 {
            let terms = &self.small[i] + &self.small[2 + i] + &oldest[i] + &middle[i];
            let carried = if i == 0 { Expr::zero() } else { carries[0].clone() };
            b.integer_zero("the schedule", &is_mix * (terms + carried - &self.word[i] - &carries[i] * 0x10000));
        }
    }

    /// The first and the fifth word of the new state.
    fn mix<B: Builder<Raw = X>>(&self, b: &mut B) {
        [&self.d, &self.h, &self.constant, &self.new_a, &self.new_e]
            .into_iter()
            // The next round takes them apart, or the block's row looks them up.
            .for_each(|word| super::half_words_known(b, word));
        let (choice, sum1) = (self.choice(), big_sigma(&self.e, [6, 11, 25]));
        let (majority, sum0) = (self.majority(), big_sigma(&self.a, [2, 13, 22]));
        let a_carries = [self.carry(&self.a_carry, 0, 3), self.carry(&self.a_carry, 3, 3)];
        let e_carries = [self.carry(&self.e_carry, 0, 3), self.carry(&self.e_carry, 3, 3)];
        for i in 0..2 {
            let first = &self.h[i] + &sum1[i] + &choice[i] + &self.constant[i] + &self.word[i];
            let carried = |carries: &[Expr<X>; 2]| if i == 0 { Expr::zero() } else { carries[0].clone() };
            let e = &self.d[i] + &first + carried(&e_carries) - &self.new_e[i] - &e_carries[i] * 0x10000;
            b.integer_zero("the new fifth word", e);
            let a = first + &sum0[i] + &majority[i] + carried(&a_carries) - &self.new_a[i] - &a_carries[i] * 0x10000;
            b.integer_zero("the new first word", a);
        }
    }

    /// Receives the state of the round, sends that of the next.
    fn hand_on<B: Builder<Raw = X>>(&self, b: &mut B) {
        let Sha2RoundRow { real, ts, left, is_first, round, data, table, .. } = self;
        let head = |round: Expr<X>| [ts.clone(), left.clone(), is_first.clone(), round, data.clone(), table.clone()];
        let window: Vec<Expr<X>> = (0..16).flat_map(|i| self.window_word(i)).collect();
        let later = window[2..].iter().chain(&self.word).cloned().collect::<Vec<_>>();
        let [a, b2, c, e, f, g] = [&self.a, &self.b, &self.c, &self.e, &self.f, &self.g].map(packed);
        let state = [&a, &b2, &c, &self.d, &e, &f, &g, &self.h];
        let next = [&self.new_a, &a, &b2, &c, &self.new_e, &e, &f, &g];
        let tuple = |round, window: &[Expr<X>], state: [&Word<X>; STATE_WORDS]| {
            let state = std::array::from_fn(|i| state[i / 2][i % 2].clone());
            round_tuple(head(round), std::array::from_fn(|i| window[i].clone()), state)
        };
        b.interact(Bus::Sha2Round, Times::Receive(real.clone()), tuple(round.clone(), &window, state));
        b.interact(Bus::Sha2Round, Times::Send(real.clone()), tuple(round + 1, &later, next));
    }

    /// Word `i` of the window, the oldest first.
    fn window_word(&self, i: usize) -> Word<X> {
        match i {
            1 => packed(&self.far),
            14 => packed(&self.near),
            _ => {
                let at = 2 * (i - usize::from(i > 1) - usize::from(i > 14));
                [self.window[at].clone(), self.window[at + 1].clone()]
            }
        }
    }

    /// The number whose bits are the `count` cells of `bits` from `from` on.
    fn carry(&self, bits: &[Expr<X>], from: usize, count: usize) -> Expr<X> {
        Expr::sum((0..count).map(|i| &bits[from + i] * (1 << i)))
    }

    /// Ch(e, f, g).
    fn choice(&self) -> Word<X> {
        word_of(|i| &self.e[i] * (&self.f[i] - &self.g[i]) + &self.g[i])
    }

    /// Maj(a, b, c).
    fn majority(&self) -> Word<X> {
        word_of(|i| {
            let (a, b, c) = (&self.a[i], &self.b[i], &self.c[i]);
            let both = b * c;
            a * (b + c - &both * 2) + both
        })
    }
}

/// The half-words, low first, of the word whose bit `i` is `bit(i)`.
fn word_of<X: PrimeCharacteristicRing>(bit: impl Fn(usize) -> Expr<X>) -> Word<X> {
    [0, 16].map(|from| Expr::sum((0..16).map(|i| bit(from + i) * (1 << i))))
}

fn packed<X: PrimeCharacteristicRing>(bits: &[Expr<X>; 32]) -> Word<X> {
    word_of(|i| bits[i].clone())
}

/// The three rotations to the right of a word, exclusive or.
fn big_sigma<X: PrimeCharacteristicRing>(bits: &[Expr<X>; 32], by: [usize; 3]) -> Word<X> {
    word_of(|i| {
        let [x, y, z] = by.map(|by| &bits[(i + by) % 32]);
        xor(&xor(x, y), z)
    })
}

/// Two rotations and a shift to the right of a word, exclusive or.
fn small_sigma<X: PrimeCharacteristicRing>(bits: &[Expr<X>; 32], by: [usize; 2], shift: usize) -> Word<X> {
    word_of(|i| {
        let [x, y] = by.map(|by| &bits[(i + by) % 32]);
        let both = xor(x, y);
        if i + shift < 32 { xor(&both, &bits[i + shift]) } else { both }
    })
}

fn xor<X: PrimeCharacteristicRing>(x: &Expr<X>, y: &Expr<X>) -> Expr<X> {
    x + y - x * y * 2
}
