//! The debugger's server: gdb and lldb speak to a program in the machine.
//!
//! * `wire.rs`: frames, checksums, acknowledgements - bytes, nothing else;
//! * `session.rs`: bytes in, replies out: the front end that hostile input meets, with no socket in it;
//! * `stub.rs`: gdbstub's state machine behind it, fed whole packets only;
//! * `arch.rs`, `target.rs`: registers, target.xml, and what gdbstub may ask of the program;
//! * `inferior.rs`: breakpoints, watchpoints, and running in slices;
//! * `server.rs`: sockets around a session.

mod arch;
mod inferior;
mod memory;
mod server;
mod session;
mod stub;
mod target;
mod wire;

pub use inferior::{Inferior, Program, Stop};
pub use server::{End, Server};
pub use session::{ClientId, Session};
pub use wire::{Event, Framer, PACKET_BYTES, frame};
