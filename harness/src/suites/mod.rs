//! The conformance suites: what tests there are, where they come from, and when each one has passed.
//!
//! Other people's tests are not in the repository. [`fetch`] takes them from their packages,
//! [`collect`] turns each into a [`Test`]: a program, the kernel it wants and the end it must come to.

pub mod bench_elf;
pub mod collect;
pub mod compile;
pub mod ctg;
pub mod directory;
pub mod elf;
pub mod fetch;
pub mod generated;
pub mod hex;
pub mod manifest;
pub mod own;
pub mod process;
pub mod signature;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockstep::ecall::Halt;
use lockstep::hart::{Machine, StartError};
use lockstep::isa::Reg;
use lockstep::loader::{self, Kernel};
use lockstep::map::{self, Addr, Mode};
use lockstep::mem::Memory;
use lockstep::trap::Cause;

/// One test: a program and what must become of it.
#[derive(Clone, Debug)]
pub struct Test {
    /// The suite it belongs to.
    pub suite: String,
    /// Its name in the suite, such as `add` or `ends/halt_0`.
    pub name: String,
    /// The program.
    pub program: Program,
    /// When it has passed.
    pub end: End,
    /// What the program reads from standard input.
    pub stdin: Vec<u8>,
    /// What the program must write to standard output, if the test says.
    pub stdout: Option<Vec<u8>>,
    /// The clauses of spec/SPEC.md that it is evidence for, where it names them.
    pub clauses: Vec<String>,
}

/// The program of a test, in the form its suite keeps it.
#[derive(Clone, Debug)]
pub enum Program {
    /// An ELF file under kernel `none` (ELF-9).
    MachineElf(PathBuf),
    /// An ELF file in machine mode that was built for a test bench: it starts at another address than its entry, and
    /// what the bench would have done is done to its image.
    ElfFrom {
        /// The file.
        path: PathBuf,
        /// The pc of the first step.
        start: Addr,
        /// Words that memory holds at the start instead of the file's.
        words: Vec<(Addr, u32)>,
    },
    /// An ELF file under the default kernel.
    UserElf(PathBuf),
    /// Words that a generator of ours made.
    Generated {
        /// The image.
        chunks: Arc<generated::Chunks>,
        /// The pc of the first step.
        start: Addr,
        /// Its mode.
        mode: Mode,
    },
    /// An Intel hex file, started in machine mode at an address.
    Hex {
        /// The file.
        path: PathBuf,
        /// The pc of the first step.
        start: Addr,
        /// Where the whole program starts, and the word by which it tells its host how it ended, if it does.
        bench: Option<Bench>,
    },
}

/// What a machine with CSRs needs to run an official program from its reset code on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bench {
    /// The first instruction of the reset code.
    pub entry: Addr,
    /// The word `tohost` of the host-target interface.
    pub to_host: Addr,
}

/// The end that is a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// terminate (ECALL-2).
    Terminate {
        /// Halt or pause.
        halt: Halt,
        /// The exit code of the program.
        user_exit: u16,
        /// Machine registers that must hold these values.
        registers: Vec<(Reg, u32)>,
    },
    /// A fault report (TRAP-5, TRAP-6).
    Fault {
        /// Its cause.
        cause: Cause,
        /// Its address.
        addr: u32,
        /// Its pc.
        pc: Addr,
        /// Its mode.
        mode: Mode,
        /// Its user pc.
        user_pc: Option<Addr>,
    },
    /// The first ECALL is reached with these register values; the ECALL is not executed.
    Ecall {
        /// Registers of the current mode that must hold these values.
        registers: Vec<(Reg, u32)>,
    },
    /// What the executable specification comes to on the same image: the same end in the same state.
    Spec {
        /// Where both are stopped, if the program does not end by itself.
        halt: Option<Addr>,
        /// What a reference model left in memory, if its signature came with the test.
        signature: Option<Signature>,
    },
    /// The program checks itself and tells its test bench.
    Reports {
        /// Where it has passed.
        pass: Vec<Addr>,
        /// Where it has failed.
        fail: Vec<Addr>,
        /// The word `tohost` of the host-target interface: 1 is a pass, another odd number a failure.
        to_host: Option<Addr>,
    },
    /// pc reaches `halt`, and memory holds these words from `start` on.
    Signature {
        /// Where the program is done.
        halt: Addr,
        /// The first word of the signature.
        start: Addr,
        /// The words.
        words: Vec<u32>,
    },
}

/// Words that a reference model left in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The address of the first.
    pub start: Addr,
    /// The words.
    pub words: Vec<u32>,
}

impl End {
    /// The specification's end, wherever it is.
    pub const SPEC: End = End::Spec { halt: None, signature: None };

    /// terminate, halted, with this exit code.
    pub fn exit(user_exit: u16) -> End {
        End::Terminate { halt: Halt::Halted, user_exit, registers: Vec::new() }
    }
}

impl Test {
    /// `suite/name`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.suite, self.name)
    }

    /// A machine about to make the test's first step.
    ///
    /// # Errors
    /// One sentence that names the file and what is wrong with it.
    pub fn machine(&self) -> Result<Machine, Error> {
        let (path, kernel) = match &self.program {
            Program::MachineElf(path) => (path, Kernel::None),
            Program::UserElf(path) => (path, Kernel::Default),
            Program::ElfFrom { path, .. } => (path, Kernel::None),
            Program::Hex { path, start, .. } => return hex::machine(path, &read(path)?, *start),
            Program::Generated { chunks, start, mode } => return generated_machine(chunks, *start, *mode),
        };
        let mut image = loader::load(&read(path)?, kernel).map_err(|error| Error::file(path, error))?;
        if let Program::ElfFrom { start, words, .. } = &self.program {
            image.memory.set_word(map::SUSPEND_PC, *start);
            words.iter().for_each(|(addr, word)| image.memory.set_word(*addr, *word));
        }
        image.machine().map_err(|error| Error::file(path, error))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| Error::file(path, error))
}

fn generated_machine(chunks: &generated::Chunks, start: Addr, mode: Mode) -> Result<Machine, Error> {
    let mut memory = Memory::new();
    for (addr, words) in chunks {
        words.iter().zip((*addr..).step_by(4)).for_each(|(word, addr)| memory.set_word(addr, *word));
    }
    machine_at(memory, start, mode).map_err(|error| Error::new(format!("a generated program: {error}")))
}

/// A machine at `start` with `memory`.
pub(crate) fn machine_at(mut memory: Memory, start: Addr, mode: Mode) -> Result<Machine, StartError> {
    memory.set_word(map::SUSPEND_PC, start);
    memory.set_word(map::SUSPEND_MODE, mode as u32);
    Machine::from_image(memory)
}

/// Why a suite cannot be run. Displays as one sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The sentence.
    pub text: String,
    /// Whether it is that a package or a tool cannot be had.
    pub is_infrastructure: bool,
}

impl Error {
    /// Something is wrong with what we were given.
    pub fn new(text: impl Into<String>) -> Error {
        Error { text: text.into(), is_infrastructure: false }
    }

    /// What is wrong with `path`.
    pub fn file(path: &Path, problem: impl fmt::Display) -> Error {
        Error::new(format!("{}: {problem}", path.display()))
    }

    /// A package or tool cannot be had.
    pub fn unavailable(text: impl Into<String>) -> Error {
        Error { text: text.into(), is_infrastructure: true }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
