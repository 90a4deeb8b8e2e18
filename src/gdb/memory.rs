//! The packets that read and write memory: m, M, X and lldb's x.
//!
//! gdbstub's have no cap on the length and trust the packet; these do neither. What the debugger may see is
//! what exists: the invalid region is an error, everything above it is memory (MAP-1).

use super::inferior::Inferior;
use super::wire::{PACKET_BYTES, escape, hex_bytes, hex_number, to_hex, unescape};
use crate::map::{Addr, USER_START};

/// The most bytes of one read: their digits fill a packet.
const MOST_READ_BYTES: u64 = (PACKET_BYTES / 2) as u64;

/// Serves the packet `body`; the body of the reply.
///
/// # Errors
/// A sentence.
pub fn serve(inferior: &mut Inferior, body: &[u8]) -> Result<Vec<u8>, String> {
    let (kind, rest) = body.split_first().ok_or("empty packet")?;
    match kind {
        b'm' => read(inferior, rest).map(|bytes| to_hex(&bytes)),
        b'x' => binary_read(inferior, rest),
        b'M' => write(inferior, rest, hex_bytes),
        _ => write(inferior, rest, |data| Some(unescape(data))),
    }
}

fn read(inferior: &Inferior, request: &[u8]) -> Result<Vec<u8>, String> {
    let range = Range::parse(request)?;
    let length = range.length.min(MOST_READ_BYTES);
    // A read that begins in memory and runs out of it yields what there is.
    let end = (u64::from(range.start) + length).min(1 << 32);
    range.check()?;
    let mut bytes = vec![0; (end - u64::from(range.start)) as usize];
    inferior.machine().read_bytes(range.start, &mut bytes);
    Ok(bytes)
}

/// lldb asks with a length of 0 whether we know the packet.
fn binary_read(inferior: &Inferior, request: &[u8]) -> Result<Vec<u8>, String> {
    if Range::parse(request).is_ok_and(|range| range.length == 0) {
        return Ok(b"OK".to_vec());
    }
    let mut body = Vec::new();
    escape(&read(inferior, request)?, &mut body);
    body.truncate(PACKET_BYTES);
    Ok(body)
}

fn write(
    inferior: &mut Inferior,
    request: &[u8],
    decode: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, String> {
    let colon = request.iter().position(|byte| *byte == b':').ok_or("a write is addr,length:data")?;
    let range = Range::parse(&request[..colon])?;
    let data = decode(&request[colon + 1..]).ok_or("the data is not in pairs of hexadecimal digits")?;
    if data.len() as u64 != range.length {
        return Err(format!("the packet announces {} bytes and holds {}", range.length, data.len()));
    }
    if range.length > 0 {
        range.check()?;
        if u64::from(range.start) + range.length > 1 << 32 {
            return Err(format!("a write of {} bytes at {:#010x} passes the end of memory", range.length, range.start));
        }
        if inferior.is_observed {
            return Err("another client controls the program; this one may only look".to_owned());
        }
        // To write what is there changes nothing, and forgets no future.
        let mut now = vec![0; data.len()];
        inferior.machine().read_bytes(range.start, &mut now);
        if now != data {
            inferior.edit(|machine| machine.write_bytes(range.start, &data));
        }
    }
    Ok(b"OK".to_vec())
}

struct Range {
    start: Addr,
    length: u64,
}

impl Range {
    /// Parses `addr,length`.
    fn parse(text: &[u8]) -> Result<Range, String> {
        let malformed = || format!("{} is not addr,length", String::from_utf8_lossy(text));
        let comma = text.iter().position(|byte| *byte == b',').ok_or_else(malformed)?;
        let addr = hex_number(&text[..comma]).ok_or_else(malformed)?;
        let length = hex_number(&text[comma + 1..]).ok_or_else(malformed)?;
        let start = Addr::try_from(addr).map_err(|_| format!("address {addr:#x} is not in 32 bits"))?;
        Ok(Range { start, length })
    }

    fn check(&self) -> Result<(), String> {
        match self.start < USER_START {
            true => Err(format!("{:#010x} is in the invalid region below {USER_START:#010x} (MAP-1)", self.start)),
            false => Ok(()),
        }
    }
}
