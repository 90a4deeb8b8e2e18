//! The machines that the harness can ask, one file each.

pub mod emulator;
pub mod log;
pub mod plain;
pub mod process;
pub mod qemu;
#[cfg(feature = "risc0")]
pub mod risc0;
pub mod rrs;
pub mod rvfi;
pub mod sail;
pub mod softcore;
pub mod spec;
pub mod spike;
pub mod spike_cli;

use std::path::Path;

use lockstep::map::Addr;

use self::log::Log;
use crate::machine::{Failure, Reference};

/// A machine that the harness knows, and whether it can be had here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// The name, for `--diff` and for reports.
    pub name: &'static str,
    /// Its version, or the reason why it is skipped.
    pub version: Result<String, String>,
}

/// The machines that can run beside ours step by step, in the order of reports.
pub const STEPPABLE: [&str; 5] = ["spec", "spike", "rrs", "softcore", "qemu"];

/// The simulators that run a whole ELF file in machine mode and leave a log.
pub const LOGGED: [&str; 2] = ["spike-cli", "sail"];

/// Every machine, present or not.
pub fn all() -> Vec<Availability> {
    STEPPABLE.iter().chain(&LOGGED).map(|&name| Availability { name, version: version(name) }).collect()
}

/// The version of the machine `name`, or why it is skipped.
fn version(name: &str) -> Result<String, String> {
    match name {
        "spec" => Ok(env!("CARGO_PKG_VERSION").into()),
        "spike" => spike::shim().map(|_| spike::VERSION.into()).ok_or("not installed; run `make references`".into()),
        "qemu" => qemu::version(qemu::SYSTEM).ok_or_else(|| format!("{} not installed", qemu::SYSTEM)),
        "spike-cli" => spike_cli::missing().map_or(Ok(spike::VERSION.into()), |reason| Err(reason.into())),
        "sail" => match sail::Sail::find() {
            Ok(Some(sail)) => Ok(sail.version),
            Ok(None) => Err(sail::NOT_INSTALLED.into()),
            Err(failure) => Err(failure.to_string()),
        },
        "rrs" => Ok("crate rrs-lib 0.1.0".into()),
        "softcore" => Ok("crate softcore-rv64 0.6.0 (Sail model in Rust)".into()),
        other => Err(format!("no machine is called {other}")),
    }
}

/// Why a machine cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// It is not here: a skip, for this reason.
    Skipped(String),
    /// It is here and out of order.
    Failed(Failure),
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unavailable::Skipped(reason) => f.write_str(reason),
            Unavailable::Failed(failure) => failure.fmt(f),
        }
    }
}

/// Starts the machine `name` of [`STEPPABLE`].
///
/// # Errors
/// It is not installed, or does not start.
pub fn open(name: &str) -> Result<Box<dyn Reference>, Unavailable> {
    version(name).map_err(Unavailable::Skipped)?;
    match name {
        "spec" => Ok(Box::new(spec::Spec::new())),
        "qemu" => qemu::Qemu::start().map(|qemu| Box::new(qemu) as Box<dyn Reference>).map_err(Unavailable::Failed),
        "rrs" => Ok(Box::new(plain::Plain::new(rrs::RrsLib))),
        "softcore" => Ok(Box::new(plain::Plain::new(softcore::SailCore::default()))),
        _ => {
            let shim = spike::shim().ok_or_else(|| Unavailable::Skipped("not installed".into()))?;
            spike::Spike::start(shim).map(|spike| Box::new(spike) as Box<dyn Reference>).map_err(Unavailable::Failed)
        }
    }
}

/// Runs `elf`, whose entry is `entry`, for at most `limit` steps on the simulator `name` of [`LOGGED`].
/// `folder` takes its files.
///
/// # Errors
/// It is not installed, or fails.
pub fn log(name: &str, elf: &Path, entry: Addr, limit: u64, folder: &Path) -> Result<Log, Unavailable> {
    version(name).map_err(Unavailable::Skipped)?;
    let log = match name {
        "spike-cli" => spike_cli::run(elf, entry, limit, folder),
        _ => match sail::Sail::find() {
            Ok(Some(sail)) => sail.run(elf, entry, limit, folder).map(|run| run.log),
            Ok(None) => return Err(Unavailable::Skipped(sail::NOT_INSTALLED.into())),
            Err(failure) => Err(failure),
        },
    };
    match log {
        // No step compared must never look like agreement.
        Ok(log) if log.steps.is_empty() => Err(Unavailable::Failed(Failure::Garbled(format!(
            "the log of {name} never reaches the entry 0x{entry:08x}"
        )))),
        log => log.map_err(Unavailable::Failed),
    }
}
