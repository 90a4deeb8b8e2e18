//! Compiling test sources with the RISC-V GNU toolchain and our environment.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::{Error, process};

/// The compiler, as Debian names it.
pub const COMPILER: &str = "riscv64-unknown-elf-gcc";

/// One program to compile.
#[derive(Clone, Debug)]
pub struct Source {
    /// The assembly file.
    pub source: PathBuf,
    /// The ELF file to write.
    pub elf: PathBuf,
    /// Folders with headers, first match wins; our environment folder comes before them.
    pub includes: Vec<PathBuf>,
    /// Macros, as `NAME` or `NAME=VALUE`.
    pub defines: Vec<String>,
    /// `-march`: today's assemblers want extensions named that only the environment of others uses.
    pub arch: &'static str,
}

/// RV32IM, as the machine is (ISA-1).
pub const RV32IM: &str = "rv32im";
/// RV32IM for sources that hold FENCE.I or CSR instructions, which the machine will refuse.
pub const RV32IM_ZICSR: &str = "rv32im_zicsr_zifencei";

/// A compiler that takes a minute for one assembly file hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Compiles `source` unless its ELF file is newer than all that it is made from.
///
/// # Errors
/// The compiler is missing or refuses the source.
pub fn compile(root: &Path, source: &Source) -> Result<(), Error> {
    let environment = root.join("riscv-tests").join("env");
    if is_fresh(source, &environment) {
        return Ok(());
    }
    if let Some(folder) = source.elf.parent() {
        fs::create_dir_all(folder).map_err(|error| Error::file(folder, error))?;
    }
    let mut command = Command::new(COMPILER);
    command.args(["-mabi=ilp32", "-nostdlib", "-nostartfiles", "-static", "-x", "assembler-with-cpp"]);
    command.arg(format!("-march={}", source.arch));
    // -Wl,--no-relax: what is written is what runs. --build-id=none: no segment of the linker's own.
    command.args(["-Wl,--no-relax", "-Wl,--build-id=none", "-Wl,-z,max-page-size=16", "-Wl,--no-warn-rwx-segments"]);
    command.arg("-T").arg(environment.join("link.ld"));
    command.arg("-I").arg(&environment);
    command.args(source.includes.iter().flat_map(|folder| [OsStr::new("-I"), folder.as_os_str()]));
    command.args(source.defines.iter().map(|define| format!("-D{define}")));
    command.arg("-o").arg(&source.elf).arg(&source.source);
    process::output(&mut command, LIMIT).map(|_| ()).map_err(|error| explain(source, error))
}

fn explain(source: &Source, error: Error) -> Error {
    if error.text.contains("cannot be started") {
        return Error::unavailable(format!("{error}; install the Debian package gcc-riscv64-unknown-elf"));
    }
    Error::file(&source.source, error)
}

/// Whether the ELF file is newer than the source, its folders of headers and our environment.
fn is_fresh(source: &Source, environment: &Path) -> bool {
    let Some(built) = modified(&source.elf) else { return false };
    let mut inputs = vec![source.source.clone()];
    for folder in source.includes.iter().map(PathBuf::as_path).chain([environment]) {
        inputs.extend(fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()));
    }
    inputs.iter().all(|input| modified(input).is_some_and(|time| time <= built))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
