//! Spike's command on the official programs as they are, from their CSR reset code to what they tell their host.
//!
//! Our machine has no CSRs and starts these programs behind that code. Here Spike alone runs them, in the machine that
//! they were written for, with the modes that their reset code sets up (`medeleg` and `stvec` are there only with
//! supervisor mode). It is a check of the reference and of the files, not of ours.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Column;
use super::programs::Folder;
use super::references::Trust;
use crate::coverage::Coverage;
use crate::machine::Failure;
use crate::machines::process::run_to_end;
use crate::machines::{Unavailable, spike, spike_cli};
use crate::report::Cell;
use crate::suites::{Bench, End, Program, Test, elf, hex};

/// The column.
#[derive(Default)]
pub struct SpikeReset {
    trust: Trust,
}

/// These programs end within some thousand steps, if they end.
const PATIENCE: Duration = Duration::from_secs(20);

impl Column for SpikeReset {
    fn name(&self) -> &str {
        "spike-reset"
    }

    fn about(&self) -> &str {
        "Spike's command on official programs as they are, from their CSR reset code to their tohost: a check of the reference"
    }

    fn version(&self) -> Result<String, String> {
        spike_cli::missing().map_or(Ok(spike::VERSION.into()), |reason| Err(reason.into()))
    }

    fn run(&self, test: &Test, _: &mut Coverage) -> Cell {
        self.trust.cell(test, || match (&test.program, &test.end) {
            (Program::Hex { path, bench: Some(bench), .. }, _) => from_hex(path, *bench),
            (Program::ElfFrom { path, .. }, End::Ecall { .. }) => reset(path),
            _ => Err(Unavailable::Skipped("is no official program with CSR reset code".into())),
        })
    }
}

fn from_hex(path: &Path, bench: Bench) -> Result<Cell, Unavailable> {
    let failed = |error: &dyn std::fmt::Display| Failure::Start(format!("{}: {error}", path.display()));
    let machine = std::fs::read(path)
        .map_err(|error| failed(&error))
        .and_then(|bytes| hex::machine(path, &bytes, bench.entry).map_err(|error| Failure::Start(error.to_string())));
    let machine = machine.map_err(Unavailable::Failed)?;
    let folder = Folder::new().map_err(|error| Unavailable::Failed(Failure::Start(error)))?;
    let file = folder.0.join("test.elf");
    // Spike wants both words; nothing is said by the second one, which lies in the next 64 bytes.
    let symbols = [("tohost", bench.to_host), ("fromhost", bench.to_host + 64)];
    std::fs::write(&file, elf::with_symbols(&machine, &symbols))
        .map_err(|error| Unavailable::Failed(failed(&error)))?;
    reset(&file)
}

/// Spike ends with 0 when the program stores 1 into tohost, and with another code for another number; it does not end by
/// itself otherwise.
fn reset(file: &Path) -> Result<Cell, Unavailable> {
    let gone = || Unavailable::Failed(Failure::Start("spike is gone".into()));
    let mut command = Command::new(spike_cli::program().ok_or_else(gone)?);
    command.args(["--isa=rv32im_zicsr", "--priv=msu"]).arg(file);
    let finished = run_to_end("spike", &mut command, b"", PATIENCE).map_err(Unavailable::Failed)?;
    let said = String::from_utf8_lossy(&[finished.stdout, finished.stderr].concat()).trim().to_string();
    Ok(match finished.code {
        Some(0) => Cell::pass(0),
        Some(code) => Cell::fail(format!("Spike ends with {code} on the whole program: {said}"), 0),
        None => Cell::fail(format!("a signal ended Spike: {said}"), 0),
    })
}
