//! What the engines do with one instruction, on a state so small that it can be proved for all values.
//!
//! The state is pc, the mode, the values of rs1, rs2 and of every other register, one word of memory
//! and what every other word holds. [`step`] and [`block`] run on it the very source that the engines
//! run on the machine: `execute_on` of `step.rs`, and `BlockOp::of` with the arms of `block_arms.rs`.
//! `lockstep formal` compiles both for each instruction and proves them equal to the specification.
//! No engine calls this.

use std::cell::Cell;

use super::block_arms::*;
use super::block_code::{BlockOp, Code};
use super::ops;
use super::step::{State, execute_on, is_call};
use crate::hart::destination;
use crate::isa::{Insn, Op, Reg};
use crate::map::{Addr, Mode};
use crate::mem::note;

/// The state before the instruction, and its operands.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    /// The address of the instruction.
    pub pc: u32,
    /// Its mode: bit 0.
    pub mode: u32,
    /// The number of the register to write: bits 4 to 0, as of the next two.
    pub rd: u32,
    /// The number of the first source.
    pub rs1: u32,
    /// The number of the second source.
    pub rs2: u32,
    /// The immediate.
    pub imm: u32,
    /// The value of the first source, unless that is x0.
    pub x_rs1: u32,
    /// The value of the second source, unless that is x0 or the first.
    pub x_rs2: u32,
    /// The value of every other register but x0.
    pub x_other: u32,
    /// The address of the word `word`.
    pub place: u32,
    /// The word there.
    pub word: u32,
    /// The word everywhere else.
    pub elsewhere: u32,
    /// What memory notes of the page that is accessed; only blocks look at it.
    pub note: u32,
}

/// The state after the instruction: what changed.
///
/// As a number ([`After::pack`]) it has these words, the highest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct After {
    /// The next pc; 0 after a trap.
    pub next_pc: u32,
    /// The value written to a register, else the word stored to memory, else 0.
    pub value: u32,
    /// The address of the trap, else of the word stored, else 0.
    pub addr: u32,
    /// [`tag`].
    pub tag: u32,
}

/// The parts of [`After::tag`].
pub mod tag {
    /// The cause of a trap, plus 1: bits 3 to 0.
    pub const TRAP: u32 = 1;
    /// The next mode; 0 after a trap.
    pub const MODE: u32 = 1 << 4;
    /// The number of the register written, plus 1: bits 10 to 5. A write to x0 is one to its sink, number 32.
    pub const REGISTER: u32 = 1 << 5;
    /// How many times a register was written, 3 for more: bits 12 and 11.
    pub const REGISTER_WRITES: u32 = 1 << 11;
    /// How many times a word was stored, 3 for more: bits 14 and 13.
    pub const WORD_WRITES: u32 = 1 << 13;
    /// The host was asked (ECALL-1).
    pub const ASKED: u32 = 1 << 15;
    /// The plain engine has to make this step; nothing changed.
    pub const LEFT: u32 = 1 << 16;
}

impl After {
    /// The words as one number.
    #[inline]
    pub fn pack(self) -> u128 {
        u128::from(self.next_pc) << 96
            | u128::from(self.value) << 64
            | u128::from(self.addr) << 32
            | u128::from(self.tag)
    }
}

/// What the plain engine does with the instruction `op`.
#[inline(always)]
pub fn step(op: Op, given: Given) -> u128 {
    let mut state = Small::new(given);
    let insn = given.insn(op);
    if is_call(&state, insn) {
        // What the machine serves is not proved: that it is asked is, and where it goes on.
        return state.after(ops::next_pc(given.pc), (tag::MODE * state.mode as u32) | tag::ASKED).pack();
    }
    let after = match execute_on(&mut state, given.word, insn, &mut ()) {
        Ok(next_pc) => state.after(next_pc, tag::MODE * state.mode as u32),
        Err(trap) => After { addr: trap.addr, ..state.after(0, tag::TRAP * (trap.cause as u32 + 1)) },
    };
    after.pack()
}

/// What the block engine does with a block of the instruction `op` alone.
#[inline(always)]
pub fn block(op: Op, given: Given) -> u128 {
    let mut state = Small::new(given);
    let operation = BlockOp::of(given.insn(op), given.pc);
    let targets = operation.targets(given.pc);
    let after = match run_block(operation, targets, &mut state.window, &state.memory) {
        Some(next_pc) => state.after(next_pc, tag::MODE * state.mode as u32),
        None => state.after(given.pc, tag::LEFT),
    };
    after.pack()
}

/// Where the block goes on; `None` if it is left before the operation.
#[inline(always)]
fn run_block(op: BlockOp, targets: [Addr; 2], window: &mut Window, memory: &OneWord) -> Option<Addr> {
    macro_rules! table {
        ([$($arm:ident)*] [$($last:ident)*]) => {
            match op.code {
                $(Code::$arm => if $arm::run(window, memory, &op) { Way::Side(0) } else { Way::Step },)*
                $(Code::$last => $last::run(window, &op, targets),)*
            }
        };
    }
    match all_arms!(table) {
        Way::Side(side) => Some(targets[side & 1]),
        Way::Jump(target) => Some(target),
        Way::Step => None,
    }
}

/// The registers: the sources, what every other one holds, and what was written.
#[derive(Clone, Copy)]
struct Window {
    rs1: u8,
    rs2: u8,
    x_rs1: u32,
    x_rs2: u32,
    x_other: u32,
    /// The index written last; [`NOTHING`] for none.
    written: u8,
    value: u32,
    writes: u32,
}

/// No index of a register. An `Option` would hold an undefined value in the compiled code.
const NOTHING: u8 = u8::MAX;

impl Registers for Window {
    #[inline(always)]
    fn get(&self, index: u8) -> u32 {
        match index {
            _ if index == self.written => self.value,
            0 => 0,
            _ if index == self.rs1 => self.x_rs1,
            _ if index == self.rs2 => self.x_rs2,
            _ => self.x_other,
        }
    }

    #[inline(always)]
    fn set(&mut self, index: u8, value: u32) {
        (self.written, self.value) = (index, value);
        self.writes += 1;
    }
}

/// Memory: a word, what every other word is, and what was stored.
struct OneWord {
    place: Addr,
    word: u32,
    elsewhere: u32,
    note: u8,
    mode: Mode,
    /// The word stored last, and its address.
    stored: Cell<u32>,
    stored_at: Cell<Addr>,
    writes: Cell<u32>,
}

/// The address of the word that holds `addr`.
const fn word_of(addr: Addr) -> Addr {
    addr & !3
}

impl OneWord {
    #[inline(always)]
    fn read(&self, addr: Addr) -> u32 {
        match word_of(addr) {
            at if self.writes.get() > 0 && at == self.stored_at.get() => self.stored.get(),
            at if at == word_of(self.place) => self.word,
            _ => self.elsewhere,
        }
    }

    #[inline(always)]
    fn write(&self, addr: Addr, word: u32) {
        self.stored.set(word);
        self.stored_at.set(word_of(addr));
        self.writes.set(self.writes.get() + 1);
    }

    /// Replaces the bits of `mask` at the byte `addr` of its word (MEM-1).
    #[inline(always)]
    fn write_part(&self, addr: Addr, mask: u32, value: u32) {
        let shift = 8 * (addr & 3);
        self.write(addr, self.read(addr) & !(mask << shift) | value << shift);
    }
}

impl Plain for &OneWord {
    #[inline(always)]
    fn may_load<const WIDTH: u32>(self, addr: Addr) -> bool {
        is_plain::<WIDTH>(addr, plain_span(self.mode))
    }
    #[inline(always)]
    fn may_store<const WIDTH: u32>(self, addr: Addr) -> bool {
        is_noted::<WIDTH>(self.note, note::may_store(self.mode), addr)
    }
    #[inline(always)]
    fn byte(self, addr: Addr) -> u8 {
        (self.read(addr) >> (8 * (addr & 3))) as u8
    }
    #[inline(always)]
    fn half(self, addr: Addr) -> u16 {
        (self.read(addr) >> (8 * (addr & 2))) as u16
    }
    #[inline(always)]
    fn word(self, addr: Addr) -> u32 {
        self.read(addr)
    }
    #[inline(always)]
    fn set_byte(self, addr: Addr, value: u8) {
        self.write_part(addr, 0xff, value.into());
    }
    #[inline(always)]
    fn set_half(self, addr: Addr, value: u16) {
        self.write_part(addr & !1, 0xffff, value.into());
    }
    #[inline(always)]
    fn set_word(self, addr: Addr, value: u32) {
        self.write(addr, value);
    }
}

/// The whole state.
struct Small {
    pc: Addr,
    mode: Mode,
    window: Window,
    memory: OneWord,
}

impl Given {
    #[inline(always)]
    fn insn(&self, op: Op) -> Insn {
        let Given { rd, rs1, rs2, imm, .. } = *self;
        Insn { op, rd: Reg::new(rd), rs1: Reg::new(rs1), rs2: Reg::new(rs2), imm: imm as i32 }
    }
}

impl Small {
    #[inline(always)]
    fn new(given: Given) -> Small {
        let Given { pc, mode, rs1, rs2, x_rs1, x_rs2, x_other, place, word, elsewhere, note, .. } = given;
        let (rs1, rs2) = (Reg::new(rs1).index() as u8, Reg::new(rs2).index() as u8);
        let mode = if mode & 1 == 0 { Mode::User } else { Mode::Machine };
        let window = Window { rs1, rs2, x_rs1, x_rs2, x_other, written: NOTHING, value: 0, writes: 0 };
        let [stored, stored_at, writes] = [const { Cell::new(0) }; 3];
        let memory = OneWord { place, word, elsewhere, note: note as u8, mode, stored, stored_at, writes };
        Small { pc, mode, window, memory }
    }

    #[inline(always)]
    fn after(&self, next_pc: Addr, tag: u32) -> After {
        let Window { written, value, writes, .. } = self.window;
        let (stored, stores) = (self.memory.stored.get(), self.memory.writes.get());
        let register = if writes > 0 { tag::REGISTER * (u32::from(written) + 1) } else { 0 };
        let counts = (tag::REGISTER_WRITES * writes.min(3)) | (tag::WORD_WRITES * stores.min(3));
        let value = if writes > 0 { value } else { stored };
        After { next_pc, value, addr: self.memory.stored_at.get(), tag: tag | register | counts }
    }
}

impl State for Small {
    #[inline(always)]
    fn pc(&self) -> Addr {
        self.pc
    }
    #[inline(always)]
    fn mode(&self) -> Mode {
        self.mode
    }
    #[inline(always)]
    fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }
    #[inline(always)]
    fn x(&self, reg: Reg) -> u32 {
        self.window.get(reg.index() as u8)
    }
    #[inline(always)]
    fn set_x(&mut self, reg: Reg, value: u32) {
        self.window.set(destination(reg) as u8, value);
    }
    #[inline(always)]
    fn word(&self, addr: Addr) -> u32 {
        self.memory.read(addr)
    }
    #[inline(always)]
    fn set_word(&mut self, addr: Addr, value: u32) {
        self.memory.write(addr, value);
    }
}
