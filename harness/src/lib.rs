//! Checks Lockstep against its specification, official tests and other simulators.
#![forbid(unsafe_code)]

pub mod formal;
pub mod smt;
