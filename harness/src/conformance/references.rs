//! The reference machines as columns: each test runs on our plain engine and on the reference side by side.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use lockstep::exec::Step;

use super::judge::{self, TestHost};
use super::{Column, engines};
use crate::coverage::Coverage;
use crate::lockstep::{self as side_by_side, Depth, Divergence, Verdict};
use crate::machine::{Failure, Reference};
use crate::machines::emulator::Emulator;
use crate::machines::{self, Unavailable};
use crate::report::Cell;
use crate::suites::Test;

/// A reference machine: a column of the matrix.
pub struct ReferenceColumn {
    name: &'static str,
    version: Result<String, String>,
    trust: Trust,
}

/// Every reference that can run the matrix step by step, present or not.
///
/// QEMU is left to `lockstep trace --diff qemu`: over its gdbstub it makes a few thousand steps a second, and it
/// does not let a test go on behind a trap of its own. The simulators that only leave a log are in `programs.rs`.
pub fn all() -> Vec<ReferenceColumn> {
    machines::all()
        .into_iter()
        .filter(|machine| machines::STEPPABLE.contains(&machine.name) && machine.name != "qemu")
        .map(|machine| ReferenceColumn { name: machine.name, version: machine.version, trust: Trust::default() })
        .collect()
}

impl Column for ReferenceColumn {
    fn name(&self) -> &str {
        self.name
    }

    fn about(&self) -> &str {
        "reference machine, compared after every step"
    }

    fn version(&self) -> Result<String, String> {
        self.version.clone()
    }

    /// The cell passes when every step agreed; whether the test's own end is right is for the engines to say.
    fn run(&self, test: &Test, _: &mut Coverage) -> Cell {
        self.trust.cell(test, || with_reference(self.name, |reference| compare(test, reference)))
    }
}

/// A simulator that did not answer once is not asked again: each test would wait as long.
#[derive(Default)]
pub(super) struct Trust {
    lost: OnceLock<String>,
}

impl Trust {
    /// The cell of `test` that `ask` makes.
    pub(super) fn cell(&self, test: &Test, ask: impl FnOnce() -> Result<Cell, Unavailable>) -> Cell {
        if let Some(lost) = self.lost.get() {
            return Cell::skip(format!("not asked again: it did not answer in {lost}"));
        }
        match ask() {
            Ok(cell) => cell,
            Err(Unavailable::Skipped(reason)) => Cell::skip(reason),
            Err(Unavailable::Failed(failure)) => {
                if matches!(failure, Failure::Hung(_)) {
                    // Another thread may have been first.
                    let _ = self.lost.set(test.id());
                }
                Cell::fail(failure.to_string(), 0)
            }
        }
    }
}

thread_local! {
    /// The references of this thread: a simulator is a process, and starting one takes longer than a test.
    static STARTED: RefCell<BTreeMap<&'static str, Box<dyn Reference>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Calls `ask` with the reference called `name`; one that is out of order is not used again.
fn with_reference(
    name: &'static str,
    ask: impl FnOnce(&mut dyn Reference) -> Result<Cell, Unavailable>,
) -> Result<Cell, Unavailable> {
    let started = STARTED.with_borrow_mut(|started| started.remove(name));
    let mut reference = match started {
        Some(reference) => reference,
        None => machines::open(name)?,
    };
    let answer = ask(reference.as_mut());
    if answer.is_ok() {
        STARTED.with_borrow_mut(|started| started.insert(name, reference));
    }
    answer
}

fn compare(test: &Test, reference: &mut dyn Reference) -> Result<Cell, Unavailable> {
    let machine = match test.machine() {
        Ok(machine) => machine,
        Err(error) => return Ok(Cell::fail(error.to_string(), 0)),
    };
    // Where the test's own end is not one of the machine's, the plain engine says how far to go.
    let until = match judge::run(test, &engines::plain(), machine.clone(), &mut Coverage::default()) {
        Ok(run) => run.machine.hart.instructions,
        Err(problem) => return Ok(Cell::fail(problem, 0)),
    };
    let mut leader = Emulator::new("step", Step::new, machine);
    let verdict = side_by_side::run(&mut leader, reference, &mut TestHost::of(test), Depth::Step, until);
    Ok(match verdict.map_err(Unavailable::Failed)? {
        Verdict::Agreed(agreement) if agreement.steps == 0 && until > 0 => Cell::fail("no step was compared".into(), 0),
        Verdict::Agreed(agreement) => Cell::pass(agreement.steps),
        Verdict::Diverged(divergence) => Cell::fail(summary(&divergence), divergence.order),
    })
}

/// A divergence on one line.
pub(super) fn summary(divergence: &Divergence) -> String {
    let fields: Vec<String> = divergence
        .differences
        .iter()
        .map(|difference| format!("{} is {} here and {} there", difference.field, difference.ours, difference.theirs))
        .collect();
    let at =
        divergence.ours.as_ref().map(|step| format!(" ({})", side_by_side::step_line(step).trim())).unwrap_or_default();
    format!("differs at step {}{at}: {}", divergence.order, fields.join(", "))
}
