//! Machine ECALLs: the services of the machine, and the host behind them (clauses ECALL-1 to ECALL-19).

pub mod bigint;
pub mod poseidon2;
pub mod replay;
pub mod sha2;

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
/// poseidon2 (ECALL-11).
pub const POSEIDON2: u32 = 3;
/// sha2 (ECALL-13).
pub const SHA2: u32 = 4;
/// bigint (ECALL-15).
pub const BIGINT: u32 = 5;

/// The most bytes that one read or write moves (ECALL-7).
pub const MAX_IO_BYTES: u32 = 1024;

/// The most cycles that one machine ECALL costs, its step included (ECALL-18).
pub const MAX_CALL_CYCLES: u64 = 25_000;

/// The first address that no machine ECALL reads or writes: the registers and what follows (ECALL-7).
pub const BUFFER_END: Addr = map::MACHINE_REGS;

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

    /// Whether [`Host::read_for`] and [`Host::write_for`] are more than [`Host::read`] and [`Host::write`]: only our
    /// own machine can ask such a host.
    fn looks_at_machine(&self) -> bool {
        false
    }

    /// [`Host::read`] for a host that looks at the machine that asks, as RISC Zero's kernels want.
    ///
    /// # Errors
    /// [`Refused`], when the host will not answer (ECALL-19).
    fn read_for(&mut self, machine: &Machine, fd: u32, bytes: &mut [u8]) -> Result<u32, Refused> {
        Ok(self.read(machine.hart.instructions, fd, bytes))
    }

    /// [`Host::write`] for a host that looks at the machine that asks.
    ///
    /// # Errors
    /// [`Refused`], when the host will not answer (ECALL-19).
    fn write_for(&mut self, machine: &Machine, fd: u32, bytes: &[u8]) -> Result<u32, Refused> {
        Ok(self.write(machine.hart.instructions, fd, bytes))
    }
}

/// A borrowed host is a host.
impl<H: Host + ?Sized> Host for &mut H {
    fn read(&mut self, order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        (**self).read(order, fd, bytes)
    }

    fn write(&mut self, order: u64, fd: u32, bytes: &[u8]) -> u32 {
        (**self).write(order, fd, bytes)
    }

    fn looks_at_machine(&self) -> bool {
        (**self).looks_at_machine()
    }

    fn read_for(&mut self, machine: &Machine, fd: u32, bytes: &mut [u8]) -> Result<u32, Refused> {
        (**self).read_for(machine, fd, bytes)
    }

    fn write_for(&mut self, machine: &Machine, fd: u32, bytes: &[u8]) -> Result<u32, Refused> {
        (**self).write_for(machine, fd, bytes)
    }
}

/// A host will not answer a read or write (ECALL-19). Why is the host's to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// The call is done; execution continues behind it.
    Done(Call),
    /// terminate.
    Terminated {
        /// Halt or pause.
        halt: Halt,
        /// The 16 bits that the program chose.
        user_exit: u16,
    },
}

/// A machine ECALL that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its number.
    pub number: u32,
    /// What it costs beyond its step (TIME-2).
    pub extra_cycles: u64,
    /// The guest memory that it read and wrote.
    pub spans: Vec<MemSpan>,
}

/// Serves the machine ECALL that the hart is at.
///
/// # Errors
/// The trap of a call that ECALL-6 to ECALL-19 refuse; nothing has changed then.
pub fn serve(machine: &mut Machine, host: &mut dyn Host) -> Result<Served, Trap> {
    match machine.hart.x(Reg::A7) {
        TERMINATE => terminate(machine),
        READ => read(machine, host).map(Served::Done),
        WRITE => write(machine, host).map(Served::Done),
        POSEIDON2 => poseidon2::serve(machine).map(Served::Done),
        SHA2 => sha2::serve(machine).map(Served::Done),
        BIGINT => bigint::serve(machine).map(Served::Done),
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

fn read(machine: &mut Machine, host: &mut dyn Host) -> Result<Call, Trap> {
    let (fd, buffer) = (machine.hart.x(Reg::A0), Buffer::of(machine)?);
    let mut bytes = [0; MAX_IO_BYTES as usize];
    let asked = &mut bytes[..buffer.len as usize];
    // ECALL-8: the host is not trusted with the length.
    let count = host.read_for(machine, fd, asked).map_err(|Refused| refused(fd))?.min(buffer.len);
    machine.write_bytes(buffer.start, &bytes[..count as usize]);
    machine.hart.set_x(Reg::A0, count);
    Ok(Call { number: READ, extra_cycles: words_moved(count), spans: span(buffer.start, count, true) })
}

fn write(machine: &mut Machine, host: &mut dyn Host) -> Result<Call, Trap> {
    let (fd, buffer) = (machine.hart.x(Reg::A0), Buffer::of(machine)?);
    let mut bytes = [0; MAX_IO_BYTES as usize];
    let offered = &mut bytes[..buffer.len as usize];
    machine.read_bytes(buffer.start, offered);
    let count = host.write_for(machine, fd, offered).map_err(|Refused| refused(fd))?.min(buffer.len);
    machine.hart.set_x(Reg::A0, count);
    Ok(Call { number: WRITE, extra_cycles: words_moved(count), spans: span(buffer.start, count, false) })
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
        if !is_buffer(start, len) {
            return Err(refused(start));
        }
        Ok(Buffer { start, len })
    }
}

/// Whether a machine ECALL may use the `len` bytes from `start` on; no bytes it may use anywhere (ECALL-7).
const fn is_buffer(start: Addr, len: u32) -> bool {
    len == 0 || (start >= map::USER_START && start as u64 + len as u64 <= BUFFER_END as u64)
}

/// `count` words from `start` on, where a service may use them and they are aligned (ECALL-18).
fn words(start: Addr, count: u32) -> Result<Addr, Trap> {
    let bytes = u64::from(count) * u64::from(map::WORD_BYTES);
    let is_inside = u32::try_from(bytes).is_ok_and(|len| is_buffer(start, len));
    if start.is_multiple_of(map::WORD_BYTES) && is_inside { Ok(start) } else { Err(refused(start)) }
}

/// The span of `bytes` bytes from `start` on, none for no bytes.
fn span(start: Addr, bytes: u32, is_write: bool) -> Vec<MemSpan> {
    bytes.checked_sub(1).map(|last| MemSpan { first: start, last: start + last, is_write }).into_iter().collect()
}

fn words_moved(bytes: u32) -> u64 {
    u64::from(bytes.div_ceil(map::WORD_BYTES))
}

fn refused(what: u32) -> Trap {
    Trap::new(Cause::MachineEcall, what)
}
