//! The instruction set: one table, and what follows from it.
//!
//! Start at `table.rs`: 49 rows. Decoding, encoding, disassembly and the families are derived from it.

mod decode;
mod disasm;
mod op;
mod reg;
mod table;

pub use decode::{Insn, decode, encode};
pub use disasm::disassemble;
pub use op::{Class, Format, Op, Row};
pub use reg::Reg;

#[cfg(test)]
mod tests;
