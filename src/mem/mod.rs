//! Sparse memory of 4 GiB (clauses MEM-1 to MEM-8).
//!
//! Memory is words in pages. The host backs all of it by one reserved mapping (`raw.rs`), so every word has a
//! fixed place; a table of one byte a page says what may be done there without asking:
//!
//! ```text
//!   page number --> notes:  user may store | machine may store | exists | written | holds code
//! ```
//!
//! A store to a page that its mode may not store to *without asking* takes the slow path, `prepare_store`. That makes
//! three things cheap that would otherwise cost every store a check: history (at a mark every page becomes
//! unwritable, and the first store to it afterwards saves its words), the regions of MAP-5, and self-modifying
//! code (MEM-5): engines say which words they translated, and learn from the [`CodeLog`] which pages changed.
//! Watched addresses are the fourth: stores to their pages are looked at, and those elsewhere cost nothing.

mod code;
mod page;
mod raw;
mod watched;

pub use code::{CodeLog, CodeLogPosition};
pub use page::{PAGE_BYTES, PAGE_COUNT, PAGE_WORDS, Page, PageNo, ZERO_PAGE};

use crate::map::{self, Addr, Mode};
use page::word_index;
#[cfg(feature = "jit")]
pub(crate) use raw::NOTES_BYTES;
pub(crate) use raw::Views;
pub use raw::{Refused, on_refusal};
pub(crate) use watched::Watched;

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

/// One byte of notes a page; the places behind [`PAGE_COUNT`] stay 0 (see `exec/jit.rs`).
pub(crate) type Notes = [u8; 4 * PAGE_COUNT];

/// What [`Notes`] says of a page.
pub(crate) mod note {
    use crate::map::Mode;

    /// Something was stored in the page.
    pub const EXISTS: u8 = 4;
    /// The page was written since the last mark.
    pub const WRITTEN: u8 = 8;
    /// An engine holds translations of words of the page.
    pub const CODE: u8 = 16;

    /// Some addresses of the page are watched.
    pub const WATCHED: u8 = 128;

    /// Stores of `mode` need no preparation.
    pub const fn may_store(mode: Mode) -> u8 {
        1 << mode as u8
    }

    /// The same of a watched page, for stores that miss what is watched.
    pub const fn may_store_beside(mode: Mode) -> u8 {
        may_store(mode) << BESIDE_SHIFT
    }

    /// From [`may_store`] to [`may_store_beside`].
    pub const BESIDE_SHIFT: u32 = 5;
}

/// Sparse memory, in words.
pub struct Memory {
    ram: raw::Ram,
    /// Every page that exists, in order of creation.
    numbers: Vec<PageNo>,
    /// The pages written since the last mark, in order of the first write.
    written: Vec<PageNo>,
    /// What they held before, if history is wanted.
    saved: Option<Vec<SavedPage>>,
    code: CodeLog,
    watched: Watched,
}

impl Default for Memory {
    fn default() -> Self {
        Memory::new()
    }
}

/// The copy holds the same words and the same history; no engine holds translations of it yet.
impl Clone for Memory {
    fn clone(&self) -> Memory {
        let mut copy = Memory { numbers: self.numbers.clone(), written: self.written.clone(), ..Memory::new() };
        copy.saved.clone_from(&self.saved);
        for &page in &self.numbers {
            *copy.page_mut(page) = *self.page(page);
            copy.ram.notes_mut()[page.index()] = self.ram.notes()[page.index()] & (note::EXISTS | note::WRITTEN);
            copy.note_stores(page);
        }
        copy
    }
}

impl Memory {
    /// Memory in which every byte is 0.
    ///
    /// # Panics
    /// When the host has no 4 GiB of address space for this process, unless [`on_refusal`] was told otherwise.
    pub fn new() -> Memory {
        Memory {
            ram: raw::Ram::new(),
            numbers: Vec::new(),
            written: Vec::new(),
            saved: None,
            code: CodeLog::new(),
            watched: Watched::nothing(),
        }
    }

    /// The word that holds `addr`; the low two bits of `addr` do not count.
    #[inline]
    pub fn word(&self, addr: Addr) -> u32 {
        self.ram.words()[(addr >> 2) as usize]
    }

    /// Stores the word that holds `addr`; the low two bits of `addr` do not count.
    #[inline]
    pub fn set_word(&mut self, addr: Addr, value: u32) {
        if !self.may_store(Mode::Machine, addr) {
            self.prepare_store(addr);
        }
        self.ram.words_mut()[(addr >> 2) as usize] = value;
    }

    /// Whether a store of `mode` to the page of `addr` needs no preparation and breaks no rule of MAP-5.
    #[inline]
    fn may_store(&self, mode: Mode, addr: Addr) -> bool {
        self.ram.notes()[PageNo::of(addr).index()] & note::may_store(mode) != 0
    }

    /// All memory, for engines that check each access, the notes that tell them which stores to make
    /// only through [`Memory::set_word`], and what is watched.
    #[inline]
    pub(crate) fn parts_mut(&mut self) -> (Views<'_>, &Notes, &Watched) {
        let (views, notes) = self.ram.views();
        (views, notes, &self.watched)
    }

    /// The first byte of memory, with the notes in front of it, for generated code.
    #[cfg(feature = "jit")]
    pub(crate) fn raw(&mut self) -> *mut u8 {
        self.ram.raw()
    }

    /// The words of `page`, zeros if it does not exist.
    pub fn page(&self, page: PageNo) -> &Page {
        &self.ram.words().as_chunks().0[page.index()]
    }

    fn page_mut(&mut self, page: PageNo) -> &mut Page {
        &mut self.ram.words_mut().as_chunks_mut().0[page.index()]
    }

    /// Replaces the words of `page`; `None` makes them zeros.
    pub fn set_page(&mut self, page: PageNo, words: Option<&Page>) {
        if words.is_none() && !self.exists(page) {
            return;
        }
        self.make_writable(page);
        self.forget_code(page);
        *self.page_mut(page) = *words.unwrap_or(&ZERO_PAGE);
    }

    /// Whether anything was ever stored in `page`.
    pub fn exists(&self, page: PageNo) -> bool {
        self.ram.notes()[page.index()] & note::EXISTS != 0
    }

    /// The number of pages that exist.
    pub fn page_count(&self) -> usize {
        self.numbers.len()
    }

    /// Every page that exists, in order of its number.
    pub fn pages(&self) -> impl Iterator<Item = (PageNo, &Page)> {
        // Pages are few and the address space is large: sort the numbers instead of walking the notes.
        let mut numbers = self.numbers.clone();
        numbers.sort_unstable();
        numbers.into_iter().map(|page| (page, self.page(page)))
    }

    /// Starts a new interval of history: from now on the first store to a page keeps what it held.
    ///
    /// Returns what the pages written in the interval that ends held when it began
    /// (empty for the first, when nothing was kept).
    pub fn mark(&mut self) -> Vec<SavedPage> {
        for page in std::mem::take(&mut self.written) {
            self.ram.notes_mut()[page.index()] &= !note::WRITTEN;
            self.note_stores(page);
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

    /// Which translated pages changed.
    pub fn code_log(&self) -> &CodeLog {
        &self.code
    }

    /// An engine translated the words of `addrs`, which lie in one page: their next change goes to the log.
    pub(crate) fn watch_code(&mut self, addrs: std::ops::Range<Addr>) {
        let page = PageNo::of(addrs.start);
        let first = word_index(addrs.start);
        self.code.watch(page, first..first + (addrs.end.wrapping_sub(addrs.start) / map::WORD_BYTES) as usize);
        self.ram.notes_mut()[page.index()] |= note::CODE;
        self.note_stores(page);
    }

    /// From now on the pages of these ranges (first and last address) have the note [`note::WATCHED`]: whoever stores or
    /// loads there asks [`Memory::watched`] first. `false`, and nothing is watched, if that is not possible.
    pub(crate) fn watch(&mut self, stores: &[(Addr, Addr)], loads: &[(Addr, Addr)]) -> bool {
        if self.watched.is(stores, loads) {
            return true;
        }
        self.note_watched(0);
        let is_watched = self.watched.set(stores, loads);
        self.note_watched(note::WATCHED);
        is_watched
    }

    fn note_watched(&mut self, watched: u8) {
        for page in self.watched.pages().collect::<Vec<_>>() {
            let notes = &mut self.ram.notes_mut()[page.index()];
            *notes = *notes & !note::WATCHED | watched;
            self.note_stores(page);
        }
    }

    /// What is watched.
    #[cfg(feature = "jit")]
    pub(crate) fn watched(&self) -> &Watched {
        &self.watched
    }

    /// Makes the page of `addr` ready for a store to `addr`.
    #[cold]
    #[inline(never)]
    fn prepare_store(&mut self, addr: Addr) {
        let page = PageNo::of(addr);
        if self.ram.notes()[page.index()] & note::WRITTEN == 0 {
            self.make_writable(page);
        }
        if self.code.holds(page, word_index(addr)) {
            self.forget_code(page);
        }
    }

    /// The words of `page` are about to change: translations of it are worth nothing any more.
    fn forget_code(&mut self, page: PageNo) {
        if self.ram.notes()[page.index()] & note::CODE != 0 {
            self.code.changed(page);
            self.ram.notes_mut()[page.index()] &= !note::CODE;
            self.note_stores(page);
        }
    }

    fn make_writable(&mut self, page: PageNo) {
        let notes = self.ram.notes()[page.index()];
        if notes & note::WRITTEN != 0 {
            return;
        }
        let existed = notes & note::EXISTS != 0;
        if self.saved.is_some() {
            let words = existed.then(|| Box::new(*self.page(page)));
            self.saved.get_or_insert_default().push(SavedPage { page, words });
        }
        if !existed {
            self.numbers.push(page);
        }
        self.written.push(page);
        self.ram.notes_mut()[page.index()] |= note::EXISTS | note::WRITTEN;
        self.note_stores(page);
    }

    /// Notes who may store to `page` without asking.
    fn note_stores(&mut self, page: PageNo) {
        let notes = &mut self.ram.notes_mut()[page.index()];
        let (user, machine) = (note::may_store(Mode::User), note::may_store(Mode::Machine));
        *notes &= !((user | machine) | (user | machine) << note::BESIDE_SHIFT);
        // The page of the registers is not memory (MAP-6): whoever stores there asks the machine.
        let is_plain = page != PageNo::of(map::MACHINE_REGS);
        if is_plain && *notes & (note::WRITTEN | note::CODE) == note::WRITTEN {
            let user = if Mode::User.may_access(page.start()) { user } else { 0 };
            let machine = if Mode::Machine.may_access(page.start()) { machine } else { 0 };
            let is_watched = *notes & note::WATCHED != 0 && self.watched.stores.meet_page(page);
            let shift = if is_watched { note::BESIDE_SHIFT } else { 0 };
            *notes |= (user | machine) << shift;
        }
    }
}
