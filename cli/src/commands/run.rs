//! `lockstep run`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::error::Error;

/// The arguments of `lockstep run`.
#[derive(clap::Args)]
pub struct Args {
    /// The program: an ELF file
    elf: PathBuf,
}

/// Runs the program.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let _ = std::fs::read(&args.elf).map_err(|error| Error::usage(format!("{}: {error}", args.elf.display())))?;
    Err(Error::infrastructure("run is being built"))
}
