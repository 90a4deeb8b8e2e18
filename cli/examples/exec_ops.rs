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
