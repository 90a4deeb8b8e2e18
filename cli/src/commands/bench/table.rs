//! What people read.

use super::{Column, Row};

/// The head of the columns.
pub fn print_head() {
    println!(
        "{:10} {:>8} {:>9} {:>9} {:>9} {:>8} {:>8} {:>10}",
        "program", "engine", "MIPS", "lowest", "highest", "x qemu", "x spike", "host insns"
    );
}

/// The rows of one program.
pub fn print_rows(rows: &[Row]) {
    for row in rows {
        match (&row.skipped, spread(row)) {
            (None, Some((low, middle, high))) => println!(
                "{:10} {:>8} {middle:>9.0} {low:>9.0} {high:>9.0} {:>8} {:>8} {:>10}",
                row.program,
                row.engine,
                ratio(rows, row, Column::Qemu),
                ratio(rows, row, Column::Spike),
                row.host_instructions.map_or("-".into(), |count| format!("{count:.1}")),
            ),
            (reason, _) => {
                let reason = reason.as_deref().unwrap_or("no rounds");
                println!("{:10} {:>8} not measured: {reason}", row.program, row.engine);
            }
        }
    }
}

/// The median over the programs of each engine's speed divided by that of QEMU and of Spike.
pub fn print_medians(rows: &[Row]) {
    for of in [Column::Qemu, Column::Spike] {
        println!("median over the programs of the speed divided by {}'s:", of.name());
        for column in Column::all().into_iter().filter(|column| *column != of) {
            let ours = rows.iter().filter(|row| row.engine == column.name());
            let mut ratios: Vec<f64> =
                ours.filter_map(|row| Some(row.mips()? / mips(rows, row.program, of)?)).collect();
            if let Some(ratio) = median(&mut ratios) {
                println!("{:>19} {ratio:.2} ({} programs)", column.name(), ratios.len());
            }
        }
    }
}

/// The lowest, middle and highest speed of `row`.
fn spread(row: &Row) -> Option<(f64, f64, f64)> {
    let speed = |seconds: f64| row.instructions as f64 / seconds / 1e6;
    let slowest = row.seconds.iter().copied().fold(0.0, f64::max);
    let fastest = row.seconds.iter().copied().fold(f64::INFINITY, f64::min);
    Some((speed(slowest), row.mips()?, speed(fastest)))
}

fn ratio(rows: &[Row], row: &Row, of: Column) -> String {
    match (row.mips(), mips(rows, row.program, of)) {
        (Some(own), Some(other)) => format!("{:.2}", own / other),
        _ => "-".into(),
    }
}

fn mips(rows: &[Row], program: &str, column: Column) -> Option<f64> {
    rows.iter().find(|row| row.program == program && row.engine == column.name())?.mips()
}

/// The middle of `values`, none of no values.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[count / 2]),
        count => Some((values[count / 2 - 1] + values[count / 2]) / 2.0),
    }
}
