//! gdbstub behind an in-memory connection: one whole, well-formed packet in, replies out.
//!
//! gdbstub gives up its state machine on every error. Ours is rebuilt then, and the program lives on.

use std::convert::Infallible;

use gdbstub::conn::Connection;
use gdbstub::stub::state_machine::GdbStubStateMachine;
use gdbstub::stub::{GdbStub, SingleThreadStopReason};
use gdbstub::target::ext::base::reverse_exec::ReplayLogPosition;
use gdbstub::target::ext::catch_syscalls::CatchSyscallPosition;

use super::arch::RegId;
use super::inferior::{Inferior, Stop};
use super::wire::checksum;
use crate::isa::Reg;

/// What gdbstub writes.
#[derive(Default)]
struct Outbox(Vec<u8>);

impl Connection for Outbox {
    type Error = Infallible;

    fn write(&mut self, byte: u8) -> Result<(), Infallible> {
        self.0.push(byte);
        Ok(())
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

type Machine = GdbStubStateMachine<'static, Inferior, Outbox>;

/// gdbstub's state for one client.
pub struct Stub {
    /// `None` only while a call is under way.
    machine: Option<Machine>,
    /// What has to be said again to a new state machine: qSupported and the last H packets.
    greeting: [Vec<u8>; 3],
}

/// What a packet led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Bodies of packets to send, in order.
    Replies(Vec<Vec<u8>>),
    /// gdbstub could not make sense of the packet.
    Error(String),
}

impl Stub {
    /// A stub for a new client.
    pub fn new(inferior: &mut Inferior) -> Stub {
        Stub { machine: fresh(inferior), greeting: Default::default() }
    }

    /// Serves the packet with `body`.
    pub fn serve(&mut self, inferior: &mut Inferior, body: &[u8]) -> Answer {
        self.remember(body);
        let answer = self.feed(inferior, body);
        if matches!(answer, Answer::Error(_)) {
            self.rebuild(inferior);
        }
        answer
    }

    /// Tells the client why the program stopped.
    pub fn report(&mut self, inferior: &mut Inferior, stop: Stop) -> Answer {
        let result = match self.machine.take() {
            Some(GdbStubStateMachine::Running(running)) => {
                let values = EXPEDITED.map(|id| (id, id.read(inferior.machine()).to_le_bytes()));
                let mut registers = values.iter().map(|(id, bytes)| (*id, &bytes[..id.size()]));
                running.report_stop_with_regs(inferior, stop_reason(stop), &mut registers)
            }
            Some(other) => Ok(other),
            None => return Answer::Error("no state".to_owned()),
        };
        self.settle(inferior, result.map_err(|error| error.to_string()))
    }

    fn remember(&mut self, body: &[u8]) {
        let slot = match body {
            [b'q', b'S', b'u', ..] => 0,
            [b'H', b'g', ..] => 1,
            [b'H', b'c', ..] => 2,
            _ => return,
        };
        self.greeting[slot] = body.to_vec();
    }

    fn feed(&mut self, inferior: &mut Inferior, body: &[u8]) -> Answer {
        let tail = format!("#{:02x}", checksum(body));
        let mut result = self.machine.take().ok_or_else(|| "no state".to_owned());
        for byte in [b"$", body, tail.as_bytes()].concat() {
            result = result.and_then(|machine| push(machine, inferior, byte));
        }
        self.settle(inferior, result)
    }

    /// Keeps the state, and takes out what was written.
    fn settle(&mut self, inferior: &mut Inferior, result: Result<Machine, String>) -> Answer {
        let mut machine = match result {
            Ok(GdbStubStateMachine::Disconnected(over)) => over.return_to_idle(),
            Ok(machine) => machine,
            Err(error) => {
                self.machine = fresh(inferior);
                return Answer::Error(error);
            }
        };
        let written = match &mut machine {
            GdbStubStateMachine::Idle(idle) => std::mem::take(&mut idle.borrow_conn().0),
            GdbStubStateMachine::Running(running) => std::mem::take(&mut running.borrow_conn().0),
            GdbStubStateMachine::CtrlCInterrupt(_) | GdbStubStateMachine::Disconnected(_) => Vec::new(),
        };
        self.machine = Some(machine);
        Answer::Replies(bodies(&written))
    }

    fn rebuild(&mut self, inferior: &mut Inferior) {
        self.machine = fresh(inferior);
        for body in self.greeting.clone() {
            if !body.is_empty() && matches!(self.feed(inferior, &body), Answer::Error(_)) {
                self.machine = fresh(inferior);
            }
        }
    }
}

fn fresh(inferior: &mut Inferior) -> Option<Machine> {
    let builder = GdbStub::builder(Outbox::default()).packet_buffer_size(BUFFER_BYTES);
    builder.build().ok()?.run_state_machine(inferior).ok()
}

/// gdbstub searches all of its buffer at each packet (0.3 us a KiB). It is not given the long ones, which
/// read and write memory and files.
const BUFFER_BYTES: usize = 2048;

fn push(machine: Machine, inferior: &mut Inferior, byte: u8) -> Result<Machine, String> {
    match machine {
        GdbStubStateMachine::Idle(idle) => idle.incoming_data(inferior, byte).map_err(|error| error.to_string()),
        GdbStubStateMachine::Running(running) => {
            running.incoming_data(inferior, byte).map_err(|error| error.to_string())
        }
        GdbStubStateMachine::Disconnected(over) => Ok(over.return_to_idle()),
        GdbStubStateMachine::CtrlCInterrupt(interrupt) => interrupt
            .interrupt_handled(inferior, None::<SingleThreadStopReason<u32>>)
            .map_err(|error| error.to_string()),
    }
}

/// The bodies of the packets in `written`; acknowledgements between them are dropped.
fn bodies(written: &[u8]) -> Vec<Vec<u8>> {
    let packets = written.split(|byte| *byte == b'$').skip(1);
    packets.filter_map(|packet| packet.split(|byte| *byte == b'#').next()).map(<[u8]>::to_vec).collect()
}

/// The registers that a stop reply brings along: what a debugger asks for first.
const EXPEDITED: [RegId; 4] = [RegId::X(Reg::RA), RegId::X(Reg::SP), RegId::X(Reg::FP), RegId::Pc];

fn stop_reason(stop: Stop) -> SingleThreadStopReason<u32> {
    match stop {
        Stop::Breakpoint { is_hard: true } => SingleThreadStopReason::HwBreak(()),
        Stop::Breakpoint { is_hard: false } => SingleThreadStopReason::SwBreak(()),
        Stop::Watch { kind, addr } => SingleThreadStopReason::Watch { tid: (), kind, addr },
        Stop::Exited(code) => SingleThreadStopReason::Exited(code),
        Stop::Died(signal) => SingleThreadStopReason::Terminated(signal),
        Stop::HistoryBegin => SingleThreadStopReason::ReplayLog { tid: None, pos: ReplayLogPosition::Begin },
        Stop::HistoryEnd => SingleThreadStopReason::ReplayLog { tid: None, pos: ReplayLogPosition::End },
        Stop::EcallEntry(number) => caught(number, CatchSyscallPosition::Entry),
        Stop::EcallReturn(number) => caught(number, CatchSyscallPosition::Return),
        Stop::Started | Stop::Stepped | Stop::Interrupted | Stop::Fault(_) => {
            SingleThreadStopReason::SignalWithThread { tid: (), signal: stop.signal() }
        }
    }
}

fn caught(number: u32, position: CatchSyscallPosition) -> SingleThreadStopReason<u32> {
    SingleThreadStopReason::CatchSyscall { tid: Some(()), number, position }
}
