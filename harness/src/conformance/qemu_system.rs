//! QEMU's system mode, an empty machine: every register before every instruction, from its own log.
//!
//! The program gets no exit from QEMU but semihosting: at address 0, where traps go after a reset and where our machine
//! has no memory (MAP-1), lies a call of it. So a program runs up to its first ECALL or EBREAK, which is as far as our
//! machine and a bare hart are the same.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lockstep::exec::{Engine, Step, Until};
use lockstep::hart::Machine;
use lockstep::isa::{Op, Reg, decode};
use lockstep::map::Addr;
use lockstep::trace::{Retired, Sink};

use super::Column;
use super::judge::{STEP_LIMIT, TestHost};
use super::programs::{Folder, bare_machine, is_beyond_a_bare_hart};
use crate::coverage::Coverage;
use crate::machine::{Failure, State, machine_state};
use crate::machines::process::{find_program, run_to_end};
use crate::machines::qemu;
use crate::report::Cell;
use crate::suites::{Test, elf};

/// The column.
pub struct QemuSystem;

/// A dump of the registers has 1.1 KB; no test of the suites makes a tenth of these steps.
const LOGGED_STEPS: usize = 200_000;
/// QEMU writes a log of that length in some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

impl Column for QemuSystem {
    fn name(&self) -> &str {
        "qemu"
    }

    fn about(&self) -> &str {
        "QEMU's system mode: every register before every instruction, up to the first ECALL or EBREAK"
    }

    fn version(&self) -> Result<String, String> {
        qemu::version(qemu::SYSTEM).ok_or_else(|| format!("{} not installed (Debian qemu-system-misc)", qemu::SYSTEM))
    }

    fn run(&self, test: &Test, _: &mut Coverage) -> Cell {
        let machine = match bare_machine(test) {
            Ok(machine) => machine,
            Err(cell) => return cell,
        };
        let ours = match our_states(test, &machine) {
            Ok(states) => states,
            Err(reason) => return Cell::skip(reason.into()),
        };
        match their_states(&machine).map(|theirs| difference(&ours, &theirs)) {
            Err(failure) => Cell::fail(failure.to_string(), 0),
            Ok(Some(problem)) => Cell::fail(problem, 0),
            Ok(None) => Cell::pass(ours.len() as u64 - 1),
        }
    }
}

/// What our plain engine comes to, before each instruction up to the first ECALL or EBREAK.
///
/// # Errors
/// Why QEMU cannot run the test.
fn our_states(test: &Test, machine: &Machine) -> Result<Vec<State>, &'static str> {
    if Reg::all().any(|reg| machine.hart.x(reg) != 0) {
        return Err("starts with registers that are not 0");
    }
    let mut seen = Seen { states: vec![machine_state(machine)], is_over: false };
    let mut machine = machine.clone();
    Step::new().run(&mut machine, &mut TestHost::of(test), Until::order(STEP_LIMIT), &mut seen);
    let end = seen.states.last().map_or(0, |state| machine.word(state.pc));
    match decode(end).map(|insn| insn.op) {
        _ if seen.states.len() > LOGGED_STEPS => Err("makes too many steps for a log of all registers"),
        Some(Op::Ecall | Op::Ebreak) => Ok(seen.states),
        _ => Err(
            "ends by what a bare hart does otherwise: a fault of our map or alignment, or an instruction that only it has",
        ),
    }
}

struct Seen {
    states: Vec<State>,
    is_over: bool,
}

impl Sink for Seen {
    fn retired(&mut self, step: &Retired) {
        self.is_over |= is_beyond_a_bare_hart(step);
        if let (false, Some(last)) = (self.is_over, self.states.last()) {
            let mut state = State { pc: step.next_pc, ..*last };
            if let Some(rd) = step.rd.filter(|rd| rd.reg != Reg::ZERO) {
                state.x[rd.reg.index()] = rd.value;
            }
            self.states.push(state);
        }
    }
}

/// `li a0, 0x18; li a1, 0x20026`, and semihosting's call: SYS_EXIT, a good end; then itself for ever.
const EXIT: [u32; 8] =
    [0x0180_0513, 0x0002_05b7, 0x0265_8593, 0x0000_0013, 0x01f0_1013, 0x0010_0073, 0x4070_5013, 0x0000_006f];

fn their_states(machine: &Machine) -> Result<Vec<State>, Failure> {
    let folder = Folder::new().map_err(Failure::Start)?;
    let write = |name: &str, bytes: Vec<u8>| {
        let path = folder.0.join(name);
        std::fs::write(&path, bytes)
            .map(|()| path.clone())
            .map_err(|error| Failure::Start(format!("{}: {error}", path.display())))
    };
    let program = write("test.elf", elf::of_machine(machine))?;
    let exit = write("exit.bin", EXIT.iter().flat_map(|word| word.to_le_bytes()).collect())?;
    let log = folder.0.join("log");
    let finished = run_to_end(qemu::SYSTEM, &mut command(&program, &exit, &log)?, b"", PATIENCE)?;
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let states = states(&text);
    if states.is_empty() {
        let said = String::from_utf8_lossy(&finished.stderr).lines().last().unwrap_or("nothing").to_string();
        return Err(Failure::Died(format!("{} logged no instruction; it said: {said}", qemu::SYSTEM)));
    }
    Ok(states)
}

fn command(program: &Path, exit: &Path, log: &Path) -> Result<Command, Failure> {
    let qemu = find_program(qemu::SYSTEM).ok_or_else(|| Failure::Start(format!("{} is gone", qemu::SYSTEM)))?;
    let mut command = Command::new(qemu);
    command.args(["-M", "none", "-cpu", "rv32,c=false", "-m", "4095M", "-nographic", "-monitor", "none"]);
    command.args(["-serial", "none", "-semihosting-config", "enable=on,target=native"]);
    command.args(["-singlestep", "-d", "cpu,nochain", "-D"]).arg(log);
    command.arg("-device").arg(format!("loader,file={},cpu-num=0", program.display()));
    command.arg("-device").arg(format!("loader,file={},addr=0,force-raw=on", exit.display()));
    Ok(command)
}

/// The states in QEMU's log: a line ` pc       00010000`, and lines of four registers like `x5/t0    00000007`.
fn states(log: &str) -> Vec<State> {
    let mut states: Vec<State> = Vec::new();
    for line in log.lines() {
        let mut words = line.split_whitespace();
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            let Ok(value) = u32::from_str_radix(value, 16) else { break };
            let number = name.strip_prefix('x').and_then(|name| name.split('/').next()?.parse::<usize>().ok());
            match (number.filter(|number| *number < 32), states.last_mut()) {
                _ if name == "pc" => states.push(State { pc: value, x: [0; 32] }),
                (Some(number), Some(state)) => state.x[number] = value,
                _ => break,
            }
        }
    }
    states
}

fn difference(ours: &[State], theirs: &[State]) -> Option<String> {
    let differs = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs);
    match differs {
        None if theirs.len() < ours.len() => {
            Some(format!("the log of QEMU ends after {} of {} instructions", theirs.len(), ours.len()))
        }
        None => None,
        Some(index) => Some(format!("differs before step {index}: {}", fields(&ours[index], &theirs[index]))),
    }
}

fn fields(ours: &State, theirs: &State) -> String {
    let field = |name: String, ours: Addr, theirs: Addr| {
        (ours != theirs).then(|| format!("{name} is 0x{ours:08x} here and 0x{theirs:08x} there"))
    };
    let registers = Reg::all().filter_map(|reg| field(reg.to_string(), ours.x[reg.index()], theirs.x[reg.index()]));
    field("pc".into(), ours.pc, theirs.pc).into_iter().chain(registers).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use lockstep::isa::disassemble;

    use super::*;

    #[test]
    fn reads_the_log() {
        let dump = |pc: &str, x5: &str| {
            format!(
                " V      =   0\n pc       {pc}\n mstatus  00000000\n x0/zero  00000000 x1/ra    0000000a\n x4/tp    00000000 x5/t0    {x5}\n"
            )
        };
        let states = states(&(dump("00010000", "00000000") + &dump("00010004", "ffffffff")));
        assert_eq!(
            states.iter().map(|state| (state.pc, state.x[1], state.x[5])).collect::<Vec<_>>(),
            [(0x1_0000, 10, 0), (0x1_0004, 10, u32::MAX)]
        );
        assert_eq!(difference(&states, &states), None);
        assert_eq!(difference(&states, &states[..1]), Some("the log of QEMU ends after 1 of 2 instructions".into()));
        let mut wrong = states.clone();
        wrong[1].x[5] = 3;
        assert_eq!(
            difference(&states, &wrong),
            Some("differs before step 1: t0 is 0xffffffff here and 0x00000003 there".into())
        );
    }

    /// The words at address 0 are what their comment says.
    #[test]
    fn the_exit_is_what_it_says() {
        let text: Vec<String> = EXIT.iter().map(|word| disassemble(*word, 0)).collect();
        assert_eq!(text[..3], ["addi a0,zero,24", "lui a1,0x20", "addi a1,a1,38"]);
        assert_eq!(text[4..7], ["slli zero,zero,0x1f", "ebreak", "srai zero,zero,0x7"]);
    }
}
