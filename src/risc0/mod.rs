//! RISC Zero's programs: their files and identity, the host their kernels expect, and what they cost there.
//!
//! Everything here is about machine "v2" of the crates risc0-zkvm 3.0 and risc0-circuit-rv32im 4.0.
//! The machine itself needs none of it: a kernel is a kernel (ELF-10), and its ECALLs are `ecall`'s.

mod binary;
mod cost;
mod host;
mod image_id;
mod output;
mod syscall;

pub use binary::{Binary, BinaryProblem, V1COMPAT};
pub use cost::{Cost, Cycles, DEFAULT_SEGMENT_PO2};
pub use host::Risc0Host;
pub use image_id::{image_id, memory_image};
pub use output::{Output, halted_claim, output_digest};
pub use syscall::Assumption;
