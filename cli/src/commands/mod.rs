//! One file a command; this one is the list.

mod gdb;
mod init_vscode;
mod run;

use std::process::ExitCode;

use clap::Subcommand;

use crate::error::Error;

/// The commands of `lockstep`.
#[derive(Subcommand)]
pub enum Command {
    /// Debug a program with gdb or lldb
    Gdb(gdb::Args),
    /// Write a launch.json that debugs a program in Visual Studio Code
    InitVscode(init_vscode::Args),
    /// Run a program
    Run(run::Args),
}

impl Command {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Error> {
        match self {
            Command::Gdb(args) => gdb::run(args),
            Command::InitVscode(args) => init_vscode::run(args),
            Command::Run(args) => run::run(args),
        }
    }
}
