//! Sockets around a session: one thread that serves every client and runs the program between packets.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::inferior::{Inferior, Stop};
use super::keeper::Keeper;
use super::session::{ClientId, Session};

/// Serves debuggers on a TCP port.
pub struct Server {
    listener: TcpListener,
    session: Session,
    peers: Vec<Peer>,
    /// The peer that spoke last: the one to wait for.
    speaker: usize,
    /// Steps of a slice, chosen so that it takes about [`SLICE`].
    slice_steps: u64,
    keeper: Keeper,
    buffer: Vec<u8>,
}

struct Peer {
    id: ClientId,
    stream: TcpStream,
    unsent: Vec<u8>,
    /// What came while there was too much to send.
    unserved: Vec<u8>,
    is_closed: bool,
    /// How long a read waits, `None` if not at all: what the socket was told last.
    patience: Option<Duration>,
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
const SLICE: Duration = Duration::from_micros(250);
/// The first slice, before anything was measured.
const FIRST_SLICE_STEPS: u64 = 16_384;
/// The longest slice; bounds the error of one bad measurement.
const LONGEST_SLICE_STEPS: u64 = 1 << 20;
/// Time between two looks at the listening socket, and how long to wait for the only peer.
const IDLE: Duration = Duration::from_millis(10);
/// How long to wait for the peer that spoke last before looking at the others.
const TURN: Duration = Duration::from_millis(1);

impl Server {
    /// A server for `inferior` that listens on `addr`.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn bind(addr: impl ToSocketAddrs, inferior: Inferior) -> io::Result<Server> {
        let listener = TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let session = Session::new(inferior);
        let (keeper, buffer) = (Keeper::new(), vec![0; READ_BYTES]);
        Ok(Server { listener, session, peers: Vec::new(), speaker: 0, slice_steps: FIRST_SLICE_STEPS, keeper, buffer })
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
        let mut looked: Option<Instant> = None;
        loop {
            // Looking costs a system call, and a packet should cost no more than its read and its write.
            if looked.is_none_or(|looked| looked.elapsed() >= IDLE) {
                looked = Some(Instant::now());
                if !is_wanted() {
                    return Ok(None);
                }
                self.accept()?;
            }
            self.receive();
            if self.session.is_running() && !self.is_clogged() {
                self.run_slice();
            }
            self.send();
            self.drop_closed();
            if let Some(end) = self.end() {
                return Ok(Some(end));
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

    /// Reads what the peers have sent. While the program is stopped, waits a little for the one that spoke last.
    fn receive(&mut self) {
        let wait = match self.peers.len() {
            _ if self.session.is_running() => None,
            0 => return std::thread::sleep(IDLE),
            1 => Some(IDLE),
            _ => Some(TURN),
        };
        let speaker = self.speaker.min(self.peers.len() - 1);
        for index in 0..self.peers.len() {
            let patience = wait.filter(|_| index == speaker);
            if self.peers[index].receive(&mut self.session, &mut self.buffer, patience) {
                self.speaker = index;
                self.keeper.packet();
            }
        }
    }

    /// Whether the controller reads slower than the program talks (dprintf in a loop): then the program waits for it.
    fn is_clogged(&self) -> bool {
        let is_clogged = self.peers.iter().any(|peer| peer.is_full() && self.session.is_controller(peer.id));
        if is_clogged {
            std::thread::sleep(TURN);
        }
        is_clogged
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

    fn send(&mut self) {
        for peer in &mut self.peers {
            match peer.unsent.is_empty() {
                true => peer.unsent = self.session.outbox(peer.id),
                false => peer.unsent.extend(self.session.outbox(peer.id)),
            }
            peer.send();
        }
    }

    fn drop_closed(&mut self) {
        for peer in self.peers.iter_mut() {
            peer.is_closed |= peer.unsent.is_empty() && self.session.is_gone(peer.id);
            // No one waits for an observer that does not read.
            peer.is_closed |= peer.is_full() && self.session.is_running() && !self.session.is_controller(peer.id);
            if peer.is_closed {
                self.session.disconnect(peer.id);
            }
        }
        self.peers.retain(|peer| !peer.is_closed);
    }

    /// The end, once the program is over and everyone has read of it.
    fn end(&self) -> Option<End> {
        if !self.session.is_over() || !self.peers.is_empty() {
            return None;
        }
        Some(self.end_of_program().unwrap_or(End::Killed))
    }

    /// How the program ended, if it did.
    pub fn end_of_program(&self) -> Option<End> {
        match self.session.inferior().last_stop {
            Stop::Exited(code) => Some(End::Exited(code)),
            Stop::Died(signal) => Some(End::Died(signal.0)),
            _ => None,
        }
    }
}

impl Peer {
    fn new(stream: TcpStream, session: &mut Session) -> io::Result<Peer> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        // A client that does not read keeps no one else waiting.
        stream.set_write_timeout(Some(TURN))?;
        Ok(Peer {
            id: session.connect(),
            stream,
            unsent: Vec::new(),
            unserved: Vec::new(),
            is_closed: false,
            patience: None,
        })
    }

    /// Reads what there is, after waiting for it as long as `patience`; whether there was anything.
    fn receive(&mut self, session: &mut Session, buffer: &mut [u8], patience: Option<Duration>) -> bool {
        if !self.unserved.is_empty() || self.is_full() {
            let bytes = std::mem::take(&mut self.unserved);
            self.serve(session, &bytes);
            return false;
        }
        self.is_closed |= self.be_patient(patience).is_err();
        match self.stream.read(buffer) {
            Ok(0) => self.is_closed = true,
            Ok(count) => {
                self.serve(session, &buffer[..count]);
                return true;
            }
            Err(error) => self.is_closed |= !is_temporary(&error),
        }
        false
    }

    /// Serves `bytes`, as long as the replies are read: a client that only asks is not answered without end.
    fn serve(&mut self, session: &mut Session, bytes: &[u8]) {
        for (index, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
            if self.is_full() {
                return self.unserved.extend_from_slice(&bytes[index * PIECE_BYTES..]);
            }
            session.receive(self.id, piece);
            if session.has_to_send(self.id, PIECE_BYTES) {
                self.unsent.extend(session.outbox(self.id));
            }
        }
    }

    fn is_full(&self) -> bool {
        self.unsent.len() >= MOST_UNSENT_BYTES
    }

    /// Makes reads wait as long as `patience`.
    fn be_patient(&mut self, patience: Option<Duration>) -> io::Result<()> {
        if patience == self.patience {
            return Ok(());
        }
        if patience.is_some() {
            self.stream.set_read_timeout(patience)?;
        }
        self.stream.set_nonblocking(patience.is_none())?;
        self.patience = patience;
        Ok(())
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

/// A client with so much to read is not served before it did. The largest replies are an eighth of it.
const MOST_UNSENT_BYTES: usize = 1 << 20;
/// What is served between two looks at what there is to send: some twenty packets.
const PIECE_BYTES: usize = 256;
/// Whole packets of the usual size in one read.
const READ_BYTES: usize = 64 * 1024;

/// Whether to try again later.
fn is_temporary(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | TimedOut | ConnectionAborted)
}
