//! Falsified witnesses, claims, proofs and receipts: each is rejected.

mod common;

use std::collections::BTreeSet;

use lockstep::ecall::Host;
use lockstep::isa::Op;
use lockstep::map;
use lockstep_prove::air::Chip;
use lockstep_prove::check::{check, is_bound};
use lockstep_prove::claim::{Claim, End};
use lockstep_prove::machine::AnyChip;
use lockstep_prove::prover::{prove, prove_witness};
use lockstep_prove::receipt::{FormatError, Receipt, VERSION};
use lockstep_prove::segment::Segment;
use lockstep_prove::verifier::{VerifyError, verify, verify_receipt};
use lockstep_prove::witness::Witness;

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

#[test]
fn everything_satisfies_the_constraints_with_every_chip() {
    let witness = witness(&everything());
    check(&witness.traces, &witness.claim.publics()).unwrap_or_else(|violation| panic!("{violation}"));
    assert_eq!(witness.claim.end, End::Halt(3));
    // Nothing looks an illegal word up yet.
    let unused: Vec<_> =
        witness.traces.iter().filter(|trace| !trace.is_used()).map(|trace| trace.chip.name()).collect();
    assert_eq!(unused, Vec::<&str>::new());
}

/// PROVER.md section 6: a column that is bound in no row would be the prover's to choose.
#[test]
fn every_column_of_every_chip_is_bound() {
    let mut witness = witness(&everything());
    let publics = witness.claim.publics();
    let mut free = Vec::new();
    for trace in &mut witness.traces {
        let rows = trace.used.min(64);
        for (column, name) in trace.chip.columns().into_iter().enumerate() {
            if !(0..rows).any(|row| is_bound(trace, &publics, row, column)) {
                free.push(format!("{}.{name}", trace.chip.name()));
            }
        }
    }
    assert_eq!(free, Vec::<String>::new());
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
        let rejected = match prove_witness(&witness) {
            Ok(receipt) => verify_receipt(&receipt).is_err(),
            Err(_) => true,
        };
        assert!(rejected, "{chip:?}.{column}");
    }
}

#[test]
fn a_changed_claim_is_rejected() {
    let receipt = prove(&common::run(&terminate(0)), &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
    let changes: [fn(&mut Claim); 9] = [
        |claim| claim.pre[0] ^= 1,
        |claim| claim.post[7] ^= 1,
        |claim| claim.end = End::Halt(1),
        |claim| claim.end = End::Pause(0),
        |claim| claim.end = End::Continue,
        |claim| claim.pc += 4,
        |claim| claim.mode ^= 1,
        |claim| claim.steps += 1,
        |claim| claim.output[3] ^= 1,
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut changed = receipt.clone();
        change(&mut changed.claim);
        assert!(matches!(verify_receipt(&changed), Err(VerifyError::Rejected(_))), "change {i}");
    }
    let mut changed = receipt.clone();
    changed.claim.mode = 2;
    assert_eq!(verify_receipt(&changed), Err(VerifyError::Claim));
    let id = receipt.claim.image_id();
    assert!(matches!(verify(&receipt.to_bytes(), &[0; 32]), Err(VerifyError::ImageId { .. })));
    assert_eq!(verify(&receipt.to_bytes(), &id), Ok(receipt.claim.clone()));
    mutated_bytes_are_rejected(&receipt, &id);
}

/// Every 1,009th byte of the file inverted, cut off, extended, another version.
fn mutated_bytes_are_rejected(receipt: &Receipt, id: &[u8; 32]) {
    let bytes = receipt.to_bytes();
    let mut names = BTreeSet::new();
    for place in (8 + 1 + receipt.system.len()..bytes.len()).step_by(1009) {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let error = verify(&changed, id).expect_err("a changed byte");
        names.insert(format!("{error:?}").split(['(', ' ']).next().unwrap_or_default().to_owned());
    }
    println!("rejected as {names:?}");
    assert_eq!(verify(&bytes[..bytes.len() - 1], id), Err(VerifyError::Format(FormatError::Body)));
    assert_eq!(verify(&[&bytes[..], &[0]].concat(), id), Err(VerifyError::Format(FormatError::Body)));
    assert_eq!(verify(&[], id), Err(VerifyError::Format(FormatError::Magic)));
    let mut newer = bytes.clone();
    newer[4] += 1;
    assert_eq!(verify(&newer, id), Err(VerifyError::Format(FormatError::Version(VERSION + 1))));
}
