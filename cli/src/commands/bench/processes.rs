//! Programs in processes of their own: native, in QEMU, and in this command.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use super::Column;
use super::guest::Guest;
use crate::error::Error;

/// The user CPU seconds of one run, or why there can be none.
///
/// # Errors
/// It fails, or prints something else than our fastest engine.
pub fn seconds(guest: &Guest, column: Column, scale: u32) -> Result<Result<f64, String>, Error> {
    let Some(mut command) = command(guest, column, scale)? else {
        return Ok(Err("qemu-riscv32 is not installed".into()));
    };
    let failed = |what: String| Error::infrastructure(format!("{} on {}: {what}", guest.program.name, column.name()));
    let before = children_seconds()?;
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    let seconds = children_seconds()? - before;
    if !output.status.success() {
        return Err(failed(format!("ended with {}", output.status)));
    }
    if output.stdout != guest.run(scale)?.output {
        return Err(failed("prints another result than our fastest engine".into()));
    }
    Ok(Ok(seconds))
}

/// The process that runs the program; `None` if its simulator is not installed.
///
/// # Errors
/// This command cannot find itself.
pub fn command(guest: &Guest, column: Column, scale: u32) -> Result<Option<Command>, Error> {
    let (elf, scale) = (guest.elf.display().to_string(), scale.to_string());
    let command = match column {
        Column::Native => quiet(&guest.native, &[&scale]),
        Column::Ours(kind) => {
            let this = std::env::current_exe().map_err(Error::infrastructure)?;
            quiet(&this, &["run", "--engine", kind.name(), &elf, "--arg", &scale])
        }
        _ if !is_installed("qemu-riscv32") => return Ok(None),
        _ => quiet(Path::new("qemu-riscv32"), &[&elf, &scale]),
    };
    Ok(Some(command))
}

fn quiet(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit());
    command
}

/// Whether `program` is on PATH.
pub fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// The user CPU time of all children that ended.
fn children_seconds() -> Result<f64, Error> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(Error::infrastructure)?;
    Ok(usage.user_time().num_microseconds() as f64 / 1e6)
}
