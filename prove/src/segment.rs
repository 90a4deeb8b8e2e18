//! A segment: a machine, the steps it made from there, and how that ended.

use lockstep::ecall::replay::{Log, Recorder};
use lockstep::ecall::{Host, Refused};
use lockstep::exec::{Engine, Exit, Step, Until};
use lockstep::hart::Machine;
use lockstep::trace::Retired;

/// What the witness is made from.
pub struct Segment {
    /// The machine before the first step.
    pub before: Machine,
    /// The steps.
    pub steps: Vec<Retired>,
    /// What the host answered.
    pub log: Log,
    /// Why the engine stopped.
    pub exit: Exit,
    /// The machine behind the last step.
    pub after: Machine,
}

/// The most steps of a segment: their times stay below 2^22, the largest table of times.
pub const MAX_STEPS: u64 = lockstep::hart::SEGMENT_STEPS;

impl Segment {
    /// Runs `machine` with `host` to its end, or for `limit` steps.
    pub fn run(machine: Machine, host: &mut dyn Host, limit: u64) -> Segment {
        let (before, mut after) = (machine.clone(), machine);
        let mut recorder = Recorder::new(Through(host));
        let mut steps = Vec::new();
        let end = Until::order(before.hart.instructions + limit);
        let exit = Step::new().run(&mut after, &mut recorder, end, &mut steps);
        Segment { before, steps, log: recorder.log, exit, after }
    }
}

/// A host by reference.
struct Through<'a>(&'a mut dyn Host);

impl Host for Through<'_> {
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
