//! spec/SPEC.md and its citations hold together: every clause is cited by a test, and every citation
//! in the repository names a clause that exists.
//!
//! A citation by a test is one in a file below a `tests` folder, in the `#[cfg(test)]` part of a
//! source file, in a file called tests.rs, or in the `# clauses:` line of a program in riscv-tests/own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A citation: the clause, and the file and line that cites it.
struct Citation {
    clause: String,
    place: String,
    is_test: bool,
}

#[test]
fn every_clause_is_cited_by_a_test() {
    let cited: BTreeSet<String> = citations().into_iter().filter(|c| c.is_test).map(|c| c.clause).collect();
    let missing: Vec<String> = clauses().into_iter().filter(|clause| !cited.contains(clause)).collect();
    assert!(
        missing.is_empty(),
        "no test cites {}: write `// {}` beside the check that would fail without it",
        missing.join(", "),
        missing[0]
    );
}

#[test]
fn every_citation_names_a_clause() {
    let known: BTreeSet<String> = clauses().into_iter().collect();
    let wrong = citations().into_iter().filter(|citation| !known.contains(&citation.clause));
    let wrong: Vec<String> = wrong.map(|citation| format!("{}: {}", citation.place, citation.clause)).collect();
    assert!(wrong.is_empty(), "not in spec/SPEC.md:\n{}", wrong.join("\n"));
}

#[test]
fn clauses_are_numbered_without_gaps() {
    let mut families: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for clause in clauses() {
        let (family, number) = clause.split_once('-').expect("a clause is FAMILY-NUMBER");
        families.entry(family.into()).or_default().push(number.parse().expect("a number"));
    }
    for (family, numbers) in families {
        let wanted: Vec<u32> = (1..=numbers.len() as u32).collect();
        assert_eq!(numbers, wanted, "{family}");
    }
}

/// The ids in spec/SPEC.md, from paragraphs that begin `**MEM-3.**`.
fn clauses() -> Vec<String> {
    let text = fs::read_to_string(root().join("spec/SPEC.md")).expect("spec/SPEC.md");
    let ids = text.lines().filter_map(|line| line.strip_prefix("**")?.split_once(".**").map(|(id, _)| id.to_string()));
    let ids: Vec<String> = ids.collect();
    assert!(ids.len() > 50, "spec/SPEC.md has only {} clauses", ids.len());
    ids
}

fn citations() -> Vec<Citation> {
    let families: BTreeSet<String> =
        clauses().iter().filter_map(|id| Some(id.split_once('-')?.0.to_string())).collect();
    files(&root()).iter().flat_map(|file| citations_in(file, &families)).collect()
}

fn citations_in(file: &Path, families: &BTreeSet<String>) -> Vec<Citation> {
    let Ok(text) = fs::read_to_string(file) else { return Vec::new() };
    let shown = file.strip_prefix(root()).unwrap_or(file).display().to_string();
    let mut is_test = is_test_file(&shown);
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        is_test |= line.trim() == "#[cfg(test)]";
        let is_test = is_test || (shown.starts_with("riscv-tests/own/") && line.starts_with("# clauses:"));
        let place = format!("{shown}:{}", index + 1);
        found.extend(ids(line, families).into_iter().map(|clause| Citation { clause, place: place.clone(), is_test }));
    }
    found
}

fn is_test_file(shown: &str) -> bool {
    let is_rust = shown.ends_with(".rs");
    // This file explains citations; it tests none.
    let is_here = shown.ends_with("harness/tests/clauses.rs");
    is_rust && !is_here && (shown.contains("tests/") || shown.ends_with("/tests.rs"))
}

/// The ids in a line: a family of the specification, a hyphen, a number.
fn ids(line: &str, families: &BTreeSet<String>) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let words = line.split(|c| !is_part(c));
    let is_id = |word: &&str| {
        let number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        word.split_once('-').is_some_and(|(family, rest)| families.contains(family) && number(rest))
    };
    words.filter(is_id).map(String::from).collect()
}

/// Every source, test and document of the repository.
fn files(folder: &Path) -> Vec<PathBuf> {
    const TEXT: [&str; 7] = ["rs", "md", "S", "h", "json", "mk", "py"];
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the repository").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            if name != "target" && name != "node_modules" && !name.starts_with('.') {
                found.extend(files(&path));
            }
        } else if TEXT.iter().any(|ext| path.extension().is_some_and(|e| e == *ext)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the checkout")
}
