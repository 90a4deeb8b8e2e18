//! The default kernel (placeholder until it is built).

/// The default kernel as an ELF file.
pub const DEFAULT: &[u8] = &[];
