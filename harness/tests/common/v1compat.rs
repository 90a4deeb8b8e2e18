//! User programs under RISC Zero's kernel, made of its ECALLs.
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;

use lockstep::ecall::{Host, fd};
use lockstep::exec::{Engine, Exit, Step, Until};
use lockstep::hart::Machine;
use lockstep::loader::{self, Kernel};
use lockstep::map::{self, Addr, Mode};
use lockstep::mem::Memory;
use lockstep::risc0::{Risc0Host, V1COMPAT};

pub const TEXT: Addr = 0x0002_0000;
pub const DATA: Addr = 0x0040_0000;

// Registers by their numbers.
pub const SP: u32 = 2;
pub const T0: u32 = 5;
pub const T1: u32 = 6;
pub const T2: u32 = 7;
pub const A0: u32 = 10;
pub const A1: u32 = 11;
pub const A2: u32 = 12;
pub const A3: u32 = 13;
pub const A4: u32 = 14;
pub const A7: u32 = 17;
pub const T3: u32 = 28;
const T6: u32 = 31;

/// The kernel's ECALLs, by what is in t0.
pub const HALT: u32 = 0;
pub const INPUT: u32 = 1;
pub const SOFTWARE: u32 = 2;
pub const SHA: u32 = 3;
pub const BIGINT: u32 = 4;
pub const BIGINT2: u32 = 6;
pub const POSEIDON2: u32 = 7;

/// An ELF file of one word, which the program replaces.
pub fn minimal_elf() -> Vec<u8> {
    let mut file = vec![0; 0x58];
    file[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
    let mut put =
        |at: usize, value: u32, bytes: usize| file[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
    let header =
        [(16, 2, 2), (18, 243, 2), (20, 1, 4), (24, TEXT, 4), (28, 52, 4), (40, 52, 2), (42, 32, 2), (44, 1, 2)];
    let segment =
        [(52, 1, 4), (56, 0x54, 4), (60, TEXT, 4), (64, TEXT, 4), (68, 4, 4), (72, 4, 4), (76, 5, 4), (80, 4, 4)];
    header.into_iter().chain(segment).for_each(|(at, value, bytes)| put(at, value, bytes));
    file
}

/// A program under construction: code from [`TEXT`] on, data from [`DATA`] on.
pub struct Guest {
    pub memory: Memory,
    pc: Addr,
    data: Addr,
}

impl Default for Guest {
    fn default() -> Self {
        Guest::new()
    }
}

impl Guest {
    pub fn new() -> Guest {
        let image = loader::load(&minimal_elf(), Kernel::Elf(V1COMPAT)).expect("it loads");
        Guest { memory: image.memory, pc: TEXT, data: DATA }
    }

    /// A program in machine mode, with no kernel.
    pub fn bare() -> Guest {
        let mut memory = Memory::new();
        memory.set_word(map::SUSPEND_PC, TEXT);
        memory.set_word(map::SUSPEND_MODE, Mode::Machine as u32);
        Guest { memory, pc: TEXT, data: DATA }
    }

    /// Room for `bytes` bytes, from a multiple of 64 on.
    pub fn room(&mut self, bytes: u32) -> Addr {
        let start = self.data;
        self.data += bytes.next_multiple_of(64);
        start
    }

    /// `bytes` somewhere in memory.
    pub fn bytes(&mut self, bytes: &[u8]) -> Addr {
        let start = self.room(bytes.len() as u32);
        for (addr, chunk) in (start..).step_by(4).zip(bytes.chunks(4)) {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            self.memory.set_word(addr, u32::from_le_bytes(word));
        }
        start
    }

    pub fn words(&mut self, words: &[u32]) -> Addr {
        self.bytes(&words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
    }

    pub fn emit(&mut self, word: u32) {
        self.memory.set_word(self.pc, word);
        self.pc += 4;
    }

    /// LUI and ADDI.
    pub fn set(&mut self, reg: u32, value: u32) {
        self.emit((value.wrapping_add(0x800) & 0xffff_f000) | reg << 7 | 0x37);
        self.emit((value & 0xfff) << 20 | reg << 15 | reg << 7 | 0x13);
    }

    /// Stores a register; returns where.
    pub fn keep(&mut self, reg: u32) -> Addr {
        const SCRATCH: u32 = 30;
        let addr = self.room(4);
        self.set(SCRATCH, addr);
        self.emit(reg << 20 | SCRATCH << 15 | 2 << 12 | 0x23);
        addr
    }

    pub fn ecall(&mut self, number: u32, registers: &[(u32, u32)]) {
        for &(reg, value) in registers {
            self.set(reg, value);
        }
        self.set(T0, number);
        self.emit(0x73);
    }

    /// A call of the machine itself, for a program in machine mode.
    pub fn machine_call(&mut self, number: u32, registers: &[(u32, u32)]) {
        for &(reg, value) in registers {
            self.set(reg, value);
        }
        self.set(A7, number);
        self.emit(0x73);
    }

    /// [`Guest::machine_call`] at `addr`, and back to where the program was.
    pub fn machine_call_at(&mut self, addr: Addr, number: u32, registers: &[(u32, u32)]) {
        let back = std::mem::replace(&mut self.pc, addr);
        self.machine_call(number, registers);
        self.pc = back;
    }

    /// A software call by name, with what it delivers and its arguments.
    pub fn software(&mut self, number: u32, name: &str, (buffer, size): (Addr, u32), arguments: &[u32]) {
        let name = self.bytes(format!("risc0_zkvm_platform::syscall::nr::{name}\0").as_bytes());
        let arguments = (A3..).zip(arguments).map(|(reg, value)| (reg, *value));
        let registers: Vec<_> =
            [(T6, number), (A0, buffer), (A1, size), (A2, name)].into_iter().chain(arguments).collect();
        self.ecall(SOFTWARE, &registers);
    }

    /// Runs a published bigint program on `arenas`: a1 and on.
    pub fn bigint2(&mut self, blob: &[u8], arenas: &[Addr]) {
        let word = |i: usize| u32::from_le_bytes(blob[4 * i..4 * i + 4].try_into().expect("four bytes"));
        let [program_words, verify_words, _, temporary_words] = [0, 1, 2, 3].map(word);
        let (blob, stack) = (self.bytes(blob), self.room(4 * temporary_words));
        let program = blob + 16;
        let verify = program + 4 * program_words;
        let constants = verify + 4 * verify_words;
        let registers = [(SP, stack), (T1, program), (T2, verify), (T3, constants), (A0, blob)];
        let arenas = (A1..).zip(arenas).map(|(reg, addr)| (reg, *addr));
        self.ecall(BIGINT2, &registers.into_iter().chain(arenas).collect::<Vec<_>>());
    }

    /// Ends the program with `code`, and makes it a machine.
    pub fn halt(mut self, code: u32) -> Machine {
        let digest = self.room(32);
        self.ecall(HALT, &[(A0, code << 8), (A1, digest)]);
        self.machine()
    }

    /// The program as it stands.
    pub fn machine(self) -> Machine {
        Machine::from_image(self.memory).expect("it starts")
    }
}

/// Standard input from bytes; keeps what is written, by file descriptor.
#[derive(Default)]
pub struct Streams {
    pub input: Vec<u8>,
    pub written: BTreeMap<u32, Vec<u8>>,
    /// The most bytes that one read delivers, if not all.
    pub at_once: Option<usize>,
}

impl Host for Streams {
    fn read(&mut self, _order: u64, file: u32, bytes: &mut [u8]) -> u32 {
        assert_eq!(file, fd::STDIN);
        let count = bytes.len().min(self.input.len()).min(self.at_once.unwrap_or(usize::MAX));
        bytes[..count].copy_from_slice(&self.input[..count]);
        self.input.drain(..count);
        count as u32
    }

    fn write(&mut self, _order: u64, file: u32, bytes: &[u8]) -> u32 {
        self.written.entry(file).or_default().extend(bytes);
        bytes.len() as u32
    }
}

/// A host with the arguments "one" and "zwei", the variable NAME=value, and the seed 7.
pub fn host(input: &[u8]) -> Risc0Host<Streams> {
    let streams = Streams { input: input.to_vec(), ..Streams::default() };
    Risc0Host::new(streams, vec!["one".into(), "zwei".into()], vec![("NAME".into(), "value".into())], 7)
}

/// Runs to the end.
pub fn run(machine: &mut Machine, host: &mut impl Host) -> Exit {
    const MOST_STEPS: u64 = 10_000_000;
    Step::new().run(machine, host, Until::order(MOST_STEPS), &mut ())
}

pub fn bytes_at(machine: &Machine, addr: Addr, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    machine.read_bytes(addr, &mut bytes);
    bytes
}
