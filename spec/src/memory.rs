//! Memory: 2^32 bytes, all 0 at first, kept as words (MEM-1, MEM-2).

/// Words in a page.
const PAGE: usize = 1024;
/// Entries in a table, and tables in the memory: 1024 * 1024 * 1024 words are 2^32 bytes.
const TABLE: usize = 1024;

type Page = [u32; PAGE];
type Table = Vec<Option<Box<Page>>>;

/// Memory that costs what was stored in it (MEM-8).
#[derive(Clone)]
pub struct Memory {
    tables: Vec<Option<Table>>,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new()
    }
}

impl Memory {
    /// Memory in which every byte is 0.
    pub fn new() -> Memory {
        Memory { tables: vec![None; TABLE] }
    }

    /// The word that holds the byte at `addr`.
    pub fn word(&self, addr: u32) -> u32 {
        let (table, page, word) = indices(addr);
        self.page(table, page).map_or(0, |words| words[word])
    }

    /// Replaces the word that holds the byte at `addr`.
    pub fn set_word(&mut self, addr: u32, value: u32) {
        let (table, page, word) = indices(addr);
        let table = self.tables[table].get_or_insert_with(|| vec![None; TABLE]);
        table[page].get_or_insert_with(|| Box::new([0; PAGE]))[word] = value;
    }

    /// The byte at `addr`.
    pub fn byte(&self, addr: u32) -> u8 {
        self.word(addr).to_le_bytes()[addr as usize % 4]
    }

    /// Replaces the byte at `addr`.
    pub fn set_byte(&mut self, addr: u32, value: u8) {
        let mut bytes = self.word(addr).to_le_bytes();
        bytes[addr as usize % 4] = value;
        self.set_word(addr, u32::from_le_bytes(bytes));
    }

    /// Every word that is not 0, with its address, in order.
    pub fn words(&self) -> impl Iterator<Item = (u32, u32)> {
        let pages = (0..TABLE * TABLE).filter_map(|n| Some((n, self.page(n / TABLE, n % TABLE)?)));
        let words = pages.flat_map(|(n, page)| page.iter().enumerate().map(move |(i, &word)| (n * PAGE + i, word)));
        words.filter(|&(_, word)| word != 0).map(|(i, word)| (4 * i as u32, word))
    }

    fn page(&self, table: usize, page: usize) -> Option<&Page> {
        self.tables[table].as_ref()?[page].as_deref()
    }
}

/// The table, page and word that hold the byte at `addr`.
fn indices(addr: u32) -> (usize, usize, usize) {
    let word = addr as usize / 4;
    (word / PAGE / TABLE, word / PAGE % TABLE, word % PAGE)
}
