//! The host-target interface (HTIF): a word that a program stores to when it has something to tell its test bench.
//!
//! A store of an odd number to `tohost` ends the test, 1 as a pass. A character for the console is stored there first
//! and then device and command into the word behind it; so the first store alone does not tell which it is.

use std::collections::BTreeSet;

use lockstep::exec::{Exit, Until, WatchRange};
use lockstep::hart::Machine;
use lockstep::map::Addr;

use super::engines::EngineColumn;
use super::judge::{STEP_LIMIT, TestHost};
use crate::coverage::Coverage;

/// Device 1, command 1: write a character to the console.
const PUT_CHARACTER: u32 = 0x0101_0000;
/// The word behind `tohost`, if it is written at all, is written a few instructions later.
const PATIENCE_STEPS: u64 = 64;

/// Runs `machine` until it reports to `to_host` (the exit is then [`Exit::Watch`]), reaches one of `stops`, or ends.
///
/// # Errors
/// As [`EngineColumn::run`].
pub fn run(
    to_host: Addr,
    engine: &EngineColumn,
    machine: &mut Machine,
    host: &mut TestHost,
    stops: Option<&BTreeSet<Addr>>,
    coverage: &mut Coverage,
) -> Result<Exit, String> {
    let watch = [WatchRange { first: to_host, last: to_host + 7, on_read: false, on_write: true }];
    let mut reported = None;
    loop {
        let order = if reported.is_some() { machine.hart.instructions + PATIENCE_STEPS } else { STEP_LIMIT };
        let until = Until { breakpoints: stops, watch: &watch, ..Until::order(order) };
        let exit = engine.run(machine, host, until, coverage)?;
        match (exit, reported) {
            (Exit::Watch(_), _) if machine.word(to_host + 4) == PUT_CHARACTER => {
                machine.set_word(to_host, 0);
                machine.set_word(to_host + 4, 0);
                reported = None;
            }
            (Exit::Watch(_), None) if machine.word(to_host) != 0 => reported = Some(exit),
            (Exit::Watch(_), None) => {}
            (_, Some(report)) => return Ok(report),
            (exit, None) => return Ok(exit),
        }
    }
}

/// Why what `tohost` holds at the end is no pass.
pub fn wrong(word: u32) -> Option<String> {
    match word {
        1 => None,
        odd if odd % 2 == 1 => Some(format!("reports failure {} to its host", odd >> 1)),
        other => Some(format!("stores {other:#x} to tohost, which is no report")),
    }
}
