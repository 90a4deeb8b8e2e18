//! Checks Lockstep against its specification, official tests and other simulators.
#![forbid(unsafe_code)]

pub mod adapters;
pub mod conformance;
pub mod conversation;
pub mod coverage;
pub mod formal;
pub mod lockstep;
pub mod machine;
pub mod machines;
pub mod mutants;
pub mod report;
pub mod smt;
pub mod suites;
