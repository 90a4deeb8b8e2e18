//! All 2^32 instruction words through the emulator's decoder and the specification's.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use lockstep::isa::{self, Class, Insn, Op};
use lockstep_spec::encdec::{self, Instruction};

use super::clock::timed;
use super::report::{Entry, Layer, Method, Mutants, Outcome};
use super::{FormalError, Options};
use crate::smt::obligations::spec_op;
use crate::smt::query::Query;
use crate::smt::solver::{SOLVERS, Verdict, Workshop};
use crate::smt::term::Term;

/// The decoder against the specification's, exhaustively, with planted errors.
pub fn check(options: &Options) -> Vec<Entry> {
    if !options.wants(Layer::Decoder, &["decoder.words"]) {
        return Vec::new();
    }
    let (sweep, cpu_seconds) = timed(|| sweep(isa::decode, options.threads));
    let finding = sweep.first_difference.map(describe).or_else(|| sweep.count_finding());
    let claim = format!(
        "isa::decode gives the specification's instruction, operands and immediate for every word; {} words are legal",
        sweep.legal.iter().sum::<u64>()
    );
    let method = Method::Exhaustive(WORDS);
    let entry =
        Entry::new(Layer::Decoder, "decoder.words", &claim, method, cpu_seconds, Outcome::from_finding(finding));
    let killed = PLANTED.iter().filter(|(_, decode)| is_found(*decode)).count();
    let mut entries =
        vec![Entry { mutants: Some(Mutants { killed, total: PLANTED.len() }), instructions: all_mnemonics(), ..entry }];
    for (name, decode) in PLANTED {
        let missed = (!is_found(*decode)).then(|| "this planted error was not found".to_string());
        let claim = format!("the decoder `{name}` is found not to be the specification's");
        let outcome = Outcome::from_finding(missed);
        entries.push(Entry::new(
            Layer::Mutant,
            &format!("mutant.decoder.{name}"),
            &claim,
            Method::Tested(SAMPLE.into()),
            0.0,
            outcome,
        ));
    }
    entries
}

/// That no word is two rows of the table, by SMT; and two tables for which that is false.
///
/// # Errors
/// [`FormalError`] when the solver cannot be run.
pub fn check_rows(options: &Options, workshop: &Workshop) -> Result<Vec<Entry>, FormalError> {
    if !options.wants(Layer::Decoder, &["decoder.rows"]) {
        return Ok(Vec::new());
    }
    let table: Vec<(u32, u32)> = Op::ALL.iter().map(|op| (op.row().mask, op.row().pattern)).collect();
    let without = |op: Op, bit: u32| {
        let mut table = table.clone();
        table[op as usize].0 &= !(1 << bit);
        table[op as usize].1 &= !(1 << bit);
        table
    };
    // SRAI without bit 30 is SRLI; EBREAK without bit 20 is ECALL.
    let mut entries = vec![disjoint("decoder.rows", &table, true, workshop)?];
    for (name, op, bit) in [("srai_as_srli", Op::Srai, 30), ("ebreak_as_ecall", Op::Ebreak, 20)] {
        let name = format!("mutant.rows.{name}");
        entries.push(disjoint(&name, &without(op, bit), false, workshop)?);
    }
    Ok(entries)
}

fn disjoint(name: &str, rows: &[(u32, u32)], holds: bool, workshop: &Workshop) -> Result<Entry, FormalError> {
    let claim = if holds {
        "no word is two rows of the instruction table"
    } else {
        "a table with two overlapping rows is found"
    };
    let query = Query::lemma(claim, rows_are_disjoint(rows));
    workshop.publish(name, &query).map_err(FormalError::Solver)?;
    let [bitwuzla, _, z3] = SOLVERS;
    let mut proofs = Vec::new();
    let mut finding = None;
    for solver in [bitwuzla, z3] {
        let answer = workshop.ask(solver, name, &query).map_err(FormalError::Solver)?;
        finding = finding.or(match (&answer.verdict, holds) {
            _ if answer.probe.is_none() => Some("the probe has no model".to_string()),
            (Verdict::Unsat, true) => None,
            (Verdict::Sat(values), false) if values.get("word").is_some_and(|word| rows_of(rows, *word as u32) > 1) => {
                None
            }
            (Verdict::Sat(values), _) => {
                Some(format!("the word 0x{:08x} is two rows", values.get("word").unwrap_or(&0)))
            }
            (Verdict::Unsat, false) => Some("this planted error was not found".to_string()),
            (Verdict::Undecided(reason), _) => Some(format!("{} did not decide: {reason}", answer.solver)),
        });
        proofs.push(super::handlers::proof(name, &answer));
    }
    let (layer, method) = if holds { (Layer::Decoder, Method::Proved) } else { (Layer::Mutant, Method::Refuted) };
    let cpu_seconds = proofs.iter().filter(|proof| !proof.is_cached).map(|proof| proof.cpu_seconds).sum();
    Ok(Entry { proofs, ..Entry::new(layer, name, claim, method, cpu_seconds, Outcome::from_finding(finding)) })
}

fn rows_are_disjoint(rows: &[(u32, u32)]) -> Term {
    let word = Term::var("word", 32);
    let bits = |value: u32| Term::bits(32, u128::from(value));
    let is_row = |&(mask, pattern): &(u32, u32)| word.bvand(bits(mask)).equals(bits(pattern));
    let mut overlap = Term::truth(false);
    for (i, row) in rows.iter().enumerate() {
        for other in &rows[..i] {
            overlap = overlap.or(is_row(row).and(is_row(other)));
        }
    }
    overlap.not()
}

fn rows_of(rows: &[(u32, u32)], word: u32) -> usize {
    rows.iter().filter(|(mask, pattern)| word & mask == *pattern).count()
}

const WORDS: u64 = 1 << 32;
/// Words that a thread takes at a time: enough to make taking them free.
const CHUNK: u64 = 1 << 22;

struct Sweep {
    first_difference: Option<u32>,
    /// Words of each operation, in table order.
    legal: Vec<u64>,
}

impl Sweep {
    /// Each row has as many words as its mask leaves bits open: a second count, from the table alone.
    fn count_finding(&self) -> Option<String> {
        Op::ALL.into_iter().zip(&self.legal).find_map(|(op, count)| {
            let expected = 1_u64 << op.row().mask.count_zeros();
            (*count != expected).then(|| format!("{} has {count} words and a mask for {expected}", op.mnemonic()))
        })
    }
}

fn sweep(decode: fn(u32) -> Option<Insn>, threads: usize) -> Sweep {
    let next = AtomicUsize::new(0);
    let first = AtomicU32::new(u32::MAX);
    let found = AtomicUsize::new(0);
    let legal = Mutex::new(vec![0; Op::ALL.len()]);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut counts = vec![0_u64; Op::ALL.len()];
                while found.load(Ordering::Relaxed) == 0 {
                    let start = next.fetch_add(1, Ordering::Relaxed) as u64 * CHUNK;
                    if start >= WORDS {
                        break;
                    }
                    for word in start..start + CHUNK {
                        let ours = decode(word as u32);
                        if !agree(ours, encdec::decode(word as u32)) {
                            found.fetch_add(1, Ordering::Relaxed);
                            first.fetch_min(word as u32, Ordering::Relaxed);
                            break;
                        }
                        if let Some(insn) = ours {
                            counts[insn.op as usize] += 1;
                        }
                    }
                }
                let mut legal = legal.lock().unwrap_or_else(PoisonError::into_inner);
                legal.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            });
        }
    });
    let is_found = found.into_inner() > 0;
    Sweep {
        first_difference: is_found.then(|| first.into_inner()),
        legal: legal.into_inner().unwrap_or_else(PoisonError::into_inner),
    }
}

/// Whether the emulator's instruction is the specification's.
fn agree(ours: Option<Insn>, theirs: Option<Instruction>) -> bool {
    match (ours, theirs) {
        (None, None) => true,
        (Some(insn), Some(Instruction { op, rd, rs1, rs2, imm })) => {
            spec_op(insn.op) == op
                && insn.rd.index() as u32 == rd
                && insn.rs1.index() as u32 == rs1
                && insn.rs2.index() as u32 == rs2
                && insn.imm as u32 == imm
        }
        _ => false,
    }
}

fn describe(word: u32) -> String {
    let ours = isa::decode(word).map_or("nothing".to_string(), |insn| format!("{insn:?}"));
    let theirs = encdec::decode(word).map_or("nothing".to_string(), |insn| format!("{insn:?}"));
    format!("the word 0x{word:08x}: isa::decode gives {ours}, the specification {theirs}")
}

fn all_mnemonics() -> Vec<String> {
    Op::ALL.iter().map(|op| op.mnemonic().to_string()).collect()
}

/// Words tried on a planted decoder: each differs on far more than one word in a thousand.
const SAMPLE: u32 = 1 << 20;

fn is_found(decode: fn(u32) -> Option<Insn>) -> bool {
    // An odd factor permutes the words, so that a sample of any size is spread over all of them.
    (0..SAMPLE).map(|i| i.wrapping_mul(0x9E37_79B1)).any(|word| !agree(decode(word), encdec::decode(word)))
}

type Planted = (&'static str, fn(u32) -> Option<Insn>);

/// Planted errors: decoders that are wrong somewhere.
const PLANTED: &[Planted] = &[
    ("jalr_with_any_funct3", |word| isa::decode(if word & 0x7f == 0x67 { word & !0x7000 } else { word })),
    ("shift_ignores_bit_25", |word| isa::decode(if word & 0x307f == 0x1013 { word & !(1 << 25) } else { word })),
    ("fence_i_is_fence", |word| isa::decode(if word & 0x707f == 0x100f { word & !0x7000 } else { word })),
    ("branch_without_bit_11", |word| changed(word, Class::Branch, |insn| insn.imm &= !0x800)),
    ("store_unsigned", |word| changed(word, Class::Store, |insn| insn.imm &= 0xfff)),
    ("jump_unsigned", |word| changed(word, Class::Jump, |insn| insn.imm &= 0x001f_ffff)),
    ("upper_keeps_low_bits", |word| changed(word, Class::Upper, |insn| insn.imm = word as i32)),
    ("load_has_rs2", |word| changed(word, Class::Load, |insn| insn.rs2 = isa::Reg::new(word >> 20))),
    ("rs1_and_rs2_swapped", |word| changed(word, Class::Less, |insn| std::mem::swap(&mut insn.rs1, &mut insn.rs2))),
];

fn changed(word: u32, class: Class, change: impl Fn(&mut Insn)) -> Option<Insn> {
    let mut insn = isa::decode(word)?;
    if insn.op.class() == class {
        change(&mut insn);
    }
    Some(insn)
}
