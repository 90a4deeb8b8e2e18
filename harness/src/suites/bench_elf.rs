//! ELF files that others built for a test bench: official riscv-tests, architectural tests of either framework.
//!
//! | built from | known by | starts | has passed |
//! |---|---|---|---|
//! | riscv-tests, `-p-` | `tohost` | behind the MRET that ends its reset code | at its ECALL, gp = 1 |
//! | riscv-arch-test until 2025 (riscof) | `rvtest_entry_point` | at its entry | the specification and the model's signature agree |
//! | riscv-arch-test since (ACT 4), self-checking | `signature_base` | at its entry, or behind the boot code if that needs CSRs | where it says so |
//! | anything else | | at its entry | terminate, exit code 0 |
//!
//! Files for extensions and modes that the machine does not have are skipped, each with its reason.

use std::path::Path;

use lockstep::ecall::Halt;
use lockstep::isa::Reg;
use lockstep::loader::{self, Image, Kernel};
use lockstep::map::Addr;

use super::own::Labels;
use super::{End, Program, hex, signature};

/// How to start the ELF file at `path`, and how it ends.
///
/// # Errors
/// Why it is not run, as a sentence.
pub fn classify(path: &Path, bytes: &[u8]) -> Result<(Program, End), String> {
    beyond_us(path)?;
    let labels = Labels::parse(bytes)?;
    let image = loader::load(bytes, Kernel::None).map_err(|error| error.to_string())?;
    let has = |name: &str| labels.address(name).is_some();
    match () {
        () if has("signature_base") && has("rvtest_code_begin") => self_checking(path, &labels, &image),
        () if has("begin_signature") && has("rvtest_entry_point") => with_signature(path, &labels, image.entry),
        () if has("tohost") => Ok(riscv_tests(path, &image)),
        () => {
            let end = End::Terminate { halt: Halt::Halted, user_exit: 0, registers: Vec::new() };
            Ok((Program::MachineElf(path.to_path_buf()), end))
        }
    }
}

/// What the name of an official test says of the machine that it is for.
fn beyond_us(path: &Path) -> Result<(), String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let no_extension = |name: &str| Err(format!("{name} is not part of the machine, which is RV32IM (ISA-1)"));
    if let Some((group, rest)) = name.strip_prefix("rv32").and_then(|name| name.split_once('-')) {
        return match (group, rest.split('-').next()) {
            ("ui" | "um", Some("p")) => Ok(()),
            ("ui" | "um", _) => {
                Err("needs virtual memory or timer interrupts; its -p- build has the same checks".into())
            }
            ("mi", _) => Err("tests machine-mode CSRs, which the machine does not have (ISA-2)".into()),
            ("si", _) => no_extension("supervisor mode"),
            (other, _) => no_extension(&format!("extension {}", other.trim_start_matches('u'))),
        };
    }
    // The framework until 2025: `rv32i_m/I/src/add-01.S/dut/my.elf`.
    let mut parts = path.iter().map(|part| part.to_string_lossy()).skip_while(|part| part != "rv32i_m").skip(1);
    if let Some(group) = parts.next().filter(|group| !["I", "M"].contains(&group.as_ref())) {
        return no_extension(&format!("group {group}"));
    }
    // ACT 4: `elfs/rv32i/I/I-add-00.elf`. The group is the folder's and the name's.
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    match name.split_once('-') {
        Some((group, _)) if group == folder && !["I", "M"].contains(&group) => {
            no_extension(&format!("extension {group}"))
        }
        _ => Ok(()),
    }
}

/// Today's environment ends with `li gp, 1; li a7, 93; li a0, 0; ecall`.
fn riscv_tests(path: &Path, image: &Image) -> (Program, End) {
    const MRET: u32 = 0x3020_0073;
    let start = hex::find_word(&image.memory, MRET).map_or(image.entry, |mret| mret + 4);
    (from(path, start), End::Ecall { registers: vec![(Reg::new(3), 1)] })
}

fn from(path: &Path, start: Addr) -> Program {
    Program::ElfFrom { path: path.to_path_buf(), start, words: Vec::new() }
}

/// The framework until 2025: the program leaves a signature and then tells its bench, over and over.
fn with_signature(path: &Path, labels: &Labels, entry: Addr) -> Result<(Program, End), String> {
    let halt = ["write_tohost", "_write_tohost", "write_tohost_pass"].iter().find_map(|name| labels.address(name));
    let signature = signature::beside(path).map(|file| signature::read(&file, labels));
    let signature = signature.transpose().map_err(|error| error.to_string())?;
    Ok((from(path, entry), End::Spec { halt, signature }))
}

/// ACT 4. Its files `.sig.elf` only write what the `.elf` checks.
fn self_checking(path: &Path, labels: &Labels, image: &Image) -> Result<(Program, End), String> {
    let at = |names: &[&str]| names.iter().filter_map(|name| labels.address(name)).collect::<Vec<Addr>>();
    let mut pass = at(&["exit_cleanup", "rvmodel_halt_pass", "write_tohost_pass"]);
    if path.to_string_lossy().ends_with(".sig.elf") {
        let file =
            signature::beside(path).ok_or("writes a signature and checks nothing; the .elf of the same name does")?;
        let signature = signature::read(&file, labels).map_err(|error| error.to_string())?;
        return Ok((from(path, image.entry), End::Spec { halt: pass.first().copied(), signature: Some(signature) }));
    }
    let mut start = image.entry;
    let mut words: Vec<(Addr, u32)> = uart_ready(labels, image).into_iter().collect();
    if let (Some(boot), Some(init)) = (labels.address("rvmodel_boot"), labels.address("rvtest_init_regs"))
        && (boot..init).step_by(4).any(|addr| is_csr(image.memory.word(addr)))
    {
        // Built for a machine with CSRs: they are set up before the registers, and looked at behind the last check.
        start = init;
        pass.extend(labels.address("rvtest_code_end"));
        words.extend(without_other_registers(labels, image, init));
    }
    let fail = at(&["rvmodel_halt_fail", "write_tohost_fail"]);
    let to_host = labels.address("tohost");
    if pass.is_empty() && to_host.is_none() {
        return Err("says nowhere that it has passed: neither rvmodel_halt_pass nor tohost is a label of it".into());
    }
    let program = Program::ElfFrom { path: path.to_path_buf(), start, words };
    Ok((program, End::Reports { pass, fail, to_host }))
}

/// SYSTEM with a funct3: Zicsr.
fn is_csr(word: u32) -> bool {
    word & 0x7f == 0x73 && word >> 12 & 7 != 0
}

/// Where a build for a machine with F or V sets up their registers: NOPs instead.
fn without_other_registers(labels: &Labels, image: &Image, init: Addr) -> Vec<(Addr, u32)> {
    const NOP: u32 = 0x0000_0013;
    let is_other = |word: u32| matches!(word & 0x7f, 0x53 | 0x57);
    let end = labels.address("canary_check").unwrap_or(init);
    (init..end).step_by(4).filter(|addr| is_other(image.memory.word(*addr))).map(|addr| (addr, NOP)).collect()
}

/// A bench whose console is a UART waits until that can take a character. There is none here, so it always can.
fn uart_ready(labels: &Labels, image: &Image) -> Option<(Addr, u32)> {
    /// Bit 5 of the line status register of a 16550: the transmitter is empty.
    const EMPTY: u32 = 0x20;
    let status = labels.address("UART_LSR")?;
    let word = status & !3;
    Some((word, image.memory.word(word) | EMPTY << (8 * (status & 3))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_the_machine_does_not_have() {
        let says = |path: &str| beyond_us(Path::new(path)).err().unwrap_or_default();
        for ours in
            ["isa/rv32ui-p-add", "isa/rv32um-p-mulhsu", "elfs/rv32i/I/I-add-00.elf", "M/M-mul-00.elf", "my-test.elf"]
        {
            assert_eq!(says(ours), "");
        }
        assert!(says("isa/rv32ui-v-add").contains("virtual memory"));
        assert!(says("isa/rv32mi-p-csr").contains("CSRs"));
        assert!(says("isa/rv32ua-p-lrsc").contains("extension a"));
        assert!(says("isa/rv32uc-p-rvc").contains("extension c"));
        assert_eq!(says("work/rv32i_m/I/src/add-01.S/dut/my.elf"), "");
        assert!(says("work/rv32i_m/privilege/src/ebreak.S/dut/my.elf").contains("group privilege"));
        assert!(says("elfs/priv/Sm/Sm-mcsr-00.elf").contains("extension Sm"));
    }
}
