//! `lockstep gdb`: a program under a debugger.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitCode};

use lockstep::ecall::{Host, Refused};
use lockstep::gdb::{Abi, End, Inferior, Program, Server};
use lockstep::hart::Machine;
use lockstep::timeline::DEFAULT_BUDGET_BYTES;

use crate::error::Error;
use crate::host::{GuestArgs, GuestHost};
use crate::program::ProgramArgs;

/// The arguments of `lockstep gdb`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    program: ProgramArgs,

    #[command(flatten)]
    guest: GuestArgs,

    /// Wait for a debugger on this address (port 0 takes a free one), instead of starting gdb-multiarch
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,

    /// Run to the fault, or to the end of the program, before the debugger is let in
    #[arg(long)]
    at_fault: bool,

    /// The debugger to start
    #[arg(long, value_name = "COMMAND", default_value = "gdb-multiarch", conflicts_with = "listen")]
    gdb: String,

    /// An option for the debugger, such as --gdb-arg=-batch; may be given several times
    #[arg(long = "gdb-arg", value_name = "TEXT", allow_hyphen_values = true, conflicts_with = "listen")]
    gdb_args: Vec<String>,

    /// Memory for the history that reverse execution needs, in MiB
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_BUDGET_MIB, value_parser = clap::value_parser!(u32).range(1..))]
    history_budget: u32,

    /// Stop before the first instruction of the kernel instead of the program's
    #[arg(long)]
    from_reset: bool,
}

const EXAMPLES: &str = "\
Examples:
  lockstep gdb hello.elf                                  start gdb-multiarch on the program
  lockstep gdb app.elf --at-fault                         ... at its fault; watch x and reverse-continue find the cause
  lockstep gdb hello.elf --listen 127.0.0.1:1234          only serve, for
  gdb-multiarch -ex 'target remote :1234'                 in another terminal; symbols load by themselves

Exit codes: the program's own; 128 and the signal's number if it was ended by one; 0 if the debugger killed it or left.";

const DEFAULT_BUDGET_MIB: u32 = (DEFAULT_BUDGET_BYTES >> 20) as u32;

/// Serves debuggers until the program has ended.
///
/// # Errors
/// A file that cannot be read or is no program, an address that cannot be listened on, a debugger that does not start.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let loaded = args.program.load()?;
    let (is_elf, is_rust) = (!loaded.is_packed, is_rust(&loaded.elf));
    let inferior = inferior(&args, loaded)?;
    let listen = args.listen.as_deref().unwrap_or("127.0.0.1:0");
    let mut server = Server::bind(listen, inferior).map_err(|error| {
        Error::infrastructure(format!("--listen {listen}: {error}; choose another port, or 0 for any free one"))
    })?;
    let addr = server.local_addr().map_err(Error::infrastructure)?;
    if args.listen.is_some() {
        eprintln!("waiting for a debugger on {addr}: gdb-multiarch -ex 'target remote {addr}'");
        return server.serve().map(exit_code).map_err(Error::infrastructure);
    }
    let mut debugger = debugger(&args, addr, is_elf, is_rust)?;
    let mut has_left = || debugger.try_wait().is_ok_and(|status| status.is_some());
    let end = server.serve_while(|| !has_left()).map_err(Error::infrastructure)?;
    debugger.wait().map_err(Error::infrastructure)?;
    // gdb stays when the program has ended, so that `run` runs it again.
    Ok(end.or(server.end_of_program()).map_or(ExitCode::SUCCESS, exit_code))
}

fn exit_code(end: End) -> ExitCode {
    ExitCode::from(match end {
        End::Exited(code) => code,
        End::Died(signal) => SIGNAL_EXIT + signal,
        End::Killed => 0,
    })
}

/// Starts the debugger on this terminal; Ctrl-C is for it, not for us.
///
/// If the file `is_elf` it reads the file itself, otherwise the program in it comes over the wire. If the program `is_rust`
/// its types are shown as rust-gdb shows them.
fn debugger(args: &Args, addr: SocketAddr, is_elf: bool, is_rust: bool) -> Result<Child, Error> {
    ctrlc::set_handler(|| {}).map_err(|error| Error::infrastructure(format!("no handler for Ctrl-C: {error}")))?;
    let mut command = Command::new(&args.gdb);
    command.arg("-q").args(is_rust.then(pretty_printers).unwrap_or_default());
    if is_elf {
        command.args(["-iex", "set sysroot /"]);
    }
    command.args(["-ex", &format!("target extended-remote {addr}"), "-ex", OUR_COMMANDS]).args(&args.gdb_args);
    if is_elf {
        command.arg(&args.program.elf);
    }
    command.spawn().map_err(|error| {
        Error::infrastructure(format!("{}: {error}; install it, or name another debugger with --gdb", args.gdb))
    })
}

/// Fetches the commands of our own: goto, where-written, catch-ecall, ecalls.
pub const OUR_COMMANDS: &str = "python exec(gdb.execute('monitor python', False, True))";

/// What rust-gdb tells gdb, if it is installed: how to show Rust's types.
fn pretty_printers() -> Vec<String> {
    let rustc = Command::new("rustc").args(["--print", "sysroot"]).output();
    let Some(root) = rustc.ok().and_then(|output| String::from_utf8(output.stdout).ok()) else { return Vec::new() };
    let folder = Path::new(root.trim()).join("lib/rustlib/etc");
    if !folder.join("gdb_load_rust_pretty_printers.py").is_file() {
        return Vec::new();
    }
    // A program for a machine without an operating system does not name its printers, as one for Linux does.
    let load = format!(
        "python import sys; sys.path.insert(0, {:?}); import gdb_lookup; \
         gdb_lookup.register_printers(gdb.selected_inferior().progspace)",
        folder.to_string_lossy()
    );
    vec!["-ex".to_owned(), load]
}

/// Whether a Rust compiler made some of the program: each of its functions has its crate in its name. C's unions look like
/// Rust's enums to the printers, so a program in C is better off without.
fn is_rust(elf: &[u8]) -> bool {
    const NAMES: [&[u8]; 3] = [b"rustc version", b"_ZN4core", b"NtCs"];
    NAMES.iter().any(|name| elf.windows(name.len()).any(|bytes| bytes == *name))
}

/// What a shell adds to the number of the signal that ended a process.
const SIGNAL_EXIT: u8 = 128;

fn inferior(args: &Args, program: crate::program::Program) -> Result<Inferior, Error> {
    let machine = program.image.machine().map_err(Error::usage)?;
    let host = FlushingHost(args.guest.host(&args.program, &program, false)?);
    let abi = if program.is_risc0() { Abi::Risc0 } else { Abi::Numbers };
    let kernel = program.kernel_elf.map(|elf| (kernel_path(args, program.is_packed), elf));
    let mut inferior = Inferior::new(
        Program { path: absolute(&args.program.elf), elf: program.elf, kernel, abi },
        machine,
        Box::new(host),
        (args.history_budget as usize) << 20,
    );
    if !args.from_reset {
        inferior.start_at(program.image.entry);
    }
    if args.at_fault {
        inferior.run_to_fault();
    }
    Ok(inferior)
}

/// What the debugger is to call the kernel: its file, or a name of ours if it comes from elsewhere.
fn kernel_path(args: &Args, is_packed: bool) -> String {
    match args.program.kernel.as_str() {
        "default" if is_packed => "/lockstep/kernel-of-file.elf".to_owned(),
        name @ ("default" | "v1compat") => format!("/lockstep/kernel-{name}.elf"),
        path => absolute(Path::new(path)),
    }
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

    fn looks_at_machine(&self) -> bool {
        self.0.looks_at_machine()
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
