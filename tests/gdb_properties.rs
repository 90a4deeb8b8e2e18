//! What holds of every conversation with the debugger's server, tried on random ones.
//!
//! `make fuzz-gdb` tries many more: LOCKSTEP_FUZZ_FACTOR multiplies the number of tries.

mod gdb_raw;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use gdb_raw::{bodies, exchange, machine, packet, session};
use lockstep::ecall::NoHost;
use lockstep::exec::{Engine, Step, Until};
use lockstep::gdb::{ClientId, Event, Framer, PACKET_BYTES, Session};
use lockstep::hart::Machine;
use lockstep::isa::Reg;
use lockstep::map::Addr;
use lockstep::timeline::DEFAULT_BUDGET_BYTES;
use quickcheck::{Arbitrary, Gen, QuickCheck, Testable};

/// Tries `property` `count` times, or a multiple of it.
fn check(count: u64, property: impl Testable) {
    let factor = std::env::var("LOCKSTEP_FUZZ_FACTOR").map_or(1, |factor| factor.parse().expect("a number"));
    QuickCheck::new().tests(count * factor).max_tests(10 * count * factor).quickcheck(property);
}

/// Bytes that are mostly packets.
#[derive(Clone, Debug)]
struct Stream(Vec<u8>);

impl Arbitrary for Stream {
    fn arbitrary(g: &mut Gen) -> Stream {
        let mut bytes = Vec::new();
        for _ in 0..usize::arbitrary(g) % 12 {
            match u8::arbitrary(g) % 8 {
                0 => bytes.extend(Vec::<u8>::arbitrary(g)),
                1 => bytes.extend(packet(&Vec::<u8>::arbitrary(g))),
                2 => bytes.push(*g.choose(b"+-\x03$#").expect("there are five")),
                _ => bytes.extend(packet(&body(g))),
            }
        }
        Stream(bytes)
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Stream>> {
        Box::new(self.0.shrink().map(Stream))
    }
}

/// A packet that begins like one that is known, cut or continued at random.
fn body(g: &mut Gen) -> Vec<u8> {
    let known: &[&[u8]] = &[
        b"?",
        b"g",
        b"G",
        b"p20",
        b"P5=01000000",
        b"m20000,10",
        b"M20100,2:aabb",
        b"X20100,1:a",
        b"x20000,8",
        b"Z0,20004,4",
        b"Z2,30000,4",
        b"z0,20004,4",
        b"Z0,20008,4;X3,220127",
        b"vCont?",
        b"vCont;c",
        b"vCont;s",
        b"vCont;r20000,20008",
        b"bc",
        b"bs",
        b"c",
        b"s",
        b"D",
        b"!",
        b"R00",
        b"vRun;",
        b"vKill;1",
        b"H g0",
        b"Hc-1",
        b"T1",
        b"qC",
        b"qSupported:multiprocess+;error-message+",
        b"qXfer:features:read:target.xml:0,ff",
        b"qXfer:threads:read::0,ff",
        b"qXfer:memory-map:read::0,ff",
        b"qXfer:exec-file:read:1:0,ff",
        b"vFile:open:2f70,0,0",
        b"vFile:pread:3,10,0",
        b"qRcmd,68656c70",
        b"qCRC:20000,10",
        b"qSearch:memory:20000;100;a",
        b"QCatchSyscalls:1",
        b"QStartNoAckMode",
        b"qfThreadInfo",
        b"qsThreadInfo",
        b"qHostInfo",
        b"qMemoryRegionInfo:0",
        b"QSaveRegisterState",
        b"QRestoreRegisterState:1",
        b"qAttached",
        b"QEnableErrorStrings",
    ];
    let mut body = g.choose(known).expect("there are some").to_vec();
    match u8::arbitrary(g) % 6 {
        0 => body.truncate(usize::arbitrary(g) % (body.len() + 1)),
        1 => body.extend(Vec::<u8>::arbitrary(g)),
        2 => {
            let index = usize::arbitrary(g) % body.len();
            body[index] = u8::arbitrary(g);
        }
        _ => {}
    }
    body
}

/// All that a session says to `pieces`, with the program run a little after each reply that waits for it.
fn conversation<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, [u8; 32]) {
    let (mut session, client) = session();
    let mut said = Vec::new();
    for piece in pieces {
        session.receive(client, piece);
        said.extend(session.outbox(client));
    }
    (said, session.inferior().machine().digest())
}

/// How the bytes are cut on their way makes no difference.
#[test]
fn replies_do_not_depend_on_how_the_bytes_arrive() {
    fn same(stream: Stream, size: usize) -> bool {
        let whole = conversation([&stream.0[..]].into_iter());
        whole == conversation(stream.0.chunks(1)) && whole == conversation(stream.0.chunks(size % 50 + 1))
    }
    check(60, same as fn(Stream, usize) -> bool);
}

/// Keeps `stream` in the folder that LOCKSTEP_FUZZ_KEEP names, as the other fuzzer reads it: `make fuzz-gdb-compare`.
fn keep(stream: &Stream) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    if let Some(folder) = std::env::var_os("LOCKSTEP_FUZZ_KEEP") {
        let name = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
        std::fs::write(Path::new(&folder).join(name), [b"<", &stream.0[..]].concat()).expect("the folder is there");
    }
}

/// Each sound packet gets one reply at most, and the session survives everything but a wish to leave.
#[test]
fn one_reply_a_packet() {
    fn survives(stream: Stream) -> bool {
        keep(&stream);
        let (mut session, client) = session();
        let mut framer = Framer::default();
        let requests = stream.0.iter().filter_map(|byte| framer.push(*byte));
        let requests = requests.filter(|event| !matches!(event, Event::Ack)).count();
        let mut replies = bodies(&exchange(&mut session, client, &stream.0));
        // Console output comes besides the reply.
        replies.retain(|body| body.first() != Some(&b'O') || body == b"OK");
        replies.len() <= requests
    }
    check(150, survives as fn(Stream) -> bool);
}

/// No stream makes the session keep or say more than its parts are worth.
#[test]
fn memory_is_bounded() {
    fn stays_small(stream: Stream) -> bool {
        let (mut session, client) = session();
        let said = exchange(&mut session, client, &stream.0).len();
        let most =
            stream.0.len() * 2 + (stream.0.iter().filter(|byte| **byte == b'#').count() + 1) * (PACKET_BYTES + 64);
        let (_, kept_bytes) = session.inferior().timeline.usage();
        said <= most && kept_bytes <= DEFAULT_BUDGET_BYTES
    }
    check(100, stays_small as fn(Stream) -> bool);
}

/// n steps forward and n steps back are the identity, from anywhere.
#[test]
fn forward_and_back_is_the_identity() {
    fn returns(start: u16, count: u8) -> bool {
        let (mut session, client) = session();
        ask(&mut session, client, &format!("qRcmd,{}", hex(format!("goto {start}").as_bytes())));
        let before = (session.inferior().machine().hart.clone(), session.inferior().machine().digest());
        (0..count).for_each(|_| drop(ask(&mut session, client, "vCont;s")));
        let moved = session.inferior().machine().hart.instructions == before.0.instructions + u64::from(count);
        (0..count).for_each(|_| drop(ask(&mut session, client, "bs")));
        moved && before == (session.inferior().machine().hart.clone(), session.inferior().machine().digest())
    }
    check(40, returns as fn(u16, u8) -> bool);
}

/// What a client may do to the program.
#[derive(Clone, Debug)]
enum Action {
    Step,
    StepBack,
    /// To the next of the three instructions that has this number.
    RunTo(u8),
    RunBackTo(u8),
    Goto(u16),
    SetRegister(u8, u32),
    SetMemory(u16, u8),
}

impl Arbitrary for Action {
    fn arbitrary(g: &mut Gen) -> Action {
        match u8::arbitrary(g) % 10 {
            0..=2 => Action::Step,
            3 | 4 => Action::StepBack,
            5 => Action::RunTo(u8::arbitrary(g) % 3),
            6 => Action::RunBackTo(u8::arbitrary(g) % 3),
            7 => Action::Goto(u16::arbitrary(g) % 500),
            8 => Action::SetRegister(u8::arbitrary(g) % 4 + 10, u32::arbitrary(g) % 0x1000 * 4 + 0x5_0000),
            _ => Action::SetMemory(u16::arbitrary(g), u8::arbitrary(g)),
        }
    }
}

/// The same run without a debugger: the changes that were made to it, in order, and where the client is.
#[derive(Default)]
struct Model {
    changes: Vec<(u64, Action)>,
    at: u64,
    engine: Step,
}

impl Model {
    /// The machine before step `order`, executed from the start.
    fn machine_at(&mut self, order: u64) -> Machine {
        let mut machine = machine();
        for (changed_at, change) in self.changes.iter().filter(|(changed_at, _)| *changed_at <= order) {
            self.engine.run(&mut machine, &mut NoHost, Until::order(*changed_at), &mut ());
            match *change {
                Action::SetRegister(number, value) => machine.hart.set_x(Reg::new(number.into()), value),
                Action::SetMemory(offset, value) => machine.set_byte(data(offset), value),
                _ => unreachable!("the others change nothing"),
            }
        }
        self.engine.run(&mut machine, &mut NoHost, Until::order(order), &mut ());
        machine
    }

    fn is_at(&mut self, number: u8) -> bool {
        self.machine_at(self.at).hart.pc == place(number)
    }

    fn apply(&mut self, action: &Action) {
        match *action {
            Action::Step => self.at += 1,
            Action::StepBack => self.at = self.at.saturating_sub(1),
            Action::RunTo(number) => {
                self.at += 1;
                while !self.is_at(number) {
                    self.at += 1;
                }
            }
            Action::RunBackTo(number) => {
                self.at = self.at.saturating_sub(1);
                while !self.is_at(number) && self.at > 0 {
                    self.at -= 1;
                }
            }
            Action::Goto(order) => self.at = order.into(),
            Action::SetRegister(number, value) if self.machine_at(self.at).hart.x(Reg::new(number.into())) == value => {
            }
            Action::SetMemory(offset, value) if self.machine_at(self.at).byte(data(offset)) == value => {}
            Action::SetRegister(..) | Action::SetMemory(..) => {
                // A change here makes another future.
                self.changes.retain(|(order, _)| *order <= self.at);
                self.changes.push((self.at, action.clone()));
            }
        }
    }
}

fn place(number: u8) -> Addr {
    0x2_0000 + 4 * Addr::from(number)
}

fn data(offset: u16) -> Addr {
    0x3_0000 + Addr::from(offset)
}

/// Does `action` by packets.
fn act(session: &mut Session, client: ClientId, action: &Action) {
    let mut say = |body: String| drop(ask(session, client, &body));
    match *action {
        Action::Step => say("vCont;s".to_owned()),
        Action::StepBack => say("bs".to_owned()),
        Action::RunTo(number) | Action::RunBackTo(number) => {
            if matches!(action, Action::RunTo(_)) {
                // As gdb does: first away from here, then on unless it is there already.
                say("vCont;s".to_owned());
            }
            say(format!("Z0,{:x},4", place(number)));
            say(if matches!(action, Action::RunTo(_)) { "vCont;c" } else { "bc" }.to_owned());
            say(format!("z0,{:x},4", place(number)));
        }
        Action::Goto(order) => say(format!("qRcmd,{}", hex(format!("goto {order}").as_bytes()))),
        Action::SetRegister(number, value) => say(format!("P{number:x}={}", hex(&value.to_le_bytes()))),
        Action::SetMemory(offset, value) => say(format!("M{:x},1:{value:02x}", data(offset))),
    }
}

/// The last reply to the packet with `body`, after the program has run as far as it was asked to.
fn ask(session: &mut Session, client: ClientId, body: &str) -> Vec<u8> {
    let mut said = exchange(session, client, &packet(body.as_bytes()));
    while session.is_running() {
        session.run(1000);
        said.extend(session.outbox(client));
    }
    bodies(&said).pop().unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whatever a client does, the machine is where the same steps lead without a debugger.
#[test]
fn scripts_agree_with_the_machine() {
    fn agrees(actions: Vec<Action>) -> bool {
        let (mut session, client) = session();
        let mut model = Model::default();
        actions.iter().take(40).all(|action| {
            act(&mut session, client, action);
            model.apply(action);
            let (now, expected) = (session.inferior().machine(), model.machine_at(model.at));
            let is_same = now.hart == expected.hart && now.digest() == expected.digest();
            let a0 = ask(&mut session, client, "pa");
            is_same && a0 == hex(&expected.hart.x(Reg::A0).to_le_bytes()).into_bytes()
        })
    }
    check(25, agrees as fn(Vec<Action>) -> bool);
}
