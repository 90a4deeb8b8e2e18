//! One file a command; this one is the list.

mod cc;
mod conformance;
#[cfg(feature = "verify")]
mod image_id;
#[cfg(feature = "verify")]
mod inspect;
#[cfg(feature = "prove")]
mod prove;
mod run;
#[cfg(feature = "verify")]
mod verify;

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
    /// Run the official tests on every engine
    Conformance(conformance::Args),
    /// Prove a run
    #[cfg(feature = "prove")]
    Prove(prove::Args),
    /// Verify a receipt
    #[cfg(feature = "verify")]
    Verify(verify::Args),
    /// Show what a receipt claims
    #[cfg(feature = "verify")]
    Inspect(inspect::Args),
    /// The image ID of a program
    #[cfg(feature = "verify")]
    ImageId(image_id::Args),
}

impl Command {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Error> {
        match self {
            Command::Cc(args) => cc::run(args),
            Command::Run(args) => run::run(args),
            Command::Conformance(args) => conformance::run(args),
            #[cfg(feature = "prove")]
            Command::Prove(args) => prove::run(args),
            #[cfg(feature = "verify")]
            Command::Verify(args) => verify::run(args),
            #[cfg(feature = "verify")]
            Command::Inspect(args) => inspect::run(args),
            #[cfg(feature = "verify")]
            Command::ImageId(args) => image_id::run(args),
        }
    }
}
