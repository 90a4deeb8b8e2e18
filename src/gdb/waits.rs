//! Where gdb waits for the end of a step, although a breakpoint of the user's there has a condition that does not hold.
//!
//! On RISC-V gdb steps by breakpoints of its own: at the next instruction, behind a call that it steps over, and on the way
//! back at the beginning of the function that it steps over. It sends one packet an address. For an address where the
//! user has a breakpoint with a condition, gdb 13 sends the user's condition only, which is not its own breakpoint's;
//! nothing in the packet says that there are two. If the server went by the condition, `next` onto such a line would not
//! stop there, nor anywhere.
//!
//! To stop costs gdb a turn and no more: it evaluates the condition again, and goes on if nothing of its own is there.
//! lldb 14 sends no conditions.

use super::inferior::{Inferior, Resume};
use crate::isa::{Op, Reg, decode};
use crate::map::Addr;

/// From where the program goes on, or back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Departure {
    order: u64,
    pc: Addr,
    /// Behind the call that the step before has made, if it was one.
    call: Option<Frame>,
    /// Of the function that ends here, if one does.
    end: Option<Frame>,
    /// The step before which commands were done and gdb was waiting. When it goes on from there it may leave the
    /// breakpoint where it is, which would do them again.
    done_before: Option<u64>,
}

/// Where a function returns to, and its stack pointer at its beginning and end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Frame {
    ra: Addr,
    sp: u32,
}

impl Departure {
    /// The commands of the breakpoint before step `order` are done.
    pub(super) fn commands_are_done(&mut self, order: u64) {
        self.done_before = Some(order);
    }

    /// Whether the commands before step `order` are done, and the program departs from there.
    pub(super) fn has_done_commands(&self, order: u64) -> bool {
        order == self.order && self.done_before == Some(order)
    }
}

impl Inferior {
    /// The program is about to go on from here, or back.
    pub(super) fn depart(&mut self) {
        let (hart, before) = (&self.machine().hart, self.departure);
        let is_one_step = hart.instructions == before.order + 1;
        let call = Some(self.frame()).filter(|_| is_one_step && self.is_call(before.pc));
        let end = Some(self.frame()).filter(|_| self.machine().word(hart.pc) == RET);
        self.departure = Departure { order: hart.instructions, pc: hart.pc, call, end, ..before };
    }

    fn frame(&self) -> Frame {
        let hart = &self.machine().hart;
        Frame { ra: hart.x(Reg::RA), sp: hart.x(Reg::SP) }
    }

    fn is_call(&self, pc: Addr) -> bool {
        let insn = decode(self.machine().word(pc));
        insn.is_some_and(|insn| matches!(insn.op, Op::Jal | Op::Jalr) && insn.rd == Reg::RA)
    }

    /// Whether gdb may wait for the program here. Going on: one step behind its departure, or behind the call that it had
    /// stepped into; a deeper call of the same function returns there, too, with more on the stack. Going back: at the
    /// beginning of the function at whose end it departed.
    pub(super) fn is_awaited_here(&self) -> bool {
        let (hart, from) = (&self.machine().hart, &self.departure);
        match self.resumed {
            Some(Resume::Continue) => {
                let is_return = |call: Frame| hart.pc == call.ra && hart.x(Reg::SP) >= call.sp;
                hart.instructions == from.order + 1 || from.call.is_some_and(is_return)
            }
            Some(Resume::ReverseContinue) => from.end == Some(self.frame()),
            _ => false,
        }
    }
}

/// The encoding of `ret`: `jalr x0, 0(ra)`.
const RET: u32 = 0x0000_8067;
