//! Stops at the program's ECALLs, and how a fault behind one looks to the program.

use std::collections::BTreeSet;

use super::ecalls::is_called;
use super::inferior::{Goal, Inferior, Stop};
use crate::map::{Addr, ECALL_VECTOR, MEPC, Mode};
use crate::trap::Fault;

/// The user ECALLs to stop at.
#[derive(Clone, Debug, Default)]
pub struct Catches {
    /// Those that the debugger has a catchpoint for, `None` if it has none.
    pub by_debugger: Option<Catch>,
    /// Those that `monitor catch-ecall` asked for, by name or number.
    pub by_user: Vec<String>,
    /// The ECALL whose entry was reported, until its return is.
    caught: Option<Caught>,
}

/// Which user ECALLs stop the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Catch {
    /// All of them.
    All,
    /// Those with these numbers.
    Numbers(BTreeSet<u32>),
}

/// How [`Catches::by_user`] says every ECALL.
pub const ANY_ECALL: &str = "*";

/// A user ECALL that is being served.
#[derive(Clone, Copy, Debug)]
struct Caught {
    order: u64,
    number: u32,
    return_to: Addr,
}

/// The kernel's first step behind a user ECALL, and who wants to stop before it.
struct Entry {
    /// The step of the ECALL.
    order: u64,
    pc: Addr,
    number: u32,
    is_for_debugger: bool,
    is_for_user: bool,
}

impl Entry {
    fn stop(&self) -> Option<Stop> {
        match (self.is_for_debugger, self.is_for_user) {
            (true, _) => Some(Stop::EcallEntry(self.number)),
            // Without a catchpoint of its own a debugger does not stop at the entry of a system call.
            (false, true) => Some(Stop::Stepped),
            (false, false) => None,
        }
    }
}

impl Catches {
    /// Whether there are any.
    pub fn is_any(&self) -> bool {
        self.by_debugger.is_some() || !self.by_user.is_empty()
    }

    /// The program goes elsewhere: no ECALL is being served.
    pub fn forget(&mut self) {
        self.caught = None;
    }
}

impl Inferior {
    /// The breakpoints, and where user ECALLs enter the kernel and return, if someone wants to know of them.
    pub(super) fn with_ecall_places(&self) -> Option<BTreeSet<Addr>> {
        if !self.catches.is_any() && !self.traces_ecalls {
            return None;
        }
        let mut addrs = self.breakpoints.addrs.clone();
        addrs.insert(self.machine().word(ECALL_VECTOR));
        addrs.extend(self.catches.caught.map(|caught| caught.return_to));
        Some(addrs)
    }

    /// A stop for a user ECALL, at its entry or its return.
    pub(super) fn ecall_here(&mut self) -> Option<Stop> {
        let hart = &self.machine().hart;
        let is_return = |caught: &Caught| hart.mode == Mode::User && hart.pc == caught.return_to;
        if let Some(caught) = self.catches.caught.filter(is_return) {
            self.catches.caught = None;
            return self.catches.by_debugger.is_some().then_some(Stop::EcallReturn(caught.number));
        }
        let entry = self.entry_here()?;
        if self.catches.caught.is_some_and(|caught| caught.order == entry.order) {
            return None;
        }
        if self.traces_ecalls {
            let text = self.abi.describe(self.machine());
            self.notices.push(format!("step {}: {text} at {:#010x}\n", entry.order, entry.pc));
        }
        let stop = entry.stop()?;
        self.timeline.run_to(entry.order);
        self.catch_here(stop);
        Some(stop)
    }

    /// `stop` is for the ECALL at pc: tells the user of it, and remembers that it was told.
    pub(super) fn catch_here(&mut self, stop: Stop) {
        let (machine, abi) = (self.machine(), self.abi);
        let (order, pc, text) = (machine.hart.instructions, machine.hart.pc, abi.describe(machine));
        let number = abi.number(machine);
        if stop == Stop::Stepped {
            self.notices.push(format!("lockstep: about to execute {text}\n"));
        }
        self.catches.caught = Some(Caught { order, number, return_to: pc.wrapping_add(4) });
    }

    /// The ECALL that has just entered the kernel, if it is one to stop before.
    pub(super) fn entry_before(&self) -> Option<(u64, Stop)> {
        let entry = self.entry_here()?;
        Some((entry.order, entry.stop()?))
    }

    /// To the program the kernel's work is part of the ECALL: a fault there is one of the ECALL, before which nothing
    /// has happened. Not so for a user who looks at the kernel.
    pub(super) fn leave_kernel(&mut self, fault: Fault) {
        let is_in_kernel = fault.mode == Mode::Machine && fault.user_pc.is_some();
        if !is_in_kernel || self.steps_into_kernel || self.resumed_in == Mode::Machine {
            return;
        }
        let now = self.timeline.now();
        let mut limit = now;
        while limit > self.begin() {
            let first = self.timeline.mark_before(limit - 1).max(self.begin());
            if let Some((order, _)) = self.last_in(first, limit, Goal::UserMode) {
                self.timeline.run_to(order);
                return;
            }
            limit = first;
        }
        self.timeline.run_to(now);
    }

    fn entry_here(&self) -> Option<Entry> {
        let machine = self.machine();
        let hart = &machine.hart;
        let is_entry = hart.mode == Mode::Machine && hart.pc == machine.word(ECALL_VECTOR) && hart.instructions > 0;
        is_entry.then(|| {
            let number = self.abi.number(machine);
            Entry {
                order: hart.instructions - 1,
                pc: machine.word(MEPC),
                number,
                is_for_debugger: self.is_for_debugger(number),
                is_for_user: self.is_for_user(number),
            }
        })
    }

    fn is_for_debugger(&self, number: u32) -> bool {
        match &self.catches.by_debugger {
            None => false,
            Some(Catch::All) => true,
            Some(Catch::Numbers(numbers)) => numbers.contains(&number),
        }
    }

    fn is_for_user(&self, number: u32) -> bool {
        let is_it = |wanted: &String| match wanted.parse() {
            Ok(wanted) => number == wanted,
            Err(_) => wanted == ANY_ECALL || is_called(&self.abi.name(self.machine()), wanted),
        };
        self.catches.by_user.iter().any(is_it)
    }
}
