//! The program being debugged: what stops it, and how it is resumed in slices.

use std::collections::{BTreeMap, BTreeSet};

use gdbstub::common::Signal;
use gdbstub::target::ext::breakpoints::WatchKind;

use crate::ecall::Host;
use crate::exec::{Exit, Until, WatchRange};
use crate::hart::Machine;
use crate::map::{Addr, Mode};
use crate::mem::MemSpan;
use crate::timeline::Timeline;
use crate::trap::{Cause, Fault};

/// What the debugger is told about the program besides its state.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The absolute path of the ELF file, for `exec-file`; empty if there is none.
    pub path: String,
    /// The ELF file.
    pub elf: Vec<u8>,
}

/// The program being debugged.
pub struct Inferior {
    /// The run.
    pub timeline: Timeline,
    /// The file it came from.
    pub program: Program,
    /// Breakpoints, by address.
    pub breakpoints: Breakpoints,
    /// Watchpoints.
    pub watchpoints: Vec<Watchpoint>,
    /// What it is doing, `None` while it is stopped.
    pub resumed: Option<Resume>,
    /// Why it stopped last.
    pub last_stop: Stop,
    /// Whether the client that is being served may only look.
    pub is_observed: bool,
    /// Whether a client asked for the end of the run.
    pub is_killed: bool,
    /// Whether single steps show the kernel's instructions behind a user ECALL.
    pub steps_into_kernel: bool,
    /// Whether a single step is on its way through the kernel.
    is_in_call: bool,
    /// Where the program was when a breakpoint was last reported.
    reported_at: Option<(u64, Addr)>,
}

/// The addresses with breakpoints.
#[derive(Clone, Debug, Default)]
pub struct Breakpoints {
    /// What is at each address.
    pub at: BTreeMap<Addr, Breakpoint>,
    /// The same addresses, for the engine.
    addrs: BTreeSet<Addr>,
}

/// The breakpoints at one address.
#[derive(Clone, Debug, Default)]
pub struct Breakpoint {
    /// Whether there is one of type Z0.
    pub is_soft: bool,
    /// Whether there is one of type Z1.
    pub is_hard: bool,
}

impl Breakpoints {
    /// Sets the breakpoint of one type, or takes it away. Either may be asked for twice.
    pub fn set(&mut self, addr: Addr, is_hard: bool, is_set: bool) {
        let entry = self.at.entry(addr).or_default();
        *(if is_hard { &mut entry.is_hard } else { &mut entry.is_soft }) = is_set;
        if entry.is_hard || entry.is_soft {
            self.addrs.insert(addr);
        } else {
            self.at.remove(&addr);
            self.addrs.remove(&addr);
        }
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        *self = Breakpoints::default();
    }

    fn addrs(&self) -> Option<&BTreeSet<Addr>> {
        Some(&self.addrs).filter(|addrs| !addrs.is_empty())
    }
}

/// A watched range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchpoint {
    /// The first address.
    pub first: Addr,
    /// The last address.
    pub last: Addr,
    /// Which accesses stop.
    pub kind: WatchKind,
}

impl Watchpoint {
    fn range(&self) -> WatchRange {
        WatchRange {
            first: self.first,
            last: self.last,
            on_read: self.kind != WatchKind::Write,
            on_write: self.kind != WatchKind::Read,
        }
    }
}

/// How the program was resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Until something stops it.
    Continue,
    /// One step.
    Step,
    /// Steps until pc is outside these addresses.
    Range {
        /// The first address.
        start: Addr,
        /// The first address behind.
        end: Addr,
    },
    /// Back until something stops it.
    ReverseContinue,
    /// One step back.
    ReverseStep,
    /// End with this signal, as the debugger asks for after a fault.
    Die(Signal),
}

/// Why the program stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It has not run yet.
    Started,
    /// It made the steps that it was asked for.
    Stepped,
    /// It is at a breakpoint.
    Breakpoint {
        /// Whether only a hardware breakpoint is there.
        is_hard: bool,
    },
    /// It has just accessed a watched address.
    Watch {
        /// The kind of the watchpoint.
        kind: WatchKind,
        /// The address that was accessed.
        addr: Addr,
    },
    /// The debugger interrupted it.
    Interrupted,
    /// The next instruction cannot be executed.
    Fault(Fault),
    /// It has ended with this exit code.
    Exited(u8),
    /// It was ended by a signal.
    Died(Signal),
    /// Going back it reached the beginning of the run.
    HistoryBegin,
    /// Going forward it reached the end of what is recorded.
    HistoryEnd,
}

impl Stop {
    /// Whether the run is over.
    pub fn is_end(self) -> bool {
        matches!(self, Stop::Exited(_) | Stop::Died(_))
    }

    /// Whether the next instruction cannot be executed.
    pub fn is_fault(self) -> bool {
        matches!(self, Stop::Fault(_))
    }

    /// The signal that a debugger shows for the stop.
    pub fn signal(self) -> Signal {
        match self {
            Stop::Interrupted => Signal::SIGINT,
            Stop::Fault(fault) => fault_signal(fault.cause),
            Stop::Died(signal) => signal,
            _ => Signal::SIGTRAP,
        }
    }
}

/// The signal that a Unix kernel sends for `cause`.
pub fn fault_signal(cause: Cause) -> Signal {
    match cause {
        Cause::InstructionAccessFault | Cause::LoadAccessFault | Cause::StoreAccessFault => Signal::SIGSEGV,
        Cause::InstructionAddressMisaligned | Cause::LoadAddressMisaligned | Cause::StoreAddressMisaligned => {
            Signal::SIGBUS
        }
        Cause::IllegalInstruction => Signal::SIGILL,
        Cause::Breakpoint => Signal::SIGTRAP,
        Cause::UserEcall | Cause::MachineEcall => Signal::SIGSYS,
    }
}

impl Inferior {
    /// `program`, loaded as `machine`, before its first step.
    pub fn new(program: Program, machine: Machine, host: Box<dyn Host>) -> Inferior {
        Inferior {
            timeline: Timeline::new(machine, host),
            program,
            breakpoints: Breakpoints::default(),
            watchpoints: Vec::new(),
            resumed: None,
            last_stop: Stop::Started,
            is_observed: false,
            is_killed: false,
            steps_into_kernel: false,
            is_in_call: false,
            reported_at: None,
        }
    }

    /// The machine as it is now.
    pub fn machine(&self) -> &Machine {
        self.timeline.machine()
    }

    /// Does at most about `steps` steps of what was asked for; the stop, if it came to one.
    pub fn run(&mut self, steps: u64) -> Option<Stop> {
        let stop = match self.resumed? {
            Resume::Die(signal) => Some(Stop::Died(signal)),
            _ if self.last_stop.is_end() => Some(self.last_stop),
            Resume::Continue => self.run_on(steps),
            Resume::Step => self.run_steps(steps, |_| false),
            Resume::Range { start, end } => self.run_steps(steps, |pc| (start..end).contains(&pc)),
            Resume::ReverseContinue | Resume::ReverseStep => Some(Stop::HistoryBegin),
        };
        self.stop_with(stop)
    }

    /// Runs the kernel's preparations, up to the program's first instruction.
    pub fn start_at(&mut self, entry: Addr) {
        let entries = BTreeSet::from([entry]);
        if self.machine().hart.pc != entry {
            let until = Until { breakpoints: Some(&entries), ..Until::order(MOST_BOOT_STEPS) };
            self.timeline.run(until, &mut ());
        }
    }

    /// The debugger asks for a stop now.
    pub fn interrupt(&mut self) -> Option<Stop> {
        self.resumed?;
        self.stop_with(Some(Stop::Interrupted))
    }

    /// Back to the first step.
    pub fn restart(&mut self) {
        self.timeline.restart();
        self.resumed = None;
        self.last_stop = Stop::Started;
    }

    fn stop_with(&mut self, stop: Option<Stop>) -> Option<Stop> {
        if let Some(stop) = stop {
            self.resumed = None;
            self.is_in_call = false;
            self.last_stop = stop;
            self.reported_at = self.breakpoint_here().map(|_| self.position());
        }
        stop
    }

    fn run_on(&mut self, steps: u64) -> Option<Stop> {
        if let Some(stop) = self.breakpoint_not_yet_reported() {
            return Some(stop);
        }
        let end = self.timeline.now().saturating_add(steps);
        loop {
            match self.run_until(end) {
                Exit::Order | Exit::Interrupted => return None,
                exit => match self.stop_of(exit) {
                    Some(stop) => return Some(stop),
                    None => continue,
                },
            }
        }
    }

    /// Single steps, as long as pc is where `is_inside` wants it to be.
    fn run_steps(&mut self, steps: u64, is_inside: impl Fn(Addr) -> bool) -> Option<Stop> {
        let end = self.timeline.now().saturating_add(steps);
        while self.timeline.now() < end {
            let is_call = self.is_at_user_ecall();
            let exit = self.run_until(self.timeline.now() + 1);
            if let Some(stop) = self.stop_of(exit) {
                return Some(stop);
            }
            // To the program, the kernel's work is part of the ECALL.
            let hart = &self.machine().hart;
            let is_in_kernel = hart.mode == Mode::Machine && !self.steps_into_kernel;
            self.is_in_call = is_in_kernel && (self.is_in_call || is_call);
            if !self.is_in_call && !is_inside(self.machine().hart.pc) {
                return Some(Stop::Stepped);
            }
            if let Some(stop) = self.breakpoint_here() {
                return Some(stop);
            }
        }
        None
    }

    fn run_until(&mut self, order: u64) -> Exit {
        let ranges: Vec<WatchRange> = self.watchpoints.iter().map(Watchpoint::range).collect();
        let until = Until { breakpoints: self.breakpoints.addrs(), watch: &ranges, ..Until::order(order) };
        self.timeline.run(until, &mut ())
    }

    /// What `exit` is to the debugger; `None` when the program goes on.
    fn stop_of(&self, exit: Exit) -> Option<Stop> {
        match exit {
            Exit::Terminated { user_exit, .. } => Some(Stop::Exited(user_exit as u8)),
            Exit::Fault(fault) => Some(Stop::Fault(fault)),
            Exit::Breakpoint => self.breakpoint_here(),
            Exit::Watch(span) => Some(self.watch_stop(span)),
            Exit::Order | Exit::Interrupted => None,
        }
    }

    fn breakpoint_here(&self) -> Option<Stop> {
        let breakpoint = self.breakpoints.at.get(&self.machine().hart.pc)?;
        Some(Stop::Breakpoint { is_hard: !breakpoint.is_soft })
    }

    /// A breakpoint at pc that the debugger has not been told of, as after `jump` and `call`.
    /// The engine would step over it.
    fn breakpoint_not_yet_reported(&mut self) -> Option<Stop> {
        let was_reported = self.reported_at.take() == Some(self.position());
        if was_reported { None } else { self.breakpoint_here() }
    }

    /// Where the program is; the debugger may move pc without a step.
    fn position(&self) -> (u64, Addr) {
        (self.timeline.now(), self.machine().hart.pc)
    }

    fn watch_stop(&self, span: MemSpan) -> Stop {
        let hit = self.watchpoints.iter().find(|watchpoint| watchpoint.range().is_hit_by(&span));
        let (kind, first) = hit.map_or((WatchKind::ReadWrite, span.first), |hit| (hit.kind, hit.first));
        Stop::Watch { kind, addr: first.max(span.first) }
    }

    /// Whether the next step takes the program into the kernel by its own wish (MODE-2).
    fn is_at_user_ecall(&self) -> bool {
        let machine = self.machine();
        machine.hart.mode == Mode::User && machine.word(machine.hart.pc) == ECALL
    }
}

/// A kernel that has not started the program by then is what the user wants to look at.
const MOST_BOOT_STEPS: u64 = 1_000_000;

/// The encoding of ECALL.
const ECALL: u32 = 0x0000_0073;
