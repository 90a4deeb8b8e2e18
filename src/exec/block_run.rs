//! Runs translated blocks on a machine: copies the registers in and out, and accounts for the steps.

use super::block_arms::plain_span;
use super::block_code::{BlockId, Cache};
use super::block_ops::{CHAIN_STEPS, Core, Left, enter};
use crate::hart::Machine;
use crate::map::{Addr, SINK_INDEX, WORD_BYTES};
use crate::mem::note;

/// Why the loop returned. The machine is up to date, pc at the next instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The budget ends inside the next block.
    Budget,
    /// The plain engine has to make the next step.
    Step,
    /// The block at pc is not known or gone.
    Lookup,
    /// A side of this block leads to pc, to a block not linked yet.
    Link(BlockId, usize),
    /// The JALR of this block went to pc.
    Jump(BlockId),
    /// This block, at pc, is hot.
    Hot(BlockId),
}

/// Runs from block `id` on for at most `budget` steps.
///
/// It returns [`Stop::Hot`] before a block that was entered `hot` times.
pub(super) fn run(cache: &mut Cache, machine: &mut Machine, id: BlockId, budget: u64, hot: u32) -> Stop {
    let mode = machine.hart.mode;
    let Cache { blocks, jumps, regs, .. } = cache;
    regs[..=SINK_INDEX].copy_from_slice(machine.hart.file(mode));
    let (views, notes, watched) = machine.mem.parts_mut();
    let (span, may_store) = (plain_span(mode), note::may_store(mode));
    let why = Left::Gone;
    let (left, target) = (0, 0);
    let mut core = Core { views, notes, span, may_store, watched, mode, jumps, blocks, hot, id, left, target, why };
    let (stop, pc, left) = loop_blocks(&mut core, regs, budget);
    machine.hart.file_mut(mode).copy_from_slice(&regs[..=SINK_INDEX]);
    machine.hart.pc = pc;
    machine.hart.instructions += budget - left;
    machine.hart.cycles += budget - left;
    stop
}

/// Runs from block [`Core::id`] on; returns why it stopped, the next pc, and what is left of the budget.
fn loop_blocks(core: &mut Core<'_>, regs: &mut [u32; 256], mut budget: u64) -> (Stop, Addr, u64) {
    loop {
        let chain = budget.min(CHAIN_STEPS.into()) as u32;
        core.left = chain;
        enter(core, regs, core.id);
        let block = &core.blocks[core.id as usize];
        let mut unmade = core.left;
        let (stop, pc) = match core.why {
            Left::Budget if core.left < chain => {
                budget -= u64::from(chain - core.left);
                // A hot block is told once; this is the same entry again.
                block.heat.set(block.heat.get().wrapping_sub(1));
                continue;
            }
            Left::Budget => (Stop::Budget, block.pc),
            Left::Hot => (Stop::Hot(core.id), block.pc),
            Left::Gone => (Stop::Lookup, block.pc),
            Left::Link(side) => (Stop::Link(core.id, side), block.targets[side]),
            Left::Jump => (Stop::Jump(core.id), core.target),
            Left::Step(behind) => {
                let done = (block.ops.len() - behind - 1) as u32;
                unmade += block.steps - done;
                (Stop::Step, block.pc.wrapping_add(WORD_BYTES * done))
            }
        };
        return (stop, pc, budget - u64::from(chain - unmade));
    }
}
