//! The chips as expressions: what the prover constrains, for those who prove things about it.
//!
//! Each constraint comes with its name and whether it is meant in the integers; each interaction with its bus; and each
//! range that a lookup, another chip or the bus guarantees with its bound. [`Dump`] displays it all as S-expressions.

use std::fmt;

use p3_air::symbolic::{BaseEntry, BaseLeaf, SymbolicExpr, SymbolicExpression, SymbolicVariable};
use p3_field::PrimeField32;

use crate::air::{Builder, Bus, Chip, F, Times};
use crate::expr::Expr;
use crate::machine::AnyChip;
use crate::statics::ranges;

/// An expression over the columns of a row.
pub type Term = SymbolicExpression<F>;

/// A constraint.
#[derive(Clone, Debug)]
pub struct Constraint {
    /// What it says.
    pub name: &'static str,
    /// Whether it holds in the integers, not only modulo p: `statics.rs` checks that it cannot wrap.
    pub is_integer: bool,
    /// What is 0.
    pub term: Term,
}

/// A tuple on a bus.
#[derive(Clone, Debug)]
pub struct Interaction {
    /// The bus.
    pub bus: Bus,
    /// How often, and in which direction.
    pub times: Times<Term>,
    /// The tuple.
    pub tuple: Vec<Term>,
}

/// A chip as expressions.
#[derive(Clone, Debug)]
pub struct Dump {
    /// The chip.
    pub chip: AnyChip,
    /// Its constraints.
    pub constraints: Vec<Constraint>,
    /// Its interactions.
    pub interactions: Vec<Interaction>,
    /// The terms that lie in 0 to a bound: because a table lists them, or for a reason that the chip gives.
    pub ranges: Vec<(Term, u32)>,
}

/// `chip` as expressions.
pub fn dump(chip: AnyChip) -> Dump {
    let mut recorder = Recorder(Dump { chip, constraints: Vec::new(), interactions: Vec::new(), ranges: Vec::new() });
    chip.eval(&mut recorder);
    recorder.0
}

/// The builder that keeps everything.
struct Recorder(Dump);

fn variable(entry: BaseEntry, index: usize) -> Expr<Term> {
    Expr(SymbolicVariable::new(entry, index).into())
}

impl Builder for Recorder {
    type Raw = Term;

    fn local(&self, column: usize) -> Expr<Term> {
        variable(BaseEntry::Main { offset: 0 }, column)
    }

    fn next(&self, column: usize) -> Expr<Term> {
        variable(BaseEntry::Main { offset: 1 }, column)
    }

    fn fixed(&self, column: usize) -> Expr<Term> {
        variable(BaseEntry::Preprocessed { offset: 0 }, column)
    }

    fn public(&self, index: usize) -> Expr<Term> {
        variable(BaseEntry::Public, index)
    }

    fn is_first(&self) -> Expr<Term> {
        Expr(SymbolicExpr::Leaf(BaseLeaf::IsFirstRow))
    }

    fn is_last(&self) -> Expr<Term> {
        Expr(SymbolicExpr::Leaf(BaseLeaf::IsLastRow))
    }

    fn is_transition(&self) -> Expr<Term> {
        Expr(SymbolicExpr::Leaf(BaseLeaf::IsTransition))
    }

    fn zero(&mut self, name: &'static str, value: Expr<Term>) {
        self.0.constraints.push(Constraint { name, is_integer: false, term: value.0 });
    }

    fn integer_zero(&mut self, name: &'static str, value: Expr<Term>) {
        self.0.constraints.push(Constraint { name, is_integer: true, term: value.0 });
    }

    fn interact<const N: usize>(&mut self, bus: Bus, times: Times<Expr<Term>>, tuple: [Expr<Term>; N]) {
        let tuple = tuple.map(|cell| cell.0).to_vec();
        let times = match times {
            Times::Send(times) => {
                self.0.ranges.extend(tuple.iter().cloned().zip(ranges(bus).iter().copied()));
                Times::Send(times.0)
            }
            Times::Receive(times) => Times::Receive(times.0),
            Times::Provide(times) => Times::Provide(times.0),
        };
        self.0.interactions.push(Interaction { bus, times, tuple });
    }

    fn known(&mut self, value: Expr<Term>, max: u32) {
        self.0.ranges.push((value.0, max));
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.chip.columns();
        let show = |term: &Term| Shown { term, names: &names }.to_string();
        writeln!(f, "(chip {}", self.chip.name())?;
        for Constraint { name, is_integer, term } in &self.constraints {
            writeln!(f, "  ({} \"{name}\" {})", if *is_integer { "integer" } else { "zero" }, show(term))?;
        }
        for Interaction { bus, times, tuple } in &self.interactions {
            let (direction, times) = match times {
                Times::Send(times) => ("send", times),
                Times::Receive(times) => ("receive", times),
                Times::Provide(times) => ("provide", times),
            };
            let tuple: Vec<String> = tuple.iter().map(show).collect();
            writeln!(f, "  ({direction} {} {} ({}))", bus.name(), show(times), tuple.join(" "))?;
        }
        for (term, max) in &self.ranges {
            writeln!(f, "  (range {} {max})", show(term))?;
        }
        writeln!(f, ")")
    }
}

/// A term with the names of its columns.
struct Shown<'a> {
    term: &'a Term,
    names: &'a [String],
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |term| Shown { term, names: self.names };
        match self.term {
            SymbolicExpr::Leaf(leaf) => self.leaf(leaf, f),
            SymbolicExpr::Add { x, y, .. } => write!(f, "(+ {} {})", part(x), part(y)),
            SymbolicExpr::Sub { x, y, .. } => write!(f, "(- {} {})", part(x), part(y)),
            SymbolicExpr::Mul { x, y, .. } => write!(f, "(* {} {})", part(x), part(y)),
            SymbolicExpr::Neg { x, .. } => write!(f, "(- {})", part(x)),
        }
    }
}

impl Shown<'_> {
    fn leaf(&self, leaf: &BaseLeaf<F>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match leaf {
            BaseLeaf::Constant(value) => write!(f, "{}", value.as_canonical_u32()),
            BaseLeaf::IsFirstRow => write!(f, "is-first"),
            BaseLeaf::IsLastRow => write!(f, "is-last"),
            BaseLeaf::IsTransition => write!(f, "is-transition"),
            BaseLeaf::Variable(variable) => match variable.entry {
                BaseEntry::Main { offset: 0 } => write!(f, "{}", self.names[variable.index]),
                BaseEntry::Main { .. } => write!(f, "(next {})", self.names[variable.index]),
                BaseEntry::Preprocessed { .. } => write!(f, "(fixed {})", variable.index),
                BaseEntry::Public | BaseEntry::Periodic => write!(f, "(public {})", variable.index),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statics::examine;

    #[test]
    fn everything_is_recorded() {
        for chip in AnyChip::ALL {
            let (dump, cost) = (dump(chip), examine(chip).expect("a chip without faults"));
            assert_eq!(dump.constraints.len(), cost.constraints, "{}", chip.name());
            assert_eq!(dump.interactions.len(), cost.interactions.values().sum::<usize>(), "{}", chip.name());
        }
    }

    #[test]
    fn a_chip_reads_as_written() {
        let text = dump(AnyChip::Fence).to_string();
        assert!(text.contains("(zero \"real is boolean\" (* real (- real 1)))"), "{text}");
        assert!(text.contains("(receive execution real (step.ts step.pcw step.mode))"), "{text}");
    }
}
