//! Programs made in place, run as segments.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod everything;
pub mod hashing;
pub mod traps;

use lockstep::ecall::{Host, NoHost};
use lockstep::hart::Machine;
use lockstep::isa::{Insn, Op, Reg, encode};
use lockstep::map;
use lockstep::mem::Memory;
use lockstep_prove::segment::Segment;

/// Where the programs begin.
pub const START: u32 = 0x0001_0000;
/// A data area of theirs.
pub const DATA: u32 = 0x0002_0000;

/// An instruction.
pub fn insn(op: Op, rd: u32, rs1: u32, rs2: u32, imm: i32) -> u32 {
    encode(&Insn { op, rd: Reg::new(rd), rs1: Reg::new(rs1), rs2: Reg::new(rs2), imm })
}

/// The two instructions that set x`rd` to `value`.
pub fn set(rd: u32, value: u32) -> [u32; 2] {
    let low = (value as i32) << 20 >> 20;
    let high = value.wrapping_sub(low as u32);
    [insn(Op::Lui, rd, 0, 0, high as i32), insn(Op::Addi, rd, rd, 0, low)]
}

/// terminate with `a0`.
pub fn terminate(a0: u32) -> Vec<u32> {
    [&set(17, 0)[..], &set(10, a0), &[insn(Op::Ecall, 0, 0, 0, 0)]].concat()
}

/// A machine that runs `words` from [`START`] in machine mode.
pub fn machine(words: &[u32]) -> Machine {
    let mut memory = Memory::new();
    for (i, word) in words.iter().enumerate() {
        memory.set_word(START + 4 * i as u32, *word);
    }
    memory.set_word(map::SUSPEND_PC, START);
    memory.set_word(map::SUSPEND_MODE, 1);
    Machine::from_image(memory).expect("a machine that starts")
}

/// The run of `words` to their end.
pub fn run(words: &[u32]) -> Segment {
    run_with(machine(words), &mut NoHost)
}

/// The run of `machine` to its end.
pub fn run_with(machine: Machine, host: &mut dyn Host) -> Segment {
    Segment::run(machine, host, 100_000)
}

/// Every instruction with two register sources or an immediate, on operands at the edges.
pub fn arithmetic() -> Vec<u32> {
    let values = [
        0,
        1,
        2,
        3,
        0x7f,
        0xff,
        0x8000,
        0xffff,
        0x1_0000,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_fffe,
        u32::MAX,
        0x1234_5678,
        31,
        32,
    ];
    let registers = [
        Op::Add,
        Op::Sub,
        Op::Sll,
        Op::Slt,
        Op::Sltu,
        Op::Xor,
        Op::Srl,
        Op::Sra,
        Op::Or,
        Op::And,
        Op::Mul,
        Op::Mulh,
        Op::Mulhsu,
        Op::Mulhu,
        Op::Div,
        Op::Divu,
        Op::Rem,
        Op::Remu,
    ];
    let immediates = [Op::Addi, Op::Slti, Op::Sltiu, Op::Xori, Op::Ori, Op::Andi];
    let shifts = [Op::Slli, Op::Srli, Op::Srai];
    let branches = [Op::Beq, Op::Bne, Op::Blt, Op::Bge, Op::Bltu, Op::Bgeu];
    let mut words = Vec::new();
    for x in values {
        words.extend(set(5, x));
        for y in values {
            words.extend(set(6, y));
            words.extend(registers.map(|op| insn(op, 7, 5, 6, 0)));
            // A taken branch skips an instruction.
            words.extend(branches.iter().flat_map(|op| [insn(*op, 0, 5, 6, 8), insn(Op::Addi, 8, 8, 0, 1)]));
        }
        for imm in [0, 1, -1, 2047, -2048, 5] {
            words.extend(immediates.map(|op| insn(op, 7, 5, 0, imm)));
        }
        for amount in [0, 1, 7, 8, 9, 16, 23, 24, 31] {
            words.extend(shifts.map(|op| insn(op, 7, 5, 0, amount)));
        }
    }
    words.extend(terminate(0));
    words
}

/// Loads, stores, jumps, x0, fence, code read as data.
pub fn memory() -> Vec<u32> {
    let mut words = Vec::new();
    words.extend(set(5, DATA));
    words.extend(set(6, 0x89ab_cdef));
    for offset in 0..4 {
        words.extend([insn(Op::Sw, 0, 5, 6, 0), insn(Op::Sb, 0, 5, 6, offset), insn(Op::Lb, 7, 5, 0, offset)]);
        words.extend([insn(Op::Lbu, 7, 5, 0, offset), insn(Op::Lw, 8, 5, 0, 0)]);
    }
    for offset in [0, 2] {
        words.extend([insn(Op::Sh, 0, 5, 6, offset), insn(Op::Lh, 7, 5, 0, offset), insn(Op::Lhu, 7, 5, 0, offset)]);
    }
    words.extend([insn(Op::Lw, 7, 5, 0, -0x400), insn(Op::Fence, 0, 0, 0, 0)]);
    // x0 as destination, as both sources, and its cell through the register window (MAP-7).
    words.extend([insn(Op::Addi, 0, 6, 0, 5), insn(Op::Add, 9, 0, 0, 0), insn(Op::Add, 9, 6, 6, 0)]);
    words.extend(set(11, map::MACHINE_REGS));
    words.extend([insn(Op::Sw, 0, 11, 6, 0), insn(Op::Add, 9, 0, 0, 0), insn(Op::Lw, 9, 11, 0, 0)]);
    // x12 through the window, both ways.
    words.extend([insn(Op::Sw, 0, 11, 6, 48), insn(Op::Addi, 12, 12, 0, 1), insn(Op::Lw, 12, 11, 0, 48)]);
    words.extend([insn(Op::Auipc, 13, 0, 0, 0), insn(Op::Jalr, 1, 13, 0, 13), insn(Op::Addi, 8, 8, 0, 1)]);
    words.extend([insn(Op::Jal, 1, 0, 0, 8), insn(Op::Addi, 8, 8, 0, 1), insn(Op::Auipc, 13, 0, 0, -4096)]);
    // A word of the code, as data.
    words.extend([insn(Op::Auipc, 13, 0, 0, 0), insn(Op::Lw, 14, 13, 0, 0)]);
    words.extend(terminate(0x0007_0000));
    words
}

/// A loop that leaves cells alone for longer than an access shows by itself.
pub fn long() -> Vec<u32> {
    let turns = set(5, 9000);
    let body = [insn(Op::Addi, 5, 5, 0, -1), insn(Op::Bne, 0, 5, 0, -4)];
    [&set(6, DATA)[..], &[insn(Op::Sw, 0, 6, 5, 0)], &turns, &body, &[insn(Op::Lw, 7, 6, 0, 0)], &terminate(0)].concat()
}
