//! The conformance run: the suites pass, and what should fail does.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockstep::isa::Reg;
use lockstep::map::Mode;
use lockstep_harness::conformance::{self, Options, engines, judge};
use lockstep_harness::coverage::Coverage;
use lockstep_harness::mutants;
use lockstep_harness::report::{Cell, Verdict};
use lockstep_harness::suites::manifest::Manifest;
use lockstep_harness::suites::{End, Program, Test, collect, own};

/// Every suite on every engine. The first run fetches packages.
#[test]
fn every_suite_passes() {
    let options = Options { root: root(), ..Options::default() };
    let report = conformance::run(&options, &|_, _| {}).expect("a checkout");
    let failures: Vec<_> = report.failures().collect();
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(report.problems, [""; 0]);
    assert_eq!(report.coverage.missing, [""; 0]);
    assert!(report.totals.passed > 1000, "only {} cells", report.totals.passed);
    assert_eq!(report.closing_line().split(", ").count(), 3);
}

#[test]
fn a_changed_package_is_refused() {
    let root = folder("changed");
    let manifest = r#"{ "packages": [{ "name": "p", "version": "1.0.0", "registry": "cargo", "file": "p-1.0.0.crate",
        "sha256": "00", "licence": "-" }],
        "suites": [{ "name": "s", "about": "-", "kind": "risc0-elf", "package": "p", "path": "-", "tests": 1 }] }"#;
    fs::create_dir_all(root.join("target/suites/packages")).unwrap();
    fs::write(root.join("target/suites/packages/p-1.0.0.crate"), "not what was pinned").unwrap();
    let problem = only_problem(&root, manifest);
    assert!(problem.contains("SHA-256 is") && problem.contains("pins 00 for p 1.0.0"), "{problem}");
}

#[test]
fn fewer_tests_than_pinned_are_a_problem() {
    let manifest =
        r#"{ "packages": [], "suites": [{ "name": "s", "about": "-", "kind": "own", "path": "none", "tests": 7 }] }"#;
    let root = folder("fewer");
    fs::create_dir_all(root.join("none")).unwrap();
    assert_eq!(only_problem(&root, manifest), "suite s: 0 tests found, but riscv-tests/MANIFEST.json pins 7");
}

/// The problem of the one suite of `manifest`.
fn only_problem(root: &Path, manifest: &str) -> String {
    let manifest: Manifest = serde_json::from_str(manifest).expect("a manifest");
    let collected = collect::all(root, &manifest);
    collected[0].problem.as_ref().expect("a problem").to_string()
}

#[test]
fn a_test_that_never_ends_fails() {
    const JUMP_TO_ITSELF: u32 = 0x0000_006f;
    check(&[JUMP_TO_ITSELF], End::exit(0), Some("did not end within 2000000 steps"));
}

#[test]
fn a_wrong_end_fails() {
    const ECALL: u32 = 0x0000_0073;
    const EBREAK: u32 = 0x0010_0073;
    // lui a0, 0x30: terminate with a0 = 0x0003_0000, the exit code of check 1.
    let check_1_failed = [0x0003_0537, ECALL];
    check(&[ECALL], End::exit(0), None);
    check(&[ECALL], End::exit(1), Some("instead of Halted 1"));
    check(&check_1_failed, End::exit(0), Some("ended with Halted 3 (check 1)"));
    check(&[EBREAK], End::exit(0), Some("breakpoint"));
    check(&[ECALL], End::Ecall { registers: vec![(Reg::new(28), 1)] }, Some("t3 = 0x0 at the end instead of 0x1"));
    check(&[ECALL], End::SPEC, None);
    let signature = |words| End::Signature { halt: START, start: START, words };
    check(&[ECALL], signature(vec![ECALL]), None);
    check(&[ECALL], signature(vec![EBREAK]), Some("signature word at 0x00010000 is 0x00000073"));
}

const START: u32 = 0x0001_0000;

/// Runs `code` in machine mode and judges it by `end`.
#[track_caller]
fn check(code: &[u32], end: End, problem: Option<&str>) {
    // A breakpoint counts from the second instruction on.
    let code: Vec<u32> = code.to_vec();
    let program = match end {
        End::Ecall { .. } | End::Signature { .. } => chunk([vec![0x0000_0013], code].concat()),
        _ => chunk(code),
    };
    let end = match end {
        End::Signature { words, .. } => End::Signature { halt: START + 4, start: START + 4, words },
        other => other,
    };
    let test = Test {
        suite: "s".into(),
        name: "t".into(),
        program,
        end,
        stdin: Vec::new(),
        stdout: None,
        clauses: Vec::new(),
    };
    let Cell { verdict, reason, .. } = judge::judge(&test, &engines::plain(), &mut Coverage::default());
    assert_eq!(verdict == Verdict::Pass, problem.is_none(), "{reason:?}");
    if let Some(problem) = problem {
        let reason = reason.unwrap_or_default().replace("0x00010004 is", "0x00010000 is");
        assert!(reason.contains(problem), "{reason}");
    }
}

fn chunk(code: Vec<u32>) -> Program {
    Program::Generated { chunks: Arc::new(vec![(START, code)]), start: START, mode: Mode::Machine }
}

#[test]
fn comments_of_our_programs_are_read() {
    let said = own::directives("# clauses: MAP-1 MAP-2\n# kernel: both\n# stdin: x\n# case a: exit 3\n").unwrap();
    assert_eq!(said.clauses, ["MAP-1", "MAP-2"]);
    assert!(said.is_for_machine && said.is_for_user);
    assert_eq!((said.stdin, said.cases), (b"x".to_vec(), vec![("a".to_string(), "exit 3".to_string())]));
    assert!(own::directives("# kernel: none\n").unwrap_err().contains("# clauses"));
    assert!(own::directives("# clauses: A\n# kernel: mine\n").unwrap_err().contains("not mine"));
}

/// The table of mutants fits the core as it is.
#[test]
fn every_mutant_has_its_place() {
    let mut names: Vec<&str> = mutants::MUTANTS.iter().map(|mutant| mutant.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), mutants::MUTANTS.len(), "two mutants share a name");
    assert!(names.len() >= 60, "only {} mutants", names.len());
    for mutant in mutants::MUTANTS {
        let text = fs::read_to_string(root().join(mutant.file)).expect("a file of the core");
        let mutated = mutants::mutate(mutant.file, &text).unwrap_or_else(|error| panic!("{error}"));
        assert_ne!(mutated, text);
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the checkout")
}

/// An empty folder.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}
