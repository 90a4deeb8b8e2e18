//! The specification's words as solver terms: the same functions that run on `u32` build terms here.

use lockstep_spec::word::{Bool, Wide, Word};

use super::term::Term;

/// A word of 32 bits that a solver reasons about.
#[derive(Clone, Copy, Debug)]
pub struct SmtWord(pub Term);

/// A truth value that a solver reasons about.
#[derive(Clone, Copy, Debug)]
pub struct SmtBool(pub Term);

/// A product of 64 bits that a solver reasons about.
#[derive(Clone, Copy, Debug)]
pub struct SmtWide(pub Term);

const WORD_BITS: u32 = 32;

impl SmtWord {
    /// The variable `name`.
    pub fn var(name: &str) -> SmtWord {
        SmtWord(Term::var(name, WORD_BITS))
    }
}

impl Bool for SmtBool {
    fn constant(value: bool) -> SmtBool {
        SmtBool(Term::truth(value))
    }
    fn and(self, other: SmtBool) -> SmtBool {
        SmtBool(self.0.and(other.0))
    }
    fn or(self, other: SmtBool) -> SmtBool {
        SmtBool(self.0.or(other.0))
    }
    fn not(self) -> SmtBool {
        SmtBool(self.0.not())
    }
}

impl Word for SmtWord {
    type Bool = SmtBool;
    type Wide = SmtWide;

    fn constant(value: u32) -> SmtWord {
        SmtWord(Term::bits(WORD_BITS, u128::from(value)))
    }
    fn when(self, condition: SmtBool, other: SmtWord) -> SmtWord {
        SmtWord(condition.0.ite(self.0, other.0))
    }
    fn eq(self, other: SmtWord) -> SmtBool {
        SmtBool(self.0.equals(other.0))
    }
    fn slt(self, other: SmtWord) -> SmtBool {
        SmtBool(self.0.bvslt(other.0))
    }
    fn ult(self, other: SmtWord) -> SmtBool {
        SmtBool(self.0.bvult(other.0))
    }
    fn and(self, other: SmtWord) -> SmtWord {
        SmtWord(self.0.bvand(other.0))
    }
    fn or(self, other: SmtWord) -> SmtWord {
        SmtWord(self.0.bvor(other.0))
    }
    fn xor(self, other: SmtWord) -> SmtWord {
        SmtWord(self.0.bvxor(other.0))
    }
    fn not(self) -> SmtWord {
        SmtWord(self.0.bvnot())
    }
    fn add(self, other: SmtWord) -> SmtWord {
        SmtWord(self.0.bvadd(other.0))
    }
    fn sub(self, other: SmtWord) -> SmtWord {
        SmtWord(self.0.bvsub(other.0))
    }
    fn mul(self, other: SmtWord) -> SmtWord {
        SmtWord(self.0.bvmul(other.0))
    }
    fn udiv(self, other: SmtWord) -> SmtWord {
        let any = any("udiv");
        SmtWord(other.0.is_nonzero().ite(self.0.bvudiv(other.0), any))
    }
    fn urem(self, other: SmtWord) -> SmtWord {
        let any = any("urem");
        SmtWord(other.0.is_nonzero().ite(self.0.bvurem(other.0), any))
    }
    fn sdiv(self, other: SmtWord) -> SmtWord {
        let any = any("sdiv");
        SmtWord(has_signed_quotient(self, other).ite(self.0.bvsdiv(other.0), any))
    }
    fn srem(self, other: SmtWord) -> SmtWord {
        let any = any("srem");
        SmtWord(has_signed_quotient(self, other).ite(self.0.bvsrem(other.0), any))
    }
    fn shl(self, amount: SmtWord) -> SmtWord {
        SmtWord(self.0.bvshl(amount.0))
    }
    fn lshr(self, amount: SmtWord) -> SmtWord {
        SmtWord(self.0.bvlshr(amount.0))
    }
    fn ashr(self, amount: SmtWord) -> SmtWord {
        SmtWord(self.0.bvashr(amount.0))
    }
    fn zext(self, bits: u32) -> SmtWord {
        SmtWord(self.0.extract(bits - 1, 0).zero_extend_to(WORD_BITS))
    }
    fn sext(self, bits: u32) -> SmtWord {
        SmtWord(self.0.extract(bits - 1, 0).sign_extend_to(WORD_BITS))
    }
    fn zext_wide(self) -> SmtWide {
        SmtWide(self.0.zero_extend_to(2 * WORD_BITS))
    }
    fn sext_wide(self) -> SmtWide {
        SmtWide(self.0.sign_extend_to(2 * WORD_BITS))
    }
}

impl Wide for SmtWide {
    type Word = SmtWord;
    fn mul(self, other: SmtWide) -> SmtWide {
        SmtWide(self.0.bvmul(other.0))
    }
    fn high(self) -> SmtWord {
        SmtWord(self.0.extract(2 * WORD_BITS - 1, WORD_BITS))
    }
}

/// "Any word" of the trait: a variable that nothing constrains, one for each operation.
/// A proof thus holds whatever a division without a quotient yields.
fn any(operation: &str) -> Term {
    Term::var(&format!("any_{operation}"), WORD_BITS)
}

fn has_signed_quotient(dividend: SmtWord, divisor: SmtWord) -> Term {
    let most_negative = Term::bits(WORD_BITS, 1 << (WORD_BITS - 1));
    let minus_one = Term::bits(WORD_BITS, u128::from(u32::MAX));
    let overflows = dividend.0.equals(most_negative).and(divisor.0.equals(minus_one));
    divisor.0.is_nonzero().and(overflows.not())
}
