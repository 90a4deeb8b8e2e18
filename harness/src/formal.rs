//! `lockstep formal`: proofs and exhaustive tests that the emulator does what the specification says.
//!
//! * [`decoder`] - all 2^32 instruction words.
//! * [`handlers`] - the functions the engines call, proved by SMT; [`extract`] has them compiled.
//! * [`engines`] - that every engine calls the right function with the right operands.
//! * [`witness`] - the specification against the official Sail model; [`spike`] - and against Spike.
//! * [`tools`] - the translator and the terms against the machine code.
//! * [`report`] - what was claimed and what came of it.
//!
//! docs/formal.md says what is claimed and what is trusted.

mod clock;
pub mod decoder;
pub mod engines;
pub mod extract;
pub mod handlers;
pub mod report;
pub mod spike;
pub mod tools;
mod values;
pub mod witness;

use std::fmt;
use std::fs;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::smt::ir::Module;
use crate::smt::solver::{SolverError, Workshop};
use report::{Entry, Layer, Report};

/// What to check, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the solvers are, and where queries, answers and the report go.
    pub dir: PathBuf,
    /// Only what has one of these words for its name, instruction or function; everything if empty.
    pub only: Vec<String>,
    /// The layers to check.
    pub layers: Vec<Layer>,
    /// How many threads to use.
    pub threads: usize,
    /// CPU seconds that a solver may take for one query.
    pub limit_s: u32,
    /// Whether answers of earlier runs count.
    pub uses_cache: bool,
}

impl Options {
    fn wants(&self, layer: Layer, names: &[&str]) -> bool {
        self.layers.contains(&layer)
            && (self.only.is_empty() || self.only.iter().any(|only| names.contains(&only.as_str())))
    }
}

/// The checks could not be made.
#[derive(Debug)]
pub enum FormalError {
    /// The IR could not be had.
    Extraction(String),
    /// The IR is of another compiler than the translator is written for.
    Compiler(String),
    /// The solvers could not be run.
    Solver(SolverError),
    /// The report could not be written.
    Report(PathBuf, std::io::Error),
}

impl fmt::Display for FormalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormalError::Extraction(reason) => write!(f, "no LLVM IR of src/exec/ops.rs: {reason}"),
            FormalError::Compiler(found) => write!(
                f,
                "the IR comes from `{found}`, and the translator is written for `{}`; `rustup run 1.95.0 make formal`, or review harness/src/smt/ir.rs and change extract.rs",
                extract::COMPILER.trim()
            ),
            FormalError::Solver(error) => error.fmt(f),
            FormalError::Report(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for FormalError {}

/// Checks what `options` ask for and writes the report.
///
/// # Errors
/// [`FormalError`] when the checks could not be made. A claim that failed is an entry of the report.
pub fn run(options: &Options, on_entry: &mut dyn FnMut(&Entry)) -> Result<Report, FormalError> {
    let mut report = Report {
        format: report::FORMAT,
        compiler: None,
        ir_sha256: None,
        instructions: Default::default(),
        entries: Vec::new(),
    };
    let mut add = |report: &mut Report, entries: Vec<Entry>| {
        entries.iter().for_each(&mut *on_entry);
        report.entries.extend(entries);
    };
    add(&mut report, decoder::check(options));
    if options.layers.iter().any(|layer| !matches!(layer, Layer::Engine | Layer::Witness)) {
        let workshop =
            Workshop::open(&options.dir, options.limit_s, options.uses_cache).map_err(FormalError::Solver)?;
        add(&mut report, decoder::check_rows(options, &workshop)?);
        let ir = compiled(options, &mut report)?;
        add(&mut report, handlers::check(options, &workshop, &ir)?);
        add(&mut report, tools::check(options, &ir));
    }
    add(&mut report, engines::check(options));
    add(&mut report, witness::check(options));
    add(&mut report, spike::check(options));
    report.index();
    let path = options.dir.join("report.json");
    fs::write(&path, report.to_json()).map_err(|error| FormalError::Report(path, error))?;
    Ok(report)
}

/// The IR of the functions, by the compiler that the translator knows; kept as exec_ops.ll.
fn compiled(options: &Options, report: &mut Report) -> Result<String, FormalError> {
    let ir = extract::compile()?;
    let compiler = Module::parse(&ir).compiler().unwrap_or("an unnamed compiler").to_string();
    if !compiler.starts_with(extract::COMPILER) {
        return Err(FormalError::Compiler(compiler));
    }
    report.compiler = Some(compiler);
    report.ir_sha256 = Some(Sha256::digest(ir.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect());
    let path = options.dir.join("exec_ops.ll");
    fs::write(&path, &ir).map_err(|error| FormalError::Report(path, error))?;
    Ok(ir)
}
