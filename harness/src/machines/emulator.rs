//! An engine of ours as a machine to compare with.

use lockstep::ecall::Host;
use lockstep::exec::{Engine, Exit, Until};
use lockstep::hart::Machine;
use lockstep::map::Addr;
use lockstep::mem::Memory;
use lockstep::trace::{Retired, Sink};

use crate::machine::{
    Delta, Failure, Frame, Progress, Reference, Scope, State, Stop, Touched, machine_frame_hash, machine_state,
};

/// One of our engines with its machine.
pub struct Emulator<E> {
    name: String,
    make: Box<dyn Fn() -> E>,
    engine: E,
    machine: Machine,
}

impl<E: Engine> Emulator<E> {
    /// The machine `machine`, run by the engine that `make` makes.
    pub fn new(name: &str, make: impl Fn() -> E + 'static, machine: Machine) -> Emulator<E> {
        Emulator { name: name.into(), engine: make(), make: Box::new(make), machine }
    }

    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Replaces the machine, and the engine by a new one: what it remembers is of the old machine.
    pub fn set_machine(&mut self, machine: Machine) {
        self.engine = (self.make)();
        self.machine = machine;
        self.written();
    }

    /// Replaces the registers of the current mode; x0 stays 0.
    pub fn set_registers(&mut self, x: &[u32; 32]) {
        let mode = self.machine.hart.mode;
        self.machine.hart.file_mut(mode)[1..32].copy_from_slice(&x[1..]);
    }

    /// Runs until step `order`, showing every step to `sink`.
    pub fn run_until(&mut self, order: u64, host: &mut dyn Host, sink: &mut impl Sink) -> Exit {
        self.engine.run(&mut self.machine, host, Until::order(order), sink)
    }

    /// The frames written since it was last asked.
    pub fn written(&mut self) -> Vec<Frame> {
        let mut frames: Vec<Frame> =
            self.machine.mem.written_pages().iter().map(|&page| Frame::of_page(page)).collect();
        frames.sort_unstable();
        frames.dedup();
        self.machine.mem.mark();
        // The contents at the mark are not needed, only which pages were written.
        self.machine.mem.forget();
        frames
    }

    fn run_steps(&mut self, steps: u64, host: &mut dyn Host, sink: &mut impl Sink) -> Progress {
        let start = self.machine.hart.instructions;
        let exit = self.run_until(start.saturating_add(steps), host, sink);
        let stop = if exit == Exit::Order { Stop::Steps } else { Stop::Ended(exit) };
        Progress { steps: self.machine.hart.instructions - start, stop }
    }
}

/// A machine that nothing was loaded into yet.
pub fn empty_machine() -> Machine {
    Machine { hart: lockstep::hart::Hart::new(0, lockstep::map::Mode::Machine), mem: Memory::new() }
}

impl<E: Engine> Reference for Emulator<E> {
    fn name(&self) -> &str {
        &self.name
    }

    fn scope(&self) -> Scope {
        Scope::Whole
    }

    fn load(&mut self, machine: &Machine) -> Result<(), Failure> {
        self.set_machine(machine.clone());
        Ok(())
    }

    fn run(&mut self, steps: u64, host: &mut dyn Host) -> Result<Progress, Failure> {
        Ok(self.run_steps(steps, host, &mut ()))
    }

    fn trace(&mut self, steps: u64, host: &mut dyn Host, records: &mut Vec<Retired>) -> Result<Progress, Failure> {
        Ok(self.run_steps(steps, host, records))
    }

    fn state(&mut self) -> Result<State, Failure> {
        Ok(machine_state(&self.machine))
    }

    fn touched(&mut self) -> Result<Touched, Failure> {
        Ok(self.written().into_iter().map(|frame| (frame, machine_frame_hash(&self.machine, frame))).collect())
    }

    fn frame_hashes(&mut self, frames: &[Frame]) -> Result<Vec<u64>, Failure> {
        Ok(frames.iter().map(|&frame| machine_frame_hash(&self.machine, frame)).collect())
    }

    fn word(&mut self, addr: Addr) -> Result<u32, Failure> {
        Ok(self.machine.word(addr))
    }

    fn inject(&mut self, delta: &Delta) -> Result<(), Failure> {
        self.machine.hart.pc = delta.state.pc;
        self.machine.hart.mode = delta.mode;
        self.machine.hart.file_mut(delta.mode)[1..32].copy_from_slice(&delta.state.x[1..]);
        for (addr, bytes) in &delta.stores {
            self.machine.write_bytes(*addr, bytes);
        }
        Ok(())
    }
}
