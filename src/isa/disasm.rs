//! GNU-syntax disassembly, as `objdump -d -M no-aliases` prints it.

use std::fmt;

use super::decode::{Insn, decode};
use super::op::{Class, Format};

/// The instruction at `pc` in GNU syntax; `.word 0x...` for an illegal instruction.
///
/// ```
/// assert_eq!(lockstep::isa::disassemble(0x0031_10b3, 0), "sll ra,sp,gp");
/// ```
pub fn disassemble(word: u32, pc: u32) -> String {
    match decode(word) {
        Some(insn) => Text { insn, word, pc }.to_string(),
        None => format!(".word 0x{word:08x}"),
    }
}

struct Text {
    insn: Insn,
    word: u32,
    pc: u32,
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Insn { op, rd, rs1, rs2, imm } = self.insn;
        let name = op.mnemonic();
        let target = self.pc.wrapping_add(imm as u32);
        match (op.format(), op.class()) {
            (Format::R, _) => write!(f, "{name} {rd},{rs1},{rs2}"),
            (Format::I, Class::Load | Class::Jump) => write!(f, "{name} {rd},{imm}({rs1})"),
            (Format::I, _) => write!(f, "{name} {rd},{rs1},{imm}"),
            (Format::Shamt, _) => write!(f, "{name} {rd},{rs1},{imm:#x}"),
            (Format::S, _) => write!(f, "{name} {rs2},{imm}({rs1})"),
            (Format::B, _) => write!(f, "{name} {rs1},{rs2},{target:#x}"),
            (Format::U, _) => write!(f, "{name} {rd},{:#x}", imm as u32 >> 12),
            (Format::J, _) => write!(f, "{name} {rd},{target:#x}"),
            (Format::Fence, _) => self.fence(f),
            (Format::Bare, _) => write!(f, "{name}"),
        }
    }
}

impl Text {
    fn fence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const FENCE_TSO: u32 = 0x8330_000f;
        if self.word == FENCE_TSO {
            return write!(f, "fence.tso");
        }
        write!(f, "fence {},{}", access_set(self.word >> 24), access_set(self.word >> 20))
    }
}

/// The four bits of a predecessor or successor set, in GNU's words.
fn access_set(bits: u32) -> String {
    let letters = [(8, 'i'), (4, 'o'), (2, 'r'), (1, 'w')];
    let set: String = letters.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, letter)| letter).collect();
    if set.is_empty() { "unknown".into() } else { set }
}
