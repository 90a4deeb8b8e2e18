//! The interpreter of the crate rrs-lib: small, RV32IM, always there.

use lockstep_spec::encdec::{Op, decode};
use rrs_lib::instruction_executor::{InstructionException, InstructionExecutor};
use rrs_lib::{HartState, MemAccessSize};

use super::plain::{Hart, Interpreter, Made, Plain, PlainMemory};
use crate::machine::Raised;

/// rrs-lib beside ours.
pub type Rrs = Plain<RrsLib>;

/// The interpreter without state.
#[derive(Clone, Copy, Debug, Default)]
pub struct RrsLib;

impl rrs_lib::Memory for PlainMemory {
    fn read_mem(&mut self, addr: u32, size: MemAccessSize) -> Option<u32> {
        let value = self.word(addr)? >> (8 * (addr % 4));
        Some(value & (u32::MAX >> (32 - 8 * bytes(size))))
    }

    fn write_mem(&mut self, addr: u32, size: MemAccessSize, store_data: u32) -> bool {
        self.store(addr, bytes(size) as usize, store_data)
    }
}

fn bytes(size: MemAccessSize) -> u32 {
    match size {
        MemAccessSize::Byte => 1,
        MemAccessSize::HalfWord => 2,
        MemAccessSize::Word => 4,
    }
}

impl Interpreter for RrsLib {
    const NAME: &'static str = "rrs";

    fn step(&mut self, hart: &mut Hart) -> Made {
        let mut state = HartState { registers: hart.x, pc: hart.pc, last_register_write: None };
        let result = InstructionExecutor { mem: &mut hart.memory, hart_state: &mut state }.step();
        let insn = hart.memory.word(hart.pc).unwrap_or(0);
        match result {
            Err(exception) => Made::Trap(raised(exception, insn)),
            // rrs-lib does not look at the alignment of a target (ISA-13): it cannot judge such a jump.
            Ok(()) if !state.pc.is_multiple_of(4) => Made::Beyond,
            Ok(()) => {
                (hart.pc, hart.x) = (state.pc, state.registers);
                Made::Retired
            }
        }
    }
}

/// The exception in the manual's numbers. rrs-lib knows no ECALL and no EBREAK, and one alignment fault
/// for loads and stores.
fn raised(exception: InstructionException, insn: u32) -> Raised {
    let op = decode(insn).map(|instruction| instruction.op);
    let is_store = matches!(op, Some(Op::Sb | Op::Sh | Op::Sw));
    let (cause, value) = match exception {
        InstructionException::FetchError(pc) => (1, Some(pc)),
        InstructionException::IllegalInstruction(..) if op == Some(Op::Ebreak) => (3, None),
        InstructionException::IllegalInstruction(..) if op == Some(Op::Ecall) => (8, None),
        InstructionException::IllegalInstruction(..) => (2, None),
        InstructionException::AlignmentFault(addr) => (if is_store { 6 } else { 4 }, Some(addr)),
        InstructionException::LoadAccessFault(addr) => (5, Some(addr)),
        InstructionException::StoreAccessFault(addr) => (7, Some(addr)),
    };
    Raised { cause: Some(cause), value }
}
