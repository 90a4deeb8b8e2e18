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

/// ECALL-13, HOST-5: a published guest of RISC Zero's library, which hashes its journal and its assumption by sha2: its
/// receipt opens to both.
#[cfg(feature = "prove")]
#[test]
fn a_published_guest_that_hashes_is_proved_with_its_assumption() {
    let (frame, journal) = continued_log();
    let (input, journal) = (file("continued-log", &frame), file("continued-journal", &journal));
    let [input, journal] = [&input, &journal].map(|path| path.to_str().expect("UTF-8"));
    let receipt = Path::new(env!("CARGO_TARGET_TMPDIR")).join("continued.lsp");
    let args = ["--input", input, "-o", receipt.to_str().expect("UTF-8")];
    let proved = lockstep("prove", &log_builder(), &args);
    assert!(proved.status.success(), "{}", stderr(&proved));
    let message = stderr(&proved);
    let line = message.lines().find_map(|line| line.strip_prefix("assumes: claim ")).expect("it assumes something");
    let claim = &line[..64];
    let id = String::from_utf8(lockstep("image-id", &log_builder(), &[]).stdout).expect("UTF-8").trim().to_owned();
    let verify = |args: &[&str]| lockstep("verify", &receipt, &[&["--image-id", &id, "--risc0"], args].concat());
    let verified = verify(&["--assume", claim, "--journal", journal]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
    assert_eq!(verify(&["--journal", journal]).status.code(), Some(1));
    assert_eq!(verify(&["--assume", claim, "--journal", input]).status.code(), Some(1));
}

/// HOST-5: a published guest that hashes nothing: its output digest is that of an empty journal and no assumptions.
#[cfg(feature = "prove")]
#[test]
fn a_published_guest_is_proved() {
    let (input, empty) = (file("five-turns", &5u32.to_le_bytes()), file("loop-journal", &[]));
    let [input, empty] = [&input, &empty].map(|path| path.to_str().expect("UTF-8"));
    let receipt = Path::new(env!("CARGO_TARGET_TMPDIR")).join("loop.lsp");
    let kernel = ["--kernel", "v1compat"];
    let args = ["--input", input, "-o", receipt.to_str().expect("UTF-8")];
    let proved = lockstep("prove", &loop_guest(), &[&kernel[..], &args].concat());
    assert!(proved.status.success(), "{}", stderr(&proved));
    let id = String::from_utf8(lockstep("image-id", &loop_guest(), &kernel).stdout).expect("UTF-8").trim().to_owned();
    let verified = lockstep("verify", &receipt, &["--image-id", &id, "--risc0", "--journal", empty]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
    // The rule of another kernel is not tried in its stead.
    let other = lockstep("verify", &receipt, &["--image-id", &id]);
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other.stdout).contains("say --risc0"));
}

/// A guest that asks for `claim` by verify_integrity, writes no journal and halts with `output` as its output digest.
#[cfg(feature = "prove")]
fn assuming_guest(name: &str, claim: [u8; 32], output: [u8; 32]) -> PathBuf {
    let list = |bytes: &[u8]| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
    let source = format!(
        ".globl _start
_start: li t0, 2; li t6, 14; li a0, 0; li a1, 0; la a2, name; la a3, assumption; li a4, 64; ecall
        li t0, 0; li a0, 0; la a1, output; ecall
        .balign 4
output: .byte {}
assumption: .byte {}; .zero 32
name: .asciz \"risc0_zkvm_platform::syscall::nr::SYS_VERIFY_INTEGRITY\"\n",
        list(&output),
        list(&claim)
    );
    let (source, elf) = (file(&format!("{name}.s"), source.as_bytes()), file(name, &[]));
    let flags = ["-march=rv32im", "-mabi=ilp32", "-nostdlib", "-Wl,-Ttext=0x20000,-N,--no-warn-rwx-segments", "-o"];
    let status = Command::new("riscv64-unknown-elf-gcc").args(flags).args([&elf, &source]).status();
    assert!(status.expect("riscv64-unknown-elf-gcc runs; `make setup` installs it").success());
    elf
}

/// HOST-5: what a guest takes for granted is in its receipt, and the verifier must accept it by name.
#[cfg(feature = "prove")]
#[test]
fn a_receipt_lists_its_assumptions() {
    use lockstep::risc0::{Assumption, Output};
    use lockstep_prove::receipt::Receipt;
    let claim = [0x5a; 32];
    let wanted = Output::of(&[], &[Assumption { claim, control_root: [0; 32] }]);
    let guest = assuming_guest("assuming.elf", claim, wanted.digest());
    let receipt = Path::new(env!("CARGO_TARGET_TMPDIR")).join("assuming.lsp");
    let kernel = ["--kernel", "v1compat"];
    let proved = lockstep("prove", &guest, &[&kernel[..], &["-o", receipt.to_str().expect("UTF-8")]].concat());
    assert!(proved.status.success(), "{}", stderr(&proved));
    let id = String::from_utf8(lockstep("image-id", &guest, &kernel).stdout).expect("UTF-8").trim().to_owned();
    let hex = "5a".repeat(32);
    assert!(stderr(&proved).contains(&format!("assumes: claim {hex}")), "{}", stderr(&proved));
    let verify = |receipt: &Path, args: &[&str]| {
        let output = lockstep("verify", receipt, &[&["--image-id", &id], args].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output))
    };
    let check = |receipt: &Path, args: &[&str], code: i32, words: &str| {
        let (found, text) = verify(receipt, args);
        assert!(found == Some(code) && text.contains(words), "{args:?}: {found:?} {text}");
    };
    let empty = file("no-journal", &[]);
    let empty = empty.to_str().expect("UTF-8");
    let other = file("other-journal", b"other");
    check(&receipt, &["--risc0", "--assume", &hex, "--journal", empty], 0, &format!("assumes: claim {hex}"));
    check(&receipt, &["--risc0"], 1, "rests on what was not accepted: claim 5a5a");
    check(&receipt, &["--risc0", "--assume", &"5b".repeat(32)], 1, "not accepted");
    check(&receipt, &["--risc0", "--assume", &format!("{hex}:{hex}")], 1, "not accepted");
    let other = other.to_str().expect("UTF-8");
    check(&receipt, &["--risc0", "--assume", &hex, "--journal", other], 1, "not that of the journal");
    // Read by the default kernel's rule the digest would be that of another journal.
    check(&receipt, &[], 1, "not accepted");
    check(&receipt, &["--assume", &hex], 2, "--risc0");
    check(&receipt, &["--risc0", "--assume", "5a"], 2, "64 hexadecimal digits");
    let inspected = lockstep("inspect", &receipt, &[]);
    assert!(String::from_utf8_lossy(&inspected.stdout).contains(&format!("assumes      claim {hex}")));

    // A receipt that hides them, and one that lists others.
    let honest = Receipt::from_bytes(&fs::read(&receipt).expect("it was written")).expect("it is a receipt");
    let changed = |name: &str, output: Option<Output>| {
        let mut other = honest.clone();
        other.opening = output.map(|output| opening(&output));
        file(name, &other.to_bytes())
    };
    let stripped = changed("stripped.lsp", None);
    check(&stripped, &["--risc0", "--assume", &hex], 1, "does not say what the output digest");
    let lying = changed("lying.lsp", Some(Output::of(&[], &[])));
    check(&lying, &["--risc0"], 1, "the output digest is not that of the journal and the assumptions");

    // A guest that asks and does not commit has no receipt.
    let silent = assuming_guest("silent.elf", claim, Output::of(&[], &[]).digest());
    let never = Path::new(env!("CARGO_TARGET_TMPDIR")).join("never.lsp");
    let output = lockstep("prove", &silent, &[&kernel[..], &["-o", never.to_str().expect("UTF-8")]].concat());
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("rests on 1 assumptions") && stderr(&output).contains("HOST-5"));
    let report = lockstep("run", &silent, &kernel);
    assert!(stderr(&report).contains("note: the output digest is not that of"), "{}", stderr(&report));
}

/// An opening as a liar writes it: [`lockstep_prove::opening::Opening::of`] makes none that is wrong.
#[cfg(feature = "prove")]
fn opening(output: &lockstep::risc0::Output) -> lockstep_prove::opening::Opening {
    let assumptions: Vec<Value> =
        output.assumptions.iter().map(|one| serde_json::json!([one.claim, one.control_root])).collect();
    let text = serde_json::json!({ "journal": output.journal, "assumptions": assumptions });
    serde_json::from_value(text).expect("an opening")
}

/// HOST-4: a work log that continues another asks for the proof of that one; it is an assumption here.
#[test]
fn verify_integrity_is_an_assumption() {
    let (frame, journal) = continued_log();
    let (report, output) = report(&log_builder(), &frame, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(report["risc0"]["assumptions"].as_array().map(Vec::len), Some(1));
    // HOST-5: what RISC Zero's own library put into the output digest.
    assert_eq!(report["risc0"]["output"]["commits"], true);
    assert_eq!(report["journal"].as_str().map(str::len), Some(2 * journal.len()));
}

/// HOST-6: the claim of a run is what RISC Zero's library names when a guest builds on that run.
#[test]
fn the_claim_is_what_the_next_guest_assumes() {
    let id = fs::read(log_builder().with_extension("iid")).expect("the ID is published");
    let frame = |body: &[u8]| [&(body.len() as u32).to_le_bytes()[..], body].concat();
    let no_updates = 0u32.to_le_bytes();
    let (first, _) = report(&log_builder(), &frame(&[&[0][..], &[0x11; 20], &no_updates, &id].concat()), &[]);
    assert_eq!(first["risc0"]["output"]["commits"], true, "{first}");
    let journal = first["journal"].as_str().expect("a journal");
    let bytes = |at: usize| u8::from_str_radix(&journal[at..at + 2], 16).expect("hexadecimal");
    let journal: Vec<u8> = (0..journal.len()).step_by(2).map(bytes).collect();
    let (second, _) = report(&log_builder(), &frame(&[&[1][..], &journal, &no_updates, &id].concat()), &[]);
    assert_eq!(second["risc0"]["assumptions"][0]["claim"], first["risc0"]["claim"]);
    assert!(first["risc0"]["claim"].is_string());
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

/// MAP-12: a kernel that wants another machine's version word than v2's is told which one it found.
#[test]
fn a_kernel_for_another_machine_is_told() {
    let kernel = |name: &str, version: u32| {
        let source = format!(
            ".globl _start
_start: lui a0, 0xffff0; lw a1, 0x300(a0); li a2, {version}; beq a1, a2, 1f; unimp
1:      li a0, 0; li a7, 0; ecall\n"
        );
        let (source, elf) = (file(&format!("{name}.s"), source.as_bytes()), file(name, &[]));
        let flags = ["-march=rv32im", "-mabi=ilp32", "-nostdlib", "-Wl,-Ttext=0xc0000000,-N,--no-warn-rwx-segments"];
        let status = Command::new("riscv64-unknown-elf-gcc").args(flags).arg("-o").args([&elf, &source]).status();
        assert!(status.expect("riscv64-unknown-elf-gcc runs; `make setup` installs it").success());
        elf
    };
    let run = |kernel: &Path| lockstep("run", &loop_guest(), &["--kernel", kernel.to_str().expect("UTF-8")]);
    let m3 = run(&kernel("kernel-m3", 3));
    assert_eq!(m3.status.code(), Some(139));
    let text = stderr(&m3);
    assert!(text.contains("found 0, which is v2; if it is made for M3, which is 3,"), "{text}");
    let v2 = run(&kernel("kernel-v2", 0));
    assert_eq!((v2.status.code(), stderr(&v2).contains("version")), (Some(0), false));
}

/// ELF-10, ELF-11: the kernel of an R0BF file serves other programs.
#[test]
fn a_kernel_can_be_taken_from_an_r0bf_file() {
    let r0bf = log_builder();
    let id = |kernel: &str| lockstep("image-id", &loop_guest(), &["--kernel", kernel]).stdout;
    assert_eq!(id(r0bf.to_str().expect("UTF-8")), id("v1compat"));
    let cut = file("cut-kernel", &fs::read(&r0bf).expect("it is published")[..1000]);
    let text = sentence(
        "good",
        &fs::read(loop_guest()).expect("it is published"),
        &["--kernel", cut.to_str().expect("UTF-8")],
    );
    assert!(text.contains("kernel ") && text.contains("damaged R0BF file"), "{text}");
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
