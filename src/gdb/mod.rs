//! The debugger's server: gdb and lldb speak to a program in the machine.
//!
//! * `wire.rs`: frames, checksums, acknowledgements - bytes, nothing else;
//! * `session.rs`: bytes in, replies out: the front end that hostile input meets, with no socket in it;
//! * `stub.rs`: gdbstub's state machine behind it, fed whole packets only;
//! * `resume.rs`: the packets that resume the program, in one form;
//! * `arch.rs`, `target.rs`: registers, target.xml, and what gdbstub may ask of the program;
//! * `memory.rs`, `search.rs`, `lldb.rs`, `agent.rs`, `monitor.rs`: what gdbstub does not do;
//! * `files.rs`, `ecalls.rs`: the files behind the code, and what the program asks of its kernel, by name;
//! * `lockstep.py`: commands of our own for gdb, which asks for them with `monitor python`;
//! * `catches.rs`: stops at ECALLs;
//! * `waits.rs`: where gdb waits although a condition does not hold;
//! * `inferior.rs`: breakpoints, watchpoints, and running in slices, forwards and backwards;
//! * `server.rs`, `keeper.rs`: sockets around a session, and a processor kept awake for a quick client.

mod agent;
mod arch;
mod catches;
mod ecalls;
mod files;
mod inferior;
mod keeper;
mod lldb;
mod memory;
mod monitor;
mod resume;
mod search;
mod server;
mod session;
mod stub;
mod target;
mod waits;
mod wire;

pub use ecalls::Abi;
pub use files::Files;
pub use inferior::{Inferior, Program, Stop};
pub use server::{End, Server};
pub use session::{ClientId, Session};
pub use wire::{Event, Framer, PACKET_BYTES, frame};
