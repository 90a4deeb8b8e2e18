//! `monitor` commands: what the machine knows and no packet asks for.

use std::fmt::Write;

use super::inferior::{Inferior, Stop};
use crate::exec::{Exit, Until, WatchRange};
use crate::hart::RegisterFile;
use crate::isa::disassemble;
use crate::map::{Addr, Mode};
use crate::mem::{PAGE_BYTES, PageNo};
use crate::symbols::Symbols;
use crate::trace::{Retired, Sink};
use crate::trap::Cause;

/// What `monitor help` says.
const HELP: &str = "\
monitor commands:
  cycles                     where the run is: steps, cycles, mode
  mode                       user or machine
  fault                      the fault the program stopped at, with its user pc
  ecall list                 the ECALLs of the program before now
  ecall last                 the last of them
  ecall trace on|off         say every ECALL as it happens
  goto N                     go to the point before step N
  where-written ADDR [LEN]   the last write to memory before now
  checkpoint                 remember this point
  history                    what is kept of the past
  pages                      the memory in use
  symbols FILE [BASE]        how to load more symbols
  step-into-kernel on|off    whether single steps show the kernel's work behind an ECALL
  stop-at-exit on|off        stop before the program ends, to go back from there
";

/// The answer to `command`, and whether the program was moved.
pub fn run(inferior: &mut Inferior, command: &str) -> String {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words[..] {
        [] | ["help"] => HELP.to_owned(),
        ["cycles"] => cycles(inferior),
        ["mode"] => format!("{}\n", mode_name(inferior.machine().hart.mode)),
        ["fault"] => fault(inferior),
        ["ecall" | "ecalls", "list"] => ecalls(inferior, MOST_LISTED),
        ["ecall" | "ecalls", "last"] | ["ecall" | "ecalls"] => ecalls(inferior, 1),
        ["ecall" | "ecalls", "trace", switch @ ("on" | "off")] => {
            inferior.traces_ecalls = switch == "on";
            format!("ECALLs are {} as they happen\n", if switch == "on" { "said" } else { "not said" })
        }
        ["goto", order] => goto(inferior, order),
        ["where-written", addr] => where_written(inferior, addr, "4"),
        ["where-written", addr, length] => where_written(inferior, addr, length),
        ["checkpoint"] => checkpoint(inferior),
        ["history"] => history(inferior),
        ["pages"] => pages(inferior),
        ["symbols", file] => format!("in gdb: add-symbol-file {file}\n"),
        ["symbols", file, base] => format!("in gdb: add-symbol-file {file} -o {base}\n"),
        ["step-into-kernel", switch @ ("on" | "off")] => {
            inferior.steps_into_kernel = switch == "on";
            format!("single steps {} the kernel\n", if switch == "on" { "go into" } else { "step over" })
        }
        ["stop-at-exit", switch @ ("on" | "off")] => {
            inferior.stops_at_exit = switch == "on";
            format!("the program {} before its end\n", if switch == "on" { "stops" } else { "does not stop" })
        }
        _ => format!("unknown monitor command: {command}; try monitor help\n"),
    }
}

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::User => "user",
        Mode::Machine => "machine",
    }
}

fn cycles(inferior: &Inferior) -> String {
    let hart = &inferior.machine().hart;
    let mode = mode_name(hart.mode);
    format!("step {}, cycle {}, {mode} mode, pc {:#010x}\n", hart.instructions, hart.cycles, hart.pc)
}

fn fault(inferior: &Inferior) -> String {
    match inferior.last_stop {
        Stop::Fault(fault) => match fault.user_pc.filter(|pc| *pc != fault.pc) {
            Some(user_pc) => format!("{fault}; user pc {}\n", place(inferior, user_pc)),
            None => format!("{fault}, in {}\n", place(inferior, fault.pc)),
        },
        _ => "the program has not faulted\n".to_owned(),
    }
}

/// `pc` with function, file and line where they are known.
fn place(inferior: &Inferior, pc: Addr) -> String {
    let location = Symbols::of(&inferior.program.elf).locate(pc);
    let mut text = format!("{pc:#010x}");
    if let Some(location) = location {
        if let Some(function) = location.function {
            let _ = write!(text, " {function}");
        }
        if let (Some(file), Some(line)) = (location.file, location.line) {
            let _ = write!(text, " at {file}:{line}");
        }
    }
    text
}

/// A number as gdb writes them: decimal, 0x or 0b.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn goto(inferior: &mut Inferior, order: &str) -> String {
    let Some(order) = number(order) else { return format!("{order} is not a step number\n") };
    inferior.go_to(order);
    let mut text = cycles(inferior);
    text += "gdb does not know that the program has moved: say maintenance flush register-cache, or step\n";
    text
}

/// The last write to `length` bytes at `addr` before now.
fn where_written(inferior: &mut Inferior, addr: &str, length: &str) -> String {
    let (Some(first), Some(length)) = (number(addr).and_then(|addr| Addr::try_from(addr).ok()), number(length)) else {
        return "where-written ADDR [LEN]: two numbers\n".to_owned();
    };
    let last = u64::from(first) + length.max(1) - 1;
    let Ok(last) = Addr::try_from(last) else { return "the range passes the end of memory\n".to_owned() };
    let range = WatchRange { first, last, on_read: false, on_write: true };
    let now = inferior.timeline.now();
    let found = last_write(inferior, range, now);
    let text = match found {
        Some(order) => {
            inferior.timeline.run_to(order);
            let machine = inferior.machine();
            let (pc, cycle) = (machine.hart.pc, machine.hart.cycles);
            let insn = disassemble(machine.word(pc), pc);
            format!("step {order}, cycle {cycle}: {insn} in {}\n", place(inferior, pc))
        }
        None => format!("nothing wrote {first:#010x} to {last:#010x} since the session began\n"),
    };
    inferior.timeline.run_to(now);
    text
}

/// The last step before `now` that wrote in `range`, searched from the newest interval back.
fn last_write(inferior: &mut Inferior, range: WatchRange, now: u64) -> Option<u64> {
    let touches = |page: PageNo| page.start() <= range.last && range.first <= page.start() + (PAGE_BYTES as u32 - 1);
    let mut limit = now;
    while limit > inferior.begin() {
        let first = inferior.timeline.mark_before(limit - 1).max(inferior.begin());
        if inferior.timeline.may_have_written(first, touches) {
            inferior.timeline.run_to(first);
            let (ranges, mut last) = ([range], None);
            while let Exit::Watch(_) = inferior.timeline.run(Until { watch: &ranges, ..Until::order(limit) }, &mut ()) {
                last = Some(inferior.timeline.now() - 1);
                if inferior.timeline.now() >= limit {
                    break;
                }
            }
            if last.is_some() {
                return last;
            }
        }
        limit = first;
    }
    None
}

/// The most ECALLs that a list shows.
const MOST_LISTED: usize = 40;

/// An ECALL of the program, with its arguments.
struct Ecall {
    order: u64,
    pc: Addr,
}

/// Collects the user ECALLs.
#[derive(Default)]
struct Ecalls(Vec<Ecall>);

impl Sink for Ecalls {
    fn retired(&mut self, step: &Retired) {
        if step.trap == Some(Cause::UserEcall) {
            self.0.push(Ecall { order: step.order, pc: step.pc });
        }
    }
}

/// The last `count` ECALLs before now.
fn ecalls(inferior: &mut Inferior, count: usize) -> String {
    let now = inferior.timeline.now();
    let mut found: Vec<Ecall> = Vec::new();
    let mut limit = now;
    while limit > inferior.begin() && found.len() < count {
        let first = inferior.timeline.mark_before(limit - 1).max(inferior.begin());
        let mut calls = Ecalls::default();
        inferior.timeline.run_to(first);
        inferior.timeline.run(Until::order(limit), &mut calls);
        calls.0.append(&mut found);
        found = calls.0;
        limit = first;
    }
    let shown = &found[found.len().saturating_sub(count)..];
    let mut text = String::new();
    for call in shown {
        inferior.timeline.run_to(call.order);
        let _ = writeln!(
            text,
            "step {}: {} in {}",
            call.order,
            describe(inferior.machine().hart.file(Mode::User)),
            place(inferior, call.pc)
        );
    }
    inferior.timeline.run_to(now);
    if text.is_empty() { "no ECALL since the session began\n".to_owned() } else { text }
}

/// The ECALL that `registers` ask for, in the ABI of the default kernel (KERN-2, KERN-3).
pub fn describe(registers: &RegisterFile) -> String {
    let x = |number: usize| registers[number];
    let name = match x(17) {
        57 => "close",
        62 => "lseek",
        63 => "read",
        64 => "write",
        80 => "fstat",
        93 => "exit",
        94 => "exit_group",
        214 => "brk",
        _ => "ecall",
    };
    format!("{name} (a7 = {}) ({:#x}, {:#x}, {:#x})", x(17), x(10), x(11), x(12))
}

fn checkpoint(inferior: &mut Inferior) -> String {
    let now = inferior.timeline.now();
    format!("this is step {now}: monitor goto {now} comes back here\n")
}

fn history(inferior: &Inferior) -> String {
    let timeline = &inferior.timeline;
    let (marks, bytes) = timeline.usage();
    format!(
        "steps {} to {}, now {}; {marks} points kept, {} KiB\n",
        inferior.begin(),
        timeline.frontier(),
        timeline.now(),
        bytes / 1024
    )
}

fn pages(inferior: &Inferior) -> String {
    let count = inferior.machine().mem.page_count();
    format!("{count} pages of {PAGE_BYTES} bytes: {} KiB\n", count * PAGE_BYTES / 1024)
}
