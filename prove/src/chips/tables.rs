//! The tables: complete lists of small facts that other chips look up.

use lockstep::ecall::sha2::CONSTANTS;
use lockstep::isa::Op;
use lockstep::map::{KERNEL_START, USER_START};
use p3_field::PrimeCharacteristicRing;

use super::chip;
use super::sha2::BLOCK_WORDS;
use crate::air::{Builder, Bus, F, Fixed, Times, columns};
use crate::expr::Expr;

/// The class of an upper half-word in the invalid region (MAP-1).
pub const INVALID: u32 = 0;
/// The class of an upper half-word in user memory (MAP-2).
pub const USER: u32 = 1;
/// The class of an upper half-word in kernel or system memory (MAP-3, MAP-4).
pub const PRIVILEGED: u32 = 2;

/// Rows of the table of half-words.
pub const HALF_ROWS: usize = 1 << 16;

/// Facts about each half-word, and so about each pair of bytes.
pub struct Halves;

columns! {
    /// How often each fact is looked up.
    HalvesRow { half, pair, bytes, quarter, amount, region }
}

chip!(
    Halves,
    "halves",
    HalvesRow,
    fn fixed(&self) -> Option<Fixed> {
        let cells = (0..HALF_ROWS as u32).flat_map(facts).map(F::from_u32).collect();
        Some(Fixed { width: HALF_FACTS, cells })
    }
);

/// The fixed cells of a row.
pub const HALF_FACTS: usize = 8;

/// The half-word, its bytes and their conjunction, a quarter and the rest, the low five bits, the class.
fn facts(v: u32) -> [u32; HALF_FACTS] {
    let (low, high) = (v & 0xff, v >> 8);
    [v, low, high, low & high, v >> 2, v & 3, v & 31, region(v)]
}

/// The class of the addresses whose upper half is `hi`.
pub const fn region(hi: u32) -> u32 {
    if hi < USER_START >> 16 {
        INVALID
    } else if hi < KERNEL_START >> 16 {
        USER
    } else {
        PRIVILEGED
    }
}

impl Halves {
    fn constrain<B: Builder>(b: &mut B, row: HalvesRow<Expr<B::Raw>>) {
        let [v, low, high, and, quotient, low2, amount, class] = std::array::from_fn(|i| b.fixed(i));
        b.interact(Bus::Half, Times::Provide(row.half), [v.clone()]);
        b.interact(Bus::Pair, Times::Provide(row.pair), [low.clone(), high.clone()]);
        b.interact(Bus::Bytes, Times::Provide(row.bytes), [low, high, and]);
        b.interact(Bus::Quarter, Times::Provide(row.quarter), [quotient, low2]);
        b.interact(Bus::Amount, Times::Provide(row.amount), [v.clone(), amount]);
        b.interact(Bus::Region, Times::Provide(row.region), [v, class]);
    }
}

/// What the opcode and funct3 of a word say about its legality, and the constants of SHA-256.
pub struct Opcodes;

columns! {
    /// How often each key is looked up, and each constant.
    OpcodesRow { count, constant }
}

/// No instruction has this key.
pub const ILLEGAL: u32 = 0;
/// Every word with this key is an instruction.
pub const LEGAL: u32 = 1;
/// An instruction if funct7 is 0.
pub const FUNCT7_0: u32 = 2;
/// An instruction if funct7 is 0 or 0x20.
pub const FUNCT7_0_32: u32 = 3;
/// An instruction if funct7 is 0 or 1.
pub const FUNCT7_0_1: u32 = 4;
/// An instruction if funct7 is 0, 1 or 0x20.
pub const FUNCT7_0_1_32: u32 = 5;
/// An instruction if the rest is that of ecall, ebreak or mret.
pub const SYSTEM: u32 = 6;

/// Keys: seven bits of opcode, three of funct3.
pub const KEYS: u32 = 1 << 10;

/// The fixed cells of a row: the key and its kind; of the first 64 the half-words of a constant, and whether its round
/// takes a word of the block.
pub const OPCODE_FACTS: usize = 5;

chip!(
    Opcodes,
    "opcodes",
    OpcodesRow,
    fn fixed(&self) -> Option<Fixed> {
        let facts = |key| {
            let [lo, hi, is_load] = sha2_facts(key);
            [key, kind(key), lo, hi, is_load]
        };
        let cells = (0..KEYS).flat_map(facts).map(F::from_u32).collect();
        Some(Fixed { width: OPCODE_FACTS, cells })
    }
);

impl Opcodes {
    fn constrain<B: Builder>(b: &mut B, row: OpcodesRow<Expr<B::Raw>>) {
        let [key, kind, lo, hi, is_load] = std::array::from_fn(|i| b.fixed(i));
        b.interact(Bus::Opcode, Times::Provide(row.count), [key.clone(), kind]);
        b.interact(Bus::Sha2Constant, Times::Provide(row.constant), [key, lo, hi, is_load]);
    }
}

/// The half-words of the constant of round `round` of SHA-256, and whether the round takes a word of the block; zeros
/// behind the last round.
pub fn sha2_facts(round: u32) -> [u32; 3] {
    match CONSTANTS.get(round as usize) {
        Some(constant) => [constant & 0xffff, constant >> 16, u32::from(round < BLOCK_WORDS)],
        None => [0; 3],
    }
}

/// What the instruction table says about `key`, opcode + 128 * funct3.
pub fn kind(key: u32) -> u32 {
    const OPCODE: u32 = 0x7f;
    const FUNCT3: u32 = 0x7000;
    const FUNCT7: u32 = 0xfe00_0000;
    let word = (key & OPCODE) | (key >> 7) << 12;
    let rows = || {
        Op::ALL.iter().map(|op| op.row()).filter(move |row| (word ^ row.pattern) & row.mask & (OPCODE | FUNCT3) == 0)
    };
    let has = |funct7: u32| rows().any(|row| row.mask & FUNCT7 == FUNCT7 && row.pattern >> 25 == funct7);
    if rows().next().is_none() {
        ILLEGAL
    } else if rows().any(|row| row.mask == u32::MAX) {
        SYSTEM
    } else if rows().any(|row| row.mask & FUNCT7 == 0) {
        LEGAL
    } else {
        match (has(1), has(0x20)) {
            (false, false) => FUNCT7_0,
            (false, true) => FUNCT7_0_32,
            (true, false) => FUNCT7_0_1,
            (true, true) => FUNCT7_0_1_32,
        }
    }
}
