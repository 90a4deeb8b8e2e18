//! The walk through the steps of a segment that finds the history of each memory cell.

use std::collections::{BTreeMap, HashMap, HashSet};

use lockstep::ecall::replay::Answer;
use lockstep::ecall::{READ, SHA2, TERMINATE, WRITE};
use lockstep::exec::Exit;
use lockstep::hart::Machine;
use lockstep::isa::{Class, Format, Insn, Op, Reg, decode};
use lockstep::map::{self, Mode};
use lockstep::mem::{PAGE_WORDS, Page, PageNo};
use lockstep::trace::Retired;
use lockstep::trap::Cause;

use super::WitnessError;
use super::sha2::Hashed;
use crate::chips::step::{FILE_WORDS, LOAD, RD, RS1, RS2, SINK_OFFSET, SLOTS, USER_FILE, ZERO_OFFSET};
use crate::machine::AnyChip;
use crate::segment::{MAX_SHA2_BLOCKS, MAX_STEPS, Segment};

/// An access to a cell: what it held, what it holds then, and the time of the access before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Access {
    pub old: u32,
    pub new: u32,
    pub t_prev: u32,
}

/// A step as the chips see it.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub ts: u32,
    pub pc: u32,
    pub mode: Mode,
    /// `ts` if the instruction comes from a data page, else 0.
    pub tag: u32,
    pub insn: Insn,
    pub rs1: Access,
    pub rs2: Access,
    pub rd: Access,
    pub mem: Access,
    /// The load took its word from a code page.
    pub from_code: bool,
    pub next_pc: u32,
}

/// A read, write or terminate.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub event: Event,
    pub a7: Access,
    pub a0: Access,
    pub a1: Access,
    pub a2: Access,
}

/// A word that a read fills.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    pub ts: u32,
    pub waddr: u32,
    /// The first byte filled, and how many are.
    pub start: u32,
    pub count: u32,
    pub left: u32,
    pub access: Access,
}

/// A cell whose time moves on (`chips/refresh.rs`).
#[derive(Clone, Copy, Debug)]
pub struct Refreshed {
    pub waddr: u32,
    pub value: u32,
    pub t_prev: u32,
    pub t: u32,
}

/// A decoded word.
#[derive(Clone, Copy, Debug)]
pub struct Decoded {
    pub pc: u32,
    pub mode: Mode,
    pub word: u32,
    pub count: u32,
    pub tag: u32,
    pub t_prev: u32,
    /// For a jump or branch that raises.
    pub raises: bool,
}

/// A word that is no instruction.
#[derive(Clone, Copy, Debug)]
pub struct Illegal {
    pub ts: u32,
    pub decoded: Decoded,
}

/// A fetch that is forbidden.
#[derive(Clone, Copy, Debug)]
pub struct Unfetchable {
    pub ts: u32,
    pub pc: u32,
    pub mode: Mode,
    /// Execution went on behind the last word of memory.
    pub wraps: bool,
}

/// A machine ECALL that is refused.
#[derive(Clone, Copy, Debug)]
pub struct Declined {
    pub event: Event,
    pub a7: Access,
    pub a0: Access,
    pub a1: Access,
    pub a2: Access,
}

/// A trap, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    pub ts: u32,
    pub pc: u32,
    pub mode: Mode,
    pub cause: Cause,
    pub addr: u32,
    /// The trap vector, in user mode.
    pub vector: Access,
    /// MEPC, if a kernel takes the trap.
    pub mepc: Access,
}

/// A page of the segment.
pub struct PageCells {
    pub number: u32,
    pub is_code: bool,
    pub before: Page,
    pub now: Page,
    pub time: [u32; PAGE_WORDS],
    /// How often each word was asked for, if it is code.
    pub count: [u32; PAGE_WORDS],
}

/// The state of the walk.
pub struct Replay<'a> {
    before: &'a Machine,
    code: HashSet<u32>,
    /// Pages of `code` that a read filled, or that sha2 reads.
    filled_code: HashSet<u32>,
    /// The place of each page in `pages`, plus 1.
    places: HashMap<u32, usize>,
    pub pages: Vec<PageCells>,
    /// The times of the cells that stand for x0, of user and of machine mode.
    pub zero_times: [u32; 2],
    pub events: BTreeMap<AnyChip, Vec<Event>>,
    pub calls: Vec<Call>,
    pub filled: Vec<Filled>,
    pub hashed: Hashed,
    pub refreshed: Vec<Refreshed>,
    pub illegal: Vec<Illegal>,
    pub unfetchable: Vec<Unfetchable>,
    pub declined: Vec<Declined>,
    pub taken: Vec<Taken>,
    statics: HashMap<(u32, Mode, bool), usize>,
    pub decoded: Vec<Decoded>,
    pub ts: u32,
    /// Whether the step before was in the last word of memory.
    pub came_from_the_end: bool,
    /// The input digest, before the first step.
    pub input: [Access; map::DIGEST_WORDS],
}

/// The chip of an instruction that does not raise, ecall aside.
pub fn chip_of(op: Op) -> AnyChip {
    match (op.class(), op) {
        (Class::Alu, Op::Add | Op::Sub) => AnyChip::Add,
        (Class::Alu, Op::Addi) => AnyChip::AddImmediate,
        (Class::Alu, _) => AnyChip::Bitwise,
        (Class::Less, _) => AnyChip::Less,
        (Class::Shift, _) => AnyChip::Shift,
        (Class::Branch, _) => AnyChip::Branch,
        (Class::Jump, Op::Jalr) => AnyChip::Jalr,
        (Class::Jump | Class::Upper, _) => AnyChip::Constant,
        (Class::Load, _) => AnyChip::Load,
        (Class::Store, _) => AnyChip::Store,
        (Class::Mul, _) => AnyChip::Mul,
        (Class::Div, _) => AnyChip::Div,
        (Class::System, Op::Mret) => AnyChip::Mret,
        (Class::System, _) => AnyChip::Fence,
    }
}

/// The word index of x0 of `mode`.
pub fn file(mode: Mode) -> u32 {
    USER_FILE - FILE_WORDS * mode as u32
}

/// From x0's cell to the cell that `reg` is read from.
pub fn source_offset(reg: Reg) -> u32 {
    if reg == Reg::ZERO { ZERO_OFFSET } else { reg.index() as u32 }
}

/// From x0's cell to the cell that `reg` is written to.
pub fn destination_offset(reg: Reg) -> u32 {
    if reg == Reg::ZERO { SINK_OFFSET } else { reg.index() as u32 }
}

/// The operands that a format has: rd, rs1, rs2.
pub fn operands(format: Format) -> [bool; 3] {
    match format {
        Format::R => [true, true, true],
        Format::I | Format::Shamt => [true, true, false],
        Format::S | Format::B => [false, true, true],
        Format::U | Format::J => [true, false, false],
        Format::Fence | Format::Bare => [false, false, false],
    }
}

const WORDS: u32 = PAGE_WORDS as u32;

/// The longest time between two accesses to a cell that an access itself shows.
const LONGEST_GAP: u32 = 1 << 16;

/// The time of the accesses before the first step.
const RESUME: u32 = 1;

impl<'a> Replay<'a> {
    /// The walk before the first step.
    pub fn new(segment: &'a Segment) -> Result<Replay<'a>, WitnessError> {
        if segment.steps.len() as u64 > MAX_STEPS {
            return Err(WitnessError::TooLong(segment.steps.len()));
        }
        if segment.sha2_blocks > MAX_SHA2_BLOCKS {
            return Err(WitnessError::TooManyBlocks(segment.sha2_blocks));
        }
        Ok(Replay::with_code(segment, code_pages(segment)))
    }

    fn with_code(segment: &'a Segment, code: HashSet<u32>) -> Replay<'a> {
        Replay {
            before: &segment.before,
            code,
            filled_code: HashSet::new(),
            places: HashMap::new(),
            pages: Vec::new(),
            zero_times: [0; 2],
            events: BTreeMap::new(),
            calls: Vec::new(),
            filled: Vec::new(),
            hashed: Hashed::default(),
            refreshed: Vec::new(),
            illegal: Vec::new(),
            unfetchable: Vec::new(),
            declined: Vec::new(),
            taken: Vec::new(),
            statics: HashMap::new(),
            decoded: Vec::new(),
            ts: SLOTS,
            came_from_the_end: false,
            input: [Access::default(); map::DIGEST_WORDS],
        }
    }

    /// Walks through the steps.
    pub fn run(&mut self, segment: &'a Segment) -> Result<(), WitnessError> {
        loop {
            self.resume();
            for step in &segment.steps {
                self.step(step, segment)?;
                self.ts += SLOTS;
            }
            if let Exit::Fault(fault) = segment.exit {
                self.fault(fault)?;
                self.ts += SLOTS;
            }
            if self.filled_code.is_empty() {
                return Ok(());
            }
            // A service used a page that was taken for code: it is data.
            let code = self.code.difference(&self.filled_code).copied().collect();
            *self = Replay::with_code(segment, code);
        }
    }

    /// The accesses before the first step.
    fn resume(&mut self) {
        for addr in [map::SUSPEND_PC, map::SUSPEND_MODE] {
            self.read(addr >> 2, RESUME);
        }
        self.input = std::array::from_fn(|i| self.read((map::INPUT_DIGEST >> 2) + i as u32, RESUME));
    }

    fn page(&mut self, number: u32) -> &mut PageCells {
        let place = *self.places.entry(number).or_insert_with(|| {
            let words = self.before.page(PageNo(number));
            let is_code = self.code.contains(&number);
            let (time, count) = ([0; PAGE_WORDS], [0; PAGE_WORDS]);
            self.pages.push(PageCells { number, is_code, before: words, now: words, time, count });
            self.pages.len() - 1
        });
        &mut self.pages[place]
    }

    /// Reads the word `waddr` at time `t`.
    pub fn read(&mut self, waddr: u32, t: u32) -> Access {
        if waddr >= 1 << 30 {
            let mode = usize::from(waddr == 1 << 30);
            let t_prev = std::mem::replace(&mut self.zero_times[mode], t);
            return Access { old: 0, new: 0, t_prev: self.refresh(waddr, 0, t_prev, t) };
        }
        let page = self.page(waddr / WORDS);
        let i = (waddr % WORDS) as usize;
        let t_prev = std::mem::replace(&mut page.time[i], t);
        let value = page.now[i];
        Access { old: value, new: value, t_prev: self.refresh(waddr, value, t_prev, t) }
    }

    /// The time of the access before one at `t`, if the last was at `t_prev`: moved on if that is long ago.
    fn refresh(&mut self, waddr: u32, value: u32, t_prev: u32, t: u32) -> u32 {
        if t - t_prev <= LONGEST_GAP {
            return t_prev;
        }
        self.refreshed.push(Refreshed { waddr, value, t_prev, t: t - 1 });
        t - 1
    }

    /// Replaces the word `waddr` by `new` at time `t`.
    pub fn write(&mut self, waddr: u32, new: u32, t: u32) -> Access {
        let Access { old, t_prev, .. } = self.read(waddr, t);
        let page = self.page(waddr / WORDS);
        page.now[(waddr % WORDS) as usize] = new;
        Access { old, new, t_prev }
    }

    /// Takes the word `waddr` from its code page.
    fn take_code(&mut self, waddr: u32) -> Access {
        let page = self.page(waddr / WORDS);
        let i = (waddr % WORDS) as usize;
        page.count[i] += 1;
        Access { old: page.now[i], new: page.now[i], t_prev: 0 }
    }

    fn is_code(&self, waddr: u32) -> bool {
        self.code.contains(&(waddr / WORDS))
    }

    fn step(&mut self, step: &Retired, segment: &Segment) -> Result<(), WitnessError> {
        let is_dispatch =
            step.trap == Some(Cause::UserEcall) && map::is_valid_vector(self.peek(map::ECALL_VECTOR >> 2));
        if let Some(cause) = step.trap.filter(|_| !is_dispatch) {
            return self.trap(cause, step.pc, step.mode);
        }
        let insn = decode(step.insn).expect("a word that was executed is an instruction");
        self.came_from_the_end = goes_on_behind_the_end(step, &insn);
        let event = self.event(step.pc, step.mode, insn, false, step.next_pc);
        if is_dispatch {
            let vector = self.read(map::ECALL_VECTOR >> 2, self.ts + LOAD);
            let rd = self.write(map::MEPC >> 2, step.pc, self.ts + RD);
            let event = Event { mem: vector, rd, ..event };
            self.push(AnyChip::Dispatch, event);
            return Ok(());
        }
        if insn.op == Op::Ecall {
            return self.call(event, step, segment);
        }
        let event = self.operate(event, step);
        self.push(chip_of(insn.op), event);
        Ok(())
    }

    pub(super) fn push(&mut self, chip: AnyChip, event: Event) {
        self.events.entry(chip).or_default().push(event);
    }

    /// The step at `pc` before its accesses, and the fetch of its instruction.
    pub(super) fn event(&mut self, pc: u32, mode: Mode, insn: Insn, raises: bool, next_pc: u32) -> Event {
        let tag = self.fetch(pc, mode, raises);
        let none = Access::default();
        let (rs1, rs2, rd, mem) = (none, none, none, none);
        Event { ts: self.ts, pc, mode, tag, insn, rs1, rs2, rd, mem, from_code: false, next_pc }
    }

    /// Fetches the instruction at `pc`; returns its tag.
    fn fetch(&mut self, pc: u32, mode: Mode, raises: bool) -> u32 {
        let waddr = pc >> 2;
        if self.is_code(waddr)
            && let Some(&place) = self.statics.get(&(pc, mode, raises))
        {
            self.decoded[place].count += 1;
            return 0;
        }
        let decoded = self.take_word(pc, mode, raises);
        if decoded.tag == 0 {
            self.statics.insert((pc, mode, raises), self.decoded.len());
        }
        self.decoded.push(decoded);
        decoded.tag
    }

    /// The word at `pc`, taken from its page for a row of its own.
    pub(super) fn take_word(&mut self, pc: u32, mode: Mode, raises: bool) -> Decoded {
        let waddr = pc >> 2;
        if self.is_code(waddr) {
            let word = self.take_code(waddr).old;
            return Decoded { pc, mode, word, count: 1, tag: 0, t_prev: 0, raises };
        }
        let Access { old: word, t_prev, .. } = self.read(waddr, self.ts);
        Decoded { pc, mode, word, count: 1, tag: self.ts, t_prev, raises }
    }

    /// The word `waddr` as it is, without an access.
    pub(super) fn peek(&mut self, waddr: u32) -> u32 {
        self.page(waddr / WORDS).now[(waddr % WORDS) as usize]
    }

    fn operate(&mut self, mut event: Event, step: &Retired) -> Event {
        let Event { ts, mode, insn, .. } = event;
        let [has_rd, has_rs1, has_rs2] = operands(insn.op.format());
        if has_rs1 {
            event.rs1 = self.read(file(mode) + source_offset(insn.rs1), ts + RS1);
        }
        if has_rs2 {
            event.rs2 = self.read(file(mode) + source_offset(insn.rs2), ts + RS2);
        }
        if insn.op == Op::Mret {
            event.mem = self.read(map::MEPC >> 2, ts + LOAD);
        }
        if let Some(mem) = step.mem {
            let waddr = mem.addr >> 2;
            if insn.op.class() == Class::Store {
                let old = self.page(waddr / WORDS).now[(waddr % WORDS) as usize];
                event.mem = self.write(waddr, merge(old, mem.addr, mem.wmask, mem.wdata), ts + RD);
            } else if self.is_code(waddr) {
                (event.mem, event.from_code) = (self.take_code(waddr), true);
            } else {
                event.mem = self.read(waddr, ts + LOAD);
            }
        }
        if has_rd {
            let value = step.rd.map_or(0, |rd| rd.value);
            event.rd = self.write(file(mode) + destination_offset(insn.rd), value, ts + RD);
        }
        event
    }

    /// A machine ECALL.
    ///
    /// # Errors
    /// [`WitnessError::Uncovered`] for a service that has no chip yet (ECALL-5).
    fn call(&mut self, event: Event, step: &Retired, segment: &Segment) -> Result<(), WitnessError> {
        let order = step.order;
        let register = |reg: Reg| file(event.mode) + reg.index() as u32;
        let t = event.ts + RS1;
        let a7 = self.read(register(Reg::A7), t);
        if a7.old == TERMINATE {
            let a0 = self.read(register(Reg::A0), t);
            self.calls.push(Call { event, a7, a0, a1: Access::default(), a2: Access::default() });
            return Ok(());
        }
        if a7.old == SHA2 {
            return self.sha2(event, a7);
        }
        if ![READ, WRITE].contains(&a7.old) {
            return Err(WitnessError::Uncovered { pc: step.pc, what: "a poseidon2 or bigint ECALL" });
        }
        let (a1, a2) = (self.read(register(Reg::A1), t), self.read(register(Reg::A2), t));
        let count = match segment.log.get(&order) {
            Some(Answer::Read(bytes)) => bytes.len() as u32,
            Some(Answer::Wrote(count)) => *count,
            None => 0,
        };
        if let (READ, Some(Answer::Read(bytes))) = (a7.old, segment.log.get(&order)) {
            self.fill(event.ts, a1.old, bytes);
        }
        let a0 = self.write(register(Reg::A0), count, event.ts + RD);
        self.calls.push(Call { event, a7, a0, a1, a2 });
        Ok(())
    }

    /// Notes that the page of the word `waddr` is a data page, if it was taken for code.
    pub(super) fn take_for_data(&mut self, waddr: u32) {
        if self.is_code(waddr) {
            self.filled_code.insert(waddr / WORDS);
        }
    }

    /// The words that `bytes` fill from `addr` on.
    fn fill(&mut self, ts: u32, addr: u32, bytes: &[u8]) {
        let (mut addr, mut rest) = (addr, bytes);
        while !rest.is_empty() {
            let start = addr % 4;
            let (now, later) = rest.split_at(rest.len().min(4 - start as usize));
            let old = self.page((addr >> 2) / WORDS).now[((addr >> 2) % WORDS) as usize];
            let mut new = old.to_le_bytes();
            new[start as usize..start as usize + now.len()].copy_from_slice(now);
            self.take_for_data(addr >> 2);
            let access = self.write(addr >> 2, u32::from_le_bytes(new), ts + LOAD);
            let (count, left) = (now.len() as u32, rest.len() as u32);
            self.filled.push(Filled { ts, waddr: addr >> 2, start, count, left, access });
            (addr, rest) = (addr + count, later);
        }
    }
}

/// `word` with the bytes of `data` that `mask` names, counted from `addr`, replaced.
fn merge(word: u32, addr: u32, mask: u8, data: u32) -> u32 {
    let shift = 8 * (addr % 4);
    let bits = match mask {
        1 => 0xff,
        3 => 0xffff,
        _ => u32::MAX,
    };
    (word & !(bits << shift)) | ((data & bits) << shift)
}

/// Whether execution goes on at 0 because the step was in the last word of memory, and not by a jump.
fn goes_on_behind_the_end(step: &Retired, insn: &Insn) -> bool {
    let is_behind = match insn.op.class() {
        Class::Jump => false,
        Class::Branch => !is_taken(insn.op, step.rs1.map_or(0, |x| x.value), step.rs2.map_or(0, |y| y.value)),
        _ => true,
    };
    step.next_pc == 0 && (insn.op == Op::Mret || step.pc == LAST_WORD) && is_behind
}

/// The address of the last word of memory.
pub const LAST_WORD: u32 = u32::MAX - 3;

/// Whether the comparison of branch `op` holds.
pub fn is_taken(op: Op, x: u32, y: u32) -> bool {
    match op {
        Op::Beq => x == y,
        Op::Bne => x != y,
        Op::Blt => (x as i32) < y as i32,
        Op::Bge => x as i32 >= y as i32,
        Op::Bltu => x < y,
        _ => x >= y,
    }
}

/// The pages that the segment executes and does not write; the register page is data at all times.
fn code_pages(segment: &Segment) -> HashSet<u32> {
    let mut executed: HashSet<u32> = segment.steps.iter().map(|step| PageNo::of(step.pc).0).collect();
    executed.extend(match segment.exit {
        Exit::Fault(fault) => Some(PageNo::of(fault.pc).0),
        _ => None,
    });
    let stored = segment.steps.iter().filter_map(|step| step.mem).filter(|mem| mem.wmask != 0);
    stored.for_each(|mem| {
        executed.remove(&PageNo::of(mem.addr).0);
    });
    executed.remove(&PageNo::of(map::MACHINE_REGS).0);
    executed
}
