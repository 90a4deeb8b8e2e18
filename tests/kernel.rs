//! The default kernel, ECALL by ECALL (KERN-1 to KERN-6).
//!
//! The test is the program: it stops at the program's one ECALL, sets the user registers, and looks
//! at what comes back.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use lockstep::ecall::{Halt, Host, fd};
use lockstep::exec::{Engine, Exit, Step, Until};
use lockstep::hart::Machine;
use lockstep::isa::Reg;
use lockstep::kernel::{self, errno, number};
use lockstep::loader::{self, Image, Kernel};
use lockstep::map::{self, Addr, Mode};
use sha2::{Digest, Sha256};

// ---- The test's side of the machine ---------------------------------------------------------

/// A host with bytes to read, which keeps what it is given and every length it was asked for.
struct TestHost {
    arguments: Vec<u8>,
    stdin: Vec<u8>,
    /// The most bytes it moves at once.
    at_once: usize,
    /// The bytes it still takes.
    room: usize,
    written: Vec<(u32, Vec<u8>)>,
    asked: Vec<usize>,
}

impl Default for TestHost {
    fn default() -> TestHost {
        TestHost {
            arguments: Vec::new(),
            stdin: Vec::new(),
            at_once: usize::MAX,
            room: usize::MAX,
            written: Vec::new(),
            asked: Vec::new(),
        }
    }
}

impl TestHost {
    fn written_to(&self, fd: u32) -> Vec<u8> {
        self.written.iter().filter(|(to, _)| *to == fd).flat_map(|(_, bytes)| bytes.clone()).collect()
    }
}

impl Host for TestHost {
    fn read(&mut self, _order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        let source = match fd {
            fd::STDIN => &mut self.stdin,
            fd::ARGUMENTS => &mut self.arguments,
            _ => panic!("the kernel read from descriptor {fd}"),
        };
        if fd == fd::STDIN {
            self.asked.push(bytes.len());
        }
        let count = bytes.len().min(source.len()).min(self.at_once);
        bytes[..count].copy_from_slice(&source[..count]);
        source.drain(..count);
        count as u32
    }

    fn write(&mut self, _order: u64, fd: u32, bytes: &[u8]) -> u32 {
        self.asked.push(bytes.len());
        let count = bytes.len().min(self.room).min(self.at_once);
        self.room -= count;
        self.written.push((fd, bytes[..count].to_vec()));
        count as u32
    }
}

/// A program under the default kernel, about to make its first ECALL.
struct Program {
    machine: Machine,
    host: TestHost,
    ecall: Addr,
}

impl Program {
    fn start(host: TestHost) -> Program {
        let image = image();
        let machine = image.machine().expect("the loader made the image");
        let mut program = Program { machine, host, ecall: image.entry };
        assert_eq!(program.run_to(image.entry), Exit::Breakpoint);
        program
    }

    fn run_to(&mut self, addr: Addr) -> Exit {
        let stop = BTreeSet::from([addr]);
        let until = Until { breakpoints: Some(&stop), ..Until::END };
        Step::new().run(&mut self.machine, &mut self.host, until, &mut ())
    }

    /// Makes the ECALL `number`; returns how the run ended or stopped behind the ECALL.
    fn enter(&mut self, number: u32, args: [u32; 3]) -> Exit {
        let user = self.machine.hart.file_mut(Mode::User);
        user[Reg::A7.index()] = number;
        user[Reg::A0.index()] = args[0];
        user[Reg::A1.index()] = args[1];
        user[Reg::A2.index()] = args[2];
        self.machine.hart.pc = self.ecall;
        self.run_to(self.ecall + 4)
    }

    /// Makes the ECALL `number` and returns its result.
    fn call(&mut self, number: u32, args: [u32; 3]) -> u32 {
        let exit = self.enter(number, args);
        assert_eq!(exit, Exit::Breakpoint, "ECALL {number} with {args:x?}");
        assert_eq!(self.machine.hart.mode, Mode::User);
        self.user(Reg::A0)
    }

    fn user(&self, reg: Reg) -> u32 {
        self.machine.hart.file(Mode::User)[reg.index()]
    }

    fn string(&self, addr: Addr) -> Vec<u8> {
        (addr..).map(|addr| self.machine.byte(addr)).take_while(|byte| *byte != 0).collect()
    }

    fn bytes(&self, addr: Addr, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.machine.read_bytes(addr, &mut bytes);
        bytes
    }
}

/// Where the program lies.
const PROGRAM: Addr = 0x0002_0000;
/// An address in user memory that nothing else uses.
const BUFFER: Addr = 0x0100_0000;

/// A program of one ECALL, and 16 KiB that end at an address that is not a multiple of 16.
const SOURCE: &str = ".globl _start\n_start: ecall\n ebreak\n .bss\n .zero 0x4002\n";
/// Its bytes, up to where its heap begins (ELF-9).
const PROGRAM_BYTES: u32 = (8_u32 + 0x4002).next_multiple_of(16);

fn image() -> Image {
    static ELF: OnceLock<Vec<u8>> = OnceLock::new();
    let elf = ELF.get_or_init(|| elf_at("ecall", PROGRAM));
    loader::load(elf, Kernel::Default).expect("the program loads")
}

/// The program of [`SOURCE`], linked at `address`.
fn elf_at(name: &str, address: Addr) -> Vec<u8> {
    let (source, elf) = (scratch(&format!("{name}.S")), scratch(&format!("{name}.elf")));
    std::fs::write(&source, SOURCE).expect("the test's folder is writable");
    let gcc = Command::new("riscv64-unknown-elf-gcc")
        .args(["-march=rv32im", "-mabi=ilp32", "-nostdlib", "-Wl,-N,--no-warn-rwx-segments"])
        .args([&format!("-Wl,-Ttext={address:#x}"), "-o"])
        .args([&elf, &source])
        .status();
    let status = gcc.expect("riscv64-unknown-elf-gcc is missing: run `make setup`");
    assert!(status.success(), "riscv64-unknown-elf-gcc cannot build {}", source.display());
    std::fs::read(&elf).expect("the compiler wrote its output")
}

fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("kernel-{name}"))
}

const fn negated(errno: u32) -> u32 {
    errno.wrapping_neg()
}

// ---- The file -------------------------------------------------------------------------------

/// What of a kernel the machine and its users see: segments, entry and named addresses.
#[derive(Debug, PartialEq)]
struct Contents {
    entry: u64,
    segments: Vec<(u64, u64, Vec<u8>)>,
    symbols: BTreeSet<(String, u64, u64)>,
}

fn contents(file: &[u8]) -> Contents {
    let elf = goblin::elf::Elf::parse(file).expect("an ELF file");
    let segments = elf.program_headers.iter().map(|row| (row.p_vaddr, row.p_memsz, file[row.file_range()].to_vec()));
    let names = elf.syms.iter().filter_map(|symbol| {
        let name = elf.strtab.get_at(symbol.st_name)?;
        Some((name.to_string(), symbol.st_value, symbol.st_size))
    });
    Contents {
        entry: elf.entry,
        segments: segments.collect(),
        symbols: names.filter(|row| !row.0.is_empty()).collect(),
    }
}

/// Linkers differ in how they order a file, so what is loaded and what is named is compared.
#[test]
fn default_elf_is_what_make_kernel_builds() {
    let built = scratch("rebuilt.elf");
    let output = Command::new("make")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["-f", "mk/kernel.mk", "kernel"])
        .arg(format!("KERNEL_ELF={}", built.display()))
        .output()
        .expect("make is missing: run `make setup`");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`make kernel` fails; if the compiler is missing, run `make setup`: {errors}");
    let rebuilt = std::fs::read(&built).expect("make kernel wrote its output");
    assert_eq!(contents(kernel::DEFAULT), contents(&rebuilt), "default.elf is old: run `make kernel`");
}

/// The constants that programs and debuggers read are those the assembly was written with.
#[test]
fn the_constants_are_the_kernels() {
    let source = include_str!("../src/kernel/default.S");
    let check = |name: &str, value: u32| {
        let line = source.lines().find(|line| line.split_whitespace().nth(1) == Some(name));
        let written = line.and_then(|line| line.split_whitespace().nth(2)).expect(name);
        let parsed = match written.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => written.parse(),
        };
        assert_eq!(parsed, Ok(value), "{name}");
    };
    check("USER_START", map::USER_START);
    check("USER_END", map::KERNEL_START);
    check("USER_REGISTERS", map::USER_REGS);
    check("MEPC", map::MEPC);
    check("OUTPUT_DIGEST", map::OUTPUT_DIGEST);
    check("ECALL_VECTOR", map::ECALL_VECTOR);
    check("MAX_IO_BYTES", lockstep::ecall::MAX_IO_BYTES);
    check("ARGUMENTS_START", kernel::ARGUMENTS_START);
    check("HEAP_END", kernel::HEAP_END);
    check("EXIT_NO_START", u32::from(kernel::EXIT_NO_START));
    check("STAT_BYTES", kernel::STAT_BYTES);
}

// ---- KERN-1: the start ----------------------------------------------------------------------

fn check_arguments(arguments: &[&[u8]], at_once: usize, has_last_zero: bool) {
    let mut bytes: Vec<u8> = arguments.iter().flat_map(|arg| arg.iter().copied().chain([0])).collect();
    if !has_last_zero {
        bytes.pop();
    }
    let program = Program::start(TestHost { arguments: bytes, at_once, ..TestHost::default() });
    let sp = program.user(Reg::SP);
    let word = |index: usize| program.machine.word(sp + 4 * index as u32);
    assert_eq!(sp % 16, 0, "KERN-1: sp is 16-byte aligned");
    assert_eq!(word(0) as usize, arguments.len(), "argc");
    for (i, argument) in arguments.iter().enumerate() {
        assert_eq!(&program.string(word(1 + i)), argument, "argv[{i}]");
    }
    assert_eq!((word(1 + arguments.len()), word(2 + arguments.len())), (0, 0), "the ends of argv and envp");
}

/// KERN-1, KERN-3: whatever the arguments, and however the host hands them out (ECALL-8).
#[test]
fn arguments_arrive() {
    let long = vec![b'x'; 3000];
    let many: Vec<&[u8]> = vec![b"a"; 500];
    for at_once in [usize::MAX, 1024, 1000, 7, 1] {
        check_arguments(&[], at_once, true);
        check_arguments(&[b"program"], at_once, true);
        check_arguments(&[b"program"], at_once, false);
        check_arguments(&[b"", b"", b""], at_once, true);
        check_arguments(&[b"program", b"", b"two words", "h\u{e9}".as_bytes()], at_once, true);
        check_arguments(&[b"program", &long, b"after"], at_once, true);
        check_arguments(&many, at_once, true);
    }
    let exactly_one_chunk = vec![b'y'; 1023];
    check_arguments(&[&exactly_one_chunk], usize::MAX, true);
}

/// KERN-1: all registers but sp are 0.
#[test]
fn the_program_starts_with_clear_registers() {
    let program = Program::start(TestHost { arguments: b"program\0one\0".to_vec(), ..TestHost::default() });
    for reg in Reg::all().filter(|reg| *reg != Reg::SP) {
        assert_eq!(program.user(reg), 0, "{reg}");
    }
    assert_eq!(program.machine.hart.mode, Mode::User);
}

/// One argument of the longest length that fits, and one byte more.
#[test]
fn too_long_arguments_end_the_run() {
    let longest = kernel::ARGUMENTS_MAX_BYTES as usize - lockstep::ecall::MAX_IO_BYTES as usize;
    let argument = vec![b'z'; longest - 1];
    check_arguments(&[&argument], usize::MAX, true);

    let host = TestHost { arguments: vec![b'z'; longest + 1], ..TestHost::default() };
    check_no_start(&image(), host, "kernel: the program's arguments are longer than 1 MiB (KERN-1)\n");
}

fn check_no_start(image: &Image, mut host: TestHost, message: &str) {
    let mut machine = image.machine().expect("the loader made the image");
    let exit = Step::new().run(&mut machine, &mut host, Until::END, &mut ());
    assert_eq!(exit, Exit::Terminated { halt: Halt::Halted, user_exit: kernel::EXIT_NO_START });
    assert_eq!(String::from_utf8_lossy(&host.written_to(fd::STDERR)), message);
}

/// KERN-1: the highest program that leaves its stack in peace, and one 16 bytes higher.
#[test]
fn a_program_in_its_own_stack_does_not_start() {
    let highest = kernel::HEAP_END - PROGRAM_BYTES;
    let load = |name, address| loader::load(&elf_at(name, address), Kernel::Default).expect("the program loads");
    let image = load("highest", highest);
    let exit = Step::new().run(
        &mut image.machine().expect("the loader made the image"),
        &mut TestHost::default(),
        Until { breakpoints: Some(&BTreeSet::from([highest])), ..Until::END },
        &mut (),
    );
    assert_eq!(exit, Exit::Breakpoint);

    let message = "kernel: the program reaches above 0xbf700000, where its stack is; link it below (KERN-1)\n";
    check_no_start(&load("too-high", highest + 16), TestHost::default(), message);
    check_no_start(&load("at-the-top", map::KERNEL_START - PROGRAM_BYTES), TestHost::default(), message);
}

// ---- KERN-2 to KERN-4: ECALLs ---------------------------------------------------------------

/// KERN-2: only a0 changes.
#[test]
fn registers_are_preserved() {
    let numbers = [number::WRITE, number::READ, number::FSTAT, number::BRK, number::LSEEK, number::CLOSE, 4711];
    for number in numbers {
        let mut program = Program::start(TestHost { stdin: b"input".to_vec(), ..TestHost::default() });
        for reg in Reg::all().skip(1) {
            program.machine.hart.file_mut(Mode::User)[reg.index()] = 0x0101_0101 * reg.index() as u32;
        }
        let mut expected = *program.machine.hart.file(Mode::User);
        program.call(number, [1, BUFFER, 100]);
        expected[Reg::A0.index()] = program.user(Reg::A0);
        (expected[Reg::A1.index()], expected[Reg::A2.index()], expected[Reg::A7.index()]) = (BUFFER, 100, number);
        assert_eq!(program.machine.hart.file(Mode::User), &expected, "ECALL {number}");
    }
}

/// KERN-3: 93 and 94, of whose code the low 8 bits count.
#[test]
fn exit_codes() {
    for number in [number::EXIT, number::EXIT_GROUP] {
        for (code, user_exit) in [(0, 0), (1, 1), (42, 42), (255, 255), (256, 0), (0x1234_5678, 0x78), (u32::MAX, 255)]
        {
            let exit = Program::start(TestHost::default()).enter(number, [code, 0, 0]);
            assert_eq!(exit, Exit::Terminated { halt: Halt::Halted, user_exit }, "exit({code:#x})");
        }
    }
}

/// KERN-3, ECALL-7: a long write is cut into pieces the machine takes, and arrives whole.
#[test]
fn write_moves_everything() {
    for length in [0, 1, 1023, 1024, 1025, 2048, 5000] {
        let bytes: Vec<u8> = (0..length).map(|i| (i * 7 % 251) as u8).collect();
        let mut program = Program::start(TestHost::default());
        program.machine.write_bytes(BUFFER + 1, &bytes);
        for fd in [fd::STDOUT, fd::STDERR, fd::JOURNAL] {
            assert_eq!(program.call(number::WRITE, [fd, BUFFER + 1, length]), length);
            assert_eq!(program.host.written_to(fd), bytes, "{length} bytes to {fd}");
        }
        assert!(program.host.asked.iter().all(|asked| *asked <= 1024));
    }
}

/// KERN-3: a host that takes less ends the write, and the program learns how much it took.
#[test]
fn write_stops_when_the_host_does() {
    for (room, asked) in [(0, 1), (1, 1), (1023, 1), (1024, 2), (1500, 2), (4999, 5)] {
        let mut program = Program::start(TestHost { room, ..TestHost::default() });
        assert_eq!(program.call(number::WRITE, [fd::STDOUT, BUFFER, 5000]), room as u32);
        assert_eq!(program.host.asked.len(), asked, "calls with room for {room}");
    }
}

/// KERN-3: a long read fills the buffer, and ends at the end of the input.
#[test]
fn read_fills_the_buffer() {
    for (available, length) in [(0, 10), (10, 10), (10, 4), (10, 100), (1024, 1024), (5000, 3000), (3000, 5000)] {
        let stdin: Vec<u8> = (0..available).map(|i| (i * 11 % 253) as u8 + 1).collect();
        let mut program = Program::start(TestHost { stdin: stdin.clone(), ..TestHost::default() });
        let expected = available.min(length) as usize;
        assert_eq!(program.call(number::READ, [fd::STDIN, BUFFER, length]) as usize, expected);
        assert_eq!(program.bytes(BUFFER, expected), stdin[..expected]);
        assert_eq!(program.machine.byte(BUFFER + expected as u32), 0, "ECALL-3: bytes beyond the count are unchanged");
    }
}

/// KERN-4: descriptors that a call does not know.
#[test]
fn unknown_descriptors() {
    let mut program = Program::start(TestHost::default());
    let check = |program: &mut Program, number, bad: &[u32]| {
        for &fd in bad {
            assert_eq!(program.call(number, [fd, BUFFER, 8]), negated(errno::EBADF), "ECALL {number} of {fd}");
        }
    };
    check(&mut program, number::WRITE, &[0, 4, 5, 0x8000_0000, u32::MAX]);
    check(&mut program, number::READ, &[1, 2, 3, 4, 5, u32::MAX]);
    for number in [number::CLOSE, number::FSTAT, number::LSEEK] {
        check(&mut program, number, &[4, 5, 0x8000_0000, u32::MAX]);
    }
    assert!(program.host.asked.is_empty(), "the host is not asked");
}

/// KERN-4, MAP-2: the edges of user memory.
#[test]
fn buffers_outside_user_memory() {
    let mut program = Program::start(TestHost::default());
    let mut check = |pointer: u32, length: u32, is_user: bool| {
        let expected = if is_user { length } else { negated(errno::EFAULT) };
        assert_eq!(program.call(number::WRITE, [1, pointer, length]), expected, "{length} bytes at {pointer:#010x}");
        let read = program.call(number::READ, [0, pointer, length]);
        assert_eq!(read, if is_user { 0 } else { expected }, "read {length} bytes to {pointer:#010x}");
    };
    check(0, 1, false);
    check(0x0000_FFFF, 1, false);
    check(0x0000_FFFF, 2, false);
    check(0x0001_0000, 1, true);
    check(0xBFFF_FFFF, 1, true);
    check(0xBFFF_F000, 0x1000, true);
    check(0xBFFF_F000, 0x1001, false);
    check(0xC000_0000, 1, false);
    check(0xFFFF_0080, 4, false);
    check(0xFFFF_FFFF, 1, false);
    check(0x0001_0000, 0xBFFF_0001, false);
    check(0x8000_0000, 0x8000_0000, false);
    check(0xBFFF_FFFF, u32::MAX, false);
    check(0x0002_0000, u32::MAX, false);
    // As on Linux, nothing is written nowhere.
    check(0, 0, true);
    check(0xFFFF_FFFF, 0, true);
}

/// KERN-3: fstat describes a character device; libgloss's `struct kernel_stat`.
#[test]
fn fstat_describes_a_character_device() {
    for pointer in [BUFFER, BUFFER + 1, BUFFER + 2, BUFFER + 3] {
        for fd in 0..4 {
            let mut program = Program::start(TestHost::default());
            program.machine.write_bytes(pointer - 8, &[0xee; 8 + 128 + 8]);
            assert_eq!(program.call(number::FSTAT, [fd, pointer, 0]), 0);
            let stat = program.bytes(pointer - 8, 8 + 128 + 8);
            let word = |offset: usize| u32::from_le_bytes(std::array::from_fn(|i| stat[8 + offset + i]));
            // S_IFMT is 0o170000, S_IFCHR 0o020000 (POSIX <sys/stat.h>, as newlib defines it).
            assert_eq!(word(16) & 0o170000, 0o020000, "st_mode");
            assert_eq!(word(20), 1, "st_nlink");
            assert_eq!(word(56), 1024, "st_blksize");
            let others = (0..128).step_by(4).filter(|offset| ![16, 20, 56].contains(offset));
            assert!(others.clone().all(|offset| word(offset) == 0), "all else is 0");
            assert_eq!((&stat[..8], &stat[136..]), (&[0xee; 8][..], &[0xee; 8][..]), "128 bytes, no more");
        }
    }
    let mut program = Program::start(TestHost::default());
    for pointer in [0, 0xFFFF, map::KERNEL_START - 127, map::KERNEL_START, u32::MAX] {
        assert_eq!(program.call(number::FSTAT, [1, pointer, 0]), negated(errno::EFAULT), "KERN-4: {pointer:#x}");
    }
}

/// KERN-3: lseek has nowhere to go, close changes nothing.
#[test]
fn lseek_and_close() {
    let mut program = Program::start(TestHost::default());
    for fd in 0..4 {
        assert_eq!(program.call(number::LSEEK, [fd, 0, 0]), negated(errno::ESPIPE));
        assert_eq!(program.call(number::CLOSE, [fd, 0, 0]), 0);
    }
    assert_eq!(program.call(number::WRITE, [fd::STDOUT, BUFFER, 3]), 3);
}

/// KERN-3, ELF-9: the heap begins at the first multiple of 16 after the program.
#[test]
fn brk_moves_the_end_of_the_heap() {
    let mut program = Program::start(TestHost::default());
    let start = program.call(number::BRK, [0, 0, 0]);
    assert_eq!(start, PROGRAM + PROGRAM_BYTES);
    let mut check = |asked: u32, end: u32| assert_eq!(program.call(number::BRK, [asked, 0, 0]), end, "brk({asked:#x})");
    check(start + 100, start + 100);
    check(0, start + 100);
    check(start, start);
    check(start - 1, start);
    check(0x1000_0001, 0x1000_0001);
    check(kernel::HEAP_END, kernel::HEAP_END);
    check(kernel::HEAP_END + 1, kernel::HEAP_END);
    check(u32::MAX, kernel::HEAP_END);
    check(start + 16, start + 16);
}

/// KERN-3: every number that the kernel does not serve.
#[test]
fn other_numbers_are_enosys() {
    let mut program = Program::start(TestHost::default());
    let served = [57, 62, 63, 64, 80, 93, 94, 214];
    let numbers = (0..2048).filter(|number| !served.contains(number)).chain([0x8000_0040, u32::MAX, u32::MAX - 63]);
    for number in numbers {
        assert_eq!(program.call(number, [1, BUFFER, 4]), negated(errno::ENOSYS), "ECALL {number}");
    }
    assert!(program.host.asked.is_empty());
}

/// KERN-2 to KERN-4: no ECALL with any arguments makes the kernel fault.
#[test]
fn no_call_breaks_the_kernel() {
    let edges = [
        0,
        1,
        3,
        4,
        0xFFFF,
        0x1_0000,
        BUFFER,
        0xBFFF_FFF1,
        0xC000_0000,
        0xC000_0C00,
        0xFFFF_0080,
        0xFFFF_1000,
        u32::MAX,
    ];
    let numbers =
        [number::CLOSE, number::LSEEK, number::READ, number::WRITE, number::FSTAT, number::BRK, 0, 1, 2, u32::MAX];
    // Each write is refused by the host, so that one of 3 GiB does not take minutes.
    let mut program = Program::start(TestHost { room: 0, ..TestHost::default() });
    let before = kernel_code(&program.machine);
    for number in numbers {
        for a0 in edges {
            for a1 in edges {
                for a2 in edges {
                    program.call(number, [a0, a1, a2]);
                }
            }
        }
    }
    assert_eq!(kernel_code(&program.machine), before, "the kernel's code is untouched");
}

fn kernel_code(machine: &Machine) -> Vec<u32> {
    (0xC000_0000..0xC000_0C00).step_by(4).map(|addr| machine.word(addr)).collect()
}

// ---- KERN-5 and KERN-6 ----------------------------------------------------------------------

/// KERN-5, MAP-14: no trap vector, so a fault shows the program's own state.
#[test]
fn faults_of_the_program_end_the_run() {
    let mut program = Program::start(TestHost::default());
    assert_eq!(program.machine.word(map::TRAP_VECTOR), 0);
    program.machine.hart.pc = program.ecall + 4;
    let exit = program.run_to(0);
    let Exit::Fault(fault) = exit else { panic!("{exit:?}") };
    assert_eq!((fault.pc, fault.mode, fault.user_pc), (program.ecall + 4, Mode::User, Some(program.ecall + 4)));
}

/// KERN-6: the digest of what the journal got, in whatever pieces it got it.
#[test]
fn journal_digest_is_sha256() {
    // Around the lengths at which the padding of SHA-256 takes another block.
    for length in [0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1023, 1024, 1025, 4000] {
        for piece in [1, 7, 64, 1000, 4000] {
            assert_eq!(check_journal(length, piece, usize::MAX), length, "the host takes everything");
        }
    }
    // The host takes a part of each piece: the digest is of what it took.
    assert_eq!(check_journal(2000, 100, 33), 20 * 33);
    assert_eq!(check_journal(3000, 3000, 1000), 1000);
}

/// Writes `length` bytes in pieces, of each of which the host takes at most `at_once`; returns what it took.
fn check_journal(length: u32, piece: u32, at_once: usize) -> u32 {
    let mut program = Program::start(TestHost { at_once, ..TestHost::default() });
    let bytes: Vec<u8> = (0..length).map(|i| (i * i % 255) as u8).collect();
    program.machine.write_bytes(BUFFER, &bytes);
    for start in (0..length).step_by(piece as usize) {
        program.call(number::WRITE, [fd::JOURNAL, BUFFER + start, piece.min(length - start)]);
        program.call(number::WRITE, [fd::STDOUT, BUFFER, 5]);
    }
    let exit = program.enter(number::EXIT, [0; 3]);
    assert_eq!(exit, Exit::Terminated { halt: Halt::Halted, user_exit: 0 });
    let journal = program.host.written_to(fd::JOURNAL);
    // KERN-6: eight big-endian words in order are the bytes of the digest as usually written.
    let expected: [u8; 32] = Sha256::digest(&journal).into();
    assert_eq!(program.bytes(map::OUTPUT_DIGEST, 32), expected, "{length} bytes in pieces of {piece}");
    journal.len() as u32
}
