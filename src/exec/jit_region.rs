//! Which blocks are compiled together, and how control moves among them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::block_code::{Block, BlockOp, Cache, Code};
use crate::isa::Reg;
use crate::map::{Addr, Mode};
use crate::mem::PageNo;

/// Blocks that are compiled into one function; control enters at the first.
pub(super) struct Region {
    pub mode: Mode,
    pub parts: Vec<Part>,
    index: HashMap<Addr, usize>,
}

/// A block of a region.
pub(super) struct Part {
    pub block: Block,
    /// For a part that ends in JALR: the parts that it probably goes to.
    pub guesses: Vec<usize>,
}

/// The most steps in all blocks of a region: compile time grows with it, and so do the chances that a loop fits.
const MAX_STEPS: u32 = 600;
/// A block belongs to a region if it was entered at least one time in so many.
const RARE: u32 = 8;
/// The most targets that a JALR is compared with.
const MAX_GUESSES: usize = 24;

impl Region {
    /// The region of the hot block at `pc`, up to the places that `is_apart`.
    pub fn of(cache: &Cache, mode: Mode, pc: Addr, hot: u32, is_apart: impl Fn(Addr) -> bool) -> Region {
        let mut region = Region { mode, parts: Vec::new(), index: HashMap::new() };
        let mut found = VecDeque::from([pc]);
        let mut steps = 0;
        while let Some(pc) = found.pop_front() {
            let Some(block) = cache.known(mode, pc) else { continue };
            if is_apart(pc) && !region.parts.is_empty() {
                continue;
            }
            let is_rare = block.heat.get() < hot / RARE && !region.parts.is_empty();
            if is_rare || region.index.contains_key(&pc) || steps + block.steps > MAX_STEPS {
                continue;
            }
            steps += block.steps;
            region.index.insert(pc, region.parts.len());
            let part = Part::of(block);
            found.extend(part.leads_to());
            found.extend(cache.seen_jumps(pc));
            region.parts.push(part);
        }
        region.guess_returns();
        region.guess_jumps(cache);
        region
    }

    /// The pages that its instructions are on, some more than once. A block is on one page.
    pub fn pages(&self) -> impl Iterator<Item = PageNo> {
        self.parts.iter().map(|part| PageNo::of(part.block.pc))
    }

    /// The steps in all parts.
    pub fn steps(&self) -> u32 {
        self.parts.iter().map(|part| part.block.steps).sum()
    }

    /// The part at `pc`.
    pub fn part_at(&self, pc: Addr) -> Option<usize> {
        self.index.get(&pc).copied()
    }

    /// The parts that control may go to from `part` without leaving the region.
    pub fn successors(&self, part: usize) -> impl Iterator<Item = usize> {
        let part = &self.parts[part];
        let direct = part.targets().iter().filter_map(|&pc| self.part_at(pc));
        direct.chain(part.guesses.iter().copied())
    }

    /// A function that was called from within the region returns behind the call.
    fn guess_returns(&mut self) {
        let mut guesses: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for call in &self.parts {
            let Some((function, site)) = call.call().and_then(|(f, s)| Some((self.part_at(f)?, self.part_at(s)?)))
            else {
                continue;
            };
            for part in self.returns_of(function) {
                guesses.entry(part).or_default().insert(site);
            }
        }
        for (part, sites) in guesses {
            self.parts[part].guesses = sites.into_iter().take(MAX_GUESSES).collect();
        }
    }

    /// The parts in which the function that begins at `function` returns.
    fn returns_of(&self, function: usize) -> Vec<usize> {
        let mut seen = BTreeSet::from([function]);
        let mut left = vec![function];
        let mut returns = Vec::new();
        while let Some(number) = left.pop() {
            let part = &self.parts[number];
            if part.is_return() {
                returns.push(number);
            }
            // A call comes back.
            let next = part.call().map_or(part.targets().to_vec(), |(_, site)| vec![site]);
            left.extend(next.into_iter().filter_map(|pc| self.part_at(pc)).filter(|&part| seen.insert(part)));
        }
        returns
    }

    /// Other jumps go where they went before.
    fn guess_jumps(&mut self, cache: &Cache) {
        for number in 0..self.parts.len() {
            if self.parts[number].ends_in_jalr() && !self.parts[number].is_return() {
                let seen = cache.seen_jumps(self.parts[number].block.pc);
                self.parts[number].guesses = seen.filter_map(|pc| self.part_at(pc)).take(MAX_GUESSES).collect();
            }
        }
    }
}

impl Part {
    fn of(block: &Block) -> Part {
        Part { block: block.clone(), guesses: Vec::new() }
    }

    /// The operation that ends the part.
    pub fn last(&self) -> BlockOp {
        let is_jump = self.block.ops.iter().position(|op| op.code.is_jump());
        self.block.ops[is_jump.unwrap_or(self.block.ops.len() - 1)]
    }

    /// The addresses that the part itself names.
    pub fn targets(&self) -> &[Addr] {
        match self.last().code {
            Code::Jal => &self.block.targets[1..],
            Code::Jalr | Code::Step => &[],
            Code::Next => &self.block.targets[..1],
            _ => &self.block.targets,
        }
    }

    /// Where control may be next, calls included that come back.
    fn leads_to(&self) -> Vec<Addr> {
        let mut next = self.targets().to_vec();
        if self.is_call() {
            next.push(self.block.targets[0]);
        }
        next
    }

    fn ends_in_jalr(&self) -> bool {
        self.last().code == Code::Jalr
    }

    /// The manual's hint: a jump that links to ra or t0 is a call (Table 2.1).
    fn is_call(&self) -> bool {
        let last = self.last();
        matches!(last.code, Code::Jal | Code::Jalr) && is_link(last.rd)
    }

    /// The function called and the address behind the call, where the part says both.
    fn call(&self) -> Option<(Addr, Addr)> {
        let is_direct = self.is_call() && self.last().code == Code::Jal;
        is_direct.then_some((self.block.targets[1], self.block.targets[0]))
    }

    /// A jump to ra or t0 that does not link is a return.
    fn is_return(&self) -> bool {
        self.ends_in_jalr() && is_link(self.last().rs1) && !is_link(self.last().rd)
    }
}

fn is_link(reg: u8) -> bool {
    const T0: usize = 5;
    usize::from(reg) == Reg::RA.index() || usize::from(reg) == T0
}
