//! Every test of the conformance suites, proved and verified: `make prove-tests`.
//!
//! A test that ends by a fault, or whose kernel takes one, has no proof yet (docs/proving.md): the prover must
//! refuse it with its reason. Everything else must be proved, and verify as what the emulator did.
#![cfg(feature = "prove")]

use std::env;

use lockstep::ecall::Host;
use lockstep::ecall::fd::STDIN;
use lockstep::exec::Exit;
use lockstep_harness::suites::manifest::{self, Manifest};
use lockstep_harness::suites::{Test, collect};
use lockstep_prove::claim::End;
use lockstep_prove::prover::{ProveError, prove};
use lockstep_prove::segment::{MAX_STEPS, Segment};
use lockstep_prove::verifier::verify;
use lockstep_prove::witness::WitnessError;

/// Tests whose id holds the text in this variable; all without it.
const FILTER: &str = "PROVE_FILTER";

#[test]
fn official_tests_are_proved() {
    let filter = env::var(FILTER).unwrap_or_default();
    let root = manifest::find_root().expect("a checkout");
    let manifest = Manifest::read(&root).expect("the manifest is readable");
    let (mut proved, mut refused, mut failed) = (0, 0, Vec::new());
    for collected in collect::all(&root, &manifest) {
        if let Some(problem) = &collected.problem {
            failed.push(format!("{}: {}", collected.suite.name, problem.text));
        }
        for test in collected.tests.iter().filter(|test| test.id().contains(&filter)) {
            match prove_test(test) {
                Ok(Outcome::Proved(steps, bytes)) => {
                    println!("proved   {} ({steps} steps, {bytes} bytes)", test.id());
                    proved += 1;
                }
                Ok(Outcome::Refused(reason)) => {
                    println!("refused  {}: {reason}", test.id());
                    refused += 1;
                }
                Err(why) => {
                    println!("FAILED   {}: {why}", test.id());
                    failed.push(format!("{}: {why}", test.id()));
                }
            }
        }
    }
    println!("{proved} proved and verified, {refused} refused by name, {} failed", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(proved > 0, "no test was proved: is {FILTER} right?");
}

enum Outcome {
    Proved(u32, usize),
    Refused(String),
}

fn prove_test(test: &Test) -> Result<Outcome, String> {
    let machine = test.machine().map_err(|error| error.text)?;
    let mut host = Stdin { rest: &test.stdin };
    let segment = Segment::run(machine, &mut host, MAX_STEPS);
    let receipt = match prove(&segment) {
        Ok(receipt) => receipt,
        Err(ProveError::Witness(error @ WitnessError::Uncovered { .. })) => return refusal(&segment, &error),
        Err(error) => return Err(error.to_string()),
    };
    let bytes = receipt.to_bytes();
    let claim = verify(&bytes, &receipt.claim.image_id()).map_err(|error| error.to_string())?;
    match (segment.exit, claim.end) {
        (Exit::Terminated { user_exit, .. }, End::Halt(proved) | End::Pause(proved)) if user_exit == proved => {}
        (exit, end) => return Err(format!("the emulator came to {exit:?}, the proof to {end:?}")),
    }
    Ok(Outcome::Proved(claim.steps, bytes.len()))
}

/// What is not covered may only be a fault.
fn refusal(segment: &Segment, error: &WitnessError) -> Result<Outcome, String> {
    let has_fault = matches!(segment.exit, Exit::Fault(_)) || segment.steps.iter().any(|step| step.trap.is_some());
    if has_fault { Ok(Outcome::Refused(error.to_string())) } else { Err(error.to_string()) }
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
