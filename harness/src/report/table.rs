//! The table on the terminal.

use std::collections::BTreeSet;
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
            Totals { failed: 1.., passed, .. } => format!("{passed}/{all} !"),
            Totals { expected: 0, passed, .. } => format!("{passed}/{all}"),
            Totals { expected, passed, .. } => format!("{passed}+{expected}e/{all}"),
        }
    }

    /// The failures, those of one test with one reason together.
    fn grouped_failures(&self) -> Vec<(String, Vec<&str>, &str)> {
        let mut groups: Vec<(String, Vec<&str>, &str)> = Vec::new();
        for (test, column, reason) in self.failures() {
            match groups.iter_mut().find(|(name, _, why)| *name == test && *why == reason) {
                Some((_, columns, _)) => columns.push(column),
                None => groups.push((test, vec![column], reason)),
            }
        }
        groups
    }

    /// Where to look: the columns that fail tests that others pass, and the instructions that the failures are about.
    fn suspects(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.totals.failed == 0 {
            return Ok(());
        }
        let fails = |cell: &super::Cell| cell.verdict == super::Verdict::Fail;
        let count = |name: &str| self.tests.iter().filter(|test| test.cells.get(name).is_some_and(fails)).count();
        let counted = self.columns.iter().map(|column| (column.name.as_str(), count(&column.name)));
        let columns: Vec<String> =
            counted.filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(f, "failures by column: {}", columns.join(", "))?;
        let about = self.tests.iter().filter(|test| test.cells.values().any(fails)).filter_map(|test| test.instruction);
        let about: BTreeSet<&str> = about.collect();
        match about.is_empty() {
            true => Ok(()),
            false => writeln!(f, "in tests about: {}", about.into_iter().collect::<Vec<_>>().join(" ")),
        }
    }

    fn notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.totals.expected > 0 {
            writeln!(f, "{} expected differences (e), explained in riscv-tests/EXPECTED.json", self.totals.expected)?;
        }
        writeln!(f, "coverage: {} of {} points", self.coverage.seen, self.coverage.points)?;
        let failures = self.grouped_failures();
        for (test, columns, reason) in failures.iter().take(SHOWN_FAILURES) {
            writeln!(f, "FAILED {test} on {}: {reason}", columns.join(", "))?;
        }
        if failures.len() > SHOWN_FAILURES {
            writeln!(f, "and {} more failures, all in report.json", failures.len() - SHOWN_FAILURES)?;
        }
        self.suspects(f)?;
        self.problems.iter().try_for_each(|problem| writeln!(f, "PROBLEM {problem}"))
    }
}
