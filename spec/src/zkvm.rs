//! The machine of SPEC.md, clause by clause: address map, modes, traps, machine ECALLs, time.
//!
//! The machine *is* its memory: registers, MEPC and the vectors are words of it (MAP-6 to MAP-14),
//! and so they are here. What is not memory is pc, the mode and the count of steps.

use crate::effect::{Effect, Operands, Width, effect};
use crate::encdec::{Instruction, decode};
use crate::memory::Memory;
use crate::rv32i;

/// Which registers and how much of the map an instruction may use (MAP-5, MODE-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The program.
    User = 0,
    /// The kernel.
    Machine = 1,
}

/// Why an instruction raised, by number (TRAP-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the manual's")]
pub enum Cause {
    InstructionAddressMisaligned = 0,
    InstructionAccessFault = 1,
    IllegalInstruction = 2,
    Breakpoint = 3,
    LoadAddressMisaligned = 4,
    LoadAccessFault = 5,
    StoreAddressMisaligned = 6,
    StoreAccessFault = 7,
    EnvironmentCallFromUserMode = 8,
    EnvironmentCallFromMachineMode = 11,
}

/// What an instruction raised: the cause, and the address of TRAP-5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// Why.
    pub cause: Cause,
    /// The address, word or number that TRAP-5 assigns to the cause.
    pub addr: u32,
}

/// The data that a load or store moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The byte address.
    pub addr: u32,
    /// How many bytes.
    pub width: Width,
    /// Whether they were written.
    pub is_store: bool,
    /// The bytes, in the low bits, zeros above.
    pub data: u32,
}

/// One step (TIME-1): an instruction that retired, or a trap that entered the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The number of the step.
    pub order: u64,
    /// The address of the instruction.
    pub pc: u32,
    /// Its mode.
    pub mode: Mode,
    /// The instruction word, 0 if it could not be fetched.
    pub word: u32,
    /// The instruction, if it was legal.
    pub instruction: Option<Instruction>,
    /// The values of rs1 and rs2 (of x0 where the instruction has none).
    pub sources: (u32, u32),
    /// The value for rd, if one was written.
    pub rd: Option<u32>,
    /// The load or store.
    pub access: Option<Access>,
    /// The cause, if the step is a trap.
    pub trap: Option<Cause>,
    /// The address of the next instruction.
    pub next_pc: u32,
    /// Its mode.
    pub next_mode: Mode,
}

/// A fault that ended the run (TRAP-4 to TRAP-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What was raised.
    pub trap: Trap,
    /// The address of the instruction.
    pub pc: u32,
    /// Its mode.
    pub mode: Mode,
    /// The user instruction concerned, if there is one (TRAP-6).
    pub user_pc: Option<u32>,
}

/// What became of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It made the step and goes on.
    Stepped(Step),
    /// It made the step, which was terminate (ECALL-2).
    Terminated {
        /// The step.
        step: Step,
        /// 0 halt, 1 pause.
        halt: u32,
        /// The upper half of a0.
        user_exit: u16,
    },
    /// It stays where it is (TRAP-4).
    Faulted(Fault),
}

/// The world that machine ECALLs ask (ECALL-8).
pub trait Host {
    /// Delivers bytes of `fd` into the front of `bytes`; how many.
    fn read(&mut self, order: u64, fd: u32, bytes: &mut [u8]) -> u32;
    /// Takes bytes for `fd` from the front of `bytes`; how many.
    fn write(&mut self, order: u64, fd: u32, bytes: &[u8]) -> u32;
}

/// The machine.
#[derive(Clone)]
pub struct Machine {
    /// The address of the next instruction.
    pub pc: u32,
    /// Its mode.
    pub mode: Mode,
    /// Steps so far (TIME-1).
    pub instructions: u64,
    /// The cost so far (TIME-2).
    pub cycles: u64,
    /// The user instruction that last trapped (TRAP-6).
    pub last_user_trap: Option<u32>,
    /// Memory, registers included.
    pub memory: Memory,
}

// MAP-1 to MAP-4.
const USER: u32 = 0x0001_0000;
const KERNEL: u32 = 0xC000_0000;
const SYSTEM: u32 = 0xFF00_0000;
// MAP-6 to MAP-9, MAP-13, MAP-14.
const MACHINE_X: u32 = 0xFFFF_0000;
const USER_X: u32 = 0xFFFF_0080;
const MACHINE_SINK: u32 = 0xFFFF_0100;
const USER_SINK: u32 = 0xFFFF_0180;
const MEPC: u32 = 0xFFFF_0200;
const SUSPEND_PC: u32 = 0xFFFF_0210;
const SUSPEND_MODE: u32 = 0xFFFF_0214;
const ECALL_VECTOR: u32 = 0xFFFF_1000;
const TRAP_VECTOR: u32 = 0xFFFF_2000;
// The calling convention of ECALL-1.
const A0: u32 = 10;
const A1: u32 = 11;
const A2: u32 = 12;
const A7: u32 = 17;
/// ECALL-7.
const MAX_BYTES: u32 = 1024;

/// What an instruction that retires changes besides pc + 4; nothing changes before it is known (TRAP-2).
#[derive(Clone, Copy, Debug, Default)]
struct Change {
    rd: Option<u32>,
    access: Option<Access>,
    /// The memory word of a store.
    word: Option<u32>,
    target: Option<u32>,
    mode: Option<Mode>,
    extra_cycles: u64,
    end: Option<(u32, u16)>,
}

impl Machine {
    /// The machine at the start of a run (MODE-1), or `None` for an image that cannot start.
    pub fn new(memory: Memory) -> Option<Machine> {
        let pc = memory.word(SUSPEND_PC);
        let mode = match memory.word(SUSPEND_MODE) {
            0 => Mode::User,
            1 => Mode::Machine,
            _ => return None,
        };
        let can_start = pc >= USER && pc.is_multiple_of(4);
        can_start.then_some(Machine { pc, mode, instructions: 0, cycles: 0, last_user_trap: None, memory })
    }

    /// The value of x`n` in the mode of the machine; x0 is 0 (ISA-6, MAP-6).
    pub fn x(&self, n: u32) -> u32 {
        if n == 0 { 0 } else { self.memory.word(self.window() + 4 * n) }
    }

    /// Writes x`n` of the mode of the machine; x0 has a sink (ISA-6, MAP-6, MAP-7).
    pub fn set_x(&mut self, n: u32, value: u32) {
        let sink = if self.mode == Mode::User { USER_SINK } else { MACHINE_SINK };
        let addr = if n == 0 { sink } else { self.window() + 4 * n };
        self.memory.set_word(addr, value);
    }

    fn window(&self) -> u32 {
        if self.mode == Mode::User { USER_X } else { MACHINE_X }
    }

    /// Makes one step, or ends.
    pub fn step(&mut self, host: &mut dyn Host) -> Outcome {
        // TRAP-7: the region of the fetch, decoding, then what the instruction itself checks.
        let word = match self.fetch() {
            Ok(word) => word,
            Err(trap) => return self.trap(trap, 0, None),
        };
        let Some(instruction) = decode(word) else {
            return self.trap(Trap { cause: Cause::IllegalInstruction, addr: word }, word, None);
        };
        match self.execute(instruction, word, host) {
            Ok(change) => self.retire(instruction, word, change),
            Err(trap) => self.trap(trap, word, Some(instruction)),
        }
    }

    /// MEM-7: pc is aligned, so that only the region is in question.
    fn fetch(&self) -> Result<u32, Trap> {
        self.check_region(self.pc, Cause::InstructionAccessFault)?;
        Ok(self.memory.word(self.pc))
    }

    fn execute(&mut self, instruction: Instruction, word: u32, host: &mut dyn Host) -> Result<Change, Trap> {
        let Instruction { op, rs1, rs2, imm, .. } = instruction;
        match effect(op, Operands { pc: self.pc, rs1: self.x(rs1), rs2: self.x(rs2), imm }) {
            Effect::Write(value) => Ok(Change { rd: Some(value), ..Change::default() }),
            Effect::Jump { target, link } => jump(target, Some(link)),
            Effect::Branch { is_taken: true, target } => jump(target, None),
            Effect::Branch { is_taken: false, .. } | Effect::Fence => Ok(Change::default()),
            Effect::Load { addr, width, read } => self.load(addr, width, read),
            Effect::Store { addr, width, value, write } => self.store(addr, width, value, write),
            Effect::Ebreak => Err(Trap { cause: Cause::Breakpoint, addr: self.pc }),
            Effect::Ecall => self.ecall(host),
            Effect::Mret => self.mret(word),
        }
    }

    /// MEM-4: the region is checked before the alignment.
    fn load(&self, addr: u32, width: Width, read: fn(u32, u32) -> u32) -> Result<Change, Trap> {
        self.check_region(addr, Cause::LoadAccessFault)?;
        check_alignment(addr, width, Cause::LoadAddressMisaligned)?;
        let value = read(self.memory.word(addr), addr);
        let access = Access { addr, width, is_store: false, data: low_bytes(value, width) };
        Ok(Change { rd: Some(value), access: Some(access), ..Change::default() })
    }

    fn store(&self, addr: u32, width: Width, value: u32, write: fn(u32, u32, u32) -> u32) -> Result<Change, Trap> {
        self.check_region(addr, Cause::StoreAccessFault)?;
        check_alignment(addr, width, Cause::StoreAddressMisaligned)?;
        let word = write(self.memory.word(addr), addr, value);
        let access = Access { addr, width, is_store: true, data: low_bytes(value, width) };
        Ok(Change { word: Some(word), access: Some(access), ..Change::default() })
    }

    /// MAP-5.
    fn check_region(&self, addr: u32, cause: Cause) -> Result<(), Trap> {
        let is_allowed = match self.mode {
            Mode::User => (USER..KERNEL).contains(&addr),
            Mode::Machine => addr >= USER,
        };
        if is_allowed { Ok(()) } else { Err(Trap { cause, addr }) }
    }

    /// MODE-4, MODE-5.
    fn mret(&self, word: u32) -> Result<Change, Trap> {
        if self.mode == Mode::User {
            return Err(Trap { cause: Cause::IllegalInstruction, addr: word });
        }
        let change = jump(rv32i::next_pc(self.memory.word(MEPC)), None)?;
        Ok(Change { mode: Some(Mode::User), ..change })
    }

    /// ECALL-1. In user mode the trap decides (MODE-2, MODE-6).
    fn ecall(&mut self, host: &mut dyn Host) -> Result<Change, Trap> {
        if self.mode == Mode::User {
            return Err(Trap { cause: Cause::EnvironmentCallFromUserMode, addr: self.pc });
        }
        match self.x(A7) {
            0 => self.terminate(),
            1 => self.read(host),
            2 => self.write(host),
            // ECALL-5, ECALL-6.
            number => Err(refused(number)),
        }
    }

    /// ECALL-2, ECALL-9.
    fn terminate(&self) -> Result<Change, Trap> {
        let a0 = self.x(A0);
        let (halt, user_exit) = (a0 % 0x1_0000, (a0 / 0x1_0000) as u16);
        let target = if halt == 0 { Some(self.pc) } else { None };
        let is_known = halt <= 1;
        let change = Change { target, end: Some((halt, user_exit)), ..Change::default() };
        if is_known { Ok(change) } else { Err(refused(a0)) }
    }

    /// ECALL-3, ECALL-8.
    fn read(&mut self, host: &mut dyn Host) -> Result<Change, Trap> {
        let (start, len) = self.buffer()?;
        let mut bytes = vec![0; len as usize];
        let count = host.read(self.instructions, self.x(A0), &mut bytes).min(len);
        for (i, byte) in (0..).zip(&bytes[..count as usize]) {
            self.memory.set_byte(start + i, *byte);
        }
        self.set_x(A0, count);
        Ok(Change { extra_cycles: words_moved(count), ..Change::default() })
    }

    /// ECALL-4, ECALL-8.
    fn write(&mut self, host: &mut dyn Host) -> Result<Change, Trap> {
        let (start, len) = self.buffer()?;
        let bytes: Vec<u8> = (0..len).map(|i| self.memory.byte(start + i)).collect();
        let count = host.write(self.instructions, self.x(A0), &bytes).min(len);
        self.set_x(A0, count);
        Ok(Change { extra_cycles: words_moved(count), ..Change::default() })
    }

    /// The pointer and length of read and write (ECALL-7).
    fn buffer(&self) -> Result<(u32, u32), Trap> {
        let (start, len) = (self.x(A1), self.x(A2));
        if len > MAX_BYTES {
            return Err(refused(len));
        }
        let is_inside = start >= USER && start.checked_add(len).is_some_and(|end| end <= MACHINE_X);
        if len == 0 || is_inside { Ok((start, len)) } else { Err(refused(start)) }
    }

    fn retire(&mut self, instruction: Instruction, word: u32, change: Change) -> Outcome {
        let step = Step {
            rd: change.rd,
            access: change.access,
            next_pc: change.target.unwrap_or(rv32i::next_pc(self.pc)),
            next_mode: change.mode.unwrap_or(self.mode),
            ..self.begin(word, Some(instruction))
        };
        if let (Some(access), Some(word)) = (change.access, change.word) {
            self.memory.set_word(access.addr, word);
        }
        if let Some(value) = change.rd {
            self.set_x(instruction.rd, value);
        }
        self.advance(&step, change.extra_cycles);
        match change.end {
            Some((halt, user_exit)) => Outcome::Terminated { step, halt, user_exit },
            None => Outcome::Stepped(step),
        }
    }

    /// TRAP-3 and TRAP-4; MODE-2 and MODE-6 for ECALL.
    fn trap(&mut self, trap: Trap, word: u32, instruction: Option<Instruction>) -> Outcome {
        let is_ecall = trap.cause == Cause::EnvironmentCallFromUserMode;
        let vector = match self.mode {
            Mode::Machine => None,
            Mode::User if is_ecall => self.vector(ECALL_VECTOR).or(self.vector(TRAP_VECTOR)),
            Mode::User => self.vector(TRAP_VECTOR),
        };
        let Some(vector) = vector else {
            let user_pc = if self.mode == Mode::User { Some(self.pc) } else { self.last_user_trap };
            return Outcome::Faulted(Fault { trap, pc: self.pc, mode: self.mode, user_pc });
        };
        let step =
            Step { trap: Some(trap.cause), next_pc: vector, next_mode: Mode::Machine, ..self.begin(word, instruction) };
        self.memory.set_word(MEPC, self.pc);
        self.last_user_trap = Some(self.pc);
        self.advance(&step, 0);
        Outcome::Stepped(step)
    }

    /// The vector in the word at `cell`, if it is valid (MAP-15).
    fn vector(&self, cell: u32) -> Option<u32> {
        let vector = self.memory.word(cell);
        let is_valid = vector.is_multiple_of(4) && (KERNEL..SYSTEM).contains(&vector);
        is_valid.then_some(vector)
    }

    /// The record of a step before anything is known of its outcome.
    fn begin(&self, word: u32, instruction: Option<Instruction>) -> Step {
        let sources = instruction.map_or((0, 0), |i| (self.x(i.rs1), self.x(i.rs2)));
        Step {
            order: self.instructions,
            pc: self.pc,
            mode: self.mode,
            word,
            instruction,
            sources,
            rd: None,
            access: None,
            trap: None,
            next_pc: self.pc,
            next_mode: self.mode,
        }
    }

    /// TIME-1, TIME-2.
    fn advance(&mut self, step: &Step, extra_cycles: u64) {
        self.pc = step.next_pc;
        self.mode = step.next_mode;
        self.instructions += 1;
        self.cycles += 1 + extra_cycles;
    }
}

/// ISA-13.
fn jump(target: u32, link: Option<u32>) -> Result<Change, Trap> {
    if rv32i::is_misaligned_target(target) {
        return Err(Trap { cause: Cause::InstructionAddressMisaligned, addr: target });
    }
    Ok(Change { target: Some(target), rd: link, ..Change::default() })
}

/// MEM-3.
fn check_alignment(addr: u32, width: Width, cause: Cause) -> Result<(), Trap> {
    if addr.is_multiple_of(width.bytes()) { Ok(()) } else { Err(Trap { cause, addr }) }
}

fn low_bytes(value: u32, width: Width) -> u32 {
    match width {
        Width::Byte => value % 0x100,
        Width::Half => value % 0x1_0000,
        Width::Word => value,
    }
}

/// TIME-2: one for each word or part of a word.
fn words_moved(bytes: u32) -> u64 {
    u64::from(bytes).div_ceil(4)
}

fn refused(what: u32) -> Trap {
    Trap { cause: Cause::EnvironmentCallFromMachineMode, addr: what }
}
