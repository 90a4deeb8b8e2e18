//! The guest's view of this process: its standard streams, arguments and journal (ECALL-10).

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use lockstep::ecall::{Host, Refused, fd};
use lockstep::hart::Machine;
use lockstep::risc0::{Output, Risc0Host};

use crate::error::Error;
use crate::program::{Program, ProgramArgs};

/// What a program sees of the command line.
#[derive(clap::Args, Clone)]
pub struct GuestArgs {
    /// An argument for the program (`argv[1]` and on); may be given several times
    #[arg(long = "arg", value_name = "TEXT", allow_hyphen_values = true)]
    args: Vec<String>,

    /// More arguments for the program
    #[arg(last = true, value_name = "ARGS")]
    more_args: Vec<String>,

    /// The program's standard input, instead of this process's
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,

    /// A variable of the environment of a RISC Zero guest; may be given several times
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,

    /// Where the random numbers of a RISC Zero guest begin; the same seed gives the same run
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl GuestArgs {
    /// The host that the kernel of `program` expects. The program's standard output goes to stderr if
    /// `is_stdout_taken`.
    ///
    /// # Errors
    /// `--input` cannot be read.
    pub fn host(&self, named: &ProgramArgs, program: &Program, is_stdout_taken: bool) -> Result<GuestHost, Error> {
        let name = named.elf.to_string_lossy().into_owned();
        let arguments: Vec<String> = self.args.iter().chain(&self.more_args).cloned().collect();
        let argv: Vec<String> = [name].into_iter().chain(arguments.iter().cloned()).collect();
        let streams = ProcessHost::new(&argv, self.input.as_deref(), is_stdout_taken)?;
        if !program.is_risc0() {
            return Ok(GuestHost::Plain(streams));
        }
        // RISC Zero's guests have no argv[0].
        Ok(GuestHost::Risc0(Box::new(Risc0Host::new(streams, arguments, self.env.clone(), self.seed))))
    }

    /// As a shell takes them, with a space before each.
    pub fn words(&self) -> String {
        let mut words = String::new();
        for arg in self.args.iter().chain(&self.more_args) {
            words += &format!(" --arg {}", quoted(arg));
        }
        for (name, value) in &self.env {
            words += &format!(" --env {}", quoted(&format!("{name}={value}")));
        }
        if self.seed != 0 {
            words += &format!(" --seed {}", self.seed);
        }
        if let Some(input) = &self.input {
            words += &format!(" --input {}", quoted(&input.to_string_lossy()));
        }
        words
    }
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./=:".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The host that the kernel of a program expects.
pub enum GuestHost {
    /// Of the default kernel, or of none.
    Plain(ProcessHost),
    /// Of RISC Zero's kernels.
    Risc0(Box<Risc0Host<ProcessHost>>),
}

impl GuestHost {
    /// The streams of this process.
    pub fn streams(&mut self) -> &mut ProcessHost {
        match self {
            GuestHost::Plain(host) => host,
            GuestHost::Risc0(host) => &mut host.streams,
        }
    }

    /// RISC Zero's host, if it is one.
    pub fn risc0(&self) -> Option<&Risc0Host<ProcessHost>> {
        match self {
            GuestHost::Plain(_) => None,
            GuestHost::Risc0(host) => Some(host),
        }
    }

    /// What a RISC Zero guest has to commit to, as far as the host knows: its journal and its assumptions.
    pub fn risc0_output(&self) -> Option<Output> {
        self.risc0().map(|host| Output::of(&host.streams.journal, host.assumptions()))
    }

    fn host(&mut self) -> &mut dyn Host {
        match self {
            GuestHost::Plain(host) => host,
            GuestHost::Risc0(host) => host.as_mut(),
        }
    }
}

impl Host for GuestHost {
    fn read(&mut self, order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        self.host().read(order, fd, bytes)
    }

    fn write(&mut self, order: u64, fd: u32, bytes: &[u8]) -> u32 {
        self.host().write(order, fd, bytes)
    }

    fn looks_at_machine(&self) -> bool {
        matches!(self, GuestHost::Risc0(_))
    }

    fn read_for(&mut self, machine: &Machine, fd: u32, bytes: &mut [u8]) -> Result<u32, Refused> {
        self.host().read_for(machine, fd, bytes)
    }

    fn write_for(&mut self, machine: &Machine, fd: u32, bytes: &[u8]) -> Result<u32, Refused> {
        self.host().write_for(machine, fd, bytes)
    }
}

/// A host whose standard streams are those of this process.
pub struct ProcessHost {
    stdin: Box<dyn Read + Send>,
    stdout: Box<dyn Write + Send>,
    arguments: io::Cursor<Vec<u8>>,
    /// What the guest wrote to the journal.
    pub journal: Vec<u8>,
    /// The first error of a stream, with its name. A closed pipe is none: its reader had enough.
    pub error: Option<(&'static str, io::Error)>,
}

impl ProcessHost {
    /// A host that gives the guest `arguments`, `argv[0]` among them, and the file `input` as standard input
    /// if there is one. The guest's standard output goes to stderr if `is_stdout_taken`.
    pub fn new(arguments: &[String], input: Option<&Path>, is_stdout_taken: bool) -> Result<ProcessHost, Error> {
        let stdin: Box<dyn Read + Send> = match input {
            Some(path) => Box::new(io::BufReader::new(
                File::open(path).map_err(|error| Error::usage(format!("--input {}: {error}", path.display())))?,
            )),
            None => Box::new(io::stdin()),
        };
        let stdout: Box<dyn Write + Send> =
            if is_stdout_taken { Box::new(io::stderr()) } else { Box::new(io::stdout()) };
        let arguments = io::Cursor::new(arguments.iter().flat_map(|arg| arg.bytes().chain([0])).collect());
        Ok(ProcessHost { stdin, stdout, arguments, journal: Vec::new(), error: None })
    }

    /// Hands what the guest wrote to the process's streams.
    pub fn flush(&mut self) {
        let result = self.stdout.flush();
        self.note("standard output", result);
    }

    fn note<T>(&mut self, stream: &'static str, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                if error.kind() != io::ErrorKind::BrokenPipe {
                    self.error.get_or_insert((stream, error));
                }
                None
            }
        }
    }
}

impl Host for ProcessHost {
    fn read(&mut self, _order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        let count = match fd {
            fd::STDIN => {
                self.flush();
                let result = self.stdin.read(bytes);
                self.note("standard input", result).unwrap_or(0)
            }
            fd::ARGUMENTS => self.arguments.read(bytes).unwrap_or(0),
            _ => 0,
        };
        count as u32
    }

    fn write(&mut self, _order: u64, fd: u32, bytes: &[u8]) -> u32 {
        let result = match fd {
            fd::STDOUT => self.stdout.write_all(bytes),
            fd::STDERR => io::stderr().write_all(bytes),
            fd::JOURNAL => {
                self.journal.extend_from_slice(bytes);
                Ok(())
            }
            _ => return 0,
        };
        self.note("standard output", result).map_or(0, |()| bytes.len() as u32)
    }
}
