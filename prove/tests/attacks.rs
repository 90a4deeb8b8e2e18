//! The soundness bugs of other machines, tried on this one: each falsified witness breaks the constraint or bus that
//! stands against it. The multiplicities of the tables are counted again, as a dishonest prover would.

mod common;

use common::everything::everything;
use common::hashing::{self, CALL, Call};
use common::traps;
use common::{DATA, insn, set, terminate};
use lockstep::isa::Op;
use lockstep::map;
use lockstep_prove::air::{Chip, F};
use lockstep_prove::check::{Violation, check};
use lockstep_prove::machine::AnyChip;
use lockstep_prove::segment::Segment;
use lockstep_prove::witness::{Witness, WitnessError};
use p3_field::{PrimeCharacteristicRing, PrimeField32};

/// What becomes of a cell.
#[derive(Clone, Copy)]
enum To {
    Set(u32),
    Add(i32),
}
use To::{Add, Set};

/// Changes to the first row of `chip` whose columns `having` have these values.
struct Forgery {
    chip: AnyChip,
    having: &'static [(&'static str, u32)],
    changes: &'static [(&'static str, To)],
}

fn place(chip: AnyChip, name: &str) -> usize {
    chip.columns().iter().position(|column| column == name).unwrap_or_else(|| panic!("{}.{name}", chip.name()))
}

fn forge(witness: &mut Witness, forgery: &Forgery) {
    let Forgery { chip, having, changes } = forgery;
    let has = |row: &[F]| having.iter().all(|(name, value)| row[place(*chip, name)].as_canonical_u32() == *value);
    let trace = witness.traces.iter_mut().find(|trace| trace.chip == *chip).expect("the chip has a table");
    let row =
        (0..trace.rows()).find(|row| has(trace.row(*row))).unwrap_or_else(|| panic!("{}: no such row", chip.name()));
    for (name, to) in *changes {
        let cell = &mut trace.cells[row * trace.width + place(*chip, name)];
        *cell = match to {
            Set(value) => F::from_u32(*value),
            Add(value) => *cell + F::from_i32(*value),
        };
    }
}

/// What the witness breaks: a constraint's name, "bus NAME", or "lookup NAME".
fn verdict(witness: Witness) -> Option<String> {
    let witness = match witness.counted() {
        Ok(witness) => witness,
        Err(WitnessError::Lookup { bus, .. }) => return Some(format!("lookup {bus}")),
        Err(error) => panic!("{error}"),
    };
    match check(&witness.traces, &witness.claim.publics()) {
        Ok(()) => None,
        Err(Violation::Constraint { name, .. }) => Some(name.to_owned()),
        Err(Violation::Bus { bus, .. }) => Some(format!("bus {bus}")),
    }
}

/// Tries the forgery on the run; `against` is what may stand against it, one of which is found first.
fn attack(name: &str, segment: &Segment, forgery: Forgery, against: &[&str]) {
    let mut witness = Witness::of(segment).unwrap_or_else(|error| panic!("{name}: {error}"));
    forge(&mut witness, &forgery);
    let verdict = verdict(witness);
    assert!(
        verdict.as_deref().is_some_and(|found| against.contains(&found)),
        "{name}: {verdict:?}, not of {against:?}"
    );
}

fn program(words: &[u32]) -> Segment {
    common::run(&[words, &terminate(0)].concat())
}

/// x5 = `x`, x6 = `y`, `op` x7, x5, x6.
fn operation(op: Op, x: u32, y: u32) -> Segment {
    program(&[&set(5, x)[..], &set(6, y), &[insn(op, 7, 5, 6, 0)]].concat())
}

#[test]
fn rs1_is_rs2_read_twice() {
    let run = program(&[&set(5, 7)[..], &[insn(Op::Add, 7, 5, 5, 0)]].concat());
    let changes = &[("c.value[0]", Add(1)), ("a[0]", Add(1))];
    attack("another rs2", &run, Forgery { chip: AnyChip::Add, having: &[("is_add", 1)], changes }, &["bus memory"]);
}

#[test]
fn division_has_one_output() {
    let seven = operation(Op::Divu, 7, 2);
    let smaller: &[_] = &[("q[0]", Add(-1)), ("r[0]", Add(2)), ("r_abs[0]", Add(2)), ("gap[0]", Add(-2))];
    let forgery = Forgery { chip: AnyChip::Div, having: &[("is_divu", 1)], changes: smaller };
    attack("a remainder of the divisor or more", &seven, forgery, &["lookup half"]);
    let changes: &[_] = &[("q[0]", Add(1)), ("r[0]", Set(0)), ("r_abs[0]", Set(0)), ("gap[0]", Add(1))];
    let forgery = Forgery { chip: AnyChip::Div, having: &[("is_divu", 1)], changes };
    attack("another quotient", &seven, forgery, &["half-word of the product"]);
    let by_zero = operation(Op::Div, 7, 0);
    let changes = &[("q[0]", Add(-1))];
    let forgery = Forgery { chip: AnyChip::Div, having: &[("by_zero", 1)], changes };
    attack("a free quotient of a division by 0", &by_zero, forgery, &["quotient of a division by 0"]);
    let changes = &[("by_zero", Set(1))];
    let forgery = Forgery { chip: AnyChip::Div, having: &[("is_divu", 1)], changes };
    attack(
        "a division by 0 that is none",
        &seven,
        forgery,
        &["by_zero means a divisor of 0", "quotient of a division by 0"],
    );
    let signed = operation(Op::Rem, 7, 2);
    let forgery = Forgery { chip: AnyChip::Div, having: &[("is_rem", 1)], changes: &[("r_negative", Set(1))] };
    let against = &["only a negative dividend has a negative remainder", "half-word of the product"];
    attack("the sign of a remainder", &signed, forgery, against);
}

#[test]
fn results_are_tied_to_their_gadgets() {
    let forge = |chip, having, changes| Forgery { chip, having, changes };
    let less = operation(Op::Sltu, 9, 4);
    attack(
        "sltu",
        &less,
        forge(AnyChip::Less, &[("is_sltu", 1)], &[("compare.is_less", Set(1))]),
        &["high difference"],
    );
    let equal = operation(Op::Sltu, 0x8000_8000, 0x8000_8000);
    let changes = &[("compare.is_less", Set(1)), ("compare.difference[1]", Add(0x10000))];
    attack("sltu of equals", &equal, forge(AnyChip::Less, &[("is_sltu", 1)], changes), &["lookup half"]);
    let shift = operation(Op::Srl, 0x8765_4321, 5);
    attack(
        "srl",
        &shift,
        forge(AnyChip::Shift, &[("is_srl", 1)], &[("a[0]", Add(1))]),
        &["the result of a right shift"],
    );
    let changes = &[("high[0]", Add(-1)), ("low[0]", Add(256))];
    attack("parts of a byte", &shift, forge(AnyChip::Shift, &[("is_srl", 1)], changes), &["lookup pair"]);
    let far = operation(Op::Sll, 3, 33);
    attack("sll by 33", &far, forge(AnyChip::Shift, &[("is_sll", 1)], &[("by[0]", Set(1))]), &["lookup amount"]);
    let mulh = operation(Op::Mulh, 0x8765_4321, 5);
    attack(
        "mulh",
        &mulh,
        forge(AnyChip::Mul, &[("is_mulh", 1)], &[("product[2]", Add(1))]),
        &["half-word of the product"],
    );
    let mulhsu = operation(Op::Mulhsu, 0x8765_4321, 5);
    attack("mulhsu", &mulhsu, forge(AnyChip::Mul, &[("is_mulhsu", 1)], &[("sign[0]", Set(0))]), &["lookup half"]);
    let lui = program(&[insn(Op::Lui, 5, 0, 0, 0x5000)]);
    attack(
        "lui",
        &lui,
        forge(AnyChip::Constant, &[("is_lui", 1)], &[("value[0]", Add(1))]),
        &["bus program", "bus memory"],
    );
    let branch = program(&[insn(Op::Beq, 0, 0, 0, 8), insn(Op::Addi, 8, 8, 0, 1)]);
    let forgery = forge(AnyChip::Branch, &[("condition.is_beq", 1)], &[("condition.is_taken", Set(0))]);
    attack("beq", &branch, forgery, &["taken when the comparison holds"]);
    let negative = operation(Op::Sra, 0x8000_0000, 4);
    attack(
        "sra",
        &negative,
        forge(AnyChip::Shift, &[("is_sra", 1)], &[("sign", Set(0)), ("fill", Set(0))]),
        &["lookup half"],
    );
}

#[test]
fn limbs_and_carries_are_canonical() {
    let forge = |chip, having, changes| Forgery { chip, having, changes };
    let sum = operation(Op::Add, u32::MAX, 1);
    let changes = &[("a[1]", Add(0x10000)), ("carry[1]", Add(-1))];
    attack("a half-word of 17 bits", &sum, forge(AnyChip::Add, &[("carry[1]", 1)], changes), &["lookup half"]);
    attack("a carry of 2", &sum, forge(AnyChip::Add, &[("carry[1]", 1)], &[("carry[0]", Set(2))]), &["boolean"]);
    let auipc = program(&[insn(Op::Auipc, 5, 0, 0, 0x7fff_f000)]);
    let changes = &[("sum_hi", Add(1)), ("value[1]", Add(1))];
    attack("auipc", &auipc, forge(AnyChip::Decode, &[("value[1]", 0x8000)], changes), &["high half"]);
    let changes = &[("sum_hi", Add(0x10000)), ("carry[1]", Add(-1)), ("value[1]", Add(0x10000))];
    attack("auipc of 17 bits", &auipc, forge(AnyChip::Decode, &[("value[1]", 0x8000)], changes), &["lookup half"]);
}

/// AUIPC where pc has bits 12 and 31: it was truncated in one machine, and not provable in another.
#[test]
fn auipc_is_right_wherever_pc_is() {
    for (start, imm) in [(0x8000_1ffc, 0x7fff_f000), (0x8000_1000, 0x8000_0000_u32 as i32), (0xbfff_f000, 0x4000_0000)]
    {
        let mut machine = common::machine(&[]);
        let words = [&[insn(Op::Auipc, 10, 0, 0, imm), insn(Op::Sltu, 10, 0, 10, 0)][..], &terminate(0)].concat();
        for (i, word) in words.iter().enumerate() {
            machine.mem.set_word(start + 4 * i as u32, *word);
        }
        machine.mem.set_word(map::SUSPEND_PC, start);
        machine.hart.pc = start;
        let witness = Witness::of(&common::run_with(machine, &mut lockstep::ecall::NoHost)).expect("a witness");
        check(&witness.traces, &witness.claim.publics()).unwrap_or_else(|violation| panic!("{violation}"));
    }
}

#[test]
fn time_is_linked() {
    let forge = |chip, having, changes| Forgery { chip, having, changes };
    let sum = operation(Op::Add, 3, 4);
    attack("an earlier access", &sum, forge(AnyChip::Add, &[("is_add", 1)], &[("b.t_prev", Add(-1))]), &["bus memory"]);
    attack(
        "an access of the future",
        &sum,
        forge(AnyChip::Add, &[("is_add", 1)], &[("b.t_prev", Add(100))]),
        &["lookup half"],
    );
    attack(
        "another time",
        &sum,
        forge(AnyChip::Add, &[("is_add", 1)], &[("step.ts", Add(4))]),
        &["bus execution", "bus memory"],
    );
    let long = common::run(&common::long());
    let back = &[("t[1]", Set(0)), ("t[0]", Set(0))];
    attack("time that goes back", &long, forge(AnyChip::Refresh, &[("real", 1)], back), &["the distance in time"]);
    let wraps = &[("t[1]", Set(0x7800)), ("gap[1]", Add(0x7000))];
    attack(
        "time that wraps",
        &long,
        forge(AnyChip::Refresh, &[("real", 1)], wraps),
        &["lookup half", "lookup quarter"],
    );
}

#[test]
fn execution_begins_and_ends_once() {
    let forge = |chip, having, changes| Forgery { chip, having, changes };
    let run = everything();
    attack(
        "another start",
        &run,
        forge(AnyChip::Boundary, &[("real", 1)], &[("quotient", Add(1))]),
        &["bus memory", "bus execution"],
    );
    attack(
        "another mode",
        &run,
        forge(AnyChip::Boundary, &[("real", 1)], &[("mode", Set(0))]),
        &["bus memory", "bus execution"],
    );
    attack(
        "two resumes",
        &run,
        forge(AnyChip::Boundary, &[("real", 0)], &[("real", Set(1)), ("hi", Set(1))]),
        &["no other row is real"],
    );
    attack(
        "no resume",
        &run,
        forge(AnyChip::Boundary, &[("real", 1)], &[("real", Set(0))]),
        &["the first row is real"],
    );
    attack(
        "no end",
        &run,
        forge(AnyChip::Terminate, &[("real", 1)], &[("real", Set(0))]),
        &["bus end", "bus execution", "bus memory", "bus program"],
    );
    attack(
        "an end that goes on",
        &run,
        forge(AnyChip::Boundary, &[("real", 1)], &[("is_continue", Set(1))]),
        &["a segment that continues says so"],
    );
    attack(
        "padding that counts",
        &run,
        forge(AnyChip::Decode, &[("count", 0)], &[("count", Set(1))]),
        &["padding offers nothing"],
    );
    attack(
        "a broken chain of pc",
        &run,
        forge(AnyChip::Add, &[("is_add", 1)], &[("step.pcw", Add(1))]),
        &["bus execution", "bus program"],
    );
    attack(
        "a free next pc of ecall",
        &run,
        forge(AnyChip::Dispatch, &[("real", 1)], &[("quotient", Add(1))]),
        &["bus execution", "bus memory"],
    );
    attack(
        "mepc of another instruction",
        &run,
        forge(AnyChip::Dispatch, &[("real", 1)], &[("pc_quotient", Add(1))]),
        &["pc is pcw times 4"],
    );
    attack("bit 0 of jalr", &run, forge(AnyChip::Jalr, &[("bit0", 1)], &[("bit0", Set(0))]), &["low half"]);
}

#[test]
fn addresses_are_checked_in_the_proof() {
    let forge = |chip, having, changes| Forgery { chip, having, changes };
    let load = program(&[&set(5, DATA)[..], &[insn(Op::Lw, 7, 5, 0, 0)]].concat());
    let changes = &[("b.value[0]", Add(1)), ("address.offset[0]", Set(1))];
    attack("misaligned", &load, forge(AnyChip::Load, &[("is_lw", 1)], changes), &["a word is aligned"]);
    let changes = &[("b.value[1]", Set(0)), ("address.hi", Set(0))];
    attack("NULL", &load, forge(AnyChip::Load, &[("is_lw", 1)], changes), &["lookup region"]);
    let words = [&set(5, DATA)[..], &[insn(Op::Lw, 7, 5, 0, 0), insn(Op::Ebreak, 0, 0, 0, 0)]].concat();
    let user = traps::run(&words, 0, 0);
    let changes = &[("b.value[1]", Set(0xc000)), ("address.hi", Set(0xc000)), ("address.privileged", Set(1))];
    attack("kernel memory", &user, forge(AnyChip::Load, &[("is_lw", 1)], changes), &["user mode stays in user memory"]);
    let null = traps::run(&[insn(Op::Lw, 7, 0, 0, 8)], 1, 0);
    let changes = &[("is_invalid", Set(0)), ("is_user", Set(1))];
    attack("a trap without cause", &null, forge(AnyChip::Forbidden, &[("is_lw", 1)], changes), &["lookup region"]);
    let odd = traps::run(&[&set(5, DATA)[..], &[insn(Op::Lw, 7, 5, 0, 2)]].concat(), 1, 0);
    let forgery = forge(AnyChip::Forbidden, &[("is_lw", 1)], &[("is_forbidden", Set(1))]);
    attack("another cause", &odd, forgery, &["where the mode may not go"]);
    let legal = traps::run(&[insn(Op::Ebreak, 0, 0, 0, 0)], 1, 0);
    let forgery = forge(AnyChip::Refused, &[("is_ebreak", 1)], &[("is_ebreak", Set(0)), ("is_ecall", Set(1))]);
    attack("ebreak as ecall", &legal, forgery, &["mret and ecall of user mode"]);
    let vector = traps::run(&[insn(Op::Ebreak, 0, 0, 0, 0)], 0, map::KERNEL_START);
    let changes = &[("vector.is_valid", Set(0)), ("vector.is_below", Set(1))];
    attack("a fault past its kernel", &vector, forge(AnyChip::Trap, &[("real", 1)], changes), &["lookup half"]);
}

/// A hash is of the words in memory, by the constants of SHA-256, in 64 rounds a block.
#[test]
fn a_hash_is_of_what_is_in_memory() {
    let run = hashing::run(&[Call { blocks: 1, ..CALL }]);
    let attack = |name, chip, having: &'static [_], changes: &'static [_], against: &[&str]| {
        attack(name, &run, Forgery { chip, having, changes }, against)
    };
    let (call, block, round) = (AnyChip::Sha2, AnyChip::Sha2Block, AnyChip::Sha2Round);
    let changes = &[("byte[0]", Add(1)), ("word[1]", Add(256))];
    attack("another word", round, &[("round", 3)], changes, &["the new fifth word"]);
    attack("a word of its own", round, &[("round", 3)], &[("word[0]", Add(1))], &["the word of the block"]);
    attack("a schedule of its own", round, &[("round", 40)], &[("word[0]", Add(1))], &["the schedule"]);
    let changes = &[("is_load", Set(0)), ("word_carry[0]", Set(0))];
    attack("a word not taken", round, &[("round", 3)], changes, &["the schedule", "lookup sha2-constant"]);
    let changes = &[("constant[0]", Add(1)), ("is_first", Set(0))];
    attack("another constant", round, &[("round", 3)], changes, &["lookup sha2-constant"]);
    attack("a table not read", round, &[("round", 3)], &[("is_first", Set(0))], &["bus sha2-round", "bus memory"]);
    attack("a round left out", round, &[("round", 63)], &[("real", Set(0))], &["only a real row reads the table"]);
    attack("63 rounds", round, &[("round", 62)], &[("round", Add(1))], &["lookup sha2-constant"]);
    attack("another state", round, &[("round", 9)], &[("d[0]", Add(1)), ("new_e[0]", Add(1))], &["bus sha2-round"]);
    attack("no sum", block, &[("real", 1)], &[("sum[0]", Add(1))], &["low half"]);
    attack("a block left out", block, &[("real", 1)], &[("left", Set(0))], &["bus sha2-block", "bus sha2-round"]);
    attack("another digest", call, &[("real", 1)], &[("after[0]", Set(0))], &["bus memory", "bus sha2-block"]);
    attack("another state before", call, &[("real", 1)], &[("before[0]", Set(7))], &["bus memory", "bus sha2-block"]);
    attack("more blocks", call, &[("real", 1)], &[("blocks.value[0]", Set(11))], &["last byte", "lookup half"]);
    attack("user mode", call, &[("real", 1)], &[("step.mode", Set(0))], &["ECALL-1: machine mode"]);
}

/// What the state at the end touches, it must not have been read from: the order of accesses would show.
#[test]
fn the_ranges_of_a_hash_are_apart() {
    let run = hashing::run(&[Call { blocks: 1, ..CALL }]);
    let attack = |name, changes: &'static [_], against: &[&str]| {
        attack(name, &run, Forgery { chip: AnyChip::Sha2, having: &[("real", 1)], changes }, against)
    };
    attack("in place", &[("is_in_place", Set(1))], &["in place"]);
    attack("the other order", &[("state_apart.is_above", Set(1))], &["the ranges are apart"]);
    attack("a gap of its own", &[("data_apart.gap[0]", Add(-1))], &["the ranges are apart"]);
    attack("a negative gap", &[("data_apart.is_above", Set(0))], &["the ranges are apart"]);
    let changes = &[("end.register.value[0]", Add(2)), ("end.last_lo", Add(2))];
    attack("a misaligned state", changes, &["the address is aligned"]);
}

#[test]
fn memory_has_one_beginning() {
    let run = everything();
    let witness = Witness::of(&run).expect("a witness");
    let mut twice = Witness { claim: witness.claim.clone(), traces: witness.traces.clone() };
    let pages = twice.traces.iter_mut().find(|trace| trace.chip == AnyChip::Page).expect("pages");
    let (number, rows) = (place(AnyChip::Page, "page"), 32 * pages.width);
    for row in 0..32 {
        pages.cells[rows + row * pages.width + number] = pages.cells[number];
    }
    let found = verdict(twice).expect("two pages with one number");
    assert!(["bus node", "bus memory", "bus code"].contains(&&found[..]), "{found}");
    let mut data = witness;
    let pages = data.traces.iter_mut().find(|trace| trace.chip == AnyChip::Page).expect("pages");
    let is_code = place(AnyChip::Page, "is_code");
    let code = (0..pages.rows()).find(|row| pages.row(*row)[is_code] == F::ONE).expect("a code page");
    for row in code..code + 32 {
        pages.cells[row * pages.width + is_code] = F::ZERO;
    }
    let found = verdict(data).expect("a code page on the memory bus");
    assert!(["only code is asked for", "bus code", "bus memory"].contains(&&found[..]), "{found}");
}

#[test]
fn words_keep_what_is_not_theirs() {
    let forge = |chip, having, changes| Forgery { chip, having, changes };
    let run = everything();
    attack(
        "sb and its neighbour",
        &run,
        forge(AnyChip::Store, &[("is_sb", 1)], &[("kept[1]", Add(1))]),
        &["bytes of the old half-word"],
    );
    attack(
        "sh and the other half",
        &run,
        forge(AnyChip::Store, &[("is_sh", 1)], &[("new[1]", Add(1))]),
        &["high half after a part"],
    );
    attack(
        "the sign of lb",
        &run,
        forge(AnyChip::Load, &[("is_lb", 1), ("sign", 1)], &[("sign", Set(0)), ("fill", Set(0))]),
        &["lookup pair"],
    );
    attack(
        "x0 that is not 0",
        &run,
        forge(AnyChip::Add, &[("b.value[0]", 0), ("b.value[1]", 0)], &[("b.value[0]", Set(1)), ("a[0]", Add(1))]),
        &["bus memory"],
    );
    attack(
        "a read longer than asked",
        &run,
        forge(AnyChip::Io, &[("is_read", 1)], &[("count", Set(10))]),
        &["lookup half"],
    );
    attack(
        "a byte before the read",
        &run,
        forge(AnyChip::Fill, &[("start[1]", 1)], &[("new[0]", Add(1))]),
        &["a byte not filled is kept"],
    );
    attack(
        "another immediate",
        &run,
        forge(AnyChip::Decode, &[("fetch.is_dynamic", 0)], &[("value[0]", Add(1))]),
        &["low half of the immediate"],
    );
    attack(
        "an old word of a data page",
        &run,
        forge(AnyChip::Decode, &[("fetch.is_dynamic", 1)], &[("fetch.is_dynamic", Set(0)), ("fetch.tag", Set(0))]),
        &["bus code", "bus program", "bus memory"],
    );
}
