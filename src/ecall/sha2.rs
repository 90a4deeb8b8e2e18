//! The machine ECALL sha2: the compression function of SHA-256 (clauses ECALL-13 and ECALL-14).

use sha2::block_api::compress256;

use super::{Call, SHA2, refused, span, words};
use crate::hart::Machine;
use crate::isa::Reg;
use crate::map::{Addr, WORD_BYTES};
use crate::trap::Trap;

/// Words of the state.
const STATE_WORDS: u32 = 8;
/// Words of a block.
const BLOCK_WORDS: u32 = 16;
/// Words of the table of constants: one a round.
pub const ROUNDS: usize = 64;
/// The most blocks of one call (ECALL-13).
pub const MAX_BLOCKS: u32 = 10;

// v2: the state is loaded in 4 cycles; a block takes 16 to load, 48 to mix and 4 to store; one cycle
// dispatches the call and one ends it, of which TIME-2 counts one as the step.
const CALL_CYCLES: u64 = 5;
const BLOCK_CYCLES: u64 = 68;

/// The blocks that a call of sha2 hashed.
pub fn blocks_of(call: &Call) -> u64 {
    call.extra_cycles.saturating_sub(CALL_CYCLES) / BLOCK_CYCLES
}

/// The operands, all checked.
struct Operands {
    state_in: Addr,
    state_out: Addr,
    data: Addr,
    blocks: u32,
    constants: Addr,
}

/// Serves sha2.
///
/// # Errors
/// The trap of ECALL-14; nothing has changed then.
pub fn serve(machine: &mut Machine) -> Result<Call, Trap> {
    let operands = Operands::of(machine)?;
    let mut state = copy_state(machine, &operands);
    for block in 0..operands.blocks {
        let bytes = load_block(machine, operands.data + block * BLOCK_WORDS * WORD_BYTES);
        compress256(&mut state, &[bytes]);
        store_state(machine, operands.state_out, &state);
    }
    let extra_cycles = CALL_CYCLES + BLOCK_CYCLES * u64::from(operands.blocks);
    Ok(Call { number: SHA2, extra_cycles, spans: operands.spans() })
}

impl Operands {
    fn of(machine: &Machine) -> Result<Operands, Trap> {
        let x = |reg| machine.hart.x(reg);
        // v2 looks at the low half of the count only.
        let blocks = x(Reg::A3) & 0xffff;
        if blocks > MAX_BLOCKS {
            return Err(refused(x(Reg::A3)));
        }
        let operands = Operands {
            state_in: words(x(Reg::A0), STATE_WORDS)?,
            state_out: words(x(Reg::A1), STATE_WORDS)?,
            data: words(x(Reg::A2), blocks * BLOCK_WORDS)?,
            blocks,
            constants: words(x(Reg::A4), if blocks == 0 { 0 } else { ROUNDS as u32 })?,
        };
        operands.check_constants(machine)?;
        Ok(operands)
    }

    /// ECALL-14: the table in memory must be that of SHA-256.
    fn check_constants(&self, machine: &Machine) -> Result<(), Trap> {
        let is_standard =
            (0..).zip(CONSTANTS).all(|(i, constant)| machine.word(self.constants + i * WORD_BYTES) == constant);
        if self.blocks == 0 || is_standard { Ok(()) } else { Err(refused(self.constants)) }
    }

    fn spans(&self) -> Vec<crate::mem::MemSpan> {
        let constants = if self.blocks == 0 { 0 } else { ROUNDS as u32 };
        let ranges = [
            (self.state_in, STATE_WORDS, false),
            (self.constants, constants, false),
            (self.data, self.blocks * BLOCK_WORDS, false),
            (self.state_out, STATE_WORDS, true),
        ];
        ranges.into_iter().flat_map(|(start, words, is_write)| span(start, words * WORD_BYTES, is_write)).collect()
    }
}

/// Copies the state to where it goes, in v2's order, which shows when the two overlap.
fn copy_state(machine: &mut Machine, operands: &Operands) -> [u32; STATE_WORDS as usize] {
    let mut state = [0; STATE_WORDS as usize];
    for high in (0..STATE_WORDS / 2).rev() {
        let pair = [high, high + STATE_WORDS / 2];
        let words = pair.map(|i| machine.word(operands.state_in + i * WORD_BYTES));
        for (i, word) in pair.into_iter().zip(words) {
            // SHA-256 is big-endian, the machine is not.
            state[i as usize] = word.swap_bytes();
            machine.set_word(operands.state_out + i * WORD_BYTES, word);
        }
    }
    state
}

fn load_block(machine: &Machine, addr: Addr) -> [u8; 64] {
    let mut bytes = [0; 64];
    machine.read_bytes(addr, &mut bytes);
    bytes
}

fn store_state(machine: &mut Machine, addr: Addr, state: &[u32; STATE_WORDS as usize]) {
    for (i, word) in (0..).zip(state) {
        machine.set_word(addr + i * WORD_BYTES, word.swap_bytes());
    }
}

/// FIPS 180-4, 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes.
pub const CONSTANTS: [u32; ROUNDS] = constants();

const fn constants() -> [u32; ROUNDS] {
    let mut table = [0; ROUNDS];
    let (mut found, mut candidate) = (0, 2);
    while found < ROUNDS {
        if is_prime(candidate) {
            // The cube root of p * 2^96 is that of p, times 2^32: its low word is the fraction.
            table[found] = cube_root((candidate as u128) << 96) as u32;
            found += 1;
        }
        candidate += 1;
    }
    table
}

const fn is_prime(number: u32) -> bool {
    let mut divisor = 2;
    while divisor * divisor <= number {
        if number.is_multiple_of(divisor) {
            return false;
        }
        divisor += 1;
    }
    true
}

/// The largest integer whose cube is at most `number`, which is below 2^105.
const fn cube_root(number: u128) -> u128 {
    let mut root = 0;
    let mut bit = 1 << 35;
    while bit > 0 {
        let next: u128 = root | bit;
        if next * next * next <= number {
            root = next;
        }
        bit >>= 1;
    }
    root
}
