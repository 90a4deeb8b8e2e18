//! Cutting a question about a product or quotient in two.
//!
//! An arm first chooses the values of its sources by register number and then multiplies or divides
//! them. Solvers decide each half at once, and both together not in a minute. So the question
//! becomes: is what the compiled arm multiplies or divides what the specification does, *and* does the
//! rest hold whatever the two words (of a product) or the result (of a division) are? If both, then the
//! arm is right: the words are particular ones. The other way round may fail, which is an unproved
//! claim, never a false proof.

use std::collections::BTreeMap;

use super::arm::{GIVEN, sources};
use super::ir::Translated;
use super::obligations::Claim;
use super::query::{claim_term, map_claim};
use super::term::{Term, Values, factors, is_signed_remainder, quotients, replace, same_function};
use super::word::SmtWord;

/// The variables that stand for the values of rs1 and rs2.
pub const OPERANDS: [&str; 2] = ["operand_1", "operand_2"];

/// A question in two halves.
pub struct Cut {
    /// That what is multiplied or divided is what the specification multiplies or divides.
    pub lemma: Term,
    /// What that makes true of the new variables.
    pub premise: Term,
    /// The function, of any two words.
    pub function: Translated,
    /// The claim, of the same two words.
    pub claim: Claim<SmtWord>,
    /// The new variables, with what they stand for.
    pub named: Vec<(String, Term)>,
}

/// The cut of `function` and `claim`, if the function multiplies or divides what looks like the sources.
pub fn cut(function: &Translated, claim: &Claim<SmtWord>) -> Option<Cut> {
    let roots = [function.result, function.is_poison, function.is_undefined];
    let mut halves = Halves::default();
    halves.cut_quotients(&roots, claim_term(claim));
    halves.cut_products(&roots, claim_term(claim));
    let Halves { lemma, ours, theirs, named, premises } = halves;
    let premise = premises.into_iter().fold(Term::truth(true), Term::and);
    if ours.is_empty() {
        return None;
    }
    let [result, is_poison, is_undefined] = replace(&roots, &ours)[..] else { return None };
    let function = Translated { params: function.params.clone(), result, is_poison, is_undefined };
    let claim = map_claim(claim, |term| replace(&[term], &theirs)[0]);
    Some(Cut { lemma: lemma.unwrap_or(Term::truth(true)), premise, function, claim, named })
}

/// What is replaced on either side, and what makes that right.
#[derive(Default)]
struct Halves {
    lemma: Option<Term>,
    ours: BTreeMap<Term, Term>,
    theirs: BTreeMap<Term, Term>,
    named: Vec<(String, Term)>,
    /// What the second half may assume, because the first one says so of what the variables stand for.
    premises: Vec<Term>,
}

impl Halves {
    fn require(&mut self, fact: Term) {
        self.lemma = Some(self.lemma.map_or(fact, |lemma| lemma.and(fact)));
    }

    /// Each quotient of ours that is one of the specification's becomes a variable, and that one becomes another,
    /// equal to it unless the divisor is 0.
    fn cut_quotients(&mut self, roots: &[Term], claim: Term) {
        let theirs = quotients(&[claim]);
        for (quotient, args) in quotients(roots) {
            // Only a guess: the solver decides the lemma.
            let is_same = |(other, others): &&(Term, [Term; 2])| {
                let seem = |(a, b): (&Term, &Term)| seem_equal_where(others[1], *a, *b);
                same_function(quotient, *other) && args.iter().zip(others).all(seem)
            };
            let Some((other, others)) = theirs.iter().find(is_same) else { continue };
            // By 0 there is no quotient, and compiled code need not have looked up the operands.
            let is_zero = others[1].is_nonzero().not();
            args.into_iter().zip(*others).for_each(|(a, b)| self.require(is_zero.or(a.equals(b))));
            let [ours, theirs] = ["quotient", "spec_quotient"].map(|name| {
                let name = format!("{name}_{}", self.named.len() / 2 + 1);
                self.named.push((name.clone(), *other));
                Term::var(&name, other.width())
            });
            self.premises.push(is_zero.or(ours.equals(theirs)));
            if is_signed_remainder(*other) {
                // Compiled code does not divide by -1, where the host's division may trap: the remainder is 0.
                let zero = Term::bits(other.width(), 0);
                let is_other_divisor = others[1].equals(zero.bvnot()).not();
                self.require(is_other_divisor.or(other.equals(zero)));
                self.premises.push(is_other_divisor.or(theirs.equals(zero)));
            }
            self.ours.insert(quotient, ours);
            self.theirs.insert(*other, theirs);
        }
    }

    /// What is multiplied becomes two variables on both sides.
    fn cut_products(&mut self, roots: &[Term], claim: Term) {
        if factors(&[claim]).is_empty() {
            return;
        }
        let sources = sources(SmtWord::var).map(|word| word.0);
        let operands = OPERANDS.map(|name| Term::var(name, sources[0].width()));
        for factor in factors(roots) {
            let forms: [fn(Term, u32) -> Term; 3] = [as_it_is, Term::zero_extend_to, Term::sign_extend_to];
            let mut pairs = forms.iter().flat_map(|form| (0..2).map(move |i| (form, i)));
            let width = factor.width();
            let is_form = |(form, i): &(&fn(Term, u32) -> Term, usize)| {
                width >= sources[*i].width() && seem_equal(factor, form(sources[*i], width))
            };
            let Some((form, i)) = pairs.find(is_form) else { continue };
            self.require(factor.equals(form(sources[i], width)));
            self.ours.insert(factor, form(operands[i], width));
        }
        for ((source, operand), name) in sources.into_iter().zip(operands).zip(OPERANDS) {
            self.theirs.insert(source, operand);
            self.named.push((name.to_string(), source));
        }
    }
}

fn as_it_is(term: Term, _width: u32) -> Term {
    term
}

/// Whether the terms agree at some states with all ways of equal register numbers.
fn seem_equal(a: Term, b: Term) -> bool {
    seem_equal_where(Term::bits(1, 1), a, b)
}

/// The same where `condition` is not 0.
fn seem_equal_where(condition: Term, a: Term, b: Term) -> bool {
    const NUMBERS: [(u128, u128); 5] = [(5, 6), (5, 5), (0, 6), (5, 0), (0, 0)];
    a.sort() == b.sort()
        && NUMBERS.iter().all(|(rs1, rs2)| {
            let mut values: Values = (0..).zip(GIVEN).map(|(i, name)| (name.to_string(), 0x9234_5670 + i)).collect();
            values.insert("rs1".to_string(), *rs1);
            values.insert("rs2".to_string(), *rs2);
            condition.eval(&values) == Some(0) || a.eval(&values).is_some() && a.eval(&values) == b.eval(&values)
        })
}
