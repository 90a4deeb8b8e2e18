//! Obligations as SMT-LIB text that any solver can read.
//!
//! A query first *probes*: with the variables fixed to one point it must be satisfiable, and its
//! values there are compared with the functions run natively. So a proof is never vacuous, and the
//! translator, the printer and the solver are each seen to mean the same as the machine code at one
//! point at least. Then it asks for a counterexample; `unsat` is the proof.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::ir::Translated;
use super::obligations::Claim;
use super::term::{self, Term, Values};
use super::word::SmtWord;

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
    pub fn equality(comment: &str, function: &Translated, claim: &Claim<SmtWord>) -> Query {
        let expected = claim_term(claim);
        let outputs = [function.result, expected, function.is_poison, function.is_undefined];
        let is_right = function.result.equals(expected);
        let goal = is_right.and(function.is_poison.not()).and(function.is_undefined.not());
        Query::new(comment, &outputs, goal)
    }

    /// Asks for values that make `goal` false; the probe reads `outputs`, named as [`OUTPUTS`].
    fn new(comment: &str, outputs: &[Term], goal: Term) -> Query {
        let roots: Vec<Term> = outputs.iter().copied().chain([goal]).collect();
        let (definitions, names) = term::define(&roots);
        let inputs: Vec<String> = term::variables(&roots).into_keys().collect();
        let probe = probe_point(comment, &roots);
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
        Query::new(comment, &[], claim)
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
    }
}

/// A point that depends on nothing but the comment and the names: the same in every run.
fn probe_point(comment: &str, roots: &[Term]) -> Values {
    let word = |name: &str| {
        let hash = Sha256::digest(format!("{comment} {name}").as_bytes());
        u128::from_be_bytes(std::array::from_fn(|i| hash[i]))
    };
    term::variables(roots).into_iter().map(|(name, width)| (name.clone(), word(&name) >> (128 - width))).collect()
}
