//! The specification against values worked out by hand from the manual.

use lockstep_spec::encdec::{self, Op, decode};
use lockstep_spec::{rv32i, rv32m};

const MIN: u32 = 0x8000_0000;
const MAX: u32 = 0x7FFF_FFFF;
const NEG1: u32 = 0xFFFF_FFFF;

fn check(name: &str, function: fn(u32, u32) -> u32, rows: &[(u32, u32, u32)]) {
    for &(rs1, rs2, rd) in rows {
        assert_eq!(function(rs1, rs2), rd, "{name} {rs1:#010x}, {rs2:#010x}");
    }
}

/// ISA-7, ISA-9.
#[test]
fn arithmetic_wraps_and_comparisons_know_the_sign() {
    check("add", rv32i::add, &[(NEG1, 1, 0), (MAX, 1, MIN), (5, NEG1, 4)]);
    check("sub", rv32i::sub, &[(0, 1, NEG1), (MIN, 1, MAX)]);
    check("slt", rv32i::slt, &[(NEG1, 0, 1), (0, NEG1, 0), (MIN, MAX, 1), (3, 3, 0)]);
    check("sltu", rv32i::sltu, &[(NEG1, 0, 0), (0, NEG1, 1), (MIN, MAX, 0), (3, 3, 0)]);
    check("xor", rv32i::xor, &[(0b1100, 0b1010, 0b0110)]);
    check("or", rv32i::or, &[(0b1100, 0b1010, 0b1110)]);
    check("and", rv32i::and, &[(0b1100, 0b1010, 0b1000)]);
}

/// ISA-8.
#[test]
fn shifts_use_the_low_five_bits() {
    check("sll", rv32i::sll, &[(1, 31, MIN), (1, 33, 2), (3, 31, MIN)]);
    check("srl", rv32i::srl, &[(MIN, 31, 1), (MIN, 32, MIN), (NEG1, 28, 15)]);
    check("sra", rv32i::sra, &[(MIN, 31, NEG1), (MAX, 30, 1), (MIN, 33, 0xC000_0000)]);
}

/// ISA-10 to ISA-12.
#[test]
fn control_transfers() {
    check("auipc", rv32i::auipc, &[(0x1_0004, 0xFFFF_F000, 0xF004), (4, 0x1000, 0x1004)]);
    check("jalr", rv32i::jalr_target, &[(0x1_0003, 0, 0x1_0002), (0, NEG1, 0xFFFF_FFFE)]);
    assert!(rv32i::is_misaligned_target(2u32) && !rv32i::is_misaligned_target(8u32));
    let taken = |rs1: u32, rs2: u32| {
        [rv32i::beq, rv32i::bne, rv32i::blt, rv32i::bge, rv32i::bltu, rv32i::bgeu].map(|f| f(rs1, rs2))
    };
    assert_eq!(taken(1, 1), [true, false, false, true, false, true]);
    assert_eq!(taken(NEG1, 1), [false, true, true, false, false, true]);
    assert_eq!(taken(1, NEG1), [false, true, false, true, true, false]);
}

/// ISA-14, MEM-1: little-endian, signs extended, neighbours kept.
#[test]
fn loads_and_stores() {
    let word = 0x80FF_7F01;
    check("lb", rv32i::lb, &[(word, 0, 1), (word, 1, 0x7F), (word, 2, NEG1), (word, 3, 0xFFFF_FF80)]);
    check("lbu", rv32i::lbu, &[(word, 2, 0xFF), (word, 3, 0x80)]);
    check("lh", rv32i::lh, &[(word, 4, 0x7F01), (word, 6, 0xFFFF_80FF)]);
    check("lhu", rv32i::lhu, &[(word, 2, 0x80FF)]);
    assert_eq!(rv32i::sb(word, 2, 0x1234_56AB), 0x80AB_7F01);
    assert_eq!(rv32i::sb(word, 3, 0xFFFF_FF00), 0x00FF_7F01);
    assert_eq!(rv32i::sh(word, 2, 0x1234_56AB), 0x56AB_7F01);
    assert_eq!(rv32i::sh(word, 0, 0x1234_56AB), 0x80FF_56AB);
}

/// ISA-15: the product of two halves of the range, by hand.
#[test]
fn products() {
    check("mul", rv32m::mul, &[(NEG1, NEG1, 1), (MIN, 2, 0), (0x1_0001, 0x1_0001, 0x2_0001)]);
    check("mulh", rv32m::mulh, &[(NEG1, NEG1, 0), (MIN, MIN, 0x4000_0000), (MIN, MAX, 0xC000_0000), (NEG1, 1, NEG1)]);
    check("mulhsu", rv32m::mulhsu, &[(NEG1, NEG1, NEG1), (MIN, NEG1, MIN), (1, NEG1, 0), (MAX, 2, 0)]);
    check("mulhu", rv32m::mulhu, &[(NEG1, NEG1, 0xFFFF_FFFE), (MIN, MIN, 0x4000_0000), (1, NEG1, 0)]);
}

/// ISA-16: the manual's table 7.1, then rounding and signs.
#[test]
fn quotients() {
    check("div", rv32m::div, &[(7, 0, NEG1), (MIN, NEG1, MIN), (MIN, 0, NEG1), (0xFFFF_FFF9, 2, 0xFFFF_FFFD)]);
    check("divu", rv32m::divu, &[(7, 0, NEG1), (MIN, NEG1, 0), (NEG1, 2, MAX)]);
    check("rem", rv32m::rem, &[(7, 0, 7), (MIN, NEG1, 0), (MIN, 0, MIN), (0xFFFF_FFF9, 2, NEG1), (7, 0xFFFF_FFFE, 1)]);
    check("remu", rv32m::remu, &[(7, 0, 7), (MIN, NEG1, MIN), (NEG1, 16, 15)]);
}

/// Figure 2.4: each bit of an instruction ends where the figure puts it.
#[test]
fn immediates() {
    // One instruction bit at a time: (bit, I, S, B, J); bit 31 is the sign.
    let rows = [
        (31, 0xFFFF_F800, 0xFFFF_F800, 0xFFFF_F000, 0xFFF0_0000),
        (30, 1 << 10, 1 << 10, 1 << 10, 1 << 10),
        (25, 1 << 5, 1 << 5, 1 << 5, 1 << 5),
        (24, 1 << 4, 0, 0, 1 << 4),
        (21, 1 << 1, 0, 0, 1 << 1),
        (20, 1, 0, 0, 1 << 11),
        (19, 0, 0, 0, 1 << 19),
        (12, 0, 0, 0, 1 << 12),
        (11, 0, 1 << 4, 1 << 4, 0),
        (8, 0, 1 << 1, 1 << 1, 0),
        (7, 0, 1, 1 << 11, 0),
        (6, 0, 0, 0, 0),
    ];
    for (bit, i, s, b, j) in rows {
        let inst = 1u32 << bit;
        let found = [encdec::imm_i(inst), encdec::imm_s(inst), encdec::imm_b(inst), encdec::imm_j(inst)];
        assert_eq!(found, [i, s, b, j], "bit {bit}");
    }
    assert_eq!(encdec::imm_u(0x1234_5FFF_u32), 0x1234_5000);
}

/// ISA-2 to ISA-4.
#[test]
fn reserved_encodings_are_illegal() {
    // c.nop, lr.w, csrrw, fence.i, wfi, sret, jalr with funct3 1, slli with bit 25, add with funct7 0x21, ecall with rd.
    let illegal =
        [0x0001, 0x1000_202F, 0x3000_1073, 0x100F, 0x1050_0073, 0x1020_0073, 0x1067, 0x0200_1013, 0x4200_0033, 0xF3];
    for word in illegal {
        assert_eq!(decode(word), None, "{word:#010x}");
    }
    // fence.tso, pause, fence with rd and rs1.
    for word in [0x8330_000F, 0x0100_000F, 0x0FF0_8F8F] {
        assert_eq!(decode(word).map(|i| i.op), Some(Op::Fence), "{word:#010x}");
    }
    assert_eq!(decode(0x3020_0073).map(|i| i.op), Some(Op::Mret));
}
