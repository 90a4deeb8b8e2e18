//! `find` and `compare-sections`: the packets qSearch:memory and qCRC.

use super::inferior::Inferior;
use super::wire::{hex_number, unescape};
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
    let end = (u64::from(start) + length).min(1 << 32);
    Ok(match first_match(inferior, start, end, &pattern) {
        Some(addr) => format!("1,{addr:x}").into_bytes(),
        None => b"0".to_vec(),
    })
}

/// The first place in `start..end` where `pattern` lies wholly inside.
fn first_match(inferior: &Inferior, start: Addr, end: u64, pattern: &[u8]) -> Option<Addr> {
    let machine = inferior.machine();
    let last = end.checked_sub(pattern.len() as u64)?;
    let mut addr = u64::from(start);
    while addr <= last {
        // A pattern with something in it does not begin in a page that nothing wrote, but at its very end.
        let page_end = (addr / PAGE_BYTES as u64 + 1) * PAGE_BYTES as u64;
        let is_empty = pattern[0] != 0 && !machine.mem.exists(PageNo::of(addr as Addr)) && addr < 0xFFFF_0000;
        if is_empty {
            addr = page_end;
            continue;
        }
        let is_here = |addr: u64| (0..).zip(pattern).all(|(i, byte)| machine.byte((addr + i) as Addr) == *byte);
        if let Some(found) = (addr..page_end.min(last + 1)).find(|addr| is_here(*addr)) {
            return Some(found as Addr);
        }
        addr = page_end;
    }
    None
}

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

    /// "123456789" under CRC-32/MPEG-2 (this polynomial, no reflection, no final inversion).
    #[test]
    fn the_crc_is_gdbs() {
        assert_eq!(b"123456789".iter().fold(u32::MAX, |crc, byte| crc_byte(crc, *byte)), 0x0376_E6E7);
    }
}
