//! The prover: from a segment to a receipt.

use std::fmt;

use p3_batch_stark::{ProverData, StarkInstance, prove_batch};
use p3_matrix::dense::RowMajorMatrix;

use crate::air::F;
use crate::backend::ChipAir;
use crate::claim::Claim;
use crate::config::{Config, config};
use crate::machine::AnyChip;
use crate::receipt::{Receipt, SYSTEM};
use crate::segment::Segment;
use crate::verifier::{self, VerifyError};
use crate::witness::{Trace, Witness, WitnessError};

/// What the prover is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Filling the chips' tables.
    Witness,
    /// Committing, and answering the challenges.
    Proof,
    /// Verifying what was made.
    Check,
}

/// Why there is no receipt.
#[derive(Debug)]
pub enum ProveError {
    /// The segment has no witness.
    Witness(WitnessError),
    /// Plonky3 made no proof of the witness: a bug of ours.
    Proof(String),
    /// The proof does not verify: a bug of ours.
    Check(VerifyError),
}

impl fmt::Display for ProveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProveError::Witness(error) => error.fmt(f),
            ProveError::Proof(why) => write!(f, "no proof was made: {why}"),
            ProveError::Check(error) => write!(f, "the proof that was made does not verify: {error}"),
        }
    }
}

impl std::error::Error for ProveError {}

/// Proves `segment`, calling `progress` at the start of each phase.
///
/// # Errors
/// [`ProveError`]: why there is no receipt.
pub fn prove(segment: &Segment, progress: &mut dyn FnMut(Phase)) -> Result<Receipt, ProveError> {
    progress(Phase::Witness);
    let witness = Witness::of(segment).map_err(ProveError::Witness)?;
    progress(Phase::Proof);
    let receipt = prove_witness(&witness)?;
    progress(Phase::Check);
    verifier::verify_receipt(&receipt).map_err(ProveError::Check)?;
    Ok(receipt)
}

/// Proves `witness`, without a look at whether it satisfies the constraints.
///
/// # Errors
/// [`ProveError::Proof`] when Plonky3 cannot.
pub fn prove_witness(witness: &Witness) -> Result<Receipt, ProveError> {
    let used: Vec<&Trace> = witness.traces.iter().filter(|trace| trace.is_used()).collect();
    let chips: Vec<AnyChip> = used.iter().map(|trace| trace.chip).collect();
    let mask = chips.iter().fold(0, |mask, chip| mask | 1 << *chip as u64);
    let proof = prove_traces(&witness.claim, mask, &used)?;
    Ok(Receipt { system: SYSTEM.to_owned(), claim: witness.claim.clone(), chips: mask, proof })
}

fn prove_traces(claim: &Claim, mask: u64, traces: &[&Trace]) -> Result<Vec<u8>, ProveError> {
    let config = config(&verifier::statement(claim, mask));
    let chips: Vec<AnyChip> = traces.iter().map(|trace| trace.chip).collect();
    let airs: Vec<ChipAir> = chips.iter().map(|chip| ChipAir::for_prover(*chip)).collect();
    let matrices: Vec<RowMajorMatrix<F>> =
        traces.iter().map(|trace| RowMajorMatrix::new(trace.cells.clone(), trace.width)).collect();
    let publics = verifier::publics(&chips, claim);
    let instances: Vec<StarkInstance<'_, Config, ChipAir>> = airs
        .iter()
        .zip(&matrices)
        .zip(publics)
        .map(|((air, trace), public_values)| StarkInstance { air, trace, public_values })
        .collect();
    let failed = |error: &dyn fmt::Debug| ProveError::Proof(format!("{error:?}"));
    let data = ProverData::from_instances(&config, &instances).map_err(|error| failed(&error))?;
    let proof = prove_batch(&config, &instances, &data).map_err(|error| failed(&error))?;
    Ok(postcard::to_stdvec(&proof).expect("a proof has no map of unknown length"))
}
