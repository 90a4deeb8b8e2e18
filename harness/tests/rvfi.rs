//! The RVFI-DII client against stand-ins: right, wrong, dead and silent simulators.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Duration;

use lockstep::isa::{Insn, Op, Reg, encode};
use lockstep_harness::machine::Failure;
use lockstep_harness::machines::rvfi::{Client, Ours, Record, difference};

/// Answers each instruction with what `spoil` makes of our own record, until it returns `None` and hangs up.
fn stand_in(mut spoil: impl FnMut(Record) -> Option<Record> + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut ours = Ours::default();
        let mut request = [0; 8];
        while stream.read_exact(&mut request).is_ok() {
            let insn = u32::from_le_bytes([request[0], request[1], request[2], request[3]]);
            let record =
                if request[6] == 0 { Record { is_halt: true, ..Record::default() } } else { ours.execute(insn) };
            match spoil(record) {
                Some(record) => stream.write_all(&record.answer()).expect("the client listens"),
                None => return,
            }
        }
    });
    port
}

fn insn(op: Op, rd: u32, rs1: u32, rs2: u32, imm: i32) -> u32 {
    encode(&Insn { op, rd: Reg::new(rd), rs1: Reg::new(rs1), rs2: Reg::new(rs2), imm })
}

fn program() -> Vec<u32> {
    vec![
        insn(Op::Lui, 5, 0, 0, 0x0003_0000),
        insn(Op::Addi, 6, 5, 0, -3),
        insn(Op::Sw, 0, 5, 6, 4),
        insn(Op::Lb, 7, 5, 0, 5),
        insn(Op::Sb, 0, 5, 7, 9),
        insn(Op::Beq, 0, 6, 6, 16),
        insn(Op::Jal, 1, 0, 0, -8),
        insn(Op::Mulhu, 8, 6, 6, 0),
        insn(Op::Sltu, 0, 6, 6, 0),
        insn(Op::Lw, 9, 5, 0, 2),
    ]
}

const PATIENCE: Duration = Duration::from_millis(300);

fn client(port: u16) -> Client {
    Client::connect("stand-in", port, PATIENCE).expect("the stand-in listens")
}

#[test]
fn a_simulator_that_agrees_has_no_difference() {
    assert_eq!(difference(&mut client(stand_in(Some)), &program()), Ok(None));
}

/// Each field that is compared, wrong once, is named with its instruction.
#[test]
fn each_wrong_field_is_found_where_it_is() {
    let check = |insn: u32, field: &str, spoil: fn(&mut Record)| {
        let port = stand_in(move |mut record| {
            if record.insn == insn {
                spoil(&mut record);
            }
            Some(record)
        });
        let found = difference(&mut client(port), &program()).expect("it lives").expect("a difference");
        assert!(found.contains(field) && found.contains("stand-in"), "{field}: {found}");
    };
    let program = program();
    check(program[1], "the value of rd", |record| record.rd_value ^= 1);
    check(program[1], "rd is", |record| record.rd = 7);
    check(program[2], "the data written", |record| record.wdata ^= 0x100);
    check(program[3], "the address", |record| record.mem_addr += 1);
    check(program[3], "the read mask", |record| record.rmask = 3);
    check(program[4], "the write mask", |record| record.wmask = 3);
    check(program[5], "next pc", |record| record.next_pc = record.pc + 4);
    check(program[7], "trap", |record| record.is_trap = true);
}

/// A write to x0, and data beyond the mask, are nobody's business.
#[test]
fn what_nobody_can_see_is_not_compared() {
    let port = stand_in(|record| {
        let wdata = if record.wmask == 1 { record.wdata | 0xabcd_ef00 } else { record.wdata };
        let rd_value = if record.rd == 0 { 0x5555 } else { record.rd_value };
        Some(Record { wdata, rd_value, ..record })
    });
    assert_eq!(difference(&mut client(port), &program()), Ok(None));
}

#[test]
fn a_simulator_that_dies_is_a_named_failure() {
    let mut left = 4;
    let port = stand_in(move |record| {
        left -= 1;
        (left > 0).then_some(record)
    });
    let failure = difference(&mut client(port), &program()).expect_err("it died");
    assert!(matches!(&failure, Failure::Died(text) if text.contains("stand-in")), "{failure}");
}

#[test]
fn a_simulator_that_is_silent_is_a_named_failure() {
    let port = stand_in(|record| {
        if record.insn == program()[2] {
            thread::sleep(4 * PATIENCE);
        }
        Some(record)
    });
    let failure = difference(&mut client(port), &program()).expect_err("it hangs");
    assert!(matches!(&failure, Failure::Hung(text) if text.contains("no answer")), "{failure}");
}

#[test]
fn a_port_where_nobody_listens_is_a_named_failure() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a port");
    let failure = Client::connect("stand-in", free.port(), PATIENCE).err().expect("nobody is there");
    assert!(matches!(&failure, Failure::Start(text) if text.contains("nobody listens")), "{failure}");
}
