//! What the prover is doing: its phases, as they begin.
//!
//! Plonky3 marks its work with spans of the crate tracing; [`observe`] listens to them and to ours.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A part of the prover's work, in order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Finding each cell's history, and filling the chips' tables.
    Witness,
    /// Extending and committing to the tables.
    Tables,
    /// Computing the columns of the buses.
    Buses,
    /// Extending and committing to them.
    BusCommitment,
    /// Evaluating the constraints.
    Constraints,
    /// Committing to their quotient.
    Quotient,
    /// Evaluating every column at the challenge.
    Opening,
    /// Showing that the columns have the degree they should.
    Fri,
    /// Verifying what was made.
    Check,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Phase; 9] = [
        Phase::Witness,
        Phase::Tables,
        Phase::Buses,
        Phase::BusCommitment,
        Phase::Constraints,
        Phase::Quotient,
        Phase::Opening,
        Phase::Fri,
        Phase::Check,
    ];

    /// The name of the phase.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Witness => "witness",
            Phase::Tables => "tables",
            Phase::Buses => "buses",
            Phase::BusCommitment => "bus commitment",
            Phase::Constraints => "constraints",
            Phase::Quotient => "quotient",
            Phase::Opening => "opening",
            Phase::Fri => "fri",
            Phase::Check => "check",
        }
    }

    /// Which part of the work is done when the phase begins, in CPU time: what `make bench-prove` found at 2^18.
    pub const fn begins_at(self) -> f64 {
        match self {
            Phase::Witness => 0.0,
            Phase::Tables => 0.08,
            Phase::Buses => 0.17,
            Phase::BusCommitment => 0.34,
            Phase::Constraints => 0.44,
            Phase::Quotient => 0.74,
            Phase::Opening => 0.76,
            Phase::Fri => 0.89,
            Phase::Check => 0.99,
        }
    }

    /// The phase that a span named `span` begins, if the prover was in `now`.
    fn begun_by(span: &str, now: Option<Phase>) -> Option<Phase> {
        match (span, now) {
            (WITNESS, _) => Some(Phase::Witness),
            (CHECK, _) => Some(Phase::Check),
            ("prove_batch", Some(Phase::Witness)) => Some(Phase::Tables),
            ("generate lookup permutation", Some(Phase::Tables)) => Some(Phase::Buses),
            ("coset_lde_batch_with_transform" | "coset_lde_batch_with_blocks", Some(Phase::Buses)) => {
                Some(Phase::BusCommitment)
            }
            ("compute quotient", Some(Phase::BusCommitment)) => Some(Phase::Constraints),
            ("build merkle tree", Some(Phase::Constraints)) => Some(Phase::Quotient),
            ("evaluate matrix", Some(Phase::Quotient)) => Some(Phase::Opening),
            ("FRI prover", Some(Phase::Opening)) => Some(Phase::Fri),
            _ => None,
        }
    }
}

/// The span of [`Phase::Witness`].
pub(crate) const WITNESS: &str = "witness";
/// The span of [`Phase::Check`].
pub(crate) const CHECK: &str = "check";

/// Calls `begin` at the start of each phase of every proof that this process makes from now on.
///
/// Returns whether it could: a process has one such listener.
pub fn observe(begin: impl FnMut(Phase) + Send + 'static) -> bool {
    let observer = Observer { now: AtomicU8::new(NONE), begin: Mutex::new(Box::new(begin)) };
    tracing::subscriber::set_global_default(observer).is_ok()
}

/// No phase.
const NONE: u8 = u8::MAX;

struct Observer {
    now: AtomicU8,
    begin: Mutex<Box<dyn FnMut(Phase) + Send>>,
}

impl Observer {
    fn now(&self) -> Option<Phase> {
        Phase::ALL.get(usize::from(self.now.load(Ordering::Relaxed))).copied()
    }
}

impl Subscriber for Observer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let name = span.metadata().name();
        if Phase::begun_by(name, self.now()).is_some()
            && let Ok(mut begin) = self.begin.lock()
            // Another thread may have been faster.
            && let Some(phase) = Phase::begun_by(name, self.now())
        {
            self.now.store(phase as u8, Ordering::Relaxed);
            begin(phase);
        }
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn event(&self, _event: &Event<'_>) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}
