//! Spike's own command line: a path to the same simulator that shares nothing with our shim.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lockstep::isa::Reg;
use lockstep::map::{Addr, Mode};
use lockstep::trace::{MemAccess, RegAccess, Retired};

use super::log::{Log, bare, hex, link};
use super::process::{find_program, patience, references_folder, run_to_end};
use crate::machine::{Failure, cause_of};

/// Spike's command, `make references` fetches it.
pub fn program() -> Option<PathBuf> {
    let program = references_folder().join("spike/bin/spike");
    program.is_file().then_some(program)
}

/// Why it is skipped, if it is.
pub fn missing() -> Option<&'static str> {
    match (program(), find_program("dtc")) {
        (None, _) => Some("not installed; run `make references`"),
        (_, None) => Some("the device tree compiler is not installed (Debian device-tree-compiler)"),
        _ => None,
    }
}

/// A hart and memory from 0x0001_0000 to 0xFEFF_FFFF, without timer, interrupt controller and console,
/// which Spike would put into our map.
const DEVICE_TREE: &str = r#"/dts-v1/;
/ {
  #address-cells = <1>;
  #size-cells = <1>;
  compatible = "lockstep";
  model = "lockstep";
  cpus {
    #address-cells = <1>;
    #size-cells = <0>;
    timebase-frequency = <10000000>;
    cpu@0 {
      device_type = "cpu";
      reg = <0>;
      compatible = "riscv";
      riscv,isa = "rv32im_zicsr";
      interrupt-controller { #interrupt-cells = <1>; compatible = "riscv,cpu-intc"; interrupt-controller; };
    };
  };
  memory@10000 { device_type = "memory"; reg = <0x00010000 0xfeff0000>; };
};
"#;

/// The log of at most `limit` steps of `elf` from its entry on; `folder` takes the device tree and the log.
///
/// # Errors
/// Spike does not start, dies, hangs, or its log cannot be read.
pub fn run(elf: &Path, entry: Addr, limit: u64, folder: &Path) -> Result<Log, Failure> {
    let start = |error: &dyn std::fmt::Display| Failure::Start(format!("spike: {}: {error}", folder.display()));
    let program = program().ok_or_else(|| start(&"not installed"))?;
    let (source, tree, log) = (folder.join("spike.dts"), folder.join("spike.dtb"), folder.join("spike.log"));
    std::fs::write(&source, DEVICE_TREE).map_err(|error| start(&error))?;
    let mut compile = Command::new("dtc");
    compile.args(["-q", "-I", "dts", "-O", "dtb", "-o"]).args([&tree, &source]);
    run_to_end("dtc", &mut compile, b"", Duration::from_secs(10))?;
    let mut spike = Command::new(program);
    spike.args(["--isa=rv32im_zicsr", "--priv=m", "-m0x10000:0xBFFF0000,0xC0000000:0x3F000000", "-l", "--log-commits"]);
    spike.arg(format!("--dtb={}", tree.display())).arg(format!("--log={}", log.display()));
    spike.arg(format!("--instructions={}", limit + BOOT_STEPS)).arg(elf);
    let finished = run_to_end("spike", &mut spike, b"", patience())?;
    let text = std::fs::read_to_string(&log).map_err(|_| {
        let said = String::from_utf8_lossy(&finished.stderr);
        Failure::Died(format!("spike: {:?}: {}", finished.code, said.lines().last().unwrap_or_default()))
    })?;
    let steps = parse(&text).map_err(|line| Failure::Garbled(format!("spike: {line}")))?;
    if steps.is_empty() {
        let said = String::from_utf8_lossy(&finished.stderr);
        return Err(Failure::Died(format!("spike: {:?}: {}", finished.code, said.lines().last().unwrap_or_default())));
    }
    Ok(Log::from_entry(steps, entry))
}

/// Instructions of Spike's boot code.
const BOOT_STEPS: u64 = 5;

/// The steps of a commit log.
///
/// # Errors
/// The first line that cannot be read.
pub fn parse(log: &str) -> Result<Vec<Retired>, String> {
    let mut steps: Vec<Retired> = Vec::new();
    for (number, line) in log.lines().enumerate() {
        let wrong = || format!("line {}: {line}", number + 1);
        let Some(rest) = line.strip_prefix("core ").and_then(|rest| rest.split_once(": ")).map(|(_, rest)| rest) else {
            continue;
        };
        if let Some(rest) = rest.strip_prefix("exception ") {
            steps.push(exception(rest).ok_or_else(wrong)?);
        } else if rest.starts_with(|c: char| c.is_ascii_digit()) && rest[1..].starts_with(" 0x") {
            steps.push(commit(rest).ok_or_else(wrong)?);
        }
        // Everything else is the disassembly that `-l` adds, and the trap value behind an exception.
    }
    link(&mut steps);
    Ok(steps)
}

/// `3 0x00010000 (0x00642023) x5  0x00000001 mem 0x00010110 0x12345678`
fn commit(text: &str) -> Option<Retired> {
    let mut words = text.split_whitespace();
    let mode = if words.next()? == "0" { Mode::User } else { Mode::Machine };
    let pc = hex(words.next()?)?;
    let insn = hex(words.next()?.trim_matches(['(', ')']))?;
    let mut step = bare(pc, insn, mode);
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        if word == "mem" {
            let addr = hex(words.next()?)?;
            step.mem = Some(match words.next_if(|word| word.starts_with("0x")) {
                Some(data) => {
                    let wmask = ((1u16 << ((data.len() - 2) / 2)) - 1) as u8;
                    MemAccess { addr, wmask, wdata: hex(data)?, ..MemAccess::default() }
                }
                None => MemAccess { addr, ..MemAccess::default() },
            });
        } else if let Some(number) = word.strip_prefix('x') {
            let reg = number.parse().ok().filter(|&n: &u32| n < 32).map(Reg::new)?;
            step.rd = Some(RegAccess { reg, value: hex(words.next()?)? });
        } else {
            // A CSR.
            words.next()?;
        }
    }
    Some(step)
}

/// `trap_load_address_misaligned, epc 0x00010000`
fn exception(text: &str) -> Option<Retired> {
    let (name, pc) = text.split_once(", epc ")?;
    let number = NAMES.iter().find(|(known, _)| name.trim_start_matches("trap_") == *known)?.1;
    Some(Retired { trap: cause_of(number), ..bare(hex(pc)?, 0, Mode::Machine) })
}

/// Spike's names of the causes.
const NAMES: [(&str, u32); 11] = [
    ("instruction_address_misaligned", 0),
    ("instruction_access_fault", 1),
    ("illegal_instruction", 2),
    ("breakpoint", 3),
    ("load_address_misaligned", 4),
    ("load_access_fault", 5),
    ("store_address_misaligned", 6),
    ("store_access_fault", 7),
    ("user_ecall", 8),
    ("supervisor_ecall", 9),
    ("machine_ecall", 11),
];
