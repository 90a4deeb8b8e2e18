//! One file a command; this one is the list.

mod run;

use std::process::ExitCode;

use clap::Subcommand;

use crate::error::Error;

/// The commands of `lockstep`.
#[derive(Subcommand)]
pub enum Command {
    /// Run a program
    Run(run::Args),
}

impl Command {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Error> {
        match self {
            Command::Run(args) => run::run(args),
        }
    }
}
