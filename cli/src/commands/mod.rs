//! One file a command; this one is the list.

mod cc;
mod conformance;
mod formal;
mod gdb;
mod init_vscode;
mod run;
mod trace;

use std::process::ExitCode;

use clap::Subcommand;

use crate::error::Error;

/// The commands of `lockstep`.
#[derive(Subcommand)]
pub enum Command {
    /// Build a C program for the default kernel
    Cc(cc::Args),
    /// Run a program
    Run(run::Args),
    /// Debug a program with gdb or lldb
    Gdb(gdb::Args),
    /// Write a launch.json that debugs a program in Visual Studio Code
    InitVscode(init_vscode::Args),
    /// Write every step of a program, or compare it with another simulator step by step
    Trace(trace::Args),
    /// Run the official tests on every engine
    Conformance(conformance::Args),
    /// Prove that the emulator's instructions equal the specification
    Formal(formal::Args),
}

impl Command {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Error> {
        match self {
            Command::Cc(args) => cc::run(args),
            Command::Run(args) => run::run(args),
            Command::Gdb(args) => gdb::run(args),
            Command::InitVscode(args) => init_vscode::run(args),
            Command::Trace(args) => trace::run(args),
            Command::Conformance(args) => conformance::run(args),
            Command::Formal(args) => formal::run(args),
        }
    }
}
