//! Machine ECALLs: the services of the machine, and the host behind them (clauses ECALL-1 to ECALL-10).

pub mod replay;

use crate::hart::Machine;
use crate::isa::Reg;
use crate::map::{self, Addr};
use crate::mem::MemSpan;
use crate::trap::{Cause, Trap};

/// terminate (ECALL-2).
pub const TERMINATE: u32 = 0;
/// read (ECALL-3).
pub const READ: u32 = 1;
/// write (ECALL-4).
pub const WRITE: u32 = 2;

/// The most bytes that one read or write moves (ECALL-7).
pub const MAX_IO_BYTES: u32 = 1024;

/// File descriptors of read and write (ECALL-10).
pub mod fd {
    /// Standard input.
    pub const STDIN: u32 = 0;
    /// Standard output.
    pub const STDOUT: u32 = 1;
    /// Standard error.
    pub const STDERR: u32 = 2;
    /// The journal: the public output of the run.
    pub const JOURNAL: u32 = 3;
    /// The arguments of the program, each ended by a zero byte, for the default kernel.
    pub const ARGUMENTS: u32 = 4;
}

/// The world outside the machine. What it returns is the only input of a run (ECALL-8).
pub trait Host {
    /// Fills the front of `bytes` from `fd` and returns how many bytes it filled; 0 at the end of the input.
    /// `order` is the number of the step that asks.
    fn read(&mut self, order: u64, fd: u32, bytes: &mut [u8]) -> u32;

    /// Takes bytes for `fd` from the front of `bytes` and returns how many it took.
    /// `order` is the number of the step that asks.
    fn write(&mut self, order: u64, fd: u32, bytes: &[u8]) -> u32;
}

/// A host with nothing to read, which takes every byte and drops it.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

impl Host for NoHost {
    fn read(&mut self, _order: u64, _fd: u32, _bytes: &mut [u8]) -> u32 {
        0
    }

    fn write(&mut self, _order: u64, _fd: u32, bytes: &[u8]) -> u32 {
        bytes.len() as u32
    }
}

/// How a run ended by terminate (ECALL-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Halt {
    /// Halt type 0: the program is done.
    Halted,
    /// Halt type 1: the program can be resumed.
    Paused,
}

/// What a machine ECALL did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// The call is done; execution continues behind it.
    Done {
        /// What the call costs beyond its step (TIME-2).
        extra_cycles: u64,
        /// The guest memory that the call read or wrote, if any.
        buffer: Option<MemSpan>,
    },
    /// terminate.
    Terminated {
        /// Halt or pause.
        halt: Halt,
        /// The 16 bits that the program chose.
        user_exit: u16,
    },
}

/// Serves the machine ECALL that the hart is at.
///
/// # Errors
/// The trap of a call that ECALL-6 to ECALL-9 refuse; nothing has changed then.
pub fn serve(machine: &mut Machine, host: &mut dyn Host) -> Result<Served, Trap> {
    match machine.hart.x(Reg::A7) {
        TERMINATE => terminate(machine),
        READ => read(machine, host),
        WRITE => write(machine, host),
        other => Err(refused(other)),
    }
}

fn terminate(machine: &Machine) -> Result<Served, Trap> {
    let a0 = machine.hart.x(Reg::A0);
    let halt = match a0 & 0xffff {
        0 => Halt::Halted,
        1 => Halt::Paused,
        _ => return Err(refused(a0)),
    };
    Ok(Served::Terminated { halt, user_exit: (a0 >> 16) as u16 })
}

fn read(machine: &mut Machine, host: &mut dyn Host) -> Result<Served, Trap> {
    let (fd, buffer) = (machine.hart.x(Reg::A0), Buffer::of(machine)?);
    let mut bytes = [0; MAX_IO_BYTES as usize];
    let asked = &mut bytes[..buffer.len as usize];
    // ECALL-8: the host is not trusted with the length.
    let count = host.read(machine.hart.instructions, fd, asked).min(buffer.len);
    machine.write_bytes(buffer.start, &bytes[..count as usize]);
    machine.hart.set_x(Reg::A0, count);
    Ok(Served::Done { extra_cycles: words_moved(count), buffer: buffer.span(count, true) })
}

fn write(machine: &mut Machine, host: &mut dyn Host) -> Result<Served, Trap> {
    let (fd, buffer) = (machine.hart.x(Reg::A0), Buffer::of(machine)?);
    let mut bytes = [0; MAX_IO_BYTES as usize];
    let offered = &mut bytes[..buffer.len as usize];
    machine.read_bytes(buffer.start, offered);
    let count = host.write(machine.hart.instructions, fd, offered).min(buffer.len);
    machine.hart.set_x(Reg::A0, count);
    Ok(Served::Done { extra_cycles: words_moved(count), buffer: buffer.span(count, false) })
}

/// The buffer of read and write, checked by ECALL-7.
struct Buffer {
    start: Addr,
    len: u32,
}

impl Buffer {
    fn of(machine: &Machine) -> Result<Buffer, Trap> {
        let (start, len) = (machine.hart.x(Reg::A1), machine.hart.x(Reg::A2));
        if len > MAX_IO_BYTES {
            return Err(refused(len));
        }
        let end = u64::from(start) + u64::from(len);
        let is_inside = start >= map::USER_START && end <= u64::from(map::SYSTEM_START);
        if len > 0 && !is_inside {
            return Err(refused(start));
        }
        Ok(Buffer { start, len })
    }

    /// The first `count` bytes.
    fn span(&self, count: u32, is_write: bool) -> Option<MemSpan> {
        let last = self.start.wrapping_add(count.checked_sub(1)?);
        Some(MemSpan { first: self.start, last, is_write })
    }
}

fn words_moved(bytes: u32) -> u64 {
    u64::from(bytes.div_ceil(map::WORD_BYTES))
}

fn refused(what: u32) -> Trap {
    Trap::new(Cause::MachineEcall, what)
}
