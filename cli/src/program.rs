//! The program and kernel that a command line names.

use std::fs;
use std::path::{Path, PathBuf};

use lockstep::isa::{Insn, Op, decode};
use lockstep::loader::{self, File, Image, Kernel};
use lockstep::map;
use lockstep::risc0::{self, Binary};
use lockstep::symbols::Symbols;

use crate::error::Error;

/// Which program to load, and the kernel beneath it.
#[derive(clap::Args, Clone)]
pub struct ProgramArgs {
    /// The program: an ELF file for RV32IM, or an R0BF file with a program and its kernel
    #[arg(value_name = "FILE")]
    pub elf: PathBuf,

    /// The kernel beneath the program: `default` (ours, or the R0BF file's own), `none` (the program runs in
    /// machine mode), `v1compat` (RISC Zero's), an ELF file, or an R0BF file for the kernel in it
    #[arg(long, value_name = "default|none|v1compat|FILE", default_value = "default")]
    pub kernel: String,
}

/// A loaded program with what is known of its addresses.
pub struct Program {
    /// The image, ready to run.
    pub image: Image,
    /// The program's ELF file.
    pub elf: Vec<u8>,
    /// The kernel's ELF file, if there is one.
    pub kernel_elf: Option<Vec<u8>>,
    /// Whether the file that was named is no ELF file but holds them: an R0BF file.
    pub is_packed: bool,
}

impl ProgramArgs {
    /// Reads the files and makes the image.
    ///
    /// # Errors
    /// A sentence that names the file, the place and the rule (ELF-1 to ELF-11).
    pub fn load(&self) -> Result<Program, Error> {
        let file = read(&self.elf)?;
        let is_packed = Binary::is_binary(&file);
        let (elf, own_kernel) = self.unpack(file)?;
        let kernel_file = match (self.kernel.as_str(), own_kernel) {
            ("default", Some(own)) => Some(own),
            ("default", None) => Some(lockstep::kernel::DEFAULT.to_vec()),
            ("none", _) => None,
            ("v1compat", _) => Some(risc0::V1COMPAT.to_vec()),
            (path, _) => Some(self.kernel_in(read(Path::new(path))?)?),
        };
        let kernel = kernel_file.as_deref().map_or(Kernel::None, Kernel::Elf);
        let image = loader::load(&elf, kernel).map_err(|error| match error.file {
            File::Program => Error::usage(format!("{}: {}", self.elf.display(), error.problem)),
            File::Kernel => Error::usage(format!("kernel {}: {}", self.kernel, error.problem)),
        })?;
        Ok(Program { image, elf, kernel_elf: kernel_file, is_packed })
    }

    /// The kernel in a file: the file itself, or the kernel of an R0BF file.
    fn kernel_in(&self, file: Vec<u8>) -> Result<Vec<u8>, Error> {
        if !Binary::is_binary(&file) {
            return Ok(file);
        }
        let binary = Binary::decode(&file).map_err(|why| Error::usage(format!("kernel {}: {why}", self.kernel)))?;
        Ok(binary.kernel.to_vec())
    }

    /// The ELF file of the program, and of its kernel if `file` has one (ELF-11).
    fn unpack(&self, file: Vec<u8>) -> Result<(Vec<u8>, Option<Vec<u8>>), Error> {
        if !Binary::is_binary(&file) {
            return Ok((file, None));
        }
        let binary =
            Binary::decode(&file).map_err(|problem| Error::usage(format!("{}: {problem}", self.elf.display())))?;
        Ok((binary.program.to_vec(), Some(binary.kernel.to_vec())))
    }
}

impl Program {
    /// Whether the kernel is made for RISC Zero, and so expects its host (ELF-10).
    pub fn is_risc0(&self) -> bool {
        self.kernel_elf.as_deref().is_some_and(loader::is_v2_kernel)
    }

    /// Whether the program calls RISC Zero's kernel and has another one beneath it.
    pub fn misses_risc0(&self) -> bool {
        // Each of its system calls goes by a name that begins so (HOST-2).
        const NAME: &[u8] = b"risc0_zkvm_platform::syscall";
        !self.is_risc0() && self.elf.windows(NAME.len()).any(|bytes| bytes == NAME)
    }

    /// Whether the kernel looks at the machine's version word (MAP-12), and so may want another machine than v2.
    pub fn kernel_asks_version(&self) -> bool {
        // A compiler puts the load close to the upper half of its address.
        const WINDOW: usize = 4;
        let kernel = self.kernel_elf.as_deref().unwrap_or_default();
        let words: Vec<u32> = kernel.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        words.windows(WINDOW).any(loads_version)
    }

    /// The program's symbols.
    pub fn symbols(&self) -> Symbols {
        Symbols::of(&self.elf)
    }

    /// The kernel's symbols; none without a kernel.
    pub fn kernel_symbols(&self) -> Symbols {
        Symbols::of(self.kernel_elf.as_deref().unwrap_or_default())
    }
}

/// Whether these words begin with a LUI that one of the others completes to a load of the version word.
fn loads_version(words: &[u32]) -> bool {
    let Some(upper) = words.first().and_then(|word| decode(*word)).filter(|insn| insn.op == Op::Lui) else {
        return false;
    };
    let completes = |insn: Insn| insn.op == Op::Lw && insn.rs1 == upper.rd;
    let loads = words[1..].iter().filter_map(|word| decode(*word)).filter(|insn| completes(*insn));
    loads.into_iter().any(|load| upper.imm.wrapping_add(load.imm) as u32 == map::VERSION_WORD)
}

/// The bytes of a file that the user named.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::usage(format!("{}: {error}", path.display())))
}
