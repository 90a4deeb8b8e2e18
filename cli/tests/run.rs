//! `lockstep run` as a user meets it: exit codes, streams, JSON, and sentences for bad input.

mod assembly;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use assembly::program;
use serde_json::Value;

/// Runs the command with `args` and `stdin`.
fn lockstep(args: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child.stdin.take().expect("stdin is piped").write_all(stdin).expect("the command takes its input");
    child.wait_with_output().expect("the command ends")
}

/// Runs `assembly` in machine mode.
fn run(name: &str, assembly: &str, args: &[&str], stdin: &[u8]) -> Output {
    let elf = program(name, assembly);
    let path = elf.to_str().expect("the path is UTF-8");
    lockstep(&[&["run", path, "--kernel", "none"], args].concat(), stdin)
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("stdout is one JSON object")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// terminate with user_exit `code` (ECALL-2).
fn exit_with(code: u32) -> String {
    format!("li a7, 0\nli a0, {}\necall\n", code << 16)
}

/// Copies standard input to `fd`, 16 bytes at a time (ECALL-3, ECALL-4), and exits with 0.
fn copy_input_to(fd: u32) -> String {
    format!(
        "again: li a7, 1\nli a0, 0\nla a1, buffer\nli a2, 16\necall\nbeqz a0, done\n\
         mv a2, a0\nli a7, 2\nli a0, {fd}\necall\nj again\ndone: {}buffer: .space 16\n",
        exit_with(0)
    )
}

/// ECALL-2: the program's exit code is the command's own.
#[test]
fn the_exit_code_is_the_programs() {
    for code in [0, 1, 42, 255] {
        let output = run(&format!("exit{code}"), &exit_with(code), &[], b"");
        assert_eq!(output.status.code(), Some(code as i32));
    }
}

/// ECALL-3, ECALL-4, ECALL-10: the guest's standard streams are the process's own.
#[test]
fn standard_streams_are_the_process_own() {
    let text = b"forty bytes of text, more than one read\n";
    let output = run("copy", &copy_input_to(1), &[], text);
    assert_eq!(output.stdout, text);
    let output = run("copy-err", &copy_input_to(2), &[], text);
    assert_eq!(output.stderr, text);
}

/// ECALL-10: the journal is file descriptor 3.
#[test]
fn the_journal_is_saved() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("journal.bin");
    let path = file.to_str().expect("the path is UTF-8");
    let output = run("journal", &copy_input_to(3), &["--journal", path, "--format", "json"], b"public");
    assert_eq!(fs::read(&file).expect("the journal is there"), b"public");
    assert_eq!(json(&output)["journal"], "7075626c6963");
    let unwritable = run("journal", &copy_input_to(3), &["--journal", "/nowhere/journal.bin"], b"public");
    assert_eq!(unwritable.status.code(), Some(4));
    assert!(stderr(&unwritable).starts_with("error: --journal /nowhere/journal.bin: "), "{}", stderr(&unwritable));
}

/// `--input` stands in for standard input.
#[test]
fn input_comes_from_a_file() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("input.txt");
    fs::write(&file, "from a file").expect("the input can be written");
    let output = run("input", &copy_input_to(1), &["--input", file.to_str().expect("UTF-8")], b"from a pipe");
    assert_eq!(output.stdout, b"from a file");
}

/// TRAP-4, TRAP-5: a fault exits with 139 and is told in the words of the source and for machines.
#[test]
fn a_fault_is_reported() {
    let assembly = "call victim\nvictim: li t0, 8\nlw t1, 0(t0)\n";
    let output = run("fault", assembly, &["--format", "json"], b"");
    assert_eq!(output.status.code(), Some(139));
    let object = json(&output);
    assert_eq!(object["halt"], "fault");
    assert_eq!(object["exit_code"], 139);
    assert_eq!(object["fault"]["cause"], "load-access-fault");
    assert_eq!(object["fault"]["address"], 8);
    assert_eq!(object["fault"]["symbol"], "victim");
    assert_eq!(object["fault"]["line"], 5);
    let text = stderr(&output);
    assert!(text.contains("fault: load from forbidden address 0x00000008"), "{text}");
    assert!(text.contains("instruction: lw t1,0(t0)   with t0 = 0x00000008"), "{text}");
    assert!(text.contains(" --kernel none --at-fault"), "{text}");
}

/// A process with too little address space for a guest says so, wherever it is refused: at the first memory or at a copy.
#[test]
fn too_little_address_space_is_an_error() {
    let elf = program("small", &exit_with(7));
    let path = elf.to_str().expect("the path is UTF-8");
    let under = |kib: u32, args: &str| {
        let command = format!("ulimit -v {kib} && exec {} {args}", env!("CARGO_BIN_EXE_lockstep"));
        Command::new("sh").args(["-c", &command]).stdin(Stdio::null()).output().expect("sh runs")
    };
    for (command, code) in [("run", 7), ("trace", 0), ("gdb --listen 127.0.0.1:0", 4), ("image-id", 0)] {
        let args = format!("{command} {path} --kernel none");
        let args = if command == "image-id" { format!("{command} {path}") } else { args };
        for gib in 1..12 {
            // A server that is not refused waits for its client.
            let output = if code == 4 && gib > 4 { continue } else { under(gib << 20, &args) };
            let text = stderr(&output);
            let is_refused = text.starts_with("error: the host refuses 4 GiB of address space for a guest's memory: ")
                && text.trim_end().lines().count() == 1;
            let is_done = gib > 4 && output.status.code() == Some(code);
            assert!(is_done || is_refused && output.status.code() == Some(4), "{args}, {gib} GiB: {text}");
        }
        assert!(code == 4 || under(20 << 20, &args).status.code() == Some(code), "{args}");
    }
}

/// TIME-2: a limit stops at the first step at which the cycles are reached.
#[test]
fn a_limit_stops_the_run() {
    let output = run("forever", "again: j again\n", &["--max-cycles", "1000", "--format", "json"], b"");
    assert_eq!(output.status.code(), Some(124));
    let object = json(&output);
    assert_eq!(
        (&object["halt"], &object["instructions"], &object["cycles"]),
        (&"limit".into(), &1000.into(), &1000.into())
    );
}

/// TIME-3: the same inputs give the same run, to the instruction.
#[test]
fn runs_are_deterministic() {
    let once = || {
        let mut object = json(&run("twice", &copy_input_to(1), &["--format", "json"], b"the same input"));
        object.as_object_mut().expect("an object").remove("seconds");
        object
    };
    assert_eq!(once(), once());
}

/// Bad input is one sentence that names the file, and exit code 2.
#[test]
fn bad_input_is_a_sentence() {
    let check = |args: &[&str], words: &str| {
        let output = lockstep(args, b"");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
    };
    let source = file!();
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    check(&["run", "/nowhere/a.elf"], "error: /nowhere/a.elf: ");
    check(&["run", manifest], "not an ELF file");
    check(&["run", manifest, "--kernel", "nothing.elf"], "error: nothing.elf: ");
    check(&["run"], "Usage");
    check(&["walk", source], "unrecognized subcommand");
}
