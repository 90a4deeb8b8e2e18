//! `lockstep bench`: the same programs natively, in QEMU and in every engine, in turns.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use lockstep::exec::EngineKind;
use serde::Serialize;

use crate::error::Error;

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

    /// Write the measurements to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  make bench                        build the programs and measure
  lockstep bench --rounds 5 --json bench.json

Each figure is user CPU time of a whole process, start and compilation included.";

/// The programs, with scales that keep QEMU busy for some tenths of a second.
const PROGRAMS: [(&str, u32); 6] =
    [("dhrystone", 2000), ("sha256", 400), ("sort", 3), ("matrix", 300), ("interp", 200), ("recursion", 900)];

/// The times of one program in one engine.
#[derive(Serialize)]
struct Row {
    program: &'static str,
    scale: u32,
    engine: String,
    /// User CPU seconds of each round.
    seconds: Vec<f64>,
}

/// Measures.
///
/// # Errors
/// A program or QEMU that is not there, does not run, or does not print what the native build prints.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let mut rows = Vec::new();
    println!(
        "{:10} {:>8}   user CPU seconds, median (qemu's median / its own; lowest to highest)",
        "program", "engine"
    );
    for (program, scale) in PROGRAMS {
        let measured = measure(&args, program, scale)?;
        print_rows(&measured);
        rows.extend(measured);
    }
    println!("median over the programs of qemu's time divided by the engine's:");
    for kind in EngineKind::ALL {
        println!("{:>19}   {:.2}", kind.name(), median(&mut ratios(&rows, kind.name())));
    }
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&rows).map_err(Error::infrastructure)?;
        fs::write(path, text).map_err(|error| Error::infrastructure(format!("{}: {error}", path.display())))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs `program` everywhere, in turns, so that a busy moment of the host hits all alike.
fn measure(args: &Args, program: &'static str, scale: u32) -> Result<Vec<Row>, Error> {
    let file = |ending: &str| args.programs.join(format!("{program}.{ending}"));
    let scale_text = scale.to_string();
    let this = std::env::current_exe().map_err(Error::infrastructure)?;
    let mut commands = vec![
        ("native".to_owned(), command(&file("native"), &[&scale_text])),
        ("qemu".to_owned(), command(Path::new("qemu-riscv32"), &[&file("elf").display().to_string(), &scale_text])),
    ];
    for kind in EngineKind::ALL {
        let elf = file("elf").display().to_string();
        let arguments = ["run", "--engine", kind.name(), &elf, "--arg", &scale_text];
        commands.push((kind.name().to_owned(), command(&this, &arguments)));
    }
    let new_row = |engine: &String| Row { program, scale, engine: engine.clone(), seconds: Vec::new() };
    let mut rows: Vec<Row> = commands.iter().map(|(engine, _)| new_row(engine)).collect();
    let mut expected = None;
    for _ in 0..args.rounds {
        for ((engine, command), row) in commands.iter_mut().zip(&mut rows) {
            let (seconds, output) =
                time(command).map_err(|error| Error::infrastructure(format!("{engine}: {error}")))?;
            if *expected.get_or_insert_with(|| output.clone()) != output {
                return Err(Error::infrastructure(format!(
                    "{engine} prints another result for {program} than native code"
                )));
            }
            row.seconds.push(seconds);
        }
    }
    Ok(rows)
}

fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit());
    command
}

/// The user CPU seconds of a run of `command`, and what it printed.
fn time(command: &mut Command) -> Result<(f64, Vec<u8>), String> {
    let before = children_seconds()?;
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("ended with {}", output.status));
    }
    Ok((children_seconds()? - before, output.stdout))
}

/// The user CPU time of all children that ended (proc(5): `cutime`, the 16th field).
fn children_seconds() -> Result<f64, String> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").map_err(|error| format!("/proc/self/stat: {error}"))?;
    // The second field is the name in parentheses, which may contain anything.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().nth(13).and_then(|field| field.parse::<f64>().ok());
    ticks.map(|ticks| ticks / TICKS_PER_SECOND).ok_or_else(|| "/proc/self/stat has no cutime".into())
}

fn print_rows(rows: &[Row]) {
    for row in rows {
        let ratio = ratios(rows, &row.engine).first().copied().unwrap_or(f64::NAN);
        let low = row.seconds.iter().copied().fold(f64::INFINITY, f64::min);
        let high = row.seconds.iter().copied().fold(0.0, f64::max);
        let middle = median(&mut row.seconds.clone());
        println!("{:10} {:>8}   {middle:.2} ({ratio:.2}; {low:.2} to {high:.2})", row.program, row.engine);
    }
}

/// For each program, QEMU's time divided by that of `engine`.
fn ratios(rows: &[Row], engine: &str) -> Vec<f64> {
    let time = |program: &str, engine: &str| {
        let row = rows.iter().find(|row| row.program == program && row.engine == engine)?;
        Some(median(&mut row.seconds.clone()))
    };
    let programs =
        PROGRAMS.iter().filter_map(|(program, _)| Some(time(program, "qemu")? / time(program, engine)?.max(0.01)));
    programs.collect()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}
