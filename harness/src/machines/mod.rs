//! The machines that the harness can ask, one file each.

pub mod emulator;
#[cfg(feature = "risc0")]
pub mod risc0;
pub mod spec;
