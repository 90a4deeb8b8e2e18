//! Falsified witnesses, claims, proofs and receipts: each is rejected.

mod common;

use std::collections::BTreeSet;

use lockstep::ecall::Host;
use lockstep::isa::Op;
use lockstep::map;
use lockstep_prove::air::Chip;
use lockstep_prove::check::{check, is_bound};
use lockstep_prove::claim::End;
use lockstep_prove::machine::AnyChip;
use lockstep_prove::prover::prove_witness;
use lockstep_prove::segment::Segment;
use lockstep_prove::verifier::verify_receipt;
use lockstep_prove::witness::Witness;

use common::traps::{self, programs};
use common::{insn, set, terminate};

/// A host that fills every read with 7 bytes and takes every write.
struct Seven;

impl Host for Seven {
    fn read(&mut self, _order: u64, _fd: u32, bytes: &mut [u8]) -> u32 {
        let count = bytes.len().min(7);
        bytes[..count].fill(0x5a);
        count as u32
    }

    fn write(&mut self, _order: u64, _fd: u32, bytes: &[u8]) -> u32 {
        bytes.len() as u32
    }
}

/// A program that uses every chip: a kernel that serves an ecall of user mode, I/O, and the other tests' programs.
fn everything() -> Segment {
    let mut words = Vec::new();
    // read(0, DATA + 1, 9), write(1, DATA, 0).
    for (number, pointer, len) in [(1, common::DATA + 1, 9), (2, common::DATA, 0), (2, common::DATA, 8)] {
        words.extend([set(17, number), set(10, 0), set(11, pointer), set(12, len)].concat());
        words.push(insn(Op::Ecall, 0, 0, 0, 0));
    }
    // The ECALL vector, and an mret to the user program, which ecalls back.
    let kernel = map::KERNEL_START;
    words.extend(
        [set(5, map::ECALL_VECTOR), set(6, kernel), set(7, map::MEPC), set(8, common::DATA + 0x1000 - 4)].concat(),
    );
    words.extend([insn(Op::Sw, 0, 5, 6, 0), insn(Op::Sw, 0, 7, 8, 0), insn(Op::Mret, 0, 0, 0, 0)]);
    let mut machine = common::machine(&words);
    machine.mem.set_word(common::DATA + 0x1000, insn(Op::Ecall, 0, 0, 0, 0));
    let body = common::memory();
    let mut kernel_words = body[..body.len() - terminate(0).len()].to_vec();
    // One of each of the other families; a store into the page of the user's code.
    kernel_words.extend(set(5, common::DATA + 0x1000));
    kernel_words.push(insn(Op::Sw, 0, 5, 6, 0x100));
    kernel_words.extend([set(5, 0x8000_0001), set(6, 0xffff_fff0)].concat());
    for op in [Op::Sub, Op::Xor, Op::Sltu, Op::Slt, Op::Sll, Op::Sra, Op::Mulhsu, Op::Mul, Op::Div, Op::Remu, Op::Rem] {
        kernel_words.push(insn(op, 7, 5, 6, 0));
        kernel_words.push(insn(op, 7, 6, 5, 0));
    }
    for op in [Op::Slti, Op::Ori, Op::Srai, Op::Slli] {
        kernel_words.push(insn(op, 7, 5, 0, 13));
    }
    for op in [Op::Beq, Op::Bne, Op::Blt, Op::Bge, Op::Bltu, Op::Bgeu] {
        kernel_words.extend([insn(op, 0, 5, 6, 8), insn(Op::Addi, 8, 8, 0, 1)]);
    }
    kernel_words.extend(terminate(0x0003_0000));
    for (i, word) in kernel_words.iter().enumerate() {
        machine.mem.set_word(kernel + 4 * i as u32, *word);
    }
    common::run_with(machine, &mut Seven)
}

fn witness(segment: &Segment) -> Witness {
    Witness::of(segment).unwrap_or_else(|error| panic!("{error}"))
}

/// The witnesses of programs that together use every chip.
fn witnesses() -> Vec<Witness> {
    let traps = programs().into_iter().flat_map(|(_, words, user, machine)| {
        let mode = if user.is_some() { 0 } else { machine.map_or(0, |_| 1) };
        [0, map::KERNEL_START].map(|vector| traps::run(&words, mode, vector))
    });
    [everything(), common::run(&common::long())].into_iter().chain(traps).map(|segment| witness(&segment)).collect()
}

#[test]
fn everything_satisfies_the_constraints_with_every_chip() {
    let everything = witness(&everything());
    assert_eq!(everything.claim.end, End::Halt(3));
    let mut used = BTreeSet::new();
    for witness in witnesses() {
        check(&witness.traces, &witness.claim.publics()).unwrap_or_else(|violation| panic!("{violation}"));
        used.extend(witness.traces.iter().filter(|trace| trace.is_used()).map(|trace| trace.chip));
    }
    assert_eq!(used, BTreeSet::from(AnyChip::ALL));
}

/// PROVER.md section 6: a column that is bound in no row would be the prover's to choose.
#[test]
fn every_column_of_every_chip_is_bound() {
    let mut free: BTreeSet<(AnyChip, usize)> =
        AnyChip::ALL.into_iter().flat_map(|chip| (0..chip.width()).map(move |column| (chip, column))).collect();
    for mut witness in witnesses() {
        let publics = witness.claim.publics();
        for trace in &mut witness.traces {
            let rows = trace.used.min(64);
            let columns: Vec<_> = free.iter().filter(|(chip, _)| *chip == trace.chip).copied().collect();
            for (chip, column) in columns {
                if (0..rows).any(|row| is_bound(trace, &publics, row, column)) {
                    free.remove(&(chip, column));
                }
            }
        }
    }
    let names: Vec<_> =
        free.into_iter().map(|(chip, column)| format!("{}.{}", chip.name(), chip.columns()[column])).collect();
    assert_eq!(names, Vec::<String>::new());
}

/// A witness with one wrong cell makes a proof that does not verify, one for each chip that executes.
#[test]
fn a_wrong_cell_makes_no_valid_proof() {
    let segment = everything();
    for (chip, column) in [(AnyChip::Add, "a[0]"), (AnyChip::Div, "q[0]"), (AnyChip::Load, "address.hi")] {
        let mut witness = witness(&segment);
        let trace = witness.traces.iter_mut().find(|trace| trace.chip == chip).expect("the chip is used");
        let place = chip.columns().iter().position(|name| name == column).expect("the column exists");
        trace.cells[place] += lockstep_prove::air::F::new(1);
        let rejected = match prove_witness(witness) {
            Ok(receipt) => verify_receipt(&receipt).is_err(),
            Err(_) => true,
        };
        assert!(rejected, "{chip:?}.{column}");
    }
}
