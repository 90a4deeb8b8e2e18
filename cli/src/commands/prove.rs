//! `lockstep prove`: runs a program and makes a receipt of the run.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use lockstep::exec::Exit;
use lockstep::risc0::{Output, output_digest};
use lockstep_prove::available::available_bytes;
use lockstep_prove::opening::Opening;
use lockstep_prove::phases::{self, Phase};
use lockstep_prove::prover::{ProveError, prove};
use lockstep_prove::segment::{MAX_STEPS, Segment};
use lockstep_prove::stats::expected_bytes;
use lockstep_prove::usage::{cpu_seconds, peak_bytes};
use lockstep_prove::verifier::{describe, hex};

use super::inspect;
use crate::error::Error;
use crate::files::write_whole;
use crate::host::GuestArgs;
use crate::program::ProgramArgs;

/// The arguments of `lockstep prove`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    program: ProgramArgs,

    /// Where to write the receipt
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    guest: GuestArgs,

    /// Say on stderr what each phase took
    #[arg(long)]
    stats: bool,

    /// Start even if the proof would take more memory than there is
    #[arg(long)]
    force: bool,
}

const EXAMPLES: &str = "\
Examples:
  lockstep prove sum.elf -o r.lsp
  lockstep prove test.elf --kernel none -o r.lsp --stats

docs/proving.md says what a receipt shows, and which programs cannot be proved yet.
Exit codes: 0 a receipt was written, 2 the run has no proof or bad input, 4 the receipt cannot be written.";

/// Proves the run.
///
/// # Errors
/// A program that cannot be loaded, a run that has no proof, or a receipt that cannot be written.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let program = args.program.load()?;
    let machine = program.image.machine().map_err(Error::usage)?;
    let name = program_name(&args);
    let mut host = args.guest.host(&args.program, &program, false)?;
    let start = Instant::now();
    let segment = Segment::run(machine, &mut host, MAX_STEPS);
    host.streams().flush();
    let output = host.risc0_output();
    check_assumptions(&segment, output.as_ref(), &name)?;
    check_end(&segment, &name)?;
    if !args.force {
        check_memory(expected_bytes(&segment), available_bytes())?;
    }
    let progress = Progress::start();
    let mut receipt = prove(&segment).map_err(unproved)?;
    receipt.opening = output.and_then(|output| Opening::of(&receipt.claim, &output));
    let phases = progress.stop();
    let bytes = receipt.to_bytes();
    write_whole(&args.output, &bytes)
        .map_err(|error| Error::infrastructure(format!("{}: {error}", args.output.display())))?;
    println!("{}", hex(&receipt.claim.image_id()));
    eprintln!("proved: {}; {} bytes", inspect::summary(&receipt.claim), bytes.len());
    let assumptions = receipt.opening.map(|opening| opening.assumptions()).unwrap_or_default();
    assumptions.iter().for_each(|assumption| eprintln!("assumes: {}", describe(assumption)));
    if args.stats {
        print_stats(start, &phases, receipt.claim.steps);
    }
    Ok(ExitCode::SUCCESS)
}

/// HOST-4, HOST-5: the host's word binds nothing. What a run takes for granted is in its receipt if the program put it
/// into its output digest; a receipt of any other program would say too much.
fn check_assumptions(segment: &Segment, output: Option<&Output>, name: &str) -> Result<(), Error> {
    let Some(output) = output.filter(|output| !output.assumptions.is_empty()) else { return Ok(()) };
    if output.digest() == output_digest(&segment.after) {
        return Ok(());
    }
    let count = output.assumptions.len();
    Err(Error::usage(format!(
        "{name}: the run rests on {count} assumptions (env::verify) that are not in its output digest, so that a receipt would not show them (HOST-5)"
    )))
}

/// A run that goes on behind the segment has no receipt yet.
fn check_end(segment: &Segment, name: &str) -> Result<(), Error> {
    match segment.exit {
        Exit::Terminated { .. } | Exit::Fault(_) => Ok(()),
        Exit::Order | Exit::Breakpoint | Exit::Interrupted | Exit::Watch(_) => Err(Error::usage(format!(
            "{name}: the run does not end within {} steps, the length of a segment; chains of segments come later",
            segment.steps.len()
        ))),
    }
}

/// Refuses what would not fit.
fn check_memory(expected: u64, available: Option<u64>) -> Result<(), Error> {
    const MB: u64 = 1_000_000;
    match available {
        Some(available) if available < expected => Err(Error::infrastructure(format!(
            "the proof would take about {} MB of memory and {} MB are available; --force starts it anyway",
            expected / MB,
            available / MB
        ))),
        _ => Ok(()),
    }
}

fn program_name(args: &Args) -> String {
    args.program.elf.display().to_string()
}

/// When each phase began, and how much CPU time was used by then.
type Starts = Vec<(&'static str, Instant, f64)>;

fn print_stats(start: Instant, phases: &Starts, steps: u32) {
    let starts = [("run", start, 0.0)].into_iter().chain(phases.iter().copied());
    let ends = phases.iter().map(|(_, wall, cpu)| (*wall, *cpu)).chain([(Instant::now(), cpu_seconds())]);
    for ((name, wall, cpu), (wall_end, cpu_end)) in starts.zip(ends) {
        eprintln!("{name:16} {:8.3} s, {:8.2} CPU s", (wall_end - wall).as_secs_f64(), cpu_end - cpu);
    }
    let cpu = cpu_seconds();
    eprintln!("{:.0} instructions a CPU second, peak memory {} MB", f64::from(steps) / cpu, peak_bytes() / 1_000_000);
}

/// The phases as they pass, drawn where someone looks at it.
struct Progress {
    starts: Arc<Mutex<Starts>>,
}

impl Progress {
    fn start() -> Progress {
        let starts = Arc::new(Mutex::new(Starts::new()));
        let kept = starts.clone();
        phases::observe(move |phase| {
            let Ok(mut starts) = kept.lock() else { return };
            starts.push((phase.name(), Instant::now(), cpu_seconds()));
            draw(phase, starts[0].1);
        });
        Progress { starts }
    }

    fn stop(self) -> Starts {
        if io::stderr().is_terminal() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
        self.starts.lock().map(|starts| starts.clone()).unwrap_or_default()
    }
}

/// A line that grows. `start` is when the first phase began.
fn draw(phase: Phase, start: Instant) {
    const WIDTH: usize = 30;
    if !io::stderr().is_terminal() {
        return;
    }
    let done = phase.begins_at();
    let filled = (WIDTH as f64 * done) as usize;
    let bar = format!("{}{}", "#".repeat(filled), ".".repeat(WIDTH - filled));
    let left = match start.elapsed().as_secs_f64() {
        elapsed if done > 0.0 => format!("about {:.0} s left", elapsed * (1.0 - done) / done),
        _ => String::new(),
    };
    // A terminal that went away is no reason to stop.
    let _ = write!(io::stderr(), "\r\x1b[K[{bar}] {} {left}", phase.name());
}

fn unproved(error: ProveError) -> Error {
    match error {
        ProveError::Witness(error) => Error::usage(error),
        ProveError::Proof(_) | ProveError::Check(_) => Error::infrastructure(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(check_memory(2_000_000, Some(3_000_000)).is_ok() && check_memory(2_000_000, None).is_ok());
        let error = check_memory(2_000_000, Some(1_000_000)).expect_err("too little memory").to_string();
        assert_eq!(error, "the proof would take about 2 MB of memory and 1 MB are available; --force starts it anyway");
    }
}
