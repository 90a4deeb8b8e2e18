//! libFuzzer's target: conversations with the debugger's server. `make fuzz-gdb-coverage` builds and runs it.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(why) = lockstep_harness::conversation::check(input) {
        panic!("{why}");
    }
});
