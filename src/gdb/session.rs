//! The debugger's side of the conversation, without a socket: bytes in, replies out.
//!
//! A session has one program and any number of clients. The first client controls; those that come
//! while it is there observe: they read everything, and a resume of theirs waits for the controller's next stop.
//!
//! ```text
//!   bytes -> Framer -> acknowledge -> ours?  --yes--> memory, stop reasons, conditions ...  --> frame -> outbox
//!                                       \--no--> gdbstub (well-formed packets only) --/
//! ```

use gdbstub::target::ext::breakpoints::WatchKind;

use super::arch::{RegId, little_endian};
use super::inferior::{Inferior, Stop};
use super::resume::{self, Order};
use super::stub::{Answer, Stub};
use super::wire::{Event, Framer, PACKET_BYTES, frame, hex_bytes, hex_number, to_hex};
use super::{lldb, memory, monitor, search};

/// A client of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(u32);

/// One program, debugged by any number of clients.
pub struct Session {
    inferior: Inferior,
    clients: Vec<Client>,
    next_id: u32,
}

struct Client {
    id: ClientId,
    framer: Framer,
    stub: Stub,
    /// What is still to be sent.
    outbox: Vec<u8>,
    /// The last packet, to send again when a client that acknowledges asks for it.
    last_frame: Vec<u8>,
    acknowledges: bool,
    is_controller: bool,
    /// What it waits for.
    awaits: Option<Awaited>,
    errors: Errors,
    saved: lldb::Saved,
    is_extended: bool,
    is_gone: bool,
}

/// What is still to be said to a client, when the program stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    /// A stop reply, by gdbstub.
    Stop,
    /// A stop reply, of a run that goes to a step.
    Run,
    /// The end of a monitor command that goes to a step.
    Monitor,
}

/// What a client understands of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errors {
    /// A number.
    Code,
    /// `E.text`, in every reply: a gdb that said `error-message+`.
    Text,
    /// `E01;hex`: an lldb that sent QEnableErrorStrings.
    CodeAndHex,
}

/// What the front end makes of a packet.
enum Reply {
    /// One packet with this body.
    Body(Vec<u8>),
    /// The sentence of an error.
    Error(String),
    /// The program goes on.
    Resume(Order),
    /// What a monitor command says.
    Console(String),
    /// When the program stops.
    Later,
    /// Ask gdbstub.
    Forward,
}

impl Session {
    /// A session for `inferior` with no clients.
    pub fn new(inferior: Inferior) -> Session {
        Session { inferior, clients: Vec::new(), next_id: 0 }
    }

    /// The program.
    pub fn inferior(&self) -> &Inferior {
        &self.inferior
    }

    /// The program, to change behind the clients' backs.
    pub fn inferior_mut(&mut self) -> &mut Inferior {
        &mut self.inferior
    }

    /// A client connects.
    pub fn connect(&mut self) -> ClientId {
        let id = ClientId(self.next_id);
        self.next_id += 1;
        let is_controller = !self.clients.iter().any(|client| client.is_controller);
        let stub = Stub::new(&mut self.inferior);
        self.clients.push(Client::new(id, stub, is_controller));
        id
    }

    /// A client is gone. If it had resumed the program, the program stops where it is.
    pub fn disconnect(&mut self, id: ClientId) {
        let Some(index) = self.index(id) else { return };
        let client = self.clients.remove(index);
        if client.is_controller {
            self.interrupt();
            self.release();
        }
    }

    /// Takes the bytes that a client sent.
    pub fn receive(&mut self, id: ClientId, bytes: &[u8]) {
        let mut bytes = bytes;
        while let Some(client) = self.client(id) {
            let (rest, event) = client.framer.take(bytes);
            let Some(event) = event else { return };
            self.take(id, event);
            bytes = rest;
        }
    }

    /// Takes out what is to be sent to a client.
    pub fn outbox(&mut self, id: ClientId) -> Vec<u8> {
        self.client(id).map(|client| std::mem::take(&mut client.outbox)).unwrap_or_default()
    }

    /// Whether there are more than `bytes` to send to a client.
    pub fn has_to_send(&self, id: ClientId, bytes: usize) -> bool {
        self.index(id).is_some_and(|index| self.clients[index].outbox.len() > bytes)
    }

    /// Whether the client is the one that controls.
    pub fn is_controller(&self, id: ClientId) -> bool {
        self.index(id).is_some_and(|index| self.clients[index].is_controller)
    }

    /// Whether a client has ended its session (by detaching or killing).
    pub fn is_gone(&self, id: ClientId) -> bool {
        self.index(id).is_none_or(|index| self.clients[index].is_gone)
    }

    /// Whether the program is running: call [`Session::run`].
    pub fn is_running(&self) -> bool {
        self.inferior.resumed.is_some()
    }

    /// Whether the run is over and no client can start it again.
    pub fn is_over(&self) -> bool {
        let is_extended = self.clients.iter().any(|client| client.is_controller && client.is_extended);
        self.inferior.is_over() && !is_extended
    }

    /// Runs the program for at most about `steps` steps, and tells the clients if it stopped.
    pub fn run(&mut self, steps: u64) {
        let before = self.inferior.timeline.now();
        let stop = self.inferior.run(steps);
        let now = self.inferior.timeline.now();
        if before / PROGRESS_STEPS != now / PROGRESS_STEPS {
            // A gdb that hears nothing for two seconds takes it for an error, and does not look whether the user gave up.
            let waiting = self.clients.iter_mut().filter(|client| client.awaits == Some(Awaited::Monitor));
            waiting.for_each(|client| client.print(&format!("step {now}\n")));
        }
        self.tell_notices();
        if let Some(stop) = stop {
            self.report(stop);
        }
    }

    /// Console output can be sent only to a client that waits for a stop.
    fn tell_notices(&mut self) {
        for notice in self.inferior.take_notices() {
            self.clients.iter_mut().filter(|client| client.awaits.is_some()).for_each(|client| client.print(&notice));
        }
    }

    /// Stops the program where it is.
    pub fn interrupt(&mut self) {
        if let Some(stop) = self.inferior.interrupt() {
            self.report(stop);
        }
    }

    fn index(&self, id: ClientId) -> Option<usize> {
        self.clients.iter().position(|client| client.id == id)
    }

    fn client(&mut self, id: ClientId) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.id == id)
    }

    /// What the controller leaves behind: nothing that stops the program.
    fn release(&mut self) {
        self.inferior.settle();
        self.inferior.breakpoints.clear();
        self.inferior.watchpoints.clear();
        self.inferior.catches = Default::default();
    }

    fn report(&mut self, stop: Stop) {
        for client in &mut self.clients {
            match client.awaits.take() {
                None => {}
                Some(Awaited::Stop) => {
                    let answer = client.stub.report(&mut self.inferior, stop);
                    client.answer(answer);
                }
                Some(Awaited::Run) => client.send(&stop_reply(stop)),
                Some(Awaited::Monitor) => client.send_console(&monitor::arrived(&self.inferior)),
            }
        }
    }

    fn take(&mut self, id: ClientId, event: Event) {
        let Some(client) = self.client(id) else { return };
        match event {
            Event::Ack => {}
            Event::Nack => client.send_again(),
            Event::TooLong => {
                client.acknowledge(b'+');
                client.send_error(&format!("the packet is longer than {PACKET_BYTES} bytes"));
            }
            Event::Interrupt if client.is_controller => self.interrupt(),
            Event::Interrupt => self.stop_following(id),
            // A client that does not acknowledge trusts its connection, and may leave the checksum out (as lldb does).
            Event::Packet { is_sound: false, .. } if client.acknowledges => client.outbox.push(b'-'),
            Event::Packet { body, .. } => {
                client.acknowledge(b'+');
                self.serve(id, &body);
            }
        }
    }

    /// An observer that waits for a stop wants to look now.
    fn stop_following(&mut self, id: ClientId) {
        let Some(index) = self.index(id) else { return };
        let client = &mut self.clients[index];
        if client.awaits.take().is_some() {
            let answer = client.stub.report(&mut self.inferior, Stop::Interrupted);
            client.answer(answer);
        }
    }

    fn serve(&mut self, id: ClientId, body: &[u8]) {
        let Some(index) = self.index(id) else { return };
        let (inferior, client) = (&mut self.inferior, &mut self.clients[index]);
        if client.awaits == Some(Awaited::Monitor) {
            // A user who does not wait for the end of a command does not want to hear of it any more.
            client.awaits = None;
            inferior.interrupt();
        }
        if client.awaits.is_some() {
            // In all-stop mode a client is silent until the stop reply; this one is not, and is told so.
            return client.send_error("the program is running; interrupt it first");
        }
        inferior.is_observed = !client.is_controller;
        let reply = match resume::parse(body) {
            Some(order) => order.map_or_else(Reply::Error, Reply::Resume),
            None => client.own(inferior, body),
        };
        match reply {
            Reply::Resume(order) => client.resume(inferior, &order),
            Reply::Console(text) => client.send_console(&text),
            Reply::Later => {}
            Reply::Body(body) => client.send(&body),
            Reply::Error(why) => client.send_error(&why),
            Reply::Forward => client.forward(inferior, body),
        }
        self.inferior.is_observed = false;
    }
}

impl Client {
    fn new(id: ClientId, stub: Stub, is_controller: bool) -> Client {
        Client {
            id,
            framer: Framer::default(),
            stub,
            outbox: Vec::new(),
            last_frame: Vec::new(),
            acknowledges: true,
            is_controller,
            awaits: None,
            errors: Errors::Code,
            saved: lldb::Saved::default(),
            is_extended: false,
            is_gone: false,
        }
    }

    fn acknowledge(&mut self, byte: u8) {
        if self.acknowledges {
            self.outbox.push(byte);
        }
    }

    fn send(&mut self, body: &[u8]) {
        let frame = frame(body);
        if self.acknowledges {
            self.last_frame.clone_from(&frame);
        }
        match self.outbox.is_empty() {
            true => self.outbox = frame,
            false => self.outbox.extend(frame),
        }
    }

    fn send_again(&mut self) {
        if self.acknowledges {
            self.outbox.extend_from_slice(&self.last_frame);
        }
    }

    fn send_error(&mut self, why: &str) {
        // What a client sent comes back in the sentence: nothing of it may mean something to a frame.
        let plain = |c: char| if (' '..='~').contains(&c) && !"#$}*".contains(c) { c } else { '?' };
        let text: String = why.chars().map(plain).take(LONGEST_ERROR).collect();
        let body = match self.errors {
            Errors::Code => "E01".to_owned(),
            Errors::Text => format!("E.{text}"),
            Errors::CodeAndHex => format!("E01;{}", String::from_utf8_lossy(&to_hex(text.as_bytes()))),
        };
        self.send(body.as_bytes());
    }

    fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Replies(bodies) => bodies.iter().for_each(|body| self.send(body)),
            Answer::Error(why) => self.send_error(&why),
        }
    }

    /// Serves what gdbstub does not, or not well enough.
    fn own(&mut self, inferior: &mut Inferior, body: &[u8]) -> Reply {
        match body {
            b"QStartNoAckMode" => {
                self.acknowledges = false;
                ok()
            }
            b"QEnableErrorStrings" => {
                self.errors = Errors::CodeAndHex;
                ok()
            }
            b"qHostInfo" => Reply::Body(lldb::info(false)),
            b"qProcessInfo" => Reply::Body(lldb::info(true)),
            b"qC" => Reply::Body(b"QCp1.1".to_vec()),
            [b'Q', b'S', b'a', b'v', b'e', b'R', ..] => self.saved.save(inferior).into(),
            b"?" if inferior.is_killed => Reply::Body(b"W00".to_vec()),
            b"?" => Reply::Body(stop_reply(inferior.last_stop)),
            b"qfThreadInfo" if inferior.is_over() => Reply::Body(b"l".to_vec()),
            b"!" => {
                self.is_extended = true;
                Reply::Forward
            }
            _ => self.own_with_arguments(inferior, body),
        }
    }

    fn own_with_arguments(&mut self, inferior: &mut Inferior, body: &[u8]) -> Reply {
        if let Some(rest) = body.strip_prefix(b"qXfer:threads:read:") {
            return xfer(&threads_xml(inferior), rest);
        }
        if let Some(rest) = body.strip_prefix(b"qRcmd,") {
            return self.command(inferior, rest);
        }
        if let Some(rest) = body.strip_prefix(b"vFile:pread:") {
            return Reply::Body(inferior.files.read(rest));
        }
        if let Some(rest) = body.strip_prefix(b"qSearch:memory:") {
            return search::find(inferior, rest).into();
        }
        if let Some(rest) = body.strip_prefix(b"qCRC:") {
            return search::checksum(inferior, rest).into();
        }
        if let Some(rest) = body.strip_prefix(b"qMemoryRegionInfo:") {
            return lldb::memory_region(rest).into();
        }
        match body {
            [b'm' | b'M' | b'X' | b'x', ..] => memory::serve(inferior, body).into(),
            _ if changes_state(body) && !self.is_controller => {
                Reply::Error("another client controls the program; this one may only look".to_owned())
            }
            [b'P', rest @ ..] => write_register(inferior, rest).into(),
            _ if body.starts_with(b"QRestoreRegisterState:") => {
                self.saved.restore(inferior, &body[b"QRestoreRegisterState:".len()..]).into()
            }
            _ => match check(body) {
                Ok(()) => Reply::Forward,
                Err(why) => Reply::Error(why),
            },
        }
    }

    /// A monitor command: what it says, and OK.
    fn command(&mut self, inferior: &mut Inferior, digits: &[u8]) -> Reply {
        let Some(command) = hex_bytes(digits) else {
            return Reply::Error("a command is in pairs of hexadecimal digits".to_owned());
        };
        let was_resumed = inferior.resumed;
        let text = monitor::run(inferior, &String::from_utf8_lossy(&command));
        match inferior.resumed == was_resumed {
            true => Reply::Console(text),
            false => {
                self.awaits = Some(Awaited::Monitor);
                Reply::Later
            }
        }
    }

    /// What a monitor command says, and its end.
    fn send_console(&mut self, text: &str) {
        self.print(text);
        self.send(b"OK");
    }

    /// Console output, in packets of the size that clients expect.
    fn print(&mut self, text: &str) {
        for part in text.as_bytes().chunks(CONSOLE_BYTES) {
            self.send(&[b"O", &to_hex(part)[..]].concat());
        }
    }

    /// Resumes the program, if this client may; the reply is the next stop.
    fn resume(&mut self, inferior: &mut Inferior, order: &Order) {
        let was_resumed = inferior.resumed;
        if let (true, Some(from)) = (self.is_controller, order.from)
            && let Err(why) = inferior.set_register(RegId::Pc, from.into())
        {
            return self.send_error(&why);
        }
        let answer = self.stub.serve(inferior, &order.body);
        if !self.is_controller {
            inferior.resumed = was_resumed;
        }
        match answer {
            Answer::Replies(bodies) if bodies.is_empty() => self.awaits = Some(Awaited::Stop),
            answer => self.answer(answer),
        }
    }

    fn forward(&mut self, inferior: &mut Inferior, body: &[u8]) {
        let (basic, terms) = match without_terms(body) {
            Ok(parts) => parts,
            Err(why) => return self.send_error(&why),
        };
        let answer = self.stub.serve(inferior, basic);
        if let (Some(terms), Answer::Replies(replies)) = (terms, &answer)
            && replies.iter().any(|reply| reply == b"OK")
        {
            terms.attach(inferior);
        }
        match answer {
            Answer::Replies(_) if body.starts_with(b"vRun") && inferior.resumed.is_some() => {
                self.awaits = Some(Awaited::Run);
            }
            Answer::Replies(mut bodies) => {
                if body.starts_with(b"qSupported") {
                    bodies[0] = with_own_features(&bodies[0]);
                    if body.windows(ERROR_MESSAGE.len()).any(|part| part == ERROR_MESSAGE) {
                        self.errors = Errors::Text;
                    }
                }
                bodies.iter().for_each(|body| self.send(body));
            }
            Answer::Error(why) => self.send_error(&why),
        }
        // In extended mode a client stays when its program is gone.
        let leaves = matches!(body, [b'D', ..] | [b'k', ..]) || body.starts_with(b"vKill");
        self.is_gone |= leaves && !self.is_extended;
    }
}

/// gdbstub's features `theirs`, and what the front end adds to them.
fn with_own_features(theirs: &[u8]) -> Vec<u8> {
    // The first is the size of gdbstub's buffer, which is not ours.
    let rest = theirs.split(|byte| *byte == b';').skip(1);
    let size = format!("PacketSize={PACKET_BYTES:x}").into_bytes();
    [&size].into_iter().map(Vec::as_slice).chain(rest).chain([OWN_FEATURES]).collect::<Vec<_>>().join(&b';')
}

/// What the front end adds to gdbstub's features.
const OWN_FEATURES: &[u8] = b"ConditionalBreakpoints+;BreakpointCommands+;QStartNoAckMode+;qXfer:threads:read+;QEnableErrorStrings+;error-message+";
/// A monitor command that runs the program tells of it so often: a few times a second.
const PROGRESS_STEPS: u64 = 1 << 27;
/// Bytes of console output in a packet.
const CONSOLE_BYTES: usize = PACKET_BYTES / 2 - 1;
/// Characters of an error's sentence: enough for ours, and no echo of a whole packet.
const LONGEST_ERROR: usize = 200;
/// How a client says that it understands `E.text`.
const ERROR_MESSAGE: &[u8] = b"error-message+";

impl From<Result<Vec<u8>, String>> for Reply {
    fn from(result: Result<Vec<u8>, String>) -> Reply {
        result.map_or_else(Reply::Error, Reply::Body)
    }
}

/// The conditions and commands of a Z packet, which gdbstub ignores.
struct Terms {
    addr: u32,
    conditions: Vec<Vec<u8>>,
    commands: Vec<Vec<u8>>,
}

impl Terms {
    /// Replaces what was attached to the breakpoint.
    fn attach(self, inferior: &mut Inferior) {
        if let Some(breakpoint) = inferior.breakpoints.at.get_mut(&self.addr) {
            breakpoint.conditions = self.conditions;
            breakpoint.commands = self.commands;
        }
    }
}

/// `Z0,addr,kind` without what follows, and what follows: `;Xlen,code...` and `;cmds:persist,Xlen,code...`.
///
/// # Errors
/// A sentence, if what follows is malformed: a condition that is left out would stop where the user wants no stop.
fn without_terms(body: &[u8]) -> Result<(&[u8], Option<Terms>), String> {
    let ([b'Z', b'0' | b'1', ..], mut parts) = (body, body.split(|byte| *byte == b';')) else {
        return Ok((body, None));
    };
    let basic = parts.next().unwrap_or_default();
    let addr = basic.split(|byte| *byte == b',').nth(1).and_then(hex_number).unwrap_or(0) as u32;
    let (mut conditions, mut commands) = (Vec::new(), Vec::new());
    for part in parts {
        let malformed = || format!("a condition or command is Xlength,digits, not {}", String::from_utf8_lossy(part));
        match part.strip_prefix(b"cmds:") {
            Some(rest) => commands.extend(expressions(rest).ok_or_else(malformed)?),
            None => conditions.extend(expressions(part).ok_or_else(malformed)?),
        }
    }
    Ok((basic, Some(Terms { addr, conditions, commands })))
}

/// The bytecode of every `Xlen,code`.
fn expressions(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let starts = text.split(|byte| *byte == b'X').skip(1);
    let codes = starts.map(|item| {
        let mut parts = item.splitn(2, |byte| *byte == b',');
        let (length, code) = (parts.next().and_then(hex_number)?, hex_bytes(parts.next()?)?);
        (code.len() as u64 == length).then_some(code)
    });
    codes.collect()
}

fn ok() -> Reply {
    Reply::Body(b"OK".to_vec())
}

/// Whether `body` changes the program, or what stops it.
fn changes_state(body: &[u8]) -> bool {
    matches!(body, [b'G' | b'P' | b'M' | b'X' | b'Z' | b'z' | b'k' | b'R', ..])
        || [&b"vRun"[..], b"vKill", b"QCatchSyscalls", b"QRestoreRegisterState", b"vFlash"]
            .iter()
            .any(|prefix| body.starts_with(prefix))
}

/// Refuses what gdbstub would take for an error of the connection.
fn check(body: &[u8]) -> Result<(), String> {
    let is_sound = match body {
        [] => false,
        [b'Z' | b'z', rest @ ..] => is_breakpoint(rest),
        [b'p', number @ ..] => hex_number(number).is_some(),
        _ => true,
    };
    if is_sound { Ok(()) } else { Err(format!("malformed packet {}", String::from_utf8_lossy(body))) }
}

/// `number=value` with as many digits as the register has.
fn write_register(inferior: &mut Inferior, rest: &[u8]) -> Result<Vec<u8>, String> {
    let mut parts = rest.splitn(2, |byte| *byte == b'=');
    let id = parts.next().and_then(hex_number).and_then(|number| RegId::new(usize::try_from(number).ok()?));
    let value = parts.next().and_then(hex_bytes);
    let sound = id.zip(value).filter(|(id, value)| id.size() == value.len());
    let (id, value) = sound.ok_or("a register is written by number=digits, as many as it has bytes")?;
    inferior.set_register(id, little_endian(&value)).map(|()| b"OK".to_vec())
}

/// `type,addr,kind`, then conditions and commands.
fn is_breakpoint(rest: &[u8]) -> bool {
    let basic = rest.split(|byte| *byte == b';').next().unwrap_or_default();
    let fields: Vec<_> = basic.split(|byte| *byte == b',').map(hex_number).collect();
    matches!(fields[..], [Some(0..=4), Some(addr), Some(_)] if addr <= u64::from(u32::MAX))
}

/// The reply to `?`: why the program stopped, as it was said when it did.
fn stop_reply(stop: Stop) -> Vec<u8> {
    match stop {
        Stop::Exited(code) => format!("W{code:02x}").into_bytes(),
        Stop::Died(signal) => format!("X{:02x}", signal.0).into_bytes(),
        stop => format!("T{:02x}thread:p01.01;{}", stop.signal().0, stop_detail(stop)).into_bytes(),
    }
}

/// What a stop reply says besides the signal.
fn stop_detail(stop: Stop) -> String {
    match stop {
        Stop::Breakpoint { is_hard } => if is_hard { "hwbreak:;" } else { "swbreak:;" }.to_owned(),
        Stop::Watch { kind, addr } => match kind {
            WatchKind::Write => format!("watch:{addr:x};"),
            WatchKind::Read => format!("rwatch:{addr:x};"),
            WatchKind::ReadWrite => format!("awatch:{addr:x};"),
        },
        Stop::HistoryBegin => "replaylog:begin;".to_owned(),
        Stop::HistoryEnd => "replaylog:end;".to_owned(),
        _ => String::new(),
    }
}

/// Who executes: what `info threads` shows.
fn threads_xml(inferior: &Inferior) -> Vec<u8> {
    if inferior.is_over() {
        return b"<?xml version=\"1.0\"?><threads></threads>".to_vec();
    }
    let mode = match inferior.machine().hart.mode {
        crate::map::Mode::User => "user",
        crate::map::Mode::Machine => "kernel",
    };
    format!("<?xml version=\"1.0\"?><threads><thread id=\"p1.1\" core=\"0\" name=\"{mode}\"/></threads>").into_bytes()
}

/// The part of `data` that `annex:offset,length` asks for.
fn xfer(data: &[u8], request: &[u8]) -> Reply {
    let Some((offset, length)) = window(request) else {
        return Reply::Error("the transfer is not annex:offset,length".to_owned());
    };
    let start = offset.min(data.len());
    let end = start.saturating_add(length).min(data.len());
    let mut body = vec![if end < data.len() { b'm' } else { b'l' }];
    super::wire::escape(&data[start..end], &mut body);
    Reply::Body(body)
}

fn window(request: &[u8]) -> Option<(usize, usize)> {
    let colon = request.iter().position(|byte| *byte == b':')?;
    let mut numbers = request[colon + 1..].split(|byte| *byte == b',').map(hex_number);
    let (offset, length) = (numbers.next()??, numbers.next()??);
    Some((usize::try_from(offset).ok()?, usize::try_from(length).ok()?))
}
