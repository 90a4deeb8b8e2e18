//! A program that uses every chip but those of traps.

use lockstep::ecall::Host;
use lockstep::isa::Op;
use lockstep::map;
use lockstep_prove::segment::Segment;

use super::{insn, set, terminate};

/// A host that fills every read with 7 bytes and takes every write.
struct Seven;

impl Host for Seven {
    fn read(&mut self, _order: u64, _fd: u32, bytes: &mut [u8]) -> u32 {
        let count = bytes.len().min(7);
        bytes[..count].fill(0x5a);
        count as u32
    }

    fn write(&mut self, _order: u64, _fd: u32, bytes: &[u8]) -> u32 {
        bytes.len() as u32
    }
}

/// The run: a kernel that serves an ecall of user mode, I/O, and the other tests' programs.
pub fn everything() -> Segment {
    let mut words = Vec::new();
    // read(0, DATA + 1, 9), write(1, DATA, 0).
    for (number, pointer, len) in [(1, super::DATA + 1, 9), (2, super::DATA, 0), (2, super::DATA, 8)] {
        words.extend([set(17, number), set(10, 0), set(11, pointer), set(12, len)].concat());
        words.push(insn(Op::Ecall, 0, 0, 0, 0));
    }
    // The ECALL vector, and an mret to the user program, which ecalls back.
    let kernel = map::KERNEL_START;
    words.extend(
        [set(5, map::ECALL_VECTOR), set(6, kernel), set(7, map::MEPC), set(8, super::DATA + 0x1000 - 4)].concat(),
    );
    words.extend([insn(Op::Sw, 0, 5, 6, 0), insn(Op::Sw, 0, 7, 8, 0), insn(Op::Mret, 0, 0, 0, 0)]);
    let mut machine = super::machine(&words);
    machine.mem.set_word(super::DATA + 0x1000, insn(Op::Ecall, 0, 0, 0, 0));
    let body = super::memory();
    let mut kernel_words = body[..body.len() - terminate(0).len()].to_vec();
    // One of each of the other families; a store into the page of the user's code.
    kernel_words.extend(set(5, super::DATA + 0x1000));
    kernel_words.push(insn(Op::Sw, 0, 5, 6, 0x100));
    kernel_words.extend([set(5, 0x8000_0001), set(6, 0xffff_fff0)].concat());
    for op in [Op::Sub, Op::Xor, Op::Sltu, Op::Slt, Op::Sll, Op::Sra, Op::Mulhsu, Op::Mul, Op::Div, Op::Remu, Op::Rem] {
        kernel_words.push(insn(op, 7, 5, 6, 0));
        kernel_words.push(insn(op, 7, 6, 5, 0));
    }
    for op in [Op::Slti, Op::Ori, Op::Srai, Op::Slli] {
        kernel_words.push(insn(op, 7, 5, 0, 13));
    }
    for op in [Op::Beq, Op::Bne, Op::Blt, Op::Bge, Op::Bltu, Op::Bgeu] {
        kernel_words.extend([insn(op, 0, 5, 6, 8), insn(Op::Addi, 8, 8, 0, 1)]);
    }
    kernel_words.extend(terminate(0x0003_0000));
    for (i, word) in kernel_words.iter().enumerate() {
        machine.mem.set_word(kernel + 4 * i as u32, *word);
    }
    super::run_with(machine, &mut Seven)
}
