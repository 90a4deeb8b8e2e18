//! Bugs seeded in the core, to see which suite finds each.
//!
//! The core itself knows nothing of this. [`instrument`] copies the repository to `target/mutants` and
//! replaces, in the copy, each expression of [`table::MUTANTS`] by a choice between the original and
//! the bug; a variable of the environment says which bug is on. One build holds them all.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

pub use table::MUTANTS;

use crate::conformance::{Column, engines, judge};
use crate::coverage::Coverage;
use crate::report::Verdict;
use crate::suites::collect;
use crate::suites::manifest::Manifest;
use crate::suites::{Error, Test};

/// A bug.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// What it is, in a few words; unique.
    pub name: &'static str,
    /// The clause that it breaks.
    pub clause: &'static str,
    /// The file, from the root of the repository.
    pub file: &'static str,
    /// A piece of the file that occurs once, with the expression to replace between « and ».
    pub at: &'static str,
    /// The expression that replaces it.
    pub bug: &'static str,
    /// Why no suite can see it, if that is so: it then has to survive.
    pub survives: Option<&'static str>,
}

/// The variable that turns one mutant on, by its place in [`MUTANTS`] counted from 1; 0 for none.
pub const SWITCH: &str = "LOCKSTEP_MUTANT";

/// What each suite made of a mutant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Hunt {
    /// By suite: the first test that failed, and why.
    pub kills: BTreeMap<String, Kill>,
}

/// The first test of a suite that failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kill {
    /// The test.
    pub test: String,
    /// What it said.
    pub reason: String,
    /// How many tests of the suite were run up to it.
    pub tests_run: usize,
    /// How long that took.
    pub milliseconds: u64,
}

/// Runs every suite on the plain engine of this build, each up to its first failure.
///
/// # Errors
/// The suites cannot be had.
pub fn hunt(root: &Path) -> Result<Hunt, Error> {
    let manifest = Manifest::read(root)?;
    let expected = crate::conformance::expected::Expected::read(root)?;
    let engine = engines::plain();
    let mut hunt = Hunt::default();
    for suite in collect::all(root, &manifest) {
        let start = Instant::now();
        let fails = |test: &Test| {
            let cell = judge::judge(test, &engine, &mut Coverage::default());
            let mut used = vec![false; expected.entries.len()];
            let cell = expected.explain(&test.id(), engine.name(), cell, &mut used);
            (cell.verdict == Verdict::Fail).then(|| cell.reason.unwrap_or_default())
        };
        let found = suite.tests.iter().enumerate().find_map(|(index, test)| Some((index, test, fails(test)?)));
        if let Some((index, test, reason)) = found {
            let milliseconds = start.elapsed().as_millis() as u64;
            let kill = Kill { test: test.name.clone(), reason, tests_run: index + 1, milliseconds };
            hunt.kills.insert(suite.suite.name.clone(), kill);
        }
    }
    Ok(hunt)
}

/// Copies the repository at `root` to `copy`, with all mutants in it.
///
/// Files that do not change keep their times, so that a second build is quick.
///
/// # Errors
/// A file cannot be read or written, or a mutant's place is not in its file exactly once.
pub fn instrument(root: &Path, copy: &Path) -> Result<(), Error> {
    for part in [
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
        "src",
        "spec",
        "harness",
        "prove",
        "cli",
        "riscv-tests",
        "examples",
        "kit",
        "tests",
    ] {
        let from = root.join(part);
        if from.exists() {
            mirror(root, &from, copy)?;
        }
    }
    for file in mutated_files() {
        let path = root.join(file);
        let text = fs::read_to_string(&path).map_err(|error| Error::file(&path, error))?;
        let text = if file == WORKSPACE { rename(&text) } else { mutate(file, &text)? };
        write_if_changed(&copy.join(file), text.as_bytes())?;
    }
    Ok(())
}

/// Another version for the packages of the copy: Cargo tells packages of one name in one target folder apart by that,
/// and the dependencies that are compiled there serve both.
fn rename(workspace: &str) -> String {
    workspace.replacen("\nversion = \"", "\nversion = \"0.0.0-mutants+", 1)
}

/// The files that are not copied as they are: those with mutants, the one that gets [`MODULE`], and the workspace's.
fn mutated_files() -> BTreeSet<&'static str> {
    MUTANTS.iter().map(|mutant| mutant.file).chain([LIB, WORKSPACE]).collect()
}

const LIB: &str = "src/lib.rs";
const WORKSPACE: &str = "Cargo.toml";

/// What the copy's core asks whether a mutant is on.
const MODULE: &str = r#"
/// Which mutant is on.
pub mod mutant {
    use std::sync::OnceLock;

    /// Whether mutant `number` is on.
    #[inline]
    pub fn is(number: u32) -> bool {
        static ON: OnceLock<u32> = OnceLock::new();
        *ON.get_or_init(|| std::env::var("LOCKSTEP_MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(0)) == number
    }
}
"#;

/// The text of `file` with its mutants in it.
///
/// # Errors
/// A mutant's place is not in the text exactly once.
pub fn mutate(file: &str, text: &str) -> Result<String, Error> {
    let mut places: BTreeMap<(usize, usize), Vec<(usize, &Mutant)>> = BTreeMap::new();
    for (index, mutant) in MUTANTS.iter().enumerate().filter(|(_, mutant)| mutant.file == file) {
        places.entry(place(mutant, text)?).or_default().push((index + 1, mutant));
    }
    let mut mutated = String::new();
    let mut done = 0;
    for ((start, end), mutants) in places {
        if start < done {
            return Err(Error::new(format!("{file}: mutant {} overlaps another", mutants[0].1.name)));
        }
        mutated += &text[done..start];
        let arms =
            mutants.iter().map(|(number, mutant)| format!("if crate::mutant::is({number}) {{ {} }} else ", mutant.bug));
        mutated += &format!("({}{{ {} }})", arms.collect::<String>(), &text[start..end]);
        done = end;
    }
    mutated += &text[done..];
    if file == LIB {
        mutated += MODULE;
    }
    // A choice at run time is no constant expression; nothing evaluates these at compile time.
    if ["src/map.rs", "src/mem/page.rs", "src/ecall/mod.rs"].contains(&file) {
        mutated = mutated.replace("const fn ", "fn ");
    }
    Ok(mutated)
}

/// Where a mutant's expression is in `text`.
fn place(mutant: &Mutant, text: &str) -> Result<(usize, usize), Error> {
    let wrong = |problem: &str| Error::new(format!("{}: mutant `{}`: {problem}", mutant.file, mutant.name));
    let (before, rest) = mutant.at.split_once('«').ok_or_else(|| wrong("no «"))?;
    let (expression, after) = rest.split_once('»').ok_or_else(|| wrong("no »"))?;
    let context = format!("{before}{expression}{after}");
    let mut found = text.match_indices(&context);
    let (at, _) = found
        .next()
        .ok_or_else(|| wrong("its place is not in the file; the code has changed, change the table too"))?;
    if found.next().is_some() {
        return Err(wrong("its place is in the file more than once"));
    }
    let start = at + before.len();
    Ok((start, start + expression.len()))
}

/// Copies `from`, a file or folder below `root`, to the same place below `copy`.
fn mirror(root: &Path, from: &Path, copy: &Path) -> Result<(), Error> {
    let failed = |error| Error::file(from, error);
    let place = from.strip_prefix(root).unwrap_or(from);
    if from.is_file() {
        let is_mutated = mutated_files().iter().any(|file| Path::new(file) == place);
        return if is_mutated { Ok(()) } else { write_if_changed(&copy.join(place), &fs::read(from).map_err(failed)?) };
    }
    for entry in fs::read_dir(from).map_err(failed)? {
        mirror(root, &entry.map_err(failed)?.path(), copy)?;
    }
    Ok(())
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |error| Error::file(path, error);
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, bytes).map_err(failed)
}
