//! Names and source lines of guest addresses, and backtraces, from an ELF file's symbols and DWARF.
//!
//! Whatever a file lacks is left out: without DWARF there are function names, without symbols nothing.

mod unwind;

use std::fmt;
use std::sync::Arc;

use gimli::{self, EndianArcSlice, LittleEndian};
use goblin::elf::Elf;
use goblin::elf::section_header::SHF_EXECINSTR;
use goblin::elf::sym::{STT_FUNC, STT_NOTYPE};

use crate::map::Addr;

pub use unwind::{Frame, MAX_FRAMES};

/// Parts of a guest's debugging information, readable as DWARF.
type Section = EndianArcSlice<LittleEndian>;

/// What is known of the addresses of one ELF file.
pub struct Symbols {
    functions: Vec<Function>,
    lines: Option<addr2line::Context<Section>>,
    debug_frame: gimli::DebugFrame<Section>,
    eh_frame: gimli::EhFrame<Section>,
    eh_frame_start: u64,
}

/// A symbol that names code.
struct Function {
    start: Addr,
    /// 0 when the symbol does not say.
    bytes: u32,
    name: String,
}

/// Where an address is in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// The function, demangled.
    pub function: Option<String>,
    /// The source file, as the compiler wrote it.
    pub file: Option<String>,
    /// The line in the file, from 1.
    pub line: Option<u32>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.function.as_deref().unwrap_or("??"))?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " at {file}:{line}"),
            (Some(file), None) => write!(f, " in {file}"),
            _ => Ok(()),
        }
    }
}

impl Symbols {
    /// The symbols in `file`. A file that cannot be understood has none.
    pub fn of(file: &[u8]) -> Symbols {
        let elf = Elf::parse(file).ok();
        let elf = elf.as_ref();
        let section = |name: &str| elf.and_then(|elf| section(elf, file, name)).unwrap_or_default();
        let load = |id: gimli::SectionId| Ok::<_, gimli::Error>(reader(section(id.name()).1));
        let lines = gimli::Dwarf::load(load).ok().and_then(|dwarf| addr2line::Context::from_dwarf(dwarf).ok());
        let (eh_frame_start, eh_frame) = section(".eh_frame");
        let mut debug_frame = gimli::DebugFrame::from(reader(section(".debug_frame").1));
        debug_frame.set_address_size(ADDRESS_BYTES);
        let mut eh_frame = gimli::EhFrame::from(reader(eh_frame));
        eh_frame.set_address_size(ADDRESS_BYTES);
        Symbols { functions: elf.map(functions).unwrap_or_default(), lines, debug_frame, eh_frame, eh_frame_start }
    }

    /// The function and line of `addr`, the innermost inlined call first; empty if nothing is known.
    pub fn locate_all(&self, addr: Addr) -> Vec<Location> {
        let mut locations = self.inlined(addr);
        if locations.is_empty()
            && let Some(function) = self.function(addr)
        {
            locations.push(Location { function: Some(demangle(&function.name)), ..Location::default() });
        }
        locations
    }

    /// The function and line of `addr`, the innermost inlined call.
    pub fn locate(&self, addr: Addr) -> Option<Location> {
        self.locate_all(addr).into_iter().next()
    }

    /// The address of the function called `name`.
    pub fn address_of(&self, name: &str) -> Option<Addr> {
        self.functions.iter().find(|function| function.name == name).map(|function| function.start)
    }

    fn inlined(&self, addr: Addr) -> Vec<Location> {
        let mut locations = Vec::new();
        let Some(lines) = &self.lines else { return locations };
        let Ok(mut frames) = lines.find_frames(u64::from(addr)).skip_all_loads() else { return locations };
        while let Ok(Some(frame)) = frames.next() {
            let dwarf_name = frame.function.and_then(|name| name.raw_name().ok().map(|name| demangle(&name)));
            let function = dwarf_name.or_else(|| self.function(addr).map(|function| demangle(&function.name)));
            let (file, line) = frame.location.map_or((None, None), |place| (place.file, place.line));
            if function.is_some() || file.is_some() {
                locations.push(Location { function, file: file.map(String::from), line });
            }
        }
        locations
    }

    fn function(&self, addr: Addr) -> Option<&Function> {
        let after = self.functions.partition_point(|function| function.start <= addr);
        let function = &self.functions[after.checked_sub(1)?];
        let is_inside = function.bytes == 0 || addr - function.start < function.bytes;
        is_inside.then_some(function)
    }
}

const ADDRESS_BYTES: u8 = 4;

/// Address and bytes of the section called `name`.
fn section<'a>(elf: &Elf<'_>, file: &'a [u8], name: &str) -> Option<(u64, &'a [u8])> {
    let header = elf.section_headers.iter().find(|header| elf.shdr_strtab.get_at(header.sh_name) == Some(name))?;
    Some((header.sh_addr, file.get(header.file_range()?)?))
}

fn reader(bytes: &[u8]) -> Section {
    EndianArcSlice::new(Arc::from(bytes), LittleEndian)
}

/// The symbols that name code, by address; of several at one address the last of the file.
fn functions(elf: &Elf<'_>) -> Vec<Function> {
    let mut functions: Vec<Function> = elf
        .syms
        .iter()
        .filter(|symbol| matches!(symbol.st_type(), STT_FUNC | STT_NOTYPE) && is_code(elf, symbol.st_shndx))
        .filter_map(|symbol| {
            let name = elf.strtab.get_at(symbol.st_name).filter(|name| is_code_name(name))?;
            Some(Function { start: symbol.st_value as Addr, bytes: symbol.st_size as u32, name: name.into() })
        })
        .collect();
    functions.sort_by_key(|function| (function.start, function.bytes != 0));
    functions
}

/// Whether the section with this index holds instructions: a jump into data has no function's name.
fn is_code(elf: &Elf<'_>, section: usize) -> bool {
    elf.section_headers.get(section).is_some_and(|header| header.sh_flags & u64::from(SHF_EXECINSTR) != 0)
}

/// Not the assembler's local labels and mapping symbols.
fn is_code_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('$') && !name.starts_with(".L")
}

fn demangle(name: &str) -> String {
    // A C function called `f` would otherwise be shown as the C++ type that mangles to it, `float`.
    if !name.starts_with('_') {
        return name.into();
    }
    addr2line::demangle_auto(name.into(), None).into_owned()
}
