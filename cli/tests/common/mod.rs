//! Guests that RISC Zero published, fetched from their packages (riscv-tests/MANIFEST.json).

use std::path::PathBuf;

use lockstep_harness::suites::fetch;
use lockstep_harness::suites::manifest::{Manifest, find_root};

/// A file of a published package.
fn published(package: &str, path: &str) -> PathBuf {
    let root = find_root().expect("the repository is here");
    let manifest = Manifest::read(&root).expect("the manifest is good");
    let package = manifest.package(package).expect("the manifest names the package");
    fetch::package(&root, package).expect("the package can be had").join(path)
}

pub fn log_builder() -> PathBuf {
    published("risc0-povw", "risc0-povw-0.4.3/elfs/risc0-povw-log-builder.bin")
}

pub fn loop_guest() -> PathBuf {
    published("risc0-zkvm", "risc0-zkvm-3.0.6/examples/loop.bin")
}
