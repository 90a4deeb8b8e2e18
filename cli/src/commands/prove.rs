//! `lockstep prove`: runs a program and makes a receipt of the run.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use lockstep_prove::claim::End;
use lockstep_prove::prover::{Phase, ProveError, prove};
use lockstep_prove::segment::{MAX_STEPS, Segment};
use lockstep_prove::verifier::hex;

use super::inspect;
use crate::error::Error;
use crate::host::ProcessHost;
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

    /// An argument for the program (`argv[1]` and on); may be given several times
    #[arg(long = "arg", value_name = "TEXT", allow_hyphen_values = true)]
    args: Vec<String>,

    /// The program's standard input, instead of this process's
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,

    /// Say on stderr how long each phase took
    #[arg(long)]
    stats: bool,
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
    let mut host = ProcessHost::new(&[&[name][..], &args.args].concat(), args.input.as_deref(), false)?;
    let start = Instant::now();
    let segment = Segment::run(machine, &mut host, MAX_STEPS);
    host.flush();
    let mut phases = vec![("run", start)];
    let receipt = prove(&segment, &mut |phase| phases.push((phase_name(phase), Instant::now()))).map_err(unproved)?;
    if receipt.claim.end == End::Continue {
        return Err(Error::usage(format!(
            "{}: the run does not end within {MAX_STEPS} steps, the length of a segment; chains of segments come later",
            args.program.elf.display()
        )));
    }
    let end = Instant::now();
    let bytes = receipt.to_bytes();
    fs::write(&args.output, &bytes)
        .map_err(|error| Error::infrastructure(format!("{}: {error}", args.output.display())))?;
    println!("{}", hex(&receipt.claim.image_id()));
    eprintln!("proved: {}; {} bytes", inspect::summary(&receipt.claim), bytes.len());
    if args.stats {
        let ends = phases.iter().skip(1).map(|(_, start)| *start).chain([end]);
        for ((phase, start), end) in phases.iter().zip(ends) {
            eprintln!("{phase:8} {:8.3} s", (end - *start).as_secs_f64());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn program_name(args: &Args) -> String {
    args.program.elf.display().to_string()
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Witness => "witness",
        Phase::Proof => "proof",
        Phase::Check => "check",
    }
}

fn unproved(error: ProveError) -> Error {
    match error {
        ProveError::Witness(error) => Error::usage(error),
        ProveError::Proof(_) | ProveError::Check(_) => Error::infrastructure(error),
    }
}
