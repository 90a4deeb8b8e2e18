//! Coverage: the situations that a conformance run must have seen, counted in the core's own trace.
//!
//! [`points`] lists every situation; [`Coverage`] is a [`Sink`] that counts them. A run that has not
//! seen one of them is not complete, whatever its tests say.

mod point;

use std::collections::{BTreeMap, HashMap};

use lockstep::hart::Machine;
use lockstep::isa::{Insn, decode};
use lockstep::trace::{Retired, Sink};
use lockstep::trap::Fault;

use point::edge_access;
pub use point::{ACCESS_EDGES, Access, CELLS, CORNERS, Corner, IMM_CORNERS, Point, Role, SameRegisters, points, width};

/// How often each point was seen.
#[derive(Clone, Debug)]
pub struct Coverage {
    counts: HashMap<Point, u64>,
}

impl Default for Coverage {
    fn default() -> Self {
        Coverage { counts: points().into_iter().map(|point| (point, 0)).collect() }
    }
}

impl Coverage {
    /// Adds what `other` has seen.
    pub fn add(&mut self, other: &Coverage) {
        for (point, count) in &other.counts {
            *self.counts.entry(*point).or_default() += count;
        }
    }

    /// How many points there are, and how many were seen.
    pub fn totals(&self) -> (usize, usize) {
        (self.counts.len(), self.counts.values().filter(|count| **count > 0).count())
    }

    /// The points never seen, in order.
    pub fn missing(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.counts.iter().filter(|(_, count)| **count == 0).map(|(point, _)| point.to_string()).collect();
        names.sort();
        names
    }

    /// Every point with its count, by the instruction or part of the machine that it belongs to.
    pub fn by_group(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let mut groups: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for (point, count) in &self.counts {
            groups.entry(point.group()).or_default().insert(point.situation(), *count);
        }
        groups
    }

    /// `coverage.yaml`: totals, what is missing, and every point with its count.
    pub fn yaml(&self) -> String {
        let (all, seen) = self.totals();
        let mut text = format!("points: {all}\nseen: {seen}\nmissing:");
        let missing = self.missing();
        text += if missing.is_empty() { " []\n" } else { "\n" };
        missing.iter().for_each(|name| text += &format!("  - \"{name}\"\n"));
        for (group, situations) in self.by_group() {
            text += &format!("{group}:\n");
            situations.iter().for_each(|(situation, count)| text += &format!("  \"{situation}\": {count}\n"));
        }
        text
    }

    /// Counts the fault that ended a run: it is no step, so no sink sees it.
    pub fn fault(&mut self, machine: &Machine, fault: &Fault) {
        if let Some(insn) = decode(machine.word(fault.pc)) {
            self.see(Point::Trap(insn.op, fault.cause, fault.mode));
            if let Some((access, addr)) = edge_access(machine, insn) {
                self.see(Point::Edge(access, addr, fault.mode, false));
            }
        }
        self.fetch_edge(fault.pc, fault.mode, fault.cause);
    }

    fn fetch_edge(&mut self, pc: u32, mode: lockstep::map::Mode, cause: lockstep::trap::Cause) {
        if cause == lockstep::trap::Cause::InstructionAccessFault {
            self.see(Point::Edge(Access::Fetch, pc, mode, false));
        }
    }

    fn see(&mut self, point: Point) {
        if let Some(count) = self.counts.get_mut(&point) {
            *count += 1;
        }
    }

    fn step(&mut self, insn: Insn, step: &Retired) {
        if let Some(cause) = step.trap {
            self.see(Point::Trap(insn.op, cause, step.mode));
            if let (Some(base), false) = (step.rs1, step.mem.is_some())
                && let Some(access) = Access::of(insn.op)
            {
                self.see(Point::Edge(access, base.value.wrapping_add(insn.imm as u32), step.mode, false));
            }
            return;
        }
        point::of_step(insn, step, &mut |point| self.see(point));
    }
}

impl Sink for Coverage {
    fn retired(&mut self, step: &Retired) {
        if let Some(cause) = step.trap {
            self.fetch_edge(step.pc, step.mode, cause);
        }
        if let Some(insn) = decode(step.insn) {
            self.step(insn, step);
        }
    }
}
