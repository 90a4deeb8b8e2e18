//! The functions that `lockstep formal` proves, compiled so that their LLVM IR can be read.
//!
//! A wrapper calls the function of the library `lockstep` itself - the compiled library that the
//! command `lockstep` links - and is never inlined, so that the IR of the wrapper is the IR of the
//! function. Nothing runs this file.
#![forbid(unsafe_code)]

/// The functions of `lockstep::exec::ops`.
pub mod handler {
    macro_rules! wrap {
        ($($name:ident($($arg:ident),*) -> $result:ty;)*) => {
            $(
                #[doc = concat!("`lockstep::exec::ops::", stringify!($name), "`.")]
                #[inline(never)]
                pub fn $name($($arg: u32),*) -> $result {
                    lockstep::exec::ops::$name($($arg),*)
                }
            )*
        };
    }
    lockstep_harness::handlers!(wrap);
}

/// The planted errors of `harness/src/smt/mutants.rs`.
pub mod mutant {
    macro_rules! wrap {
        ($($name:ident of $handler:ident($($arg:ident),*) -> $result:ty $body:block)*) => {
            $(
                #[doc = concat!("A wrong `", stringify!($handler), "`.")]
                #[inline(never)]
                pub fn $name($($arg: u32),*) -> $result {
                    lockstep_harness::smt::mutants::$name($($arg),*)
                }
            )*
        };
    }
    lockstep_harness::mutants!(wrap);
}

/// `arm!(name(...) = expression of the state)`: a function of the 13 words of the state.
macro_rules! arm {
    ($name:ident, $given:ident => $body:expr) => {
        #[allow(missing_docs, reason = "named after the instruction or the planted error")]
        #[allow(clippy::too_many_arguments, reason = "the state, word by word: no memory in the IR")]
        #[inline(never)]
        pub fn $name(
            pc: u32,
            mode: u32,
            rd: u32,
            rs1: u32,
            rs2: u32,
            imm: u32,
            x_rs1: u32,
            x_rs2: u32,
            x_other: u32,
            place: u32,
            word: u32,
            elsewhere: u32,
            note: u32,
        ) -> u128 {
            let $given = lockstep::exec::probe::Given {
                pc,
                mode,
                rd,
                rs1,
                rs2,
                imm,
                x_rs1,
                x_rs2,
                x_other,
                place,
                word,
                elsewhere,
                note,
            };
            $body
        }
    };
}

/// What the plain engine does with each instruction.
pub mod step {
    macro_rules! wrap {
        ($($op:ident $name:ident;)*) => {
            $(arm!($name, given => lockstep::exec::probe::step(lockstep::isa::Op::$op, given));)*
        };
    }
    lockstep_harness::arms!(wrap);
}

/// What the block engine does with each instruction.
pub mod block {
    macro_rules! wrap {
        ($($op:ident $name:ident;)*) => {
            $(arm!($name, given => lockstep::exec::probe::block(lockstep::isa::Op::$op, given));)*
        };
    }
    lockstep_harness::arms!(wrap);
}

/// The wrong arms of `harness/src/smt/mutants.rs`.
pub mod wrong_arm {
    macro_rules! wrap {
        ($g:ident; $($name:ident $engine:ident of $op:ident => $other:ident { $($field:ident: $value:expr),* })*) => {
            $(arm!($name, given => lockstep_harness::smt::mutants::$name(given));)*
        };
    }
    lockstep_harness::arm_mutants!(wrap);
}
