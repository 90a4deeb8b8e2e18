//! The architectural state: the hart, and the machine that joins it to memory.

use sha2::{Digest, Sha256};

use crate::isa::Reg;
use crate::map::{self, Addr, Mode, RegisterCell, SINK_INDEX, WORD_BYTES};
use crate::mem::{Memory, Page, PageNo};

/// The registers of one mode: x0 to x31, and behind them the sink of x0 (MAP-7).
pub type RegisterFile = [u32; SINK_INDEX + 1];

/// The steps of a segment, the part of a run that one proof covers: the next segment begins behind them.
pub const SEGMENT_STEPS: u64 = (1 << 20) - 2;

/// Where in a [`RegisterFile`] a value for `reg` goes: that for x0 to the sink (MAP-7).
#[inline]
pub(crate) fn destination(reg: Reg) -> usize {
    if reg == Reg::ZERO { SINK_INDEX } else { reg.index() }
}

/// The hart: everything that an instruction reads or changes outside memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hart {
    /// The address of the next instruction.
    pub pc: Addr,
    /// The mode it executes in.
    pub mode: Mode,
    /// Steps so far: the `order` of the next one (TIME-1).
    pub instructions: u64,
    /// The cost so far (TIME-2).
    pub cycles: u64,
    /// The user instruction that last trapped into the kernel (TRAP-6).
    pub last_user_trap: Option<Addr>,
    /// The registers, by mode.
    files: [RegisterFile; 2],
}

impl Hart {
    /// A hart about to execute the instruction at `pc`, with all registers 0.
    pub fn new(pc: Addr, mode: Mode) -> Hart {
        Hart { pc, mode, instructions: 0, cycles: 0, last_user_trap: None, files: [[0; SINK_INDEX + 1]; 2] }
    }

    /// The value of `reg` in the current mode; x0 is 0 (ISA-6).
    #[inline]
    pub fn x(&self, reg: Reg) -> u32 {
        self.files[self.mode as usize][reg.index()]
    }

    /// Writes `reg` in the current mode; a value for x0 goes to the sink (MAP-7).
    #[inline]
    pub fn set_x(&mut self, reg: Reg, value: u32) {
        self.files[self.mode as usize][destination(reg)] = value;
    }

    /// The registers of `mode`.
    #[inline]
    pub fn file(&self, mode: Mode) -> &RegisterFile {
        &self.files[mode as usize]
    }

    /// The registers of `mode`, to change. Entry 0 must stay 0.
    #[inline]
    pub fn file_mut(&mut self, mode: Mode) -> &mut RegisterFile {
        &mut self.files[mode as usize]
    }

    fn cell(&self, cell: RegisterCell) -> u32 {
        self.files[cell.mode as usize][cell.index]
    }

    fn set_cell(&mut self, cell: RegisterCell, value: u32) {
        self.files[cell.mode as usize][cell.index] = value;
    }
}

/// An image that cannot start (MODE-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The suspend pc is in the invalid region or not divisible by 4.
    Pc(Addr),
    /// The suspend mode is neither 0 nor 1.
    Mode(u32),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Pc(pc) => {
                write!(f, "the image starts at pc 0x{pc:08x}, which is not a multiple of 4 from 0x00010000 on (MODE-1)")
            }
            StartError::Mode(mode) => {
                write!(f, "the image starts in mode {mode}; only 0 (user) and 1 (machine) exist (MODE-1)")
            }
        }
    }
}

impl std::error::Error for StartError {}

/// The whole machine: hart and memory.
#[derive(Clone)]
pub struct Machine {
    /// The hart.
    pub hart: Hart,
    /// Memory without the register cells, which live in the hart.
    pub mem: Memory,
}

impl Machine {
    /// The machine at the first step of the image in `mem` (MODE-1).
    ///
    /// # Errors
    /// [`StartError`] when the suspend words do not name a place to start.
    pub fn from_image(mem: Memory) -> Result<Machine, StartError> {
        let pc = mem.word(map::SUSPEND_PC);
        let mode_word = mem.word(map::SUSPEND_MODE);
        if pc < map::USER_START || !pc.is_multiple_of(map::WORD_BYTES) {
            return Err(StartError::Pc(pc));
        }
        let mode = Mode::from_word(mode_word).ok_or(StartError::Mode(mode_word))?;
        let mut hart = Hart::new(pc, mode);
        for mode in [Mode::User, Mode::Machine] {
            for cell in register_cells(mode) {
                hart.set_cell(cell.1, mem.word(cell.0));
            }
        }
        Ok(Machine { hart, mem })
    }

    /// The word that holds `addr`, registers included (MAP-6); no permission is checked.
    #[inline]
    pub fn word(&self, addr: Addr) -> u32 {
        if addr < map::MACHINE_REGS {
            return self.mem.word(addr);
        }
        match map::register_cell(addr) {
            Some(cell) => self.hart.cell(cell),
            None => self.mem.word(addr),
        }
    }

    /// Stores the word that holds `addr`, registers included (MAP-6); no permission is checked.
    #[inline]
    pub fn set_word(&mut self, addr: Addr, value: u32) {
        if addr < map::MACHINE_REGS {
            return self.mem.set_word(addr, value);
        }
        match map::register_cell(addr) {
            Some(cell) => self.hart.set_cell(cell, value),
            None => self.mem.set_word(addr, value),
        }
    }

    /// The byte at `addr`, registers included; no permission is checked.
    pub fn byte(&self, addr: Addr) -> u8 {
        self.word(addr).to_le_bytes()[addr as usize % 4]
    }

    /// Stores the byte at `addr`, registers included; no permission is checked.
    pub fn set_byte(&mut self, addr: Addr, value: u8) {
        let mut bytes = self.word(addr).to_le_bytes();
        bytes[addr as usize % 4] = value;
        self.set_word(addr, u32::from_le_bytes(bytes));
    }

    /// Fills `bytes` from `addr` on, wrapping at the end of the address space.
    pub fn read_bytes(&self, addr: Addr, bytes: &mut [u8]) {
        let (head, rest) = bytes.split_at_mut(bytes.len().min(bytes_to_word(addr)));
        let (words, tail) = rest.as_chunks_mut();
        let behind_head = addr.wrapping_add(head.len() as u32);
        let behind_words = behind_head.wrapping_add(WORD_BYTES * words.len() as u32);
        for (i, word) in words.iter_mut().enumerate() {
            *word = self.word(behind_head.wrapping_add(WORD_BYTES * i as u32)).to_le_bytes();
        }
        for (start, part) in [(addr, head), (behind_words, tail)] {
            part.iter_mut().enumerate().for_each(|(i, byte)| *byte = self.byte(start.wrapping_add(i as u32)));
        }
    }

    /// Stores `bytes` from `addr` on, wrapping at the end of the address space.
    pub fn write_bytes(&mut self, addr: Addr, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(bytes_to_word(addr)));
        let (words, tail) = rest.as_chunks();
        let behind_head = addr.wrapping_add(head.len() as u32);
        let behind_words = behind_head.wrapping_add(WORD_BYTES * words.len() as u32);
        for (i, word) in words.iter().enumerate() {
            self.set_word(behind_head.wrapping_add(WORD_BYTES * i as u32), u32::from_le_bytes(*word));
        }
        for (start, part) in [(addr, head), (behind_words, tail)] {
            part.iter().enumerate().for_each(|(i, byte)| self.set_byte(start.wrapping_add(i as u32), *byte));
        }
    }

    /// The words of `page`, registers included.
    pub fn page(&self, page: PageNo) -> Page {
        let mut words = *self.mem.page(page);
        if page == PageNo::of(map::MACHINE_REGS) {
            for mode in [Mode::User, Mode::Machine] {
                for (addr, cell) in register_cells(mode) {
                    words[(addr - page.start()) as usize / 4] = self.hart.cell(cell);
                }
            }
        }
        words
    }

    /// SHA-256 of pc, mode, and every page that is not all zeros: equal for equal states (TIME-3).
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.hart.pc.to_le_bytes());
        hash.update([self.hart.mode as u8]);
        let registers = PageNo::of(map::MACHINE_REGS);
        let mut numbers: Vec<PageNo> = self.mem.pages().map(|(page, _)| page).collect();
        numbers.push(registers);
        numbers.sort_unstable();
        numbers.dedup();
        for page in numbers {
            let words = self.page(page);
            if words != crate::mem::ZERO_PAGE {
                hash.update(page.0.to_le_bytes());
                words.iter().for_each(|word| hash.update(word.to_le_bytes()));
            }
        }
        hash.finalize().into()
    }
}

/// How many bytes come before the first word that begins at `addr` or behind it.
fn bytes_to_word(addr: Addr) -> usize {
    (addr.wrapping_neg() % WORD_BYTES) as usize
}

/// The address of each register cell of `mode`, with the cell.
fn register_cells(mode: Mode) -> impl Iterator<Item = (Addr, RegisterCell)> {
    let (base, sink) = match mode {
        Mode::User => (map::USER_REGS, map::USER_SINK),
        Mode::Machine => (map::MACHINE_REGS, map::MACHINE_SINK),
    };
    let numbered = (1..32).map(move |i| (base + i * map::WORD_BYTES, i as usize));
    numbered.chain([(sink, SINK_INDEX)]).map(move |(addr, index)| (addr, RegisterCell { mode, index }))
}
