//! gdbstub's view of the inferior. What gdbstub does not do is in `session.rs`, before it.

use std::convert::Infallible;

use gdbstub::common::{Pid, Signal};
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::reverse_exec::{ReverseCont, ReverseContOps, ReverseStep, ReverseStepOps};
use gdbstub::target::ext::base::single_register_access::{SingleRegisterAccess, SingleRegisterAccessOps};
use gdbstub::target::ext::base::singlethread::{
    SingleThreadBase, SingleThreadRangeStepping, SingleThreadRangeSteppingOps, SingleThreadResume,
    SingleThreadResumeOps, SingleThreadSingleStep, SingleThreadSingleStepOps,
};
use gdbstub::target::ext::breakpoints::{
    Breakpoints, BreakpointsOps, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint,
    SwBreakpointOps, WatchKind,
};
use gdbstub::target::ext::catch_syscalls::{CatchSyscalls, CatchSyscallsOps, SyscallNumbers};
use gdbstub::target::ext::exec_file::{ExecFile, ExecFileOps};
use gdbstub::target::ext::extended_mode::{Args, AttachKind, ExtendedMode, ExtendedModeOps, ShouldTerminate};
use gdbstub::target::ext::host_io::{
    FsKind, HostIo, HostIoClose, HostIoCloseOps, HostIoErrno, HostIoError, HostIoFstat, HostIoFstatOps, HostIoOpen,
    HostIoOpenFlags, HostIoOpenMode, HostIoOpenOps, HostIoOps, HostIoResult, HostIoSetfs, HostIoSetfsOps, HostIoStat,
};
use gdbstub::target::ext::libraries::{LibrariesSvr4, LibrariesSvr4Ops};
use gdbstub::target::ext::memory_map::{MemoryMap, MemoryMapOps};
use gdbstub::target::{Target, TargetError, TargetResult};

use super::arch::{RegId, Registers, Rv32, little_endian};
use super::catches::Catch;
use super::files;
use super::inferior::{Inferior, Resume, Watchpoint};
use crate::map::{self, Addr};

impl Target for Inferior {
    type Arch = Rv32;
    type Error = Infallible;

    fn base_ops(&mut self) -> BaseOps<'_, Rv32, Infallible> {
        BaseOps::SingleThread(self)
    }

    fn use_no_ack_mode(&self) -> bool {
        false // `session.rs` acknowledges.
    }

    fn use_rle(&self) -> bool {
        false // `wire.rs` shortens.
    }

    fn use_fork_stop_reason(&self) -> bool {
        false
    }

    fn use_vfork_stop_reason(&self) -> bool {
        false
    }

    fn use_vforkdone_stop_reason(&self) -> bool {
        false
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_catch_syscalls(&mut self) -> Option<CatchSyscallsOps<'_, Self>> {
        Some(self)
    }

    fn support_extended_mode(&mut self) -> Option<ExtendedModeOps<'_, Self>> {
        Some(self)
    }

    fn support_memory_map(&mut self) -> Option<MemoryMapOps<'_, Self>> {
        Some(self)
    }

    fn support_libraries_svr4(&mut self) -> Option<LibrariesSvr4Ops<'_, Self>> {
        Some(self)
    }

    fn support_host_io(&mut self) -> Option<HostIoOps<'_, Self>> {
        Some(self)
    }

    fn support_exec_file(&mut self) -> Option<ExecFileOps<'_, Self>> {
        if self.files.program_path().is_empty() { None } else { Some(self) }
    }
}

impl SingleThreadBase for Inferior {
    fn read_registers(&mut self, regs: &mut Registers) -> TargetResult<(), Self> {
        *regs = Registers::of(self.machine());
        Ok(())
    }

    fn write_registers(&mut self, regs: &Registers) -> TargetResult<(), Self> {
        // A counter that gdb sends back from an earlier stop is not an error of the user's.
        let is_counter = |id: RegId| id.counted(&self.machine().hart).is_some();
        let wanted: Vec<_> = RegId::all().zip(&regs.values).filter(|(id, _)| !is_counter(*id)).collect();
        if wanted.iter().any(|(id, value)| id.check(**value).is_err()) {
            return Err(TargetError::NonFatal);
        }
        wanted.into_iter().for_each(|(id, value)| drop(self.set_register(id, *value)));
        Ok(())
    }

    fn support_single_register_access(&mut self) -> Option<SingleRegisterAccessOps<'_, (), Self>> {
        Some(self)
    }

    fn read_addrs(&mut self, start: Addr, data: &mut [u8]) -> TargetResult<usize, Self> {
        self.machine().read_bytes(start, data);
        Ok(data.len())
    }

    fn write_addrs(&mut self, start: Addr, data: &[u8]) -> TargetResult<(), Self> {
        self.edit(|machine| machine.write_bytes(start, data));
        Ok(())
    }

    fn support_resume(&mut self) -> Option<SingleThreadResumeOps<'_, Self>> {
        Some(self)
    }
}

impl SingleRegisterAccess<()> for Inferior {
    fn read_register(&mut self, (): (), id: RegId, buf: &mut [u8]) -> TargetResult<usize, Self> {
        buf[..id.size()].copy_from_slice(&id.read(self.machine()).to_le_bytes()[..id.size()]);
        Ok(id.size())
    }

    fn write_register(&mut self, (): (), id: RegId, value: &[u8]) -> TargetResult<(), Self> {
        self.set_register(id, little_endian(value)).map_err(|_| TargetError::NonFatal)
    }
}

impl Inferior {
    fn resume_by(&mut self, resume: Resume, signal: Option<Signal>) -> Result<(), Infallible> {
        // A debugger passes the signal of a fault on to the program, which has no handler for it.
        let deadly = signal.filter(|signal| *signal == self.last_stop.signal() && self.last_stop.is_fault());
        let is_forward = matches!(resume, Resume::Continue | Resume::Step | Resume::Range { .. });
        if !is_forward || deadly.is_some() || !self.is_in_debuggers_call() {
            self.settle();
        }
        self.resumed = Some(deadly.map_or(resume, Resume::Die));
        self.resumed_in = self.machine().hart.mode;
        self.depart();
        Ok(())
    }
}

impl SingleThreadResume for Inferior {
    fn resume(&mut self, signal: Option<Signal>) -> Result<(), Infallible> {
        self.resume_by(Resume::Continue, signal)
    }

    fn support_single_step(&mut self) -> Option<SingleThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_range_step(&mut self) -> Option<SingleThreadRangeSteppingOps<'_, Self>> {
        Some(self)
    }

    fn support_reverse_step(&mut self) -> Option<ReverseStepOps<'_, (), Self>> {
        Some(self)
    }

    fn support_reverse_cont(&mut self) -> Option<ReverseContOps<'_, (), Self>> {
        Some(self)
    }
}

impl SingleThreadSingleStep for Inferior {
    fn step(&mut self, signal: Option<Signal>) -> Result<(), Infallible> {
        self.resume_by(Resume::Step, signal)
    }
}

impl SingleThreadRangeStepping for Inferior {
    fn resume_range_step(&mut self, start: Addr, end: Addr) -> Result<(), Infallible> {
        self.resume_by(Resume::Range { start, end }, None)
    }
}

impl ReverseCont<()> for Inferior {
    fn reverse_cont(&mut self) -> Result<(), Infallible> {
        self.resume_by(Resume::ReverseContinue, None)
    }
}

impl ReverseStep<()> for Inferior {
    fn reverse_step(&mut self, (): ()) -> Result<(), Infallible> {
        self.resume_by(Resume::ReverseStep, None)
    }
}

impl Breakpoints for Inferior {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl SwBreakpoint for Inferior {
    fn add_sw_breakpoint(&mut self, addr: Addr, _kind: usize) -> TargetResult<bool, Self> {
        self.breakpoints.set(addr, false, true);
        Ok(true)
    }

    fn remove_sw_breakpoint(&mut self, addr: Addr, _kind: usize) -> TargetResult<bool, Self> {
        self.breakpoints.set(addr, false, false);
        Ok(true)
    }
}

impl HwBreakpoint for Inferior {
    fn add_hw_breakpoint(&mut self, addr: Addr, _kind: usize) -> TargetResult<bool, Self> {
        self.breakpoints.set(addr, true, true);
        Ok(true)
    }

    fn remove_hw_breakpoint(&mut self, addr: Addr, _kind: usize) -> TargetResult<bool, Self> {
        self.breakpoints.set(addr, true, false);
        Ok(true)
    }
}

impl HwWatchpoint for Inferior {
    fn add_hw_watchpoint(&mut self, addr: Addr, len: u32, kind: WatchKind) -> TargetResult<bool, Self> {
        let watchpoint = watchpoint(addr, len, kind);
        if !self.watchpoints.contains(&watchpoint) {
            self.watchpoints.push(watchpoint);
        }
        Ok(true)
    }

    fn remove_hw_watchpoint(&mut self, addr: Addr, len: u32, kind: WatchKind) -> TargetResult<bool, Self> {
        let watchpoint = watchpoint(addr, len, kind);
        self.watchpoints.retain(|other| *other != watchpoint);
        Ok(true)
    }
}

fn watchpoint(first: Addr, len: u32, kind: WatchKind) -> Watchpoint {
    Watchpoint { first, last: first.saturating_add(len.max(1) - 1), kind }
}

impl CatchSyscalls for Inferior {
    fn enable_catch_syscalls(&mut self, filter: Option<SyscallNumbers<'_, u32>>) -> TargetResult<(), Self> {
        self.catches.by_debugger = Some(filter.map_or(Catch::All, |numbers| Catch::Numbers(numbers.collect())));
        Ok(())
    }

    fn disable_catch_syscalls(&mut self) -> TargetResult<(), Self> {
        self.catches.by_debugger = None;
        Ok(())
    }
}

impl ExtendedMode for Inferior {
    /// `run` restarts; `run N` goes to step N, with the history kept.
    fn run(&mut self, _filename: Option<&[u8]>, mut args: Args<'_, '_>) -> TargetResult<Pid, Self> {
        let order = args.next().and_then(|arg| std::str::from_utf8(arg).ok()?.parse().ok());
        match order {
            Some(order) => self.go_to(order),
            None => Inferior::restart(self),
        }
        Ok(THE_PROCESS)
    }

    fn attach(&mut self, _pid: Pid) -> TargetResult<(), Self> {
        Ok(())
    }

    fn query_if_attached(&mut self, _pid: Pid) -> TargetResult<AttachKind, Self> {
        Ok(AttachKind::Attach)
    }

    fn kill(&mut self, _pid: Option<Pid>) -> TargetResult<ShouldTerminate, Self> {
        self.is_killed = true;
        Ok(ShouldTerminate::No)
    }

    fn restart(&mut self) -> Result<(), Infallible> {
        Inferior::restart(self);
        Ok(())
    }
}

/// gdbstub's own number for the one process there is.
const THE_PROCESS: Pid = Pid::MIN;

impl MemoryMap for Inferior {
    fn memory_map_xml(&self, offset: u64, length: usize, buf: &mut [u8]) -> TargetResult<usize, Self> {
        Ok(copy_part(memory_map().as_bytes(), offset, length, buf))
    }
}

/// Memory of the program, of the kernel, and of the machine. The invalid region is none (MAP-1), and nothing is
/// read-only: a program may store to its code (MEM-5).
fn memory_map() -> String {
    let starts = [map::USER_START, map::KERNEL_START, map::SYSTEM_START].map(u64::from);
    let ends = [starts[1], starts[2], 1 << 32];
    let region = |(start, end)| format!("<memory type=\"ram\" start=\"{start:#x}\" length=\"{:#x}\"/>", end - start);
    let regions: String = starts.into_iter().zip(ends).map(region).collect();
    format!(
        "<?xml version=\"1.0\"?><!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\" \
         \"http://sourceware.org/gdb/gdb-memory-map.dtd\"><memory-map>{regions}</memory-map>"
    )
}

impl LibrariesSvr4 for Inferior {
    fn get_libraries_svr4(&self, offset: u64, length: usize, buf: &mut [u8]) -> TargetResult<usize, Self> {
        Ok(copy_part(self.files.library_list().as_bytes(), offset, length, buf))
    }
}

impl ExecFile for Inferior {
    fn get_exec_file(
        &self,
        _pid: Option<Pid>,
        offset: u64,
        length: usize,
        buf: &mut [u8],
    ) -> TargetResult<usize, Self> {
        Ok(copy_part(self.files.program_path().as_bytes(), offset, length, buf))
    }
}

/// Copies up to `length` bytes of `data` from `offset` on, and returns how many.
fn copy_part(data: &[u8], offset: u64, length: usize, buf: &mut [u8]) -> usize {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
    let count = length.min(buf.len()).min(data.len() - start);
    buf[..count].copy_from_slice(&data[start..start + count]);
    count
}

impl HostIo for Inferior {
    fn support_open(&mut self) -> Option<HostIoOpenOps<'_, Self>> {
        Some(self)
    }

    fn support_close(&mut self) -> Option<HostIoCloseOps<'_, Self>> {
        Some(self)
    }

    fn support_fstat(&mut self) -> Option<HostIoFstatOps<'_, Self>> {
        Some(self)
    }

    fn support_setfs(&mut self) -> Option<HostIoSetfsOps<'_, Self>> {
        Some(self)
    }
}

impl HostIoOpen for Inferior {
    fn open(&mut self, name: &[u8], flags: HostIoOpenFlags, _mode: HostIoOpenMode) -> HostIoResult<u32, Self> {
        let number = self.files.find(name).ok_or(HostIoError::Errno(HostIoErrno::ENOENT))?;
        if flags != HostIoOpenFlags::O_RDONLY {
            return Err(HostIoError::Errno(HostIoErrno::EACCES));
        }
        Ok(files::FIRST_FD + number as u32)
    }
}

impl HostIoClose for Inferior {
    fn close(&mut self, fd: u32) -> HostIoResult<(), Self> {
        contents(self, fd).map(drop)
    }
}

impl HostIoFstat for Inferior {
    fn fstat(&mut self, fd: u32) -> HostIoResult<HostIoStat, Self> {
        let contents = contents(self, fd)?;
        let mut stat = HostIoStat {
            st_dev: 0,
            st_ino: 0,
            st_mode: HostIoOpenMode::S_IFREG | HostIoOpenMode::S_IRUSR,
            st_nlink: 1,
            st_uid: 0,
            st_gid: 0,
            st_rdev: 0,
            st_size: 0,
            st_blksize: 0,
            st_blocks: 0,
            st_atime: 0,
            st_mtime: 0,
            st_ctime: 0,
        };
        stat.st_size = contents.len() as u64;
        Ok(stat)
    }
}

impl HostIoSetfs for Inferior {
    fn setfs(&mut self, _fs: FsKind) -> HostIoResult<(), Self> {
        Ok(())
    }
}

fn contents(inferior: &Inferior, fd: u32) -> HostIoResult<&[u8], Inferior> {
    inferior.files.contents(fd.into()).ok_or(HostIoError::Errno(HostIoErrno::EBADF))
}
