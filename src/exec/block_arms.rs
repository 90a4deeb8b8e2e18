//! What each operation of a translated block does: the arms of the loop in `block_run.rs`.
//!
//! They are macros because two places expand them: the loop, on the machine, and `probe.rs`, on a
//! small state on which they are proved for all values. What only the loop can do - leave, go to
//! another block - is left to macros of these names, which both places define:
//!
//! ```text
//!   leave!(skip)         before operation `skip` behind this one, for the plain engine to execute
//!   leave_by_side!(i)    the block ends: 0 behind it, 1 where its branch or JAL goes
//!   jump!(target)        the block ends: JALR goes to `target`
//!   behind!()            the address behind the block
//!   gone!()              the block has to be translated
//!   second!()            the second operation of a pair
//!   pair_is_done!()      both operations of a pair are done
//! ```

use super::block_run::{is_noted, is_plain};
use crate::mem::{Notes, PageNo, Views};

/// The registers that operations index.
pub(super) trait Registers {
    fn get(&self, index: u8) -> u32;
    fn set(&mut self, index: u8, value: u32);
}

impl Registers for [u32; 256] {
    #[inline]
    fn get(&self, index: u8) -> u32 {
        self[usize::from(index)]
    }
    #[inline]
    fn set(&mut self, index: u8, value: u32) {
        self[usize::from(index)] = value;
    }
}

/// Memory as far as blocks access it.
pub(super) trait Plain: Copy {
    /// Whether a load of `WIDTH` bytes may go straight to memory.
    fn may_load<const WIDTH: u32>(self, addr: u32) -> bool;
    /// Whether a store of `WIDTH` bytes may.
    fn may_store<const WIDTH: u32>(self, addr: u32) -> bool;
    fn byte(self, addr: u32) -> u8;
    fn half(self, addr: u32) -> u16;
    fn word(self, addr: u32) -> u32;
    fn set_byte(self, addr: u32, value: u8);
    fn set_half(self, addr: u32, value: u16);
    fn set_word(self, addr: u32, value: u32);
}

/// The memory of a machine, for one mode.
#[derive(Clone, Copy)]
pub(super) struct PlainMemory<'a> {
    pub views: Views<'a>,
    pub notes: &'a Notes,
    /// The bytes from `map::USER_START` on that the mode may load from.
    pub span: u32,
    /// The note of pages that the mode may store to.
    pub may_store: u8,
}

impl Plain for PlainMemory<'_> {
    #[inline]
    fn may_load<const WIDTH: u32>(self, addr: u32) -> bool {
        is_plain::<WIDTH>(addr, self.span)
    }
    #[inline]
    fn may_store<const WIDTH: u32>(self, addr: u32) -> bool {
        is_noted::<WIDTH>(self.notes[PageNo::of(addr).index()], self.may_store, addr)
    }
    #[inline]
    fn byte(self, addr: u32) -> u8 {
        self.views.byte(addr).get()
    }
    #[inline]
    fn half(self, addr: u32) -> u16 {
        self.views.half(addr).get()
    }
    #[inline]
    fn word(self, addr: u32) -> u32 {
        self.views.word(addr).get()
    }
    #[inline]
    fn set_byte(self, addr: u32, value: u8) {
        self.views.byte(addr).set(value);
    }
    #[inline]
    fn set_half(self, addr: u32, value: u16) {
        self.views.half(addr).set(value);
    }
    #[inline]
    fn set_word(self, addr: u32, value: u32) {
        self.views.word(addr).set(value);
    }
}

macro_rules! alu {
    ($regs:expr, $f:ident, $op:expr, reg) => {
        $regs.set($op.rd, ops::$f($regs.get($op.rs1), $regs.get($op.rs2)))
    };
    ($regs:expr, $f:ident, $op:expr, imm) => {
        $regs.set($op.rd, ops::$f($regs.get($op.rs1), $op.imm))
    };
}

macro_rules! load {
    ($regs:expr, $plain:expr, $width:expr, $op:expr, $skip:expr, $addr:ident => $read:expr) => {{
        let $addr = ops::effective_address($regs.get($op.rs1), $op.imm);
        if !$plain.may_load::<$width>($addr) {
            leave!($skip);
        }
        $regs.set($op.rd, $read);
    }};
}

macro_rules! store {
    ($regs:expr, $plain:expr, $width:expr, $op:expr, $skip:expr, ($addr:ident, $value:ident) => $write:expr) => {{
        let $addr = ops::effective_address($regs.get($op.rs1), $op.imm);
        if !$plain.may_store::<$width>($addr) {
            leave!($skip);
        }
        let $value: u32 = $regs.get($op.rs2);
        $write;
    }};
}

macro_rules! branch {
    ($regs:expr, $f:ident, $op:expr) => {
        leave_by_side!(usize::from(ops::$f($regs.get($op.rs1), $regs.get($op.rs2))))
    };
}

macro_rules! jal {
    ($regs:expr, $op:expr) => {{
        $regs.set($op.rd, behind!());
        leave_by_side!(1);
    }};
}

macro_rules! jalr {
    ($regs:expr, $op:expr, $skip:expr) => {{
        let target = ops::jalr_target($regs.get($op.rs1), $op.imm);
        if !ops::is_aligned_target(target) {
            leave!($skip);
        }
        $regs.set($op.rd, behind!());
        jump!(target);
    }};
}

/// One operation, by its single code.
#[rustfmt::skip]
macro_rules! one {
    ($r:expr, $m:expr, Lb, $op:expr, $skip:expr) => { load!($r, $m, 1, $op, $skip, addr => $m.byte(addr) as i8 as u32) };
    ($r:expr, $m:expr, Lh, $op:expr, $skip:expr) => { load!($r, $m, 2, $op, $skip, addr => $m.half(addr) as i16 as u32) };
    ($r:expr, $m:expr, Lw, $op:expr, $skip:expr) => { load!($r, $m, 4, $op, $skip, addr => $m.word(addr)) };
    ($r:expr, $m:expr, Lbu, $op:expr, $skip:expr) => { load!($r, $m, 1, $op, $skip, addr => $m.byte(addr).into()) };
    ($r:expr, $m:expr, Lhu, $op:expr, $skip:expr) => { load!($r, $m, 2, $op, $skip, addr => $m.half(addr).into()) };
    ($r:expr, $m:expr, Sb, $op:expr, $skip:expr) => { store!($r, $m, 1, $op, $skip, (addr, value) => $m.set_byte(addr, value as u8)) };
    ($r:expr, $m:expr, Sh, $op:expr, $skip:expr) => { store!($r, $m, 2, $op, $skip, (addr, value) => $m.set_half(addr, value as u16)) };
    ($r:expr, $m:expr, Sw, $op:expr, $skip:expr) => { store!($r, $m, 4, $op, $skip, (addr, value) => $m.set_word(addr, value)) };
    ($r:expr, $m:expr, Addi, $op:expr, $skip:expr) => { alu!($r, add, $op, imm) };
    ($r:expr, $m:expr, Andi, $op:expr, $skip:expr) => { alu!($r, and, $op, imm) };
    ($r:expr, $m:expr, Slli, $op:expr, $skip:expr) => { alu!($r, sll, $op, imm) };
    ($r:expr, $m:expr, Srli, $op:expr, $skip:expr) => { alu!($r, srl, $op, imm) };
    ($r:expr, $m:expr, Add, $op:expr, $skip:expr) => { alu!($r, add, $op, reg) };
    ($r:expr, $m:expr, Xor, $op:expr, $skip:expr) => { alu!($r, xor, $op, reg) };
    ($r:expr, $m:expr, Or, $op:expr, $skip:expr) => { alu!($r, or, $op, reg) };
    ($r:expr, $m:expr, Sltu, $op:expr, $skip:expr) => { alu!($r, sltu, $op, reg) };
    ($r:expr, $m:expr, Mul, $op:expr, $skip:expr) => { alu!($r, mul, $op, reg) };
    ($r:expr, $m:expr, Set, $op:expr, $skip:expr) => { $r.set($op.rd, $op.imm) };
    ($r:expr, $m:expr, Beq, $op:expr, $skip:expr) => { branch!($r, beq, $op) };
    ($r:expr, $m:expr, Bne, $op:expr, $skip:expr) => { branch!($r, bne, $op) };
    ($r:expr, $m:expr, Blt, $op:expr, $skip:expr) => { branch!($r, blt, $op) };
    ($r:expr, $m:expr, Bltu, $op:expr, $skip:expr) => { branch!($r, bltu, $op) };
    ($r:expr, $m:expr, Jal, $op:expr, $skip:expr) => { jal!($r, $op) };
    ($r:expr, $m:expr, Jalr, $op:expr, $skip:expr) => { jalr!($r, $op, $skip) };
}

macro_rules! two {
    ($regs:expr, $plain:expr, $first:ident, $second:ident, $op:expr) => {{
        one!($regs, $plain, $first, $op, 0);
        let second: BlockOp = second!();
        one!($regs, $plain, $second, second, 1);
        pair_is_done!();
    }};
}

/// Does what the operation `$op` says to the registers `$regs` and the memory `$plain`.
macro_rules! dispatch {
    ($op:expr, $regs:expr, $plain:expr) => {
        #[allow(unreachable_code, reason = "a pair that ends in a jump does not continue")]
        match $op.code {
            Code::Add => one!($regs, $plain, Add, $op, 0),
            Code::Sub => alu!($regs, sub, $op, reg),
            Code::Xor => one!($regs, $plain, Xor, $op, 0),
            Code::Or => one!($regs, $plain, Or, $op, 0),
            Code::And => alu!($regs, and, $op, reg),
            Code::Slt => alu!($regs, slt, $op, reg),
            Code::Sltu => one!($regs, $plain, Sltu, $op, 0),
            Code::Sll => alu!($regs, sll, $op, reg),
            Code::Srl => alu!($regs, srl, $op, reg),
            Code::Sra => alu!($regs, sra, $op, reg),
            Code::Addi => one!($regs, $plain, Addi, $op, 0),
            Code::Xori => alu!($regs, xor, $op, imm),
            Code::Ori => alu!($regs, or, $op, imm),
            Code::Andi => one!($regs, $plain, Andi, $op, 0),
            Code::Slti => alu!($regs, slt, $op, imm),
            Code::Sltiu => alu!($regs, sltu, $op, imm),
            Code::Slli => one!($regs, $plain, Slli, $op, 0),
            Code::Srli => one!($regs, $plain, Srli, $op, 0),
            Code::Srai => alu!($regs, sra, $op, imm),
            Code::Mul => one!($regs, $plain, Mul, $op, 0),
            Code::Mulh => alu!($regs, mulh, $op, reg),
            Code::Mulhsu => alu!($regs, mulhsu, $op, reg),
            Code::Mulhu => alu!($regs, mulhu, $op, reg),
            Code::Div => alu!($regs, div, $op, reg),
            Code::Divu => alu!($regs, divu, $op, reg),
            Code::Rem => alu!($regs, rem, $op, reg),
            Code::Remu => alu!($regs, remu, $op, reg),
            Code::Lb => one!($regs, $plain, Lb, $op, 0),
            Code::Lh => one!($regs, $plain, Lh, $op, 0),
            Code::Lw => one!($regs, $plain, Lw, $op, 0),
            Code::Lbu => one!($regs, $plain, Lbu, $op, 0),
            Code::Lhu => one!($regs, $plain, Lhu, $op, 0),
            Code::Sb => one!($regs, $plain, Sb, $op, 0),
            Code::Sh => one!($regs, $plain, Sh, $op, 0),
            Code::Sw => one!($regs, $plain, Sw, $op, 0),
            Code::Beq => one!($regs, $plain, Beq, $op, 0),
            Code::Bne => one!($regs, $plain, Bne, $op, 0),
            Code::Blt => one!($regs, $plain, Blt, $op, 0),
            Code::Bge => branch!($regs, bge, $op),
            Code::Bltu => one!($regs, $plain, Bltu, $op, 0),
            Code::Bgeu => branch!($regs, bgeu, $op),
            Code::Jal => one!($regs, $plain, Jal, $op, 0),
            Code::Jalr => one!($regs, $plain, Jalr, $op, 0),
            Code::Set => one!($regs, $plain, Set, $op, 0),
            Code::Nop => {}
            Code::Next => leave_by_side!(0),
            Code::Step => leave!(0),
            Code::Gone => gone!(),
            Code::AddiAddi => two!($regs, $plain, Addi, Addi, $op),
            Code::AddiBne => two!($regs, $plain, Addi, Bne, $op),
            Code::AddiBeq => two!($regs, $plain, Addi, Beq, $op),
            Code::AddiBlt => two!($regs, $plain, Addi, Blt, $op),
            Code::AddiBltu => two!($regs, $plain, Addi, Bltu, $op),
            Code::AddiJal => two!($regs, $plain, Addi, Jal, $op),
            Code::AddiLw => two!($regs, $plain, Addi, Lw, $op),
            Code::AddiLbu => two!($regs, $plain, Addi, Lbu, $op),
            Code::AddiSw => two!($regs, $plain, Addi, Sw, $op),
            Code::AddAdd => two!($regs, $plain, Add, Add, $op),
            Code::AddLw => two!($regs, $plain, Add, Lw, $op),
            Code::AddLbu => two!($regs, $plain, Add, Lbu, $op),
            Code::AddXor => two!($regs, $plain, Add, Xor, $op),
            Code::AddMul => two!($regs, $plain, Add, Mul, $op),
            Code::MulAdd => two!($regs, $plain, Mul, Add, $op),
            Code::AndiBeq => two!($regs, $plain, Andi, Beq, $op),
            Code::AndiBne => two!($regs, $plain, Andi, Bne, $op),
            Code::LwLw => two!($regs, $plain, Lw, Lw, $op),
            Code::LwAdd => two!($regs, $plain, Lw, Add, $op),
            Code::LwAddi => two!($regs, $plain, Lw, Addi, $op),
            Code::LwBeq => two!($regs, $plain, Lw, Beq, $op),
            Code::LwBne => two!($regs, $plain, Lw, Bne, $op),
            Code::LwBltu => two!($regs, $plain, Lw, Bltu, $op),
            Code::LwMul => two!($regs, $plain, Lw, Mul, $op),
            Code::LwJalr => two!($regs, $plain, Lw, Jalr, $op),
            Code::LbuBeq => two!($regs, $plain, Lbu, Beq, $op),
            Code::LbuBne => two!($regs, $plain, Lbu, Bne, $op),
            Code::LbuLbu => two!($regs, $plain, Lbu, Lbu, $op),
            Code::SwSw => two!($regs, $plain, Sw, Sw, $op),
            Code::SwAddi => two!($regs, $plain, Sw, Addi, $op),
            Code::SwLw => two!($regs, $plain, Sw, Lw, $op),
            Code::XorXor => two!($regs, $plain, Xor, Xor, $op),
            Code::XorAdd => two!($regs, $plain, Xor, Add, $op),
            Code::OrXor => two!($regs, $plain, Or, Xor, $op),
            Code::SlliAdd => two!($regs, $plain, Slli, Add, $op),
            Code::SlliOr => two!($regs, $plain, Slli, Or, $op),
            Code::SrliSlli => two!($regs, $plain, Srli, Slli, $op),
            Code::SltuAdd => two!($regs, $plain, Sltu, Add, $op),
            Code::SetAddi => two!($regs, $plain, Set, Addi, $op),
            Code::SetJalr => two!($regs, $plain, Set, Jalr, $op),
        }
    };
}
