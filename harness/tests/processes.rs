//! Simulators that die, hang or talk nonsense are named failures; the harness goes on.

use std::process::Command;
use std::time::Duration;

use lockstep::ecall::NoHost;
use lockstep_harness::machine::{Failure, Reference};
use lockstep_harness::machines::emulator::empty_machine;
use lockstep_harness::machines::process::{Process, run_to_end};
use lockstep_harness::machines::spike::Spike;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Messages are lines.
fn line(stream: &mut dyn std::io::Read) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).ok()? == 1 {
        if byte[0] == b'\n' {
            return Some(bytes);
        }
        bytes.push(byte[0]);
    }
    None
}

#[test]
fn a_simulator_that_dies_says_how() {
    let mut process =
        Process::start("sim", &mut shell("echo one; echo oops >&2; exit 3"), line, Duration::from_secs(9))
            .expect("the shell starts");
    assert_eq!(process.receive(), Ok(b"one".to_vec()));
    let Err(Failure::Died(what)) = process.receive() else { panic!("it should have died") };
    assert_eq!(what, "sim: exit status: 3: oops");
}

#[test]
fn a_simulator_that_hangs_is_stopped() {
    let mut process = Process::start("sim", &mut shell("exec sleep 600"), line, Duration::from_millis(200))
        .expect("the shell starts");
    assert!(matches!(process.receive(), Err(Failure::Hung(_))));
    let hung = run_to_end("sim", &mut shell("exec sleep 600"), b"", Duration::from_millis(200));
    assert!(matches!(hung, Err(Failure::Hung(_))));
}

#[test]
fn a_simulator_that_is_not_there_does_not_start() {
    let missing = Process::start("sim", &mut Command::new("/nowhere/sim"), line, Duration::from_secs(1));
    assert!(matches!(missing, Err(Failure::Start(_))));
}

#[test]
fn a_run_to_the_end_has_its_output_and_code() {
    let finished = run_to_end("sim", &mut shell("cat; echo no >&2; exit 7"), b"hello", Duration::from_secs(9));
    let finished = finished.expect("it ends");
    assert_eq!((finished.code, &finished.stdout[..], &finished.stderr[..]), (Some(7), &b"hello"[..], &b"no\n"[..]));
}

/// A shim that answers with too few bytes, or not at all.
#[test]
fn a_shim_that_talks_nonsense_is_garbled() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let rows = [("short", r"printf '\3\0\0\0abc'; cat >/dev/null", true), ("silent", "exit 1", false)];
    for (name, script, is_garbled) in rows {
        let shim = folder.join(format!("{name}-shim"));
        std::fs::write(&shim, format!("#!/bin/sh\n{script}\n")).expect("the script can be written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&shim, mode).expect("the script can be made executable");
        let mut spike = Spike::start(shim).expect("the script starts");
        // A dead shim is noticed here or at the first answer.
        let _ = spike.load(&empty_machine());
        let failure = spike.run(1, &mut NoHost).expect_err("nothing sensible was said");
        assert_eq!(matches!(failure, Failure::Garbled(_)), is_garbled, "{name}: {failure}");
    }
}
