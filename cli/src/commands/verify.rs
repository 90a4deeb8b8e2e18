//! `lockstep verify`: whether a receipt shows what it claims.

use std::path::PathBuf;
use std::process::ExitCode;

use lockstep::risc0::Assumption;
use lockstep_prove::receipt::Receipt;
use lockstep_prove::verifier::{self, describe, hex};
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

    /// The image is one with RISC Zero's kernel: the output digest holds the journal and what the guest takes
    /// for granted, and the receipt must list both
    #[arg(long)]
    risc0: bool,

    /// Accept that the guest takes this claim for granted (env::verify); may be given several times. The claim
    /// is 64 hexadecimal digits; behind a colon the control root if it is not zero
    #[arg(long, value_name = "CLAIM[:ROOT]", requires = "risc0", value_parser = assumption)]
    assume: Vec<Assumption>,
}

const EXAMPLES: &str = "\
Examples:
  lockstep verify r.lsp --image-id 5c7e...
  lockstep verify r.lsp --image-id $(lockstep image-id sum.elf) --journal out.bin
  lockstep verify r.lsp --image-id 5c7e... --risc0 --assume 09ab... --journal out.bin

Exit codes: 0 the receipt shows its claim, 1 it does not (the reason is named), 2 bad arguments.";

/// Verifies the receipt.
///
/// # Errors
/// A file that cannot be read, or an image ID that is none.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let image_id = digest(&args.image_id)
        .ok_or_else(|| Error::usage(format!("--image-id {}: an image ID is 64 hexadecimal digits", args.image_id)))?;
    let receipt = read(&args.receipt)?;
    let journal = args.journal.as_deref().map(read).transpose()?;
    #[cfg(feature = "prove")]
    lockstep_prove::prover::stay_on_this_thread();
    // The library catches a panic of the proof system; its message would say nothing to a user.
    std::panic::set_hook(Box::new(|_| {}));
    let verdict = verifier::verify_assuming(&receipt, &image_id, &args.assume);
    drop(std::panic::take_hook());
    let verdict = verdict.map_err(|error| error.to_string());
    match verdict.and_then(|receipt| check_output(&args, &receipt, journal.as_deref()).map(|()| receipt)) {
        Ok(receipt) => {
            println!("verified: {}", inspect::summary(&receipt.claim));
            let assumptions = receipt.opening.map(|opening| opening.assumptions()).unwrap_or_default();
            assumptions.iter().for_each(|assumption| println!("assumes: {}", describe(assumption)));
            Ok(ExitCode::SUCCESS)
        }
        Err(reason) => {
            println!("rejected: {reason}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Whether the output digest is that of the journal, by the rule of the program's kernel. Which rule that is must come
/// from the user: a digest made by one could be read by the other.
fn check_output(args: &Args, receipt: &Receipt, journal: Option<&[u8]>) -> Result<(), String> {
    let journal = journal.map(|bytes| <[u8; 32]>::from(Sha256::digest(bytes)));
    let found = match (&receipt.opening, args.risc0) {
        (Some(opening), true) => opening.journal,
        (None, false) => big_endian(receipt.claim.output),
        (Some(_), false) => {
            return Err("the receipt is of a guest of RISC Zero's; if the image is one, say --risc0".into());
        }
        (None, true) => {
            let output = hex(&receipt.claim.output_bytes());
            return Err(format!("the receipt does not say what the output digest {output} stands for (HOST-5)"));
        }
    };
    match journal {
        Some(journal) if journal != found => Err("the output digest is not that of the journal".into()),
        _ => Ok(()),
    }
}

/// KERN-6: the output digest is the SHA-256 of the journal, as big-endian words.
fn big_endian(words: [u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.as_chunks_mut::<4>().0.iter_mut().zip(words).for_each(|(bytes, word)| *bytes = word.to_be_bytes());
    bytes
}

/// 64 hexadecimal digits, with or without 0x.
fn digest(text: &str) -> Option<[u8; 32]> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, i) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[i..i + 2], 16).ok()?;
    }
    Some(bytes)
}

fn assumption(text: &str) -> Result<Assumption, String> {
    let (claim, root) = text.split_once(':').unwrap_or((text, ""));
    let parse = |text: &str| digest(text).ok_or("claim and control root have 64 hexadecimal digits each");
    let control_root = if root.is_empty() { [0; 32] } else { parse(root)? };
    Ok(Assumption { claim: parse(claim)?, control_root })
}
