//! Static checks of the chips: the degree of every constraint, that no integer constraint can wrap
//! around p, and how many interactions a row has.
//!
//! A chip is evaluated on intervals instead of numbers. The first pass collects the ranges that
//! lookups and boolean constraints give to columns, the second computes how large each constraint
//! that is meant in the integers can become.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::iter::{Product, Sum};
use std::ops::{Add, AddAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use p3_field::{Dup, PrimeCharacteristicRing, PrimeField32};

use crate::air::{Builder, Bus, Chip, F, P, Times};
use crate::expr::Expr;
use crate::machine::AnyChip;

/// The highest degree that the blowup of `config.rs` allows.
pub const MAX_DEGREE: u32 = 3;

/// What a chip fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A constraint's degree is above [`MAX_DEGREE`].
    Degree {
        /// The chip.
        chip: &'static str,
        /// The constraint.
        name: &'static str,
        /// Its degree.
        degree: u32,
    },
    /// A constraint that is meant in the integers can reach p in magnitude.
    Wraps {
        /// The chip.
        chip: &'static str,
        /// The constraint.
        name: &'static str,
        /// How far it can get.
        reach: i128,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Degree { chip, name, degree } => write!(f, "chip {chip}: \"{name}\" has degree {degree}"),
            Fault::Wraps { chip, name, reach } => write!(f, "chip {chip}: \"{name}\" can reach {reach}"),
        }
    }
}

/// What a chip costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The chip.
    pub chip: &'static str,
    /// Columns that the prover fills.
    pub columns: usize,
    /// Constraints.
    pub constraints: usize,
    /// Interactions a row, by bus.
    pub interactions: BTreeMap<Bus, usize>,
}

/// Checks `chip` and counts what it costs.
///
/// # Errors
/// Every constraint that fails.
pub fn examine(chip: AnyChip) -> Result<Cost, Vec<Fault>> {
    let mut first = Examiner::new(chip, HashMap::new());
    chip.eval(&mut first);
    let mut second = Examiner::new(chip, first.found);
    chip.eval(&mut second);
    if second.faults.is_empty() { Ok(second.cost) } else { Err(second.faults) }
}

/// The builder on intervals.
struct Examiner {
    chip: AnyChip,
    /// The largest value of each column whose range is known.
    known: HashMap<usize, u32>,
    found: HashMap<usize, u32>,
    faults: Vec<Fault>,
    cost: Cost,
}

impl Examiner {
    fn new(chip: AnyChip, known: HashMap<usize, u32>) -> Examiner {
        let cost = Cost { chip: chip.name(), columns: chip.width(), constraints: 0, interactions: BTreeMap::new() };
        Examiner { chip, known, found: HashMap::new(), faults: Vec::new(), cost }
    }

    fn record(&mut self, value: &Reach, max: u32) {
        if let Some(column) = value.column {
            let found = self.found.entry(column).or_insert(max);
            *found = max.min(*found);
        }
    }

    fn selector(&self) -> Expr<Reach> {
        Expr(Reach { degree: 1, low: 0, high: 1, column: None })
    }
}

impl Builder for Examiner {
    type Raw = Reach;

    fn local(&self, column: usize) -> Expr<Reach> {
        let high = self.known.get(&column).copied().unwrap_or(P - 1);
        Expr(Reach { degree: 1, low: 0, high: high.into(), column: Some(column) })
    }

    fn next(&self, column: usize) -> Expr<Reach> {
        Expr(Reach { column: None, ..self.local(column).0 })
    }

    fn fixed(&self, _column: usize) -> Expr<Reach> {
        Expr(Reach { degree: 1, low: 0, high: i128::from(P - 1), column: None })
    }

    fn public(&self, _index: usize) -> Expr<Reach> {
        Expr(Reach { degree: 0, low: 0, high: i128::from(P - 1), column: None })
    }

    fn is_first(&self) -> Expr<Reach> {
        self.selector()
    }

    fn is_last(&self) -> Expr<Reach> {
        self.selector()
    }

    fn is_transition(&self) -> Expr<Reach> {
        // Plonky3 counts the selector of transitions as degree 0: its zeros are divided out.
        Expr(Reach { degree: 0, ..self.selector().0 })
    }

    fn zero(&mut self, name: &'static str, value: Expr<Reach>) {
        self.cost.constraints += 1;
        if value.0.degree > MAX_DEGREE {
            self.faults.push(Fault::Degree { chip: self.chip.name(), name, degree: value.0.degree });
        }
    }

    fn integer_zero(&mut self, name: &'static str, value: Expr<Reach>) {
        let reach = value.0.high.max(-value.0.low);
        if reach >= P.into() {
            self.faults.push(Fault::Wraps { chip: self.chip.name(), name, reach });
        }
        self.zero(name, value);
    }

    fn interact<const N: usize>(&mut self, bus: Bus, times: Times<Expr<Reach>>, tuple: [Expr<Reach>; N]) {
        *self.cost.interactions.entry(bus).or_default() += 1;
        let (Times::Send(_), ranges) = (times, ranges(bus)) else { return };
        for (cell, max) in tuple.iter().zip(ranges) {
            self.record(&cell.0, *max);
        }
    }

    fn known(&mut self, value: Expr<Reach>, max: u32) {
        self.record(&value.0, max);
    }

    fn boolean(&mut self, name: &'static str, value: Expr<Reach>) {
        self.record(&value.0, 1);
        self.zero(name, &value * (&value - 1));
    }
}

/// What being listed in a table says about the cells of a tuple.
pub fn ranges(bus: Bus) -> &'static [u32] {
    match bus {
        Bus::Half => &[0xffff],
        Bus::Pair => &[0xff, 0xff],
        Bus::Bytes => &[0xff, 0xff, 0xff],
        Bus::Quarter => &[0x3fff, 3],
        Bus::Amount => &[0xffff, 31],
        Bus::Region => &[0xffff, 2],
        Bus::Opcode => &[0x3ff, 6],
        Bus::Sha2Constant => &[0x3ff, 0xffff, 0xffff, 1],
        Bus::Execution | Bus::Program | Bus::Memory | Bus::Code | Bus::Poseidon2 | Bus::Node => &[],
        Bus::Fill | Bus::Sha2Block | Bus::Sha2Round | Bus::Trap | Bus::End => &[],
    }
}

/// The degree of an expression and the interval of its values in the integers.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    degree: u32,
    low: i128,
    high: i128,
    column: Option<usize>,
}

/// Beyond this an interval does not grow: far above p, far below the limits of `i128`.
const FAR: i128 = 1 << 60;

impl Reach {
    const fn constant(value: i128) -> Reach {
        Reach { degree: 0, low: value, high: value, column: None }
    }

    fn between(degree: u32, low: i128, high: i128) -> Reach {
        Reach { degree, low: low.clamp(-FAR, FAR), high: high.clamp(-FAR, FAR), column: None }
    }
}

impl Dup for Reach {
    fn dup(&self) -> Self {
        self.clone()
    }
}

impl Add for Reach {
    type Output = Reach;
    fn add(self, other: Reach) -> Reach {
        Reach::between(self.degree.max(other.degree), self.low + other.low, self.high + other.high)
    }
}

impl Neg for Reach {
    type Output = Reach;
    fn neg(self) -> Reach {
        Reach::between(self.degree, -self.high, -self.low)
    }
}

impl Sub for Reach {
    type Output = Reach;
    fn sub(self, other: Reach) -> Reach {
        self + -other
    }
}

impl Mul for Reach {
    type Output = Reach;
    fn mul(self, other: Reach) -> Reach {
        let corners = [self.low * other.low, self.low * other.high, self.high * other.low, self.high * other.high];
        let low = corners.into_iter().fold(i128::MAX, i128::min);
        let high = corners.into_iter().fold(i128::MIN, i128::max);
        Reach::between(self.degree + other.degree, low, high)
    }
}

impl AddAssign for Reach {
    fn add_assign(&mut self, other: Reach) {
        *self = self.clone() + other;
    }
}

impl SubAssign for Reach {
    fn sub_assign(&mut self, other: Reach) {
        *self = self.clone() - other;
    }
}

impl MulAssign for Reach {
    fn mul_assign(&mut self, other: Reach) {
        *self = self.clone() * other;
    }
}

impl Sum for Reach {
    fn sum<I: Iterator<Item = Reach>>(terms: I) -> Reach {
        terms.fold(Reach::ZERO, |a, b| a + b)
    }
}

impl Product for Reach {
    fn product<I: Iterator<Item = Reach>>(factors: I) -> Reach {
        factors.fold(Reach::ONE, |a, b| a * b)
    }
}

impl PrimeCharacteristicRing for Reach {
    type PrimeSubfield = F;
    const ZERO: Reach = Reach::constant(0);
    const ONE: Reach = Reach::constant(1);
    const TWO: Reach = Reach::constant(2);
    const NEG_ONE: Reach = Reach::constant(-1);

    fn from_prime_subfield(value: F) -> Reach {
        Reach::constant(value.as_canonical_u32().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_constraint_is_too_high_or_wraps() {
        for chip in AnyChip::ALL {
            match examine(chip) {
                Ok(cost) => println!("{cost:?}"),
                Err(faults) => panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
            }
        }
    }
}
