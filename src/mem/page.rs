//! Pages: the unit of allocation, of history and of the Merkle tree.

use crate::map::Addr;

/// Bytes in a page (v2's page).
pub const PAGE_BYTES: usize = 1024;
/// Words in a page.
pub const PAGE_WORDS: usize = PAGE_BYTES / 4;
/// Pages in the address space: 2^22.
pub const PAGE_COUNT: usize = 1 << (32 - PAGE_BYTES.trailing_zeros());

/// The words of a page.
pub type Page = [u32; PAGE_WORDS];

/// A page that nothing has written (MEM-2).
pub const ZERO_PAGE: Page = [0; PAGE_WORDS];

/// The number of a page: its address divided by [`PAGE_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PageNo(pub u32);

impl PageNo {
    /// The page that holds `addr`.
    #[inline]
    pub const fn of(addr: Addr) -> PageNo {
        PageNo(addr / PAGE_BYTES as u32)
    }

    /// The address of the page's first byte.
    pub const fn start(self) -> Addr {
        self.0 * PAGE_BYTES as u32
    }

    /// The place of the page in a table of all pages.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The place of `addr`'s word in its page.
#[inline]
pub(crate) const fn word_index(addr: Addr) -> usize {
    (addr as usize / 4) % PAGE_WORDS
}
