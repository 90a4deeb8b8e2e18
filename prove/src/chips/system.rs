//! fence, mret, and the ecall of user mode that enters the kernel.

use lockstep::isa::Op;
use lockstep::map;

use super::chip;
use super::step::{Decoded, LOAD, RD, Read, Step, Write, access, read_word};
use crate::air::{Builder, columns};
use crate::expr::Expr;

/// `fence`, which does nothing (ISA-4).
pub struct Fence;

/// `mret` of machine mode to an aligned address (MODE-4).
pub struct Mret;

columns! {
    /// A row is one fence.
    FenceRow { step: Step, real }
}

columns! {
    /// A row is one mret.
    MretRow {
        step: Step,
        real,
        /// MEPC: its bits 2 to 15, its upper half, and the time of the access before.
        quotient, hi, t_prev,
    }
}

/// `ecall` of user mode, taken by a kernel (MODE-2).
pub struct Dispatch;

columns! {
    /// A row is one ecall of user mode with a valid ECALL vector.
    DispatchRow {
        step: Step,
        real,
        /// The vector: its bits 2 to 15, its upper half, and the time of the access before.
        quotient, hi, t_prev,
        /// pc: its bits 2 to 15 and its upper half.
        pc_quotient, pc_hi,
        /// MEPC before.
        mepc: Write,
    }
}

chip!(Fence, "fence", FenceRow);
chip!(Dispatch, "dispatch", DispatchRow);
chip!(Mret, "mret", MretRow);

impl Fence {
    fn constrain<B: Builder>(b: &mut B, row: FenceRow<Expr<B::Raw>>) {
        let FenceRow { step, real } = &row;
        b.boolean("real is boolean", real.clone());
        step.execute(b, real, Decoded::bare(Expr::of(Op::Fence as u32)), step.next_pcw(), step.mode.clone());
    }
}

impl Mret {
    fn constrain<B: Builder>(b: &mut B, row: MretRow<Expr<B::Raw>>) {
        let MretRow { step, real, quotient, hi, t_prev } = &row;
        b.boolean("real is boolean", real.clone());
        b.zero("mret in machine mode", real * step.mode.not());
        // MODE-4: MEPC + 4 is divisible by 4 exactly if MEPC is.
        super::quarter(b, real, quotient, Expr::zero());
        let next = hi * 0x4000 + quotient + 1;
        step.execute(b, real, Decoded::bare(Expr::of(Op::Mret as u32)), next, Expr::zero());
        let mepc = Read { value: [quotient * 4, hi.clone()], t_prev: t_prev.clone() };
        read_word(b, real, Expr::of(map::MEPC >> 2), step.at(LOAD), &mepc);
    }
}

impl Dispatch {
    fn constrain<B: Builder>(b: &mut B, row: DispatchRow<Expr<B::Raw>>) {
        let DispatchRow { step, real, quotient, hi, t_prev, pc_quotient, pc_hi, mepc } = &row;
        b.boolean("real is boolean", real.clone());
        b.zero("MODE-2: user mode", real * &step.mode);
        step.execute(b, real, Decoded::bare(Expr::of(Op::Ecall as u32)), hi * 0x4000 + quotient, Expr::one());
        let vector = Read { value: [quotient * 4, hi.clone()], t_prev: t_prev.clone() };
        read_word(b, real, Expr::of(map::ECALL_VECTOR >> 2), step.at(LOAD), &vector);
        // MAP-15: divisible by 4, in kernel memory.
        super::quarter(b, real, quotient, Expr::zero());
        b.half(real.clone(), hi - (map::KERNEL_START >> 16));
        b.half(real.clone(), -hi.clone() + ((map::SYSTEM_START >> 16) - 1));
        // MEPC := pc.
        super::quarter(b, real, pc_quotient, Expr::zero());
        b.half(real.clone(), pc_hi.clone());
        b.zero("pc is pcw times 4", pc_hi * 0x4000 + pc_quotient - &step.pcw);
        let pc = [pc_quotient * 4, pc_hi.clone()];
        access(b, real, Expr::of(map::MEPC >> 2), &mepc.old, &mepc.t_prev, pc, step.at(RD));
    }
}
