//! Causes of traps, and the report of a fault that ended a run (clauses TRAP-1 to TRAP-7).

use std::fmt;

use crate::map::{Addr, Mode};

/// Why an instruction could not retire; the numbers are those of `mcause` (TRAP-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cause {
    /// A jump or taken branch to an address not divisible by 4 (ISA-13).
    InstructionAddressMisaligned = 0,
    /// A fetch from where the mode may not fetch (MAP-5).
    InstructionAccessFault = 1,
    /// A word that is no instruction, or MRET in user mode.
    IllegalInstruction = 2,
    /// EBREAK (ISA-5).
    Breakpoint = 3,
    /// A load from an address that is not a multiple of its width (MEM-3).
    LoadAddressMisaligned = 4,
    /// A load from where the mode may not load (MAP-5).
    LoadAccessFault = 5,
    /// A store to an address that is not a multiple of its width (MEM-3).
    StoreAddressMisaligned = 6,
    /// A store to where the mode may not store (MAP-5).
    StoreAccessFault = 7,
    /// A user ECALL with no kernel to take it (MODE-6).
    UserEcall = 8,
    /// A machine ECALL that the machine refuses (ECALL-6 to ECALL-9).
    MachineEcall = 11,
}

impl Cause {
    /// Every cause, in order of its number.
    pub const ALL: [Cause; 10] = [
        Cause::InstructionAddressMisaligned,
        Cause::InstructionAccessFault,
        Cause::IllegalInstruction,
        Cause::Breakpoint,
        Cause::LoadAddressMisaligned,
        Cause::LoadAccessFault,
        Cause::StoreAddressMisaligned,
        Cause::StoreAccessFault,
        Cause::UserEcall,
        Cause::MachineEcall,
    ];

    /// The number of the cause in the manual.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The manual's name, in lower case with hyphens: stable, for machines to read.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::InstructionAddressMisaligned => "instruction-address-misaligned",
            Cause::InstructionAccessFault => "instruction-access-fault",
            Cause::IllegalInstruction => "illegal-instruction",
            Cause::Breakpoint => "breakpoint",
            Cause::LoadAddressMisaligned => "load-address-misaligned",
            Cause::LoadAccessFault => "load-access-fault",
            Cause::StoreAddressMisaligned => "store-address-misaligned",
            Cause::StoreAccessFault => "store-access-fault",
            Cause::UserEcall => "environment-call-from-user-mode",
            Cause::MachineEcall => "environment-call-from-machine-mode",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What an instruction raised instead of retiring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trap {
    /// Why.
    pub cause: Cause,
    /// The address, word or number that TRAP-5 assigns to the cause.
    pub addr: u32,
}

impl Trap {
    /// A trap for `cause` with the address of TRAP-5.
    pub const fn new(cause: Cause, addr: u32) -> Trap {
        Trap { cause, addr }
    }
}

/// The report of a fault that ended a run (TRAP-4 to TRAP-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Why.
    pub cause: Cause,
    /// The address of the instruction that raised.
    pub pc: Addr,
    /// The mode it raised in.
    pub mode: Mode,
    /// The address, word or number that TRAP-5 assigns to the cause.
    pub addr: u32,
    /// The user instruction concerned, if there is one (TRAP-6).
    pub user_pc: Option<Addr>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { cause, pc, mode, addr, .. } = *self;
        let mode = match mode {
            Mode::User => "user",
            Mode::Machine => "machine",
        };
        match cause {
            Cause::InstructionAddressMisaligned => write!(f, "jump to misaligned address 0x{addr:08x}")?,
            Cause::InstructionAccessFault => write!(f, "fetch from forbidden address 0x{addr:08x}")?,
            Cause::IllegalInstruction => write!(f, "illegal instruction 0x{addr:08x}")?,
            Cause::Breakpoint => write!(f, "breakpoint instruction")?,
            Cause::LoadAddressMisaligned => write!(f, "misaligned load from 0x{addr:08x}")?,
            Cause::LoadAccessFault => write!(f, "load from forbidden address 0x{addr:08x}")?,
            Cause::StoreAddressMisaligned => write!(f, "misaligned store to 0x{addr:08x}")?,
            Cause::StoreAccessFault => write!(f, "store to forbidden address 0x{addr:08x}")?,
            Cause::UserEcall => write!(f, "ECALL with no kernel to take it")?,
            Cause::MachineEcall => write!(f, "machine ECALL refused for 0x{addr:08x}")?,
        }
        write!(f, " at pc 0x{pc:08x} in {mode} mode ({cause})")
    }
}
