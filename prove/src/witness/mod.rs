//! The witness: the rows of every chip, from the steps of a segment.
//!
//! The steps come from the engine that users debug; nothing is executed again. `replay.rs` walks
//! through them once and notes for each access to a cell what was there since when; `rows.rs` turns
//! each step into a row of its chip; `tally.rs` counts what was looked up in the tables.

mod ends;
mod replay;
mod rows;
mod tally;

use std::fmt;

use p3_field::PrimeCharacteristicRing;
use rayon::prelude::*;

use crate::air::{Chip, F};
use crate::claim::Claim;
use crate::config::MIN_LOG_ROWS;
use crate::machine::AnyChip;
use crate::segment::Segment;

/// Rows that one task fills.
const TASK_ROWS: usize = 1 << 12;

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

    /// A table with a row for each event, filled up with `padding`; an empty padding is zeros.
    fn of_events<E: Copy + Sync>(chip: AnyChip, events: &[E], padding: &[F], put: fn(E, &mut Vec<F>)) -> Trace {
        let (width, used) = (chip.width(), events.len());
        let height = events.len().next_power_of_two().max(1 << MIN_LOG_ROWS);
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
        let (claim, mut traces) = ends::finish(segment, replay)?;
        tally::fill_tables(&mut traces, &claim.publics())?;
        traces.sort_by_key(|trace| trace.chip);
        Ok(Witness { claim, traces })
    }
}
