//! Conversations with the debugger's server that a fuzzer starts from, and those in which it found something.

use std::path::Path;

use lockstep_harness::conversation::check;

/// `make fuzz-gdb-coverage` begins with these; an empty line is between two.
#[test]
fn what_the_fuzzer_starts_from_holds() {
    let seeds = include_str!("../corpus/gdb/seeds.txt");
    for (number, seed) in seeds.split("\n\n").enumerate() {
        assert_eq!(check(seed.as_bytes()), Ok(()), "conversation {number}: {seed}");
    }
}

/// Every conversation that once broke a property.
#[test]
fn what_the_fuzzer_found_stays_found() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/gdb/found");
    let files = std::fs::read_dir(folder).expect("the folder is there").map(|file| file.expect("readable").path());
    let mut count = 0;
    for path in files {
        let conversation = std::fs::read(&path).expect("the file is readable");
        assert_eq!(check(&conversation), Ok(()), "{}", path.display());
        count += 1;
    }
    assert!(count > 0, "no conversation is kept");
}
