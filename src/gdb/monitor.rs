//! `monitor` commands: what the machine knows and no packet asks for.

use std::fmt::Write;

use super::catches::ANY_ECALL;
#[cfg(feature = "risc0")]
use super::ecalls::Abi;
use super::inferior::{Inferior, Stop};
use crate::exec::{Exit, Until, WatchRange};
use crate::hart::SEGMENT_STEPS;
use crate::isa::disassemble;
use crate::map::{Addr, Mode};
use crate::mem::{PAGE_BYTES, PageNo};
use crate::trace::{Retired, Sink};
use crate::trap::Cause;

/// What `monitor help` says.
const HELP: &str = "\
monitor commands:
  cycles                     where the run is: steps, cycles, mode, segment; what it costs in RISC Zero
  mode                       user or machine
  fault                      the fault the program stopped at, with its user pc
  ecall list                 the ECALLs of the program before now
  ecall last                 the last of them
  ecall trace on|off         say every ECALL as it happens
  catch-ecall [NAME|N ...]   stop before these ECALLs, or before all of them
  catch-ecall off            do not stop before ECALLs any more
  goto N|NAME                go to the point before step N, or to a checkpoint
  where-written ADDR [LEN]   the last write to memory before now
  checkpoint [NAME]          remember this point
  checkpoint list            the points remembered
  history                    what is kept of the past
  pages                      the memory in use
  symbols FILE [BASE]        load the symbols of another file, whose first segment lies at BASE
  kernel on|off              whether single steps show the kernel's work behind an ECALL
  stop-at-exit on|off        stop before the program ends, to go back from there
  python                     commands of our own for gdb: python exec(gdb.execute('monitor python', False, True))
";

/// Whether the command is for the client that controls.
fn is_change(words: &[&str]) -> bool {
    match words {
        ["checkpoint", "list"] => false,
        ["ecall" | "ecalls", what, ..] => *what == "trace",
        [name, ..] => ["goto", "checkpoint", "catch-ecall", "symbols", "kernel", "step-into-kernel", "stop-at-exit"]
            .contains(name),
        [] => false,
    }
}

/// The answer to `command`, or nothing yet: `goto` has resumed the program then, and [`arrived`] is said when it stops.
pub fn run(inferior: &mut Inferior, command: &str) -> String {
    let words: Vec<&str> = command.split_whitespace().collect();
    if inferior.is_observed && is_change(&words) {
        return "another client controls the program; this one may only look\n".to_owned();
    }
    match words[..] {
        [] | ["help"] => HELP.to_owned(),
        ["cycles"] => cycles(inferior) + &risc0_cycles(inferior),
        ["mode"] => format!("{}\n", mode_name(inferior.machine().hart.mode)),
        ["fault"] => fault(inferior),
        ["ecall" | "ecalls", "list"] => ecalls(inferior, MOST_LISTED),
        ["ecall" | "ecalls", "last"] | ["ecall" | "ecalls"] => ecalls(inferior, 1),
        ["ecall" | "ecalls", "trace", switch @ ("on" | "off")] => {
            inferior.traces_ecalls = switch == "on";
            format!("ECALLs are {} as they happen\n", if switch == "on" { "said" } else { "not said" })
        }
        ["catch-ecall", ref wanted @ ..] => catch_ecall(inferior, wanted),
        ["goto", point] => goto(inferior, point),
        ["where-written", addr] => where_written(inferior, addr, "4"),
        ["where-written", addr, length] => where_written(inferior, addr, length),
        ["checkpoint", "list"] => checkpoints(inferior),
        ["checkpoint"] => checkpoint(inferior, None),
        ["checkpoint", name] => checkpoint(inferior, Some(name)),
        ["history"] => history(inferior),
        ["pages"] => pages(inferior),
        ["symbols", file] => symbols(inferior, file, None),
        ["symbols", file, base] => symbols(inferior, file, Some(base)),
        ["kernel" | "step-into-kernel", switch @ ("on" | "off")] => {
            inferior.steps_into_kernel = switch == "on";
            format!("single steps {} the kernel\n", if switch == "on" { "go into" } else { "step over" })
        }
        ["stop-at-exit", switch @ ("on" | "off")] => {
            inferior.stops_at_exit = switch == "on";
            format!("the program {} before its end\n", if switch == "on" { "stops" } else { "does not stop" })
        }
        ["python"] => include_str!("lockstep.py").to_owned(),
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
    let (mode, segment) = (mode_name(hart.mode), hart.instructions / SEGMENT_STEPS);
    format!("step {}, cycle {}, segment {segment}, {mode} mode, pc {:#010x}\n", hart.instructions, hart.cycles, hart.pc)
}

/// What a guest of RISC Zero costs there, up to here. The run is executed again for it, once.
#[cfg(feature = "risc0")]
fn risc0_cycles(inferior: &mut Inferior) -> String {
    if inferior.abi != Abi::Risc0 {
        return String::new();
    }
    let now = inferior.timeline.now();
    let known = inferior.cost.take().filter(|(order, _)| *order <= now);
    let (order, mut cost) = known.unwrap_or_default();
    if now - order > MOST_COSTED_STEPS {
        return format!(
            "RISC Zero's cycles are counted for {MOST_COSTED_STEPS} steps at once: ask earlier in the run\n"
        );
    }
    inferior.timeline.run_to(order);
    inferior.timeline.run(Until::order(now), &mut *cost);
    let cycles = cost.cycles();
    inferior.cost = Some((now, cost));
    format!(
        "RISC Zero: {} user cycles, {} paging, {} total; segments of po2 {:?}\n",
        cycles.user, cycles.paging, cycles.total, cycles.segments
    )
}

#[cfg(not(feature = "risc0"))]
fn risc0_cycles(_inferior: &mut Inferior) -> String {
    String::new()
}

/// Counting takes some 20 s for as many.
#[cfg(feature = "risc0")]
const MOST_COSTED_STEPS: u64 = 500_000_000;

fn fault(inferior: &Inferior) -> String {
    match inferior.last_stop {
        Stop::Fault(fault) => match fault.user_pc.filter(|pc| *pc != fault.pc) {
            Some(user_pc) => format!("{fault}; user pc {}\n", inferior.files.place(user_pc)),
            None => format!("{fault}, in {}\n", inferior.files.place(fault.pc)),
        },
        _ => "the program has not faulted\n".to_owned(),
    }
}

/// A number as gdb writes them: decimal, 0x or 0b.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn goto(inferior: &mut Inferior, point: &str) -> String {
    let order = inferior.checkpoints.get(point).copied().or_else(|| number(point));
    let Some(order) = order else { return format!("{point} is neither a step number nor a checkpoint\n") };
    inferior.go_to(order);
    if inferior.resumed.is_none() { arrived(inferior) } else { String::new() }
}

/// What `goto` says where it ends.
pub fn arrived(inferior: &Inferior) -> String {
    cycles(inferior) + "gdb shows what it knew before until it steps; the goto command of monitor python tells it\n"
}

/// Stops before the ECALLs called or numbered as `wanted` says, all if it says nothing.
fn catch_ecall(inferior: &mut Inferior, wanted: &[&str]) -> String {
    if wanted == ["off"] {
        inferior.catches.by_user.clear();
        return "the program does not stop before ECALLs\n".to_owned();
    }
    let abi = inferior.abi;
    if let Some(word) = wanted.iter().find(|word| number(word).is_none() && !abi.knows(word)) {
        return format!("no ECALL is called {word}; there are {}, and any number\n", abi.names());
    }
    let wanted = if wanted.is_empty() { &[ANY_ECALL] } else { wanted };
    inferior.catches.by_user = wanted.iter().map(|word| (*word).to_owned()).collect();
    match wanted {
        [ANY_ECALL] => "the program stops before every ECALL\n".to_owned(),
        _ => format!("the program stops before {}\n", wanted.join(", ")),
    }
}

/// The last write to `length` bytes at `addr` before now.
fn where_written(inferior: &mut Inferior, addr: &str, length: &str) -> String {
    let (Some(first), Some(length)) = (number(addr).and_then(|addr| Addr::try_from(addr).ok()), number(length)) else {
        return "where-written ADDR [LEN]: two numbers\n".to_owned();
    };
    let last = u64::from(first).saturating_add(length.max(1) - 1);
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
            format!("step {order}, cycle {cycle}: {insn} in {}\n", inferior.files.place(pc))
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
            inferior.abi.describe(inferior.machine()),
            inferior.files.place(call.pc)
        );
    }
    inferior.timeline.run_to(now);
    if text.is_empty() { "no ECALL since the session began\n".to_owned() } else { text }
}

/// The name of a checkpoint that the user gave none.
const UNNAMED: &str = "last";

fn checkpoint(inferior: &mut Inferior, name: Option<&str>) -> String {
    let name = name.unwrap_or(UNNAMED);
    if number(name).is_some() {
        return format!("{name} is a step number; a checkpoint's name is a word\n");
    }
    inferior.timeline.mark();
    let now = inferior.timeline.now();
    inferior.checkpoints.insert(name.to_owned(), now);
    format!("{name} is step {now}: monitor goto {name} comes back here\n")
}

fn checkpoints(inferior: &Inferior) -> String {
    let line = |(name, order): (&String, &u64)| format!("{name}: step {order}\n");
    let text: String = inferior.checkpoints.iter().map(line).collect();
    if text.is_empty() { "no checkpoints\n".to_owned() } else { text }
}

/// Adds a file to those that the debugger is told of when it asks.
fn symbols(inferior: &mut Inferior, path: &str, base: Option<&str>) -> String {
    let base = match base.map(|base| number(base).and_then(|base| Addr::try_from(base).ok())) {
        Some(None) => return "symbols FILE [BASE]: BASE is an address\n".to_owned(),
        base => base.flatten(),
    };
    let added = std::path::absolute(path).and_then(|path| Ok((std::fs::read(&path)?, path)));
    let added = added.map_err(|error| error.to_string());
    match added.and_then(|(elf, path)| inferior.files.add_at(&path.to_string_lossy(), elf, base)) {
        Ok(start) => {
            format!("{path} lies at {start:#010x}; gdb loads its symbols with sharedlibrary\n")
        }
        Err(why) => format!("{path}: {why}\n"),
    }
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
