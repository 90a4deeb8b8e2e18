//! Other simulators without a command line: Spike behind the harness's shim, the crate rrs-lib, RISC Zero's executor.

use std::process::Command;
use std::time::Instant;

use lockstep::exec::{AnyEngine, Engine, EngineKind, Until};
use lockstep::mem::Memory;
use lockstep_harness::machine::{Delta, Reference, State, Stop, machine_state};
use lockstep_harness::machines::{self, Unavailable};
use rrs_lib::instruction_executor::InstructionExecutor;
use rrs_lib::{HartState, MemAccessSize};

use super::guest::Guest;
use crate::error::Error;

/// The wall seconds that Spike takes for the work, without the program's ECALLs, or why there are none.
///
/// # Errors
/// Spike fails, or comes to another state than our engine.
pub fn spike(guest: &Guest, scale: u32) -> Result<Result<f64, String>, Error> {
    let mut spike = match machines::open("spike") {
        Ok(spike) => spike,
        Err(Unavailable::Skipped(reason)) => return Ok(Err(reason)),
        Err(Unavailable::Failed(failure)) => return Err(Error::infrastructure(failure)),
    };
    let whole = guest.run(scale)?.instructions;
    let (mut machine, mut host) = guest.machine_at_entry(scale)?;
    let mut ours = AnyEngine::new(EngineKind::FASTEST);
    spike.load(&machine).map_err(Error::infrastructure)?;
    let (mut seconds, mut steps) = (0.0, 0);
    while machine.hart.instructions < whole {
        let start = Instant::now();
        let progress = spike.run(whole - machine.hart.instructions, &mut host).map_err(Error::infrastructure)?;
        seconds += start.elapsed().as_secs_f64();
        steps += progress.steps;
        // Ours makes the same steps, and the one that Spike cannot make: an ECALL, an access to a device.
        let order = machine.hart.instructions + progress.steps;
        ours.run(&mut machine, &mut host, Until::order(order), &mut ());
        check(&mut *spike, machine_state(&machine))?;
        if progress.stop == Stop::Steps || !guest.program.is_bare {
            break;
        }
        ours.run(&mut machine, &mut host, Until::order(order + 1), &mut ());
        let delta = Delta { state: machine_state(&machine), mode: machine.hart.mode, stores: Vec::new() };
        spike.inject(&delta).map_err(Error::infrastructure)?;
    }
    // What is before the program's entry and behind its first ECALL is less than a thousandth; count it as made.
    Ok(Ok(seconds * whole as f64 / steps as f64))
}

fn check(spike: &mut dyn Reference, ours: State) -> Result<(), Error> {
    let theirs = spike.state().map_err(Error::infrastructure)?;
    if theirs != ours {
        return Err(Error::infrastructure(format!("Spike is at pc 0x{:08x}, ours at 0x{:08x}", theirs.pc, ours.pc)));
    }
    Ok(())
}

/// The wall seconds that rrs-lib takes for the work, without the program's ECALLs.
///
/// # Errors
/// It comes to another state than our engine.
pub fn rrs(guest: &Guest, scale: u32) -> Result<f64, Error> {
    let whole = guest.run(scale)?.instructions;
    let (mut machine, mut host) = guest.machine_at_entry(scale)?;
    let State { pc, x } = machine_state(&machine);
    let first = machine.hart.instructions;
    let mut memory = RrsMemory(machine.mem.clone());
    let mut hart = HartState { registers: x, pc, last_register_write: None };
    let start = Instant::now();
    let mut steps = 0;
    let mut executor = InstructionExecutor { mem: &mut memory, hart_state: &mut hart };
    while first + steps < whole && executor.step().is_ok() {
        steps += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    AnyEngine::new(EngineKind::FASTEST).run(&mut machine, &mut host, Until::order(first + steps), &mut ());
    if machine_state(&machine) != (State { pc: hart.pc, x: hart.registers }) {
        return Err(Error::infrastructure(format!("rrs-lib ends in another state at pc 0x{:08x}", hart.pc)));
    }
    Ok(seconds * whole as f64 / steps as f64)
}

/// The wall seconds that RISC Zero's executor takes for the work, or why there are none.
///
/// # Errors
/// It fails, or the program prints something else than on our fastest engine.
pub fn risc0(guest: &Guest, scale: u32) -> Result<Result<f64, String>, Error> {
    let this = std::env::current_exe().map_err(Error::infrastructure)?;
    let runner = this.with_file_name("examples").join("bench_risc0");
    if !runner.is_file() {
        return Ok(Err("not built; run `make bench-risc0`".into()));
    }
    let output =
        Command::new(&runner).arg(&guest.elf).arg(scale.to_string()).output().map_err(Error::infrastructure)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let seconds = lines.next().and_then(|line| line.parse().ok());
    let printed: String = guest.run(scale)?.output.iter().map(|byte| format!("{byte:02x}")).collect();
    match seconds {
        Some(seconds) if lines.next() == Some(&printed) => Ok(Ok(seconds)),
        _ => Err(Error::infrastructure(format!(
            "{} on RISC Zero's executor: {text}{}",
            guest.program.name,
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}

/// Our memory, without any rule.
struct RrsMemory(Memory);

impl rrs_lib::Memory for RrsMemory {
    fn read_mem(&mut self, addr: u32, size: MemAccessSize) -> Option<u32> {
        let (shift, mask) = place(addr, size);
        Some(self.0.word(addr) >> shift & mask)
    }

    fn write_mem(&mut self, addr: u32, size: MemAccessSize, value: u32) -> bool {
        let (shift, mask) = place(addr, size);
        self.0.set_word(addr, self.0.word(addr) & !(mask << shift) | (value & mask) << shift);
        true
    }
}

/// How far the accessed bytes are shifted in their word, and which they are before the shift.
fn place(addr: u32, size: MemAccessSize) -> (u32, u32) {
    let mask = match size {
        MemAccessSize::Byte => 0xff,
        MemAccessSize::HalfWord => 0xffff,
        MemAccessSize::Word => u32::MAX,
    };
    (8 * (addr % 4), mask)
}
