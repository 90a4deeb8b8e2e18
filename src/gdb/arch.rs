//! The registers as a debugger sees them: target.xml, and gdbstub's view of the same list.
//!
//! gdbstub_arch's RISC-V has no `<architecture>`, without which gdb-multiarch assumes 64 bits when it has no
//! file, and only registers of one width. This list is ours, and everything about it is derived from it.

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use crate::hart::{Hart, Machine, SEGMENT_STEPS};
use crate::isa::Reg;
use crate::map::{self, Mode};

/// RV32 with the machine's own registers.
pub enum Rv32 {}

impl gdbstub::arch::Arch for Rv32 {
    type Usize = u32;
    type Registers = Registers;
    type BreakpointKind = usize;
    type RegId = RegId;

    fn target_description_xml() -> Option<&'static str> {
        static XML: LazyLock<String> = LazyLock::new(target_xml);
        Some(&XML)
    }
}

/// A register that has a number in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegId {
    /// x0 to x31 of the current mode: 0 to 31.
    X(Reg),
    /// 32.
    Pc,
    /// The mode, 0 user, 1 machine: 33.
    Mode,
    /// MEPC (MAP-8): 34.
    Mepc,
    /// The cost so far (TIME-2), 64 bits: 35.
    Cycle,
    /// The steps so far (TIME-1), 64 bits: 36.
    Instret,
    /// The segment that the next step belongs to, from 0: 37.
    Segment,
}

impl RegId {
    /// Every register in order of its number.
    pub fn all() -> impl Iterator<Item = RegId> {
        Reg::all().map(RegId::X).chain(OTHERS)
    }

    /// The register with this number.
    pub fn new(number: usize) -> Option<RegId> {
        match number {
            0..=31 => Some(RegId::X(Reg::new(number as u32))),
            _ => OTHERS.get(number.checked_sub(32)?).copied(),
        }
    }

    /// The number in the protocol.
    pub fn number(self) -> usize {
        match self {
            RegId::X(reg) => reg.index(),
            other => 32 + OTHERS.iter().position(|id| *id == other).unwrap_or(0),
        }
    }

    /// Bytes in the protocol.
    pub const fn size(self) -> usize {
        match self {
            RegId::Cycle | RegId::Instret => 8,
            _ => 4,
        }
    }

    /// The value in `machine`.
    pub fn read(self, machine: &Machine) -> u64 {
        let hart = &machine.hart;
        match self {
            RegId::X(reg) => u64::from(hart.x(reg)),
            RegId::Pc => u64::from(hart.pc),
            RegId::Mode => hart.mode as u64,
            RegId::Mepc => u64::from(machine.word(map::MEPC)),
            RegId::Cycle | RegId::Instret | RegId::Segment => self.counted(hart).unwrap_or(0),
        }
    }

    /// The value in `hart` of a register that counts; `None` for any other.
    pub fn counted(self, hart: &Hart) -> Option<u64> {
        match self {
            RegId::Cycle => Some(hart.cycles),
            RegId::Instret => Some(hart.instructions),
            RegId::Segment => Some(hart.instructions / SEGMENT_STEPS),
            _ => None,
        }
    }

    /// Whether `value` can be written.
    ///
    /// # Errors
    /// A sentence, when the register cannot be written or not with this value.
    pub fn check(self, value: u64) -> Result<(), String> {
        match self {
            // MEM-7: pc stays aligned.
            RegId::Pc if !value.is_multiple_of(map::WORD_BYTES.into()) => {
                Err(format!("pc {value:#010x} is not divisible by 4"))
            }
            RegId::Mode if Mode::from_word(value as u32).is_none() => Err("mode is 0 (user) or 1 (machine)".to_owned()),
            RegId::Cycle | RegId::Instret | RegId::Segment => {
                Err(format!("{} counts what was executed and cannot be set", self.name()))
            }
            _ => Ok(()),
        }
    }

    /// Writes `value`, if [`RegId::check`] finds nothing against it.
    pub fn write(self, machine: &mut Machine, value: u64) {
        let word = value as u32;
        match self {
            // ISA-6: a write to x0 changes nothing that can be read.
            RegId::X(Reg::ZERO) | RegId::Cycle | RegId::Instret | RegId::Segment => {}
            RegId::X(reg) => machine.hart.set_x(reg, word),
            RegId::Pc => machine.hart.pc = word,
            RegId::Mode => machine.hart.mode = Mode::from_word(word).unwrap_or(machine.hart.mode),
            RegId::Mepc => machine.set_word(map::MEPC, word),
        }
    }

    /// The name in target.xml.
    pub const fn name(self) -> &'static str {
        match self {
            RegId::X(reg) => reg.abi_name(),
            RegId::Pc => "pc",
            RegId::Mode => "mode",
            RegId::Mepc => "mepc",
            RegId::Cycle => "cycle",
            RegId::Instret => "instret",
            RegId::Segment => "segment",
        }
    }
}

const OTHERS: [RegId; 6] = [RegId::Pc, RegId::Mode, RegId::Mepc, RegId::Cycle, RegId::Instret, RegId::Segment];

impl gdbstub::arch::RegId for RegId {
    fn from_raw_id(id: usize) -> Option<(RegId, Option<NonZeroUsize>)> {
        let id = RegId::new(id)?;
        Some((id, NonZeroUsize::new(id.size())))
    }

    fn to_raw_id(&self) -> Option<usize> {
        Some(self.number())
    }
}

/// The values of all registers, in order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// The values; 4-byte registers use the low half.
    pub values: Vec<u64>,
}

impl Registers {
    /// The registers of `machine`.
    pub fn of(machine: &Machine) -> Registers {
        Registers { values: RegId::all().map(|id| id.read(machine)).collect() }
    }
}

impl gdbstub::arch::Registers for Registers {
    type ProgramCounter = u32;

    fn pc(&self) -> u32 {
        self.values.get(RegId::Pc.number()).map_or(0, |pc| *pc as u32)
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        for (id, value) in RegId::all().zip(&self.values) {
            value.to_le_bytes()[..id.size()].iter().for_each(|byte| write_byte(Some(*byte)));
        }
    }

    fn gdb_deserialize(&mut self, mut bytes: &[u8]) -> Result<(), ()> {
        self.values.clear();
        for id in RegId::all() {
            let (value, rest) = bytes.split_at_checked(id.size()).ok_or(())?;
            self.values.push(little_endian(value));
            bytes = rest;
        }
        if bytes.is_empty() { Ok(()) } else { Err(()) }
    }
}

/// The number that at most eight `bytes` hold.
pub fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn target_xml() -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">\
         <architecture>riscv:rv32</architecture><feature name=\"org.gnu.gdb.riscv.cpu\">",
    );
    RegId::all().take(33).for_each(|id| xml += &cpu_register(id));
    xml += "</feature><feature name=\"org.lockstep.zkvm\"><enum id=\"lockstep_mode\" size=\"4\">\
            <evalue name=\"user\" value=\"0\"/><evalue name=\"machine\" value=\"1\"/></enum>";
    RegId::all().skip(33).for_each(|id| xml += &own_register(id));
    xml + "</feature></target>"
}

/// `altname`, `generic` and `dwarf_regnum` are what lldb wants to know.
fn cpu_register(id: RegId) -> String {
    let (name, number) = (id.name(), id.number());
    let kind = match name {
        "pc" | "ra" => "code_ptr",
        "sp" | "gp" | "tp" | "s0" => "data_ptr",
        _ => "int",
    };
    let alt = if number < 32 { format!(" altname=\"x{number}\"") } else { String::new() };
    let generic = match name {
        "pc" | "ra" | "sp" => format!(" generic=\"{name}\""),
        "s0" => " generic=\"fp\"".to_owned(),
        _ if (10..18).contains(&number) => format!(" generic=\"arg{}\"", number - 9),
        _ => String::new(),
    };
    // DWARF gives 32 and up to the floating-point registers: pc has no number there.
    let dwarf = match number {
        0..=31 => format!(" dwarf_regnum=\"{number}\" gcc_regnum=\"{number}\" ehframe_regnum=\"{number}\""),
        _ => String::new(),
    };
    format!(
        "<reg name=\"{name}\"{alt} bitsize=\"32\" type=\"{kind}\" regnum=\"{number}\" group=\"general\"{generic}{dwarf}/>"
    )
}

/// `save-restore`: a function called from gdb does not change the mode. The clock it leaves as it was: gdb says so.
fn own_register(id: RegId) -> String {
    let kind = match id {
        RegId::Mode => "lockstep_mode",
        RegId::Mepc => "code_ptr",
        RegId::Segment => "uint32",
        _ => "uint64",
    };
    let (name, bits, number) = (id.name(), 8 * id.size(), id.number());
    let is_restored = if matches!(id, RegId::Mode | RegId::Mepc) { "no" } else { "yes" };
    format!(
        "<reg name=\"{name}\" bitsize=\"{bits}\" type=\"{kind}\" regnum=\"{number}\" group=\"lockstep\" \
         save-restore=\"{is_restored}\"/>"
    )
}
