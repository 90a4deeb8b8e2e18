//! `lockstep conformance`: official tests on every engine.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lockstep_harness::conformance::{self, Options};
use lockstep_harness::report::Report;
use lockstep_harness::suites::manifest;

use crate::error::Error;
use crate::files::write_whole;

/// The arguments of `lockstep conformance`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Run the tests of this checkout of riscv-tests or riscv-arch-test, or the ELF files of this folder
    #[arg(long, value_name = "DIR")]
    suite: Option<PathBuf>,

    /// Only tests whose suite/name holds this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// Only this column of the matrix
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    /// `json`: the whole report on stdout instead of the table
    #[arg(long, value_enum, default_value = "human")]
    format: Format,

    /// Where report.json and the others go
    #[arg(long, value_name = "DIR", default_value = "target/conformance")]
    out: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  lockstep conformance                              every suite on every engine
  lockstep conformance --filter riscv-tests-elf/add --column step
  lockstep conformance --suite ~/riscv-tests        your own checkout
  lockstep conformance --format json | jq .totals

Exit codes: 0 clean, 1 a failure or fewer tests than pinned, 2 bad input, 4 a package cannot be had.";

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Human,
    Json,
}

/// Runs the suites and writes the reports.
///
/// # Errors
/// The command is not run in a checkout, or a report cannot be written.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let root = manifest::find_root().map_err(Error::usage)?;
    let out = if args.out.is_absolute() { args.out.clone() } else { root.join(&args.out) };
    let options =
        Options { root, directory: args.suite.clone(), filter: args.filter.clone(), column: args.column.clone() };
    let report = conformance::run(&options, &show_progress).map_err(Error::usage)?;
    clear_progress();
    write_reports(&report, &out)?;
    match args.format {
        Format::Human => println!("{report}report: {}\n{}", out.join("index.html").display(), report.closing_line()),
        Format::Json => println!("{}", json(&report)?),
    }
    Ok(exit_code(&report))
}

/// 0 for a clean report, 4 if all that is wrong is that something cannot be had, else 1.
fn exit_code(report: &Report) -> ExitCode {
    match report {
        _ if report.is_clean() => ExitCode::SUCCESS,
        _ if report.totals.failed == 0 && report.is_infrastructure => ExitCode::from(4),
        _ => ExitCode::from(1),
    }
}

fn write_reports(report: &Report, out: &Path) -> Result<(), Error> {
    let failed = |error: io::Error| Error::infrastructure(format!("{}: {error}", out.display()));
    fs::create_dir_all(out).map_err(failed)?;
    let files = [
        ("report.json", json(report)?),
        ("coverage.yaml", report.coverage_yaml.clone()),
        ("junit.xml", report.junit()),
        ("index.html", report.html()),
    ];
    files.iter().try_for_each(|(name, text)| write_whole(&out.join(name), text.as_bytes())).map_err(failed)
}

fn json(report: &Report) -> Result<String, Error> {
    serde_json::to_string_pretty(report).map_err(Error::infrastructure)
}

/// A line that grows, where someone looks at it.
fn show_progress(done: usize, all: usize) {
    const WIDTH: usize = 30;
    if io::stderr().is_terminal() {
        let filled = WIDTH * done / all.max(1);
        let bar = format!("{}{}", "#".repeat(filled), ".".repeat(WIDTH - filled));
        // A terminal that went away is no reason to stop.
        let _ = write!(io::stderr(), "\r[{bar}] {done}/{all} tests");
    }
}

fn clear_progress() {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}
