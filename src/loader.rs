//! ELF files to images (clauses ELF-1 to ELF-10).
//!
//! Everything a file can get wrong is a [`LoadError`] that names the place and the rule.

use std::fmt;

use goblin::container::{Container, Ctx};
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS32, ELFDATA2LSB, EM_RISCV, ET_EXEC, Header};
use goblin::elf::program_header::{PT_LOAD, ProgramHeader};

use crate::hart::{Machine, StartError};
use crate::kernel;
use crate::map::{self, Addr, Mode, Region, WORD_BYTES};
use crate::mem::Memory;

/// What runs beneath the program.
#[derive(Clone, Copy, Debug, Default)]
pub enum Kernel<'a> {
    /// The default kernel (KERN-1 to KERN-6).
    #[default]
    Default,
    /// Nothing: the program itself runs in machine mode.
    None,
    /// The kernel in this ELF file.
    Elf(&'a [u8]),
}

/// A program ready to run, with its kernel.
#[derive(Clone)]
pub struct Image {
    /// Memory before the first step, the suspend words included.
    pub memory: Memory,
    /// The program's entry point.
    pub entry: Addr,
    /// The first address after the program, rounded up to 16: where its heap begins.
    pub break_start: Addr,
}

impl Image {
    /// A machine about to make the image's first step.
    ///
    /// # Errors
    /// None for an image that [`load`] made; see [`Machine::from_image`].
    pub fn machine(&self) -> Result<Machine, StartError> {
        Machine::from_image(self.memory.clone())
    }
}

/// Which of the two files of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// The program.
    Program,
    /// The kernel.
    Kernel,
}

/// Why a file is no image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The file at fault.
    pub file: File,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with an ELF file, with the place where it is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the sentences of Display say what each is")]
pub enum Problem {
    NotElf,
    TruncatedHeader { bytes: usize },
    Class(u8),
    Endianness(u8),
    Machine(u16),
    Type(u16),
    Compressed,
    HardFloat,
    Rve,
    HeaderSize(u16),
    HeadersOutsideFile { offset: u32, count: u16, file_bytes: usize },
    NoSegments,
    TooManySegments(usize),
    SegmentUnaligned { index: usize, addr: Addr },
    SegmentFileSize { index: usize, file_size: u32, memory_size: u32 },
    SegmentOutsideFile { index: usize, offset: u32, file_size: u32, file_bytes: usize },
    SegmentWraps { index: usize, addr: Addr, memory_size: u32 },
    SegmentRegion { index: usize, first: Addr, last: Addr, allowed: &'static str, holds_header: bool },
    SegmentsOverlap { first: usize, second: usize, addr: Addr },
    EntryUnaligned(Addr),
    EntryRegion { entry: Addr, allowed: &'static str },
    BootOutsideKernel(Addr),
    EntryWordTaken,
    KernelOverlapsProgram { kernel: usize, program: usize, addr: Addr },
}

/// The most PT_LOAD segments of a file (ELF-3).
pub const MAX_SEGMENTS: usize = 256;

/// The symbol at which a kernel wants the program's entry and break (ELF-9).
pub const BOOT_SYMBOL: &str = "__lockstep_boot";

/// Makes an image of `program` and `kernel`, both ELF files.
///
/// # Errors
/// [`LoadError`], for any bytes that break a rule of ELF-1 to ELF-7.
pub fn load(program: &[u8], kernel: Kernel<'_>) -> Result<Image, LoadError> {
    let kernel_elf = match kernel {
        Kernel::None => None,
        Kernel::Default => Some(kernel::DEFAULT),
        Kernel::Elf(bytes) => Some(bytes),
    };
    let window = if kernel_elf.is_some() { Window::USER } else { Window::BARE };
    let elf = Elf::parse(program, window).map_err(|problem| LoadError { file: File::Program, problem })?;
    let mut image = elf.image();
    match kernel_elf {
        None => set_start(&mut image.memory, elf.entry),
        Some(bytes) => {
            install_kernel(&mut image, &elf, bytes).map_err(|problem| LoadError { file: File::Kernel, problem })?;
        }
    }
    Ok(image)
}

/// Whether `kernel` is made for RISC Zero: it finds the program's entry at 0x00010000 (ELF-9).
pub fn is_v2_kernel(kernel: &[u8]) -> bool {
    boot_cell(kernel).is_none()
}

/// Adds the kernel to `image`, which holds `program`, and tells it where the program is (ELF-9).
fn install_kernel(image: &mut Image, program: &Elf<'_>, bytes: &[u8]) -> Result<(), Problem> {
    let Some(cell) = boot_cell(bytes) else { return install_v2_kernel(image, program, bytes) };
    let elf = Elf::parse(bytes, Window::KERNEL)?;
    elf.place(&mut image.memory);
    set_start(&mut image.memory, elf.entry);
    if Region::of(cell) != Region::Kernel || !cell.is_multiple_of(WORD_BYTES) {
        return Err(Problem::BootOutsideKernel(cell));
    }
    image.memory.set_word(cell, image.entry);
    image.memory.set_word(cell + WORD_BYTES, image.break_start);
    Ok(())
}

/// ELF-10: a kernel made for RISC Zero, under which the program's words win.
fn install_v2_kernel(image: &mut Image, program: &Elf<'_>, bytes: &[u8]) -> Result<(), Problem> {
    let kernel = Elf::parse(bytes, Window::BARE)?;
    if !Window::KERNEL.holds(kernel.entry, kernel.entry) {
        return Err(Problem::EntryRegion { entry: kernel.entry, allowed: Window::KERNEL.name });
    }
    for segment in &kernel.segments {
        if let Some(other) = program.segments.iter().find(|other| !segment.holds_header && segment.overlaps(other)) {
            let addr = segment.first.max(other.first);
            return Err(Problem::KernelOverlapsProgram { kernel: segment.index, program: other.index, addr });
        }
        for (addr, word) in segment.words().filter(|(addr, _)| !program.holds(*addr)) {
            image.memory.set_word(addr, word);
        }
    }
    // The linker puts the ELF header where the entry goes; any other bytes there are the program's own.
    let is_taken = program.holds(map::USER_START) && image.memory.word(map::USER_START) != ELF_MAGIC;
    if is_taken {
        return Err(Problem::EntryWordTaken);
    }
    image.memory.set_word(map::USER_START, image.entry);
    set_start(&mut image.memory, kernel.entry);
    Ok(())
}

/// The first word of an ELF file.
const ELF_MAGIC: u32 = u32::from_le_bytes(*b"\x7fELF");

/// MODE-1: a run starts in machine mode at `entry`.
fn set_start(memory: &mut Memory, entry: Addr) {
    memory.set_word(map::SUSPEND_PC, entry);
    memory.set_word(map::SUSPEND_MODE, Mode::Machine as u32);
}

/// The address of [`BOOT_SYMBOL`] in the kernel.
fn boot_cell(kernel: &[u8]) -> Option<Addr> {
    let elf = goblin::elf::Elf::parse(kernel).ok()?;
    let symbol = elf.syms.iter().find(|symbol| elf.strtab.get_at(symbol.st_name) == Some(BOOT_SYMBOL))?;
    Addr::try_from(symbol.st_value).ok()
}

/// Where the segments of a file may lie (ELF-5).
#[derive(Clone, Copy)]
struct Window {
    start: Addr,
    end: Addr,
    name: &'static str,
}

impl Window {
    const USER: Window =
        Window { start: map::USER_START, end: map::KERNEL_START, name: "user memory, 0x00010000 to 0xbfffffff" };
    const KERNEL: Window =
        Window { start: map::KERNEL_START, end: map::SYSTEM_START, name: "kernel memory, 0xc0000000 to 0xfeffffff" };
    const BARE: Window = Window { start: map::USER_START, end: map::SYSTEM_START, name: "0x00010000 to 0xfeffffff" };

    /// `last` is inclusive.
    fn holds(&self, first: Addr, last: Addr) -> bool {
        first >= self.start && last < self.end
    }
}

/// A checked ELF file.
struct Elf<'a> {
    entry: Addr,
    segments: Vec<Segment<'a>>,
}

/// A checked PT_LOAD segment.
struct Segment<'a> {
    index: usize,
    first: Addr,
    /// Inclusive.
    last: Addr,
    bytes: &'a [u8],
    /// Whether it holds the header of its own file.
    holds_header: bool,
}

impl<'a> Elf<'a> {
    fn parse(file: &'a [u8], window: Window) -> Result<Elf<'a>, Problem> {
        let header = check_header(file)?;
        let segments = check_segments(file, &header, window)?;
        // check_header: a 32-bit file, so the entry fits a word.
        let entry = header.e_entry as Addr;
        if !entry.is_multiple_of(WORD_BYTES) {
            return Err(Problem::EntryUnaligned(entry));
        }
        if !window.holds(entry, entry) {
            return Err(Problem::EntryRegion { entry, allowed: window.name });
        }
        Ok(Elf { entry, segments })
    }

    fn image(&self) -> Image {
        let mut memory = Memory::new();
        self.place(&mut memory);
        // check_segments: at least one segment, none of which reaches the end of the address space.
        let last = self.segments.iter().map(|segment| segment.last).max().unwrap_or(self.entry);
        Image { memory, entry: self.entry, break_start: (last / HEAP_ALIGN_BYTES + 1) * HEAP_ALIGN_BYTES }
    }

    fn place(&self, memory: &mut Memory) {
        for segment in &self.segments {
            segment.place(memory);
        }
    }

    /// Whether the word at `addr` is in a segment.
    fn holds(&self, addr: Addr) -> bool {
        self.segments.iter().any(|segment| (segment.first..=segment.last).contains(&addr))
    }
}

/// The heap begins at a multiple of this, the alignment of malloc (ELF-9).
const HEAP_ALIGN_BYTES: u32 = 16;

impl Segment<'_> {
    /// ELF-8: bytes that are not in the file are zero already (MEM-2).
    fn place(&self, memory: &mut Memory) {
        for (addr, word) in self.words() {
            memory.set_word(addr, word);
        }
    }

    /// The words in the file with their addresses; the last one may be short of bytes, which are zeros.
    fn words(&self) -> impl Iterator<Item = (Addr, u32)> {
        (0..).zip(self.bytes.chunks(WORD_BYTES as usize)).map(|(i, chunk)| {
            let mut word = [0; WORD_BYTES as usize];
            word[..chunk.len()].copy_from_slice(chunk);
            (self.first + i * WORD_BYTES, u32::from_le_bytes(word))
        })
    }

    fn overlaps(&self, other: &Segment<'_>) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// ELF-1, and what the file says of its program headers.
fn check_header(file: &[u8]) -> Result<Header, Problem> {
    if !file.starts_with(b"\x7fELF") {
        return Err(Problem::NotElf);
    }
    if file.len() < HEADER_BYTES {
        return Err(Problem::TruncatedHeader { bytes: file.len() });
    }
    if file[EI_CLASS] != ELFCLASS32 {
        return Err(Problem::Class(file[EI_CLASS]));
    }
    if file[EI_DATA] != ELFDATA2LSB {
        return Err(Problem::Endianness(file[EI_DATA]));
    }
    let header = goblin::elf::Elf::parse_header(file).map_err(|_| Problem::NotElf)?;
    match header {
        _ if header.e_machine != EM_RISCV => Err(Problem::Machine(header.e_machine)),
        _ if header.e_type != ET_EXEC => Err(Problem::Type(header.e_type)),
        _ if header.e_flags & EF_RISCV_RVC != 0 => Err(Problem::Compressed),
        _ if header.e_flags & EF_RISCV_FLOAT_ABI != 0 => Err(Problem::HardFloat),
        _ if header.e_flags & EF_RISCV_RVE != 0 => Err(Problem::Rve),
        _ => Ok(header),
    }
}

/// Bytes of an ELF32 header.
const HEADER_BYTES: usize = 52;
/// Bytes of an ELF32 program header.
const PROGRAM_HEADER_BYTES: u16 = 32;
// Flags of the RISC-V ELF psABI, "File Header".
const EF_RISCV_RVC: u32 = 1;
const EF_RISCV_FLOAT_ABI: u32 = 6;
const EF_RISCV_RVE: u32 = 8;

/// ELF-3 to ELF-7.
fn check_segments<'a>(file: &'a [u8], header: &Header, window: Window) -> Result<Vec<Segment<'a>>, Problem> {
    let mut segments = Vec::new();
    for (index, row) in program_headers(file, header)?.iter().enumerate() {
        if row.p_type == PT_LOAD && row.p_memsz > 0 {
            segments.push(check_segment(file, index, row, window)?);
        }
    }
    match segments.len() {
        0 => return Err(Problem::NoSegments),
        count if count > MAX_SEGMENTS => return Err(Problem::TooManySegments(count)),
        _ => {}
    }
    segments.sort_by_key(|segment| segment.first);
    for pair in segments.windows(2) {
        if pair[1].first <= pair[0].last {
            let (first, second) = (pair[0].index, pair[1].index);
            return Err(Problem::SegmentsOverlap { first, second, addr: pair[1].first });
        }
    }
    Ok(segments)
}

fn program_headers(file: &[u8], header: &Header) -> Result<Vec<ProgramHeader>, Problem> {
    let (offset, count) = (header.e_phoff as u32, header.e_phnum);
    if count == 0 {
        return Err(Problem::NoSegments);
    }
    if header.e_phentsize != PROGRAM_HEADER_BYTES {
        return Err(Problem::HeaderSize(header.e_phentsize));
    }
    let end = u64::from(offset) + u64::from(count) * u64::from(PROGRAM_HEADER_BYTES);
    let outside = Problem::HeadersOutsideFile { offset, count, file_bytes: file.len() };
    if end > file.len() as u64 {
        return Err(outside);
    }
    let ctx = Ctx::new(Container::Little, goblin::container::Endian::Little);
    ProgramHeader::parse(file, offset as usize, usize::from(count), ctx).map_err(|_| outside)
}

fn check_segment<'a>(
    file: &'a [u8],
    index: usize,
    row: &ProgramHeader,
    window: Window,
) -> Result<Segment<'a>, Problem> {
    // A 32-bit file: every field fits a word.
    let (addr, offset) = (row.p_vaddr as u32, row.p_offset as u32);
    let (file_size, memory_size) = (row.p_filesz as u32, row.p_memsz as u32);
    if !addr.is_multiple_of(WORD_BYTES) {
        return Err(Problem::SegmentUnaligned { index, addr });
    }
    if file_size > memory_size {
        return Err(Problem::SegmentFileSize { index, file_size, memory_size });
    }
    let range = offset as usize..offset as usize + file_size as usize;
    let outside = Problem::SegmentOutsideFile { index, offset, file_size, file_bytes: file.len() };
    let bytes = file.get(range).ok_or(outside)?;
    let holds_header = offset == 0 && file_size > 0;
    let last = addr.checked_add(memory_size - 1).ok_or(Problem::SegmentWraps { index, addr, memory_size })?;
    if !window.holds(addr, last) {
        return Err(Problem::SegmentRegion { index, first: addr, last, allowed: window.name, holds_header });
    }
    Ok(Segment { index, first: addr, last, bytes, holds_header })
}

impl std::error::Error for LoadError {}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.file == File::Kernel {
            write!(f, "kernel: ")?;
        }
        self.problem.fmt(f)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Problem::NotElf => write!(f, "not an ELF file: it does not start with 0x7f 'ELF' (ELF-1)"),
            Problem::TruncatedHeader { bytes } => {
                write!(f, "truncated: {bytes} bytes, and the ELF header alone has {HEADER_BYTES} (ELF-1)")
            }
            Problem::Class(class) => {
                write!(f, "ELF class {class} (2 is 64-bit); build for 32 bits with -march=rv32im -mabi=ilp32 (ELF-1)")
            }
            Problem::Endianness(data) => {
                write!(f, "ELF data encoding {data}; only 1, little-endian, runs here (ELF-1)")
            }
            Problem::Machine(machine) => {
                write!(
                    f,
                    "built for machine {machine}, not for RISC-V (machine {EM_RISCV}); use a RISC-V compiler (ELF-1)"
                )
            }
            Problem::Type(kind) => {
                write!(
                    f,
                    "ELF type {kind}, not an executable (type {ET_EXEC}); link it statically, without -pie (ELF-1)"
                )
            }
            Problem::Compressed => {
                write!(f, "built with compressed instructions; build with -march=rv32im, without c (ELF-1, ISA-2)")
            }
            Problem::HardFloat => {
                write!(f, "built for hardware floating point; build with -mabi=ilp32 (ELF-1, ISA-2)")
            }
            Problem::Rve => write!(f, "built for RV32E; build with -march=rv32im -mabi=ilp32 (ELF-1)"),
            Problem::HeaderSize(bytes) => {
                write!(f, "program headers of {bytes} bytes; ELF32 has {PROGRAM_HEADER_BYTES} (ELF-7)")
            }
            Problem::HeadersOutsideFile { offset, count, file_bytes } => {
                write!(
                    f,
                    "{count} program headers at offset {offset} do not fit the file of {file_bytes} bytes (ELF-7)"
                )
            }
            Problem::NoSegments => write!(f, "no PT_LOAD segment, so there is nothing to run; was it linked? (ELF-3)"),
            Problem::TooManySegments(count) => {
                write!(f, "{count} PT_LOAD segments; at most {MAX_SEGMENTS} are allowed (ELF-3)")
            }
            Problem::SegmentUnaligned { index, addr } => {
                write!(f, "segment {index} at 0x{addr:08x} does not start at a multiple of 4 (ELF-4)")
            }
            Problem::SegmentFileSize { index, file_size, memory_size } => {
                write!(f, "segment {index} has {file_size} bytes in the file and only {memory_size} in memory (ELF-6)")
            }
            Problem::SegmentOutsideFile { index, offset, file_size, file_bytes } => write!(
                f,
                "segment {index} takes {file_size} bytes at offset {offset} of a file of {file_bytes} bytes; is the file truncated? (ELF-7)"
            ),
            Problem::SegmentWraps { index, addr, memory_size } => {
                write!(
                    f,
                    "segment {index} at 0x{addr:08x} with {memory_size} bytes wraps around the address space (ELF-6)"
                )
            }
            Problem::SegmentRegion { index, first, last, allowed, holds_header } => write!(
                f,
                "segment {index} at 0x{first:08x} to 0x{last:08x} {}; link it within {allowed}{} (ELF-5)",
                forbidden_place(first, last),
                // GNU ld maps the page before -Ttext to hold the ELF header.
                if holds_header { " (with -Ttext, -Wl,-N keeps the ELF header out of memory)" } else { "" }
            ),
            Problem::SegmentsOverlap { first, second, addr } => {
                write!(f, "segments {first} and {second} overlap at 0x{addr:08x} (ELF-6)")
            }
            Problem::EntryUnaligned(entry) => write!(f, "entry point 0x{entry:08x} is not a multiple of 4 (ELF-2)"),
            Problem::EntryRegion { entry, allowed } => {
                write!(f, "entry point 0x{entry:08x} does not lie in {allowed}; is _start defined? (ELF-2)")
            }
            Problem::BootOutsideKernel(cell) => {
                write!(f, "{BOOT_SYMBOL} at 0x{cell:08x} is not a word of kernel memory (ELF-9)")
            }
            Problem::KernelOverlapsProgram { kernel, program, addr } => write!(
                f,
                "its segment {kernel} and segment {program} of the program overlap at 0x{addr:08x}; link the program elsewhere (ELF-10)"
            ),
            Problem::EntryWordTaken => write!(
                f,
                "it wants the program's entry at 0x00010000, where the program has its own bytes; link the program above (ELF-9)"
            ),
        }
    }
}

/// What a reader most likely did not know about the place of a segment.
fn forbidden_place(first: Addr, last: Addr) -> &'static str {
    match (Region::of(first), Region::of(last)) {
        (Region::Invalid, _) => "lies in the invalid page (MAP-1)",
        (Region::User, Region::User) => "lies in user memory (MAP-2)",
        (_, Region::Kernel) => "reaches into kernel memory (MAP-3)",
        _ => "reaches into system memory (MAP-4)",
    }
}
