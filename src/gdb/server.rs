//! Sockets around a session: one thread that serves every client and runs the program between packets.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::inferior::{Inferior, Stop};
use super::session::{ClientId, Session};

/// Serves debuggers on a TCP port.
pub struct Server {
    listener: TcpListener,
    session: Session,
    peers: Vec<Peer>,
    /// Steps of a slice, chosen so that it takes about [`SLICE`].
    slice_steps: u64,
}

struct Peer {
    id: ClientId,
    stream: TcpStream,
    unsent: Vec<u8>,
    is_closed: bool,
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The program ended with this exit code.
    Exited(u8),
    /// The program was ended by the signal with this number.
    Died(u8),
    /// A debugger killed the program.
    Killed,
}

/// Time between two looks at the sockets while the program runs: the delay of an interrupt.
const SLICE: Duration = Duration::from_micros(500);
/// The first slice, before anything was measured.
const FIRST_SLICE_STEPS: u64 = 16_384;
/// The longest slice; bounds the error of one bad measurement.
const LONGEST_SLICE_STEPS: u64 = 1 << 20;
/// How long to wait for the busiest peer before looking at the others.
const IDLE: Duration = Duration::from_millis(10);

impl Server {
    /// A server for `inferior` that listens on `addr`.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn bind(addr: impl ToSocketAddrs, inferior: Inferior) -> io::Result<Server> {
        let listener = TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        Ok(Server { listener, session: Session::new(inferior), peers: Vec::new(), slice_steps: FIRST_SLICE_STEPS })
    }

    /// The address the server listens on.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves clients until the program has ended and the client that ended it is gone.
    ///
    /// # Errors
    /// When the listening socket fails. A failing client is dropped, nothing more.
    pub fn serve(&mut self) -> io::Result<End> {
        loop {
            if let Some(end) = self.serve_while(|| true)? {
                return Ok(end);
            }
        }
    }

    /// [`Server::serve`], as long as `is_wanted`, which is asked every few milliseconds.
    ///
    /// # Errors
    /// As for [`Server::serve`].
    pub fn serve_while(&mut self, mut is_wanted: impl FnMut() -> bool) -> io::Result<Option<End>> {
        let mut asked = Instant::now();
        loop {
            self.accept()?;
            let has_heard = self.poll();
            if self.session.is_running() {
                self.run_slice();
            } else if !has_heard {
                self.wait();
            }
            self.send();
            self.drop_closed();
            if let Some(end) = self.end() {
                return Ok(Some(end));
            }
            if asked.elapsed() > IDLE {
                asked = Instant::now();
                if !is_wanted() {
                    return Ok(None);
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        match self.listener.accept() {
            Ok((stream, _)) => {
                // A client whose socket cannot be set up is as good as gone.
                if let Ok(peer) = Peer::new(stream, &mut self.session) {
                    self.peers.push(peer);
                }
                Ok(())
            }
            Err(error) if is_temporary(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads what there is; whether there was anything.
    fn poll(&mut self) -> bool {
        let mut has_heard = false;
        for peer in &mut self.peers {
            has_heard |= peer.receive(&mut self.session);
        }
        has_heard
    }

    fn run_slice(&mut self) {
        let begin = Instant::now();
        self.session.run(self.slice_steps);
        let elapsed = begin.elapsed().max(Duration::from_nanos(1));
        let ratio = SLICE.as_secs_f64() / elapsed.as_secs_f64();
        // Half the way to what the last slice suggests: one slow slice is no reason for a tiny next one.
        let factor = ratio.clamp(0.5, 2.0);
        self.slice_steps = ((self.slice_steps as f64 * factor) as u64).clamp(FIRST_SLICE_STEPS, LONGEST_SLICE_STEPS);
    }

    /// Waits a little for the first peer to say something.
    fn wait(&mut self) {
        match self.peers.first_mut() {
            Some(peer) => peer.wait(&mut self.session),
            None => std::thread::sleep(IDLE),
        }
    }

    fn send(&mut self) {
        for peer in &mut self.peers {
            peer.unsent.extend(self.session.outbox(peer.id));
            peer.send();
        }
    }

    fn drop_closed(&mut self) {
        for peer in self.peers.iter_mut() {
            peer.is_closed |= peer.unsent.is_empty() && self.session.is_gone(peer.id);
            if peer.is_closed {
                self.session.disconnect(peer.id);
            }
        }
        self.peers.retain(|peer| !peer.is_closed);
    }

    /// The end, once the program is over and everyone has read of it.
    fn end(&self) -> Option<End> {
        let is_over = self.session.is_over();
        if !is_over || !self.peers.is_empty() {
            return None;
        }
        Some(match self.session.inferior().last_stop {
            Stop::Exited(code) => End::Exited(code),
            Stop::Died(signal) => End::Died(signal.0),
            _ => End::Killed,
        })
    }
}

impl Peer {
    fn new(stream: TcpStream, session: &mut Session) -> io::Result<Peer> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Peer { id: session.connect(), stream, unsent: Vec::new(), is_closed: false })
    }

    fn receive(&mut self, session: &mut Session) -> bool {
        let mut buffer = [0; READ_BYTES];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.is_closed = true,
            Ok(count) => {
                session.receive(self.id, &buffer[..count]);
                return true;
            }
            Err(error) => self.is_closed |= !is_temporary(&error),
        }
        false
    }

    /// Waits for bytes, at most [`IDLE`].
    fn wait(&mut self, session: &mut Session) {
        let is_ready = self.stream.set_nonblocking(false).and_then(|()| self.stream.set_read_timeout(Some(IDLE)));
        if is_ready.is_ok() {
            self.receive(session);
        }
        self.is_closed |= self.stream.set_nonblocking(true).is_err();
    }

    fn send(&mut self) {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if is_temporary(&error) => return,
                Err(_) => {
                    self.is_closed = true;
                    return self.unsent.clear();
                }
            }
        }
    }
}

/// Whole packets of the usual size in one read.
const READ_BYTES: usize = 64 * 1024;

/// Whether to try again later.
fn is_temporary(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | TimedOut | ConnectionAborted)
}
