//! Intel hex files, the form of the test programs in the vexriscv package.

use std::path::Path;

use lockstep::hart::Machine;
use lockstep::map::{Addr, Mode};
use lockstep::mem::Memory;

use super::Error;

/// The memory that a hex file describes.
///
/// # Errors
/// A line that is no record, as a sentence.
pub fn memory(bytes: &[u8]) -> Result<Memory, String> {
    let mut memory = Memory::new();
    let mut base: Addr = 0;
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let record = Record::parse(line).ok_or_else(|| format!("line {} is no Intel hex record", index + 1))?;
        match (record.kind, record.data.as_slice()) {
            (Record::DATA, data) => store(&mut memory, base.wrapping_add(record.offset.into()), data),
            (Record::SEGMENT, &[high, low]) => base = u32::from(u16::from_be_bytes([high, low])) << 4,
            (Record::UPPER, &[high, low]) => base = u32::from(u16::from_be_bytes([high, low])) << 16,
            (Record::END | Record::START_SEGMENT | Record::START, _) => {}
            (kind, _) => return Err(format!("line {}: record type {kind} is not known", index + 1)),
        }
    }
    Ok(memory)
}

/// A machine in machine mode at `start` in the program of a hex file.
///
/// # Errors
/// One sentence that names the file.
pub fn machine(path: &Path, bytes: &[u8], start: Addr) -> Result<Machine, Error> {
    let memory = memory(bytes).map_err(|problem| Error::file(path, problem))?;
    super::machine_at(memory, start, Mode::Machine).map_err(|problem| Error::file(path, problem))
}

struct Record {
    kind: u8,
    offset: u16,
    data: Vec<u8>,
}

impl Record {
    const DATA: u8 = 0;
    const END: u8 = 1;
    const SEGMENT: u8 = 2;
    const START_SEGMENT: u8 = 3;
    const UPPER: u8 = 4;
    const START: u8 = 5;

    /// `:LLAAAATT` data, checksum: all bytes add up to 0.
    fn parse(line: &[u8]) -> Option<Record> {
        let digits = std::str::from_utf8(line.strip_prefix(b":")?).ok()?;
        if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
            return None;
        }
        let pairs = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok());
        let bytes = pairs.collect::<Option<Vec<u8>>>()?;
        let [length, high, low, kind, data @ .., _checksum] = bytes.as_slice() else { return None };
        let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        let is_whole = sum == 0 && data.len() == usize::from(*length);
        is_whole.then(|| Record { kind: *kind, offset: u16::from_be_bytes([*high, *low]), data: data.to_vec() })
    }
}

fn store(memory: &mut Memory, start: Addr, data: &[u8]) {
    for (i, byte) in data.iter().enumerate() {
        let addr = start.wrapping_add(i as u32);
        let mut word = memory.word(addr).to_le_bytes();
        word[addr as usize % 4] = *byte;
        memory.set_word(addr, u32::from_le_bytes(word));
    }
}

/// The address of the first word in `memory` that equals `wanted`.
pub fn find_word(memory: &Memory, wanted: u32) -> Option<Addr> {
    memory.pages().find_map(|(page, words)| {
        let index = words.iter().position(|word| *word == wanted)?;
        Some(page.start() + 4 * index as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_make_words() {
        let text = b":0200000480007A\n:100000006F00C004732F2034930F8000630AFF0336\n:00000001FF\n";
        let memory = memory(text).unwrap();
        assert_eq!(memory.word(0x8000_0000), 0x04c0_006f);
        assert_eq!(memory.word(0x8000_000c), 0x03ff_0a63);
        assert_eq!(find_word(&memory, 0x0080_0f93), Some(0x8000_0008));
    }

    #[test]
    fn a_broken_record_is_a_sentence() {
        let check = |text: &[u8]| assert_eq!(memory(text).err().as_deref(), Some("line 1 is no Intel hex record"));
        check(b":0200000480007B");
        check(b":02000004800");
        check(b"hello");
        check(b":00");
        check(":0é".as_bytes());
    }
}
