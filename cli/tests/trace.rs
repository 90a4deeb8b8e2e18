//! `lockstep trace` as a user meets it: formats, ranges, comparison, and sentences for bad input.

mod assembly;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use assembly::program;
use serde_json::Value;

fn lockstep(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lockstep")).args(args).output().expect("the command runs")
}

const COUNTDOWN: &str = "li t0, 1000\n0: addi t0, t0, -1\nsw t0, -64(sp)\nbnez t0, 0b\nli a0, 0\nli a7, 0\necall";

fn trace(name: &str, args: &[&str]) -> Output {
    let elf = program(name, &format!("li sp, 0x40000\n{COUNTDOWN}"));
    let path = elf.to_str().expect("the path is UTF-8");
    lockstep(&[&["trace", path, "--kernel", "none"], args].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// TIME-1: a range counts steps from 0 and leaves its end out.
#[test]
fn a_range_of_steps_as_spike_logs_them() {
    let output = trace("range", &["--range", "1..4"]);
    let expected = "core   0: 3 0x00020004 (0x3e800293) x5  0x000003e8\n\
                    core   0: 3 0x00020008 (0xfff28293) x5  0x000003e7\n\
                    core   0: 3 0x0002000c (0xfc512023) mem 0x0003ffc0 0x000003e7\n";
    assert_eq!(text(&output.stdout), expected);
    assert!(output.status.success());
}

#[test]
fn rvfi_fields_as_json() {
    let output = trace("rvfi", &["--range", "3..4", "--format", "rvfi"]);
    let record: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let fields = [("order", 3), ("pc_rdata", 0x2000c), ("mem_addr", 0x3ffc0), ("mem_wmask", 15), ("mem_wdata", 999)];
    for (field, value) in fields {
        assert_eq!(record[field], value, "{field}");
    }
}

#[test]
fn a_trace_in_a_file() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trace.log");
    let output = trace("file", &["-o", file.to_str().expect("UTF-8")]);
    assert!(output.status.success() && output.stdout.is_empty());
    let lines = fs::read_to_string(&file).expect("the file is there").lines().count();
    assert_eq!(lines, 2 + 3 * 1000 + 3);
}

#[test]
fn agreement_with_the_specification_at_both_depths() {
    for depth in ["block", "step"] {
        for engine in ["step", "block"] {
            let output = trace("spec", &["--diff", "spec", "--depth", depth, "--engine", engine]);
            let expected = "lockstep and spec agree on 3005 steps from 0 on; the program ended with exit code 0\n";
            assert_eq!(text(&output.stdout), expected, "{}", text(&output.stderr));
            assert_eq!(output.status.code(), Some(0));
        }
    }
}

#[test]
fn a_simulator_that_is_not_installed_is_a_named_skip() {
    let elf = program("skip", COUNTDOWN);
    let path = elf.to_str().expect("UTF-8");
    let output = Command::new(env!("CARGO_BIN_EXE_lockstep"))
        .args(["trace", path, "--kernel", "none", "--diff", "spike"])
        .env("LOCKSTEP_REFERENCES", "/nowhere")
        .output()
        .expect("the command runs");
    assert_eq!(output.status.code(), Some(4));
    let expected = "error: --diff spike: skipped (not installed; run `make references`)\n";
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn bad_ranges_are_one_sentence() {
    let rows = [("9..3", "the range 9..3 is empty"), ("x", "is not a range"), ("99999..", "ends after 3005 steps")];
    for (range, sentence) in rows {
        let output = trace("bad", &["--range", range]);
        assert_eq!(output.status.code(), Some(2), "{range}");
        assert!(text(&output.stderr).contains(sentence), "{range}: {}", text(&output.stderr));
    }
}
