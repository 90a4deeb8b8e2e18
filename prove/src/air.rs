//! The language in which chips are written: columns, constraints, buses.
//!
//! A chip states its constraints once, against [`Builder`]. What a builder does with them is the
//! backend's affair: `check.rs` evaluates them on a row and names the first that fails,
//! `symbolic.rs` keeps them as expressions, `backend.rs` hands them to Plonky3.

use p3_field::PrimeCharacteristicRing;

use crate::expr::Expr;

/// The base field: BabyBear, p = 15 * 2^27 + 1.
pub type F = p3_baby_bear::BabyBear;

/// The order of the base field.
pub const P: u32 = 0x7800_0001;

/// A channel between chips. What is sent on a bus is received on it, as often: the proof shows
/// that the two multisets are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bus {
    /// (ts, pcw, mode): the state between two steps.
    Execution,
    /// (tag, pcw, mode, op, rd, rs1, rs2, imm lo, imm hi, target): a decoded instruction.
    Program,
    /// (waddr, lo, hi, t): the word at `waddr` since time `t`.
    Memory,
    /// (waddr, lo, hi): a word of a page that is only executed and read.
    Code,
    /// (v): 0 <= v < 2^16.
    Half,
    /// (a, b, a & b): two bytes.
    Bytes,
    /// (a, b): two bytes.
    Pair,
    /// (v >> 2, v & 3): a half-word as a multiple of 4 and the two bits below it.
    Quarter,
    /// (v, v & 31): a half-word and the shift amount in it.
    Amount,
    /// (v, class): the upper half of an address and its region.
    Region,
    /// (key, kind): what the opcode and funct3 of an instruction say (`tables.rs`).
    Opcode,
    /// (24 cells in, cells 0..8 and 16..24 out): one Poseidon2 permutation.
    Poseidon2,
    /// (level, index, digest in, digest out): a node of the page tree.
    Node,
    /// (ts, waddr, offset, bytes left): a buffer that the host fills.
    Fill,
    /// (ts, blocks left, is first, data, table, 8 words): the state of SHA-256 before a block.
    Sha2Block,
    /// (ts, blocks left, is first, round, data, table, 16 words, 8 words): schedule and state before a round.
    Sha2Round,
    /// (round, lo, hi, whether it takes a word of the block): the constant of a round of SHA-256.
    Sha2Constant,
    /// (ts, pcw, mode, cause, addr lo, addr hi): a trap that happened for cause.
    Trap,
    /// (ts, pcw, mode, kind, code, addr lo, addr hi): how the segment ended.
    End,
}

impl Bus {
    /// Every bus.
    pub const ALL: [Bus; 19] = [
        Bus::Execution,
        Bus::Program,
        Bus::Memory,
        Bus::Code,
        Bus::Half,
        Bus::Bytes,
        Bus::Pair,
        Bus::Quarter,
        Bus::Amount,
        Bus::Region,
        Bus::Opcode,
        Bus::Poseidon2,
        Bus::Node,
        Bus::Fill,
        Bus::Sha2Block,
        Bus::Sha2Round,
        Bus::Sha2Constant,
        Bus::Trap,
        Bus::End,
    ];

    /// The name of the bus in the transcript and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Bus::Execution => "execution",
            Bus::Program => "program",
            Bus::Memory => "memory",
            Bus::Code => "code",
            Bus::Half => "half",
            Bus::Bytes => "bytes",
            Bus::Pair => "pair",
            Bus::Quarter => "quarter",
            Bus::Amount => "amount",
            Bus::Region => "region",
            Bus::Opcode => "opcode",
            Bus::Poseidon2 => "poseidon2",
            Bus::Node => "node",
            Bus::Fill => "fill",
            Bus::Sha2Block => "sha2-block",
            Bus::Sha2Round => "sha2-round",
            Bus::Sha2Constant => "sha2-constant",
            Bus::Trap => "trap",
            Bus::End => "end",
        }
    }
}

/// How often a row puts a tuple on a bus.
#[derive(Clone, Debug)]
pub enum Times<E> {
    /// Sent: 0 or 1 times. The chip constrains the expression to be boolean.
    Send(E),
    /// Received: 0 or 1 times. The chip constrains the expression to be boolean.
    Receive(E),
    /// Offered by a table, as often as it is asked for.
    Provide(E),
}

/// What a chip is written against.
pub trait Builder {
    /// What stands for a cell or a value computed from cells.
    type Raw: PrimeCharacteristicRing + Clone;

    /// Column `column` of this row.
    fn local(&self, column: usize) -> Expr<Self::Raw>;
    /// Column `column` of the row below; of the last row, the first.
    fn next(&self, column: usize) -> Expr<Self::Raw>;
    /// Fixed column `column` of this row: the same in every proof.
    fn fixed(&self, column: usize) -> Expr<Self::Raw>;
    /// Public value `index` of the proof.
    fn public(&self, index: usize) -> Expr<Self::Raw>;
    /// Not 0 in the first row, 0 in all others.
    fn is_first(&self) -> Expr<Self::Raw>;
    /// Not 0 in the last row, 0 in all others.
    fn is_last(&self) -> Expr<Self::Raw>;
    /// Not 0 in every row but the last.
    fn is_transition(&self) -> Expr<Self::Raw>;

    /// Constrains `value` to be 0 in the field.
    fn zero(&mut self, name: &'static str, value: Expr<Self::Raw>);

    /// Constrains `value` to be 0 as an integer: the static check fails if the ranges of the columns
    /// allow it to reach p in magnitude.
    fn integer_zero(&mut self, name: &'static str, value: Expr<Self::Raw>) {
        self.zero(name, value);
    }

    /// Puts `tuple` on `bus`.
    fn interact<const N: usize>(&mut self, bus: Bus, times: Times<Expr<Self::Raw>>, tuple: [Expr<Self::Raw>; N]);

    /// Records that `value` lies in 0..=`max` because of what another chip or the bus guarantees.
    /// It constrains nothing: it is read by the static check and by the SMT export.
    fn known(&mut self, _value: Expr<Self::Raw>, _max: u32) {}

    // What follows is shorthand.

    /// Constrains `value` to be 0 or 1.
    fn boolean(&mut self, name: &'static str, value: Expr<Self::Raw>) {
        self.zero(name, &value * (&value - 1));
    }

    /// Constrains `value` to be 0 unless `condition` is.
    fn when(&mut self, name: &'static str, condition: Expr<Self::Raw>, value: Expr<Self::Raw>) {
        self.zero(name, condition * value);
    }

    /// Looks `value` up among the half-words, if `real`.
    fn half(&mut self, real: Expr<Self::Raw>, value: Expr<Self::Raw>) {
        self.interact(Bus::Half, Times::Send(real), [value]);
    }

    /// Looks `a` and `b` up among the bytes, if `real`.
    fn pair(&mut self, real: Expr<Self::Raw>, a: Expr<Self::Raw>, b: Expr<Self::Raw>) {
        self.interact(Bus::Pair, Times::Send(real), [a, b]);
    }

    /// Looks `a` and `b` up among the bytes with their conjunction, if `real`.
    fn two_bytes(&mut self, real: Expr<Self::Raw>, a: Expr<Self::Raw>, b: Expr<Self::Raw>, and: Expr<Self::Raw>) {
        self.interact(Bus::Bytes, Times::Send(real), [a, b, and]);
    }
}

/// The two rows that a builder shows, as cells.
pub trait Row<T> {
    /// Column `column` of this row.
    fn local_cell(&self, column: usize) -> T;
    /// Column `column` of the row below.
    fn next_cell(&self, column: usize) -> T;
}

impl<B: Builder> Row<Expr<B::Raw>> for B {
    fn local_cell(&self, column: usize) -> Expr<B::Raw> {
        self.local(column)
    }

    fn next_cell(&self, column: usize) -> Expr<B::Raw> {
        self.next(column)
    }
}

/// A chip: a table whose rows satisfy constraints and talk on buses.
pub trait Chip: Sync {
    /// The chip's name, unique.
    fn name(&self) -> &'static str;
    /// The number of columns that the prover fills.
    fn width(&self) -> usize;
    /// The name of each column.
    fn columns(&self) -> Vec<String>;
    /// The constraints and bus tuples of one row.
    fn eval<B: Builder>(&self, b: &mut B);
    /// The fixed columns, row by row, if the chip has any.
    fn fixed(&self) -> Option<Fixed> {
        None
    }
    /// Whether [`Builder::next`] is used.
    fn reads_next(&self) -> bool {
        false
    }
    /// How many public values the chip reads.
    fn publics(&self) -> usize {
        0
    }
}

/// Columns that are the same in every proof.
pub struct Fixed {
    /// Cells a row.
    pub width: usize,
    /// The cells, row by row; the height is a power of two.
    pub cells: Vec<F>,
}

/// Defines the columns of a chip: a struct generic over the cell, readable from a builder's row and
/// writable to a trace's.
///
/// A field is a cell (`ts`), an array (`b[2]`) or another set of columns (`rs1: Read`).
macro_rules! columns {
    ($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident $([$n:expr])? $(: $sub:ident)?),* $(,)? }) => {
        $(#[$meta])*
        #[allow(missing_docs, reason = "most columns say what they are by their names")]
        pub struct $name<T> {
            $($(#[$fmeta])* pub $field: $crate::air::columns!(@type T, $([$n])? $(: $sub)?),)*
        }

        impl<T: Clone> Clone for $name<T> {
            fn clone(&self) -> Self {
                $name { $($field: self.$field.clone()),* }
            }
        }

        impl<T: Copy> Copy for $name<T> {}

        impl<T: Clone + Default> Default for $name<T> {
            fn default() -> Self {
                Self::take(&mut std::iter::repeat_with(T::default))
            }
        }

        #[allow(dead_code, unused_variables, reason = "generated for every set of columns")]
        impl<T: Clone> $name<T> {
            /// The number of cells.
            pub const WIDTH: usize = 0 $(+ $crate::air::columns!(@width T, $([$n])? $(: $sub)?))*;

            /// The columns, taken from `cells` in order.
            pub fn take(cells: &mut impl Iterator<Item = T>) -> Self {
                $(let $field = $crate::air::columns!(@take cells, $([$n])? $(: $sub)?);)*
                $name { $($field),* }
            }

            /// Appends the cells to `row` in order.
            pub fn put(self, row: &mut Vec<T>) {
                $($crate::air::columns!(@put row, self.$field, $([$n])? $(: $sub)?);)*
            }

            /// Appends the names of the cells.
            pub fn names(prefix: &str, names: &mut Vec<String>) {
                $($crate::air::columns!(@names T, prefix, names, stringify!($field), $([$n])? $(: $sub)?);)*
            }

            /// The columns of this row.
            pub fn local(b: &impl $crate::air::Row<T>) -> Self {
                Self::take(&mut (0..Self::WIDTH).map(|column| b.local_cell(column)))
            }

            /// The columns of the row below.
            pub fn next(b: &impl $crate::air::Row<T>) -> Self {
                Self::take(&mut (0..Self::WIDTH).map(|column| b.next_cell(column)))
            }
        }
    };
    (@type $t:ident,) => { $t };
    (@type $t:ident, [$n:expr]) => { [$t; $n] };
    (@type $t:ident, : $sub:ident) => { $sub<$t> };
    (@width $t:ident,) => { 1 };
    (@width $t:ident, [$n:expr]) => { $n };
    (@width $t:ident, : $sub:ident) => { $sub::<$t>::WIDTH };
    (@take $cells:ident,) => { $cells.next().expect("WIDTH cells") };
    (@take $cells:ident, [$n:expr]) => { std::array::from_fn(|_| $cells.next().expect("WIDTH cells")) };
    (@take $cells:ident, : $sub:ident) => { $sub::take($cells) };
    (@put $row:ident, $value:expr,) => { $row.push($value) };
    (@put $row:ident, $value:expr, [$n:expr]) => { $row.extend($value) };
    (@put $row:ident, $value:expr, : $sub:ident) => { $value.put($row) };
    (@names $t:ident, $prefix:ident, $names:ident, $field:expr,) => { $names.push(format!("{}{}", $prefix, $field)) };
    (@names $t:ident, $prefix:ident, $names:ident, $field:expr, [$n:expr]) => {
        for i in 0..$n { $names.push(format!("{}{}[{i}]", $prefix, $field)) }
    };
    (@names $t:ident, $prefix:ident, $names:ident, $field:expr, : $sub:ident) => {
        $sub::<$t>::names(&format!("{}{}.", $prefix, $field), $names)
    };
}
pub(crate) use columns;
