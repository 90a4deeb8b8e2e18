//! When compiling has paid: from when after a cold start the compiling engine is ahead of the block engine for good.

use std::collections::BTreeSet;
use std::time::Duration;

use lockstep::exec::{AnyEngine, Engine, EngineKind, Exit, Until};
use nix::time::{ClockId, clock_gettime};

use super::guest::Guest;
use super::table::median;
use crate::error::Error;

/// How long each engine is watched.
const WATCHED: Duration = Duration::from_millis(250);
/// The steps between two looks at the clock.
const STRIDE: u64 = 100_000;

/// Instructions done, by the time since the start, in seconds.
type Progress = Vec<(f64, u64)>;

/// Prints when compiling has paid in `guest`: the median of `rounds` starts, and the latest.
///
/// # Errors
/// The program does not load.
pub fn print(guest: &Guest, rounds: u32) -> Result<(), Error> {
    let mut times = (0..rounds).map(|_| paid_after(guest)).collect::<Result<Vec<f64>, Error>>()?;
    let latest = times.iter().copied().fold(0.0, f64::max);
    let middle = median(&mut times).unwrap_or(f64::NAN);
    println!("{:10} {:>12.1} {:>12.1}", guest.program.name, 1e3 * middle, 1e3 * latest);
    Ok(())
}

/// The head of the columns.
pub fn print_head() {
    println!("CPU milliseconds after a cold start from which on jit is ahead of block for good ({WATCHED:?} watched)");
    println!("{:10} {:>12} {:>12}", "program", "median", "latest");
}

/// The seconds after which the compiling engine has done more than the block engine, and remains so.
fn paid_after(guest: &Guest) -> Result<f64, Error> {
    let blocks = progress(guest, EngineKind::Block)?;
    let compiled = progress(guest, EngineKind::Jit)?;
    Ok(last_behind(&compiled, &blocks))
}

/// The last moment at which `ours` had done less than `theirs`.
fn last_behind(ours: &Progress, theirs: &Progress) -> f64 {
    let is_behind = |&&(seconds, done): &&(f64, u64)| {
        let place = theirs.partition_point(|&(other, _)| other <= seconds);
        place > 0 && place < theirs.len() && theirs[place].1 > done
    };
    ours.iter().rfind(is_behind).map_or(0.0, |&(seconds, _)| seconds)
}

fn progress(guest: &Guest, kind: EngineKind) -> Result<Progress, Error> {
    let (mut machine, mut host) = guest.machine(guest.program.full)?;
    let end: BTreeSet<_> = guest.end().into_iter().collect();
    let start = cpu_time()?;
    let mut engine = AnyEngine::new(kind);
    let mut progress = Vec::new();
    while cpu_time()? - start < WATCHED {
        let breakpoints = Some(&end).filter(|end| !end.is_empty());
        let until = Until { order: machine.hart.instructions + STRIDE, breakpoints, ..Until::END };
        let exit = engine.run(&mut machine, &mut host, until, &mut ());
        progress.push(((cpu_time()? - start).as_secs_f64(), machine.hart.instructions));
        if exit != Exit::Order {
            break;
        }
    }
    Ok(progress)
}

/// The CPU time of this thread, which other work on the host does not count into.
fn cpu_time() -> Result<Duration, Error> {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).map_err(Error::infrastructure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_moment_behind_counts() {
        let theirs = vec![(0.1, 10), (0.2, 20), (0.3, 30), (0.4, 40)];
        let ahead_then_behind_then_ahead = vec![(0.11, 25), (0.21, 26), (0.25, 29), (0.31, 100)];
        assert_eq!(last_behind(&ahead_then_behind_then_ahead, &theirs), 0.25);
        assert_eq!(last_behind(&vec![(0.15, 50)], &theirs), 0.0);
    }
}
