//! The choice among engines.

use super::{Block, Engine, Exit, Step, Until};
use crate::ecall::Host;
use crate::hart::Machine;
use crate::trace::Sink;

/// The engines that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// One instruction at a time.
    Step,
    /// Blocks of decoded instructions.
    Block,
}

impl EngineKind {
    /// Every engine that this build has, the slowest first.
    pub const ALL: &[EngineKind] = &[EngineKind::Step, EngineKind::Block];

    /// The fastest engine that this build has.
    pub const FASTEST: EngineKind = EngineKind::ALL[EngineKind::ALL.len() - 1];

    /// The name in lower case: stable, for command lines and reports.
    pub const fn name(self) -> &'static str {
        match self {
            EngineKind::Step => "step",
            EngineKind::Block => "block",
        }
    }
}

/// Any of the engines.
pub enum AnyEngine {
    /// One instruction at a time.
    Step(Step),
    /// Blocks of decoded instructions.
    Block(Block),
}

impl AnyEngine {
    /// A new engine of `kind`.
    pub fn new(kind: EngineKind) -> AnyEngine {
        match kind {
            EngineKind::Step => AnyEngine::Step(Step::new()),
            EngineKind::Block => AnyEngine::Block(Block::new()),
        }
    }

    /// Which engine it is.
    pub fn kind(&self) -> EngineKind {
        match self {
            AnyEngine::Step(_) => EngineKind::Step,
            AnyEngine::Block(_) => EngineKind::Block,
        }
    }
}

impl Default for AnyEngine {
    /// The fastest engine that this build has.
    fn default() -> Self {
        AnyEngine::new(EngineKind::FASTEST)
    }
}

impl Engine for AnyEngine {
    fn run(&mut self, machine: &mut Machine, host: &mut dyn Host, until: Until<'_>, sink: &mut impl Sink) -> Exit {
        match self {
            AnyEngine::Step(engine) => engine.run(machine, host, until, sink),
            AnyEngine::Block(engine) => engine.run(machine, host, until, sink),
        }
    }
}
