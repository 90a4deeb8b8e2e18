//! What each instruction of the M extension computes, under the manual's own words (chapter 7).

use crate::word::{Bool, Wide, Word};

// 7.1 Multiplication Operations.

/// MUL multiplies rs1 by rs2 and places the lower 32 bits of the product in rd (ISA-15).
pub fn mul<W: Word>(rs1: W, rs2: W) -> W {
    rs1.mul(rs2)
}

/// MULH returns the upper 32 bits of the full 64-bit product, signed by signed (ISA-15).
pub fn mulh<W: Word>(rs1: W, rs2: W) -> W {
    rs1.sext_wide().mul(rs2.sext_wide()).high()
}

/// MULHSU returns the upper 32 bits of the full 64-bit product, signed rs1 by unsigned rs2 (ISA-15).
pub fn mulhsu<W: Word>(rs1: W, rs2: W) -> W {
    rs1.sext_wide().mul(rs2.zext_wide()).high()
}

/// MULHU returns the upper 32 bits of the full 64-bit product, unsigned by unsigned (ISA-15).
pub fn mulhu<W: Word>(rs1: W, rs2: W) -> W {
    rs1.zext_wide().mul(rs2.zext_wide()).high()
}

// 7.2 Division Operations. Table 7.1 gives division by zero and signed overflow (ISA-16).

/// DIV performs signed integer division of rs1 by rs2, rounding towards zero.
/// x / 0 has all bits set; -2^31 / -1 is -2^31.
pub fn div<W: Word>(rs1: W, rs2: W) -> W {
    let quotient = rs1.clone().sdiv(rs2.clone());
    let quotient = most_negative::<W>().when(overflows(rs1, rs2.clone()), quotient);
    W::constant(u32::MAX).when(is_zero(rs2), quotient)
}

/// DIVU performs unsigned integer division of rs1 by rs2, rounding towards zero.
/// x / 0 has all bits set.
pub fn divu<W: Word>(rs1: W, rs2: W) -> W {
    W::constant(u32::MAX).when(is_zero(rs2.clone()), rs1.udiv(rs2))
}

/// REM provides the remainder of DIV; its sign equals the sign of the dividend.
/// The remainder of x / 0 is x; that of -2^31 / -1 is 0.
pub fn rem<W: Word>(rs1: W, rs2: W) -> W {
    let remainder = rs1.clone().srem(rs2.clone());
    let remainder = W::constant(0).when(overflows(rs1.clone(), rs2.clone()), remainder);
    rs1.when(is_zero(rs2), remainder)
}

/// REMU provides the remainder of DIVU. The remainder of x / 0 is x.
pub fn remu<W: Word>(rs1: W, rs2: W) -> W {
    rs1.clone().when(is_zero(rs2.clone()), rs1.urem(rs2))
}

fn is_zero<W: Word>(word: W) -> W::Bool {
    word.eq(W::constant(0))
}

/// Signed division overflow occurs only when the most negative integer is divided by -1.
fn overflows<W: Word>(dividend: W, divisor: W) -> W::Bool {
    dividend.eq(most_negative()).and(divisor.eq(W::constant(u32::MAX)))
}

fn most_negative<W: Word>() -> W {
    W::constant(0x8000_0000)
}
