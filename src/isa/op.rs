//! The types that the instruction table expands to: operations, formats and families.

use super::table::instructions;

/// How the operands of an instruction are laid out in its word (manual, "Immediate Encoding Variants").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// rd, rs1, rs2.
    R,
    /// rd, rs1 and a 12-bit immediate.
    I,
    /// rd, rs1 and a 5-bit shift amount.
    Shamt,
    /// rs1, rs2 and a 12-bit immediate.
    S,
    /// rs1, rs2 and a 13-bit even offset.
    B,
    /// rd and the upper 20 bits of a word.
    U,
    /// rd and a 21-bit even offset.
    J,
    /// FENCE: its operands are ignored (ISA-4).
    Fence,
    /// No operands.
    Bare,
}

/// The family of an instruction: one stem in every layer, from the table to the prover's chips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// add, sub, xor, or, and, with a register or an immediate.
    Alu,
    /// slt and sltu, with a register or an immediate.
    Less,
    /// sll, srl and sra, with a register or an immediate.
    Shift,
    /// The six conditional branches.
    Branch,
    /// jal and jalr.
    Jump,
    /// lui and auipc.
    Upper,
    /// lb, lh, lw, lbu and lhu.
    Load,
    /// sb, sh and sw.
    Store,
    /// mul, mulh, mulhsu and mulhu.
    Mul,
    /// div, divu, rem and remu.
    Div,
    /// fence, ecall, ebreak and mret.
    System,
}

/// What the table says about one instruction.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The manual's spelling, in lower case.
    pub mnemonic: &'static str,
    /// The operand layout.
    pub format: Format,
    /// The family.
    pub class: Class,
    /// The bits that identify the instruction.
    pub mask: u32,
    /// The value of those bits.
    pub pattern: u32,
}

macro_rules! define_op {
    ($($op:ident $mnemonic:literal $format:ident $class:ident $mask:literal => $pattern:literal;)*) => {
        /// An operation: one row of the instruction table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Op {
            $(#[doc = concat!("`", $mnemonic, "`")] $op,)*
        }

        impl Op {
            /// Every operation, in table order.
            pub const ALL: [Op; ROWS.len()] = [$(Op::$op),*];
        }

        const ROWS: [Row; [$(stringify!($op)),*].len()] = [
            $(Row {
                mnemonic: $mnemonic,
                format: Format::$format,
                class: Class::$class,
                mask: $mask,
                pattern: $pattern,
            }),*
        ];
    };
}
instructions!(define_op);

impl Op {
    /// The operation's row of the table.
    pub const fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The manual's spelling, in lower case.
    pub const fn mnemonic(self) -> &'static str {
        self.row().mnemonic
    }

    /// The operand layout.
    pub const fn format(self) -> Format {
        self.row().format
    }

    /// The family.
    pub const fn class(self) -> Class {
        self.row().class
    }
}

/// No word is two instructions: rows that overlap fail here, at compile time.
const _: () = {
    let mut i = 0;
    while i < ROWS.len() {
        assert!(ROWS[i].pattern & !ROWS[i].mask == 0, "a row's pattern has bits outside its mask");
        let mut j = i + 1;
        while j < ROWS.len() {
            let common = ROWS[i].mask & ROWS[j].mask;
            assert!((ROWS[i].pattern ^ ROWS[j].pattern) & common != 0, "two rows overlap");
            j += 1;
        }
        i += 1;
    }
};
