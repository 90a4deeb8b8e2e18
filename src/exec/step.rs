//! The plain engine: one instruction at a time, safe code, one exhaustive `match`.

use super::{Engine, Exit, INTERRUPT_STEPS, Until, WatchRange, ops};
use crate::ecall::{self, Halt, Host, Served};
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
            [] if !is_active(sink) => self.run_noting::<()>(machine, host, until, sink),
            _ => self.run_noting::<Accesses>(machine, host, until, sink),
        }
    }
}

impl Step {
    /// [`Engine::run`], with `N` taking notes of what each step does.
    fn run_noting<N: Notes>(
        &mut self,
        machine: &mut Machine,
        host: &mut dyn Host,
        until: Until<'_>,
        sink: &mut impl Sink,
    ) -> Exit {
        let start = machine.hart.instructions;
        let watch = Watching::new(until.watch);
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
                if let Err(exit) = self.step::<N>(machine, host, sink, &watch) {
                    return exit;
                }
            }
            if machine.hart.instructions >= until.order {
                return Exit::Order;
            }
        }
    }

    /// Makes one step.
    ///
    /// # Errors
    /// The exit, when the run ends with this step or before it.
    #[inline]
    fn step<N: Notes>(
        &mut self,
        machine: &mut Machine,
        host: &mut dyn Host,
        sink: &mut impl Sink,
        watch: &Watching<'_>,
    ) -> Result<(), Exit> {
        let pc = machine.hart.pc;
        let (word, insn) = match self.fetch(machine, pc) {
            Ok(fetched) => fetched,
            Err((trap, word)) => return enter_kernel(machine, trap, word, None, sink),
        };
        let before = sources(machine, insn, word, sink);
        if is_call(machine, insn) {
            return call(machine, host, word, before, sink, watch);
        }
        let mut notes = N::default();
        match execute(machine, word, insn, &mut notes) {
            Ok(next_pc) => {
                retire(machine, next_pc);
                notes.show(machine, insn, before, sink, watch)
            }
            Err(trap) => enter_kernel(machine, trap, word, before, sink),
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

fn is_active<S: Sink>(_sink: &S) -> bool {
    S::IS_ACTIVE
}

/// What a step did besides moving pc, for those who look. `()` notes nothing and costs nothing.
pub(super) trait Notes: Default {
    /// The destination register, x0 included, got `value`.
    #[inline]
    fn wrote(&mut self, _value: u32) {}

    /// A load or store did `access`.
    #[inline]
    fn accessed(&mut self, _access: MemAccess) {}

    /// Shows the step, which retired, to the sink and to the watch.
    ///
    /// # Errors
    /// The exit, when the step accessed what is watched.
    #[inline]
    fn show(
        &self,
        _machine: &Machine,
        _insn: Insn,
        _before: Option<Retired>,
        _sink: &mut impl Sink,
        _watch: &Watching<'_>,
    ) -> Result<(), Exit> {
        Ok(())
    }
}

impl Notes for () {}

/// Notes of everything.
#[derive(Default)]
struct Accesses {
    rd: Option<u32>,
    mem: Option<MemAccess>,
}

impl Notes for Accesses {
    #[inline]
    fn wrote(&mut self, value: u32) {
        self.rd = Some(value);
    }

    #[inline]
    fn accessed(&mut self, access: MemAccess) {
        self.mem = Some(access);
    }

    #[inline]
    fn show(
        &self,
        machine: &Machine,
        insn: Insn,
        before: Option<Retired>,
        sink: &mut impl Sink,
        watch: &Watching<'_>,
    ) -> Result<(), Exit> {
        let rd = self.rd.map(|value| RegAccess { reg: insn.rd, value });
        show(machine, before.map(|step| Retired { rd, mem: self.mem, ..step }), sink);
        self.mem.map_or(Ok(()), |mem| watch.check(span_of(mem)))
    }
}

/// Stops at accesses to ranges.
pub(super) struct Watching<'a> {
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
    fn check(&self, span: MemSpan) -> Result<(), Exit> {
        if span.first > self.last || span.last < self.first {
            return Ok(());
        }
        match self.ranges.iter().any(|range| range.is_hit_by(&span)) {
            true => Err(Exit::Watch(span)),
            false => Ok(()),
        }
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
    fn set_mode(&mut self, mode: Mode);
    fn x(&self, reg: Reg) -> u32;
    fn set_x(&mut self, reg: Reg, value: u32);
    fn word(&self, addr: Addr) -> u32;
    fn set_word(&mut self, addr: Addr, value: u32);
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
    fn set_mode(&mut self, mode: Mode) {
        self.hart.mode = mode;
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
}

/// Whether `insn` is an ECALL of machine mode, which the machine serves.
#[inline(always)]
pub(super) fn is_call(machine: &impl State, insn: Insn) -> bool {
    insn.op == Op::Ecall && machine.mode() == Mode::Machine
}

#[inline]
fn execute(machine: &mut Machine, word: u32, insn: Insn, notes: &mut impl Notes) -> Result<Addr, Trap> {
    execute_on(machine, word, insn, notes)
}

/// Executes `insn` and returns the address of the next one; on a trap nothing has changed (TRAP-2).
/// Where the operation is known, only its arm is left.
#[inline(always)]
pub(super) fn execute_on(
    machine: &mut impl State,
    word: u32,
    insn: Insn,
    notes: &mut impl Notes,
) -> Result<Addr, Trap> {
    let pc = machine.pc();
    let (a, b) = (machine.x(insn.rs1), machine.x(insn.rs2));
    let imm = insn.imm as u32;
    match insn.op {
        Op::Add => write(machine, insn, notes, ops::add(a, b)),
        Op::Sub => write(machine, insn, notes, ops::sub(a, b)),
        Op::Xor => write(machine, insn, notes, ops::xor(a, b)),
        Op::Or => write(machine, insn, notes, ops::or(a, b)),
        Op::And => write(machine, insn, notes, ops::and(a, b)),
        Op::Addi => write(machine, insn, notes, ops::add(a, imm)),
        Op::Xori => write(machine, insn, notes, ops::xor(a, imm)),
        Op::Ori => write(machine, insn, notes, ops::or(a, imm)),
        Op::Andi => write(machine, insn, notes, ops::and(a, imm)),
        Op::Slt => write(machine, insn, notes, ops::slt(a, b)),
        Op::Sltu => write(machine, insn, notes, ops::sltu(a, b)),
        Op::Slti => write(machine, insn, notes, ops::slt(a, imm)),
        Op::Sltiu => write(machine, insn, notes, ops::sltu(a, imm)),
        Op::Sll => write(machine, insn, notes, ops::sll(a, b)),
        Op::Srl => write(machine, insn, notes, ops::srl(a, b)),
        Op::Sra => write(machine, insn, notes, ops::sra(a, b)),
        Op::Slli => write(machine, insn, notes, ops::sll(a, imm)),
        Op::Srli => write(machine, insn, notes, ops::srl(a, imm)),
        Op::Srai => write(machine, insn, notes, ops::sra(a, imm)),
        Op::Beq => branch(machine, imm, ops::beq(a, b)),
        Op::Bne => branch(machine, imm, ops::bne(a, b)),
        Op::Blt => branch(machine, imm, ops::blt(a, b)),
        Op::Bge => branch(machine, imm, ops::bge(a, b)),
        Op::Bltu => branch(machine, imm, ops::bltu(a, b)),
        Op::Bgeu => branch(machine, imm, ops::bgeu(a, b)),
        Op::Jal => jump(machine, insn, notes, ops::pc_relative(pc, imm)),
        Op::Jalr => jump(machine, insn, notes, ops::jalr_target(a, imm)),
        Op::Lui => write(machine, insn, notes, ops::lui(imm)),
        Op::Auipc => write(machine, insn, notes, ops::auipc(pc, imm)),
        Op::Lb => load(machine, insn, notes, 1, ops::lb),
        Op::Lh => load(machine, insn, notes, 2, ops::lh),
        Op::Lw => load(machine, insn, notes, 4, |word, _| ops::lw(word)),
        Op::Lbu => load(machine, insn, notes, 1, ops::lbu),
        Op::Lhu => load(machine, insn, notes, 2, ops::lhu),
        Op::Sb => store(machine, insn, notes, 1, ops::sb),
        Op::Sh => store(machine, insn, notes, 2, ops::sh),
        Op::Sw => store(machine, insn, notes, 4, |_, _, value| ops::sw(value)),
        Op::Mul => write(machine, insn, notes, ops::mul(a, b)),
        Op::Mulh => write(machine, insn, notes, ops::mulh(a, b)),
        Op::Mulhsu => write(machine, insn, notes, ops::mulhsu(a, b)),
        Op::Mulhu => write(machine, insn, notes, ops::mulhu(a, b)),
        Op::Div => write(machine, insn, notes, ops::div(a, b)),
        Op::Divu => write(machine, insn, notes, ops::divu(a, b)),
        Op::Rem => write(machine, insn, notes, ops::rem(a, b)),
        Op::Remu => write(machine, insn, notes, ops::remu(a, b)),
        // ISA-4: memory is sequentially consistent already.
        Op::Fence => Ok(ops::next_pc(pc)),
        Op::Ebreak => Err(Trap::new(Cause::Breakpoint, pc)),
        // Those of machine mode do not come here: see `call`.
        Op::Ecall => Err(Trap::new(Cause::UserEcall, pc)),
        Op::Mret => mret(machine, word),
    }
}

#[inline]
fn write(machine: &mut impl State, insn: Insn, notes: &mut impl Notes, value: u32) -> Result<Addr, Trap> {
    machine.set_x(insn.rd, value);
    notes.wrote(value);
    Ok(ops::next_pc(machine.pc()))
}

#[inline]
fn branch(machine: &impl State, imm: u32, is_taken: bool) -> Result<Addr, Trap> {
    let pc = machine.pc();
    if is_taken { aligned(ops::pc_relative(pc, imm)) } else { Ok(ops::next_pc(pc)) }
}

#[inline]
fn jump(machine: &mut impl State, insn: Insn, notes: &mut impl Notes, target: Addr) -> Result<Addr, Trap> {
    let target = aligned(target)?;
    write(machine, insn, notes, ops::next_pc(machine.pc()))?;
    Ok(target)
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
fn load(
    machine: &mut impl State,
    insn: Insn,
    notes: &mut impl Notes,
    width: u32,
    extract: fn(u32, u32) -> u32,
) -> Result<Addr, Trap> {
    let addr = ops::effective_address(machine.x(insn.rs1), insn.imm as u32);
    check_access(machine.mode(), addr, width, Cause::LoadAccessFault, Cause::LoadAddressMisaligned)?;
    let value = extract(machine.word(addr), addr);
    notes.accessed(MemAccess {
        addr,
        rmask: byte_mask(width),
        rdata: value & data_mask(width),
        ..MemAccess::default()
    });
    write(machine, insn, notes, value)
}

#[inline]
fn store(
    machine: &mut impl State,
    insn: Insn,
    notes: &mut impl Notes,
    width: u32,
    insert: fn(u32, u32, u32) -> u32,
) -> Result<Addr, Trap> {
    let addr = ops::effective_address(machine.x(insn.rs1), insn.imm as u32);
    check_access(machine.mode(), addr, width, Cause::StoreAccessFault, Cause::StoreAddressMisaligned)?;
    let value = machine.x(insn.rs2);
    let old = if width < map::WORD_BYTES { machine.word(addr) } else { 0 };
    machine.set_word(addr, insert(old, addr, value));
    notes.accessed(MemAccess {
        addr,
        wmask: byte_mask(width),
        wdata: value & data_mask(width),
        ..MemAccess::default()
    });
    Ok(ops::next_pc(machine.pc()))
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

/// Serves an ECALL of machine mode.
#[inline(never)]
fn call(
    machine: &mut Machine,
    host: &mut dyn Host,
    word: u32,
    before: Option<Retired>,
    sink: &mut impl Sink,
    watch: &Watching<'_>,
) -> Result<(), Exit> {
    let pc = machine.hart.pc;
    match ecall::serve(machine, host) {
        Ok(Served::Done(call)) => {
            retire(machine, ops::next_pc(pc));
            machine.hart.cycles += call.extra_cycles;
            sink.called(&call);
            show(machine, before, sink);
            call.spans.iter().try_for_each(|span| watch.check(*span))
        }
        Ok(Served::Terminated { halt, user_exit }) => {
            retire(machine, if halt == Halt::Paused { ops::next_pc(pc) } else { pc });
            show(machine, before, sink);
            Err(Exit::Terminated { halt, user_exit })
        }
        Err(trap) => enter_kernel(machine, trap, word, before, sink),
    }
}

/// MODE-4, MODE-5.
fn mret(machine: &mut impl State, word: u32) -> Result<Addr, Trap> {
    if machine.mode() == Mode::User {
        return Err(Trap::new(Cause::IllegalInstruction, word));
    }
    let target = aligned(ops::next_pc(machine.word(map::MEPC)))?;
    machine.set_mode(Mode::User);
    Ok(target)
}

/// Counts the step that is done, and moves on to `next_pc`.
#[inline]
fn retire(machine: &mut Machine, next_pc: Addr) {
    machine.hart.pc = next_pc;
    machine.hart.instructions += 1;
    machine.hart.cycles += 1;
}

/// Shows the step that retired, of which `before` says what it was, to the sink.
#[inline]
fn show(machine: &Machine, before: Option<Retired>, sink: &mut impl Sink) {
    if let Some(step) = before {
        sink.retired(&Retired { next_pc: machine.hart.pc, next_mode: machine.hart.mode, ..step });
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
fn sources(machine: &Machine, insn: Insn, word: u32, sink: &impl Sink) -> Option<Retired> {
    is_active(sink).then(|| {
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
    entries: Box<[(u32, Option<Insn>); DECODED_ENTRIES]>,
}

/// 4,096 entries of 16 bytes fit the host's first-level cache twice over.
const DECODED_ENTRIES: usize = 4096;

impl DecodeCache {
    fn new() -> DecodeCache {
        DecodeCache { entries: Box::new([(0, decode(0)); DECODED_ENTRIES]) }
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
