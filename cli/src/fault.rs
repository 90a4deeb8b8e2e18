//! What a user is told about a fault: cause, place in the source, backtrace, and how to go on.

use std::fmt::Write;

use lockstep::hart::Machine;
use lockstep::isa::{self, Class, Reg};
use lockstep::map::{self, Addr, Mode};
use lockstep::symbols::{Frame, Location, Symbols};
use lockstep::trap::Fault;

/// A fault in the words of the source.
pub struct FaultReport {
    /// What the machine says.
    pub fault: Fault,
    /// The source of the user instruction concerned, or of the faulting instruction if there is none.
    pub location: Location,
    frames: Vec<Frame>,
    instruction: String,
    is_stack_overflow: bool,
}

impl FaultReport {
    /// The report of `fault`, at which `machine` stands.
    pub fn of(machine: &Machine, fault: Fault, program: &Symbols, kernel: &Symbols) -> FaultReport {
        let mut frames = Vec::new();
        if fault.mode == Mode::Machine && fault.user_pc.is_some() {
            // The kernel's part of the story comes first, as the innermost calls.
            frames.extend(kernel.backtrace(machine, Mode::Machine, fault.pc));
        }
        let (mode, pc) = match fault.user_pc {
            Some(user_pc) => (Mode::User, user_pc),
            None => (fault.mode, fault.pc),
        };
        let user_frames = program.backtrace(machine, mode, pc);
        let location = user_frames.first().and_then(|frame| frame.location.clone()).unwrap_or_default();
        frames.extend(user_frames);
        let is_stack_overflow = is_stack_overflow(machine, mode, fault.addr);
        FaultReport { fault, location, frames, instruction: instruction(machine, mode, pc), is_stack_overflow }
    }

    /// Several lines for a person; `debug_command` is the line to paste.
    pub fn text(&self, debug_command: &str) -> String {
        let mut text = format!("fault: {}\n", self.fault);
        if self.is_stack_overflow {
            text += "  the stack is full: sp has reached the end of the invalid page (MAP-1)\n";
        }
        for (number, frame) in self.frames.iter().enumerate() {
            let place = frame.location.as_ref().map_or("??".into(), Location::to_string);
            let _ = writeln!(text, "  #{number:<2} 0x{:08x} {place}", frame.pc);
        }
        let _ = writeln!(text, "  instruction: {}", self.instruction);
        let _ = write!(text, "  debug it:    {debug_command}");
        text
    }
}

/// Whether the access at `addr` is what a stack that grew down to the invalid page does first.
fn is_stack_overflow(machine: &Machine, mode: Mode, addr: Addr) -> bool {
    let sp = machine.hart.file(mode)[Reg::SP.index()];
    addr < map::USER_START && addr.abs_diff(sp) < LARGE_FRAME_BYTES && sp > LARGE_FRAME_BYTES
}

/// A function with more than 32 KiB of locals may jump over this; most have less than 1 KiB.
const LARGE_FRAME_BYTES: u32 = 0x8000;

/// The instruction at `pc` with the values of the registers that it reads.
fn instruction(machine: &Machine, mode: Mode, pc: Addr) -> String {
    if !mode.may_access(pc) {
        return format!("none: 0x{pc:08x} cannot be fetched from");
    }
    let word = machine.word(pc);
    let mut text = isa::disassemble(word, pc);
    let Some(insn) = isa::decode(word) else { return text };
    let reads: &[Reg] = match insn.op.class() {
        Class::Upper | Class::System => &[],
        Class::Load | Class::Jump => &[insn.rs1],
        _ => &[insn.rs1, insn.rs2],
    };
    for (i, reg) in reads.iter().filter(|reg| **reg != Reg::ZERO).enumerate() {
        let separator = if i == 0 { "   with" } else { "," };
        let _ = write!(text, "{separator} {reg} = 0x{:08x}", machine.hart.file(mode)[reg.index()]);
    }
    text
}
