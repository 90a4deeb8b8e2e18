//! Getting packages: by their registry's own client, checked against the pinned SHA-256, kept under `target/suites`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use sha2::{Digest, Sha256};

use super::manifest::{Package, Registry};
use super::{Error, process};

/// Where packages and what is unpacked or built from them lie.
pub fn cache(root: &Path) -> PathBuf {
    root.join("target").join("suites")
}

/// Makes sure that `package` is in the cache, and unpacks it; returns the folder of its files.
///
/// # Errors
/// The package cannot be had, or is not the one that the manifest pins.
pub fn package(root: &Path, package: &Package) -> Result<PathBuf, Error> {
    let downloads = cache(root).join("packages");
    fs::create_dir_all(&downloads).map_err(|error| Error::file(&downloads, error))?;
    let file = downloads.join(&package.file);
    let _alone = lock(&file.with_extension("lock"))?;
    if !file.is_file() {
        download(package, &downloads)?;
    }
    check(package, &file)?;
    unpack(package, &file, &cache(root).join("files").join(&package.sha256))
}

/// Waits until nobody else, thread or process, gets the same package; the lock ends with the file's handle.
pub(super) fn lock(path: &Path) -> Result<fs::File, Error> {
    let file = fs::File::create(path).map_err(|error| Error::file(path, error))?;
    file.lock().map_err(|error| Error::file(path, error))?;
    Ok(file)
}

/// A download may be slow; an hour-long one has failed.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(300);
/// Unpacking is quick.
const UNPACK_LIMIT: Duration = Duration::from_secs(60);

fn download(package: &Package, downloads: &Path) -> Result<(), Error> {
    let got = match package.registry {
        Registry::Cargo => cargo(package, downloads),
        Registry::Pip => pip(package, downloads),
    };
    got.map_err(|error| Error::unavailable(format!("package {} {}: {error}", package.name, package.version)))
}

/// `cargo info` downloads one crate, and only that one, into Cargo's own cache.
fn cargo(package: &Package, downloads: &Path) -> Result<(), Error> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Outside the workspace, whose toolchain file and dependencies have no say here.
    command.current_dir(env::temp_dir()).args(["info", "--quiet"]).arg(format!("{}@{}", package.name, package.version));
    process::output(&mut command, DOWNLOAD_LIMIT)?;
    let crates = cargo_home()?.join("registry").join("cache");
    let found =
        subfolders(&crates)?.into_iter().map(|registry| registry.join(&package.file)).find(|file| file.is_file());
    let found =
        found.ok_or_else(|| Error::new(format!("cargo info left no {} below {}", package.file, crates.display())))?;
    copy(&found, &downloads.join(&package.file))
}

fn cargo_home() -> Result<PathBuf, Error> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let default = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    home.or(default).ok_or_else(|| Error::new("neither CARGO_HOME nor HOME is set"))
}

fn pip(package: &Package, downloads: &Path) -> Result<(), Error> {
    let wanted = downloads.join(format!("{}.txt", package.name));
    let pinned = format!("{}=={} --hash=sha256:{}\n", package.name, package.version, package.sha256);
    fs::write(&wanted, pinned).map_err(|error| Error::file(&wanted, error))?;
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]);
    command.arg("--dest").arg(downloads).arg("--requirement").arg(&wanted);
    process::output(&mut command, DOWNLOAD_LIMIT).map(|_| ())
}

/// The package is the pinned one.
fn check(package: &Package, file: &Path) -> Result<(), Error> {
    let bytes = fs::read(file).map_err(|error| Error::file(file, error))?;
    let sha256 = hex(&Sha256::digest(&bytes));
    if sha256 == package.sha256 {
        return Ok(());
    }
    Err(Error::file(
        file,
        format!(
            "SHA-256 is {sha256}, but riscv-tests/MANIFEST.json pins {} for {} {}; delete the file to fetch it again",
            package.sha256, package.name, package.version
        ),
    ))
}

/// Unpacks `file` into `folder`, unless that was done before.
fn unpack(package: &Package, file: &Path, folder: &Path) -> Result<PathBuf, Error> {
    if folder.is_dir() {
        return Ok(folder.to_path_buf());
    }
    // Into a neighbour first: an interrupted unpacking must not look like a finished one.
    let unfinished = folder.with_extension("unfinished");
    let _ = fs::remove_dir_all(&unfinished);
    fs::create_dir_all(&unfinished).map_err(|error| Error::file(&unfinished, error))?;
    match package.registry {
        Registry::Cargo => untar(file, &unfinished)?,
        Registry::Pip => unzip(file, &unfinished)?,
    }
    fs::rename(&unfinished, folder).map_err(|error| Error::file(folder, error))?;
    Ok(folder.to_path_buf())
}

/// Unpacks a compressed tar file.
///
/// # Errors
/// It is none.
pub fn untar(file: &Path, folder: &Path) -> Result<(), Error> {
    let mut command = Command::new("tar");
    command.arg("-xzf").arg(file).arg("-C").arg(folder);
    process::output(&mut command, UNPACK_LIMIT).map(|_| ())
}

/// A wheel is a zip file, and whoever has pip has Python's.
fn unzip(file: &Path, folder: &Path) -> Result<(), Error> {
    let mut command = Command::new("python3");
    command.args(["-m", "zipfile", "-e"]).arg(file).arg(folder);
    process::output(&mut command, UNPACK_LIMIT).map(|_| ())
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::copy(from, to).map(|_| ()).map_err(|error| Error::file(from, error))
}

fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(|error| Error::file(folder, error))?;
    Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect())
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
