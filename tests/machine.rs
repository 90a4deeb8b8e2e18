//! The clauses of spec/SPEC.md beyond single instructions: a program in, a state out.

use lockstep::ecall::{Halt, Host, NoHost};
use lockstep::exec::{Engine, Exit, Step, Until};
use lockstep::hart::{Machine, StartError};
use lockstep::isa::{Insn, Op, Reg, encode};
use lockstep::map::{self, Addr, Mode};
use lockstep::mem::Memory;
use lockstep::trace::Retired;
use lockstep::trap::Cause;

const CODE: Addr = 0x0001_0000;
const KERNEL: Addr = 0xC000_0000;
const DATA: Addr = 0x0002_0000;

/// Runs `code` in machine mode with a0 = `a0`, then says how it ended and what a0 and a1 hold.
#[track_caller]
fn check(code: &[u32], a0: u32, ended: Ended, wanted: (u32, u32)) {
    let mut machine = start(Mode::Machine, code);
    machine.hart.set_x(Reg::A0, a0);
    let exit = run(&mut machine, &mut NoHost);
    assert_eq!(Ended::of(exit), ended);
    assert_eq!((machine.hart.x(Reg::A0), machine.hart.x(Reg::A1)), wanted, "a0, a1");
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Halted(u16),
    Paused(u16),
    /// Cause and address.
    Fault(Cause, u32),
}

impl Ended {
    fn of(exit: Exit) -> Ended {
        match exit {
            Exit::Terminated { halt: Halt::Halted, user_exit } => Ended::Halted(user_exit),
            Exit::Terminated { halt: Halt::Paused, user_exit } => Ended::Paused(user_exit),
            Exit::Fault(fault) => Ended::Fault(fault.cause, fault.addr),
            other => panic!("the program did not end: {other:?}"),
        }
    }
}

/// ISA-6: x0 reads 0, and a value for x0 goes to the sink (MAP-7).
#[test]
fn x0_reads_zero() {
    check(&[addi(0, 10, 5), r(Op::Add, 11, 0, 0), li(10, 0), ECALL], 7, Ended::Halted(0), (0, 0));
    let mut machine = start(Mode::Machine, &[addi(0, 10, 5), EBREAK]);
    machine.hart.set_x(Reg::A0, 7);
    run(&mut machine, &mut NoHost);
    assert_eq!(machine.word(map::MACHINE_SINK), 12);
    assert_eq!(machine.word(map::MACHINE_REGS), 0);
}

/// ISA-5, TRAP-4: EBREAK ends the run where no kernel takes it; pc stays and it is no step.
#[test]
fn ebreak_stops_at_itself() {
    let mut machine = start(Mode::Machine, &[NOP, EBREAK, NOP]);
    let Exit::Fault(fault) = run(&mut machine, &mut NoHost) else { panic!("no fault") };
    assert_eq!((fault.cause, fault.pc, fault.addr, fault.mode), (Cause::Breakpoint, CODE + 4, CODE + 4, Mode::Machine));
    assert_eq!((machine.hart.pc, machine.hart.instructions, machine.hart.cycles), (CODE + 4, 1, 1));
}

/// ISA-11: rs1 is read before rd is written, and bit 0 of the target is cleared.
#[test]
fn jalr_reads_its_base_before_it_links() {
    check(
        &[i(Op::Jalr, 10, 10, 1), EBREAK, EBREAK],
        CODE + 8,
        Ended::Fault(Cause::Breakpoint, CODE + 8),
        (CODE + 4, 0),
    );
}

/// ISA-13, TRAP-2: a misaligned target traps at the jump, and rd keeps its value.
#[test]
fn a_misaligned_jump_changes_nothing() {
    let misaligned = |target| Ended::Fault(Cause::InstructionAddressMisaligned, target);
    check(&[i(Op::Jalr, 11, 10, 2), EBREAK], CODE, misaligned(CODE + 2), (CODE, 0));
    check(&[jal(11, 6)], 9, misaligned(CODE + 6), (9, 0));
    check(&[b(Op::Beq, 0, 0, 10)], 9, misaligned(CODE + 10), (9, 0));
    // A branch that is not taken does not look at its target.
    check(&[b(Op::Bne, 0, 0, 10), EBREAK], 9, Ended::Fault(Cause::Breakpoint, CODE + 4), (9, 0));
}

/// ISA-13, MAP-5: the jump does not check the region of its target: it retires, and the fetch faults.
#[test]
fn a_jump_into_the_void_retires() {
    let mut machine = start(Mode::Machine, &[i(Op::Jalr, 1, 0, 16)]);
    let Exit::Fault(fault) = run(&mut machine, &mut NoHost) else { panic!("no fault") };
    assert_eq!((fault.cause, fault.pc, fault.addr), (Cause::InstructionAccessFault, 16, 16));
    assert_eq!((machine.hart.instructions, machine.hart.x(Reg::RA)), (1, CODE + 4));
}

/// ISA-17, MEM-6: instructions execute one at a time and in program order, with nothing in between.
#[test]
fn steps_follow_each_other() {
    let code = [li(10, 3), addi(10, 10, -1), b(Op::Bne, 10, 0, -4), r(Op::Mul, 11, 10, 10), EBREAK];
    let mut machine = start(Mode::Machine, &code);
    let mut steps: Vec<Retired> = Vec::new();
    Step::new().run(&mut machine, &mut NoHost, Until::order(LIMIT), &mut steps);
    let path: Vec<u32> = steps.iter().map(|step| (step.pc - CODE) / 4).collect();
    assert_eq!(path, [0, 1, 2, 1, 2, 1, 2, 3]);
    assert!(steps.windows(2).all(|pair| pair[0].next_pc == pair[1].pc && pair[0].order + 1 == pair[1].order));
}

/// MEM-1, MEM-2, ISA-14: memory is little-endian, and starts as zeros.
#[test]
fn memory_is_little_endian() {
    let mut machine =
        start(Mode::Machine, &[s(Op::Sw, 10, 11, 0), i(Op::Lbu, 12, 10, 1), i(Op::Lh, 13, 10, 2), EBREAK]);
    machine.hart.set_x(Reg::A0, DATA);
    machine.hart.set_x(Reg::A1, 0x89ab_cdef);
    run(&mut machine, &mut NoHost);
    assert_eq!((machine.hart.x(Reg::new(12)), machine.hart.x(Reg::new(13))), (0xcd, 0xffff_89ab));
    assert_eq!((machine.byte(DATA), machine.byte(DATA + 3), machine.word(DATA + 4)), (0xef, 0x89, 0));
}

/// MEM-3, MEM-4: the region comes before the alignment.
#[test]
fn misaligned_accesses_fault() {
    let fault = Ended::Fault;
    check(&[i(Op::Lw, 11, 10, 2)], DATA, fault(Cause::LoadAddressMisaligned, DATA + 2), (DATA, 0));
    check(&[i(Op::Lhu, 11, 10, 1)], DATA, fault(Cause::LoadAddressMisaligned, DATA + 1), (DATA, 0));
    check(&[s(Op::Sh, 10, 10, 3)], DATA, fault(Cause::StoreAddressMisaligned, DATA + 3), (DATA, 0));
    check(&[s(Op::Sw, 10, 10, 1)], DATA, fault(Cause::StoreAddressMisaligned, DATA + 1), (DATA, 0));
    check(&[i(Op::Lw, 11, 10, 1)], 0xfff0, fault(Cause::LoadAccessFault, 0xfff1), (0xfff0, 0));
    check(&[s(Op::Sh, 10, 10, 1)], 0, fault(Cause::StoreAccessFault, 1), (0, 0));
}

/// MEM-5, MEM-7: a store to code is seen by the next fetch.
#[test]
fn code_can_change_itself() {
    let code = [s(Op::Sw, 10, 11, 8), NOP, EBREAK, EBREAK];
    let mut machine = start(Mode::Machine, &code);
    machine.hart.set_x(Reg::A0, CODE);
    machine.hart.set_x(Reg::A1, addi(11, 0, 77));
    assert_eq!(Ended::of(run(&mut machine, &mut NoHost)), Ended::Fault(Cause::Breakpoint, CODE + 12));
    assert_eq!(machine.hart.x(Reg::A1), 77);
}

/// MEM-8: memory is paid for by the page touched; reading is free.
#[test]
fn memory_grows_by_the_page() {
    let code = [i(Op::Lw, 11, 10, 0), s(Op::Sw, 10, 11, 0), s(Op::Sw, 10, 11, 1020), s(Op::Sw, 10, 11, 1024), EBREAK];
    let mut machine = start(Mode::Machine, &code);
    let before = machine.mem.page_count();
    machine.hart.set_x(Reg::A0, 0x8000_0000);
    let mut grown = Vec::new();
    for order in 1..=4 {
        Step::new().run(&mut machine, &mut NoHost, Until::order(order), &mut ());
        grown.push(machine.mem.page_count() - before);
    }
    assert_eq!(grown, [0, 1, 1, 2]);
}

/// MAP-1 to MAP-5: what each mode may load, at every edge of the map.
#[test]
fn edges_of_the_map() {
    let ends = |mode, addr, word, denied| {
        let mut machine = start(mode, &[word, EBREAK]);
        machine.hart.file_mut(mode)[10] = addr;
        let Exit::Fault(fault) = run(&mut machine, &mut NoHost) else { panic!("no fault") };
        assert!(fault.cause == Cause::Breakpoint || (fault.cause, fault.addr) == (denied, addr), "{fault}");
        fault.cause == Cause::Breakpoint
    };
    let check = |mode, addr, is_allowed| {
        assert_eq!(ends(mode, addr, i(Op::Lbu, 11, 10, 0), Cause::LoadAccessFault), is_allowed, "load {addr:#x}");
        assert_eq!(ends(mode, addr, s(Op::Sb, 10, 0, 0), Cause::StoreAccessFault), is_allowed, "store {addr:#x}");
    };
    for (addr, user, machine) in [
        (0x0000_0000, false, false),
        (0x0000_FFFF, false, false),
        (0x0001_0000, true, true),
        (0xBFFF_FFFF, true, true),
        (0xC000_0000, false, true),
        (0xFEFF_FFFF, false, true),
        (0xFF00_0000, false, true),
        (0xFFFF_FFFF, false, true),
    ] {
        check(Mode::User, addr, user);
        check(Mode::Machine, addr, machine);
    }
}

/// MAP-6: the registers of both modes are memory.
#[test]
fn registers_are_memory() {
    let mut machine = start(Mode::Machine, &[s(Op::Sw, 10, 11, 0x80 + 20), s(Op::Sh, 10, 11, 4 * 12), EBREAK]);
    machine.hart.set_x(Reg::A0, map::MACHINE_REGS);
    machine.hart.set_x(Reg::A1, 0x1234_5678);
    run(&mut machine, &mut NoHost);
    assert_eq!(machine.hart.file(Mode::User)[5], 0x1234_5678);
    assert_eq!(machine.hart.x(Reg::A2), 0x5678);
    assert_eq!(machine.word(map::MACHINE_REGS + 4 * 11), 0x1234_5678);
}

/// MAP-6, MEM-1: many bytes are read and written as one is, at any alignment, in the registers and around the end.
#[test]
fn many_bytes_are_as_single_ones() {
    for start in [0x0002_0000, map::MACHINE_REGS - 9, 0xFFFF_FFF7_u32] {
        for (offset, length) in (0..5).flat_map(|offset| (0..40).map(move |length| (offset, length))) {
            let addr = start.wrapping_add(offset);
            let data: Vec<u8> = (0..length).map(|i| (37 * i + offset + 1) as u8).collect();
            let mut machines = [start_of_bytes(), start_of_bytes()];
            machines[0].write_bytes(addr, &data);
            (0..).zip(&data).for_each(|(i, byte)| machines[1].set_byte(addr.wrapping_add(i), *byte));
            assert_eq!(machines[0].digest(), machines[1].digest(), "{length} bytes at {addr:#x}");
            let mut read = vec![0; data.len()];
            machines[0].read_bytes(addr, &mut read);
            let singly: Vec<u8> = (0..length).map(|i| machines[0].byte(addr.wrapping_add(i))).collect();
            assert_eq!(read, singly, "{length} bytes at {addr:#x}");
        }
    }
}

/// A machine whose memory is not all zeros.
fn start_of_bytes() -> Machine {
    let mut machine = start(Mode::Machine, &[EBREAK; 64]);
    (0..31).for_each(|i| machine.set_word(map::MACHINE_REGS + 4 * i, 0x0101_0101 * i));
    machine
}

/// MAP-9, MODE-1: a run starts at the suspend pc in the suspend mode, with the registers of the image.
#[test]
fn a_run_starts_from_the_suspend_words() {
    let image = |pc, mode| {
        let mut memory = Memory::new();
        memory.set_word(0xFFFF_0210, pc);
        memory.set_word(0xFFFF_0214, mode);
        memory.set_word(0xFFFF_0080 + 4 * 7, 77);
        Machine::from_image(memory)
            .map(|machine| (machine.hart.pc, machine.hart.mode, machine.hart.file(Mode::User)[7]))
    };
    assert_eq!(image(0x0001_0000, 0), Ok((0x0001_0000, Mode::User, 77)));
    assert_eq!(image(0xC000_0004, 1), Ok((0xC000_0004, Mode::Machine, 77)));
    assert_eq!(image(0x0000_FFFC, 1), Err(StartError::Pc(0x0000_FFFC)));
    assert_eq!(image(0x0001_0002, 1), Err(StartError::Pc(0x0001_0002)));
    assert_eq!(image(0x0001_0000, 2), Err(StartError::Mode(2)));
}

/// MAP-10, MAP-11, MAP-12: these cells are where v2 has them, read 0 at the start, and keep what is stored.
#[test]
fn system_cells_are_words_of_memory() {
    let cells = [0xFFFF_0218, 0xFFFF_021C, 0xFFFF_0240, 0xFFFF_025C, 0xFFFF_0260, 0xFFFF_027C, 0xFFFF_0300];
    assert_eq!((map::SUSPEND_CYCLE_LOW, map::SUSPEND_CYCLE_HIGH), (cells[0], cells[1]));
    assert_eq!((map::OUTPUT_DIGEST, map::INPUT_DIGEST, map::VERSION_WORD), (cells[2], cells[4], cells[6]));
    for cell in cells {
        let mut machine =
            start(Mode::Machine, &[i(Op::Lw, 12, 10, 0), s(Op::Sw, 10, 11, 0), i(Op::Lw, 13, 10, 0), EBREAK]);
        machine.hart.set_x(Reg::A0, cell);
        machine.hart.set_x(Reg::A1, 0xfeed_f00d);
        run(&mut machine, &mut NoHost);
        assert_eq!((machine.hart.x(Reg::A2), machine.hart.x(Reg::new(13))), (0, 0xfeed_f00d), "{cell:#x}");
    }
}

/// MAP-8, MAP-13, MODE-2, MODE-3, MODE-4: a user ECALL to the kernel and back.
#[test]
fn an_ecall_visits_the_kernel() {
    let mut machine = start(Mode::User, &[li(10, 5), ECALL, addi(10, 10, 1), EBREAK]);
    code_at(&mut machine, KERNEL + 8, &[li(10, 99), MRET]);
    machine.set_word(map::ECALL_VECTOR, KERNEL + 8);
    let mut steps: Vec<Retired> = Vec::new();
    let exit = Step::new().run(&mut machine, &mut NoHost, Until::order(LIMIT), &mut steps);
    let Exit::Fault(fault) = exit else { panic!("no fault") };
    assert_eq!((fault.cause, fault.mode, fault.pc), (Cause::Breakpoint, Mode::User, CODE + 12));
    assert_eq!(machine.word(map::MEPC), CODE + 4);
    assert_eq!((machine.hart.file(Mode::User)[10], machine.hart.file(Mode::Machine)[10]), (6, 99));
    let modes: Vec<(Mode, Option<Cause>)> = steps.iter().map(|step| (step.mode, step.trap)).collect();
    let (user, kernel) = ((Mode::User, None), (Mode::Machine, None));
    assert_eq!(modes, [user, (Mode::User, Some(Cause::UserEcall)), kernel, kernel, user]);
}

/// MODE-5, MODE-6: MRET and ECALL in user mode without a kernel.
#[test]
fn user_mode_alone() {
    let check = |word, cause, addr| {
        let exit = run(&mut start(Mode::User, &[word]), &mut NoHost);
        assert_eq!(Ended::of(exit), Ended::Fault(cause, addr));
    };
    check(MRET, Cause::IllegalInstruction, MRET);
    check(ECALL, Cause::UserEcall, CODE);
}

/// MODE-6, MAP-15: an ECALL whose vector is not valid goes to the trap vector.
#[test]
fn an_ecall_falls_back_to_the_trap_vector() {
    let check = |vector, wanted| {
        let mut machine = start(Mode::User, &[ECALL]);
        code_at(&mut machine, KERNEL, &[EBREAK, NOP, EBREAK]);
        machine.set_word(map::ECALL_VECTOR, vector);
        machine.set_word(map::TRAP_VECTOR, KERNEL + 8);
        let Exit::Fault(fault) = run(&mut machine, &mut NoHost) else { panic!("no fault") };
        assert_eq!((fault.mode, fault.pc, fault.user_pc), (Mode::Machine, wanted, Some(CODE)), "{vector:#x}");
    };
    check(KERNEL, KERNEL);
    for vector in [0, CODE, KERNEL + 2, 0xBFFF_FFFC, 0xFF00_0000, 0xFFFF_1000] {
        check(vector, KERNEL + 8);
    }
}

/// MAP-14, TRAP-2, TRAP-3, TRAP-6: a user fault enters the kernel, which finds MEPC and nothing else changed.
#[test]
fn a_user_fault_enters_the_kernel() {
    let mut machine = start(Mode::User, &[li(11, 9), i(Op::Lw, 11, 0, 0)]);
    code_at(&mut machine, KERNEL, &[s(Op::Sw, 0, 0, 0)]);
    machine.set_word(map::TRAP_VECTOR, KERNEL);
    let Exit::Fault(fault) = run(&mut machine, &mut NoHost) else { panic!("no fault") };
    assert_eq!((fault.cause, fault.pc, fault.mode), (Cause::StoreAccessFault, KERNEL, Mode::Machine));
    assert_eq!(fault.user_pc, Some(CODE + 4));
    assert_eq!(machine.word(map::MEPC), CODE + 4);
    assert_eq!((machine.hart.file(Mode::User)[11], machine.hart.instructions), (9, 2));
}

/// TRAP-1: the numbers are those of `mcause`.
#[test]
fn causes_have_the_manuals_numbers() {
    let numbers: Vec<u32> = Cause::ALL.iter().map(|cause| cause.number()).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 11]);
}

/// TRAP-5: what the report's address is for an illegal instruction, and that of TRAP-7's first check.
#[test]
fn the_report_names_the_word() {
    check(&[0xffff_ffff], 1, Ended::Fault(Cause::IllegalInstruction, 0xffff_ffff), (1, 0));
    check(&[i(Op::Jalr, 0, 0, 4)], 1, Ended::Fault(Cause::InstructionAccessFault, 4), (1, 0));
}

/// ECALL-1, ECALL-2, ECALL-9: terminate.
#[test]
fn terminate_ends_the_run() {
    check(&[ECALL, NOP], 0x0102_0000, Ended::Halted(0x0102), (0x0102_0000, 0));
    check(&[ECALL, NOP], 0x0102_0001, Ended::Paused(0x0102), (0x0102_0001, 0));
    check(&[ECALL, NOP], 0x0102_0002, Ended::Fault(Cause::MachineEcall, 0x0102_0002), (0x0102_0002, 0));
    let pc_after = |a0| {
        let mut machine = start(Mode::Machine, &[NOP, ECALL]);
        machine.hart.set_x(Reg::A0, a0);
        run(&mut machine, &mut NoHost);
        (machine.hart.pc, machine.hart.instructions)
    };
    assert_eq!((pc_after(0), pc_after(1)), ((CODE + 4, 2), (CODE + 8, 2)));
}

/// ECALL-6: numbers that the machine does not serve.
#[test]
fn unknown_services_are_refused() {
    for number in [6, 93, 2047] {
        let refused = Ended::Fault(Cause::MachineEcall, number);
        check(&[li(17, number as i32), ECALL], 1, refused, (1, 0));
    }
}

/// A host that reads `0, 1, 2, ...`, claims `extra` more than it did, and takes `takes` bytes at most.
struct CountingHost {
    extra: u32,
    takes: u32,
}

impl Host for CountingHost {
    fn read(&mut self, _order: u64, _fd: u32, bytes: &mut [u8]) -> u32 {
        bytes.iter_mut().zip((0..=u8::MAX).cycle()).for_each(|(byte, value)| *byte = value);
        bytes.len() as u32 + self.extra
    }

    fn write(&mut self, _order: u64, _fd: u32, bytes: &[u8]) -> u32 {
        self.takes.min(bytes.len() as u32) + self.extra
    }
}

/// ECALL-3, ECALL-4, ECALL-7, ECALL-8, TIME-2: read and write, what they return and what they cost.
#[test]
fn read_and_write() {
    let check = |number, (pointer, len): (Addr, u32), extra, takes, wanted: Result<(u32, u64), u32>| {
        let mut machine = start(Mode::Machine, &[ECALL, EBREAK]);
        for (reg, value) in [(17, number), (10, 0), (11, pointer), (12, len)] {
            machine.hart.set_x(Reg::new(reg), value);
        }
        let exit = run(&mut machine, &mut CountingHost { extra, takes });
        let got = match Ended::of(exit) {
            Ended::Fault(Cause::MachineEcall, addr) => Err(addr),
            _ => Ok((machine.hart.x(Reg::A0), machine.hart.cycles - 1)),
        };
        assert_eq!(got, wanted, "service {number}, {len} bytes at {pointer:#x}");
        machine
    };
    let (read, write) = (1, 2);
    // One cycle more than the ECALL itself for each word or part of a word.
    let machine = check(read, (DATA + 1, 6), 0, 0, Ok((6, 2)));
    assert_eq!((machine.word(DATA), machine.word(DATA + 4)), (0x0201_0000, 0x0005_0403));
    check(read, (DATA, 1024), 0, 0, Ok((1024, 256)));
    check(read, (0, 0), 0, 0, Ok((0, 0)));
    check(read, (DATA, 4), 100, 0, Ok((4, 1)));
    check(write, (DATA, 9), 0, 5, Ok((5, 2)));
    check(write, (DATA, 9), 100, 9, Ok((9, 3)));
    check(write, (0xFFFE_FC00, 1024), 0, 1024, Ok((1024, 256)));
    for service in [read, write] {
        check(service, (DATA, 1025), 0, 0, Err(1025));
        check(service, (0xFFFF, 2), 0, 0, Err(0xFFFF));
        check(service, (0xFFFE_FFFF, 2), 0, 0, Err(0xFFFE_FFFF));
        check(service, (0xFFFF_0000, 4), 0, 0, Err(0xFFFF_0000));
        check(service, (0xFFFF_FFFF, 1024), 0, 0, Err(0xFFFF_FFFF));
    }
}

/// TIME-1, TIME-3: steps are counted from 0, and the same start gives the same digest after every one of them.
#[test]
fn a_run_repeats() {
    let code = [li(10, 40), addi(10, 10, -1), s(Op::Sw, 2, 10, 0), b(Op::Bne, 10, 0, -8), ECALL];
    let digests = || {
        let mut machine = start(Mode::Machine, &code);
        machine.hart.set_x(Reg::SP, DATA);
        let mut digests = Vec::new();
        for order in 0.. {
            assert_eq!(machine.hart.instructions, order);
            digests.push(machine.digest());
            if Step::new().run(&mut machine, &mut NoHost, Until::order(order + 1), &mut ()) != Exit::Order {
                return digests;
            }
        }
        unreachable!("the program ends")
    };
    let (first, second) = (digests(), digests());
    assert_eq!(first.len(), 1 + 3 * 40 + 1);
    assert_eq!(first, second);
    assert!(first.windows(2).all(|pair| pair[0] != pair[1]), "every step changes at least pc");
}

const NOP: u32 = 0x0000_0013;
const ECALL: u32 = 0x0000_0073;
const EBREAK: u32 = 0x0010_0073;
const MRET: u32 = 0x3020_0073;

/// More steps than any program here makes.
const LIMIT: u64 = 1_000;

fn start(mode: Mode, code: &[u32]) -> Machine {
    let mut memory = Memory::new();
    memory.set_word(map::SUSPEND_PC, CODE);
    memory.set_word(map::SUSPEND_MODE, mode as u32);
    let mut machine = Machine::from_image(memory).expect("a good image");
    code_at(&mut machine, CODE, code);
    machine
}

fn code_at(machine: &mut Machine, addr: Addr, code: &[u32]) {
    code.iter().zip((addr..).step_by(4)).for_each(|(word, addr)| machine.set_word(addr, *word));
}

#[track_caller]
fn run(machine: &mut Machine, host: &mut dyn Host) -> Exit {
    let exit = Step::new().run(machine, host, Until::order(LIMIT), &mut ());
    assert_ne!(exit, Exit::Order, "the program does not end");
    exit
}

fn insn(op: Op, rd: u32, rs1: u32, rs2: u32, imm: i32) -> u32 {
    encode(&Insn { op, rd: Reg::new(rd), rs1: Reg::new(rs1), rs2: Reg::new(rs2), imm })
}

fn r(op: Op, rd: u32, rs1: u32, rs2: u32) -> u32 {
    insn(op, rd, rs1, rs2, 0)
}

fn i(op: Op, rd: u32, rs1: u32, imm: i32) -> u32 {
    insn(op, rd, rs1, 0, imm)
}

fn s(op: Op, rs1: u32, rs2: u32, imm: i32) -> u32 {
    insn(op, 0, rs1, rs2, imm)
}

fn b(op: Op, rs1: u32, rs2: u32, offset: i32) -> u32 {
    insn(op, 0, rs1, rs2, offset)
}

fn jal(rd: u32, offset: i32) -> u32 {
    insn(Op::Jal, rd, 0, 0, offset)
}

fn addi(rd: u32, rs1: u32, imm: i32) -> u32 {
    i(Op::Addi, rd, rs1, imm)
}

fn li(rd: u32, imm: i32) -> u32 {
    addi(rd, 0, imm)
}
