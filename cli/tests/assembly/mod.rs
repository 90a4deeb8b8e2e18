//! Programs of assembly for the tests of commands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A machine-mode program of assembly, built in the test's own folder.
pub fn program(name: &str, assembly: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("the folder can be made");
    let (source, elf) = (folder.join("main.s"), folder.join("main.elf"));
    fs::write(&source, format!(".globl _start\n_start:\n{assembly}\n")).expect("the source can be written");
    let flags = ["-g", "-march=rv32im", "-mabi=ilp32", "-nostdlib", "-Wl,-Ttext=0x20000,-N,--no-warn-rwx-segments"];
    let status = Command::new("riscv64-unknown-elf-gcc").args(flags).arg("-o").args([&elf, &source]).status();
    assert!(status.expect("riscv64-unknown-elf-gcc runs; `make setup` installs it").success());
    elf
}
