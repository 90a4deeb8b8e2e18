//! Programs of machine mode: their witness satisfies every constraint, and its proof verifies.

mod common;

use lockstep_prove::check::check;
use lockstep_prove::claim::End;
use lockstep_prove::prover::prove;
use lockstep_prove::segment::Segment;
use lockstep_prove::verifier::verify;
use lockstep_prove::witness::Witness;

fn checked(segment: &Segment) -> Witness {
    let witness = Witness::of(segment).unwrap_or_else(|error| panic!("{error}"));
    check(&witness.traces, &witness.claim.publics()).unwrap_or_else(|violation| panic!("{violation}"));
    witness
}

/// ISA-7 to ISA-16.
#[test]
fn arithmetic_satisfies_the_constraints() {
    let witness = checked(&common::run(&common::arithmetic()));
    assert_eq!(witness.claim.end, End::Halt(0));
}

/// ISA-6, ISA-14, MAP-6, MAP-7, MEM-3.
#[test]
fn memory_satisfies_the_constraints() {
    let witness = checked(&common::run(&common::memory()));
    assert_eq!(witness.claim.end, End::Halt(7));
}

#[test]
fn a_proof_verifies() {
    let segment = common::run(&common::memory());
    let receipt = prove(&segment, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
    let claim = verify(&receipt.to_bytes(), &receipt.claim.image_id()).unwrap();
    assert_eq!(claim, receipt.claim);
}
