//! What the plain engine does with one instruction, on a state so small that it can be proved for all values.
//!
//! The state is pc, the mode, the values of rs1, rs2 and of every other register, one word of memory
//! and what every other word holds. [`step`] runs on it the very source that the plain engine runs on the
//! machine: `execute_on` of `step.rs`. `lockstep formal` compiles it for each instruction and proves it equal
//! to the specification.
//! No engine calls this.

use std::cell::Cell;

use super::step::{State, execute_on};
use crate::hart::destination;
use crate::isa::{Insn, Op, Reg};
use crate::map::{Addr, Mode};

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

/// What the plain engine does with the instruction `op`. An ECALL of machine mode does not come to the arms.
#[inline(always)]
pub fn step(op: Op, given: Given) -> u128 {
    let mut state = Small::new(given);
    let after = match execute_on(&mut state, given.word, given.insn(op), &mut ()) {
        Ok(next_pc) => state.after(next_pc, tag::MODE * state.mode as u32),
        Err(trap) => After { addr: trap.addr, ..state.after(0, tag::TRAP * (trap.cause as u32 + 1)) },
    };
    after.pack()
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

impl Window {
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
        let Given { pc, mode, rs1, rs2, x_rs1, x_rs2, x_other, place, word, elsewhere, .. } = given;
        let (rs1, rs2) = (Reg::new(rs1).index() as u8, Reg::new(rs2).index() as u8);
        let mode = if mode & 1 == 0 { Mode::User } else { Mode::Machine };
        let window = Window { rs1, rs2, x_rs1, x_rs2, x_other, written: NOTHING, value: 0, writes: 0 };
        let [stored, stored_at, writes] = [const { Cell::new(0) }; 3];
        let memory = OneWord { place, word, elsewhere, stored, stored_at, writes };
        Small { pc, mode, window, memory }
    }

    #[inline(always)]
    fn after(&self, next_pc: Addr, tag: u32) -> After {
        let Window { written, value, writes, .. } = self.window;
        let (stored, stores) = (self.memory.stored.get(), self.memory.writes.get());
        let register = if writes > 0 { tag::REGISTER * (u32::from(written) + 1) } else { 0 };
        let counts = tag::REGISTER_WRITES * writes.min(3) | tag::WORD_WRITES * stores.min(3);
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
    #[inline(always)]
    fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }
}
