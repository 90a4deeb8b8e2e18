//! Which words engines have translated, and which of them changed since (MEM-5).

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use super::page::{PAGE_WORDS, PageNo};

/// The changes of translated pages, in order. Every engine reads it at its own pace.
pub struct CodeLog {
    /// Tells this memory from every other of the process: a position in its log means nothing elsewhere.
    memory: u64,
    /// The translated words of each page that has some, one bit a word.
    translated: HashMap<PageNo, [u64; PAGE_WORDS / 64]>,
    /// The number of changes that were dropped from the front of `changes`.
    dropped: u64,
    changes: Vec<PageNo>,
}

/// How far an engine has read a [`CodeLog`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CodeLogPosition {
    memory: u64,
    changes: u64,
}

/// An engine that is further behind has to drop all its translations.
const CHANGES_KEPT: usize = 4096;

impl CodeLog {
    pub(super) fn new() -> CodeLog {
        // 0 is the memory of no one: the position of an engine that has run nothing yet.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let memory = NEXT.fetch_add(1, Ordering::Relaxed);
        CodeLog { memory, translated: HashMap::new(), dropped: 0, changes: Vec::new() }
    }

    /// Where the log ends now.
    #[inline]
    pub fn position(&self) -> CodeLogPosition {
        CodeLogPosition { memory: self.memory, changes: self.dropped + self.changes.len() as u64 }
    }

    /// The pages that changed since `position`; `None` when the log does not go back that far, or
    /// `position` is that of another memory: anything may have changed.
    pub fn since(&self, position: CodeLogPosition) -> Option<&[PageNo]> {
        if position.memory != self.memory {
            return None;
        }
        let read = position.changes.checked_sub(self.dropped)?;
        self.changes.get(read as usize..)
    }

    pub(super) fn watch(&mut self, page: PageNo, words: Range<usize>) {
        let translated = self.translated.entry(page).or_default();
        words.for_each(|word| translated[word / 64] |= 1 << (word % 64));
    }

    pub(super) fn holds(&self, page: PageNo, word: usize) -> bool {
        self.translated.get(&page).is_some_and(|translated| translated[word / 64] >> (word % 64) & 1 != 0)
    }

    pub(super) fn changed(&mut self, page: PageNo) {
        self.translated.remove(&page);
        if self.changes.len() == CHANGES_KEPT {
            self.dropped += self.changes.len() as u64;
            self.changes.clear();
        }
        self.changes.push(page);
    }
}
