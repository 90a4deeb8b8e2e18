//! Simulators that run a whole program and leave a log or an exit code, as columns.
//!
//! Spike's command line and Sail's simulator are given the test's image as an ELF file and write a log of every
//! step, along which our plain engine runs. They know neither our kernel nor our ECALLs: what is compared
//! ends with the test's first ECALL, and tests that start in user mode are not run.
//! QEMU's user mode runs the programs that end with Linux's `exit`, to the same exit code and output.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lockstep::ecall::Halt;
use lockstep::exec::{Engine, Step, Until};
use lockstep::hart::Machine;
use lockstep::isa::{Op, decode};
use lockstep::loader::{self, Kernel};
use lockstep::map::{self, Mode};
use lockstep::trace::{Retired, Sink};

use super::Column;
use super::judge::{STEP_LIMIT, TestHost};
use super::qemu_system::QemuSystem;
use super::references::{Trust, summary};
use super::risc0::Risc0;
use super::spike_reset::SpikeReset;
use crate::coverage::Coverage;
use crate::lockstep::{Verdict, run_along};
use crate::machine::Failure;
use crate::machines::emulator::Emulator;
use crate::machines::process::{find_program, run_to_end};
use crate::machines::sail::{self, Sail};
use crate::machines::{self, LOGGED, Unavailable, rvfi};
use crate::report::Cell;
use crate::suites::{End, Program, Test, elf};

/// Every simulator of this kind, present or not.
pub fn all() -> Vec<Box<dyn Column>> {
    let logs = machines::all().into_iter().filter(|machine| LOGGED.contains(&machine.name));
    let log_column = |machine: machines::Availability| {
        let (name, version) = (machine.name, machine.version);
        Box::new(LogColumn { name, version, trust: Trust::default() }) as Box<dyn Column>
    };
    let logs = logs.map(log_column);
    let rest: [Box<dyn Column>; 5] = [
        Box::new(SpikeReset::default()),
        Box::new(SailInstructions),
        Box::new(QemuUser),
        Box::new(QemuSystem),
        Box::new(Risc0),
    ];
    logs.chain(rest).collect()
}

/// A simulator that leaves a log.
struct LogColumn {
    name: &'static str,
    version: Result<String, String>,
    trust: Trust,
}

impl Column for LogColumn {
    fn name(&self) -> &str {
        self.name
    }

    fn about(&self) -> &str {
        "a simulator's own log of the program, compared step by step up to the first ECALL"
    }

    fn version(&self) -> Result<String, String> {
        self.version.clone()
    }

    fn run(&self, test: &Test, _: &mut Coverage) -> Cell {
        self.trust.cell(test, || along_its_log(self.name, test))
    }
}

fn along_its_log(name: &str, test: &Test) -> Result<Cell, Unavailable> {
    let machine = match bare_machine(test) {
        Ok(machine) => machine,
        Err(cell) => return Ok(cell),
    };
    let steps = steps_to_first_ecall(test, machine.clone());
    if steps == 0 {
        return Err(Unavailable::Skipped("has no step before its first ECALL".into()));
    }
    let folder = Folder::new().map_err(|error| Unavailable::Failed(Failure::Start(error)))?;
    let (elf, entry) = (folder.0.join("test.elf"), machine.hart.pc);
    std::fs::write(&elf, elf::of_machine(&machine))
        .map_err(|error| Unavailable::Failed(Failure::Start(format!("{}: {error}", elf.display()))))?;
    let log = machines::log(name, &elf, entry, steps, &folder.0)?;
    let mut leader = Emulator::new("step", Step::new, machine);
    Ok(match run_along(&mut leader, &mut TestHost::of(test), name, &log) {
        Verdict::Agreed(agreement) if agreement.steps < steps => {
            Cell::fail(format!("the log of {name} ends after {} of {steps} steps", agreement.steps), agreement.steps)
        }
        Verdict::Agreed(agreement) => Cell::pass(agreement.steps),
        Verdict::Diverged(divergence) => Cell::fail(summary(&divergence), divergence.order),
    })
}

/// The machine of a test that a bare hart can start.
///
/// # Errors
/// The cell of one that it cannot.
pub(super) fn bare_machine(test: &Test) -> Result<Machine, Cell> {
    match test.machine() {
        Ok(machine) if machine.hart.mode == Mode::Machine => Ok(machine),
        Ok(_) => Err(Cell::skip("starts in user mode under a kernel, which this simulator does not have".into())),
        Err(error) => Err(Cell::fail(error.to_string(), 0)),
    }
}

/// Whether a step is one that a bare hart makes otherwise or not at all.
pub(super) fn is_beyond_a_bare_hart(step: &Retired) -> bool {
    let is_system = decode(step.insn).is_some_and(|insn| matches!(insn.op, Op::Ecall | Op::Mret));
    let is_ours = step.pc >= map::SYSTEM_START || step.mem.is_some_and(|mem| mem.addr >= map::SYSTEM_START);
    step.trap.is_some() || is_system || is_ours
}

/// How many steps our plain engine makes before the first ECALL or trap, the test's end or the limit.
fn steps_to_first_ecall(test: &Test, mut machine: Machine) -> u64 {
    let mut count = Count { steps: 0, is_over: false };
    Step::new().run(&mut machine, &mut TestHost::of(test), Until::order(STEP_LIMIT), &mut count);
    count.steps
}

struct Count {
    steps: u64,
    is_over: bool,
}

impl Sink for Count {
    fn retired(&mut self, step: &Retired) {
        self.is_over |= is_beyond_a_bare_hart(step);
        self.steps += u64::from(!self.is_over);
    }
}

/// Sail's simulator, told each instruction: the instructions that our plain engine makes of a test up to its first
/// ECALL, from a reset on, one after the other, wherever they then lead.
struct SailInstructions;

/// Enough for every test of the suites but a handful, a tenth of a second on the simulator.
const TOLD_INSTRUCTIONS: usize = 4096;

impl Column for SailInstructions {
    fn name(&self) -> &str {
        "sail-rvfi"
    }

    fn about(&self) -> &str {
        "Sail's simulator, told the test's instructions one by one (RVFI-DII); the first 4096"
    }

    fn version(&self) -> Result<String, String> {
        match Sail::find() {
            Ok(Some(sail)) => Ok(sail.version),
            Ok(None) => Err(sail::NOT_INSTALLED.into()),
            Err(failure) => Err(failure.to_string()),
        }
    }

    fn run(&self, test: &Test, _: &mut Coverage) -> Cell {
        let machine = match bare_machine(test) {
            Ok(machine) => machine,
            Err(cell) => return cell,
        };
        let insns = instructions_to_first_ecall(test, machine);
        if insns.is_empty() {
            return Cell::skip("has no step before its first ECALL".into());
        }
        match told(&insns) {
            Ok(None) => Cell::pass(insns.len() as u64),
            Ok(Some(difference)) => Cell::fail(difference, 0),
            Err(failure) => Cell::fail(failure.to_string(), 0),
        }
    }
}

fn told(insns: &[u32]) -> Result<Option<String>, Failure> {
    let sail = Sail::find()?.ok_or_else(|| Failure::Start("sail_riscv_sim is gone".into()))?;
    let folder = Folder::new().map_err(Failure::Start)?;
    let (_process, mut client) = sail.instructions(&folder.0)?;
    rvfi::difference(&mut client, insns)
}

fn instructions_to_first_ecall(test: &Test, mut machine: Machine) -> Vec<u32> {
    let mut steps: Vec<Retired> = Vec::new();
    let steps_before = steps_to_first_ecall(test, machine.clone()).min(TOLD_INSTRUCTIONS as u64);
    Step::new().run(&mut machine, &mut TestHost::of(test), Until::order(steps_before), &mut steps);
    steps.iter().map(|step| step.insn).collect()
}

/// A folder for the files of one run, removed with it.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Result<Folder, String> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("lockstep-log-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is the temporary folder's business.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// QEMU's user mode: the whole run of a program.
struct QemuUser;

const QEMU_USER: &str = "qemu-riscv32";
/// No test runs longer in QEMU, which makes thousands of millions of steps a second.
const QEMU_PATIENCE: Duration = Duration::from_secs(20);

impl Column for QemuUser {
    fn name(&self) -> &str {
        "qemu-user"
    }

    fn about(&self) -> &str {
        "QEMU's user mode: exit code and output of whole programs"
    }

    fn version(&self) -> Result<String, String> {
        machines::qemu::version(QEMU_USER).ok_or_else(|| format!("{QEMU_USER} not installed (Debian qemu-user)"))
    }

    fn run(&self, test: &Test, _: &mut Coverage) -> Cell {
        let (Program::UserElf(path), End::Terminate { halt: Halt::Halted, user_exit, .. }) = (&test.program, &test.end)
        else {
            return Cell::skip("does not end with an exit code under a kernel".into());
        };
        match run_user(path, test) {
            Err(failure) => Cell::fail(failure.to_string(), 0),
            Ok((code, stdout)) => {
                // Linux keeps eight bits of an exit code.
                let wrong = (code != Some(i32::from(user_exit & 0xff)))
                    .then(|| format!("QEMU ends with {code:?} instead of {user_exit}"));
                let wrote = test.stdout.as_ref().filter(|wanted| **wanted != stdout);
                match wrong.or_else(|| wrote.map(|_| "QEMU writes something else".to_string())) {
                    Some(problem) => Cell::fail(problem, 0),
                    None => Cell::pass(0),
                }
            }
        }
    }
}

fn run_user(path: &Path, test: &Test) -> Result<(Option<i32>, Vec<u8>), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Start(format!("{}: {error}", path.display()));
    let program = find_program(QEMU_USER).ok_or_else(|| Failure::Start(format!("{QEMU_USER} is gone")))?;
    // QEMU maps whole frames, which the tests' own files are not made of.
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    let image = loader::load(&bytes, Kernel::None).map_err(|error| failed(&error.problem))?;
    let machine = image.machine().map_err(|error| failed(&error))?;
    let folder = Folder::new().map_err(Failure::Start)?;
    let elf = folder.0.join("test.elf");
    std::fs::write(&elf, elf::of_machine(&machine)).map_err(|error| failed(&error))?;
    std::fs::set_permissions(&elf, Permissions::from_mode(0o700)).map_err(|error| failed(&error))?;
    let finished = run_to_end(QEMU_USER, Command::new(program).arg(&elf), &test.stdin, QEMU_PATIENCE)?;
    Ok((finished.code, finished.stdout))
}
