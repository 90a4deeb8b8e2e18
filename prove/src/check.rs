//! The row checker: evaluates every constraint of a trace and names the first that fails.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use p3_field::{PrimeCharacteristicRing, PrimeField32};

use crate::air::{Builder, Bus, Chip, F, Fixed, Times};
use crate::expr::Expr;
use crate::witness::Trace;

/// What is wrong with a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A constraint is not 0.
    Constraint {
        /// The chip.
        chip: &'static str,
        /// The row.
        row: usize,
        /// The constraint.
        name: &'static str,
        /// Its value.
        value: u32,
        /// The columns of the row that are not 0.
        cells: Vec<(String, u32)>,
    },
    /// A tuple is sent more or less often than it is received.
    Bus {
        /// The bus.
        bus: &'static str,
        /// The tuple.
        tuple: Vec<u32>,
        /// How much more often it was sent, in the field.
        excess: u32,
        /// A chip and row where it occurs.
        at: (&'static str, usize),
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Constraint { chip, row, name, value, cells } => {
                write!(f, "chip {chip}, row {row}: \"{name}\" is {value}, not 0;")?;
                cells.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
            }
            Violation::Bus { bus, tuple, excess, at: (chip, row) } => {
                write!(f, "bus {bus}: {tuple:?} is sent {excess} times more than received (chip {chip}, row {row})")
            }
        }
    }
}

/// Checks every constraint of `traces`, then every bus. `publics` are the public values.
///
/// # Errors
/// The first violation found.
pub fn check(traces: &[Trace], publics: &[F]) -> Result<(), Violation> {
    let mut buses = HashMap::new();
    for trace in traces {
        check_chip(trace, publics, &mut buses)?;
    }
    for ((bus, tuple), (excess, at)) in buses {
        if excess != F::ZERO {
            return Err(Violation::Bus { bus: Bus::name(bus), tuple, excess: excess.as_canonical_u32(), at });
        }
    }
    Ok(())
}

/// Whether a proof of balanced traces fails when 1 is added to a cell of `trace`: a constraint of the row, or of
/// the row above, is violated, or the tuples of the row change, so that their bus is no longer balanced.
pub fn is_bound(trace: &mut Trace, publics: &[F], row: usize, column: usize) -> bool {
    let above = (row + trace.rows() - 1) % trace.rows();
    let tuples = |trace: &Trace| {
        let mut buses = Balance::new();
        let fixed = trace.chip.fixed();
        let failed = [above, row].into_iter().any(|row| {
            let mut checker = Checker { trace, fixed: fixed.as_ref(), publics, row, failed: None, buses: &mut buses };
            trace.chip.eval(&mut checker);
            checker.failed.is_some()
        });
        let sums: BTreeMap<_, _> = buses.into_iter().map(|(tuple, (sum, _))| (tuple, sum)).collect();
        (failed, sums)
    };
    let cell = row * trace.width + column;
    let before = tuples(trace);
    trace.cells[cell] += F::ONE;
    let after = tuples(trace);
    trace.cells[cell] -= F::ONE;
    after != before
}

/// What the tuples of each bus add up to, and where one was seen.
type Balance = HashMap<(Bus, Vec<u32>), (F, (&'static str, usize))>;

fn check_chip(trace: &Trace, publics: &[F], buses: &mut Balance) -> Result<(), Violation> {
    let fixed = trace.chip.fixed();
    for row in 0..trace.rows() {
        let mut checker = Checker { trace, fixed: fixed.as_ref(), publics, row, failed: None, buses };
        trace.chip.eval(&mut checker);
        if let Some((name, value)) = checker.failed {
            return Err(violation(trace, row, name, value));
        }
    }
    Ok(())
}

fn violation(trace: &Trace, row: usize, name: &'static str, value: F) -> Violation {
    let values = trace.row(row).iter().map(PrimeField32::as_canonical_u32);
    let cells = trace.chip.columns().into_iter().zip(values).filter(|(_, value)| *value != 0).collect();
    Violation::Constraint { chip: trace.chip.name(), row, name, value: value.as_canonical_u32(), cells }
}

/// The builder whose values are those of a row.
struct Checker<'a> {
    trace: &'a Trace,
    fixed: Option<&'a Fixed>,
    publics: &'a [F],
    row: usize,
    failed: Option<(&'static str, F)>,
    buses: &'a mut Balance,
}

impl Builder for Checker<'_> {
    type Raw = F;

    fn local(&self, column: usize) -> Expr<F> {
        Expr(self.trace.row(self.row)[column])
    }

    fn next(&self, column: usize) -> Expr<F> {
        Expr(self.trace.row((self.row + 1) % self.trace.rows())[column])
    }

    fn fixed(&self, column: usize) -> Expr<F> {
        self.fixed.map_or(Expr(F::ZERO), |fixed| Expr(fixed.cells[self.row * fixed.width + column]))
    }

    fn public(&self, index: usize) -> Expr<F> {
        Expr(self.publics[index])
    }

    fn is_first(&self) -> Expr<F> {
        Expr(F::from_bool(self.row == 0))
    }

    fn is_last(&self) -> Expr<F> {
        Expr(F::from_bool(self.row + 1 == self.trace.rows()))
    }

    fn is_transition(&self) -> Expr<F> {
        Expr(F::from_bool(self.row + 1 != self.trace.rows()))
    }

    fn zero(&mut self, name: &'static str, value: Expr<F>) {
        if value.0 != F::ZERO && self.failed.is_none() {
            self.failed = Some((name, value.0));
        }
    }

    fn interact<const N: usize>(&mut self, bus: Bus, times: Times<Expr<F>>, tuple: [Expr<F>; N]) {
        let times = match times {
            Times::Send(Expr(times)) => times,
            Times::Receive(Expr(times)) | Times::Provide(Expr(times)) => -times,
        };
        if times != F::ZERO {
            let tuple = tuple.iter().map(|cell| cell.0.as_canonical_u32()).collect();
            let at = (self.trace.chip.name(), self.row);
            self.buses.entry((bus, tuple)).or_insert((F::ZERO, at)).0 += times;
        }
    }
}
