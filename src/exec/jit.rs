//! The compiling engine: blocks that turn out to be hot are compiled for the host.
//!
//! ```text
//!   Step  <- every step that is not plain --  Block  -- hot -->  Region -> emit -> Cranelift -> code
//!     ^                                                                                          |
//!     +----------------- a check failed: the machine is as before the instruction ---------------+
//! ```
//!
//! Compiled code keeps registers in host registers, and leaves with the machine exactly as it is before the instruction
//! that it cannot do itself. So faults, ECALLs and the rest are still in one place: `step.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cranelift_codegen::ir::Signature;
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Module, default_libcall_names};

use super::block::{Ran, Tier, Translated, Verdict};
use super::block_code::{Cache, place_of};
use super::jit_call::{CodeMemory, Context, Entry};
use super::jit_compile::{self, Code, Compiler};
use super::jit_emit::{self, reason};
use super::jit_region::Region;
use super::jit_worker::{Done, Job, Workshop};
use crate::hart::Machine;
use crate::map::{Addr, Mode, SINK_INDEX};
use crate::mem::PageNo;

/// The engine that compiles hot code.
pub type Jit = Translated<Compiled>;

impl Jit {
    /// An engine that has compiled nothing yet; `None` on a host that Cranelift does not compile for.
    pub fn new() -> Option<Jit> {
        Jit::in_background(HOT)
    }

    /// An engine that has a block compiled, on another thread, when it is entered for the `hot`th time, at least 1. What it
    /// does until the code is there does not differ, but for the speed.
    pub fn in_background(hot: u32) -> Option<Jit> {
        Some(Translated::with_tier(Compiled::new(hot.max(1), true)?))
    }

    /// An engine that compiles a block when it is entered for the `hot`th time, at least 1, and waits for it: its compiled
    /// code is there at the same step of every run.
    pub fn with_threshold(hot: u32) -> Option<Jit> {
        Some(Translated::with_tier(Compiled::new(hot.max(1), false)?))
    }

    /// How many places have compiled code now.
    pub fn compiled(&self) -> usize {
        self.tiers().map(|tier| tier.entries.len()).sum()
    }
}

/// The compiled regions of a memory.
pub struct Compiled {
    /// How often a block is entered before it is compiled.
    hot: u32,
    isa: OwnedTargetIsa,
    code: CodeMemory,
    workshop: Workshop,
    /// The blocks of the regions in work, by order.
    pending: BTreeMap<Job, BTreeSet<u32>>,
    /// The number of the last order.
    last_job: Job,
    /// Where compiled code begins, by address and mode.
    entries: HashMap<u32, Placed>,
    /// The same for a quick look, by generated code too.
    slots: Box<Slots>,
    /// The regions that contain a page.
    regions: HashMap<PageNo, Vec<u32>>,
    /// The blocks in compiled regions, with how often they were hot outside.
    covered: HashMap<u32, u32>,
    /// How often compiled code of a page was dropped.
    drops: HashMap<PageNo, u32>,
    code_bytes: usize,
    context: Box<Context>,
}

/// Compiled code.
struct Placed {
    entry: Entry,
    /// The steps of its region.
    steps: u32,
}

/// A place and the code for it. Generated code reads these.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Slot {
    place: u32,
    entry: Entry,
}

impl Slot {
    /// Where generated code finds the place.
    pub const PLACE: i32 = std::mem::offset_of!(Slot, place) as i32;
    /// Where generated code finds the address to go on at.
    pub const ENTRY: i32 = std::mem::offset_of!(Slot, entry) as i32;
}

/// One slot for every low part of an address.
pub(super) type Slots = [Slot; jit_emit::SLOTS];

const EMPTY_SLOT: Slot = Slot { place: 0, entry: Entry::NONE };

/// Compiling an instruction costs about as much as running it in blocks ten to twenty thousand times. The guest does not
/// wait for it, so that it may begin earlier than it would have paid; `lockstep bench --cold` shows when it has.
const HOT: u32 = 5_000;
/// A region that is there already becomes part of a new one only if it is no larger: what is compiled twice costs twice.
const INLINED_STEPS: u32 = 200;
/// So many times a block of a region is hot outside it before it is compiled once more.
const MAX_ACCIDENTS: u32 = 4;
/// When there is more compiled code than this, all of it goes.
const MAX_CODE_BYTES: usize = 32 << 20;
/// A page that changes more often after being compiled is not compiled again.
const MAX_DROPS: u32 = 8;

impl Compiled {
    fn new(hot: u32, is_beside: bool) -> Option<Compiled> {
        Some(Compiled::with(jit_compile::host_isa()?, hot, is_beside, false))
    }

    /// Nothing compiled yet, for code that looks at loads if `looks`.
    fn with(isa: OwnedTargetIsa, hot: u32, is_beside: bool, looks: bool) -> Compiled {
        let slots = Box::new([EMPTY_SLOT; jit_emit::SLOTS]);
        let address = std::ptr::from_ref::<Slots>(&slots).addr();
        let mut workshop = Workshop::new(Compiler::new(isa.clone(), address, looks), is_beside);
        Compiled {
            hot,
            code: new_code(&isa, workshop.compiler()),
            isa,
            workshop,
            pending: BTreeMap::new(),
            last_job: 0,
            entries: HashMap::new(),
            slots,
            regions: HashMap::new(),
            covered: HashMap::new(),
            drops: HashMap::new(),
            code_bytes: 0,
            context: Box::new(Context {
                regs: [0; SINK_INDEX + 1],
                pc: 0,
                reason: 0,
                watched_stores: 0,
                watched_loads: 0,
            }),
        }
    }

    /// The compiled code for `pc`.
    fn entry(&mut self, mode: Mode, pc: Addr) -> Option<Entry> {
        let place = place_of(mode, pc);
        let slot = &mut self.slots[jit_emit::slot_index(pc)];
        if slot.place != place {
            *slot = Slot { place, entry: self.entries.get(&place)?.entry };
        }
        Some(slot.entry)
    }

    fn forget(&mut self, place: u32) {
        self.entries.remove(&place);
        let slot = &mut self.slots[jit_emit::slot_index(place)];
        if slot.place == place {
            *slot = EMPTY_SLOT;
        }
    }

    /// Whether the block at `place` is in a compiled region: it is entered there, and here only by accident,
    /// unless that happens again and again.
    fn is_covered(&mut self, place: u32) -> bool {
        match self.covered.get_mut(&place) {
            Some(accidents) if *accidents < MAX_ACCIDENTS => {
                *accidents += 1;
                true
            }
            _ => false,
        }
    }

    fn is_pending(&self, place: u32) -> bool {
        self.pending.values().any(|places| places.contains(&place))
    }

    /// Has `region` compiled, now or later.
    fn order(&mut self, region: Region) -> Verdict {
        let places: BTreeSet<u32> = region.parts.iter().map(|part| place_of(region.mode, part.block.pc)).collect();
        for &place in &places {
            self.covered.entry(place).or_default();
        }
        self.last_job += 1;
        self.pending.insert(self.last_job, places);
        match self.workshop.order(self.last_job, region).map(|done| self.install(done)) {
            None => Verdict::Soon,
            Some(true) => Verdict::Compiled,
            Some(false) => Verdict::Never,
        }
    }

    /// Takes over what was compiled since.
    fn install_finished(&mut self) {
        while !self.pending.is_empty() {
            let Some(done) = self.workshop.take() else { return };
            self.install(done);
        }
    }

    /// Lets the code of `done` be run from now on; `false` if there is none, or its instructions changed since.
    fn install(&mut self, done: Done) -> bool {
        if self.pending.remove(&done.job).is_none() {
            return false;
        }
        let entry = done.code.and_then(|code| define(self.code.module(), &code, &mut self.code_bytes).ok());
        match entry {
            Some(entry) if self.code.door != Entry::NONE => self.note_region(&done.region, entry),
            _ => return false,
        }
        true
    }

    /// `entry` is the code of `region`.
    fn note_region(&mut self, region: &Region, entry: Entry) {
        let first = place_of(region.mode, region.parts[0].block.pc);
        self.entries.insert(first, Placed { entry, steps: region.steps() });
        for page in region.pages() {
            let places = self.regions.entry(page).or_default();
            if places.last() != Some(&first) {
                places.push(first);
            }
        }
    }

    /// Whether the pages of `region` are worth compiling.
    fn is_stable(&self, region: &Region) -> bool {
        region.pages().all(|page| self.drops.get(&page).is_none_or(|&drops| drops < MAX_DROPS))
    }
}

impl Tier for Compiled {
    fn looking(&self) -> Compiled {
        Compiled::with(self.isa.clone(), self.hot, self.workshop.is_beside(), true)
    }

    fn hot(&self) -> u32 {
        self.hot
    }

    fn run(&mut self, machine: &mut Machine, budget: u64) -> Option<Ran> {
        self.install_finished();
        let mode = machine.hart.mode;
        let entry = self.entry(mode, machine.hart.pc)?;
        let budget = budget.min(i64::MAX as u64) as i64;
        self.context.regs = *machine.hart.file(mode);
        let left = self.code.call(entry, &mut self.context, &mut machine.mem, budget);
        let steps = (budget - left) as u64;
        *machine.hart.file_mut(mode) = self.context.regs;
        machine.hart.pc = self.context.pc;
        machine.hart.instructions += steps;
        machine.hart.cycles += steps;
        Some(match self.context.reason {
            reason::STEP => Ran::Step,
            reason::BUDGET => Ran::Budget,
            _ => Ran::Elsewhere,
        })
    }

    fn compile(&mut self, cache: &Cache, machine: &Machine) -> Verdict {
        self.install_finished();
        let (mode, pc) = (machine.hart.mode, machine.hart.pc);
        if self.entry(mode, pc).is_some() {
            return Verdict::Compiled;
        }
        if self.is_pending(place_of(mode, pc)) {
            return Verdict::Soon;
        }
        if self.is_covered(place_of(mode, pc)) {
            return Verdict::Later;
        }
        if self.code_bytes > MAX_CODE_BYTES {
            self.clear();
        }
        let is_apart = |pc| self.entries.get(&place_of(mode, pc)).is_some_and(|code| code.steps > INLINED_STEPS);
        let region = Region::of(cache, mode, pc, self.hot, is_apart);
        if region.parts.first().is_none_or(|part| part.block.steps == 0) || !self.is_stable(&region) {
            return Verdict::Never;
        }
        self.order(region)
    }

    fn drop_page(&mut self, page: PageNo) {
        let ordered = self.pending.len();
        self.pending.retain(|_, places| !places.iter().any(|&place| PageNo::of(place) == page));
        let is_ordered = self.pending.len() < ordered;
        if is_ordered || self.regions.contains_key(&page) {
            self.covered.retain(|&place, _| PageNo::of(place) != page);
        }
        let Some(places) = self.regions.remove(&page) else { return };
        *self.drops.entry(page).or_default() += 1;
        places.into_iter().for_each(|place| self.forget(place));
    }

    fn clear(&mut self) {
        self.pending.clear();
        if self.entries.is_empty() && self.code_bytes == 0 {
            return;
        }
        self.entries.clear();
        self.slots.fill(EMPTY_SLOT);
        self.regions.clear();
        self.covered.clear();
        self.drops.clear();
        self.code_bytes = 0;
        self.code = new_code(&self.isa, self.workshop.compiler());
    }
}

/// A module with the door in it.
fn new_code(isa: &OwnedTargetIsa, compiler: &mut Compiler) -> CodeMemory {
    let mut code = CodeMemory::new(JITModule::new(JITBuilder::with_isa(isa.clone(), default_libcall_names())));
    let mut bytes = 0;
    if let Some(Ok(door)) = compiler.door().map(|door| define(code.module(), &door, &mut bytes)) {
        code.door = door;
    }
    code
}

/// Puts `code` where it can be run; adds its size to `bytes`.
fn define(module: &mut JITModule, code: &Code, bytes: &mut usize) -> Result<Entry, ()> {
    // The engine alone calls it and knows how: the module does not ask for a true signature.
    let id = module.declare_anonymous_function(&Signature::new(CallConv::Tail)).map_err(drop)?;
    *bytes += code.bytes.len();
    module.define_function_bytes(id, code.alignment, &code.bytes, &[]).map_err(drop)?;
    module.finalize_definitions().map_err(drop)?;
    Ok(Entry::of(module.get_finalized_function(id)))
}
