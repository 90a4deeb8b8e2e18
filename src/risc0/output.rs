//! What RISC Zero's guests commit to at their end, and the claim that their receipts make (HOST-5, HOST-6).

use risc0_binfmt::{Digestible, SystemState, tagged_list, tagged_struct};
use risc0_zkp::core::digest::Digest;
use risc0_zkp::core::hash::sha::{Impl, Sha256};

use super::Assumption;
use crate::hart::Machine;
use crate::map::{self, Addr};

/// What the output digest of a RISC Zero guest is the digest of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// SHA-256 of the journal.
    pub journal: [u8; 32],
    /// What the guest took for granted, in the order in which it asked.
    pub assumptions: Vec<Assumption>,
}

impl Output {
    /// The output of a guest that wrote `journal` and made `assumptions`.
    pub fn of(journal: &[u8], assumptions: &[Assumption]) -> Output {
        Output { journal: (*Impl::hash_bytes(journal)).into(), assumptions: assumptions.to_vec() }
    }

    /// The digest: HOST-5.
    pub fn digest(&self) -> [u8; 32] {
        // The guest puts each assumption before those that it has.
        let assumptions: Vec<Digest> = self.assumptions.iter().rev().map(digest_of_assumption).collect();
        let list = tagged_list::<Impl>("risc0.Assumptions", &assumptions);
        tagged_struct::<Impl>("risc0.Output", &[Digest::from(self.journal), list], &[]).into()
    }
}

/// The output digest in memory (MAP-11), as bytes.
pub fn output_digest(machine: &Machine) -> [u8; 32] {
    digest_at(machine, map::OUTPUT_DIGEST)
}

/// The digest of the claim that `machine`, which was made from the image `image_id`, halted with `user_exit`: what
/// another guest names when it verifies this run (HOST-6).
pub fn halted_claim(image_id: [u8; 32], user_exit: u16, machine: &Machine) -> [u8; 32] {
    const HALTED: u32 = 0;
    // RISC Zero's claims of a halted program say nothing of its memory.
    let post = SystemState { pc: 0, merkle_root: Digest::ZERO }.digest::<Impl>();
    let [input, output] = [map::INPUT_DIGEST, map::OUTPUT_DIGEST].map(|addr| digest_at(machine, addr));
    let parts = [input.into(), image_id.into(), post, output.into()];
    tagged_struct::<Impl>("risc0.ReceiptClaim", &parts, &[HALTED, u32::from(user_exit)]).into()
}

fn digest_at(machine: &Machine, addr: Addr) -> [u8; 32] {
    let mut digest = [0; 32];
    machine.read_bytes(addr, &mut digest);
    digest
}

fn digest_of_assumption(assumption: &Assumption) -> Digest {
    let parts = [assumption.claim, assumption.control_root].map(Digest::from);
    tagged_struct::<Impl>("risc0.Assumption", &parts, &[])
}

#[cfg(test)]
mod tests {
    use risc0_binfmt::tagged_list_cons;

    use super::*;

    /// HOST-5: the guest's library adds one assumption after the other to a digest that begins as zeros.
    #[test]
    fn assumptions_are_added_at_the_head() {
        let assumptions = [1, 2, 3].map(|byte| Assumption { claim: [byte; 32], control_root: [byte + 10; 32] });
        let add = |list: Digest, assumption: &Assumption| {
            tagged_list_cons::<Impl>("risc0.Assumptions", &digest_of_assumption(assumption), &list)
        };
        let list = assumptions.iter().fold(Digest::ZERO, add);
        let output = Output::of(b"journal", &assumptions);
        let journal = Digest::from(output.journal);
        let wanted: [u8; 32] = tagged_struct::<Impl>("risc0.Output", &[journal, list], &[]).into();
        assert_eq!(output.digest(), wanted);
    }
}
