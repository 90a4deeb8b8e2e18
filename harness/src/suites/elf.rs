//! A machine's memory as an ELF file, for simulators that take nothing else.

use std::collections::BTreeSet;

use lockstep::hart::Machine;
use lockstep::map::{self, Addr};

use crate::machine::{FRAME_BYTES, Frame};

/// The statically linked ELF file of user and kernel memory, with the entry at pc.
pub fn of_machine(machine: &Machine) -> Vec<u8> {
    with_symbols(machine, &[])
}

/// The same with `symbols`, which tell a test bench where to look.
pub fn with_symbols(machine: &Machine, symbols: &[(&str, Addr)]) -> Vec<u8> {
    let segments = segments(machine);
    let mut file = header(machine.hart.pc, segments.len() as u16);
    let first = (HEADER + PROGRAM_HEADER * segments.len()).next_multiple_of(FRAME_BYTES);
    let mut offset = first as u32;
    for (addr, bytes) in &segments {
        let length = bytes.len() as u32;
        // PT_LOAD, offset, virtual and physical address, sizes in the file and in memory, RWX, alignment.
        for word in [1, offset, *addr, *addr, length, length, 7, FRAME_BYTES as u32] {
            file.extend(word.to_le_bytes());
        }
        offset += length;
    }
    file.resize(first, 0);
    segments.into_iter().for_each(|(_, bytes)| file.extend(bytes));
    add_sections(&mut file, symbols);
    file
}

/// Bytes of an ELF32 header, of one program header, of one section header and of one symbol.
const HEADER: usize = 52;
const PROGRAM_HEADER: usize = 32;
const SECTION_HEADER: usize = 40;
const SYMBOL: u32 = 16;

/// The names of the sections, each with its place in the text; Spike wants them even where there are no symbols.
const SECTION_NAMES: &[u8] = b"\0.symtab\0.strtab\0.shstrtab\0";
const SYMTAB: u32 = 1;
const STRTAB: u32 = 9;
const SHSTRTAB: u32 = 17;
const SECTIONS: u16 = 4;

/// Adds the table of symbols, their names, the names of the sections, and the headers of all three.
fn add_sections(file: &mut Vec<u8>, symbols: &[(&str, Addr)]) {
    const ABSOLUTE: u32 = 0xfff1;
    const GLOBAL: u32 = 0x10;
    let (mut table, mut names) = (vec![0; SYMBOL as usize], vec![0]);
    for (name, addr) in symbols {
        let words = [names.len() as u32, *addr, 0, GLOBAL | ABSOLUTE << 16];
        table.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        names.extend(name.bytes().chain([0]));
    }
    let at = file.len() as u32;
    let (names_at, sections_at) = (at + table.len() as u32, at + (table.len() + names.len()) as u32);
    // Name, type, flags, address, offset, size, link, info, alignment, size of an entry.
    let headers = [
        [0; 10],
        [SYMTAB, 2, 0, 0, at, table.len() as u32, 2, 1, 1, SYMBOL],
        [STRTAB, 3, 0, 0, names_at, names.len() as u32, 0, 0, 1, 0],
        [SHSTRTAB, 3, 0, 0, sections_at, SECTION_NAMES.len() as u32, 0, 0, 1, 0],
    ];
    file.extend(table.into_iter().chain(names).chain(SECTION_NAMES.iter().copied()));
    // Where the section headers begin.
    let headers_at = file.len() as u32;
    file[32..36].copy_from_slice(&headers_at.to_le_bytes());
    file.extend(headers.iter().flatten().flat_map(|word| word.to_le_bytes()));
}

/// Runs of frames that touch each other. QEMU maps a file frame by frame, so a segment begins and ends with one.
fn segments(machine: &Machine) -> Vec<(u32, Vec<u8>)> {
    let pages = machine.mem.pages().map(|(page, _)| page);
    let plain = pages.filter(|page| (map::USER_START..map::SYSTEM_START).contains(&page.start()));
    let frames: BTreeSet<Frame> = plain.map(Frame::of_page).collect();
    let mut segments: Vec<(u32, Vec<u8>)> = Vec::new();
    for start in frames.into_iter().map(Frame::start) {
        let mut bytes = vec![0; FRAME_BYTES];
        machine.read_bytes(start, &mut bytes);
        match segments.last_mut().filter(|(first, have)| first + have.len() as u32 == start) {
            Some((_, have)) => have.extend(bytes),
            None => segments.push((start, bytes)),
        }
    }
    segments
}

fn header(entry: u32, segments: u16) -> Vec<u8> {
    const EXECUTABLE: u16 = 2;
    const RISCV: u16 = 243;
    // 32 bits, little-endian, version 1, System V.
    let mut bytes = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend([EXECUTABLE, RISCV].iter().flat_map(|half| half.to_le_bytes()));
    bytes.extend([1, entry, HEADER as u32, 0, 0].iter().flat_map(|word: &u32| word.to_le_bytes()));
    let sizes = [HEADER as u16, PROGRAM_HEADER as u16, segments, SECTION_HEADER as u16, SECTIONS, SECTIONS - 1];
    bytes.extend(sizes.iter().flat_map(|half| half.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::machine_at;
    use goblin::elf::Elf;
    use lockstep::loader::{self, Kernel};
    use lockstep::map::Mode;
    use lockstep::mem::Memory;

    /// What is written is what the loader reads.
    #[test]
    fn the_loader_reads_the_same_memory() {
        let mut memory = Memory::new();
        for (addr, word) in [(0x0001_0000, 0x73), (0x0001_0400, 5), (0xC000_0000, 7)] {
            memory.set_word(addr, word);
        }
        let machine = machine_at(memory, 0x0001_0000, Mode::Machine).expect("a place to start");
        let file = with_symbols(&machine, &[("tohost", 0x0001_0400), ("fromhost", 0x0001_0440)]);
        let elf = Elf::parse(&file).expect("an ELF file");
        let named = |symbol: goblin::elf::Sym| (elf.strtab.get_at(symbol.st_name).expect("a name"), symbol.st_value);
        let symbols: Vec<(&str, u64)> = elf.syms.iter().skip(1).map(named).collect();
        assert_eq!(symbols, [("tohost", 0x0001_0400), ("fromhost", 0x0001_0440)]);
        let image = loader::load(&file, Kernel::None).expect("an ELF file");
        let read = image.machine().expect("a machine");
        assert_eq!((read.hart.pc, read.hart.mode), (0x0001_0000, Mode::Machine));
        for addr in [0x0001_0000, 0x0001_0004, 0x0001_0400, 0xC000_0000] {
            assert_eq!(read.word(addr), machine.word(addr), "{addr:#x}");
        }
    }
}
