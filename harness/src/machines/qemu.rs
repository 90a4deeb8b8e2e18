//! QEMU: the system emulator step by step over its gdbstub, and the user emulator for whole runs.
//!
//! `qemu-system-riscv32 -M none` is a hart in memory without devices. It accepts misaligned accesses and
//! has memory everywhere, so accesses that our machine forbids are beyond it, and so is opcode SYSTEM
//! (it has CSRs). A few thousand steps a second: for a range of steps, not for long runs.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lockstep::ecall::Host;
use lockstep::hart::Machine;
use lockstep::map::{self, Addr, Mode};
use lockstep::mem::PAGE_BYTES;
use lockstep::trace::Retired;
use lockstep_spec::encdec::{Instruction, decode};

use super::process::{Finished, Process, find_program, patience, run_to_end};
use crate::adapters::{access_kind, seen};
use crate::machine::{
    Delta, FRAME_BYTES, Failure, Frame, Progress, Raised, Reference, Scope, State, Stop, Touched, hash_words,
    machine_state,
};

/// The system emulator.
pub const SYSTEM: &str = "qemu-system-riscv32";
/// The user emulator.
pub const USER: &str = "qemu-riscv32";

/// What the emulator `program` says of its version, if it is on PATH.
pub fn version(program: &str) -> Option<String> {
    let program = find_program(program)?;
    let finished = run_to_end("qemu", Command::new(program).arg("--version"), b"", Duration::from_secs(10)).ok()?;
    let text = String::from_utf8_lossy(&finished.stdout).into_owned();
    Some(text.lines().next()?.split(" version ").nth(1)?.split(' ').next()?.to_string())
}

/// Runs a whole program under the user emulator: its exit code and output are the program's, if it uses
/// the numbers of Linux for exit, read and write (KERN-3).
///
/// # Errors
/// It does not start, or does not end within `limit`.
pub fn run_user(elf: &Path, arguments: &[String], input: &[u8], limit: Duration) -> Result<Finished, Failure> {
    run_to_end("qemu", Command::new(USER).arg(elf).args(arguments), input, limit)
}

/// QEMU beside ours.
pub struct Qemu {
    process: Process,
    state: State,
    /// Where the mode's rights end.
    limit: Addr,
    /// Pages that were given to it.
    loaded: BTreeSet<u32>,
    touched: BTreeSet<Frame>,
}

impl Qemu {
    /// Starts the emulator.
    ///
    /// # Errors
    /// It does not start, or speaks another protocol than gdb's.
    pub fn start() -> Result<Qemu, Failure> {
        let mut command = Command::new(SYSTEM);
        command.args(["-M", "none", "-cpu", "rv32,c=false,a=false,f=false,d=false", "-m", "4095M", "-S"]);
        command.args(["-display", "none", "-monitor", "none", "-serial", "none", "-gdb", "stdio"]);
        let process = Process::start("qemu", &mut command, packet, patience())?;
        let state = State { pc: 0, x: [0; 32] };
        let mut qemu = Qemu { process, state, limit: 0, loaded: BTreeSet::new(), touched: BTreeSet::new() };
        qemu.ask("qSupported")?;
        Ok(qemu)
    }

    fn ask(&mut self, request: &str) -> Result<String, Failure> {
        let sum = request.bytes().fold(0u8, u8::wrapping_add);
        // The plus acknowledges the answer before; this gdbstub insists.
        self.process.send(format!("+${request}#{sum:02x}").as_bytes())?;
        let answer = self.process.receive()?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    fn expect_ok(&mut self, request: &str) -> Result<(), Failure> {
        match self.ask(request)?.as_str() {
            "OK" => Ok(()),
            other => Err(Failure::Garbled(format!("qemu: {other:.40} to {request:.40}"))),
        }
    }

    fn read(&mut self, addr: Addr, length: usize) -> Result<Vec<u8>, Failure> {
        let answer = self.ask(&format!("m{addr:x},{length:x}"))?;
        bytes(&answer)
            .filter(|bytes| bytes.len() == length)
            .ok_or_else(|| Failure::Garbled(format!("qemu: {answer:.20} for {length} bytes at 0x{addr:08x}")))
    }

    fn write(&mut self, addr: Addr, content: &[u8]) -> Result<(), Failure> {
        for (i, part) in (0..).zip(content.chunks(PAGE_BYTES)) {
            let addr = addr + i * PAGE_BYTES as u32;
            self.expect_ok(&format!("M{addr:x},{:x}:{}", part.len(), hex(part)))?;
        }
        Ok(())
    }

    fn write_state(&mut self, state: State, mode: Mode) -> Result<(), Failure> {
        self.limit = if mode == Mode::User { map::KERNEL_START } else { map::SYSTEM_START };
        let words: Vec<u8> = state.x.iter().chain([&state.pc]).flat_map(|word| word.to_le_bytes()).collect();
        self.state = state;
        self.expect_ok(&format!("G{}", hex(&words)))
    }

    fn read_state(&mut self) -> Result<State, Failure> {
        let answer = self.ask("g")?;
        let bytes = bytes(&answer).unwrap_or_default();
        let mut words = bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        let mut x = [0; 32];
        let count = x.iter_mut().zip(&mut words).map(|(x, word)| *x = word).count();
        match words.next() {
            Some(pc) if count == 32 => Ok(State { pc, x }),
            _ => Err(Failure::Garbled(format!("qemu: {answer:.40} for the registers"))),
        }
    }

    /// The instruction at pc with its data address, if our machine lets it run and QEMU knows it.
    fn judged(&mut self) -> Result<Option<(u32, Instruction, Addr)>, Failure> {
        const SYSTEM_OPCODE: u32 = 0x73;
        let pc = self.state.pc;
        if !(map::USER_START..self.limit).contains(&pc) {
            return Ok(None);
        }
        let word = self.word(pc)?;
        let Some(instruction) = decode(word).filter(|_| word & 0x7f != SYSTEM_OPCODE) else { return Ok(None) };
        let addr = self.state.x[instruction.rs1 as usize].wrapping_add(instruction.imm);
        let is_allowed = access_kind(&instruction).is_none_or(|(width, _)| {
            (map::USER_START..self.limit).contains(&addr) && addr.is_multiple_of(width.bytes())
        });
        Ok(is_allowed.then_some((word, instruction, addr)))
    }

    /// One step; the record if it retired.
    fn step(&mut self, order: u64) -> Result<Result<Retired, Stop>, Failure> {
        let Some((word, instruction, addr)) = self.judged()? else { return Ok(Err(Stop::Beyond)) };
        let before = self.state;
        self.ask("s")?;
        let after = self.read_state()?;
        // A trap goes to mtvec, which is 0; no instruction of ours goes there without a fault.
        if after.pc == 0 {
            self.expect_ok(&format!("P20={}", hex(&before.pc.to_le_bytes())))?;
            return Ok(Err(Stop::Trap(Raised { cause: None, value: None })));
        }
        self.state = after;
        let is_store = access_kind(&instruction).is_some_and(|(_, is_store)| is_store);
        let stored = if is_store { self.word(addr)? >> (8 * (addr % 4)) } else { 0 };
        if is_store {
            self.touched.insert(Frame::of(addr));
        }
        Ok(Ok(seen(order, [before.pc, word, after.pc, after.x[instruction.rd as usize], addr, stored])))
    }
}

/// A packet of gdb's protocol, without its frame; acknowledgements are skipped.
fn packet(stream: &mut dyn Read) -> Option<Vec<u8>> {
    let mut byte = [0];
    while byte != *b"$" {
        stream.read_exact(&mut byte).ok()?;
    }
    let mut content = Vec::new();
    loop {
        stream.read_exact(&mut byte).ok()?;
        if byte == *b"#" {
            break;
        }
        content.push(byte[0]);
    }
    stream.read_exact(&mut [0; 2]).ok()?;
    Some(content)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
    Some(digits?.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
}

impl Reference for Qemu {
    fn name(&self) -> &str {
        "qemu"
    }

    fn scope(&self) -> Scope {
        Scope::Instructions
    }

    fn load(&mut self, machine: &Machine) -> Result<(), Failure> {
        let stale = std::mem::take(&mut self.loaded);
        let pages = machine.mem.pages().filter(|(page, _)| Frame::of_page(*page).is_plain());
        let pages: Vec<_> = pages.map(|(page, words)| (page.start(), *words)).collect();
        let touched: BTreeSet<u32> = std::mem::take(&mut self.touched)
            .into_iter()
            .flat_map(|frame| frame.pages().map(|page| page.start()).collect::<Vec<_>>())
            .collect();
        for start in stale.union(&touched) {
            self.write(*start, &[0; PAGE_BYTES])?;
        }
        for (start, words) in &pages {
            let content: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            self.write(*start, &content)?;
            self.loaded.insert(*start);
        }
        self.write_state(machine_state(machine), machine.hart.mode)
    }

    fn run(&mut self, steps: u64, host: &mut dyn Host) -> Result<Progress, Failure> {
        self.trace(steps, host, &mut Vec::new())
    }

    fn trace(&mut self, steps: u64, _host: &mut dyn Host, records: &mut Vec<Retired>) -> Result<Progress, Failure> {
        for made in 0..steps {
            match self.step(made)? {
                Ok(record) => records.push(record),
                Err(stop) => return Ok(Progress { steps: made, stop }),
            }
        }
        Ok(Progress { steps, stop: Stop::Steps })
    }

    fn state(&mut self) -> Result<State, Failure> {
        Ok(self.state)
    }

    fn touched(&mut self) -> Result<Touched, Failure> {
        let frames: Vec<Frame> = self.touched.iter().copied().collect();
        for frame in &frames {
            self.loaded.extend(frame.pages().map(|page| page.start()));
        }
        self.touched.clear();
        let hashes = self.frame_hashes(&frames)?;
        Ok(frames.into_iter().zip(hashes).collect())
    }

    fn frame_hashes(&mut self, frames: &[Frame]) -> Result<Vec<u64>, Failure> {
        let mut hashes = Vec::new();
        for frame in frames {
            let mut content = Vec::new();
            for part in (0..FRAME_BYTES).step_by(PAGE_BYTES) {
                content.extend(self.read(frame.start() + part as u32, PAGE_BYTES)?);
            }
            let words: Vec<u32> =
                content.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
            hashes.push(hash_words(&words));
        }
        Ok(hashes)
    }

    fn word(&mut self, addr: Addr) -> Result<u32, Failure> {
        let bytes = self.read(addr & !3, 4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn inject(&mut self, delta: &Delta) -> Result<(), Failure> {
        for (addr, content) in &delta.stores {
            self.write(*addr, content)?;
            let last = addr + (content.len() as u32).saturating_sub(1);
            self.touched.extend([Frame::of(*addr), Frame::of(last)]);
        }
        self.write_state(delta.state, delta.mode)
    }
}
