//! CPU seconds of what is run here, for the report.

use std::time::Instant;

/// What `work` returns, and the seconds it took times the `threads` it kept busy: its CPU time on an
/// idle machine, more on a busy one.
pub fn timed<T>(threads: usize, work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed().as_secs_f64() * threads as f64)
}
