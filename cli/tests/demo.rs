//! The session examples/guests/bug.gdb finds the store that breaks bug.c.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const GUESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/guests");
const LOCKSTEP: &str = env!("CARGO_BIN_EXE_lockstep");

/// The lines of `text` that contain `part`.
fn lines_with<'a>(text: &'a str, part: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.contains(part)).collect()
}

#[test]
fn the_debugger_finds_the_bug() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let elf = folder.join("demo-bug.elf");
    let cache = folder.join("cache");
    let mut build = Command::new(LOCKSTEP);
    build.env("XDG_CACHE_HOME", cache).args(["cc", &format!("{GUESTS}/bug.c"), "-o"]).arg(&elf);
    assert!(build.status().expect("the command starts").success());

    let mut server = Command::new(LOCKSTEP)
        .arg("gdb")
        .arg(&elf)
        .args(["--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stderr = BufReader::new(server.stderr.take().expect("stderr is piped"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("the server says where it listens");
    let address = line.split_whitespace().find(|word| word.starts_with("127.0.0.1:")).expect("an address");

    let session = Command::new("gdb-multiarch")
        .args(["-nx", "-batch"])
        .arg(&elf)
        .args(["-ex", &format!("target remote {}", address.trim_end_matches(':'))])
        .args(["-x", &format!("{GUESTS}/bug.gdb")])
        .output()
        .expect("gdb-multiarch is missing: run `make setup`");
    let text = String::from_utf8_lossy(&session.stdout);
    server.kill().expect("it is this test's process");
    server.wait().expect("it was started");

    // The watchpoint stops behind the store, in record() called by main(), with the ring's index past its end.
    assert_eq!(lines_with(&text, "Hardware watchpoint").len(), 2, "{text}");
    let changed = lines_with(&text, "New value = (struct station *) 0x");
    let value = changed.first().and_then(|line| u32::from_str_radix(line.rsplit_once("0x")?.1, 16).ok());
    assert!(value.is_some_and(|value| (50..250).contains(&value)), "a reading, where a pointer was: {text}");
    assert!(text.contains("#0 ") && lines_with(&text, "#0 ")[0].contains(" in record (station="), "{text}");
    assert!(lines_with(&text, "#1 ")[0].contains(" in main ()"), "{text}");
    assert!(text.contains("next_place = 7, "), "{text}");
}
