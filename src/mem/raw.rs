//! The host memory behind guest memory: one reserved mapping of 4 GiB.
//!
//! The host gives the mapping zeroed memory where something is first stored, so that a guest costs
//! what it touches (MEM-8), and every guest address has a place: no access needs a bounds check.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::sync::OnceLock;

use memmap2::{MmapMut, MmapOptions};

use super::Notes;

/// Words in the address space.
pub const WORD_COUNT: usize = 1 << 30;

/// Every word of the guest's address space.
pub type Words = [u32; WORD_COUNT];

/// The same memory as words, half-words and bytes, for one thread that needs all three at once.
#[derive(Clone, Copy)]
pub struct Views<'a> {
    words: &'a [Cell<u32>; WORD_COUNT],
    halves: &'a [Cell<u16>; 2 * WORD_COUNT],
    bytes: &'a [Cell<u8>; 4 * WORD_COUNT],
}

/// On a big-endian host, words keep their value and the order of their parts turns around (MEM-1).
const HALF_SWAP: usize = if cfg!(target_endian = "big") { 1 } else { 0 };
const BYTE_SWAP: usize = if cfg!(target_endian = "big") { 3 } else { 0 };

impl<'a> Views<'a> {
    /// The word that holds `addr`.
    #[inline]
    pub fn word(self, addr: u32) -> &'a Cell<u32> {
        &self.words[(addr >> 2) as usize]
    }

    /// The half-word that holds `addr`.
    #[inline]
    pub fn half(self, addr: u32) -> &'a Cell<u16> {
        &self.halves[(addr >> 1) as usize ^ HALF_SWAP]
    }

    /// The byte at `addr`.
    #[inline]
    pub fn byte(self, addr: u32) -> &'a Cell<u8> {
        &self.bytes[addr as usize ^ BYTE_SWAP]
    }
}

/// 256 MiB of address space: compiled code (32 MiB), and what is allocated by the way.
const ROOM_BYTES: usize = 256 << 20;

fn reserve(bytes: usize) -> io::Result<MmapMut> {
    MmapOptions::new().len(bytes).no_reserve_swap().map_anon()
}

/// The host refused address space for a guest's memory. Displays as a sentence that says what to do.
#[derive(Debug)]
pub struct Refused(io::Error);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused(why) = self;
        write!(
            f,
            "the host refuses 4 GiB of address space for a guest's memory: {why}; raise the limit of this process \
             (`ulimit -v unlimited`): of these 4 GiB a guest costs what it touches (MEM-8)"
        )
    }
}

static ON_REFUSAL: OnceLock<fn(&Refused) -> !> = OnceLock::new();

/// From now on `hook` is called when the host refuses memory for a guest; by default the thread panics.
/// As when the allocator fails, there is nobody to return to: memory is copied where no error can be told. The first hook
/// stays.
pub fn on_refusal(hook: fn(&Refused) -> !) {
    let _ = ON_REFUSAL.set(hook);
}

fn refuse(refused: &Refused) -> ! {
    match ON_REFUSAL.get() {
        Some(hook) => hook(refused),
        None => panic!("{refused}"),
    }
}

/// Zeroed host memory for the whole address space, behind a byte of notes for every page, zeroed too.
///
/// ```text
///   map: | notes, 16 MiB | words, 4 GiB |
/// ```
///
/// One mapping, so that generated code finds both by one address.
pub struct Ram {
    map: MmapMut,
}

/// Where the words begin in the mapping: a multiple of a page of the host.
pub const NOTES_BYTES: usize = size_of::<Notes>();

const _: () = assert!(NOTES_BYTES.is_multiple_of(1 << 16) && NOTES_BYTES <= i32::MAX as usize);

impl Ram {
    /// Reserves the address space; every word is 0. If the host refuses, what [`on_refusal`] was told happens.
    pub fn new() -> Ram {
        Ram::reserve().unwrap_or_else(|error| refuse(&Refused(error)))
    }

    fn reserve() -> io::Result<Ram> {
        let map = reserve(NOTES_BYTES + WORD_COUNT * 4)?;
        // Held for a moment: with less than this, what the process does next would fail, and that ends in an abort.
        reserve(ROOM_BYTES)?;
        Ok(Ram { map })
    }

    /// The notes.
    #[inline]
    pub fn notes(&self) -> &Notes {
        self.map.first_chunk().unwrap_or_else(|| unreachable!("the mapping begins with them"))
    }

    /// The notes, to change.
    #[inline]
    pub fn notes_mut(&mut self) -> &mut Notes {
        self.map.first_chunk_mut().unwrap_or_else(|| unreachable!("the mapping begins with them"))
    }

    /// The first byte of the words, with the notes in front of it, for generated code.
    #[cfg(feature = "jit")]
    pub fn raw(&mut self) -> *mut u8 {
        self.map.as_mut_ptr().wrapping_add(NOTES_BYTES)
    }

    /// The words.
    #[inline]
    #[expect(unsafe_code, reason = "the check that a safe cast repeats at every access")]
    pub fn words(&self) -> &Words {
        // SAFETY: `new` made the mapping 4 * WORD_COUNT bytes longer than NOTES_BYTES, and nothing changes its length;
        // it starts at a page of the host, and NOTES_BYTES is a multiple of one, so the words are aligned; they were
        // zeroed, and every word is a valid `u32`. The reference borrows `self`, which owns the mapping.
        unsafe { &*self.map.as_ptr().add(NOTES_BYTES).cast::<Words>() }
    }

    /// The words, to change.
    #[inline]
    #[expect(unsafe_code, reason = "the check that a safe cast repeats at every access")]
    pub fn words_mut(&mut self) -> &mut Words {
        // SAFETY: as in `words`; `self` is borrowed mutably, so the reference is the only one.
        unsafe { &mut *self.map.as_mut_ptr().add(NOTES_BYTES).cast::<Words>() }
    }

    /// The words, half-words and bytes, each of which can be changed through the others, and the notes.
    #[inline]
    #[expect(unsafe_code, reason = "no safe cast shares memory between cells of different widths")]
    pub fn views(&mut self) -> (Views<'_>, &Notes) {
        let (notes, words) = self.map.split_at_mut(NOTES_BYTES);
        let start = words.as_mut_ptr();
        // SAFETY: each pointer covers the 4 * WORD_COUNT bytes behind the notes, aligned as in `words`, and every bit
        // pattern is valid in each width. All three are slices of cells, which may be changed while shared;
        // `Cell` is not `Sync`, so they stay on this thread; `self` is borrowed mutably for as long, so nothing
        // else reads or writes these bytes.
        let views = unsafe { Views { words: &*start.cast(), halves: &*start.cast(), bytes: &*start.cast() } };
        (views, notes.first_chunk().unwrap_or_else(|| unreachable!("the mapping begins with them")))
    }
}

#[cfg(not(target_pointer_width = "64"))]
compile_error!("lockstep reserves the guest's 4 GiB at once: build it for a host with 64-bit addresses");

#[cfg(test)]
mod tests {
    use super::*;

    /// The cast agrees with its safe twin: what one writes, the other reads, at both ends.
    #[test]
    fn words_are_the_mapping() {
        let mut ram = Ram::new();
        ram.words_mut()[0] = 0x0403_0201;
        ram.words_mut()[WORD_COUNT - 1] = 0x0807_0605;
        let bytes = WORD_COUNT * 4;
        assert_eq!(ram.map.len(), NOTES_BYTES + bytes);
        let map = &mut ram.map[NOTES_BYTES..];
        assert_eq!(u32::from_ne_bytes(map[..4].try_into().unwrap()), 0x0403_0201);
        assert_eq!(u32::from_ne_bytes(map[bytes - 4..].try_into().unwrap()), 0x0807_0605);
        map[4..8].copy_from_slice(&7u32.to_ne_bytes());
        assert_eq!(ram.words()[1], 7);
        assert!(ram.notes().iter().all(|&note| note == 0));
        ram.notes_mut().fill(0xff);
        assert_eq!(ram.words()[0], 0x0403_0201);
    }

    /// MEM-1: the views agree with shifts of the word, in both directions.
    #[test]
    fn views_are_little_endian() {
        let mut ram = Ram::new();
        let (views, _) = ram.views();
        views.word(8).set(0x0403_0201);
        let bytes = [8, 9, 10, 11].map(|addr| views.byte(addr).get());
        assert_eq!((bytes, views.half(8).get(), views.half(10).get()), ([1, 2, 3, 4], 0x0201, 0x0403));
        views.byte(u32::MAX).set(0xaa);
        views.half(u32::MAX - 3).set(0xbbcc);
        assert_eq!(views.word(u32::MAX).get(), 0xaa00_bbcc);
        assert_eq!(ram.words()[WORD_COUNT - 1], 0xaa00_bbcc);
    }
}
