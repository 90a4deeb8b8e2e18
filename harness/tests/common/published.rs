//! Files of published packages (riscv-tests/MANIFEST.json).
#![allow(dead_code, reason = "each test uses its part")]

use std::fs;

use lockstep_harness::suites::fetch;
use lockstep_harness::suites::manifest::{Manifest, find_root};

/// A file of the package whose archive is `archive`, which is also the folder in it.
pub fn published(archive: &str, path: &str) -> Vec<u8> {
    let root = find_root().expect("the repository is here");
    let manifest = Manifest::read(&root).expect("the manifest is good");
    let package = manifest.packages.iter().find(|package| package.file == format!("{archive}.crate"));
    let folder = fetch::package(&root, package.expect("the manifest names it")).expect("the package can be had");
    let file = folder.join(archive).join(path);
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The log builder of risc0-povw with the kernel of v2, and the one with the kernel of 5.0.0-rc.1.
pub const LOG_BUILDERS: [&str; 2] = ["risc0-povw-0.4.3", "risc0-povw-0.5.0-rc.1"];

/// An R0BF file, and its published image ID.
pub fn log_builder(archive: &str) -> (Vec<u8>, Vec<u8>) {
    let file = |ending: &str| published(archive, &format!("elfs/risc0-povw-log-builder.{ending}"));
    (file("bin"), file("iid"))
}

/// A program of the crate risc0-bigint2.
pub fn blob(name: &str) -> Vec<u8> {
    let folder = if name.starts_with("ec_") { "ec" } else { "field" };
    published("risc0-bigint2-1.4.14", &format!("src/{folder}/{name}.blob"))
}
