//! A segment: a machine, the steps it made from there, and how that ended.

use lockstep::ecall::replay::{Log, Recorder};
use lockstep::ecall::{Call, Host, SHA2, sha2};
use lockstep::exec::{Engine, Exit, Step, Until};
use lockstep::hart::Machine;
use lockstep::trace::{Retired, Sink};

/// What the witness is made from.
pub struct Segment {
    /// The machine before the first step.
    pub before: Machine,
    /// The steps.
    pub steps: Vec<Retired>,
    /// The blocks that sha2 hashed (ECALL-13).
    pub sha2_blocks: u64,
    /// What the host answered.
    pub log: Log,
    /// Why the engine stopped.
    pub exit: Exit,
    /// The machine behind the last step.
    pub after: Machine,
}

/// The most steps of a segment: their times stay below 2^22, the largest table of times.
pub const MAX_STEPS: u64 = lockstep::hart::SEGMENT_STEPS;

/// The most blocks of sha2 in a segment: each takes 64 rows, which together have room in one table.
pub const MAX_SHA2_BLOCKS: u64 = 1 << 16;

impl Segment {
    /// Runs `machine` with `host` to its end, or for `limit` steps.
    pub fn run(machine: Machine, host: &mut dyn Host, limit: u64) -> Segment {
        let (before, mut after) = (machine.clone(), machine);
        let mut recorder = Recorder::new(host);
        let mut made = Made::default();
        let end = Until::order(before.hart.instructions + limit);
        let exit = Step::new().run(&mut after, &mut recorder, end, &mut made);
        let Made { steps, sha2_blocks } = made;
        Segment { before, steps, sha2_blocks, log: recorder.log, exit, after }
    }
}

/// What a segment keeps of a run.
#[derive(Default)]
struct Made {
    steps: Vec<Retired>,
    sha2_blocks: u64,
}

impl Sink for Made {
    fn retired(&mut self, step: &Retired) {
        self.steps.push(*step);
    }

    fn called(&mut self, call: &Call) {
        if call.number == SHA2 {
            self.sha2_blocks += sha2::blocks_of(call);
        }
    }
}
