//! Running the machine.
//!
//! An [`Engine`] runs a [`Machine`] until something happens; every engine gives the same promises
//! (TIME-3). `step.rs` is the plain one: read it to see what an instruction does.
//! Engines know nothing of the debugger: whoever wants to watch passes a [`Sink`] or an [`Until`].

pub mod ops;
mod step;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

pub use step::Step;

use crate::ecall::{Halt, Host};
use crate::hart::Machine;
use crate::map::Addr;
use crate::trace::Sink;
use crate::trap::Fault;

/// When to stop, besides the end of the run.
#[derive(Clone, Copy, Debug)]
pub struct Until<'a> {
    /// Stop before the step with this number (TIME-1).
    pub order: u64,
    /// Stop before the instruction at one of these addresses, except before the first step.
    pub breakpoints: Option<&'a BTreeSet<Addr>>,
    /// Stop soon after this becomes true; the engine looks every [`INTERRUPT_STEPS`] steps.
    pub interrupt: Option<&'a AtomicBool>,
}

/// Steps between two looks at [`Until::interrupt`]: well below a millisecond on the slowest engine.
pub const INTERRUPT_STEPS: u64 = 16_384;

impl Until<'_> {
    /// Run to the end.
    pub const END: Until<'static> = Until { order: u64::MAX, breakpoints: None, interrupt: None };

    /// Run until `order` steps were made since the start of the run.
    pub const fn order(order: u64) -> Until<'static> {
        Until { order, breakpoints: None, interrupt: None }
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed))
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
    /// [`Until::interrupt`] was set.
    Interrupted,
}

/// A way to run the machine. All engines are interchangeable at every step.
pub trait Engine {
    /// Runs `machine` until `until` says so or the run ends, showing every step to `sink`.
    fn run(&mut self, machine: &mut Machine, host: &mut dyn Host, until: Until<'_>, sink: &mut impl Sink) -> Exit;
}
