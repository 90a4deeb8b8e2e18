//! poseidon2, sha2 and bigint through RISC Zero's kernel, against published values and other arithmetic
//! (ECALL-11 to ECALL-17). `make risc0-diff` runs the same programs on RISC Zero's executor.

#[path = "common/services.rs"]
mod services;
#[path = "common/v1compat.rs"]
mod v1compat;

use std::fs;

use lockstep::ecall::Halt;
use lockstep::exec::Exit;
use lockstep::loader::{self, Kernel};
use lockstep::risc0::Binary;
use lockstep_harness::suites::fetch;
use lockstep_harness::suites::manifest::{Manifest, find_root};
use services::*;
use v1compat::*;

/// A file of a published package.
fn published(package: &str, path: &str) -> Vec<u8> {
    let root = find_root().expect("the repository is here");
    let manifest = Manifest::read(&root).expect("the manifest is good");
    let package = manifest.package(package).expect("the manifest names the package");
    let file = fetch::package(&root, package).expect("the package can be had").join(path);
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A program of the crate risc0-bigint2.
fn blob(name: &str) -> Vec<u8> {
    let folder = if name.starts_with("ec_") { "ec" } else { "field" };
    published("risc0-bigint2", &format!("risc0-bigint2-1.4.14/src/{folder}/{name}.blob"))
}

fn check(mut case: Case) {
    let mut host = host(&[]);
    let exit = run(&mut case.machine, &mut host);
    assert_eq!(exit, Exit::Terminated { halt: Halt::Halted, user_exit: 0 }, "{}", case.name);
    for (i, (addr, wanted)) in case.wanted.iter().enumerate() {
        assert_eq!(&bytes_at(&case.machine, *addr, wanted.len()), wanted, "{}: result {i}", case.name);
    }
}

#[test]
fn modular_arithmetic() {
    modular(&blob).into_iter().for_each(check);
}

#[test]
fn elliptic_curves() {
    curves(&blob).into_iter().for_each(check);
}

#[test]
fn products_of_the_kernel() {
    check(products());
}

/// FIPS 180-2, B.3.
#[test]
fn sha256_of_a_million_bytes() {
    let wanted = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    check(sha256_of("a million bytes", &[b'a'; 1_000_000], wanted));
}

/// Blocks that differ, against coreutils' sha256sum.
#[test]
fn sha256_of_many_blocks() {
    let message: Vec<u8> = (0..5000u32).map(|i| (i % 251) as u8).collect();
    let wanted = "69dbee893909fa17d1be397e0c07691336fe42049c29d403467d3d4a1fc3b5a1";
    check(sha256_of("many blocks", &message, wanted));
}

/// ELF-12: the published image ID, by the ECALLs alone.
#[test]
fn image_id_by_the_ecalls() {
    let file = published("risc0-povw", "risc0-povw-0.4.3/elfs/risc0-povw-log-builder.bin");
    let id = published("risc0-povw", "risc0-povw-0.4.3/elfs/risc0-povw-log-builder.iid");
    let binary = Binary::decode(&file).expect("it is an R0BF file");
    let image = loader::load(binary.program, Kernel::Elf(binary.kernel)).expect("it loads");
    check(image_id_by_guest(&image.memory, &id));
}
