//! One file a command; this one is the list.

mod cc;
mod conformance;
mod gdb;
mod image_id;
mod run;

use std::process::ExitCode;

use clap::Subcommand;

use crate::error::Error;

/// The commands of `lockstep`.
#[derive(Subcommand)]
pub enum Command {
    /// Build a C program for the default kernel
    Cc(cc::Args),
    /// Debug a program with gdb or lldb
    Gdb(gdb::Args),
    /// Print RISC Zero's image ID of a program with its kernel
    ImageId(image_id::Args),
    /// Run a program
    Run(run::Args),
    /// Run the official tests on every engine
    Conformance(conformance::Args),
}

impl Command {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Error> {
        match self {
            Command::Cc(args) => cc::run(args),
            Command::Gdb(args) => gdb::run(args),
            Command::ImageId(args) => image_id::run(args),
            Command::Run(args) => run::run(args),
            Command::Conformance(args) => conformance::run(args),
        }
    }
}
