//! The system calls of RISC Zero's guests, by name (HOST-2).

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest, Sha256};

use crate::ecall::{Host, fd};
use crate::hart::Machine;
use crate::map::{Addr, Mode};

/// A claim that the guest relies on without proving it (verify_integrity).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assumption {
    /// The digest of the claim.
    pub claim: [u8; 32],
    /// The root of the control IDs that may prove it; zeros for the guest's own.
    pub control_root: [u8; 32],
}

/// A call as the machine makes it.
pub struct Request<'a> {
    /// The machine that asks.
    pub machine: &'a Machine,
    /// RISC Zero's user cycles so far.
    pub cycle: u64,
    /// What the call delivers beside its two result registers; zeros to begin with.
    pub to_guest: &'a mut [u8],
}

/// The state of the system calls.
pub struct Syscalls {
    args: Vec<String>,
    env: BTreeMap<String, String>,
    random: Random,
    /// The bytes in each pipe, by file descriptor: both ends have the same.
    pipes: BTreeMap<u32, VecDeque<u8>>,
    assumptions: Vec<Assumption>,
    journal_bytes: u64,
    /// Permutations since the last proof request.
    keccaks: u32,
}

/// What a call returns in a0 and a1.
type Answer = Result<(u32, u32), String>;

/// Before the last part of every name.
const NAME_PREFIX: &str = "risc0_zkvm_platform::syscall::nr::";
/// An argument, a variable or the name of one has fewer bytes: one machine read must hold it.
const MAX_TEXT_BYTES: usize = 1024;
/// The longest panic message that is kept; the rest is cut off, as RISC Zero does.
const MAX_PANIC_BYTES: u32 = 1 << 20;
/// The most bytes of a journal, RISC Zero's limit.
const MAX_JOURNAL_BYTES: u64 = 100 << 20;
/// The most bytes in a pipe.
const MAX_PIPE_BYTES: usize = 100 << 20;
/// File descriptors are below this.
const MAX_FD: u32 = 1000;
/// Bytes of Keccak's state: 25 lanes of 64 bits.
const KECCAK_BYTES: usize = 200;
/// Modes of the keccak call.
const KECCAK_PERMUTE: u32 = 0;
const KECCAK_PROVE: u32 = 1;
/// RISC Zero proves at most 2^17 / 200 permutations at once.
const MAX_KECCAKS: u32 = (1 << 17) / 200;

impl Syscalls {
    pub fn new(args: Vec<String>, env: Vec<(String, String)>, seed: u64) -> Syscalls {
        Syscalls {
            args,
            env: env.into_iter().collect(),
            random: Random::new(seed),
            pipes: BTreeMap::new(),
            assumptions: Vec::new(),
            journal_bytes: 0,
            keccaks: 0,
        }
    }

    pub fn assumptions(&self) -> &[Assumption] {
        &self.assumptions
    }

    /// Serves the call `name`; the error says why it cannot.
    pub fn serve(&mut self, name: &str, request: &mut Request<'_>, streams: &mut impl Host) -> Answer {
        match name.strip_prefix(NAME_PREFIX) {
            Some("SYS_ARGC") => Ok((self.args.len() as u32, 0)),
            Some("SYS_ARGV") => self.argv(request),
            Some("SYS_CYCLE_COUNT") => Ok(((request.cycle >> 32) as u32, request.cycle as u32)),
            Some("SYS_GETENV") => self.getenv(request),
            Some("SYS_KECCAK") => self.keccak(request),
            Some("SYS_LOG") => log(request, streams),
            Some("SYS_PANIC") => panic(request),
            Some("SYS_PIPE") => self.pipe(request),
            Some("SYS_RANDOM") => self.random(request),
            Some("SYS_READ") => self.read(request, streams),
            Some("SYS_VERIFY_INTEGRITY" | "SYS_VERIFY_INTEGRITY2") => self.verify_integrity(request),
            Some("SYS_WRITE") => self.write(request, streams),
            _ => Err(format!("system call {name} is not served (HOST-2)")),
        }
    }

    fn argv(&self, request: &mut Request<'_>) -> Answer {
        let index = request.argument(0);
        let arg = self
            .args
            .get(index as usize)
            .ok_or_else(|| format!("SYS_ARGV: the guest asked for argument {index} of {}", self.args.len()))?;
        request.deliver_text("SYS_ARGV", arg)
    }

    fn getenv(&self, request: &mut Request<'_>) -> Answer {
        let name = request.bytes(request.argument(0), request.argument(1).min(MAX_TEXT_BYTES as u32 + 1));
        if name.len() > MAX_TEXT_BYTES {
            return Err(format!("SYS_GETENV: a name of more than {MAX_TEXT_BYTES} bytes"));
        }
        let name = String::from_utf8(name).map_err(|_| "SYS_GETENV: the name is not UTF-8".to_owned())?;
        match self.env.get(&name) {
            // What the guest's library takes for "not set".
            None => Ok((u32::MAX, 0)),
            Some(value) => request.deliver_text("SYS_GETENV", value),
        }
    }

    fn keccak(&mut self, request: &mut Request<'_>) -> Answer {
        match request.argument(0) {
            KECCAK_PERMUTE if self.keccaks >= MAX_KECCAKS => {
                Err(format!("SYS_KECCAK: {MAX_KECCAKS} permutations without a request to prove them"))
            }
            KECCAK_PERMUTE if request.to_guest.len() != KECCAK_BYTES => {
                Err(format!("SYS_KECCAK: {} bytes for a state of {KECCAK_BYTES}", request.to_guest.len()))
            }
            KECCAK_PERMUTE => {
                let state = request.bytes(request.argument(1), KECCAK_BYTES as u32);
                request.to_guest.copy_from_slice(&permuted(&state));
                self.keccaks += 1;
                Ok((u32::from(self.keccaks >= MAX_KECCAKS), 0))
            }
            KECCAK_PROVE => {
                self.keccaks = 0;
                Ok((0, 0))
            }
            mode => Err(format!("SYS_KECCAK: there is no mode {mode}")),
        }
    }

    fn pipe(&mut self, request: &mut Request<'_>) -> Answer {
        let free = (fd::JOURNAL + 1..MAX_FD).find(|fd| !self.pipes.contains_key(fd));
        let new = free.ok_or_else(|| format!("SYS_PIPE: all {MAX_FD} file descriptors are used"))?;
        let [read_end, write_end] = [0, 4].map(|at| at..at + 4);
        if request.to_guest.len() != 8 {
            return Err(format!("SYS_PIPE: room for {} bytes and not 8", request.to_guest.len()));
        }
        self.pipes.insert(new, VecDeque::new());
        request.to_guest[read_end].copy_from_slice(&new.to_le_bytes());
        request.to_guest[write_end].copy_from_slice(&new.to_le_bytes());
        Ok((0, 0))
    }

    fn random(&mut self, request: &mut Request<'_>) -> Answer {
        // RISC Zero's host thinks in words.
        let bytes = request.to_guest.len().next_multiple_of(4) as u32;
        self.random.fill(request.to_guest);
        Ok((bytes, 0))
    }

    /// Fills the buffer, and the first word behind it, which a1 carries: the guest may want up to 4 bytes more.
    fn read(&mut self, request: &mut Request<'_>, streams: &mut impl Host) -> Answer {
        let (file, wanted) = (request.argument(0), request.argument(1) as usize);
        if wanted < request.to_guest.len() {
            return Err(format!("SYS_READ: {wanted} bytes wanted and a buffer of {}", request.to_guest.len()));
        }
        let order = request.machine.hart.instructions;
        let main = self.read_all(order, file, request.to_guest, streams)?;
        let mut last = [0; 4];
        let left = if wanted - main <= last.len() { wanted - main } else { 0 };
        let end = self.read_all(order, file, &mut last[..left], streams)?;
        Ok(((main + end) as u32, u32::from_le_bytes(last)))
    }

    /// Reads until `bytes` are full or the input ends.
    fn read_all(&mut self, order: u64, file: u32, bytes: &mut [u8], streams: &mut impl Host) -> Result<usize, String> {
        if let Some(pipe) = self.pipes.get_mut(&file) {
            let count = pipe.len().min(bytes.len());
            bytes.iter_mut().zip(pipe.drain(..count)).for_each(|(byte, from)| *byte = from);
            return Ok(count);
        }
        if file != fd::STDIN {
            return Err(format!("SYS_READ: file descriptor {file} is not open for reading"));
        }
        let mut count = 0;
        while count < bytes.len() {
            match streams.read(order, fd::STDIN, &mut bytes[count..]) as usize {
                0 => break,
                more => count = (count + more).min(bytes.len()),
            }
        }
        Ok(count)
    }

    fn write(&mut self, request: &mut Request<'_>, streams: &mut impl Host) -> Answer {
        let (file, start, len) = (request.argument(0), request.argument(1), request.argument(2));
        if start.checked_add(len).is_none() {
            return Err(format!("SYS_WRITE: {len} bytes from 0x{start:08x} on wrap around"));
        }
        for chunk in request.chunks(start, len) {
            self.write_all(request.machine.hart.instructions, file, &chunk, streams)?;
        }
        // A write of nothing still wants an open file.
        self.write_all(request.machine.hart.instructions, file, &[], streams)?;
        Ok((0, 0))
    }

    fn write_all(&mut self, order: u64, file: u32, bytes: &[u8], streams: &mut impl Host) -> Result<(), String> {
        match file {
            fd::JOURNAL => {
                self.journal_bytes += bytes.len() as u64;
                if self.journal_bytes > MAX_JOURNAL_BYTES {
                    return Err(format!("SYS_WRITE: a journal of more than {MAX_JOURNAL_BYTES} bytes"));
                }
            }
            fd::STDOUT | fd::STDERR => {}
            file => {
                let pipe = self.pipes.get_mut(&file).filter(|pipe| pipe.len() + bytes.len() <= MAX_PIPE_BYTES);
                let pipe =
                    pipe.ok_or_else(|| format!("SYS_WRITE: file descriptor {file} is not open for writing, or full"))?;
                pipe.extend(bytes);
                return Ok(());
            }
        }
        deliver(order, file, bytes, streams)
    }

    fn verify_integrity(&mut self, request: &mut Request<'_>) -> Answer {
        let bytes = request.bytes(request.argument(0), 64);
        let (mut claim, mut control_root) = ([0; 32], [0; 32]);
        claim.copy_from_slice(&bytes[..32]);
        control_root.copy_from_slice(&bytes[32..]);
        self.assumptions.push(Assumption { claim, control_root });
        Ok((0, 0))
    }
}

/// Hands all of `bytes` to the stream `file`. A stream that takes nothing more has had enough.
fn deliver(order: u64, file: u32, mut bytes: &[u8], streams: &mut impl Host) -> Result<(), String> {
    while !bytes.is_empty() {
        match streams.write(order, file, bytes) as usize {
            0 => break,
            count => bytes = bytes.get(count..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// RISC Zero's own form: the cycle, then the message, on standard output.
fn log(request: &Request<'_>, streams: &mut impl Host) -> Answer {
    let order = request.machine.hart.instructions;
    deliver(order, fd::STDOUT, format!("R0VM[{}] ", request.cycle).as_bytes(), streams)?;
    let (start, len) = (request.argument(0), request.argument(1));
    if start.checked_add(len).is_none() {
        return Err(format!("SYS_LOG: {len} bytes from 0x{start:08x} on wrap around"));
    }
    for chunk in request.chunks(start, len) {
        deliver(order, fd::STDOUT, &chunk, streams)?;
    }
    deliver(order, fd::STDOUT, b"\n", streams)?;
    Ok((0, 0))
}

fn panic(request: &Request<'_>) -> Answer {
    let message = request.bytes(request.argument(0), request.argument(1).min(MAX_PANIC_BYTES));
    Err(format!("guest panicked: {}", String::from_utf8_lossy(&message)))
}

fn permuted(state: &[u8]) -> [u8; KECCAK_BYTES] {
    let mut lanes = [0; 25];
    for (lane, bytes) in lanes.iter_mut().zip(state.as_chunks::<8>().0) {
        *lane = u64::from_le_bytes(*bytes);
    }
    keccak::Keccak::new().with_f1600(|f1600| f1600(&mut lanes));
    let mut permuted = [0; KECCAK_BYTES];
    for (bytes, lane) in permuted.as_chunks_mut::<8>().0.iter_mut().zip(lanes) {
        *bytes = lane.to_le_bytes();
    }
    permuted
}

impl Request<'_> {
    /// The user registers a3, a4 and a5: what the guest passes beside the buffer.
    fn argument(&self, index: usize) -> u32 {
        const A3: usize = 13;
        self.machine.hart.file(Mode::User)[A3 + index]
    }

    fn bytes(&self, start: Addr, len: u32) -> Vec<u8> {
        let mut bytes = vec![0; len as usize];
        self.machine.read_bytes(start, &mut bytes);
        bytes
    }

    /// The bytes from `start` on in pieces, so that a length of gigabytes costs no memory.
    fn chunks(&self, start: Addr, len: u32) -> impl Iterator<Item = Vec<u8>> {
        const CHUNK_BYTES: usize = 1 << 16;
        let machine = self.machine;
        (0..len).step_by(CHUNK_BYTES).map(move |offset| {
            let mut bytes = vec![0; CHUNK_BYTES.min((len - offset) as usize)];
            machine.read_bytes(start + offset, &mut bytes);
            bytes
        })
    }

    /// Delivers what fits of `text`, and its whole length.
    fn deliver_text(&mut self, call: &str, text: &str) -> Answer {
        if text.len() >= MAX_TEXT_BYTES {
            return Err(format!("{call}: {} bytes, and fewer than {MAX_TEXT_BYTES} can be delivered", text.len()));
        }
        let count = text.len().min(self.to_guest.len());
        self.to_guest[..count].copy_from_slice(&text.as_bytes()[..count]);
        Ok((text.len() as u32, 0))
    }
}

/// Random numbers from a seed: SHA-256 of the seed and a counter (HOST-3).
struct Random {
    seed: u64,
    counter: u64,
}

impl Random {
    fn new(seed: u64) -> Random {
        Random { seed, counter: 0 }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let mut hash = Sha256::new();
            hash.update(self.seed.to_le_bytes());
            hash.update(self.counter.to_le_bytes());
            chunk.copy_from_slice(&hash.finalize()[..chunk.len()]);
            self.counter += 1;
        }
    }
}
