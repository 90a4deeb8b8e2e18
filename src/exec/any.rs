//! The choice among engines.

#[cfg(feature = "jit")]
use super::Jit;
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
    /// Blocks, and compiled code for the hot ones. Where nothing can be compiled, blocks alone.
    Jit,
}

impl EngineKind {
    /// Every engine that this build has, the slowest first.
    pub const ALL: &[EngineKind] = &[EngineKind::Step, EngineKind::Block, EngineKind::Jit];

    /// The fastest engine that this build has.
    pub const FASTEST: EngineKind = EngineKind::ALL[EngineKind::ALL.len() - 1];

    /// The name in lower case: stable, for command lines and reports.
    pub const fn name(self) -> &'static str {
        match self {
            EngineKind::Step => "step",
            EngineKind::Block => "block",
            EngineKind::Jit => "jit",
        }
    }
}

/// Any of the engines.
pub enum AnyEngine {
    /// One instruction at a time.
    Step(Step),
    /// Blocks of decoded instructions.
    Block(Block),
    /// Blocks, and compiled code for the hot ones.
    #[cfg(feature = "jit")]
    Jit(Box<Jit>),
}

impl AnyEngine {
    /// A new engine of `kind`.
    pub fn new(kind: EngineKind) -> AnyEngine {
        match kind {
            EngineKind::Step => AnyEngine::Step(Step::new()),
            EngineKind::Block => AnyEngine::Block(Block::new()),
            #[cfg(feature = "jit")]
            EngineKind::Jit => {
                Jit::new().map_or_else(|| AnyEngine::new(EngineKind::Block), |jit| AnyEngine::Jit(Box::new(jit)))
            }
            #[cfg(not(feature = "jit"))]
            EngineKind::Jit => AnyEngine::new(EngineKind::Block),
        }
    }

    /// An engine of `kind` that compiles code when it first gets there; `None` where this build or host has none
    /// of that kind.
    pub fn eager(kind: EngineKind) -> Option<AnyEngine> {
        #[cfg(feature = "jit")]
        if kind == EngineKind::Jit {
            return Jit::with_threshold(1).map(|jit| AnyEngine::Jit(Box::new(jit)));
        }
        Some(AnyEngine::new(kind)).filter(|engine| engine.kind() == kind)
    }

    /// How many places have compiled code now.
    pub fn compiled(&self) -> usize {
        match self {
            AnyEngine::Step(_) | AnyEngine::Block(_) => 0,
            #[cfg(feature = "jit")]
            AnyEngine::Jit(engine) => engine.compiled(),
        }
    }

    /// Which engine it is.
    pub fn kind(&self) -> EngineKind {
        match self {
            AnyEngine::Step(_) => EngineKind::Step,
            AnyEngine::Block(_) => EngineKind::Block,
            #[cfg(feature = "jit")]
            AnyEngine::Jit(_) => EngineKind::Jit,
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
            #[cfg(feature = "jit")]
            AnyEngine::Jit(engine) => engine.run(machine, host, until, sink),
        }
    }
}
