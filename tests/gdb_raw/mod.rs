//! A client of a session that speaks the protocol itself: no socket is needed, a session is bytes in, replies out.

#![allow(dead_code)] // Each test uses a part.

use lockstep::ecall::NoHost;
use lockstep::gdb::{ClientId, Event, Framer, Inferior, Program, Session};
use lockstep::hart::{Hart, Machine};
use lockstep::map::Mode;
use lockstep::mem::Memory;
use lockstep::timeline::DEFAULT_BUDGET_BYTES;

/// A program that counts a0 up for ever, at 0x20000, and stores it at 0x30000.
pub fn machine() -> Machine {
    let mut machine = Machine { hart: Hart::new(0x2_0000, Mode::User), mem: Memory::new() };
    machine.set_word(0x2_0000, 0x0015_0513); // addi a0, a0, 1
    machine.set_word(0x2_0004, 0x00a5_a023); // sw a0, 0(a1)
    machine.set_word(0x2_0008, 0xff9f_f06f); // j 0x20000
    machine.hart.set_x(lockstep::isa::Reg::A1, 0x3_0000);
    machine
}

/// A session with [`machine`] and one client.
pub fn session() -> (Session, ClientId) {
    let elf = b"not much of a program".to_vec();
    let program = Program { path: "/program".to_owned(), elf, ..Program::default() };
    let mut session = Session::new(Inferior::new(program, machine(), Box::new(NoHost), DEFAULT_BUDGET_BYTES));
    let client = session.connect();
    (session, client)
}

/// Sends `bytes`, lets the program run if it was resumed, and returns what came back.
pub fn exchange(session: &mut Session, client: ClientId, bytes: &[u8]) -> Vec<u8> {
    session.receive(client, bytes);
    if session.is_running() {
        session.run(1000);
    }
    session.outbox(client)
}

/// The packet with `body`.
pub fn packet(body: &[u8]) -> Vec<u8> {
    let sum = body.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    [b"$", body, format!("#{sum:02x}").as_bytes()].concat()
}

/// The bodies of the packets in `bytes`, with runs written out.
pub fn bodies(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut framer = Framer::default();
    let events = bytes.iter().filter_map(|byte| framer.push(*byte));
    let sound = events.filter_map(|event| match event {
        Event::Packet { body, is_sound: true } => Some(expanded(&body)),
        Event::Packet { is_sound: false, .. } => panic!("a reply with a bad checksum"),
        _ => None,
    });
    sound.collect()
}

/// `x*n` is x and then n - 29 times more.
pub fn expanded(body: &[u8]) -> Vec<u8> {
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
