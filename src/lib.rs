//! Lockstep: a RISC Zero-style zkVM that can be debugged, checked and proved.
//!
//! The machine is specified in `spec/SPEC.md`, whose clauses the code cites.
//! Modules use only the modules above them in this list; `tests/layers.rs` holds them to it.
#![deny(unsafe_code)]

pub mod isa;
pub mod map;

pub mod mem;

pub mod trap;

pub mod hart;

pub mod ecall;

pub mod trace;

pub mod exec;

pub mod timeline;

pub mod gdb;
