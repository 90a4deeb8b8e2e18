//! The walk through the steps of a segment that finds the history of each memory cell.

use std::collections::{BTreeMap, HashMap, HashSet};

use lockstep::ecall::replay::Answer;
use lockstep::ecall::{READ, TERMINATE, WRITE};
use lockstep::hart::Machine;
use lockstep::isa::{Class, Format, Insn, Op, Reg, decode};
use lockstep::map::{self, Mode};
use lockstep::mem::{PAGE_WORDS, Page, PageNo};
use lockstep::trace::Retired;
use lockstep::trap::Cause;

use super::WitnessError;
use crate::chips::step::{FILE_WORDS, LOAD, RD, RS1, RS2, SINK_OFFSET, SLOTS, USER_FILE, ZERO_OFFSET};
use crate::segment::{MAX_STEPS, Segment};

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

/// A decoded word.
#[derive(Clone, Copy, Debug)]
pub struct Decoded {
    pub pc: u32,
    pub mode: Mode,
    pub word: u32,
    pub count: u32,
    pub tag: u32,
    pub t_prev: u32,
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
    /// Pages of `code` that a read filled.
    filled_code: HashSet<u32>,
    /// The place of each page in `pages`, plus 1.
    places: HashMap<u32, usize>,
    pub pages: Vec<PageCells>,
    /// The times of the cells that stand for x0, of user and of machine mode.
    pub zero_times: [u32; 2],
    pub events: BTreeMap<Family, Vec<Event>>,
    pub calls: Vec<Call>,
    pub filled: Vec<Filled>,
    statics: HashMap<(u32, Mode), usize>,
    pub decoded: Vec<Decoded>,
    pub ts: u32,
    /// The accesses of the resume to the suspend words.
    pub suspend: [Access; 2],
}

/// The chips that instructions go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    Add,
    AddImmediate,
    Bitwise,
    Less,
    Shift,
    Branch,
    Constant,
    Jalr,
    Load,
    Store,
    Mul,
    Div,
    Fence,
    Mret,
    Dispatch,
}

impl Family {
    fn of(op: Op) -> Family {
        match (op.class(), op) {
            (Class::Alu, Op::Add | Op::Sub) => Family::Add,
            (Class::Alu, Op::Addi) => Family::AddImmediate,
            (Class::Alu, _) => Family::Bitwise,
            (Class::Less, _) => Family::Less,
            (Class::Shift, _) => Family::Shift,
            (Class::Branch, _) => Family::Branch,
            (Class::Jump, Op::Jalr) => Family::Jalr,
            (Class::Jump | Class::Upper, _) => Family::Constant,
            (Class::Load, _) => Family::Load,
            (Class::Store, _) => Family::Store,
            (Class::Mul, _) => Family::Mul,
            (Class::Div, _) => Family::Div,
            (Class::System, Op::Mret) => Family::Mret,
            (Class::System, _) => Family::Fence,
        }
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

/// The time of the accesses before the first step.
const RESUME: u32 = 1;

impl<'a> Replay<'a> {
    /// The walk before the first step.
    pub fn new(segment: &'a Segment) -> Result<Replay<'a>, WitnessError> {
        if segment.steps.len() as u64 > MAX_STEPS {
            return Err(WitnessError::TooLong(segment.steps.len()));
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
            statics: HashMap::new(),
            decoded: Vec::new(),
            ts: SLOTS,
            suspend: [Access::default(); 2],
        }
    }

    /// Walks through the steps.
    pub fn run(&mut self, segment: &'a Segment) -> Result<(), WitnessError> {
        loop {
            self.suspend = [map::SUSPEND_PC, map::SUSPEND_MODE].map(|addr| self.read(addr >> 2, RESUME));
            for step in &segment.steps {
                self.step(step, segment)?;
                self.ts += SLOTS;
            }
            if self.filled_code.is_empty() {
                return Ok(());
            }
            // A read filled a page that was taken for code: it is data.
            let code = self.code.difference(&self.filled_code).copied().collect();
            *self = Replay::with_code(segment, code);
        }
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
            return Access { old: 0, new: 0, t_prev };
        }
        let page = self.page(waddr / WORDS);
        let i = (waddr % WORDS) as usize;
        let t_prev = std::mem::replace(&mut page.time[i], t);
        Access { old: page.now[i], new: page.now[i], t_prev }
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
        let uncovered = |what| Err(WitnessError::Uncovered { pc: step.pc, what });
        let is_dispatch = step.trap == Some(Cause::UserEcall);
        if step.trap.is_some() && !is_dispatch {
            return uncovered("a fault that enters the kernel");
        }
        let Some(insn) = decode(step.insn) else {
            return uncovered("an illegal instruction");
        };
        let tag = self.fetch(step.pc, step.mode, step.insn);
        let event = Event {
            ts: self.ts,
            pc: step.pc,
            mode: step.mode,
            tag,
            insn,
            rs1: Access::default(),
            rs2: Access::default(),
            rd: Access::default(),
            mem: Access::default(),
            from_code: false,
            next_pc: step.next_pc,
        };
        if is_dispatch {
            let vector = self.read(map::ECALL_VECTOR >> 2, self.ts + LOAD);
            if vector.old != step.next_pc {
                return uncovered("an ecall that enters the kernel by the trap vector");
            }
            let rd = self.write(map::MEPC >> 2, step.pc, self.ts + RD);
            let event = Event { mem: vector, rd, ..event };
            self.events.entry(Family::Dispatch).or_default().push(event);
            return Ok(());
        }
        if insn.op == Op::Ecall {
            return self.call(event, step, segment);
        }
        let event = self.operate(event, step);
        self.events.entry(Family::of(insn.op)).or_default().push(event);
        Ok(())
    }

    /// Fetches the instruction at `pc`; returns its tag.
    fn fetch(&mut self, pc: u32, mode: Mode, word: u32) -> u32 {
        let waddr = pc >> 2;
        if !self.is_code(waddr) {
            let (tag, Access { t_prev, .. }) = (self.ts, self.read(waddr, self.ts));
            self.decoded.push(Decoded { pc, mode, word, count: 1, tag, t_prev });
            return tag;
        }
        match self.statics.get(&(pc, mode)) {
            Some(&place) => self.decoded[place].count += 1,
            None => {
                self.take_code(waddr);
                self.statics.insert((pc, mode), self.decoded.len());
                self.decoded.push(Decoded { pc, mode, word, count: 1, tag: 0, t_prev: 0 });
            }
        }
        0
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
        if ![READ, WRITE].contains(&a7.old) {
            return Err(WitnessError::Uncovered { pc: step.pc, what: "a poseidon2, sha2 or bigint ECALL" });
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

    /// The words that `bytes` fill from `addr` on.
    fn fill(&mut self, ts: u32, addr: u32, bytes: &[u8]) {
        let (mut addr, mut rest) = (addr, bytes);
        while !rest.is_empty() {
            let start = addr % 4;
            let (now, later) = rest.split_at(rest.len().min(4 - start as usize));
            let old = self.page((addr >> 2) / WORDS).now[((addr >> 2) % WORDS) as usize];
            let mut new = old.to_le_bytes();
            new[start as usize..start as usize + now.len()].copy_from_slice(now);
            if self.is_code(addr >> 2) {
                self.filled_code.insert((addr >> 2) / WORDS);
            }
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

/// The pages that the segment executes and does not write; the register page is data at all times.
fn code_pages(segment: &Segment) -> HashSet<u32> {
    let mut executed: HashSet<u32> = segment.steps.iter().map(|step| PageNo::of(step.pc).0).collect();
    let stored = segment.steps.iter().filter_map(|step| step.mem).filter(|mem| mem.wmask != 0);
    stored.for_each(|mem| {
        executed.remove(&PageNo::of(mem.addr).0);
    });
    executed.remove(&PageNo::of(map::MACHINE_REGS).0);
    executed
}
