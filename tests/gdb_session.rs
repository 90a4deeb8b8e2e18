//! Whole sessions of a real gdb over a real socket: the scripts are in `tests/gdb`.

mod gdb;

use std::io::{Read, Write};
use std::net::TcpStream;

use gdb::{check_script_with, debuggee, serve};
use lockstep::gdb::End;

fn end_of(script: &str, fault: u32, words: &[(&str, &str)]) -> End {
    let elf = debuggee(fault);
    let (addr, server) = serve(&elf);
    check_script_with(script, addr, &elf, words);
    server.join().expect("the server does not panic")
}

#[test]
fn a_session_without_a_file() {
    assert_eq!(end_of("session", 0, &[]), End::Exited(7));
}

#[test]
fn a_session_with_a_file_interrupted_and_killed() {
    assert_eq!(end_of("with_file", 5, &[]), End::Killed);
}

#[test]
fn backwards() {
    assert_eq!(end_of("reverse", 0, &[]), End::Killed);
}

#[test]
fn monitor_commands() {
    assert_eq!(end_of("monitor", 0, &[]), End::Exited(7));
}

#[test]
fn across_the_line_to_the_kernel() {
    let elf = debuggee(0);
    let (addr, server) = gdb::serve_with_kernel(&elf);
    gdb::check_script("kernel", addr, &elf);
    assert_eq!(server.join().expect("the server does not panic"), End::Exited(7));
}

/// A frame at an address without code has no caller that gdb could find.
const CALL_OF_NULL: u32 = 6;

/// The caller's frame, as gdb shows it.
const UP: &str = "> up
#1  0x{} in main () at {}debuggee.c:48
48	    fault(FAULT);
> print r
$1 = 55
";

/// TRAP-4: the machine is as it was before the faulting instruction.
fn check_fault(kind: u32, name: &str, text: &str, line: &str, number: u8) {
    let words = [
        ("SIGNAL", format!("{name}, {text}")),
        ("NUMBER", name.to_owned()),
        ("WHERE", line.to_owned()),
        ("UP", if kind == CALL_OF_NULL { "" } else { UP }.to_owned()),
    ];
    let words: Vec<(&str, &str)> = words.iter().map(|(word, text)| (*word, text.as_str())).collect();
    assert_eq!(end_of("fault", kind, &words), End::Died(number));
}

#[test]
fn a_store_to_null_is_a_segmentation_fault() {
    let line = "0x{} in fault (kind=1) at {}debuggee.c:28\n28	        *null = 1;";
    check_fault(1, "SIGSEGV", "Segmentation fault", line, 11);
}

#[test]
fn a_misaligned_load_is_a_bus_error() {
    let line = "fault (kind=2) at {}debuggee.c:30\n30	        *(volatile int *)((char *)table + 2);";
    check_fault(2, "SIGBUS", "Bus error", line, 10);
}

#[test]
fn a_word_that_is_no_instruction_is_illegal() {
    let line = "fault (kind=3) at {}debuggee.c:32\n32	        __asm__ volatile(\".insn r 0x0b, 0, 0, x0, x0, x0\");";
    check_fault(3, "SIGILL", "Illegal instruction", line, 4);
}

#[test]
fn ebreak_is_a_trap() {
    let line = "fault (kind=4) at {}debuggee.c:34\n34	        __asm__ volatile(\"ebreak\");";
    check_fault(4, "SIGTRAP", "Trace/breakpoint trap", line, 5);
}

/// MAP-1: the pc is where the fetch failed.
#[test]
fn a_call_of_null_is_a_segmentation_fault() {
    check_fault(CALL_OF_NULL, "SIGSEGV", "Segmentation fault", "0x00000008 in ?? ()", 11);
}

/// lldb's packets and its view of target.xml: break, backtrace, step, watch, registers, memory, detach.
#[test]
fn lldb_debugs_too() {
    let elf = debuggee(0);
    let (addr, _server) = serve(&elf);
    let commands = [
        format!("target create {}", elf.display()),
        format!("gdb-remote {addr}"),
        "breakpoint set -n fib".to_owned(),
        "continue".to_owned(),
        "bt".to_owned(),
        "thread step-inst".to_owned(),
        "register read a0".to_owned(),
        "breakpoint delete -f".to_owned(),
        "watchpoint set variable counter".to_owned(),
        "continue".to_owned(),
        "memory region 0".to_owned(),
        "memory read --size 4 --count 3 --format x `(unsigned)&table`".to_owned(),
        "detach".to_owned(),
    ];
    let mut lldb = std::process::Command::new("lldb");
    lldb.args(["--no-lldbinit", "-b"]);
    lldb.args(commands.iter().flat_map(|command| ["-o", command]));
    let output = lldb.output().expect("lldb is installed (make setup)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut rest = text.as_str();
    for expected in [
        "_start at debuggee.c:53",
        "stop reason = breakpoint 1.1",
        "fib(n=10) at debuggee.c:15",
        "main at debuggee.c:44",
        "stop reason = instruction step into",
        "a0 = 0x0000000a",
        "old value: 0",
        "new value: 55",
        "stop reason = watchpoint 1",
        "[0x0000000000000000-0x0000000000010000) ---",
        "0x00000000 0x00000003 0x00000006",
        "Process 1 detached",
    ] {
        let at = rest.find(expected);
        assert!(at.is_some(), "lldb does not say {expected}, or not in its place:\n{text}");
        rest = &rest[at.unwrap_or(0)..];
    }
}

/// The memory of this process, in MiB.
fn resident_mib() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells it");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number of pages");
    pages / 256 // of 4 KiB
}

/// Each request of 16 bytes asks for 64 KiB that no run-length shortens: 1.2 GiB in all, which no one reads.
#[test]
fn a_client_that_does_not_read_is_not_served_without_end() {
    let (addr, _server) = serve(&debuggee(0));
    let connect = || {
        let mut client = TcpStream::connect(addr).expect("the server listens");
        client.write_all(b"$QStartNoAckMode#b0").expect("the server reads");
        client
    };
    let mut greedy = connect();
    let bytes: String = (0..0x8000).map(|i| format!("{:02x}", i % 256)).collect();
    greedy.write_all(format!("$M100000,8000:{bytes}#00").as_bytes()).expect("the server reads");
    greedy.write_all(&b"$m100000,8000#00".repeat(20_000)).expect("so much fits on the way");
    let before = resident_mib();
    let mut other = connect();
    let mut reply = [0; 4096];
    for _ in 0..200 {
        other.write_all(b"$p20#00").expect("the server reads");
        assert!(other.read(&mut reply).expect("the other client is served") > 0);
    }
    let grown = resident_mib().saturating_sub(before);
    assert!(grown < 512, "{grown} MiB");
}

/// docs/gdb.md walks from a fault to the write that caused it; these are its commands and what they print.
#[test]
fn the_walk_of_the_documentation() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("docs/gdb.md")).expect("docs/gdb.md is readable");
    let block = |name: &str| {
        let begin = guide.find(&format!("<!-- {name} -->")).expect("the guide has the block");
        let code = guide[begin..].split("```").nth(1).expect("the mark is before a block of code");
        code.split_once('\n').map_or("", |(_, code)| code).to_owned()
    };
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("walk-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let source = folder.join("queue.c");
    std::fs::write(&source, block("walk: queue.c")).expect("the source can be written");
    let elf = gdb::compile(&source, "queue", &[]);
    let (addr, _server) = gdb::serve_at_fault(&elf);
    gdb::check_text("docs/gdb.md", &block("walk: session"), addr, &elf);
}
