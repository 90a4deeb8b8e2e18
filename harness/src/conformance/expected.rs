//! `riscv-tests/EXPECTED.json`: the differences that are meant to be, each with its clause.

use std::path::Path;

use serde::Deserialize;

use crate::report::{Cell, Verdict};
use crate::suites::Error;

/// The reviewed list.
#[derive(Clone, Debug, Deserialize)]
pub struct Expected {
    /// Its entries.
    pub entries: Vec<Entry>,
}

/// One difference that is meant to be.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// The test, as `suite/name`; `*` stands for any text.
    pub test: String,
    /// The column; `*` stands for any text.
    pub column: String,
    /// What the cell says: a part of its text.
    pub says: String,
    /// The clause of spec/SPEC.md that decides it.
    pub clause: String,
    /// Why, in one sentence.
    pub why: String,
}

impl Expected {
    /// Reads the list of the checkout at `root`.
    ///
    /// # Errors
    /// The file is missing or is no such list.
    pub fn read(root: &Path) -> Result<Expected, Error> {
        let path = root.join("riscv-tests").join("EXPECTED.json");
        let text = std::fs::read_to_string(&path).map_err(|error| Error::file(&path, error))?;
        serde_json::from_str(&text).map_err(|error| Error::file(&path, error))
    }

    /// Turns a failure that the list names into an expected difference, and notes the entry as used.
    pub fn explain(&self, test: &str, column: &str, cell: Cell, used: &mut [bool]) -> Cell {
        if cell.verdict != Verdict::Fail {
            return cell;
        }
        let says = cell.reason.clone().unwrap_or_default();
        let matches =
            |entry: &Entry| glob(&entry.test, test) && glob(&entry.column, column) && says.contains(&entry.says);
        match self.entries.iter().position(matches) {
            Some(index) => {
                used[index] = true;
                let entry = &self.entries[index];
                Cell {
                    verdict: Verdict::Expected,
                    reason: Some(format!("{}: {} ({says})", entry.clause, entry.why)),
                    ..cell
                }
            }
            None => cell,
        }
    }

    /// The entries for these suites that explained nothing: they hide nothing today and could hide something tomorrow.
    /// Those for a column in `absent` had nothing to explain.
    pub fn stale(&self, used: &[bool], suites: &[&str], absent: &[&str]) -> Vec<String> {
        let ran = |entry: &Entry| {
            let suite = entry.test.split('/').next().unwrap_or_default();
            suites.iter().any(|run| glob(suite, run)) && !absent.contains(&entry.column.as_str())
        };
        let unused = self.entries.iter().zip(used).filter(|(entry, used)| !**used && ran(entry));
        unused
            .map(|(entry, _)| {
                format!(
                    "riscv-tests/EXPECTED.json: the entry for {} on {} matches no cell; remove it",
                    entry.test, entry.column
                )
            })
            .collect()
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
            (0..=tail.len()).filter(|at| tail.is_char_boundary(*at)).any(|at| glob(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        assert!(
            glob("*", "") && glob("*", "abc") && glob("a*c", "abc") && glob("a*", "a") && glob("*-p-*", "rv32ui-p-add")
        );
        assert!(!glob("a", "ab") && !glob("a*c", "abd") && !glob("", "a"));
    }

    #[test]
    fn only_failures_that_say_so_are_explained() {
        let entry = Entry {
            test: "s/t".into(),
            column: "*".into(),
            says: "0x100f".into(),
            clause: "ISA-2".into(),
            why: "w".into(),
        };
        let expected = Expected { entries: vec![entry] };
        let check = |cell: Cell, verdict| {
            let mut used = [false];
            assert_eq!(expected.explain("s/t", "step", cell, &mut used).verdict, verdict);
            assert_eq!(used[0], verdict == Verdict::Expected);
            assert_eq!(expected.stale(&used, &["s"], &[]).is_empty(), used[0]);
            assert!(expected.stale(&used, &["s"], &["*"]).is_empty());
            let everywhere = Expected { entries: vec![Entry { test: "*".into(), ..expected.entries[0].clone() }] };
            assert_eq!(everywhere.stale(&used, &["s"], &[]).is_empty(), used[0]);
        };
        check(Cell::fail("illegal 0x100f".into(), 3), Verdict::Expected);
        check(Cell::fail("illegal 0x200f".into(), 3), Verdict::Fail);
        check(Cell::pass(3), Verdict::Pass);
        check(Cell::skip("0x100f".into()), Verdict::Skip);
    }
}
