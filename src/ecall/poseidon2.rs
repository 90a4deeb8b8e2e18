//! The machine ECALL poseidon2: a sponge over BabyBear with RISC Zero's constants (clauses ECALL-11 and ECALL-12).

use risc0_zkp::core::hash::poseidon2::{CELLS, poseidon2_mix};
use risc0_zkp::field::baby_bear::BabyBearElem;

use super::{Call, MAX_CALL_CYCLES, POSEIDON2, refused, span, words};
use crate::hart::Machine;
use crate::isa::Reg;
use crate::map::{Addr, WORD_BYTES};
use crate::mem::MemSpan;
use crate::trap::Trap;

/// Words of an output, of the saved part of the state, and of half a block of elements.
const DIGEST_WORDS: u32 = 8;
/// Where the saved part of the state is among the cells.
const CAPACITY: usize = 16;

/// a3: the input is field elements, one a word, and not half-words.
pub const IS_ELEMENTS: u32 = 0x8000_0000;
/// a3: the output is compared with what is in memory instead of stored.
pub const CHECK_OUTPUT: u32 = 0x4000_0000;

// v2: dispatch, output and end take a cycle each (one of them is the step); a state takes one to load and
// one to store; a block one to load, nine for the rounds, and one more if it is elements.
const CALL_CYCLES: u64 = 2;
const STATE_CYCLES: u64 = 2;
const BLOCK_CYCLES: u64 = 10;

/// The operands, all checked.
struct Operands {
    state: Option<Addr>,
    input: Addr,
    output: Addr,
    blocks: u32,
    is_elements: bool,
    is_checked: bool,
}

/// Serves poseidon2.
///
/// # Errors
/// The trap of ECALL-12; nothing has changed then.
pub fn serve(machine: &mut Machine) -> Result<Call, Trap> {
    let operands = Operands::of(machine)?;
    let cells = operands.absorb(machine);
    // Without a block the words of the state stay as they are, and need not be below p.
    let state_before: Option<Vec<u32>> =
        operands.state.map(|addr| (0..DIGEST_WORDS).map(|i| machine.word(addr + i * WORD_BYTES)).collect());
    if operands.is_checked {
        let is_equal =
            (0..DIGEST_WORDS).all(|i| machine.word(operands.output + i * WORD_BYTES) == cells[i as usize].as_u32());
        if !is_equal {
            return Err(refused(operands.output));
        }
    } else {
        store(machine, operands.output, &cells[..DIGEST_WORDS as usize]);
    }
    match (operands.state, state_before) {
        (Some(state), Some(words)) if operands.blocks == 0 => {
            (0..).zip(words).for_each(|(i, word)| machine.set_word(state + i * WORD_BYTES, word));
        }
        (Some(state), _) => store(machine, state, &cells[CAPACITY..]),
        (None, _) => {}
    }
    Ok(Call { number: POSEIDON2, extra_cycles: operands.cycles(), spans: operands.spans() })
}

impl Operands {
    fn of(machine: &Machine) -> Result<Operands, Trap> {
        let x = |reg| machine.hart.x(reg);
        let flags = x(Reg::A3);
        let blocks = flags & 0xffff;
        let is_elements = flags & IS_ELEMENTS != 0;
        let has_state = x(Reg::A0) != 0;
        let operands = Operands {
            state: if has_state { Some(digest(x(Reg::A0))?) } else { None },
            input: word_address(x(Reg::A1), blocks * block_words(is_elements))?,
            output: digest(x(Reg::A2))?,
            blocks,
            is_elements,
            is_checked: flags & CHECK_OUTPUT != 0,
        };
        // The step itself costs one.
        if operands.cycles() >= MAX_CALL_CYCLES { Err(refused(flags)) } else { Ok(operands) }
    }

    fn cycles(&self) -> u64 {
        let state = if self.state.is_some() { STATE_CYCLES } else { 0 };
        CALL_CYCLES + state + u64::from(self.blocks) * (BLOCK_CYCLES + u64::from(self.is_elements))
    }

    /// The cells after the last block.
    fn absorb(&self, machine: &Machine) -> [BabyBearElem; CELLS] {
        let mut cells = [BabyBearElem::new(0); CELLS];
        if let Some(state) = self.state {
            load(machine, state, &mut cells[CAPACITY..]);
        }
        for block in 0..self.blocks {
            let addr = self.input + block * block_words(self.is_elements) * WORD_BYTES;
            match self.is_elements {
                true => load(machine, addr, &mut cells[..CAPACITY]),
                false => load_halves(machine, addr, &mut cells[..CAPACITY]),
            }
            poseidon2_mix(&mut cells);
        }
        cells
    }

    fn spans(&self) -> Vec<MemSpan> {
        let input = self.blocks * block_words(self.is_elements) * WORD_BYTES;
        let digest = DIGEST_WORDS * WORD_BYTES;
        let mut spans = span(self.input, input, false);
        spans.extend(span(self.output, digest, !self.is_checked));
        if let Some(state) = self.state {
            spans.extend([false, true].into_iter().flat_map(|is_write| span(state, digest, is_write)));
        }
        spans
    }
}

const fn block_words(is_elements: bool) -> u32 {
    if is_elements { 2 * DIGEST_WORDS } else { DIGEST_WORDS }
}

fn digest(word_number: u32) -> Result<Addr, Trap> {
    word_address(word_number, DIGEST_WORDS)
}

/// ECALL-11: the registers hold addresses divided by 4.
fn word_address(word_number: u32, count: u32) -> Result<Addr, Trap> {
    let addr = word_number.checked_mul(WORD_BYTES).ok_or(refused(word_number))?;
    words(addr, count).map_err(|_| refused(word_number))
}

fn load(machine: &Machine, addr: Addr, cells: &mut [BabyBearElem]) {
    for (i, cell) in (0..).zip(cells) {
        *cell = BabyBearElem::new(machine.word(addr + i * WORD_BYTES));
    }
}

/// Two cells a word, the low half first.
fn load_halves(machine: &Machine, addr: Addr, cells: &mut [BabyBearElem]) {
    for (i, pair) in (0..).zip(cells.chunks_exact_mut(2)) {
        let word = machine.word(addr + i * WORD_BYTES);
        pair[0] = BabyBearElem::new(word & 0xffff);
        pair[1] = BabyBearElem::new(word >> 16);
    }
}

fn store(machine: &mut Machine, addr: Addr, cells: &[BabyBearElem]) {
    for (i, cell) in (0..).zip(cells) {
        machine.set_word(addr + i * WORD_BYTES, cell.as_u32());
    }
}
