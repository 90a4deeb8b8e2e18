//! The addresses that someone watches: one bit for each address of the guest, for stores and for loads.
//!
//! ```text
//!   a page's note WATCHED --> the byte of bits at address / 8 --> does an access of these bytes meet a watched one?
//! ```
//!
//! However many ranges there are, and of whatever length, an access is one look at a note, and on a watched page one at
//! the bits. The host backs only those bits that were ever set or looked at.

use memmap2::{MmapMut, MmapOptions};

use super::page::{PAGE_BYTES, PageNo};
use crate::map::Addr;

/// The addresses that are watched, each range with its first and its last.
pub(crate) struct Watched {
    /// For stores.
    pub stores: Bits,
    /// For loads.
    pub loads: Bits,
}

/// More pages are not watched: whoever watches looks at every access instead.
const MOST_PAGES: u64 = 1 << 16;

/// Generated code reads eight bytes at once, the last of them behind the last address.
const BITS_BYTES: usize = (1 << 29) + size_of::<u64>();

impl Watched {
    /// Nothing.
    pub fn nothing() -> Watched {
        Watched { stores: Bits::NONE, loads: Bits::NONE }
    }

    /// Whether these are the ranges that are watched.
    pub fn is(&self, stores: &[(Addr, Addr)], loads: &[(Addr, Addr)]) -> bool {
        self.stores.ranges == stores && self.loads.ranges == loads
    }

    /// The pages on which something is watched, some more than once.
    pub fn pages(&self) -> impl Iterator<Item = PageNo> {
        let ranges = self.stores.ranges.iter().chain(&self.loads.ranges);
        ranges.copied().flat_map(|range| pages(range).map(PageNo))
    }

    /// Watches these ranges and no others; `false`, and watches none, if they are too many pages or the host has no place
    /// for the bits.
    pub fn set(&mut self, stores: &[(Addr, Addr)], loads: &[(Addr, Addr)]) -> bool {
        self.stores.clear();
        self.loads.clear();
        let count: u64 = stores.iter().chain(loads).map(|&range| pages(range).count() as u64).sum();
        if count > MOST_PAGES || !(self.stores.reserve() && self.loads.reserve()) {
            return false;
        }
        self.stores.set(stores);
        self.loads.set(loads);
        true
    }
}

fn pages((first, last): (Addr, Addr)) -> impl Iterator<Item = u32> {
    PageNo::of(first).0..=PageNo::of(last).0
}

/// A set of addresses.
pub(crate) struct Bits {
    /// Bit `address % 8` of byte `address / 8`; nothing as long as nothing was watched.
    map: Option<MmapMut>,
    /// What is in the set.
    ranges: Vec<(Addr, Addr)>,
}

impl Bits {
    const NONE: Bits = Bits { map: None, ranges: Vec::new() };

    /// Whether one of the `WIDTH` bytes at `addr`, a multiple of `WIDTH`, is in the set.
    #[inline]
    pub fn meet<const WIDTH: u32>(&self, addr: Addr) -> bool {
        let byte = self.map.as_ref().and_then(|map| map.get((addr >> 3) as usize));
        byte.is_some_and(|byte| byte >> (addr & 7) & ((1 << WIDTH) - 1) != 0)
    }

    /// Whether an address of `page` is in the set.
    pub fn meet_page(&self, page: PageNo) -> bool {
        let first = (page.start() >> 3) as usize;
        let bytes = self.map.as_ref().and_then(|map| map.get(first..first + PAGE_BYTES / 8));
        bytes.is_some_and(|bytes| bytes.iter().any(|&byte| byte != 0))
    }

    /// Where the bits are, for generated code. There are some as soon as a page has the note WATCHED.
    #[cfg(feature = "jit")]
    pub fn addr(&self) -> usize {
        self.map.as_ref().map_or(0, |map| map.as_ptr().addr())
    }

    /// Makes a place for the bits; `false` if the host has none.
    fn reserve(&mut self) -> bool {
        if self.map.is_none() {
            self.map = MmapOptions::new().len(BITS_BYTES).no_reserve_swap().map_anon().ok();
        }
        self.map.is_some()
    }

    fn clear(&mut self) {
        for (first, last) in std::mem::take(&mut self.ranges) {
            self.bytes((first >> 3) as usize, (last >> 3) as usize).fill(0);
        }
    }

    fn set(&mut self, ranges: &[(Addr, Addr)]) {
        for &(first, last) in ranges {
            let bytes = self.bytes((first >> 3) as usize, (last >> 3) as usize);
            let (from_first, to_last) = (u8::MAX << (first & 7), u8::MAX >> (7 - (last & 7)));
            match bytes {
                [] => {}
                [only] => *only |= from_first & to_last,
                [start, middle @ .., end] => {
                    *start |= from_first;
                    middle.fill(u8::MAX);
                    *end |= to_last;
                }
            }
        }
        self.ranges = ranges.to_vec();
    }

    /// The bytes from `first` to `last`, none if there is no place for them.
    fn bytes(&mut self, first: usize, last: usize) -> &mut [u8] {
        self.map.as_mut().and_then(|map| map.get_mut(first..=last)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits say of every access what the ranges say, at the ends of the address space too.
    #[test]
    fn bits_are_the_ranges() {
        let stores = [(0, 0), (0x0001_0003, 0x0001_0004), (0x0001_0010, 0x0001_0037), (u32::MAX - 2, u32::MAX)];
        let loads = [(0x0001_0006, 0x0001_0006)];
        let mut watched = Watched::nothing();
        assert!(!watched.stores.meet::<4>(0));
        assert!(watched.set(&stores, &loads));
        for (bits, ranges) in [(&watched.stores, &stores[..]), (&watched.loads, &loads)] {
            for addr in (0..32).chain(0x0001_0000..0x0001_0040).chain(u32::MAX - 31..=u32::MAX) {
                let is_in = |width: u32| {
                    let last = (addr & !(width - 1)) + (width - 1);
                    ranges.iter().any(|range| range.0 <= last && addr & !(width - 1) <= range.1)
                };
                let meets = [bits.meet::<1>(addr), bits.meet::<2>(addr & !1), bits.meet::<4>(addr & !3)];
                assert_eq!(meets, [is_in(1), is_in(2), is_in(4)], "{addr:#x}");
            }
        }
        assert!(watched.set(&loads, &[]));
        assert!(!watched.stores.meet::<4>(0x0001_0010) && watched.stores.meet::<1>(0x0001_0006));
        assert!(!watched.loads.meet::<1>(0x0001_0006));
    }

    #[test]
    fn too_much_is_not_watched() {
        let mut watched = Watched::nothing();
        assert!(!watched.set(&[(0, u32::MAX)], &[]));
        assert!(watched.pages().next().is_none() && watched.is(&[], &[]));
    }
}
