//! `lockstep image-id`: the identity of a program with its kernel.

use std::process::ExitCode;

use lockstep::risc0;

use crate::error::Error;
use crate::program::ProgramArgs;

/// The arguments of `lockstep image-id`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    program: ProgramArgs,
}

const EXAMPLES: &str = "\
Examples:
  lockstep image-id guest.bin                        an R0BF file, as `cargo risczero build` makes them
  lockstep image-id guest.elf --kernel v1compat      a program alone, with RISC Zero's kernel";

/// Prints the image ID.
///
/// # Errors
/// A file that cannot be read or is no program.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let program = args.program.load()?;
    let id = risc0::image_id(&program.image.memory);
    println!("{}", id.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    Ok(ExitCode::SUCCESS)
}
