//! `lockstep verify`: whether a receipt shows what it claims.

use std::path::PathBuf;
use std::process::ExitCode;

use lockstep::map::DIGEST_WORDS;
use lockstep_prove::claim::Claim;
use lockstep_prove::verifier::{self, VerifyError};
use sha2::{Digest, Sha256};

use super::inspect;
use crate::error::Error;
use crate::program::read;

/// The arguments of `lockstep verify`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The receipt
    #[arg(value_name = "RECEIPT")]
    receipt: PathBuf,

    /// The image it must be for: what `lockstep image-id` says, 64 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    image_id: String,

    /// The journal that the program is said to have written
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  lockstep verify r.lsp --image-id 5c7e...
  lockstep verify r.lsp --image-id $(lockstep image-id sum.elf) --journal out.bin

Exit codes: 0 the receipt shows its claim, 1 it does not (the reason is named), 2 bad arguments.";

/// Verifies the receipt.
///
/// # Errors
/// A file that cannot be read, or an image ID that is none.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let image_id = parse_image_id(&args.image_id)?;
    let receipt = read(&args.receipt)?;
    let journal = args.journal.as_deref().map(read).transpose()?;
    // The library catches a panic of the proof system; its message would say nothing to a user.
    std::panic::set_hook(Box::new(|_| {}));
    let verdict = verifier::verify(&receipt, &image_id);
    drop(std::panic::take_hook());
    match verdict.map(|claim| (check_journal(&claim, journal.as_deref()), claim)) {
        Ok((true, claim)) => {
            println!("verified: {}", inspect::summary(&claim));
            Ok(ExitCode::SUCCESS)
        }
        Ok((false, _)) => reject("the output digest is not that of the journal"),
        Err(error) => reject(&VerifyError::to_string(&error)),
    }
}

fn reject(reason: &str) -> Result<ExitCode, Error> {
    println!("rejected: {reason}");
    Ok(ExitCode::FAILURE)
}

/// KERN-6: the output digest is the SHA-256 of the journal, as big-endian words.
fn check_journal(claim: &Claim, journal: Option<&[u8]>) -> bool {
    let Some(journal) = journal else { return true };
    let digest: [u8; 4 * DIGEST_WORDS] = Sha256::digest(journal).into();
    let words = digest.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word));
    words.eq(claim.output)
}

fn parse_image_id(text: &str) -> Result<[u8; 32], Error> {
    let wrong = || Error::usage(format!("--image-id {text}: an image ID is 64 hexadecimal digits"));
    let text = text.strip_prefix("0x").unwrap_or(text);
    if text.len() != 64 || !text.is_ascii() {
        return Err(wrong());
    }
    let mut id = [0; 32];
    for (byte, i) in id.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[i..i + 2], 16).map_err(|_| wrong())?;
    }
    Ok(id)
}
