//! The coverage points name every instruction, and only what was seen counts.

use std::collections::BTreeSet;

use lockstep::isa::{Op, Reg};
use lockstep::map::Mode;
use lockstep::trace::{RegAccess, Retired, Sink};
use lockstep_harness::coverage::{Coverage, points};

/// A new row of the table has points without anyone thinking of it.
#[test]
fn every_instruction_has_points() {
    let groups: BTreeSet<String> = points().iter().map(|point| point.group()).collect();
    let missing: Vec<&str> = Op::ALL.iter().map(|op| op.mnemonic()).filter(|name| !groups.contains(*name)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn nothing_is_seen_before_a_step() {
    let coverage = Coverage::default();
    let (all, seen) = coverage.totals();
    assert_eq!((all, seen), (points().len(), 0));
    assert_eq!(coverage.missing().len(), all);
}

/// `add x5, x6, x6` with 1 in x6.
#[test]
fn a_step_counts_its_situations() {
    let mut coverage = Coverage::default();
    let x6 = RegAccess { reg: Reg::new(6), value: 1 };
    let x5 = RegAccess { reg: Reg::new(5), value: 2 };
    coverage.retired(&Retired {
        order: 0,
        pc: 0x0002_0000,
        insn: 0x0063_02b3,
        next_pc: 0x0002_0004,
        mode: Mode::User,
        next_mode: Mode::User,
        rs1: Some(x6),
        rs2: Some(x6),
        rd: Some(x5),
        mem: None,
        trap: None,
    });
    let add = &coverage.by_group()["add"];
    let seen: Vec<&str> =
        add.iter().filter(|(_, count)| **count > 0).map(|(situation, _)| situation.as_str()).collect();
    assert_eq!(
        seen,
        [
            "Rd = x5",
            "Rs1 = x6",
            "Rs1 has one one at bit 0",
            "Rs2 = x6",
            "Rs2 has one one at bit 0",
            "retires in User mode",
            "rs1 = 0x1, rs2 = 0x1",
            "same registers: Rs1Rs2"
        ]
    );
}
