//! One file a command; this one is the list.

mod bench;
mod cc;
mod conformance;
mod formal;
mod gdb;
mod image_id;
mod init_vscode;
#[cfg(feature = "verify")]
mod inspect;
#[cfg(feature = "prove")]
mod prove;
mod run;
mod trace;
#[cfg(feature = "verify")]
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

use crate::error::Error;

/// The commands of `lockstep`.
#[derive(Subcommand)]
pub enum Command {
    /// Measure every engine beside native code and QEMU
    Bench(bench::Args),
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
    /// Print the image ID of a program, as RISC Zero computes it
    ImageId(image_id::Args),
    /// Prove a run
    #[cfg(feature = "prove")]
    Prove(prove::Args),
    /// Verify a receipt
    #[cfg(feature = "verify")]
    Verify(verify::Args),
    /// Show what a receipt claims
    #[cfg(feature = "verify")]
    Inspect(inspect::Args),
    /// Run the official tests on every engine
    Conformance(conformance::Args),
    /// Prove that the emulator's instructions equal the specification
    Formal(formal::Args),
}

impl Command {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Error> {
        match self {
            Command::Bench(args) => bench::run(args),
            Command::Cc(args) => cc::run(args),
            Command::Run(args) => run::run(args),
            Command::Gdb(args) => gdb::run(args),
            Command::InitVscode(args) => init_vscode::run(args),
            Command::Trace(args) => trace::run(args),
            Command::ImageId(args) => image_id::run(args),
            #[cfg(feature = "prove")]
            Command::Prove(args) => prove::run(args),
            #[cfg(feature = "verify")]
            Command::Verify(args) => verify::run(args),
            #[cfg(feature = "verify")]
            Command::Inspect(args) => inspect::run(args),
            Command::Conformance(args) => conformance::run(args),
            Command::Formal(args) => formal::run(args),
        }
    }
}
