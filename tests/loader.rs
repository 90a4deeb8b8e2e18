//! ELF files, right and wrong in every way that can be thought of: an image or one sentence, never a panic.

use lockstep::loader::{File, Kernel, LoadError, MAX_SEGMENTS, Problem, load};
use lockstep::map;
use quickcheck::{Gen, QuickCheck};

/// A segment of a test file.
#[derive(Clone)]
struct Segment {
    addr: u32,
    bytes: Vec<u8>,
    memory_size: u32,
}

/// An ELF file for the tests to break.
struct ElfFile {
    entry: u32,
    segments: Vec<Segment>,
}

const HEADER_BYTES: usize = 52;
const PROGRAM_HEADER_BYTES: usize = 32;

impl ElfFile {
    /// One segment of one word at 0x0001_0000, which is also the entry.
    fn minimal() -> ElfFile {
        ElfFile { entry: 0x1_0000, segments: vec![Segment { addr: 0x1_0000, bytes: vec![1, 2, 3, 4], memory_size: 8 }] }
    }

    fn at(addr: u32, memory_size: u32) -> ElfFile {
        ElfFile { entry: addr, segments: vec![Segment { addr, bytes: vec![], memory_size }] }
    }

    /// The layout of the ELF specification, "ELF Header" and "Program Header".
    fn bytes(&self) -> Vec<u8> {
        let mut file = b"\x7fELF\x01\x01\x01".to_vec();
        file.resize(16, 0);
        let count = self.segments.len();
        file.extend(2u16.to_le_bytes());
        file.extend(243u16.to_le_bytes());
        for word in [1, self.entry, HEADER_BYTES as u32, 0, 0] {
            file.extend(word.to_le_bytes());
        }
        for half in [HEADER_BYTES, PROGRAM_HEADER_BYTES, count, 40, 0, 0] {
            file.extend((half as u16).to_le_bytes());
        }
        let mut offset = HEADER_BYTES + PROGRAM_HEADER_BYTES * count;
        for segment in &self.segments {
            let (addr, size) = (segment.addr, segment.bytes.len() as u32);
            for word in [1, offset as u32, addr, addr, size, segment.memory_size, 7, 4] {
                file.extend(word.to_le_bytes());
            }
            offset += segment.bytes.len();
        }
        self.segments.iter().for_each(|segment| file.extend(&segment.bytes));
        file
    }
}

/// Checks that `file` is refused for a problem that cites `clause` in a sentence with `words`.
fn refused(file: &[u8], kernel: Kernel<'_>, clause: &str, words: &str) -> LoadError {
    let error = load(file, kernel).err().unwrap_or_else(|| panic!("accepted a file that breaks {clause}"));
    let sentence = error.to_string();
    assert!(sentence.contains(clause), "{sentence:?} does not cite {clause}");
    assert!(sentence.contains(words), "{sentence:?} does not say {words:?}");
    assert!(!sentence.contains('\n') && !sentence.ends_with('.'), "{sentence:?} is not one sentence");
    error
}

fn check(file: &[u8], clause: &str, words: &str) {
    refused(file, Kernel::None, clause, words);
}

/// The minimal file with the byte at `offset` replaced.
fn with_byte(offset: usize, value: u8) -> Vec<u8> {
    let mut file = ElfFile::minimal().bytes();
    file[offset] = value;
    file
}

/// ELF-8, ELF-9 and MODE-1: bytes, zeros, the place to start and the break.
#[test]
fn a_minimal_file_becomes_an_image() {
    let image = load(&ElfFile::minimal().bytes(), Kernel::None).expect("the file is right");
    assert_eq!(image.memory.word(0x1_0000), 0x0403_0201);
    assert_eq!(image.memory.word(0x1_0004), 0);
    assert_eq!(image.memory.word(map::SUSPEND_PC), 0x1_0000);
    assert_eq!(image.memory.word(map::SUSPEND_MODE), 1);
    assert_eq!(image.break_start, 0x1_0010);
    assert_eq!(image.machine().expect("the image starts").hart.pc, 0x1_0000);
}

/// ELF-9: a kernel without the boot symbol finds the entry at 0x0001_0000, if the program left the word free.
#[test]
fn a_plain_kernel_finds_the_entry_word() {
    let kernel = ElfFile::at(0xC000_0000, 64).bytes();
    let program = ElfFile::at(0x2_0000, 64).bytes();
    let image = load(&program, Kernel::Elf(&kernel)).expect("both files are right");
    assert_eq!(image.memory.word(0x1_0000), 0x2_0000);
    assert_eq!(image.memory.word(map::SUSPEND_PC), 0xC000_0000);
    let error = refused(&ElfFile::minimal().bytes(), Kernel::Elf(&kernel), "ELF-9", "0x00010000");
    assert_eq!(error.file, File::Kernel);
}

/// ELF-10: a kernel for RISC Zero may have segments in user memory, but not where the program has its own.
#[test]
fn a_plain_kernel_keeps_off_the_program() {
    let segment = |addr, memory_size| Segment { addr, bytes: vec![5, 0, 0, 0], memory_size };
    let kernel = ElfFile { entry: 0xC000_0000, segments: vec![segment(0xC000_0000, 8), segment(0x3_0000, 16)] }.bytes();
    let program = |addr, memory_size| ElfFile { entry: addr, segments: vec![segment(addr, memory_size)] }.bytes();
    let words = "its segment 1 and segment 0 of the program overlap at 0x00030000; link the program elsewhere";
    for (addr, memory_size) in [(0x2_0000, 0x1_0001), (0x3_0000, 4)] {
        let error = refused(&program(addr, memory_size), Kernel::Elf(&kernel), "ELF-10", words);
        assert_eq!(error.file, File::Kernel);
    }
    let inside = "overlap at 0x0003000c";
    refused(&program(0x3_000C, 4), Kernel::Elf(&kernel), "ELF-10", inside);
    for addr in [0x2_FFF0, 0x3_0010] {
        let image = load(&program(addr, 16), Kernel::Elf(&kernel)).expect("they do not overlap");
        assert_eq!((image.memory.word(0x3_0000), image.memory.word(addr)), (5, 5));
    }
}

/// ELF-1.
#[test]
fn other_kinds_of_file_are_refused() {
    check(b"", "ELF-1", "not an ELF file");
    check(b"#!/bin/sh\n", "ELF-1", "not an ELF file");
    check(&ElfFile::minimal().bytes()[..40], "ELF-1", "truncated");
    check(&with_byte(4, 2), "ELF-1", "64-bit");
    check(&with_byte(5, 2), "ELF-1", "little-endian");
    check(&with_byte(18, 62), "ELF-1", "machine 62");
    check(&with_byte(16, 3), "ELF-1", "type 3");
    check(&with_byte(36, 1), "ELF-1", "compressed");
    check(&with_byte(36, 4), "ELF-1", "floating point");
    check(&with_byte(36, 8), "ELF-1", "RV32E");
}

/// ELF-2.
#[test]
fn entries_must_be_aligned_and_in_the_region() {
    check(&with_byte(24, 2), "ELF-2", "multiple of 4");
    check(&ElfFile { entry: 0, ..ElfFile::minimal() }.bytes(), "ELF-2", "entry point 0x00000000");
    let kernel = ElfFile::at(0xC000_0000, 64).bytes();
    let high = ElfFile { entry: 0xC000_0000, ..ElfFile::minimal() }.bytes();
    refused(&high, Kernel::Elf(&kernel), "ELF-2", "user memory");
}

/// ELF-3.
#[test]
fn the_number_of_segments_is_bounded() {
    check(&ElfFile { segments: vec![], ..ElfFile::minimal() }.bytes(), "ELF-3", "no PT_LOAD segment");
    let many = |count: u32| {
        let segment = |i| Segment { addr: 0x1_0000 + 4 * i, bytes: vec![], memory_size: 4 };
        ElfFile { entry: 0x1_0000, segments: (0..count).map(segment).collect() }.bytes()
    };
    load(&many(MAX_SEGMENTS as u32), Kernel::None).expect("256 segments are allowed");
    check(&many(MAX_SEGMENTS as u32 + 1), "ELF-3", "257");
    check(&many(10_000), "ELF-3", "10000");
}

/// ELF-4, ELF-5, ELF-6.
#[test]
fn segments_must_be_aligned_inside_and_apart() {
    check(&ElfFile::at(0x1_0002, 8).bytes(), "ELF-4", "0x00010002");
    check(&ElfFile::at(0x8000, 8).bytes(), "MAP-1", "segment 0 at 0x00008000");
    check(&ElfFile::at(0xFFFF_0000, 8).bytes(), "MAP-4", "system memory");
    check(&ElfFile::at(0xFFFF_FFF0, 0x20).bytes(), "ELF-6", "wraps around");
    check(&ElfFile::at(0x1_0000, 0xFFFF_FFF0).bytes(), "ELF-6", "wraps around");
    let kernel = ElfFile::at(0xC000_0000, 64).bytes();
    refused(&ElfFile::at(0xBFFF_FFF0, 0x20).bytes(), Kernel::Elf(&kernel), "MAP-3", "user memory");
    refused(
        &ElfFile::at(0x2_0000, 4).bytes(),
        Kernel::Elf(&ElfFile::at(0x3_0000, 4).bytes()),
        "MAP-2",
        "kernel memory",
    );
    let mut overlapping = ElfFile::minimal();
    overlapping.segments.push(Segment { addr: 0x1_0004, bytes: vec![], memory_size: 4 });
    check(&overlapping.bytes(), "ELF-6", "segments 0 and 1 overlap at 0x00010004");
    let mut shrinking = ElfFile::minimal();
    shrinking.segments[0].memory_size = 2;
    check(&shrinking.bytes(), "ELF-6", "4 bytes in the file and only 2 in memory");
}

/// ELF-7.
#[test]
fn headers_and_bytes_must_be_in_the_file() {
    let file = ElfFile::minimal().bytes();
    check(&file[..file.len() - 1], "ELF-7", "truncated");
    check(&with_byte(29, 0xff), "ELF-7", "do not fit the file");
    check(&with_byte(42, 31), "ELF-7", "31 bytes");
    check(&with_byte(45, 0xff), "ELF-7", "do not fit the file");
    let bad_offset = with_byte(HEADER_BYTES + 7, 0xff);
    assert!(matches!(
        load(&bad_offset, Kernel::None).err().map(|error| error.problem),
        Some(Problem::SegmentOutsideFile { index: 0, .. })
    ));
}

/// ELF-1 to ELF-7: whatever bytes of a file change, there is an image or a sentence; and no symbols can hurt.
#[test]
fn mutated_files_never_panic() {
    fn survives(changes: Vec<(u16, u8)>, cut: u16) -> bool {
        for original in [ElfFile::minimal().bytes(), lockstep::kernel::DEFAULT.to_vec()] {
            let mut file = original;
            for (at, value) in &changes {
                // Half of the changes hit the headers, where they matter most.
                let range = if value & 1 == 0 { file.len().min(HEADER_BYTES + 64) } else { file.len() };
                if range > 0 {
                    let at = usize::from(*at) % range;
                    file[at] = *value;
                }
            }
            file.truncate(file.len().saturating_sub(usize::from(cut) % 64));
            let _ = load(&file, Kernel::None).map(|image| image.machine().is_ok());
            let _ = load(&file, Kernel::Elf(&file));
            let _ = lockstep::symbols::Symbols::of(&file).locate(0xC000_0010);
        }
        true
    }
    let generator = Gen::from_size_and_seed(12, 0x10C5_7E90);
    QuickCheck::new().rng(generator).tests(600).quickcheck(survives as fn(Vec<(u16, u8)>, u16) -> bool);
}
