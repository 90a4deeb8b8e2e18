//! Every test of the conformance suites, proved and verified: `make prove-tests`.
//!
//! Each must be proved, and verify as what the emulator did: halted with its user exit, or ended by its fault.
#![cfg(feature = "prove")]

use std::env;

use lockstep::ecall::Host;
use lockstep::ecall::fd::STDIN;
use lockstep::exec::Exit;
use lockstep::risc0;
use lockstep_harness::suites::manifest::{self, Manifest};
use lockstep_harness::suites::{Test, collect};
use lockstep_prove::claim::End;
use lockstep_prove::prover::prove;
use lockstep_prove::segment::{MAX_STEPS, Segment};
use lockstep_prove::verifier::verify;

/// Tests whose id holds one of the texts in this variable, which commas separate; all without it.
const FILTER: &str = "PROVE_FILTER";

#[test]
fn official_tests_are_proved() {
    let filter = env::var(FILTER).unwrap_or_default();
    let is_wanted = |test: &Test| filter.split(',').any(|text| test.id().contains(text));
    let root = manifest::find_root().expect("a checkout");
    let manifest = Manifest::read(&root).expect("the manifest is readable");
    let (mut proved, mut failed) = (0, Vec::new());
    for collected in collect::all(&root, &manifest) {
        if let Some(problem) = &collected.problem {
            failed.push(format!("{}: {}", collected.suite.name, problem.text));
        }
        let tests: Vec<&Test> = collected.tests.iter().filter(|test| is_wanted(test)).collect();
        let before = proved;
        for test in &tests {
            match prove_test(test) {
                Ok(Proved { end, steps, bytes }) => {
                    println!("proved   {}: {end} after {steps} steps, {bytes} bytes", test.id());
                    proved += 1;
                }
                Err(why) => {
                    println!("FAILED   {}: {why}", test.id());
                    failed.push(format!("{}: {why}", test.id()));
                }
            }
        }
        println!("{}: {} of {} proved and verified", collected.suite.name, proved - before, tests.len());
    }
    println!("{proved} proved and verified, {} failed", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(proved > 0, "no test was proved: is {FILTER} right?");
}

struct Proved {
    end: End,
    steps: u32,
    bytes: usize,
}

fn prove_test(test: &Test) -> Result<Proved, String> {
    let machine = test.machine().map_err(|error| error.text)?;
    let image_id = risc0::image_id(&machine.mem);
    let segment = Segment::run(machine, &mut Stdin { rest: &test.stdin }, MAX_STEPS);
    let receipt = prove(&segment).map_err(|error| error.to_string())?;
    let bytes = receipt.to_bytes();
    let claim = verify(&bytes, &image_id).map_err(|error| error.to_string())?;
    match (segment.exit, claim.end) {
        (Exit::Terminated { user_exit, .. }, End::Halt(proved) | End::Pause(proved)) if user_exit == proved => {}
        (Exit::Fault(fault), End::Fault { cause, addr })
            if (fault.cause.number(), fault.addr) == (cause.into(), addr) => {}
        (exit, end) => return Err(format!("the emulator came to {exit:?}, the proof to {end}")),
    }
    Ok(Proved { end: claim.end, steps: claim.steps, bytes: bytes.len() })
}

/// A host with standard input, which takes every write.
struct Stdin<'a> {
    rest: &'a [u8],
}

impl Host for Stdin<'_> {
    fn read(&mut self, _order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        if fd != STDIN {
            return 0;
        }
        let count = self.rest.len().min(bytes.len());
        let (now, later) = self.rest.split_at(count);
        bytes[..count].copy_from_slice(now);
        self.rest = later;
        count as u32
    }

    fn write(&mut self, _order: u64, _fd: u32, bytes: &[u8]) -> u32 {
        bytes.len() as u32
    }
}
