//! What was claimed, how it was established, and what came of it: the report of `lockstep formal`.

use std::collections::BTreeMap;

use serde::Serialize;

/// The report: `target/formal/report.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of this file's layout.
    pub format: u32,
    /// The compiler whose IR was proved, in its own words.
    pub compiler: Option<String>,
    /// SHA-256 of the IR file.
    pub ir_sha256: Option<String>,
    /// The instructions, each with the entries that concern it.
    pub instructions: BTreeMap<String, Vec<String>>,
    /// Everything that was checked.
    pub entries: Vec<Entry>,
}

/// The version of the layout of report.json.
pub const FORMAT: u32 = 1;

/// One claim and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// A name to ask for with `--only`.
    pub name: String,
    /// The layer.
    pub layer: Layer,
    /// The instructions that it concerns, by mnemonic; empty where it concerns all of them.
    pub instructions: Vec<String>,
    /// The claim, as a sentence.
    pub claim: String,
    /// How it was established.
    pub method: Method,
    /// The solvers' answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<Proof>,
    /// Whether the assumptions of a proof were seen to be satisfiable, with the values of the native code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vacuity: Option<String>,
    /// Planted errors of this function that were refuted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mutants: Option<Mutants>,
    /// CPU seconds spent.
    pub cpu_seconds: f64,
    /// Pass, fail or skip.
    pub outcome: Outcome,
}

/// What a claim is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Instruction words to instructions.
    Decoder,
    /// The functions that the engines call.
    Handler,
    /// What an engine's code for one instruction does, for all operands and values.
    Arm,
    /// An engine running instructions.
    Engine,
    /// The specification against an independent model.
    Witness,
    /// The tools of the proofs themselves.
    Tool,
    /// A planted error, which must be found.
    Mutant,
}

impl Layer {
    /// Every layer.
    pub const ALL: [Layer; 7] =
        [Layer::Decoder, Layer::Handler, Layer::Arm, Layer::Engine, Layer::Witness, Layer::Tool, Layer::Mutant];

    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Layer::Decoder => "decoder",
            Layer::Handler => "handler",
            Layer::Arm => "arm",
            Layer::Engine => "engine",
            Layer::Witness => "witness",
            Layer::Tool => "tool",
            Layer::Mutant => "mutant",
        }
    }
}

/// How a claim was established. "Proved" is said of what a solver decided, and of nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A solver found no counterexample among all inputs.
    Proved,
    /// Every case was tried: so many.
    Exhaustive(u64),
    /// So many cases were tried.
    Tested(u64),
    /// A solver refuted it, and the refutation was replayed.
    Refuted,
}

/// One solver's answer.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// The solver.
    pub solver: String,
    /// Its version.
    pub version: String,
    /// The query's file, beside the report.
    pub query: String,
    /// SHA-256 of the query.
    pub query_sha256: String,
    /// `unsat`, `sat`, or `undecided`.
    pub verdict: &'static str,
    /// CPU seconds of the solver when it answered.
    pub cpu_seconds: f64,
    /// Whether the answer was kept from an earlier run.
    pub is_cached: bool,
}

/// Planted errors.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Mutants {
    /// Those found.
    pub killed: usize,
    /// All of them.
    pub total: usize,
}

/// What came of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It holds, as far as the method says.
    Pass,
    /// It does not, or could not be decided: why, with the counterexample.
    Fail(String),
    /// It was not checked: why.
    Skip(String),
}

impl Entry {
    /// An entry without proofs, which took `cpu_seconds`.
    pub fn new(layer: Layer, name: &str, claim: &str, method: Method, cpu_seconds: f64, outcome: Outcome) -> Entry {
        Entry {
            name: name.to_string(),
            layer,
            instructions: Vec::new(),
            claim: claim.to_string(),
            method,
            proofs: Vec::new(),
            vacuity: None,
            mutants: None,
            cpu_seconds,
            outcome,
        }
    }
}

impl Report {
    /// The entries that passed, failed and were skipped.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |is: fn(&Outcome) -> bool| self.entries.iter().filter(|entry| is(&entry.outcome)).count();
        (
            count(|outcome| *outcome == Outcome::Pass),
            count(|outcome| matches!(outcome, Outcome::Fail(_))),
            count(|outcome| matches!(outcome, Outcome::Skip(_))),
        )
    }

    /// Fills in which entries concern which instruction.
    pub fn index(&mut self) {
        for entry in &self.entries {
            for instruction in &entry.instructions {
                self.instructions.entry(instruction.clone()).or_default().push(entry.name.clone());
            }
        }
    }

    /// The report as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is plain data") + "\n"
    }
}

impl Outcome {
    /// Pass if there is no finding.
    pub fn from_finding(finding: Option<String>) -> Outcome {
        finding.map_or(Outcome::Pass, Outcome::Fail)
    }
}
