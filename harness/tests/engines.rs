//! Every official test on every engine, by state digest: whatever the plain engine comes to, the others come to, after the
//! same number of steps and at the same random stops (TIME-1, TIME-3). What is right is judged in `conformance.rs`.
//!
//! Compiling every block of every test takes an unoptimised build a minute, so the compiling engine runs every
//! eighth test; `make engines-long` sets LOCKSTEP_ALL and runs all.

use std::path::Path;

use lockstep::exec::{AnyEngine, Engine, EngineKind, Exit, Until};
use lockstep::hart::Machine;
use lockstep_harness::conformance::judge::TestHost;
use lockstep_harness::suites::manifest::Manifest;
use lockstep_harness::suites::{Test, collect};
use quickcheck::{Arbitrary, Gen};

/// No test of the suites goes on for longer; those that end in a loop are stopped in it.
const STEP_LIMIT: u64 = 100_000;

#[test]
fn every_suite_leaves_the_same_state_on_every_engine() {
    let mut steps = 0;
    let tests = tests();
    for (number, test) in tests.iter().enumerate() {
        let is_compiled = number % 8 == 0 || std::env::var_os("LOCKSTEP_ALL").is_some();
        let kinds: &[EngineKind] =
            if is_compiled { &[EngineKind::Block, EngineKind::Jit] } else { &[EngineKind::Block] };
        steps += compare(test, kinds, number as u64);
    }
    assert!(tests.len() > 200 && steps > 100_000, "only {} tests, {steps} steps", tests.len());
}

/// The tests of every suite of the manifest.
fn tests() -> Vec<Test> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the harness is in the repository");
    let manifest = Manifest::read(root).expect("the manifest of the repository");
    let collected = collect::all(root, &manifest);
    collected.into_iter().flat_map(|suite| suite.tests).collect()
}

/// Runs `test` on engines of `kinds` beside the plain one; returns how many steps each made.
fn compare(test: &Test, kinds: &[EngineKind], seed: u64) -> u64 {
    // A host that nothing can be compiled for has no engine of that kind.
    let engines = kinds.iter().filter_map(|&kind| AnyEngine::eager(kind));
    let mut runs: Vec<Run> = engines.map(|engine| Run::new(test, engine)).collect();
    let mut plain = Run::new(test, AnyEngine::new(EngineKind::Step));
    let mut choices = Gen::from_size_and_seed(0, seed);
    loop {
        let longest = *choices.choose(&[3, 100, 5_000]).expect("three");
        let order = plain.machine.hart.instructions + 1 + u64::from(u32::arbitrary(&mut choices)) % longest;
        let exit = plain.run(order);
        for run in &mut runs {
            let name = run.engine.kind().name();
            assert_eq!(run.run(order), exit, "{} on {name}", test.id());
            assert_eq!(run.machine.hart, plain.machine.hart, "{} on {name}", test.id());
            assert_eq!(run.machine.digest(), plain.machine.digest(), "{} on {name}", test.id());
            assert_eq!(run.host.stdout, plain.host.stdout, "{} on {name}", test.id());
        }
        if exit != Exit::Order || plain.machine.hart.instructions > STEP_LIMIT {
            return plain.machine.hart.instructions;
        }
    }
}

/// A test on its way on an engine.
struct Run {
    engine: AnyEngine,
    machine: Machine,
    host: TestHost,
}

impl Run {
    fn new(test: &Test, engine: AnyEngine) -> Run {
        let machine = test.machine().expect("the test loads");
        Run { engine, machine, host: TestHost::of(test) }
    }

    fn run(&mut self, order: u64) -> Exit {
        self.engine.run(&mut self.machine, &mut self.host, Until::order(order), &mut ())
    }
}
