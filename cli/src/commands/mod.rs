//! One file a command; this one is the list.

mod formal;
mod run;

use std::process::ExitCode;

use clap::Subcommand;

use crate::error::Error;

/// The commands of `lockstep`.
#[derive(Subcommand)]
pub enum Command {
    /// Prove that the emulator's instructions equal the specification
    Formal(formal::Args),
    /// Run a program
    Run(run::Args),
}

impl Command {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Error> {
        match self {
            Command::Formal(args) => formal::run(args),
            Command::Run(args) => run::run(args),
        }
    }
}
