//! RISC Zero's own executor (crate risc0-circuit-rv32im), instruction by instruction beside ours.
//!
//! Their executor reports each instruction before it executes it. At each report our machine must be at
//! the same pc with the same registers in both modes; then it makes its step, and what our host answered
//! is what theirs is told. So the two share the host and nothing else.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::Read;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Once;

use anyhow::{Result, anyhow, bail, ensure};
use lockstep::ecall::replay::Answer;
use lockstep::ecall::{Call, Halt, Host, Refused};
use lockstep::exec::{Engine, Exit, Step, Until};
use lockstep::hart::Machine;
use lockstep::isa::{Op, decode, disassemble};
use lockstep::map::{self, Mode};
use lockstep::mem::PageNo;
use lockstep::risc0::{Cost, Cycles, DEFAULT_SEGMENT_PO2, memory_image};
use lockstep::trace::{Retired, Sink};
use lockstep::trap::Cause;
use risc0_binfmt::{MemoryImage, WordAddr};
use risc0_circuit_rv32im::execute::{CycleLimit, Executor, ExecutorResult, Syscall, SyscallContext};
use risc0_circuit_rv32im::trace::{TraceCallback, TraceEvent};

/// How a run that both made ended.
#[derive(Clone, Debug)]
pub struct Agreed {
    /// Instructions that both started.
    pub instructions: u64,
    /// terminate's user_exit, or `None` if both refused to go on.
    pub user_exit: Option<u16>,
    /// RISC Zero's own count of its cycles, which our cost model agreed with; `None` if the run did not end well.
    pub cycles: Option<Cycles>,
    /// Where ours and theirs say that the program is at its end (D-14); `None` if the run did not end well.
    pub pcs: Option<(u32, u32)>,
    /// Why theirs did not go on, if the run did not end well.
    pub their_refusal: Option<String>,
}

/// Runs the image of `machine` on both executors against one host.
///
/// # Errors
/// The first difference, in words.
pub fn compare(machine: &Machine, host: impl Host) -> Result<Agreed> {
    let image = memory_image(&machine.mem);
    let ours = Rc::new(RefCell::new(Ours::new(machine.clone(), host)));
    let syscalls = Told { ours: ours.clone() };
    let callback: Rc<RefCell<dyn TraceCallback>> = Rc::new(RefCell::new(Shown { ours: ours.clone() }));
    let mut segments = Vec::new();
    let limit = CycleLimit::Hard(CYCLE_LIMIT);
    let run = || {
        Executor::new(image, &syscalls, None, vec![callback], None).run(
            DEFAULT_SEGMENT_PO2 as usize,
            risc0_circuit_rv32im::MAX_INSN_CYCLES,
            limit,
            |segment| {
                segments.push(segment.po2);
                Ok(())
            },
        )
    };
    let result = without_panics(run);
    let mut ours = ours.borrow_mut();
    if let Some(difference) = ours.difference.take() {
        bail!(difference);
    }
    match result {
        Ok(result) => ours.end_well(result, segments),
        Err(error) => ours.end_badly(&error),
    }
}

thread_local! {
    /// Whether a panic of this thread is caught and says enough by that.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// What `run` comes to; where their executor panics (at calls that it does not implement, and at sums of addresses that
/// overflow, where the build checks that) it has given up, too, and only it.
fn without_panics<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_CAUGHT.get() {
                tell(info);
            }
        }));
    });
    IS_CAUGHT.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    IS_CAUGHT.set(false);
    result.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(anyhow!("it panicked: {text}"))
    })
}

/// Ten times what the longest of our programs takes.
const CYCLE_LIMIT: u64 = 1 << 28;

/// Our side.
struct Ours<H> {
    machine: Machine,
    host: Recording<H>,
    cost: Cost,
    engine: Step,
    /// Both register files as their executor last wrote them.
    registers: [[u32; 32]; 2],
    /// Our last step.
    last: Option<Retired>,
    exit: Option<Exit>,
    difference: Option<String>,
    started: u64,
}

/// Passes calls on and keeps what was answered, for theirs to be told.
struct Recording<H> {
    host: H,
    answers: VecDeque<Result<Answer, Refused>>,
}

impl<H: Host> Ours<H> {
    fn new(machine: Machine, host: H) -> Ours<H> {
        let files = [Mode::User, Mode::Machine].map(|mode| {
            let mut file = [0; 32];
            file.copy_from_slice(&machine.hart.file(mode)[..32]);
            file
        });
        Ours {
            machine,
            host: Recording { host, answers: VecDeque::new() },
            cost: Cost::default(),
            engine: Step::new(),
            registers: files,
            last: None,
            exit: None,
            difference: None,
            started: 0,
        }
    }

    /// Their executor is about to execute `insn` at `pc`.
    fn follow(&mut self, pc: u32, insn: u32) -> Result<()> {
        self.started += 1;
        let hart = &self.machine.hart;
        let place = format!("instruction {} ({})", hart.instructions, disassemble(insn, pc));
        ensure!(self.exit.is_none(), "{place}: ours ended with {:?}, theirs goes on at pc 0x{pc:08x}", self.exit);
        ensure!(hart.pc == pc, "{place}: our pc is 0x{:08x}, theirs 0x{pc:08x}", hart.pc);
        for mode in [Mode::User, Mode::Machine] {
            for (i, theirs) in self.registers[mode as usize].iter().enumerate().skip(1) {
                let ours = hart.file(mode)[i];
                ensure!(ours == *theirs, "{place}: x{i} of {mode:?} mode is 0x{ours:08x} here, 0x{theirs:08x} there");
            }
        }
        self.step();
        Ok(())
    }

    /// Our next step.
    fn step(&mut self) {
        let order = self.machine.hart.instructions + 1;
        let mut sink = Both { cost: &mut self.cost, last: &mut self.last };
        match self.engine.run(&mut self.machine, &mut self.host, Until::order(order), &mut sink) {
            Exit::Order => {}
            exit => self.exit = Some(exit),
        }
    }

    /// Their executor stored `word` at `addr`, registers included.
    fn store(&mut self, addr: u32, word: u32) {
        let index = (addr.wrapping_sub(map::MACHINE_REGS) / 4) as usize;
        match (addr >= map::MACHINE_REGS, index) {
            (true, 0..32) => self.registers[Mode::Machine as usize][index] = word,
            (true, 32..64) => self.registers[Mode::User as usize][index - 32] = word,
            _ => {}
        }
    }

    fn end_well(&self, mut result: ExecutorResult, segments: Vec<u32>) -> Result<Agreed> {
        let Some(Exit::Terminated { halt, user_exit }) = self.exit else {
            bail!("theirs terminated, ours: {:?}", self.exit);
        };
        let Some(state) = result.claim.terminate_state else { bail!("theirs ended with no terminate state") };
        let halt_type = u16::from(halt == Halt::Paused);
        ensure!(
            (state.a0.0, state.a0.1) == (user_exit, halt_type),
            "terminate: ours {user_exit} {halt:?}, theirs {state:?}"
        );
        let digest: Vec<u8> =
            (0..8).flat_map(|i| self.machine.word(map::OUTPUT_DIGEST + 4 * i).to_le_bytes()).collect();
        ensure!(result.claim.output.is_some_and(|output| output.as_bytes() == digest), "output digest differs");
        compare_memory(&self.machine, &mut result.post_image)?;
        let theirs =
            Cycles { user: result.user_cycles, paging: result.paging_cycles, total: result.total_cycles, segments };
        ensure!(self.cost.cycles() == theirs, "cycles: ours {:?}, theirs {theirs:?}", self.cost.cycles());
        let their_pc = word_of(&mut result.post_image, map::SUSPEND_PC)?;
        Ok(Agreed {
            instructions: self.started,
            user_exit: Some(user_exit),
            cycles: Some(theirs),
            pcs: Some((self.machine.hart.pc, their_pc)),
            their_refusal: None,
        })
    }

    /// Their executor gave up: ours must have raised at the same instruction, or raise at the next one.
    fn end_badly(&mut self, error: &anyhow::Error) -> Result<Agreed> {
        let refusal = format!("{error:#}");
        if self.exit.is_none() {
            self.is_no_known_difference(&refusal)?;
            // A fetch or an instruction that theirs cannot decode is not reported.
            self.step();
        }
        if self.exit.is_none() {
            self.is_no_known_difference(&refusal)?;
        }
        ensure!(matches!(self.exit, Some(Exit::Fault(_))), "theirs gave up ({refusal}), ours: {:?}", self.exit);
        let their_refusal = Some(refusal);
        Ok(Agreed { instructions: self.started, user_exit: None, cycles: None, pcs: None, their_refusal })
    }
}

impl<H> Ours<H> {
    /// # Errors
    /// Our last step is one that theirs is known not to make, and `refusal` says that it does not.
    fn is_no_known_difference(&self, refusal: &str) -> Result<()> {
        match self.last.as_ref().and_then(|step| known_difference(step, refusal)) {
            Some(why) => bail!("theirs gave up ({refusal}): {why}"),
            None => Ok(()),
        }
    }
}

/// The difference (docs/risc0-differences.md) that explains why theirs gave up, saying `refusal`, at our step.
fn known_difference(step: &Retired, refusal: &str) -> Option<&'static str> {
    let op = decode(step.insn).map(|insn| insn.op);
    let cause = refusal.strip_prefix("Invalid trap address: 0x00000000, cause: ");
    let is_outside = refusal.ends_with("is an invalid guest address");
    match (cause, step.trap, op) {
        (Some(theirs), None, Some(Op::Fence)) if theirs.starts_with("IllegalInstruction(") => {
            Some("it has no FENCE (D-1)")
        }
        (Some(theirs), Some(ours), _) if theirs.split('(').next() == Some(their_name(ours)) => {
            Some("both trap, and there each cause has a vector of its own (D-4)")
        }
        (None, None, Some(Op::Mret)) if is_outside => Some("MEPC has to be an address of the guest there (D-18)"),
        (None, Some(Cause::UserEcall), _) if is_outside => {
            Some("the ECALL vector has to be an address of the guest there (D-19)")
        }
        _ => None,
    }
}

/// What they call a cause.
fn their_name(cause: Cause) -> &'static str {
    match cause {
        Cause::InstructionAddressMisaligned => "InstructionMisaligned",
        Cause::InstructionAccessFault => "InstructionFault",
        Cause::IllegalInstruction => "IllegalInstruction",
        Cause::Breakpoint => "Breakpoint",
        Cause::LoadAddressMisaligned => "LoadAddressMisaligned",
        Cause::LoadAccessFault => "LoadAccessFault",
        Cause::StoreAddressMisaligned => "StoreAddressMisaligned",
        Cause::StoreAccessFault => "StoreAccessFault",
        Cause::UserEcall | Cause::MachineEcall => "InvalidEcallDispatch",
    }
}

/// Counts what a step costs and keeps it.
struct Both<'a> {
    cost: &'a mut Cost,
    last: &'a mut Option<Retired>,
}

impl Sink for Both<'_> {
    fn retired(&mut self, step: &Retired) {
        self.cost.retired(step);
        *self.last = Some(*step);
    }

    fn called(&mut self, call: &Call) {
        self.cost.called(call);
    }
}

fn word_of(image: &mut MemoryImage, addr: u32) -> Result<u32> {
    Ok(image.get_page(PageNo::of(addr).0)?.load(WordAddr(addr / 4)))
}

/// Every page that ours has, except that of the registers: their sinks of x0 and suspend words differ.
fn compare_memory(machine: &Machine, theirs: &mut MemoryImage) -> Result<()> {
    for (number, words) in machine.mem.pages() {
        if number == PageNo::of(map::MACHINE_REGS) {
            continue;
        }
        let page = theirs.get_page(number.0)?;
        for (i, word) in (0..).zip(words) {
            let addr = number.start() + 4 * i;
            let their_word = page.load(WordAddr(addr / 4));
            ensure!(*word == their_word, "memory at 0x{addr:08x} is 0x{word:08x} here, 0x{their_word:08x} there");
        }
    }
    Ok(())
}

impl<H: Host> Host for Recording<H> {
    fn read(&mut self, order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        let count = self.host.read(order, fd, bytes);
        self.answers.push_back(Ok(Answer::Read(bytes[..count as usize].to_vec())));
        count
    }

    fn write(&mut self, order: u64, fd: u32, bytes: &[u8]) -> u32 {
        let count = self.host.write(order, fd, bytes);
        self.answers.push_back(Ok(Answer::Wrote(count)));
        count
    }

    fn read_for(&mut self, machine: &Machine, fd: u32, bytes: &mut [u8]) -> Result<u32, Refused> {
        let result = self.host.read_for(machine, fd, bytes);
        self.answers.push_back(result.map(|count| Answer::Read(bytes[..count as usize].to_vec())));
        result
    }

    fn write_for(&mut self, machine: &Machine, fd: u32, bytes: &[u8]) -> Result<u32, Refused> {
        let result = self.host.write_for(machine, fd, bytes);
        self.answers.push_back(result.map(Answer::Wrote));
        result
    }
}

/// Sees what their executor does.
struct Shown<H> {
    ours: Rc<RefCell<Ours<H>>>,
}

impl<H: Host> TraceCallback for Shown<H> {
    fn trace_callback(&mut self, event: TraceEvent) -> Result<()> {
        let mut ours = self.ours.borrow_mut();
        match event {
            TraceEvent::InstructionStart { pc, insn, .. } => {
                if let Err(error) = ours.follow(pc, insn) {
                    ours.difference = Some(error.to_string());
                    return Err(error);
                }
            }
            // Big-endian, whatever the guest is.
            TraceEvent::MemorySet { addr, region } if region.len() == 4 => {
                ours.store(addr, u32::from_be_bytes([region[0], region[1], region[2], region[3]]));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Answers their executor as our host answered ours. Where ours did not ask, which is a difference, the answer
/// is nothing, and theirs goes on.
struct Told<H> {
    ours: Rc<RefCell<Ours<H>>>,
}

impl<H: Host> Syscall for Told<H> {
    fn host_read(&self, _: &mut impl SyscallContext, _fd: u32, buf: &mut [u8]) -> Result<u32> {
        match self.ours.borrow_mut().host.answers.pop_front() {
            Some(Ok(Answer::Read(bytes))) => Ok(bytes.as_slice().read(buf)? as u32),
            None => Ok(0),
            _ => bail!("our host refused this read"),
        }
    }

    fn host_write(&self, _: &mut impl SyscallContext, _fd: u32, _: &[u8]) -> Result<u32> {
        match self.ours.borrow_mut().host.answers.pop_front() {
            Some(Ok(Answer::Wrote(count))) => Ok(count),
            None => Ok(0),
            _ => bail!("our host refused this write"),
        }
    }
}
