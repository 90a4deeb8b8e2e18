//! RISC Zero's programs through the command: published guests, their identity, and sentences for bad files.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{log_builder, loop_guest};
use lockstep::risc0::V1COMPAT;
use serde_json::Value;

/// A file of these bytes in the tests' own folder.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, bytes).expect("the file can be written");
    path
}

fn lockstep(command: &str, program: &Path, args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_lockstep")).arg(command).arg(program).args(args).output();
    output.expect("the command runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs `program` on `input` and returns the report with RISC Zero's cycles.
fn report(program: &Path, input: &[u8], args: &[&str]) -> (Value, Output) {
    let name = format!("input-{}", input.len());
    let input = file(&name, input);
    let more = ["--stats", "--format", "json", "--input", input.to_str().expect("the path is UTF-8")];
    let output = lockstep("run", program, &[args, &more].concat());
    (serde_json::from_slice(&output.stdout).expect("stdout is one JSON object"), output)
}

/// ELF-11, ELF-12: the image ID is the one published beside the program.
#[test]
fn the_image_id_is_the_published_one() {
    let id = fs::read(log_builder().with_extension("iid")).expect("the ID is published");
    let wanted: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let output = lockstep("image-id", &log_builder(), &[]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), wanted);
    // ELF-10: the kernel given by name is the one in the file.
    let output = lockstep("image-id", &log_builder(), &["--kernel", "v1compat"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), wanted);
}

/// ELF-10: without RISC Zero's kernel its calls go nowhere, and the fault says why.
#[test]
fn a_guest_without_its_kernel_is_told() {
    let input = file("no-input", &[]);
    let check = |program: &Path, is_told: bool| {
        let text = stderr(&lockstep("run", program, &["--input", input.to_str().expect("the path is UTF-8")]));
        assert!(text.contains("fault: "), "{text}");
        assert_eq!(text.contains("note: this is a RISC Zero guest; run it with --kernel v1compat"), is_told, "{text}");
    };
    check(&loop_guest(), true);
    // A file with its kernel, and a panic of the guest's own.
    check(&log_builder(), false);
}

/// COST-1 to COST-4: RISC Zero's cost beside ours, as RISC Zero's own executor counts it (`make risc0-diff`).
#[test]
fn stats_show_both_costs() {
    let input = file("stats-input", &700_000u32.to_le_bytes());
    let args = ["--kernel", "v1compat", "--stats", "--input", input.to_str().expect("the path is UTF-8")];
    let text = stderr(&lockstep("run", &loop_guest(), &args));
    let theirs = "RISC Zero: 1400167 user cycles, 8689 paging, 1572864 total; segments of po2 [20, 19]";
    assert!(text.lines().any(|line| line == theirs), "{text}");
    assert!(text.contains("1400162 instructions, "), "{text}");
}

/// HOST-1, TIME-1: a trace has the steps of the run, the kernel's and the user's, and a host that answers.
#[test]
fn a_trace_has_the_steps_of_the_run() {
    let count = 300u32.to_le_bytes();
    let (report, _) = report(&loop_guest(), &count, &["--kernel", "v1compat"]);
    let input = file("trace-input", &count);
    let args = ["--kernel", "v1compat", "--format", "rvfi", "--input", input.to_str().expect("the path is UTF-8")];
    let output = lockstep("trace", &loop_guest(), &args);
    assert!(output.status.success(), "{}", stderr(&output));
    let steps: Vec<Value> = output.stdout.split(|byte| *byte == b'\n').flat_map(serde_json::from_slice).collect();
    assert_eq!(report["instructions"], steps.len());
    let user_steps = steps.iter().filter(|step| step["pc_rdata"].as_u64().is_some_and(|pc| pc < 0xC000_0000)).count();
    // A turn is two instructions.
    assert!(user_steps > 600 && user_steps < steps.len(), "{user_steps} of {}", steps.len());
}

/// ECALL-19: a trace of an R0BF file that panics ends where the run ends, and says why.
#[test]
fn a_trace_ends_in_the_panic() {
    let (report, _) = report(&log_builder(), &[], &[]);
    let input = file("trace-nothing", &[]);
    let output = lockstep("trace", &log_builder(), &["--input", input.to_str().expect("the path is UTF-8")]);
    let lines = String::from_utf8_lossy(&output.stdout).lines().count();
    assert_eq!(report["instructions"], lines);
    assert!(stderr(&output).contains("guest panicked: "), "{}", stderr(&output));
}

/// ECALL-5, HOST-1: the executable specification judges every step but the services that it does not have.
#[test]
fn the_specification_agrees_on_a_guest() {
    let input = file("spec-input", &3u32.to_le_bytes());
    let input = input.to_str().expect("the path is UTF-8");
    let check = |program: &Path, args: &[&str], words: &[&str]| {
        for depth in ["block", "step"] {
            let args = [args, &["--input", input, "--diff", "spec", "--depth", depth]].concat();
            let output = lockstep("trace", program, &args);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{text}{}", stderr(&output));
            words.iter().for_each(|word| assert!(text.contains(word), "{word} in {text}"));
        }
    };
    check(&loop_guest(), &["--kernel", "v1compat"], &["agree on 168 steps", "exit code 0", "beyond spec"]);
    check(&log_builder(), &[], &["the program ended by a fault", "beyond spec"]);
}

/// ELF-10, HOST-1, HOST-2, COST-1 to COST-4: the loop reads its count by SYS_READ. Its cost is counted by hand:
/// a turn is two cycles, so 11,000 turns more cost 22,000 user cycles more and no paging.
#[test]
fn the_loop_guest_runs_its_count() {
    let run = |count: u32| {
        let (report, output) = report(&loop_guest(), &count.to_le_bytes(), &["--kernel", "v1compat"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let cycles = &report["risc0"]["cycles"];
        let numbers = ["user", "paging", "total"].map(|key| cycles[key].as_u64().expect("a number"));
        (numbers, cycles["segments_po2"].clone(), report["instructions"].as_u64().expect("a number"))
    };
    let ([user_0, paging_0, _], _, instructions_0) = run(1_000);
    let ([user_1, paging_1, total], segments, instructions_1) = run(12_000);
    assert_eq!((user_1 - user_0, instructions_1 - instructions_0, paging_1), (22_000, 22_000, paging_0));
    assert_eq!((total, segments), (1 << 16, serde_json::json!([16])));
    // More than a segment's 2^20 cycles.
    let (_, segments, _) = run(600_000);
    assert_eq!(segments[0], 20);
    assert_eq!(segments.as_array().map(Vec::len), Some(2));
}

/// ECALL-19, HOST-2, TRAP-6: a guest that panics ends the run with its message and its own backtrace.
#[test]
fn a_panic_reaches_the_caller() {
    let (report, output) = report(&log_builder(), &[], &[]);
    assert_eq!(output.status.code(), Some(139));
    let message = report["risc0"]["refusal"].as_str().expect("the guest panicked");
    assert!(message.starts_with("guest panicked: ") && message.contains("DeserializeUnexpectedEnd"), "{message}");
    let text = stderr(&output);
    for function in ["sys_panic", "core::result::unwrap_failed", "risc0_zkvm::guest::env::read_frame"] {
        assert!(text.contains(function), "{function} in {text}");
    }
    // TRAP-6: the line that debugs it gives the guest the same input.
    let line = text.lines().find(|line| line.contains("debug it:")).expect("the report says how to go on");
    assert!(line.contains("--input ") && line.ends_with("--at-fault"), "{line}");
}

/// A frame for the log builder: a work log that continues another. The journal is what the guest commits:
/// log, old root, new root, value, image ID.
fn continued_log() -> (Vec<u8>, Vec<u8>) {
    let (id, log, root) = ([0x22; 32], [0x11; 20], [0x33; 32]);
    let journal = [&log[..], &root, &root, &0u64.to_le_bytes(), &id].concat();
    let body = [&[1][..], &journal, &0u32.to_le_bytes(), &id].concat();
    ([&(body.len() as u32).to_le_bytes()[..], &body].concat(), journal)
}

/// HOST-4: a receipt has no place for what a run takes for granted, and so there is none.
#[cfg(feature = "prove")]
#[test]
fn a_run_with_assumptions_has_no_receipt() {
    let input = file("continued-log", &continued_log().0);
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("assumption.lsp");
    let args = ["--input", input.to_str().expect("UTF-8"), "-o", out.to_str().expect("UTF-8")];
    let output = lockstep("prove", &log_builder(), &args);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("rests on 1 assumptions"), "{}", stderr(&output));
}

/// HOST-4: a work log that continues another asks for the proof of that one; it is an assumption here.
#[test]
fn verify_integrity_is_an_assumption() {
    let (frame, journal) = continued_log();
    let (report, output) = report(&log_builder(), &frame, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(report["risc0"]["assumptions"].as_array().map(Vec::len), Some(1));
    assert_eq!(report["journal"].as_str().map(str::len), Some(2 * journal.len()));
}

/// HOST-3, TIME-3: the same seed and input give the same run.
#[test]
fn runs_repeat() {
    let run = || {
        let (mut report, _) = report(&log_builder(), &[1, 2, 3], &["--seed", "5"]);
        report["seconds"] = Value::Null;
        report
    };
    assert_eq!(run(), run());
}

/// The sentence of `lockstep run` for `bytes`.
fn sentence(name: &str, bytes: &[u8], args: &[&str]) -> String {
    let output = lockstep("run", &file(name, bytes), args);
    assert_eq!(output.status.code(), Some(2), "{name}: {}", stderr(&output));
    stderr(&output)
}

/// ELF-11: damage, other versions and other ABIs, each in a sentence that names what was found and expected.
#[test]
fn bad_r0bf_files_get_a_sentence() {
    let good = fs::read(log_builder()).expect("the file is published");
    let changed = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    let check = |name: &str, bytes: &[u8], words: &[&str]| {
        let text = sentence(name, bytes, &[]);
        for word in words {
            assert!(text.contains(word), "{word} in {text}");
        }
        assert!(text.trim_end().ends_with("(ELF-11)") && text.lines().count() == 1, "{text}");
    };
    check("magic-only", b"R0BF", &["truncated: 4 bytes", "12"]);
    check("version", &changed(4, 3), &["version 3", "only version 1"]);
    check("header", &good[..20], &["damaged"]);
    check("program", &good[..1000], &["damaged"]);
    // The header's one entry: kind V1Compat (0), then the length and text of "1.0.0".
    check("kind", &changed(21, 1), &["ABI Linux", "only V1Compat"]);
    check("abi", &changed(23, b'2'), &["version 2.0.0", "only 1.x"]);
}

/// ELF-5, ELF-10: where a program and a kernel made for RISC Zero may lie.
#[test]
fn overlaps_get_a_sentence() {
    let good = fs::read(loop_guest()).expect("the file is published");
    // The first program header's address: into the kernel.
    let with_word = |at: usize, value: u32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let first_load = (52..).step_by(32).find(|at| good[*at] == 1).expect("a PT_LOAD header");
    let text = sentence("in-kernel", &with_word(first_load + 8, 0xC000_0000), &["--kernel", "v1compat"]);
    assert!(text.contains("reaches into kernel memory") && text.contains("ELF-5"), "{text}");
    let kernel = file("kernel", &V1COMPAT[..40]);
    let text = sentence("good", &good, &["--kernel", kernel.to_str().expect("the path is UTF-8")]);
    assert!(text.contains("kernel") && text.contains("truncated: 40 bytes"), "{text}");
}
