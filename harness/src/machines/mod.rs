//! The machines that the harness can ask, one file each.

pub mod emulator;
pub mod plain;
pub mod process;
pub mod rrs;
pub mod softcore;
pub mod spec;
pub mod spike;

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
pub const STEPPABLE: [&str; 4] = ["spec", "spike", "rrs", "softcore"];

/// Every machine, present or not.
pub fn all() -> Vec<Availability> {
    STEPPABLE.iter().map(|&name| Availability { name, version: version(name) }).collect()
}

/// The version of the machine `name`, or why it is skipped.
fn version(name: &str) -> Result<String, String> {
    match name {
        "spec" => Ok(env!("CARGO_PKG_VERSION").into()),
        "spike" => spike::shim().map(|_| spike::VERSION.into()).ok_or("not installed; run `make references`".into()),
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
        "rrs" => Ok(Box::new(plain::Plain::new(rrs::RrsLib))),
        "softcore" => Ok(Box::new(plain::Plain::new(softcore::SailCore::default()))),
        _ => {
            let shim = spike::shim().ok_or_else(|| Unavailable::Skipped("not installed".into()))?;
            spike::Spike::start(shim).map(|spike| Box::new(spike) as Box<dyn Reference>).map_err(Unavailable::Failed)
        }
    }
}
