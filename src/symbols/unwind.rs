//! Backtraces from DWARF call frame information (DWARF 5, section 6.4).

use gimli::{self, BaseAddresses, CfaRule, Register, RegisterRule, UnwindContext, UnwindSection, UnwindTableRow};

use super::{Location, Section, Symbols};
use crate::hart::Machine;
use crate::isa::Reg;
use crate::map::{Addr, Mode};

/// One call of a backtrace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The address of the instruction that executes, or that called the frame before.
    pub pc: Addr,
    /// Where that is; nothing if unknown.
    pub location: Option<Location>,
}

/// A backtrace is cut after this many calls: a stack overflow has a few hundred thousand.
pub const MAX_FRAMES: usize = 64;

/// The registers that a frame's caller sees.
type Registers = [u32; 32];

impl Symbols {
    /// The calls that led to `pc` with the registers of `mode`, innermost first, at most [`MAX_FRAMES`].
    ///
    /// Inlined calls are frames of their own with the same pc. The first frame is there even if nothing
    /// is known about it; unwinding ends at the first address without frame information.
    pub fn backtrace(&self, machine: &Machine, mode: Mode, pc: Addr) -> Vec<Frame> {
        let mut registers = [0; 32];
        registers.copy_from_slice(&machine.hart.file(mode)[..32]);
        let mut frames = Vec::new();
        let mut next = Some((pc, pc));
        while let Some((pc, lookup)) = next {
            self.push_frames(&mut frames, pc, lookup);
            if frames.len() >= MAX_FRAMES {
                break;
            }
            let is_innermost = frames.iter().all(|frame| frame.pc == pc);
            let caller = self.unwind(machine, lookup, &registers).or_else(|| {
                // A jump to nowhere has no frame information, but its return address is still in ra.
                is_innermost.then(|| (registers[Reg::RA.index()], registers))
            });
            next = caller.and_then(|(return_address, outer)| {
                let has_moved = outer[Reg::SP.index()] != registers[Reg::SP.index()] || is_innermost;
                registers = outer;
                // The call is the instruction before the return address.
                let call = return_address.checked_sub(4)?;
                (has_moved && self.function(call).is_some()).then_some((call, call))
            });
        }
        frames.truncate(MAX_FRAMES);
        frames
    }

    fn push_frames(&self, frames: &mut Vec<Frame>, pc: Addr, lookup: Addr) {
        let locations = self.locate_all(lookup);
        if locations.is_empty() {
            frames.push(Frame { pc, location: None });
        }
        frames.extend(locations.into_iter().map(|location| Frame { pc, location: Some(location) }));
    }

    /// The return address and the caller's registers of the frame that executes at `lookup`.
    fn unwind(&self, machine: &Machine, lookup: Addr, registers: &Registers) -> Option<(Addr, Registers)> {
        let bases = BaseAddresses::default().set_eh_frame(self.eh_frame_start);
        unwind_with(&self.debug_frame, &bases, machine, lookup, registers)
            .or_else(|| unwind_with(&self.eh_frame, &bases, machine, lookup, registers))
    }
}

fn unwind_with<T: UnwindSection<Section>>(
    section: &T,
    bases: &BaseAddresses,
    machine: &Machine,
    lookup: Addr,
    registers: &Registers,
) -> Option<(Addr, Registers)>
where
    T::Offset: gimli::UnwindOffset<usize>,
{
    let mut context = UnwindContext::new();
    let entry = section.fde_for_address(bases, u64::from(lookup), T::cie_from_offset).ok()?;
    let row = entry.unwind_info_for_address(section, bases, &mut context, u64::from(lookup)).ok()?;
    let cfa = canonical_frame_address(row, registers)?;
    let mut outer = *registers;
    outer[Reg::SP.index()] = cfa;
    for reg in Reg::all().skip(1) {
        if let Some(value) = saved_value(row, machine, cfa, registers, reg) {
            outer[reg.index()] = value;
        }
    }
    let return_column = Reg::new(u32::from(entry.cie().return_address_register().0));
    Some((outer[return_column.index()], outer))
}

fn canonical_frame_address(row: &UnwindTableRow<usize>, registers: &Registers) -> Option<Addr> {
    match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => {
            Some(registers.get(usize::from(register.0))?.wrapping_add(*offset as u32))
        }
        CfaRule::Expression(_) => None,
    }
}

/// What the caller had in `reg`, if the frame's rules say.
fn saved_value(
    row: &UnwindTableRow<usize>,
    machine: &Machine,
    cfa: Addr,
    registers: &Registers,
    reg: Reg,
) -> Option<u32> {
    match row.register(Register(reg.index() as u16))? {
        RegisterRule::Offset(offset) => Some(machine.word(cfa.wrapping_add(offset as u32))),
        RegisterRule::ValOffset(offset) => Some(cfa.wrapping_add(offset as u32)),
        RegisterRule::Register(register) => registers.get(usize::from(register.0)).copied(),
        _ => None,
    }
}
