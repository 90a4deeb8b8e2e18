//! One test on one engine: run it, look at how it ended, say whether that is the end it must come to.

use std::collections::BTreeSet;

use lockstep::ecall::{Host, fd};
use lockstep::exec::{Exit, Until};
use lockstep::hart::Machine;
use lockstep::isa::Reg;
use lockstep::map::Addr;

use super::engines::EngineColumn;
use super::spec;
use crate::coverage::Coverage;
use crate::report::Cell;
use crate::suites::{End, Test};

/// No test needs more steps than this; the longest of the suites makes some 20,000. One that has not ended fails.
pub const STEP_LIMIT: u64 = 2_000_000;

/// Runs `test` on `engine` and judges its end.
pub fn judge(test: &Test, engine: &EngineColumn, coverage: &mut Coverage) -> Cell {
    let start = match test.machine() {
        Ok(machine) => machine,
        Err(error) => return Cell::fail(error.to_string(), 0),
    };
    let spec_start = matches!(test.end, End::Spec { .. }).then(|| start.clone());
    let Run { machine, host, exit } = match run(test, engine, start, coverage) {
        Ok(run) => run,
        Err(problem) => return Cell::fail(problem, 0),
    };
    let wrong = match &spec_start {
        Some(start) => spec::difference(start, &machine, exit),
        None => wrong_end(test, &machine, exit),
    };
    match wrong.or_else(|| wrong_output(test, &host)) {
        Some(problem) => Cell::fail(problem, machine.hart.instructions),
        None => Cell::pass(machine.hart.instructions),
    }
}

/// A run that has ended.
pub struct Run {
    /// The machine at the end.
    pub machine: Machine,
    /// What it wrote.
    pub host: TestHost,
    /// Why it stopped.
    pub exit: Exit,
}

/// Runs `test` from `machine` to its end, or to the step limit.
///
/// # Errors
/// As [`EngineColumn::run`].
pub fn run(test: &Test, engine: &EngineColumn, mut machine: Machine, coverage: &mut Coverage) -> Result<Run, String> {
    let mut host = TestHost::of(test);
    let stops = stops(test, &machine);
    let until = Until { breakpoints: stops.as_ref(), ..Until::order(STEP_LIMIT) };
    let exit = engine.run(&mut machine, &mut host, until, coverage)?;
    Ok(Run { machine, host, exit })
}

/// Where a run must be stopped because the test's own end is not one of the machine's.
fn stops(test: &Test, machine: &Machine) -> Option<BTreeSet<Addr>> {
    match &test.end {
        End::Terminate { .. } | End::Fault { .. } | End::Spec { halt: None } => None,
        End::Signature { halt, .. } | End::Spec { halt: Some(halt) } => Some([*halt].into()),
        End::Ecall { .. } => Some(ecalls(machine)),
    }
}

/// The addresses of all words that are an ECALL.
fn ecalls(machine: &Machine) -> BTreeSet<Addr> {
    const ECALL: u32 = 0x0000_0073;
    let pages = machine.mem.pages();
    let words = pages.flat_map(|(page, words)| words.iter().zip((page.start()..).step_by(4)));
    words.filter(|(word, _)| **word == ECALL).map(|(_, addr)| addr).collect()
}

fn wrong_end(test: &Test, machine: &Machine, exit: Exit) -> Option<String> {
    match (&test.end, exit) {
        (End::Terminate { halt, user_exit, registers }, Exit::Terminated { halt: h, user_exit: code }) => {
            let ended = format!("ended with {h:?} {code}{}", test_number(code));
            let problem =
                (*halt != h || *user_exit != code).then(|| format!("{ended} instead of {halt:?} {user_exit}"));
            problem.or_else(|| wrong_register(machine, registers))
        }
        (End::Fault { cause, addr, pc, mode, user_pc }, Exit::Fault(fault)) => {
            let wanted = (*cause, *addr, *pc, *mode, *user_pc);
            let is_right =
                wanted == (fault.cause, fault.addr, fault.pc, fault.mode, fault.user_pc) && machine.hart.pc == *pc;
            let user = |pc: Option<Addr>| pc.map_or("no user pc".into(), |pc| format!("user pc 0x{pc:08x}"));
            (!is_right).then(|| {
                format!(
                    "{fault}, {}, instead of {cause} at 0x{pc:08x} for 0x{addr:08x} in {mode:?} mode, {}",
                    user(fault.user_pc),
                    user(*user_pc)
                )
            })
        }
        (End::Ecall { registers }, Exit::Breakpoint) => wrong_register(machine, registers),
        (End::Signature { start, words, .. }, Exit::Breakpoint) => wrong_word(machine, *start, words),
        (_, Exit::Order) => Some(format!("did not end within {STEP_LIMIT} steps, pc 0x{:08x}", machine.hart.pc)),
        (_, Exit::Fault(fault)) => Some(format!("{fault}{}", failed_check(machine))),
        (_, Exit::Terminated { halt, user_exit }) => {
            Some(format!("ended with {halt:?} {user_exit}{} instead of what it must", test_number(user_exit)))
        }
        (_, Exit::Breakpoint | Exit::Interrupted | Exit::Watch(_)) => {
            Some(format!("stopped at 0x{:08x}", machine.hart.pc))
        }
    }
}

/// An odd exit code names the check that failed.
fn test_number(code: u16) -> String {
    if code % 2 == 1 { format!(" (check {})", code / 2) } else { String::new() }
}

/// RISC Zero's tests keep the number of the failed check in t6.
fn failed_check(machine: &Machine) -> String {
    format!(", t6 = {}", machine.hart.x(Reg::new(31)) as i32)
}

fn wrong_register(machine: &Machine, registers: &[(Reg, u32)]) -> Option<String> {
    let wrong = registers.iter().find(|(reg, value)| machine.hart.x(*reg) != *value);
    wrong.map(|(reg, value)| format!("{reg} = {:#x} at the end instead of {value:#x}", machine.hart.x(*reg)))
}

fn wrong_word(machine: &Machine, start: Addr, words: &[u32]) -> Option<String> {
    let mut cells = words.iter().zip((start..).step_by(4));
    let (wanted, addr) = cells.find(|(word, addr)| machine.word(*addr) != **word)?;
    Some(format!("signature word at 0x{addr:08x} is 0x{:08x} instead of 0x{wanted:08x}", machine.word(addr)))
}

fn wrong_output(test: &Test, host: &TestHost) -> Option<String> {
    let wanted = test.stdout.as_ref()?;
    let (wrote, wanted_text) = (String::from_utf8_lossy(&host.stdout), String::from_utf8_lossy(wanted));
    (*wanted != host.stdout).then(|| format!("wrote {wrote:?} instead of {wanted_text:?}"))
}

/// Standard input from the test, standard output kept.
pub struct TestHost {
    stdin: std::collections::VecDeque<u8>,
    /// What the program wrote to standard output.
    pub stdout: Vec<u8>,
}

impl TestHost {
    /// The host that `test` asks for.
    pub fn of(test: &Test) -> TestHost {
        TestHost { stdin: test.stdin.clone().into(), stdout: Vec::new() }
    }
}

impl Host for TestHost {
    fn read(&mut self, _order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        if fd != fd::STDIN {
            return 0;
        }
        let count = bytes.len().min(self.stdin.len());
        bytes.iter_mut().zip(self.stdin.drain(..count)).for_each(|(to, from)| *to = from);
        count as u32
    }

    fn write(&mut self, _order: u64, fd: u32, bytes: &[u8]) -> u32 {
        if fd == fd::STDOUT {
            self.stdout.extend_from_slice(bytes);
        }
        bytes.len() as u32
    }
}
