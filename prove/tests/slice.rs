//! Programs of machine mode: their witness satisfies every constraint, and its proof verifies.

mod common;

use lockstep_prove::check::check;
use lockstep_prove::claim::End;
use lockstep_prove::prover::prove;
use lockstep_prove::segment::Segment;
use lockstep_prove::verifier::verify;
use lockstep_prove::witness::{Witness, WitnessError};

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
    let receipt = prove(&segment).unwrap_or_else(|error| panic!("{error}"));
    let claim = verify(&receipt.to_bytes(), &receipt.claim.image_id()).unwrap();
    assert_eq!(claim, receipt.claim);
}

/// ECALL-5: a service without a chip is refused by name, and by the place where it is asked.
#[test]
fn a_service_without_a_chip_is_refused() {
    let poseidon2 = [&common::set(17, 3)[..], &common::set(11, common::DATA), &common::set(12, common::DATA)].concat();
    let ecall = common::insn(lockstep::isa::Op::Ecall, 0, 0, 0, 0);
    let program = [poseidon2, vec![ecall], common::terminate(0)].concat();
    let segment = common::run(&program);
    let pc = common::START + 4 * 6;
    let error = Witness::of(&segment).err();
    assert_eq!(error, Some(WitnessError::Uncovered { pc, what: "a poseidon2, sha2 or bigint ECALL" }));
}
