//! What a word can do. The specification is generic over it: `u32` runs it, a solver's term proves with it.
//!
//! The operations are those of the SMT-LIB theory of fixed-size bit-vectors, so that a term has nothing to add.

/// A truth value that may not be known yet.
pub trait Bool: Clone {
    /// A known truth value.
    fn constant(value: bool) -> Self;
    /// Both.
    fn and(self, other: Self) -> Self;
    /// At least one.
    fn or(self, other: Self) -> Self;
    /// The opposite.
    fn not(self) -> Self;
}

/// A word of 32 bits that may not be known yet.
pub trait Word: Clone {
    /// What comparing words yields.
    type Bool: Bool;
    /// A word of twice the width, for products.
    type Wide: Wide<Word = Self>;

    /// A known word.
    fn constant(value: u32) -> Self;
    /// `self` if `condition`, else `other`.
    fn when(self, condition: Self::Bool, other: Self) -> Self;

    /// Whether the words are equal.
    fn eq(self, other: Self) -> Self::Bool;
    /// Whether `self < other` as signed numbers.
    fn slt(self, other: Self) -> Self::Bool;
    /// Whether `self < other` as unsigned numbers.
    fn ult(self, other: Self) -> Self::Bool;

    /// Bitwise and.
    fn and(self, other: Self) -> Self;
    /// Bitwise or.
    fn or(self, other: Self) -> Self;
    /// Bitwise exclusive or.
    fn xor(self, other: Self) -> Self;
    /// Bitwise complement.
    fn not(self) -> Self;

    /// The sum modulo 2^32.
    fn add(self, other: Self) -> Self;
    /// The difference modulo 2^32.
    fn sub(self, other: Self) -> Self;
    /// The product modulo 2^32.
    fn mul(self, other: Self) -> Self;
    /// The unsigned quotient; any word if `other` is 0.
    fn udiv(self, other: Self) -> Self;
    /// The unsigned remainder; any word if `other` is 0.
    fn urem(self, other: Self) -> Self;
    /// The signed quotient, rounded towards zero; any word if `other` is 0 or the quotient is 2^31.
    fn sdiv(self, other: Self) -> Self;
    /// The signed remainder, with the sign of `self`; any word if `other` is 0 or the quotient is 2^31.
    fn srem(self, other: Self) -> Self;

    /// Shifted left by `amount`, which is below 32.
    fn shl(self, amount: Self) -> Self;
    /// Shifted right by `amount`, which is below 32; zeros come in.
    fn lshr(self, amount: Self) -> Self;
    /// Shifted right by `amount`, which is below 32; copies of the sign come in.
    fn ashr(self, amount: Self) -> Self;

    /// The low `bits` bits (1 to 32), zeros above them.
    fn zext(self, bits: u32) -> Self;
    /// The low `bits` bits (1 to 32), copies of the highest of them above.
    fn sext(self, bits: u32) -> Self;
    /// The same unsigned number in twice the width.
    fn zext_wide(self) -> Self::Wide;
    /// The same signed number in twice the width.
    fn sext_wide(self) -> Self::Wide;

    /// 1 for a condition that holds, else 0.
    fn from_bool(condition: Self::Bool) -> Self {
        Self::constant(1).when(condition, Self::constant(0))
    }

    /// The bits `high` down to `low`, moved to the bottom: the manual's `inst[high:low]`.
    fn field(self, high: u32, low: u32) -> Self {
        self.lshr(Self::constant(low)).zext(high - low + 1)
    }
}

/// A word of 64 bits, as far as products need it.
pub trait Wide: Clone {
    /// The word of half the width.
    type Word;
    /// The product modulo 2^64.
    fn mul(self, other: Self) -> Self;
    /// The upper half.
    fn high(self) -> Self::Word;
}

impl Bool for bool {
    fn constant(value: bool) -> bool {
        value
    }
    fn and(self, other: bool) -> bool {
        self & other
    }
    fn or(self, other: bool) -> bool {
        self | other
    }
    fn not(self) -> bool {
        !self
    }
}

impl Word for u32 {
    type Bool = bool;
    type Wide = u64;

    fn constant(value: u32) -> u32 {
        value
    }
    fn when(self, condition: bool, other: u32) -> u32 {
        if condition { self } else { other }
    }
    fn eq(self, other: u32) -> bool {
        self == other
    }
    fn slt(self, other: u32) -> bool {
        self.cast_signed() < other.cast_signed()
    }
    fn ult(self, other: u32) -> bool {
        self < other
    }
    fn and(self, other: u32) -> u32 {
        self & other
    }
    fn or(self, other: u32) -> u32 {
        self | other
    }
    fn xor(self, other: u32) -> u32 {
        self ^ other
    }
    fn not(self) -> u32 {
        !self
    }
    fn add(self, other: u32) -> u32 {
        self.wrapping_add(other)
    }
    fn sub(self, other: u32) -> u32 {
        self.wrapping_sub(other)
    }
    fn mul(self, other: u32) -> u32 {
        self.wrapping_mul(other)
    }
    fn udiv(self, other: u32) -> u32 {
        self.checked_div(other).unwrap_or(ANY)
    }
    fn urem(self, other: u32) -> u32 {
        self.checked_rem(other).unwrap_or(ANY)
    }
    fn sdiv(self, other: u32) -> u32 {
        self.cast_signed().checked_div(other.cast_signed()).map_or(ANY, i32::cast_unsigned)
    }
    fn srem(self, other: u32) -> u32 {
        self.cast_signed().checked_rem(other.cast_signed()).map_or(ANY, i32::cast_unsigned)
    }
    fn shl(self, amount: u32) -> u32 {
        self << amount
    }
    fn lshr(self, amount: u32) -> u32 {
        self >> amount
    }
    fn ashr(self, amount: u32) -> u32 {
        (self.cast_signed() >> amount).cast_unsigned()
    }
    fn zext(self, bits: u32) -> u32 {
        self << (32 - bits) >> (32 - bits)
    }
    fn sext(self, bits: u32) -> u32 {
        (self.cast_signed() << (32 - bits) >> (32 - bits)).cast_unsigned()
    }
    fn zext_wide(self) -> u64 {
        u64::from(self)
    }
    fn sext_wide(self) -> u64 {
        i64::from(self.cast_signed()).cast_unsigned()
    }
}

/// What `u32` answers where the trait says "any word": nothing that an instruction yields by accident.
const ANY: u32 = 0xDEAD_BEEF;

impl Wide for u64 {
    type Word = u32;
    fn mul(self, other: u64) -> u64 {
        self.wrapping_mul(other)
    }
    fn high(self) -> u32 {
        (self >> 32) as u32
    }
}
