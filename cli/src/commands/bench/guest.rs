//! A program of the bench in this process: what its work comes to, and how long an engine takes for it.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lockstep::ecall::{Host, fd};
use lockstep::exec::{AnyEngine, Engine, EngineKind, Exit, Until};
use lockstep::hart::Machine;
use lockstep::loader::{self, Image, Kernel};
use lockstep::map::Addr;

use super::programs::Program;
use crate::error::Error;

/// CoreMark's count of iterations in the package's binary, and the loop that it ends in.
const COREMARK_ITERATIONS: Addr = 0x8000_58dc;
const COREMARK_END: Addr = 0x8000_0060;

/// A program, loaded.
pub struct Guest {
    pub program: &'static Program,
    /// The program for RV32IM.
    pub elf: PathBuf,
    /// The program for this host.
    pub native: PathBuf,
    image: Image,
    runs: RefCell<HashMap<u32, Work>>,
}

/// What a scale of a program comes to.
#[derive(Clone, Debug)]
pub struct Work {
    /// Guest instructions, the kernel's included.
    pub instructions: u64,
    /// What it printed.
    pub output: Vec<u8>,
    /// The digest of the machine at the end.
    pub digest: [u8; 32],
}

/// Gives arguments and keeps output.
pub struct MemoryHost {
    arguments: Vec<u8>,
    output: Vec<u8>,
}

impl Host for MemoryHost {
    fn read(&mut self, _order: u64, descriptor: u32, bytes: &mut [u8]) -> u32 {
        if descriptor != fd::ARGUMENTS {
            return 0;
        }
        let count = bytes.len().min(self.arguments.len());
        bytes[..count].copy_from_slice(&self.arguments[..count]);
        self.arguments.drain(..count);
        count as u32
    }

    fn write(&mut self, _order: u64, _descriptor: u32, bytes: &[u8]) -> u32 {
        self.output.extend(bytes);
        bytes.len() as u32
    }
}

impl Guest {
    /// Loads `program` from `folder`.
    ///
    /// # Errors
    /// It is not there, or no program.
    pub fn load(folder: &Path, program: &'static Program) -> Result<Guest, Error> {
        let elf = folder.join(format!("{}.elf", program.name));
        let bytes = fs::read(&elf).map_err(|error| {
            Error::usage(format!("{}: {error}; build it with `make bench-programs`", elf.display()))
        })?;
        let kernel = if program.is_bare { Kernel::None } else { Kernel::Default };
        let image = loader::load(&bytes, kernel)
            .map_err(|error| Error::usage(format!("{}: {}", elf.display(), error.problem)))?;
        let native = folder.join(format!("{}.native", program.name));
        Ok(Guest { program, elf, native, image, runs: RefCell::default() })
    }

    /// A machine about to begin the work, and its host.
    pub fn machine(&self, scale: u32) -> Result<(Machine, MemoryHost), Error> {
        let mut machine = self.image.machine().map_err(Error::usage)?;
        if self.program.is_bare {
            machine.set_word(COREMARK_ITERATIONS, scale);
        }
        let arguments = format!("{}\0{scale}\0", self.program.name).into_bytes();
        Ok((machine, MemoryHost { arguments, output: Vec::new() }))
    }

    /// A machine about to make the program's own first step.
    pub fn machine_at_entry(&self, scale: u32) -> Result<(Machine, MemoryHost), Error> {
        let (mut machine, mut host) = self.machine(scale)?;
        if machine.hart.pc != self.image.entry {
            let entry = BTreeSet::from([self.image.entry]);
            let until = Until { breakpoints: Some(&entry), ..Until::END };
            AnyEngine::new(EngineKind::Step).run(&mut machine, &mut host, until, &mut ());
        }
        Ok((machine, host))
    }

    /// Where the program is done, if it does not say so itself.
    pub fn end(&self) -> Option<Addr> {
        self.program.is_bare.then_some(COREMARK_END)
    }

    /// Does the work, once a scale.
    ///
    /// # Errors
    /// The program does not come to its end.
    pub fn run(&self, scale: u32) -> Result<Work, Error> {
        if let Some(work) = self.runs.borrow().get(&scale) {
            return Ok(work.clone());
        }
        let (work, _) = self.work(EngineKind::FASTEST, scale)?;
        self.runs.borrow_mut().insert(scale, work.clone());
        Ok(work)
    }

    /// The seconds that a new engine of `kind` takes for the work.
    ///
    /// # Errors
    /// It comes to another end than the fastest engine.
    pub fn seconds(&self, kind: EngineKind, scale: u32) -> Result<f64, Error> {
        let expected = self.run(scale)?;
        let (work, seconds) = self.work(kind, scale)?;
        if (work.instructions, &work.output, work.digest) != (expected.instructions, &expected.output, expected.digest)
        {
            let (name, engine) = (self.program.name, kind.name());
            return Err(Error::infrastructure(format!("{name} ends otherwise on {engine} than on the fastest engine")));
        }
        Ok(seconds)
    }

    fn work(&self, kind: EngineKind, scale: u32) -> Result<(Work, f64), Error> {
        let (mut machine, mut host) = self.machine(scale)?;
        let end: BTreeSet<Addr> = self.end().into_iter().collect();
        let until = Until { breakpoints: Some(&end).filter(|end| !end.is_empty()), ..Until::END };
        let mut engine = AnyEngine::new(kind);
        let start = Instant::now();
        let exit = engine.run(&mut machine, &mut host, until, &mut ());
        let seconds = start.elapsed().as_secs_f64();
        if !matches!(exit, Exit::Terminated { .. } | Exit::Breakpoint) {
            return Err(Error::infrastructure(format!("{} does not end: {exit:?}", self.program.name)));
        }
        let instructions = machine.hart.instructions;
        Ok((Work { instructions, output: host.output, digest: machine.digest() }, seconds))
    }
}
