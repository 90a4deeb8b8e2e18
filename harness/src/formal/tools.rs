//! The tools of the proofs, against the machine code: the translated IR of every function and the
//! specification's terms, evaluated, give what the function and the specification give when run.

use super::Options;
use super::clock::timed;
use super::report::{Entry, Layer, Method, Outcome};
use super::values::{CORNERS, Random, SEED};
use crate::smt::handlers::handler;
use crate::smt::ir::{Module, Translated, translate};
use crate::smt::obligations::{Claim, Use, all_uses, claim};
use crate::smt::query::claim_term;
use crate::smt::term::{Term, Values};
use crate::smt::word::SmtWord;

/// Evaluates every use of a function on corners and random words.
pub fn check(options: &Options, ir: &str) -> Vec<Entry> {
    let module = Module::parse(ir);
    let mut seen = std::collections::BTreeSet::new();
    let wanted = |of: &Use| options.wants(Layer::Tool, &[of.op.mnemonic(), of.function, &name(of)]);
    let uses = all_uses().into_iter().filter(wanted).filter(|of| seen.insert((of.function, of.args)));
    uses.map(|of| check_use(&module, &of)).collect()
}

fn name(of: &Use) -> String {
    format!("tool.{}-{}", of.function, of.args.join("-"))
}

/// Random points for each function, besides the corners.
const RANDOM_POINTS: u64 = 200;

fn check_use(module: &Module, of: &Use) -> Entry {
    let points: Vec<Values> = points(of).collect();
    let (finding, seconds) = timed(|| {
        let function =
            module.function(&format!("exec_ops::handler::{}", of.function)).and_then(|f| translate(&f, of.args));
        match function {
            Err(error) => Some(error.to_string()),
            Ok(translated) => points.iter().find_map(|values| difference(of, &translated, values)),
        }
    });
    let claim = format!(
        "the translated IR of {} and the term of the specification, evaluated, are what both give when run",
        of.function
    );
    let method = Method::Tested(points.len() as u64);
    let entry = Entry::new(Layer::Tool, &name(of), &claim, method, seconds, Outcome::from_finding(finding));
    Entry { instructions: vec![of.op.mnemonic().to_string()], ..entry }
}

fn difference(of: &Use, translated: &Translated, values: &Values) -> Option<String> {
    let word = |name: &str| values.get(name).copied().unwrap_or(0) as u32;
    let args: Vec<u32> = of.args.iter().map(|name| word(name)).collect();
    let native = handler(of.function).map(|handler| u128::from((handler.run)(&args)));
    let run = claim(of.op, of.part, word).as_ref().map(|claim: &Claim<u32>| u128::from(claim.value()));
    let term = claim(of.op, of.part, SmtWord::var).as_ref().map(claim_term);
    let evaluate = |term: Term| term.eval(values);
    let pairs = [
        ("the translated IR", evaluate(translated.result), native),
        ("its poison", evaluate(translated.is_poison), Some(0)),
        ("its undefined behaviour", evaluate(translated.is_undefined), Some(0)),
        ("the specification's term", term.and_then(evaluate), run),
    ];
    pairs.into_iter().find(|(_, evaluated, run)| evaluated != run).map(|(what, evaluated, run)| {
        format!("{} at {values:x?}: {what} evaluates to {evaluated:x?} and runs to {run:x?}", of.function)
    })
}

/// Values for every variable that a query can have.
fn points(of: &Use) -> impl Iterator<Item = Values> {
    const NAMES: [&str; 11] =
        ["pc", "rs1", "rs2", "imm", "word", "addr", "target", "any_udiv", "any_urem", "any_sdiv", "any_srem"];
    let mut random = Random(SEED ^ of.op as u64);
    let corners = CORNERS.iter().flat_map(|a| CORNERS.iter().map(|b| (*a, *b))).collect::<Vec<_>>();
    (0..corners.len() as u64 + RANDOM_POINTS).map(move |i| {
        let mut values: Values = NAMES.iter().map(|name| (name.to_string(), u128::from(random.word()))).collect();
        if let Some((a, b)) = corners.get(i as usize) {
            of.args.iter().zip([a, b]).for_each(|(name, value)| {
                values.insert(name.to_string(), u128::from(*value));
            });
        }
        values
    })
}
