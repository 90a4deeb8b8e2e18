//! The command `lockstep`: run, debug, check and prove RISC-V programs.
#![forbid(unsafe_code)]

mod commands;
mod error;
mod fault;
mod files;
mod host;
mod program;

use std::process::ExitCode;

use clap::Parser;

use crate::error::Error;

/// A RISC Zero-style zkVM that can be debugged, checked and proved
#[derive(Parser)]
#[command(name = "lockstep", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    lockstep::mem::on_refusal(|refused| Error::infrastructure(refused).exit());
    match Cli::parse().command.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit_code()
        }
    }
}
