//! riscv-ctg, the official generator of architectural tests, on a coverage file of ours.
//!
//! The generator comes from Python's registry, pinned by hash in `riscv-tests/ctg`, into a virtual environment below
//! `target/suites`; what it makes of one coverage file is made once and kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Error, fetch, process};

/// The folder of the tests for the coverage file `cgf`, with the generator's headers in `env`.
///
/// # Errors
/// The generator cannot be had, or refuses the file.
pub fn generate(root: &Path, cgf: &Path) -> Result<PathBuf, Error> {
    let cache = fetch::cache(root).join("ctg");
    fs::create_dir_all(&cache).map_err(|error| Error::file(&cache, error))?;
    let _alone = fetch::lock(&cache.join("lock"))?;
    let folder = cache.join(key(root, cgf)?);
    if !folder.is_dir() {
        let unfinished = cache.join("unfinished");
        let _ = fs::remove_dir_all(&unfinished);
        run(&install(root, &cache)?, cgf, &unfinished)?;
        fs::rename(&unfinished, &folder).map_err(|error| Error::file(&folder, error))?;
    }
    Ok(folder)
}

/// The pinned packages: those that are built from source need the others.
const PINS: [&str; 2] = ["requirements.txt", "from-source.txt"];

fn pins(root: &Path) -> [PathBuf; 2] {
    PINS.map(|name| root.join("riscv-tests").join("ctg").join(name))
}

/// What the tests are made from, as the name of a folder.
fn key(root: &Path, cgf: &Path) -> Result<String, Error> {
    let mut hash = Sha256::new();
    for path in pins(root).iter().map(PathBuf::as_path).chain([cgf]) {
        hash.update(fs::read(path).map_err(|error| Error::file(path, error))?);
    }
    Ok(fetch::hex(&hash.finalize())[..16].to_string())
}

/// Some megabytes from a registry that may be slow.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);
/// The generator's solver takes a minute or two on two cores that have nothing else to do.
const GENERATE_LIMIT: Duration = Duration::from_secs(1200);

fn install(root: &Path, cache: &Path) -> Result<PathBuf, Error> {
    let venv = cache.join("venv");
    let program = venv.join("bin").join("riscv_ctg");
    if program.is_file() {
        return Ok(program);
    }
    let failed = |error: Error| Error::unavailable(format!("riscv-ctg cannot be installed: {error}"));
    process::output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv), INSTALL_LIMIT)
        .map_err(failed)?;
    let options = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"];
    for (pins, how) in pins(root).iter().zip([&["--only-binary", ":all:"][..], &["--no-build-isolation"][..]]) {
        let mut command = Command::new(venv.join("bin").join("pip"));
        command.args(options).args(how).arg("--requirement").arg(pins);
        process::output(&mut command, INSTALL_LIMIT).map_err(failed)?;
    }
    Ok(program)
}

fn run(program: &Path, cgf: &Path, folder: &Path) -> Result<(), Error> {
    let mut command = Command::new(program);
    command.args(["--verbose", "error", "--base-isa", "rv32i", "--procs", "2"]);
    command.arg("--cgf").arg(cgf).arg("--out-dir").arg(folder);
    process::output(&mut command, GENERATE_LIMIT).map(|_| ()).map_err(|error| Error::file(cgf, error))
}
