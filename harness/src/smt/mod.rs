//! Proofs by SMT that what the emulator computes is what the specification says, for all inputs.
//!
//! * [`term`] - terms of a solver; [`word`] - the specification's words as such terms.
//! * [`ir`] - from the compiler's optimised LLVM IR to terms.
//! * [`handlers`] - the functions that are proved: those of `lockstep::exec::ops`, which the engines call.
//! * [`arm`] - what an engine makes of one instruction, and what the specification says of that.
//! * [`obligations`] - what is claimed of them, instruction by instruction.
//! * [`mutants`] - wrong functions that the same machinery must refute.
//! * [`cut`] - questions about products in two halves.
//! * [`query`] - obligations as SMT-LIB text; [`solver`] - the solvers, called as processes.
//!
//! docs/formal.md says what is claimed, what is trusted, and what is taken for granted.

pub mod arm;
pub mod cut;
pub mod handlers;
pub mod ir;
pub mod mutants;
pub mod obligations;
pub mod query;
pub mod solver;
pub mod term;
pub mod word;
