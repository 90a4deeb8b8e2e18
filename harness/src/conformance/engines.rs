//! The engines that every test runs on.

use lockstep::ecall::Host;
use lockstep::exec::{Engine, Exit, Step, Until};
use lockstep::hart::Machine;
use lockstep::trace::{Retired, Sink};

use super::{Column, judge};
use crate::report::Cell;
use crate::suites::Test;

/// An engine of ours: a column of the matrix.
#[derive(Clone, Copy)]
pub struct EngineColumn {
    /// Its name in the report.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Runs the machine.
    pub run: fn(&mut Machine, &mut dyn Host, Until<'_>) -> Exit,
}

/// Every engine. A new one is a line here.
pub const ENGINES: &[EngineColumn] = &[
    EngineColumn { name: "step", about: "the plain engine", run: run::<Step> },
    EngineColumn { name: "step+trace", about: "the plain engine, with every step recorded", run: run_watched::<Step> },
];

fn run<E: Engine + Default>(machine: &mut Machine, host: &mut dyn Host, until: Until<'_>) -> Exit {
    E::default().run(machine, host, until, &mut ())
}

/// With a sink the compiler makes other code of an engine; that code is judged as well.
fn run_watched<E: Engine + Default>(machine: &mut Machine, host: &mut dyn Host, until: Until<'_>) -> Exit {
    let mut chain = Chain { next: None, broken: None };
    let exit = E::default().run(machine, host, until, &mut chain);
    assert!(chain.broken.is_none(), "the trace has a gap: {:?}", chain.broken);
    exit
}

/// Checks that each recorded step begins where the one before it ended (TIME-1).
struct Chain {
    next: Option<(u64, u32)>,
    broken: Option<Retired>,
}

impl Sink for Chain {
    fn retired(&mut self, step: &Retired) {
        if self.next.is_some_and(|next| next != (step.order, step.pc)) && self.broken.is_none() {
            self.broken = Some(*step);
        }
        self.next = Some((step.order + 1, step.next_pc));
    }
}

impl Column for EngineColumn {
    fn name(&self) -> &str {
        self.name
    }

    fn about(&self) -> &str {
        self.about
    }

    fn version(&self) -> Result<String, String> {
        Ok(env!("CARGO_PKG_VERSION").into())
    }

    fn run(&self, test: &Test) -> Cell {
        judge::judge(test, self)
    }
}
