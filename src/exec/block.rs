//! The block engine: decodes straight runs of instructions once and links them to each other.
//!
//! It runs what is plain - arithmetic, jumps, loads and stores of memory - and leaves every other
//! step to the plain engine: ECALLs, faults, the registers' page, the first store to a page, stores to watched addresses.
//! So there is one place that knows what those do, and this one stays small.

use std::collections::BTreeSet;

use super::block_code::{BlockId, Cache};
use super::block_run::{self, Stop};
use super::{Engine, Exit, INTERRUPT_STEPS, Step, Until, WatchRange};
use crate::ecall::Host;
use crate::hart::Machine;
use crate::map::Addr;
use crate::mem::{CodeLogPosition, PageNo};
use crate::trace::Sink;

/// The engine that executes translated blocks.
pub type Block = Translated<()>;

impl Default for Block {
    fn default() -> Self {
        Block::new()
    }
}

impl Block {
    /// An engine that has translated nothing yet.
    pub fn new() -> Block {
        Translated::with_tier(())
    }
}

/// What runs above the blocks: a compiler of the hot ones, or nothing.
pub(super) trait Tier {
    /// A new one of the same kind, whose code leaves loads of watched addresses to the plain engine.
    fn looking(&self) -> Self;

    /// How often a block is entered before the tier is asked to compile it.
    fn hot(&self) -> u32;

    /// Runs the compiled code at pc for at most `budget` steps; `None` when there is none.
    fn run(&mut self, machine: &mut Machine, budget: u64) -> Option<Ran>;

    /// Compiles the block at pc and what is near it.
    fn compile(&mut self, cache: &Cache, machine: &Machine) -> Verdict;

    /// The blocks of `page` changed.
    fn drop_page(&mut self, page: PageNo);

    /// Everything may have changed.
    fn clear(&mut self);
}

/// What a tier made of a hot block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is code for it.
    Compiled,
    /// Its code is being made: ask again soon.
    Soon,
    /// Ask again when it is as hot once more.
    Later,
    /// There will be no code for it.
    Never,
}

/// Why a tier stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// The plain engine has to make the next step.
    Step,
    /// It has no code for pc.
    Elsewhere,
    /// The budget ends within the next block.
    Budget,
}

impl Tier for () {
    fn looking(&self) {}

    fn hot(&self) -> u32 {
        u32::MAX
    }

    fn run(&mut self, _machine: &mut Machine, _budget: u64) -> Option<Ran> {
        None
    }

    fn compile(&mut self, _cache: &Cache, _machine: &Machine) -> Verdict {
        Verdict::Never
    }

    fn drop_page(&mut self, _page: PageNo) {}

    fn clear(&mut self) {}
}

/// Translated blocks, the tier above them and the plain engine beneath.
///
/// Looking at loads costs, so there are two translations: one for runs that watch no load, and, once there was one that
/// does, another for those. A debugger goes from one to the other at every stop.
pub struct Translated<T> {
    plain: Layer<T>,
    looking: Option<Box<Layer<T>>>,
}

/// One translation.
struct Layer<T> {
    cache: Box<Cache>,
    tier: T,
    step: Box<Step>,
    /// How much of the memory's log the cache has seen.
    seen: CodeLogPosition,
    /// The breakpoints that the blocks were cut at.
    cuts: BTreeSet<Addr>,
}

#[allow(private_bounds, reason = "the engines are named: Block and Jit")]
impl<T: Tier> Engine for Translated<T> {
    fn run(&mut self, machine: &mut Machine, host: &mut dyn Host, until: Until<'_>, sink: &mut impl Sink) -> Exit {
        if is_active(sink) || !watch(machine, until.watch) {
            return self.plain.step.run(machine, host, until, sink);
        }
        match until.watch.iter().any(|range| range.on_read) {
            true => self.looking().run(machine, host, until),
            false => self.plain.run(machine, host, until),
        }
    }
}

impl<T: Tier> Layer<T> {
    /// [`Engine::run`], with nobody who wants to see every step.
    fn run(&mut self, machine: &mut Machine, host: &mut dyn Host, until: Until<'_>) -> Exit {
        self.cut(until.breakpoints);
        let start = machine.hart.instructions;
        loop {
            if until.is_interrupted() {
                return Exit::Interrupted;
            }
            let now = machine.hart.instructions;
            if now >= until.order {
                return Exit::Order;
            }
            let pause = until.order.min(now.saturating_add(PAUSE_STEPS));
            if let Err(exit) = self.run_until(machine, host, start, Until { order: pause, ..until }, until.order) {
                return exit;
            }
        }
    }
}

/// What led to pc.
#[derive(Clone, Copy, Debug)]
enum Last {
    /// A side of a block that is not linked yet.
    Link { id: BlockId, side: usize, generation: u64 },
    /// JALR.
    Jump,
    /// Something else.
    Other,
}

/// Steps between two looks at [`Until::interrupt`]; the slowest translated code makes them in a fraction of 1 ms.
const PAUSE_STEPS: u64 = 4 * INTERRUPT_STEPS;

/// The same for the tier above, which is faster.
const TIER_PAUSE_STEPS: u64 = 16 * PAUSE_STEPS;

/// A block whose code is being made is looked after so many times while it gets as hot once more.
const SOON: u32 = 64;

/// Leaves every access that `watch` is about to the plain engine; `false` if that is not possible.
fn watch(machine: &mut Machine, watch: &[WatchRange]) -> bool {
    let ranges = |is_wanted: fn(&&WatchRange) -> bool| -> Vec<(Addr, Addr)> {
        watch.iter().filter(is_wanted).map(|range| (range.first, range.last)).collect()
    };
    machine.mem.watch(&ranges(|range| range.on_write), &ranges(|range| range.on_read))
}

fn is_active<S: Sink>(_sink: &S) -> bool {
    S::IS_ACTIVE
}

#[allow(private_bounds, reason = "the engines are named: Block and Jit")]
impl<T: Tier> Translated<T> {
    #[cfg(feature = "jit")]
    pub(super) fn tiers(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.plain.tier).chain(self.looking.as_ref().map(|layer| &layer.tier))
    }

    pub(super) fn with_tier(tier: T) -> Translated<T> {
        Translated { plain: Layer::new(tier, false), looking: None }
    }

    fn looking(&mut self) -> &mut Layer<T> {
        self.looking.get_or_insert_with(|| Box::new(Layer::new(self.plain.tier.looking(), true)))
    }
}

impl<T: Tier> Layer<T> {
    fn new(tier: T, looks: bool) -> Layer<T> {
        Layer {
            cache: Box::new(Cache::new(looks)),
            tier,
            step: Box::default(),
            seen: CodeLogPosition::default(),
            cuts: BTreeSet::new(),
        }
    }

    /// Runs until step number `until.order` is next, which is a pause on the way to `until_order`.
    ///
    /// # Errors
    /// The exit, if there is one before.
    fn run_until(
        &mut self,
        machine: &mut Machine,
        host: &mut dyn Host,
        start: u64,
        until: Until<'_>,
        until_order: u64,
    ) -> Result<(), Exit> {
        let pause = until.order;
        let mut last = Last::Other;
        while machine.hart.instructions < pause {
            self.catch_up(machine);
            let (pc, mode) = (machine.hart.pc, machine.hart.mode);
            let is_cut = self.cuts.contains(&pc);
            if is_cut && machine.hart.instructions != start {
                return Err(Exit::Breakpoint);
            }
            let can_translate = !is_cut && mode.may_access(pc);
            last = match can_translate.then(|| self.run_translated(machine, last, pause, until_order)).flatten() {
                None | Some(Stop::Step) => self.make_step(machine, host, until)?,
                // Only the end of the run is exact; before it, a pause is as good a little earlier.
                Some(Stop::Budget) if pause < until_order => return Ok(()),
                // The block has no breakpoint behind its first step, but it may trap, and the handler has one.
                Some(Stop::Budget) => self.make_steps(machine, host, until)?,
                Some(Stop::Link(id, side)) => Last::Link { id, side, generation: self.cache.generation },
                Some(Stop::Jump(id)) => {
                    let from = self.cache.blocks[id as usize].pc;
                    self.cache.note_seen(from, machine.hart.pc);
                    Last::Jump
                }
                Some(Stop::Hot(id)) => self.heat(machine, id),
                Some(Stop::Lookup) => Last::Other,
            };
        }
        Ok(())
    }

    /// Runs translated code from pc on; `None` when there can be none.
    fn run_translated(&mut self, machine: &mut Machine, last: Last, pause: u64, until_order: u64) -> Option<Stop> {
        let budget = pause - machine.hart.instructions;
        let tier_budget = (until_order - machine.hart.instructions).min(TIER_PAUSE_STEPS);
        match self.tier.run(machine, tier_budget) {
            Some(Ran::Step) => return Some(Stop::Step),
            Some(Ran::Elsewhere) => return Some(Stop::Lookup),
            Some(Ran::Budget) => return Some(Stop::Budget),
            None => {}
        }
        let id = self.block_at(machine, last)?;
        Some(block_run::run(&mut self.cache, machine, id, budget, self.tier.hot()))
    }

    /// The block at pc, linked with the place that led there.
    fn block_at(&mut self, machine: &mut Machine, last: Last) -> Option<BlockId> {
        let (pc, mode) = (machine.hart.pc, machine.hart.mode);
        let to = self.cache.block_at(&mut machine.mem, mode, pc, &self.cuts)?;
        match last {
            Last::Link { id, side, generation } if generation == self.cache.generation => {
                self.cache.blocks[id as usize].next[side].set(to);
            }
            Last::Jump => self.cache.jumps.note(mode, pc, to),
            _ => {}
        }
        Some(to)
    }

    /// Block `id`, at pc, is hot.
    fn heat(&mut self, machine: &Machine, id: BlockId) -> Last {
        let hot = self.tier.hot();
        let heat = match self.tier.compile(&self.cache, machine) {
            // One entry short of hot, the block leads to its compiled code whenever it is entered.
            Verdict::Compiled => hot - 1,
            Verdict::Soon => hot - hot / SOON,
            Verdict::Later => 0,
            Verdict::Never => hot,
        };
        self.cache.blocks[id as usize].heat.set(heat);
        Last::Other
    }

    /// Makes one step with the plain engine, unless `until` is reached.
    fn make_step(&mut self, machine: &mut Machine, host: &mut dyn Host, until: Until<'_>) -> Result<Last, Exit> {
        let order = until.order.min(machine.hart.instructions.saturating_add(1));
        self.make_steps(machine, host, Until { order, breakpoints: None, ..until })
    }

    /// Makes the steps up to `until` with the plain engine.
    fn make_steps(&mut self, machine: &mut Machine, host: &mut dyn Host, until: Until<'_>) -> Result<Last, Exit> {
        match self.step.run(machine, host, Until { interrupt: None, ..until }, &mut ()) {
            Exit::Order => Ok(Last::Other),
            exit => Err(exit),
        }
    }

    /// Drops the translations of words that changed (MEM-5).
    fn catch_up(&mut self, machine: &Machine) {
        let log = machine.mem.code_log();
        if log.position() == self.seen {
            return;
        }
        match log.since(self.seen) {
            None => {
                self.cache.clear();
                self.tier.clear();
            }
            Some(pages) => pages.iter().for_each(|&page| {
                self.cache.drop_page(page);
                self.tier.drop_page(page);
            }),
        }
        self.seen = log.position();
    }

    /// Cuts the blocks at `breakpoints`, so that no block runs across one.
    fn cut(&mut self, breakpoints: Option<&BTreeSet<Addr>>) {
        let none = BTreeSet::new();
        let wanted = breakpoints.unwrap_or(&none);
        if *wanted != self.cuts {
            for &pc in wanted.symmetric_difference(&self.cuts) {
                self.cache.drop_page(PageNo::of(pc));
                self.tier.drop_page(PageNo::of(pc));
            }
            self.cuts.clone_from(wanted);
        }
    }
}
