//! The Sail runner: its parser on traces of both forms, and its process handling with a stand-in.
//! Nothing here needs the simulator; nothing here says that it agrees.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lockstep::map::Mode;
use lockstep::trap::Cause;
use lockstep_harness::machine::Failure;
use lockstep_harness::machines::rvfi::{Ours, Record, difference};
use lockstep_harness::machines::sail::{Generation, Sail, arguments, configured, parse};
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
handling exc#store/amo-access-fault at priv M | tval=0x00000000 | tval2=0x00000000 | tinst=0x00000000
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
    for wrong in [
        "[1] [M]: nonsense",
        "x99 <- 0x0",
        "mem[R,0x123456789AB] -> 0x00",
        "x5 <- 0x123456789",
        "handling exc#odd at priv M | tval=0x0",
    ] {
        let error = parse(&format!("\n{wrong}\n")).expect_err(wrong);
        assert!(error.starts_with("line 2: "), "{error}");
    }
}

/// The forms of the configuration: the first, one in between, and today's.
#[test]
fn the_configuration_changes_what_is_there_and_nothing_else() {
    let extensions =
        || json!({ "M": { "supported": true }, "A": { "supported": true }, "V": { "support_level": "Full" } });
    let old = json!({
        "base": { "writable_misa": true }, "extensions": extensions(),
        "memory": { "pmp": { "grain": 0, "count": 16 }, "misaligned": { "supported": true, "byte_by_byte": false } },
        "platform": { "ram": { "base": 1, "size": 2 }, "rom": { "base": 3, "size": 4 }, "clint": { "base": 5, "size": 6 } },
    });
    let made = configured(old, Generation::Old);
    assert_eq!(made["platform"]["ram"], json!({ "base": 0x1_0000, "size": 0xFEFF_0000_u64 }));
    assert_eq!(made["platform"]["clint"], json!({ "base": 0xFF01_0000_u64, "size": 6 }));
    assert_eq!(made["memory"]["misaligned"], json!({ "supported": false, "byte_by_byte": false }));
    assert_eq!(
        (&made["extensions"]["M"]["supported"], &made["extensions"]["A"]["supported"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(made["extensions"]["V"], json!({ "support_level": "Disabled" }));
    assert_eq!(made["base"], json!({ "writable_misa": false }), "xlen is not a field of this release");

    let bits = |value: &str| json!({ "len": 64, "value": value });
    let region = |base: &str, size: &str, attributes: serde_json::Value| json!({ "base": bits(base), "size": bits(size), "attributes": attributes });
    let between = json!({
        "base": { "xlen": 64 },
        "memory": {
            "pmp": { "count": 16, "usable_count": 16 }, "misaligned": { "supported": true },
            "regions": [
                region("0x1000", "0x1000", json!({ "executable": false, "writable": false })),
                region("0x200_0000", "0x200_0000", json!({ "executable": false, "writable": true })),
                region("0x8000_0000", "0x8000_0000", json!({ "executable": true, "writable": true })),
            ],
        },
        "platform": { "clint": { "base": 33_554_432 } },
    });
    let made = configured(between, Generation::New);
    assert_eq!(made["memory"]["pmp"], json!({ "count": 0, "usable_count": 0 }));
    let bounds: Vec<_> =
        made["memory"]["regions"].as_array().expect("regions").iter().map(|region| &region["base"]["value"]).collect();
    assert_eq!(bounds, ["0x1000", "0x10000", "0xff000000"], "boot ROM, memory, devices");
    assert_eq!(made["memory"]["regions"][1]["attributes"]["executable"], true);
    assert_eq!(made["platform"]["clint"]["base"], 0xFF01_0000_u64);

    let today = json!({
        "base": { "xlen": 32 },
        "memory": {
            "misaligned": { "exceptions": { "load_store": { "None": null }, "vector": { "None": null } } },
            "regions": [region("0x80000000", "0x80000000", json!({ "mem_type": "MainMemory", "cacheable": true }))],
        },
        "platform": { "clint": { "supported": true, "base": 1 }, "simple_interrupt_generator": { "supported": true } },
    });
    let made = configured(today, Generation::New);
    assert_eq!(made["memory"]["misaligned"]["exceptions"]["load_store"], json!({ "Some": "AlignmentException" }));
    assert_eq!(made["memory"]["misaligned"]["exceptions"]["vector"], json!({ "None": null }));
    assert_eq!(made["memory"]["regions"].as_array().map(Vec::len), Some(1));
    assert_eq!(made["memory"]["regions"][0]["attributes"]["cacheable"], true);
    assert_eq!(made["platform"]["clint"]["supported"], false);
    assert_eq!(made["platform"]["simple_interrupt_generator"]["supported"], false);
}

/// Releases differ in what they call the wider traces.
#[test]
fn the_options_are_those_that_the_help_has() {
    let (config, trace) = (Path::new("c.json"), Path::new("t"));
    let words = |generation, help| arguments(generation, help, config, trace, 9).join(" ");
    assert_eq!(words(Generation::Old, "--no-trace"), "-c c.json -l 9 --trace-output t");
    let how = "--config c.json --inst-limit 9 --trace-output t";
    let today = "--trace-instr --trace-gpr --trace-reg --trace-mem --trace-exception --trace-platform";
    assert_eq!(words(Generation::New, today), format!("{how} --trace-instr --trace-gpr --trace-mem --trace-exception"));
    let before = "--trace-instr --trace-reg --trace-mem --trace-platform";
    assert_eq!(words(Generation::New, before), format!("{how} --trace-instr --trace-reg --trace-mem --trace-platform"));
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
        Generation::New => {
            ("--config", "--help) echo ' --trace-instr --trace-gpr'; exit 0;; --version) echo 0.13; exit 0")
        }
    };
    let script = format!(
        "case \"$1\" in {probe};; --print-default-config) echo '{{ // a comment'; echo '\"base\": {{\"note\": \"http://x\", \"writable_misa\": true}}, \"memory\": {{\"dtb_address\": {{\"len\": 64, \"value\": \"0x1000\"}}}}}}'; exit 0;; esac\n\
         test \"$1\" = {flag} && grep -q 'writable_misa.:false' \"$2\" || exit 9\n\
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
    assert_eq!(run.log.registers, [0; 32], "the boot code of this piece of a trace wrote none");

    let (sail, folder) = replaying("sail-new", Generation::New, NEW, "FAILURE: 7");
    assert_eq!((sail.generation, sail.version.as_str()), (Generation::New, "0.13"));
    let run = sail.run(Path::new("a.elf"), 0x1_0000, 100, &folder).expect("the stand-in runs");
    assert_eq!((run.log.steps.len(), run.result), (2, Some(7)));
    assert_eq!((run.log.registers[10], run.log.registers[11]), (0, 0x1000), "hart and device tree, without boot code");
}

/// The first `sail_riscv_sim` has a version, and yet the old options.
#[test]
fn a_version_alone_makes_no_generation() {
    let script = "case \"$1\" in --version) echo 0.8;; --help) echo '-V,--no-trace -c,--config -l,--inst-limit';; esac";
    let sail = Sail::at(stand_in("sail-between", script).0).expect("it answers");
    assert_eq!((sail.generation, sail.version.as_str()), (Generation::Old, "0.8"));
}

/// A server that answers each instruction with the next of the 88-byte records in a file.
const SERVER: &str = "\
import socket, sys
server = socket.create_server(('127.0.0.1', int(sys.argv[1])))
connection, _ = server.accept()
for answer in open(sys.argv[2]).read().split():
    request = b''
    while len(request) < 8:
        request += connection.recv(8 - len(request))
    connection.sendall(bytes.fromhex(answer))
connection.recv(1)
";

/// The runner starts the simulator as a server, and each instruction is compared.
#[test]
fn tells_the_simulator_each_instruction() {
    // addi x5, x0, 7; sw x5, 0(x0), which raises on both.
    let program = [0x0070_0293, 0x0050_2023];
    let mut ours = Ours::default();
    let mut records: Vec<Record> = vec![Record { is_halt: true, ..Record::default() }];
    records.extend(program.map(|insn| ours.execute(insn)));
    for (name, wrong) in [("sail-rvfi", 0), ("sail-rvfi-wrong", 1)] {
        records[1].rd_value = 7 + wrong;
        let lines: Vec<String> =
            records.iter().map(|record| record.answer().iter().map(|byte| format!("{byte:02x}")).collect()).collect();
        let script = "case \"$1\" in --help) echo ' --trace-instr'; exit 0;; --version) echo 1; exit 0;; \
            --print-default-config) exit 1;; esac\n\
            test \"$1\" = --config && test -s \"$2\" && test \"$3\" = --rvfi-dii || exit 9\n\
            here=$(dirname \"$0\")\nexec python3 \"$here/server.py\" \"$4\" \"$here/answers\"";
        let (program_file, folder) = stand_in(name, script);
        fs::write(folder.join("server.py"), SERVER).expect("a file");
        fs::write(folder.join("answers"), lines.join("\n")).expect("a file");
        let sail = Sail::at(program_file).expect("the stand-in answers");
        let (_process, mut client) = sail.instructions(&folder).expect("it listens");
        let found = difference(&mut client, &program).expect("it answers");
        assert_eq!(found.is_some(), wrong == 1, "{found:?}");
    }
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
