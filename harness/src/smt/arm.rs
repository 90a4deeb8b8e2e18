//! What the specification says of one instruction on the small state of `lockstep::exec::probe`:
//! registers, memory and pc afterwards, or the trap.
//!
//! [`effect`] says what the instruction asks of the machine; what the machine makes of it is the
//! clauses MAP-5, MEM-3, MEM-4, ISA-13, MODE-4, MODE-5 and TRAP-1 to TRAP-5, written here once
//! for `u32` and for terms. `lockstep formal` also runs it against `lockstep_spec::zkvm` (layer `tool`).

use lockstep::exec::probe::{After, Given, tag};
use lockstep::isa::Op;
use lockstep_spec::effect::{Effect, Operands, Width, effect};
use lockstep_spec::rv32i;
use lockstep_spec::word::{Bool, Word};

use super::obligations::spec_op;

/// The names of [`Given`]'s fields, in order: the variables of every question about an arm.
pub const GIVEN: [&str; 13] =
    ["pc", "mode", "rd", "rs1", "rs2", "imm", "x_rs1", "x_rs2", "x_other", "place", "word", "elsewhere", "note"];

/// The state whose fields are named by [`GIVEN`].
pub fn given(value: impl Fn(&str) -> u32) -> Given {
    let [pc, mode, rd, rs1, rs2, imm, x_rs1, x_rs2, x_other, place, word, elsewhere, note] = GIVEN.map(value);
    Given { pc, mode, rd, rs1, rs2, imm, x_rs1, x_rs2, x_other, place, word, elsewhere, note }
}

/// The words of [`After`], the highest first.
pub type Packed<W> = [W; 4];

/// What must be true of an engine's arm.
#[derive(Clone, Debug)]
pub struct ArmClaim<W: Word> {
    /// The state afterwards.
    pub after: Packed<W>,
    /// The state of an arm that left the step to the plain engine, where it may.
    pub left: Option<Packed<W>>,
    /// What memory promises of the page that is accessed.
    pub promise: W::Bool,
}

/// What must be true of the plain engine's arm for `op`.
pub fn step_claim<W: Word>(op: Op, value: impl Fn(&str) -> W) -> ArmClaim<W> {
    ArmClaim { after: after(op, &value), left: None, promise: W::Bool::constant(true) }
}

/// What must be true of the block engine's arm for `op`.
///
/// A page's note allows a mode's plain stores only if the mode may access the page and it is not that of
/// the registers; `src/mem/mod.rs` gives the note and tests that.
pub fn block_claim<W: Word>(op: Op, value: impl Fn(&str) -> W) -> ArmClaim<W> {
    let zero = || W::constant(0);
    let left = [value("pc"), zero(), zero(), W::constant(tag::LEFT)];
    let addr = rv32i::effective_address(x_rs1(&value), value("imm"));
    let may_store = is_machine(&value).when_bool(bit(value("note"), 1), bit(value("note"), 0));
    let is_plain = is_allowed(&value, addr.clone()).and(addr.ult(W::constant(MACHINE_X)));
    ArmClaim { after: after(op, &value), left: Some(left), promise: may_store.not().or(is_plain) }
}

impl ArmClaim<u32> {
    /// The state afterwards, as [`After::pack`] gives it.
    pub fn value(&self) -> u128 {
        pack(self.after)
    }

    /// Whether an arm may have done this.
    pub fn allows(&self, done: u128) -> bool {
        !self.promise || done == pack(self.after) || self.left.is_some_and(|left| done == pack(left))
    }
}

/// The words as one number.
pub fn pack([next_pc, value, addr, tag]: Packed<u32>) -> u128 {
    After { next_pc, value, addr, tag }.pack()
}

// MAP-1 to MAP-5, and where the registers begin (MAP-6).
const USER: u32 = 0x0001_0000;
const KERNEL: u32 = 0xC000_0000;
const MACHINE_X: u32 = 0xFFFF_0000;
const MEPC: u32 = 0xFFFF_0200;
/// The number of the cell for values of x0 (MAP-7).
const SINK: u32 = 32;

// TRAP-1.
const MISALIGNED_TARGET: u32 = 0;
const ILLEGAL: u32 = 2;
const BREAKPOINT: u32 = 3;
const LOAD: Causes = Causes { misaligned: 4, forbidden: 5 };
const STORE: Causes = Causes { misaligned: 6, forbidden: 7 };
const ECALL_FROM_USER: u32 = 8;

/// Why an access raises.
#[derive(Clone, Copy)]
struct Causes {
    misaligned: u32,
    forbidden: u32,
}

/// The values of rs1 and rs2.
pub fn sources<W: Word>(value: impl Fn(&str) -> W) -> [W; 2] {
    [x_rs1(&value), x_rs2(&value)]
}

fn after<W: Word>(op: Op, value: &impl Fn(&str) -> W) -> Packed<W> {
    let pc = || value("pc");
    let next = || rv32i::next_pc(pc());
    let operands = Operands { pc: pc(), rs1: x_rs1(value), rs2: x_rs2(value), imm: value("imm") };
    match effect(spec_op(op), operands) {
        Effect::Write(written) => retired(next(), mode(value), write(value, written)),
        Effect::Jump { target, link } => jump(target.clone(), retired(target, mode(value), write(value, link))),
        Effect::Branch { is_taken, target } => {
            let taken = jump(target.clone(), retired(target, mode(value), nothing()));
            choose(is_taken, taken, retired(next(), mode(value), nothing()))
        }
        Effect::Load { addr, width, read } => {
            let loaded = read(memory(value, addr.clone()), addr.clone());
            access(value, LOAD, addr, width, retired(next(), mode(value), write(value, loaded)))
        }
        Effect::Store { addr, width, value: stored, write } => {
            let word = write(memory(value, addr.clone()), addr.clone(), stored);
            let change = [word, word_of(addr.clone()), W::constant(tag::WORD_WRITES)];
            access(value, STORE, addr, width, retired(next(), mode(value), change))
        }
        Effect::Fence => retired(next(), mode(value), nothing()),
        Effect::Ebreak => trap(BREAKPOINT, pc()),
        Effect::Ecall => {
            // The service is the machine's business; here it continues behind itself.
            let asked = retired(next(), mode(value), [W::constant(0), W::constant(0), W::constant(tag::ASKED)]);
            choose(is_machine(value), asked, trap(ECALL_FROM_USER, pc()))
        }
        Effect::Mret => {
            let target = rv32i::next_pc(memory(value, W::constant(MEPC)));
            let returned = jump(target.clone(), retired(target, W::constant(0), nothing()));
            // TRAP-5: the address of an illegal instruction is its word.
            choose(is_machine(value), returned, trap(ILLEGAL, value("word")))
        }
    }
}

/// The value, address and tag of what changed.
type Change<W> = [W; 3];

fn nothing<W: Word>() -> Change<W> {
    [0; 3].map(W::constant)
}

/// `written` goes to rd, or to the sink of x0 (ISA-6, MAP-7).
fn write<W: Word>(value: &impl Fn(&str) -> W, written: W) -> Change<W> {
    let rd = register(value, "rd");
    let cell = W::constant(SINK).when(rd.clone().eq(W::constant(0)), rd);
    let tag = cell.add(W::constant(1)).shl(W::constant(tag::REGISTER.trailing_zeros()));
    [written, W::constant(0), tag.or(W::constant(tag::REGISTER_WRITES))]
}

/// The instruction retires; `mode` is 0 or 1.
fn retired<W: Word>(next_pc: W, mode: W, [value, addr, tag]: Change<W>) -> Packed<W> {
    let mode = mode.shl(W::constant(tag::MODE.trailing_zeros()));
    [next_pc, value, addr, tag.or(mode)]
}

/// It raises (TRAP-2): nothing changes.
fn trap<W: Word>(cause: u32, addr: W) -> Packed<W> {
    [W::constant(0), W::constant(0), addr, W::constant(tag::TRAP * (cause + 1))]
}

/// ISA-13.
fn jump<W: Word>(target: W, done: Packed<W>) -> Packed<W> {
    choose(rv32i::is_misaligned_target(target.clone()), trap(MISALIGNED_TARGET, target), done)
}

/// MEM-4: the region first (MAP-5), then the alignment (MEM-3).
fn access<W: Word>(value: &impl Fn(&str) -> W, causes: Causes, addr: W, width: Width, done: Packed<W>) -> Packed<W> {
    let is_aligned = addr.clone().and(W::constant(width.bytes() - 1)).eq(W::constant(0));
    let done = choose(is_aligned, done, trap(causes.misaligned, addr.clone()));
    choose(is_allowed(value, addr.clone()), done, trap(causes.forbidden, addr))
}

/// MAP-5.
fn is_allowed<W: Word>(value: &impl Fn(&str) -> W, addr: W) -> W::Bool {
    let is_valid = addr.clone().ult(W::constant(USER)).not();
    is_valid.and(is_machine(value).or(addr.ult(W::constant(KERNEL))))
}

fn is_machine<W: Word>(value: &impl Fn(&str) -> W) -> W::Bool {
    bit(value("mode"), 0)
}

fn mode<W: Word>(value: &impl Fn(&str) -> W) -> W {
    value("mode").and(W::constant(1))
}

fn bit<W: Word>(word: W, number: u32) -> W::Bool {
    word.and(W::constant(1 << number)).eq(W::constant(0)).not()
}

fn register<W: Word>(value: &impl Fn(&str) -> W, name: &str) -> W {
    value(name).and(W::constant(31))
}

/// ISA-6: x0 is 0.
fn x_rs1<W: Word>(value: &impl Fn(&str) -> W) -> W {
    W::constant(0).when(register(value, "rs1").eq(W::constant(0)), value("x_rs1"))
}

fn x_rs2<W: Word>(value: &impl Fn(&str) -> W) -> W {
    let (rs1, rs2) = (register(value, "rs1"), register(value, "rs2"));
    let other = value("x_rs1").when(rs2.clone().eq(rs1), value("x_rs2"));
    W::constant(0).when(rs2.eq(W::constant(0)), other)
}

fn word_of<W: Word>(addr: W) -> W {
    addr.and(W::constant(!3))
}

/// The word that holds `addr`.
fn memory<W: Word>(value: &impl Fn(&str) -> W, addr: W) -> W {
    value("word").when(word_of(value("place")).eq(word_of(addr)), value("elsewhere"))
}

fn choose<W: Word>(condition: W::Bool, yes: Packed<W>, no: Packed<W>) -> Packed<W> {
    let mut no = no.into_iter();
    yes.map(|word| word.when(condition.clone(), no.next().expect("as many words")))
}

/// `if self { yes } else { no }`, for truth values.
trait Choice: Bool {
    fn when_bool(self, yes: Self, no: Self) -> Self {
        self.clone().and(yes).or(self.not().and(no))
    }
}

impl<B: Bool> Choice for B {}
