//! Running the machine.
//!
//! An [`Engine`] runs a [`Machine`] until something happens; every engine gives the same promises
//! (TIME-3). `step.rs` is the plain one: read it to see what an instruction does.
//! Engines know nothing of the debugger: whoever wants to watch passes a [`Sink`] or an [`Until`].

mod any;
#[cfg_attr(not(feature = "jit"), allow(dead_code, reason = "what a compiler above the blocks asks"))]
mod block;
// Before those that expand its macro.
#[macro_use]
mod block_arms;
#[cfg_attr(not(feature = "jit"), allow(dead_code, reason = "what a compiler above the blocks asks"))]
mod block_code;
mod block_ops;
mod block_run;
#[cfg(feature = "jit")]
mod jit;
#[cfg(feature = "jit")]
mod jit_access;
#[cfg(feature = "jit")]
mod jit_call;
#[cfg(feature = "jit")]
mod jit_compile;
#[cfg(feature = "jit")]
mod jit_emit;
#[cfg(feature = "jit")]
mod jit_region;
#[cfg(feature = "jit")]
mod jit_worker;
pub mod ops;
pub mod probe;
mod step;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

pub use any::{AnyEngine, EngineKind};
pub use block::{Block, Translated};
#[cfg(feature = "jit")]
pub use jit::{Compiled, Jit};
pub use step::Step;

use crate::ecall::{Halt, Host};
use crate::hart::Machine;
use crate::map::Addr;
use crate::mem::MemSpan;
use crate::trace::Sink;
use crate::trap::Fault;

/// When to stop, besides the end of the run.
#[derive(Clone, Copy, Debug)]
pub struct Until<'a> {
    /// Stop before the step with this number (TIME-1).
    pub order: u64,
    /// Stop before the instruction at one of these addresses, except before the first step.
    pub breakpoints: Option<&'a BTreeSet<Addr>>,
    /// Stop after the step that accesses one of these ranges. Empty costs nothing.
    pub watch: &'a [WatchRange],
    /// Stop soon after this becomes true; the engine looks every [`INTERRUPT_STEPS`] steps.
    pub interrupt: Option<&'a AtomicBool>,
}

/// Steps between two looks at [`Until::interrupt`]: well below a millisecond on the slowest engine.
pub const INTERRUPT_STEPS: u64 = 16_384;

impl Until<'_> {
    /// Run to the end.
    pub const END: Until<'static> = Until { order: u64::MAX, breakpoints: None, watch: &[], interrupt: None };

    /// Run until `order` steps were made since the start of the run.
    pub const fn order(order: u64) -> Until<'static> {
        Until { order, ..Until::END }
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

/// Data addresses to watch, and for which accesses.
///
/// Loads and stores count with the bytes that they move, and so do the buffers of machine ECALLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatchRange {
    /// The first address.
    pub first: Addr,
    /// The last address, so that a range may end at the end of the address space.
    pub last: Addr,
    /// Whether loads count.
    pub on_read: bool,
    /// Whether stores count.
    pub on_write: bool,
}

impl WatchRange {
    /// Whether `access` is one to stop after.
    #[inline]
    pub const fn is_hit_by(&self, access: &MemSpan) -> bool {
        let is_wanted = if access.is_write { self.on_write } else { self.on_read };
        is_wanted && self.first <= access.last && access.first <= self.last
    }
}

/// Why an engine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// terminate (ECALL-2).
    Terminated {
        /// Halt or pause.
        halt: Halt,
        /// The 16 bits that the program chose.
        user_exit: u16,
    },
    /// A fault that no kernel took (TRAP-4). The machine is as it was before the instruction.
    Fault(Fault),
    /// The next step is number [`Until::order`].
    Order,
    /// pc is in [`Until::breakpoints`].
    Breakpoint,
    /// The last step accessed one of [`Until::watch`]. If it also ended the run, that is reported instead.
    Watch(MemSpan),
    /// [`Until::interrupt`] was set.
    Interrupted,
}

/// A way to run the machine. All engines are interchangeable at every step.
pub trait Engine {
    /// Runs `machine` until `until` says so or the run ends, showing every step to `sink`.
    fn run(&mut self, machine: &mut Machine, host: &mut dyn Host, until: Until<'_>, sink: &mut impl Sink) -> Exit;
}
