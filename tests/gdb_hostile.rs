//! Hostile clients: whatever bytes come, the session answers the next sound packet and the program lives.
//!
//! No socket is needed: a session is bytes in, replies out.

use lockstep::ecall::NoHost;
use lockstep::gdb::{ClientId, Event, Framer, Inferior, PACKET_BYTES, Program, Session, frame};
use lockstep::hart::{Hart, Machine};
use lockstep::map::Mode;
use lockstep::mem::Memory;
use lockstep::timeline::DEFAULT_BUDGET_BYTES;
use quickcheck::{Arbitrary, Gen, QuickCheck};

/// A program that counts a0 up for ever, at 0x20000.
fn session() -> (Session, ClientId) {
    let mut machine = Machine { hart: Hart::new(0x2_0000, Mode::User), mem: Memory::new() };
    machine.set_word(0x2_0000, 0x0015_0513); // addi a0, a0, 1
    machine.set_word(0x2_0004, 0x00a5_a023); // sw a0, 0(a1)
    machine.set_word(0x2_0008, 0xff9f_f06f); // j 0x20000
    machine.hart.set_x(lockstep::isa::Reg::A1, 0x3_0000);
    let elf = b"not much of a program".to_vec();
    let program = Program { path: "/program".to_owned(), elf, ..Program::default() };
    let mut session = Session::new(Inferior::new(program, machine, Box::new(NoHost), DEFAULT_BUDGET_BYTES));
    let client = session.connect();
    (session, client)
}

/// Sends `bytes`, lets the program run if it was resumed, and returns what came back.
fn exchange(session: &mut Session, client: ClientId, bytes: &[u8]) -> Vec<u8> {
    session.receive(client, bytes);
    if session.is_running() {
        session.run(1000);
    }
    session.outbox(client)
}

fn packet(body: &[u8]) -> Vec<u8> {
    let sum = body.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    [b"$", body, format!("#{sum:02x}").as_bytes()].concat()
}

/// The bodies of the packets in `bytes`, with runs written out.
fn bodies(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut framer = Framer::default();
    let events = bytes.iter().filter_map(|byte| framer.push(*byte));
    let sound = events.filter_map(|event| match event {
        Event::Packet { body, is_sound: true } => Some(expanded(&body)),
        Event::Packet { is_sound: false, .. } => panic!("a reply with a bad checksum"),
        _ => None,
    });
    sound.collect()
}

fn expanded(body: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match (byte, out.last()) {
            (b'*', Some(last)) => {
                let count = bytes.next().map_or(0, |count| usize::from(count - 29));
                out.extend(vec![*last; count]);
            }
            _ => out.push(*byte),
        }
    }
    out
}

/// The session still answers, with all its registers.
fn check_alive(name: &str, session: &mut Session, client: ClientId) {
    exchange(session, client, b"\x03");
    let reply = exchange(session, client, &packet(b"g"));
    let registers = bodies(&reply).pop().unwrap_or_default();
    // 32 registers and pc, mode, mepc, segment of 4 bytes, cycle and instret of 8.
    assert_eq!(registers.len(), 2 * (36 * 4 + 2 * 8), "{name}: {}", String::from_utf8_lossy(&reply));
    assert!(!session.inferior().is_over(), "{name}");
}

/// Sends raw bytes. The session must survive them, and what it says must be sound packets.
fn check_raw(name: &str, bytes: &[u8]) {
    let (mut session, client) = session();
    bodies(&exchange(&mut session, client, bytes));
    check_alive(name, &mut session, client);
}

/// Sends a sound packet whose reply is an error or empty. The program must be as it was.
fn check_refused(body: &[u8]) {
    let name = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
    let (mut session, client) = session();
    let before = session.inferior().machine().digest();
    let replies = bodies(&exchange(&mut session, client, &packet(body)));
    let is_refusal = |reply: &[u8]| reply.is_empty() || reply[0] == b'E';
    assert!(replies.len() == 1 && is_refusal(&replies[0]), "{name}: {replies:?}");
    assert!(session.inferior().machine().digest() == before, "{name} changed the program");
    check_alive(&name, &mut session, client);
}

/// Sends a sound packet that looks wild and is fine.
fn check_answered(body: &[u8], reply: &[u8]) {
    let name = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
    let (mut session, client) = session();
    let replies = bodies(&exchange(&mut session, client, &packet(body)));
    assert_eq!(replies, [reply.to_vec()], "{name}");
    check_alive(&name, &mut session, client);
}

#[test]
fn broken_frames() {
    check_raw("nothing", b"");
    check_raw("junk", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    check_raw("zeros", &[0; 4096]);
    check_raw("all bytes", &(0..=255).collect::<Vec<u8>>());
    check_raw("bad checksum", b"$g#00");
    check_raw("checksum that is no number", b"$g#zz");
    check_raw("checksum in upper case", b"$?#3F");
    check_raw("half a packet, then another", b"$m20000,4$g#67");
    check_raw("half a checksum, then another packet", b"$g#6$g#67");
    check_raw("a packet without an end", &[b"$".to_vec(), vec![b'a'; 3 * PACKET_BYTES]].concat());
    check_raw("a packet that is too long", &packet(&vec![b'a'; PACKET_BYTES + 1]));
    check_raw("an empty packet", b"$#00");
    check_raw("acknowledgements", &[b'+'; 1000]);
    check_raw("a NACK of nothing", b"-");
    check_raw("NACK after NACK", &[b'-'; 1000]);
    check_raw("interrupts", &[3; 1000]);
    check_raw("only an escape", &packet(b"}"));
    check_raw("a lone dollar", b"$");
    check_raw("dollars", &[b'$'; 1000]);
    check_raw("hashes", &[b'#'; 1000]);
    check_raw("junk in front of a packet", b"abc$g#67");
}

#[test]
fn memory_packets() {
    check_refused(b"m");
    check_refused(b"m,");
    check_refused(b"mxyz,4");
    check_refused(b"m20000");
    check_refused(b"m100000000,4");
    check_refused(b"m0,4");
    check_refused(b"mffff,1");
    check_refused(b"m20000,10000000000000000");
    check_refused(b"M20000,4:00");
    check_refused(b"M20000,4:0011223344");
    check_refused(b"M20000,4");
    check_refused(b"M20000,2:0g11");
    check_refused(b"Mfffffffe,4:00112233");
    check_refused(b"M4,4:00112233");
    check_refused(b"X20000,40000000:");
    check_refused(b"X20000,4:a");
    check_refused(b"X8,1:a");
    check_answered(b"m20000,0", b"");
    check_answered(b"m20000,4", b"13051500");
    check_answered(b"mfffffffc,8", b"00000000");
    check_answered(b"X20100,0:", b"OK");
    let (mut session, client) = session();
    let reply = bodies(&exchange(&mut session, client, &packet(b"m20000,40000000")));
    assert_eq!(reply[0].len(), PACKET_BYTES, "a read of 1 GiB yields one packet");
}

#[test]
fn register_packets() {
    check_refused(b"p");
    check_refused(b"pzz");
    check_refused(b"p99");
    check_refused(b"pffffffffffffffffffff");
    check_refused(b"P");
    check_refused(b"P20=");
    check_refused(b"P20=zz");
    check_refused(b"P99=00000000");
    check_refused(b"P20=02000200"); // pc that is not divisible by 4
    check_refused(b"G00");
    check_refused(b"Gzz");
    check_refused(&[b"G".to_vec(), vec![b'0'; 100_001]].concat());
}

#[test]
fn breakpoint_packets() {
    check_refused(b"Z");
    check_refused(b"Z0");
    check_refused(b"Z0,20000");
    check_refused(b"Z9,20000,4");
    check_refused(b"Z0,zz,4");
    check_refused(b"Z0,123456789,4");
    check_refused(b"z0,,");
    check_answered(b"Z0,90000000,4", b"OK");
    check_answered(b"Z0,20004,4;X2,zz", b"OK");
    check_answered(b"Z0,20004,4;X3,220127", b"OK");
    check_answered(b"Z2,ffffffff,ffffffff", b"OK");
    check_answered(b"z4,20000,4", b"OK");
}

#[test]
fn other_packets() {
    check_refused(b"vCont;");
    check_refused(b"vCont;q");
    check_refused(b"vCont;r");
    check_refused(b"vCont;rzz,zz");
    check_refused(b"vContX");
    check_refused(b"Hgzz");
    check_refused(b"Tzz");
    check_refused(b"qXfer:features:read:nonsense.xml:0,100");
    check_refused(b"qXfer:features:read:target.xml");
    check_refused(b"qXfer:threads:read::zz,1");
    check_refused(b"qRcmd,zz");
    check_refused(b"qSearch:memory:20000");
    check_refused(b"qCRC:20000,ffffffffff");
    check_refused(b"QCatchSyscalls:2");
    check_refused(b"QRestoreRegisterState:7");
    check_refused(b"vFile:open:zz,0,0");
    check_answered(b"vFile:pread:3,zz,0", b"F-1,16");
    check_answered(b"vFile:pread:3,4,4", b"F4;much");
    check_answered(b"vFile:pread:3,ffffffffffffffff,ffffffffffffffff", b"F0;");
    check_answered(b"vFile:pread:63,4,0", b"F-1,9");
    check_refused(b"an unknown packet");
    check_raw("resume while running", &[packet(b"c"), packet(b"c"), packet(b"g")].concat());
    check_raw("resume with a signal that is none", &packet(b"vCont;Cff"));
    check_raw("a restart", &packet(b"R00"));
}

/// A packet that was not understood on the way is sent again, unchanged.
#[test]
fn a_nack_repeats_the_reply() {
    let (mut session, client) = session();
    let first = exchange(&mut session, client, &packet(b"g"));
    assert_eq!(exchange(&mut session, client, b"-"), first[1..]);
    assert_eq!(exchange(&mut session, client, b"-"), first[1..]);
}

/// Without acknowledgements nothing is acknowledged, and a checksum may be anything (lldb leaves it out).
#[test]
fn no_acknowledgements_once_both_agree() {
    let (mut session, client) = session();
    assert_eq!(exchange(&mut session, client, &packet(b"QStartNoAckMode")), b"+$OK#9a");
    assert_eq!(exchange(&mut session, client, b"$p0#00"), [frame(b"00000000")].concat());
    assert_eq!(exchange(&mut session, client, b"-"), b"");
}

/// A client that dies in a packet, or with the program running, leaves nothing behind for the next one.
#[test]
fn the_next_client_starts_afresh() {
    let (mut session, first) = session();
    exchange(&mut session, first, &packet(b"Z0,20004,4"));
    session.receive(first, &packet(b"c"));
    session.receive(first, b"$m2000");
    session.disconnect(first);
    assert!(!session.is_running());
    let second = session.connect();
    check_alive("the second client", &mut session, second);
    session.receive(second, &packet(b"c"));
    session.run(1000);
    assert!(session.is_running(), "the first client's breakpoint is gone");
}

/// A stop reply, with the registers it brings along: of ra, sp, fp and pc only the last is not 0 here.
fn stopped(why: &str, pc: u32) -> Vec<u8> {
    let pc: String = pc.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("T05{why}01:00000000;02:00000000;08:00000000;20:{pc};").into_bytes()
}

/// One controls; the others look, and wait with it.
#[test]
fn observers_look_and_follow() {
    let (mut session, controller) = session();
    let observer = session.connect();
    let refused = bodies(&exchange(&mut session, observer, &packet(b"Mff00,1:00")));
    assert_eq!(refused, [b"E01"]);
    assert_eq!(bodies(&exchange(&mut session, observer, &packet(b"P5=01000000"))), [b"E01"]);
    assert_eq!(bodies(&exchange(&mut session, observer, &packet(b"m20000,4"))), [b"13051500"]);
    exchange(&mut session, observer, &packet(b"vCont;c"));
    assert!(!session.is_running(), "an observer does not resume the program");
    exchange(&mut session, controller, &packet(b"Z0,20004,4"));
    exchange(&mut session, controller, &packet(b"vCont;c"));
    let followed = bodies(&session.outbox(observer));
    assert_eq!(followed, [stopped("thread:01;swbreak:;", 0x2_0004)]);
}

/// Errors are sentences for a client that can show them.
#[test]
fn errors_say_what_was_wrong() {
    let (mut session, client) = session();
    exchange(&mut session, client, &packet(b"qSupported:error-message+"));
    let reply = bodies(&exchange(&mut session, client, &packet(b"m10,4"))).remove(0);
    assert_eq!(String::from_utf8_lossy(&reply), "E.0x00000010 is in the invalid region below 0x00010000 (MAP-1)");
}

/// Catching user ECALLs needs a kernel: here it is three words, at the vector.
#[test]
fn ecalls_are_caught_at_entry_and_return() {
    let mut machine = Machine { hart: Hart::new(0x2_0000, Mode::User), mem: Memory::new() };
    let words = [0x0400_0893, 0x0000_0073, 0x0000_0013, 0xff5f_f06f]; // li a7, 64; ecall; nop; j
    (0..).zip(words).for_each(|(i, word)| machine.set_word(0x2_0000 + 4 * i, word));
    machine.set_word(0xC000_0000, 0x0000_0013); // nop
    machine.set_word(0xC000_0004, 0x3020_0073); // mret
    machine.set_word(lockstep::map::ECALL_VECTOR, 0xC000_0000);
    let inferior = Inferior::new(Program::default(), machine, Box::new(NoHost), DEFAULT_BUDGET_BYTES);
    let mut session = Session::new(inferior);
    let client = session.connect();
    exchange(&mut session, client, &packet(b"QCatchSyscalls:1;40"));
    let mut next = |body: &[u8]| bodies(&exchange(&mut session, client, &packet(body))).remove(0);
    for _ in 0..2 {
        assert_eq!(next(b"vCont;c"), stopped("syscall_entry:40;", 0x2_0004));
        assert_eq!(next(b"p20"), b"04000200");
        assert_eq!(next(b"vCont;c"), stopped("syscall_return:40;", 0x2_0008));
        assert_eq!(next(b"p20"), b"08000200");
    }
    // To the program, the ECALL is one step in both directions.
    assert_eq!(next(b"QCatchSyscalls:0"), b"OK");
    assert_eq!(next(b"bs"), stopped("thread:01;", 0x2_0004));
    assert_eq!(next(b"p20"), b"04000200");
    assert_eq!(next(b"vCont;s"), stopped("thread:01;", 0x2_0008));
    assert_eq!(next(b"p20"), b"08000200");
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
    QuickCheck::new().tests(100).quickcheck(same as fn(Stream, usize) -> bool);
}

/// Each sound packet gets one reply at most, and the session survives everything but a wish to leave.
#[test]
fn one_reply_a_packet() {
    fn survives(stream: Stream) -> bool {
        let (mut session, client) = session();
        let mut framer = Framer::default();
        let requests = stream.0.iter().filter_map(|byte| framer.push(*byte));
        let requests = requests.filter(|event| !matches!(event, Event::Ack)).count();
        let mut replies = bodies(&exchange(&mut session, client, &stream.0));
        // Console output comes besides the reply.
        replies.retain(|body| body.first() != Some(&b'O') || body == b"OK");
        replies.len() <= requests
    }
    QuickCheck::new().tests(300).quickcheck(survives as fn(Stream) -> bool);
}
