//! What each operation of a translated block does: its arm.
//!
//! The arms are generic in registers and memory, because two places run them: the functions of `block_ops.rs`, on
//! the machine, and `probe.rs`, on a small state on which they are proved for all values.

use super::block_code::BlockOp;
use super::ops;
use crate::map::{self, Addr, Mode};

/// The registers that operations index.
pub(super) trait Registers {
    fn get(&self, index: u8) -> u32;
    fn set(&mut self, index: u8, value: u32);
}

impl Registers for [u32; 256] {
    #[inline(always)]
    fn get(&self, index: u8) -> u32 {
        self[usize::from(index)]
    }
    #[inline(always)]
    fn set(&mut self, index: u8, value: u32) {
        self[usize::from(index)] = value;
    }
}

/// Memory as far as blocks access it.
pub(super) trait Plain: Copy {
    /// Whether a load of `WIDTH` bytes may go straight to memory.
    fn may_load<const WIDTH: u32>(self, addr: Addr) -> bool;
    /// Whether a store of `WIDTH` bytes may.
    fn may_store<const WIDTH: u32>(self, addr: Addr) -> bool;
    fn byte(self, addr: Addr) -> u8;
    fn half(self, addr: Addr) -> u16;
    fn word(self, addr: Addr) -> u32;
    fn set_byte(self, addr: Addr, value: u8);
    fn set_half(self, addr: Addr, value: u16);
    fn set_word(self, addr: Addr, value: u32);
}

/// An operation that continues with the one behind it.
pub(super) trait Arm {
    /// Executes `op`; `false`, with nothing changed, when the plain engine has to.
    fn run(regs: &mut impl Registers, memory: impl Plain, op: &BlockOp) -> bool;
}

/// An operation that ends its block.
pub(super) trait LastArm {
    /// Executes `op`, the last of a block that leads to `targets`: behind it, and where its jump goes.
    fn run(regs: &mut impl Registers, op: &BlockOp, targets: [Addr; 2]) -> Way;
}

/// Which way an operation leaves its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the target of this number.
    Side(usize),
    /// To where JALR goes.
    Jump(Addr),
    /// Not at all: the plain engine has to execute it, and nothing changed.
    Step,
}

/// Declares what operations compute: the function of `exec/ops.rs`, and whether its second operand is the
/// immediate.
macro_rules! alu {
    ($($op:ident = $f:ident $second:ident;)*) => {$(
        pub(super) struct $op;
        impl Arm for $op {
            #[inline(always)]
            fn run(regs: &mut impl Registers, _memory: impl Plain, op: &BlockOp) -> bool {
                regs.set(op.rd, ops::$f(regs.get(op.rs1), alu!(@$second regs op)));
                true
            }
        }
    )*};
    (@reg $regs:ident $op:ident) => { $regs.get($op.rs2) };
    (@imm $regs:ident $op:ident) => { $op.imm };
}

alu! {
    Add = add reg;
    Sub = sub reg;
    Xor = xor reg;
    Or = or reg;
    And = and reg;
    Slt = slt reg;
    Sltu = sltu reg;
    Sll = sll reg;
    Srl = srl reg;
    Sra = sra reg;
    Addi = add imm;
    Xori = xor imm;
    Ori = or imm;
    Andi = and imm;
    Slti = slt imm;
    Sltiu = sltu imm;
    Slli = sll imm;
    Srli = srl imm;
    Srai = sra imm;
    Mul = mul reg;
    Mulh = mulh reg;
    Mulhsu = mulhsu reg;
    Mulhu = mulhu reg;
    Div = div reg;
    Divu = divu reg;
    Rem = rem reg;
    Remu = remu reg;
}

pub(super) struct Set;

impl Arm for Set {
    #[inline(always)]
    fn run(regs: &mut impl Registers, _memory: impl Plain, op: &BlockOp) -> bool {
        regs.set(op.rd, op.imm);
        true
    }
}

pub(super) struct Nop;

impl Arm for Nop {
    #[inline(always)]
    fn run(_regs: &mut impl Registers, _memory: impl Plain, _op: &BlockOp) -> bool {
        true
    }
}

/// Declares loads: how many bytes, and how they become a word.
macro_rules! loads {
    ($($op:ident = $width:literal |$memory:ident, $addr:ident| $read:expr;)*) => {$(
        pub(super) struct $op;
        impl Arm for $op {
            #[inline(always)]
            fn run(regs: &mut impl Registers, $memory: impl Plain, op: &BlockOp) -> bool {
                let $addr = ops::effective_address(regs.get(op.rs1), op.imm);
                let may_load = $memory.may_load::<$width>($addr);
                if may_load {
                    regs.set(op.rd, $read);
                }
                may_load
            }
        }
    )*};
}

loads! {
    Lb = 1 |memory, addr| memory.byte(addr) as i8 as u32;
    Lh = 2 |memory, addr| memory.half(addr) as i16 as u32;
    Lw = 4 |memory, addr| memory.word(addr);
    Lbu = 1 |memory, addr| memory.byte(addr).into();
    Lhu = 2 |memory, addr| memory.half(addr).into();
}

/// Declares stores: how many bytes, and how a word becomes them.
macro_rules! stores {
    ($($op:ident = $width:literal |$memory:ident, $addr:ident, $value:ident| $write:expr;)*) => {$(
        pub(super) struct $op;
        impl Arm for $op {
            #[inline(always)]
            fn run(regs: &mut impl Registers, $memory: impl Plain, op: &BlockOp) -> bool {
                let $addr = ops::effective_address(regs.get(op.rs1), op.imm);
                let may_store = $memory.may_store::<$width>($addr);
                if may_store {
                    let $value = regs.get(op.rs2);
                    $write;
                }
                may_store
            }
        }
    )*};
}

stores! {
    Sb = 1 |memory, addr, value| memory.set_byte(addr, value as u8);
    Sh = 2 |memory, addr, value| memory.set_half(addr, value as u16);
    Sw = 4 |memory, addr, value| memory.set_word(addr, value);
}

/// Declares branches by their condition.
macro_rules! branches {
    ($($op:ident = $f:ident;)*) => {$(
        pub(super) struct $op;
        impl LastArm for $op {
            #[inline(always)]
            fn run(regs: &mut impl Registers, op: &BlockOp, _targets: [Addr; 2]) -> Way {
                if ops::$f(regs.get(op.rs1), regs.get(op.rs2)) { Way::Side(1) } else { Way::Side(0) }
            }
        }
    )*};
}

branches! {
    Beq = beq;
    Bne = bne;
    Blt = blt;
    Bge = bge;
    Bltu = bltu;
    Bgeu = bgeu;
}

pub(super) struct Jal;

impl LastArm for Jal {
    #[inline(always)]
    fn run(regs: &mut impl Registers, op: &BlockOp, targets: [Addr; 2]) -> Way {
        regs.set(op.rd, targets[0]);
        Way::Side(1)
    }
}

pub(super) struct Jalr;

impl LastArm for Jalr {
    #[inline(always)]
    fn run(regs: &mut impl Registers, op: &BlockOp, targets: [Addr; 2]) -> Way {
        let target = ops::jalr_target(regs.get(op.rs1), op.imm);
        if !ops::is_aligned_target(target) {
            return Way::Step;
        }
        regs.set(op.rd, targets[0]);
        Way::Jump(target)
    }
}

pub(super) struct Next;

impl LastArm for Next {
    #[inline(always)]
    fn run(_regs: &mut impl Registers, _op: &BlockOp, _targets: [Addr; 2]) -> Way {
        Way::Side(0)
    }
}

pub(super) struct Step;

impl LastArm for Step {
    #[inline(always)]
    fn run(_regs: &mut impl Registers, _op: &BlockOp, _targets: [Addr; 2]) -> Way {
        Way::Step
    }
}

/// Calls the macro `$table` with the names of all arms: those that continue, and those that end a block. The code of
/// an arm has its name, in every table.
macro_rules! all_arms {
    ($table:ident) => {
        $table! {
            [Add Sub Xor Or And Slt Sltu Sll Srl Sra Addi Xori Ori Andi Slti Sltiu Slli Srli Srai
             Mul Mulh Mulhsu Mulhu Div Divu Rem Remu Lb Lh Lw Lbu Lhu Sb Sh Sw Set Nop]
            [Beq Bne Blt Bge Bltu Bgeu Jal Jalr Next Step]
        }
    };
}

/// The bytes from [`map::USER_START`] on that `mode` may load from and that are plain memory (MAP-5, MAP-6).
pub(super) const fn plain_span(mode: Mode) -> u32 {
    match mode {
        Mode::User => map::KERNEL_START - map::USER_START,
        Mode::Machine => map::MACHINE_REGS - map::USER_START,
    }
}

/// Whether a load of `WIDTH` bytes may go straight to memory: MEM-3 and MAP-5 in one comparison,
/// because a rotation moves the bits that alignment forbids to the top.
#[inline(always)]
pub(super) fn is_plain<const WIDTH: u32>(addr: Addr, span: u32) -> bool {
    let shift = WIDTH.trailing_zeros();
    addr.wrapping_sub(map::USER_START).rotate_right(shift) < span >> shift
}

/// Whether a store of `WIDTH` bytes may go straight to memory, where `note` is the note of its page.
#[inline(always)]
pub(super) fn is_noted<const WIDTH: u32>(note: u8, may_store: u8, addr: Addr) -> bool {
    note & may_store != 0 && addr.is_multiple_of(WIDTH)
}
