//! `lockstep trace`: every step as text, or side by side with another simulator.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use lockstep::ecall::Host;
use lockstep::exec::{AnyEngine, Engine, EngineKind, Exit, Until};
use lockstep::hart::Machine;
use lockstep::trace::{JsonLines, SpikeLog};
use lockstep_harness::lockstep::{self as compare, Agreement, BLOCK_STEPS, CONTEXT_STEPS, Depth, Divergence, Verdict};
use lockstep_harness::machines::{self, LOGGED, STEPPABLE, Unavailable, emulator::Emulator, log::Log};

use crate::error::Error;
use crate::files::write_whole;
use crate::host::GuestArgs;
use crate::program::ProgramArgs;

/// The arguments of `lockstep trace`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    program: ProgramArgs,

    /// The steps to trace or compare, by number: from A on, before B; either may be left out
    #[arg(long, value_name = "A..B", default_value = "..")]
    range: Range,

    /// How a step is written: RVFI's fields as JSON lines, or as Spike's commit log
    #[arg(long, value_enum, default_value = "spike", conflicts_with = "diff")]
    format: Format,

    /// Write the trace, or with --diff what was found, to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Run this simulator beside ours, and show the first step at which they differ
    #[arg(long, value_name = "SIMULATOR", value_parser = simulators())]
    diff: Option<String>,

    /// With --diff: the engine of ours; the fastest if none is named
    #[arg(long, value_name = "ENGINE", value_parser = engine_named, requires = "diff")]
    engine: Option<EngineKind>,

    /// With --diff: compare the state after blocks of steps and bisect, or the record of every step
    #[arg(long, value_enum, default_value = "block", requires = "diff")]
    depth: DepthArg,

    #[command(flatten)]
    guest: GuestArgs,
}

const EXAMPLES: &str = "\
Examples:
  lockstep trace hello.elf -o hello.trace             every step, as Spike logs them
  lockstep trace hello.elf --range 100..120 --format rvfi | jq .
  lockstep trace hello.elf --diff spike               the first difference from Spike, or none
  lockstep trace hello.elf --diff spec --depth step --range 5000..

What the program prints goes to standard error.
Exit codes: 0 the trace is complete, or no difference; 1 a difference; 2 bad input; 4 the simulator is not installed
or failed (`make references` installs Spike).";

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Rvfi,
    Spike,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum DepthArg {
    Block,
    Step,
}

fn simulators() -> Vec<&'static str> {
    [&STEPPABLE[..], &LOGGED[..]].concat()
}

fn engine_named(name: &str) -> Result<EngineKind, String> {
    let names = || EngineKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    let known = EngineKind::ALL.iter().find(|kind| kind.name() == name);
    known.copied().ok_or_else(|| format!("no engine is called {name}; there are {}", names()))
}

/// Step numbers: `first` and on, before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    first: u64,
    end: u64,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Range, String> {
        let wrong = || format!("'{text}' is not a range of step numbers; write 100..200, 100.. or ..200");
        let (first, end) = text.split_once("..").ok_or_else(wrong)?;
        let number = |text: &str, default| match text {
            "" => Ok(default),
            text => text.parse().map_err(|_| wrong()),
        };
        let range = Range { first: number(first, 0)?, end: number(end, u64::MAX)? };
        if range.first < range.end { Ok(range) } else { Err(format!("the range {text} is empty")) }
    }
}

/// Traces or compares.
///
/// # Errors
/// A file that cannot be read or is no program; an output that cannot be written; a simulator that is
/// not there or fails.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let program = args.program.load()?;
    let mut machine = program.image.machine().map_err(Error::usage)?;
    // Standard output is ours.
    let mut host = args.guest.host(&args.program, &program, true)?;
    reach(&mut machine, &mut host, args.range.first)?;
    let result = match &args.diff {
        Some(name) => diff(&args, name, machine, &mut host),
        None => write_trace(&args, machine, &mut host),
    };
    host.streams().flush();
    // Why the run ended, if the host ended it: a guest's panic, for one.
    if let Some(why) = host.risc0().and_then(|host| host.refusal()) {
        eprintln!("{why}");
    }
    result
}

/// Runs to the first step of the range.
fn reach(machine: &mut Machine, host: &mut dyn Host, first: u64) -> Result<(), Error> {
    if first == 0 || AnyEngine::default().run(machine, host, Until::order(first), &mut ()) == Exit::Order {
        return Ok(());
    }
    let steps = machine.hart.instructions;
    Err(Error::usage(format!("--range begins at step {first}, but the program ends after {steps} steps")))
}

fn write_trace(args: &Args, machine: Machine, host: &mut dyn Host) -> Result<ExitCode, Error> {
    let name = args.output.as_deref().unwrap_or(Path::new("standard output")).display().to_string();
    let out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(File::create(path).map_err(|error| Error::usage(format!("{name}: {error}")))?),
        None => Box::new(io::stdout()),
    };
    match written(args.format, BufWriter::new(out), machine, host, args.range.end) {
        // A reader that has seen enough is no error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::infrastructure(format!("{name}: {error}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn written(format: Format, out: impl Write, mut machine: Machine, host: &mut dyn Host, end: u64) -> io::Result<()> {
    let until = Until::order(end);
    match format {
        Format::Rvfi => {
            let mut log = JsonLines::new(out);
            AnyEngine::default().run(&mut machine, host, until, &mut log);
            log.finish().map(|_| ())
        }
        Format::Spike => {
            let mut log = SpikeLog::new(out);
            AnyEngine::default().run(&mut machine, host, until, &mut log);
            log.finish().map(|_| ())
        }
    }
}

fn diff(args: &Args, name: &str, machine: Machine, host: &mut dyn Host) -> Result<ExitCode, Error> {
    let unavailable = |why| match why {
        Unavailable::Skipped(reason) => Error::infrastructure(format!("--diff {name}: skipped ({reason})")),
        Unavailable::Failed(failure) => Error::infrastructure(format!("--diff {name}: {failure}")),
    };
    let depth = match args.depth {
        DepthArg::Block => Depth::Block(BLOCK_STEPS),
        DepthArg::Step => Depth::Step,
    };
    let first = machine.hart.instructions;
    let kind = args.engine.unwrap_or(EngineKind::FASTEST);
    if args.engine.is_some() && AnyEngine::new(kind).kind() != kind {
        return Err(Error::usage(format!("--engine {}: this build has no such engine for this machine", kind.name())));
    }
    let mut ours = Emulator::new("lockstep", move || AnyEngine::new(kind), machine);
    let verdict = if LOGGED.contains(&name) {
        let log = log_of(args, name, first, &mut ours)?.map_err(unavailable)?;
        compare::run_along(&mut ours, host, name, &log)
    } else {
        let mut reference = machines::open(name).map_err(unavailable)?;
        compare::run(&mut ours, &mut *reference, host, depth, args.range.end)
            .map_err(|failure| unavailable(Unavailable::Failed(failure)))?
    };
    let (text, code) = match verdict {
        Verdict::Agreed(agreement) => (format!("{}\n", agreement_text(name, first, &agreement)), ExitCode::SUCCESS),
        Verdict::Diverged(divergence) => {
            (format!("{divergence}again: {}\n", replay_line(args, name, &divergence)), ExitCode::FAILURE)
        }
    };
    match &args.output {
        None => print!("{text}"),
        Some(path) => write_whole(path, text.as_bytes())
            .map_err(|error| Error::infrastructure(format!("{}: {error}", path.display())))?,
    }
    Ok(code)
}

/// The log of a simulator that runs the ELF file by itself, from its entry and in machine mode.
fn log_of(
    args: &Args,
    name: &str,
    first: u64,
    ours: &mut Emulator<AnyEngine>,
) -> Result<Result<Log, Unavailable>, Error> {
    if args.program.kernel != "none" || first != 0 {
        return Err(Error::usage(format!(
            "{name} runs a program by itself from its entry: --diff {name} wants --kernel none and a range from 0"
        )));
    }
    // A log has about 100 bytes a step; nobody reads more than this.
    const MOST_STEPS: u64 = 10_000_000;
    let folder = std::env::temp_dir().join(format!("lockstep-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .map_err(|error| Error::infrastructure(format!("{}: {error}", folder.display())))?;
    let entry = ours.machine().hart.pc;
    let log = machines::log(name, &args.program.elf, entry, args.range.end.min(MOST_STEPS), &folder);
    // What is left behind in the folder for temporary files does no harm.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(log)
}

fn agreement_text(name: &str, first: u64, agreement: &Agreement) -> String {
    let Agreement { steps, carried, expected, exit } = agreement;
    let end = match exit {
        Some(Exit::Terminated { user_exit, .. }) => format!("the program ended with exit code {user_exit}"),
        Some(Exit::Fault(fault)) => format!("the program ended by a fault: {fault}"),
        _ => "the range ended".into(),
    };
    let mut text = format!("lockstep and {name} agree on {steps} steps from {first} on; {end}");
    if *carried > 0 {
        text += &format!(
            "\n{carried} of them are beyond {name} (machine ECALL, MRET, trap, system memory) and were carried over"
        );
    }
    for (clause, count) in expected {
        text += &format!("\n{count} expected differences: {clause}");
    }
    text
}

/// The command that shows the same difference, beginning shortly before it.
fn replay_line(args: &Args, name: &str, divergence: &Divergence) -> String {
    let first = divergence.order.saturating_sub(CONTEXT_STEPS);
    let end = divergence.order + divergence.steps;
    let mut line = format!("lockstep trace {}", args.program.elf.display());
    if args.program.kernel != "default" {
        line += &format!(" --kernel {}", args.program.kernel);
    }
    if let Some(kind) = args.engine {
        line += &format!(" --engine {}", kind.name());
    }
    line += &args.guest.words();
    // A simulator that runs the file by itself begins at the beginning.
    let first = if LOGGED.contains(&name) { 0 } else { first };
    line + &format!(" --range {first}..{end} --diff {name} --depth step")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let range = |text: &str| text.parse::<Range>();
        assert_eq!(range("3..9"), Ok(Range { first: 3, end: 9 }));
        assert_eq!(range(".."), Ok(Range { first: 0, end: u64::MAX }));
        assert_eq!(range("7.."), Ok(Range { first: 7, end: u64::MAX }));
        for wrong in ["", "5", "9..3", "3..3", "a..b", "-1..2"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
