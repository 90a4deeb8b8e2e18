//! What the harness asks of a machine that it checks Lockstep against.
//!
//! A reference is loaded with the state of one of ours, runs beside it, and tells where it stands.
//! Most references know RV32IM and plain memory but no kernel, no register windows and no machine
//! ECALL. They stop with the trap that they raised; [`crate::lockstep`] decides whether our machine
//! does the same there, or something that is beyond the reference, and then carries the effect over
//! with [`Reference::inject`].

use std::fmt;

use lockstep::ecall::Host;
use lockstep::exec::Exit;
use lockstep::hart::Machine;
use lockstep::isa::Reg;
use lockstep::map::{Addr, Mode, Region};
use lockstep::mem::{PAGE_BYTES, PageNo};
use lockstep::trace::Retired;
use lockstep::trap::Cause;

/// How much of SPEC.md a reference is a machine of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it, but for what it says is [`Stop::Beyond`] it.
    Whole,
    /// RV32IM on plain memory up to [`lockstep::map::SYSTEM_START`]; everything else is a trap.
    Instructions,
}

/// Why a reference made no further step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It made the steps it was asked for.
    Steps,
    /// The instruction at its pc raised, and changed nothing (scope [`Scope::Instructions`]).
    Trap(Raised),
    /// The instruction at its pc is one that it cannot judge at all.
    Beyond,
    /// The run ended (scope [`Scope::Whole`]).
    Ended(Exit),
}

/// A trap in the words of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raised {
    /// The number in `mcause`, if the reference tells one.
    pub cause: Option<u32>,
    /// The number in `mtval`, if the reference tells one.
    pub value: Option<u32>,
}

/// How far a reference came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The steps that it made.
    pub steps: u64,
    /// Why not more.
    pub stop: Stop,
}

/// Where a machine stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The address of the next instruction.
    pub pc: Addr,
    /// x0 to x31 of the current mode.
    pub x: [u32; 32],
}

/// A change to a reference that it could not make itself.
#[derive(Clone, Debug)]
pub struct Delta {
    /// Where it stands afterwards.
    pub state: State,
    /// The mode afterwards, which decides what it may access (MAP-5).
    pub mode: Mode,
    /// Bytes stored, by address; all below [`lockstep::map::SYSTEM_START`].
    pub stores: Vec<(Addr, Vec<u8>)>,
}

/// Why a reference cannot be asked any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It ended, by a signal or an exit code.
    Died(String),
    /// It did not answer in time.
    Hung(String),
    /// It said something that is not in its protocol.
    Garbled(String),
    /// It could not be started.
    Start(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Died(what) => write!(f, "the simulator died: {what}"),
            Failure::Hung(what) => write!(f, "the simulator does not answer: {what}"),
            Failure::Garbled(what) => write!(f, "the simulator said what its protocol does not have: {what}"),
            Failure::Start(what) => write!(f, "the simulator does not start: {what}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Which memory was touched, and what it holds now: frame numbers with their hashes.
pub type Touched = Vec<(Frame, u64)>;

/// The records of steps that a reference made side by side with ours, whole or as it saw them: one of both is empty.
#[derive(Default)]
pub struct Batch {
    /// Whole records.
    pub records: Vec<Retired>,
    /// What was seen of each step.
    pub seen: Vec<Seen>,
}

/// The six words of [`crate::adapters::Onlooker::seen`], each in the byte order of RISC-V.
pub type Seen = [[u8; 4]; 6];

impl Batch {
    /// How many steps it holds.
    pub fn len(&self) -> usize {
        self.records.len() + self.seen.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.records.clear();
        self.seen.clear();
    }
}

/// A machine that runs beside ours.
pub trait Reference {
    /// What it is called in reports.
    fn name(&self) -> &str;

    /// How much of SPEC.md it knows.
    fn scope(&self) -> Scope;

    /// Takes over the state of `machine`, whatever it was before.
    ///
    /// # Errors
    /// [`Failure`], as all functions here: the reference itself is out of order.
    fn load(&mut self, machine: &Machine) -> Result<(), Failure>;

    /// Makes at most `steps` steps.
    ///
    /// # Errors
    /// The reference is out of order.
    fn run(&mut self, steps: u64, host: &mut dyn Host) -> Result<Progress, Failure>;

    /// Makes at most `steps` steps and appends a record of each.
    ///
    /// A record holds what the reference knows: see [`crate::lockstep::differences`] for what is compared.
    ///
    /// # Errors
    /// The reference is out of order.
    fn trace(&mut self, steps: u64, host: &mut dyn Host, records: &mut Vec<Retired>) -> Result<Progress, Failure>;

    /// As [`Reference::trace`], in the form that costs least, in the place of what `batch` held.
    ///
    /// # Errors
    /// The reference is out of order.
    fn trace_batch(&mut self, steps: u64, host: &mut dyn Host, batch: &mut Batch) -> Result<Progress, Failure> {
        batch.clear();
        self.trace(steps, host, &mut batch.records)
    }

    /// A promise that the next step it is asked for is `run(steps)` or, traced, `trace_batch(steps)`, unless
    /// [`Reference::load`] comes first. Made while our machine is busy: a reference that is a process
    /// can start at once. What the functions below tell stays that of the step before.
    ///
    /// # Errors
    /// The reference is out of order.
    fn expect(&mut self, _steps: u64, _is_traced: bool) -> Result<(), Failure> {
        Ok(())
    }

    /// Where it stands.
    ///
    /// # Errors
    /// The reference is out of order.
    fn state(&mut self) -> Result<State, Failure>;

    /// The frames that it wrote (and perhaps some that it only read) since it was last asked or loaded.
    ///
    /// # Errors
    /// The reference is out of order.
    fn touched(&mut self) -> Result<Touched, Failure>;

    /// The hashes of `frames`.
    ///
    /// # Errors
    /// The reference is out of order.
    fn frame_hashes(&mut self, frames: &[Frame]) -> Result<Vec<u64>, Failure>;

    /// The word at `addr`.
    ///
    /// # Errors
    /// The reference is out of order.
    fn word(&mut self, addr: Addr) -> Result<u32, Failure>;

    /// Makes a change that the reference cannot make itself.
    ///
    /// # Errors
    /// The reference is out of order.
    fn inject(&mut self, delta: &Delta) -> Result<(), Failure>;
}

/// The number of 4 KiB of memory: the unit in which memories are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame(pub u32);

/// Bytes in a frame: a page of the simulators, four of ours.
pub const FRAME_BYTES: usize = 4096;

const PAGES_A_FRAME: u32 = (FRAME_BYTES / PAGE_BYTES) as u32;

impl Frame {
    /// The frame that holds `addr`.
    pub const fn of(addr: Addr) -> Frame {
        Frame(addr / FRAME_BYTES as u32)
    }

    /// The frame that `page` lies in.
    pub const fn of_page(page: PageNo) -> Frame {
        Frame(page.0 / PAGES_A_FRAME)
    }

    /// The address of its first byte.
    pub const fn start(self) -> Addr {
        self.0 * FRAME_BYTES as u32
    }

    /// Its pages.
    pub fn pages(self) -> impl Iterator<Item = PageNo> {
        (0..PAGES_A_FRAME).map(move |i| PageNo(self.0 * PAGES_A_FRAME + i))
    }

    /// Whether a reference of scope [`Scope::Instructions`] has this frame.
    pub fn is_plain(self) -> bool {
        matches!(Region::of(self.start()), Region::User | Region::Kernel)
    }
}

/// The hash of memory words, the same in every adapter (and in `shim/spike_shim.cc`).
///
/// Not cryptographic: it has to see accidents, not forgeries.
pub fn hash_words<'a>(words: impl IntoIterator<Item = &'a u32>) -> u64 {
    words.into_iter().fold(HASH_START, |hash, &word| {
        let mixed = (hash ^ u64::from(word)).wrapping_mul(HASH_FACTOR);
        mixed ^ (mixed >> 32)
    })
}

/// Any odd number without structure; these are the golden ratio's and that of MurmurHash's finaliser.
const HASH_START: u64 = 0x9E37_79B9_7F4A_7C15;
const HASH_FACTOR: u64 = 0xFF51_AFD7_ED55_8CCD;

/// The hash of `frame` in one of our machines.
pub fn machine_frame_hash(machine: &Machine, frame: Frame) -> u64 {
    let pages: Vec<_> = frame.pages().map(|page| machine.page(page)).collect();
    hash_words(pages.iter().flatten())
}

/// Where one of our machines stands.
pub fn machine_state(machine: &Machine) -> State {
    let mut x = [0; 32];
    Reg::all().for_each(|reg| x[reg.index()] = machine.hart.x(reg));
    State { pc: machine.hart.pc, x }
}

/// The cause with the number `number`, if our machine has it.
pub fn cause_of(number: u32) -> Option<Cause> {
    Cause::ALL.into_iter().find(|cause| cause.number() == number)
}
