//! `make risc0-diff`: RISC Zero's own executor beside ours. docs/risc0-differences.md lists what may differ.

use std::fs;
use std::path::PathBuf;

use lockstep::ecall::{Host, NoHost, fd};
use lockstep::hart::Machine;
use lockstep::loader::{self, Kernel};
use lockstep::map;
use lockstep::mem::Memory;
use lockstep::risc0::{Binary, Risc0Host, V1COMPAT, image_id};
use lockstep_harness::machines::risc0::{Agreed, compare};
use lockstep_harness::suites::manifest::{Manifest, find_root};
use lockstep_harness::suites::{collect, fetch};

/// Standard input from bytes; takes all output.
#[derive(Default)]
struct Bytes {
    input: Vec<u8>,
    journal: Vec<u8>,
}

impl Host for Bytes {
    fn read(&mut self, _order: u64, _fd: u32, bytes: &mut [u8]) -> u32 {
        let count = bytes.len().min(self.input.len());
        bytes[..count].copy_from_slice(&self.input[..count]);
        self.input.drain(..count);
        count as u32
    }

    fn write(&mut self, _order: u64, file: u32, bytes: &[u8]) -> u32 {
        if file == fd::JOURNAL {
            self.journal.extend_from_slice(bytes);
        }
        bytes.len() as u32
    }
}

fn host(input: &[u8]) -> Risc0Host<Bytes> {
    let streams = Bytes { input: input.to_vec(), ..Bytes::default() };
    Risc0Host::new(streams, vec!["one".into(), "two".into()], vec![("NAME".into(), "value".into())], 7)
}

/// A file of a published package.
fn published(package: &str, path: &str) -> Vec<u8> {
    let root = find_root().expect("the repository is here");
    let manifest = Manifest::read(&root).expect("the manifest is good");
    let package = manifest.package(package).expect("the manifest names the package");
    let file = fetch::package(&root, package).expect("the package can be had").join(path);
    fs::read(PathBuf::from(&file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn under_v1compat(program: &[u8]) -> Machine {
    loader::load(program, Kernel::Elf(V1COMPAT)).expect("the program loads").machine().expect("it starts")
}

fn tell(name: &str, agreed: &Agreed) {
    println!("{name}: {} instructions agree, exit {:?}, {:?}", agreed.instructions, agreed.user_exit, agreed.cycles);
}

#[test]
fn loop_guest() {
    let program = published("risc0-zkvm", "risc0-zkvm-3.0.6/examples/loop.bin");
    for count in [0u32, 1, 30_000, 700_000] {
        let agreed = compare(&under_v1compat(&program), host(&count.to_le_bytes())).expect("the executors agree");
        assert_eq!(agreed.user_exit, Some(0));
        tell(&format!("loop.bin {count}"), &agreed);
    }
}

#[test]
fn log_builder_guest() {
    let file = published("risc0-povw", "risc0-povw-0.4.3/elfs/risc0-povw-log-builder.bin");
    let published_id = published("risc0-povw", "risc0-povw-0.4.3/elfs/risc0-povw-log-builder.iid");
    let binary = Binary::decode(&file).expect("it is an R0BF file");
    let image = loader::load(binary.program, Kernel::Elf(binary.kernel)).expect("it loads");
    assert_eq!(image_id(&image.memory).as_slice(), published_id);
    assert_eq!(
        image_id(&image.memory).as_slice(),
        risc0_binfmt::compute_image_id(&file).expect("it has one").as_bytes()
    );
    let machine = image.machine().expect("it starts");
    // No input at all, a frame cut short, and a frame of nonsense: the guest panics in three places.
    for (name, input, ends_well) in log_builder_inputs() {
        let agreed = compare(&machine, host(&input)).expect("the executors agree");
        assert_eq!(agreed.user_exit.is_some(), ends_well, "{name}");
        tell(&format!("log builder, {name}"), &agreed);
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

/// Random programs in user mode under v1compat, with its own ECALLs among the instructions.
#[test]
fn random_programs() {
    let seeds: u64 = std::env::var("LOCKSTEP_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let (mut instructions, mut ended_well) = (0, 0);
    for seed in 0..seeds {
        let mut image = loader::load(&minimal_elf(), Kernel::Elf(V1COMPAT)).expect("it loads");
        Generator::new(seed, &mut image.memory).program();
        let machine = image.machine().expect("it starts");
        let end = compare(&machine, host(&[1, 2, 3, 4, 5, 6, 7, 8, 9]))
            .unwrap_or_else(|difference| panic!("seed {seed}: {difference:#}"));
        instructions += end.instructions;
        ended_well += u32::from(end.user_exit.is_some());
    }
    println!(
        "{seeds} random programs: {instructions} instructions agree, {ended_well} ended well, the others in a fault"
    );
    assert!(u64::from(ended_well) * 2 > seeds, "most programs end well");
}

const TEXT: u32 = 0x0002_0000;
const DATA: u32 = 0x0040_0000;
const DATA_WORDS: u32 = 512;

/// An ELF file of one word, replaced by the generator.
fn minimal_elf() -> Vec<u8> {
    let mut file = vec![0; 0x58];
    file[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
    let mut put =
        |at: usize, value: u32, bytes: usize| file[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
    let header =
        [(16, 2, 2), (18, 243, 2), (20, 1, 4), (24, TEXT, 4), (28, 52, 4), (40, 52, 2), (42, 32, 2), (44, 1, 2)];
    let segment =
        [(52, 1, 4), (56, 0x54, 4), (60, TEXT, 4), (64, TEXT, 4), (68, 4, 4), (72, 4, 4), (76, 5, 4), (80, 4, 4)];
    header.into_iter().chain(segment).for_each(|(at, value, bytes)| put(at, value, bytes));
    file
}

/// Writes a random program into memory.
struct Generator<'a> {
    state: u64,
    memory: &'a mut Memory,
    pc: u32,
}

impl<'a> Generator<'a> {
    fn new(seed: u64, memory: &'a mut Memory) -> Generator<'a> {
        Generator { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678_9ABC_DEF1, memory, pc: TEXT }
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
        for _ in 0..300 {
            match self.random() % 24 {
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
        if value % 3 == 0 { CORNERS[(value / 3 % 6) as usize] } else { self.random() }
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
        let is_wild = self.random() % 200 == 0;
        let base = if is_wild { self.random() } else { DATA + 4 * (self.random() % (DATA_WORDS / 2)) };
        self.load_immediate(8, base);
        let width = self.random() % 3;
        let offset = (self.random() % 1024) >> width << width;
        let reg = self.reg();
        let word = if self.random() % 2 == 0 {
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
                let flags = self.random() & 0x8000_0000 | self.random() % 8;
                let state = if self.random() % 2 == 0 { 0 } else { a / 4 };
                self.registers(&[(5, 7), (10, state), (11, b / 4), (12, c / 4), (13, flags)]);
            }
            2 => self.registers(&[(5, 4), (10, a), (11, 0), (12, b), (13, c), (14, d)]),
            3 => self.software("SYS_RANDOM", 11, &[(10, a), (11, d / 4 % 40)]),
            _ => self.software("SYS_CYCLE_COUNT", 3, &[(10, 0), (11, 0)]),
        }
        self.emit(0x73);
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
