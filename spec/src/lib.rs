//! The Lockstep machine as an executable specification. It shares no line with what it judges.
//!
//! It is written to be read beside the manual and `spec/SPEC.md`, slowly, by someone who doubts.
//! Nothing here is fast, nothing is shared with the emulator, nothing is depended on.
//!
//! * [`word`] - what a word can do; `u32` is a word, and so is a term of an SMT solver.
//! * [`encdec`] - instruction words to instructions.
//! * [`rv32i`], [`rv32m`] - what each instruction computes: functions of words, without state.
//! * [`effect`] - the same as one function: an instruction's effect, given its operands.
//! * [`zkvm`], [`memory`] - the machine of SPEC.md around them: map, modes, traps, machine ECALLs. It runs programs.
//!
//! "The manual" is *The RISC-V Instruction Set Manual, Volume I: Unprivileged ISA*, version 20191213;
//! the sections named are its.
#![forbid(unsafe_code)]

pub mod effect;
pub mod encdec;
pub mod memory;
pub mod rv32i;
pub mod rv32m;
pub mod word;
pub mod zkvm;
