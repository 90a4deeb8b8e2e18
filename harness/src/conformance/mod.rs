//! Every test on every engine and against every reference machine.
//!
//! [`run`] collects the suites, fills the matrix of tests and columns in parallel, and returns a
//! [`Report`]. A cell is a pass, a failure, a skip with its reason, or an expected difference that
//! `riscv-tests/EXPECTED.json` explains. Nothing else is possible: what did not run never looks like a pass.

pub mod engines;
pub mod expected;
pub mod judge;
pub mod programs;
mod qemu_system;
pub mod references;
mod risc0;
pub mod spec;
mod spike_reset;
mod to_host;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::coverage::Coverage;
use crate::report::{self, Cell, ColumnReport, Report, SuiteReport, TestReport};
use crate::suites::collect::{self, Collected};
use crate::suites::manifest::Manifest;
use crate::suites::{Error, Test, directory};
use expected::Expected;

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The root of the checkout.
    pub root: PathBuf,
    /// A checkout of the user's instead of the suites of the manifest.
    pub directory: Option<PathBuf>,
    /// Only tests whose `suite/name` holds this.
    pub filter: Option<String>,
    /// Only columns whose name is this.
    pub column: Option<String>,
}

/// One column of the matrix.
pub trait Column: Send + Sync {
    /// Its name in the report.
    fn name(&self) -> &str;

    /// What it is, in one line.
    fn about(&self) -> &str;

    /// Which version of it runs here.
    ///
    /// # Errors
    /// Why it cannot run here; its cells are then skipped with this reason.
    fn version(&self) -> Result<String, String>;

    /// Runs one test; an engine that records its steps counts their situations in `coverage`.
    fn run(&self, test: &Test, coverage: &mut Coverage) -> Cell;
}

/// How far a run is: tests done, and all tests.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// As many threads as the machines that this is run on have cores.
const THREADS: usize = 2;

/// Runs the whole matrix.
///
/// # Errors
/// The checkout is incomplete, so that there is nothing to run. What goes wrong with one suite or one
/// test is in the report.
pub fn run(options: &Options, progress: Progress<'_>) -> Result<Report, Error> {
    let expected = Expected::read(&options.root)?;
    let suites = collect(options)?;
    let columns = columns(options)?;
    let tests: Vec<&Test> =
        suites.iter().flat_map(|suite| &suite.tests).filter(|test| is_wanted(options, test)).collect();
    let tests = exact(options, tests)?;
    let (cells, coverage) = fill(&tests, &columns, progress);
    let mut report = summarise(options, &suites, &columns, &tests, cells, &expected);
    report.count_coverage(coverage, is_whole(options));
    report.proofs = report::proofs(&options.root);
    Ok(report)
}

fn collect(options: &Options) -> Result<Vec<Collected>, Error> {
    match &options.directory {
        Some(folder) => directory::collect(&options.root, folder),
        None => Ok(collect::all(&options.root, &Manifest::read(&options.root)?)),
    }
}

fn columns(options: &Options) -> Result<Vec<Box<dyn Column>>, Error> {
    let mut columns: Vec<Box<dyn Column>> = Vec::new();
    columns.extend(engines::all().into_iter().map(|engine| Box::new(engine) as Box<dyn Column>));
    columns.extend(references::all().into_iter().map(|reference| Box::new(reference) as Box<dyn Column>));
    columns.extend(programs::all());
    if let Some(name) = &options.column {
        let names: Vec<String> = columns.iter().map(|column| column.name().to_string()).collect();
        columns.retain(|column| column.name() == name);
        if columns.is_empty() {
            return Err(Error::new(format!("no column is called {name}; there are {}", names.join(", "))));
        }
    }
    Ok(columns)
}

/// Whether every test of the manifest runs in every column.
fn is_whole(options: &Options) -> bool {
    options.filter.is_none() && options.column.is_none() && options.directory.is_none()
}

fn is_wanted(options: &Options, test: &Test) -> bool {
    options.filter.as_ref().is_none_or(|part| test.id().contains(part.as_str()))
}

const NO_PANIC: &str = "no worker panics while it holds the lock";

/// The one test that is called exactly as the filter says, if there is one, else all that were found.
fn exact<'a>(options: &Options, tests: Vec<&'a Test>) -> Result<Vec<&'a Test>, Error> {
    let Some(filter) = &options.filter else { return Ok(tests) };
    if tests.is_empty() {
        return Err(Error::new(format!("no test is called {filter}; target/conformance/report.json lists them")));
    }
    match tests.iter().find(|test| test.id() == *filter) {
        Some(test) => Ok(vec![*test]),
        None => Ok(tests),
    }
}

/// The cells of every test, in the order of `tests`. The result does not depend on the threads.
fn fill(tests: &[&Test], columns: &[Box<dyn Column>], progress: Progress<'_>) -> (Vec<Vec<Cell>>, Coverage) {
    let unavailable: Vec<Option<String>> = columns.iter().map(|column| column.version().err()).collect();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let cells = Mutex::new(vec![Vec::new(); tests.len()]);
    let total = Mutex::new(Coverage::default());
    let work = || {
        let mut coverage = Coverage::default();
        while let Some((index, test)) = take(&next, tests) {
            let row = columns.iter().zip(&unavailable).map(|(column, reason)| match reason {
                Some(reason) => Cell::skip(reason.clone()),
                None => column.run(test, &mut coverage),
            });
            let row = row.collect();
            cells.lock().expect(NO_PANIC)[index] = row;
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, tests.len());
        }
        total.lock().expect(NO_PANIC).add(&coverage);
    };
    thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
    (cells.into_inner().expect(NO_PANIC), total.into_inner().expect(NO_PANIC))
}

fn take<'a>(next: &AtomicUsize, tests: &[&'a Test]) -> Option<(usize, &'a Test)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    tests.get(index).map(|test| (index, *test))
}

fn summarise(
    options: &Options,
    suites: &[Collected],
    columns: &[Box<dyn Column>],
    tests: &[&Test],
    cells: Vec<Vec<Cell>>,
    expected: &Expected,
) -> Report {
    let column_report = |column: &dyn Column| ColumnReport {
        name: column.name().into(),
        about: column.about().into(),
        version: column.version().clone().ok(),
        unavailable: column.version().err(),
    };
    let columns: Vec<ColumnReport> = columns.iter().map(|column| column_report(column.as_ref())).collect();
    let mut rows = Vec::new();
    let mut used = vec![false; expected.entries.len()];
    for (test, row) in tests.iter().zip(cells) {
        let named = columns.iter().map(|column| column.name.clone()).zip(row);
        let cells = named.map(|(name, cell)| {
            let cell = expected.explain(&test.id(), &name, cell, &mut used);
            (name, cell)
        });
        rows.push(TestReport {
            suite: test.suite.clone(),
            name: test.name.clone(),
            instruction: report::instruction_of(&test.name),
            clauses: test.clauses.clone(),
            cells: cells.collect(),
        });
    }
    let broken = suites.iter().filter_map(|suite| suite.problem.clone());
    let mut problems: Vec<Error> = broken.collect();
    if is_whole(options) && problems.is_empty() {
        let names: Vec<&str> = suites.iter().map(|suite| suite.suite.name.as_str()).collect();
        let absent = columns.iter().filter(|column| column.unavailable.is_some());
        let absent: Vec<&str> = absent.map(|column| column.name.as_str()).collect();
        problems.extend(expected.stale(&used, &names, &absent).into_iter().map(Error::new));
    }
    let suites = suites.iter().map(|suite| SuiteReport::of(suite, &rows)).collect();
    let mut report = Report::new(columns, suites, rows, problems);
    report.shorten_paths(&options.root);
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::{End, Program, generated};
    use std::sync::Arc;

    /// A column that this host does not have, as jit is where it cannot compile.
    struct Absent;

    impl Column for Absent {
        fn name(&self) -> &str {
            "jit"
        }

        fn about(&self) -> &str {
            "-"
        }

        fn version(&self) -> Result<String, String> {
            Err(engines::NO_ENGINE.into())
        }

        fn run(&self, _: &Test, _: &mut Coverage) -> Cell {
            unreachable!("it is not here")
        }
    }

    /// A host without one of the engines skips it by name, and the others run.
    #[test]
    fn an_engine_that_is_not_here_is_a_named_skip() {
        const ECALL: u32 = 0x73;
        let chunks: generated::Chunks = vec![(0x0001_0000, vec![ECALL])];
        let program =
            Program::Generated { chunks: Arc::new(chunks), start: 0x0001_0000, mode: lockstep::map::Mode::Machine };
        let (suite, name, end) = ("s".to_string(), "t".to_string(), End::exit(0));
        let test = Test { suite, name, program, end, stdin: Vec::new(), stdout: None, clauses: Vec::new() };
        let columns: Vec<Box<dyn Column>> = vec![Box::new(engines::plain()), Box::new(Absent)];
        let (cells, _) = fill(&[&test], &columns, &|_, _| {});
        assert_eq!(cells[0][1], Cell::skip(engines::NO_ENGINE.into()));
        let expected = Expected { entries: Vec::new() };
        let report = summarise(&Options::default(), &[], &columns, &[&test], cells, &expected);
        let text = report.to_string();
        assert!(text.starts_with(&format!("NOT RUN jit: {}\n", engines::NO_ENGINE)), "{text}");
        assert_eq!(report.closing_line(), "1 passed, 0 failed, 1 skipped");
        assert!(report.html().contains(engines::NO_ENGINE));
    }
}
