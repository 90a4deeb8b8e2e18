//! A run that can be moved along: the machine, its engine and its host, with the past kept.

use crate::ecall::replay::{Answer, Recorder};
use crate::ecall::{Host, Refused};
use crate::exec::{Engine, Exit, Step, Until};
use crate::hart::Machine;
use crate::trace::Sink;

/// The host of a run, whatever it is.
pub struct AnyHost(pub Box<dyn Host>);

impl Host for AnyHost {
    fn read(&mut self, order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        self.0.read(order, fd, bytes)
    }

    fn write(&mut self, order: u64, fd: u32, bytes: &[u8]) -> u32 {
        self.0.write(order, fd, bytes)
    }

    fn read_for(&mut self, machine: &Machine, fd: u32, bytes: &mut [u8]) -> Result<u32, Refused> {
        self.0.read_for(machine, fd, bytes)
    }

    fn write_for(&mut self, machine: &Machine, fd: u32, bytes: &[u8]) -> Result<u32, Refused> {
        self.0.write_for(machine, fd, bytes)
    }
}

/// A run.
pub struct Timeline {
    machine: Machine,
    engine: Step,
    host: Recorder<AnyHost>,
    start: Machine,
}

impl Timeline {
    /// The run that starts with `machine` and asks `host`.
    pub fn new(machine: Machine, host: Box<dyn Host>) -> Timeline {
        Timeline { start: machine.clone(), machine, engine: Step::new(), host: Recorder::new(AnyHost(host)) }
    }

    /// The machine as it is now.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The machine, to change: what was the future is gone.
    pub fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// The number of the next step (TIME-1).
    pub fn now(&self) -> u64 {
        self.machine.hart.instructions
    }

    /// Runs forward.
    pub fn run(&mut self, until: Until<'_>, sink: &mut impl Sink) -> Exit {
        self.engine.run(&mut self.machine, &mut self.host, until, sink)
    }

    /// Back to the first step, to run again with the same input; output is written again.
    pub fn restart(&mut self) {
        self.machine = self.start.clone();
        self.host.log.retain(|_, answer| matches!(answer, Answer::Read(_)));
    }
}
