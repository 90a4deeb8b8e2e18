//! Programs of machine mode: their witness satisfies every constraint, and its proof verifies.

mod common;

use lockstep_prove::check::check;
use lockstep_prove::claim::End;
use lockstep_prove::machine::AnyChip;
use lockstep_prove::prover::prove;
use lockstep_prove::segment::{MAX_SHA2_BLOCKS, Segment};
use lockstep_prove::verifier::verify;
use lockstep_prove::witness::{Witness, WitnessError};

use common::hashing::{self, Call};

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
    assert_eq!(error, Some(WitnessError::Uncovered { pc, what: "a poseidon2 or bigint ECALL" }));
}

/// ECALL-13: the state that the chips compute is the engine's, which the program loads behind each call.
#[test]
fn sha2_satisfies_the_constraints() {
    let mut segment = hashing::hashing();
    let witness = checked(&segment);
    let rounds = witness.traces.iter().find(|trace| trace.chip == AnyChip::Sha2Round).expect("a table");
    assert_eq!(rounds.used, 64 * (2 + 1 + 1 + 10));
    assert_eq!(segment.sha2_blocks, 2 + 1 + 1 + 10);
    segment.sha2_blocks = MAX_SHA2_BLOCKS + 1;
    assert_eq!(Witness::of(&segment).err(), Some(WitnessError::TooManyBlocks(segment.sha2_blocks)));
}

/// Calls that the machine serves and that have no proof: what they touch twice would show the order of accesses.
#[test]
fn a_call_of_sha2_that_the_chips_leave_out_is_refused() {
    let call = || hashing::CALL;
    let touches = "a sha2 ECALL whose state at the end touches what it reads";
    let calls = [
        (Call { blocks: 0, ..call() }, "a sha2 ECALL of no blocks"),
        (Call { end: hashing::STATE + 28, ..call() }, touches),
        (Call { end: call().data - 4, ..call() }, touches),
        (Call { end: call().data + 124, ..call() }, touches),
        (Call { state: hashing::TABLE + 0xfc, ..call() }, "a sha2 ECALL whose state is in the table of constants"),
    ];
    for (call, what) in calls {
        let segment = hashing::run(&[call]);
        let pc = common::START + 4 * 12;
        assert_eq!(Witness::of(&segment).err(), Some(WitnessError::Uncovered { pc, what }));
    }
}
