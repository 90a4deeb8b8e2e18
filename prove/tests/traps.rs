//! Every trap, provable as that trap: TRAP-1 to TRAP-7.

mod common;

use common::traps::{programs, run};
use common::{START, insn, set};
use lockstep::exec::Exit;
use lockstep::isa::Op;
use lockstep::map;
use lockstep_prove::check::check;
use lockstep_prove::claim::{Claim, End};
use lockstep_prove::machine::AnyChip;
use lockstep_prove::prover::prove;
use lockstep_prove::segment::Segment;
use lockstep_prove::verifier::verify;
use lockstep_prove::witness::Witness;

fn checked(name: &str, segment: &Segment) -> Claim {
    let witness = Witness::of(segment).unwrap_or_else(|error| panic!("{name}: {error}"));
    check(&witness.traces, &witness.claim.publics()).unwrap_or_else(|violation| panic!("{name}: {violation}"));
    witness.claim
}

/// The end that the engine came to, as the claim has it.
fn fault(segment: &Segment) -> End {
    match segment.exit {
        Exit::Fault(fault) => End::Fault { cause: fault.cause.number() as u8, addr: fault.addr },
        other => panic!("no fault: {other:?}"),
    }
}

/// TRAP-4: without a kernel the claim ends by the fault that the engine reports.
#[test]
fn a_fault_is_provable_as_that_fault() {
    for (name, words, user, machine) in programs() {
        for (mode, cause) in [(0, user), (1, machine)] {
            let Some(cause) = cause else { continue };
            // Not valid: not divisible by 4, below, above.
            for vector in [map::KERNEL_START + 2, map::KERNEL_START - 4, map::SYSTEM_START] {
                let segment = run(&words, mode, vector);
                let claim = checked(name, &segment);
                assert_eq!(claim.end, fault(&segment), "{name}");
                assert!(
                    matches!(claim.end, End::Fault { cause: found, .. } if u32::from(found) == cause.number()),
                    "{name}"
                );
                assert_eq!((claim.mode, u64::from(claim.steps)), (mode as u8, segment.steps.len() as u64), "{name}");
            }
        }
    }
}

/// TRAP-3: in user mode with a kernel the run goes on there.
#[test]
fn a_fault_of_user_mode_enters_the_kernel() {
    for (name, words, user, _) in programs() {
        let Some(cause) = user else { continue };
        let segment = run(&words, 0, map::KERNEL_START);
        assert!(segment.steps.iter().any(|step| step.trap == Some(cause)), "{name}");
        assert_eq!(checked(name, &segment).end, End::Halt(0), "{name}");
    }
}

/// Execution that goes on behind the last word of memory is at 0.
#[test]
fn behind_the_last_word_is_the_first() {
    let last = u32::MAX - 3;
    let jump = [
        &set(5, last)[..],
        &set(6, insn(Op::Addi, 7, 7, 0, 1)),
        &[insn(Op::Sw, 0, 5, 6, 0), insn(Op::Jalr, 0, 5, 0, 0)],
    ];
    let segment = run(&jump.concat(), 1, 0);
    assert_eq!(checked("last word", &segment).end, End::Fault { cause: 1, addr: 0 });
}

/// The receipt of a fault verifies, and as that fault alone.
#[test]
fn the_proof_of_a_fault_verifies() {
    let segment = run(&[insn(Op::Lw, 7, 0, 0, 8)], 1, 0);
    let receipt = prove(&segment).unwrap_or_else(|error| panic!("{error}"));
    let id = receipt.claim.image_id();
    assert_eq!(receipt.claim.end, End::Fault { cause: 5, addr: 8 });
    assert_eq!(verify(&receipt.to_bytes(), &id).as_ref(), Ok(&receipt.claim));
    for end in [End::Halt(0), End::Continue, End::Fault { cause: 5, addr: 12 }, End::Fault { cause: 7, addr: 8 }] {
        let mut other = receipt.clone();
        other.claim.end = end;
        assert!(verify(&other.to_bytes(), &id).is_err(), "{end}");
    }
    assert_eq!(receipt.claim.pc, START);
    assert!(receipt.chips.contains(&(AnyChip::Forbidden as u8)));
}
