//! The list of chips: what a proof consists of, in order.

use crate::air::{Builder, Chip, Fixed};
use crate::chips::add::{Add, AddImmediate};
use crate::chips::bitwise::Bitwise;
use crate::chips::boundary::Boundary;
use crate::chips::branch::Branch;
use crate::chips::constant::Constant;
use crate::chips::decode::Decode;
use crate::chips::div::Div;
use crate::chips::ecall::{Fill, Io, Terminate};
use crate::chips::fetch::{Illegal, Unfetchable};
use crate::chips::forbidden::Forbidden;
use crate::chips::jalr::Jalr;
use crate::chips::less::Less;
use crate::chips::load::Load;
use crate::chips::misjump::Misjump;
use crate::chips::mul::Mul;
use crate::chips::page::Page;
use crate::chips::poseidon2::Poseidon2;
use crate::chips::refresh::Refresh;
use crate::chips::refused::{Declined, Refused};
use crate::chips::sha2::Sha2;
use crate::chips::sha2_round::{Sha2Block, Sha2Round};
use crate::chips::shift::Shift;
use crate::chips::store::Store;
use crate::chips::system::{Dispatch, Fence, Mret};
use crate::chips::tables::{Halves, Opcodes};
use crate::chips::trap::Trap;
use crate::chips::tree::Tree;

macro_rules! chips {
    ($($chip:ident),* $(,)?) => {
        /// A chip of the machine.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum AnyChip {
            $(#[doc = concat!("[`", stringify!($chip), "`]")] $chip,)*
        }

        impl AnyChip {
            /// Every chip, in the order of the proof.
            pub const ALL: [AnyChip; [$(stringify!($chip)),*].len()] = [$(AnyChip::$chip),*];
        }

        impl Chip for AnyChip {
            fn name(&self) -> &'static str {
                match self { $(AnyChip::$chip => $chip.name()),* }
            }

            fn width(&self) -> usize {
                match self { $(AnyChip::$chip => $chip.width()),* }
            }

            fn columns(&self) -> Vec<String> {
                match self { $(AnyChip::$chip => $chip.columns()),* }
            }

            fn eval<B: Builder>(&self, b: &mut B) {
                match self { $(AnyChip::$chip => $chip.eval(b)),* }
            }

            fn fixed(&self) -> Option<Fixed> {
                match self { $(AnyChip::$chip => $chip.fixed()),* }
            }

            fn reads_next(&self) -> bool {
                match self { $(AnyChip::$chip => $chip.reads_next()),* }
            }

            fn publics(&self) -> usize {
                match self { $(AnyChip::$chip => $chip.publics()),* }
            }
        }
    };
}

chips! {
    Boundary, Add, AddImmediate, Bitwise, Less, Shift, Branch, Constant, Jalr, Load, Store, Mul, Div, Fence, Mret, Dispatch,
    Terminate, Io, Fill, Sha2, Sha2Block, Sha2Round, Unfetchable, Illegal, Misjump, Forbidden, Refused, Declined, Trap, Refresh, Decode, Page, Tree, Poseidon2, Halves, Opcodes,
}
