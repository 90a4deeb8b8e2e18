//! `lockstep conformance` as a user meets it, on small suites of its own: what fails, what is missing and what hangs is
//! told on the terminal, in every report and by the exit code, and the rest goes on.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// A checkout with one suite of our own, `small`.
struct Checkout(PathBuf);

/// What the command said, and what it left.
struct Run {
    code: Option<i32>,
    stdout: String,
    report: Value,
    html: String,
    junit: String,
}

/// Ends with exit code 0.
const GOOD: &str = "li a0, 0\nli a7, 0\necall";

impl Checkout {
    fn new(name: &str, programs: &[(&str, &str)]) -> Checkout {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("riscv-tests")).expect("a folder");
        fs::create_dir_all(folder.join("small")).expect("a folder");
        let env = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("riscv-tests/env");
        symlink(env, folder.join("riscv-tests/env")).expect("a link");
        for (program, text) in programs {
            let text = format!("# clauses: ISA-1\n.globl _start\n_start:\n{text}\n");
            fs::write(folder.join("small").join(format!("{program}.S")), text).expect("a file");
        }
        let checkout = Checkout(folder);
        checkout.expects(&json!([]));
        checkout.has_suites(&[], &[checkout.small(programs.len())]);
        checkout
    }

    fn small(&self, tests: usize) -> Value {
        json!({ "name": "small", "about": "-", "kind": "own", "path": "small", "tests": tests })
    }

    fn has_suites(&self, packages: &[Value], suites: &[Value]) {
        let manifest = json!({ "packages": packages, "suites": suites });
        fs::write(self.0.join("riscv-tests/MANIFEST.json"), manifest.to_string()).expect("a file");
    }

    fn expects(&self, entries: &Value) {
        let list = json!({ "about": "-", "entries": entries });
        fs::write(self.0.join("riscv-tests/EXPECTED.json"), list.to_string()).expect("a file");
    }

    /// Puts `script` in the place of Spike's process.
    fn spike(&self, script: &str) -> &Checkout {
        let folder = self.0.join("references/spike/bin");
        fs::create_dir_all(&folder).expect("a folder");
        let shim = folder.join("spike-shim");
        fs::write(&shim, format!("#!/bin/sh\n{script}\n")).expect("a file");
        fs::set_permissions(&shim, fs::Permissions::from_mode(0o755)).expect("it can be made a program");
        self
    }

    /// Runs the command here, with no reference installed but what [`Checkout::spike`] put in its place.
    fn run(&self, args: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
        command.arg("conformance").args(args).current_dir(&self.0);
        command.env("LOCKSTEP_REFERENCES", self.0.join("references")).env("LOCKSTEP_PATIENCE", "1");
        let output = command.output().expect("the command runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let read = |name: &str| {
            fs::read_to_string(self.0.join("target/conformance").join(name))
                .unwrap_or_else(|error| panic!("{name}: {error}; {stderr}"))
        };
        Run {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            report: serde_json::from_str(&read("report.json")).expect("report.json is JSON"),
            html: read("index.html"),
            junit: read("junit.xml"),
        }
    }
}

impl Run {
    fn cell(&self, test: &str, column: &str) -> &Value {
        let tests = self.report["tests"].as_array().expect("a list of tests");
        let row = tests.iter().find(|row| row["name"] == test).unwrap_or_else(|| panic!("no test {test}"));
        &row["cells"][column]
    }

    fn verdicts(&self, test: &str, column: &str) -> (String, String) {
        let cell = self.cell(test, column);
        let text = |field: &str| cell[field].as_str().unwrap_or_default().to_string();
        (text("verdict"), text("reason"))
    }

    #[track_caller]
    fn says(&self, text: &str) {
        assert!(self.stdout.contains(text), "{text:?} is not in\n{}", self.stdout);
    }

    /// The last line counts what report.json counts; expected differences are among what did not pass.
    #[track_caller]
    fn counts(&self) {
        let total = |name: &str| self.report["totals"][name].as_u64().expect("a number");
        let (passed, failed, rest) = (total("passed"), total("failed"), total("skipped") + total("expected"));
        let line = format!("{passed} passed, {failed} failed, {rest} skipped");
        assert_eq!(self.stdout.lines().last(), Some(line.as_str()), "{}", self.stdout);
    }
}

/// One program that ends otherwise than it says, on every engine: one line on the terminal for all columns, and the same
/// in every report.
#[test]
fn what_fails_is_told_once_and_everywhere() {
    let wrong = "li a0, 0x40000\nli a7, 0\necall";
    let run = Checkout::new("fails", &[("good", GOOD), ("slli", wrong)]).run(&["--filter", "small/"]);
    let reason = "ended with Halted 4 instead of Halted 0";
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    let told: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with("FAILED")).collect();
    let [line] = told[..] else { panic!("not one line: {told:?}") };
    assert!(line.starts_with("FAILED small/slli on block, block+trace, jit, jit+trace, step, step+trace: "), "{line}");
    assert!(line.ends_with(reason), "{line}");
    run.says("failures by column: step 1, step+trace 1, block 1, block+trace 1, jit 1, jit+trace 1");
    run.says("in tests about: slli");
    run.counts();
    for column in ["step", "block+trace", "jit"] {
        assert_eq!(run.verdicts("slli", column), ("fail".into(), reason.into()));
        assert_eq!(run.verdicts("good", column).0, "pass");
        assert!(run.html.contains(&format!("lockstep conformance --filter small/slli --column {column}")), "{column}");
    }
    assert_eq!(run.report["totals"]["failed"], 6);
    assert!(run.html.contains(reason));
    assert_eq!(run.junit.matches("<failure").count(), 6, "{}", run.junit);
    assert!(run.junit.contains("failures=\"6\""), "{}", run.junit);
}

/// The same failure with an entry in the reviewed list is no failure, and no pass either.
#[test]
fn an_expected_difference_is_counted_apart() {
    let checkout = Checkout::new("expected", &[("good", GOOD), ("slli", "li a0, 0x40000\nli a7, 0\necall")]);
    let entry = |test: &str| json!({ "test": test, "column": "*", "says": "Halted 4", "clause": "ISA-7", "why": "-" });
    checkout.expects(&json!([entry("small/slli")]));
    let run = checkout.run(&["--filter", "small/"]);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    run.says("6 expected differences (e)");
    assert_eq!(run.report["totals"]["expected"], 6);
    assert_eq!(run.verdicts("slli", "jit").0, "expected");
    run.counts();
}

#[test]
fn a_test_that_never_ends_fails_and_the_rest_goes_on() {
    let run = Checkout::new("endless", &[("good", GOOD), ("endless", "0: j 0b")]).run(&["--column", "block"]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    run.says("FAILED small/endless on block: did not end within 2000000 steps");
    assert_eq!(run.verdicts("good", "block").0, "pass");
    run.counts();
}

/// Where nothing is installed the first lines say so, and nothing looks passed.
#[test]
fn without_spike_the_first_lines_say_so() {
    let run = Checkout::new("absent", &[("good", GOOD)]).run(&["--filter", "small/"]);
    let head: Vec<&str> = run.stdout.lines().take(8).collect();
    for column in ["spike", "spike-cli", "spike-reset"] {
        let line = format!("NOT RUN {column}: not installed; run `make references`");
        assert!(head.contains(&line.as_str()), "{column}: {head:#?}");
        assert_eq!(run.verdicts("good", column), ("skip".into(), "not installed; run `make references`".into()));
    }
    assert!(run.html.contains("not installed; run `make references`"));
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    run.counts();
}

#[test]
fn a_spike_that_crashes_fails_by_name_and_the_rest_goes_on() {
    let checkout = Checkout::new("crashes", &[("good", GOOD), ("nice", GOOD)]);
    let run = checkout.spike("echo 'out of luck' >&2; exit 7").run(&["--filter", "small/"]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    for test in ["good", "nice"] {
        let (verdict, reason) = run.verdicts(test, "spike");
        assert_eq!(verdict, "fail");
        assert_eq!(reason, "the simulator died: spike: exit status: 7: out of luck");
        assert_eq!(run.verdicts(test, "rrs").0, "pass");
    }
    run.says("FAILED small/good on spike: the simulator died");
    run.counts();
}

/// The first test waits, the others do not.
#[test]
fn a_spike_that_hangs_fails_once_and_is_not_asked_again() {
    let programs = [("a", GOOD), ("b", GOOD), ("c", GOOD), ("d", GOOD), ("e", GOOD)];
    let run = Checkout::new("hangs", &programs).spike("exec sleep 600").run(&["--column", "spike"]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    let verdicts: Vec<_> = programs.iter().map(|(name, _)| run.verdicts(name, "spike")).collect();
    let hung = "the simulator does not answer: spike: no answer in 1 s";
    assert!(verdicts.contains(&("fail".into(), hung.into())), "{verdicts:?}");
    let not_asked = |(verdict, reason): &&(String, String)| {
        verdict == "skip" && reason.starts_with("not asked again: it did not answer in small/")
    };
    // Each of the two threads may have been waiting.
    assert!(verdicts.iter().filter(not_asked).count() >= 3, "{verdicts:?}");
    run.counts();
}

/// A package that is not the one that was pinned is not run; the other suites are.
#[test]
fn a_changed_package_is_a_problem_and_the_rest_goes_on() {
    let checkout = Checkout::new("changed", &[("good", GOOD)]);
    let package = json!({ "name": "p", "version": "1.0.0", "registry": "cargo", "file": "p-1.0.0.crate", "sha256": "00",
        "licence": "-" });
    let suite = json!({ "name": "theirs", "about": "-", "kind": "risc0-elf", "package": "p", "path": "-", "tests": 1 });
    checkout.has_suites(&[package], &[suite, checkout.small(1)]);
    fs::create_dir_all(checkout.0.join("target/suites/packages")).expect("a folder");
    fs::write(checkout.0.join("target/suites/packages/p-1.0.0.crate"), "not what was pinned").expect("a file");
    let run = checkout.run(&["--column", "step"]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    let problem = run.stdout.lines().find(|line| line.starts_with("PROBLEM")).unwrap_or_default();
    assert!(problem.contains("SHA-256 is") && problem.contains("pins 00 for p 1.0.0"), "{}", run.stdout);
    assert_eq!(run.verdicts("good", "step").0, "pass");
    run.counts();
}

#[test]
fn fewer_tests_than_pinned_are_a_problem() {
    let checkout = Checkout::new("fewer", &[("good", GOOD)]);
    checkout.has_suites(&[], &[checkout.small(2)]);
    let run = checkout.run(&["--column", "step"]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    run.says("PROBLEM suite small: 1 tests found, but riscv-tests/MANIFEST.json pins 2");
    assert_eq!(run.report["totals"]["passed"], 1);
}
