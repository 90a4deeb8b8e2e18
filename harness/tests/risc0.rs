//! `make risc0-diff`: RISC Zero's own executor beside ours. docs/risc0-differences.md lists what may differ.

#[path = "common/published.rs"]
mod published;
#[path = "common/services.rs"]
mod services;
#[path = "common/v1compat.rs"]
mod v1compat;

use lockstep::ecall::{self, NoHost};
use lockstep::exec::Exit;
use lockstep::hart::Machine;
use lockstep::loader::{self, Kernel};
use lockstep::map;
use lockstep::mem::Memory;
use lockstep::risc0::{Binary, V1COMPAT, image_id};
use lockstep::trap::Cause;
use lockstep_harness::machines::risc0::{Agreed, compare};
use lockstep_harness::suites::collect;
use lockstep_harness::suites::manifest::{Manifest, find_root};
use published::{LOG_BUILDERS, blob, log_builder, published};
use risc0_binfmt::{MemoryImage, Program, WordAddr};
use v1compat::*;

fn under_v1compat(program: &[u8]) -> Machine {
    loader::load(program, Kernel::Elf(V1COMPAT)).expect("the program loads").machine().expect("it starts")
}

fn tell(name: &str, agreed: &Agreed) {
    println!("{name}: {} instructions agree, exit {:?}, {:?}", agreed.instructions, agreed.user_exit, agreed.cycles);
}

#[test]
fn loop_guest() {
    let program = published("risc0-zkvm-3.0.6", "examples/loop.bin");
    for count in [0u32, 1, 30_000, 700_000] {
        let agreed = compare(&under_v1compat(&program), host(&count.to_le_bytes())).expect("the executors agree");
        assert_eq!(agreed.user_exit, Some(0));
        tell(&format!("loop.bin {count}"), &agreed);
    }
}

/// The kernel of the second one is made for another machine, and takes its path for v2 here as there.
#[test]
fn log_builder_guests() {
    for archive in LOG_BUILDERS {
        let (file, published_id) = log_builder(archive);
        let binary = Binary::decode(&file).expect("it is an R0BF file");
        let image = loader::load(binary.program, Kernel::Elf(binary.kernel)).expect("it loads");
        let id = image_id(&image.memory);
        assert_eq!(id.as_slice(), published_id, "{archive}");
        assert_eq!(id.as_slice(), risc0_binfmt::compute_image_id(&file).expect("it has one").as_bytes());
        let machine = image.machine().expect("it starts");
        // No input at all, a frame cut short, and a frame of nonsense: the guest panics in three places.
        for (name, input, ends_well) in log_builder_inputs() {
            let agreed = compare(&machine, host(&input)).unwrap_or_else(|why| panic!("{archive}, {name}: {why:#}"));
            assert_eq!(agreed.user_exit.is_some(), ends_well, "{archive}, {name}");
            tell(&format!("{archive}, {name}"), &agreed);
        }
    }
}

/// What the guest reads, and whether it likes it.
fn log_builder_inputs() -> Vec<(&'static str, Vec<u8>, bool)> {
    vec![
        ("no input", vec![], false),
        ("a short frame", vec![200, 0, 0, 0, 1, 2, 3], false),
        ("nonsense", [&64u32.to_le_bytes()[..], &[0xee; 64]].concat(), false),
        ("no updates", log_builder_start(), true),
    ]
}

/// A frame: its length, then borsh's encoding of a new work log (tag 0, an ID of 20 bytes), no updates,
/// and an image ID.
fn log_builder_start() -> Vec<u8> {
    let body = [&[0][..], &[0x11; 20], &0u32.to_le_bytes(), &[0x22; 32]].concat();
    [&(body.len() as u32).to_le_bytes()[..], &body].concat()
}

#[test]
fn official_tests() {
    let root = find_root().expect("the repository is here");
    let manifest = Manifest::read(&root).expect("the manifest is good");
    let suite = manifest.suites.iter().find(|suite| suite.name == "riscv-tests-elf").expect("the suite is pinned");
    let tests = collect::one(&root, &manifest, suite).tests;
    let mut agreed = 0;
    for test in &tests {
        let machine = test.machine().expect("the test loads");
        match compare(&machine, NoHost) {
            Ok(end) => {
                assert!(end.user_exit.is_some(), "{} must end well", test.id());
                agreed += 1;
            }
            Err(difference) => {
                println!("{}: {difference:#}", test.id());
                assert!(test.id().contains("fence"), "only FENCE differs (docs/risc0-differences.md, D-1)");
            }
        }
    }
    println!("official tests: {agreed} of {} agree", tests.len());
    assert!(agreed >= 46, "{agreed} of {} agree", tests.len());
}

/// ECALL-11 to ECALL-17: the programs of `services.rs` and what they compute there.
#[test]
fn services_of_the_machine() {
    let mut cases = services::modular(&blob);
    cases.extend(services::extensions(&blob));
    cases.extend(services::curves(&blob));
    cases.extend(services::known_digests());
    cases.push(services::products());
    let message: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
    cases.push(services::sha256_of("SHA-256 of 100,000 bytes", &message, "0"));
    let (file, _) = log_builder(LOG_BUILDERS[0]);
    let binary = Binary::decode(&file).expect("it is an R0BF file");
    let image = loader::load(binary.program, Kernel::Elf(binary.kernel)).expect("it loads");
    cases.push(services::image_id_by_guest(&image.memory, &[]));
    for case in cases {
        let agreed = compare(&case.machine, host(&[])).unwrap_or_else(|why| panic!("{}: {why:#}", case.name));
        assert_eq!(agreed.user_exit, Some(0), "{}", case.name);
        tell(&case.name, &agreed);
    }
}

/// Random programs in user mode under v1compat, with its own ECALLs among the instructions.
#[test]
fn random_programs() {
    random(Mix::Instructions, 200);
}

/// Random programs that make system calls, now and then with bad pointers, lengths and file descriptors.
#[test]
fn random_system_calls() {
    random(Mix::SystemCalls, 400);
}

fn random(mix: Mix, default_seeds: u64) {
    let seeds = std::env::var("LOCKSTEP_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default_seeds);
    let ends: Vec<Option<Agreed>> = (0..seeds).map(|seed| random_program(mix, seed)).collect();
    let instructions: u64 = ends.iter().flatten().map(|end| end.instructions).sum();
    let ended_well = ends.iter().flatten().filter(|end| end.user_exit.is_some()).count();
    let panicked = ends.iter().filter(|end| end.is_none()).count();
    println!(
        "{seeds} random programs ({mix:?}): {instructions} instructions agree, {ended_well} ended well, {panicked} in a panic of theirs (D-5), the others in a fault"
    );
    assert!(ended_well as u64 * 4 > seeds && panicked as u64 * 100 <= seeds, "enough programs end well");
}

/// Both executors on the program of `seed`; `None` where theirs panics and ours refuses an ECALL (D-5).
fn random_program(mix: Mix, seed: u64) -> Option<Agreed> {
    const INPUT: [u8; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    let mut image = loader::load(&minimal_elf(), Kernel::Elf(V1COMPAT)).expect("it loads");
    Generator::new(seed, mix, &mut image.memory).program();
    let machine = image.machine().expect("it starts");
    let both = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| compare(&machine, host(&INPUT))));
    if let Ok(end) = both {
        return Some(end.unwrap_or_else(|difference| panic!("{mix:?}, seed {seed}: {difference:#}")));
    }
    let ours = run(&mut machine.clone(), &mut host(&INPUT));
    assert!(matches!(ours, Exit::Fault(fault) if fault.cause == Cause::MachineEcall), "{mix:?}, seed {seed}: {ours:?}");
    None
}

const DATA_WORDS: u32 = 512;

/// What a random program is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mix {
    /// Instructions of all kinds, and the kernel's services.
    Instructions,
    /// System calls, their results checked by what they leave in registers and memory.
    SystemCalls,
}

/// Writes a random program into memory.
struct Generator<'a> {
    mix: Mix,
    state: u64,
    memory: &'a mut Memory,
    pc: u32,
}

impl<'a> Generator<'a> {
    fn new(seed: u64, mix: Mix, memory: &'a mut Memory) -> Generator<'a> {
        Generator { mix, state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678_9ABC_DEF1, memory, pc: TEXT }
    }

    fn program(&mut self) {
        for word in 0..DATA_WORDS {
            let value = self.random();
            self.memory.set_word(DATA + 4 * word, value);
        }
        for reg in 1..32 {
            let value = self.corner();
            self.load_immediate(reg, value);
        }
        let (parts, kinds) = if self.mix == Mix::SystemCalls { (40, 3) } else { (300, 24) };
        for _ in 0..parts {
            match self.random() % kinds {
                0 | 1 if self.mix == Mix::SystemCalls => self.system_call(),
                0 => self.ecall(),
                1..4 => self.branch(),
                4..9 => self.memory_access(),
                _ => self.compute(),
            }
        }
        // halt with 0, and the data as the output digest.
        self.registers(&[(5, 0), (10, 0), (11, DATA)]);
        self.emit(0x73);
    }

    fn random(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 16) as u32
    }

    fn corner(&mut self) -> u32 {
        const CORNERS: [u32; 6] = [0, 1, u32::MAX, 0x8000_0000, 0x7fff_ffff, 31];
        let value = self.random();
        if value.is_multiple_of(3) { CORNERS[(value / 3 % 6) as usize] } else { self.random() }
    }

    fn reg(&mut self) -> u32 {
        self.random() % 32
    }

    fn emit(&mut self, word: u32) {
        self.memory.set_word(self.pc, word);
        self.pc += 4;
    }

    fn load_immediate(&mut self, rd: u32, value: u32) {
        self.emit((value.wrapping_add(0x800) & 0xffff_f000) | rd << 7 | 0x37);
        self.emit((value & 0xfff) << 20 | rd << 15 | rd << 7 | 0x13);
    }

    fn registers(&mut self, values: &[(u32, u32)]) {
        for &(reg, value) in values {
            self.load_immediate(reg, value);
        }
    }

    fn compute(&mut self) {
        let (rd, rs1, rs2, funct3) = (self.reg(), self.reg(), self.reg(), self.random() % 8);
        let word = match self.random() % 5 {
            0 => self.random() & 0xffff_f000 | rd << 7 | 0x37,
            1 => self.random() & 0xffff_f000 | rd << 7 | 0x17,
            2 => 1 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x33,
            3 => {
                let high = if matches!(funct3, 0 | 5) { self.random() & 1 } else { 0 };
                high << 30 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x33
            }
            _ => {
                let imm = match funct3 {
                    1 => self.random() & 31,
                    5 => self.random() & 31 | (self.random() & 1) << 10,
                    _ => self.random() & 0xfff,
                };
                imm << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x13
            }
        };
        self.emit(word);
    }

    /// Mostly aligned and in the data; now and then somewhere else.
    fn memory_access(&mut self) {
        let is_wild = self.random().is_multiple_of(200);
        let base = if is_wild { self.random() } else { DATA + 4 * (self.random() % (DATA_WORDS / 2)) };
        self.load_immediate(8, base);
        let width = self.random() % 3;
        let offset = (self.random() % 1024) >> width << width;
        let reg = self.reg();
        let word = if self.random().is_multiple_of(2) {
            let unsigned = if width < 2 { (self.random() & 1) << 2 } else { 0 };
            offset << 20 | 8 << 15 | (width | unsigned) << 12 | reg << 7 | 0x03
        } else {
            (offset >> 5) << 25 | reg << 20 | 8 << 15 | width << 12 | (offset & 31) << 7 | 0x23
        };
        self.emit(word);
    }

    /// Over the next instruction, or not.
    fn branch(&mut self) {
        const FUNCT3: [u32; 6] = [0, 1, 4, 5, 6, 7];
        let (rs1, rs2, kind) = (self.reg(), self.reg(), self.random() as usize % 7);
        let word = match FUNCT3.get(kind) {
            Some(funct3) => rs2 << 20 | rs1 << 15 | funct3 << 12 | 8 << 7 | 0x63,
            None => 8 << 20 | rs1 << 7 | 0x6f,
        };
        self.emit(word);
        self.compute();
    }

    /// One of v1compat's calls: sha, poseidon2, bigint, or a software call by name.
    fn ecall(&mut self) {
        let somewhere = |random: u32| DATA + 4 * (random % (DATA_WORDS - 200));
        let [a, b, c, d] = [0; 4].map(|_| somewhere(self.random()));
        match self.random() % 5 {
            0 => {
                let blocks = 1 + self.random() % 9;
                self.registers(&[(5, 3), (10, a), (11, b), (12, c), (13, c + 32), (14, blocks)]);
            }
            1 => {
                let flags = self.random() & 0x8000_0000 | (self.random() % 8);
                let state = if self.random().is_multiple_of(2) { 0 } else { a / 4 };
                self.registers(&[(5, 7), (10, state), (11, b / 4), (12, c / 4), (13, flags)]);
            }
            2 => self.registers(&[(5, 4), (10, a), (11, 0), (12, b), (13, c), (14, d)]),
            3 => self.software("SYS_RANDOM", 11, &[(10, a), (11, d / 4 % 40)]),
            _ => self.software("SYS_CYCLE_COUNT", 3, &[(10, 0), (11, 0)]),
        }
        self.emit(0x73);
    }

    /// Somewhere in the data, at any byte; now and then nowhere that a program may write. The kernel does not check
    /// buffers, and memory from 0xFFFF_0000 on is D-6.
    fn pointer(&mut self) -> u32 {
        const BAD: [u32; 5] = [0, 0xFFFC, 0xBFFF_FFF0, 0xC000_0000, 0xFEFF_FFF0];
        match self.random() % 300 {
            0 => BAD[(self.random() % 5) as usize],
            1 => self.random() % 0xFF00_0000,
            n if n % 12 == 0 => DATA + self.random() % (4 * DATA_WORDS - 1200),
            _ => DATA + 4 * (self.random() % (DATA_WORDS - 300)),
        }
    }

    /// One of what `usual` has, now and then any.
    fn usually(&mut self, usual: &[u32]) -> u32 {
        let choice = self.random();
        if choice.is_multiple_of(200) { self.random() } else { usual[choice as usize % usual.len()] }
    }

    /// A system call with what the guest's library would pass, or nearly.
    fn system_call(&mut self) {
        let (a, b) = (self.pointer(), self.pointer());
        let (size, words) = (self.random() % 1200, self.random() % 40);
        match self.random() % 16 {
            0 => self.software("SYS_ARGC", 1, &[(10, a), (11, 0)]),
            1 => {
                let index = self.usually(&[0, 1]);
                self.software("SYS_ARGV", 2, &[(10, a), (11, words), (13, index)]);
            }
            2 => {
                let length = self.random() % 8;
                // The name is the beginning of a word of the data, so that it is text.
                self.memory.set_word(DATA + 0x8000, u32::from_le_bytes(*b"NAME"));
                self.software("SYS_GETENV", 6, &[(10, a), (11, words), (13, DATA + 0x8000), (14, length)]);
            }
            3 => {
                let count = self.usually(&[50]);
                let mode = self.usually(&[0, 0, 1]);
                let (buffer, count) = if mode == 1 { (0, 0) } else { (a, count) };
                self.software("SYS_KECCAK", 7, &[(10, buffer), (11, count), (13, mode), (14, b), (15, b)]);
            }
            4 => self.software("SYS_LOG", 8, &[(10, 0), (11, 0), (13, a), (14, size)]),
            5 => self.software("SYS_PIPE", 10, &[(10, DATA + 0x9000), (11, 2)]),
            6 => self.software("SYS_RANDOM", 11, &[(10, a), (11, words)]),
            7 | 8 => {
                let file = self.usually(&[0]);
                let wanted = self.usually(&[size, size, size, size + 3]);
                self.software("SYS_READ", 12, &[(10, a), (11, size), (13, file), (14, wanted)]);
            }
            9 => self.software("SYS_VERIFY_INTEGRITY", 14, &[(10, 0), (11, 0), (13, a), (14, 64)]),
            10 | 11 => {
                let file = self.usually(&[1, 2, 3, 3]);
                self.software("SYS_WRITE", 16, &[(10, 0), (11, 0), (13, file), (14, a), (15, size)]);
            }
            12 if self.random().is_multiple_of(8) => {
                let number = self.random() % 20;
                self.software("SYS_FORK", number, &[(10, a), (11, words)]);
            }
            12 if self.random().is_multiple_of(8) => {
                let name = self.pointer();
                self.registers(&[(10, a), (11, words), (13, b), (14, size), (5, 2), (31, 12), (12, name)]);
            }
            13 if self.random().is_multiple_of(8) => {
                let number = 1 + self.random() % 12;
                self.registers(&[(5, number), (10, a), (11, b), (12, a), (13, b), (14, words)]);
            }
            // halt and pause, with any user exit; other halt types are D-17.
            13 if self.random().is_multiple_of(8) => {
                let code = self.random() & 0xff01;
                self.registers(&[(5, 0), (10, code), (11, b)]);
            }
            14 => self.registers(&[(5, 3), (10, a), (11, b), (12, a), (13, b), (14, words)]),
            _ => {
                let word = self.usually(&[0, 1, 7]);
                self.registers(&[(5, 1), (10, word)]);
            }
        }
        self.emit(0x73);
        // What the call returned, kept in the data.
        let place = DATA + 4 * (self.random() % 64);
        self.load_immediate(8, place);
        for (offset, reg) in [(0, 10), (4, 11)] {
            self.emit((offset & 31) << 7 | reg << 20 | 8 << 15 | 2 << 12 | 0x23);
        }
    }

    fn software(&mut self, name: &str, number: u32, registers: &[(u32, u32)]) {
        let text = format!("risc0_zkvm_platform::syscall::nr::{name}\0\0\0\0");
        let at = DATA + 0x1_0000 + 64 * number;
        for (i, chunk) in (0..).zip(text.as_bytes().as_chunks::<4>().0) {
            self.memory.set_word(at + 4 * i, u32::from_le_bytes(*chunk));
        }
        self.registers(registers);
        self.registers(&[(5, 2), (31, number), (12, at)]);
    }
}

const _: () = assert!(DATA > map::USER_START);

// ---- The deliberate differences of docs/risc0-differences.md ---------------------------------

const MRET: u32 = 0x3020_0073;
const NOP: u32 = 0x13;
/// x5, which holds the number of a user ECALL, and no register that a machine ECALL looks at.
const X5: u32 = 5;

/// A program in machine mode: `build` writes its middle.
fn bare(build: impl FnOnce(&mut Guest)) -> Machine {
    let mut guest = Guest::bare();
    build(&mut guest);
    guest.emit(NOP);
    guest.machine_call(0, &[(A0, 0)]);
    guest.machine()
}

/// Ours raises `cause` with `addr`, and theirs goes on.
fn ours_raises(name: &str, machine: &Machine, cause: Cause, addr: u32) {
    fault_of(name, machine, cause, addr);
    let difference = compare(machine, NoHost).expect_err(name).to_string();
    assert!(difference.contains("ours ended with") && difference.contains("theirs goes on"), "{name}: {difference}");
}

fn fault_of(name: &str, machine: &Machine, cause: Cause, addr: u32) {
    match run(&mut machine.clone(), &mut NoHost) {
        Exit::Fault(fault) => assert_eq!((fault.cause, fault.addr), (cause, addr), "{name}: {fault}"),
        exit => panic!("{name}: {exit:?}"),
    }
}

/// Ours raises `cause` with `addr`, and theirs ends the process that runs it.
fn theirs_panics(name: &str, machine: &Machine, cause: Cause, addr: u32) {
    fault_of(name, machine, cause, addr);
    let theirs = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| compare(machine, NoHost)));
    assert!(theirs.is_err(), "{name}: {theirs:?}");
}

/// D-2.
#[test]
fn differences_in_decoding() {
    let jalr = 1 << 12 | 31 << 15 | 0x67;
    let program = bare(|guest| {
        guest.set(31, TEXT + 12);
        guest.emit(jalr);
    });
    ours_raises("JALR with funct3 1", &program, Cause::IllegalInstruction, jalr);
    let ecall = 1 << 7 | 0x73;
    let program = bare(|guest| {
        guest.set(A7, ecall::WRITE);
        guest.set(A1, DATA);
        guest.set(A2, 0);
        guest.emit(ecall);
    });
    ours_raises("ECALL with rd", &program, Cause::IllegalInstruction, ecall);
}

/// D-3: x0's cell in memory, which a program in machine mode can load.
#[test]
fn difference_in_the_sink() {
    const SINK: u32 = 0xFFFF_0100;
    let program = bare(|guest| {
        guest.set(31, SINK);
        // addi x0, x31, 1; beq x0, x31, 8; lw x10, 0(x31)
        [1 << 20 | 31 << 15 | 0x13, 31 << 20 | 8 << 7 | 0x63, 31 << 15 | 2 << 12 | 10 << 7 | 0x03]
            .into_iter()
            .for_each(|word| guest.emit(word));
    });
    let difference = compare(&program, NoHost).expect_err("they differ").to_string();
    assert!(difference.contains("x10 of Machine mode is 0xffff0101 here, 0x00000000 there"), "{difference}");
}

/// D-4: an illegal instruction in user mode, with a vector in one place or the other.
#[test]
fn difference_in_trap_vectors() {
    const HANDLER: u32 = 0xC000_0000;
    let program = |vector: u32| {
        bare(|guest| {
            guest.memory.set_word(vector, HANDLER);
            guest.memory.set_word(map::MEPC, TEXT);
            guest.emit(MRET);
            guest.emit(0);
            guest.machine_call_at(HANDLER, 0, &[(A0, 0)]);
        })
    };
    let theirs = program(map::TRAP_VECTOR + 4 * Cause::IllegalInstruction.number());
    fault_of("their vector", &theirs, Cause::IllegalInstruction, 0);
    // A trap is not among what their executor reports: the next instruction shows it.
    let difference = compare(&theirs, NoHost).expect_err("they differ").to_string();
    assert!(difference.contains("our pc is 0x00020004, theirs 0xc0000000"), "{difference}");
    let mut ours = program(map::TRAP_VECTOR);
    let difference = compare(&ours, NoHost).expect_err("they differ").to_string();
    assert!(difference.contains("theirs gave up"), "{difference}");
    assert!(matches!(run(&mut ours, &mut NoHost), Exit::Terminated { .. }));
}

/// D-5, D-6, D-10.
#[test]
fn differences_in_machine_ecalls() {
    let call = |number, registers: &[(u32, u32)]| bare(|guest| guest.machine_call(number, registers));
    theirs_panics("ECALL 6", &call(6, &[]), Cause::MachineEcall, 6);
    let high = 0xFFFF_0800;
    let read = call(ecall::READ, &[(A0, 0), (A1, high), (A2, 4)]);
    ours_raises("read beside the registers", &read, Cause::MachineEcall, high);
    let write = call(ecall::WRITE, &[(A0, 1), (A1, high), (A2, 4)]);
    ours_raises("write from beside the registers", &write, Cause::MachineEcall, high);
    let write = call(ecall::WRITE, &[(A0, 1), (A1, 0x100), (A2, 4)]);
    ours_raises("write from the invalid region", &write, Cause::MachineEcall, 0x100);
    let long = call(ecall::POSEIDON2, &[(A0, 0), (A1, DATA / 4), (A2, 0x10_0000 / 4), (A3, 2500)]);
    ours_raises("2500 blocks of poseidon2", &long, Cause::MachineEcall, 2500);
}

/// D-7, D-8.
#[test]
fn differences_in_sha2() {
    let program = |state: u32| {
        bare(|guest| {
            let registers = [(A0, DATA + state), (A1, DATA), (A2, DATA + 64), (A3, 1), (A4, DATA + 128)];
            guest.machine_call(ecall::SHA2, &registers);
        })
    };
    ours_raises("an unaligned state", &program(2), Cause::MachineEcall, DATA + 2);
    ours_raises("constants that are zeros", &program(0), Cause::MachineEcall, DATA + 128);
}

/// D-9.
#[test]
fn difference_in_poseidon2() {
    let program = bare(|guest| guest.machine_call(ecall::POSEIDON2, &[(A0, 0), (A1, 0x100), (A2, DATA / 4), (A3, 1)]));
    ours_raises("poseidon2 of the invalid region", &program, Cause::MachineEcall, 0x100);
}

/// D-5, D-11.
#[test]
fn differences_in_bigint() {
    const CONSTANT: u64 = 2;
    const MULTIPLY: u64 = 0xA;
    const QUOTIENT: u64 = 0xC;
    let program = |operations: &[(u64, u64, u64)]| {
        let mut words = vec![u32::from_le_bytes(*b"bibc"), 1, 0, 1, 2, operations.len() as u32];
        // A type, and the constants 2^64 - 1 and 0.
        words.extend([16, 0, 0, 0, 0, 0, 0, 0, u32::MAX, u32::MAX, 0, 0]);
        for (code, a, b) in operations {
            let operation = code | a << 16 | b << 40;
            words.extend([operation as u32, (operation >> 32) as u32]);
        }
        let at = DATA + 64;
        let machine = bare(|guest| {
            let header = guest.words(&[words.len() as u32, 0, 0]);
            let program = guest.words(&words);
            assert_eq!((header, program), (DATA, at));
            let registers = [(X5, 0), (T1, at), (T2, at + 4), (T3, at), (A0, header)];
            guest.machine_call(ecall::BIGINT, &registers);
        });
        (machine, at)
    };
    let early =
        bare(|guest| guest.machine_call(ecall::BIGINT, &[(X5, 0), (T1, DATA), (T2, 0), (T3, DATA), (A0, DATA)]));
    theirs_panics("a verify program at 0", &early, Cause::MachineEcall, 0);
    let (divides, at) = program(&[(CONSTANT, 0, 1), (CONSTANT, 1, 1), (QUOTIENT, 0, 1)]);
    theirs_panics("division by zero", &divides, Cause::MachineEcall, at);
    let (missing, at) = program(&[(MULTIPLY, 0, 1)]);
    theirs_panics("a missing operand", &missing, Cause::MachineEcall, at);
    // 64 bits, doubled ten times.
    let squares: Vec<_> = (0..10).map(|i| (MULTIPLY, i, i)).collect();
    let (large, at) = program(&[&[(CONSTANT, 0, 1)], &squares[..]].concat());
    ours_raises("65,536 bits", &large, Cause::MachineEcall, at);
}

/// D-14: both stop at the same ECALL, and say it in two ways.
#[test]
fn difference_in_the_pc_of_a_halt() {
    let agreed = compare(&bare(|_| {}), NoHost).expect("they agree on the rest");
    let (ours, theirs) = agreed.pcs.expect("the program ends well");
    assert_eq!(theirs, ours + 4);
}

/// D-15: theirs jumps, and executes the word around the address.
#[test]
fn difference_in_mret() {
    let program = bare(|guest| {
        guest.memory.set_word(map::MEPC, TEXT + 2);
        guest.emit(MRET);
    });
    fault_of("MRET to half a word", &program, Cause::InstructionAddressMisaligned, TEXT + 6);
    let difference = compare(&program, NoHost).expect_err("they differ").to_string();
    assert!(difference.ends_with("theirs goes on at pc 0x00020006"), "{difference}");
}

/// D-16: risc0-binfmt lets the program's bytes win.
#[test]
fn difference_in_overlaps() {
    const KERNELS: u32 = 0x1111_1111;
    let elf = |entry: u32, word: u32| {
        let mut file = minimal_elf();
        file[24..28].copy_from_slice(&entry.to_le_bytes());
        file[0x54..0x58].copy_from_slice(&word.to_le_bytes());
        file
    };
    let (program, kernel) = (elf(TEXT, NOP), elf(map::KERNEL_START, KERNELS));
    let [user, system] = [&program, &kernel].map(|file| Program::load_elf(file, u32::MAX).expect("it is an ELF file"));
    let mut theirs = MemoryImage::with_kernel(user, system);
    let page = theirs.get_page(TEXT / 1024).expect("the program has a page");
    assert_eq!(page.load(WordAddr(TEXT / 4)), NOP);
    let ours = loader::load(&program, Kernel::Elf(&kernel)).err().expect("they overlap").to_string();
    assert!(ours.contains("overlap"), "{ours}");
}

/// D-17: their executor ends the run, and their host takes no such claim for one.
#[test]
fn difference_in_halt_types() {
    let program = bare(|guest| guest.machine_call(ecall::TERMINATE, &[(A0, 2)]));
    fault_of("halt type 2", &program, Cause::MachineEcall, 2);
    let difference = compare(&program, NoHost).expect_err("they differ").to_string();
    assert!(difference.starts_with("theirs terminated, ours: "), "{difference}");
}
