//! The plain engine: one instruction at a time, safe code, one exhaustive `match`.

use super::{Engine, Exit, INTERRUPT_STEPS, Until, WatchRange, ops};
use crate::ecall::{self, Call, Halt, Host, Served};
use crate::hart::Machine;
use crate::isa::{Format, Insn, Op, Reg, decode};
use crate::map::{self, Addr, Mode};
use crate::mem::MemSpan;
use crate::trace::{MemAccess, RegAccess, Retired, Sink};
use crate::trap::{Cause, Fault, Trap};

/// The engine that executes one instruction at a time.
pub struct Step {
    decoded: DecodeCache,
}

impl Default for Step {
    fn default() -> Self {
        Step::new()
    }
}

impl Step {
    /// An engine with an empty cache of decoded words.
    pub fn new() -> Step {
        Step { decoded: DecodeCache::new() }
    }
}

impl Engine for Step {
    fn run(&mut self, machine: &mut Machine, host: &mut dyn Host, until: Until<'_>, sink: &mut impl Sink) -> Exit {
        match until.watch {
            [] => self.run_watching(machine, host, until, sink, &mut ()),
            ranges => self.run_watching(machine, host, until, sink, &mut Watching::new(ranges)),
        }
    }
}

impl Step {
    /// [`Engine::run`], with `watch` looking at every data access.
    fn run_watching(
        &mut self,
        machine: &mut Machine,
        host: &mut dyn Host,
        until: Until<'_>,
        sink: &mut impl Sink,
        watch: &mut impl Watch,
    ) -> Exit {
        let start = machine.hart.instructions;
        loop {
            if until.is_interrupted() {
                return Exit::Interrupted;
            }
            let pause = until.order.min(machine.hart.instructions.saturating_add(INTERRUPT_STEPS));
            while machine.hart.instructions < pause {
                if until.breakpoints.is_some_and(|set| set.contains(&machine.hart.pc))
                    && machine.hart.instructions != start
                {
                    return Exit::Breakpoint;
                }
                if let Err(exit) = self.step(machine, host, sink, watch) {
                    return exit;
                }
            }
            if machine.hart.instructions >= until.order {
                return Exit::Order;
            }
        }
    }
}

/// What a retired instruction did besides writing registers.
pub(super) struct Effect {
    pub next_pc: Addr,
    pub next_mode: Mode,
    pub rd: Option<u32>,
    pub mem: Option<MemAccess>,
    /// The machine ECALL that the instruction was, boxed because few are.
    call: Option<Box<Call>>,
    pub end: Option<(Halt, u16)>,
}

impl Step {
    /// Makes one step.
    ///
    /// # Errors
    /// The exit, when the run ends with this step or before it.
    #[inline]
    fn step(
        &mut self,
        machine: &mut Machine,
        host: &mut dyn Host,
        sink: &mut impl Sink,
        watch: &mut impl Watch,
    ) -> Result<(), Exit> {
        let pc = machine.hart.pc;
        match self.fetch(machine, pc) {
            Ok((word, insn)) => {
                let before = sources(machine, insn, word, sink);
                match execute(machine, host, word, insn) {
                    Ok(effect) => {
                        retire(machine, insn, &effect, before, sink)?;
                        watch.check(&effect)
                    }
                    Err(trap) => enter_kernel(machine, trap, word, before, sink),
                }
            }
            Err((trap, word)) => enter_kernel(machine, trap, word, None, sink),
        }
    }

    /// The instruction at `pc` (TRAP-7: region first, then decoding).
    #[inline]
    fn fetch(&mut self, machine: &Machine, pc: Addr) -> Result<(u32, Insn), (Trap, u32)> {
        if !machine.hart.mode.may_access(pc) {
            return Err((Trap::new(Cause::InstructionAccessFault, pc), 0));
        }
        let word = machine.word(pc);
        match self.decoded.get(word) {
            Some(insn) => Ok((word, insn)),
            None => Err((Trap::new(Cause::IllegalInstruction, word), word)),
        }
    }
}

/// Looks at every data access. `()` looks at none and costs nothing.
trait Watch {
    /// Whether to stop after this step.
    #[inline]
    fn check(&mut self, _effect: &Effect) -> Result<(), Exit> {
        Ok(())
    }
}

impl Watch for () {}

/// Stops at accesses to ranges.
struct Watching<'a> {
    ranges: &'a [WatchRange],
    /// The lowest and the highest watched address: most accesses are outside.
    first: Addr,
    last: Addr,
}

impl<'a> Watching<'a> {
    fn new(ranges: &'a [WatchRange]) -> Watching<'a> {
        let first = ranges.iter().map(|range| range.first).min().unwrap_or(Addr::MAX);
        let last = ranges.iter().map(|range| range.last).max().unwrap_or(0);
        Watching { ranges, first, last }
    }

    #[inline]
    fn check_span(&self, span: MemSpan) -> Result<(), Exit> {
        if span.first > self.last || span.last < self.first {
            return Ok(());
        }
        match self.ranges.iter().any(|range| range.is_hit_by(&span)) {
            true => Err(Exit::Watch(span)),
            false => Ok(()),
        }
    }
}

impl Watch for Watching<'_> {
    #[inline]
    fn check(&mut self, effect: &Effect) -> Result<(), Exit> {
        if let Some(mem) = effect.mem {
            return self.check_span(span_of(mem));
        }
        effect.call.iter().flat_map(|call| &call.spans).try_for_each(|span| self.check_span(*span))
    }
}

/// The bytes that a load or store moved.
#[inline]
fn span_of(mem: MemAccess) -> MemSpan {
    let bytes = u8::BITS - (mem.rmask | mem.wmask).leading_zeros();
    MemSpan { first: mem.addr, last: mem.addr + (bytes - 1), is_write: mem.wmask != 0 }
}

/// What an instruction reads and changes. The machine is one; `probe.rs` has a small one, on which
/// what this file does with an instruction is proved for all values.
pub(super) trait State {
    fn pc(&self) -> Addr;
    fn mode(&self) -> Mode;
    fn x(&self, reg: Reg) -> u32;
    fn set_x(&mut self, reg: Reg, value: u32);
    fn word(&self, addr: Addr) -> u32;
    fn set_word(&mut self, addr: Addr, value: u32);
    /// Serves the ECALL at pc (ECALL-1).
    fn serve(&mut self, host: &mut dyn Host) -> Result<Served, Trap>;
}

impl State for Machine {
    #[inline]
    fn pc(&self) -> Addr {
        self.hart.pc
    }
    #[inline]
    fn mode(&self) -> Mode {
        self.hart.mode
    }
    #[inline]
    fn x(&self, reg: Reg) -> u32 {
        self.hart.x(reg)
    }
    #[inline]
    fn set_x(&mut self, reg: Reg, value: u32) {
        self.hart.set_x(reg, value);
    }
    #[inline]
    fn word(&self, addr: Addr) -> u32 {
        Machine::word(self, addr)
    }
    #[inline]
    fn set_word(&mut self, addr: Addr, value: u32) {
        Machine::set_word(self, addr, value);
    }
    #[inline(never)]
    fn serve(&mut self, host: &mut dyn Host) -> Result<Served, Trap> {
        ecall::serve(self, host)
    }
}

/// Executes `insn`; on a trap nothing has changed (TRAP-2).
#[inline]
fn execute(machine: &mut Machine, host: &mut dyn Host, word: u32, insn: Insn) -> Result<Effect, Trap> {
    execute_on(machine, host, word, insn)
}

/// [`execute`] on any state. Where the operation is known, only its arm is left.
#[inline(always)]
pub(super) fn execute_on(machine: &mut impl State, host: &mut dyn Host, word: u32, insn: Insn) -> Result<Effect, Trap> {
    let pc = machine.pc();
    let (a, b) = (machine.x(insn.rs1), machine.x(insn.rs2));
    let imm = insn.imm as u32;
    match insn.op {
        Op::Add => write(machine, insn, ops::add(a, b)),
        Op::Sub => write(machine, insn, ops::sub(a, b)),
        Op::Xor => write(machine, insn, ops::xor(a, b)),
        Op::Or => write(machine, insn, ops::or(a, b)),
        Op::And => write(machine, insn, ops::and(a, b)),
        Op::Addi => write(machine, insn, ops::add(a, imm)),
        Op::Xori => write(machine, insn, ops::xor(a, imm)),
        Op::Ori => write(machine, insn, ops::or(a, imm)),
        Op::Andi => write(machine, insn, ops::and(a, imm)),
        Op::Slt => write(machine, insn, ops::slt(a, b)),
        Op::Sltu => write(machine, insn, ops::sltu(a, b)),
        Op::Slti => write(machine, insn, ops::slt(a, imm)),
        Op::Sltiu => write(machine, insn, ops::sltu(a, imm)),
        Op::Sll => write(machine, insn, ops::sll(a, b)),
        Op::Srl => write(machine, insn, ops::srl(a, b)),
        Op::Sra => write(machine, insn, ops::sra(a, b)),
        Op::Slli => write(machine, insn, ops::sll(a, imm)),
        Op::Srli => write(machine, insn, ops::srl(a, imm)),
        Op::Srai => write(machine, insn, ops::sra(a, imm)),
        Op::Beq => branch(machine, imm, ops::beq(a, b)),
        Op::Bne => branch(machine, imm, ops::bne(a, b)),
        Op::Blt => branch(machine, imm, ops::blt(a, b)),
        Op::Bge => branch(machine, imm, ops::bge(a, b)),
        Op::Bltu => branch(machine, imm, ops::bltu(a, b)),
        Op::Bgeu => branch(machine, imm, ops::bgeu(a, b)),
        Op::Jal => jump(machine, insn, ops::pc_relative(pc, imm)),
        Op::Jalr => jump(machine, insn, ops::jalr_target(a, imm)),
        Op::Lui => write(machine, insn, ops::lui(imm)),
        Op::Auipc => write(machine, insn, ops::auipc(pc, imm)),
        Op::Lb => load(machine, insn, 1, ops::lb),
        Op::Lh => load(machine, insn, 2, ops::lh),
        Op::Lw => load(machine, insn, 4, |word, _| ops::lw(word)),
        Op::Lbu => load(machine, insn, 1, ops::lbu),
        Op::Lhu => load(machine, insn, 2, ops::lhu),
        Op::Sb => store(machine, insn, 1, ops::sb),
        Op::Sh => store(machine, insn, 2, ops::sh),
        Op::Sw => store(machine, insn, 4, |_, _, value| ops::sw(value)),
        Op::Mul => write(machine, insn, ops::mul(a, b)),
        Op::Mulh => write(machine, insn, ops::mulh(a, b)),
        Op::Mulhsu => write(machine, insn, ops::mulhsu(a, b)),
        Op::Mulhu => write(machine, insn, ops::mulhu(a, b)),
        Op::Div => write(machine, insn, ops::div(a, b)),
        Op::Divu => write(machine, insn, ops::divu(a, b)),
        Op::Rem => write(machine, insn, ops::rem(a, b)),
        Op::Remu => write(machine, insn, ops::remu(a, b)),
        // ISA-4: memory is sequentially consistent already.
        Op::Fence => Ok(Effect::next(machine)),
        Op::Ebreak => Err(Trap::new(Cause::Breakpoint, pc)),
        Op::Ecall => ecall(machine, host),
        Op::Mret => mret(machine, word),
    }
}

impl Effect {
    /// Continue behind the instruction.
    #[inline]
    fn next(machine: &impl State) -> Effect {
        Effect::to(machine, ops::next_pc(machine.pc()))
    }

    /// Continue at `next_pc`.
    #[inline]
    fn to(machine: &impl State, next_pc: Addr) -> Effect {
        Effect { next_pc, next_mode: machine.mode(), rd: None, mem: None, call: None, end: None }
    }
}

#[inline]
fn write(machine: &mut impl State, insn: Insn, value: u32) -> Result<Effect, Trap> {
    machine.set_x(insn.rd, value);
    Ok(Effect { rd: Some(value), ..Effect::next(machine) })
}

#[inline]
fn branch(machine: &impl State, imm: u32, is_taken: bool) -> Result<Effect, Trap> {
    if !is_taken {
        return Ok(Effect::next(machine));
    }
    let target = aligned(ops::pc_relative(machine.pc(), imm))?;
    Ok(Effect::to(machine, target))
}

#[inline]
fn jump(machine: &mut impl State, insn: Insn, target: Addr) -> Result<Effect, Trap> {
    let target = aligned(target)?;
    let link = ops::next_pc(machine.pc());
    machine.set_x(insn.rd, link);
    Ok(Effect { rd: Some(link), ..Effect::to(machine, target) })
}

/// ISA-13.
#[inline]
fn aligned(target: Addr) -> Result<Addr, Trap> {
    if ops::is_aligned_target(target) {
        Ok(target)
    } else {
        Err(Trap::new(Cause::InstructionAddressMisaligned, target))
    }
}

#[inline]
fn load(machine: &mut impl State, insn: Insn, width: u32, extract: fn(u32, u32) -> u32) -> Result<Effect, Trap> {
    let addr = ops::effective_address(machine.x(insn.rs1), insn.imm as u32);
    check_access(machine.mode(), addr, width, Cause::LoadAccessFault, Cause::LoadAddressMisaligned)?;
    let value = extract(machine.word(addr), addr);
    machine.set_x(insn.rd, value);
    let mem = MemAccess { addr, rmask: byte_mask(width), rdata: value & data_mask(width), ..MemAccess::default() };
    Ok(Effect { rd: Some(value), mem: Some(mem), ..Effect::next(machine) })
}

#[inline]
fn store(machine: &mut impl State, insn: Insn, width: u32, insert: fn(u32, u32, u32) -> u32) -> Result<Effect, Trap> {
    let addr = ops::effective_address(machine.x(insn.rs1), insn.imm as u32);
    check_access(machine.mode(), addr, width, Cause::StoreAccessFault, Cause::StoreAddressMisaligned)?;
    let value = machine.x(insn.rs2);
    let old = if width < map::WORD_BYTES { machine.word(addr) } else { 0 };
    machine.set_word(addr, insert(old, addr, value));
    let mem = MemAccess { addr, wmask: byte_mask(width), wdata: value & data_mask(width), ..MemAccess::default() };
    Ok(Effect { mem: Some(mem), ..Effect::next(machine) })
}

/// MEM-4: the region first, then the alignment.
#[inline]
fn check_access(mode: Mode, addr: Addr, width: u32, forbidden: Cause, misaligned: Cause) -> Result<(), Trap> {
    if !mode.may_access(addr) {
        return Err(Trap::new(forbidden, addr));
    }
    if addr & (width - 1) != 0 {
        return Err(Trap::new(misaligned, addr));
    }
    Ok(())
}

/// RVFI's mask of `width` bytes: one bit a byte.
const fn byte_mask(width: u32) -> u8 {
    (1 << width) - 1
}

/// The bits of `width` bytes.
const fn data_mask(width: u32) -> u32 {
    u32::MAX >> (32 - 8 * width)
}

#[inline]
fn ecall(machine: &mut impl State, host: &mut dyn Host) -> Result<Effect, Trap> {
    if machine.mode() == Mode::User {
        return Err(Trap::new(Cause::UserEcall, machine.pc()));
    }
    match machine.serve(host)? {
        Served::Done(call) => Ok(Effect { call: Some(Box::new(call)), ..Effect::next(machine) }),
        Served::Terminated { halt, user_exit } => {
            let stays = Effect::to(machine, machine.pc());
            let resume = if halt == Halt::Paused { Effect::next(machine) } else { stays };
            Ok(Effect { end: Some((halt, user_exit)), ..resume })
        }
    }
}

/// MODE-4, MODE-5.
fn mret(machine: &impl State, word: u32) -> Result<Effect, Trap> {
    if machine.mode() == Mode::User {
        return Err(Trap::new(Cause::IllegalInstruction, word));
    }
    let target = aligned(ops::next_pc(machine.word(map::MEPC)))?;
    Ok(Effect { next_mode: Mode::User, ..Effect::to(machine, target) })
}

/// Makes `effect` the state after the step, and shows the step to the sink.
#[inline]
fn retire(
    machine: &mut Machine,
    insn: Insn,
    effect: &Effect,
    before: Option<Retired>,
    sink: &mut impl Sink,
) -> Result<(), Exit> {
    machine.hart.pc = effect.next_pc;
    machine.hart.mode = effect.next_mode;
    machine.hart.instructions += 1;
    machine.hart.cycles += 1;
    if let Some(call) = &effect.call {
        machine.hart.cycles += call.extra_cycles;
        sink.called(call);
    }
    if let Some(mut step) = before {
        step.next_pc = effect.next_pc;
        step.next_mode = effect.next_mode;
        step.rd = effect.rd.map(|value| RegAccess { reg: insn.rd, value });
        step.mem = effect.mem;
        sink.retired(&step);
    }
    match effect.end {
        Some((halt, user_exit)) => Err(Exit::Terminated { halt, user_exit }),
        None => Ok(()),
    }
}

/// A trap: into the kernel if there is one (MODE-2, TRAP-3), else the end of the run (TRAP-4).
#[cold]
fn enter_kernel(
    machine: &mut Machine,
    trap: Trap,
    word: u32,
    before: Option<Retired>,
    sink: &mut impl Sink,
) -> Result<(), Exit> {
    let hart = &machine.hart;
    let Some(vector) = kernel_entry(machine, trap.cause) else {
        let user_pc = if hart.mode == Mode::User { Some(hart.pc) } else { hart.last_user_trap };
        return Err(Exit::Fault(Fault { cause: trap.cause, pc: hart.pc, mode: hart.mode, addr: trap.addr, user_pc }));
    };
    let step = Retired {
        next_pc: vector,
        next_mode: Mode::Machine,
        trap: Some(trap.cause),
        ..before.unwrap_or_else(|| Retired::at(machine, word))
    };
    machine.set_word(map::MEPC, step.pc);
    machine.hart.last_user_trap = Some(step.pc);
    machine.hart.pc = vector;
    machine.hart.mode = Mode::Machine;
    machine.hart.instructions += 1;
    machine.hart.cycles += 1;
    sink.retired(&step);
    Ok(())
}

/// Where the kernel takes a trap of `cause`, if it takes it.
fn kernel_entry(machine: &Machine, cause: Cause) -> Option<Addr> {
    if machine.hart.mode == Mode::Machine {
        return None;
    }
    // MODE-6: an ECALL without a valid ECALL vector is a fault like any other.
    let vectors = match cause {
        Cause::UserEcall => &[map::ECALL_VECTOR, map::TRAP_VECTOR][..],
        _ => &[map::TRAP_VECTOR][..],
    };
    vectors.iter().map(|&cell| machine.word(cell)).find(|&vector| map::is_valid_vector(vector))
}

impl Retired {
    /// The record of the step about to be made, with nothing read or written yet.
    fn at(machine: &Machine, insn: u32) -> Retired {
        let hart = &machine.hart;
        Retired {
            order: hart.instructions,
            pc: hart.pc,
            insn,
            next_pc: hart.pc,
            mode: hart.mode,
            next_mode: hart.mode,
            rs1: None,
            rs2: None,
            rd: None,
            mem: None,
            trap: None,
        }
    }
}

/// The record of the step about to be made with its sources, if the sink wants to see it.
#[inline]
fn sources<S: Sink>(machine: &Machine, insn: Insn, word: u32, _sink: &S) -> Option<Retired> {
    S::IS_ACTIVE.then(|| {
        let read = |reg| Some(RegAccess { reg, value: machine.hart.x(reg) });
        let (rs1, rs2) = match insn.op.format() {
            Format::R | Format::S | Format::B => (read(insn.rs1), read(insn.rs2)),
            Format::I | Format::Shamt => (read(insn.rs1), None),
            Format::U | Format::J | Format::Fence | Format::Bare => (None, None),
        };
        Retired { rs1, rs2, ..Retired::at(machine, word) }
    })
}

/// Words that were decoded before. Decoding is a pure function of the word, so nothing in here
/// ever becomes stale: a store to code is seen because it changes the word that is fetched (MEM-5).
struct DecodeCache {
    entries: Vec<(u32, Option<Insn>)>,
}

/// 4,096 entries of 16 bytes fit the host's first-level cache twice over.
const DECODED_ENTRIES: usize = 4096;

impl DecodeCache {
    fn new() -> DecodeCache {
        DecodeCache { entries: vec![(0, decode(0)); DECODED_ENTRIES] }
    }

    #[inline]
    fn get(&mut self, word: u32) -> Option<Insn> {
        // A multiplicative hash: the upper bits of the product depend on all bits of the word.
        let index = (word.wrapping_mul(0x9E37_79B1) >> 20) as usize % DECODED_ENTRIES;
        let entry = &mut self.entries[index];
        if entry.0 != word {
            *entry = (word, decode(word));
        }
        entry.1
    }
}
