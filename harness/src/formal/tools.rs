//! The tools of the proofs, against the machine code: the translated IR of every function and the
//! specification's terms, evaluated, give what the function and the specification give when run.
//! And what is claimed of an engine's arm is what the specification's machine does.

use lockstep::exec::probe::{After, Given, tag};
use lockstep::isa::{Insn, Op, Reg, encode};
use lockstep_spec::encdec;
use lockstep_spec::memory::Memory;
use lockstep_spec::zkvm::{self, Cause, Machine, Mode};

use super::Options;
use super::clock::timed;
use super::handlers::function_of;
use super::report::{Entry, Layer, Method, Outcome};
use super::values::{CORNERS, Random, SEED};
use super::witness::immediate;
use crate::smt::arm::{GIVEN, given, step_claim};
use crate::smt::ir::{Module, Translated, translate};
use crate::smt::obligations::{Claim, Part, Use, all_uses, arms, claim};
use crate::smt::query::claim_term;
use crate::smt::term::{Term, Values};
use crate::smt::word::SmtWord;

/// Evaluates every use of a function on corners and random words.
pub fn check(options: &Options, ir: &str) -> Vec<Entry> {
    let module = Module::parse(ir);
    let mut seen = std::collections::BTreeSet::new();
    let wanted = |of: &Use| options.wants(Layer::Tool, &[of.op.mnemonic(), of.function, &name(of)]);
    let uses = all_uses().into_iter().filter(wanted).filter(|of| seen.insert((of.function, of.args)));
    let handlers = uses.map(|of| check_use(&module, &of)).collect::<Vec<_>>();
    let arms = arms().into_iter().filter(wanted).map(|of| check_use(&module, &of));
    let machine = Op::ALL.into_iter().filter(|op| options.wants(Layer::Tool, &[op.mnemonic(), &machine_name(*op)]));
    handlers.into_iter().chain(arms).chain(machine.map(check_machine)).collect()
}

fn name(of: &Use) -> String {
    match of.part {
        Part::Step | Part::Block => format!("tool.{}.{}", of.part.name(), of.function),
        _ => format!("tool.{}-{}", of.function, of.args.join("-")),
    }
}

fn machine_name(op: Op) -> String {
    format!("tool.machine.{}", op.mnemonic())
}

/// Random points for each function, besides the corners.
const RANDOM_POINTS: u64 = 200;

fn check_use(module: &Module, of: &Use) -> Entry {
    let points: Vec<Values> = match of.part {
        Part::Step | Part::Block => arm_points(of.op).collect(),
        _ => points(of).collect(),
    };
    let (finding, seconds) = timed(|| {
        let function = module
            .function(&format!("exec_ops::{}::{}", of.part.module(), of.function))
            .and_then(|f| translate(&f, of.args));
        match function {
            Err(error) => Some(error.to_string()),
            Ok(translated) => points.iter().find_map(|values| difference(of, &translated, values)),
        }
    });
    let claim = format!(
        "the translated IR of {} and the term of the specification, evaluated, are what both give when run",
        of.function
    );
    let method = Method::Tested(points.len() as u64);
    let entry = Entry::new(Layer::Tool, &name(of), &claim, method, seconds, Outcome::from_finding(finding));
    Entry { instructions: vec![of.op.mnemonic().to_string()], ..entry }
}

fn difference(of: &Use, translated: &Translated, values: &Values) -> Option<String> {
    let word = |name: &str| values.get(name).copied().unwrap_or(0) as u32;
    let args: Vec<u32> = of.args.iter().map(|name| word(name)).collect();
    let native = Some((function_of(of).run)(&args));
    let run = claim(of.op, of.part, word).as_ref().map(|claim: &Claim<u32>| claim.value());
    let term = claim(of.op, of.part, SmtWord::var).as_ref().map(claim_term);
    let is_allowed = claim(of.op, of.part, word).is_some_and(|claim| native.is_some_and(|native| claim.allows(native)));
    if !is_allowed {
        return Some(format!(
            "{} at {values:x?}: the compiled code gives {native:x?}, the specification {run:x?}",
            of.function
        ));
    }
    let evaluate = |term: Term| term.eval(values);
    let pairs = [
        ("the translated IR", evaluate(translated.result), native),
        ("its poison", evaluate(translated.is_poison), Some(0)),
        ("its undefined behaviour", evaluate(translated.is_undefined), Some(0)),
        ("the specification's term", term.and_then(evaluate), run),
    ];
    pairs.into_iter().find(|(_, evaluated, run)| evaluated != run).map(|(what, evaluated, run)| {
        format!("{} at {values:x?}: {what} evaluates to {evaluated:x?} and runs to {run:x?}", of.function)
    })
}

/// Runs an instruction on the specification's machine and compares with what is claimed of the arms.
fn check_machine(op: Op) -> Entry {
    let mut count = 0;
    let (finding, seconds) = timed(|| {
        arm_points(op).find_map(|values| {
            let given = given(|name| values[name] as u32);
            let ran = machine_after(op, &given)?;
            count += 1;
            let word = |name: &str| values[name] as u32;
            let claimed = step_claim(op, word).value();
            (ran != claimed).then(|| format!("at {given:x?}: claimed {claimed:032x}, the machine does {ran:032x}"))
        })
    });
    let claim = format!("what is claimed of the arms of {} is what the specification's machine does", op.mnemonic());
    let finding = finding.or_else(|| (count == 0).then(|| "no case".to_string()));
    let entry = Entry::new(
        Layer::Tool,
        &machine_name(op),
        &claim,
        Method::Tested(count),
        seconds,
        Outcome::from_finding(finding),
    );
    Entry { instructions: vec![op.mnemonic().to_string()], ..entry }
}

/// What the specification's machine makes of the state; `None` where that state cannot be built in its memory.
fn machine_after(op: Op, given: &Given) -> Option<u128> {
    const REGISTERS: u32 = 0xFFFF_0000;
    const MEPC: u32 = 0xFFFF_0200;
    let word_of = |addr: u32| addr & !3;
    let numbers = [given.rd, given.rs1, given.rs2].map(Reg::new);
    let insn = Insn { op, rd: numbers[0], rs1: numbers[1], rs2: numbers[2], imm: given.imm as i32 };
    let (code, [rd, rs1, rs2]) = (encode(&insn), numbers.map(|reg| reg.index() as u32));
    if encdec::decode(code)?.imm != given.imm
        || !given.pc.is_multiple_of(4)
        || !(0x0001_0000..0xC000_0000).contains(&given.pc)
    {
        return None;
    }
    let is_machine = given.mode & 1 == 1;
    let (mode, window) = if is_machine { (Mode::Machine, REGISTERS) } else { (Mode::User, REGISTERS + 0x80) };
    let mut machine =
        Machine { pc: given.pc, mode, instructions: 0, cycles: 0, last_user_trap: None, memory: Memory::new() };
    for n in 1..32 {
        let value = if n == rs1 {
            given.x_rs1
        } else if n == rs2 {
            given.x_rs2
        } else {
            given.x_other
        };
        machine.memory.set_word(window + 4 * n, value);
    }
    let addr = if op == Op::Mret { MEPC } else { machine.x(rs1).wrapping_add(given.imm) };
    let is_apart = |addr: u32| word_of(addr) != given.pc && (addr < REGISTERS || addr == MEPC);
    if !is_apart(addr)
        || word_of(given.place) == given.pc
        || given.place >= REGISTERS
        || (op == Op::Ecall && is_machine)
    {
        return None;
    }
    machine
        .memory
        .set_word(word_of(addr), if word_of(given.place) == word_of(addr) { given.word } else { given.elsewhere });
    machine.memory.set_word(given.pc, code);
    Some(match machine.step(&mut NoWorld) {
        zkvm::Outcome::Stepped(step) => {
            let store = step.access.filter(|access| access.is_store).map(|access| word_of(access.addr));
            let register =
                step.rd.map_or(0, |_| (tag::REGISTER * (if rd == 0 { 32 } else { rd } + 1)) | tag::REGISTER_WRITES);
            let stored = store.map_or(0, |_| tag::WORD_WRITES);
            let after = After {
                next_pc: step.next_pc,
                value: step.rd.or(store.map(|addr| machine.memory.word(addr))).unwrap_or(0),
                addr: store.unwrap_or(0),
                tag: (tag::MODE * step.next_mode as u32) | register | stored,
            };
            after.pack()
        }
        // TRAP-5: the word of an illegal instruction, which here is the encoded one.
        zkvm::Outcome::Faulted(fault) => {
            let addr = if fault.trap.cause == Cause::IllegalInstruction { given.word } else { fault.trap.addr };
            After { addr, tag: tag::TRAP * (fault.trap.cause as u32 + 1), ..After::default() }.pack()
        }
        zkvm::Outcome::Terminated { .. } => return None,
    })
}

/// States around the borders of the map, with corners and random words, for an arm of `op`.
fn arm_points(op: Op) -> impl Iterator<Item = Values> {
    const POINTS: u64 = 1000;
    const BASES: [u32; 8] =
        [0x0003_0000, 0x0000_FFFC, 0x0001_0000, 0xBFFF_FFFC, 0xC000_0000, 0xFF00_0000, 0xFFFE_FFFC, 0x0003_0004];
    let mut random = Random(SEED ^ (op as u64) << 8);
    (0..POINTS).map(move |i| {
        let mut values: Values = GIVEN.iter().map(|name| (name.to_string(), u128::from(random.word()))).collect();
        let mut set = |name: &str, value: u32| values.insert(name.to_string(), u128::from(value));
        let base = BASES[i as usize % BASES.len()];
        let imm = immediate(op, random.word());
        set("imm", imm);
        set("pc", (random.word() & 0x0FFF_FFFC) + 0x0002_0000);
        if i % 4 != 0 {
            // An address near a border, and in half of the cases the word that is known.
            let addr = base.wrapping_add(random.word() & 7);
            set("x_rs1", addr.wrapping_sub(imm));
            set("place", if i % 8 < 4 { addr } else { base });
        }
        values.extend(["any_udiv", "any_urem", "any_sdiv", "any_srem"].map(|name| (name.to_string(), 7)));
        values
    })
}

/// A world that nobody asks: no case is an ECALL of machine mode.
struct NoWorld;

impl zkvm::Host for NoWorld {
    fn read(&mut self, _order: u64, _fd: u32, _bytes: &mut [u8]) -> u32 {
        0
    }
    fn write(&mut self, _order: u64, _fd: u32, _bytes: &[u8]) -> u32 {
        0
    }
}

/// Values for every variable that a query can have.
fn points(of: &Use) -> impl Iterator<Item = Values> {
    const NAMES: [&str; 11] =
        ["pc", "rs1", "rs2", "imm", "word", "addr", "target", "any_udiv", "any_urem", "any_sdiv", "any_srem"];
    let mut random = Random(SEED ^ of.op as u64);
    let corners = CORNERS.iter().flat_map(|a| CORNERS.iter().map(|b| (*a, *b))).collect::<Vec<_>>();
    (0..corners.len() as u64 + RANDOM_POINTS).map(move |i| {
        let mut values: Values = NAMES.iter().map(|name| (name.to_string(), u128::from(random.word()))).collect();
        if let Some((a, b)) = corners.get(i as usize) {
            of.args.iter().zip([a, b]).for_each(|(name, value)| {
                values.insert(name.to_string(), u128::from(*value));
            });
        }
        values
    })
}
