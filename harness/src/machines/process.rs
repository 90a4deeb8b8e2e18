//! Simulators that are processes: started, asked, waited for with a limit, and stopped.

use std::env;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::machine::Failure;

/// How long a simulator may think: as many seconds as the variable `LOCKSTEP_PATIENCE` says, else two minutes. The
/// longest request is a block of 10^6 steps, on the slowest simulator a matter of seconds.
pub fn patience() -> Duration {
    let said = env::var("LOCKSTEP_PATIENCE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(said.unwrap_or(120))
}

/// A child process that answers requests with messages. It is killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    patience: Duration,
}

/// Cuts the output of a process into messages; `None` at its end, or when it makes no sense.
pub type Cut = fn(&mut dyn Read) -> Option<Vec<u8>>;

impl Process {
    /// Starts `command`, whose output `cut` cuts into messages.
    ///
    /// # Errors
    /// [`Failure::Start`].
    pub fn start(name: &str, command: &mut Command, cut: Cut, patience: Duration) -> Result<Process, Failure> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| Failure::Start(format!("{name}: {error}")))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let messages = spawn_reader(stdout, cut);
        let stderr = spawn_reader(stderr, |stream| {
            let mut text = Vec::new();
            stream.read_to_end(&mut text).ok().filter(|&n| n > 0).map(|_| text)
        });
        let stdin = child.stdin.take();
        Ok(Process { name: name.into(), child, stdin, messages, stderr, patience })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request.
    ///
    /// # Errors
    /// [`Failure::Died`].
    pub fn send(&mut self, request: &[u8]) -> Result<(), Failure> {
        let sent = self.stdin.as_mut().map(|stdin| stdin.write_all(request).and_then(|()| stdin.flush()));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(self.died()),
        }
    }

    /// Waits for the next message.
    ///
    /// # Errors
    /// [`Failure::Died`] or [`Failure::Hung`].
    pub fn receive(&mut self) -> Result<Vec<u8>, Failure> {
        match self.messages.recv_timeout(self.patience) {
            Ok(message) => Ok(message),
            Err(RecvTimeoutError::Disconnected) => Err(self.died()),
            Err(RecvTimeoutError::Timeout) => Err(self.hung()),
        }
    }

    fn hung(&mut self) -> Failure {
        self.kill();
        Failure::Hung(format!("{}: no answer in {} s", self.name, self.patience.as_secs()))
    }

    /// A failure that says how the process ended.
    fn died(&mut self) -> Failure {
        self.kill();
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let stderr = self.stderr.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        let last = String::from_utf8_lossy(&stderr).lines().last().map(|line| format!(": {line}")).unwrap_or_default();
        Failure::Died(format!("{}: {status}{last}", self.name))
    }

    fn kill(&mut self) {
        self.stdin = None;
        // A process that has ended already cannot be killed, which is as good; one that is ending by
        // itself is given a moment, so that its own exit code is seen.
        for _ in 0..20 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads messages in a thread of its own, so that waiting for them can have a limit.
fn spawn_reader(stream: Option<impl Read + Send + 'static>, cut: Cut) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    if let Some(mut stream) = stream {
        thread::spawn(move || {
            while let Some(message) = cut(&mut stream) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

/// What one run of a command wrote, and how it ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// Runs a command to its end, with `input` on its standard input.
///
/// # Errors
/// It does not start, or does not end within `limit`; it is killed then.
pub fn run_to_end(name: &str, command: &mut Command, input: &[u8], limit: Duration) -> Result<Finished, Failure> {
    let all: Cut = |stream| {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok().filter(|&n| n > 0).map(|_| bytes)
    };
    let mut process = Process::start(name, command, all, limit)?;
    // A program that does not read its input to the end is none of our business.
    let _ = process.send(input);
    process.stdin = None;
    let stdout = match process.messages.recv_timeout(limit) {
        Ok(stdout) => stdout,
        Err(RecvTimeoutError::Disconnected) => Vec::new(),
        Err(RecvTimeoutError::Timeout) => return Err(process.hung()),
    };
    let code = wait(&mut process, limit)?;
    let stderr = process.stderr.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
    Ok(Finished { code, stdout, stderr })
}

fn wait(process: &mut Process, limit: Duration) -> Result<Option<i32>, Failure> {
    const STEP: Duration = Duration::from_millis(2);
    let mut waited = Duration::ZERO;
    while waited < limit {
        match process.child.try_wait() {
            Ok(Some(status)) => return Ok(status.code()),
            Ok(None) => thread::sleep(STEP),
            Err(error) => return Err(Failure::Died(format!("{}: {error}", process.name))),
        }
        waited += STEP;
    }
    Err(Failure::Hung(format!("{}: still running after {} s", process.name, limit.as_secs())))
}

/// Where `make references` puts what it fetches and builds: `references` beside the binaries of this
/// build, or the folder that the variable `LOCKSTEP_REFERENCES` names.
pub fn references_folder() -> PathBuf {
    if let Some(folder) = env::var_os("LOCKSTEP_REFERENCES") {
        return folder.into();
    }
    let binary = env::current_exe().unwrap_or_default();
    let beside = binary.ancestors().skip(1).map(|folder| folder.join("references")).find(|folder| folder.is_dir());
    beside.unwrap_or_else(|| Path::new("target").join("references"))
}

/// The program `name`, if it is on PATH.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}
