//! Sparse memory of 4 GiB (clauses MEM-1 to MEM-8).
//!
//! Memory is words in pages. A page exists once something was stored in it; every other page
//! reads as zeros. Memory knows nothing of regions, modes or registers: [`crate::hart::Machine`] does.
//!
//! ```text
//!   page number --> readable --> slot of the page's words (0: the page of zeros)
//!               --> writable --> the same slot, or 0: ask `make_writable` first
//! ```
//!
//! `writable` makes history cheap: at a mark every page becomes unwritable, and the first store
//! to it afterwards saves its words.

mod page;

pub use page::{PAGE_BYTES, PAGE_COUNT, PAGE_WORDS, Page, PageNo, ZERO_PAGE};

use crate::map::Addr;
use page::word_index;

/// The words of a page as they were at the last mark.
#[derive(Clone, Debug)]
pub struct SavedPage {
    /// Which page.
    pub page: PageNo,
    /// Its words, or `None` when it did not exist.
    pub words: Option<Box<Page>>,
}

/// The data addresses that one step read or wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemSpan {
    /// The first address.
    pub first: Addr,
    /// The last address.
    pub last: Addr,
    /// Whether they were written.
    pub is_write: bool,
}

/// Sparse memory, in words.
#[derive(Clone)]
pub struct Memory {
    /// The words of every page that exists; slot 0 is the page of zeros and never changes.
    slots: Vec<Page>,
    /// The number of the page in each slot; that of slot 0 means nothing.
    numbers: Vec<PageNo>,
    readable: Vec<u32>,
    writable: Vec<u32>,
    /// The pages written since the last mark, in order of the first write.
    written: Vec<PageNo>,
    /// What they held before, if history is wanted.
    saved: Option<Vec<SavedPage>>,
}

impl Default for Memory {
    fn default() -> Self {
        Memory::new()
    }
}

impl Memory {
    /// Memory in which every byte is 0.
    pub fn new() -> Memory {
        Memory {
            slots: vec![ZERO_PAGE],
            numbers: vec![PageNo(0)],
            readable: vec![0; PAGE_COUNT],
            writable: vec![0; PAGE_COUNT],
            written: Vec::new(),
            saved: None,
        }
    }

    /// The word that holds `addr`; the low two bits of `addr` do not count.
    #[inline]
    pub fn word(&self, addr: Addr) -> u32 {
        self.slots[self.readable[PageNo::of(addr).index()] as usize][word_index(addr)]
    }

    /// Stores the word that holds `addr`; the low two bits of `addr` do not count.
    #[inline]
    pub fn set_word(&mut self, addr: Addr, value: u32) {
        let page = PageNo::of(addr);
        let slot = match self.writable[page.index()] {
            0 => self.make_writable(page),
            slot => slot,
        };
        self.slots[slot as usize][word_index(addr)] = value;
    }

    /// The words of `page`, zeros if it does not exist.
    pub fn page(&self, page: PageNo) -> &Page {
        &self.slots[self.readable[page.index()] as usize]
    }

    /// Replaces the words of `page`; `None` makes them zeros.
    pub fn set_page(&mut self, page: PageNo, words: Option<&Page>) {
        match words {
            Some(words) => {
                let slot = self.make_writable(page);
                self.slots[slot as usize] = *words;
            }
            None if self.exists(page) => {
                let slot = self.make_writable(page);
                self.slots[slot as usize] = ZERO_PAGE;
            }
            None => {}
        }
    }

    /// Whether anything was ever stored in `page`.
    pub fn exists(&self, page: PageNo) -> bool {
        self.readable[page.index()] != 0
    }

    /// The number of pages that exist.
    pub fn page_count(&self) -> usize {
        self.slots.len() - 1
    }

    /// Every page that exists, in order of its number.
    pub fn pages(&self) -> impl Iterator<Item = (PageNo, &Page)> {
        // Pages are few and the page table is large: sort the numbers instead of walking the table.
        let mut numbers = self.numbers[1..].to_vec();
        numbers.sort_unstable();
        numbers.into_iter().map(|page| (page, self.page(page)))
    }

    /// Starts a new interval of history: from now on the first store to a page keeps what it held.
    ///
    /// Returns what the pages written in the interval that ends held when it began
    /// (empty for the first, when nothing was kept).
    pub fn mark(&mut self) -> Vec<SavedPage> {
        for page in self.written.drain(..) {
            self.writable[page.index()] = 0;
        }
        self.saved.replace(Vec::new()).unwrap_or_default()
    }

    /// Stops keeping history.
    pub fn forget(&mut self) {
        self.saved = None;
    }

    /// The pages written since the last mark, in order of their first write.
    pub fn written_pages(&self) -> &[PageNo] {
        &self.written
    }

    #[cold]
    #[inline(never)]
    fn make_writable(&mut self, page: PageNo) -> u32 {
        let existed = self.exists(page);
        if self.writable[page.index()] != 0 {
            return self.writable[page.index()];
        }
        if let Some(saved) = &mut self.saved {
            let words = existed.then(|| Box::new(self.slots[self.readable[page.index()] as usize]));
            saved.push(SavedPage { page, words });
        }
        if !existed {
            self.readable[page.index()] = self.slots.len() as u32;
            self.slots.push(ZERO_PAGE);
            self.numbers.push(page);
        }
        self.written.push(page);
        self.writable[page.index()] = self.readable[page.index()];
        self.readable[page.index()]
    }
}
