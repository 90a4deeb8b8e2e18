//! Recording what a host returned, and replaying it (ECALL-8).

use std::collections::BTreeMap;

use super::Host;

/// What the host returned to one ECALL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The bytes that a read delivered.
    Read(Vec<u8>),
    /// The count that a write returned.
    Wrote(u32),
}

/// The answers of a host, by the step that asked.
pub type Log = BTreeMap<u64, Answer>;

/// A host that replays the answers in its log and asks the host behind it for the others.
///
/// A replayed write reaches no one: its bytes were written when the answer was recorded.
#[derive(Clone, Debug, Default)]
pub struct Recorder<H> {
    /// The host that answers what the log does not.
    pub host: H,
    /// The answers so far.
    pub log: Log,
}

impl<H: Host> Recorder<H> {
    /// A recorder with an empty log in front of `host`.
    pub fn new(host: H) -> Recorder<H> {
        Recorder { host, log: Log::new() }
    }
}

impl<H: Host> Host for Recorder<H> {
    fn read(&mut self, order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        if let Some(Answer::Read(recorded)) = self.log.get(&order) {
            let count = recorded.len().min(bytes.len());
            bytes[..count].copy_from_slice(&recorded[..count]);
            return count as u32;
        }
        let count = self.host.read(order, fd, bytes).min(bytes.len() as u32);
        self.log.insert(order, Answer::Read(bytes[..count as usize].to_vec()));
        count
    }

    fn write(&mut self, order: u64, fd: u32, bytes: &[u8]) -> u32 {
        if let Some(Answer::Wrote(count)) = self.log.get(&order) {
            return *count;
        }
        let count = self.host.write(order, fd, bytes).min(bytes.len() as u32);
        self.log.insert(order, Answer::Wrote(count));
        count
    }
}
