//! The engines that every test runs on.

use lockstep::ecall::Host;
use lockstep::exec::{AnyEngine, Engine, EngineKind, Exit, Until};
use lockstep::hart::Machine;
use lockstep::trace::{Retired, Sink};

use super::{Column, judge};
use crate::coverage::Coverage;
use crate::report::Cell;
use crate::suites::Test;

/// An engine of ours: a column of the matrix.
pub struct EngineColumn {
    kind: EngineKind,
    is_traced: bool,
    name: String,
}

const NO_ENGINE: &str = "this build has no such engine for this machine";

/// Every engine, each with and without a record of every step: with a sink the compiler makes other
/// code of an engine, and that code is judged as well.
pub fn all() -> Vec<EngineColumn> {
    EngineKind::ALL.iter().flat_map(|kind| [column(*kind, false), column(*kind, true)]).collect()
}

/// The plain engine.
pub fn plain() -> EngineColumn {
    column(EngineKind::Step, false)
}

fn column(kind: EngineKind, is_traced: bool) -> EngineColumn {
    let suffix = if is_traced { "+trace" } else { "" };
    EngineColumn { kind, is_traced, name: format!("{}{suffix}", kind.name()) }
}

impl EngineColumn {
    /// Runs `machine`. The plain engine's trace is what the coverage is counted in.
    ///
    /// # Errors
    /// The engine is not in this build, or its record has a gap.
    pub fn run(
        &self,
        machine: &mut Machine,
        host: &mut dyn Host,
        until: Until<'_>,
        coverage: &mut Coverage,
    ) -> Result<Exit, String> {
        // Tests are short: an engine that compiles does so at once, or none of its code would be tested.
        let mut engine = AnyEngine::eager(self.kind).ok_or(NO_ENGINE)?;
        if !self.is_traced {
            return Ok(engine.run(machine, host, until, &mut ()));
        }
        let coverage = (self.kind == EngineKind::Step).then_some(coverage);
        let mut watch = Watch { coverage, next: None, broken: None };
        let exit = engine.run(machine, host, until, &mut watch);
        if let Some(step) = watch.broken {
            return Err(format!("the record has a gap before step {} at 0x{:08x} (TIME-1)", step.order, step.pc));
        }
        if let (Exit::Fault(fault), Some(coverage)) = (&exit, watch.coverage) {
            coverage.fault(machine, fault);
        }
        Ok(exit)
    }
}

/// Checks that each recorded step begins where the one before it ended (TIME-1), and counts its situations.
struct Watch<'a> {
    coverage: Option<&'a mut Coverage>,
    next: Option<(u64, u32)>,
    broken: Option<Retired>,
}

impl Sink for Watch<'_> {
    fn retired(&mut self, step: &Retired) {
        if self.next.is_some_and(|next| next != (step.order, step.pc)) && self.broken.is_none() {
            self.broken = Some(*step);
        }
        self.next = Some((step.order + 1, step.next_pc));
        if let Some(coverage) = &mut self.coverage {
            coverage.retired(step);
        }
    }
}

impl Column for EngineColumn {
    fn name(&self) -> &str {
        &self.name
    }

    fn about(&self) -> &str {
        if self.is_traced { "engine of ours, with every step recorded" } else { "engine of ours" }
    }

    fn version(&self) -> Result<String, String> {
        let is_here = AnyEngine::eager(self.kind).is_some();
        if is_here { Ok(env!("CARGO_PKG_VERSION").into()) } else { Err(NO_ENGINE.into()) }
    }

    fn run(&self, test: &Test, coverage: &mut Coverage) -> Cell {
        judge::judge(test, self, coverage)
    }
}
