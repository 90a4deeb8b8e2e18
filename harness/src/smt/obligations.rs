//! What is claimed, instruction by instruction: that a function which the engines call returns
//! what the specification's effect says, for all values of its arguments.
//!
//! [`uses`] is the engines' side: which function, of which operands, an engine uses for which part
//! of an instruction. [`claim`] is the specification's side. It is one function for `u32` and for
//! terms, so that what is proved is what runs.

use lockstep::isa::{Class, Op};
use lockstep_spec::effect::{Effect, Operands, effect};
use lockstep_spec::word::{Bool, Word};
use lockstep_spec::{encdec, rv32i};

use super::arm::{self, ArmClaim};

/// A part of an instruction's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The value written to rd.
    Rd,
    /// Where execution continues behind the instruction; for a jump, the link.
    Next,
    /// Whether a branch is taken.
    Taken,
    /// The target of a jump or branch.
    Target,
    /// Whether a jump may go to its target (ISA-13).
    Aligned,
    /// The address of a load or store.
    Addr,
    /// The memory word after a store.
    Word,
    /// All of it, by the plain engine on the small state of [`super::arm`].
    Step,
    /// The same by the block engine.
    Block,
}

impl Part {
    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Part::Rd => "rd",
            Part::Next => "next",
            Part::Taken => "taken",
            Part::Target => "target",
            Part::Aligned => "aligned",
            Part::Addr => "addr",
            Part::Word => "word",
            Part::Step => "step",
            Part::Block => "block",
        }
    }

    /// The module of `cli/examples/exec_ops.rs` whose function is claimed to be it.
    pub const fn module(self) -> &'static str {
        match self {
            Part::Step => "step",
            Part::Block => "block",
            _ => "handler",
        }
    }
}

/// That `function` of `args` is `part` of the effect of `op`.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// The instruction.
    pub op: Op,
    /// The part of its effect.
    pub part: Part,
    /// The function of `lockstep::exec::ops`.
    pub function: &'static str,
    /// Its arguments: names of operands, of `word` (the memory word) or of `target`.
    pub args: &'static [&'static str],
}

impl Use {
    /// A name for the obligation, such as `sltu.rd`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.op.mnemonic(), self.part.name())
    }
}

/// The arms of the engines `step` and `block`, one for each instruction and engine.
pub fn arms() -> Vec<Use> {
    let arm = |part| move |op: Op| Use { op, part, function: op.mnemonic(), args: &arm::GIVEN };
    [Part::Step, Part::Block].into_iter().flat_map(|part| Op::ALL.into_iter().map(arm(part))).collect()
}

/// Everything the engines use the functions for.
pub fn all_uses() -> Vec<Use> {
    Op::ALL.into_iter().flat_map(uses).collect()
}

/// What the engines use for `op`.
pub fn uses(op: Op) -> Vec<Use> {
    const REGISTERS: &[&str] = &["rs1", "rs2"];
    const IMMEDIATE: &[&str] = &["rs1", "imm"];
    const PC: &[&str] = &["pc", "imm"];
    let this = |part, function, args| Use { op, part, function, args };
    let own = |part, args| this(part, op.mnemonic(), args);
    let next = this(Part::Next, "next_pc", &["pc"]);
    let aligned = this(Part::Aligned, "is_aligned_target", &["target"]);
    let addr = this(Part::Addr, "effective_address", IMMEDIATE);
    let parts = match (op.class(), op) {
        (_, Op::Lui) => vec![own(Part::Rd, &["imm"])],
        (_, Op::Auipc) => vec![own(Part::Rd, PC)],
        (_, Op::Jal) => vec![this(Part::Target, "pc_relative", PC), aligned],
        (_, Op::Jalr) => vec![this(Part::Target, "jalr_target", IMMEDIATE), aligned],
        (Class::Branch, _) => {
            vec![own(Part::Taken, REGISTERS), this(Part::Target, "pc_relative", PC), aligned]
        }
        (_, Op::Lw) => vec![addr, own(Part::Rd, &["word"])],
        (Class::Load, _) => vec![addr, own(Part::Rd, &["word", "addr"])],
        (_, Op::Sw) => vec![addr, own(Part::Word, &["rs2"])],
        (Class::Store, _) => vec![addr, own(Part::Word, &["word", "addr", "rs2"])],
        (_, Op::Addi) => vec![this(Part::Rd, "add", IMMEDIATE)],
        (_, Op::Slti) => vec![this(Part::Rd, "slt", IMMEDIATE)],
        (_, Op::Sltiu) => vec![this(Part::Rd, "sltu", IMMEDIATE)],
        (_, Op::Xori) => vec![this(Part::Rd, "xor", IMMEDIATE)],
        (_, Op::Ori) => vec![this(Part::Rd, "or", IMMEDIATE)],
        (_, Op::Andi) => vec![this(Part::Rd, "and", IMMEDIATE)],
        (_, Op::Slli) => vec![this(Part::Rd, "sll", IMMEDIATE)],
        (_, Op::Srli) => vec![this(Part::Rd, "srl", IMMEDIATE)],
        (_, Op::Srai) => vec![this(Part::Rd, "sra", IMMEDIATE)],
        (Class::Alu | Class::Less | Class::Shift | Class::Mul | Class::Div, _) => vec![own(Part::Rd, REGISTERS)],
        // ECALL, EBREAK and MRET compute nothing with a word but where they continue, which is
        // the machine's business (tested, not proved).
        (Class::System, Op::Fence) => vec![],
        (Class::System | Class::Jump | Class::Upper, _) => return vec![],
    };
    parts.into_iter().chain([next]).collect()
}

/// A part of an effect, or all of it.
#[derive(Clone, Debug)]
pub enum Claim<W: Word> {
    /// A word.
    Word(W),
    /// A truth value.
    Truth(W::Bool),
    /// The state after an engine's arm.
    Arm(ArmClaim<W>),
}

/// What the specification says that `part` of the effect of `op` is, for operands named `pc`,
/// `rs1`, `rs2`, `imm`, and `word`, `addr` and `target` where a later part starts from an earlier one.
///
/// `None` when the effect has no such part.
pub fn claim<W: Word>(op: Op, part: Part, value: impl Fn(&str) -> W) -> Option<Claim<W>> {
    match part {
        Part::Step => return Some(Claim::Arm(arm::step_claim(op, value))),
        Part::Block => return Some(Claim::Arm(arm::block_claim(op, value))),
        _ => {}
    }
    let operands = Operands { pc: value("pc"), rs1: value("rs1"), rs2: value("rs2"), imm: value("imm") };
    Some(match (part, effect(spec_op(op), operands)) {
        (Part::Rd, Effect::Write(rd)) => Claim::Word(rd),
        (Part::Rd, Effect::Load { read, .. }) => Claim::Word(read(value("word"), value("addr"))),
        (Part::Next, Effect::Jump { link, .. }) => Claim::Word(link),
        (Part::Next, _) => Claim::Word(rv32i::next_pc(value("pc"))),
        (Part::Taken, Effect::Branch { is_taken, .. }) => Claim::Truth(is_taken),
        (Part::Target, Effect::Jump { target, .. } | Effect::Branch { target, .. }) => Claim::Word(target),
        (Part::Aligned, Effect::Jump { .. } | Effect::Branch { .. }) => {
            Claim::Truth(rv32i::is_misaligned_target(value("target")).not())
        }
        (Part::Addr, Effect::Load { addr, .. } | Effect::Store { addr, .. }) => Claim::Word(addr),
        (Part::Word, Effect::Store { value: stored, write, .. }) => {
            Claim::Word(write(value("word"), value("addr"), stored))
        }
        _ => return None,
    })
}

/// The specification's name for `op`: the same name, or this does not compile.
pub fn spec_op(op: Op) -> encdec::Op {
    macro_rules! same {
        ($($name:ident)*) => {
            match op {
                $(Op::$name => encdec::Op::$name,)*
            }
        };
    }
    same! {
        Lui Auipc Jal Jalr Beq Bne Blt Bge Bltu Bgeu Lb Lh Lw Lbu Lhu Sb Sh Sw
        Addi Slti Sltiu Xori Ori Andi Slli Srli Srai
        Add Sub Sll Slt Sltu Xor Srl Sra Or And Fence Ecall Ebreak Mret
        Mul Mulh Mulhsu Mulhu Div Divu Rem Remu
    }
}

impl Claim<u32> {
    /// The word; a truth value is 0 or 1.
    pub fn value(&self) -> u128 {
        match self {
            Claim::Word(word) => (*word).into(),
            Claim::Truth(truth) => (*truth).into(),
            Claim::Arm(arm) => arm.value(),
        }
    }

    /// Whether a function may return `value`.
    pub fn allows(&self, value: u128) -> bool {
        match self {
            Claim::Arm(arm) => arm.allows(value),
            _ => value == self.value(),
        }
    }
}
