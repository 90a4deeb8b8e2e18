//! Instructions that raise, as the chips see them.

use lockstep::ecall::{BIGINT, BUFFER_END, MAX_IO_BYTES, READ, TERMINATE, WRITE};
use lockstep::isa::{Class, Insn, Op, Reg, decode};
use lockstep::map::{self, Mode};
use lockstep::trap::{Cause, Fault};

use super::WitnessError;
use super::replay::{Access, Declined, Event, Illegal, Replay, Taken, Unfetchable, file, operands, source_offset};
use crate::chips::step::{LOAD, RD, RS1, RS2};
use crate::machine::AnyChip;

impl Replay<'_> {
    /// The fault that ended the run.
    pub(super) fn fault(&mut self, fault: Fault) -> Result<(), WitnessError> {
        self.trap(fault.cause, fault.pc, fault.mode)
    }

    /// An instruction that raised, and what came of it.
    pub(super) fn trap(&mut self, cause: Cause, pc: u32, mode: Mode) -> Result<(), WitnessError> {
        let addr = self.raise(cause, pc, mode)?;
        let (ts, mut vector, mut mepc) = (self.ts, Access::default(), Access::default());
        if mode == Mode::User {
            vector = self.read(map::TRAP_VECTOR >> 2, ts + LOAD);
            if map::is_valid_vector(vector.old) {
                mepc = self.write(map::MEPC >> 2, pc, ts + RD);
            }
        }
        self.taken.push(Taken { ts, pc, mode, cause, addr, vector, mepc });
        Ok(())
    }

    /// The row that shows `cause`; returns the address of TRAP-5.
    fn raise(&mut self, cause: Cause, pc: u32, mode: Mode) -> Result<u32, WitnessError> {
        match cause {
            Cause::InstructionAccessFault => {
                self.unfetchable.push(Unfetchable { ts: self.ts, pc, mode, wraps: pc == 0 && self.came_from_the_end });
                Ok(pc)
            }
            Cause::IllegalInstruction => Ok(self.illegal(pc, mode)),
            Cause::Breakpoint | Cause::UserEcall => {
                let mut event = self.raised(pc, mode);
                if cause == Cause::UserEcall {
                    event.mem = self.read(map::ECALL_VECTOR >> 2, self.ts + LOAD);
                }
                self.push(AnyChip::Refused, event);
                Ok(pc)
            }
            Cause::InstructionAddressMisaligned => Ok(self.misjump(pc, mode)),
            Cause::LoadAddressMisaligned
            | Cause::LoadAccessFault
            | Cause::StoreAddressMisaligned
            | Cause::StoreAccessFault => {
                let mut event = self.raised(pc, mode);
                event.rs1 = self.register(mode, event.insn.rs1, RS1);
                self.push(AnyChip::Forbidden, event);
                Ok(event.rs1.old.wrapping_add(event.insn.imm as u32))
            }
            Cause::MachineEcall => self.declined(pc, mode),
        }
    }

    /// The step at `pc`, whose word is an instruction.
    fn raised(&mut self, pc: u32, mode: Mode) -> Event {
        let insn = self.insn(pc).expect("what raises so is an instruction");
        self.event(pc, mode, insn, false, 0)
    }

    fn insn(&mut self, pc: u32) -> Option<Insn> {
        decode(self.peek(pc >> 2))
    }

    /// Reads a register in `slot`.
    fn register(&mut self, mode: Mode, reg: Reg, slot: u32) -> Access {
        self.read(file(mode) + source_offset(reg), self.ts + slot)
    }

    fn illegal(&mut self, pc: u32, mode: Mode) -> u32 {
        if self.insn(pc).is_some() {
            // MODE-5: mret of user mode.
            let event = self.raised(pc, mode);
            self.push(AnyChip::Refused, event);
            return self.peek(pc >> 2);
        }
        let decoded = self.take_word(pc, mode, false);
        self.illegal.push(Illegal { ts: self.ts, decoded });
        decoded.word
    }

    fn misjump(&mut self, pc: u32, mode: Mode) -> u32 {
        let insn = self.insn(pc).expect("a jump is an instruction");
        let is_direct = insn.op == Op::Jal || insn.op.class() == Class::Branch;
        let mut event = self.event(pc, mode, insn, is_direct, 0);
        let [_, has_rs1, has_rs2] = operands(insn.op.format());
        if has_rs1 {
            event.rs1 = self.register(mode, insn.rs1, RS1);
        }
        if has_rs2 {
            event.rs2 = self.register(mode, insn.rs2, RS2);
        }
        let imm = insn.imm as u32;
        let target = match insn.op {
            Op::Mret => {
                event.mem = self.read(map::MEPC >> 2, self.ts + LOAD);
                event.mem.old.wrapping_add(4)
            }
            Op::Jalr => event.rs1.old.wrapping_add(imm) & !1,
            _ => pc.wrapping_add(imm),
        };
        self.push(AnyChip::Misjump, event);
        target
    }

    fn declined(&mut self, pc: u32, mode: Mode) -> Result<u32, WitnessError> {
        let uncovered = |what| Err(WitnessError::Uncovered { pc, what });
        let number = self.peek(file(mode) + Reg::A7.index() as u32);
        let [start, len] = [Reg::A1, Reg::A2].map(|reg| self.peek(file(mode) + reg.index() as u32));
        let is_io = [READ, WRITE].contains(&number);
        let is_inside = start >= map::USER_START && u64::from(start) + u64::from(len) <= u64::from(BUFFER_END);
        if is_io && (len == 0 || (len <= MAX_IO_BYTES && is_inside)) {
            return uncovered("a read or write that the host refused");
        }
        if !is_io && (TERMINATE + 1..=BIGINT).contains(&number) {
            return uncovered("a poseidon2 or bigint ECALL, or a sha2 ECALL that the machine refuses,");
        }
        let event = self.raised(pc, mode);
        let none = Access::default();
        let mut row = Declined { event, a7: self.register(mode, Reg::A7, RS1), a0: none, a1: none, a2: none };
        let addr = if number == TERMINATE {
            row.a0 = self.register(mode, Reg::A0, RS1);
            row.a0.old
        } else if is_io {
            row.a2 = self.register(mode, Reg::A2, RS1);
            if len > MAX_IO_BYTES {
                len
            } else {
                row.a1 = self.register(mode, Reg::A1, RS1);
                start
            }
        } else {
            number
        };
        self.declined.push(row);
        Ok(addr)
    }
}
