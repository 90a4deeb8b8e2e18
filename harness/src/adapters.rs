//! The specification's records in the words of the trace, so that they can be compared.

use lockstep::exec::Exit;
use lockstep::isa::Reg;
use lockstep::map::{Addr, Mode};
use lockstep::trace::{MemAccess, RegAccess, Retired};
use lockstep::trap::Fault;
use lockstep_spec::effect::Width;
use lockstep_spec::encdec::{Instruction, Op, decode};
use lockstep_spec::zkvm;

use crate::machine::{Seen, cause_of};

/// The record of a step of the specification.
pub fn retired(step: &zkvm::Step) -> Retired {
    let sources = step.instruction.map_or((false, false), |instruction| sources(instruction.op));
    let source = |is_read: bool, n: u32, value| is_read.then(|| RegAccess { reg: Reg::new(n), value });
    let (rs1, rs2, rd) = step.instruction.map_or((0, 0, 0), |i| (i.rs1, i.rs2, i.rd));
    Retired {
        order: step.order,
        pc: step.pc,
        insn: step.word,
        next_pc: step.next_pc,
        mode: mode(step.mode),
        next_mode: mode(step.next_mode),
        rs1: source(sources.0, rs1, step.sources.0),
        rs2: source(sources.1, rs2, step.sources.1),
        rd: step.rd.map(|value| RegAccess { reg: Reg::new(rd), value }),
        mem: step.access.map(|access| mem_access(&access)),
        trap: step.trap.and_then(|cause| cause_of(cause as u32)),
    }
}

/// How a run of the specification ended.
pub fn fault(fault: &zkvm::Fault) -> Option<Exit> {
    let cause = cause_of(fault.trap.cause as u32)?;
    let (pc, user_pc): (Addr, Option<Addr>) = (fault.pc, fault.user_pc);
    Some(Exit::Fault(Fault { cause, pc, mode: mode(fault.mode), addr: fault.trap.addr, user_pc }))
}

/// The mode in our words.
pub fn mode(mode: zkvm::Mode) -> Mode {
    match mode {
        zkvm::Mode::User => Mode::User,
        zkvm::Mode::Machine => Mode::Machine,
    }
}

fn mem_access(access: &zkvm::Access) -> MemAccess {
    access_of(access.addr, access.width, access.is_store, access.data)
}

/// The record of a load or store of `width` bytes.
pub fn access_of(addr: Addr, width: Width, is_store: bool, data: u32) -> MemAccess {
    let mask = (1u8 << width.bytes()) - 1;
    match is_store {
        true => MemAccess { addr, wmask: mask, wdata: data, ..MemAccess::default() },
        false => MemAccess { addr, rmask: mask, rdata: data, ..MemAccess::default() },
    }
}

/// Whether an instruction reads rs1 and rs2 (manual, the listings of chapter 24).
fn sources(op: Op) -> (bool, bool) {
    match op {
        Op::Lui | Op::Auipc | Op::Jal | Op::Fence | Op::Ecall | Op::Ebreak | Op::Mret => (false, false),
        Op::Jalr | Op::Lb | Op::Lh | Op::Lw | Op::Lbu | Op::Lhu => (true, false),
        Op::Addi | Op::Slti | Op::Sltiu | Op::Xori | Op::Ori | Op::Andi => (true, false),
        Op::Slli | Op::Srli | Op::Srai => (true, false),
        Op::Beq | Op::Bne | Op::Blt | Op::Bge | Op::Bltu | Op::Bgeu | Op::Sb | Op::Sh | Op::Sw => (true, true),
        Op::Add | Op::Sub | Op::Sll | Op::Slt | Op::Sltu | Op::Xor | Op::Srl | Op::Sra | Op::Or | Op::And => {
            (true, true)
        }
        Op::Mul | Op::Mulh | Op::Mulhsu | Op::Mulhu | Op::Div | Op::Divu | Op::Rem | Op::Remu => (true, true),
    }
}

/// The width of a load or store, and whether it is a store.
pub fn access_kind(instruction: &Instruction) -> Option<(Width, bool)> {
    Some(match instruction.op {
        Op::Lb | Op::Lbu => (Width::Byte, false),
        Op::Lh | Op::Lhu => (Width::Half, false),
        Op::Lw => (Width::Word, false),
        Op::Sb => (Width::Byte, true),
        Op::Sh => (Width::Half, true),
        Op::Sw => (Width::Word, true),
        _ => return None,
    })
}

/// Whether an instruction writes rd.
pub fn writes_rd(op: Op) -> bool {
    !matches!(
        op,
        Op::Beq
            | Op::Bne
            | Op::Blt
            | Op::Bge
            | Op::Bltu
            | Op::Bgeu
            | Op::Sb
            | Op::Sh
            | Op::Sw
            | Op::Fence
            | Op::Ecall
            | Op::Ebreak
            | Op::Mret
    )
}

/// Makes records of instructions that one saw from outside, and remembers what each word is: decoding it by the
/// specification takes longer than everything else.
pub struct Onlooker {
    known: Box<[Known]>,
}

/// What one has to know of a word to tell what it did.
#[derive(Clone, Copy)]
struct Known {
    insn: u32,
    rd: Option<Reg>,
    access: Option<(Width, bool)>,
}

impl Known {
    fn of(insn: u32) -> Known {
        let instruction = decode(insn);
        let rd = instruction.filter(|instruction| writes_rd(instruction.op));
        let access = instruction.as_ref().and_then(access_kind);
        Known { insn, rd: rd.map(|instruction| Reg::new(instruction.rd)), access }
    }

    fn access(&self, [_, _, _, rd_value, addr, stored]: [u32; 6]) -> Option<MemAccess> {
        self.access.map(|(width, is_store)| {
            let data = if is_store { stored } else { rd_value };
            access_of(addr, width, is_store, data & (u32::MAX >> (32 - 8 * width.bytes())))
        })
    }

    fn record(&self, order: u64, fields: [u32; 6]) -> Retired {
        let [pc, insn, next_pc, rd_value, ..] = fields;
        Retired {
            order,
            pc,
            insn,
            next_pc,
            mode: Mode::Machine,
            next_mode: Mode::Machine,
            rs1: None,
            rs2: None,
            rd: self.rd.map(|reg| RegAccess { reg, value: rd_value }),
            mem: self.access(fields),
            trap: None,
        }
    }

    /// Whether `step` is what was seen, as far as that goes.
    #[inline]
    fn is_seen(&self, step: &Retired, fields: [u32; 6]) -> bool {
        let [pc, insn, next_pc, rd_value, ..] = fields;
        let rd = self.rd.filter(|reg| *reg != Reg::ZERO).map(|reg| RegAccess { reg, value: rd_value });
        let mut mem = self.access(fields);
        if let (None, Some(theirs), Some(ours)) = (rd, &mut mem, step.mem) {
            // What a load into x0 read is nowhere to be seen.
            theirs.rdata = ours.rdata;
        }
        (step.pc, step.insn, step.next_pc) == (pc, insn, next_pc)
            && step.rd.filter(|rd| rd.reg != Reg::ZERO) == rd
            && step.mem == mem
            && step.trap.is_none()
    }
}

/// log2 of the words that are remembered.
const LOG_KNOWN: u32 = 10;

impl Default for Onlooker {
    fn default() -> Onlooker {
        Onlooker { known: vec![Known::of(0); 1 << LOG_KNOWN].into() }
    }
}

impl Onlooker {
    /// As [`seen`].
    pub fn seen(&mut self, order: u64, fields: [u32; 6]) -> Retired {
        self.known(fields[1]).record(order, fields)
    }

    /// Whether `step` is what was seen: as if the record of [`Onlooker::seen`] were compared with it, but for what
    /// nobody can see from outside (sources, modes, x0).
    #[inline]
    pub fn is_seen(&mut self, step: &Retired, fields: [u32; 6]) -> bool {
        self.known(fields[1]).is_seen(step, fields)
    }

    #[inline]
    fn known(&mut self, insn: u32) -> &Known {
        // The high bits of a product depend on all bits of the word.
        let place = &mut self.known[(insn.wrapping_mul(0x9E37_79B1) >> (32 - LOG_KNOWN)) as usize];
        if place.insn != insn {
            *place = Known::of(insn);
        }
        place
    }
}

/// The words of a step in [`crate::machine::Batch::seen`].
#[inline]
pub fn seen_words(step: &Seen) -> [u32; 6] {
    // Written out: `map` was a sixth of the comparison's time.
    let [pc, insn, next_pc, rd, addr, stored] = *step;
    let word = u32::from_le_bytes;
    [word(pc), word(insn), word(next_pc), word(rd), word(addr), word(stored)]
}

/// The record of an instruction of which one saw, from outside: pc, the word, the next pc, the value of
/// rd afterwards, the address of a load or store, and the word at that address afterwards.
pub fn seen(order: u64, fields: [u32; 6]) -> Retired {
    Known::of(fields[1]).record(order, fields)
}
