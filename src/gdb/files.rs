//! The files that the code in memory came from: the program, its kernel, and what the user added.
//!
//! The debugger reads them over the wire (vFile) and learns where they lie (qXfer:libraries-svr4), so that symbols of
//! both sides of the line between user and kernel load by themselves.

use std::cell::OnceCell;
use std::fmt::Write;

use goblin::elf::Elf;
use goblin::elf::program_header::PT_LOAD;

use super::wire::{PACKET_BYTES, escape, hex_number};
use crate::map::Addr;
use crate::symbols::{Location, Symbols};

/// The files, the program first.
#[derive(Default)]
pub struct Files {
    list: Vec<CodeFile>,
}

/// The number of the first file, the program, to the debugger. Those behind it are the only others it can read.
pub const FIRST_FD: u32 = 3;
/// Escapes may double the size, and the count comes in front.
const MOST_READ_BYTES: usize = PACKET_BYTES / 2 - 32;
/// The numbers of these errors in the protocol.
const EBADF: u32 = 9;
const EINVAL: u32 = 22;

/// A file with code.
struct CodeFile {
    path: String,
    elf: Vec<u8>,
    /// What to add to the addresses in the file.
    offset: u32,
    symbols: OnceCell<Symbols>,
}

impl Files {
    /// Adds `elf`, which the debugger knows as `path`.
    pub fn add(&mut self, path: &str, elf: Vec<u8>, offset: u32) {
        self.list.push(CodeFile { path: path.to_owned(), elf, offset, symbols: OnceCell::new() });
    }

    /// Adds `elf` with its first segment at `base`, or where it says; where that is.
    ///
    /// # Errors
    /// A sentence, when it is no ELF file with something to load.
    pub fn add_at(&mut self, path: &str, elf: Vec<u8>, base: Option<Addr>) -> Result<Addr, String> {
        let own = start(&elf).ok_or("not an ELF file with something to load")?;
        let base = base.unwrap_or(own);
        self.add(path, elf, base.wrapping_sub(own));
        Ok(base)
    }

    /// What the debugger calls the program; empty if it has no file.
    pub fn program_path(&self) -> &str {
        self.list.first().map_or("", |program| &program.path)
    }

    /// The contents of the file that the debugger reads as `fd`.
    pub fn contents(&self, fd: u64) -> Option<&[u8]> {
        let number = usize::try_from(fd.checked_sub(FIRST_FD.into())?).ok()?;
        Some(&self.list.get(number)?.elf)
    }

    /// Serves `vFile:pread:fd,count,offset`: as much as fits into a packet.
    pub fn read(&self, request: &[u8]) -> Vec<u8> {
        let mut numbers = request.split(|byte| *byte == b',').map(hex_number);
        let (Some(Some(fd)), Some(Some(count)), Some(Some(offset)), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        else {
            return format!("F-1,{EINVAL:x}").into_bytes();
        };
        let Some(contents) = self.contents(fd) else { return format!("F-1,{EBADF:x}").into_bytes() };
        let rest = usize::try_from(offset).ok().and_then(|offset| contents.get(offset..)).unwrap_or_default();
        let part = &rest[..rest.len().min(usize::try_from(count).unwrap_or(usize::MAX)).min(MOST_READ_BYTES)];
        let mut body = format!("F{:x};", part.len()).into_bytes();
        escape(part, &mut body);
        body
    }

    /// The number of the file that the debugger calls `path`.
    pub fn find(&self, path: &[u8]) -> Option<usize> {
        self.list.iter().position(|file| !file.path.is_empty() && file.path.as_bytes() == path)
    }

    /// The function and line of `pc`, of the first file that knows it.
    pub fn locate(&self, pc: Addr) -> Option<Location> {
        self.list.iter().find_map(|file| file.symbols().locate(pc.wrapping_sub(file.offset)))
    }

    /// `pc` with function, file and line where they are known.
    pub fn place(&self, pc: Addr) -> String {
        let mut text = format!("{pc:#010x}");
        let location = self.locate(pc).unwrap_or_default();
        if let Some(function) = location.function {
            let _ = write!(text, " {function}");
        }
        if let (Some(file), Some(line)) = (location.file, location.line) {
            let _ = write!(text, " at {file}:{line}");
        }
        text
    }

    /// All but the program, as the document that qXfer:libraries-svr4 reads. (gdb asks a target without an operating
    /// system for this list, not for that of qXfer:libraries.)
    pub fn library_list(&self) -> String {
        let mut xml = String::from("<library-list-svr4 version=\"1.0\">");
        for (number, file) in self.list.iter().enumerate().skip(1) {
            let (name, offset) = (escaped(&file.path), file.offset);
            // The link map is that of a dynamic linker. There is none: any number that differs will do.
            let _ = write!(
                xml,
                "<library name=\"target:{name}\" lm=\"{number:#x}\" lmid=\"0x0\" l_addr=\"{offset:#x}\" l_ld=\"0x0\"/>"
            );
        }
        xml + "</library-list-svr4>"
    }
}

impl CodeFile {
    fn symbols(&self) -> &Symbols {
        self.symbols.get_or_init(|| Symbols::of(&self.elf))
    }
}

/// The address of the first segment, as the file has it.
fn start(elf: &[u8]) -> Option<Addr> {
    let elf = Elf::parse(elf).ok()?;
    let first = elf.program_headers.iter().find(|header| header.p_type == PT_LOAD)?;
    Some(first.p_vaddr as Addr)
}

/// `text` with what means something in XML written out.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_listed_where_they_lie() {
        let mut files = Files::default();
        files.add("/program", Vec::new(), 0);
        files.add("/a&b/kernel", Vec::new(), 0x1000);
        let library =
            "<library name=\"target:/a&amp;b/kernel\" lm=\"0x1\" lmid=\"0x0\" l_addr=\"0x1000\" l_ld=\"0x0\"/>";
        assert_eq!(files.library_list(), format!("<library-list-svr4 version=\"1.0\">{library}</library-list-svr4>"));
        assert_eq!((files.find(b"/a&b/kernel"), files.find(b""), files.find(b"/other")), (Some(1), None, None));
    }

    /// A file goes where its first segment is wanted.
    #[test]
    fn a_base_moves_the_first_segment() {
        let mut files = Files::default();
        files.add("/program", Vec::new(), 0);
        assert_eq!(files.add_at("/kernel", crate::kernel::DEFAULT.to_vec(), Some(0x9000_0000)), Ok(0x9000_0000));
        assert!(files.library_list().contains("l_addr=\"0xd0000000\""));
        assert!(files.add_at("/text", b"no ELF".to_vec(), None).is_err());
    }

    /// The default kernel begins with the code that starts the program.
    #[test]
    fn places_are_named_with_their_offset() {
        let mut files = Files::default();
        files.add("/kernel", crate::kernel::DEFAULT.to_vec(), 0x1000);
        let named = files.place(0xC000_1000);
        assert!(named.starts_with("0xc0001000 ") && !files.place(0xC000_0000).contains(' '), "{named}");
    }
}
