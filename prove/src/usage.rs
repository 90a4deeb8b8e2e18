//! What this process has used so far, as Linux tells it; 0 elsewhere.

use std::fs;

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
    kilobytes("/proc/self/status", "VmHWM:").unwrap_or(0) * 1024
}

/// The memory that a process can get without swapping, in bytes, if the system tells.
pub fn available_bytes() -> Option<u64> {
    kilobytes("/proc/meminfo", "MemAvailable:").map(|kilobytes| kilobytes * 1024)
}

fn kilobytes(file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells() {
        assert!(peak_bytes() > 1 << 20);
        assert!(available_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
