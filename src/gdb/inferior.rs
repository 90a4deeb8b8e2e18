//! The program being debugged: what stops it, and how it is resumed in slices.

use std::collections::{BTreeMap, BTreeSet};

use gdbstub::common::Signal;
use gdbstub::target::ext::breakpoints::WatchKind;

use super::agent;
use super::arch::RegId;
use super::catches::Catches;
use super::ecalls::Abi;
use super::files::Files;
use super::waits::Departure;
use crate::ecall::Host;
use crate::exec::{Exit, Until, WatchRange};
use crate::hart::Machine;
use crate::isa::Reg;
use crate::map::{Addr, Mode, SINK_INDEX};
use crate::mem::{MemSpan, PAGE_BYTES, PageNo};
use crate::timeline::Timeline;
use crate::trace::{Retired, Sink};
use crate::trap::{Cause, Fault};

/// What the debugger is told about the program besides its state.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The absolute path of the ELF file, for `exec-file`; empty if there is none.
    pub path: String,
    /// The ELF file.
    pub elf: Vec<u8>,
    /// What the debugger is to call the kernel's ELF file, and the file, if there is one.
    pub kernel: Option<(String, Vec<u8>)>,
    /// How the program asks for its kernel's services.
    pub abi: Abi,
}

/// The program being debugged.
pub struct Inferior {
    /// The run.
    pub timeline: Timeline,
    /// The files it came from.
    pub files: Files,
    /// How the program asks for its kernel's services.
    pub abi: Abi,
    /// The points that the user wants to come back to, by name.
    pub checkpoints: BTreeMap<String, u64>,
    /// Breakpoints, by address.
    pub breakpoints: Breakpoints,
    /// Watchpoints.
    pub watchpoints: Vec<Watchpoint>,
    /// What it is doing, `None` while it is stopped.
    pub resumed: Option<Resume>,
    /// Why it stopped last.
    pub last_stop: Stop,
    /// Why it had stopped before the changes that are not settled.
    left_stop: Stop,
    /// Whether the client that is being served may only look.
    pub is_observed: bool,
    /// Whether a client asked for the end of the run.
    pub is_killed: bool,
    /// Whether single steps show the kernel's instructions behind a user ECALL.
    pub steps_into_kernel: bool,
    /// Whether a single step is on its way through the kernel.
    is_in_call: bool,
    /// The step before which the session began: the way back ends there.
    begin: u64,
    /// A search backwards that is under way: everything from this step on was searched in vain.
    search_limit: Option<u64>,
    /// What the user has to be told before the next stop.
    pub(super) notices: Vec<String>,
    /// Whether the end of the program is a stop from which one can go back.
    pub stops_at_exit: bool,
    /// Whether the user is told of every ECALL.
    pub traces_ecalls: bool,
    /// The user ECALLs to stop at.
    pub catches: Catches,
    /// The mode in which it was resumed.
    pub resumed_in: Mode,
    /// From where it was resumed.
    pub(super) departure: Departure,
    /// What the run costs in RISC Zero up to a step, if it was counted.
    #[cfg(feature = "risc0")]
    pub cost: Option<(u64, Box<crate::risc0::Cost>)>,
}

/// The addresses with breakpoints.
#[derive(Clone, Debug, Default)]
pub struct Breakpoints {
    /// What is at each address.
    pub at: BTreeMap<Addr, Breakpoint>,
    /// The same addresses, for the engine.
    pub(super) addrs: BTreeSet<Addr>,
}

/// The breakpoints at one address.
#[derive(Clone, Debug, Default)]
pub struct Breakpoint {
    /// Whether there is one of type Z0.
    pub is_soft: bool,
    /// Whether there is one of type Z1.
    pub is_hard: bool,
    /// Stop only if one of these expressions is not zero; stop always if there are none.
    pub conditions: Vec<Vec<u8>>,
    /// Expressions to evaluate instead of stopping.
    pub commands: Vec<Vec<u8>>,
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

/// What a breakpoint means at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Its condition does not hold.
    Pass,
    /// It has commands, and they are done.
    Done,
    /// The program stops here.
    Stop,
}

impl Breakpoint {
    /// Evaluates the conditions and, unless they `are_done` already, does the commands; what they print and what goes
    /// wrong is for `notices`. What goes wrong is a reason to stop and look.
    fn verdict(&self, machine: &Machine, are_done: bool, notices: &mut Vec<String>) -> Verdict {
        let mut text = String::new();
        let holds = self.holds(machine, &mut text);
        if holds == Ok(false) {
            return Verdict::Pass;
        }
        let mut trouble = holds.err();
        for code in self.commands.iter().filter(|_| !are_done) {
            // One that goes wrong does not keep the others from being done.
            trouble = trouble.or(agent::evaluate(code, machine, &mut text).err());
        }
        let verdict = if self.commands.is_empty() || trouble.is_some() { Verdict::Stop } else { Verdict::Done };
        notices.extend(Some(text).filter(|text| !text.is_empty()));
        notices.extend(trouble.map(|why| format!("lockstep: breakpoint: {why}\n")));
        verdict
    }

    /// Whether one of the conditions holds; without any it does.
    fn holds(&self, machine: &Machine, text: &mut String) -> Result<bool, String> {
        let mut values = self.conditions.iter().map(|code| agent::evaluate(code, machine, text));
        values.try_fold(self.conditions.is_empty(), |holds, value| Ok(holds | (value? != 0)))
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
    /// To the point before this step, in either direction, past every breakpoint.
    Goto(u64),
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
    /// It is about to execute a user ECALL with this number.
    EcallEntry(u32),
    /// It has just returned from one.
    EcallReturn(u32),
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
    /// `program`, loaded as `machine`, before its first step; `budget_bytes` of history are kept.
    pub fn new(program: Program, machine: Machine, host: Box<dyn Host>, budget_bytes: usize) -> Inferior {
        let mut files = Files::default();
        files.add(&program.path, program.elf, 0);
        if let Some((path, elf)) = program.kernel {
            files.add(&path, elf, 0);
        }
        Inferior {
            timeline: Timeline::new(machine, host, budget_bytes),
            files,
            abi: program.abi,
            checkpoints: BTreeMap::new(),
            breakpoints: Breakpoints::default(),
            watchpoints: Vec::new(),
            resumed: None,
            last_stop: Stop::Started,
            left_stop: Stop::Started,
            is_observed: false,
            is_killed: false,
            steps_into_kernel: false,
            is_in_call: false,
            begin: 0,
            search_limit: None,
            notices: Vec::new(),
            stops_at_exit: false,
            traces_ecalls: false,
            catches: Catches::default(),
            resumed_in: Mode::User,
            departure: Departure::default(),
            #[cfg(feature = "risc0")]
            cost: None,
        }
    }

    /// The machine as it is now.
    pub fn machine(&self) -> &Machine {
        self.timeline.machine()
    }

    /// Changes the machine. What is recorded behind now is forgotten when the program goes on, unless it goes on with a
    /// call by the debugger: that is over when the registers are again what they were, and leaves no trace in the history.
    pub fn edit<R>(&mut self, change: impl FnOnce(&mut Machine) -> R) -> R {
        #[cfg(feature = "risc0")]
        {
            self.cost = None;
        }
        if self.timeline.left_hart().is_none() {
            self.left_stop = self.last_stop;
        }
        let result = self.timeline.edit(change);
        if self.is_call_over() && self.timeline.come_back().is_some() {
            self.last_stop = self.left_stop;
        }
        result
    }

    /// Whether the changes that are not settled prepared a call: pc is elsewhere, and a breakpoint waits where it returns.
    pub(super) fn is_in_debuggers_call(&self) -> bool {
        let (Some(left), hart) = (self.timeline.left_hart(), &self.machine().hart) else { return false };
        let ra = hart.x(Reg::RA);
        let is_prepared = hart.pc != left.pc && ra != left.x(Reg::RA) && self.breakpoints.at.contains_key(&ra);
        is_prepared || hart.instructions > left.instructions
    }

    fn is_call_over(&self) -> bool {
        let (Some(left), hart) = (self.timeline.left_hart(), &self.machine().hart) else { return false };
        // The clock goes on (TIME-1), and so does what x0 was given (MAP-7).
        let same_file = |mode| hart.file(mode)[..SINK_INDEX] == left.file(mode)[..SINK_INDEX];
        let is_same =
            (hart.pc, hart.mode) == (left.pc, left.mode) && [Mode::User, Mode::Machine].into_iter().all(same_file);
        hart.instructions > left.instructions && is_same
    }

    /// The changes stay, and the user is told if they made another future.
    pub(super) fn settle(&mut self) {
        let order = self.timeline.left_hart().map_or(0, |left| left.instructions);
        if self.timeline.settle() {
            self.notices.push(format!(
                "lockstep: the program was changed before step {order}; what was recorded behind it is forgotten\n"
            ));
        }
    }

    /// Sets a register. To set it to what it is changes nothing, and forgets no future.
    ///
    /// # Errors
    /// A sentence, when it cannot be written or not with this value.
    pub fn set_register(&mut self, id: RegId, value: u64) -> Result<(), String> {
        // Behind a call, where the debugger writes the other registers, it wants the clock back too, as it was. If the
        // call is no part of the run it was given back already; if it is, gdb's wish is no error.
        let is_behind_call =
            id.counted(&self.machine().hart).is_some_and(|now| value < now) && self.timeline.is_edited();
        if id.read(self.machine()) != value && !is_behind_call {
            id.check(value)?;
            self.edit(|machine| id.write(machine, value));
        }
        Ok(())
    }

    /// What the user has to be told; it is told once.
    pub fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// The step before which the session began.
    pub fn begin(&self) -> u64 {
        self.begin
    }

    /// Whether there is no program any more, until it is run again.
    pub fn is_over(&self) -> bool {
        self.is_killed || self.last_stop.is_end()
    }

    /// Does at most about `steps` steps of what was asked for; the stop, if it came to one.
    pub fn run(&mut self, steps: u64) -> Option<Stop> {
        let stop = match self.resumed? {
            Resume::Die(signal) => Some(Stop::Died(signal)),
            Resume::ReverseContinue => self.search(Goal::Stop),
            Resume::ReverseStep => self.step_back(),
            Resume::Goto(order) => self.run_towards(order, steps),
            _ if self.last_stop.is_end() => Some(self.last_stop),
            Resume::Continue => self.run_on(steps),
            Resume::Step => self.run_steps(steps, |_| false),
            Resume::Range { start, end } => self.run_steps(steps, |pc| (start..end).contains(&pc)),
        };
        let stop = stop.map(|stop| self.before_exit(stop));
        self.stop_with(stop)
    }

    /// Runs the kernel's preparations, up to the program's first instruction.
    pub fn start_at(&mut self, entry: Addr) {
        let entries = BTreeSet::from([entry]);
        if self.machine().hart.pc != entry {
            let until = Until { breakpoints: Some(&entries), ..Until::order(MOST_BOOT_STEPS) };
            self.timeline.run(until, &mut ());
        }
        self.begin = self.timeline.now();
    }

    /// Runs to the fault; a program that ends without one stops before its last step.
    pub fn run_to_fault(&mut self) {
        let exit = self.timeline.run(Until::END, &mut ());
        if let Exit::Terminated { .. } = exit {
            self.timeline.run_to(self.timeline.now() - 1);
        }
        let stop = self.stop_of(exit).filter(|stop| stop.is_fault());
        self.stop_with(Some(stop.unwrap_or(Stop::Stepped)));
    }

    /// The debugger asks for a stop now.
    pub fn interrupt(&mut self) -> Option<Stop> {
        self.resumed?;
        if let Some(limit) = self.search_limit {
            self.timeline.run_to(limit);
        }
        self.stop_with(Some(Stop::Interrupted))
    }

    /// Back to where the session began, with the same input.
    pub fn restart(&mut self) {
        self.timeline.restart(self.begin);
        self.is_killed = false;
        self.catches.forget();
        self.stop_with(Some(Stop::Started));
    }

    /// Begins to move to the point before step `order`. What is near is reached at once; for the rest, [`Inferior::run`].
    pub fn go_to(&mut self, order: u64) {
        self.settle();
        self.resumed = Some(Resume::Goto(order.max(self.begin)));
        self.run(NEAR_STEPS);
    }

    /// Moves to the point before step `order`, as far as the run goes; at most about `steps` steps where it never was.
    fn run_towards(&mut self, order: u64, steps: u64) -> Option<Stop> {
        let pause = order.min(self.timeline.frontier().saturating_add(steps));
        match self.timeline.run_to(pause) {
            Exit::Order | Exit::Interrupted | Exit::Breakpoint | Exit::Watch(_) => {
                (pause == order).then_some(Stop::Stepped)
            }
            exit => Some(self.stop_of(exit).unwrap_or(Stop::Stepped)),
        }
    }

    /// With `stops_at_exit`, the end of the program is undone.
    fn before_exit(&mut self, stop: Stop) -> Stop {
        let Stop::Exited(code) = stop else { return stop };
        if !self.stops_at_exit || self.last_stop.is_end() {
            return stop;
        }
        self.timeline.run_to(self.timeline.now() - 1);
        self.notices.push(format!("lockstep: the next step ends the program with exit code {code}\n"));
        Stop::Stepped
    }

    fn stop_with(&mut self, stop: Option<Stop>) -> Option<Stop> {
        if let Some(stop) = stop {
            self.resumed = None;
            self.is_in_call = false;
            self.search_limit = None;
            self.last_stop = stop;
        }
        stop
    }

    fn run_on(&mut self, steps: u64) -> Option<Stop> {
        // The engine would run over it. A debugger that means to go on from a breakpoint takes it away for a step; one
        // that jumps to it wants to stop there.
        if let Some(stop) = self.breakpoint_here() {
            return Some(stop);
        }
        if self.is_single_step() {
            return self.run_steps(1, |_| false);
        }
        let end = self.timeline.now().saturating_add(steps);
        loop {
            let exit = self.run_until(end);
            if matches!(exit, Exit::Order | Exit::Interrupted) {
                return None;
            }
            if let Some(stop) = self.stop_of(exit) {
                return Some(stop);
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

    /// Whether a debugger that goes on from here means one step. gdb steps on RISC-V by a breakpoint at the next
    /// instruction, which it believes to be behind an ECALL or MRET.
    fn is_single_step(&self) -> bool {
        let hart = &self.machine().hart;
        let word = self.machine().word(hart.pc);
        let leaves_mode = word == MRET || self.steps_into_kernel && self.is_at_user_ecall();
        leaves_mode && self.breakpoints.at.contains_key(&hart.pc.wrapping_add(4))
    }

    fn run_until(&mut self, order: u64) -> Exit {
        let ranges: Vec<WatchRange> = self.watchpoints.iter().map(Watchpoint::range).collect();
        let with_ecalls = self.with_ecall_places();
        let breakpoints = with_ecalls.as_ref().or(self.breakpoints.addrs());
        self.timeline.run(Until { breakpoints, watch: &ranges, ..Until::order(order) }, &mut ())
    }

    /// What `exit` is to the debugger; `None` when the program goes on.
    fn stop_of(&mut self, exit: Exit) -> Option<Stop> {
        match exit {
            Exit::Terminated { user_exit, .. } => Some(Stop::Exited(user_exit as u8)),
            Exit::Fault(fault) => {
                self.leave_kernel(fault);
                Some(Stop::Fault(fault))
            }
            Exit::Breakpoint => self.breakpoint_here().or_else(|| self.ecall_here()),
            Exit::Watch(span) => Some(self.watch_stop(span)),
            Exit::Order | Exit::Interrupted => None,
        }
    }

    /// The breakpoint at pc, if its condition holds. Its commands are done instead of stopping. In both cases gdb may wait
    /// here for the end of a step of its own.
    fn breakpoint_here(&mut self) -> Option<Stop> {
        let machine = self.timeline.machine();
        let breakpoint = self.breakpoints.at.get(&machine.hart.pc)?;
        let stop = Stop::Breakpoint { is_hard: !breakpoint.is_soft };
        let are_done = self.departure.has_done_commands(machine.hart.instructions);
        let verdict = breakpoint.verdict(machine, are_done, &mut self.notices);
        let is_awaited = self.is_awaited_here();
        if is_awaited && verdict == Verdict::Done {
            self.departure.commands_are_done(self.timeline.now());
        }
        (is_awaited || verdict == Verdict::Stop).then_some(stop)
    }

    /// One step back; the kernel's work behind a user ECALL is one step.
    fn step_back(&mut self) -> Option<Stop> {
        if self.search_limit.is_some() {
            return self.search(Goal::UserMode);
        }
        let now = self.timeline.now();
        if now <= self.begin {
            return Some(Stop::HistoryBegin);
        }
        let was_user = self.machine().hart.mode == Mode::User;
        self.timeline.run_to(now - 1);
        if was_user && !self.steps_into_kernel && self.machine().hart.mode == Mode::Machine {
            return self.search(Goal::UserMode);
        }
        Some(Stop::Stepped)
    }

    /// Looks for the last place before now that meets `goal`, one interval of history a call.
    fn search(&mut self, goal: Goal) -> Option<Stop> {
        let limit = *self.search_limit.get_or_insert(self.timeline.now());
        if limit <= self.begin {
            self.timeline.run_to(self.begin);
            return Some(Stop::HistoryBegin);
        }
        let first = self.timeline.mark_before(limit - 1).max(self.begin);
        match self.last_in(first, limit, goal) {
            Some((order, stop)) => {
                self.timeline.run_to(order);
                if matches!(goal, Goal::Stop) && matches!(stop, Stop::Stepped | Stop::EcallEntry(_)) {
                    self.catch_here(stop);
                }
                Some(stop)
            }
            None => {
                self.search_limit = Some(first);
                None
            }
        }
    }

    /// The last place from `first` on and before `limit` that meets `goal`.
    pub(super) fn last_in(&mut self, first: u64, limit: u64, goal: Goal) -> Option<(u64, Stop)> {
        match goal {
            Goal::UserMode => {
                let mut last = LastUserStep::default();
                self.timeline.run_to(first);
                self.timeline.run(Until::order(limit), &mut last);
                last.order.map(|order| (order, Stop::Stepped))
            }
            Goal::Stop if !self.can_stop_in(first) => None,
            Goal::Stop => {
                self.timeline.run_to(first);
                self.last_stop_before(limit)
            }
        }
    }

    /// Whether the interval of history at `first` can hold a stop at all.
    fn can_stop_in(&self, first: u64) -> bool {
        if !self.breakpoints.at.is_empty()
            || self.catches.is_any()
            || self.watchpoints.iter().any(|w| w.kind != WatchKind::Write)
        {
            return true;
        }
        let is_watched = |page: PageNo| {
            let (begin, end) = (page.start(), page.start() + (PAGE_BYTES as u32 - 1));
            self.watchpoints.iter().any(|w| w.first <= end && begin <= w.last)
        };
        self.timeline.may_have_written(first, is_watched)
    }

    fn last_stop_before(&mut self, limit: u64) -> Option<(u64, Stop)> {
        let mut last = self.breakpoint_here().map(|stop| (self.timeline.now(), stop)).or_else(|| self.entry_before());
        while self.timeline.now() < limit {
            match self.run_until(limit) {
                Exit::Watch(span) => {
                    // Going back, the access is undone: the place is before it.
                    last = Some((self.timeline.now() - 1, self.watch_stop(span)));
                    if self.timeline.now() < limit {
                        last = self.breakpoint_here().map(|stop| (self.timeline.now(), stop)).or(last);
                    }
                }
                Exit::Breakpoint => {
                    let here = self.breakpoint_here().map(|stop| (self.timeline.now(), stop));
                    last = here.or_else(|| self.entry_before()).or(last);
                }
                _ => break,
            }
        }
        last
    }

    fn watch_stop(&self, span: MemSpan) -> Stop {
        let hit = self.watchpoints.iter().find(|watchpoint| watchpoint.range().is_hit_by(&span));
        let (kind, first) = hit.map_or((WatchKind::ReadWrite, span.first), |hit| (hit.kind, hit.first));
        Stop::Watch { kind, addr: first.max(span.first) }
    }

    /// Whether the next step takes the program into the kernel by its own wish (MODE-2).
    pub(super) fn is_at_user_ecall(&self) -> bool {
        let machine = self.machine();
        machine.hart.mode == Mode::User && machine.word(machine.hart.pc) == ECALL
    }
}

/// What a search backwards looks for.
#[derive(Clone, Copy)]
pub(super) enum Goal {
    /// A breakpoint or an access to a watched address.
    Stop,
    /// A step in user mode.
    UserMode,
}

/// Remembers the last step in user mode.
#[derive(Default)]
struct LastUserStep {
    order: Option<u64>,
}

impl Sink for LastUserStep {
    fn retired(&mut self, step: &Retired) {
        if step.mode == Mode::User {
            self.order = Some(step.order);
        }
    }
}

/// Some 20 ms of the plain engine: so long a debugger waits without noticing.
const NEAR_STEPS: u64 = 2 << 20;

/// A kernel that has not started the program by then is what the user wants to look at.
const MOST_BOOT_STEPS: u64 = 1_000_000;

/// The encodings of ECALL and MRET.
const ECALL: u32 = 0x0000_0073;
const MRET: u32 = 0x3020_0073;
