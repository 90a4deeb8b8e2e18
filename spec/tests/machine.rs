//! The specified machine, one clause at a time, on programs of a few words.

use lockstep_spec::memory::Memory;
use lockstep_spec::zkvm::{Cause, Fault, Host, Machine, Mode, Outcome, Trap};

const ECALL: u32 = 0x0000_0073;
const EBREAK: u32 = 0x0010_0073;
const MRET: u32 = 0x3020_0073;
const NOP: u32 = 0x0000_0013;

/// Delivers `input`, keeps what it takes, and lies about lengths by `lie`.
#[derive(Default)]
struct TestHost {
    input: Vec<u8>,
    output: Vec<u8>,
    lie: u32,
}

impl Host for TestHost {
    fn read(&mut self, _order: u64, _fd: u32, bytes: &mut [u8]) -> u32 {
        let count = bytes.len().min(self.input.len());
        bytes[..count].copy_from_slice(&self.input[..count]);
        count as u32 + self.lie
    }
    fn write(&mut self, _order: u64, _fd: u32, bytes: &[u8]) -> u32 {
        self.output.extend(bytes);
        bytes.len() as u32 + self.lie
    }
}

/// A machine at `pc` in `mode` with `program` there.
fn machine(mode: Mode, pc: u32, program: &[u32]) -> Machine {
    let mut memory = Memory::new();
    for (i, &word) in program.iter().enumerate() {
        memory.set_word(pc + 4 * i as u32, word);
    }
    memory.set_word(0xFFFF_0210, pc);
    memory.set_word(0xFFFF_0214, mode as u32);
    Machine::new(memory).expect("the image starts")
}

fn fault_of(machine: &mut Machine) -> Fault {
    match machine.step(&mut TestHost::default()) {
        Outcome::Faulted(fault) => fault,
        other => panic!("no fault: {other:?}"),
    }
}

/// lw x5, 0(x6).
const LW: u32 = 0x0003_2283;
/// sh x5, 0(x6).
const SH: u32 = 0x0053_1023;

fn access(mode: Mode, word: u32, addr: u32) -> Option<Cause> {
    let mut machine = machine(mode, 0x1_0000, &[word]);
    machine.set_x(6, addr);
    match machine.step(&mut TestHost::default()) {
        Outcome::Faulted(fault) => {
            assert_eq!(fault.trap.addr, addr);
            Some(fault.trap.cause)
        }
        _ => None,
    }
}

/// MAP-1 to MAP-5, MEM-3, MEM-4.
#[test]
fn regions_come_before_alignment() {
    use Cause::*;
    assert_eq!(access(Mode::User, LW, 0xFFFE), Some(LoadAccessFault));
    assert_eq!(access(Mode::User, LW, 0x1_0002), Some(LoadAddressMisaligned));
    assert_eq!(access(Mode::User, LW, 0xBFFF_FFFC), None);
    assert_eq!(access(Mode::User, LW, 0xC000_0000), Some(LoadAccessFault));
    assert_eq!(access(Mode::User, SH, 0xFF00_0001), Some(StoreAccessFault));
    assert_eq!(access(Mode::Machine, SH, 0xFFFF_FFFF), Some(StoreAddressMisaligned));
    assert_eq!(access(Mode::Machine, SH, 0x0000_0000), Some(StoreAccessFault));
    assert_eq!(access(Mode::Machine, LW, 0xFFFF_FFFC), None);
}

/// MODE-1.
#[test]
fn bad_images_do_not_start() {
    for (pc, mode) in [(0xFFFC, 1), (0x1_0002, 1), (0x1_0000, 2)] {
        let mut memory = Memory::new();
        memory.set_word(0xFFFF_0210, pc);
        memory.set_word(0xFFFF_0214, mode);
        assert!(Machine::new(memory).is_none(), "{pc:#x} {mode}");
    }
}

/// MODE-2, MODE-3, MODE-4, MAP-6, MAP-8, MAP-13.
#[test]
fn a_user_ecall_enters_the_kernel_and_mret_returns() {
    let mut m = machine(Mode::User, 0x1_0000, &[ECALL, NOP]);
    m.memory.set_word(0xFFFF_1000, 0xC000_0000);
    m.memory.set_word(0xC000_0000, MRET);
    m.set_x(5, 77);
    m.step(&mut TestHost::default());
    assert_eq!((m.pc, m.mode, m.x(5)), (0xC000_0000, Mode::Machine, 0));
    assert_eq!(m.memory.word(0xFFFF_0200), 0x1_0000);
    assert_eq!(m.memory.word(0xFFFF_0080 + 4 * 5), 77);
    m.step(&mut TestHost::default());
    assert_eq!((m.pc, m.mode, m.instructions), (0x1_0004, Mode::User, 2));
}

/// MODE-5, MODE-6, TRAP-2 to TRAP-6, MAP-14, MAP-15.
#[test]
fn user_faults_go_to_the_trap_vector_or_end_the_run() {
    let faults = [
        (ECALL, Cause::EnvironmentCallFromUserMode, 0x1_0000),
        (EBREAK, Cause::Breakpoint, 0x1_0000),
        (MRET, Cause::IllegalInstruction, MRET),
    ];
    for (word, cause, addr) in faults {
        let mut m = machine(Mode::User, 0x1_0000, &[word]);
        let expected = Fault { trap: Trap { cause, addr }, pc: 0x1_0000, mode: Mode::User, user_pc: Some(0x1_0000) };
        assert_eq!(fault_of(&mut m), expected);
        assert_eq!((m.pc, m.instructions), (0x1_0000, 0));
        m.memory.set_word(0xFFFF_2000, 0xBFFF_FFFC);
        assert_eq!(fault_of(&mut m), expected, "a vector outside kernel memory");
        m.memory.set_word(0xFFFF_2000, 0xC000_0010);
        m.step(&mut TestHost::default());
        assert_eq!((m.pc, m.mode, m.memory.word(0xFFFF_0200)), (0xC000_0010, Mode::Machine, 0x1_0000));
        // The kernel's own fault still names the user instruction.
        m.memory.set_word(0xC000_0010, 0);
        assert_eq!(fault_of(&mut m).user_pc, Some(0x1_0000));
    }
}

/// ISA-13: the jump raises and writes nothing; TRAP-2.
#[test]
fn a_misaligned_jump_writes_nothing() {
    // jalr x1, 0(x6)
    let mut m = machine(Mode::Machine, 0x1_0000, &[0x0003_00E7]);
    m.set_x(6, 0x2_0002);
    let fault = fault_of(&mut m);
    assert_eq!(fault.trap, Trap { cause: Cause::InstructionAddressMisaligned, addr: 0x2_0002 });
    assert_eq!(m.x(1), 0);
}

/// ISA-6, MAP-7: x0 has a sink, and its window is plain memory.
#[test]
fn x0_reads_zero_and_writes_to_its_sink() {
    // addi x0, x0, 5; addi x7, x0, 1
    let mut m = machine(Mode::Machine, 0x1_0000, &[0x0050_0013, 0x0010_0393]);
    m.memory.set_word(0xFFFF_0000, 99);
    m.step(&mut TestHost::default());
    m.step(&mut TestHost::default());
    assert_eq!((m.memory.word(0xFFFF_0100), m.x(7), m.x(0)), (5, 1, 0));
}

/// MEM-5: a store to code is seen by the next fetch.
#[test]
fn code_can_be_stored() {
    // sw x5, 4(x6); then whatever it stored: addi x7, x0, 1
    let mut m = machine(Mode::Machine, 0x1_0000, &[0x0053_2223, 0]);
    m.set_x(5, 0x0010_0393);
    m.set_x(6, 0x1_0000);
    m.step(&mut TestHost::default());
    m.step(&mut TestHost::default());
    assert_eq!(m.x(7), 1);
}

fn call(number: u32, a0: u32, a1: u32, a2: u32, host: &mut TestHost) -> (Machine, Outcome) {
    let mut m = machine(Mode::Machine, 0x1_0000, &[ECALL]);
    for (register, value) in [(17, number), (10, a0), (11, a1), (12, a2)] {
        m.set_x(register, value);
    }
    let outcome = m.step(host);
    (m, outcome)
}

/// ECALL-3, ECALL-4, ECALL-8, TIME-2.
#[test]
fn the_host_is_asked_and_not_trusted() {
    let mut host = TestHost { input: b"hello".to_vec(), lie: 0, ..TestHost::default() };
    let (m, _) = call(1, 0, 0x2_0001, 9, &mut host);
    assert_eq!((m.x(10), m.cycles, m.pc), (5, 3, 0x1_0004));
    assert_eq!(m.memory.word(0x2_0004).to_le_bytes(), *b"lo\0\0");
    host.lie = 1000;
    let (m, _) = call(1, 0, 0x2_0000, 6, &mut host);
    assert_eq!(m.x(10), 6);
    let (m, _) = call(2, 1, 0x2_0000, 4, &mut host);
    assert_eq!((m.x(10), host.output.len()), (4, 4));
}

/// ECALL-5 to ECALL-7, ECALL-9.
#[test]
fn refused_calls_name_what_was_wrong() {
    let refused = |number, a0, a1, a2, addr| {
        let (m, outcome) = call(number, a0, a1, a2, &mut TestHost::default());
        let Outcome::Faulted(fault) = outcome else { panic!("not refused: {outcome:?}") };
        assert_eq!(fault.trap, Trap { cause: Cause::EnvironmentCallFromMachineMode, addr });
        assert_eq!(m.instructions, 0);
    };
    refused(3, 0, 0, 0, 3);
    refused(99, 0, 0, 0, 99);
    refused(1, 0, 0x2_0000, 1025, 1025);
    refused(2, 1, 0xFFFF, 1, 0xFFFF);
    refused(2, 1, 0xFFFE_FFFF, 2, 0xFFFE_FFFF);
    refused(1, 0, 0xFFFF_FFFF, 2, 0xFFFF_FFFF);
    refused(0, 0x0007_0002, 0, 0, 0x0007_0002);
    let (m, _) = call(1, 0, 0, 0, &mut TestHost::default());
    assert_eq!(m.instructions, 1, "with length 0 the pointer does not matter");
}

/// ECALL-2.
#[test]
fn terminate_ends_the_run() {
    for (a0, halt, pc) in [(0x0007_0000, 0, 0x1_0000), (0x0007_0001, 1, 0x1_0004)] {
        let (m, outcome) = call(0, a0, 0, 0, &mut TestHost::default());
        assert!(matches!(outcome, Outcome::Terminated { halt: h, user_exit: 7, .. } if h == halt));
        assert_eq!((m.pc, m.instructions), (pc, 1));
    }
}
