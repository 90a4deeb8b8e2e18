//! What a proof costs: `bench PROGRAM [ARGUMENT]...`, for `make bench-prove`.
//!
//! Prints, as Markdown: the figures of the whole, the phases, the chips, and the floor - the time that extending and
//! hashing as many cells takes alone, which no prover with these parameters goes below.

use std::fs;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use lockstep::ecall::{Host, fd};
use lockstep::loader::{self, Kernel};
use lockstep_prove::air::F;
use lockstep_prove::config::{Challenge, Challenger, Pcs, config};
use lockstep_prove::phases::{self, Phase};
use lockstep_prove::prover::{fill, prove_witness};
use lockstep_prove::receipt::Receipt;
use lockstep_prove::segment::{MAX_STEPS, Segment};
use lockstep_prove::stats::{ChipCost, costs};
use lockstep_prove::usage::{cpu_seconds, peak_bytes};
use lockstep_prove::verifier::verify_receipt;
use p3_matrix::dense::RowMajorMatrix;
use p3_uni_stark::StarkGenericConfig;
use rayon::prelude::*;

/// Times that the receipt is verified.
const VERIFICATIONS: usize = 20;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(path) = args.next() else {
        eprintln!("usage: bench PROGRAM [ARGUMENT]...");
        return ExitCode::from(2);
    };
    match bench(&path, args.collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(path: &str, arguments: Vec<String>) -> Result<(), String> {
    let segment = run(path, arguments)?;
    let starts = watch();
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let witness = fill(&segment).map_err(|error| error.to_string())?;
    let costs = costs(&witness);
    let receipt = prove_witness(witness).map_err(|error| error.to_string())?;
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let end = (Instant::now(), cpu_seconds());
    let steps = segment.steps.len();
    drop(segment);
    let peak = peak_bytes();
    let (verification, verification_cpu) = verification(&receipt);
    verify_receipt(&receipt).map_err(|error| error.to_string())?;
    let (floor, floor_cpu) = floor(&costs);
    let power = steps.next_power_of_two();
    println!("### {steps} instructions ({:.0} % of 2^{})\n", 100.0 * steps as f64 / power as f64, power.ilog2());
    println!(
        "| instructions/CPU s | CPU s | wall s | peak RSS MB | receipt kB | verify ms | verify CPU ms | floor CPU s | floor wall s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    println!(
        "| **{:.0}** | {cpu:.2} | {wall:.2} | {:.0} | {} | {:.1} | {:.1} | {floor_cpu:.2} | {floor:.2} |\n",
        steps as f64 / cpu,
        peak as f64 / 1e6,
        receipt.to_bytes().len() / 1000,
        1000.0 * verification,
        1000.0 * verification_cpu,
    );
    print_phases(&starts.lock().expect("no panic"), end);
    print_chips(&costs, steps);
    Ok(())
}

/// The fastest wall time of a verification, and the mean CPU time.
fn verification(receipt: &Receipt) -> (f64, f64) {
    let cpu = cpu_seconds();
    let walls = (0..VERIFICATIONS).map(|_| seconds(|| verify_receipt(receipt)).0);
    let fastest = walls.fold(f64::INFINITY, f64::min);
    (fastest, (cpu_seconds() - cpu) / VERIFICATIONS as f64)
}

fn seconds<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let done = work();
    (start.elapsed().as_secs_f64(), done)
}

fn run(path: &str, arguments: Vec<String>) -> Result<Segment, String> {
    let elf = fs::read(path).map_err(|error| error.to_string())?;
    let image =
        loader::load(&elf, Kernel::Elf(lockstep::kernel::DEFAULT)).map_err(|error| error.problem.to_string())?;
    let machine = image.machine().map_err(|error| error.to_string())?;
    let mut host = Arguments(
        [vec![path.to_owned()], arguments].concat().iter().flat_map(|text| [text.as_bytes(), &[0]].concat()).collect(),
    );
    Ok(Segment::run(machine, &mut host, MAX_STEPS))
}

/// A host that has the program's arguments and takes every write.
struct Arguments(Vec<u8>);

impl Host for Arguments {
    fn read(&mut self, _order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        let count = if fd == fd::ARGUMENTS { self.0.len().min(bytes.len()) } else { 0 };
        bytes[..count].copy_from_slice(&self.0[..count]);
        self.0.drain(..count);
        count as u32
    }

    fn write(&mut self, _order: u64, _fd: u32, bytes: &[u8]) -> u32 {
        bytes.len() as u32
    }
}

type Starts = Arc<Mutex<Vec<(Phase, Instant, f64)>>>;

fn watch() -> Starts {
    let starts = Starts::default();
    let kept = starts.clone();
    phases::observe(move |phase| kept.lock().expect("no panic").push((phase, Instant::now(), cpu_seconds())));
    starts
}

fn print_phases(starts: &[(Phase, Instant, f64)], end: (Instant, f64)) {
    println!("| phase | wall s | CPU s | share of CPU |");
    println!("|---|---|---|---|");
    let ends = starts.iter().skip(1).map(|(_, wall, cpu)| (*wall, *cpu)).chain([end]);
    let total = end.1 - starts[0].2;
    for ((phase, wall, cpu), end) in starts.iter().zip(ends) {
        let used = end.1 - cpu;
        let wall = (end.0 - *wall).as_secs_f64();
        println!("| {} | {wall:.2} | {used:.2} | {:.0} % |", phase.name(), 100.0 * used / total);
    }
    println!();
}

fn print_chips(costs: &[ChipCost], steps: usize) {
    println!("| chip | rows | of | columns | bus columns | interactions | cells | cells an instruction |");
    println!("|---|---|---|---|---|---|---|---|");
    let per_step = |cells: usize| cells as f64 / steps as f64;
    for cost in costs {
        let ChipCost { name, used, rows, columns, bus_columns, interactions } = cost;
        let cells = cost.cells();
        println!(
            "| {name} | {used} | 2^{} | {columns} | {bus_columns} | {interactions} | {cells} | {:.1} |",
            rows.ilog2(),
            per_step(cells)
        );
    }
    let all: usize = costs.iter().map(ChipCost::cells).sum();
    let main: usize = costs.iter().map(|cost| cost.rows * cost.columns).sum();
    println!("| all | | | | | | {all} | {:.1} ({:.1} without buses) |\n", per_step(all), per_step(main));
}

/// Wall and CPU seconds to extend and hash as many cells as the proof has, in as many tables.
fn floor(costs: &[ChipCost]) -> (f64, f64) {
    let tables = |width: fn(&ChipCost) -> usize| -> Vec<RowMajorMatrix<F>> {
        costs.iter().map(|cost| noise(cost.rows, width(cost))).collect()
    };
    let (mut wall, mut cpu) = (0.0, 0.0);
    for width in [
        (|cost| cost.columns) as fn(&ChipCost) -> usize,
        |cost| cost.bus_columns,
        |_| lockstep_prove::stats::QUOTIENT_COLUMNS,
    ] {
        let tables = tables(width);
        let before = cpu_seconds();
        wall += seconds(|| commit(tables)).0;
        cpu += cpu_seconds() - before;
    }
    (wall, cpu)
}

fn noise(rows: usize, width: usize) -> RowMajorMatrix<F> {
    let cell = |i: usize| F::new((i as u32).wrapping_mul(0x9e37_79b9) >> 2);
    RowMajorMatrix::new((0..rows * width).into_par_iter().map(cell).collect(), width)
}

fn commit(tables: Vec<RowMajorMatrix<F>>) {
    let config = config(&[]);
    let pcs: &Pcs = config.pcs();
    let domain = |rows: usize| <Pcs as p3_commit::Pcs<Challenge, Challenger>>::natural_domain_for_degree(pcs, rows);
    use p3_matrix::Matrix;
    let inputs: Vec<_> = tables.into_iter().map(|table| (domain(table.height()), table)).collect();
    let committed = <Pcs as p3_commit::Pcs<Challenge, Challenger>>::commit(pcs, inputs);
    drop(committed.expect("noise can be committed to"));
}
