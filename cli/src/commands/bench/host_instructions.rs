//! Host instructions a guest instruction, counted by valgrind's callgrind.

use std::process::{Command, Stdio};

use lockstep::exec::EngineKind;

use super::guest::Guest;
use super::processes::is_installed;
use crate::error::Error;

/// The count for an engine of `kind`; `None` for a program that is too long for it.
///
/// # Errors
/// valgrind is not installed or fails.
pub fn count(guest: &Guest, kind: EngineKind) -> Result<Option<f64>, Error> {
    let Some([few, many]) = guest.program.probe else { return Ok(None) };
    if !is_installed("valgrind") {
        return Err(Error::infrastructure("--host-instructions needs valgrind (apt-get install valgrind)"));
    }
    let host = collected(guest, kind, many)?.saturating_sub(collected(guest, kind, few)?);
    let own = guest.run(many)?.instructions - guest.run(few)?.instructions;
    Ok(Some(host as f64 / own as f64))
}

/// The host instructions of a whole run.
fn collected(guest: &Guest, kind: EngineKind, scale: u32) -> Result<u64, Error> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--smc-check=all-non-file"]);
    command.arg(std::env::current_exe().map_err(Error::infrastructure)?);
    command.args(["run", "--engine", kind.name()]).arg(&guest.elf).args(["--arg", &scale.to_string()]);
    let output = command.stdin(Stdio::null()).output().map_err(Error::infrastructure)?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split("Collected :").nth(1)?.trim().parse().ok());
    collected.ok_or_else(|| Error::infrastructure(format!("valgrind did not count: {text}")))
}
