//! R0BF, the file that holds a program and its kernel (ELF-11).

use std::fmt;

use risc0_binfmt::{AbiKind, ProgramBinary};

/// RISC Zero's kernel for guests of the v1 ABI, as the crate risc0-zkos-v1compat 2.2 publishes it.
pub const V1COMPAT: &[u8] = risc0_zkos_v1compat::V1COMPAT_ELF;

/// A program and its kernel, both ELF files, taken from an R0BF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binary<'a> {
    /// The program.
    pub program: &'a [u8],
    /// The kernel.
    pub kernel: &'a [u8],
}

/// Why a file is no R0BF file that runs here (ELF-11).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the sentences of Display say what each is")]
pub enum BinaryProblem {
    Truncated { bytes: usize },
    Version(u32),
    Malformed(String),
    AbiKind(String),
    AbiVersion(String),
}

const MAGIC: &[u8] = b"R0BF";
/// The version of the format.
const VERSION: u32 = 1;
/// Magic, version and the length of the header.
const FIXED_BYTES: usize = 12;
/// The major version of the ABI between program and kernel.
const ABI_MAJOR: u64 = 1;

impl<'a> Binary<'a> {
    /// Whether `file` says that it is an R0BF file.
    pub fn is_binary(file: &[u8]) -> bool {
        file.starts_with(MAGIC)
    }

    /// Takes an R0BF file apart.
    ///
    /// # Errors
    /// [`BinaryProblem`], when the file is damaged, or of a version or ABI that does not run here.
    pub fn decode(file: &'a [u8]) -> Result<Binary<'a>, BinaryProblem> {
        let fixed = file.first_chunk::<FIXED_BYTES>().ok_or(BinaryProblem::Truncated { bytes: file.len() })?;
        let version = u32::from_le_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
        if version != VERSION {
            return Err(BinaryProblem::Version(version));
        }
        let binary = ProgramBinary::decode(file).map_err(|error| BinaryProblem::Malformed(format!("{error:#}")))?;
        if binary.header.abi_kind != AbiKind::V1Compat {
            return Err(BinaryProblem::AbiKind(format!("{:?}", binary.header.abi_kind)));
        }
        let abi = &binary.header.abi_version;
        if abi.major != ABI_MAJOR || !abi.pre.is_empty() {
            return Err(BinaryProblem::AbiVersion(abi.to_string()));
        }
        Ok(Binary { program: binary.user_elf, kernel: binary.kernel_elf })
    }
}

impl std::error::Error for BinaryProblem {}

impl fmt::Display for BinaryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BinaryProblem::Truncated { bytes } => {
                write!(f, "truncated: {bytes} bytes, and an R0BF file begins with {FIXED_BYTES} (ELF-11)")
            }
            BinaryProblem::Version(found) => write!(
                f,
                "version {found} of the R0BF format, and only version {VERSION} runs here; build it with risc0-build 3 (ELF-11)"
            ),
            BinaryProblem::Malformed(why) => {
                write!(f, "damaged R0BF file: {why}; is it complete? (ELF-11)")
            }
            BinaryProblem::AbiKind(found) => write!(
                f,
                "an R0BF file for the ABI {found}, and only V1Compat runs here; build it with risc0-build 3 (ELF-11)"
            ),
            BinaryProblem::AbiVersion(found) => write!(
                f,
                "an R0BF file for version {found} of the V1Compat ABI, and only {ABI_MAJOR}.x runs here; build it with risc0-build 3 (ELF-11)"
            ),
        }
    }
}
