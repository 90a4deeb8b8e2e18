//! The executable specification as a machine to compare with.

use std::collections::BTreeSet;

use lockstep::ecall::{self, Halt, Host};
use lockstep::exec::Exit;
use lockstep::hart::Machine;
use lockstep::map::{self, Addr, Mode};
use lockstep::trace::Retired;
use lockstep_spec::memory::Memory;
use lockstep_spec::zkvm::{self, Outcome};

use crate::adapters;
use crate::machine::{
    Delta, FRAME_BYTES, Failure, Frame, Progress, Reference, Scope, State, Stop, Touched, hash_words,
};

/// The machine of `spec/src/zkvm.rs`.
pub struct Spec {
    machine: zkvm::Machine,
    touched: BTreeSet<Frame>,
}

/// The register that holds the number of an ECALL.
const A7: u32 = 17;

impl Default for Spec {
    fn default() -> Self {
        Spec::new()
    }
}

impl Spec {
    /// A specification with nothing loaded.
    pub fn new() -> Spec {
        let (mode, memory) = (zkvm::Mode::Machine, Memory::new());
        let machine = zkvm::Machine { pc: 0, mode, instructions: 0, cycles: 0, last_user_trap: None, memory };
        Spec { machine, touched: BTreeSet::new() }
    }

    /// The cost so far (TIME-2).
    pub fn cycles(&self) -> u64 {
        self.machine.cycles
    }

    fn step(&mut self, host: &mut dyn Host) -> (Option<Retired>, Stop) {
        if self.is_beyond(host) {
            return (None, Stop::Beyond);
        }
        let mut host = Watched { host, touched: &mut self.touched, buffer: self.machine.x(11) };
        match self.machine.step(&mut host) {
            Outcome::Stepped(step) => (Some(self.record(&step)), Stop::Steps),
            Outcome::Terminated { step, halt, user_exit } => {
                let halt = if halt == 0 { Halt::Halted } else { Halt::Paused };
                (Some(self.record(&step)), Stop::Ended(Exit::Terminated { halt, user_exit }))
            }
            Outcome::Faulted(fault) => (None, adapters::fault(&fault).map_or(Stop::Steps, Stop::Ended)),
        }
    }

    /// ECALL-5: the specification is a machine without poseidon2, sha2 and bigint. It cannot ask a host that
    /// looks at the machine either (HOST-1).
    fn is_beyond(&self, host: &dyn Host) -> bool {
        const ECALL_WORD: u32 = 0x73;
        let is_machine_ecall =
            self.machine.mode == zkvm::Mode::Machine && self.machine.memory.word(self.machine.pc) == ECALL_WORD;
        is_machine_ecall
            && match self.machine.x(A7) {
                ecall::READ | ecall::WRITE => host.looks_at_machine(),
                ecall::POSEIDON2 | ecall::SHA2 | ecall::BIGINT => true,
                _ => false,
            }
    }

    fn record(&mut self, step: &zkvm::Step) -> Retired {
        if let Some(access) = step.access.filter(|access| access.is_store) {
            self.touched.insert(Frame::of(access.addr));
        }
        adapters::retired(step)
    }

    fn steps(&mut self, steps: u64, host: &mut dyn Host, mut show: impl FnMut(Retired)) -> Progress {
        for made in 0..steps {
            let (record, stop) = self.step(host);
            let is_step = record.is_some();
            record.into_iter().for_each(&mut show);
            if stop != Stop::Steps {
                return Progress { steps: made + u64::from(is_step), stop };
            }
        }
        Progress { steps, stop: Stop::Steps }
    }

    fn frame_hash(&self, frame: Frame) -> u64 {
        let words: Vec<u32> =
            (0..FRAME_BYTES as u32 / 4).map(|i| self.machine.memory.word(frame.start() + 4 * i)).collect();
        hash_words(&words)
    }
}

/// Our host as the specification's, noting where read stores.
struct Watched<'a> {
    host: &'a mut dyn Host,
    touched: &'a mut BTreeSet<Frame>,
    buffer: Addr,
}

impl zkvm::Host for Watched<'_> {
    fn read(&mut self, order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        let last = self.buffer.wrapping_add((bytes.len() as u32).saturating_sub(1));
        self.touched.extend([Frame::of(self.buffer), Frame::of(last)]);
        self.host.read(order, fd, bytes)
    }

    fn write(&mut self, order: u64, fd: u32, bytes: &[u8]) -> u32 {
        self.host.write(order, fd, bytes)
    }
}

impl Reference for Spec {
    fn name(&self) -> &str {
        "spec"
    }

    fn scope(&self) -> Scope {
        Scope::Whole
    }

    fn load(&mut self, machine: &Machine) -> Result<(), Failure> {
        let hart = &machine.hart;
        let mut memory = Memory::new();
        let registers = lockstep::mem::PageNo::of(map::MACHINE_REGS);
        let pages = machine.mem.pages().map(|(page, _)| page).chain([registers]);
        for page in pages {
            for (i, word) in (0..).zip(machine.page(page)) {
                memory.set_word(page.start() + 4 * i, word);
            }
        }
        self.machine = zkvm::Machine {
            pc: hart.pc,
            mode: spec_mode(hart.mode),
            instructions: hart.instructions,
            cycles: hart.cycles,
            last_user_trap: hart.last_user_trap,
            memory,
        };
        self.touched.clear();
        Ok(())
    }

    fn run(&mut self, steps: u64, host: &mut dyn Host) -> Result<Progress, Failure> {
        Ok(self.steps(steps, host, |_| ()))
    }

    fn trace(&mut self, steps: u64, host: &mut dyn Host, records: &mut Vec<Retired>) -> Result<Progress, Failure> {
        Ok(self.steps(steps, host, |record| records.push(record)))
    }

    fn state(&mut self) -> Result<State, Failure> {
        let mut x = [0; 32];
        (0..32).for_each(|n| x[n as usize] = self.machine.x(n));
        Ok(State { pc: self.machine.pc, x })
    }

    fn touched(&mut self) -> Result<Touched, Failure> {
        let mut frames = std::mem::take(&mut self.touched);
        frames.insert(Frame::of(map::MACHINE_REGS));
        Ok(frames.into_iter().map(|frame| (frame, self.frame_hash(frame))).collect())
    }

    fn frame_hashes(&mut self, frames: &[Frame]) -> Result<Vec<u64>, Failure> {
        Ok(frames.iter().map(|&frame| self.frame_hash(frame)).collect())
    }

    fn word(&mut self, addr: Addr) -> Result<u32, Failure> {
        Ok(self.machine.memory.word(addr))
    }

    fn inject(&mut self, delta: &Delta) -> Result<(), Failure> {
        self.machine.pc = delta.state.pc;
        self.machine.mode = spec_mode(delta.mode);
        (1..32).for_each(|n| self.machine.set_x(n, delta.state.x[n as usize]));
        for (addr, bytes) in &delta.stores {
            for (addr, byte) in (*addr..).zip(bytes) {
                self.machine.memory.set_byte(addr, *byte);
            }
        }
        Ok(())
    }
}

fn spec_mode(mode: Mode) -> zkvm::Mode {
    match mode {
        Mode::User => zkvm::Mode::User,
        Mode::Machine => zkvm::Mode::Machine,
    }
}
