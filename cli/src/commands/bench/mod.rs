//! `lockstep bench`: the same programs on native code, on other simulators and on every engine of ours, in turns.

mod cold;
mod guest;
mod host_instructions;
mod processes;
mod programs;
mod references;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use lockstep::exec::EngineKind;
use serde::Serialize;

use self::guest::Guest;
use self::programs::{PROGRAMS, Program};
use crate::error::Error;
use crate::files::write_whole;

/// The arguments of `lockstep bench`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The folder with the programs: NAME.elf, and NAME.native for this host (`make bench-programs`)
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    programs: PathBuf,

    /// How often each runs
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Measure only the programs whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,

    /// Count the host's instructions a guest instruction too, with valgrind's callgrind, which no noise can move
    #[arg(long)]
    host_instructions: bool,

    /// Only look how long after a cold start the compiling engine has made up for its compilation
    #[arg(long, conflicts_with_all = ["host_instructions", "json"])]
    cold: bool,

    /// Write the measurements to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  make bench                        build the programs and measure
  lockstep bench --only sha --rounds 5 --json bench.json
  lockstep bench --cold             when compiling has paid

Figures are million guest instructions a second: of user CPU time of a whole process, start and compilation
included, for native code (counted in guest instructions too), qemu and our engines; of wall time of the run
alone for spike, rrs and risc0, and for every engine on coremark, which is a program for bare machines.";

/// Who runs a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    /// The program compiled for this host.
    Native,
    /// `qemu-riscv32`.
    Qemu,
    /// The simulator of `make references`.
    Spike,
    /// The interpreter of the crate rrs-lib.
    Rrs,
    /// RISC Zero's executor, behind `harness/examples/bench_risc0.rs`.
    Risc0,
    /// An engine of ours.
    Ours(EngineKind),
}

impl Column {
    fn all() -> Vec<Column> {
        let others = [Column::Native, Column::Qemu, Column::Spike, Column::Rrs, Column::Risc0];
        others.into_iter().chain(EngineKind::ALL.iter().map(|&kind| Column::Ours(kind))).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Column::Native => "native",
            Column::Qemu => "qemu",
            Column::Spike => "spike",
            Column::Rrs => "rrs",
            Column::Risc0 => "risc0",
            Column::Ours(kind) => kind.name(),
        }
    }
}

/// The measurements of one program in one column.
#[derive(Serialize)]
struct Row {
    program: &'static str,
    engine: &'static str,
    /// How much work a round was.
    scale: u32,
    /// The guest instructions of that work.
    instructions: u64,
    /// The seconds of each round.
    seconds: Vec<f64>,
    /// Host instructions a guest instruction, if asked for.
    host_instructions: Option<f64>,
    /// Why there are no measurements.
    skipped: Option<String>,
}

impl Row {
    /// Million guest instructions a second, of the median round.
    fn mips(&self) -> Option<f64> {
        let seconds = table::median(&mut self.seconds.clone())?;
        Some(self.instructions as f64 / seconds / 1e6)
    }
}

/// Measures.
///
/// # Errors
/// A program that is not there, does not run, or does not print what every other engine prints.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let programs: Vec<&Program> = PROGRAMS.iter().filter(|program| program.name.contains(&args.only)).collect();
    if programs.is_empty() {
        return Err(Error::usage(format!("--only {}: no program has that in its name", args.only)));
    }
    if args.cold {
        return cold_starts(&args, &programs);
    }
    let mut rows = Vec::new();
    table::print_head();
    for (number, program) in programs.iter().enumerate() {
        eprintln!("measuring {} ({} of {}) ...", program.name, number + 1, programs.len());
        let measured = measure(&args, program)?;
        table::print_rows(&measured);
        rows.extend(measured);
    }
    table::print_medians(&rows);
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&rows).map_err(Error::infrastructure)?;
        write_whole(path, text.as_bytes())
            .map_err(|error| Error::infrastructure(format!("{}: {error}", path.display())))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn cold_starts(args: &Args, programs: &[&'static Program]) -> Result<ExitCode, Error> {
    cold::print_head();
    for program in programs {
        cold::print(&Guest::load(&args.programs, program)?, args.rounds)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures `program` in every column, in turns, so that a busy moment of the host hits all alike.
fn measure(args: &Args, program: &'static Program) -> Result<Vec<Row>, Error> {
    let guest = Guest::load(&args.programs, program)?;
    let mut rows = Vec::new();
    for column in Column::all() {
        rows.push((column, new_row(args, &guest, column)?));
    }
    for _ in 0..args.rounds {
        for (column, row) in rows.iter_mut().filter(|(_, row)| row.skipped.is_none()) {
            match seconds(&guest, *column, row.scale)? {
                Ok(seconds) => row.seconds.push(seconds),
                Err(reason) => row.skipped = Some(reason),
            }
        }
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// A row with everything but the rounds.
fn new_row(args: &Args, guest: &Guest, column: Column) -> Result<Row, Error> {
    let scale = guest.program.scale(column);
    let instructions = guest.run(scale)?.instructions;
    let host_instructions = if args.host_instructions { host_instructions::count(guest, column)? } else { None };
    let row = Row {
        program: guest.program.name,
        engine: column.name(),
        scale,
        instructions,
        seconds: Vec::new(),
        host_instructions,
        skipped: None,
    };
    Ok(row)
}

/// The seconds of one round, or why there can be none.
fn seconds(guest: &Guest, column: Column, scale: u32) -> Result<Result<f64, String>, Error> {
    match column {
        Column::Spike => references::spike(guest, scale),
        Column::Rrs => references::rrs(guest, scale).map(Ok),
        Column::Ours(kind) if guest.program.is_bare => guest.seconds(kind, scale).map(Ok),
        Column::Native | Column::Qemu | Column::Risc0 if guest.program.is_bare => {
            Ok(Err("runs on bare machines only".into()))
        }
        Column::Risc0 => references::risc0(guest, scale),
        Column::Native | Column::Qemu | Column::Ours(_) => processes::seconds(guest, column, scale),
    }
}
