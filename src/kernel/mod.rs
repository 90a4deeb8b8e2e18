//! The default kernel: what runs beneath a program that brings no kernel of its own (KERN-1 to KERN-6).
//!
//! `default.S` is its source, `default.elf` what `make kernel` builds from it; `tests/kernel.rs`
//! builds it again and compares. The constants here are its side of the contract with programs:
//! the numbers of newlib, which are those of Linux, so that a program for `riscv64-unknown-elf-gcc`
//! or for `qemu-riscv32` finds what it expects.
//!
//! ```text
//!   0x0001_0000  program, heap -->
//!   0xBF70_0000  the heap ends here at the latest: HEAP_END
//!                <-- stack
//!   0xBFF0_0000  arguments of the program: ARGUMENTS_START
//!   0xC000_0000  kernel
//! ```

use crate::map::{self, Addr};

/// The default kernel as an ELF file.
pub const DEFAULT: &[u8] = include_bytes!("default.elf");

/// Where the strings of the program's arguments begin; its stack ends below them (KERN-1).
pub const ARGUMENTS_START: Addr = map::KERNEL_START - ARGUMENTS_MAX_BYTES;

/// The most bytes of arguments that the kernel takes, each argument with its zero byte.
/// A program with more ends before it starts, with [`EXIT_NO_START`].
pub const ARGUMENTS_MAX_BYTES: u32 = 1 << 20;

/// The exit code of a program that the kernel cannot start, because its arguments do not fit or it lies
/// where its stack would be: what a shell says then.
pub const EXIT_NO_START: u16 = 126;

/// Where the program and its heap end at the latest: it leaves the stack 8 MiB, as Linux does.
pub const HEAP_END: Addr = ARGUMENTS_START - (8 << 20);

/// Numbers of user ECALLs, in a7 (KERN-3).
pub mod number {
    /// close(fd).
    pub const CLOSE: u32 = 57;
    /// lseek(fd, offset, whence).
    pub const LSEEK: u32 = 62;
    /// read(fd, pointer, length).
    pub const READ: u32 = 63;
    /// write(fd, pointer, length).
    pub const WRITE: u32 = 64;
    /// fstat(fd, pointer).
    pub const FSTAT: u32 = 80;
    /// exit(code).
    pub const EXIT: u32 = 93;
    /// exit_group(code).
    pub const EXIT_GROUP: u32 = 94;
    /// brk(address).
    pub const BRK: u32 = 214;
}

/// Errors that a user ECALL returns, negated, in a0 (KERN-2).
pub mod errno {
    /// The file descriptor is unknown, or not one to read from or write to (KERN-4).
    pub const EBADF: u32 = 9;
    /// The buffer is not in user memory (KERN-4).
    pub const EFAULT: u32 = 14;
    /// The file descriptor cannot seek (KERN-3).
    pub const ESPIPE: u32 = 29;
    /// There is no such ECALL (KERN-3).
    pub const ENOSYS: u32 = 38;
}

/// Bytes that fstat writes: libgloss's `struct kernel_stat` (KERN-3).
pub const STAT_BYTES: u32 = 128;
