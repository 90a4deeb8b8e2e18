//! The verifier: decides whether a receipt's proof shows its claim. It never panics and it runs no
//! prover code.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lockstep::risc0::Assumption;
use p3_batch_stark::{BatchProof, CommonData, verify_batch};
use p3_lookup::Lookups;

use crate::air::{Chip, F};
use crate::backend::{self, ChipAir};
use crate::chips::tables::HALF_ROWS;
use crate::claim::Claim;
use crate::config::{Config, MAX_LOG_ROWS, MAX_ROWS, MAX_TABLES, MIN_LOG_ROWS, config};
use crate::key;
use crate::machine::AnyChip;
use crate::opening::Opening;
use crate::receipt::{FormatError, Receipt, VERSION};

/// A proof as Plonky3 has it.
pub type Proof = BatchProof<Config>;

/// Why a receipt is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyError {
    /// The bytes are no receipt.
    Format(FormatError),
    /// A field of the claim is out of its range.
    Claim,
    /// The image is another one than was asked for.
    ImageId {
        /// What was asked for.
        expected: [u8; 32],
        /// What the claim begins with.
        found: [u8; 32],
    },
    /// The output digest is not that of the journal and the assumptions that the receipt lists.
    Opening,
    /// The run takes for granted what was not accepted.
    Assumes(Vec<Assumption>),
    /// The list of tables lacks one that every proof has, or has one that no proof has.
    Chips(Vec<u8>),
    /// The proof's bytes are not a proof.
    Proof,
    /// A chip has a number of rows that it may not have.
    Rows {
        /// The chip.
        chip: &'static str,
        /// log2 of the rows.
        log_rows: usize,
    },
    /// The tables have more rows together than they may have.
    TooManyRows,
    /// The proof does not show the claim: what Plonky3's verifier says.
    Rejected(String),
    /// Plonky3's verifier panicked: the proof is malformed in a way it does not expect.
    Panicked,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VerifyError::Format(error) => error.fmt(f),
            VerifyError::Claim => write!(f, "the claim has a field out of its range"),
            VerifyError::ImageId { expected, found } => {
                write!(f, "the receipt is for image {}, not {}", hex(found), hex(expected))
            }
            VerifyError::Opening => {
                write!(f, "the output digest is not that of the journal and the assumptions that the receipt lists")
            }
            VerifyError::Assumes(missing) => {
                let list: Vec<String> = missing.iter().map(describe).collect();
                write!(f, "the run rests on what was not accepted: {}", list.join("; "))
            }
            VerifyError::Chips(chips) => write!(f, "the proof has tables of the chips {chips:?}, which no proof has"),
            VerifyError::Proof => write!(f, "the proof is not well-formed"),
            VerifyError::Rows { chip, log_rows } => write!(f, "the chip {chip} cannot have 2^{log_rows} rows"),
            VerifyError::Rejected(why) => write!(f, "the proof does not show the claim: {why}"),
            VerifyError::TooManyRows => write!(f, "the proof has more rows than a segment can have"),
            VerifyError::Panicked => write!(f, "the proof does not show the claim: it is malformed"),
        }
    }
}

impl std::error::Error for VerifyError {}

impl From<FormatError> for VerifyError {
    fn from(error: FormatError) -> Self {
        VerifyError::Format(error)
    }
}

/// `bytes` in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An assumption in words.
pub fn describe(assumption: &Assumption) -> String {
    format!("claim {}, control root {}", hex(&assumption.claim), hex(&assumption.control_root))
}

/// Verifies the receipt in `bytes` for the image with ID `image_id`; returns its claim. A run that rests on
/// assumptions is rejected.
///
/// # Errors
/// [`VerifyError`]: why the receipt shows nothing about that image.
pub fn verify(bytes: &[u8], image_id: &[u8; 32]) -> Result<Claim, VerifyError> {
    verify_assuming(bytes, image_id, &[]).map(|receipt| receipt.claim)
}

/// The same for a run that may rest on `accepted`; returns the whole receipt.
///
/// # Errors
/// [`VerifyError`]: why the receipt shows nothing about that image.
pub fn verify_assuming(bytes: &[u8], image_id: &[u8; 32], accepted: &[Assumption]) -> Result<Receipt, VerifyError> {
    let receipt = Receipt::from_bytes(bytes)?;
    verify_receipt(&receipt)?;
    let found = receipt.claim.image_id();
    if found != *image_id {
        return Err(VerifyError::ImageId { expected: *image_id, found });
    }
    let assumptions = receipt.opening.as_ref().map(Opening::assumptions).unwrap_or_default();
    let missing: Vec<Assumption> =
        assumptions.into_iter().filter(|assumption| !accepted.contains(assumption)).collect();
    if missing.is_empty() { Ok(receipt) } else { Err(VerifyError::Assumes(missing)) }
}

/// Verifies that the proof of `receipt` shows its claim, for whatever image it names.
///
/// # Errors
/// [`VerifyError`]: why it does not.
pub fn verify_receipt(receipt: &Receipt) -> Result<(), VerifyError> {
    if !receipt.claim.is_canonical() {
        return Err(VerifyError::Claim);
    }
    if receipt.opening.as_ref().is_some_and(|opening| !opening.opens(&receipt.claim)) {
        return Err(VerifyError::Opening);
    }
    let chips = chips(&receipt.chips)?;
    catch_unwind(AssertUnwindSafe(|| verify_proof(receipt, &chips))).unwrap_or(Err(VerifyError::Panicked))
}

fn verify_proof(receipt: &Receipt, chips: &[AnyChip]) -> Result<(), VerifyError> {
    let proof = read_proof(&receipt.proof)?;
    check_rows(chips, &proof.degree_bits)?;
    let config = config(&statement(&receipt.claim, &receipt.chips));
    let airs: Vec<ChipAir> = chips.iter().map(|chip| ChipAir::for_verifier(*chip)).collect();
    let common = common_data(chips);
    let publics = publics(chips, &receipt.claim);
    verify_batch(&config, &airs, &proof, &publics, &common).map_err(|error| VerifyError::Rejected(format!("{error:?}")))
}

fn read_proof(bytes: &[u8]) -> Result<Proof, VerifyError> {
    match postcard::take_from_bytes(bytes) {
        Ok((proof, [])) => Ok(proof),
        _ => Err(VerifyError::Proof),
    }
}

/// What the transcript begins with: everything that a proof is about and that is not in it.
pub fn statement(claim: &Claim, chips: &[u8]) -> Vec<u8> {
    let claim = postcard::to_stdvec(&(chips, claim)).expect("a claim has no map of unknown length");
    [b"lockstep segment", &VERSION.to_le_bytes()[..], &claim].concat()
}

/// The chips without which nothing is bound: a proof has them, whatever it runs.
const ALWAYS: [AnyChip; 7] = [
    AnyChip::Boundary,
    AnyChip::Decode,
    AnyChip::Page,
    AnyChip::Tree,
    AnyChip::Poseidon2,
    AnyChip::Halves,
    AnyChip::Opcodes,
];

/// Whether every proof has `chip`.
pub fn is_always(chip: AnyChip) -> bool {
    ALWAYS.contains(&chip)
}

/// The chips without which nothing is bound, and which would bind it otherwise if there were two: a proof has one table
/// of each of them, whatever it runs. Of the others it has none, or a few.
fn are_tables(chips: &[AnyChip]) -> bool {
    let count = |chip: AnyChip| chips.iter().filter(|other| **other == chip).count();
    let has_right_number = |chip: AnyChip| match chip {
        AnyChip::Decode => (1..=MAX_TABLES).contains(&count(chip)),
        _ if is_always(chip) => count(chip) == 1,
        _ => count(chip) <= MAX_TABLES,
    };
    chips.is_sorted() && AnyChip::ALL.into_iter().all(has_right_number)
}

/// The chips with the numbers `numbers`.
fn chips(numbers: &[u8]) -> Result<Vec<AnyChip>, VerifyError> {
    let chips: Option<Vec<AnyChip>> =
        numbers.iter().map(|number| AnyChip::ALL.get(usize::from(*number)).copied()).collect();
    chips.filter(|chips| are_tables(chips)).ok_or_else(|| VerifyError::Chips(numbers.to_vec()))
}

/// The public values of each chip.
pub fn publics(chips: &[AnyChip], claim: &Claim) -> Vec<Vec<F>> {
    chips.iter().map(|chip| if chip.publics() == 0 { Vec::new() } else { claim.publics() }).collect()
}

fn check_rows(chips: &[AnyChip], log_rows: &[usize]) -> Result<(), VerifyError> {
    if chips.len() != log_rows.len() {
        return Err(VerifyError::Proof);
    }
    for (chip, &log_rows) in chips.iter().zip(log_rows) {
        let is_allowed = match chip {
            AnyChip::Halves => 1 << log_rows.min(63) == HALF_ROWS,
            AnyChip::Opcodes => log_rows == 10,
            _ => (MIN_LOG_ROWS..=MAX_LOG_ROWS).contains(&log_rows),
        };
        if !is_allowed {
            return Err(VerifyError::Rows { chip: chip.name(), log_rows });
        }
    }
    let rows: usize = log_rows.iter().map(|log_rows| 1 << log_rows).sum();
    if rows > MAX_ROWS { Err(VerifyError::TooManyRows) } else { Ok(()) }
}

/// What the verifier knows of the tables of `chips`: their lookups, and the commitment to the fixed columns.
fn common_data(chips: &[AnyChip]) -> CommonData<Config> {
    let mut known: BTreeMap<AnyChip, Lookups<F>> = BTreeMap::new();
    let lookups = chips.iter().map(|chip| known.entry(*chip).or_insert_with(|| backend::lookups(*chip)).clone());
    CommonData::new(Some(key::fixed_columns(chips)), lookups.collect())
}
