//! What the output digest of a claim is the digest of, for guests of RISC Zero's kernels (HOST-5).
//!
//! The proof binds the digest, and the digest binds what is here; so it needs no proof of its own.

use lockstep::risc0::{Assumption, Output};
use serde::{Deserialize, Serialize};

use crate::claim::{Claim, End};

/// The journal and the assumptions that an output digest stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// SHA-256 of the journal.
    pub journal: [u8; 32],
    /// Claim and control root of each assumption, in the order in which the guest asked.
    assumptions: Vec<([u8; 32], [u8; 32])>,
}

impl Opening {
    /// The opening of `claim`'s output digest, if it is the digest of `output`.
    pub fn of(claim: &Claim, output: &Output) -> Option<Opening> {
        let pair = |assumption: &Assumption| (assumption.claim, assumption.control_root);
        let opening = Opening { journal: output.journal, assumptions: output.assumptions.iter().map(pair).collect() };
        opening.opens(claim).then_some(opening)
    }

    /// What the guest took for granted.
    pub fn assumptions(&self) -> Vec<Assumption> {
        self.assumptions.iter().map(|&(claim, control_root)| Assumption { claim, control_root }).collect()
    }

    /// Whether the program of `claim` ended with this as its output.
    pub fn opens(&self, claim: &Claim) -> bool {
        let output = Output { journal: self.journal, assumptions: self.assumptions() };
        let is_output = matches!(claim.end, End::Halt(_) | End::Pause(_));
        is_output && claim.output_bytes() == output.digest()
    }
}
