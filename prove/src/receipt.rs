//! The receipt file: a magic, a version, and a claim with its proof.
//!
//! ```text
//!   "LSPR"  version: u32 (little-endian)  postcard(Body)
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::claim::Claim;
use crate::opening::Opening;

/// The first bytes of every receipt.
pub const MAGIC: [u8; 4] = *b"LSPR";

/// The version of the format and of the machine that this crate makes and verifies.
pub const VERSION: u32 = 3;

/// The largest receipt that is read: ten times a proof of the largest segment.
pub const MAX_BYTES: usize = 32 << 20;

/// A claim with its proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The proof system, in words for people.
    pub system: String,
    /// What is claimed.
    pub claim: Claim,
    /// What the output digest of the claim stands for, if the program is a guest of RISC Zero's kernels.
    pub opening: Option<Opening>,
    /// Which tables the proof has: their chips' places in [`crate::machine::AnyChip::ALL`], in order.
    pub chips: Vec<u8>,
    /// The proof, encoded for the proof system.
    #[serde(with = "serde_bytes")]
    pub proof: Vec<u8>,
}

/// The proof system of this version.
pub const SYSTEM: &str = "Plonky3 0.8.0: BabyBear, degree-5 extension, Blake3, FRI blowup 2";

/// Why bytes are no receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatError {
    /// More than [`MAX_BYTES`].
    TooLarge(usize),
    /// The first bytes are not [`MAGIC`].
    Magic,
    /// Another version than [`VERSION`].
    Version(u32),
    /// The rest is not what the version prescribes: cut off, extended or garbled.
    Body,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::TooLarge(bytes) => {
                write!(f, "a receipt of {bytes} bytes is too large; the limit is {MAX_BYTES}")
            }
            FormatError::Magic => write!(f, "not a receipt of lockstep: it does not begin with \"LSPR\""),
            FormatError::Version(version) if *version > VERSION => {
                write!(f, "the receipt has version {version}, newer than {VERSION}; verify it with a newer lockstep")
            }
            FormatError::Version(version) => {
                write!(f, "the receipt has version {version}; this lockstep reads {VERSION}")
            }
            FormatError::Body => write!(f, "the receipt is cut off, extended or garbled"),
        }
    }
}

impl std::error::Error for FormatError {}

impl Receipt {
    /// The receipt as a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = postcard::to_stdvec(self).expect("a receipt has no map of unknown length");
        [&MAGIC[..], &VERSION.to_le_bytes(), &body].concat()
    }

    /// The receipt in a file.
    ///
    /// # Errors
    /// [`FormatError`] for anything but one receipt of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Receipt, FormatError> {
        if bytes.len() > MAX_BYTES {
            return Err(FormatError::TooLarge(bytes.len()));
        }
        let rest = bytes.strip_prefix(&MAGIC).ok_or(FormatError::Magic)?;
        let (version, body) = rest.split_first_chunk().ok_or(FormatError::Body)?;
        match u32::from_le_bytes(*version) {
            VERSION => {}
            other => return Err(FormatError::Version(other)),
        }
        match postcard::take_from_bytes(body) {
            Ok((receipt, [])) => Ok(receipt),
            _ => Err(FormatError::Body),
        }
    }
}
