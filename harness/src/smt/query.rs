//! Obligations as SMT-LIB text that any solver can read.
//!
//! A query first *probes*: with the variables fixed to one point it must be satisfiable, and its
//! values there are compared with the functions run natively. So a proof is never vacuous, and the
//! translator, the printer and the solver are each seen to mean the same as the machine code at one
//! point at least. Then it asks for a counterexample; `unsat` is the proof.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::arm::{ArmClaim, Packed};
use super::cut::Cut;
use super::ir::Translated;
use super::obligations::Claim;
use super::term::{self, Term, Values};
use super::word::{SmtBool, SmtWord};

/// A question for a solver.
#[derive(Clone, Debug)]
pub struct Query {
    /// The text, without a question for the counterexample's values.
    pub text: String,
    /// The variables.
    pub inputs: Vec<String>,
    /// The point of the probe.
    pub probe: Values,
}

/// The names under which a query gives the values of a translated function and of the claim.
pub const OUTPUTS: [&str; 4] = ["result", "expected", "is_poison", "is_undefined"];

impl Query {
    /// Asks whether `function` differs from `claim` anywhere, or has undefined behaviour, or is poison.
    /// The variables that `probe` does not name have any value at the probe.
    pub fn equality(comment: &str, function: &Translated, claim: &Claim<SmtWord>, probe: &Values) -> Query {
        Query::equality_and([Term::truth(true); 2], comment, function, claim, probe)
    }

    /// The same of both halves of `cut`.
    pub fn halves(comment: &str, cut: &Cut, probe: &Values) -> Query {
        let comment = format!(
            "{comment}\nIn two halves: what is multiplied or divided is what the specification multiplies or divides,\nand the rest holds whatever the operands and quotients in its place are."
        );
        let named = cut.named.iter().filter_map(|(name, term)| Some((name.clone(), term.eval(probe)?)));
        let probe = probe.clone().into_iter().chain(named).collect();
        Query::equality_and([cut.lemma, cut.premise], &comment, &cut.function, &cut.claim, &probe)
    }

    fn equality_and(
        [lemma, premise]: [Term; 2],
        comment: &str,
        function: &Translated,
        claim: &Claim<SmtWord>,
        probe: &Values,
    ) -> Query {
        let expected = claim_term(claim);
        let outputs = [function.result, expected, function.is_poison, function.is_undefined];
        let is_right = allows(claim, function.result);
        let goal = is_right.and(function.is_poison.not()).and(function.is_undefined.not());
        let goal = lemma.and(premise.not().or(goal));
        Query::new(comment, &outputs, goal, probe)
    }

    /// Asks for values that make `goal` false; the probe reads `outputs`, named as [`OUTPUTS`].
    fn new(comment: &str, outputs: &[Term], goal: Term, wanted: &Values) -> Query {
        let roots: Vec<Term> = outputs.iter().copied().chain([goal]).collect();
        let (definitions, names) = term::define(&roots);
        let inputs: Vec<String> = term::variables(&roots).into_keys().collect();
        let mut probe = probe_point(comment, &roots);
        probe.iter_mut().for_each(|(name, value)| *value = wanted.get(name).copied().unwrap_or(*value));
        let mut text = String::new();
        for line in comment.lines() {
            let _ = writeln!(text, "; {line}");
        }
        text += "(set-option :produce-models true)\n(set-logic QF_BV)\n";
        text += &definitions;
        for ((output, name), term) in OUTPUTS.iter().zip(&names).zip(outputs) {
            let _ = writeln!(text, "(define-fun {output} () {} {name})", term::sort_name(term.sort()));
        }
        text += "; The probe: satisfiable, with the values that the compiled code has there.\n(push 1)\n";
        for (name, width) in term::variables(&roots) {
            let _ = writeln!(text, "(assert (= {name} {:?}))", Term::bits(width, probe[&name]));
        }
        text += "(check-sat)\n";
        if !outputs.is_empty() {
            let _ = writeln!(text, "(get-value ({}))", OUTPUTS[..outputs.len()].join(" "));
        }
        text += "(pop 1)\n";
        let goal_name = &names[outputs.len()];
        let _ = writeln!(text, "; The proof: no counterexample.\n(assert (not {goal_name}))\n(check-sat)");
        Query { text, inputs, probe }
    }

    /// Asks for values that make `claim` false, about no function.
    pub fn lemma(comment: &str, claim: Term) -> Query {
        Query::new(comment, &[], claim, &Values::new())
    }

    /// SHA-256 of the text, in hexadecimal.
    pub fn sha256(&self) -> String {
        Sha256::digest(self.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The text with the question for the values of a counterexample.
    pub fn with_values(&self) -> String {
        format!("{}(get-value ({}))\n", self.text, self.inputs.join(" "))
    }
}

/// The claim as a bit-vector of the width that the function returns.
pub fn claim_term(claim: &Claim<SmtWord>) -> Term {
    match claim {
        Claim::Word(word) => word.0,
        Claim::Truth(truth) => truth.0.to_bit(),
        Claim::Arm(arm) => pack(&arm.after),
    }
}

/// The claim with every term of it changed.
pub fn map_claim(claim: &Claim<SmtWord>, change: impl Fn(Term) -> Term) -> Claim<SmtWord> {
    let words = |words: &Packed<SmtWord>| words.map(|word| SmtWord(change(word.0)));
    match claim {
        Claim::Word(word) => Claim::Word(SmtWord(change(word.0))),
        Claim::Truth(truth) => Claim::Truth(SmtBool(change(truth.0))),
        Claim::Arm(ArmClaim { after, left, promise }) => Claim::Arm(ArmClaim {
            after: words(after),
            left: left.as_ref().map(words),
            promise: SmtBool(change(promise.0)),
        }),
    }
}

/// Whether a function may return `result`.
fn allows(claim: &Claim<SmtWord>, result: Term) -> Term {
    let is_expected = result.equals(claim_term(claim));
    match claim {
        Claim::Arm(ArmClaim { left, promise, .. }) => {
            let is_left = left.as_ref().map_or(Term::truth(false), |left| result.equals(pack(left)));
            promise.0.not().or(is_expected).or(is_left)
        }
        _ => is_expected,
    }
}

fn pack(words: &Packed<SmtWord>) -> Term {
    let [first, rest @ ..] = words;
    rest.iter().fold(first.0, |high, low| high.concat(low.0))
}

/// A point that depends on nothing but the comment and the names: the same in every run.
fn probe_point(comment: &str, roots: &[Term]) -> Values {
    let word = |name: &str| {
        let hash = Sha256::digest(format!("{comment} {name}").as_bytes());
        u128::from_be_bytes(std::array::from_fn(|i| hash[i]))
    };
    term::variables(roots).into_iter().map(|(name, width)| (name.clone(), word(&name) >> (128 - width))).collect()
}
