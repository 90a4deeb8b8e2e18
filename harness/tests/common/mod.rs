//! Programs for the tests, made of instructions.
#![allow(dead_code, reason = "each test uses its part")]

pub mod faulty;

use std::process::ExitCode;

use lockstep::hart::Machine;
use lockstep::isa::{Class, Format, Insn, Op, Reg, encode};
use lockstep::map::{self, Addr, Mode};
use lockstep::mem::Memory;
use lockstep_harness::machines::{Unavailable, open};

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

/// Runs tests that need the simulator `name`, and counts what could not run as ignored, never as passed.
pub fn with_simulator(name: &str, tests: &[(&str, fn())]) -> ExitCode {
    let missing = match open(name) {
        Err(Unavailable::Skipped(reason)) => Some(reason),
        _ => None,
    };
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for (test, run) in tests.iter().filter(|(test, _)| test.contains(&filter)) {
        let (outcome, count) = match &missing {
            Some(reason) => (format!("ignored, {name}: {reason}"), &mut ignored),
            None if std::panic::catch_unwind(run).is_ok() => ("ok".to_string(), &mut passed),
            None => ("FAILED".to_string(), &mut failed),
        };
        *count += 1;
        println!("test {test} ... {outcome}");
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {result}. {passed} passed; {failed} failed; {ignored} ignored");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every instruction of two registers on operands that are equal, next to each other, and at the ends of the
/// signed and unsigned numbers: where a comparison that is wrong by one shows. x20 collects the results.
pub fn ties() -> Vec<u32> {
    let mut program = Vec::new();
    let values = [0, 1, -1, -2, 5, 6, i32::MIN, i32::MAX];
    let pairs = values.iter().flat_map(|a| values.iter().map(move |b| (*a, *b)));
    let close = |(a, b): &(i32, i32)| a.wrapping_sub(*b).unsigned_abs() <= 1 || (*a == i32::MIN && *b == -1);
    for (a, b) in pairs.filter(close) {
        for (reg, value) in [(5, a), (6, b)] {
            let low = value << 20 >> 20;
            program.extend([u(Op::Lui, reg, value.wrapping_sub(low)), i(Op::Addi, reg, reg, low)]);
        }
        for op in Op::ALL {
            match op.format() {
                Format::R => program.push(r(op, 7, 5, 6)),
                Format::B => program.extend([i(Op::Addi, 7, 0, 1), s(op, 5, 6, 8), i(Op::Addi, 7, 0, 2)]),
                Format::I if matches!(op.class(), Class::Less | Class::Alu) => program.push(i(op, 7, 5, b << 20 >> 20)),
                _ => continue,
            }
            // x20 = (x20 << 1) + x7.
            program.extend([r(Op::Add, 20, 20, 20), r(Op::Add, 20, 20, 7)]);
        }
    }
    program.extend([i(Op::Addi, 10, 0, 0), i(Op::Addi, 17, 0, 0), ecall()]);
    program
}
