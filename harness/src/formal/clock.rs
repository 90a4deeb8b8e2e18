//! CPU seconds of what is run here, for the report.

use std::time::Instant;

/// What `work` returns, and the CPU seconds that this process spent meanwhile, all threads together.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let (start, wall) = (cpu_seconds(), Instant::now());
    let result = work();
    let spent = start.and_then(|start| Some(cpu_seconds()? - start));
    (result, spent.unwrap_or_else(|| wall.elapsed().as_secs_f64()))
}

/// User and system time of this process, where Linux tells it: the 14th and 15th fields of
/// /proc/self/stat, in ticks of 1/100 s. The second field is a name in parentheses.
fn cpu_seconds() -> Option<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(ticks as f64 / TICKS_PER_SECOND)
}
