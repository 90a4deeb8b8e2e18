//! Writing files so that nothing half-written is left under their names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Writes `bytes` to the file at `path`: whole, or what was there before stays. Whatever is no file, such as a pipe or
/// a device, is written to as it is.
///
/// # Errors
/// The disk is full, or there can be no such file.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.exists() && !path.is_file() {
        return fs::write(path, bytes);
    }
    let partial = partial(path);
    let result = fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    if result.is_err() && partial.is_file() {
        // The room that it takes is better than nothing.
        let _ = fs::remove_file(&partial);
    }
    result
}

fn partial(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    PathBuf::from(partial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_leaves_what_was_there() {
        let folder = std::env::temp_dir().join(format!("lockstep-files-{}", std::process::id()));
        let path = folder.join("r");
        fs::create_dir_all(&folder).expect("a folder");
        write_whole(&path, b"old").expect("there is room");
        // Nothing can be written to a folder, as to a full disk.
        fs::create_dir(partial(&path)).expect("a folder");
        assert!(write_whole(&path, b"new").is_err());
        assert_eq!(fs::read(&path).expect("the file"), b"old");
        fs::remove_dir(partial(&path)).expect("the folder is empty");
        write_whole(&path, b"new").expect("there is room");
        assert_eq!(fs::read(&path).expect("the file"), b"new");
        assert!(!partial(&path).exists());
        fs::remove_dir_all(&folder).expect("the folder is ours");
    }

    #[test]
    #[cfg(unix)]
    fn devices_stay_devices() {
        write_whole(Path::new("/dev/null"), b"-").expect("it takes all");
        assert!(!Path::new("/dev/null").is_file());
    }
}
