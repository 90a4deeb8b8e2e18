//! Runs a program of the bench on RISC Zero's own executor: `bench_risc0 ELF SCALE` prints the seconds that it took,
//! and on a second line, in hexadecimal, what the program printed. `lockstep bench` starts it when it is built
//! (`make bench-risc0`).

use std::cell::RefCell;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use lockstep::loader::{self, Kernel};
use lockstep::risc0::{DEFAULT_SEGMENT_PO2, memory_image};
use risc0_circuit_rv32im::execute::{CycleLimit, Executor, Syscall, SyscallContext};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, elf, scale] = arguments.as_slice() else { bail!("usage: bench_risc0 ELF SCALE") };
    let bytes = std::fs::read(elf).with_context(|| elf.clone())?;
    let image = loader::load(&bytes, Kernel::Default).map_err(|error| anyhow::anyhow!("{elf}: {}", error.problem))?;
    let host =
        Streams { arguments: RefCell::new(format!("bench\0{scale}\0").into_bytes()), output: RefCell::default() };
    let mut executor = Executor::new(memory_image(&image.memory), &host, None, Vec::new(), None);
    let start = Instant::now();
    let max_cycles = risc0_circuit_rv32im::MAX_INSN_CYCLES;
    let result = executor.run(DEFAULT_SEGMENT_PO2 as usize, max_cycles, CycleLimit::None, |_| Ok(()))?;
    println!("{}", start.elapsed().as_secs_f64());
    anyhow::ensure!(result.claim.terminate_state.is_some(), "the program did not terminate");
    println!("{}", host.output.borrow().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    Ok(())
}

/// Gives the arguments and keeps the output.
struct Streams {
    arguments: RefCell<Vec<u8>>,
    output: RefCell<Vec<u8>>,
}

impl Syscall for Streams {
    fn host_read(&self, _: &mut impl SyscallContext, fd: u32, buffer: &mut [u8]) -> Result<u32> {
        let mut arguments = self.arguments.borrow_mut();
        let count = if fd == lockstep::ecall::fd::ARGUMENTS { buffer.len().min(arguments.len()) } else { 0 };
        buffer[..count].copy_from_slice(&arguments[..count]);
        arguments.drain(..count);
        Ok(count as u32)
    }

    fn host_write(&self, _: &mut impl SyscallContext, _fd: u32, bytes: &[u8]) -> Result<u32> {
        self.output.borrow_mut().extend(bytes);
        Ok(bytes.len() as u32)
    }
}
