//! What a witness costs, chip by chip.

use crate::air::Chip;
use crate::backend::{ChipAir, prover_data};
use crate::config::{EXTENSION_DEGREE, config};
use crate::machine::AnyChip;
use crate::segment::Segment;
use crate::witness::{Trace, Witness, heights_of};

/// Columns of the quotient of a chip's constraints: two chunks.
pub const QUOTIENT_COLUMNS: usize = 2 * EXTENSION_DEGREE;

/// What one chip costs in a proof.
#[derive(Clone, Debug)]
pub struct ChipCost {
    /// The chip.
    pub name: &'static str,
    /// Rows that are not padding.
    pub used: usize,
    /// Rows.
    pub rows: usize,
    /// Columns that the witness fills.
    pub columns: usize,
    /// Columns of the base field that the buses take.
    pub bus_columns: usize,
    /// Interactions a row.
    pub interactions: usize,
}

impl ChipCost {
    /// The cells that are committed to, without the quotient's.
    pub fn cells(&self) -> usize {
        self.rows * (self.columns + self.bus_columns)
    }
}

/// What each chip of `witness` costs.
pub fn costs(witness: &Witness) -> Vec<ChipCost> {
    witness.traces.iter().filter(|trace| trace.is_used()).map(cost).collect()
}

fn cost(trace: &Trace) -> ChipCost {
    let (bus_columns, interactions) = buses(trace.chip, trace.rows());
    let (name, columns) = (trace.chip.name(), trace.width);
    ChipCost { name, used: trace.used, rows: trace.rows(), columns, bus_columns, interactions }
}

/// The columns that the buses of `chip` take, and its interactions a row.
fn buses(chip: AnyChip, rows: usize) -> (usize, usize) {
    let data = prover_data(&config(&[]), &[ChipAir::for_verifier(chip)], &[rows.ilog2() as usize]);
    let lookups = &data.expect("there are no fixed columns to commit to").common.lookups[0];
    // A column for each pair of interactions or so, and the accumulator.
    let columns = (lookups.len() + 1) * EXTENSION_DEGREE;
    (columns, lookups.iter().map(|lookup| lookup.elements.len()).sum())
}

/// What the prover takes for a segment of few steps, in bytes.
const BASE_BYTES: usize = 100 << 20;
/// What it takes for each cell: more than the peak of `make bench-prove` at 2^18 instructions.
const CELL_BYTES: usize = 12;

/// The memory that a proof of `segment` will take at its peak, in bytes.
pub fn expected_bytes(segment: &Segment) -> u64 {
    let cells: usize = heights_of(segment)
        .into_iter()
        .map(|(chip, rows)| rows * (chip.width() + buses(chip, rows).0 + QUOTIENT_COLUMNS))
        .sum();
    let steps = std::mem::size_of_val(&segment.steps[..]);
    (BASE_BYTES + CELL_BYTES * cells + 2 * steps) as u64
}
