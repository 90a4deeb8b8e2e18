//! `lockstep run`: a program with this process's standard streams.

use std::path::{Path, PathBuf};
use std::process;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use lockstep::ecall::{Halt, Host, MAX_CALL_CYCLES};
use lockstep::exec::{AnyEngine, Engine, EngineKind, Exit, Until};
use lockstep::hart::Machine;
use lockstep::map::Mode;
use lockstep::risc0::{Cost, Cycles};
use lockstep::trace::Sink;
use serde::Serialize;

use crate::error::Error;
use crate::fault::FaultReport;
use crate::files::write_whole;
use crate::host::{GuestArgs, GuestHost, ProcessHost};
use crate::program::{Program, ProgramArgs};

/// The arguments of `lockstep run`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    program: ProgramArgs,

    #[command(flatten)]
    guest: GuestArgs,

    /// Stop after this many cycles (TIME-2), with exit code 124
    #[arg(long, value_name = "N")]
    max_cycles: Option<u64>,

    /// How to execute: `auto` is the fastest engine; all give the same results
    #[arg(long, value_enum, default_value = "auto")]
    engine: EngineArg,

    /// Write what the program wrote to file descriptor 3 to this file
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,

    /// Say on stderr how many instructions, cycles, pages and seconds the run took; for a RISC Zero guest
    /// also what it costs there
    #[arg(long)]
    stats: bool,

    /// `json`: one object on stdout when the run ends; the program's own stdout then goes to stderr
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  lockstep run hello.elf --arg world          run a program; its exit code is the command's
  lockstep run sort.elf --input data.txt --stats
  lockstep run test.elf --kernel none         in machine mode, as the riscv-tests run
  lockstep run app.elf --format json | jq .fault
  lockstep run guest.bin --stats              an R0BF file, and what it costs in RISC Zero

Exit codes: the program's own; 139 for a fault, 124 for --max-cycles, 130 for Ctrl-C, 2 for bad input.";

#[derive(Clone, Copy, clap::ValueEnum)]
enum EngineArg {
    /// The fastest engine of this build
    Auto,
    /// One instruction at a time
    Step,
    /// Blocks of decoded instructions
    Block,
    /// Blocks, and compiled code for the hot ones
    Jit,
}

impl EngineArg {
    fn kind(self) -> EngineKind {
        match self {
            EngineArg::Auto => EngineKind::FASTEST,
            EngineArg::Step => EngineKind::Step,
            EngineArg::Block => EngineKind::Block,
            EngineArg::Jit => EngineKind::Jit,
        }
    }
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Human,
    Json,
}

/// What a run came to, in the form that machines read.
#[derive(Serialize)]
struct Outcome {
    exit_code: u32,
    halt: &'static str,
    instructions: u64,
    cycles: u64,
    pc: u32,
    mode: &'static str,
    fault: Option<FaultOutcome>,
    journal: String,
    pages: usize,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    risc0: Option<Risc0Outcome>,
}

/// What only a guest of RISC Zero's kernels has.
#[derive(Serialize)]
struct Risc0Outcome {
    /// Why the host ended the run: the guest's panic message, or what was wrong with a call.
    refusal: Option<String>,
    /// What the kernel said before it gave up.
    kernel_message: String,
    seed: u64,
    assumptions: Vec<AssumptionOutcome>,
    /// Counted with `--stats` only.
    cycles: Option<Risc0Cycles>,
}

#[derive(Serialize)]
struct AssumptionOutcome {
    claim: String,
    control_root: String,
}

#[derive(Serialize)]
struct Risc0Cycles {
    user: u64,
    paging: u64,
    total: u64,
    segments_po2: Vec<u32>,
}

#[derive(Serialize)]
struct FaultOutcome {
    cause: &'static str,
    pc: u32,
    address: u32,
    user_pc: Option<u32>,
    symbol: Option<String>,
    file: Option<String>,
    line: Option<u32>,
}

/// Runs the program.
///
/// # Errors
/// A file that cannot be read or is no program, or an output that cannot be written.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let program = args.program.load()?;
    let mut machine = program.image.machine().map_err(Error::usage)?;
    let mut host = args.guest.host(&args.program, &program, matches!(args.format, Format::Json))?;
    stop_on_ctrl_c()?;

    let start = Instant::now();
    let mut cost = (args.stats && program.is_risc0()).then(Cost::default);
    let max_cycles = args.max_cycles.unwrap_or(u64::MAX);
    let exit = match &mut cost {
        Some(cost) => run_limited(args.engine.kind(), &mut machine, &mut host, max_cycles, cost),
        None => run_limited(args.engine.kind(), &mut machine, &mut host, max_cycles, &mut ()),
    };
    let seconds = start.elapsed().as_secs_f64();

    host.streams().flush();
    let report = fault_report(&machine, exit, &program);
    let risc0 = risc0_outcome(&host, args.guest.seed, cost.map(|cost| cost.cycles()));
    let streams = host.streams();
    let outcome = Outcome { risc0, ..outcome(&machine, streams, exit, report.as_ref(), seconds) };
    if let Some(path) = &args.journal {
        save_journal(path, &streams.journal)?;
    }
    tell(&args, exit, report.as_ref(), &outcome)?;
    if report.is_some() && program.misses_risc0() {
        eprintln!("note: this is a RISC Zero guest; run it with --kernel v1compat (ELF-10)");
    }
    if let Some((stream, error)) = streams.error.take() {
        return Err(Error::infrastructure(format!("{stream} of the program: {error}")));
    }
    Ok(ExitCode::from(outcome.exit_code as u8))
}

/// Set by Ctrl-C; the engine looks at it.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What a shell sees of a process that Ctrl-C ended.
const INTERRUPTED_EXIT: u8 = 130;
/// What a shell sees of a process that a segmentation fault ended.
const FAULT_EXIT: u32 = 139;
/// What timeout(1) exits with.
const LIMIT_EXIT: u32 = 124;

/// The first Ctrl-C ends the run in good order, a second one at once (the program may wait for input).
fn stop_on_ctrl_c() -> Result<(), Error> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            process::exit(i32::from(INTERRUPTED_EXIT));
        }
    })
    .map_err(|error| Error::infrastructure(format!("no handler for Ctrl-C: {error}")))
}

/// Runs until the first step at which `max_cycles` are reached.
fn run_limited(
    kind: EngineKind,
    machine: &mut Machine,
    host: &mut dyn Host,
    max_cycles: u64,
    sink: &mut impl Sink,
) -> Exit {
    let mut engine = AnyEngine::new(kind);
    loop {
        let left = max_cycles.saturating_sub(machine.hart.cycles);
        if left == 0 {
            return Exit::Order;
        }
        // A step costs at most this many cycles, so these steps cannot overrun the limit by more than one.
        let steps = left.div_ceil(MAX_CALL_CYCLES);
        let order = machine.hart.instructions.saturating_add(steps);
        let until = Until { order, interrupt: Some(&INTERRUPTED), ..Until::END };
        match engine.run(machine, host, until, sink) {
            Exit::Order => {}
            exit => return exit,
        }
    }
}

fn fault_report(machine: &Machine, exit: Exit, program: &Program) -> Option<FaultReport> {
    let Exit::Fault(fault) = exit else { return None };
    Some(FaultReport::of(machine, fault, &program.symbols(), &program.kernel_symbols()))
}

fn outcome(machine: &Machine, host: &ProcessHost, exit: Exit, report: Option<&FaultReport>, seconds: f64) -> Outcome {
    let (halt, exit_code) = match exit {
        Exit::Terminated { halt: Halt::Halted, user_exit } => ("halted", u32::from(user_exit)),
        Exit::Terminated { halt: Halt::Paused, user_exit } => ("paused", u32::from(user_exit)),
        Exit::Fault(_) => ("fault", FAULT_EXIT),
        Exit::Interrupted => ("interrupted", u32::from(INTERRUPTED_EXIT)),
        Exit::Order | Exit::Breakpoint | Exit::Watch(_) => ("limit", LIMIT_EXIT),
    };
    let hart = &machine.hart;
    Outcome {
        exit_code,
        halt,
        instructions: hart.instructions,
        cycles: hart.cycles,
        pc: hart.pc,
        mode: if hart.mode == Mode::User { "user" } else { "machine" },
        fault: report.map(fault_outcome),
        journal: hex(&host.journal),
        pages: machine.mem.page_count(),
        seconds,
        risc0: None,
    }
}

fn risc0_outcome(host: &GuestHost, seed: u64, cycles: Option<Cycles>) -> Option<Risc0Outcome> {
    let host = host.risc0()?;
    let assumptions = host.assumptions().iter().map(|assumption| AssumptionOutcome {
        claim: hex(&assumption.claim),
        control_root: hex(&assumption.control_root),
    });
    Some(Risc0Outcome {
        refusal: host.refusal().map(str::to_owned),
        kernel_message: host.kernel_message(),
        seed,
        assumptions: assumptions.collect(),
        cycles: cycles.map(|cycles| Risc0Cycles {
            user: cycles.user,
            paging: cycles.paging,
            total: cycles.total,
            segments_po2: cycles.segments,
        }),
    })
}

fn fault_outcome(report: &FaultReport) -> FaultOutcome {
    let fault = report.fault;
    FaultOutcome {
        cause: fault.cause.name(),
        pc: fault.pc,
        address: fault.addr,
        user_pc: fault.user_pc,
        symbol: report.location.function.clone(),
        file: report.location.file.clone(),
        line: report.location.line,
    }
}

fn tell(args: &Args, exit: Exit, report: Option<&FaultReport>, outcome: &Outcome) -> Result<(), Error> {
    if let Some(risc0) = &outcome.risc0 {
        tell_risc0(risc0);
    }
    if let Some(report) = report {
        let kernel = if args.program.kernel == "default" { "" } else { &format!(" --kernel {}", args.program.kernel) };
        // As the user typed it, so that the line can be pasted.
        let command = std::env::args().next().unwrap_or_else(|| "lockstep".into());
        let (file, guest) = (args.program.elf.display(), args.guest.words());
        eprintln!("{}", report.text(&format!("{command} gdb {file}{kernel}{guest} --at-fault")));
    }
    match exit {
        Exit::Order => eprintln!("stopped: --max-cycles {} reached at pc 0x{:08x}", outcome.cycles, outcome.pc),
        Exit::Interrupted => eprintln!("stopped: interrupted at pc 0x{:08x}", outcome.pc),
        _ => {}
    }
    if args.stats {
        eprintln!("{}", stats(outcome));
    }
    if matches!(args.format, Format::Json) {
        println!("{}", serde_json::to_string(outcome).map_err(Error::infrastructure)?);
    }
    Ok(())
}

/// What the guest and its kernel said last, and what the guest takes for granted.
fn tell_risc0(risc0: &Risc0Outcome) {
    let said =
        [&risc0.kernel_message].into_iter().filter(|text| !text.is_empty()).map(|text| format!("kernel: {text}"));
    said.chain(risc0.refusal.clone()).for_each(|text| eprintln!("{text}"));
    for assumption in &risc0.assumptions {
        eprintln!("assumption: claim {}, control root {}", assumption.claim, assumption.control_root);
    }
    if let Some(Risc0Cycles { user, paging, total, segments_po2 }) = &risc0.cycles {
        eprintln!("RISC Zero: {user} user cycles, {paging} paging, {total} total; segments of po2 {segments_po2:?}");
    }
}

fn stats(outcome: &Outcome) -> String {
    let Outcome { instructions, cycles, pages, seconds, .. } = *outcome;
    let mips = instructions as f64 / seconds.max(1e-9) / 1e6;
    format!(
        "{instructions} instructions, {cycles} cycles, {pages} pages ({} KiB), {seconds:.3} s, {mips:.0} million instructions/s",
        pages * lockstep::mem::PAGE_BYTES / 1024,
    )
}

fn save_journal(path: &Path, journal: &[u8]) -> Result<(), Error> {
    write_whole(path, journal).map_err(|error| Error::infrastructure(format!("--journal {}: {error}", path.display())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
