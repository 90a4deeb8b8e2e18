//! `lockstep prove`, `verify`, `inspect` and `image-id` as a user meets them.
#![cfg(feature = "prove")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn lockstep(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lockstep")).args(args).output().expect("the command runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder of the test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("the folder can be made");
    folder
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().expect("the path is UTF-8").to_owned()
}

/// A program of assembly for machine mode.
fn program(folder: &Path, assembly: &str) -> String {
    let (source, elf) = (path(folder, "main.s"), path(folder, "main.elf"));
    fs::write(&source, format!(".globl _start\n_start:\n{assembly}\n")).expect("the source can be written");
    let flags = ["-march=rv32im", "-mabi=ilp32", "-nostdlib", "-Wl,-Ttext=0x20000,-N,--no-warn-rwx-segments"];
    let status = Command::new("riscv64-unknown-elf-gcc").args(flags).args(["-o", &elf, &source]).status();
    assert!(status.expect("riscv64-unknown-elf-gcc runs; `make setup` installs it").success());
    elf
}

fn image_id(args: &[&str]) -> String {
    let output = lockstep(&[&["image-id"], args].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

#[test]
fn a_guest_is_proved_verified_and_inspected() {
    let folder = folder("prove-guest");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let source = path(&root, "examples/guests/journal.c");
    let (elf, receipt) = (path(&folder, "journal.elf"), path(&folder, "r.lsp"));
    assert!(lockstep(&["cc", &source, "-o", &elf]).status.success());
    let proved = lockstep(&["prove", &elf, "-o", &receipt, "--stats"]);
    assert!(proved.status.success(), "{}", text(&proved.stderr));
    assert!(text(&proved.stderr).contains("constraints"), "the phases: {}", text(&proved.stderr));
    let id = image_id(&[&elf]);
    let verified = lockstep(&["verify", &receipt, "--image-id", &id]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stdout));
    assert!(text(&verified.stdout).starts_with(&format!("verified: image {id} halted")));
    let inspected = lockstep(&["inspect", &receipt]);
    assert!(text(&inspected.stdout).contains(&format!("image id     {id}")));
    let wrong = lockstep(&["verify", &receipt, "--image-id", &"0".repeat(64)]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stdout).contains("the receipt is for image"), "{}", text(&wrong.stdout));
    let journal = path(&folder, "journal.bin");
    fs::write(&journal, b"not what it wrote").expect("a file can be written");
    let other = lockstep(&["verify", &receipt, "--image-id", &id, "--journal", &journal]);
    assert_eq!(other.status.code(), Some(1));
    bad_receipts_are_named(&folder, &receipt, &id);
}

fn bad_receipts_are_named(folder: &Path, receipt: &str, id: &str) {
    let bytes = fs::read(receipt).expect("the receipt is readable");
    let bad = path(folder, "bad.lsp");
    let mut newer = bytes.clone();
    newer[4] = 9;
    let mut changed = bytes.clone();
    let last = changed.len() - 100;
    changed[last] ^= 1;
    for (what, bytes, sentence) in [
        ("newer", &newer[..], "newer than"),
        ("empty", &[], "not a receipt of lockstep"),
        ("cut off", &bytes[..bytes.len() / 2], "cut off, extended or garbled"),
        ("extended", &[&bytes[..], b"!"].concat(), "cut off, extended or garbled"),
        ("changed", &changed, "does not show the claim"),
    ] {
        fs::write(&bad, bytes).expect("a file can be written");
        let output = lockstep(&["verify", &bad, "--image-id", id]);
        assert_eq!(output.status.code(), Some(1), "{what}");
        assert!(text(&output.stdout).contains(sentence), "{what}: {}", text(&output.stdout));
    }
}

#[test]
fn a_fault_has_a_receipt() {
    let folder = folder("prove-fault");
    let (elf, receipt) = (program(&folder, "lw a0, 8(zero)"), path(&folder, "r.lsp"));
    let proved = lockstep(&["prove", &elf, "--kernel", "none", "-o", &receipt]);
    assert!(proved.status.success(), "{}", text(&proved.stderr));
    let verified = lockstep(&["verify", &receipt, "--image-id", &image_id(&[&elf, "--kernel", "none"])]);
    assert!(text(&verified.stdout).contains("fault: load-access-fault at 0x00000008"), "{}", text(&verified.stdout));
}

#[test]
fn what_has_no_receipt_is_a_sentence() {
    let folder = folder("prove-refused");
    let receipt = path(&folder, "r.lsp");
    let endless = program(&folder, "j _start");
    let output = lockstep(&["prove", &endless, "--kernel", "none", "-o", &receipt]);
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("does not end within 1048574 steps, the length of a segment"), "{message}");
    let poseidon2 = program(&folder, "li a7, 3\n ecall");
    let output = lockstep(&["prove", &poseidon2, "--kernel", "none", "-o", &receipt]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("not provable yet"), "{}", text(&output.stderr));
}

/// /dev/full is a disk without room.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_a_sentence() {
    let folder = folder("prove-full");
    let elf = program(&folder, "li a7, 0\n li a0, 0\n ecall");
    let output = lockstep(&["prove", &elf, "--kernel", "none", "-o", "/dev/full"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("/dev/full: No space left on device"), "{}", text(&output.stderr));
}

/// 4,000 calls of sha2 of 10 blocks are 2.5 million rows, which take more than `ulimit -v` leaves beside the guest's
/// addresses.
#[test]
#[cfg(target_os = "linux")]
fn a_proof_that_would_not_fit_is_refused() {
    let folder = folder("prove-memory");
    let table: Vec<String> = lockstep::ecall::sha2::CONSTANTS.iter().map(u32::to_string).collect();
    let assembly = format!(
        "la a0, state; la a1, state; la a2, data; li a3, 10; la a4, table; li a7, 4; li s0, 4000
         1: ecall; addi s0, s0, -1; bnez s0, 1b
         li a7, 0; li a0, 0; ecall
         .balign 4
         state: .zero 32
         data: .zero 640
         table: .word {}",
        table.join(",")
    );
    let (elf, receipt) = (program(&folder, &assembly), path(&folder, "r.lsp"));
    // What an earlier run of the tests left.
    let _ = fs::remove_file(&receipt);
    let script = "ulimit -v 14000000; exec \"$0\" prove \"$@\" --kernel none";
    let args = ["-c", script, env!("CARGO_BIN_EXE_lockstep"), &elf, "-o", &receipt];
    let refused = Command::new("sh").args(args).output().expect("sh runs");
    let message = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(4), "{message}");
    assert!(message.contains("MB are available; --force starts it anyway"), "{message}");
    assert!(!Path::new(&receipt).exists());
}
