//! Two machines side by side, and the first instruction at which they differ.
//!
//! The *follower*, any [`Reference`], goes first; ours, the *leader*, makes the same number of steps;
//! then both are compared.
//!
//! * [`Depth::Block`] compares pc, registers and the memory touched after many steps, and halves the
//!   steps that disagree until one is left.
//! * [`Depth::Step`] compares the record of every step, and memory now and then.
//!
//! (The third depth, a trace to a file, is `lockstep trace`.)
//!
//! Where the follower raises, ours makes one step. If it raised the same, or did what is beyond the
//! follower (a machine ECALL, MRET, system memory), the effect is carried over and both go on.

use std::collections::BTreeMap;
use std::fmt;

use lockstep::ecall::Host;
use lockstep::ecall::replay::{Answer, Recorder};
use lockstep::exec::{Engine, Exit};
use lockstep::hart::Machine;
use lockstep::isa::{Op, Reg, decode, disassemble};
use lockstep::map::{self, Addr, Mode};
use lockstep::trace::{MemAccess, RegAccess, Retired, Sink};
use lockstep::trap::Cause;

use crate::adapters::{Onlooker, seen_words};
use crate::machine::{
    Batch, Delta, FRAME_BYTES, Failure, Frame, Progress, Raised, Reference, Scope, Stop, machine_frame_hash,
    machine_state,
};
use crate::machines::emulator::Emulator;
use crate::machines::log::Log;

/// What is compared, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// State and touched memory after every so many steps.
    Block(u64),
    /// The record of every step.
    Step,
}

/// 10^6 steps: comparing costs less than a hundredth of making them, and a halving takes 20 rounds.
pub const BLOCK_STEPS: u64 = 1_000_000;
/// Steps in a batch at [`Depth::Step`]: waking a follower that is a process costs as much as some thousand steps.
const BATCH_STEPS: u64 = 32_768;
/// Steps between comparisons of memory at [`Depth::Step`]. A follower that is a process waits for each, and what is
/// stored was compared before.
const MEMORY_STEPS: u64 = 1 << 20;
/// Steps between copies of our machine, from which a difference is looked for again.
const CHECKPOINT_STEPS: u64 = 1 << 27;
/// Instructions that a report shows before the one that differs.
pub const CONTEXT_STEPS: u64 = 20;

/// What agreed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Steps made side by side.
    pub steps: u64,
    /// Steps of these whose effect was carried over to the follower because they are beyond it.
    pub carried: u64,
    /// Differences that are known and allowed, by the clause that decides, with their count.
    pub expected: BTreeMap<&'static str, u64>,
    /// How the run ended, if it ended before the limit.
    pub exit: Option<Exit>,
}

/// One field on which the machines differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// RVFI's name of the field, the name of a register, or a memory address.
    pub field: String,
    /// Our value.
    pub ours: String,
    /// The follower's.
    pub theirs: String,
}

/// The first step at which two machines differ.
#[derive(Clone, Debug)]
pub struct Divergence {
    /// Our machine.
    pub leader: String,
    /// The reference.
    pub follower: String,
    /// The number of the step (TIME-1).
    pub order: u64,
    /// How many steps from `order` on were not told apart: 1, or more when the difference did not
    /// show again while these steps were run in smaller parts.
    pub steps: u64,
    /// The steps before it, the last one last.
    pub context: Vec<Retired>,
    /// Our record of it, if the instruction retired or trapped into the kernel.
    pub ours: Option<Retired>,
    /// What differs; never empty.
    pub differences: Vec<Difference>,
}

/// What a comparison came to.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// No difference up to the limit or the end of the run.
    Agreed(Agreement),
    /// A difference.
    Diverged(Box<Divergence>),
}

/// Runs `leader` and `follower` from the leader's present state up to step `until` or the end of the run.
///
/// # Errors
/// The follower is out of order.
pub fn run<E: Engine>(
    leader: &mut Emulator<E>,
    follower: &mut dyn Reference,
    host: &mut dyn Host,
    depth: Depth,
    until: u64,
) -> Result<Verdict, Failure> {
    let start = leader.machine().clone();
    let mut pair = Pair::new(leader, follower, host, depth);
    pair.restore(&start)?;
    pair.go(until)
}

/// Runs `leader` along a log that a simulator wrote of its own run of the same program.
///
/// Compared are pc, the word, rd and memory, as far as the log has them, up to the end of the log or of our
/// run; a trap of the simulator must be one of ours. The log has to begin where the leader stands; the
/// leader begins with the registers that the simulator's boot code left.
pub fn run_along<E: Engine>(leader: &mut Emulator<E>, host: &mut dyn Host, name: &str, log: &Log) -> Verdict {
    leader.set_registers(&log.registers);
    let log = &log.steps[..];
    let start = leader.machine().hart.instructions;
    let mut ours = Vec::new();
    let exit = leader.run_until(start + log.len() as u64, host, &mut ours);
    let differing = ours.iter().zip(log).position(|(ours, theirs)| !logged_differences(ours, theirs).is_empty());
    // Our last step, if ours ended the run by a fault, is not among the records (TRAP-4).
    let ended = log.get(ours.len()).filter(|_| differing.is_none());
    let end_differences = match (exit, ended) {
        (Exit::Fault(fault), Some(theirs)) => fault_differences(&fault, theirs),
        _ => Vec::new(),
    };
    let (index, differences) = match (differing, end_differences.is_empty()) {
        (Some(index), _) => (index, logged_differences(&ours[index], &log[index])),
        (None, false) => (ours.len(), end_differences),
        (None, true) => {
            let exit = (exit != Exit::Order).then_some(exit);
            return Verdict::Agreed(Agreement { steps: ours.len() as u64, exit, ..Agreement::default() });
        }
    };
    let context = ours[index.saturating_sub(CONTEXT_STEPS as usize)..index].to_vec();
    let (order, ours) = (start + index as u64, ours.get(index).copied());
    let (leader, follower) = (leader.name().to_string(), name.to_string());
    Verdict::Diverged(Box::new(Divergence { leader, follower, order, steps: 1, context, ours, differences }))
}

/// The fields on which our record differs from a line of a log, as far as the log has them.
fn logged_differences(ours: &Retired, theirs: &Retired) -> Vec<Difference> {
    let mut ours = comparable(ours, Scope::Instructions);
    let mut theirs = comparable(theirs, Scope::Instructions);
    // The pc of the next line tells.
    theirs.next_pc = ours.next_pc;
    // A log names the place of a trap, not always the word there.
    if theirs.trap.is_some() && theirs.insn == 0 {
        theirs.insn = ours.insn;
    }
    // A machine ECALL retires here and is a trap to a simulator without our machine.
    if decode(ours.insn).is_some_and(|insn| insn.op == Op::Ecall) {
        (ours.trap, theirs.trap) = (None, None);
    }
    if let (Some(ours), Some(theirs)) = (&ours.mem, &mut theirs.mem)
        && theirs.rmask | theirs.wmask == 0
    {
        *theirs = MemAccess { addr: theirs.addr, ..*ours };
    }
    differences(&ours, &theirs, Scope::Instructions)
}

/// The differences between a fault that ended our run and the simulator's line for it.
fn fault_differences(fault: &lockstep::trap::Fault, theirs: &Retired) -> Vec<Difference> {
    let mut found = Vec::new();
    if fault.pc != theirs.pc {
        found.push(difference("pc", fault.pc, theirs.pc));
    }
    let is_expected = |raised: Cause| {
        let raised = Raised { cause: Some(raised.number()), value: None };
        expected_difference(fault.cause, fault.addr, raised).is_some()
    };
    let is_same = theirs.trap.is_some_and(|theirs| is_same_cause(fault.cause, theirs.number()) || is_expected(theirs));
    if !is_same {
        let theirs = theirs.trap.map_or("retires".into(), |cause| cause.to_string());
        found.push(Difference { field: "trap".into(), ours: fault.cause.to_string(), theirs });
    }
    found
}

/// How far both came together.
enum Advance {
    Agreed,
    Ended(Exit),
    Differs,
}

struct Pair<'a, E> {
    leader: &'a mut Emulator<E>,
    follower: &'a mut dyn Reference,
    host: Recorder<&'a mut dyn Host>,
    depth: Depth,
    agreement: Agreement,
    theirs: Batch,
    onlooker: Onlooker,
    /// Whether our last steps were those of `theirs`.
    is_same_trace: bool,
    /// The step up to which memory was compared.
    memory_compared: u64,
    /// The step at which a run ahead has to end.
    until: u64,
}

impl<'a, E: Engine> Pair<'a, E> {
    fn new(leader: &'a mut Emulator<E>, follower: &'a mut dyn Reference, host: &'a mut dyn Host, depth: Depth) -> Self {
        Pair {
            leader,
            follower,
            host: Recorder::new(host),
            depth,
            agreement: Agreement::default(),
            theirs: Batch::default(),
            onlooker: Onlooker::default(),
            is_same_trace: true,
            memory_compared: 0,
            until: 0,
        }
    }

    fn order(&self) -> u64 {
        self.leader.machine().hart.instructions
    }

    /// Puts both machines into the state `machine`.
    fn restore(&mut self, machine: &Machine) -> Result<(), Failure> {
        self.leader.set_machine(machine.clone());
        self.memory_compared = self.order();
        self.follower.load(machine)
    }

    fn go(mut self, until: u64) -> Result<Verdict, Failure> {
        self.until = until;
        let first = self.order();
        let mut checkpoints = Checkpoints::new(self.leader.machine());
        while self.order() < until {
            let from = self.order();
            let steps = self.chunk().min(until - from);
            let advance = match self.advance(steps)? {
                Advance::Differs => self.look_again(&checkpoints, from, steps)?,
                advance => advance,
            };
            match advance {
                Advance::Agreed => checkpoints.offer(self.leader.machine()),
                Advance::Ended(exit) => {
                    self.agreement.exit = Some(exit);
                    break;
                }
                Advance::Differs => return self.narrow(&checkpoints, from, steps).map(Verdict::Diverged),
            }
        }
        self.agreement.steps = self.order() - first;
        Ok(Verdict::Agreed(self.agreement))
    }

    fn chunk(&self) -> u64 {
        match self.depth {
            Depth::Block(steps) => steps.max(1),
            Depth::Step => BATCH_STEPS,
        }
    }

    /// Makes at most `steps` steps on both sides and compares.
    fn advance(&mut self, steps: u64) -> Result<Advance, Failure> {
        let progress = self.follow(steps)?;
        self.expect_next(progress, steps)?;
        let exit = self.lead(progress.steps);
        if !self.is_same_end(progress, exit) || !self.is_same_state()? {
            return Ok(Advance::Differs);
        }
        match progress.stop {
            Stop::Steps => Ok(Advance::Agreed),
            Stop::Trap(raised) => self.carry_over(Some(raised)),
            Stop::Beyond => self.carry_over(None),
            Stop::Ended(exit) => Ok(if self.is_same_memory()? { Advance::Ended(exit) } else { Advance::Differs }),
        }
    }

    fn follow(&mut self, steps: u64) -> Result<Progress, Failure> {
        match self.depth {
            Depth::Block(_) => self.follower.run(steps, &mut self.host),
            Depth::Step => self.follower.trace_batch(steps, &mut self.host, &mut self.theirs),
        }
    }

    /// Lets a follower that is a process run ahead while ours catches up.
    fn expect_next(&mut self, progress: Progress, steps: u64) -> Result<(), Failure> {
        let left = self.until.saturating_sub(self.order() + progress.steps);
        let next = self.chunk().min(left);
        // A shorter step than usual is a search for a difference: nothing can be promised then.
        let is_search = steps != self.chunk();
        // The memory of now can be asked for only now.
        let is_memory_due = self.depth == Depth::Step && self.is_memory_due(self.order() + progress.steps);
        if progress.stop != Stop::Steps || is_search || is_memory_due || next == 0 {
            return Ok(());
        }
        self.follower.expect(next, self.depth == Depth::Step)
    }

    fn lead(&mut self, steps: u64) -> Exit {
        let order = self.order() + steps;
        self.is_same_trace = true;
        if steps == 0 {
            return Exit::Order;
        }
        if let Depth::Block(_) = self.depth {
            return self.leader.run_until(order, &mut self.host, &mut ());
        }
        let scope = self.follower.scope();
        let mut compare =
            Compare { theirs: &self.theirs, onlooker: &mut self.onlooker, scope, count: 0, is_same: true };
        let exit = self.leader.run_until(order, &mut self.host, &mut compare);
        self.is_same_trace = compare.is_same && compare.count == self.theirs.len();
        exit
    }

    /// Whether our run stopped as the follower's did.
    fn is_same_end(&mut self, progress: Progress, exit: Exit) -> bool {
        match (progress.stop, exit) {
            (Stop::Steps | Stop::Trap(_) | Stop::Beyond, exit) => exit == Exit::Order,
            // A fault is not a step (TRAP-4): ours has yet to meet it.
            (Stop::Ended(theirs @ Exit::Fault(_)), Exit::Order) => self.lead_on() == theirs,
            (Stop::Ended(theirs), ours) => ours == theirs,
        }
    }

    fn lead_on(&mut self) -> Exit {
        let order = self.order() + 1;
        self.leader.run_until(order, &mut self.host, &mut ())
    }

    fn is_same_state(&mut self) -> Result<bool, Failure> {
        if self.follower.state()? != machine_state(self.leader.machine()) {
            return Ok(false);
        }
        if !self.is_same_trace {
            return Ok(false);
        }
        if self.is_memory_due(self.order()) { self.is_same_memory() } else { Ok(true) }
    }

    fn is_memory_due(&self, order: u64) -> bool {
        self.depth != Depth::Step || order >= self.memory_compared + MEMORY_STEPS
    }

    fn is_same_memory(&mut self) -> Result<bool, Failure> {
        self.memory_compared = self.order();
        Ok(self.differing_frames()?.is_empty())
    }

    /// The touched frames whose words differ.
    fn differing_frames(&mut self) -> Result<Vec<Frame>, Failure> {
        let touched: BTreeMap<Frame, u64> = self.follower.touched()?.into_iter().collect();
        let is_whole = self.follower.scope() == Scope::Whole;
        let written = self.leader.written().into_iter();
        let untouched: Vec<Frame> =
            written.filter(|frame| (is_whole || frame.is_plain()) && !touched.contains_key(frame)).collect();
        let hashes = self.follower.frame_hashes(&untouched)?;
        let all = touched.into_iter().chain(untouched.into_iter().zip(hashes));
        let machine = self.leader.machine();
        Ok(all.filter(|&(frame, hash)| machine_frame_hash(machine, frame) != hash).map(|(frame, _)| frame).collect())
    }

    /// The follower raised, or cannot judge: our step decides whether it was right to, and is carried over.
    fn carry_over(&mut self, raised: Option<Raised>) -> Result<Advance, Failure> {
        let is_whole = self.follower.scope() == Scope::Whole;
        // What is taken over below would hide a difference in memory.
        if is_whole && !self.is_same_memory()? {
            return Ok(Advance::Differs);
        }
        let before = self.leader.machine().hart.clone();
        let mut records = Vec::new();
        let exit = self.leader.run_until(before.instructions + 1, &mut self.host, &mut records);
        if let Exit::Fault(fault) = exit {
            return self
                .judge(fault.cause, fault.addr, raised)
                .map(|ok| if ok { Advance::Ended(exit) } else { Advance::Differs });
        }
        let Some(record) = records.first() else { return Ok(Advance::Differs) };
        let is_right = match record.trap {
            Some(cause) => self.judge(cause, trap_value(record, cause), raised)?,
            None => raised.is_none_or(|raised| is_beyond(record) && is_plausible(record, raised)),
        };
        if !is_right {
            return Ok(Advance::Differs);
        }
        self.agreement.carried += 1;
        if exit != Exit::Order {
            return Ok(if self.is_same_memory()? { Advance::Ended(exit) } else { Advance::Differs });
        }
        if is_whole {
            // A service of the machine may write anywhere.
            self.follower.load(self.leader.machine())?;
        } else {
            let delta = self.delta(record, before.x(Reg::A1));
            self.follower.inject(&delta)?;
        }
        Ok(Advance::Agreed)
    }

    /// Whether our trap and the follower's are the same, or differ as the specification wants them to.
    fn judge(&mut self, cause: Cause, value: u32, raised: Option<Raised>) -> Result<bool, Failure> {
        let Some(raised) = raised else { return Ok(true) };
        if let Some(clause) = expected_difference(cause, value, raised) {
            *self.agreement.expected.entry(clause).or_default() += 1;
            return Ok(true);
        }
        let is_same_cause = raised.cause.is_none_or(|number| is_same_cause(cause, number));
        // The manual lets mtval be 0 for a breakpoint and an illegal instruction.
        let is_same_value = match (cause, raised.value) {
            (_, None) | (Cause::UserEcall | Cause::MachineEcall, _) => true,
            (Cause::Breakpoint | Cause::IllegalInstruction, Some(0)) => true,
            // A word whose low bits are not 11 is 16 bits long for a simulator with compressed instructions in mind.
            (Cause::IllegalInstruction, Some(half)) if value & 3 != 3 && half == value & 0xffff => true,
            (_, Some(theirs)) => theirs == value,
        };
        Ok(is_same_cause && is_same_value)
    }

    fn delta(&self, record: &Retired, a1: Addr) -> Delta {
        let machine = self.leader.machine();
        let mut stores = Vec::new();
        if let Some(MemAccess { addr, wmask, wdata, .. }) = record.mem.filter(|mem| mem.addr < map::SYSTEM_START) {
            stores.push((addr, wdata.to_le_bytes()[..wmask.count_ones() as usize].to_vec()));
        }
        if let Some(Answer::Read(bytes)) = self.host.log.get(&record.order) {
            stores.push((a1, bytes.clone()));
        }
        Delta { state: machine_state(machine), mode: machine.hart.mode, stores }
    }
}

/// Compares each of our steps with the follower's of the same number: nothing of ours has to be kept.
struct Compare<'a> {
    theirs: &'a Batch,
    onlooker: &'a mut Onlooker,
    scope: Scope,
    count: usize,
    is_same: bool,
}

impl Sink for Compare<'_> {
    #[inline]
    fn retired(&mut self, ours: &Retired) {
        let is_same = match (self.theirs.seen.get(self.count), self.theirs.records.get(self.count)) {
            (Some(seen), _) => self.onlooker.is_seen(ours, seen_words(seen)),
            (None, Some(record)) => is_same_step(ours, record, self.scope),
            (None, None) => false,
        };
        self.is_same &= is_same;
        self.count += 1;
    }
}

/// The state in which both machines were found to agree, twice: a report wants the steps before.
struct Checkpoints {
    older: Machine,
    newer: Machine,
}

impl Checkpoints {
    fn new(machine: &Machine) -> Checkpoints {
        Checkpoints { older: machine.clone(), newer: machine.clone() }
    }

    fn offer(&mut self, machine: &Machine) {
        if machine.hart.instructions >= self.newer.hart.instructions + CHECKPOINT_STEPS {
            self.older = std::mem::replace(&mut self.newer, machine.clone());
        }
    }
}

// Finding the step.
impl<E: Engine> Pair<'_, E> {
    /// The `steps` steps from `from` on again, one by one: a simulator that caches decoded code over a
    /// store to that code is right again when it is asked for records.
    fn look_again(&mut self, checkpoints: &Checkpoints, from: u64, steps: u64) -> Result<Advance, Failure> {
        if self.depth == Depth::Step || self.follower.scope() == Scope::Whole {
            return Ok(Advance::Differs);
        }
        let (until, agreement) = (std::mem::take(&mut self.until), self.agreement.clone());
        let depth = std::mem::replace(&mut self.depth, Depth::Step);
        let start = self.again(&checkpoints.newer, from)?;
        self.restore(&start)?;
        self.agreement = agreement;
        let advance = self.agree_on(from + steps - start.hart.instructions)?;
        (self.depth, self.until) = (depth, until);
        if !matches!(advance, Advance::Differs) {
            *self.agreement.expected.entry("MEM-5: a simulator that keeps decoded code").or_default() += 1;
        }
        Ok(advance)
    }

    /// The first step from `from` on, of `steps`, at which the machines differ.
    fn narrow(mut self, checkpoints: &Checkpoints, from: u64, steps: u64) -> Result<Box<Divergence>, Failure> {
        // Nothing is promised to the follower any more.
        self.until = 0;
        let end = from + steps;
        let mut start = self.again(&checkpoints.newer, from)?;
        let mut left = end - start.hart.instructions;
        while left > 1 {
            self.restore(&start)?;
            let half = left / 2;
            if matches!(self.agree_on(half)?, Advance::Agreed) {
                start = self.leader.machine().clone();
                left = end.saturating_sub(self.order()).min(left - half).max(1);
            } else {
                left = half;
            }
        }
        self.report(checkpoints, &start, steps)
    }

    /// Our machine at step `from`, coming from `checkpoint`; the checkpoint itself if the way there is not clean.
    fn again(&mut self, checkpoint: &Machine, from: u64) -> Result<Machine, Failure> {
        let depth = self.depth;
        let mut is_clean = false;
        for trial in [Depth::Block(BLOCK_STEPS), Depth::Step] {
            if !is_clean {
                self.depth = trial;
                self.restore(checkpoint)?;
                is_clean = matches!(self.agree_on(from - checkpoint.hart.instructions)?, Advance::Agreed);
            }
        }
        self.depth = depth;
        Ok(if is_clean { self.leader.machine().clone() } else { checkpoint.clone() })
    }

    /// The next `steps` steps, memory included.
    fn agree_on(&mut self, steps: u64) -> Result<Advance, Failure> {
        let end = self.order() + steps;
        while self.order() < end {
            let chunk = self.chunk().min(end - self.order());
            match self.advance(chunk)? {
                Advance::Agreed => {}
                end => return Ok(end),
            }
        }
        Ok(if self.is_same_memory()? { Advance::Agreed } else { Advance::Differs })
    }

    fn report(mut self, checkpoints: &Checkpoints, start: &Machine, steps: u64) -> Result<Box<Divergence>, Failure> {
        let order = start.hart.instructions;
        let context = self.context(&checkpoints.older, order);
        self.restore(start)?;
        let (ours, mut differences) = self.differences_of_one_step()?;
        let steps = if differences.is_empty() { steps.max(2) } else { 1 };
        if differences.is_empty() {
            differences.push(Difference {
                field: "state".into(),
                ours: format!("differs after the {steps} steps from {order} on"),
                theirs: "and agrees when they are made one by one".into(),
            });
        }
        let (leader, follower) = (self.leader.name().to_string(), self.follower.name().to_string());
        Ok(Box::new(Divergence { leader, follower, order, steps, context, ours, differences }))
    }

    fn context(&mut self, older: &Machine, order: u64) -> Vec<Retired> {
        self.leader.set_machine(older.clone());
        let first = order.saturating_sub(CONTEXT_STEPS).max(self.order());
        self.leader.run_until(first, &mut self.host, &mut ());
        let mut context = Vec::new();
        if first < order {
            self.leader.run_until(order, &mut self.host, &mut context);
        }
        context
    }

    fn differences_of_one_step(&mut self) -> Result<(Option<Retired>, Vec<Difference>), Failure> {
        let order = self.order();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let progress = self.follower.trace(1, &mut self.host, &mut theirs)?;
        let exit = self.leader.run_until(order + 1, &mut self.host, &mut ours);
        let mut found = match (ours.first(), theirs.first()) {
            (Some(ours), Some(theirs)) => differences(ours, theirs, self.follower.scope()),
            (ours, theirs) => self.endings(ours, theirs, exit, progress.stop)?,
        };
        if found.is_empty() && !matches!(progress.stop, Stop::Trap(_) | Stop::Beyond) {
            found.extend(self.register_differences()?);
            found.extend(self.memory_differences()?);
        }
        Ok((ours.first().copied(), found))
    }

    /// The difference when one machine retired an instruction and the other did not.
    fn endings(
        &mut self,
        ours: Option<&Retired>,
        theirs: Option<&Retired>,
        exit: Exit,
        stop: Stop,
    ) -> Result<Vec<Difference>, Failure> {
        let is_same = match (ours, exit, stop) {
            (_, _, Stop::Beyond) => true,
            (None, Exit::Fault(fault), Stop::Trap(raised)) => self.judge(fault.cause, fault.addr, Some(raised))?,
            (None, ours, Stop::Ended(theirs)) => ours == theirs,
            (Some(record), _, Stop::Trap(raised)) => match record.trap {
                Some(cause) => self.judge(cause, trap_value(record, cause), Some(raised))?,
                None => is_beyond(record) && is_plausible(record, raised),
            },
            _ => false,
        };
        if is_same {
            return Ok(Vec::new());
        }
        let ours = ours.map_or_else(|| exit_text(exit), record_text);
        let theirs = theirs.map_or_else(|| stop_text(stop), record_text);
        Ok(vec![Difference { field: "trap".into(), ours, theirs }])
    }

    fn register_differences(&mut self) -> Result<Vec<Difference>, Failure> {
        let (ours, theirs) = (machine_state(self.leader.machine()), self.follower.state()?);
        let pc = (ours.pc != theirs.pc).then(|| difference("pc", ours.pc, theirs.pc));
        let registers = Reg::all().filter(|reg| ours.x[reg.index()] != theirs.x[reg.index()]);
        let registers =
            registers.map(|reg| difference(&format!("{reg:?} ({reg})"), ours.x[reg.index()], theirs.x[reg.index()]));
        Ok(pc.into_iter().chain(registers).collect())
    }

    fn memory_differences(&mut self) -> Result<Vec<Difference>, Failure> {
        let mut found = Vec::new();
        for frame in self.differing_frames()? {
            for addr in (0..FRAME_BYTES as u32).step_by(4).map(|offset| frame.start() + offset) {
                let (ours, theirs) = (self.leader.machine().word(addr), self.follower.word(addr)?);
                if ours != theirs {
                    found.push(difference(&format!("mem[0x{addr:08x}]"), ours, theirs));
                }
            }
        }
        Ok(found)
    }
}

/// Instructions that a reference of scope [`Scope::Instructions`] cannot make: machine ECALLs, MRET,
/// and everything that touches system memory.
fn is_beyond(record: &Retired) -> bool {
    let op = decode(record.insn).map(|insn| insn.op);
    let is_system = |addr: Addr| addr >= map::SYSTEM_START;
    matches!(op, Some(Op::Ecall | Op::Mret))
        || is_system(record.pc)
        || record.mem.is_some_and(|mem| is_system(mem.addr))
}

/// Whether a reference without the instruction would raise this.
fn is_plausible(record: &Retired, raised: Raised) -> bool {
    let Some(cause) = raised.cause else { return true };
    match decode(record.insn).map(|insn| insn.op) {
        _ if record.pc >= map::SYSTEM_START => cause == Cause::InstructionAccessFault.number(),
        Some(Op::Ecall) => is_same_cause(Cause::UserEcall, cause),
        Some(Op::Mret) => cause == Cause::IllegalInstruction.number(),
        _ => [Cause::LoadAccessFault, Cause::StoreAccessFault].iter().any(|fault| fault.number() == cause),
    }
}

/// The differences that SPEC.md wants.
fn expected_difference(cause: Cause, addr: u32, raised: Raised) -> Option<&'static str> {
    let misaligned = match cause {
        Cause::LoadAccessFault => Cause::LoadAddressMisaligned,
        Cause::StoreAccessFault => Cause::StoreAddressMisaligned,
        _ => return None,
    };
    // The manual leaves the order open; a simulator may look at the alignment first.
    let is_it = raised.cause == Some(misaligned.number()) && !addr.is_multiple_of(4);
    is_it.then_some("MEM-4: region before alignment")
}

/// Whether the number `number` of a reference is our `cause`. References run everything in one mode.
fn is_same_cause(cause: Cause, number: u32) -> bool {
    let is_ecall = |number| number == Cause::UserEcall.number() || number == Cause::MachineEcall.number();
    cause.number() == number || is_ecall(cause.number()) && is_ecall(number)
}

/// The address of TRAP-5, worked out from the record of a trap into the kernel.
fn trap_value(record: &Retired, cause: Cause) -> u32 {
    let rs1 = record.rs1.map_or(0, |rs1| rs1.value);
    let imm = decode(record.insn).map_or(0, |insn| insn.imm as u32);
    match (cause, decode(record.insn).map(|insn| insn.op)) {
        (Cause::IllegalInstruction, _) => record.insn,
        (Cause::InstructionAddressMisaligned, Some(Op::Jalr)) => rs1.wrapping_add(imm) & !1,
        (Cause::InstructionAddressMisaligned, _) => record.pc.wrapping_add(imm),
        (Cause::InstructionAccessFault | Cause::Breakpoint | Cause::UserEcall | Cause::MachineEcall, _) => record.pc,
        _ => rs1.wrapping_add(imm),
    }
}

/// A record with what a reference of `scope` cannot know taken out.
fn comparable(record: &Retired, scope: Scope) -> Retired {
    if scope == Scope::Whole {
        return *record;
    }
    let rd = record.rd.filter(|rd| rd.reg != Reg::ZERO);
    // What a load into x0 read is nowhere to be seen.
    let mem = record.mem.map(|mem| if rd.is_none() { MemAccess { rdata: 0, ..mem } } else { mem });
    Retired { order: 0, mode: Mode::Machine, next_mode: Mode::Machine, rs1: None, rs2: None, rd, mem, ..*record }
}

/// Whether two records tell the same, as far as a reference of `scope` can.
fn is_same_step(ours: &Retired, theirs: &Retired, scope: Scope) -> bool {
    let told = |record: &Retired| (record.pc, record.insn, record.next_pc, record.rd, record.mem, record.trap);
    // Most records are the same to the letter, and this is the innermost loop.
    let is_quick = scope == Scope::Instructions && told(ours) == told(theirs);
    is_quick || comparable(ours, scope) == comparable(theirs, scope)
}

/// The fields on which two records differ, as far as a reference of `scope` knows them.
pub fn differences(ours: &Retired, theirs: &Retired, scope: Scope) -> Vec<Difference> {
    let (ours, theirs) = (fields(&comparable(ours, scope)), fields(&comparable(theirs, scope)));
    let pairs = ours.into_iter().zip(theirs).filter(|((_, ours), (_, theirs))| ours != theirs);
    pairs.map(|((field, ours), (_, theirs))| Difference { field: field.into(), ours, theirs }).collect()
}

/// A record as RVFI's fields.
fn fields(record: &Retired) -> [(&'static str, String); 14] {
    let register = |access: Option<RegAccess>| {
        access.map_or("-".into(), |RegAccess { reg, value }| format!("{reg:?} ({reg}) = 0x{value:08x}"))
    };
    let mem = |text: fn(MemAccess) -> String| record.mem.map_or("-".into(), text);
    [
        ("order", record.order.to_string()),
        ("pc_rdata", word(record.pc)),
        ("insn", word(record.insn)),
        ("pc_wdata", word(record.next_pc)),
        ("mode", format!("{:?} -> {:?}", record.mode, record.next_mode)),
        ("rs1", register(record.rs1)),
        ("rs2", register(record.rs2)),
        ("rd", register(record.rd)),
        ("mem_addr", mem(|mem| word(mem.addr))),
        ("mem_rmask", mem(|mem| format!("{:04b}", mem.rmask))),
        ("mem_wmask", mem(|mem| format!("{:04b}", mem.wmask))),
        ("mem_rdata", mem(|mem| word(mem.rdata))),
        ("mem_wdata", mem(|mem| word(mem.wdata))),
        ("trap", record.trap.map_or("-".into(), |cause| cause.to_string())),
    ]
}

fn difference(field: &str, ours: u32, theirs: u32) -> Difference {
    Difference { field: field.into(), ours: word(ours), theirs: word(theirs) }
}

fn word(value: u32) -> String {
    format!("0x{value:08x}")
}

fn exit_text(exit: Exit) -> String {
    match exit {
        Exit::Fault(fault) => format!("{}, 0x{:08x}", fault.cause, fault.addr),
        Exit::Terminated { user_exit, .. } => format!("terminate, exit {user_exit}"),
        Exit::Order | Exit::Breakpoint | Exit::Watch(_) | Exit::Interrupted => "nothing".into(),
    }
}

fn stop_text(stop: Stop) -> String {
    match stop {
        Stop::Ended(exit) => exit_text(exit),
        Stop::Steps | Stop::Beyond => "nothing".into(),
        Stop::Trap(Raised { cause, value }) => {
            let name = cause.and_then(crate::machine::cause_of).map(|cause| cause.name().to_string());
            let name = name.or(cause.map(|number| format!("cause {number}"))).unwrap_or("a trap".into());
            value.map_or(name.clone(), |value| format!("{name}, 0x{value:08x}"))
        }
    }
}

fn record_text(record: &Retired) -> String {
    match record.trap {
        Some(cause) => format!("{cause} into the kernel"),
        None => "retires".into(),
    }
}

/// One step as a line of a report.
pub fn step_line(step: &Retired) -> String {
    let mut line = format!("{:>10}  0x{:08x}  {:<28}", step.order, step.pc, disassemble(step.insn, step.pc));
    if let Some(RegAccess { reg, value }) = step.rd.filter(|rd| rd.reg != Reg::ZERO) {
        line += &format!("  {reg} = 0x{value:08x}");
    }
    if let Some(mem) = step.mem {
        let (sign, data) = if mem.wmask != 0 { ("<-", mem.wdata) } else { ("->", mem.rdata) };
        line += &format!("  [0x{:08x}] {sign} 0x{data:x}", mem.addr);
    }
    if let Some(cause) = step.trap {
        line += &format!("  {cause}");
    }
    line.trim_end().to_string()
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { leader, follower, order, .. } = self;
        writeln!(f, "{leader} and {follower} differ at step {order}")?;
        for step in &self.context {
            writeln!(f, "  {}", step_line(step))?;
        }
        if let Some(ours) = &self.ours {
            writeln!(f, "> {}", step_line(ours))?;
        }
        let width = self.differences.iter().map(|difference| difference.field.len()).max().unwrap_or(0);
        let ours_width = self.differences.iter().map(|difference| difference.ours.len()).max().unwrap_or(0);
        let names = (leader.len().max(ours_width), leader);
        writeln!(f, "  {:width$}  {:n$}  {follower}", "", names.1, n = names.0)?;
        for Difference { field, ours, theirs } in &self.differences {
            writeln!(f, "  {field:width$}  {ours:n$}  {theirs}", n = names.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockstep::isa::{Insn, encode};

    const LW_A0: u32 = 0x0005_2503;
    const LW_X0: u32 = 0x0005_2003;

    /// lw rd, 0(a0), which loads `value`.
    fn load(insn: u32, value: u32) -> Retired {
        Onlooker::default().seen(0, [0x0001_0000, insn, 0x0001_0004, value, 0x0003_0000, 0])
    }

    #[test]
    fn a_step_that_a_later_one_would_hide_differs() {
        let scope = Scope::Instructions;
        let ours = load(LW_A0, 1);
        assert!(is_same_step(&ours, &load(LW_A0, 1), scope));
        assert!(!is_same_step(&ours, &load(LW_A0, 2), scope), "rd and what was read");
        assert!(!is_same_step(&ours, &Retired { next_pc: 0x0001_0008, ..ours }, scope));
        assert!(!is_same_step(&ours, &Retired { mem: None, ..ours }, scope));
        assert!(is_same_step(&load(LW_X0, 1), &load(LW_X0, 2), scope), "nobody sees what x0 was given");
    }

    /// The shorter way to compare and the longer one say the same, whatever of ours differs.
    #[test]
    fn what_was_seen_is_compared_as_its_record_would_be() {
        let mut onlooker = Onlooker::default();
        for (op, rd) in Op::ALL.into_iter().flat_map(|op| [(op, 0), (op, 5)]) {
            let insn = encode(&Insn { op, rd: Reg::new(rd), rs1: Reg::new(6), rs2: Reg::new(7), imm: 0 });
            let fields = [0x0001_0000, insn, 0x0001_0004, 0x8765_4321, 0x0003_0000, 0x1234_5678];
            let step = onlooker.seen(0, fields);
            assert!(onlooker.is_seen(&step, fields), "{step:?}");
            for ours in spoilt(step) {
                let is_same = is_same_step(&ours, &step, Scope::Instructions);
                assert_eq!(onlooker.is_seen(&ours, fields), is_same, "{ours:?} {step:?}");
            }
        }
    }

    /// `step` with one thing changed.
    fn spoilt(step: Retired) -> Vec<Retired> {
        let rds = [None, Some(Reg::ZERO), Some(Reg::new(9)), step.rd.map(|rd| rd.reg)];
        let rds = rds.into_iter().flat_map(|reg| [0x8765_4321, 1].map(|value| reg.map(|reg| RegAccess { reg, value })));
        let mem = step.mem.unwrap_or_default();
        let mems = [
            None,
            Some(mem),
            Some(MemAccess { addr: mem.addr ^ 1, ..mem }),
            Some(MemAccess { rmask: mem.rmask ^ 2, ..mem }),
            Some(MemAccess { wmask: mem.wmask ^ 2, ..mem }),
            Some(MemAccess { rdata: mem.rdata ^ 1, ..mem }),
            Some(MemAccess { wdata: mem.wdata ^ 1, ..mem }),
        ];
        let mut all: Vec<Retired> = rds.map(|rd| Retired { rd, ..step }).collect();
        all.extend(mems.map(|mem| Retired { mem, ..step }));
        all.push(Retired { pc: step.pc ^ 4, ..step });
        all.push(Retired { insn: step.insn ^ 0x1000, ..step });
        all.push(Retired { next_pc: step.next_pc ^ 4, ..step });
        all.push(Retired { trap: Some(Cause::UserEcall), ..step });
        all
    }

    #[test]
    fn a_word_in_the_place_of_another_is_told_apart() {
        let mut onlooker = Onlooker::default();
        let words = (0..4096).map(|i| 0x0000_0033 | (i % 32) << 7 | (i / 32) << 15);
        for insn in words {
            let fields = [0, insn, 4, 9, 0, 0];
            assert_eq!(onlooker.seen(0, fields), crate::adapters::seen(0, fields), "{insn:08x}");
        }
    }
}
