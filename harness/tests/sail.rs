//! The Sail runner: its parser on traces of both forms, and its process handling with a stand-in.
//! Nothing here needs the simulator; nothing here says that it agrees.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lockstep::map::Mode;
use lockstep::trap::Cause;
use lockstep_harness::machine::Failure;
use lockstep_harness::machines::sail::{Generation, Sail, configured, parse};
use serde_json::json;

/// Boot code, a store, loads of three widths with the clock between them, an ECALL and its CSR writes.
const OLD: &str = "\
mem[X,0x000001010] -> 0x8067
mem[X,0x000001012] -> 0x0002
[4] [M]: 0x00001010 (0x00028067) jalr x0, 0x0(x5)
mem[X,0x000010000] -> 0x2623
mem[X,0x000010002] -> 0x0074
[5] [M]: 0x00010000 (0x00742623) sw x7, 0xC(x8)
mem[W,0x00001100C] <- 0xCAFE0123
mem[X,0x000010004] -> 0x4583
mem[X,0x000010006] -> 0x00D4
[6] [M]: 0x00010004 (0x00D44583) lbu x11, 0xD(x8)
mem[R,0x00001100D] -> 0x01
x11 <- 0x00000001
clint mtime 0x0000000000000003 (mip.MTI <- 0b1)
[7] [M]: 0x00010008 (0x00E41603) lh x12, 0xE(x8)
mem[R,0x00001100E] -> 0xCAFE
x12 <- 0xFFFFCAFE
[8] [M]: 0x0001000C (0x00000073) ecall
trapping from M to M to handle m-call
handling exc#0x0B at priv M with tval 0x00000000
CSR mstatus (0x300) <- 0x0000000000001800
CSR mepc (0x341) <- 0x000000000001000C
trapping from M to M to handle fetch-access-fault
handling exc#0x01 at priv M with tval 0x00000000
";

/// The newer form: one fetch, eight digits, padding and a symbol, user mode, blank lines.
const NEW: &str = "\
mem[X,0x00010000] -> 0x00500293

[0] [U]: 0x00010000 (0x00500293) addi x5, x0, 0x5                                  _start+0
x5 <- 0x00000005

mem[X,0x00010004] -> 0x00502023
[1] [U]: 0x00010004 (0x00502023) sw x5, 0x0(x0)                                    _start+4
trapping from U to M to handle store/amo-access-fault
handling exc#0x07 at priv M with tval 0x00000000
";

#[test]
fn parses_the_older_form() {
    let steps = parse(OLD).expect("the trace can be read");
    let pcs: Vec<u32> = steps.iter().map(|step| step.pc).collect();
    assert_eq!(pcs, [0x1010, 0x1_0000, 0x1_0004, 0x1_0008, 0x1_000C, 0]);
    let mem = |n: usize| steps[n].mem.expect("an access");
    assert_eq!((mem(1).addr, mem(1).wmask, mem(1).wdata), (0x1_100C, 15, 0xCAFE_0123));
    assert_eq!((mem(2).addr, mem(2).rmask, mem(2).rdata), (0x1_100D, 1, 1));
    assert_eq!((mem(3).rmask, mem(3).rdata), (3, 0xCAFE));
    assert_eq!(steps[3].rd.map(|rd| (rd.reg.index(), rd.value)), Some((12, 0xFFFF_CAFE)));
    assert_eq!((steps[0].next_pc, steps[1].rd), (0x1_0000, None));
    assert_eq!((steps[4].trap, steps[4].insn), (Some(Cause::MachineEcall), 0x73));
    assert_eq!(steps[5].trap, Some(Cause::InstructionAccessFault), "a fetch that traps has no instruction line");
}

#[test]
fn parses_the_newer_form() {
    let steps = parse(NEW).expect("the trace can be read");
    assert_eq!(steps.len(), 2);
    assert_eq!(steps[0].mode, Mode::User);
    assert_eq!(steps[0].rd.map(|rd| (rd.reg.index(), rd.value)), Some((5, 5)));
    assert_eq!(steps[1].trap, Some(Cause::StoreAccessFault));
}

#[test]
fn names_the_line_that_cannot_be_read() {
    for wrong in ["[1] [M]: nonsense", "x99 <- 0x0", "mem[R,0x123456789AB] -> 0x00", "x5 <- 0x123456789"] {
        let error = parse(&format!("\n{wrong}\n")).expect_err(wrong);
        assert!(error.starts_with("line 2: "), "{error}");
    }
}

#[test]
fn the_configuration_keeps_the_defaults_and_has_our_map() {
    let extensions = json!({ "M": { "supported": true }, "A": { "supported": true }, "note": {} });
    let regions = json!([{ "base": 0, "attributes": { "mem_type": "MainMemory", "cacheable": true } }]);
    let defaults = json!({ "extensions": extensions, "memory": { "regions": regions, "dtb": 1 } });
    let new = configured(defaults.clone(), Generation::New);
    assert_eq!(new["extensions"]["A"]["supported"], false);
    assert_eq!(new["extensions"]["M"]["supported"], true);
    assert_eq!(new["memory"]["regions"][0]["base"], 0x1_0000);
    assert_eq!(new["memory"]["regions"][0]["attributes"]["cacheable"], true);
    assert_eq!((&new["memory"]["dtb"], &new["base"]["xlen"]), (&json!(1), &json!(32)));
    let old = configured(defaults, Generation::Old);
    assert_eq!(old["platform"]["ram"], json!({ "base": 0x1_0000, "size": 0xFEFF_0000_u64 }));
    assert_eq!(old["memory"]["misaligned"]["supported"], false);
}

/// A script in place of the simulator.
fn stand_in(name: &str, script: &str) -> (PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("the folder can be made");
    let program = folder.join("sail");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("the script can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("the script can be made executable");
    let _ = fs::remove_file(folder.join("sail.trace"));
    (program, folder)
}

/// Replays `trace` for the options of its generation, then says `said`.
fn replaying(name: &str, generation: Generation, trace: &str, said: &str) -> (Sail, PathBuf) {
    let (flag, probe) = match generation {
        Generation::Old => ("-c", "--help) echo 'usage --no-trace'; exit 0;; --version) exit 1"),
        Generation::New => ("--config", "--version) echo 0.13; exit 0"),
    };
    let script = format!(
        "case \"$1\" in {probe};; --print-default-config) echo '{{\"base\":{{}}}}'; exit 0;; esac\n\
         test \"$1\" = {flag} && test -s \"$2\" || exit 9\n\
         while [ \"$1\" != --trace-output ]; do shift; done\ncat > \"$2\" <<'TRACE'\n{trace}TRACE\necho '{said}'"
    );
    let (program, folder) = stand_in(name, &script);
    (Sail::at(program).expect("the stand-in answers"), folder)
}

#[test]
fn runs_either_generation() {
    let (sail, folder) = replaying("sail-old", Generation::Old, OLD, "SUCCESS");
    assert_eq!(sail.generation, Generation::Old);
    let run = sail.run(Path::new("a.elf"), 0x1_0000, 100, &folder).expect("the stand-in runs");
    assert_eq!((run.log.steps[0].pc, run.log.steps.len(), run.result), (0x1_0000, 5, Some(0)));

    let (sail, folder) = replaying("sail-new", Generation::New, NEW, "FAILURE: 7");
    assert_eq!((sail.generation, sail.version.as_str()), (Generation::New, "0.13"));
    let run = sail.run(Path::new("a.elf"), 0x1_0000, 100, &folder).expect("the stand-in runs");
    assert_eq!((run.log.steps.len(), run.result), (2, Some(7)));
}

#[test]
fn a_simulator_that_fails_is_a_named_failure() {
    let (program, folder) =
        stand_in("sail-dead", "case \"$1\" in --version) echo 1; exit 0;; esac; echo broken >&2; exit 3");
    let sail = Sail::at(program).expect("it answers --version");
    let failure = sail.run(Path::new("a.elf"), 0x1_0000, 100, &folder).expect_err("it writes no trace");
    assert_eq!(failure, Failure::Died("sail wrote no trace; it ended with Some(3) and said: broken".into()));

    let (program, _) = stand_in("sail-unknown", "exit 0");
    assert!(matches!(Sail::at(program), Err(Failure::Garbled(_))));
    assert!(matches!(Sail::at("/nowhere/sail".into()), Err(Failure::Start(_))));
}
