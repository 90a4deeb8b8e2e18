//! Falsified witnesses, claims, proofs and receipts: each is rejected.

mod common;

use std::collections::BTreeSet;

use lockstep::map;
use lockstep_prove::air::Chip;
use lockstep_prove::check::{check, is_bound};
use lockstep_prove::claim::End;
use lockstep_prove::machine::AnyChip;
use lockstep_prove::prover::prove_witness;
use lockstep_prove::segment::Segment;
use lockstep_prove::verifier::verify_receipt;
use lockstep_prove::witness::Witness;

use common::everything::everything;
use common::hashing::hashing;
use common::traps::{self, programs};

fn witness(segment: &Segment) -> Witness {
    Witness::of(segment).unwrap_or_else(|error| panic!("{error}"))
}

/// The witnesses of programs that together use every chip.
fn witnesses() -> Vec<Witness> {
    let traps = programs().into_iter().flat_map(|(_, words, user, machine)| {
        let mode = if user.is_some() { 0 } else { machine.map_or(0, |_| 1) };
        [0, map::KERNEL_START].map(|vector| traps::run(&words, mode, vector))
    });
    [everything(), hashing(), common::run(&common::long())]
        .into_iter()
        .chain(traps)
        .map(|segment| witness(&segment))
        .collect()
}

#[test]
fn everything_satisfies_the_constraints_with_every_chip() {
    let everything = witness(&everything());
    assert_eq!(everything.claim.end, End::Halt(3));
    let mut used = BTreeSet::new();
    for witness in witnesses() {
        check(&witness.traces, &witness.claim.publics()).unwrap_or_else(|violation| panic!("{violation}"));
        used.extend(witness.traces.iter().filter(|trace| trace.is_used()).map(|trace| trace.chip));
    }
    assert_eq!(used, BTreeSet::from(AnyChip::ALL));
}

/// PROVER.md section 6: a column that is bound in no row would be the prover's to choose.
#[test]
fn every_column_of_every_chip_is_bound() {
    let mut free: BTreeSet<(AnyChip, usize)> =
        AnyChip::ALL.into_iter().flat_map(|chip| (0..chip.width()).map(move |column| (chip, column))).collect();
    for mut witness in witnesses() {
        let publics = witness.claim.publics();
        for trace in &mut witness.traces {
            let rows = trace.used.min(64);
            let columns: Vec<_> = free.iter().filter(|(chip, _)| *chip == trace.chip).copied().collect();
            for (chip, column) in columns {
                if (0..rows).any(|row| is_bound(trace, &publics, row, column)) {
                    free.remove(&(chip, column));
                }
            }
        }
    }
    let names: Vec<_> =
        free.into_iter().map(|(chip, column)| format!("{}.{}", chip.name(), chip.columns()[column])).collect();
    assert_eq!(names, Vec::<String>::new());
}

/// A witness with one wrong cell makes a proof that does not verify, one for each chip that executes.
#[test]
fn a_wrong_cell_makes_no_valid_proof() {
    let segment = everything();
    for (chip, column) in [(AnyChip::Add, "a[0]"), (AnyChip::Div, "q[0]"), (AnyChip::Load, "address.hi")] {
        let mut witness = witness(&segment);
        let trace = witness.traces.iter_mut().find(|trace| trace.chip == chip).expect("the chip is used");
        let place = chip.columns().iter().position(|name| name == column).expect("the column exists");
        trace.cells[place] += lockstep_prove::air::F::new(1);
        let rejected = match prove_witness(witness) {
            Ok(receipt) => verify_receipt(&receipt).is_err(),
            Err(_) => true,
        };
        assert!(rejected, "{chip:?}.{column}");
    }
}
