//! How much memory a process can still get: the least of what the system has, what `ulimit -v` leaves and what the
//! control groups that it is in leave (containers set those).

use std::fs;
use std::path::{Path, PathBuf};

/// The memory that this process can get without swapping, in bytes, if the system tells.
pub fn available_bytes() -> Option<u64> {
    [free_memory(), free_addresses()].into_iter().flatten().chain(groups().iter().filter_map(|group| left(group))).min()
}

/// What the machine has.
fn free_memory() -> Option<u64> {
    kilobytes(&read("/proc/meminfo")?, "MemAvailable:").map(|kilobytes| kilobytes * 1024)
}

/// What `ulimit -v` leaves of addresses.
fn free_addresses() -> Option<u64> {
    let limit = address_limit(&read("/proc/self/limits")?)?;
    let used = kilobytes(&read("/proc/self/status")?, "VmSize:")? * 1024;
    Some(limit.saturating_sub(used))
}

/// The soft limit on addresses in a text of the form of `/proc/self/limits`; none if there is none.
fn address_limit(limits: &str) -> Option<u64> {
    let rest = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The folders of the control groups that this process is in, from the innermost outwards.
fn groups() -> Vec<PathBuf> {
    let list = read("/proc/self/cgroup").unwrap_or_default();
    list.lines().filter_map(group).flat_map(|(root, path)| ancestors(root, path)).collect()
}

/// Where the groups of a line of `/proc/self/cgroup` are, and which of them is meant: `4:memory:/a/b` of version 1 and
/// `0::/a/b` of version 2 (cgroups(7)).
fn group(line: &str) -> Option<(&'static str, &str)> {
    let (hierarchy, path) = line.split_once(':')?.1.split_once(':')?;
    match hierarchy {
        "" => Some(("/sys/fs/cgroup", path)),
        _ if hierarchy.split(',').any(|controller| controller == "memory") => Some(("/sys/fs/cgroup/memory", path)),
        _ => None,
    }
}

/// The folder of `path` under `root` and all above it. In a container the path may be one of the host's, which is not
/// there; the root then stands for the container.
fn ancestors(root: &str, path: &str) -> Vec<PathBuf> {
    let inside = |ancestor: &Path| Path::new(root).join(ancestor.strip_prefix("/").unwrap_or(ancestor));
    Path::new(path).ancestors().map(inside).collect()
}

/// What the group in `folder` leaves.
fn left(folder: &Path) -> Option<u64> {
    let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let pair = |limit, used| Some(number(limit)?.saturating_sub(number(used)?));
    pair("memory.max", "memory.current").or_else(|| pair("memory.limit_in_bytes", "memory.usage_in_bytes"))
}

fn read(file: &str) -> Option<String> {
    fs::read_to_string(file).ok()
}

/// The number behind `key` in a text of lines `key: number kB`.
pub(crate) fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells() {
        assert!(available_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn limits_are_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max address space         5000000000           unlimited            bytes     \n";
        assert_eq!(address_limit(limits), Some(5_000_000_000));
        assert_eq!(address_limit(&limits.replace("5000000000", "unlimited")), None);
        assert_eq!(address_limit(""), None);
    }

    #[test]
    fn both_versions_of_control_groups_are_found() {
        assert_eq!(group("0::/user.slice"), Some(("/sys/fs/cgroup", "/user.slice")));
        assert_eq!(group("4:memory:/docker/1"), Some(("/sys/fs/cgroup/memory", "/docker/1")));
        assert_eq!(group("3:cpu,memory:/"), Some(("/sys/fs/cgroup/memory", "/")));
        assert_eq!(group("8:pids:/docker/1"), None);
        let folders = ancestors("/sys/fs/cgroup", "/a/b");
        assert_eq!(folders, ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup"].map(PathBuf::from));
    }

    /// A group leaves its limit less what it uses; one without a limit says so in words and sets none.
    #[test]
    fn what_a_group_leaves() {
        let folder = std::env::temp_dir().join(format!("lockstep-group-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        write("memory.current", "300\n");
        assert_eq!(left(&folder), None);
        write("memory.max", "max\n");
        assert_eq!(left(&folder), None);
        write("memory.max", "1000\n");
        assert_eq!(left(&folder), Some(700));
        write("memory.max", "200\n");
        assert_eq!(left(&folder), Some(0));
        fs::remove_dir_all(&folder).unwrap();
    }
}
