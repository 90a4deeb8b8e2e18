//! Watch ranges, as every engine has to honour them (the debugger's watchpoints rest on them).

use lockstep::ecall::NoHost;
use lockstep::exec::{Engine, Exit, Step, Until, WatchRange};
use lockstep::hart::{Hart, Machine};
use lockstep::isa::Reg;
use lockstep::map::{Addr, Mode};
use lockstep::mem::{MemSpan, Memory};

const CODE: Addr = 0xC000_0000;

/// A machine at the first of `words`, in machine mode, with a0 = 0x0010_0000.
fn machine(words: &[u32]) -> Machine {
    let mut machine = Machine { hart: Hart::new(CODE, Mode::Machine), mem: Memory::new() };
    for (i, word) in words.iter().enumerate() {
        machine.set_word(CODE + 4 * i as Addr, *word);
    }
    machine.hart.set_x(Reg::A0, 0x0010_0000);
    machine
}

fn watch(first: Addr, last: Addr, on_read: bool, on_write: bool) -> WatchRange {
    WatchRange { first, last, on_read, on_write }
}

const SB_A1_3_A0: u32 = 0x00b5_01a3;
const SW_A1_4_A0: u32 = 0x00b5_2223;
const LH_A2_2_A0: u32 = 0x0025_1603;
const ECALL: u32 = 0x0000_0073;
const LI_A7_2: u32 = 0x0020_0893;

/// Where the run of sb, lh, sw, ebreak stops.
fn stop(range: WatchRange) -> (Exit, u64) {
    let mut machine = machine(&[SB_A1_3_A0, LH_A2_2_A0, SW_A1_4_A0, 0x0010_0073]);
    let until = Until { watch: &[range], ..Until::END };
    let exit = Step::new().run(&mut machine, &mut NoHost, until, &mut ());
    (exit, machine.hart.instructions)
}

fn hit(first: Addr, last: Addr, is_write: bool) -> Exit {
    Exit::Watch(MemSpan { first, last, is_write })
}

/// MEM-6: the access is done when the machine stops.
#[test]
fn stops_after_the_access() {
    let byte = hit(0x0010_0003, 0x0010_0003, true);
    let half = hit(0x0010_0002, 0x0010_0003, false);
    let word = hit(0x0010_0004, 0x0010_0007, true);
    assert_eq!(stop(watch(0x0010_0000, 0x0010_0003, false, true)), (byte, 1));
    assert_eq!(stop(watch(0x0010_0003, 0x0010_0003, true, false)), (half, 2));
    assert_eq!(stop(watch(0x0010_0002, 0x0010_0002, true, true)), (half, 2));
    assert_eq!(stop(watch(0x0010_0007, 0xFFFF_FFFF, true, true)), (word, 3));
}

#[test]
fn other_accesses_do_not_stop() {
    let fault = |range| matches!(stop(range), (Exit::Fault(_), 3));
    assert!(fault(watch(0x0010_0002, 0x0010_0002, false, true)));
    assert!(fault(watch(0x0010_0004, 0x0010_0007, true, false)));
    assert!(fault(watch(0x0010_0008, 0xBFFF_FFFF, true, true)));
    assert!(fault(watch(0x0000_0000, 0x0010_0001, true, true)));
}

/// ECALL-4: the buffer of a machine ECALL is read memory.
#[test]
fn buffers_of_machine_ecalls_count() {
    let mut machine = machine(&[LI_A7_2, ECALL]);
    machine.hart.set_x(Reg::A1, 0x0002_0000);
    machine.hart.set_x(Reg::A2, 5);
    let ranges = [watch(0x0002_0004, 0x0002_0004, true, false)];
    let until = Until { watch: &ranges, ..Until::END };
    let exit = Step::new().run(&mut machine, &mut NoHost, until, &mut ());
    assert_eq!((exit, machine.hart.instructions), (hit(0x0002_0000, 0x0002_0004, false), 2));
}
