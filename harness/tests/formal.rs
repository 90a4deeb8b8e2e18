//! What `lockstep formal` relies on, without its solvers: the lists are complete, the planted
//! errors are errors, and the layers that only run code find nothing in what they sample.

use std::collections::BTreeMap;

use lockstep::isa::{Class, Op};
use lockstep_harness::formal::report::{Entry, Layer, Outcome};
use lockstep_harness::formal::{Options, engines, witness};
use lockstep_harness::smt::handlers::{HANDLERS, handler};
use lockstep_harness::smt::mutants::MUTANTS;
use lockstep_harness::smt::obligations::{Claim, all_uses, claim};
use lockstep_harness::smt::query::claim_term;
use lockstep_harness::smt::term::Values;
use lockstep_harness::smt::word::SmtWord;

const OPS_SOURCE: &str = include_str!("../../src/exec/ops.rs");

/// Words that tell functions apart.
const WORDS: [u32; 14] =
    [0, 1, 2, 3, 5, 31, 32, 0xff, 0x8000, 0x1_ffff, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_ffff];

#[test]
fn every_function_of_ops_is_proved() {
    let public = OPS_SOURCE.lines().filter_map(|line| line.strip_prefix("pub fn ")?.split('(').next());
    let public: Vec<&str> = public.collect();
    assert!(public.len() > 30, "the source of exec::ops is not read as it should be");
    let listed: Vec<&str> = HANDLERS.iter().map(|handler| handler.name).collect();
    assert_eq!(public, listed, "harness/src/smt/handlers.rs must list the functions of src/exec/ops.rs, in order");
    for name in listed {
        assert!(all_uses().iter().any(|of| of.function == name), "no obligation is about exec::ops::{name}");
    }
}

#[test]
fn every_instruction_that_computes_has_an_obligation_for_each_part() {
    for op in Op::ALL.into_iter().filter(|op| op.class() != Class::System) {
        let parts: Vec<&str> = all_uses().iter().filter(|of| of.op == op).map(|of| of.part.name()).collect();
        let expected: &[&str] = match op.class() {
            Class::Jump => &["target", "aligned", "next"],
            Class::Branch => &["taken", "target", "aligned", "next"],
            Class::Load => &["addr", "rd", "next"],
            Class::Store => &["addr", "word", "next"],
            _ => &["rd", "next"],
        };
        assert_eq!(parts, expected, "{}", op.mnemonic());
    }
}

/// The native functions are the specification on a grid: a cheap shadow of the proofs.
#[test]
fn functions_agree_with_the_specification_on_corners() {
    for of in all_uses() {
        let function = handler(of.function).expect("used functions are listed");
        for_each_point(|values| {
            let word = |name: &str| values[name] as u32;
            let args: Vec<u32> = of.args.iter().map(|name| word(name)).collect();
            let expected = claim(of.op, of.part, word).as_ref().map(Claim::value);
            assert_eq!(Some((function.run)(&args)), expected, "{} at {values:x?}", of.name());
        });
    }
}

/// The specification means the same on `u32` and on terms.
#[test]
fn terms_evaluate_to_what_the_specification_runs_to() {
    for of in all_uses() {
        let term = claim(of.op, of.part, SmtWord::var).as_ref().map(claim_term).expect("every use has a claim");
        for_each_point(|values| {
            let run = claim(of.op, of.part, |name| values[name] as u32).as_ref().map(Claim::value);
            assert_eq!(term.eval(values), run, "{} at {values:x?}", of.name());
        });
    }
}

/// Values of all operands; the first three differ from each other.
fn for_each_point(mut check: impl FnMut(&Values)) {
    const NAMES: [&str; 11] =
        ["rs1", "rs2", "imm", "pc", "word", "addr", "target", "any_udiv", "any_urem", "any_sdiv", "any_srem"];
    for (i, first) in WORDS.iter().enumerate() {
        for (j, second) in WORDS.iter().enumerate() {
            let values = NAMES.iter().enumerate().map(|(k, name)| {
                let word = [*first, *second, WORDS[(3 * i + 5 * j + k) % WORDS.len()]][k % 3];
                (name.to_string(), u128::from(word))
            });
            check(&values.collect());
        }
    }
}

#[test]
fn every_family_has_two_planted_errors_and_each_is_an_error() {
    let mut families: BTreeMap<String, usize> = BTreeMap::new();
    for mutant in MUTANTS {
        let of = all_uses().into_iter().find(|of| of.function == mutant.of).expect("a mutant of a used function");
        *families.entry(format!("{:?}", of.op.class())).or_default() += 1;
        let right = handler(mutant.of).expect("a mutant of a listed function");
        let triples =
            WORDS.iter().flat_map(|a| WORDS.iter().flat_map(move |b| WORDS.iter().map(move |c| [*a, *b, *c])));
        let is_wrong = triples.into_iter().any(|words| (mutant.function.run)(&words) != (right.run)(&words));
        assert!(is_wrong, "{} is no error", mutant.function.name);
    }
    for class in ["Alu", "Less", "Shift", "Branch", "Jump", "Upper", "Load", "Store", "Mul", "Div"] {
        assert!(families.get(class).is_some_and(|count| *count >= 2), "{class} has too few planted errors");
    }
}

/// ISA-6, ISA-9, ISA-11, ISA-14: every engine on all registers of one instruction a format.
#[test]
fn engines_run_what_the_specification_says() {
    let entries = engines::check(&options(Layer::Engine, &["sltu", "jalr", "lb", "sh", "bge", "auipc", "srai", "div"]));
    assert_none_failed(&entries);
}

#[test]
fn the_specification_is_the_sail_model() {
    let entries = witness::check(&options(Layer::Witness, &["mulhsu", "rem", "sra", "blt", "jalr"]));
    assert_eq!(entries.len(), 5);
    assert_none_failed(&entries);
}

fn options(layer: Layer, only: &[&str]) -> Options {
    Options {
        dir: "unused".into(),
        only: only.iter().map(|name| name.to_string()).collect(),
        layers: vec![layer],
        threads: 1,
        limit_s: 1,
        uses_cache: false,
    }
}

fn assert_none_failed(entries: &[Entry]) {
    assert!(!entries.is_empty());
    for entry in entries {
        assert_eq!(entry.outcome, Outcome::Pass, "{}", entry.name);
    }
}
