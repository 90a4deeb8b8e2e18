//! A run that can be moved along in both directions: one primitive, [`Timeline::run_to`].
//!
//! Time is the number of steps (TIME-1). The past is kept as marks, and between two marks the pages that were
//! written; from a mark any later point is reached by executing again. Host input is recorded and replayed.
//!
//! ```text
//!   marks     0 -------- 1 -------- 2 --- 3 --- 4 -------- 5 ....
//!   pages       (undo)     (undo)      ^now  (redo) (redo)
//! ```
//!
//! Behind the machine the pages hold what was, before it what will be, so that going to a mark never executes.
//! A change by the debugger in the past makes another future: what was recorded behind it is dropped.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use crate::ecall::replay::{Answer, Log, Recorder};
use crate::ecall::{Host, Refused};
use crate::exec::{AnyEngine, Engine, Exit, Step, Until};
use crate::hart::{Hart, Machine};
use crate::isa::Reg;
use crate::map::{Addr, Mode, WORD_BYTES};
use crate::mem::{PAGE_BYTES, PAGE_WORDS, PageNo, SavedPage};
use crate::snapshot::{Mark, PAGE_COST_BYTES, undo, union};
use crate::trace::{Retired, Sink};

/// A run with its past.
pub struct Timeline {
    machine: Machine,
    /// Made when a run is long enough for it.
    engine: Option<AnyEngine>,
    /// For the first steps of each run.
    step: Step,
    host: Recorder<Rewindable>,
    /// The points kept, in order; the first is the beginning of the run and stays.
    marks: Vec<Mark>,
    /// The last mark at or before now.
    at: usize,
    /// The highest step number that was reached since the last change of the past.
    frontier: u64,
    budget_bytes: usize,
    /// Bytes of all marks, the pages of the interval under way excluded.
    used_bytes: usize,
    /// What was recorded behind the point of the first change, until it is settled that it is forgotten.
    aside: Option<Aside>,
}

/// A future that was left by a change, to come back to if the change turns out to be a call by the debugger.
struct Aside {
    /// The hart before the first change.
    hart: Hart,
    /// The pages that the interval from there on writes, and the marks behind it.
    pages: Vec<SavedPage>,
    marks: Vec<Mark>,
    frontier: u64,
    log: Log,
    reads: BTreeMap<u64, (u32, Vec<u8>)>,
    /// Whether all that is changed is below the stack pointer, where a call has left what the debugger has yet to read.
    is_below_stack: bool,
    /// The lowest stack pointer of the calls that were made here.
    lowest_sp: Addr,
}

/// The first steps of a run are made by the plain engine: many runs end there, and entering translated code costs more.
const NEAR_STEPS: u64 = 64;
/// Steps between two marks when the run goes where it was never before: some 30 ms of the plain engine.
const INTERVAL_STEPS: u64 = 4 << 20;
/// Steps between two marks that the first replay of an interval makes: some 2 ms.
const FINE_STEPS: u64 = 256 << 10;
/// The last mark before the target of a replay, so that small steps back from there are cheap.
const CLOSE_STEPS: u64 = 4096;
/// An interval may use this part of the budget.
const INTERVAL_SHARE: usize = 64;
/// How much history is kept unless the user says otherwise: 512 MiB.
pub const DEFAULT_BUDGET_BYTES: usize = 512 << 20;

impl Timeline {
    /// The run that starts with `machine` and asks `host`, keeping at most about `budget_bytes` of history.
    pub fn new(mut machine: Machine, host: Box<dyn Host>, budget_bytes: usize) -> Timeline {
        machine.mem.mark();
        let first = Mark::new(machine.hart.clone());
        let used_bytes = first.bytes();
        let host = Recorder::new(Rewindable { host, reads: BTreeMap::new(), again: BTreeMap::new() });
        let frontier = machine.hart.instructions;
        let (engine, step) = (None, Step::new());
        let (marks, aside) = (vec![first], None);
        Timeline { machine, engine, step, host, marks, at: 0, frontier, budget_bytes, used_bytes, aside }
    }

    /// The machine as it is now.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The number of the next step (TIME-1).
    pub fn now(&self) -> u64 {
        self.machine.hart.instructions
    }

    /// The furthest point of this run so far.
    pub fn frontier(&self) -> u64 {
        self.frontier.max(self.now())
    }

    /// How many points are kept, and the bytes they use.
    pub fn usage(&self) -> (usize, usize) {
        (self.marks.len(), self.used_bytes + self.machine.mem.written_pages().len() * PAGE_BYTES)
    }

    /// The step numbers of the points that are kept.
    pub fn mark_orders(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.marks.iter().map(Mark::order)
    }

    /// Runs forward until `until`, keeping history.
    pub fn run(&mut self, until: Until<'_>, sink: &mut impl Sink) -> Exit {
        let near = self.now() + NEAR_STEPS;
        loop {
            let pause = self.next_pause().min(until.order);
            let exit = match self.now() < near {
                true => self.run_plain(Until { order: pause.min(near), ..until }, sink),
                false => self.run_fast(Until { order: pause, ..until }, sink),
            };
            self.arrive();
            if exit != Exit::Order || self.now() >= until.order {
                return exit;
            }
            // The engine does not stop before its first step; the caller's run went on.
            if until.breakpoints.is_some_and(|set| set.contains(&self.machine.hart.pc)) {
                return Exit::Breakpoint;
            }
        }
    }

    fn run_plain(&mut self, until: Until<'_>, sink: &mut impl Sink) -> Exit {
        self.step.run(&mut self.machine, &mut self.host, until, sink)
    }

    fn run_fast(&mut self, until: Until<'_>, sink: &mut impl Sink) -> Exit {
        let engine = self.engine.get_or_insert_with(AnyEngine::default);
        engine.run(&mut self.machine, &mut self.host, until, sink)
    }

    /// Goes to the point before step `order`, or to the end of the run if that comes first.
    pub fn run_to(&mut self, order: u64) -> Exit {
        let target = self.interval_of(order);
        if order < self.now() || target > self.at {
            self.jump(target);
        }
        self.run_marking(order)
    }

    /// The step number of the last mark at or before `order`: going there does not execute.
    pub fn mark_before(&self, order: u64) -> u64 {
        self.marks[self.interval_of(order)].order()
    }

    /// Keeps this point: going here will not execute, as long as the budget allows.
    pub fn mark(&mut self) {
        if self.now() != self.marks[self.at].order() {
            self.add_mark();
        }
    }

    /// Changes the machine. What was recorded behind now is put aside, for [`Timeline::settle`] or [`Timeline::come_back`].
    ///
    /// The point has two marks then: one before the first change, one behind the last.
    pub fn edit<R>(&mut self, change: impl FnOnce(&mut Machine) -> R) -> R {
        if self.aside.is_none() {
            self.leave();
        }
        self.aside.iter_mut().for_each(|aside| aside.is_below_stack = false);
        self.drop_future();
        let result = change(&mut self.machine);
        let pages = self.machine.mem.mark();
        if self.now() != self.marks[self.at].order() {
            self.set_pages(self.at, pages);
            self.push_mark();
        } else {
            let before = std::mem::take(&mut self.marks[self.at - 1].pages);
            self.used_bytes -= before.len() * PAGE_COST_BYTES;
            self.set_pages(self.at - 1, union(before, pages));
        }
        let mark = &mut self.marks[self.at];
        mark.hart = self.machine.hart.clone();
        mark.is_edited = true;
        result
    }

    /// The hart before the first of the changes that are not settled.
    pub fn left_hart(&self) -> Option<&Hart> {
        self.aside.as_ref().map(|aside| &aside.hart)
    }

    /// Whether the machine was changed here.
    pub fn is_edited(&self) -> bool {
        self.marks[self.at].is_edited && self.marks[self.at].order() == self.now()
    }

    /// The changes stay: what was put aside is forgotten. Says whether there was anything. Changes that only a debugger
    /// could have read, below the stack pointer, are undone instead.
    pub fn settle(&mut self) -> bool {
        if self.aside.as_ref().is_some_and(|aside| aside.is_below_stack) && self.undo_changes().is_some() {
            return false;
        }
        let Some(aside) = self.aside.take() else { return false };
        for (_, (fd, bytes)) in aside.reads.into_iter().rev() {
            self.host.host.take_back(fd, bytes);
        }
        aside.frontier > aside.hart.instructions
    }

    /// Undoes a call that the debugger made the program do: back to the point of the first change, with all that was
    /// recorded behind it. What the call wrote outside the stack that it used stays written, as a change; so does what
    /// it wrote where the debugger has made room below the stack pointer: a returned structure, which is read from there.
    ///
    /// `None` if that cannot be: the call took input, was long, or the point is not kept any more.
    pub fn come_back(&mut self) -> Option<()> {
        let aside = self.aside.as_ref()?;
        let (begin, end) = (aside.hart.instructions, self.now());
        let took_input = self.host.log.range(begin..).any(|(_, answer)| matches!(answer, Answer::Read(_)));
        let before = self.mark_before_changes()?;
        let is_changed_within = |mark: &Mark| mark.is_edited && (begin + 1..end).contains(&mark.order());
        if took_input || end - begin > LONGEST_CALL_STEPS || self.marks.iter().any(is_changed_within) {
            return None;
        }
        let (sp, deepest) = (aside.hart.x(Reg::SP), aside.lowest_sp);
        let words = self.words_since(before);
        self.jump(before + 1);
        // How deep its stack was the same steps tell again.
        let mut call = Call::begin(&self.machine);
        self.run(Until::order(end), &mut call);
        self.undo_changes()?;
        let is_kept = |(addr, word): &(Addr, u32)| !call.stack().contains(addr) && self.machine.word(*addr) != *word;
        let changed = words.into_iter().filter(is_kept).collect();
        self.change_words(changed, call.lowest_sp.min(deepest)..sp);
        Some(())
    }

    /// The words, as they are now, of all pages that were written since mark `first`.
    fn words_since(&self, first: usize) -> Vec<(Addr, u32)> {
        let kept = self.marks[first..].iter().flat_map(|mark| mark.pages.iter().map(|saved| saved.page));
        let pages: BTreeSet<PageNo> = kept.chain(self.machine.mem.written_pages().iter().copied()).collect();
        let addrs = pages.iter().flat_map(|page| (0..PAGE_WORDS as u32).map(|i| page.start() + i * WORD_BYTES));
        addrs.map(|addr| (addr, self.machine.word(addr))).collect()
    }

    /// Changes `words`. If all of them are in `below_stack`, no one but the debugger can tell.
    fn change_words(&mut self, words: Vec<(Addr, u32)>, below_stack: Range<Addr>) {
        if words.is_empty() {
            return;
        }
        let is_below_stack = words.iter().all(|(addr, _)| below_stack.contains(addr));
        self.edit(|machine| words.into_iter().for_each(|(addr, word)| machine.set_word(addr, word)));
        if let Some(aside) = &mut self.aside {
            (aside.is_below_stack, aside.lowest_sp) = (is_below_stack, below_stack.start);
        }
    }

    /// The mark of the point of the first change, before it.
    fn mark_before_changes(&self) -> Option<usize> {
        let order = self.left_hart()?.instructions;
        self.marks.iter().position(|mark| mark.order() == order && !mark.is_edited)
    }

    /// Back to the point of the first change, before it, with all that was recorded behind it.
    fn undo_changes(&mut self) -> Option<()> {
        let before = self.mark_before_changes()?;
        let aside = self.aside.take()?;
        self.jump(before);
        self.drop_future();
        self.frontier = aside.frontier;
        self.host.log.extend(aside.log);
        self.host.host.reads.extend(aside.reads);
        self.used_bytes += aside.marks.iter().map(Mark::bytes).sum::<usize>();
        self.set_pages(self.at, aside.pages);
        self.marks.extend(aside.marks);
        Some(())
    }

    /// Puts aside what is recorded behind now, between two marks of this point.
    fn leave(&mut self) {
        self.mark();
        let pages = std::mem::take(&mut self.marks[self.at].pages);
        self.used_bytes -= pages.len() * PAGE_COST_BYTES;
        let marks: Vec<Mark> = self.marks.drain(self.at + 1..).collect();
        self.used_bytes -= marks.iter().map(Mark::bytes).sum::<usize>();
        let (now, hart) = (self.now(), self.machine.hart.clone());
        let (log, reads) = (self.host.log.split_off(&now), self.host.host.reads.split_off(&now));
        let frontier = self.frontier();
        let (is_below_stack, lowest_sp) = (false, Addr::MAX);
        self.aside = Some(Aside { hart, pages, marks, frontier, log, reads, is_below_stack, lowest_sp });
        self.frontier = now;
        self.push_mark();
    }

    /// Goes back to `order` to run again with the same input; output is written again.
    pub fn restart(&mut self, order: u64) {
        self.settle();
        self.run_to(order);
        self.drop_future();
    }

    /// Whether the interval that begins at the mark with `order` may have written one of `pages`.
    pub fn may_have_written(&self, order: u64, mut wanted: impl FnMut(PageNo) -> bool) -> bool {
        let index = self.interval_of(order);
        if index == self.at {
            return self.machine.mem.written_pages().iter().any(|page| wanted(*page));
        }
        self.marks[index].pages.iter().any(|saved| wanted(saved.page))
    }

    /// The mark at or before `order`.
    fn interval_of(&self, order: u64) -> usize {
        self.marks.partition_point(|mark| mark.order() <= order).saturating_sub(1)
    }

    /// Goes to mark `target`.
    fn jump(&mut self, target: usize) {
        let memory = &mut self.machine.mem;
        let partial = memory.mark();
        memory.forget();
        // What the interval under way had changed has to be undone even if its end is known.
        undo(partial, memory);
        while self.at > target {
            self.at -= 1;
            self.marks[self.at].cross(memory);
        }
        while self.at < target {
            self.marks[self.at].cross(memory);
            self.at += 1;
        }
        memory.mark();
        self.machine.hart = self.marks[self.at].hart.clone();
    }

    /// Where to look around next: the next mark, or where one may be due.
    fn next_pause(&self) -> u64 {
        match self.marks.get(self.at + 1) {
            Some(next) => next.order(),
            None => self.now() + FINE_STEPS,
        }
    }

    /// The machine has executed up to here: crosses into the next interval, or begins one.
    fn arrive(&mut self) {
        self.frontier = self.frontier.max(self.now());
        // A point that was changed has two marks.
        while self.marks.get(self.at + 1).is_some_and(|next| next.order() == self.now()) {
            self.enter_next();
        }
        if self.at + 1 == self.marks.len() && self.is_mark_due() {
            self.add_mark();
        }
    }

    fn is_mark_due(&self) -> bool {
        let steps = self.now() - self.marks[self.at].order();
        let bytes = self.machine.mem.written_pages().len() * PAGE_COST_BYTES;
        steps >= INTERVAL_STEPS || bytes > self.budget_bytes / INTERVAL_SHARE
    }

    fn enter_next(&mut self) {
        if self.marks[self.at + 1].is_edited {
            return self.jump(self.at + 1);
        }
        let pages = self.machine.mem.mark();
        self.set_pages(self.at, pages);
        self.at += 1;
    }

    /// Ends the interval under way here. What it was known to write later is known of the rest.
    fn add_mark(&mut self) {
        let pages = self.machine.mem.mark();
        let rest = std::mem::take(&mut self.marks[self.at].pages);
        self.used_bytes -= rest.len() * PAGE_COST_BYTES;
        self.set_pages(self.at, pages);
        self.push_mark();
        self.set_pages(self.at, rest);
        self.thin();
    }

    /// A mark with no pages, here.
    fn push_mark(&mut self) {
        let mark = Mark::new(self.machine.hart.clone());
        self.used_bytes += mark.bytes();
        self.at += 1;
        self.marks.insert(self.at, mark);
    }

    fn set_pages(&mut self, index: usize, pages: Vec<SavedPage>) {
        self.used_bytes -= self.marks[index].pages.len() * PAGE_COST_BYTES;
        self.used_bytes += pages.len() * PAGE_COST_BYTES;
        self.marks[index].pages = pages;
    }

    /// Executes up to `order`, with fine marks on the way.
    fn run_marking(&mut self, order: u64) -> Exit {
        if order > self.frontier {
            return self.run(Until::order(order), &mut ());
        }
        loop {
            let close = order.saturating_sub(CLOSE_STEPS);
            let fine = self.marks[self.at].order() + FINE_STEPS;
            let pauses = [fine.min(close), close, fine, order];
            let pause = pauses.into_iter().filter(|pause| *pause > self.now()).min().unwrap_or(order);
            let exit = self.run(Until::order(pause.min(order)), &mut ());
            if exit != Exit::Order || self.now() >= order {
                return exit;
            }
            if self.now() - self.marks[self.at].order() >= CLOSE_STEPS {
                self.add_mark();
            }
        }
    }

    fn drop_future(&mut self) {
        let now = self.now();
        self.set_pages(self.at, Vec::new());
        for mark in self.marks.drain(self.at + 1..) {
            self.used_bytes -= mark.bytes();
        }
        self.frontier = now;
        self.host.log.split_off(&now);
        self.host.host.rewind(now);
    }

    /// Joins intervals until the budget is kept: far from now first, so that they grow exponentially with distance.
    fn thin(&mut self) {
        while self.used_bytes > self.budget_bytes {
            let Some(index) = self.most_expendable() else { return };
            self.join(index);
        }
    }

    /// The mark whose removal makes the interval that is shortest in proportion to its distance from now.
    fn most_expendable(&self) -> Option<usize> {
        let now = self.now();
        let weight = |index: usize| {
            let (begin, end) = (self.marks[index - 1].order(), self.marks.get(index + 1).map_or(now, Mark::order));
            let distance = now.abs_diff(end).min(now.abs_diff(begin)) + 1;
            (end - begin) as f64 / distance as f64
        };
        // The intervals on both sides must have the same direction: neither may be the one under way.
        let candidates = (1..self.marks.len().saturating_sub(1))
            .filter(|index| *index != self.at && index - 1 != self.at && !self.marks[*index].is_edited);
        candidates.min_by(|a, b| weight(*a).total_cmp(&weight(*b)))
    }

    /// Removes mark `index`.
    fn join(&mut self, index: usize) {
        let second = self.marks.remove(index);
        let first = &mut self.marks[index - 1];
        self.used_bytes -= second.bytes() + first.pages.len() * PAGE_COST_BYTES;
        let pages = std::mem::take(&mut first.pages);
        // Behind now the older words count, ahead of now the newer ones.
        let is_behind = index <= self.at;
        first.pages = if is_behind { union(pages, second.pages) } else { union(second.pages, pages) };
        self.used_bytes += first.pages.len() * PAGE_COST_BYTES;
        if is_behind {
            self.at -= 1;
        }
    }
}

/// The stack that a call by the debugger used.
struct Call {
    /// The stack pointer that the debugger gave it, and the lowest that it came to.
    sp: u32,
    lowest_sp: u32,
}

impl Call {
    fn begin(machine: &Machine) -> Call {
        let sp = machine.hart.x(Reg::SP);
        Call { sp, lowest_sp: sp }
    }

    fn stack(&self) -> Range<Addr> {
        self.lowest_sp..self.sp
    }
}

impl Sink for Call {
    fn retired(&mut self, step: &Retired) {
        if let Some(write) = step.rd.filter(|rd| rd.reg == Reg::SP && step.mode == Mode::User) {
            self.lowest_sp = self.lowest_sp.min(write.value);
        }
    }
}

/// Steps of the longest call by the debugger that is undone: it is executed again for that, some 10 ms.
const LONGEST_CALL_STEPS: u64 = 1 << 20;

/// A host whose input can be taken back: what a dropped future had read is read again.
struct Rewindable {
    host: Box<dyn Host>,
    /// What was read, by the step that read it.
    reads: BTreeMap<u64, (u32, Vec<u8>)>,
    /// What is to be read again, by file descriptor.
    again: BTreeMap<u32, VecDeque<u8>>,
}

impl Rewindable {
    /// Takes back what steps from `order` on have read.
    fn rewind(&mut self, order: u64) {
        for (fd, bytes) in self.reads.split_off(&order).into_values().rev() {
            self.take_back(fd, bytes);
        }
    }

    fn take_back(&mut self, fd: u32, bytes: Vec<u8>) {
        let queue = self.again.entry(fd).or_default();
        bytes.into_iter().rev().for_each(|byte| queue.push_front(byte));
    }

    /// The bytes of the read at step `order`: those taken back, else those that `ask` delivers.
    fn read_with(
        &mut self,
        order: u64,
        fd: u32,
        bytes: &mut [u8],
        ask: impl FnOnce(&mut dyn Host, &mut [u8]) -> Result<u32, Refused>,
    ) -> Result<u32, Refused> {
        let count = match self.again.get_mut(&fd).filter(|queue| !queue.is_empty()) {
            Some(queue) => {
                let count = queue.len().min(bytes.len());
                queue.drain(..count).zip(bytes.iter_mut()).for_each(|(from, to)| *to = from);
                count as u32
            }
            None => ask(&mut *self.host, bytes)?.min(bytes.len() as u32),
        };
        self.reads.insert(order, (fd, bytes[..count as usize].to_vec()));
        Ok(count)
    }
}

impl Host for Rewindable {
    fn read(&mut self, order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        self.read_with(order, fd, bytes, |host, bytes| Ok(host.read(order, fd, bytes))).unwrap_or(0)
    }

    fn write(&mut self, order: u64, fd: u32, bytes: &[u8]) -> u32 {
        self.host.write(order, fd, bytes)
    }

    fn read_for(&mut self, machine: &Machine, fd: u32, bytes: &mut [u8]) -> Result<u32, Refused> {
        self.read_with(machine.hart.instructions, fd, bytes, |host, bytes| host.read_for(machine, fd, bytes))
    }

    fn write_for(&mut self, machine: &Machine, fd: u32, bytes: &[u8]) -> Result<u32, Refused> {
        self.host.write_for(machine, fd, bytes)
    }
}
