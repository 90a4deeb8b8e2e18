//! The loop that runs translated blocks, each leading to the next.

use super::block_code::{BlockId, BlockOp, Cache, Code, NO_BLOCK};
use super::ops;
use crate::hart::Machine;
use crate::map::{self, Addr, Mode, SINK_INDEX};
use crate::mem::{Bounds, PageNo, Views, note};

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
    let watched = machine.mem.watched_bounds();
    let (views, notes) = machine.mem.parts_mut();
    let (span, may_store) = (plain_span(mode), note::may_store(mode));
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
            /// The operation `$op`, or its part of a pair.
            macro_rules! alu {
                ($f:ident, $op:expr, reg) => {
                    regs[$op.rd as usize] = ops::$f(regs[$op.rs1 as usize], regs[$op.rs2 as usize])
                };
                ($f:ident, $op:expr, imm) => {
                    regs[$op.rd as usize] = ops::$f(regs[$op.rs1 as usize], $op.imm)
                };
            }
            /// Leaves the loop at the operation `$skip` behind this one, for the plain engine to execute.
            macro_rules! leave {
                ($skip:expr) => {{
                    let done = at + $skip;
                    left += steps - done as u64;
                    break 'run (Stop::Step, blocks[id as usize].pc.wrapping_add(4 * done as u32));
                }};
            }
            macro_rules! load {
                ($width:expr, $op:expr, $skip:expr, $read:expr) => {{
                    let addr = ops::effective_address(regs[$op.rs1 as usize], $op.imm);
                    if !is_plain::<$width>(addr, span) {
                        leave!($skip);
                    }
                    regs[$op.rd as usize] = $read(views, addr);
                }};
            }
            macro_rules! store {
                ($width:expr, $op:expr, $skip:expr, $write:expr) => {{
                    let addr = ops::effective_address(regs[$op.rs1 as usize], $op.imm);
                    let notes = notes[PageNo::of(addr).index()];
                    let is_aligned = addr.is_multiple_of($width);
                    if notes & may_store == 0 && !is_beside(notes, mode, watched, addr, $width) || !is_aligned {
                        leave!($skip);
                    }
                    $write(views, addr, regs[$op.rs2 as usize]);
                }};
            }
            macro_rules! branch {
                ($f:ident, $op:expr) => {
                    break 'block usize::from(ops::$f(regs[$op.rs1 as usize], regs[$op.rs2 as usize]))
                };
            }
            macro_rules! jal {
                ($op:expr) => {{
                    regs[$op.rd as usize] = blocks[id as usize].targets[0];
                    break 'block 1;
                }};
            }
            macro_rules! jalr {
                ($op:expr, $skip:expr) => {{
                    let target = ops::jalr_target(regs[$op.rs1 as usize], $op.imm);
                    if !ops::is_aligned_target(target) {
                        leave!($skip);
                    }
                    regs[$op.rd as usize] = blocks[id as usize].targets[0];
                    let next = jumps.target(mode, target);
                    if next == NO_BLOCK {
                        break 'run (Stop::Jump(id), target);
                    }
                    id = next;
                    continue 'run;
                }};
            }
            /// One operation, by its single code.
            macro_rules! one {
                (Lb, $op:expr, $skip:expr) => {
                    load!(1, $op, $skip, |views: Views, addr| -> u32 { views.byte(addr).get() as i8 as u32 })
                };
                (Lh, $op:expr, $skip:expr) => {
                    load!(2, $op, $skip, |views: Views, addr| -> u32 { views.half(addr).get() as i16 as u32 })
                };
                (Lw, $op:expr, $skip:expr) => {
                    load!(4, $op, $skip, |views: Views, addr| -> u32 { views.word(addr).get() })
                };
                (Lbu, $op:expr, $skip:expr) => {
                    load!(1, $op, $skip, |views: Views, addr| -> u32 { views.byte(addr).get().into() })
                };
                (Lhu, $op:expr, $skip:expr) => {
                    load!(2, $op, $skip, |views: Views, addr| -> u32 { views.half(addr).get().into() })
                };
                (Sb, $op:expr, $skip:expr) => {
                    store!(1, $op, $skip, |views: Views, addr, value: u32| views.byte(addr).set(value as u8))
                };
                (Sh, $op:expr, $skip:expr) => {
                    store!(2, $op, $skip, |views: Views, addr, value: u32| views.half(addr).set(value as u16))
                };
                (Sw, $op:expr, $skip:expr) => {
                    store!(4, $op, $skip, |views: Views, addr, value: u32| views.word(addr).set(value))
                };
                (Addi, $op:expr, $skip:expr) => {
                    alu!(add, $op, imm)
                };
                (Andi, $op:expr, $skip:expr) => {
                    alu!(and, $op, imm)
                };
                (Slli, $op:expr, $skip:expr) => {
                    alu!(sll, $op, imm)
                };
                (Srli, $op:expr, $skip:expr) => {
                    alu!(srl, $op, imm)
                };
                (Add, $op:expr, $skip:expr) => {
                    alu!(add, $op, reg)
                };
                (Xor, $op:expr, $skip:expr) => {
                    alu!(xor, $op, reg)
                };
                (Or, $op:expr, $skip:expr) => {
                    alu!(or, $op, reg)
                };
                (Sltu, $op:expr, $skip:expr) => {
                    alu!(sltu, $op, reg)
                };
                (Mul, $op:expr, $skip:expr) => {
                    alu!(mul, $op, reg)
                };
                (Set, $op:expr, $skip:expr) => {
                    regs[$op.rd as usize] = $op.imm
                };
                (Beq, $op:expr, $skip:expr) => {
                    branch!(beq, $op)
                };
                (Bne, $op:expr, $skip:expr) => {
                    branch!(bne, $op)
                };
                (Blt, $op:expr, $skip:expr) => {
                    branch!(blt, $op)
                };
                (Bltu, $op:expr, $skip:expr) => {
                    branch!(bltu, $op)
                };
                (Jal, $op:expr, $skip:expr) => {
                    jal!($op)
                };
                (Jalr, $op:expr, $skip:expr) => {
                    jalr!($op, $skip)
                };
            }
            macro_rules! two {
                ($first:ident, $second:ident) => {{
                    one!($first, op, 0);
                    let second: BlockOp = code[at + 1];
                    one!($second, second, 1);
                    at += 2;
                    continue;
                }};
            }
            #[allow(unreachable_code, reason = "a pair that ends in a jump does not continue")]
            match op.code {
                Code::Add => one!(Add, op, 0),
                Code::Sub => alu!(sub, op, reg),
                Code::Xor => one!(Xor, op, 0),
                Code::Or => one!(Or, op, 0),
                Code::And => alu!(and, op, reg),
                Code::Slt => alu!(slt, op, reg),
                Code::Sltu => one!(Sltu, op, 0),
                Code::Sll => alu!(sll, op, reg),
                Code::Srl => alu!(srl, op, reg),
                Code::Sra => alu!(sra, op, reg),
                Code::Addi => one!(Addi, op, 0),
                Code::Xori => alu!(xor, op, imm),
                Code::Ori => alu!(or, op, imm),
                Code::Andi => one!(Andi, op, 0),
                Code::Slti => alu!(slt, op, imm),
                Code::Sltiu => alu!(sltu, op, imm),
                Code::Slli => one!(Slli, op, 0),
                Code::Srli => one!(Srli, op, 0),
                Code::Srai => alu!(sra, op, imm),
                Code::Mul => one!(Mul, op, 0),
                Code::Mulh => alu!(mulh, op, reg),
                Code::Mulhsu => alu!(mulhsu, op, reg),
                Code::Mulhu => alu!(mulhu, op, reg),
                Code::Div => alu!(div, op, reg),
                Code::Divu => alu!(divu, op, reg),
                Code::Rem => alu!(rem, op, reg),
                Code::Remu => alu!(remu, op, reg),
                Code::Lb => one!(Lb, op, 0),
                Code::Lh => one!(Lh, op, 0),
                Code::Lw => one!(Lw, op, 0),
                Code::Lbu => one!(Lbu, op, 0),
                Code::Lhu => one!(Lhu, op, 0),
                Code::Sb => one!(Sb, op, 0),
                Code::Sh => one!(Sh, op, 0),
                Code::Sw => one!(Sw, op, 0),
                Code::Beq => one!(Beq, op, 0),
                Code::Bne => one!(Bne, op, 0),
                Code::Blt => one!(Blt, op, 0),
                Code::Bge => branch!(bge, op),
                Code::Bltu => one!(Bltu, op, 0),
                Code::Bgeu => branch!(bgeu, op),
                Code::Jal => one!(Jal, op, 0),
                Code::Jalr => one!(Jalr, op, 0),
                Code::Set => one!(Set, op, 0),
                Code::Nop => {}
                Code::Next => break 'block 0,
                Code::Step => leave!(0),
                Code::Gone => break 'run (Stop::Lookup, blocks[id as usize].pc),
                Code::AddiAddi => two!(Addi, Addi),
                Code::AddiBne => two!(Addi, Bne),
                Code::AddiBeq => two!(Addi, Beq),
                Code::AddiBlt => two!(Addi, Blt),
                Code::AddiBltu => two!(Addi, Bltu),
                Code::AddiJal => two!(Addi, Jal),
                Code::AddiLw => two!(Addi, Lw),
                Code::AddiLbu => two!(Addi, Lbu),
                Code::AddiSw => two!(Addi, Sw),
                Code::AddAdd => two!(Add, Add),
                Code::AddLw => two!(Add, Lw),
                Code::AddLbu => two!(Add, Lbu),
                Code::AddXor => two!(Add, Xor),
                Code::AddMul => two!(Add, Mul),
                Code::MulAdd => two!(Mul, Add),
                Code::AndiBeq => two!(Andi, Beq),
                Code::AndiBne => two!(Andi, Bne),
                Code::LwLw => two!(Lw, Lw),
                Code::LwAdd => two!(Lw, Add),
                Code::LwAddi => two!(Lw, Addi),
                Code::LwBeq => two!(Lw, Beq),
                Code::LwBne => two!(Lw, Bne),
                Code::LwBltu => two!(Lw, Bltu),
                Code::LwMul => two!(Lw, Mul),
                Code::LwJalr => two!(Lw, Jalr),
                Code::LbuBeq => two!(Lbu, Beq),
                Code::LbuBne => two!(Lbu, Bne),
                Code::LbuLbu => two!(Lbu, Lbu),
                Code::SwSw => two!(Sw, Sw),
                Code::SwAddi => two!(Sw, Addi),
                Code::SwLw => two!(Sw, Lw),
                Code::XorXor => two!(Xor, Xor),
                Code::XorAdd => two!(Xor, Add),
                Code::OrXor => two!(Or, Xor),
                Code::SlliAdd => two!(Slli, Add),
                Code::SlliOr => two!(Slli, Or),
                Code::SrliSlli => two!(Srli, Slli),
                Code::SltuAdd => two!(Sltu, Add),
                Code::SetAddi => two!(Set, Addi),
                Code::SetJalr => two!(Set, Jalr),
            }
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

/// Whether a store to a watched page needs no preparation, because it misses what is watched.
#[cold]
fn is_beside(notes: u8, mode: Mode, watched: Bounds, addr: Addr, width: u32) -> bool {
    notes & note::may_store_beside(mode) != 0 && watched.miss(addr, addr + (width - 1))
}

/// Whether a load of `WIDTH` bytes may go straight to memory: MEM-3 and MAP-5 in one comparison,
/// because a rotation moves the bits that alignment forbids to the top.
#[inline]
fn is_plain<const WIDTH: u32>(addr: Addr, span: u32) -> bool {
    let shift = WIDTH.trailing_zeros();
    addr.wrapping_sub(map::USER_START).rotate_right(shift) < span >> shift
}
