//! What a step did: the record that the debugger, the comparators and the prover share.

mod log;

pub use log::{JsonLines, SpikeLog};

use crate::ecall::Call;
use crate::isa::Reg;
use crate::map::{Addr, Mode};
use crate::trap::Cause;

/// A register read or written, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RegAccess {
    /// Which register.
    pub reg: Reg,
    /// The value read, or the value written (which x0 does not keep).
    pub value: u32,
}

/// The memory word that an instruction accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct MemAccess {
    /// The byte address as the instruction computed it.
    pub addr: Addr,
    /// Which bytes, counted from `addr`, were read; 0 if none: 1, 3 or 15.
    pub rmask: u8,
    /// Which bytes, counted from `addr`, were written; 0 if none: 1, 3 or 15.
    pub wmask: u8,
    /// The bytes read, in the low bits, zero-extended.
    pub rdata: u32,
    /// The bytes written, in the low bits, zero-extended.
    pub wdata: u32,
}

/// One step, with the names of the RISC-V Formal Interface (RVFI).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retired {
    /// The number of the step (TIME-1).
    pub order: u64,
    /// The address of the instruction.
    pub pc: Addr,
    /// The instruction word; 0 if the fetch failed.
    pub insn: u32,
    /// The address of the next instruction.
    pub next_pc: Addr,
    /// The mode of the instruction.
    pub mode: Mode,
    /// The mode of the next instruction.
    pub next_mode: Mode,
    /// The first source, if the format has one.
    pub rs1: Option<RegAccess>,
    /// The second source, if the format has one.
    pub rs2: Option<RegAccess>,
    /// The destination, if the format has one and the instruction retired. x0 is recorded too.
    pub rd: Option<RegAccess>,
    /// The data access of a load or store.
    pub mem: Option<MemAccess>,
    /// The cause, if the step was a fault or user ECALL that entered the kernel (MODE-2, TRAP-3).
    pub trap: Option<Cause>,
}

/// Sees every step. The sink `()` sees none and costs nothing.
pub trait Sink {
    /// Whether the engine has to make records at all.
    const IS_ACTIVE: bool = true;

    /// Called after each step.
    fn retired(&mut self, _step: &Retired) {}

    /// Called for each machine ECALL that was done, before its step is shown.
    fn called(&mut self, _call: &Call) {}
}

impl Sink for () {
    const IS_ACTIVE: bool = false;
}

impl<S: Sink> Sink for &mut S {
    const IS_ACTIVE: bool = S::IS_ACTIVE;

    fn retired(&mut self, step: &Retired) {
        (**self).retired(step);
    }

    fn called(&mut self, call: &Call) {
        (**self).called(call);
    }
}

/// Keeps every step.
impl Sink for Vec<Retired> {
    fn retired(&mut self, step: &Retired) {
        self.push(*step);
    }
}
