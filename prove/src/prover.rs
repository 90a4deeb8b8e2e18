//! The prover: from a segment to a receipt.

use std::fmt;

use p3_batch_stark::{StarkInstance, prove_batch};
use p3_matrix::Matrix;
use p3_matrix::dense::RowMajorMatrix;

use crate::air::F;
use crate::backend::{self, ChipAir};
use crate::claim::Claim;
use crate::config::{Config, config};
use crate::machine::AnyChip;
use crate::phases;
use crate::receipt::{Receipt, SYSTEM};
use crate::segment::Segment;
use crate::verifier::{self, VerifyError};
use crate::witness::{Trace, Witness, WitnessError};

/// Keeps what Plonky3 does in this process on the calling thread, if it has not begun yet.
///
/// A verification is too short for several: its time goes into starting them, and into their looking for work.
pub fn stay_on_this_thread() {
    // An error says that there are threads already; then they stay.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global();
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

/// Proves `segment`; `phases.rs` tells how far it is.
///
/// # Errors
/// [`ProveError`]: why there is no receipt.
pub fn prove(segment: &Segment) -> Result<Receipt, ProveError> {
    let witness = fill(segment)?;
    let receipt = prove_witness(witness)?;
    tracing::info_span!(phases::CHECK).in_scope(|| verifier::verify_receipt(&receipt)).map_err(ProveError::Check)?;
    Ok(receipt)
}

/// The witness of `segment`.
///
/// # Errors
/// [`ProveError::Witness`]: why there is none.
pub fn fill(segment: &Segment) -> Result<Witness, ProveError> {
    tracing::info_span!(phases::WITNESS).in_scope(|| Witness::of(segment)).map_err(ProveError::Witness)
}

/// Proves `witness`, without a look at whether it satisfies the constraints.
///
/// # Errors
/// [`ProveError::Proof`] when Plonky3 cannot.
pub fn prove_witness(witness: Witness) -> Result<Receipt, ProveError> {
    let Witness { claim, traces } = witness;
    let used: Vec<Trace> = traces.into_iter().filter(Trace::is_used).collect();
    let chips: Vec<u8> = used.iter().map(|trace| trace.chip as u8).collect();
    let proof = prove_traces(&claim, &chips, used)?;
    Ok(Receipt { system: SYSTEM.to_owned(), claim, opening: None, chips, proof })
}

fn prove_traces(claim: &Claim, numbers: &[u8], traces: Vec<Trace>) -> Result<Vec<u8>, ProveError> {
    let config = config(&verifier::statement(claim, numbers));
    let chips: Vec<AnyChip> = traces.iter().map(|trace| trace.chip).collect();
    let airs: Vec<ChipAir> = chips.iter().map(|chip| ChipAir::for_prover(*chip)).collect();
    let matrices: Vec<RowMajorMatrix<F>> =
        traces.into_iter().map(|trace| RowMajorMatrix::new(trace.cells, trace.width)).collect();
    let publics = verifier::publics(&chips, claim);
    let instances: Vec<StarkInstance<'_, Config, ChipAir>> = airs
        .iter()
        .zip(&matrices)
        .zip(publics)
        .map(|((air, trace), public_values)| StarkInstance { air, trace, public_values })
        .collect();
    let failed = |error: &dyn fmt::Debug| ProveError::Proof(format!("{error:?}"));
    let log_rows: Vec<usize> = matrices.iter().map(|matrix| matrix.height().ilog2() as usize).collect();
    let data = backend::prover_data(&config, &airs, &log_rows).map_err(|error| failed(&error))?;
    let proof = prove_batch(&config, &instances, &data).map_err(|error| failed(&error))?;
    Ok(postcard::to_stdvec(&proof).expect("a proof has no map of unknown length"))
}
