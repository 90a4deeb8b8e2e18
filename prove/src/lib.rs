//! Proofs of Lockstep runs.
#![forbid(unsafe_code)]
