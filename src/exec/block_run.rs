//! The loop that runs translated blocks, each leading to the next.

use super::block_arms::{Plain, PlainMemory, Registers};
use super::block_code::{BlockId, BlockOp, Cache, Code, NO_BLOCK};
use super::ops;
use crate::hart::Machine;
use crate::map::{self, Addr, Mode, SINK_INDEX};
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
/// With `HEAT` it returns [`Stop::Hot`] before a block that was entered `hot` times.
#[expect(clippy::too_many_lines, reason = "one line or two an operation")]
pub(super) fn run<const HEAT: bool>(
    cache: &mut Cache,
    machine: &mut Machine,
    mut id: BlockId,
    budget: u64,
    hot: u32,
) -> Stop {
    let mode = machine.hart.mode;
    let Cache { ops, blocks, jumps, regs, .. } = cache;
    let (ops, blocks, regs) = (ops.as_slice(), blocks.as_mut_slice(), &mut **regs);
    regs[..=SINK_INDEX].copy_from_slice(machine.hart.file(mode));
    let (views, notes) = machine.mem.parts_mut();
    let plain = PlainMemory { views, notes, span: plain_span(mode), may_store: note::may_store(mode) };
    let mut left = budget;
    // Each pass runs one block. `pc` is what the machine's pc becomes if the loop ends there.
    let (stop, pc) = 'run: loop {
        let block = &mut blocks[id as usize];
        let (first, steps) = (block.first as usize, u64::from(block.steps));
        if HEAT {
            block.heat = block.heat.wrapping_add(1);
            if block.heat == hot {
                break (Stop::Hot(id), block.pc);
            }
        }
        if left < steps {
            break (Stop::Budget, block.pc);
        }
        left -= steps;
        let code = &ops[first..];
        let mut at = 0;
        // Which way the block is left: 0 behind it, 1 by its jump.
        let side = 'block: loop {
            let op = code[at];
            // What the arms of `block_arms.rs` leave to the loop.
            /// Leaves the loop at the operation `$skip` behind this one, for the plain engine to execute.
            macro_rules! leave {
                ($skip:expr) => {{
                    let done = at + $skip;
                    left += steps - done as u64;
                    break 'run (Stop::Step, blocks[id as usize].pc.wrapping_add(4 * done as u32));
                }};
            }
            macro_rules! leave_by_side {
                ($side:expr) => {
                    break 'block $side
                };
            }
            macro_rules! jump {
                ($target:expr) => {{
                    let target = $target;
                    let next = jumps.target(mode, target);
                    if next == NO_BLOCK {
                        break 'run (Stop::Jump(id), target);
                    }
                    id = next;
                    continue 'run;
                }};
            }
            macro_rules! behind {
                () => {
                    blocks[id as usize].targets[0]
                };
            }
            macro_rules! gone {
                () => {
                    break 'run (Stop::Lookup, blocks[id as usize].pc)
                };
            }
            macro_rules! second {
                () => {
                    code[at + 1]
                };
            }
            macro_rules! pair_is_done {
                () => {{
                    at += 2;
                    continue;
                }};
            }
            dispatch!(op, regs, plain);
            at += 1;
        };
        let block = &blocks[id as usize];
        match block.next[side] {
            NO_BLOCK => break (Stop::Link(id, side), block.targets[side]),
            next => id = next,
        }
    };
    machine.hart.file_mut(mode).copy_from_slice(&regs[..=SINK_INDEX]);
    machine.hart.pc = pc;
    machine.hart.instructions += budget - left;
    machine.hart.cycles += budget - left;
    stop
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
pub(super) fn is_plain<const WIDTH: u32>(addr: Addr, span: u32) -> bool {
    let shift = WIDTH.trailing_zeros();
    addr.wrapping_sub(map::USER_START).rotate_right(shift) < span >> shift
}

/// Whether a store of `WIDTH` bytes may go straight to memory, where `note` is the note of its page.
#[inline]
pub(super) fn is_noted<const WIDTH: u32>(note: u8, may_store: u8, addr: Addr) -> bool {
    note & may_store != 0 && addr.is_multiple_of(WIDTH)
}
