//! Lockstep: a RISC Zero-style zkVM that can be debugged, checked and proved.
//!
//! The machine is specified in `spec/SPEC.md`, whose clauses the code cites.
//! This crate is the emulator and its debugger.
//!
//! # Run a program
//!
//! [`loader::load`] makes an image of an ELF file and a kernel; an [`exec::Engine`] runs it against an
//! [`ecall::Host`]. Here the image is two instructions made by hand:
//!
//! ```
//! use lockstep::ecall::{Halt, NoHost};
//! use lockstep::exec::{Engine, Exit, Step, Until};
//! use lockstep::hart::Machine;
//! use lockstep::map;
//! use lockstep::mem::Memory;
//!
//! # fn main() -> Result<(), lockstep::hart::StartError> {
//! let mut memory = Memory::new();
//! memory.set_word(0x1_0000, 0x0005_0537); // lui a0, 0x50: terminate with user_exit = 5
//! memory.set_word(0x1_0004, 0x0000_0073); // ecall: a7 is 0, which is terminate (ECALL-2)
//! memory.set_word(map::SUSPEND_PC, 0x1_0000);
//! memory.set_word(map::SUSPEND_MODE, 1);
//!
//! let mut machine = Machine::from_image(memory)?;
//! let exit = Step::new().run(&mut machine, &mut NoHost, Until::END, &mut ());
//! assert_eq!(exit, Exit::Terminated { halt: Halt::Halted, user_exit: 5 });
//! assert_eq!(machine.hart.instructions, 2);
//! # Ok(())
//! # }
//! ```
//!
//! # Watch it
//!
//! Pass a [`trace::Sink`]; a `Vec` keeps every step. The sink `()` above costs nothing.
//!
//! ```
//! # use lockstep::{ecall::NoHost, exec::{Engine, Step, Until}, hart::Machine, map, mem::Memory, isa::disassemble};
//! # let mut memory = Memory::new();
//! # memory.set_word(0x1_0000, 0x0005_0537);
//! # memory.set_word(0x1_0004, 0x0000_0073);
//! # memory.set_word(map::SUSPEND_PC, 0x1_0000);
//! # memory.set_word(map::SUSPEND_MODE, 1);
//! # let mut machine = Machine::from_image(memory).expect("the image starts");
//! let mut steps = Vec::new();
//! Step::new().run(&mut machine, &mut NoHost, Until::order(1), &mut steps);
//! assert_eq!(disassemble(steps[0].insn, steps[0].pc), "lui a0,0x50");
//! assert_eq!(steps[0].rd.map(|rd| rd.value), Some(0x5_0000));
//! ```
//!
//! Modules use only the modules above them in this list; `tests/layers.rs` holds them to it.
#![deny(unsafe_code)]

pub mod isa;
pub mod map;

pub mod mem;

pub mod trap;

pub mod hart;

pub mod ecall;

pub mod trace;

pub mod exec;

pub mod snapshot;

pub mod timeline;

pub mod kernel;

pub mod loader;

pub mod symbols;

#[cfg(feature = "risc0")]
pub mod risc0;

pub mod gdb;
