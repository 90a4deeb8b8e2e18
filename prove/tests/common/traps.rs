//! Programs that raise.

use lockstep::isa::Op;
use lockstep::map;
use lockstep::trap::Cause;
use lockstep_prove::segment::Segment;

use super::{DATA, START, insn, set, terminate};

/// A program that raises: its name, its words, the cause in user mode and in machine mode if it raises there.
pub type Program = (&'static str, Vec<u32>, Option<Cause>, Option<Cause>);

/// x5 = `base`, then `op` with the operands that it has.
fn at(base: u32, op: Op, imm: i32) -> Vec<u32> {
    [&set(5, base)[..], &[insn(op, 7, 5, 6, imm)]].concat()
}

/// A machine ECALL with number `a7` and arguments `a0` to `a2`.
fn call(a7: u32, args: [u32; 3]) -> Vec<u32> {
    let [a0, a1, a2] = args;
    [set(17, a7), set(10, a0), set(11, a1), set(12, a2)]
        .concat()
        .into_iter()
        .chain([insn(Op::Ecall, 0, 0, 0, 0)])
        .collect()
}

/// Programs that raise, one for each cause and way to it.
pub fn programs() -> Vec<Program> {
    use Cause::*;
    let both = |cause| (Some(cause), Some(cause));
    let mut programs: Vec<Program> = Vec::new();
    let mut add = |name, words, (user, machine)| programs.push((name, words, user, machine));
    for (name, word) in [
        ("zeros", 0),
        ("ones", u32::MAX),
        ("compressed", 0x0000_4501),
        ("funct7 of add", 0x4020_8133 | 0x0200_0000),
        ("funct7 of and", 0x0420_f133),
        ("funct7 of slli", 0x0200_9113),
        ("funct7 of srai", 0x6000_d113),
        ("funct3 of jalr", 0x0000_1067),
        ("csr", 0x3000_2073),
        ("wfi", 0x1050_0073),
        ("ecall with rd", 0x0000_00f3),
        ("fence.i", 0x0000_100f),
    ] {
        add(name, vec![word], both(IllegalInstruction));
    }
    let stored = [&set(5, START + 12)[..], &[insn(Op::Sw, 0, 5, 0, 0), insn(Op::Ebreak, 0, 0, 0, 0)]].concat();
    add("an illegal word that was stored", stored, both(IllegalInstruction));
    add("mret", vec![insn(Op::Mret, 0, 0, 0, 0)], (Some(IllegalInstruction), None));
    add("ebreak", vec![insn(Op::Ebreak, 0, 0, 0, 0)], both(Breakpoint));
    add("ecall", vec![insn(Op::Ecall, 0, 0, 0, 0)], (Some(UserEcall), None));
    add("jal", vec![insn(Op::Jal, 1, 0, 0, 6)], both(InstructionAddressMisaligned));
    add(
        "jal backwards",
        vec![insn(Op::Addi, 0, 0, 0, 0), insn(Op::Jal, 0, 0, 0, -2)],
        both(InstructionAddressMisaligned),
    );
    add("jalr", at(DATA + 3, Op::Jalr, 0), both(InstructionAddressMisaligned));
    add("jalr over the top", at(u32::MAX, Op::Jalr, 3), both(InstructionAddressMisaligned));
    for op in [Op::Beq, Op::Bge, Op::Bgeu] {
        add("branch of equals", vec![insn(op, 0, 0, 0, 10)], both(InstructionAddressMisaligned));
    }
    for (op, x) in [(Op::Bne, 1), (Op::Blt, u32::MAX), (Op::Bltu, 7)] {
        let y = if op == Op::Bltu { 9 } else { 0 };
        let words = [&set(5, x)[..], &set(6, y), &[insn(op, 0, 5, 6, -2)]].concat();
        add("branch", words, both(InstructionAddressMisaligned));
    }
    let loads = [Op::Lb, Op::Lh, Op::Lw, Op::Lbu, Op::Lhu];
    for op in loads {
        add("NULL load", vec![insn(op, 7, 0, 0, 8)], both(LoadAccessFault));
        add("kernel load", at(map::KERNEL_START, op, 4), (Some(LoadAccessFault), None));
    }
    for op in [Op::Sb, Op::Sh, Op::Sw] {
        add("NULL store", vec![insn(op, 0, 0, 6, 8)], both(StoreAccessFault));
        add("register store", at(map::MACHINE_REGS, op, 16), (Some(StoreAccessFault), None));
    }
    for (op, imm) in [(Op::Lh, 1), (Op::Lhu, 3), (Op::Lw, 1), (Op::Lw, 2), (Op::Lw, 3)] {
        add("misaligned load", at(DATA, op, imm), both(LoadAddressMisaligned));
    }
    for (op, imm) in [(Op::Sh, 1), (Op::Sh, -1), (Op::Sw, 1), (Op::Sw, 2), (Op::Sw, 3)] {
        add("misaligned store", at(DATA, op, imm), both(StoreAddressMisaligned));
    }
    // MEM-4: the region comes first.
    add("misaligned NULL load", vec![insn(Op::Lw, 7, 0, 0, 1)], both(LoadAccessFault));
    add("jump to NULL", vec![insn(Op::Jalr, 1, 0, 0, 0)], both(InstructionAccessFault));
    add("jump to the kernel", at(map::KERNEL_START + 0x8000, Op::Jalr, 0), (Some(InstructionAccessFault), None));
    for (name, args) in [
        ("unknown number", (6, [0; 3])),
        ("low half of an unknown number", (0x0001_0009, [0; 3])),
        ("high half of an unknown number", (0x0001_0001, [0; 3])),
        ("halt type", (0, [2, 0, 0])),
        ("too long a read", (1, [0, DATA, 1025])),
        ("endless write", (2, [0, DATA, 0x0001_0000])),
        ("read to NULL", (1, [0, 0xffff, 4])),
        ("write from the registers", (2, [0, 0xffff_0000, 1])),
        ("read into the registers", (1, [0, 0xfffe_fffd, 4])),
        ("write over the top", (2, [0, 0xffff_fffe, 4])),
    ] {
        add(name, call(args.0, args.1), (None, Some(MachineEcall)));
    }
    // MODE-4.
    let mepc = [&set(5, map::MEPC)[..], &set(6, DATA + 1), &[insn(Op::Sw, 0, 5, 6, 0), insn(Op::Mret, 0, 0, 0, 0)]];
    add("mret to a misaligned address", mepc.concat(), (None, Some(InstructionAddressMisaligned)));
    programs
}

/// The run of `words` in `mode`, with the trap vector `vector` and a kernel that halts.
pub fn run(words: &[u32], mode: u32, vector: u32) -> Segment {
    let mut machine = super::machine(words);
    machine.hart.mode = if mode == 1 { map::Mode::Machine } else { map::Mode::User };
    machine.mem.set_word(map::SUSPEND_MODE, mode);
    machine.mem.set_word(map::TRAP_VECTOR, vector);
    for (i, word) in terminate(0).into_iter().enumerate() {
        machine.mem.set_word(map::KERNEL_START + 4 * i as u32, word);
    }
    super::run_with(machine, &mut lockstep::ecall::NoHost)
}
