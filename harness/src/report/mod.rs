//! What a conformance run found: the terminal's table, `report.json`, `junit.xml` and `index.html`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use lockstep::isa::Op;

use crate::coverage::Coverage;
use crate::suites::Error;
use crate::suites::collect::Collected;

mod formal;
mod html;
mod junit;
mod table;

/// The section of `index.html` about what `lockstep formal` last found in the checkout `root`.
pub fn proofs(root: &Path) -> String {
    formal::section(root)
}

/// The version of the form of `report.json`; `riscv-tests/report.schema.json` describes it.
pub const SCHEMA: &str = "lockstep-conformance-1";

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The version of Lockstep.
    pub lockstep: &'static str,
    /// The columns of the matrix.
    pub columns: Vec<ColumnReport>,
    /// The suites.
    pub suites: Vec<SuiteReport>,
    /// The rows of the matrix.
    pub tests: Vec<TestReport>,
    /// How many cells have which verdict.
    pub totals: Totals,
    /// The coverage of the run.
    pub coverage: CoverageReport,
    /// Every coverage point with its count: `coverage.yaml`.
    #[serde(skip)]
    pub coverage_yaml: String,
    /// What `lockstep formal` last found, for `index.html`.
    #[serde(skip)]
    pub proofs: String,
    /// What is wrong besides failed cells: suites that cannot be had, stale entries.
    pub problems: Vec<String>,
    /// Whether every problem is that a package or tool cannot be had.
    #[serde(skip)]
    pub is_infrastructure: bool,
}

/// How many situations a run saw.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CoverageReport {
    /// The situations there are.
    pub points: usize,
    /// Those seen at least once.
    pub seen: usize,
    /// Those never seen.
    pub missing: Vec<String>,
}

/// A column.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnReport {
    /// Its name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// Its version, if it runs here.
    pub version: Option<String>,
    /// Why it does not run here, if it does not.
    pub unavailable: Option<String>,
}

/// A suite.
#[derive(Clone, Debug, Serialize)]
pub struct SuiteReport {
    /// Its name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// Its package and version; none for our own.
    pub package: Option<String>,
    /// SHA-256 of the package.
    pub sha256: Option<String>,
    /// How many tests there must be, at least.
    pub pinned: usize,
    /// How many tests there are.
    pub found: usize,
    /// Files that are not run, with the reason.
    pub left_out: BTreeMap<String, String>,
    /// Why it is incomplete, if it is.
    pub problem: Option<String>,
    /// How many of its cells have which verdict.
    pub totals: Totals,
}

/// A test: a row.
#[derive(Clone, Debug, Serialize)]
pub struct TestReport {
    /// Its suite.
    pub suite: String,
    /// Its name in the suite.
    pub name: String,
    /// The instruction that it is about, if it is about one.
    pub instruction: Option<&'static str>,
    /// The clauses that it names.
    pub clauses: Vec<String>,
    /// Its cells, by column.
    pub cells: BTreeMap<String, Cell>,
}

/// A cell of the matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Pass, fail, skip or expected.
    pub verdict: Verdict,
    /// Why, for everything but a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The steps of the run.
    pub steps: u64,
}

/// What a cell says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The test came to the end it must come to.
    Pass,
    /// It did not.
    Fail,
    /// It was not run.
    Skip,
    /// It did not, and `riscv-tests/EXPECTED.json` says why that is right.
    Expected,
}

/// Numbers of cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Passes.
    pub passed: usize,
    /// Failures.
    pub failed: usize,
    /// Skips.
    pub skipped: usize,
    /// Expected differences.
    pub expected: usize,
}

impl Cell {
    /// A pass.
    pub fn pass(steps: u64) -> Cell {
        Cell { verdict: Verdict::Pass, reason: None, steps }
    }

    /// A failure.
    pub fn fail(reason: String, steps: u64) -> Cell {
        Cell { verdict: Verdict::Fail, reason: Some(reason), steps }
    }

    /// Not run.
    pub fn skip(reason: String) -> Cell {
        Cell { verdict: Verdict::Skip, reason: Some(reason), steps: 0 }
    }
}

impl TestReport {
    /// `suite/name`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.suite, self.name)
    }

    /// The command that runs one cell again.
    pub fn reproduce(&self, column: &str) -> String {
        format!("lockstep conformance --filter {} --column {column}", self.id())
    }
}

/// The instruction that a test called `name` is about: the suites name their tests after them.
pub fn instruction_of(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let stem = name.strip_prefix("traps/").unwrap_or(&name);
    let mut words = stem.split(|c: char| !c.is_ascii_alphanumeric());
    words.find_map(|word| Op::ALL.iter().map(|op| op.mnemonic()).find(|mnemonic| *mnemonic == word))
}

impl Totals {
    fn count<'a>(cells: impl Iterator<Item = &'a Cell>) -> Totals {
        let mut totals = Totals::default();
        for cell in cells {
            *match cell.verdict {
                Verdict::Pass => &mut totals.passed,
                Verdict::Fail => &mut totals.failed,
                Verdict::Skip => &mut totals.skipped,
                Verdict::Expected => &mut totals.expected,
            } += 1;
        }
        totals
    }
}

impl SuiteReport {
    /// The report of a suite whose tests are among `rows`.
    pub fn of(collected: &Collected, rows: &[TestReport]) -> SuiteReport {
        let (suite, package) = (&collected.suite, &collected.package);
        let cells = rows.iter().filter(|row| row.suite == suite.name).flat_map(|row| row.cells.values());
        SuiteReport {
            name: suite.name.clone(),
            about: suite.about.clone(),
            package: package.as_ref().map(|package| format!("{} {}", package.name, package.version)),
            sha256: package.as_ref().map(|package| package.sha256.clone()),
            pinned: suite.tests,
            found: collected.tests.len(),
            left_out: collected.skipped.iter().cloned().collect(),
            problem: collected.problem.as_ref().map(|problem| problem.text.clone()),
            totals: Totals::count(cells),
        }
    }
}

impl Report {
    /// The report of a run.
    pub fn new(
        columns: Vec<ColumnReport>,
        suites: Vec<SuiteReport>,
        tests: Vec<TestReport>,
        problems: Vec<Error>,
    ) -> Report {
        let totals = Totals::count(tests.iter().flat_map(|test| test.cells.values()));
        Report {
            schema: SCHEMA,
            lockstep: env!("CARGO_PKG_VERSION"),
            columns,
            suites,
            tests,
            totals,
            coverage: CoverageReport::default(),
            coverage_yaml: String::new(),
            proofs: String::new(),
            is_infrastructure: problems.iter().all(|problem| problem.is_infrastructure),
            problems: problems.into_iter().map(|problem| problem.text).collect(),
        }
    }

    /// Adds the coverage of the run; a whole run must have seen every point.
    pub fn count_coverage(&mut self, coverage: Coverage, is_whole: bool) {
        let (points, seen) = coverage.totals();
        if is_whole && seen < points {
            self.is_infrastructure &= !self.problems.is_empty();
            self.problems.push(format!(
                "coverage: {} of {points} points were never seen; coverage.yaml lists them",
                points - seen
            ));
        }
        self.coverage = CoverageReport { points, seen, missing: coverage.missing() };
        self.coverage_yaml = coverage.yaml();
    }

    /// Makes paths below `root` relative to it: a report says the same on every machine.
    pub fn shorten_paths(&mut self, root: &Path) {
        let prefix = format!("{}/", root.display());
        let shorten = |text: &mut String| *text = text.replace(&prefix, "");
        self.problems.iter_mut().for_each(shorten);
        self.suites.iter_mut().filter_map(|suite| suite.problem.as_mut()).for_each(shorten);
        let cells = self.tests.iter_mut().flat_map(|test| test.cells.values_mut());
        cells.filter_map(|cell| cell.reason.as_mut()).for_each(shorten);
    }

    /// The failed cells, as test, column and reason.
    pub fn failures(&self) -> impl Iterator<Item = (String, &str, &str)> {
        self.tests.iter().flat_map(|test| {
            let failed = test.cells.iter().filter(|(_, cell)| cell.verdict == Verdict::Fail);
            failed.map(|(column, cell)| (test.id(), column.as_str(), cell.reason.as_deref().unwrap_or_default()))
        })
    }

    /// `index.html`: one page with no network.
    pub fn html(&self) -> String {
        html::page(self)
    }

    /// `junit.xml`.
    pub fn junit(&self) -> String {
        junit::xml(self)
    }

    /// Whether the run is free of failures and problems.
    pub fn is_clean(&self) -> bool {
        self.totals.failed == 0 && self.problems.is_empty()
    }

    /// `N passed, N failed, N skipped`. Expected differences are no passes: they count as skipped.
    pub fn closing_line(&self) -> String {
        let Totals { passed, failed, skipped, expected } = self.totals;
        format!("{passed} passed, {failed} failed, {} skipped", skipped + expected)
    }
}
