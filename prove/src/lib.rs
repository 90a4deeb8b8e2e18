//! Proofs of Lockstep runs: chips, witness, the STARK, claims and receipts.
//!
//! docs/proving.md says what a proof states, and what it does not state yet.
#![forbid(unsafe_code)]
#![recursion_limit = "256"]

pub mod air;
#[cfg(feature = "prover")]
pub mod available;
pub mod backend;
#[cfg(feature = "prover")]
pub mod check;
pub mod chips;
pub mod claim;
pub mod config;
pub mod expr;
mod key;
pub mod machine;
pub mod opening;
pub mod pages;
#[cfg(feature = "prover")]
pub mod phases;
#[cfg(feature = "prover")]
pub mod prover;
pub mod receipt;
#[cfg(feature = "prover")]
pub mod segment;
pub mod statics;
#[cfg(feature = "prover")]
pub mod stats;
pub mod symbolic;
mod tree_hash;
#[cfg(feature = "prover")]
pub mod usage;
pub mod verifier;
#[cfg(feature = "prover")]
pub mod witness;
