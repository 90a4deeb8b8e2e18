//! The address map: the only place with these numbers (clauses MAP-1 to MAP-15).

/// A guest address in bytes.
pub type Addr = u32;

/// First address that is not in the invalid region: user memory starts here (MAP-1, MAP-2).
pub const USER_START: Addr = 0x0001_0000;
/// First address of kernel memory (MAP-3).
pub const KERNEL_START: Addr = 0xC000_0000;
/// First address of system memory (MAP-4).
pub const SYSTEM_START: Addr = 0xFF00_0000;

/// x0 of machine mode; x_i is the word at 4i behind it (MAP-6).
pub const MACHINE_REGS: Addr = 0xFFFF_0000;
/// x0 of user mode; x_i is the word at 4i behind it (MAP-6).
pub const USER_REGS: Addr = 0xFFFF_0080;
/// Where values written to x0 in machine mode go (MAP-7).
pub const MACHINE_SINK: Addr = 0xFFFF_0100;
/// Where values written to x0 in user mode go (MAP-7).
pub const USER_SINK: Addr = 0xFFFF_0180;
/// MEPC (MAP-8).
pub const MEPC: Addr = 0xFFFF_0200;
/// The pc from which a run starts (MAP-9).
pub const SUSPEND_PC: Addr = 0xFFFF_0210;
/// The mode in which a run starts (MAP-9).
pub const SUSPEND_MODE: Addr = 0xFFFF_0214;
/// The suspend cycle count, low word (MAP-10).
pub const SUSPEND_CYCLE_LOW: Addr = 0xFFFF_0218;
/// The suspend cycle count, high word (MAP-10).
pub const SUSPEND_CYCLE_HIGH: Addr = 0xFFFF_021C;
/// The output digest, eight words (MAP-11).
pub const OUTPUT_DIGEST: Addr = 0xFFFF_0240;
/// The input digest, eight words (MAP-11).
pub const INPUT_DIGEST: Addr = 0xFFFF_0260;
/// The circuit version word (MAP-12).
pub const VERSION_WORD: Addr = 0xFFFF_0300;
/// The ECALL dispatch vector (MAP-13).
pub const ECALL_VECTOR: Addr = 0xFFFF_1000;
/// The trap dispatch vector (MAP-14).
pub const TRAP_VECTOR: Addr = 0xFFFF_2000;

/// Bytes in a word.
pub const WORD_BYTES: u32 = 4;
/// Words in a digest.
pub const DIGEST_WORDS: usize = 8;

/// The privilege an instruction executes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Mode {
    /// The guest program.
    #[default]
    User = 0,
    /// The kernel.
    Machine = 1,
}

/// The four parts of the address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Region {
    /// MAP-1.
    Invalid,
    /// MAP-2.
    User,
    /// MAP-3.
    Kernel,
    /// MAP-4.
    System,
}

impl Region {
    /// The region that `addr` lies in.
    #[inline]
    pub const fn of(addr: Addr) -> Region {
        match addr {
            0..USER_START => Region::Invalid,
            USER_START..KERNEL_START => Region::User,
            KERNEL_START..SYSTEM_START => Region::Kernel,
            SYSTEM_START.. => Region::System,
        }
    }
}

impl Mode {
    /// Whether this mode may fetch from, load from and store to `addr` (MAP-5).
    #[inline]
    pub const fn may_access(self, addr: Addr) -> bool {
        // One comparison: the permitted addresses of each mode are one interval from USER_START.
        addr.wrapping_sub(USER_START) <= self.last_addr() - USER_START
    }

    /// The last address this mode may access.
    #[inline]
    const fn last_addr(self) -> Addr {
        match self {
            Mode::User => KERNEL_START - 1,
            Mode::Machine => Addr::MAX,
        }
    }

    /// The mode that the suspend mode word `word` names (MAP-9).
    pub const fn from_word(word: u32) -> Option<Mode> {
        match word {
            0 => Some(Mode::User),
            1 => Some(Mode::Machine),
            _ => None,
        }
    }
}

/// Whether `vector` is a valid dispatch vector (MAP-15).
pub const fn is_valid_vector(vector: Addr) -> bool {
    vector.is_multiple_of(WORD_BYTES) && matches!(Region::of(vector), Region::Kernel)
}

/// What lives at a word of system memory that is a register (MAP-6, MAP-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterCell {
    /// Whose register it is.
    pub mode: Mode,
    /// 1 to 31 for x1 to x31, [`SINK_INDEX`] for the sink of x0.
    pub index: usize,
}

/// The place of the x0 sink in a register file, behind x0 to x31.
pub const SINK_INDEX: usize = 32;

/// The register at `addr` (any byte of it), if there is one; the x0 cells are plain memory (MAP-7).
pub const fn register_cell(addr: Addr) -> Option<RegisterCell> {
    match addr {
        MACHINE_REGS..USER_REGS => numbered(Mode::Machine, addr - MACHINE_REGS),
        USER_REGS..MACHINE_SINK => numbered(Mode::User, addr - USER_REGS),
        MACHINE_SINK..MACHINE_SINK_END => Some(RegisterCell { mode: Mode::Machine, index: SINK_INDEX }),
        USER_SINK..USER_SINK_END => Some(RegisterCell { mode: Mode::User, index: SINK_INDEX }),
        _ => None,
    }
}

const MACHINE_SINK_END: Addr = MACHINE_SINK + WORD_BYTES;
const USER_SINK_END: Addr = USER_SINK + WORD_BYTES;

const fn numbered(mode: Mode, offset: u32) -> Option<RegisterCell> {
    match offset / WORD_BYTES {
        0 => None,
        index => Some(RegisterCell { mode, index: index as usize }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The edges of MAP-1 to MAP-5.
    #[test]
    fn region_edges() {
        let check = |addr, region, user, machine| {
            assert_eq!(Region::of(addr), region, "{addr:#010x}");
            assert_eq!(Mode::User.may_access(addr), user, "{addr:#010x}");
            assert_eq!(Mode::Machine.may_access(addr), machine, "{addr:#010x}");
        };
        check(0x0000_0000, Region::Invalid, false, false);
        check(0x0000_FFFF, Region::Invalid, false, false);
        check(0x0001_0000, Region::User, true, true);
        check(0xBFFF_FFFF, Region::User, true, true);
        check(0xC000_0000, Region::Kernel, false, true);
        check(0xFEFF_FFFF, Region::Kernel, false, true);
        check(0xFF00_0000, Region::System, false, true);
        check(0xFFFF_FFFF, Region::System, false, true);
    }

    /// MAP-6 and MAP-7.
    #[test]
    fn register_cells() {
        let cell = |mode, index| Some(RegisterCell { mode, index });
        assert_eq!(register_cell(0xFFFF_0000), None);
        assert_eq!(register_cell(0xFFFF_0004), cell(Mode::Machine, 1));
        assert_eq!(register_cell(0xFFFF_007F), cell(Mode::Machine, 31));
        assert_eq!(register_cell(0xFFFF_0083), None);
        assert_eq!(register_cell(0xFFFF_0084), cell(Mode::User, 1));
        assert_eq!(register_cell(0xFFFF_0101), cell(Mode::Machine, SINK_INDEX));
        assert_eq!(register_cell(0xFFFF_0104), None);
        assert_eq!(register_cell(0xFFFF_0180), cell(Mode::User, SINK_INDEX));
        assert_eq!(register_cell(0xFFFF_0184), None);
    }

    /// MAP-15.
    #[test]
    fn valid_vectors() {
        assert!(is_valid_vector(0xC000_0000) && is_valid_vector(0xFEFF_FFFC));
        for bad in [0, 0x0001_0000, 0xBFFF_FFFC, 0xC000_0002, 0xFF00_0000, 0xFFFF_1000] {
            assert!(!is_valid_vector(bad), "{bad:#010x}");
        }
    }
}
