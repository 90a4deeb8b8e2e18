//! The chips, and gadgets that several of them use.

pub mod add;
pub mod bitwise;
pub mod boundary;
pub mod branch;
pub mod constant;
pub mod decode;
pub mod div;
pub mod ecall;
pub mod fetch;
pub mod forbidden;
pub mod jalr;
pub mod less;
pub mod load;
pub mod misjump;
pub mod mul;
pub mod page;
pub mod poseidon2;
pub mod refresh;
pub mod refused;
pub mod sha2;
pub mod sha2_round;
pub mod shift;
pub mod step;
pub mod store;
pub mod system;
pub mod tables;
pub mod trap;
pub mod tree;

use crate::air::{Builder, Bus, Times};
use crate::expr::Expr;

/// Implements [`crate::air::Chip`] for a chip whose constraints are `Self::constrain(builder, row)`.
macro_rules! chip {
    ($name:ident, $text:literal, $row:ident $(, $extra:item)*) => {
        impl $crate::air::Chip for $name {
            fn name(&self) -> &'static str {
                $text
            }

            fn width(&self) -> usize {
                $row::<()>::WIDTH
            }

            fn columns(&self) -> Vec<String> {
                let mut names = Vec::new();
                $row::<()>::names("", &mut names);
                names
            }

            fn eval<B: $crate::air::Builder>(&self, b: &mut B) {
                Self::constrain(b, $row::local(b));
            }

            $($extra)*
        }
    };
}
pub(crate) use chip;

/// Constrains at most one of `flags` to be 1 and all to be boolean; returns their sum.
pub fn one_hot<B: Builder, const N: usize>(b: &mut B, flags: [&Expr<B::Raw>; N]) -> Expr<B::Raw> {
    for flag in flags {
        b.boolean("flag is boolean", flag.clone());
    }
    let sum = Expr::sum(flags.into_iter().cloned());
    b.boolean("at most one flag is set", sum.clone());
    sum
}

/// Constrains `flags` to be boolean.
pub fn booleans<B: Builder>(b: &mut B, flags: &[Expr<B::Raw>]) {
    flags.iter().for_each(|flag| b.boolean("boolean", flag.clone()));
}

/// Looks the half-words of a word up.
pub fn half_words<B: Builder>(b: &mut B, real: &Expr<B::Raw>, word: &[Expr<B::Raw>; 2]) {
    word.iter().for_each(|half| b.half(real.clone(), half.clone()));
}

/// Records that the halves of `word` were checked where they come from.
pub fn half_words_known<B: Builder>(b: &mut B, word: &[Expr<B::Raw>; 2]) {
    word.iter().for_each(|half| b.known(half.clone(), 0xffff));
}

/// Constrains `a = x + y` modulo 2^32; the halves of `a` are checked by the caller.
pub fn sum<B: Builder>(
    b: &mut B,
    x: &[Expr<B::Raw>; 2],
    y: &[Expr<B::Raw>; 2],
    a: &[Expr<B::Raw>; 2],
    carry: &[Expr<B::Raw>; 2],
) {
    booleans(b, carry);
    b.integer_zero("low half", &x[0] + &y[0] - &a[0] - &carry[0] * 0x10000);
    b.integer_zero("high half", &x[1] + &y[1] + &carry[0] - &a[1] - &carry[1] * 0x10000);
}

/// Looks four bytes up.
pub fn bytes<B: Builder>(b: &mut B, real: &Expr<B::Raw>, bytes: &[Expr<B::Raw>; 4]) {
    b.pair(real.clone(), bytes[0].clone(), bytes[1].clone());
    b.pair(real.clone(), bytes[2].clone(), bytes[3].clone());
}

/// The half-words that four bytes make.
pub fn halves<X: p3_field::PrimeCharacteristicRing>(bytes: &[Expr<X>; 4]) -> [Expr<X>; 2] {
    [&bytes[0] + &bytes[1] * 256, &bytes[2] + &bytes[3] * 256]
}

/// Constrains `sign` to be bit 15 of `half`, which is known to be a half-word.
pub fn sign_bit<B: Builder>(b: &mut B, real: &Expr<B::Raw>, half: &Expr<B::Raw>, sign: &Expr<B::Raw>) {
    b.boolean("sign is boolean", sign.clone());
    // half - 2^15 sign is below 2^15 for the true sign only.
    b.half(real.clone(), (half - sign * 0x8000) * 2);
}

/// Constrains `4 * quotient + low2` to be a half-word with these parts.
pub fn quarter<B: Builder>(b: &mut B, real: &Expr<B::Raw>, quotient: &Expr<B::Raw>, low2: Expr<B::Raw>) {
    b.interact(Bus::Quarter, Times::Send(real.clone()), [quotient.clone(), low2]);
}

/// Constrains `hi`, the upper half of an address, to lie where `mode` may go (MAP-5).
///
/// `privileged` says whether that is kernel or system memory.
pub fn permitted<B: Builder>(
    b: &mut B,
    real: &Expr<B::Raw>,
    hi: &Expr<B::Raw>,
    mode: &Expr<B::Raw>,
    privileged: &Expr<B::Raw>,
) {
    b.boolean("privileged is boolean", privileged.clone());
    b.zero("user mode stays in user memory", privileged * mode.not());
    b.interact(Bus::Region, Times::Send(real.clone()), [hi.clone(), privileged + tables::USER]);
}

/// What to add to the number of `from` to get that of `to`, in the field.
pub const fn offset(from: lockstep::isa::Op, to: lockstep::isa::Op) -> u32 {
    (to as u32 + crate::air::P - from as u32) % crate::air::P
}
