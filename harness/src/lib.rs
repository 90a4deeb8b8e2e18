//! Checks Lockstep against its specification, official tests and other simulators.
#![forbid(unsafe_code)]

pub mod conformance;
pub mod coverage;
pub mod report;
pub mod suites;
