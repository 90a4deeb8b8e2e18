//! Translated blocks: straight runs of instructions, decoded once, and the cache that keeps them.
//!
//! A block begins where control arrives and ends at the first instruction that may go elsewhere, at
//! the end of its page, before a breakpoint, or after [`MAX_STEPS`] instructions. Operation i of a
//! block is the instruction at `pc + 4 i`, so a place in a block is an exact pc and an exact count.
//!
//! A block keeps its number for as long as the cache lives. When its words change only its
//! operations are dropped, so links to it stay right: they find no operations and ask again.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};

use crate::hart::destination;
use crate::isa::{Insn, Op, decode};
use crate::map::{self, Addr, Mode};
use crate::mem::{Memory, PageNo};

use super::block_ops::{Handler, Regs, gone, looking, pair, single};
use super::ops;

/// What an operation does; the names are those of [`Op`] where the two agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[rustfmt::skip]
pub(super) enum Code {
    Add, Sub, Xor, Or, And, Slt, Sltu, Sll, Srl, Sra,
    Addi, Xori, Ori, Andi, Slti, Sltiu, Slli, Srli, Srai,
    Mul, Mulh, Mulhsu, Mulhu, Div, Divu, Rem, Remu,
    Lb, Lh, Lw, Lbu, Lhu, Sb, Sh, Sw,
    Beq, Bne, Blt, Bge, Bltu, Bgeu, Jal, Jalr,
    /// rd becomes the immediate: LUI, AUIPC.
    Set,
    /// FENCE.
    Nop,
    /// The block ends before this instruction: continue with the block behind it.
    Next,
    /// The plain engine has to make this step.
    Step,
}

/// One instruction, ready to execute. A destination x0 is already the sink (MAP-7).
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockOp {
    /// Executes the operation behind it, and perhaps more.
    pub next: Handler,
    pub code: Code,
    pub rd: u8,
    pub rs1: u8,
    pub rs2: u8,
    /// The immediate; of a branch or JAL the address it goes to.
    pub imm: u32,
}

/// The number of a block in its cache.
pub(super) type BlockId = u32;

/// The block that no place leads to: it stands for "not known yet".
pub(super) const NO_BLOCK: BlockId = 0;

/// A block.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Its number.
    pub id: BlockId,
    /// Executes its first operation, and perhaps more.
    pub run: Handler,
    /// Its operations; none when it has to be translated.
    pub ops: Box<[BlockOp]>,
    /// How many steps a run to its end makes.
    pub steps: u32,
    /// The address of its first instruction.
    pub pc: Addr,
    /// Where it continues: behind it, or where its branch or JAL goes.
    pub targets: [Addr; 2],
    /// The blocks there, once known.
    pub next: [Cell<BlockId>; 2],
    /// How often it was entered, for a tier above to find the hot ones.
    pub heat: Cell<u32>,
}

/// The longest block: a budget that ends inside a block is finished by the plain engine.
pub(super) const MAX_STEPS: u32 = 64;

/// 16 MiB of operations; then everything is dropped and translated anew.
const MAX_OPS: usize = 1 << 21;
/// 32 MiB of blocks.
const MAX_BLOCKS: usize = 1 << 20;
/// The most targets of one JALR that are kept for the compiler to choose from.
const MAX_SEEN_JUMPS: usize = 32;
/// 32 KiB of jump targets.
const JUMPS: usize = 4096;

/// The translated blocks of a memory.
pub(super) struct Cache {
    /// How many operations the blocks have.
    op_count: usize,
    pub blocks: Vec<Block>,
    pub jumps: Jumps,
    ids: HashMap<(Addr, Mode), BlockId>,
    pages: HashMap<PageNo, Vec<BlockId>>,
    seen_jumps: HashMap<Addr, Vec<Addr>>,
    /// Changes when everything is dropped and block numbers lose their meaning.
    pub generation: u64,
    /// Whether the blocks look at loads.
    looks: bool,
    pub regs: Box<Regs>,
}

impl Cache {
    /// Nothing translated yet, for blocks that look at loads if `looks`.
    pub fn new(looks: bool) -> Cache {
        let mut cache = Cache {
            op_count: 0,
            blocks: Vec::new(),
            jumps: Jumps(Box::new([(0, NO_BLOCK); JUMPS])),
            ids: HashMap::new(),
            pages: HashMap::new(),
            seen_jumps: HashMap::new(),
            generation: 0,
            looks,
            regs: Box::new([0; 256]),
        };
        cache.clear();
        cache
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.generation += 1;
        self.op_count = 0;
        self.blocks.clear();
        self.blocks.push(Block::gone(NO_BLOCK, 0));
        self.jumps.0.fill((0, NO_BLOCK));
        self.ids.clear();
        self.seen_jumps.clear();
        self.pages.clear();
    }

    /// The block at `pc`, translated if need be; `None` where nothing can be translated.
    ///
    /// The caller has seen that `mode` may fetch from `pc`.
    pub fn block_at(&mut self, mem: &mut Memory, mode: Mode, pc: Addr, cuts: &BTreeSet<Addr>) -> Option<BlockId> {
        // The registers' page holds no code worth a translation.
        if PageNo::of(pc) == PageNo::of(map::MACHINE_REGS) {
            return None;
        }
        if self.op_count > MAX_OPS || self.blocks.len() > MAX_BLOCKS {
            self.clear();
        }
        let id = self.id_of(mode, pc);
        if self.blocks[id as usize].is_gone() {
            self.translate(mem, mode, id, cuts);
        }
        Some(id)
    }

    /// The block at `pc` if it was translated.
    pub fn known(&self, mode: Mode, pc: Addr) -> Option<&Block> {
        let id = *self.ids.get(&(pc, mode))?;
        Some(&self.blocks[id as usize]).filter(|block| !block.is_gone())
    }

    /// A JALR in the block at `from` went to `to`, for the first time in a while.
    pub fn note_seen(&mut self, from: Addr, to: Addr) {
        let seen = self.seen_jumps.entry(from).or_default();
        if seen.len() < MAX_SEEN_JUMPS && !seen.contains(&to) {
            seen.push(to);
        }
    }

    /// Some of the addresses that the JALR of the block at `from` went to.
    pub fn seen_jumps(&self, from: Addr) -> impl Iterator<Item = Addr> {
        self.seen_jumps.get(&from).into_iter().flatten().copied()
    }

    /// Drops the operations of the blocks in `page`.
    pub fn drop_page(&mut self, page: PageNo) {
        for id in self.pages.remove(&page).unwrap_or_default() {
            let block = &mut self.blocks[id as usize];
            self.op_count -= block.ops.len();
            *block = Block::gone(id, block.pc);
        }
    }

    fn id_of(&mut self, mode: Mode, pc: Addr) -> BlockId {
        let blocks = &mut self.blocks;
        *self.ids.entry((pc, mode)).or_insert_with(|| {
            let id = blocks.len() as BlockId;
            blocks.push(Block::gone(id, pc));
            id
        })
    }

    fn translate(&mut self, mem: &mut Memory, mode: Mode, id: BlockId, cuts: &BTreeSet<Addr>) {
        let pc = self.blocks[id as usize].pc;
        let mut block = Block::gone(id, pc);
        let mut ops = Vec::new();
        let end = translate_ops(mem, mode, &mut block, cuts, &mut ops);
        mem.watch_code(pc..end);
        block.run = thread(&mut ops, self.looks);
        self.op_count += ops.len();
        block.ops = ops.into_boxed_slice();
        self.pages.entry(PageNo::of(pc)).or_default().push(id);
        self.blocks[id as usize] = block;
    }
}

/// An address and a mode in one word: bit 0 of a pc is free.
#[inline]
pub(super) const fn place_of(mode: Mode, pc: Addr) -> u32 {
    pc | mode as u32
}

#[inline]
fn jump_index(pc: Addr) -> usize {
    (pc >> 2) as usize % JUMPS
}

/// The blocks that JALR lately went to, by address and mode.
pub(super) struct Jumps(Box<[(u32, BlockId); JUMPS]>);

impl Jumps {
    /// The block at `pc`, if JALR was there lately.
    #[inline]
    pub fn target(&self, mode: Mode, pc: Addr) -> BlockId {
        let (place, id) = self.0[jump_index(pc)];
        if place == place_of(mode, pc) { id } else { NO_BLOCK }
    }

    /// JALR went to block `id`, which is at `pc`.
    pub fn note(&mut self, mode: Mode, pc: Addr, id: BlockId) {
        self.0[jump_index(pc)] = (place_of(mode, pc), id);
    }
}

impl Block {
    fn gone(id: BlockId, pc: Addr) -> Block {
        let next = [const { Cell::new(NO_BLOCK) }; 2];
        Block { id, run: gone, ops: Box::default(), steps: 0, pc, targets: [0; 2], next, heat: Cell::new(0) }
    }

    pub fn is_gone(&self) -> bool {
        self.ops.is_empty()
    }
}

/// Appends the operations of `block` to `out` and returns the address behind the words that were read.
fn translate_ops(mem: &Memory, mode: Mode, block: &mut Block, cuts: &BTreeSet<Addr>, out: &mut Vec<BlockOp>) -> Addr {
    let mut pc = block.pc;
    loop {
        let is_end = pc != block.pc
            && (block.steps == MAX_STEPS || PageNo::of(pc) != PageNo::of(block.pc) || cuts.contains(&pc));
        if is_end || !mode.may_access(pc) {
            block.targets = [pc, 0];
            out.push(BlockOp::bare(Code::Next));
            return pc;
        }
        let op = decode(mem.word(pc)).map_or(BlockOp::STEP, |insn| BlockOp::of(insn, pc));
        out.push(op);
        let behind = ops::next_pc(pc);
        if op.code == Code::Step {
            return behind;
        }
        block.steps += 1;
        if op.code.is_jump() {
            block.targets = op.targets(pc);
            return behind;
        }
        pc = behind;
    }
}

impl Code {
    /// Whether the block ends with this operation.
    pub const fn is_jump(self) -> bool {
        use Code::*;
        matches!(self, Beq | Bne | Blt | Bge | Bltu | Bgeu | Jal | Jalr)
    }
}

impl BlockOp {
    const STEP: BlockOp = BlockOp::bare(Code::Step);

    /// An operation without operands.
    const fn bare(code: Code) -> BlockOp {
        BlockOp { next: gone, code, rd: 0, rs1: 0, rs2: 0, imm: 0 }
    }

    /// Where a block goes on that ends with this operation, at `pc`: behind it, and where a branch or JAL goes.
    #[inline]
    pub fn targets(self, pc: Addr) -> [Addr; 2] {
        [ops::next_pc(pc), self.imm]
    }

    /// The operation of `insn` at `pc`; the immediate of a branch or JAL is the address it goes to.
    #[inline(always)]
    pub fn of(insn: Insn, pc: Addr) -> BlockOp {
        let imm = insn.imm as u32;
        let rd = destination(insn.rd) as u8;
        let (rs1, rs2) = (insn.rs1.index() as u8, insn.rs2.index() as u8);
        let plain = |code| BlockOp { next: gone, code, rd, rs1, rs2, imm };
        // ISA-13: a jump that raises is left to the plain engine, an untaken branch does not raise.
        let to = |code| match ops::is_aligned_target(ops::pc_relative(pc, imm)) {
            true => BlockOp { imm: ops::pc_relative(pc, imm), ..plain(code) },
            false => BlockOp::STEP,
        };
        match insn.op {
            Op::Lui => plain(Code::Set),
            Op::Auipc => BlockOp { imm: ops::auipc(pc, imm), ..plain(Code::Set) },
            Op::Jal => to(Code::Jal),
            Op::Jalr => plain(Code::Jalr),
            Op::Beq => to(Code::Beq),
            Op::Bne => to(Code::Bne),
            Op::Blt => to(Code::Blt),
            Op::Bge => to(Code::Bge),
            Op::Bltu => to(Code::Bltu),
            Op::Bgeu => to(Code::Bgeu),
            Op::Lb => plain(Code::Lb),
            Op::Lh => plain(Code::Lh),
            Op::Lw => plain(Code::Lw),
            Op::Lbu => plain(Code::Lbu),
            Op::Lhu => plain(Code::Lhu),
            Op::Sb => plain(Code::Sb),
            Op::Sh => plain(Code::Sh),
            Op::Sw => plain(Code::Sw),
            Op::Addi => plain(Code::Addi),
            Op::Slti => plain(Code::Slti),
            Op::Sltiu => plain(Code::Sltiu),
            Op::Xori => plain(Code::Xori),
            Op::Ori => plain(Code::Ori),
            Op::Andi => plain(Code::Andi),
            Op::Slli => plain(Code::Slli),
            Op::Srli => plain(Code::Srli),
            Op::Srai => plain(Code::Srai),
            Op::Add => plain(Code::Add),
            Op::Sub => plain(Code::Sub),
            Op::Sll => plain(Code::Sll),
            Op::Slt => plain(Code::Slt),
            Op::Sltu => plain(Code::Sltu),
            Op::Xor => plain(Code::Xor),
            Op::Srl => plain(Code::Srl),
            Op::Sra => plain(Code::Sra),
            Op::Or => plain(Code::Or),
            Op::And => plain(Code::And),
            Op::Fence => plain(Code::Nop),
            Op::Ecall | Op::Ebreak | Op::Mret => BlockOp::STEP,
            Op::Mul => plain(Code::Mul),
            Op::Mulh => plain(Code::Mulh),
            Op::Mulhsu => plain(Code::Mulhsu),
            Op::Mulhu => plain(Code::Mulhu),
            Op::Div => plain(Code::Div),
            Op::Divu => plain(Code::Divu),
            Op::Rem => plain(Code::Rem),
            Op::Remu => plain(Code::Remu),
        }
    }
}

/// Tells each operation which function executes what is behind it; returns that of the first.
fn thread(ops: &mut [BlockOp], looks: bool) -> Handler {
    let mut i = 0;
    let mut before: Option<usize> = None;
    let mut first: Handler = gone;
    while i < ops.len() {
        let look = |op: &BlockOp| if looks { looking(op.code) } else { None };
        let second = ops.get(i + 1).filter(|second| look(&ops[i]).or(look(second)).is_none());
        let fused = second.and_then(|second| pair(ops[i].code, second.code));
        let run = fused.or(look(&ops[i])).unwrap_or_else(|| single(ops[i].code));
        match before {
            None => first = run,
            Some(before) => ops[before].next = run,
        }
        let last = i + usize::from(fused.is_some());
        before = Some(last);
        i = last + 1;
    }
    first
}
