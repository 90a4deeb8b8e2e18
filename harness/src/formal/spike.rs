//! The specification against Spike: every instruction that computes something, on corners and random
//! words, in programs of thousands of cases.
//!
//! A case loads two words a and b, runs the instruction with rd = x7, rs1 = x5 and rs2 = x6, and stores x7
//! over a. The immediate or a is chosen so that loads and stores reach b, and jumps and taken branches
//! go to or over the store. What memory holds afterwards is computed by the specification's functions
//! and compared with Spike's memory.

use lockstep::ecall::NoHost;
use lockstep::hart::{Hart, Machine};
use lockstep::isa::{Class, Insn, Op, Reg, disassemble, encode};
use lockstep::map::Mode;
use lockstep::mem::Memory;
use lockstep_spec::effect::{Effect, Operands, effect};

use super::Options;
use super::clock::timed;
use super::report::{Entry, Layer, Method, Outcome};
use super::values::{CORNERS, Random, SEED};
use super::witness::immediate;
use crate::machine::{self, Failure, Frame, Reference, Stop, machine_frame_hash};
use crate::machines::spike::{Spike, VERSION, shim};
use crate::smt::obligations::spec_op;

/// Compares every instruction but ECALL, EBREAK and MRET; skipped, by name, where Spike is not there.
pub fn check(options: &Options) -> Vec<Entry> {
    let ops = Op::ALL.into_iter().filter(|op| op.class() != Class::System || *op == Op::Fence);
    let wanted = |op: &Op| options.wants(Layer::Witness, &[op.mnemonic(), &name(*op), "spike"]);
    let ops: Vec<Op> = ops.filter(wanted).collect();
    let spike = if ops.is_empty() { None } else { shim().map(Spike::start) };
    match spike {
        _ if ops.is_empty() => Vec::new(),
        Some(Ok(mut spike)) => ops.into_iter().map(|op| check_op(&mut spike, op)).collect(),
        Some(Err(failure)) => ops.into_iter().map(|op| entry(op, 0, 0.0, Outcome::Fail(failure.to_string()))).collect(),
        None => {
            let reason = "Spike is not there; `make references` fetches it".to_string();
            ops.into_iter().map(|op| entry(op, 0, 0.0, Outcome::Skip(reason.clone()))).collect()
        }
    }
}

fn name(op: Op) -> String {
    format!("witness.spike.{}", op.mnemonic())
}

fn entry(op: Op, count: u64, seconds: f64, outcome: Outcome) -> Entry {
    let claim = format!("the specification's {} is that of Spike ({VERSION})", op.mnemonic());
    let entry = Entry::new(Layer::Witness, &name(op), &claim, Method::Tested(count), seconds, outcome);
    Entry { instructions: vec![op.mnemonic().to_string()], ..entry }
}

/// Cases of one program: its code is 24 bytes a case.
const CASES: u32 = 16_384;
/// Programs for each instruction: over 10^7 cases for all of them.
const PROGRAMS: u64 = 15;
const FRAME_BYTES: u32 = machine::FRAME_BYTES as u32;
const CODE: u32 = 0x0010_0000;
const DATA: u32 = 0x4000_0000;
/// Words of code and bytes of data that a case takes.
const CASE_WORDS: u32 = 6;
const CASE_BYTES: u32 = 8;
/// What x7 holds before the instruction.
const UNWRITTEN: u32 = 0x2A;

fn check_op(spike: &mut Spike, op: Op) -> Entry {
    let mut random = Random(SEED ^ (op as u64) << 16);
    let mut count = 0;
    let (outcome, seconds) = timed(|| {
        for program in 0..PROGRAMS {
            match run_program(spike, op, program, &mut random) {
                Ok(None) => count += u64::from(CASES),
                Ok(Some(difference)) => return Outcome::Fail(difference),
                Err(failure) => return Outcome::Fail(failure.to_string()),
            }
        }
        Outcome::Pass
    });
    entry(op, count, seconds, outcome)
}

/// One instruction with its operands.
struct Case {
    insn: Insn,
    a: u32,
    b: u32,
}

/// Runs a program of cases; the first difference.
fn run_program(spike: &mut Spike, op: Op, program: u64, random: &mut Random) -> Result<Option<String>, Failure> {
    let mut machine = Machine { hart: Hart::new(CODE, Mode::Machine), mem: Memory::new() };
    machine.hart.set_x(Reg::FP, DATA);
    let cases: Vec<Case> = (0..CASES).map(|i| case(op, program, i, random)).collect();
    for (i, case) in (0..).zip(&cases) {
        place(&mut machine, i, case);
    }
    spike.load(&machine)?;
    // The word behind the last case is no instruction.
    let progress = spike.run(u64::from(CASES * CASE_WORDS) + 1, &mut NoHost)?;
    let end = CODE + 4 * CASE_WORDS * CASES;
    let pc = spike.state()?.pc;
    if !matches!(progress.stop, Stop::Trap(_)) || pc != end {
        return Ok(Some(format!("Spike ends {:?} at 0x{pc:08x} instead of 0x{end:08x}", progress.stop)));
    }
    for (i, case) in (0..).zip(&cases) {
        expect(&mut machine, i, case);
    }
    let frames: Vec<Frame> = (0..CASES * CASE_BYTES / FRAME_BYTES).map(|i| Frame(DATA / FRAME_BYTES + i)).collect();
    let hashes = spike.frame_hashes(&frames)?;
    let differs = frames.into_iter().zip(hashes).find(|(frame, hash)| machine_frame_hash(&machine, *frame) != *hash);
    let Some((frame, _)) = differs else { return Ok(None) };
    for addr in (frame.0 * FRAME_BYTES..).step_by(4).take(machine::FRAME_BYTES / 4) {
        let (ours, theirs) = (machine.word(addr), spike.word(addr)?);
        if ours != theirs {
            let i = (addr - DATA) / CASE_BYTES;
            let Case { insn, a, b } = &cases[i as usize];
            let text = disassemble(encode(insn), slot(i));
            return Ok(Some(format!(
                "`{text}` with rs1 = 0x{a:08x}, rs2 = 0x{b:08x}: the specification leaves 0x{ours:08x}, Spike 0x{theirs:08x}"
            )));
        }
    }
    Ok(Some("two frames have the same words and different hashes".to_string()))
}

/// Where the instruction of case `i` is.
fn slot(i: u32) -> u32 {
    CODE + 4 * (CASE_WORDS * i + 3)
}

/// The words of case `i`.
fn cell(i: u32) -> u32 {
    DATA + CASE_BYTES * i
}

fn case(op: Op, program: u64, i: u32, random: &mut Random) -> Case {
    let bits = random.word();
    let (mut a, b) = pair(program, i, random);
    let imm = match op.class() {
        // Over the store.
        Class::Branch => 8,
        Class::Jump if op == Op::Jal => 4 + 4 * (bits & 1),
        _ => immediate(op, bits),
    };
    let reaches = |addr: u32| addr.wrapping_sub(imm);
    match op {
        Op::Jalr => a = reaches(slot(i) + 4 + 4 * (bits >> 30 & 1) + (bits >> 29 & 1)),
        Op::Lb | Op::Lbu | Op::Sb => a = reaches(cell(i) + 4 + (bits & 3)),
        Op::Lh | Op::Lhu | Op::Sh => a = reaches(cell(i) + 4 + (bits & 2)),
        Op::Lw | Op::Sw => a = reaches(cell(i) + 4),
        _ => {}
    }
    let insn = Insn { op, rd: Reg::T2, rs1: Reg::T0, rs2: Reg::T1, imm: imm as i32 };
    Case { insn: lockstep::isa::decode(encode(&insn)).unwrap_or(insn), a, b }
}

/// All pairs of corners in the first program, then random words.
fn pair(program: u64, i: u32, random: &mut Random) -> (u32, u32) {
    let corners = CORNERS.len();
    match i as usize {
        i if program == 0 && i < corners * corners => (CORNERS[i / corners], CORNERS[i % corners]),
        _ => (random.word(), random.word()),
    }
}

fn place(machine: &mut Machine, i: u32, case: &Case) {
    let at = |op, rd, rs1, rs2, imm| Insn { op, rd, rs1, rs2, imm };
    let code = [
        at(Op::Lw, Reg::T0, Reg::FP, Reg::ZERO, 0),
        at(Op::Lw, Reg::T1, Reg::FP, Reg::ZERO, 4),
        at(Op::Addi, Reg::T2, Reg::ZERO, Reg::ZERO, UNWRITTEN as i32),
        case.insn,
        at(Op::Sw, Reg::ZERO, Reg::FP, Reg::T2, 0),
        at(Op::Addi, Reg::FP, Reg::FP, Reg::ZERO, CASE_BYTES as i32),
    ];
    for (word, insn) in (0..).zip(code) {
        machine.set_word(CODE + 4 * (CASE_WORDS * i + word), encode(&insn));
    }
    machine.set_word(cell(i), case.a);
    machine.set_word(cell(i) + 4, case.b);
}

/// What the specification says that the case leaves in its words.
fn expect(machine: &mut Machine, i: u32, case: &Case) {
    let Case { insn, a, b } = *case;
    let operands = Operands { pc: slot(i), rs1: a, rs2: b, imm: insn.imm as u32 };
    let (first, second) = match effect(spec_op(insn.op), operands) {
        Effect::Write(value) => (value, b),
        Effect::Jump { target, link } => (if target == slot(i) + 4 { link } else { a }, b),
        Effect::Branch { is_taken, .. } => (if is_taken { a } else { UNWRITTEN }, b),
        Effect::Load { addr, read, .. } => (read(b, addr), b),
        Effect::Store { addr, value, write, .. } => (UNWRITTEN, write(b, addr, value)),
        _ => (UNWRITTEN, b),
    };
    machine.set_word(cell(i), first);
    machine.set_word(cell(i) + 4, second);
}
