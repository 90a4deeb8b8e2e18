//! The executable specification on a whole program, and how its end differs from that of an engine.

use lockstep::ecall::Halt;
use lockstep::exec::Exit;
use lockstep::hart::Machine;
use lockstep::map::{Addr, MACHINE_REGS, Mode};
use lockstep::mem::{PageNo, PageNo as Page};
use lockstep_spec::memory::Memory;
use lockstep_spec::zkvm::{self, Outcome};

use super::judge::STEP_LIMIT;

/// Runs the specification from `start` and compares its end with `machine`, which stopped with `exit`.
pub fn difference(start: &Machine, machine: &Machine, exit: Exit) -> Option<String> {
    let Some(mut spec) = zkvm::Machine::new(memory(start)) else {
        return Some("the specification does not start the image".into());
    };
    let halt = (exit == Exit::Breakpoint).then_some(machine.hart.pc);
    let theirs = run(&mut spec, halt);
    let ours = end(exit);
    if ours != theirs {
        return Some(format!("{ours}, but the specification: {theirs}"));
    }
    let mode = if spec.mode == zkvm::Mode::User { Mode::User } else { Mode::Machine };
    let counters = [
        ("pc", u64::from(machine.hart.pc), u64::from(spec.pc)),
        ("mode", machine.hart.mode as u64, mode as u64),
        ("instructions", machine.hart.instructions, spec.instructions),
        ("cycles", machine.hart.cycles, spec.cycles),
    ];
    let differs = counters.iter().find(|(_, ours, theirs)| ours != theirs);
    let counter =
        differs.map(|(name, ours, theirs)| format!("{name} is {ours:#x}, but {theirs:#x} in the specification"));
    counter.or_else(|| wrong_word(machine, &spec))
}

/// The first word that the two memories, registers included, do not share.
fn wrong_word(machine: &Machine, spec: &zkvm::Machine) -> Option<String> {
    let mut pages: Vec<PageNo> = machine.mem.pages().map(|(page, _)| page).collect();
    pages.push(PageNo::of(MACHINE_REGS));
    pages.extend(spec.memory.words().map(|(addr, _)| Page::of(addr)));
    pages.sort_unstable();
    pages.dedup();
    let addresses = pages.iter().flat_map(|page| (0..lockstep::mem::PAGE_WORDS as u32).map(|i| page.start() + 4 * i));
    let differs = |addr: &Addr| machine.word(*addr) != spec.memory.word(*addr);
    let addr = addresses.into_iter().find(differs)?;
    Some(format!(
        "the word at 0x{addr:08x} is 0x{:08x}, but 0x{:08x} in the specification",
        machine.word(addr),
        spec.memory.word(addr)
    ))
}

/// The image that `machine` was made from. Its registers are in there as words of memory (MAP-6), which is
/// where the specification looks for them: what our machine made of them is part of what is judged.
fn memory(machine: &Machine) -> Memory {
    let mut memory = Memory::new();
    let mut pages: Vec<PageNo> = machine.mem.pages().map(|(page, _)| page).collect();
    pages.push(PageNo::of(MACHINE_REGS));
    for page in pages {
        let words = machine.mem.page(page);
        words.iter().zip((page.start()..=Addr::MAX).step_by(4)).for_each(|(word, addr)| memory.set_word(addr, *word));
    }
    memory
}

/// Where a test has a last instruction and no end of its own.
const STOPPED: &str = "reaches its last instruction";

fn run(spec: &mut zkvm::Machine, halt: Option<Addr>) -> String {
    while spec.instructions < STEP_LIMIT {
        if halt == Some(spec.pc) {
            return STOPPED.into();
        }
        match spec.step(&mut NoHost) {
            Outcome::Stepped(_) => {}
            Outcome::Terminated { halt, user_exit, .. } => {
                return format!("ends with halt type {halt}, exit code {user_exit}");
            }
            Outcome::Faulted(fault) => {
                let mode = if fault.mode == zkvm::Mode::User { Mode::User } else { Mode::Machine };
                return faulted(fault.trap.cause as u32, fault.trap.addr, fault.pc, mode, fault.user_pc);
            }
        }
    }
    "does not end".into()
}

/// The end of an engine's run in the same words.
fn end(exit: Exit) -> String {
    match exit {
        Exit::Terminated { halt, user_exit } => {
            format!("ends with halt type {}, exit code {user_exit}", u32::from(halt == Halt::Paused))
        }
        Exit::Fault(fault) => faulted(fault.cause.number(), fault.addr, fault.pc, fault.mode, fault.user_pc),
        Exit::Order => "does not end".into(),
        Exit::Breakpoint => STOPPED.into(),
        other => format!("stops: {other:?}"),
    }
}

fn faulted(cause: u32, addr: u32, pc: Addr, mode: Mode, user_pc: Option<Addr>) -> String {
    format!("raises cause {cause} for 0x{addr:08x} at pc 0x{pc:08x} in {mode:?} mode, user pc {user_pc:x?}")
}

/// Generated programs ask no host.
struct NoHost;

impl zkvm::Host for NoHost {
    fn read(&mut self, _order: u64, _fd: u32, _bytes: &mut [u8]) -> u32 {
        0
    }

    fn write(&mut self, _order: u64, _fd: u32, bytes: &[u8]) -> u32 {
        bytes.len() as u32
    }
}
