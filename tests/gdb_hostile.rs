//! Hostile clients: whatever bytes come, the session answers the next sound packet and the program lives.
//!
//! No socket is needed: a session is bytes in, replies out.

mod gdb_raw;

use gdb_raw::{bodies, exchange, packet, session};
use lockstep::ecall::NoHost;
use lockstep::gdb::{ClientId, Inferior, PACKET_BYTES, Program, Session, frame};
use lockstep::hart::{Hart, Machine};
use lockstep::map::Mode;
use lockstep::mem::Memory;
use lockstep::timeline::DEFAULT_BUDGET_BYTES;

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
    check_refused(b"Z0,20004,4;X2,zz");
    check_refused(b"Z0,20004,4;X2,220127");
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

/// What no one would send: packets of features that are not there, twice what is said once, ends that are cut.
#[test]
fn packets_out_of_place() {
    check_refused(b"vFlashErase:20000,100");
    check_refused(b"vFlashWrite:20000:a");
    check_refused(b"vFlashDone");
    check_refused(b"vRun;zz");
    check_refused(b"vRun;;zz");
    check_refused(b"vAttach;zz");
    check_refused(b"vMustReplyEmpty");
    check_refused(b"Z2,20000,10000000000000000");
    check_refused(b"Z0,20004,4;X3,zz;cmds");
    check_refused(b"QCatchSyscalls");
    check_refused(b"QCatchSyscalls:1;zz");
    check_refused(b"QCatchSyscalls:1;fffffffff");
    check_refused(b"qCRC:ffffffff,2");
    check_refused(b"qSearch:memory:ffffffff00000000;1;a");
    check_refused(b"qRcmd,6");
    check_refused(b"QRestoreRegisterState:ffffffffffffffffffff");
    check_refused(b"qXfer:features:write:target.xml:0,10");
    check_refused(b"X20000,1:}");
    check_refused(b"M20000,1:0");
    check_refused(b"c3");
    check_refused(b"s100000000");
    check_refused(b"vCont1;c");
    check_refused(b"vCont;s:7");
    // All registers 0, but pc where no instruction can be.
    check_refused(&[b"G", &[b'0'; 256][..], b"02000200", &[b'0'; 2 * (36 * 4 + 2 * 8) - 264]].concat());
    check_answered(b"qSearch:memory:20000;ffffffffffffffff;nowhere", b"0");
    check_answered(b"qXfer:features:read:target.xml:ffffff,10", b"l");
    check_answered(b"qXfer:threads:read::ffffffffffffffff,ffffffffffffffff", b"l");
    check_answered(b"qXfer:memory-map:read::ffffffff,ffffffff", b"l");
    check_answered(b"vFile:open:2f6574632f706173737764,0,0", b"F-1,02");
    check_answered(b"vFile:open:2f70726f6772616d,1,0", b"F-1,0d");
    check_answered(b"vFile:close:63", b"F-1,09");
    check_answered(b"P5=00000000", b"OK");
    check_raw("a packet within a packet", b"$m2000$QStartNoAckMode#b0");
    check_raw("an interrupt within a packet", &packet(b"m20\x03000,4"));
    check_raw("a thread that is none", &[packet(b"Hg7"), packet(b"Hcp9.1"), packet(b"Hgp"), packet(b"T9")].concat());
    check_raw("qSupported twice", &[packet(b"qSupported:x+"), packet(b"qSupported:")].concat());
    check_raw("no acknowledgements, twice", &packet(b"QStartNoAckMode").repeat(2));
}

/// Packets that come in one piece are answered one by one, in their order.
#[test]
fn packets_in_one_piece_are_answered_in_order() {
    let (mut session, client) = session();
    let bytes: Vec<u8> = [&b"p20"[..], b"m20000,4", b"qC", b"X20100,2:}]#", b"m20100,2"].map(packet).concat();
    let replies = bodies(&exchange(&mut session, client, &bytes[..bytes.len() - packet(b"m20100,2").len()]));
    assert_eq!(replies[..3], [b"00000200".to_vec(), b"13051500".to_vec(), b"QCp1.1".to_vec()]);
}

/// Going back at the beginning says so, and stays there.
#[test]
fn the_history_has_a_beginning() {
    let (mut session, client) = session();
    let mut next = |body: &[u8]| bodies(&exchange(&mut session, client, &packet(body))).remove(0);
    for body in [b"bs", b"bc", b"bs"] {
        assert_eq!(next(body), stopped("replaylog:begin;", 0x2_0000));
    }
}

/// `c` and `s` go on at their address, C and S with their signal.
#[test]
fn the_old_packets_resume_too() {
    let (mut session, client) = session();
    let mut next = |body: &[u8]| bodies(&exchange(&mut session, client, &packet(body))).remove(0);
    assert_eq!(next(b"s20004"), stopped("thread:01;", 0x2_0008));
    assert_eq!(next(b"S05;20000"), stopped("thread:01;", 0x2_0004));
    assert_eq!(next(b"Z0,20008,4"), b"OK");
    assert_eq!(next(b"C05"), stopped("thread:01;swbreak:;", 0x2_0008));
    assert_eq!(next(b"vCont;s:9;s:p1.1;c:-1"), stopped("thread:01;", 0x2_0000));
}

/// A condition of hostile bytecode stops at its breakpoint, and says why; it never ends the session.
#[test]
fn bytecode_that_cannot_be_evaluated_stops() {
    let codes: [(&str, &str); 7] = [
        ("210000", "does not end"),
        ("02", "empty stack"),
        ("21ffff", "in the middle"),
        ("2201200100", "in the middle"),
        ("22012821000227", "too deep"),
        ("26ffff27", "register 65535"),
        ("2a00", "width of 0"),
    ];
    for (code, why) in codes {
        let (mut session, client) = session();
        let set = format!("Z0,20004,4;X{:x},{code}", code.len() / 2);
        assert_eq!(bodies(&exchange(&mut session, client, &packet(set.as_bytes()))), [b"OK"], "{code}");
        let said = bodies(&exchange(&mut session, client, &packet(b"vCont;c")));
        let [console, stop] = &said[..] else { panic!("{code}: {said:?}") };
        let text: Vec<u8> = console[1..].chunks(2).map(u8_of).collect();
        assert!(String::from_utf8_lossy(&text).contains(why), "{code}: {}", String::from_utf8_lossy(&text));
        assert_eq!(*stop, stopped("thread:01;swbreak:;", 0x2_0004), "{code}");
        check_alive(code, &mut session, client);
    }
}

fn u8_of(digits: &[u8]) -> u8 {
    u8::from_str_radix(&String::from_utf8_lossy(digits), 16).expect("two digits")
}

/// `monitor goto` to where the program never is can be interrupted, and the next packet ends it too.
#[test]
fn a_far_goto_can_be_given_up() {
    let goto: String = "goto 999999999999999".bytes().map(|byte| format!("{byte:02x}")).collect();
    for gives_up in [b"\x03".to_vec(), packet(b"qC")] {
        let (mut session, client) = session();
        assert!(bodies(&exchange(&mut session, client, &packet(format!("qRcmd,{goto}").as_bytes()))).is_empty());
        assert!(session.is_running());
        let replies = bodies(&exchange(&mut session, client, &gives_up));
        assert!(matches!(&replies[..], [said, ok] if said[0] == b'O' && ok == b"OK") || replies == [b"QCp1.1"]);
        assert!(!session.is_running());
        let step = session.inferior().timeline.now();
        assert!(step > 0 && bodies(&exchange(&mut session, client, &packet(b"bs"))).len() == 1);
        assert_eq!(session.inferior().timeline.now(), step - 1);
    }
    // The same by vRun, whose reply is a stop.
    let (mut session, client) = session();
    let order: String = b"999999999999999".iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(bodies(&exchange(&mut session, client, &packet(format!("vRun;;{order}").as_bytes()))).is_empty());
    let replies = bodies(&exchange(&mut session, client, b"\x03"));
    assert!(replies.len() == 1 && replies[0].starts_with(b"T02"), "{replies:?}");
}

/// To write what is there, or what cannot be written, leaves the future as it is.
#[test]
fn a_write_that_changes_nothing_forgets_nothing() {
    let (mut session, client) = session();
    let mut say = |body: &[u8]| {
        last_reply(&mut session, client, body);
        session.inferior().timeline.frontier()
    };
    for (count, body) in [(30, &b"vCont;s"[..]), (20, b"bs")] {
        (0..count).for_each(|_| assert!(say(body) > 0));
    }
    for body in [&b"P20=02000200"[..], b"Pb=00000300", b"P24=0000000000000000", b"M20000,4:13051500", b"Mff,1:00"] {
        assert_eq!(say(body), 30, "{}", body.escape_ascii());
    }
    assert_eq!(say(b"Pb=00000500"), 10);
}

/// An observer's commands move nothing.
#[test]
fn an_observer_asks_and_does_not_move() {
    let (mut session, _controller) = session();
    let observer = session.connect();
    for command in ["goto 50", "kernel on", "checkpoint here", "catch-ecall", "ecall trace on", "stop-at-exit on"] {
        let hex: String = command.bytes().map(|byte| format!("{byte:02x}")).collect();
        let said = bodies(&exchange(&mut session, observer, &packet(format!("qRcmd,{hex}").as_bytes())));
        assert!(said[0].starts_with(b"O616e6f74686572"), "{command}: {}", said[0].escape_ascii()); // "another"
    }
    let inferior = session.inferior();
    let is_same = inferior.timeline.now() == 0 && inferior.checkpoints.is_empty() && !inferior.catches.is_any();
    assert!(is_same && !inferior.steps_into_kernel && !inferior.traces_ecalls && !inferior.stops_at_exit);
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

/// A breakpoint under pc stops: who means to go on takes it away for a step, as gdb and lldb do.
#[test]
fn a_breakpoint_under_pc_stops_at_once() {
    let (mut session, client) = session();
    let mut next = |body: &[u8]| bodies(&exchange(&mut session, client, &packet(body))).remove(0);
    assert_eq!(next(b"Z1,20004,4"), b"OK");
    for _ in 0..2 {
        assert_eq!(next(b"vCont;c"), stopped("thread:01;hwbreak:;", 0x2_0004));
    }
    assert_eq!(next(b"vCont;s"), stopped("thread:01;", 0x2_0008));
    assert_eq!(next(b"vCont;c"), stopped("thread:01;hwbreak:;", 0x2_0004));
}

/// vCont;r, which lldb 14 and gdb 13 do not send on RISC-V: steps until pc is outside, or at a breakpoint.
#[test]
fn a_range_step_ends_outside_or_at_a_breakpoint() {
    let (mut session, client) = session();
    let mut next = |body: &[u8]| bodies(&exchange(&mut session, client, &packet(body))).remove(0);
    assert_eq!(next(b"vCont;r20000,20008"), stopped("thread:01;", 0x2_0008));
    assert_eq!(next(b"vCont;r20008,2000c"), stopped("thread:01;", 0x2_0000));
    assert_eq!(next(b"Z0,20004,4"), b"OK");
    assert_eq!(next(b"vCont;r20000,2000c"), stopped("thread:01;swbreak:;", 0x2_0004));
}

/// A breakpoint whose condition does not hold stops one step from where the program departs, where gdb may wait, and
/// nowhere else in a loop, forwards or backwards.
#[test]
fn a_condition_is_passed_where_gdb_cannot_wait() {
    let (mut session, client) = session();
    let mut next = |body: &[u8]| bodies(&exchange(&mut session, client, &packet(body))).remove(0);
    assert_eq!(next(b"Z0,20004,4;X3,220027"), b"OK");
    assert_eq!(next(b"vCont;c"), stopped("thread:01;swbreak:;", 0x2_0004));
    session.receive(client, &packet(b"vCont;c"));
    session.run(99);
    assert!(session.is_running(), "{:?}", session.inferior().last_stop);
    let replies = bodies(&exchange(&mut session, client, b"\x03"));
    assert!(replies[0].starts_with(b"T02"), "{replies:?}");
    session.receive(client, &packet(b"bc"));
    while session.is_running() {
        session.run(1000);
    }
    assert_eq!(bodies(&session.outbox(client)), [stopped("replaylog:begin;", 0x2_0000)]);
}

/// A command that cannot be done stops the program and says why; those behind it are done all the same.
#[test]
fn a_command_that_fails_keeps_no_other_from_being_done() {
    let (mut session, client) = session();
    // Two steps from here, where gdb does not wait for the program. Reads address 4, which is invalid; then printf "x".
    let set = packet(b"Z0,20008,4;cmds:0,X4,22041927Xb,2200220034000002780027");
    assert_eq!(bodies(&exchange(&mut session, client, &set)), [b"OK"]);
    let said = bodies(&exchange(&mut session, client, &packet(b"vCont;c")));
    let why = hex(b"lockstep: breakpoint: the expression reads 0x00000004, which is in the invalid region (MAP-1)\n");
    assert_eq!(said, [b"O78".to_vec(), [b"O", &why[..]].concat(), stopped("thread:01;swbreak:;", 0x2_0008)]);
}

fn hex(text: &[u8]) -> Vec<u8> {
    text.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

/// The commands of a breakpoint are done each time the program is there, however its run is cut into slices.
#[test]
fn a_command_is_done_once_each_time() {
    for slice in 1..8 {
        let (mut session, client) = session();
        // Function 0, channel 0, printf "x" without arguments, end.
        let set = packet(b"Z0,20004,4;cmds:0,Xb,2200220034000002780027");
        assert_eq!(bodies(&exchange(&mut session, client, &set)), [b"OK"]);
        // It departs one step before the breakpoint, where gdb may wait for it, and goes on from there.
        exchange(&mut session, client, &packet(b"vCont;c"));
        session.receive(client, &packet(b"vCont;c"));
        let mut said = vec![b"O78".to_vec()];
        for _ in 0..99 {
            assert!(session.is_running(), "{:?}", session.inferior().last_stop);
            session.run(slice);
            said.extend(bodies(&session.outbox(client)));
        }
        let count = said.iter().filter(|body| **body == b"O78").count() as u64;
        // A round of the program is three steps, the second at the breakpoint.
        let due = (session.inferior().timeline.now() + 1) / 3;
        assert!(count == due || count == due + 1, "{count} of {due} in slices of {slice}");
    }
}

/// A program that does nothing but ECALL 64, on a kernel of these words.
fn session_with_kernel(kernel: &[u32]) -> (Session, ClientId) {
    let mut machine = Machine { hart: Hart::new(0x2_0000, Mode::User), mem: Memory::new() };
    let words = [0x0400_0893, 0x0000_0073, 0x0000_0013, 0xff5f_f06f]; // li a7, 64; ecall; nop; j
    (0..).zip(words).for_each(|(i, word)| machine.set_word(0x2_0000 + 4 * i, word));
    (0..).zip(kernel).for_each(|(i, word)| machine.set_word(0xC000_0000 + 4 * i, *word));
    machine.set_word(lockstep::map::ECALL_VECTOR, 0xC000_0000);
    let inferior = Inferior::new(Program::default(), machine, Box::new(NoHost), DEFAULT_BUDGET_BYTES);
    let mut session = Session::new(inferior);
    let client = session.connect();
    (session, client)
}

const NOP: u32 = 0x0000_0013;
const MRET: u32 = 0x3020_0073;

/// The last reply to `body`, after the program has run as far as it goes.
fn last_reply(session: &mut Session, client: ClientId, body: &[u8]) -> Vec<u8> {
    let mut said = exchange(session, client, &packet(body));
    while session.is_running() {
        session.run(1000);
        said.extend(session.outbox(client));
    }
    bodies(&said).pop().unwrap_or_default()
}

fn monitor(session: &mut Session, client: ClientId, command: &str) {
    let hex: String = command.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(last_reply(session, client, format!("qRcmd,{hex}").as_bytes()), b"OK");
}

/// Catching user ECALLs needs a kernel: here it is two words, at the vector.
#[test]
fn ecalls_are_caught_at_entry_and_return() {
    let (mut session, client) = session_with_kernel(&[NOP, MRET]);
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

/// The user's own catches stop before the ECALL, in both directions.
#[test]
fn ecalls_are_caught_by_name_in_both_directions() {
    let (mut session, client) = session_with_kernel(&[NOP, MRET]);
    monitor(&mut session, client, "catch-ecall read write");
    let mut next = |body: &[u8]| {
        let reply = last_reply(&mut session, client, body);
        (reply, session.inferior().machine().hart.instructions)
    };
    let at_ecall = stopped("thread:01;", 0x2_0004);
    // A round is li, ECALL, nop and MRET of the kernel, nop, j.
    assert_eq!(next(b"vCont;c"), (at_ecall.clone(), 1));
    assert_eq!(next(b"vCont;c"), (at_ecall.clone(), 7));
    assert_eq!(next(b"vCont;c"), (at_ecall.clone(), 13));
    assert_eq!(next(b"bc"), (at_ecall.clone(), 7));
    assert_eq!(next(b"vCont;s").1, 10);
    assert_eq!(next(b"bc"), (at_ecall, 7));
}

/// TRAP-6: what goes wrong in the kernel is the ECALL's fault to the program, the kernel's to one who looks at it.
#[test]
fn a_fault_in_the_kernel_is_shown_where_it_matters() {
    let (mut session, client) = session_with_kernel(&[NOP, 0]);
    let mut fault = |body: &[u8]| {
        last_reply(&mut session, client, body);
        let pc = session.inferior().machine().hart.pc;
        (pc, matches!(session.inferior().last_stop, lockstep::gdb::Stop::Fault(_)))
    };
    assert_eq!(fault(b"vCont;c"), (0x2_0004, true));
    assert_eq!(fault(b"vCont;s"), (0x2_0004, true));
    let command: String = "kernel on".bytes().map(|byte| format!("{byte:02x}")).collect();
    fault(format!("qRcmd,{command}").as_bytes());
    assert_eq!(fault(b"vCont;c"), (0xC000_0004, true));
}
