//! Refreshes: accesses to cells that were left alone for long.
//!
//! An access shows that fewer than 2^16 units of time passed since the one before, with one lookup. Of a cell that was
//! left alone for longer a row of this chip moves the time on, whatever the distance.

use super::chip;
use crate::air::{Builder, Bus, Times, columns};
use crate::expr::Expr;

/// The refreshes.
pub struct Refresh;

columns! {
    /// A row is one cell whose time moves on.
    RefreshRow {
        real,
        waddr,
        value[2],
        /// The time of the access before.
        t_prev,
        /// The half-words of the new time; the upper one is below 2^12.
        t[2],
        /// The half-words of the distance less 1; the upper one is below 2^14.
        gap[2],
    }
}

chip!(Refresh, "refresh", RefreshRow);

/// Every time is below: the verifier bounds the steps, and this chip its own times.
pub const MAX_TIME: u32 = 1 << 28;

impl Refresh {
    fn constrain<B: Builder>(b: &mut B, row: RefreshRow<Expr<B::Raw>>) {
        let RefreshRow { real, waddr, value: [lo, hi], t_prev, t, gap } = &row;
        b.boolean("real is boolean", real.clone());
        super::half_words(b, real, t);
        b.half(real.clone(), &t[1] * 16);
        b.half(real.clone(), gap[0].clone());
        super::quarter(b, real, &gap[1], Expr::zero());
        // A time that would be earlier has a distance of p - 2^28 or more, which has no such halves.
        b.known(t_prev.clone(), MAX_TIME);
        b.known(t[1].clone(), (MAX_TIME >> 16) - 1);
        let time = &t[0] + &t[1] * 0x10000;
        b.integer_zero("the distance in time", real * (&time - t_prev - 1 - &gap[0] - &gap[1] * 0x10000));
        let tuple = |t: Expr<B::Raw>| [waddr.clone(), lo.clone(), hi.clone(), t];
        b.interact(Bus::Memory, Times::Receive(real.clone()), tuple(t_prev.clone()));
        b.interact(Bus::Memory, Times::Send(real.clone()), tuple(time));
    }
}
