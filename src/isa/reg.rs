//! Register names.

use std::fmt;

/// One of the 32 integer registers. Displays as its ABI name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Reg(u8);

impl Reg {
    /// x0, which reads 0 (ISA-6).
    pub const ZERO: Reg = Reg(0);
    /// x1, the return address.
    pub const RA: Reg = Reg(1);
    /// x2, the stack pointer.
    pub const SP: Reg = Reg(2);
    /// x5, the first temporary.
    pub const T0: Reg = Reg(5);
    /// x6, the second temporary.
    pub const T1: Reg = Reg(6);
    /// x7, the third temporary.
    pub const T2: Reg = Reg(7);
    /// x8, the frame pointer.
    pub const FP: Reg = Reg(8);
    /// x10, the first argument and the result.
    pub const A0: Reg = Reg(10);
    /// x11, the second argument.
    pub const A1: Reg = Reg(11);
    /// x12, the third argument.
    pub const A2: Reg = Reg(12);
    /// x13, the fourth argument.
    pub const A3: Reg = Reg(13);
    /// x14, the fifth argument.
    pub const A4: Reg = Reg(14);
    /// x15, the sixth argument.
    pub const A5: Reg = Reg(15);
    /// x17, the number of an ECALL.
    pub const A7: Reg = Reg(17);
    /// x28, the fourth temporary.
    pub const T3: Reg = Reg(28);

    /// The register x`index`, of whose bits only the low five count.
    pub const fn new(index: u32) -> Reg {
        Reg((index & 31) as u8)
    }

    /// The number of the register, 0 to 31.
    #[inline]
    pub const fn index(self) -> usize {
        (self.0 & 31) as usize
    }

    /// All 32 registers in order.
    pub fn all() -> impl Iterator<Item = Reg> {
        (0..32).map(Reg::new)
    }

    /// The name in the calling convention, such as `a0`.
    pub const fn abi_name(self) -> &'static str {
        ABI_NAMES[self.index()]
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.abi_name())
    }
}

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "x{}", self.0)
    }
}

#[rustfmt::skip]
const ABI_NAMES: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2",
    "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
    "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7",
    "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
];
