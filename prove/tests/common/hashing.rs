//! Programs that call sha2.

use lockstep::ecall::NoHost;
use lockstep::ecall::sha2::CONSTANTS;
use lockstep::isa::Op;
use lockstep_prove::segment::Segment;

use super::{DATA, START, insn, machine, run_with, set, terminate};

/// The registers of a call, a0 to a4.
pub struct Call {
    /// Where the state is, and where it goes.
    pub state: u32,
    pub end: u32,
    pub data: u32,
    pub blocks: u32,
    pub table: u32,
}

/// Where the state of [`CALL`] is.
pub const STATE: u32 = DATA + 0x40;
/// The table of constants, in a page of its own.
pub const TABLE: u32 = DATA + 0x1000;
/// The table in the page of the program.
pub const TABLE_IN_CODE: u32 = START + 0x280;

/// Two blocks; the state at the end is not where the first one is.
pub const CALL: Call = Call { state: STATE, end: STATE + 0x40, data: DATA + 0x200, blocks: 2, table: TABLE };

/// The run of `calls`, and of loads of the eight words that each leaves.
pub fn run(calls: &[Call]) -> Segment {
    let mut words = Vec::new();
    for call in calls {
        let Call { state, end, data, blocks, table } = *call;
        let registers = [(10, state), (11, end), (12, data), (13, blocks), (14, table), (17, 4)];
        words.extend(registers.into_iter().flat_map(|(register, value)| set(register, value)));
        words.push(insn(Op::Ecall, 0, 0, 0, 0));
        // The engine's words: the witness must have left the same in memory.
        words.extend((0..8).map(|i| insn(Op::Lw, 5, 11, 0, 4 * i)));
    }
    words.extend(terminate(0));
    let mut machine = machine(&words);
    for (i, constant) in (0..).zip(CONSTANTS) {
        machine.mem.set_word(TABLE + 4 * i, constant);
        machine.mem.set_word(TABLE_IN_CODE + 4 * i, constant);
    }
    for i in 0..256_u32 {
        machine.mem.set_word(DATA + 4 * i, (i + 1).wrapping_mul(0x9e37_79b9));
    }
    run_with(machine, &mut NoHost)
}

/// Calls of one block and of several, apart and in place, with the ranges in both orders, with the table in a page of
/// code and with a count whose upper half v2 does not look at.
pub fn hashing() -> Segment {
    run(&[
        CALL,
        Call { end: STATE, blocks: 1, ..CALL },
        Call { end: DATA + 0x300, data: DATA, blocks: 0x5_0001, table: TABLE_IN_CODE, ..CALL },
        Call { state: DATA + 0x300, end: DATA + 0x2e0, data: DATA, blocks: 10, ..CALL },
    ])
}
