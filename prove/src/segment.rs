//! A segment: a machine, the steps it made from there, and how that ended.

use lockstep::ecall::Host;
use lockstep::ecall::replay::{Log, Recorder};
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
        let mut recorder = Recorder::new(host);
        let mut steps = Vec::new();
        let end = Until::order(before.hart.instructions + limit);
        let exit = Step::new().run(&mut after, &mut recorder, end, &mut steps);
        Segment { before, steps, log: recorder.log, exit, after }
    }
}
