//! Programs for the tests, made of instructions.
#![allow(dead_code, reason = "each test uses its part")]

use lockstep::hart::Machine;
use lockstep::isa::{Insn, Op, Reg, encode};
use lockstep::map::{self, Addr, Mode};
use lockstep::mem::Memory;

pub const START: Addr = 0x0001_0000;
pub const KERNEL: Addr = 0xC000_0000;
pub const DATA: i32 = 0x0004_0000;

pub fn r(op: Op, rd: u32, rs1: u32, rs2: u32) -> u32 {
    encode(&Insn { op, rd: Reg::new(rd), rs1: Reg::new(rs1), rs2: Reg::new(rs2), imm: 0 })
}

pub fn i(op: Op, rd: u32, rs1: u32, imm: i32) -> u32 {
    encode(&Insn { op, rd: Reg::new(rd), rs1: Reg::new(rs1), rs2: Reg::ZERO, imm })
}

/// Stores and branches: no destination.
pub fn s(op: Op, rs1: u32, rs2: u32, imm: i32) -> u32 {
    encode(&Insn { op, rd: Reg::ZERO, rs1: Reg::new(rs1), rs2: Reg::new(rs2), imm })
}

pub fn u(op: Op, rd: u32, imm: i32) -> u32 {
    i(op, rd, 0, imm)
}

pub fn ecall() -> u32 {
    u(Op::Ecall, 0, 0)
}

/// A machine at the first word of `program`, in `mode`.
pub fn machine(mode: Mode, program: &[u32]) -> Machine {
    with_kernel(mode, program, &[])
}

/// The same, with a kernel that takes ECALLs and faults.
pub fn with_kernel(mode: Mode, program: &[u32], kernel: &[u32]) -> Machine {
    let mut memory = Memory::new();
    let mut put = |start: Addr, words: &[u32]| {
        (0..).zip(words).for_each(|(i, &word)| memory.set_word(start + 4 * i, word));
    };
    put(START, program);
    put(KERNEL, kernel);
    put(map::SUSPEND_PC, &[START, mode as u32]);
    if !kernel.is_empty() {
        put(map::ECALL_VECTOR, &[KERNEL]);
        put(map::TRAP_VECTOR, &[KERNEL]);
    }
    Machine::from_image(memory).expect("the image starts")
}

/// Mixes registers and memory `rounds` times, then terminates: 16 instructions a round.
pub fn mixer(rounds: i32) -> Vec<u32> {
    let mut program = vec![
        u(Op::Lui, 5, rounds & !0xfff),
        i(Op::Addi, 5, 5, rounds & 0x7ff),
        u(Op::Lui, 6, DATA),
        u(Op::Lui, 7, 0x1234_5000),
    ];
    let top = program.len() as i32;
    program.extend([
        i(Op::Addi, 7, 7, 0x3b9),
        r(Op::Mul, 8, 7, 7),
        r(Op::Xor, 9, 8, 7),
        i(Op::Srli, 10, 9, 7),
        i(Op::Andi, 11, 10, 0x7fc),
        r(Op::Add, 12, 6, 11),
        i(Op::Lw, 13, 12, 0),
        r(Op::Add, 13, 13, 9),
        s(Op::Sw, 12, 13, 0),
        s(Op::Sb, 12, 8, 1),
        i(Op::Lh, 14, 12, 2),
        r(Op::Divu, 15, 13, 9),
        r(Op::Mulhsu, 16, 13, 8),
        r(Op::Sltu, 18, 16, 15),
        i(Op::Addi, 5, 5, -1),
    ]);
    let back = (top - program.len() as i32) * 4;
    program.extend([s(Op::Bne, 5, 0, back), i(Op::Addi, 10, 0, 0), i(Op::Addi, 17, 0, 0), ecall()]);
    program
}
