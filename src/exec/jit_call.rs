//! The door into generated code: the only place that calls it.
#![allow(unsafe_code, reason = "generated code is outside what the compiler can check")]

use cranelift_jit::JITModule;

use crate::hart::RegisterFile;
use crate::map::Addr;
use crate::mem::Memory;

/// What generated code shares with the engine. `jit_emit.rs` knows the offsets.
#[repr(C)]
pub(super) struct Context {
    pub regs: RegisterFile,
    /// Where it stopped.
    pub pc: Addr,
    /// Why: a number of `jit_emit::reason`.
    pub reason: u32,
    /// The address of the bits of what stores to watched pages have to miss.
    pub watched_stores: usize,
    /// The same of loads.
    pub watched_loads: usize,
}

/// The address of a generated function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(usize);

impl Entry {
    pub const NONE: Entry = Entry(0);

    pub fn of(code: *const u8) -> Entry {
        Entry(code as usize)
    }
}

/// The module that owns the generated code.
pub(super) struct CodeMemory {
    module: Option<JITModule>,
    /// The function that calls the others; see [`CodeMemory::call`].
    pub door: Entry,
}

type Door = extern "C" fn(code: usize, context: *mut Context, ram: *mut u8, left: i64) -> i64;

impl CodeMemory {
    pub fn new(module: JITModule) -> CodeMemory {
        CodeMemory { module: Some(module), door: Entry::NONE }
    }

    pub fn module(&mut self) -> &mut JITModule {
        self.module.as_mut().expect("the module is there until it is dropped")
    }

    /// Runs `code`, a function that this module made, on `mem` for at most `left` steps; returns how many are left.
    pub fn call(&self, code: Entry, context: &mut Context, mem: &mut Memory, left: i64) -> i64 {
        assert!(self.door != Entry::NONE && code != Entry::NONE, "nothing to call");
        (context.watched_stores, context.watched_loads) = (mem.watched().stores.addr(), mem.watched().loads.addr());
        let ram = mem.raw();
        // SAFETY: `door` is the address of the function that `jit::make_door` generated with exactly this
        // signature, in a module that lives as long as `self`.
        let door = unsafe { std::mem::transmute::<usize, Door>(self.door.0) };
        // What the generated code does is sound for these reasons: `code` is a function of the same module
        // (`Compiled` keeps no entry longer than the module); it writes `context`, which is borrowed mutably,
        // at the offsets of its `repr(C)` fields; it reads the notes, in front of `ram`, at indices below their number, because it
        // shifts a 32-bit address right by at least 8; and it reads or writes `ram` only at addresses that it compared
        // with the region's bounds or whose note allows a store, so below 4 GiB, which is what is mapped; and it reads the
        // bits of what is watched only where a note says that something is, so that they are there, eight bytes at an
        // address divided by 8, which is below their number.
        door(code.0, context, ram, left)
    }
}

impl Drop for CodeMemory {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: no generated function runs now, because `call` borrows `self` while one does, and the
            // entries that are left are dropped with `self` by their only owner, `Compiled`.
            unsafe { module.free_memory() };
        }
    }
}
