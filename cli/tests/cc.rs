//! `lockstep cc` as a command: what it says, what it leaves behind, and that builds repeat.
//! What the programs do is in guests.rs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const GUESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/guests");

/// An empty folder of the test's own.
fn fresh_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cc-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the test's folder is writable");
    folder
}

/// `lockstep cc` in `folder`, with its cache there too.
fn cc(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.current_dir(folder).env("XDG_CACHE_HOME", folder.join("cache")).arg("cc").args(args);
    command
}

fn output(command: &mut Command) -> Output {
    command.output().expect("the command starts")
}

fn check(output: &Output, code: i32, sentence: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(sentence), "{errors}");
    assert!(code == 1 || errors.trim_end().lines().count() <= 1, "one sentence: {errors}");
}

fn hello() -> String {
    format!("{GUESTS}/hello.c")
}

#[test]
fn a_missing_compiler_is_a_sentence() {
    let folder = fresh_folder("no-compiler");
    let output = output(cc(&folder, &[&hello()]).env("PATH", &folder));
    check(&output, 4, "riscv64-unknown-elf-gcc is not installed");
    check(&output, 4, "sudo apt-get install gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf");
}

/// A compiler without picolibc prints the bare name of the file it is asked for.
#[cfg(unix)]
#[test]
fn a_missing_c_library_is_a_sentence() {
    use std::os::unix::fs::PermissionsExt;
    let folder = fresh_folder("no-picolibc");
    let compiler = folder.join("riscv64-unknown-elf-gcc");
    fs::write(&compiler, "#!/bin/sh\necho picolibc.specs\n").expect("the test's folder is writable");
    fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755)).expect("it is the test's file");
    let output = output(cc(&folder, &[&hello()]).env("PATH", &folder));
    check(&output, 4, "Debian's package picolibc-riscv64-unknown-elf");
}

#[test]
fn a_cache_that_cannot_be_written_is_a_sentence() {
    let folder = fresh_folder("no-cache");
    fs::write(folder.join("cache"), "a file, not a folder").expect("the test's folder is writable");
    check(&output(&mut cc(&folder, &[&hello()])), 4, "set XDG_CACHE_HOME to a folder that can be written");
    let homeless = output(cc(&folder, &[&hello()]).env_remove("XDG_CACHE_HOME").env_remove("HOME"));
    check(&homeless, 4, "set HOME or XDG_CACHE_HOME");
}

#[test]
fn nothing_to_do_is_a_sentence() {
    check(&output(&mut cc(&fresh_folder("nothing"), &[])), 2, "no input files");
}

/// The compiler speaks for itself, and its exit code is the command's.
#[test]
fn errors_of_the_program_are_the_compilers() {
    let folder = fresh_folder("errors");
    fs::write(folder.join("bad.c"), "int main(void) { return }\n").expect("the test's folder is writable");
    check(&output(&mut cc(&folder, &["bad.c"])), 1, "bad.c:1");
    check(&output(&mut cc(&folder, &["absent.c"])), 1, "absent.c: No such file");
}

/// Two users with two caches, started at the same moment, get the same bytes.
#[test]
fn builds_repeat() {
    let folder = fresh_folder("repeat");
    let source = format!("{GUESTS}/runtime.c");
    let build = |cache: &str, elf: &str| {
        let mut command = cc(&folder, &["-O1", &source, "-o", elf]);
        command.env("XDG_CACHE_HOME", folder.join(cache)).spawn().expect("the command starts")
    };
    let builds = [build("one", "a.elf"), build("one", "b.elf"), build("the other", "c.elf")];
    for mut child in builds {
        assert!(child.wait().expect("it was started").success());
    }
    let bytes = |name: &str| fs::read(folder.join(name)).expect("the build wrote it");
    assert!(bytes("a.elf") == bytes("b.elf"), "one cache");
    assert!(bytes("a.elf") == bytes("c.elf"), "two caches");
    let kits = fs::read_dir(folder.join("one/lockstep")).expect("the cache is there").count();
    assert_eq!(kits, 1, "no half-built kit stays behind");
}

/// The flags that are printed are the flags that are used: compiled and linked apart, too.
#[test]
fn printed_flags_build_the_same_program() {
    let folder = fresh_folder("flags");
    let source = format!("{GUESTS}/bug.c");
    assert!(output(&mut cc(&folder, &[&source, "-o", "whole.elf"])).status.success());
    let printed = output(&mut cc(&folder, &["--print-flags"]));
    let flags = String::from_utf8(printed.stdout).expect("flags are text");
    let script = format!(
        "set -e; G='riscv64-unknown-elf-gcc {}'; $G -Werror -c {source} -o bug.o; $G bug.o -o parts.elf",
        flags.trim()
    );
    let shell = output(Command::new("sh").current_dir(&folder).args(["-c", &script]));
    assert!(shell.status.success(), "{}", String::from_utf8_lossy(&shell.stderr));
    let bytes = |name: &str| fs::read(folder.join(name)).expect("the build wrote it");
    assert!(bytes("whole.elf") == bytes("parts.elf"));
}

/// A linker script of the user's own replaces ours.
#[test]
fn another_linker_script_counts() {
    let folder = fresh_folder("script");
    let script = "ENTRY(_start) SECTIONS { . = 0x12340000; .text : { *(.text .text.*) } }";
    fs::write(folder.join("own.ld"), script).expect("the test's folder is writable");
    fs::write(folder.join("own.S"), ".globl _start\n_start: ecall\n").expect("the test's folder is writable");
    let built = output(&mut cc(&folder, &["-nostdlib", "-Town.ld", "own.S", "-o", "own.elf"]));
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let elf = fs::read(folder.join("own.elf")).expect("the build wrote it");
    let image = lockstep::loader::load(&elf, lockstep::loader::Kernel::Default).expect("it loads");
    assert_eq!(image.entry, 0x1234_0000);
}

/// The stack is all that lies below the program (MAP-1, MAP-2).
#[test]
fn the_stack_can_be_larger() {
    let folder = fresh_folder("stack");
    let source = "int deep(int n) { volatile char frame[1024]; frame[0] = 1; return n ? deep(n - 1) + frame[0] : 0; }\n\
                  int main(void) { return deep(20000) != 20000; }\n";
    fs::write(folder.join("deep.c"), source).expect("the test's folder is writable");
    let run = |flags: &[&str]| {
        let built = output(&mut cc(&folder, &[&["deep.c", "-o", "deep.elf"], flags].concat()));
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let mut run = Command::new(env!("CARGO_BIN_EXE_lockstep"));
        output(run.current_dir(&folder).args(["run", "deep.elf"])).status.code()
    };
    // 20,000 frames of 1 KiB: more than 8 MiB and less than 64.
    assert_eq!(run(&[]), Some(139));
    assert_eq!(run(&["-Wl,--defsym=__program_start=0x4000000"]), Some(0));
}
