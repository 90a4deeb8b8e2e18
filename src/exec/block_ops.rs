//! What the operations of a block do: one small function an operation, each of which calls the next.
//!
//! ```text
//!   one::<Addi> --> two::<Lw, Add> --> last::<Bne> --> (the next block's first) ...
//! ```
//!
//! The calls are the last thing that a function does, so the compiler makes them jumps, and the processor predicts
//! each from its own place. Nothing depends on that: [`CHAIN_STEPS`] bounds how deep they could nest otherwise.

use super::block_code::{Block, BlockId, BlockOp, Code, Jumps, NO_BLOCK};
use super::ops;
use crate::map::{self, Addr, Mode};
use crate::mem::{Bounds, Notes, PageNo, Views, note};

/// The registers while blocks run, behind them room for every index that a `u8` can be.
pub(super) type Regs = [u32; 256];

/// The function of an operation in a block: executes the first of the operations left and goes on with the rest.
pub(super) type Handler = fn(&mut Core<'_>, &mut Regs, &Block, &[BlockOp]);

/// What operations work on, besides the registers.
pub(super) struct Core<'m> {
    pub views: Views<'m>,
    pub notes: &'m Notes,
    /// See [`plain_span`].
    pub span: u32,
    /// The note of pages that the mode may store to without asking.
    pub may_store: u8,
    /// What stores to watched pages have to miss.
    pub watched: Bounds,
    pub mode: Mode,
    pub jumps: &'m Jumps,
    pub blocks: &'m [Block],
    /// A block that was entered so often is hot.
    pub hot: u32,
    /// The block that ran last, once the operations returned.
    pub id: BlockId,
    /// How many more steps may be made; those of the block that runs are not among them.
    pub left: u32,
    /// Where JALR went, for [`Left::Jump`].
    pub target: Addr,
    /// Why the operations returned.
    pub why: Left,
}

/// The most steps that operations make before they return: no more calls than that are ever nested.
pub(super) const CHAIN_STEPS: u32 = 4096;

/// Why operations returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// The steps left end inside block [`Core::id`], which was not begun.
    Budget,
    /// The plain engine has to execute the operation in front of so many others of the block.
    Step(usize),
    /// Block [`Core::id`] has no operations.
    Gone,
    /// This side of the block leads to a block not linked yet.
    Link(usize),
    /// JALR went to [`Core::target`], where no block is known.
    Jump,
    /// Block [`Core::id`], which was not begun, is hot.
    Hot,
}

/// Runs block `id` and those it leads to.
#[inline(always)]
pub(super) fn enter(core: &mut Core<'_>, regs: &mut Regs, id: BlockId) {
    let Some(block) = core.blocks.get(id as usize) else { return };
    let heat = block.heat.get().wrapping_add(1);
    block.heat.set(heat);
    if heat == core.hot {
        return core.stop(block, Left::Hot);
    }
    let Some(left) = core.left.checked_sub(block.steps) else { return core.stop(block, Left::Budget) };
    core.left = left;
    (block.run)(core, regs, block, &block.ops);
}

impl Core<'_> {
    /// Notes why the operations return, and which block they were in.
    fn stop(&mut self, block: &Block, why: Left) {
        self.id = block.id;
        self.why = why;
    }
}

/// An operation that continues with the one behind it.
trait Plain {
    /// Executes `op`; `false`, with nothing changed, when the plain engine has to.
    fn run(core: &mut Core<'_>, regs: &mut Regs, op: &BlockOp) -> bool;
}

/// An operation that ends its block.
trait End {
    /// Executes `op`, the last of `block`, and goes on.
    fn run(core: &mut Core<'_>, regs: &mut Regs, block: &Block, op: &BlockOp);
}

fn one<A: Plain>(core: &mut Core<'_>, regs: &mut Regs, block: &Block, ops: &[BlockOp]) {
    let Some((op, rest)) = ops.split_first() else { return core.stop(block, Left::Gone) };
    if !A::run(core, regs, op) {
        return core.stop(block, Left::Step(rest.len()));
    }
    (op.next)(core, regs, block, rest);
}

fn two<A: Plain, B: Plain>(core: &mut Core<'_>, regs: &mut Regs, block: &Block, ops: &[BlockOp]) {
    let Some(([first, second], rest)) = ops.split_first_chunk() else { return core.stop(block, Left::Gone) };
    if !A::run(core, regs, first) {
        return core.stop(block, Left::Step(rest.len() + 1));
    }
    if !B::run(core, regs, second) {
        return core.stop(block, Left::Step(rest.len()));
    }
    (second.next)(core, regs, block, rest);
}

fn last<E: End>(core: &mut Core<'_>, regs: &mut Regs, block: &Block, ops: &[BlockOp]) {
    let [op] = ops else { return core.stop(block, Left::Gone) };
    E::run(core, regs, block, op);
}

fn two_last<A: Plain, E: End>(core: &mut Core<'_>, regs: &mut Regs, block: &Block, ops: &[BlockOp]) {
    let [first, second] = ops else { return core.stop(block, Left::Gone) };
    if !A::run(core, regs, first) {
        return core.stop(block, Left::Step(1));
    }
    E::run(core, regs, block, second);
}

/// The function of a block without operations.
pub(super) fn gone(core: &mut Core<'_>, _regs: &mut Regs, block: &Block, _ops: &[BlockOp]) {
    core.stop(block, Left::Gone);
}

/// Declares what operations compute: the function of `exec/ops.rs`, and whether its second operand is the
/// immediate.
macro_rules! alu {
    ($($op:ident = $f:ident $second:ident;)*) => {$(
        struct $op;
        impl Plain for $op {
            #[inline(always)]
            fn run(_core: &mut Core<'_>, regs: &mut Regs, op: &BlockOp) -> bool {
                regs[op.rd as usize] = ops::$f(regs[op.rs1 as usize], alu!(@$second regs op));
                true
            }
        }
    )*};
    (@reg $regs:ident $op:ident) => { $regs[$op.rs2 as usize] };
    (@imm $regs:ident $op:ident) => { $op.imm };
}

alu! {
    Add = add reg;
    Sub = sub reg;
    Xor = xor reg;
    Or = or reg;
    And = and reg;
    Slt = slt reg;
    Sltu = sltu reg;
    Sll = sll reg;
    Srl = srl reg;
    Sra = sra reg;
    Addi = add imm;
    Xori = xor imm;
    Ori = or imm;
    Andi = and imm;
    Slti = slt imm;
    Sltiu = sltu imm;
    Slli = sll imm;
    Srli = srl imm;
    Srai = sra imm;
    Mul = mul reg;
    Mulh = mulh reg;
    Mulhsu = mulhsu reg;
    Mulhu = mulhu reg;
    Div = div reg;
    Divu = divu reg;
    Rem = rem reg;
    Remu = remu reg;
}

struct Set;

impl Plain for Set {
    #[inline(always)]
    fn run(_core: &mut Core<'_>, regs: &mut Regs, op: &BlockOp) -> bool {
        regs[op.rd as usize] = op.imm;
        true
    }
}

struct Nop;

impl Plain for Nop {
    #[inline(always)]
    fn run(_core: &mut Core<'_>, _regs: &mut Regs, _op: &BlockOp) -> bool {
        true
    }
}

/// Declares loads: how many bytes, and how they become a word.
macro_rules! loads {
    ($($op:ident = $width:literal $read:expr;)*) => {$(
        struct $op;
        impl Plain for $op {
            #[inline(always)]
            fn run(core: &mut Core<'_>, regs: &mut Regs, op: &BlockOp) -> bool {
                let addr = ops::effective_address(regs[op.rs1 as usize], op.imm);
                let read: fn(Views<'_>, Addr) -> u32 = $read;
                let is_plain = is_plain::<$width>(addr, core.span);
                if is_plain {
                    regs[op.rd as usize] = read(core.views, addr);
                }
                is_plain
            }
        }
    )*};
}

loads! {
    Lb = 1 |views, addr| views.byte(addr).get() as i8 as u32;
    Lh = 2 |views, addr| views.half(addr).get() as i16 as u32;
    Lw = 4 |views, addr| views.word(addr).get();
    Lbu = 1 |views, addr| views.byte(addr).get().into();
    Lhu = 2 |views, addr| views.half(addr).get().into();
}

impl Core<'_> {
    /// Whether a store to a watched page needs no preparation, because it misses what is watched.
    #[cold]
    fn is_beside(&self, notes: u8, addr: Addr, width: u32) -> bool {
        notes & note::may_store_beside(self.mode) != 0 && self.watched.miss(addr, addr + (width - 1))
    }
}

/// Declares stores: how many bytes, and how a word becomes them.
macro_rules! stores {
    ($($op:ident = $width:literal $write:expr;)*) => {$(
        struct $op;
        impl Plain for $op {
            #[inline(always)]
            fn run(core: &mut Core<'_>, regs: &mut Regs, op: &BlockOp) -> bool {
                let addr = ops::effective_address(regs[op.rs1 as usize], op.imm);
                let write: fn(Views<'_>, Addr, u32) = $write;
                let notes = core.notes[PageNo::of(addr).index()];
                let is_plain = addr.is_multiple_of($width)
                    && (notes & core.may_store != 0 || core.is_beside(notes, addr, $width));
                if is_plain {
                    write(core.views, addr, regs[op.rs2 as usize]);
                }
                is_plain
            }
        }
    )*};
}

stores! {
    Sb = 1 |views, addr, value| views.byte(addr).set(value as u8);
    Sh = 2 |views, addr, value| views.half(addr).set(value as u16);
    Sw = 4 |views, addr, value| views.word(addr).set(value);
}

/// Leaves `block` by `side`: 0 to the block behind it, 1 to where its jump goes.
#[inline(always)]
fn leave(core: &mut Core<'_>, regs: &mut Regs, block: &Block, side: usize) {
    match block.next[side].get() {
        NO_BLOCK => core.stop(block, Left::Link(side)),
        next => enter(core, regs, next),
    }
}

/// Declares branches by their condition.
macro_rules! branches {
    ($($op:ident = $f:ident;)*) => {$(
        struct $op;
        impl End for $op {
            #[inline(always)]
            fn run(core: &mut Core<'_>, regs: &mut Regs, block: &Block, op: &BlockOp) {
                // Each way is a jump of its own, which the processor predicts by itself.
                match ops::$f(regs[op.rs1 as usize], regs[op.rs2 as usize]) {
                    true => leave(core, regs, block, 1),
                    false => leave(core, regs, block, 0),
                }
            }
        }
    )*};
}

branches! {
    Beq = beq;
    Bne = bne;
    Blt = blt;
    Bge = bge;
    Bltu = bltu;
    Bgeu = bgeu;
}

struct Jal;

impl End for Jal {
    #[inline(always)]
    fn run(core: &mut Core<'_>, regs: &mut Regs, block: &Block, op: &BlockOp) {
        regs[op.rd as usize] = block.targets[0];
        leave(core, regs, block, 1)
    }
}

struct Jalr;

impl End for Jalr {
    #[inline(always)]
    fn run(core: &mut Core<'_>, regs: &mut Regs, block: &Block, op: &BlockOp) {
        let target = ops::jalr_target(regs[op.rs1 as usize], op.imm);
        if !ops::is_aligned_target(target) {
            return core.stop(block, Left::Step(0));
        }
        regs[op.rd as usize] = block.targets[0];
        match core.jumps.target(core.mode, target) {
            NO_BLOCK => {
                core.target = target;
                core.stop(block, Left::Jump);
            }
            next => enter(core, regs, next),
        }
    }
}

struct Next;

impl End for Next {
    #[inline(always)]
    fn run(core: &mut Core<'_>, regs: &mut Regs, block: &Block, _op: &BlockOp) {
        leave(core, regs, block, 0)
    }
}

struct Step;

impl End for Step {
    #[inline(always)]
    fn run(core: &mut Core<'_>, _regs: &mut Regs, block: &Block, _op: &BlockOp) {
        core.stop(block, Left::Step(0));
    }
}

/// The function of an operation by itself.
pub(super) const fn single(code: Code) -> Handler {
    macro_rules! table {
        ([$($plain:ident)*] [$($end:ident)*]) => {
            match code {
                $(Code::$plain => one::<$plain>,)*
                $(Code::$end => last::<$end>,)*
            }
        };
    }
    table! {
        [Add Sub Xor Or And Slt Sltu Sll Srl Sra Addi Xori Ori Andi Slti Sltiu Slli Srli Srai
         Mul Mulh Mulhsu Mulhu Div Divu Rem Remu Lb Lh Lw Lbu Lhu Sb Sh Sw Set Nop]
        [Beq Bne Blt Bge Bltu Bgeu Jal Jalr Next Step]
    }
}

/// The function of an operation together with the one behind it, for the pairs that have one.
pub(super) const fn pair(first: Code, second: Code) -> Option<Handler> {
    // Each first by each second: macros repeat only one list at a time.
    macro_rules! firsts {
        ($($first:ident)*) => {
            match first {
                $(Code::$first => seconds!($first),)*
                _ => None,
            }
        };
    }
    macro_rules! seconds {
        ($first:ident) => {
            seconds!(@ $first [Add Sub Xor Or And Sltu Addi Andi Slli Srli Mul Lw Lbu Lhu Sb Sw Set]
                [Beq Bne Blt Bge Bltu Bgeu Jal Jalr Next])
        };
        (@ $first:ident [$($plain:ident)*] [$($end:ident)*]) => {
            match second {
                $(Code::$plain => Some(two::<$first, $plain>),)*
                $(Code::$end => Some(two_last::<$first, $end>),)*
                _ => None,
            }
        };
    }
    firsts!(Add Sub Xor Or And Sltu Addi Andi Slli Srli Mul Lw Lbu Lhu Sb Sw Set)
}

/// The bytes from [`map::USER_START`] on that `mode` may load from and that are plain memory (MAP-5, MAP-6).
pub(super) const fn plain_span(mode: Mode) -> u32 {
    match mode {
        Mode::User => map::KERNEL_START - map::USER_START,
        Mode::Machine => map::MACHINE_REGS - map::USER_START,
    }
}

/// Whether a load of `WIDTH` bytes may go straight to memory: MEM-3 and MAP-5 in one comparison,
/// because a rotation moves the bits that alignment forbids to the top.
#[inline]
fn is_plain<const WIDTH: u32>(addr: Addr, span: u32) -> bool {
    let shift = WIDTH.trailing_zeros();
    addr.wrapping_sub(map::USER_START).rotate_right(shift) < span >> shift
}
