//! What simulators that are only a command line leave behind: a log of their steps.

use lockstep::isa::Reg;
use lockstep::map::{Addr, Mode};
use lockstep::trace::Retired;

/// A run of a simulator from a program's entry on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The registers at the entry, as far as the boot code's steps tell.
    pub registers: [u32; 32],
    /// The steps from there on.
    pub steps: Vec<Retired>,
}

impl Log {
    /// The log that begins where `steps` first reach `entry`.
    pub fn from_entry(steps: Vec<Retired>, entry: Addr) -> Log {
        let boot = steps.iter().take_while(|step| step.pc != entry);
        let mut registers = [0; 32];
        let written = boot.filter_map(|step| step.rd).filter(|rd| rd.reg != Reg::ZERO);
        written.for_each(|rd| registers[rd.reg.index()] = rd.value);
        Log { registers, steps: steps.into_iter().skip_while(|step| step.pc != entry).collect() }
    }
}

/// A step of which only the instruction is known yet.
pub fn bare(pc: Addr, insn: u32, mode: Mode) -> Retired {
    Retired {
        order: 0,
        pc,
        insn,
        next_pc: pc.wrapping_add(4),
        mode,
        next_mode: mode,
        rs1: None,
        rs2: None,
        rd: None,
        mem: None,
        trap: None,
    }
}

/// Tells each step where the next one is.
pub fn link(steps: &mut [Retired]) {
    for i in 1..steps.len() {
        steps[i - 1].next_pc = steps[i].pc;
    }
}

/// A number with 0x; wider ones (of physical addresses) must fit a word.
pub fn hex(text: &str) -> Option<u32> {
    let digits = text.trim().strip_prefix("0x")?;
    u32::try_from(u64::from_str_radix(digits, 16).ok()?).ok()
}
