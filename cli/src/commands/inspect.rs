//! `lockstep inspect`: what a receipt says, without a look at whether it is true.

use std::path::PathBuf;
use std::process::ExitCode;

use lockstep_prove::claim::Claim;
use lockstep_prove::receipt::{Receipt, VERSION};
use lockstep_prove::verifier::{describe, hex};

use crate::error::Error;
use crate::program::read;

/// The arguments of `lockstep inspect`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  lockstep inspect r.lsp\n\nIt does not verify the proof: lockstep verify does.")]
pub struct Args {
    /// The receipt
    #[arg(value_name = "RECEIPT")]
    receipt: PathBuf,
}

/// Prints the receipt's claim.
///
/// # Errors
/// A file that cannot be read or is no receipt.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let bytes = read(&args.receipt)?;
    let receipt =
        Receipt::from_bytes(&bytes).map_err(|error| Error::usage(format!("{}: {error}", args.receipt.display())))?;
    let claim = &receipt.claim;
    println!("receipt      version {VERSION}, {} bytes, of them {} of proof", bytes.len(), receipt.proof.len());
    println!("system       {}", receipt.system);
    println!("image id     {}", hex(&claim.image_id()));
    println!("root before  {}", words(&claim.pre));
    println!("root after   {}", words(&claim.post));
    println!("end          {}", claim.end);
    println!("pc, mode     0x{:08x}, {}", claim.pc, if claim.mode == 1 { "machine" } else { "user" });
    println!("steps        {}", claim.steps);
    println!("input        {}", words(&claim.input));
    println!("output       {}", words(&claim.output));
    if let Some(opening) = &receipt.opening {
        println!("journal      SHA-256 {}", hex(&opening.journal));
        opening.assumptions().iter().for_each(|assumption| println!("assumes      {}", describe(assumption)));
    }
    println!("not verified: lockstep verify decides whether the claim is true");
    Ok(ExitCode::SUCCESS)
}

/// The claim in a line.
pub fn summary(claim: &Claim) -> String {
    format!("image {} {} after {} steps", hex(&claim.image_id()), claim.end, claim.steps)
}

fn words(words: &[u32]) -> String {
    words.iter().map(|word| format!("{word:08x}")).collect()
}
