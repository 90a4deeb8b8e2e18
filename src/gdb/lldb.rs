//! The packets that only lldb sends.

use super::inferior::Inferior;
use super::wire::{hex_number, to_hex};
use crate::map::{Addr, KERNEL_START, Region, SYSTEM_START, USER_START};

/// Serves `qMemoryRegionInfo:addr`.
///
/// # Errors
/// A sentence.
pub fn memory_region(request: &[u8]) -> Result<Vec<u8>, String> {
    let addr = hex_number(request).ok_or("a region is asked for by its address")?;
    let addr = Addr::try_from(addr).map_err(|_| format!("address {addr:#x} is not in 32 bits"))?;
    let (start, end, name) = match Region::of(addr) {
        // MAP-1: the lowest 64 KiB are no one's.
        Region::Invalid => return Ok(format!("start:0;size:{USER_START:x};").into_bytes()),
        Region::User => (USER_START, u64::from(KERNEL_START), "user"),
        Region::Kernel => (KERNEL_START, u64::from(SYSTEM_START), "kernel"),
        Region::System => (SYSTEM_START, 1 << 32, "machine"),
    };
    let (size, name) = (end - u64::from(start), String::from_utf8_lossy(&to_hex(name.as_bytes())).into_owned());
    Ok(format!("start:{start:x};size:{size:x};permissions:rwx;name:{name};").into_bytes())
}

/// The reply to `qHostInfo` and `qProcessInfo`: what the machine is.
pub fn info(is_process: bool) -> Vec<u8> {
    let triple = String::from_utf8_lossy(&to_hex(b"riscv32-unknown-elf")).into_owned();
    let what = format!("triple:{triple};endian:little;ptrsize:4;");
    if is_process { format!("pid:1;{what}") } else { what }.into_bytes()
}

/// Registers kept by QSaveRegisterState, by their number.
#[derive(Default)]
pub struct Saved(Vec<crate::hart::Hart>);

/// More saved states than a debugger needs: an expression within an expression needs two.
const MOST_SAVED: usize = 64;

impl Saved {
    /// Serves `QSaveRegisterState`: the number of the state.
    ///
    /// # Errors
    /// When too many are kept.
    pub fn save(&mut self, inferior: &Inferior) -> Result<Vec<u8>, String> {
        if self.0.len() == MOST_SAVED {
            return Err("too many register states are kept".to_owned());
        }
        self.0.push(inferior.machine().hart.clone());
        Ok(self.0.len().to_string().into_bytes())
    }

    /// Serves `QRestoreRegisterState:number`; what was saved later is forgotten.
    ///
    /// # Errors
    /// When there is no such state.
    pub fn restore(&mut self, inferior: &mut Inferior, request: &[u8]) -> Result<Vec<u8>, String> {
        let number: usize = std::str::from_utf8(request).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        let index = number.checked_sub(1).filter(|index| *index < self.0.len()).ok_or("no such register state")?;
        let saved = self.0.split_off(index).swap_remove(0);
        inferior.edit(|machine| {
            // The clock is not turned back (TIME-1).
            let (instructions, cycles) = (machine.hart.instructions, machine.hart.cycles);
            machine.hart = saved;
            (machine.hart.instructions, machine.hart.cycles) = (instructions, cycles);
        });
        Ok(b"OK".to_vec())
    }
}
