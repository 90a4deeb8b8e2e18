//! The specification against the official model: the Rust translation of the RISC-V Sail model
//! in the crate softcore-rv64, which shares no line and no author with ours.
//!
//! The translation has XLEN = 64. A word is embedded as its sign-extension, on which the W forms
//! compute what the 32-bit instructions do, and comparisons, logic, LUI, AUIPC, jumps and branches
//! are unchanged; MULH, MULHSU and MULHU are bits 63 to 32 of a 64-bit product of suitably extended
//! words. Its loads and stores are not translated and are not witnessed here.

use lockstep::isa::Op;
use lockstep_spec::effect::{Effect, Operands, effect};
use lockstep_spec::encdec;
use lockstep_spec::rv32i;
use softcore_rv64::prelude::bv;
use softcore_rv64::raw::{self, Core, ExecutionResult, ast, bop, iop, mul_op, rop, ropw, sopw, uop};
use softcore_rv64::registers::{X5, X6, X7};

use super::Options;
use super::clock::timed;
use super::report::{Entry, Layer, Method, Outcome};
use super::values::{CORNERS, Random, SEED};
use crate::smt::obligations::spec_op;

/// Compares every instruction that the model has, on corners and random words.
pub fn check(options: &Options) -> Vec<Entry> {
    let ops = Op::ALL.into_iter().filter(|op| options.wants(Layer::Witness, &[op.mnemonic(), &name(*op)]));
    ops.filter(|op| sail(*op, &SAMPLE).is_some()).map(check_op).collect()
}

const SAMPLE: Operands<u32> = Operands { pc: 0x1_0000, rs1: 0, rs2: 0, imm: 0 };

fn name(op: Op) -> String {
    format!("witness.{}", op.mnemonic())
}

/// Random operands for each instruction, besides all pairs of corners: over 10^7 for all of them.
const RANDOM_CASES: u64 = 300_000;

fn check_op(op: Op) -> Entry {
    let mut core = softcore_rv64::new_core(config());
    core.reset();
    let (found, seconds) = timed(|| cases(op).find_map(|operands| difference(&mut core, op, operands)));
    let claim =
        format!("the specification's {} is that of the Sail model translated in softcore-rv64 0.6.0", op.mnemonic());
    let count = cases(op).count() as u64;
    let entry =
        Entry::new(Layer::Witness, &name(op), &claim, Method::Tested(count), seconds, Outcome::from_finding(found));
    Entry { instructions: vec![op.mnemonic().to_string()], ..entry }
}

/// All pairs of corners, then random operands; the immediate is one that the instruction can have.
fn cases(op: Op) -> impl Iterator<Item = Operands<u32>> {
    let mut random = Random(SEED ^ op as u64);
    let corners = CORNERS.iter().flat_map(|a| CORNERS.iter().map(|b| (*a, *b)));
    let mut pairs = corners.collect::<Vec<_>>().into_iter();
    let total = pairs.len() as u64 + RANDOM_CASES;
    (0..total).map(move |_| {
        let (rs1, rs2) = pairs.next().unwrap_or_else(|| (random.word(), random.word()));
        let imm = immediate(op, random.word());
        Operands { pc: random.word() & !3, rs1, rs2, imm }
    })
}

/// The immediate that `op` takes from `bits`, by way of an encoded instruction.
pub fn immediate(op: Op, bits: u32) -> u32 {
    let word = op.row().pattern | (bits & !op.row().mask);
    encdec::decode(word).map_or(0, |insn| insn.imm)
}

fn difference(core: &mut Core, op: Op, operands: Operands<u32>) -> Option<String> {
    let ours = outcome(op, operands);
    let theirs = run(core, op, &operands);
    (ours != theirs).then(|| format!("{operands:x?}: the specification gives {ours:x?}, the Sail model {theirs:x?}"))
}

/// What an instruction does to rd and pc; a misaligned target is a trap, with rd unwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Retired { rd: Option<u32>, next_pc: u32 },
    MisalignedTarget,
}

fn outcome(op: Op, operands: Operands<u32>) -> Seen {
    let next = rv32i::next_pc(operands.pc);
    let (rd, next_pc) = match effect(spec_op(op), operands) {
        Effect::Write(value) => (Some(value), next),
        Effect::Jump { target, link } => (Some(link), target),
        Effect::Branch { is_taken: true, target } => (None, target),
        _ => (None, next),
    };
    let is_misaligned = rv32i::is_misaligned_target(next_pc);
    if is_misaligned { Seen::MisalignedTarget } else { Seen::Retired { rd, next_pc } }
}

fn config() -> raw::Config {
    let mut config = softcore_rv64::config::MINIMAL;
    config.extensions.M.supported = true;
    config
}

fn run(core: &mut Core, op: Op, operands: &Operands<u32>) -> Seen {
    let unwritten = 0x5EED;
    let Operands { pc, rs1, rs2, .. } = *operands;
    let (a, b) = embed(op, rs1, rs2);
    core.set(X5, a);
    core.set(X6, b);
    core.set(X7, unwritten);
    core.PC = bv(signed(pc));
    core.nextPC = bv(signed(pc).wrapping_add(4));
    let Some(instruction) = sail(op, operands) else { return Seen::MisalignedTarget };
    match raw::execute(core, instruction) {
        ExecutionResult::Retire_Success(()) => {
            let value = core.get(X7);
            let shift = if matches!(op, Op::Mulh | Op::Mulhsu | Op::Mulhu) { 32 } else { 0 };
            let writes = !matches!(op, Op::Beq | Op::Bne | Op::Blt | Op::Bge | Op::Bltu | Op::Bgeu | Op::Fence);
            Seen::Retired { rd: writes.then_some((value >> shift) as u32), next_pc: core.nextPC.bits() as u32 }
        }
        _ => Seen::MisalignedTarget,
    }
}

fn signed(word: u32) -> u64 {
    word as i32 as i64 as u64
}

fn embed(op: Op, rs1: u32, rs2: u32) -> (u64, u64) {
    match op {
        Op::Mulhu => (rs1.into(), rs2.into()),
        Op::Mulhsu => (signed(rs1), rs2.into()),
        _ => (signed(rs1), signed(rs2)),
    }
}

/// The model's instruction for `op` with rs1 = x5, rs2 = x6, rd = x7; `None` where it has none.
fn sail(op: Op, operands: &Operands<u32>) -> Option<ast> {
    let imm = u64::from(operands.imm);
    let word = |op| Some(ast::RTYPEW((X6, X5, X7, op)));
    let plain = |op| Some(ast::RTYPE((X6, X5, X7, op)));
    let immediate = |op| Some(ast::ITYPE((bv(imm & 0xfff), X5, X7, op)));
    let shift = |op| Some(ast::SHIFTIWOP((bv(imm & 0x1f), X5, X7, op)));
    let branch = |op| Some(ast::BTYPE((bv(imm & 0x1fff), X6, X5, op)));
    let upper = |op| Some(ast::UTYPE((bv(imm >> 12), X7, op)));
    // The low 64 bits of the product; which words were extended with their sign is in `embed`.
    let product = || Some(ast::MUL((X6, X5, X7, mul_op { high: false, signed_rs1: true, signed_rs2: true })));
    match op {
        Op::Add => word(ropw::ADDW),
        Op::Sub => plain(rop::SUB),
        Op::Sll => word(ropw::SLLW),
        Op::Srl => word(ropw::SRLW),
        Op::Sra => word(ropw::SRAW),
        Op::Slt => plain(rop::SLT),
        Op::Sltu => plain(rop::SLTU),
        Op::Xor => plain(rop::XOR),
        Op::Or => plain(rop::OR),
        Op::And => plain(rop::AND),
        Op::Addi => Some(ast::ADDIW((bv(imm & 0xfff), X5, X7))),
        Op::Slti => immediate(iop::SLTI),
        Op::Sltiu => immediate(iop::SLTIU),
        Op::Xori => immediate(iop::XORI),
        Op::Ori => immediate(iop::ORI),
        Op::Andi => immediate(iop::ANDI),
        Op::Slli => shift(sopw::SLLIW),
        Op::Srli => shift(sopw::SRLIW),
        Op::Srai => shift(sopw::SRAIW),
        Op::Lui => upper(uop::LUI),
        Op::Auipc => upper(uop::AUIPC),
        Op::Jal => Some(ast::JAL((bv(imm & 0x1f_ffff), X7))),
        Op::Jalr => Some(ast::JALR((bv(imm & 0xfff), X5, X7))),
        Op::Beq => branch(bop::BEQ),
        Op::Bne => branch(bop::BNE),
        Op::Blt => branch(bop::BLT),
        Op::Bge => branch(bop::BGE),
        Op::Bltu => branch(bop::BLTU),
        Op::Bgeu => branch(bop::BGEU),
        Op::Mul => Some(ast::MULW((X6, X5, X7))),
        Op::Mulh | Op::Mulhsu | Op::Mulhu => product(),
        Op::Div => Some(ast::DIVW((X6, X5, X7, true))),
        Op::Divu => Some(ast::DIVW((X6, X5, X7, false))),
        Op::Rem => Some(ast::REMW((X6, X5, X7, true))),
        Op::Remu => Some(ast::REMW((X6, X5, X7, false))),
        Op::Lb | Op::Lh | Op::Lw | Op::Lbu | Op::Lhu | Op::Sb | Op::Sh | Op::Sw => None,
        Op::Fence | Op::Ecall | Op::Ebreak | Op::Mret => None,
    }
}
