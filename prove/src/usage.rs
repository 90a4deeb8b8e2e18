//! What this process has used so far, as Linux tells it; 0 elsewhere.

use std::fs;

use crate::available::kilobytes;

/// The length of the kernel's clock tick: USER_HZ is 100 on every architecture that we know of.
const TICK_SECONDS: f64 = 0.01;

/// Seconds of CPU time, in user and kernel mode, of all threads.
pub fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The command's name, in brackets, may have spaces; user and system time are fields 14 and 15.
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    ticks.sum::<u64>() as f64 * TICK_SECONDS
}

/// The most memory that the process has had, in bytes.
pub fn peak_bytes() -> u64 {
    kilobytes(&fs::read_to_string("/proc/self/status").unwrap_or_default(), "VmHWM:").unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells() {
        assert!(peak_bytes() > 1 << 20);
    }
}
