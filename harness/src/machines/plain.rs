//! Interpreters in this process that execute one instruction on registers and memory of ours.

use std::collections::BTreeSet;

use lockstep::ecall::Host;
use lockstep::hart::Machine;
use lockstep::map::{self, Addr, Mode};
use lockstep::trace::Retired;
use lockstep_spec::encdec::decode;
use lockstep_spec::memory::Memory;

use crate::adapters::{access_kind, seen};
use crate::machine::{
    Delta, FRAME_BYTES, Failure, Frame, Progress, Raised, Reference, Scope, State, Stop, Touched, hash_words,
    machine_state,
};

/// What an interpreter works on.
pub struct Hart {
    /// The address of the next instruction.
    pub pc: Addr,
    /// The registers; x0 stays 0.
    pub x: [u32; 32],
    /// Memory, as far as the mode may access it.
    pub memory: PlainMemory,
}

/// Memory that ends where the mode's rights end (MAP-5), or system memory begins.
pub struct PlainMemory {
    words: Memory,
    limit: Addr,
    touched: BTreeSet<Frame>,
}

/// What became of one instruction.
pub enum Made {
    /// It retired.
    Retired,
    /// It raised and changed nothing.
    Trap(Raised),
    /// The interpreter does not know it; nothing changed.
    Beyond,
}

/// An interpreter of one instruction.
pub trait Interpreter {
    /// What it is called in reports.
    const NAME: &'static str;

    /// Executes the instruction at `hart.pc`.
    fn step(&mut self, hart: &mut Hart) -> Made;
}

/// An interpreter with the state it works on.
pub struct Plain<I> {
    interpreter: I,
    hart: Hart,
}

impl PlainMemory {
    /// The word around `addr`, if it may be accessed.
    pub fn word(&self, addr: Addr) -> Option<u32> {
        self.may_access(addr).then(|| self.words.word(addr))
    }

    /// Stores the low `bytes` bytes of `value` at `addr`, if that may be accessed.
    pub fn store(&mut self, addr: Addr, bytes: usize, value: u32) -> bool {
        if !self.may_access(addr) {
            return false;
        }
        for (i, byte) in (0..).zip(&value.to_le_bytes()[..bytes]) {
            self.words.set_byte(addr.wrapping_add(i), *byte);
        }
        self.touched.insert(Frame::of(addr));
        true
    }

    fn may_access(&self, addr: Addr) -> bool {
        (map::USER_START..self.limit).contains(&addr)
    }

    fn set_mode(&mut self, mode: Mode) {
        self.limit = if mode == Mode::User { map::KERNEL_START } else { map::SYSTEM_START };
    }

    fn hash(&self, frame: Frame) -> u64 {
        let words: Vec<u32> = (0..FRAME_BYTES as u32 / 4).map(|i| self.words.word(frame.start() + 4 * i)).collect();
        hash_words(&words)
    }
}

impl<I: Interpreter> Plain<I> {
    /// `interpreter` with nothing loaded.
    pub fn new(interpreter: I) -> Plain<I> {
        let memory = PlainMemory { words: Memory::new(), limit: 0, touched: BTreeSet::new() };
        Plain { interpreter, hart: Hart { pc: 0, x: [0; 32], memory } }
    }

    fn steps(&mut self, steps: u64, mut each: impl FnMut(&mut Self) -> Made) -> Progress {
        for made in 0..steps {
            let stop = match each(self) {
                Made::Retired => continue,
                Made::Trap(raised) => Stop::Trap(raised),
                Made::Beyond => Stop::Beyond,
            };
            return Progress { steps: made, stop };
        }
        Progress { steps, stop: Stop::Steps }
    }

    fn traced(&mut self, order: u64, records: &mut Vec<Retired>) -> Made {
        let (pc, before) = (self.hart.pc, self.hart.x);
        let insn = self.hart.memory.words.word(pc);
        let instruction = decode(insn);
        let access = instruction.filter(|instruction| access_kind(instruction).is_some());
        let addr = access.map_or(0, |access| before[access.rs1 as usize].wrapping_add(access.imm));
        let made = self.interpreter.step(&mut self.hart);
        if matches!(made, Made::Retired) {
            let rd = instruction.map_or(0, |instruction| self.hart.x[instruction.rd as usize]);
            let shift = 8 * (addr % 4);
            let stored = self.hart.memory.words.word(addr) >> shift;
            records.push(seen(order, [pc, insn, self.hart.pc, rd, addr, stored]));
        }
        made
    }
}

impl<I: Interpreter> Reference for Plain<I> {
    fn name(&self) -> &str {
        I::NAME
    }

    fn scope(&self) -> Scope {
        Scope::Instructions
    }

    fn load(&mut self, machine: &Machine) -> Result<(), Failure> {
        let State { pc, x } = machine_state(machine);
        let mut words = Memory::new();
        for (page, content) in machine.mem.pages() {
            (0..).zip(content).for_each(|(i, &word)| words.set_word(page.start() + 4 * i, word));
        }
        let mut memory = PlainMemory { words, limit: 0, touched: BTreeSet::new() };
        memory.set_mode(machine.hart.mode);
        self.hart = Hart { pc, x, memory };
        Ok(())
    }

    fn run(&mut self, steps: u64, _host: &mut dyn Host) -> Result<Progress, Failure> {
        Ok(self.steps(steps, |plain| plain.interpreter.step(&mut plain.hart)))
    }

    fn trace(&mut self, steps: u64, _host: &mut dyn Host, records: &mut Vec<Retired>) -> Result<Progress, Failure> {
        Ok(self.steps(steps, |plain| plain.traced(records.len() as u64, records)))
    }

    fn state(&mut self) -> Result<State, Failure> {
        Ok(State { pc: self.hart.pc, x: self.hart.x })
    }

    fn touched(&mut self) -> Result<Touched, Failure> {
        let frames = std::mem::take(&mut self.hart.memory.touched);
        Ok(frames.into_iter().map(|frame| (frame, self.hart.memory.hash(frame))).collect())
    }

    fn frame_hashes(&mut self, frames: &[Frame]) -> Result<Vec<u64>, Failure> {
        Ok(frames.iter().map(|&frame| self.hart.memory.hash(frame)).collect())
    }

    fn word(&mut self, addr: Addr) -> Result<u32, Failure> {
        Ok(self.hart.memory.words.word(addr))
    }

    fn inject(&mut self, delta: &Delta) -> Result<(), Failure> {
        (self.hart.pc, self.hart.x) = (delta.state.pc, delta.state.x);
        self.hart.memory.set_mode(delta.mode);
        for (addr, bytes) in &delta.stores {
            for (i, byte) in (0..).zip(bytes) {
                self.hart.memory.words.set_byte(addr + i, *byte);
                self.hart.memory.touched.insert(Frame::of(addr + i));
            }
        }
        Ok(())
    }
}
