//! The rows of sha2 (`chips/sha2.rs`): a call, its blocks and their rounds.

use lockstep::ecall::sha2::CONSTANTS;
use lockstep::isa::Reg;
use p3_field::PrimeCharacteristicRing;

use super::WitnessError;
use super::replay::{Access, Event, Replay, file};
use super::rows::{bytes, cell, flag, halves, read, step};
use crate::air::F;
use crate::chips::sha2::{Apart, BLOCK_WORDS, Pointer, STATE_WORDS, Sha2Row};
use crate::chips::sha2_round::{Sha2BlockRow, Sha2RoundRow};
use crate::chips::step::{LOAD, RD, RS1};

type State = [u32; STATE_WORDS];

/// What the walk notes of all calls.
#[derive(Default)]
pub struct Hashed {
    pub calls: Vec<Call>,
    pub blocks: Vec<Block>,
    pub rounds: Vec<Round>,
}

/// A call.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    event: Event,
    a7: Access,
    /// a0 to a4.
    registers: [Access; 5],
    before: [Access; STATE_WORDS],
    after: [Access; STATE_WORDS],
}

/// A block of a call.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    place: Place,
    state: State,
    rounds: State,
    window: [u32; BLOCK_WORDS as usize],
}

/// Where a block is.
#[derive(Clone, Copy, Debug)]
struct Place {
    ts: u32,
    left: u32,
    is_first: bool,
    data: u32,
    table: u32,
}

/// A round of a block.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    place: Place,
    round: u32,
    window: [u32; BLOCK_WORDS as usize],
    state: State,
    word: u32,
    loaded: Access,
    constant: Access,
}

impl Replay<'_> {
    /// A call that was served.
    ///
    /// # Errors
    /// [`WitnessError::Uncovered`] for a call without blocks, and for one in which the order of accesses would show.
    pub(super) fn sha2(&mut self, event: Event, a7: Access) -> Result<(), WitnessError> {
        let t = event.ts + RS1;
        let registers = [Reg::A0, Reg::A1, Reg::A2, Reg::A3, Reg::A4]
            .map(|reg| self.read(file(event.mode) + reg.index() as u32, t));
        let [state, end, data, blocks, table] = registers.map(|access| access.old);
        let blocks = blocks & 0xffff;
        check_operands(&event, [state, end, data, table].map(|addr| addr >> 2), blocks)?;
        let before: [Access; STATE_WORDS] = std::array::from_fn(|i| self.take((state >> 2) + i as u32, t));
        let mut words = before.map(|access| access.old.swap_bytes());
        for i in 0..blocks {
            let data = (data >> 2) + i * BLOCK_WORDS;
            let place = Place { ts: event.ts, left: blocks - i, is_first: i == 0, data, table: table >> 2 };
            words = self.block(place, words);
        }
        let after = std::array::from_fn(|i| {
            let waddr = (end >> 2) + i as u32;
            self.take_for_data(waddr);
            self.write(waddr, words[i].swap_bytes(), event.ts + RD)
        });
        self.hashed.calls.push(Call { event, a7, registers, before, after });
        Ok(())
    }

    /// Reads a word for a service.
    fn take(&mut self, waddr: u32, t: u32) -> Access {
        self.take_for_data(waddr);
        self.read(waddr, t)
    }

    /// The state behind a block.
    fn block(&mut self, place: Place, before: State) -> State {
        let (mut state, mut window) = (before, [0; BLOCK_WORDS as usize]);
        for (round, standard) in (0..).zip(CONSTANTS) {
            let constant = match place.is_first {
                true => self.take(place.table + round, place.ts + RS1),
                false => Access { old: standard, ..Access::default() },
            };
            let is_load = round < BLOCK_WORDS;
            let loaded = if is_load { self.take(place.data + round, place.ts + LOAD) } else { Access::default() };
            let word = if is_load { loaded.old.swap_bytes() } else { scheduled(&window) };
            self.hashed.rounds.push(Round { place, round, window, state, word, loaded, constant });
            state = next(state, constant.old.wrapping_add(word));
            window.rotate_left(1);
            window[BLOCK_WORDS as usize - 1] = word;
        }
        self.hashed.blocks.push(Block { place, state: before, rounds: state, window });
        std::array::from_fn(|i| before[i].wrapping_add(state[i]))
    }
}

/// Refuses what the chips leave out: `chips/sha2.rs` says why.
fn check_operands(event: &Event, [state, end, data, table]: [u32; 4], blocks: u32) -> Result<(), WitnessError> {
    let touch = |x: u32, x_words: u32, y: u32, y_words: u32| x < y + y_words && y < x + x_words;
    let (words, data_words, rounds) = (STATE_WORDS as u32, blocks * BLOCK_WORDS, CONSTANTS.len() as u32);
    let what = if blocks == 0 {
        "a sha2 ECALL of no blocks"
    } else if (state != end && touch(state, words, end, words)) || touch(data, data_words, end, words) {
        "a sha2 ECALL whose state at the end touches what it reads"
    } else if touch(state, words, table, rounds) {
        "a sha2 ECALL whose state is in the table of constants"
    } else {
        return Ok(());
    };
    Err(WitnessError::Uncovered { pc: event.pc, what })
}

/// FIPS 180-4, 6.2.2, 1: the word behind the 16 of `window`.
fn scheduled(window: &[u32; BLOCK_WORDS as usize]) -> u32 {
    small_sigmas(window).into_iter().fold(window[0].wrapping_add(window[9]), u32::wrapping_add)
}

/// sigma0 and sigma1 of the words that they are taken of.
fn small_sigmas(window: &[u32; BLOCK_WORDS as usize]) -> [u32; 2] {
    let (far, near) = (window[1], window[14]);
    [
        far.rotate_right(7) ^ far.rotate_right(18) ^ (far >> 3),
        near.rotate_right(17) ^ near.rotate_right(19) ^ (near >> 10),
    ]
}

/// The terms of the two new words but constant and word: h, Sigma1, Ch, and Sigma0, Maj.
fn terms(state: &State) -> ([u32; 3], [u32; 2]) {
    let [a, b, c, _, e, f, g, h] = *state;
    let sigma1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
    let sigma0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
    ([h, sigma1, (e & f) ^ (!e & g)], [sigma0, (a & b) ^ (a & c) ^ (b & c)])
}

/// FIPS 180-4, 6.2.2, 3: the state behind a round whose constant and word have the sum `added`.
fn next(state: State, added: u32) -> State {
    let (first, second) = terms(&state);
    let t1 = first.into_iter().fold(added, u32::wrapping_add);
    let t2 = second[0].wrapping_add(second[1]);
    let [a, b, c, d, e, f, g, _] = state;
    [t1.wrapping_add(t2), a, b, c, d.wrapping_add(t1), e, f, g]
}

/// The carries out of the half-words of a sum.
fn carries(terms: &[u32]) -> [u32; 2] {
    let low: u32 = terms.iter().map(|term| term & 0xffff).sum();
    let high: u32 = terms.iter().map(|term| term >> 16).sum::<u32>() + (low >> 16);
    [low >> 16, high >> 16]
}

/// The bits of the two carries, `N / 2` each.
fn carry_bits<const N: usize>(terms: &[u32]) -> [F; N] {
    let carries = carries(terms);
    std::array::from_fn(|i| cell(carries[i / (N / 2)] >> (i % (N / 2)) & 1))
}

fn bits(word: u32) -> [F; 32] {
    std::array::from_fn(|i| cell(word >> i & 1))
}

/// The half-words of `words`.
fn half_words<const N: usize>(words: &[u32]) -> [F; N] {
    std::array::from_fn(|i| halves(words[i / 2])[i % 2])
}

pub fn call(call: Call) -> Sha2Row<F> {
    let Call { event, a7, registers: [a0, a1, a2, a3, a4], before, after } = call;
    let [state, end, data] = [a0, a1, a2].map(|access| access.old >> 2);
    let (words, blocks) = (STATE_WORDS as u32, a3.old & 0xffff);
    let is_in_place = state == end;
    Sha2Row {
        step: step(&event),
        real: F::ONE,
        a7_t_prev: cell(a7.t_prev),
        state: pointer(a0, words),
        end: pointer(a1, words),
        data: pointer(a2, blocks * BLOCK_WORDS),
        table: pointer(a4, CONSTANTS.len() as u32),
        blocks: read(a3),
        before: all_bytes(before.map(|access| access.old)),
        before_t_prev: before.map(|access| cell(access.t_prev)),
        after: all_bytes(after.map(|access| access.new)),
        replaced: half_words(&after.map(|access| access.old)),
        after_t_prev: after.map(|access| cell(access.t_prev)),
        is_in_place: flag(is_in_place),
        state_apart: if is_in_place { Apart::default() } else { apart(state, words, end) },
        data_apart: apart(data, blocks * BLOCK_WORDS, end),
    }
}

fn all_bytes(words: State) -> [F; 32] {
    std::array::from_fn(|i| bytes(words[i / 4])[i % 4])
}

fn pointer(register: Access, words: u32) -> Pointer<F> {
    let (low, last) = (register.old & 0xffff, register.old + words * 4 - 1);
    Pointer {
        register: read(register),
        quotient: cell(low >> 2),
        last_lo: cell(last & 0xffff),
        carry: cell((last >> 16) - (register.old >> 16)),
    }
}

fn apart(start: u32, words: u32, end: u32) -> Apart<F> {
    let is_above = start > end;
    let gap = if is_above { start - end - STATE_WORDS as u32 } else { end - start - words };
    Apart { is_above: flag(is_above), gap: halves(gap) }
}

pub fn block(block: Block) -> Sha2BlockRow<F> {
    let Block { place, state, rounds, window } = block;
    let sum: State = std::array::from_fn(|i| state[i].wrapping_add(rounds[i]));
    Sha2BlockRow {
        real: F::ONE,
        ts: cell(place.ts),
        left: cell(place.left),
        is_first: flag(place.is_first),
        data: cell(place.data),
        table: cell(place.table),
        state: half_words(&state),
        rounds: half_words(&rounds),
        sum: half_words(&sum),
        carry: std::array::from_fn(|i| cell(carries(&[state[i / 2], rounds[i / 2]])[i % 2])),
        window: half_words(&window),
    }
}

pub fn round(round: Round) -> Sha2RoundRow<F> {
    let Round { place, round, window, state, word, loaded, constant } = round;
    let (first, second) = terms(&state);
    let first = [first[0], first[1], first[2], constant.old, word];
    let after = next(state, constant.old.wrapping_add(word));
    let small = small_sigmas(&window);
    let is_load = round < BLOCK_WORDS;
    let others: Vec<u32> = (0..window.len()).filter(|i| ![1, 14].contains(i)).map(|i| window[i]).collect();
    let [a, b, c, d, e, f, g, h] = state;
    Sha2RoundRow {
        real: F::ONE,
        is_load: flag(is_load),
        ts: cell(place.ts),
        left: cell(place.left),
        is_first: flag(place.is_first),
        round: cell(round),
        data: cell(place.data),
        table: cell(place.table),
        far: bits(window[1]),
        near: bits(window[14]),
        window: half_words(&others),
        small: half_words(&small),
        byte: bytes(loaded.old),
        word_t_prev: cell(loaded.t_prev),
        word: halves(word),
        word_carry: if is_load { [F::ZERO; 4] } else { carry_bits(&[small[0], small[1], window[0], window[9]]) },
        constant: halves(constant.old),
        constant_t_prev: cell(constant.t_prev),
        a: bits(a),
        b: bits(b),
        c: bits(c),
        d: halves(d),
        e: bits(e),
        f: bits(f),
        g: bits(g),
        h: halves(h),
        new_a: halves(after[0]),
        a_carry: carry_bits(&[&first[..], &second].concat()),
        new_e: halves(after[4]),
        e_carry: carry_bits(&[&first[..], &[d]].concat()),
    }
}
