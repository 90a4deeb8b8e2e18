//! The witness: the rows of every chip, from the steps of a segment.
//!
//! The steps come from the engine that users debug; nothing is executed again. `replay.rs` walks
//! through them once and notes for each access to a cell what was there since when; `rows.rs` turns
//! each step into a row of its chip; `tally.rs` counts what was looked up in the tables.

mod ends;
mod replay;
mod rows;
mod sha2;
mod tally;
mod traps;

use std::collections::BTreeMap;
use std::fmt;

use lockstep::isa::decode;
use p3_field::PrimeCharacteristicRing;
use rayon::prelude::*;

use crate::air::{Chip, F};
use crate::chips::sha2_round;
use crate::claim::Claim;
use crate::config::{MAX_TABLES, MIN_LOG_ROWS};
use crate::machine::AnyChip;
use crate::segment::Segment;

/// Rows that one task fills.
const TASK_ROWS: usize = 1 << 12;

/// The least rows of a table that is followed by another of its chip: each table makes the receipt some 50 kB longer.
const SPLIT_ROWS: usize = 1 << 14;

/// The table of one chip.
#[derive(Clone)]
pub struct Trace {
    /// The chip.
    pub chip: AnyChip,
    /// Columns.
    pub width: usize,
    /// The rows that are not padding.
    pub used: usize,
    /// The cells, row by row; the number of rows is a power of two.
    pub cells: Vec<F>,
}

impl Trace {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.cells.len() / self.width
    }

    /// Whether a proof needs the table: it has a row that is not padding, or every proof has it.
    pub fn is_used(&self) -> bool {
        self.used > 0 || crate::verifier::is_always(self.chip)
    }

    /// Row `row`.
    pub fn row(&self, row: usize) -> &[F] {
        &self.cells[row * self.width..(row + 1) * self.width]
    }

    /// A table of `rows`, each written by `put`, filled up with `padding`.
    fn of<R: Copy>(chip: AnyChip, rows: &[R], padding: R, put: impl Fn(R, &mut Vec<F>)) -> Trace {
        let (width, used) = (chip.width(), rows.len());
        let height = rows.len().next_power_of_two().max(1 << MIN_LOG_ROWS);
        let mut cells = Vec::with_capacity(height * width);
        rows.iter().for_each(|row| put(*row, &mut cells));
        for _ in rows.len()..height {
            put(padding, &mut cells);
        }
        assert_eq!(cells.len(), height * width, "chip {} fills its rows", chip.name());
        Trace { chip, width, used, cells }
    }

    /// Tables with a row for each event, filled up with `padding`; an empty padding is zeros.
    fn of_events<E: Copy + Sync>(chip: AnyChip, events: &[E], padding: &[F], put: fn(E, &mut Vec<F>)) -> Vec<Trace> {
        let mut rest = events;
        let part = |height: usize| {
            let (now, later) = rest.split_at(rest.len().min(height));
            rest = later;
            Trace::part_of_events(chip, now, height, padding, put)
        };
        heights(events.len()).into_iter().map(part).collect()
    }

    fn part_of_events<E: Copy + Sync>(
        chip: AnyChip,
        events: &[E],
        height: usize,
        padding: &[F],
        put: fn(E, &mut Vec<F>),
    ) -> Trace {
        let (width, used) = (chip.width(), events.len());
        let mut cells = vec![F::ZERO; height * width];
        let (real, rest) = cells.split_at_mut(events.len() * width);
        real.par_chunks_mut(TASK_ROWS * width).zip(events.par_chunks(TASK_ROWS)).for_each(|(cells, events)| {
            let mut row = Vec::with_capacity(width);
            for (cells, event) in cells.chunks_exact_mut(width).zip(events) {
                row.clear();
                put(*event, &mut row);
                cells.copy_from_slice(&row);
            }
        });
        if !padding.is_empty() {
            rest.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(padding));
        }
        Trace { chip, width, used, cells }
    }
}

/// The heights of the tables of each chip that executes instructions of `segment`, before its witness is made.
pub fn heights_of(segment: &Segment) -> Vec<(AnyChip, usize)> {
    let mut rows = BTreeMap::<AnyChip, usize>::new();
    for insn in segment.steps.iter().filter_map(|step| decode(step.insn)) {
        *rows.entry(replay::chip_of(insn.op)).or_default() += 1;
    }
    let blocks = segment.sha2_blocks as usize;
    if blocks > 0 {
        rows.extend([(AnyChip::Sha2Block, blocks), (AnyChip::Sha2Round, blocks * sha2_round::ROUNDS as usize)]);
    }
    rows.into_iter().flat_map(|(chip, rows)| heights(rows).into_iter().map(move |height| (chip, height))).collect()
}

/// The heights of the tables that `rows` rows make: one, or a few if much padding is saved.
fn heights(rows: usize) -> Vec<usize> {
    let (mut heights, mut rest) = (Vec::new(), rows);
    loop {
        let whole = rest.next_power_of_two().max(1 << MIN_LOG_ROWS);
        let half = whole / 2;
        let is_split = heights.len() + 1 < MAX_TABLES && half >= SPLIT_ROWS && (rest - half).next_power_of_two() < half;
        if !is_split {
            heights.push(whole);
            return heights;
        }
        heights.push(half);
        rest -= half;
    }
}

/// The witness of a segment.
pub struct Witness {
    /// What it proves.
    pub claim: Claim,
    /// The table of each chip, in the order of [`AnyChip::ALL`].
    pub traces: Vec<Trace>,
}

/// Why a segment has no proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitnessError {
    /// The segment is longer than a proof can be.
    TooLong(usize),
    /// The segment hashes more blocks by sha2 than a proof can show.
    TooManyBlocks(u64),
    /// The program does something that the chips do not cover yet.
    Uncovered {
        /// The address of the instruction.
        pc: u32,
        /// What it does.
        what: &'static str,
    },
    /// A bug of ours: a value that no table lists.
    Lookup {
        /// The chip that looked it up.
        chip: &'static str,
        /// The table.
        bus: &'static str,
        /// The value.
        value: Vec<u32>,
    },
}

impl fmt::Display for WitnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WitnessError::TooLong(steps) => {
                write!(f, "the segment has {steps} steps; a proof holds {}", crate::segment::MAX_STEPS)
            }
            WitnessError::TooManyBlocks(blocks) => {
                let most = crate::segment::MAX_SHA2_BLOCKS;
                write!(f, "the segment hashes {blocks} blocks by sha2; a proof holds {most}")
            }
            WitnessError::Uncovered { pc, what } => {
                write!(f, "{what} at pc 0x{pc:08x}: not provable yet (docs/proving.md)")
            }
            WitnessError::Lookup { chip, bus, value } => {
                write!(f, "chip {chip} looks {value:?} up on bus {bus}, which does not list it: a bug of the prover")
            }
        }
    }
}

impl std::error::Error for WitnessError {}

impl Witness {
    /// The witness of `segment`.
    ///
    /// # Errors
    /// [`WitnessError`] for what no proof can be made of.
    pub fn of(segment: &Segment) -> Result<Witness, WitnessError> {
        let mut replay = replay::Replay::new(segment)?;
        replay.run(segment)?;
        let (claim, traces) = ends::finish(segment, replay)?;
        Witness { claim, traces }.counted()
    }

    /// The witness with the tables that answer its lookups: what a prover does who has changed rows.
    ///
    /// # Errors
    /// [`WitnessError::Lookup`] for a value that no table lists.
    pub fn counted(mut self) -> Result<Witness, WitnessError> {
        self.traces.retain(|trace| ![AnyChip::Halves, AnyChip::Opcodes].contains(&trace.chip));
        tally::fill_tables(&mut self.traces, &self.claim.publics())?;
        self.traces.sort_by_key(|trace| trace.chip);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_split_where_padding_is_saved() {
        let k = 1 << 10;
        assert_eq!(heights(0), [4]);
        assert_eq!(heights(5 * k), [8 * k]);
        assert_eq!(heights(32 * k), [32 * k]);
        assert_eq!(heights(31 * k), [32 * k]);
        assert_eq!(heights(40 * k), [32 * k, 8 * k]);
        assert_eq!(heights(54 * k), [64 * k]);
        assert_eq!(heights(150 * k), [128 * k, 16 * k, 8 * k]);
        assert_eq!(heights(128 * k + 20 * k), [128 * k, 16 * k, 4 * k]);
    }
}
