//! `lockstep formal`.

use std::path::PathBuf;
use std::process::ExitCode;

use lockstep_harness::formal::report::{Entry, Layer, Method, Outcome};
use lockstep_harness::formal::{self, Options};

use crate::error::Error;

/// The arguments of `lockstep formal`.
#[derive(clap::Args)]
#[command(after_help = "\
Run it in the repository: cargo compiles src/exec/ops.rs once more, for its LLVM IR.

Examples:
  lockstep formal                     everything; writes target/formal/report.json
  lockstep formal --only sltu         one instruction or function, with its planted errors
  lockstep formal --layer decoder     all 2^32 instruction words

Exit codes: 0 every claim holds, 1 one does not or was not decided, 2 usage, 4 the solvers or cargo cannot be run.")]
pub struct Args {
    /// Only the claims of this name, instruction or function (may be repeated)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Only this layer (may be repeated)
    #[arg(long, value_name = "LAYER", value_parser = ["decoder", "handler", "arm", "engine", "witness", "tool", "mutant"])]
    layer: Vec<String>,
    /// Threads to use
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    /// CPU seconds a solver may take for one query; more is a failure
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    limit: u32,
    /// Ask the solvers again, whatever earlier runs found
    #[arg(long)]
    no_cache: bool,
    /// Where the solvers are (venv/) and where queries and report go
    #[arg(long, default_value = "target/formal", value_name = "DIR")]
    dir: PathBuf,
}

/// Checks the claims and prints each.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let asked = |layer: &Layer| args.layer.is_empty() || args.layer.iter().any(|name| name == layer.name());
    let options = Options {
        dir: args.dir.clone(),
        only: args.only.clone(),
        layers: Layer::ALL.into_iter().filter(asked).collect(),
        threads: usize::from(args.threads),
        limit_s: args.limit,
        uses_cache: !args.no_cache,
    };
    let report = formal::run(&options, &mut print_entry).map_err(Error::infrastructure)?;
    if report.entries.is_empty() {
        return Err(Error::usage(format!(
            "no claim has the name {}; `lockstep formal` lists them all",
            args.only.join(", ")
        )));
    }
    let (passed, failed, skipped) = report.counts();
    println!("{} written", options.dir.join("report.json").display());
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn print_entry(entry: &Entry) {
    let verdict = match &entry.outcome {
        Outcome::Pass => "ok",
        Outcome::Fail(_) => "FAILED",
        Outcome::Skip(_) => "skipped",
    };
    let method = match entry.method {
        Method::Proved => "proved".to_string(),
        Method::Refuted => "refuted".to_string(),
        Method::Exhaustive(cases) => format!("all {cases}"),
        Method::Tested(cases) => format!("tested {cases}"),
    };
    println!(
        "{verdict:<8}{:<9}{:<44}{method:<20}{:>8.2} s  {}",
        entry.layer.name(),
        entry.name,
        entry.cpu_seconds,
        solvers(entry)
    );
    if let Outcome::Fail(reason) | Outcome::Skip(reason) = &entry.outcome {
        println!("        {reason}");
    }
}

fn solvers(entry: &Entry) -> String {
    let one =
        |proof: &formal::report::Proof| format!("{}{}", proof.solver, if proof.is_cached { " (kept)" } else { "" });
    entry.proofs.iter().map(one).collect::<Vec<_>>().join(", ")
}
