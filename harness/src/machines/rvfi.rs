//! RVFI-DII, version 1: a simulator that is told each instruction over a socket and answers with a record.
//!
//! Sail's simulator listens (`-r PORT`, today `--rvfi-dii PORT`); pc starts at 0x8000_0000. A request has 8 bytes,
//! an answer 88, little-endian:
//!
//! ```text
//!   request   insn u32   time u16   command u8 (1 instruction, 0 reset)   padding u8
//!   answer    order pc_rdata pc_wdata insn rs1_data rs2_data rd_wdata mem_addr mem_rdata mem_wdata   u64 each
//!             mem_rmask mem_wmask rs1_addr rs2_addr rd_addr trap halt intr                           u8 each
//! ```

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use lockstep::exec::{Engine, Exit, Step, Until};
use lockstep::hart::Machine;
use lockstep::isa::{decode, disassemble};
use lockstep::map::Addr;
use lockstep::mem::Memory;
use lockstep::{ecall::NoHost, map::Mode};

use crate::machine::Failure;

/// Where pc is after a reset.
pub const START: Addr = 0x8000_0000;

const ANSWER_BYTES: usize = 88;

/// The answer to one instruction, as far as an RV32 hart has it; rs1 and rs2 are left out, because Sail leaves
/// them 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Record {
    /// The address of the instruction.
    pub pc: Addr,
    /// The address of the next one.
    pub next_pc: Addr,
    /// The instruction.
    pub insn: u32,
    /// The register written, 0 for none.
    pub rd: u8,
    /// Its value.
    pub rd_value: u32,
    /// The address of a load or store, if a mask says that there is one.
    pub mem_addr: Addr,
    /// The bytes read, by bit.
    pub rmask: u8,
    /// The bytes written, by bit.
    pub wmask: u8,
    /// What was written, in the bytes of the mask.
    pub wdata: u32,
    /// Whether it raised.
    pub is_trap: bool,
    /// Whether the simulator is done.
    pub is_halt: bool,
}

/// A simulator at the other end of a socket.
pub struct Client {
    stream: TcpStream,
    name: String,
}

impl Client {
    /// Connects to `port` of this machine. A simulator needs a while to listen: `patience`, which is also how long
    /// an answer may take.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn connect(name: &str, port: u16, patience: Duration) -> Result<Client, Failure> {
        let begun = Instant::now();
        let stream = loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                Ok(stream) => break stream,
                Err(error) if begun.elapsed() > patience => {
                    return Err(Failure::Start(format!("{name}: nobody listens on port {port}: {error}")));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        let set_up = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(patience)));
        set_up.map_err(|error| Failure::Start(format!("{name}: {error}")))?;
        Ok(Client { stream, name: name.to_string() })
    }

    /// Back to pc [`START`] with all registers 0.
    ///
    /// # Errors
    /// The simulator died or hangs.
    pub fn reset(&mut self) -> Result<(), Failure> {
        self.ask(0, 0).map(drop)
    }

    /// Has the simulator execute `insn` at its pc.
    ///
    /// # Errors
    /// The simulator died or hangs, or its answer is not about this instruction.
    pub fn execute(&mut self, insn: u32) -> Result<Record, Failure> {
        let record = Record::parse(&self.ask(insn, 1)?);
        if record.insn != insn {
            let name = &self.name;
            return Err(Failure::Garbled(format!("{name}: asked for {insn:08x}, answered for {:08x}", record.insn)));
        }
        Ok(record)
    }

    fn ask(&mut self, insn: u32, command: u8) -> Result<[u8; ANSWER_BYTES], Failure> {
        let mut request = [0; 8];
        request[..4].copy_from_slice(&insn.to_le_bytes());
        request[6] = command;
        let mut answer = [0; ANSWER_BYTES];
        let talk = self.stream.write_all(&request).and_then(|()| self.stream.read_exact(&mut answer));
        talk.map(|()| answer).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Failure::Hung(format!("{}: no answer to {insn:08x}", self.name))
            }
            _ => Failure::Died(format!("{}: at {insn:08x}: {error}", self.name)),
        })
    }
}

impl Record {
    /// The record in the 88 bytes of an answer.
    pub fn parse(answer: &[u8; ANSWER_BYTES]) -> Record {
        // RV32: the low word of each double word.
        let word = |i: usize| u32::from_le_bytes(std::array::from_fn(|k| answer[8 * i + k]));
        let byte = |i: usize| answer[80 + i];
        Record {
            pc: word(1),
            next_pc: word(2),
            insn: word(3),
            rd: byte(4),
            rd_value: word(6),
            mem_addr: word(7),
            rmask: byte(0),
            wmask: byte(1),
            wdata: word(9),
            is_trap: byte(5) != 0,
            is_halt: byte(6) != 0,
        }
    }

    /// The 88 bytes of the record, for stand-ins.
    pub fn answer(&self) -> [u8; ANSWER_BYTES] {
        let mut bytes = [0; ANSWER_BYTES];
        let words =
            [(1, self.pc), (2, self.next_pc), (3, self.insn), (6, self.rd_value), (7, self.mem_addr), (9, self.wdata)];
        for (i, word) in words {
            bytes[8 * i..8 * i + 4].copy_from_slice(&word.to_le_bytes());
        }
        let flags = [self.rmask, self.wmask, 0, 0, self.rd, self.is_trap.into(), self.is_halt.into()];
        bytes[80..87].copy_from_slice(&flags);
        bytes
    }
}

/// Our plain engine, told each instruction in the same way.
pub struct Ours {
    machine: Machine,
    engine: Step,
}

impl Default for Ours {
    fn default() -> Self {
        let hart = lockstep::hart::Hart::new(START, Mode::Machine);
        Ours { machine: Machine { hart, mem: Memory::new() }, engine: Step::new() }
    }
}

impl Ours {
    /// Executes `insn` at pc; memory there keeps what it held.
    pub fn execute(&mut self, insn: u32) -> Record {
        let pc = self.machine.hart.pc;
        let held = self.machine.word(pc);
        self.machine.set_word(pc, insn);
        let until = Until::order(self.machine.hart.instructions + 1);
        let mut steps = Vec::new();
        let exit = self.engine.run(&mut self.machine, &mut NoHost, until, &mut steps);
        if self.machine.word(pc) == insn {
            self.machine.set_word(pc, held);
        }
        match (exit, steps.first()) {
            (Exit::Order, Some(step)) => {
                let rd = step.rd.filter(|rd| rd.reg.index() != 0);
                let mem = step.mem.unwrap_or_default();
                Record {
                    pc,
                    next_pc: step.next_pc,
                    insn,
                    rd: rd.map_or(0, |rd| rd.reg.index() as u8),
                    rd_value: rd.map_or(0, |rd| rd.value),
                    mem_addr: mem.addr,
                    rmask: mem.rmask,
                    wmask: mem.wmask,
                    wdata: mem.wdata,
                    ..Record::default()
                }
            }
            // Where a trap goes on is not ours to say: the comparison ends there.
            _ => Record { pc, insn, is_trap: true, ..Record::default() },
        }
    }
}

/// Executes `insns` on both from a reset on, up to the first trap of both; the first difference in words.
///
/// # Errors
/// The simulator died or hangs.
pub fn difference(client: &mut Client, insns: &[u32]) -> Result<Option<String>, Failure> {
    client.reset()?;
    let mut ours = Ours::default();
    for (order, &insn) in (0..).zip(insns) {
        let (mine, theirs) = (ours.execute(insn), client.execute(insn)?);
        if mine.is_trap && theirs.is_trap {
            return Ok(None);
        }
        if let Some((field, a, b)) =
            fields(&mine).into_iter().zip(fields(&theirs)).find(|(a, b)| a != b).map(|(a, b)| (a.0, a.1, b.1))
        {
            let text = decode(insn).map_or("an illegal word".into(), |_| disassemble(insn, mine.pc));
            let name = &client.name;
            return Ok(Some(format!(
                "instruction {order}, `{text}` at 0x{:08x}: {field} is 0x{a:08x} here and 0x{b:08x} on {name}",
                mine.pc
            )));
        }
    }
    Ok(None)
}

/// What is compared: data only where a mask or a number says that there is some.
fn fields(record: &Record) -> [(&'static str, u32); 9] {
    let has = |mask: u8, value: u32| if mask != 0 { value } else { 0 };
    let bits = (0..4).filter(|i| record.wmask >> i & 1 != 0).fold(0, |bits, i| bits | 0xff << (8 * i));
    [
        ("trap", record.is_trap.into()),
        ("pc", record.pc),
        ("next pc", record.next_pc),
        ("rd", record.rd.into()),
        ("the value of rd", has(record.rd, record.rd_value)),
        ("the read mask", record.rmask.into()),
        ("the write mask", record.wmask.into()),
        ("the address", has(record.rmask | record.wmask, record.mem_addr)),
        ("the data written", record.wdata & bits),
    ]
}
