//! The functions that are proved: those of `lockstep::exec::ops`, and the engines' arms on the small
//! state of `lockstep::exec::probe`. One list of each, from which both the wrappers whose IR is
//! proved (`cli/examples/exec_ops.rs`) and the tables for running them natively are made.

use lockstep::exec::{ops, probe};
use lockstep::isa::Op;

use super::arm::{GIVEN, given};

/// Calls the macro `$with` with the signature of every function of `lockstep::exec::ops`.
#[macro_export]
macro_rules! handlers {
    ($with:ident) => {
        $with! {
            add(a, b) -> u32;
            sub(a, b) -> u32;
            xor(a, b) -> u32;
            or(a, b) -> u32;
            and(a, b) -> u32;
            slt(a, b) -> u32;
            sltu(a, b) -> u32;
            sll(a, b) -> u32;
            srl(a, b) -> u32;
            sra(a, b) -> u32;
            beq(a, b) -> bool;
            bne(a, b) -> bool;
            blt(a, b) -> bool;
            bge(a, b) -> bool;
            bltu(a, b) -> bool;
            bgeu(a, b) -> bool;
            lui(imm) -> u32;
            auipc(pc, imm) -> u32;
            pc_relative(pc, imm) -> u32;
            jalr_target(rs1, imm) -> u32;
            next_pc(pc) -> u32;
            is_aligned_target(target) -> bool;
            effective_address(rs1, imm) -> u32;
            lb(word, addr) -> u32;
            lh(word, addr) -> u32;
            lw(word) -> u32;
            lbu(word, addr) -> u32;
            lhu(word, addr) -> u32;
            sb(word, addr, value) -> u32;
            sh(word, addr, value) -> u32;
            sw(value) -> u32;
            mul(a, b) -> u32;
            mulh(a, b) -> u32;
            mulhsu(a, b) -> u32;
            mulhu(a, b) -> u32;
            div(a, b) -> u32;
            divu(a, b) -> u32;
            rem(a, b) -> u32;
            remu(a, b) -> u32;
        }
    };
}

/// A function of words, to be run natively.
#[derive(Clone, Copy)]
pub struct Handler {
    /// Its name in `lockstep::exec::ops`.
    pub name: &'static str,
    /// How many words it takes.
    pub arity: usize,
    /// Runs it; a truth value becomes 0 or 1.
    ///
    /// # Panics
    /// For fewer words than it takes.
    pub run: fn(&[u32]) -> u128,
}

macro_rules! table {
    ($($name:ident($($arg:ident),*) -> $result:ty;)*) => {
        /// Every function of `lockstep::exec::ops`.
        pub const HANDLERS: &[Handler] = &[$(Handler {
            name: stringify!($name),
            arity: [$(stringify!($arg)),*].len(),
            run: |words| {
                let mut words = words.iter().copied();
                $(let $arg = words.next().expect("one word an argument");)*
                u128::from(ops::$name($($arg),*))
            },
        }),*];
    };
}
handlers!(table);

/// The function `name` of `lockstep::exec::ops`.
pub fn handler(name: &str) -> Option<&'static Handler> {
    HANDLERS.iter().find(|handler| handler.name == name)
}

/// Calls the macro `$with` with every instruction: its name, and the name of its arms.
#[macro_export]
macro_rules! arms {
    ($with:ident) => {
        $with! {
            Lui lui; Auipc auipc; Jal jal; Jalr jalr; Beq beq; Bne bne; Blt blt;
            Bge bge; Bltu bltu; Bgeu bgeu; Lb lb; Lh lh; Lw lw; Lbu lbu;
            Lhu lhu; Sb sb; Sh sh; Sw sw; Addi addi; Slti slti; Sltiu sltiu;
            Xori xori; Ori ori; Andi andi; Slli slli; Srli srli; Srai srai; Add add;
            Sub sub; Sll sll; Slt slt; Sltu sltu; Xor xor; Srl srl; Sra sra;
            Or or; And and; Fence fence; Ecall ecall; Ebreak ebreak; Mret mret; Mul mul;
            Mulh mulh; Mulhsu mulhsu; Mulhu mulhu; Div div; Divu divu; Rem rem; Remu remu;
        }
    };
}

macro_rules! arm_tables {
    ($($op:ident $name:ident;)*) => {
        /// What the plain engine does with each instruction: [`probe::step`].
        pub const STEPS: &[Handler] = &[$(Handler {
            name: stringify!($name),
            arity: GIVEN.len(),
            run: |words| probe::step(Op::$op, given_words(words)),
        }),*];

        /// What the block engine does with each instruction: [`probe::block`].
        pub const BLOCKS: &[Handler] = &[$(Handler {
            name: stringify!($name),
            arity: GIVEN.len(),
            run: |words| probe::block(Op::$op, given_words(words)),
        }),*];
    };
}
arms!(arm_tables);

/// The state that `words` give, in the order of [`GIVEN`].
///
/// # Panics
/// For fewer words than that.
pub fn given_words(words: &[u32]) -> probe::Given {
    given(|name| words[GIVEN.iter().position(|field| *field == name).expect("a field of the state")])
}
