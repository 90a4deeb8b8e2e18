//! `riscv-tests/MANIFEST.json`: where the suites come from, and how many tests each has.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Error;

/// The manifest.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// The packages that carry tests.
    pub packages: Vec<Package>,
    /// The suites, in the order of the report.
    pub suites: Vec<Suite>,
}

/// A package of a registry, pinned.
#[derive(Clone, Debug, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The registry, by the name of its client.
    pub registry: Registry,
    /// The file that the client downloads.
    pub file: String,
    /// SHA-256 of that file, in hex.
    pub sha256: String,
    /// The licence of what is in it.
    pub licence: String,
}

/// A registry, by the name of its client.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Registry {
    /// Rust's.
    Cargo,
    /// Python's.
    Pip,
}

/// A suite.
#[derive(Clone, Debug, Deserialize)]
pub struct Suite {
    /// Its name in the report.
    pub name: String,
    /// What it is, in one line.
    pub about: String,
    /// Its form.
    pub kind: Kind,
    /// The package that it is in; none for our own.
    pub package: Option<String>,
    /// The file or folder in the package, or from the root of the repository.
    pub path: String,
    /// Files that are not tests, or that cannot run here, each with the reason.
    #[serde(default)]
    pub skip: Vec<Skip>,
    /// How many tests there must be, at least.
    pub tests: usize,
}

/// A file of a suite that is not run.
#[derive(Clone, Debug, Deserialize)]
pub struct Skip {
    /// The file, or the beginning of its name followed by `*`.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl Suite {
    /// Why the file called `name` is not run, if it is not.
    pub fn skips(&self, name: &str) -> Option<&str> {
        let matches = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        };
        self.skip.iter().find(|skip| matches(&skip.name)).map(|skip| skip.reason.as_str())
    }
}

/// The form of a suite.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A tar file of ELF files that end as RISC Zero's do.
    Risc0Elf,
    /// A folder of riscv-tests sources, compiled with our environment for machine and for user mode.
    RiscvTestsSource,
    /// A folder of hex files of the official `-p-` builds.
    RiscvTestsHex,
    /// A folder of hex files of riscv-compliance, with reference signatures.
    ComplianceHex,
    /// Our own programs.
    Own,
    /// Programs generated from the coverage points.
    Generated,
    /// Architectural tests that riscv-ctg generates from a coverage file.
    Ctg,
}

impl Manifest {
    /// Reads the manifest of the checkout at `root`.
    ///
    /// # Errors
    /// A file that is missing or is no manifest.
    pub fn read(root: &Path) -> Result<Manifest, Error> {
        let path = path(root);
        let text = std::fs::read_to_string(&path).map_err(|error| Error::file(&path, error))?;
        serde_json::from_str(&text).map_err(|error| Error::file(&path, error))
    }

    /// The package called `name`.
    ///
    /// # Errors
    /// None has that name.
    pub fn package(&self, name: &str) -> Result<&Package, Error> {
        let found = self.packages.iter().find(|package| package.name == name);
        found.ok_or_else(|| {
            Error::new(format!("riscv-tests/MANIFEST.json: a suite names the package {name}, which is not listed"))
        })
    }
}

/// The manifest of the checkout at `root`.
pub fn path(root: &Path) -> PathBuf {
    root.join("riscv-tests").join("MANIFEST.json")
}

/// The root of the checkout that the current directory is in.
///
/// # Errors
/// The current directory is not in a checkout of Lockstep.
pub fn find_root() -> Result<PathBuf, Error> {
    let here = std::env::current_dir().map_err(|error| Error::new(format!("the current directory: {error}")))?;
    let root = here.ancestors().find(|folder| path(folder).is_file());
    root.map(Path::to_path_buf).ok_or_else(|| {
        Error::new(format!(
            "{}: no riscv-tests/MANIFEST.json here or above; run this inside a checkout of Lockstep",
            here.display()
        ))
    })
}
