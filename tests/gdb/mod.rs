//! What the debugger's tests share: compiling the debuggee, serving it, and gdb scripts with expected output.

#![allow(dead_code)] // Each test uses a part.

use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread::JoinHandle;

use lockstep::ecall::Host;
use lockstep::gdb::{End, Inferior, Program, Server};
use lockstep::loader::{self, Kernel};

/// Compiles `tests/gdb/debuggee.c` with the fault number `fault` (0: none), at -O0.
pub fn debuggee(fault: u32) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gdb/debuggee.c");
    compile(&source, &format!("debuggee{fault}"), &[&format!("-DFAULT={fault}")])
}

/// Compiles `source` to an ELF file named `name` in a folder of this test process.
pub fn compile(source: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gdb-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the folder of the test can be made");
    let elf = folder.join(format!("{name}.elf"));
    // Tests of one process run at the same time, and gdb notices when a file changes.
    static COMPILING: Mutex<()> = Mutex::new(());
    let _compiling = COMPILING.lock();
    if elf.exists() {
        return elf;
    }
    let partial = folder.join(format!("{name}.partial"));
    let status = Command::new("riscv64-unknown-elf-gcc")
        .args([
            "-g",
            "-O0",
            "-march=rv32im",
            "-mabi=ilp32",
            "-nostdlib",
            "-Wl,-Ttext=0x20000,--no-relax",
            "-Wl,--build-id=none",
        ])
        .args(flags)
        .arg(source)
        .arg("-lgcc")
        .arg("-o")
        .arg(&partial)
        .status()
        .expect("riscv64-unknown-elf-gcc is installed (make setup)");
    assert!(status.success(), "{} does not compile", source.display());
    fs::rename(&partial, &elf).expect("the ELF file can be renamed");
    elf
}

/// A host that collects what the program writes and has `input` to read.
#[derive(Default)]
pub struct Streams {
    /// What is still to be read.
    pub input: VecDeque<u8>,
    /// What was written.
    pub output: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
}

impl Host for Streams {
    fn read(&mut self, _order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        if fd != 0 {
            return 0;
        }
        let count = bytes.len().min(self.input.len());
        self.input.drain(..count).zip(bytes).for_each(|(from, to)| *to = from);
        count as u32
    }

    fn write(&mut self, _order: u64, _fd: u32, bytes: &[u8]) -> u32 {
        self.output.lock().expect("no test panicked").extend_from_slice(bytes);
        bytes.len() as u32
    }
}

/// The program in `elf` with the default kernel, at its first instruction.
pub fn inferior(elf: &Path, host: Streams) -> Inferior {
    let bytes = fs::read(elf).expect("the ELF file is readable");
    let image = loader::load(&bytes, Kernel::Default).expect("the program is valid");
    let program = Program { path: elf.to_string_lossy().into_owned(), elf: bytes, ..Program::default() };
    let mut inferior = Inferior::new(
        program,
        image.machine().expect("the image starts"),
        Box::new(host),
        lockstep::timeline::DEFAULT_BUDGET_BYTES,
    );
    inferior.start_at(image.entry);
    inferior
}

/// Serves the program in `elf` on a free port, in a thread that ends with the program.
pub fn serve(elf: &Path) -> (SocketAddr, JoinHandle<End>) {
    serve_after(elf, |_| {})
}

/// [`serve`], with the kernel's file for the debugger.
pub fn serve_with_kernel(elf: &Path) -> (SocketAddr, JoinHandle<End>) {
    serve_after(elf, |inferior| inferior.files.add("/lockstep/kernel.elf", lockstep::kernel::DEFAULT.to_vec(), 0))
}

/// [`serve`], with the program run to its fault.
pub fn serve_at_fault(elf: &Path) -> (SocketAddr, JoinHandle<End>) {
    serve_after(elf, Inferior::run_to_fault)
}

fn serve_after(elf: &Path, prepare: fn(&mut Inferior)) -> (SocketAddr, JoinHandle<End>) {
    let elf = elf.to_owned();
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let mut inferior = inferior(&elf, Streams::default());
        prepare(&mut inferior);
        let mut server = Server::bind("127.0.0.1:0", inferior).expect("a port is free");
        tell.send(server.local_addr().expect("the socket has an address")).expect("the test waits");
        server.serve().expect("the listening socket works")
    });
    (told.recv().expect("the server starts"), thread)
}

/// One gdb command with what it has to print.
struct Step {
    line: usize,
    command: String,
    expected: Vec<String>,
}

/// Runs the script `tests/gdb/<name>.txt` in gdb-multiarch and compares what each command prints.
///
/// A line `> command` is a command, the lines behind it are its output; `{}` stands for any text within a line.
/// `ADDR` is the server's address and `ELF` the program's path.
pub fn check_script(name: &str, addr: SocketAddr, elf: &Path) {
    check_script_with(name, addr, elf, &[]);
}

/// [`check_script`], with more words replaced.
pub fn check_script_with(name: &str, addr: SocketAddr, elf: &Path, words: &[(&str, &str)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/gdb/{name}.txt"));
    let text = fs::read_to_string(&path).expect("the script is readable");
    let text = words.iter().fold(text, |text, (word, by)| text.replace(word, by));
    check_text(name, &text, addr, elf);
}

/// [`check_script`], of a script that is no file.
pub fn check_text(name: &str, text: &str, addr: SocketAddr, elf: &Path) {
    let wrong = differences(name, text, addr, elf);
    assert!(wrong.is_empty(), "{wrong}");
}

/// What gdb prints otherwise than the script `text` says.
pub fn differences(name: &str, text: &str, addr: SocketAddr, elf: &Path) -> String {
    let text = text.replace("ADDR", &addr.to_string()).replace("ELF", &elf.to_string_lossy());
    let steps = parse(&text);
    let printed = run_gdb(&steps);
    let mut wrong = String::new();
    for (step, printed) in steps.iter().zip(&printed) {
        let printed: Vec<&str> = printed.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let is_same = printed.len() == step.expected.len()
            && printed.iter().zip(&step.expected).all(|(printed, expected)| fits(printed, expected));
        if !is_same {
            let (line, command) = (step.line, &step.command);
            let (printed, expected) = (printed.join("\n  "), step.expected.join("\n  "));
            wrong += &format!("{name}:{line}: > {command}\nprinted\n  {printed}\nexpected\n  {expected}\n");
        }
    }
    if printed.len() < steps.len() {
        wrong += &format!("{name}: gdb ended early\n");
    }
    wrong
}

fn parse(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(command) = line.strip_prefix("> ") {
            steps.push(Step { line: number + 1, command: command.to_owned(), expected: Vec::new() });
        } else if let (Some(step), false) = (steps.last_mut(), line.trim().is_empty() || line.starts_with("# ")) {
            step.expected.push(line.trim_end().to_owned());
        }
    }
    steps
}

/// What gdb prints for each command. A prompt of our own separates the answers.
fn run_gdb(steps: &[Step]) -> Vec<String> {
    let mut commands: String = steps.iter().map(|step| format!("{}\n", step.command)).collect();
    commands += "set confirm off\nquit\n";
    let mut gdb = Command::new("sh")
        .args(["-c", "exec gdb-multiarch -nx -q -iex 'set prompt \\n@@@\\n' -iex 'set width 0' -iex 'set pagination off' -iex 'set debuginfod enabled off' -iex 'set style enabled off' 2>&1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gdb-multiarch is installed (make setup)");
    gdb.stdin.take().expect("stdin is a pipe").write_all(commands.as_bytes()).expect("gdb reads its commands");
    let mut printed = Vec::new();
    gdb.stdout.take().expect("stdout is a pipe").read_to_end(&mut printed).expect("gdb's output can be read");
    gdb.wait().expect("gdb ends");
    let printed = String::from_utf8_lossy(&printed).into_owned();
    printed.split("\n@@@\n").skip(1).take(steps.len()).map(str::to_owned).collect()
}

/// Whether `printed` is `expected`, in which `{}` stands for any text.
fn fits(printed: &str, expected: &str) -> bool {
    let Some((head, tail)) = expected.split_once("{}") else { return printed == expected };
    let Some(mut rest) = printed.strip_prefix(head) else { return false };
    loop {
        if fits(rest, tail) {
            return true;
        }
        let mut chars = rest.chars();
        if chars.next().is_none() {
            return false;
        }
        rest = chars.as_str();
    }
}
