//! What a receipt claims about a segment.

use std::fmt;

use lockstep::map::DIGEST_WORDS;
use lockstep::trap::Cause;
use p3_field::PrimeCharacteristicRing;
use risc0_binfmt::{Digestible, SystemState};
use risc0_zkp::core::digest::Digest;
use risc0_zkp::core::hash::sha::Impl;
use serde::{Deserialize, Serialize};

use crate::air::{F, P};
use crate::chips::boundary::{CONTINUE, FAULT, HALT, PAUSE, PUBLICS, Publics};
use crate::chips::step::SLOTS;

/// A node of the page tree: eight field elements below p.
pub type Root = [u32; DIGEST_WORDS];

/// What a receipt claims: memory with root `pre`, resumed where its suspend words say, leads in `steps`
/// steps to memory with root `post`, and ends as `end` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The root of the page tree before.
    pub pre: Root,
    /// The root of the page tree after; its suspend words hold `pc` and `mode`.
    pub post: Root,
    /// How the segment ended.
    pub end: End,
    /// The address of the next instruction; after a halt that of the ECALL, after a fault that of the
    /// instruction that raised.
    pub pc: u32,
    /// The mode at the end: 0 user, 1 machine.
    pub mode: u8,
    /// The number of steps (TIME-1).
    pub steps: u32,
    /// The input digest before the first step (MAP-11), as words.
    pub input: [u32; DIGEST_WORDS],
    /// The output digest (MAP-11), as words.
    pub output: [u32; DIGEST_WORDS],
}

/// How a segment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// It is full: another segment goes on.
    Continue,
    /// The program halted with this user exit (ECALL-2).
    Halt(u16),
    /// The program paused with this user exit (ECALL-2).
    Pause(u16),
    /// A fault that no kernel took (TRAP-4).
    Fault {
        /// The number of the cause (TRAP-1).
        cause: u8,
        /// The address, word or number that TRAP-5 assigns to it.
        addr: u32,
    },
}

impl Claim {
    /// The image ID of `pre` as RISC Zero computes it: SHA-256 of the tagged struct
    /// `risc0.SystemState { pc: 0, merkle_root }`.
    pub fn image_id(&self) -> [u8; 32] {
        image_id(&self.pre)
    }

    /// The output digest as bytes, in the order of memory.
    pub fn output_bytes(&self) -> [u8; 32] {
        Digest::from(self.output).into()
    }

    /// Whether every field is in its range.
    pub fn is_canonical(&self) -> bool {
        let is_root = |root: &Root| root.iter().all(|cell| *cell < P);
        let has_cause = match self.end {
            End::Fault { cause, .. } => Cause::ALL.iter().any(|known| known.number() == u32::from(cause)),
            _ => true,
        };
        is_root(&self.pre)
            && is_root(&self.post)
            && has_cause
            && self.pc.is_multiple_of(4)
            && self.mode <= 1
            && self.steps < (P - 2 * SLOTS) / SLOTS
    }

    /// The public values of the proof.
    pub fn publics(&self) -> Vec<F> {
        let halves = |word: u32| [word & 0xffff, word >> 16].map(F::from_u32);
        let (kind, code, addr) = match self.end {
            End::Continue => (CONTINUE, 0, 0),
            End::Halt(user_exit) => (HALT, u32::from(user_exit), 0),
            End::Pause(user_exit) => (PAUSE, u32::from(user_exit), 0),
            End::Fault { cause, addr } => (FAULT, u32::from(cause), addr),
        };
        let digest = |words: [u32; DIGEST_WORDS]| std::array::from_fn(|i| halves(words[i / 2])[i % 2]);
        let mut cells = Vec::with_capacity(PUBLICS);
        Publics {
            pre: self.pre.map(F::from_u32),
            post: self.post.map(F::from_u32),
            kind: F::from_u32(kind),
            code: F::from_u32(code),
            addr: halves(addr),
            pcw: F::from_u32(self.pc >> 2),
            mode: F::from_u8(self.mode),
            ts: F::from_u32(self.last_time()),
            input: digest(self.input),
            output: digest(self.output),
        }
        .put(&mut cells);
        cells
    }

    /// The time after the last row of execution: an instruction that raised has a row, but is no step.
    fn last_time(&self) -> u32 {
        let rows = self.steps + 1 + u32::from(matches!(self.end, End::Fault { .. }));
        rows * SLOTS
    }
}

/// The image ID of memory with page tree root `root`.
pub fn image_id(root: &Root) -> [u8; 32] {
    let state = SystemState { pc: 0, merkle_root: Digest::from(*root) };
    state.digest::<Impl>().into()
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            End::Continue => write!(f, "continues"),
            End::Halt(user_exit) => write!(f, "halted with user exit {user_exit}"),
            End::Pause(user_exit) => write!(f, "paused with user exit {user_exit}"),
            End::Fault { cause, addr } => {
                let known = Cause::ALL.into_iter().find(|known| known.number() == u32::from(cause));
                match known {
                    Some(cause) => write!(f, "fault: {cause} at 0x{addr:08x}"),
                    None => write!(f, "fault: cause {cause} at 0x{addr:08x}"),
                }
            }
        }
    }
}
