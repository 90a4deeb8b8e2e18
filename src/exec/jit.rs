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

use std::collections::HashMap;

use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{Context as Compilation, isa::OwnedTargetIsa};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Module, default_libcall_names};

use super::block::{Ran, Tier, Translated, Verdict};
use super::block_code::{Cache, place_of};
use super::jit_call::{CodeMemory, Context, Entry};
use super::jit_emit::{self, Emitter, reason};
use super::jit_region::Region;
use crate::hart::Machine;
use crate::map::{Addr, Mode, SINK_INDEX};
use crate::mem::{PageNo, Spans};

/// The engine that compiles hot code.
pub type Jit = Translated<Compiled>;

impl Jit {
    /// An engine that has compiled nothing yet; `None` on a host that Cranelift does not compile for.
    pub fn new() -> Option<Jit> {
        Jit::with_threshold(HOT)
    }

    /// An engine that compiles a block when it is entered for the `hot`th time, at least 1.
    pub fn with_threshold(hot: u32) -> Option<Jit> {
        Some(Translated::with_tier(Compiled::new(hot.max(1))?))
    }

    /// How many places have compiled code now.
    pub fn compiled(&self) -> usize {
        self.tier().entries.len()
    }
}

/// The compiled regions of a memory.
pub struct Compiled {
    /// How often a block is entered before it is compiled.
    hot: u32,
    isa: OwnedTargetIsa,
    code: CodeMemory,
    functions: FunctionBuilderContext,
    compilation: Compilation,
    /// Where compiled code begins, by address and mode.
    entries: HashMap<u32, Entry>,
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

/// Compiling an instruction costs about as much as running it in blocks ten to twenty thousand times: who waits until
/// a block ran as often never spends more than twice what the best choice would have cost.
const HOT: u32 = 10_000;
/// So many times a block of a region is hot outside it before it is compiled once more.
const MAX_ACCIDENTS: u32 = 4;
/// When there is more compiled code than this, all of it goes.
const MAX_CODE_BYTES: usize = 32 << 20;
/// A page that changes more often after being compiled is not compiled again.
const MAX_DROPS: u32 = 8;

impl Compiled {
    fn new(hot: u32) -> Option<Compiled> {
        let isa = host_isa()?;
        Some(Compiled {
            hot,
            code: new_code(&isa),
            isa,
            functions: FunctionBuilderContext::new(),
            compilation: Compilation::new(),
            entries: HashMap::new(),
            slots: Box::new([EMPTY_SLOT; jit_emit::SLOTS]),
            regions: HashMap::new(),
            covered: HashMap::new(),
            drops: HashMap::new(),
            code_bytes: 0,
            context: Box::new(Context { regs: [0; SINK_INDEX + 1], pc: 0, reason: 0, watched: Spans::NONE }),
        })
    }

    /// The compiled code for `pc`.
    fn entry(&mut self, mode: Mode, pc: Addr) -> Option<Entry> {
        let place = place_of(mode, pc);
        let slot = &mut self.slots[jit_emit::slot_index(pc)];
        if slot.place != place {
            *slot = Slot { place, entry: *self.entries.get(&place)? };
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

    /// `code` is the code of `region`.
    fn note_region(&mut self, region: &Region, code: Entry) {
        let first = place_of(region.mode, region.parts[0].block.pc);
        self.entries.insert(first, code);
        for part in &region.parts {
            let pc = part.block.pc;
            self.covered.entry(place_of(region.mode, pc)).or_default();
            let places = self.regions.entry(PageNo::of(pc)).or_default();
            if places.last() != Some(&first) {
                places.push(first);
            }
        }
    }

    /// Whether the pages of `region` are worth compiling.
    fn is_stable(&self, region: &Region) -> bool {
        let mut pages = region.parts.iter().map(|part| PageNo::of(part.block.pc));
        pages.all(|page| self.drops.get(&page).is_none_or(|&drops| drops < MAX_DROPS))
    }
}

impl Tier for Compiled {
    fn hot(&self) -> u32 {
        self.hot
    }

    fn run(&mut self, machine: &mut Machine, budget: u64) -> Option<Ran> {
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
        let (mode, pc) = (machine.hart.mode, machine.hart.pc);
        if self.entry(mode, pc).is_some() {
            return Verdict::Compiled;
        }
        if self.is_covered(place_of(mode, pc)) {
            return Verdict::Later;
        }
        if self.code_bytes > MAX_CODE_BYTES {
            self.clear();
        }
        let region = Region::of(cache, mode, pc, self.hot);
        if region.parts.first().is_none_or(|part| part.block.steps == 0) || !self.is_stable(&region) {
            return Verdict::Never;
        }
        let slots = std::ptr::from_ref::<Slots>(&self.slots).addr();
        let emitter = Emitter::new(&mut self.compilation, &mut self.functions, &region, slots);
        emitter.emit(self.code.module().target_config());
        match define(self.code.module(), &mut self.compilation, &mut self.code_bytes) {
            Ok(code) if self.code.door != Entry::NONE => self.note_region(&region, code),
            _ => return Verdict::Never,
        }
        Verdict::Compiled
    }

    fn drop_page(&mut self, page: PageNo) {
        let Some(places) = self.regions.remove(&page) else { return };
        *self.drops.entry(page).or_default() += 1;
        self.covered.retain(|&place, _| PageNo::of(place) != page);
        places.into_iter().for_each(|place| self.forget(place));
    }

    fn clear(&mut self) {
        if self.entries.is_empty() && self.code_bytes == 0 {
            return;
        }
        self.entries.clear();
        self.slots.fill(EMPTY_SLOT);
        self.regions.clear();
        self.covered.clear();
        self.drops.clear();
        self.code_bytes = 0;
        self.code = new_code(&self.isa);
    }
}

/// The host that this process runs on, if generated code for it can be made here.
fn host_isa() -> Option<OwnedTargetIsa> {
    // The generated code reads words as the host has them.
    if cfg!(target_endian = "big") {
        return None;
    }
    let mut flags = settings::builder();
    let is_checked = if cfg!(debug_assertions) { "true" } else { "false" };
    for (flag, value) in [
        ("opt_level", "speed"),
        ("is_pic", "false"),
        ("use_colocated_libcalls", "false"),
        // Cranelift's tail calls need them.
        ("preserve_frame_pointers", "true"),
        ("enable_verifier", is_checked),
    ] {
        flags.set(flag, value).ok()?;
    }
    cranelift_native::builder().ok()?.finish(settings::Flags::new(flags)).ok()
}

/// A module with the door in it.
fn new_code(isa: &OwnedTargetIsa) -> CodeMemory {
    let mut code = CodeMemory::new(JITModule::new(JITBuilder::with_isa(isa.clone(), default_libcall_names())));
    let mut compilation = Compilation::new();
    jit_emit::emit_door(&mut compilation, code.module().target_config());
    let mut bytes = 0;
    if let Ok(door) = define(code.module(), &mut compilation, &mut bytes) {
        code.door = door;
    }
    code
}

/// Compiles the function in `compilation`.
fn define(module: &mut JITModule, compilation: &mut Compilation, bytes: &mut usize) -> Result<Entry, ()> {
    let id = module.declare_anonymous_function(&compilation.func.signature).map_err(drop)?;
    let result = module.define_function(id, compilation).map_err(drop);
    *bytes += compilation.compiled_code().map_or(0, |code| code.code_info().total_size as usize);
    module.clear_context(compilation);
    result?;
    module.finalize_definitions().map_err(drop)?;
    Ok(Entry::of(module.get_finalized_function(id)))
}
