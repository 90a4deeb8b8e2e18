//! `find` and `compare-sections`: the packets qSearch:memory and qCRC.

use super::inferior::Inferior;
use super::wire::{hex_number, unescape};
use crate::hart::Machine;
use crate::map::{Addr, USER_START};
use crate::mem::{PAGE_BYTES, PageNo};

/// Serves `qSearch:memory:addr;length;pattern`; the body of the reply.
///
/// # Errors
/// A sentence.
pub fn find(inferior: &Inferior, request: &[u8]) -> Result<Vec<u8>, String> {
    let mut parts = request.splitn(3, |byte| *byte == b';');
    let start = parts.next().and_then(hex_number);
    let length = parts.next().and_then(hex_number);
    let pattern = parts.next().map(unescape).filter(|pattern| !pattern.is_empty());
    let (Some(start), Some(length), Some(pattern)) = (start, length, pattern) else {
        return Err("a search is addr;length;pattern".to_owned());
    };
    let start = address(start)?;
    let end = u64::from(start).saturating_add(length).min(1 << 32);
    Ok(match first_match(inferior.machine(), start, end, &pattern) {
        Some(addr) => format!("1,{addr:x}").into_bytes(),
        None => b"0".to_vec(),
    })
}

/// The first place in `start..end` where `pattern` lies wholly inside: Knuth, Morris and Pratt's search, which looks at
/// each byte once whatever the pattern.
fn first_match(machine: &Machine, start: Addr, end: u64, pattern: &[u8]) -> Option<Addr> {
    let borders = borders(pattern);
    let (mut addr, mut matched, mut page) = (u64::from(start), 0, [0; PAGE_BYTES]);
    while addr < end {
        let count = (PAGE_BYTES - addr as usize % PAGE_BYTES).min((end - addr) as usize);
        // Above the last pages are registers, which exist without having been written.
        let is_empty = addr < FIRST_REGISTER_PAGE && !machine.mem.exists(PageNo::of(addr as Addr));
        if !is_empty {
            machine.read_bytes(addr as Addr, &mut page[..count]);
        }
        for (byte, behind) in page[..count].iter().zip(addr + 1..) {
            let before = matched;
            matched = advance(pattern, &borders, matched, if is_empty { 0 } else { *byte });
            if matched == pattern.len() {
                return Some((behind - pattern.len() as u64) as Addr);
            }
            // Where one more 0 changes nothing, no number of them does.
            if is_empty && matched == before {
                break;
            }
        }
        addr += count as u64;
    }
    None
}

/// How much of `pattern` is matched by what was read, when `matched` bytes of it were and then `byte` was read.
fn advance(pattern: &[u8], borders: &[usize], mut matched: usize, byte: u8) -> usize {
    while pattern[matched] != byte {
        if matched == 0 {
            return 0;
        }
        matched = borders[matched - 1];
    }
    matched + 1
}

/// Of each beginning of `pattern`, the length of the longest other beginning that it ends with.
fn borders(pattern: &[u8]) -> Vec<usize> {
    let mut borders = vec![0];
    for byte in &pattern[1..] {
        let longest = *borders.last().expect("the first is there");
        let next = advance(pattern, &borders, longest, *byte);
        borders.push(next);
    }
    borders
}

/// The first page with registers in it (MAP-6).
const FIRST_REGISTER_PAGE: u64 = 0xFFFF_0000;

/// Serves `qCRC:addr,length`; the body of the reply.
///
/// # Errors
/// A sentence.
pub fn checksum(inferior: &Inferior, request: &[u8]) -> Result<Vec<u8>, String> {
    let mut parts = request.split(|byte| *byte == b',').map(hex_number);
    let (Some(Some(start)), Some(Some(length)), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err("a checksum is of addr,length".to_owned());
    };
    let start = address(start)?;
    if length > MOST_SUMMED_BYTES || u64::from(start) + length > 1 << 32 {
        return Err(format!("a checksum of {length} bytes is too much"));
    }
    let machine = inferior.machine();
    let crc = (0..length as u32).fold(u32::MAX, |crc, i| crc_byte(crc, machine.byte(start + i)));
    Ok(format!("C{crc:x}").into_bytes())
}

/// A quarter of a gigabyte takes about a second.
const MOST_SUMMED_BYTES: u64 = 256 << 20;

/// One byte into the CRC of GDB's manual: polynomial 0x04C11DB7, high bit first.
fn crc_byte(crc: u32, byte: u8) -> u32 {
    const TABLE: [u32; 256] = crc_table();
    crc << 8 ^ TABLE[((crc >> 24) as u8 ^ byte) as usize]
}

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = (i as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 << 31 != 0 { crc << 1 ^ 0x04C1_1DB7 } else { crc << 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
}

fn address(addr: u64) -> Result<Addr, String> {
    match Addr::try_from(addr) {
        Ok(addr) if addr >= USER_START => Ok(addr),
        Ok(addr) => Err(format!("{addr:#010x} is in the invalid region (MAP-1)")),
        Err(_) => Err(format!("address {addr:#x} is not in 32 bits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hart::Hart;
    use crate::map::Mode;
    use crate::mem::Memory;

    /// Every place is found that a look at each byte finds, over pages that exist and pages that do not.
    #[test]
    fn the_first_place_is_found() {
        let mut machine = Machine { hart: Hart::new(0x2_0000, Mode::User), mem: Memory::new() };
        machine.write_bytes(0x2_03FC, &[1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 2]);
        machine.write_bytes(0x2_1000, &[0, 0, 1, 0, 1]);
        let (start, end) = (0x2_0000_u32, 0x2_1800_u64);
        let mut patterns: Vec<Vec<u8>> = vec![vec![0; 2048], vec![0; 4000], [vec![0; 3100], vec![1]].concat()];
        // All patterns of up to five of these bytes.
        for length in 1..=5 {
            for number in 0..3_u32.pow(length) {
                patterns.push((0..length).map(|i| (number / 3_u32.pow(i) % 3) as u8).collect());
            }
        }
        for pattern in patterns {
            let is_here = |addr: u32| (addr..).zip(&pattern).all(|(addr, byte)| machine.byte(addr) == *byte);
            let plain = (start..=end as u32 - pattern.len() as u32).find(|addr| is_here(*addr));
            assert_eq!(first_match(&machine, start, end, &pattern), plain, "{pattern:?}");
        }
        // Nothing but zeros to the end of memory but registers: no time at all.
        assert_eq!(first_match(&machine, 0x3_0000, 1 << 32, &[0, 0, 0, 7, 7]), None);
    }

    /// "123456789" under CRC-32/MPEG-2 (this polynomial, no reflection, no final inversion).
    #[test]
    fn the_crc_is_gdbs() {
        assert_eq!(b"123456789".iter().fold(u32::MAX, |crc, byte| crc_byte(crc, *byte)), 0x0376_E6E7);
    }
}
