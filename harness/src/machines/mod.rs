//! The machines that the harness can ask, one file each.

pub mod emulator;
pub mod spec;
