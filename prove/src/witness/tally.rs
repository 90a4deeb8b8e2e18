//! How often each entry of the tables is looked up: every row's lookups, counted.

use p3_field::{PrimeCharacteristicRing, PrimeField32};
use rayon::prelude::*;

use super::{Trace, WitnessError};
use crate::air::{Builder, Bus, Chip, F, Times};
use crate::chips::tables::{HALF_ROWS, HalvesRow, OpcodesRow, sha2_facts};
use crate::expr::Expr;
use crate::machine::AnyChip;

/// Rows that one task counts.
const TASK_ROWS: usize = 1 << 14;

/// Entries of the table of opcodes.
const KEYS: usize = crate::chips::tables::KEYS as usize;

/// The counts of all tables.
struct Tally {
    half: Vec<u32>,
    pair: Vec<u32>,
    bytes: Vec<u32>,
    quarter: Vec<u32>,
    amount: Vec<u32>,
    region: Vec<u32>,
    opcode: Vec<u32>,
    constant: Vec<u32>,
    missing: Option<(Bus, Vec<u32>)>,
}

/// Appends the tables that answer the lookups of `traces`.
///
/// # Errors
/// [`WitnessError::Lookup`] for a value that no table lists.
pub fn fill_tables(traces: &mut Vec<Trace>, publics: &[F]) -> Result<(), WitnessError> {
    let mut total = Tally::new();
    for trace in traces.iter() {
        let tally = count(trace, publics);
        if let Some((bus, value)) = tally.missing {
            return Err(WitnessError::Lookup { chip: trace.chip.name(), bus: bus.name(), value });
        }
        total.add(&tally);
    }
    traces.push(total.halves());
    traces.push(total.opcodes());
    Ok(())
}

fn count(trace: &Trace, publics: &[F]) -> Tally {
    let tasks = trace.rows().div_ceil(TASK_ROWS);
    let counted = (0..tasks).into_par_iter().map(|task| {
        let mut tally = Tally::new();
        for row in task * TASK_ROWS..trace.rows().min((task + 1) * TASK_ROWS) {
            trace.chip.eval(&mut Counter { trace, publics, row, tally: &mut tally });
        }
        tally
    });
    counted.reduce(Tally::new, |mut a, b| {
        a.add(&b);
        a
    })
}

impl Tally {
    fn new() -> Tally {
        let halves = || vec![0; HALF_ROWS];
        Tally {
            half: halves(),
            pair: halves(),
            bytes: halves(),
            quarter: halves(),
            amount: halves(),
            region: halves(),
            opcode: vec![0; KEYS],
            constant: vec![0; KEYS],
            missing: None,
        }
    }

    fn add(&mut self, other: &Tally) {
        let pairs = [
            (&mut self.half, &other.half),
            (&mut self.pair, &other.pair),
            (&mut self.bytes, &other.bytes),
            (&mut self.quarter, &other.quarter),
            (&mut self.amount, &other.amount),
            (&mut self.region, &other.region),
            (&mut self.opcode, &other.opcode),
            (&mut self.constant, &other.constant),
        ];
        for (sum, counts) in pairs {
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        if self.missing.is_none() {
            self.missing.clone_from(&other.missing);
        }
    }

    /// Counts one lookup of `tuple` on `bus`.
    fn look_up(&mut self, bus: Bus, tuple: &[F]) {
        let at = |i: usize| tuple[i].as_canonical_u32();
        let byte = |i: usize| Some(at(i)).filter(|byte| *byte < 0x100);
        let place = match bus {
            Bus::Half => Some((&mut self.half, at(0))),
            Bus::Pair => byte(0).zip(byte(1)).map(|(a, b)| (&mut self.pair, a + 256 * b)),
            Bus::Bytes => {
                byte(0).zip(byte(1)).filter(|(a, b)| a & b == at(2)).map(|(a, b)| (&mut self.bytes, a + 256 * b))
            }
            Bus::Quarter => {
                Some(at(0)).filter(|q| *q < 0x4000 && at(1) < 4).map(|q| (&mut self.quarter, 4 * q + at(1)))
            }
            Bus::Amount => Some(at(0)).filter(|v| v & 31 == at(1)).map(|v| (&mut self.amount, v)),
            Bus::Region => {
                Some(at(0)).filter(|v| crate::chips::tables::region(*v) == at(1)).map(|v| (&mut self.region, v))
            }
            Bus::Opcode => {
                Some(at(0)).filter(|key| crate::chips::tables::kind(*key) == at(1)).map(|key| (&mut self.opcode, key))
            }
            Bus::Sha2Constant => Some(at(0))
                .filter(|round| sha2_facts(*round) == [1, 2, 3].map(at))
                .map(|round| (&mut self.constant, round)),
            Bus::Execution | Bus::Program | Bus::Memory | Bus::Code | Bus::Poseidon2 | Bus::Node => return,
            Bus::Fill | Bus::Sha2Block | Bus::Sha2Round | Bus::Trap | Bus::End => return,
        };
        match place.and_then(|(counts, i)| counts.get_mut(i as usize)) {
            Some(count) => *count += 1,
            None => self.missing = Some((bus, tuple.iter().map(PrimeField32::as_canonical_u32).collect())),
        }
    }

    fn halves(&self) -> Trace {
        let rows: Vec<_> = (0..HALF_ROWS)
            .map(|v| HalvesRow {
                half: F::from_u32(self.half[v]),
                pair: F::from_u32(self.pair[v]),
                bytes: F::from_u32(self.bytes[v]),
                quarter: F::from_u32(self.quarter[v]),
                amount: F::from_u32(self.amount[v]),
                region: F::from_u32(self.region[v]),
            })
            .collect();
        Trace::of(AnyChip::Halves, &rows, HalvesRow::default(), HalvesRow::put)
    }

    fn opcodes(&self) -> Trace {
        let counts = self.opcode.iter().zip(&self.constant);
        let rows: Vec<_> = counts
            .map(|(count, constant)| OpcodesRow { count: F::from_u32(*count), constant: F::from_u32(*constant) })
            .collect();
        Trace::of(AnyChip::Opcodes, &rows, OpcodesRow::default(), OpcodesRow::put)
    }
}

/// The builder that counts lookups and nothing else.
struct Counter<'a> {
    trace: &'a Trace,
    publics: &'a [F],
    row: usize,
    tally: &'a mut Tally,
}

impl Builder for Counter<'_> {
    type Raw = F;

    #[inline]
    fn local(&self, column: usize) -> Expr<F> {
        Expr(self.trace.row(self.row)[column])
    }

    #[inline]
    fn next(&self, column: usize) -> Expr<F> {
        Expr(self.trace.row((self.row + 1) % self.trace.rows())[column])
    }

    fn fixed(&self, _column: usize) -> Expr<F> {
        Expr(F::ZERO)
    }

    fn public(&self, index: usize) -> Expr<F> {
        Expr(self.publics[index])
    }

    fn is_first(&self) -> Expr<F> {
        Expr(F::ZERO)
    }

    fn is_last(&self) -> Expr<F> {
        Expr(F::ZERO)
    }

    fn is_transition(&self) -> Expr<F> {
        Expr(F::ZERO)
    }

    #[inline]
    fn zero(&mut self, _name: &'static str, _value: Expr<F>) {}

    #[inline]
    fn interact<const N: usize>(&mut self, bus: Bus, times: Times<Expr<F>>, tuple: [Expr<F>; N]) {
        if let Times::Send(Expr(times)) = times
            && times != F::ZERO
        {
            self.tally.look_up(bus, &tuple.map(|cell| cell.0));
        }
    }
}
