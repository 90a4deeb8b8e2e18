//! The table on the terminal.

use std::fmt;

use super::{Report, Totals};

/// More failures than this are not read on a terminal.
const SHOWN_FAILURES: usize = 20;

/// Suites by columns: passes of cells, and what is not a pass.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.suites.iter().map(|suite| suite.name.len()).max().unwrap_or(0).max("suite".len());
        // What is not here is said first, and takes no room in the table.
        for column in &self.columns {
            if let Some(reason) = &column.unavailable {
                writeln!(f, "NOT RUN {}: {reason}", column.name)?;
            }
        }
        let present = self.columns.iter().filter(|column| column.unavailable.is_none());
        let columns: Vec<(&str, usize)> =
            present.map(|column| (column.name.as_str(), column.name.len().max(7))).collect();
        write!(f, "{:<width$}  {:>5}", "suite", "tests")?;
        columns.iter().try_for_each(|(name, wide)| write!(f, "  {name:>wide$}"))?;
        writeln!(f)?;
        for suite in &self.suites {
            write!(f, "{:<width$}  {:>5}", suite.name, suite.found)?;
            columns.iter().try_for_each(|(name, wide)| write!(f, "  {:>wide$}", self.entry(&suite.name, name)))?;
            writeln!(f)?;
        }
        self.notes(f)
    }
}

impl Report {
    /// `47/47`, or what else the cells of a suite in a column say.
    fn entry(&self, suite: &str, column: &str) -> String {
        let rows = self.tests.iter().filter(|test| test.suite == suite);
        let totals = Totals::count(rows.filter_map(|test| test.cells.get(column)));
        let all = totals.passed + totals.failed + totals.skipped + totals.expected;
        match totals {
            _ if all == 0 => "-".into(),
            Totals { skipped, .. } if skipped == all => "skipped".into(),
            Totals { expected: 0, passed, .. } => format!("{passed}/{all}"),
            Totals { expected, passed, .. } => format!("{passed}+{expected}e/{all}"),
        }
    }

    fn notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.totals.expected > 0 {
            writeln!(f, "{} expected differences (e), explained in riscv-tests/EXPECTED.json", self.totals.expected)?;
        }
        writeln!(f, "coverage: {} of {} points", self.coverage.seen, self.coverage.points)?;
        for (test, column, reason) in self.failures().take(SHOWN_FAILURES) {
            writeln!(f, "FAILED {test} on {column}: {reason}")?;
        }
        if self.totals.failed > SHOWN_FAILURES {
            writeln!(f, "and {} more failures, all in report.json", self.totals.failed - SHOWN_FAILURES)?;
        }
        self.problems.iter().try_for_each(|problem| writeln!(f, "PROBLEM {problem}"))
    }
}
