//! poseidon2, sha2 and bigint through RISC Zero's kernel, against published values and other arithmetic
//! (ECALL-11 to ECALL-17). `make risc0-diff` runs the same programs on RISC Zero's executor.

#[path = "common/published.rs"]
mod published;
#[path = "common/services.rs"]
mod services;
#[path = "common/v1compat.rs"]
mod v1compat;

use lockstep::ecall::Halt;
use lockstep::exec::Exit;
use lockstep::loader::{self, Kernel};
use lockstep::risc0::Binary;
use published::{LOG_BUILDERS, blob, log_builder};
use services::*;
use v1compat::*;

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
fn extension_fields() {
    extensions(&blob).into_iter().for_each(check);
}

#[test]
fn elliptic_curves() {
    curves(&blob).into_iter().for_each(check);
}

#[test]
fn products_of_the_kernel() {
    check(products());
}

/// FIPS 180-2, B.1 and B.2, and NIST's vector of no bits at all (SHA256ShortMsg, Len = 0).
#[test]
fn sha256_of_short_messages() {
    known_digests().into_iter().for_each(check);
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
    let (file, id) = log_builder(LOG_BUILDERS[0]);
    let binary = Binary::decode(&file).expect("it is an R0BF file");
    let image = loader::load(binary.program, Kernel::Elf(binary.kernel)).expect("it loads");
    check(image_id_by_guest(&image.memory, &id));
}
