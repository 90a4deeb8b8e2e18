//! `lockstep gdb`: a program under a debugger.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lockstep::ecall::{Host, Refused};
use lockstep::gdb::{End, Inferior, Program, Server};
use lockstep::hart::Machine;

use crate::error::Error;
use crate::host::{GuestHost, ProcessHost, Risc0Args};
use crate::program::ProgramArgs;

/// The arguments of `lockstep gdb`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    program: ProgramArgs,

    /// An argument for the program (argv[1] and on); may be given several times
    #[arg(long = "arg", value_name = "TEXT", allow_hyphen_values = true)]
    args: Vec<String>,

    /// More arguments for the program
    #[arg(last = true, value_name = "ARGS")]
    more_args: Vec<String>,

    /// The program's standard input, instead of this process's
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,

    #[command(flatten)]
    risc0: Risc0Args,

    /// Wait for a debugger on this address; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1234")]
    listen: String,

    /// Stop before the first instruction of the kernel instead of the program's
    #[arg(long)]
    from_reset: bool,
}

const EXAMPLES: &str = "\
Examples:
  lockstep gdb hello.elf --listen 127.0.0.1:1234
  gdb-multiarch -ex 'target remote :1234'                 in another terminal; symbols load by themselves

Exit codes: the program's own; 128 and the signal's number if it was ended by one; 0 if the debugger killed it.";

/// Serves debuggers until the program has ended.
///
/// # Errors
/// A file that cannot be read or is no program, or an address that cannot be listened on.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let inferior = inferior(&args)?;
    let mut server = Server::bind(args.listen.as_str(), inferior).map_err(|error| {
        Error::infrastructure(format!("--listen {}: {error}; choose another port, or 0 for any free one", args.listen))
    })?;
    let addr = server.local_addr().map_err(Error::infrastructure)?;
    eprintln!("waiting for a debugger on {addr}: gdb-multiarch -ex 'target remote {addr}'");
    let end = server.serve().map_err(Error::infrastructure)?;
    Ok(ExitCode::from(match end {
        End::Exited(code) => code,
        End::Died(signal) => SIGNAL_EXIT + signal,
        End::Killed => 0,
    }))
}

/// What a shell adds to the number of the signal that ended a process.
const SIGNAL_EXIT: u8 = 128;

fn inferior(args: &Args) -> Result<Inferior, Error> {
    let program = args.program.load()?;
    let machine = program.image.machine().map_err(Error::usage)?;
    let name = args.program.elf.to_string_lossy().into_owned();
    let argv: Vec<String> = [name].into_iter().chain(args.args.iter().chain(&args.more_args).cloned()).collect();
    let streams = ProcessHost::new(&argv, args.input.as_deref(), false)?;
    let host = FlushingHost(GuestHost::new(streams, program.is_risc0(), &argv, &args.risc0));
    let mut inferior =
        Inferior::new(Program { path: absolute(&args.program.elf), elf: program.elf }, machine, Box::new(host));
    if !args.from_reset {
        inferior.start_at(program.image.entry);
    }
    Ok(inferior)
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

/// Shows what the program wrote at once: a debugger stops it in the middle of a line.
struct FlushingHost(GuestHost);

impl Host for FlushingHost {
    fn read(&mut self, order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        self.0.read(order, fd, bytes)
    }

    fn write(&mut self, order: u64, fd: u32, bytes: &[u8]) -> u32 {
        let count = self.0.write(order, fd, bytes);
        self.0.streams().flush();
        count
    }

    fn read_for(&mut self, machine: &Machine, fd: u32, bytes: &mut [u8]) -> Result<u32, Refused> {
        // A guest of RISC Zero's kernel writes by a read (HOST-1).
        let result = self.0.read_for(machine, fd, bytes);
        self.0.streams().flush();
        if let Some(why) = self.0.risc0().and_then(|host| host.refusal()) {
            eprintln!("{why}");
        }
        result
    }

    fn write_for(&mut self, machine: &Machine, fd: u32, bytes: &[u8]) -> Result<u32, Refused> {
        let result = self.0.write_for(machine, fd, bytes);
        self.0.streams().flush();
        result
    }
}
