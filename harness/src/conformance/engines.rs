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

/// Why an engine is skipped.
pub const NO_ENGINE: &str = "this build has no such engine for this machine";

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
        if let Some(gap) = watch.gap() {
            return Err(gap);
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

impl Watch<'_> {
    fn gap(&self) -> Option<String> {
        let Retired { order, pc, .. } = self.broken.as_ref()?;
        Some(format!("the record has a gap before step {order} at 0x{pc:08x} (TIME-1)"))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::seen;

    const NOP: u32 = 0x0000_0013;

    /// A record of a step at `pc`.
    fn nop(order: u64, pc: u32) -> Retired {
        seen(order, [pc, NOP, pc + 4, 0, 0, 0])
    }

    /// What a watch says of `steps`.
    fn gap(steps: &[Retired]) -> Option<String> {
        let mut watch = Watch { coverage: None, next: None, broken: None };
        steps.iter().for_each(|step| watch.retired(step));
        watch.gap()
    }

    /// TIME-1: every step is recorded once, in order, where the one before it ended.
    #[test]
    fn a_record_with_a_gap_is_told() {
        assert_eq!(gap(&[nop(0, 0x1_0000), nop(1, 0x1_0004), nop(2, 0x1_0008)]), None);
        let rows = [
            ("a step left out", [nop(0, 0x1_0000), nop(2, 0x1_0008), nop(3, 0x1_000c)], "step 2 at 0x00010008"),
            ("a step twice", [nop(0, 0x1_0000), nop(1, 0x1_0004), nop(1, 0x1_0004)], "step 1 at 0x00010004"),
            ("a wrong place", [nop(0, 0x1_0000), nop(1, 0x1_0008), nop(2, 0x1_000c)], "step 1 at 0x00010008"),
        ];
        for (what, steps, at) in rows {
            assert_eq!(gap(&steps), Some(format!("the record has a gap before {at} (TIME-1)")), "{what}");
        }
    }
}
