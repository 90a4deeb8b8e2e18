//! A machine's memory as an ELF file, for simulators that take nothing else.

use std::collections::BTreeSet;

use lockstep::hart::Machine;
use lockstep::map;

use crate::machine::{FRAME_BYTES, Frame};

/// The statically linked ELF file of user and kernel memory, with the entry at pc.
pub fn of_machine(machine: &Machine) -> Vec<u8> {
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
    // Spike wants a table of section names, if only with the empty name: this header's own first byte.
    for word in [0, 0, 0, 0, offset, 1, 0, 0, 0, 0] {
        file.extend(word.to_le_bytes());
    }
    // Where the section headers begin.
    file[32..36].copy_from_slice(&offset.to_le_bytes());
    file
}

/// Bytes of an ELF32 header, of one program header and of one section header.
const HEADER: usize = 52;
const PROGRAM_HEADER: usize = 32;
const SECTION_HEADER: usize = 40;

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
    let sizes = [HEADER as u16, PROGRAM_HEADER as u16, segments, SECTION_HEADER as u16, 1, 0];
    bytes.extend(sizes.iter().flat_map(|half| half.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::machine_at;
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
        let image = loader::load(&of_machine(&machine), Kernel::None).expect("an ELF file");
        let read = image.machine().expect("a machine");
        assert_eq!((read.hart.pc, read.hart.mode), (0x0001_0000, Mode::Machine));
        for addr in [0x0001_0000, 0x0001_0004, 0x0001_0400, 0xC000_0000] {
            assert_eq!(read.word(addr), machine.word(addr), "{addr:#x}");
        }
    }
}
