//! Steps as text: Spike's commit log, and JSON lines with RVFI's names.

use std::io::{self, Write};

use super::{MemAccess, RegAccess, Retired, Sink};
use crate::isa::Reg;
use crate::map::Mode;

/// Writes steps in the form of `spike -l --log-commits`, for `diff`.
///
/// A step that entered the kernel is an `exception` line. The first write error is kept and ends the log.
pub struct SpikeLog<W> {
    out: W,
    error: Option<io::Error>,
}

/// Writes each step as one JSON object a line, with RVFI's names.
///
/// The first write error is kept and ends the log.
pub struct JsonLines<W> {
    out: W,
    error: Option<io::Error>,
}

macro_rules! text_sink {
    ($name:ident, $line:ident) => {
        impl<W: Write> $name<W> {
            /// A log that is written to `out`.
            pub fn new(out: W) -> Self {
                $name { out, error: None }
            }

            /// Flushes the log.
            ///
            /// # Errors
            /// The first error of `out`, now or during the run.
            pub fn finish(mut self) -> io::Result<W> {
                match self.error.take() {
                    Some(error) => Err(error),
                    None => self.out.flush().map(|()| self.out),
                }
            }
        }

        impl<W: Write> Sink for $name<W> {
            fn retired(&mut self, step: &Retired) {
                if self.error.is_none() {
                    self.error = $line(&mut self.out, step).err();
                }
            }
        }
    };
}
text_sink!(SpikeLog, spike_line);
text_sink!(JsonLines, json_line);

fn spike_line(out: &mut impl Write, step: &Retired) -> io::Result<()> {
    // Spike prints the privilege as a number: 0 user, 3 machine.
    let privilege = if step.mode == Mode::Machine { 3 } else { 0 };
    if let Some(cause) = step.trap {
        return writeln!(out, "core   0: exception {cause}, epc 0x{:08x}", step.pc);
    }
    write!(out, "core   0: {privilege} 0x{:08x} (0x{:08x})", step.pc, step.insn)?;
    if let Some(RegAccess { reg, value }) = step.rd.filter(|rd| rd.reg != Reg::ZERO) {
        write!(out, " x{:<2} 0x{value:08x}", reg.index())?;
    }
    if let Some(mem) = step.mem {
        write!(out, " mem 0x{:08x}", mem.addr)?;
        let digits = 2 * mem.wmask.count_ones() as usize;
        if digits > 0 {
            write!(out, " 0x{:0digits$x}", mem.wdata)?;
        }
    }
    writeln!(out)
}

fn json_line(out: &mut impl Write, step: &Retired) -> io::Result<()> {
    let Retired { order, pc, insn, next_pc, mode, .. } = *step;
    let (rs1, rs2, rd) = (step.rs1.unwrap_or_default(), step.rs2.unwrap_or_default(), step.rd.unwrap_or_default());
    let MemAccess { addr, rmask, wmask, rdata, wdata } = step.mem.unwrap_or_default();
    write!(out, r#"{{"order":{order},"pc_rdata":{pc},"pc_wdata":{next_pc},"insn":{insn},"mode":{}"#, mode as u8)?;
    write!(out, r#","rs1_addr":{},"rs1_rdata":{}"#, rs1.reg.index(), rs1.value)?;
    write!(out, r#","rs2_addr":{},"rs2_rdata":{}"#, rs2.reg.index(), rs2.value)?;
    // RVFI: a write to x0 is shown as 0.
    let rd_value = if rd.reg == Reg::ZERO { 0 } else { rd.value };
    write!(out, r#","rd_addr":{},"rd_wdata":{rd_value}"#, rd.reg.index())?;
    write!(out, r#","mem_addr":{addr},"mem_rmask":{rmask},"mem_wmask":{wmask}"#)?;
    write!(out, r#","mem_rdata":{rdata},"mem_wdata":{wdata}"#)?;
    match step.trap {
        Some(cause) => writeln!(out, r#","trap":1,"cause":{}}}"#, cause.number()),
        None => writeln!(out, r#","trap":0}}"#),
    }
}
