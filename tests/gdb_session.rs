//! Whole sessions of a real gdb over a real socket: the scripts are in `tests/gdb`.

mod gdb;

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
