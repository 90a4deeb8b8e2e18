//! The machine ECALL bigint: runs a program of big-number operations (clauses ECALL-15 to ECALL-17).
//!
//! ```text
//!   a0 --> blob: words in the programs and the constants
//!   t1 --> program     what is computed here       (program.rs)
//!   t2 --> verify program, t3 --> its constants    what a prover checks instead: not executed
//!   any register --> arena: where the program loads from and stores to, 16 bytes a unit
//! ```

mod program;

use num_bigint::{BigInt, BigUint, Sign};

use super::{BIGINT, Call, MAX_CALL_CYCLES, refused, span, words};
use crate::hart::Machine;
use crate::isa::Reg;
use crate::map::{self, Addr, WORD_BYTES};
use crate::mem::MemSpan;
use crate::trap::Trap;
use program::{Arenas, Place, Program};

/// Words of the blob's header that are read: the sizes of the two programs and of the constants.
const HEADER_WORDS: u32 = 3;
/// The most words of the program: 10 MiB, v2's limit.
const MAX_PROGRAM_WORDS: u32 = (10 << 20) / WORD_BYTES;
/// The bytes of a unit of an arena.
const UNIT_BYTES: u32 = 16;
/// In mode 0 a place in an arena begins below this: v2's 64 KiB before the kernel (ECALL-16).
const USER_ARENA_END: Addr = 0xBFFF_0000;
/// v2 starts reading the verify program one word early.
const VERIFY_LEAD: u32 = WORD_BYTES;

/// Serves bigint.
///
/// # Errors
/// The trap of ECALL-17; nothing has changed then.
pub fn serve(machine: &mut Machine) -> Result<Call, Trap> {
    let operands = Operands::of(machine)?;
    let program_addr = operands.program.0;
    let program = Program::decode(&load_words(machine, operands.program)).ok_or(refused(program_addr))?;
    let mut arenas = MachineArenas { machine, may_use_kernel: operands.is_machine, loads: vec![], stores: vec![] };
    program.run(&mut arenas).ok_or(refused(program_addr))?;

    let MachineArenas { loads, stores, .. } = arenas;
    let mut spans = operands.spans();
    spans.extend(loads);
    for (addr, digits) in stores {
        spans.extend(span(addr, digits.len() as u32 * WORD_BYTES, true));
        for (i, digit) in (0..).zip(digits) {
            machine.set_word(addr + i * WORD_BYTES, digit);
        }
    }
    Ok(Call { number: BIGINT, extra_cycles: operands.cycles(), spans })
}

/// An address and a number of words.
type Words = (Addr, u32);

/// The operands, all checked but for the arenas.
struct Operands {
    is_machine: bool,
    header: Words,
    program: Words,
    verify: Words,
    constants: Words,
}

impl Operands {
    fn of(machine: &Machine) -> Result<Operands, Trap> {
        let x = |reg| machine.hart.x(reg);
        let mode = map::Mode::from_word(x(Reg::T0)).ok_or(refused(x(Reg::T0)))?;
        let blob = words(x(Reg::A0), HEADER_WORDS)?;
        let [program_words, verify_words, constant_words] = [0, 1, 2].map(|i| machine.word(blob + i * WORD_BYTES));
        if program_words > MAX_PROGRAM_WORDS || u64::from(verify_words) + 2 > MAX_CALL_CYCLES {
            return Err(refused(blob));
        }
        let verify = x(Reg::T2).checked_sub(VERIFY_LEAD).ok_or(refused(x(Reg::T2)))?;
        Ok(Operands {
            is_machine: mode == map::Mode::Machine,
            header: (blob, HEADER_WORDS),
            program: (words(x(Reg::T1), program_words)?, program_words),
            verify: (words(verify, verify_words).map_err(|_| refused(x(Reg::T2)))?, verify_words),
            constants: (words(x(Reg::T3), constant_words)?, constant_words),
        })
    }

    /// v2: a cycle for the call, one for each word of the verify program, one to end; the first is the step.
    fn cycles(&self) -> u64 {
        u64::from(self.verify.1) + 1
    }

    fn spans(&self) -> Vec<MemSpan> {
        let ranges = [self.header, self.program, self.verify, self.constants];
        ranges.into_iter().flat_map(|(addr, count)| span(addr, count * WORD_BYTES, false)).collect()
    }
}

fn load_words(machine: &Machine, (addr, count): Words) -> Vec<u32> {
    (0..count).map(|i| machine.word(addr + i * WORD_BYTES)).collect()
}

/// Memory as a program sees it. Stores wait until the program has ended, so that it never sees its own (ECALL-16).
struct MachineArenas<'a> {
    machine: &'a Machine,
    may_use_kernel: bool,
    loads: Vec<MemSpan>,
    stores: Vec<(Addr, Vec<u32>)>,
}

impl MachineArenas<'_> {
    /// ECALL-16: the address of a place, where the mode may use it.
    fn addr(&self, place: &Place) -> Option<Addr> {
        let register = Reg::all().nth(place.register as usize)?;
        let base = self.machine.hart.x(register);
        let start = base.checked_add(place.unit * UNIT_BYTES)?;
        let is_user = start < USER_ARENA_END;
        let start = words(start, place.bytes / WORD_BYTES).ok()?;
        (base.is_multiple_of(WORD_BYTES) && start >= map::USER_START && (self.may_use_kernel || is_user))
            .then_some(start)
    }
}

impl Arenas for MachineArenas<'_> {
    fn load(&mut self, place: &Place) -> Option<BigInt> {
        let addr = self.addr(place)?;
        self.loads.extend(span(addr, place.bytes, false));
        let digits = load_words(self.machine, (addr, place.bytes / WORD_BYTES));
        Some(BigInt::from_biguint(Sign::Plus, BigUint::new(digits)))
    }

    fn store(&mut self, place: &Place, value: &BigInt) -> Option<()> {
        let addr = self.addr(place)?;
        let mut digits = value.magnitude().to_u32_digits();
        let room = (place.bytes / WORD_BYTES) as usize;
        if digits.len() > room {
            return None;
        }
        digits.resize(room, 0);
        self.stores.push((addr, digits));
        Some(())
    }
}
