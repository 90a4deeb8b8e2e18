//! Expressions with operators by reference and by value, so that constraints read like equations.

use std::ops::{Add, Mul, Neg, Sub};

use p3_field::PrimeCharacteristicRing;

/// A value of a row or an expression over such values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expr<X>(pub X);

impl<X: PrimeCharacteristicRing> Expr<X> {
    /// The constant `value`.
    pub fn of(value: u32) -> Self {
        Expr(X::from_u32(value))
    }

    /// 0.
    pub fn zero() -> Self {
        Expr(X::ZERO)
    }

    /// 1.
    pub fn one() -> Self {
        Expr(X::ONE)
    }

    /// 1 minus the value: the negation of a boolean.
    pub fn not(&self) -> Self {
        Expr(X::ONE - self.0.clone())
    }

    /// The sum of `terms`.
    pub fn sum(terms: impl IntoIterator<Item = Self>) -> Self {
        terms.into_iter().reduce(|a, b| a + b).unwrap_or_else(Self::zero)
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident) => {
        impl<X: PrimeCharacteristicRing> $trait<Expr<X>> for Expr<X> {
            type Output = Expr<X>;
            #[inline]
            fn $method(self, other: Expr<X>) -> Expr<X> {
                Expr($trait::$method(self.0, other.0))
            }
        }
        impl<X: PrimeCharacteristicRing> $trait<&Expr<X>> for Expr<X> {
            type Output = Expr<X>;
            #[inline]
            fn $method(self, other: &Expr<X>) -> Expr<X> {
                Expr($trait::$method(self.0, other.0.clone()))
            }
        }
        impl<X: PrimeCharacteristicRing> $trait<Expr<X>> for &Expr<X> {
            type Output = Expr<X>;
            #[inline]
            fn $method(self, other: Expr<X>) -> Expr<X> {
                Expr($trait::$method(self.0.clone(), other.0))
            }
        }
        impl<X: PrimeCharacteristicRing> $trait<&Expr<X>> for &Expr<X> {
            type Output = Expr<X>;
            #[inline]
            fn $method(self, other: &Expr<X>) -> Expr<X> {
                Expr($trait::$method(self.0.clone(), other.0.clone()))
            }
        }
        impl<X: PrimeCharacteristicRing> $trait<u32> for Expr<X> {
            type Output = Expr<X>;
            #[inline]
            fn $method(self, other: u32) -> Expr<X> {
                Expr($trait::$method(self.0, X::from_u32(other)))
            }
        }
        impl<X: PrimeCharacteristicRing> $trait<u32> for &Expr<X> {
            type Output = Expr<X>;
            #[inline]
            fn $method(self, other: u32) -> Expr<X> {
                Expr($trait::$method(self.0.clone(), X::from_u32(other)))
            }
        }
    };
}
operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);

impl<X: PrimeCharacteristicRing> Neg for Expr<X> {
    type Output = Expr<X>;
    #[inline]
    fn neg(self) -> Expr<X> {
        Expr(-self.0)
    }
}
