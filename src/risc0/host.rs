//! The host that RISC Zero's kernels expect, around any other (ECALL-19, HOST-1 to HOST-4).
//!
//! v1compat asks the host with machine read, whose file descriptor is the address of a name:
//! ```text
//!   read(fd = &"...::SYS_READ", buffer)   the call; its arguments are user registers a3 to a5
//!   read(fd = 0, 8 bytes)                 what the call returned: a0 and a1
//! ```

use crate::ecall::{self, Call, Host, Refused};
use crate::hart::Machine;
use crate::isa::Reg;
use crate::mem::MemSpan;

use super::cost;
use super::syscall::{Assumption, Request, Syscalls};

/// Serves the system calls of RISC Zero's guests; their streams and journal are those of the host inside.
pub struct Risc0Host<H> {
    /// Standard input, output, error and the journal.
    pub streams: H,
    syscalls: Syscalls,
    /// What the last call returned.
    answer: (u32, u32),
    /// RISC Zero's user cycles less ours: they differ in what read and write cost.
    cycle_difference: i64,
    /// What the kernel wrote before it ended: its own panic.
    kernel_message: Vec<u8>,
    /// Why the last call was refused.
    refusal: Option<String>,
}

/// Bytes of the answer to a call: a0 and a1.
const ANSWER_BYTES: usize = 8;
/// The longest name of a call; RISC Zero's own have 45 bytes.
const MAX_NAME_BYTES: usize = 256;
/// The most bytes of a kernel's message that are kept.
const MAX_KERNEL_MESSAGE_BYTES: usize = 4096;

impl<H: Host> Risc0Host<H> {
    /// A host whose guest sees the arguments `args` and the environment `env`.
    /// `seed` is where its random numbers come from.
    pub fn new(streams: H, args: Vec<String>, env: Vec<(String, String)>, seed: u64) -> Risc0Host<H> {
        Risc0Host {
            streams,
            syscalls: Syscalls::new(args, env, seed),
            answer: (0, 0),
            cycle_difference: 0,
            kernel_message: Vec::new(),
            refusal: None,
        }
    }

    /// What the guest wants to be true besides its own run, in the order in which it asked.
    pub fn assumptions(&self) -> &[Assumption] {
        self.syscalls.assumptions()
    }

    /// Why the host ended the run: the guest's panic message, or what was wrong with a call.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// What the kernel wrote: its panic message, if it has one.
    pub fn kernel_message(&self) -> String {
        String::from_utf8_lossy(&self.kernel_message).into_owned()
    }

    fn call(&mut self, machine: &Machine, name_addr: u32, bytes: &mut [u8]) -> Result<(), String> {
        let name = name_at(machine, name_addr).ok_or_else(|| {
            format!("system call with no name at 0x{name_addr:08x} (at most {MAX_NAME_BYTES} bytes of UTF-8)")
        })?;
        // v2 counts the call itself before it asks the host.
        let cycle = machine.hart.cycles.wrapping_add_signed(self.cycle_difference) + 1;
        let mut request = Request { machine, cycle, to_guest: bytes };
        self.answer = self.syscalls.serve(&name, &mut request, &mut self.streams)?;
        Ok(())
    }

    fn count_difference(&mut self, machine: &Machine, number: u32, bytes: u32) {
        let start = machine.hart.x(Reg::A1);
        let last = start.wrapping_add(bytes.wrapping_sub(1));
        let spans = if bytes == 0 { vec![] } else { vec![MemSpan { first: start, last, is_write: true }] };
        let extra_cycles = u64::from(bytes.div_ceil(4));
        let theirs = cost::call_cycles(&Call { number, extra_cycles, spans });
        self.cycle_difference += theirs as i64 - (1 + extra_cycles) as i64;
    }
}

impl<H: Host> Host for Risc0Host<H> {
    fn read(&mut self, order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        self.streams.read(order, fd, bytes)
    }

    fn write(&mut self, order: u64, fd: u32, bytes: &[u8]) -> u32 {
        self.streams.write(order, fd, bytes)
    }

    fn looks_at_machine(&self) -> bool {
        true
    }

    fn read_for(&mut self, machine: &Machine, fd: u32, bytes: &mut [u8]) -> Result<u32, Refused> {
        let count = match (fd, bytes.first_chunk_mut::<ANSWER_BYTES>()) {
            (0, Some(answer)) => {
                answer[..4].copy_from_slice(&self.answer.0.to_le_bytes());
                answer[4..].copy_from_slice(&self.answer.1.to_le_bytes());
                ANSWER_BYTES as u32
            }
            (0, None) => {
                self.refusal = Some(format!("the kernel asked for an answer of {} bytes; it has 8", bytes.len()));
                return Err(Refused);
            }
            (name_addr, _) => {
                self.call(machine, name_addr, bytes).map_err(|why| {
                    self.refusal = Some(why);
                    Refused
                })?;
                bytes.len() as u32
            }
        };
        self.count_difference(machine, ecall::READ, count);
        Ok(count)
    }

    fn write_for(&mut self, machine: &Machine, _fd: u32, bytes: &[u8]) -> Result<u32, Refused> {
        let room = MAX_KERNEL_MESSAGE_BYTES.saturating_sub(self.kernel_message.len());
        self.kernel_message.extend(bytes.iter().take(room));
        self.count_difference(machine, ecall::WRITE, bytes.len() as u32);
        Ok(bytes.len() as u32)
    }
}

/// The name of a call: bytes up to a zero.
fn name_at(machine: &Machine, addr: u32) -> Option<String> {
    let bytes: Vec<u8> =
        (0..=MAX_NAME_BYTES as u32).map(|i| machine.byte(addr.wrapping_add(i))).take_while(|byte| *byte != 0).collect();
    if bytes.is_empty() || bytes.len() > MAX_NAME_BYTES {
        return None;
    }
    String::from_utf8(bytes).ok()
}
