//! Host instructions a guest instruction, counted by valgrind's callgrind.

use std::process::Command;

use lockstep::exec::EngineKind;

use super::Column;
use super::guest::Guest;
use super::processes::{self, is_installed};
use crate::error::Error;

/// The count of `column`; `None` where it cannot be counted: programs and engines that run in this process.
///
/// # Errors
/// valgrind is not installed or fails.
pub fn count(guest: &Guest, column: Column) -> Result<Option<f64>, Error> {
    let Some([few, many]) = scales(guest, column) else { return Ok(None) };
    if !is_installed("valgrind") {
        return Err(Error::infrastructure("--host-instructions needs valgrind (apt-get install valgrind)"));
    }
    let host = collected(guest, column, many)?.saturating_sub(collected(guest, column, few)?);
    let own = guest.run(many)?.instructions - guest.run(few)?.instructions;
    Ok(Some(host as f64 / own as f64))
}

/// Two lengths: what both share, start and most of the compilation, cancels.
fn scales(guest: &Guest, column: Column) -> Option<[u32; 2]> {
    let full = guest.program.full;
    match column {
        // Long enough for everything hot to be compiled well before the shorter one ends.
        Column::Native | Column::Ours(EngineKind::Jit) => guest.program.probe.map(|_| [full / 4, full / 2]),
        Column::Ours(_) => guest.program.probe,
        _ => None,
    }
}

/// The host instructions of a whole run.
fn collected(guest: &Guest, column: Column, scale: u32) -> Result<u64, Error> {
    let Some(counted) = processes::command(guest, column, scale)? else { return Ok(0) };
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--smc-check=all-non-file"]);
    let output = command.arg(counted.get_program()).args(counted.get_args()).output();
    let output = output.map_err(Error::infrastructure)?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split("Collected :").nth(1)?.trim().parse().ok());
    collected.ok_or_else(|| Error::infrastructure(format!("valgrind did not count: {text}")))
}
