//! What is kept of one point of a run, and how memory gets from one point to the next and back.

use std::collections::HashSet;

use crate::hart::Hart;
use crate::mem::{Memory, Page, PageNo, SavedPage};

/// A point of a run, and what memory needs to cross the interval from it to the next point.
#[derive(Clone, Debug)]
pub struct Mark {
    /// The hart at this point.
    pub hart: Hart,
    /// The pages that the interval behind this point writes.
    ///
    /// While the machine is at or before the point they hold what memory is at the interval's end,
    /// while it is behind the interval what memory is at its beginning: crossing swaps.
    pub pages: Vec<SavedPage>,
    /// Whether the debugger changed the machine here: executing up to this point does not reach its state.
    pub is_edited: bool,
}

impl Mark {
    /// The point at which `hart` is.
    pub fn new(hart: Hart) -> Mark {
        Mark { hart, pages: Vec::new(), is_edited: false }
    }

    /// The number of the next step at this point (TIME-1).
    pub fn order(&self) -> u64 {
        self.hart.instructions
    }

    /// The host's memory that the point costs.
    pub fn bytes(&self) -> usize {
        size_of::<Mark>() + self.pages.len() * PAGE_COST_BYTES
    }

    /// Takes `memory` across the interval, in the direction in which it was not crossed last.
    pub fn cross(&mut self, memory: &mut Memory) {
        for saved in &mut self.pages {
            let now = Box::new(*memory.page(saved.page));
            memory.set_page(saved.page, saved.words.as_deref());
            saved.words = Some(now);
        }
    }
}

/// A page, its number and its box.
pub const PAGE_COST_BYTES: usize = size_of::<Page>() + size_of::<SavedPage>() + 16;

/// Takes `memory` back to before `pages` were written.
pub fn undo(pages: Vec<SavedPage>, memory: &mut Memory) {
    for saved in pages {
        memory.set_page(saved.page, saved.words.as_deref());
    }
}

/// The pages of `first`, and those of `second` that are not among them.
pub fn union(mut first: Vec<SavedPage>, second: Vec<SavedPage>) -> Vec<SavedPage> {
    let known: HashSet<PageNo> = first.iter().map(|saved| saved.page).collect();
    first.extend(second.into_iter().filter(|saved| !known.contains(&saved.page)));
    first
}
