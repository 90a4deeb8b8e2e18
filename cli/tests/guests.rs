//! The guests of examples/guests, built with `lockstep cc`, do what they should on the default kernel.
//!
//! Expected output is computed here or by qemu-riscv32, which runs the same ELF files under Linux's
//! system calls: the kernel's are the same (KERN-2, KERN-3).

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lockstep::ecall::{Halt, Host, fd};
use lockstep::exec::{Engine, Exit, Step, Until};
use lockstep::hart::Machine;
use lockstep::loader::{self, Kernel};
use lockstep::map::{self, Mode};
use lockstep::symbols::Symbols;
use lockstep::trap::{Cause, Fault};
use sha2::{Digest, Sha256};

// ---- Building and running -------------------------------------------------------------------

/// A built guest.
struct Guest {
    path: PathBuf,
    elf: Vec<u8>,
}

/// What a guest is given.
#[derive(Clone, Copy, Default)]
struct Input<'a> {
    args: &'a [&'a str],
    stdin: &'a [u8],
}

/// What became of it.
struct Outcome {
    exit: Exit,
    machine: Machine,
    host: TestHost,
}

#[derive(Default)]
struct TestHost {
    arguments: Vec<u8>,
    stdin: Vec<u8>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    journal: Vec<u8>,
    writes: usize,
}

impl Host for TestHost {
    fn read(&mut self, _order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        let source = if fd == fd::ARGUMENTS { &mut self.arguments } else { &mut self.stdin };
        let count = bytes.len().min(source.len());
        bytes[..count].copy_from_slice(&source[..count]);
        source.drain(..count);
        count as u32
    }

    fn write(&mut self, _order: u64, fd: u32, bytes: &[u8]) -> u32 {
        let stream = match fd {
            fd::STDOUT => &mut self.stdout,
            fd::STDERR => &mut self.stderr,
            fd::JOURNAL => &mut self.journal,
            _ => return 0,
        };
        stream.extend_from_slice(bytes);
        self.writes += 1;
        bytes.len() as u32
    }
}

/// Builds examples/guests/`name`.c with the kit.
fn guest(name: &str, flags: &[&str]) -> Guest {
    let source = format!("{}/../examples/guests/{name}.c", env!("CARGO_MANIFEST_DIR"));
    build(&format!("{name}{}", flags.concat()), Path::new(&source), flags)
}

/// Builds `source` with `lockstep cc`; warnings are errors.
fn build(name: &str, source: &Path, flags: &[&str]) -> Guest {
    // Tests run at the same time: each builds its own file.
    let test = std::thread::current().name().unwrap_or("main").replace("::", "-");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("guests-{test}"));
    fs::create_dir_all(&folder).expect("the test's folder is writable");
    let path = folder.join(format!("{name}.elf"));
    let output = Command::new(env!("CARGO_BIN_EXE_lockstep"))
        .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
        .args(["cc", "-Wall", "-Wextra", "-Werror"])
        .args(flags)
        .args([source, Path::new("-o"), &path])
        .output()
        .expect("the command starts");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let elf = fs::read(&path).expect("the build wrote it");
    Guest { path, elf }
}

impl Guest {
    fn run(&self, input: Input<'_>) -> Outcome {
        let image = loader::load(&self.elf, Kernel::Default).expect("the guest loads");
        let mut machine = image.machine().expect("the loader made the image");
        let arguments = ["guest"].iter().chain(input.args).flat_map(|arg| arg.bytes().chain([0]));
        let mut host = TestHost { arguments: arguments.collect(), stdin: input.stdin.to_vec(), ..TestHost::default() };
        // A thousand times what any guest here needs: one that hangs fails.
        let exit = Step::new().run(&mut machine, &mut host, Until::order(1_000_000_000), &mut ());
        Outcome { exit, machine, host }
    }

    /// Runs the guest and expects an exit code and standard output.
    fn check(&self, input: Input<'_>, code: u16, stdout: &str) -> Outcome {
        let outcome = self.run(input);
        assert_eq!(outcome.exit, Exit::Terminated { halt: Halt::Halted, user_exit: code }, "{:?}", input.args);
        assert_eq!(outcome.stdout(), stdout, "{:?}", input.args);
        outcome
    }

    /// Runs the guest and expects a fault.
    fn fault(&self, args: &[&str]) -> (Fault, Outcome) {
        let outcome = self.run(Input { args, stdin: b"" });
        let Exit::Fault(fault) = outcome.exit else { panic!("{args:?}: {:?}", outcome.exit) };
        (fault, outcome)
    }
}

impl Outcome {
    fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.host.stdout).into_owned()
    }
}

/// Both ways of building that matter: as one debugs, and as one proves.
fn each_level(name: &str, check: impl Fn(Guest)) {
    for level in ["-O0", "-O2"] {
        check(guest(name, &[level]));
    }
}

// ---- Programs -------------------------------------------------------------------------------

/// KERN-1: argv as it was given.
#[test]
fn hello_greets() {
    each_level("hello", |guest| {
        guest.check(Input::default(), 0, "Hello!\n");
        let args = &["world", "two words", "", "h\u{e9}llo"];
        guest.check(Input { args, stdin: b"" }, 0, "Hello, world!\nHello, two words!\nHello, !\nHello, h\u{e9}llo!\n");
    });
}

#[test]
fn sort_sorts() {
    // Knuth's MMIX generator: numbers of all sizes and both signs.
    let mut state = 1_u64;
    let mut numbers: Vec<i32> = Vec::new();
    for _ in 0..500 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        numbers.push((state >> 33) as i32 - (1 << 30));
    }
    let lines = |numbers: &[i32]| numbers.iter().map(|number| format!("{number}\n")).collect::<String>();
    let unsorted = lines(&numbers);
    numbers.sort_unstable();
    each_level("sort", |guest| {
        guest.check(Input { stdin: unsorted.as_bytes(), args: &[] }, 0, &lines(&numbers));
        // C11 7.21.7.2: a last line need not end with a newline.
        guest.check(Input { stdin: b"2\n-1", args: &[] }, 0, "-1\n2\n");
        guest.check(Input::default(), 0, "");
    });
}

#[test]
fn recursion_returns() {
    each_level("recursion", |guest| {
        for n in [0, 1, 10, 300] {
            guest.check(Input { args: &[&n.to_string()], stdin: b"" }, 0, &format!("{}\n", 2 * n + 3));
        }
    });
}

/// KERN-3: standard input arrives byte for byte.
#[test]
fn echo_repeats() {
    let text: String = ('\0'..'\u{7f}').cycle().take(5000).collect();
    each_level("echo", |guest| {
        for length in [0, 1, 1023, 1024, 1025, 5000] {
            guest.check(Input { stdin: &text.as_bytes()[..length], args: &[] }, 0, &text[..length]);
        }
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(guest.run(Input { stdin: &bytes, args: &[] }).host.stdout, bytes);
    });
}

/// KERN-6, MAP-11: the digest that a receipt proves.
#[test]
fn journal_is_hashed() {
    let bytes: Vec<u8> = (0..2345_u32).map(|i| ((i * 31) >> 3) as u8).collect();
    each_level("journal", |guest| {
        for length in [0, 1, 55, 56, 64, 100, 101, 1024, 2345] {
            let input = Input { stdin: &bytes[..length], args: &[] };
            let outcome = guest.check(input, 0, &format!("{length}\n"));
            assert_eq!(outcome.host.journal, &bytes[..length]);
            let mut digest = [0; 32];
            outcome.machine.read_bytes(map::OUTPUT_DIGEST, &mut digest);
            let expected: [u8; 32] = Sha256::digest(&bytes[..length]).into();
            assert_eq!(digest, expected, "{length} bytes");
        }
    });
}

/// KERN-3: the code is the low 8 bits; what was printed before is flushed by all but _exit and abort.
#[test]
fn exit_codes() {
    let flushed = "unfinished line, at exit";
    each_level("status", |guest| {
        for (code, exit) in [("0", 0), ("1", 1), ("42", 42), ("255", 255), ("256", 0), ("-1", 255)] {
            guest.check(Input { args: &["return", code], stdin: b"" }, exit, flushed);
            guest.check(Input { args: &["exit", code], stdin: b"" }, exit, flushed);
            guest.check(Input { args: &["_exit", code], stdin: b"" }, exit, "");
        }
        // 128 and the number of SIGABRT, as a shell shows it.
        guest.check(Input { args: &["abort"], stdin: b"" }, 134, "");
        let outcome = guest.check(Input { args: &["assert"], stdin: b"" }, 134, "");
        let message = String::from_utf8_lossy(&outcome.host.stderr).into_owned();
        assert!(message.contains("strcmp(how, \"assert\") != 0") && message.contains("status.c"), "{message}");
    });
}

/// What print.c prints for row `i`, by Rust's formatting.
fn table_row(i: i64) -> String {
    let wide = i * i * i * 1_000_003 - 5_000_000_000;
    let letter = (b'a' + (i % 26) as u8) as char;
    let octal = if i == 0 { "0".into() } else { format!("0{i:o}") };
    let mut row = format!("{i}|{i:5}|{i:<5}|{i:05}|{i:+}|{i:x}|{octal}|{letter}|text|abc|%|");
    let (mantissa, exponent) = c_exponent(i as f64 * 1e10);
    let _ = writeln!(row, "{wide}|{}|{:.3}|{mantissa}e{exponent}|{}", i << 33, i as f64 / 8.0, i as f64 / 4.0);
    row
}

/// The two halves of C's `%.2e`: the exponent has a sign and at least two digits.
fn c_exponent(value: f64) -> (String, String) {
    let text = format!("{value:.2e}");
    let (mantissa, exponent) = text.split_once('e').expect("the format has an exponent");
    (mantissa.to_string(), format!("+{:0>2}", exponent))
}

#[test]
fn print_prints() {
    let rows = 300;
    let expected: String = (0..rows).map(table_row).collect();
    each_level("print", |guest| {
        let outcome = guest.check(Input { args: &[&rows.to_string()], stdin: b"" }, 0, &expected);
        assert_eq!(outcome.host.writes, rows as usize, "one write a line");
    });
}

/// The rest of what the kit promises: constructors, thread-local variables, heap, files, clock.
#[test]
fn runtime_keeps_its_promises() {
    each_level("runtime", |guest| {
        let outcome = guest.run(Input::default());
        let stdout = outcome.stdout();
        assert_eq!(outcome.exit, Exit::Terminated { halt: Halt::Halted, user_exit: 0 }, "{stdout}");
        let lines: Vec<&str> = stdout.lines().collect();
        assert_eq!(lines.len(), 17, "{stdout}");
        assert!(lines[..16].iter().all(|line| line.ends_with(": ok")), "{stdout}");
        assert_eq!(lines[16], "destroyed");
    });
}

// ---- Faults ---------------------------------------------------------------------------------

fn check_fault(guest: &Guest, what: &str, function: &str, cause: Cause, address: impl Fn(u32) -> bool) {
    let (fault, outcome) = guest.fault(&[what]);
    assert_eq!((fault.cause, fault.mode, fault.user_pc), (cause, Mode::User, Some(fault.pc)), "{what}: {fault}");
    assert!(address(fault.addr), "{what}: {fault}");
    assert_eq!(outcome.stdout(), "before\n", "{what}");
    let place = Symbols::of(&guest.elf).locate(fault.pc);
    let name = place.as_ref().and_then(|place| place.function.as_deref());
    assert!(function.is_empty() || name == Some(function), "{what}: {place:?}");
}

/// KERN-5, TRAP-4, TRAP-5: the report is of the program's own instruction.
#[test]
fn faults_are_the_programs() {
    each_level("fault", |guest| {
        // MAP-1: the stack ends where the invalid page begins; no frame here is larger than 1 KiB.
        let below_stack = |addr| (0xFC00..0x10000).contains(&addr);
        check_fault(&guest, "overflow", "overflow_stack", Cause::StoreAccessFault, below_stack);
        check_fault(&guest, "load-null", "load_null", Cause::LoadAccessFault, |addr| addr == 4);
        check_fault(&guest, "store-null", "store_null", Cause::StoreAccessFault, |addr| addr == 4);
        check_fault(&guest, "jump-data", "", Cause::IllegalInstruction, |word| word == 0);
        check_fault(&guest, "store-kernel", "store_to_kernel", Cause::StoreAccessFault, |addr| addr == 0xC000_0000);
        check_fault(&guest, "load-misaligned", "load_misaligned", Cause::LoadAddressMisaligned, |addr| addr % 4 == 2);
    });
}

/// `jump-data` stops in data, with the way back in ra.
#[test]
fn a_jump_into_data_stops_there() {
    let guest = guest("fault", &["-O0"]);
    let (fault, outcome) = guest.fault(&["jump-data"]);
    assert_eq!(outcome.machine.word(fault.pc), 0, "{fault}");
    let caller = outcome.machine.hart.file(Mode::User)[1] - 4;
    let place = Symbols::of(&guest.elf).locate(caller).expect("ra is in the program");
    assert_eq!(place.function.as_deref(), Some("jump_to"));
}

/// The program of `make demo`: a fault in correct code, far from the store that caused it.
#[test]
fn bug_ends_in_mean() {
    each_level("bug", |guest| {
        let (fault, outcome) = guest.fault(&[]);
        assert_eq!(fault.cause, Cause::LoadAccessFault);
        assert!(fault.addr < map::USER_START, "{fault}");
        // The first of four stations is reported.
        assert_eq!(outcome.stdout().lines().count(), 1);
        let place = Symbols::of(&guest.elf).locate(fault.pc).expect("the program has debug information");
        assert_eq!(place.function.as_deref(), Some("mean"));
        assert!(place.file.is_some_and(|file| file.ends_with("bug.c")));
    });
}

// ---- Programs without the kit ---------------------------------------------------------------

/// A program for newlib's ECALLs as one finds them: its own start, its own calls.
const FREESTANDING: &str = "
    .globl _start
_start:
    lw   s0, 0(sp)          # argc
    li   a7, 214            # brk(0)
    li   a0, 0
    ecall
    mv   s1, a0
    addi a0, a0, 1024       # brk(end + 1024)
    ecall
    sub  s1, a0, s1         # 1024
    sw   s0, -4(a0)         # the heap is there
    lw   s0, -4(a0)
    la   a1, text
    li   a0, 1
    li   a2, 6
    li   a7, 64
    ecall
    add  a0, a0, s0         # 6 + argc
    srli s1, s1, 8          # 4
    add  a0, a0, s1
    li   a7, 93
    ecall
    .data
text:
    .ascii \"hello\\n\"
";

/// ELF-5, MAP-2, KERN-3: unchanged, linked anywhere in user memory.
#[test]
fn freestanding_programs_run_unchanged() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = folder.join("guests-freestanding.S");
    fs::write(&source, FREESTANDING).expect("the test's folder is writable");
    for address in ["0x10000", "0x10054", "0x200000", "0x40000000", "0xbf000000"] {
        let elf = folder.join(format!("guests-freestanding-{address}.elf"));
        let link = format!("-Wl,-N,--no-warn-rwx-segments,-Ttext={address}");
        let gcc = Command::new("riscv64-unknown-elf-gcc")
            .args(["-march=rv32im", "-mabi=ilp32", "-nostdlib", &link, "-o"])
            .args([&elf, &source])
            .status();
        assert!(gcc.expect("riscv64-unknown-elf-gcc is missing: run `make setup`").success());
        let guest = Guest { elf: fs::read(&elf).expect("the compiler wrote it"), path: elf };
        // argv[0] and two arguments.
        guest.check(Input { args: &["one", "two"], stdin: b"" }, 6 + 3 + 4, "hello\n");
    }
}

// ---- Determinism, and another machine -------------------------------------------------------

/// TIME-1 to TIME-3: the same inputs, the same steps and the same state.
#[test]
fn runs_repeat_to_the_instruction() {
    let sort = guest("sort", &[]);
    let input = Input { stdin: b"3\n1\n2\n", args: &["an argument"] };
    let (one, other) = (sort.run(input), sort.run(input));
    let count = |outcome: &Outcome| (outcome.machine.hart.instructions, outcome.machine.hart.cycles);
    assert_eq!(count(&one), count(&other));
    assert_eq!(one.machine.digest(), other.machine.digest());

    let longer = sort.run(Input { stdin: b"3\n1\n2\n4\n", ..input });
    assert_ne!(count(&one), count(&longer));
    assert_ne!(one.machine.digest(), longer.machine.digest());
}

/// KERN-2, KERN-3: the ELF files run under Linux's system calls too, and print and exit alike.
#[test]
fn qemu_agrees() {
    let lines = b"12\n-7\n400\n-7\nno newline";
    let check = |name: &str, args: &[&str], stdin: &[u8]| {
        let guest = guest(name, &["-O1"]);
        let outcome = guest.run(Input { args, stdin });
        let Exit::Terminated { user_exit, .. } = outcome.exit else { panic!("{name}: {:?}", outcome.exit) };
        let (stdout, stderr, code) = qemu(&guest, args, stdin);
        assert_eq!(String::from_utf8_lossy(&stdout), outcome.stdout(), "{name} {args:?}");
        assert_eq!(String::from_utf8_lossy(&stderr), String::from_utf8_lossy(&outcome.host.stderr), "{name} {args:?}");
        assert_eq!(code, i32::from(user_exit), "{name} {args:?}");
    };
    check("hello", &["world", "", "x y"], b"");
    check("sort", &[], lines);
    check("echo", &[], &[lines.as_slice(), &[b'z'; 3000]].concat());
    check("recursion", &["40"], b"");
    check("print", &["1000"], b"");
    check("status", &["return", "42"], b"");
    check("status", &["exit", "200"], b"");
    check("status", &["_exit", "7"], b"");
    check("status", &["abort"], b"");
    check("status", &["assert"], b"");
}

fn qemu(guest: &Guest, args: &[&str], stdin: &[u8]) -> (Vec<u8>, Vec<u8>, i32) {
    let mut child = Command::new("qemu-riscv32")
        .args(["-0", "guest"])
        .arg(&guest.path)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("qemu-riscv32 is missing: run `make setup`");
    child.stdin.take().expect("stdin is piped").write_all(stdin).expect("the guest takes its input");
    let output = child.wait_with_output().expect("the guest ends");
    (output.stdout, output.stderr, output.status.code().expect("the guest exits"))
}
