//! The functions that execute the operations of a block: what an arm of `block_arms.rs` does, and a call of the next.
//!
//! ```text
//!   one::<Addi> --> two::<Lw, Add> --> last::<Bne> --> (the next block's first) ...
//! ```
//!
//! The calls are the last thing that a function does, so the compiler makes them jumps, and the processor predicts
//! each from its own place. Nothing depends on that: [`CHAIN_STEPS`] bounds how deep they could nest otherwise.

use super::block_arms::*;
use super::block_code::{Block, BlockId, BlockOp, Code, Jumps, NO_BLOCK};
use crate::map::{Addr, Mode};
use crate::mem::{Notes, PageNo, Views, Watched, note};

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
    /// What accesses to watched pages have to miss.
    pub watched: &'m Watched,
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

impl Plain for &Core<'_> {
    #[inline(always)]
    fn may_load<const WIDTH: u32>(self, addr: Addr) -> bool {
        is_plain::<WIDTH>(addr, self.span)
    }
    #[inline(always)]
    fn may_store<const WIDTH: u32>(self, addr: Addr) -> bool {
        let notes = self.notes[PageNo::of(addr).index()];
        is_noted::<WIDTH>(notes, self.may_store, addr) || self.is_beside::<WIDTH>(notes, addr)
    }
    #[inline(always)]
    fn byte(self, addr: Addr) -> u8 {
        self.views.byte(addr).get()
    }
    #[inline(always)]
    fn half(self, addr: Addr) -> u16 {
        self.views.half(addr).get()
    }
    #[inline(always)]
    fn word(self, addr: Addr) -> u32 {
        self.views.word(addr).get()
    }
    #[inline(always)]
    fn set_byte(self, addr: Addr, value: u8) {
        self.views.byte(addr).set(value);
    }
    #[inline(always)]
    fn set_half(self, addr: Addr, value: u16) {
        self.views.half(addr).set(value);
    }
    #[inline(always)]
    fn set_word(self, addr: Addr, value: u32) {
        self.views.word(addr).set(value);
    }
}

impl Core<'_> {
    /// Whether a store to a watched page may go straight to memory, because it misses what is watched.
    #[cold]
    fn is_beside<const WIDTH: u32>(&self, notes: u8, addr: Addr) -> bool {
        is_noted::<WIDTH>(notes, note::may_store_beside(self.mode), addr) && !self.watched.stores.meet::<WIDTH>(addr)
    }
}

impl Core<'_> {
    /// Whether a load, which is plain, is none of a watched address.
    #[inline(always)]
    fn misses_loads<const WIDTH: u32>(&self, addr: Addr) -> bool {
        self.notes[PageNo::of(addr).index()] & note::WATCHED == 0 || !self.watched.loads.meet::<WIDTH>(addr)
    }
}

fn one<A: Arm>(core: &mut Core<'_>, regs: &mut Regs, block: &Block, ops: &[BlockOp]) {
    let Some((op, rest)) = ops.split_first() else { return core.stop(block, Left::Gone) };
    if !A::run(regs, &*core, op) {
        return core.stop(block, Left::Step(rest.len()));
    }
    (op.next)(core, regs, block, rest);
}

fn two<A: Arm, B: Arm>(core: &mut Core<'_>, regs: &mut Regs, block: &Block, ops: &[BlockOp]) {
    let Some(([first, second], rest)) = ops.split_first_chunk() else { return core.stop(block, Left::Gone) };
    if !A::run(regs, &*core, first) {
        return core.stop(block, Left::Step(rest.len() + 1));
    }
    if !B::run(regs, &*core, second) {
        return core.stop(block, Left::Step(rest.len()));
    }
    (second.next)(core, regs, block, rest);
}

fn last<E: LastArm>(core: &mut Core<'_>, regs: &mut Regs, block: &Block, ops: &[BlockOp]) {
    let [op] = ops else { return core.stop(block, Left::Gone) };
    let way = E::run(regs, op, block.targets);
    leave(core, regs, block, way);
}

fn two_last<A: Arm, E: LastArm>(core: &mut Core<'_>, regs: &mut Regs, block: &Block, ops: &[BlockOp]) {
    let [first, second] = ops else { return core.stop(block, Left::Gone) };
    if !A::run(regs, &*core, first) {
        return core.stop(block, Left::Step(1));
    }
    let way = E::run(regs, second, block.targets);
    leave(core, regs, block, way);
}

/// The function of a block without operations.
pub(super) fn gone(core: &mut Core<'_>, _regs: &mut Regs, block: &Block, _ops: &[BlockOp]) {
    core.stop(block, Left::Gone);
}

/// Leaves `block` by `way`. Each way is a jump of its own, which the processor predicts by itself.
#[inline(always)]
fn leave(core: &mut Core<'_>, regs: &mut Regs, block: &Block, way: Way) {
    match way {
        Way::Side(0) => leave_by(core, regs, block, 0),
        Way::Side(_) => leave_by(core, regs, block, 1),
        Way::Jump(target) => jump(core, regs, block, target),
        Way::Step => core.stop(block, Left::Step(0)),
    }
}

#[inline(always)]
fn leave_by(core: &mut Core<'_>, regs: &mut Regs, block: &Block, side: usize) {
    match block.next[side].get() {
        NO_BLOCK => core.stop(block, Left::Link(side)),
        next => enter(core, regs, next),
    }
}

#[inline(always)]
fn jump(core: &mut Core<'_>, regs: &mut Regs, block: &Block, target: Addr) {
    match core.jumps.target(core.mode, target) {
        NO_BLOCK => {
            core.target = target;
            core.stop(block, Left::Jump);
        }
        next => enter(core, regs, next),
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
    all_arms!(table)
}

/// The function of an operation that looks at loads, if `code` is one.
pub(super) const fn looking(code: Code) -> Option<Handler> {
    Some(match code {
        Code::Lb => look::<Lb>,
        Code::Lh => look::<Lh>,
        Code::Lw => look::<Lw>,
        Code::Lbu => look::<Lbu>,
        Code::Lhu => look::<Lhu>,
        _ => return None,
    })
}

fn look<A: Arm>(core: &mut Core<'_>, regs: &mut Regs, block: &Block, ops: &[BlockOp]) {
    let Some((op, rest)) = ops.split_first() else { return core.stop(block, Left::Gone) };
    if !A::run(regs, Looking(core), op) {
        return core.stop(block, Left::Step(rest.len()));
    }
    (op.next)(core, regs, block, rest);
}

/// Memory in which loads of what is watched are left to the plain engine.
#[derive(Clone, Copy)]
struct Looking<'c, 'm>(&'c Core<'m>);

impl Plain for Looking<'_, '_> {
    #[inline(always)]
    fn may_load<const WIDTH: u32>(self, addr: Addr) -> bool {
        self.0.may_load::<WIDTH>(addr) && self.0.misses_loads::<WIDTH>(addr)
    }
    #[inline(always)]
    fn may_store<const WIDTH: u32>(self, addr: Addr) -> bool {
        self.0.may_store::<WIDTH>(addr)
    }
    #[inline(always)]
    fn byte(self, addr: Addr) -> u8 {
        self.0.byte(addr)
    }
    #[inline(always)]
    fn half(self, addr: Addr) -> u16 {
        self.0.half(addr)
    }
    #[inline(always)]
    fn word(self, addr: Addr) -> u32 {
        self.0.word(addr)
    }
    #[inline(always)]
    fn set_byte(self, addr: Addr, value: u8) {
        self.0.set_byte(addr, value);
    }
    #[inline(always)]
    fn set_half(self, addr: Addr, value: u16) {
        self.0.set_half(addr, value);
    }
    #[inline(always)]
    fn set_word(self, addr: Addr, value: u32) {
        self.0.set_word(addr, value);
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
