//! The command `lockstep`.
#![forbid(unsafe_code)]
fn main() {}
