//! Recording what a host returned, and replaying it (ECALL-8).

use std::collections::BTreeMap;

use super::{Host, Refused};
use crate::hart::Machine;

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

impl<H: Host> Recorder<H> {
    /// The recorded bytes of the read at step `order`, or those that `ask` delivers, which are recorded.
    fn replay_read(
        &mut self,
        order: u64,
        bytes: &mut [u8],
        ask: impl FnOnce(&mut H, &mut [u8]) -> Result<u32, Refused>,
    ) -> Result<u32, Refused> {
        if let Some(Answer::Read(recorded)) = self.log.get(&order) {
            let count = recorded.len().min(bytes.len());
            bytes[..count].copy_from_slice(&recorded[..count]);
            return Ok(count as u32);
        }
        let count = ask(&mut self.host, bytes)?.min(bytes.len() as u32);
        self.log.insert(order, Answer::Read(bytes[..count as usize].to_vec()));
        Ok(count)
    }

    /// The recorded count of the write at step `order`, or what `ask` returns, which is recorded.
    fn replay_write(
        &mut self,
        order: u64,
        bytes: &[u8],
        ask: impl FnOnce(&mut H) -> Result<u32, Refused>,
    ) -> Result<u32, Refused> {
        if let Some(Answer::Wrote(count)) = self.log.get(&order) {
            return Ok(*count);
        }
        let count = ask(&mut self.host)?.min(bytes.len() as u32);
        self.log.insert(order, Answer::Wrote(count));
        Ok(count)
    }
}

/// A refusal is not recorded: it ends the run (ECALL-19), so that no later step depends on it.
impl<H: Host> Host for Recorder<H> {
    fn read(&mut self, order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        self.replay_read(order, bytes, |host, bytes| Ok(host.read(order, fd, bytes))).unwrap_or(0)
    }

    fn write(&mut self, order: u64, fd: u32, bytes: &[u8]) -> u32 {
        self.replay_write(order, bytes, |host| Ok(host.write(order, fd, bytes))).unwrap_or(0)
    }

    fn looks_at_machine(&self) -> bool {
        self.host.looks_at_machine()
    }

    fn read_for(&mut self, machine: &Machine, fd: u32, bytes: &mut [u8]) -> Result<u32, Refused> {
        self.replay_read(machine.hart.instructions, bytes, |host, bytes| host.read_for(machine, fd, bytes))
    }

    fn write_for(&mut self, machine: &Machine, fd: u32, bytes: &[u8]) -> Result<u32, Refused> {
        self.replay_write(machine.hart.instructions, bytes, |host| host.write_for(machine, fd, bytes))
    }
}
