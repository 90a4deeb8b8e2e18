//! Jumps, taken branches and mret to an address that is not divisible by 4 (ISA-13, MODE-4).

use lockstep::isa::Op;
use lockstep::map;
use lockstep::trap::Cause;

use super::branch::Condition;
use super::chip;
use super::decode::RAISES;
use super::step::{Decoded, LOAD, RS1, RS2, Read, Step, read_word};
use super::trap::raise;
use crate::air::{Builder, columns};
use crate::expr::Expr;

/// Misaligned jumps.
pub struct Misjump;

columns! {
    /// A row is one of them.
    MisjumpRow {
        step: Step,
        is_jal, is_jalr, is_mret,
        /// The branch that is taken, if it is one.
        condition: Condition,
        /// The operands as the decoder has them. Of jal and branches the immediate is the target.
        rd, rs1, rs2, imm[2], target,
        b: Read, c: Read,
        /// MEPC, of mret.
        mepc: Read,
        /// rs1 + immediate of jalr, MEPC + 4 of mret: bits 2 to 15, 0 and 1, 16 to 31, and the carries of the sum.
        quotient, low[2], hi, carry[2],
    }
}

chip!(Misjump, "misjump", MisjumpRow);

impl Misjump {
    fn constrain<B: Builder>(b: &mut B, row: MisjumpRow<Expr<B::Raw>>) {
        let MisjumpRow { step, is_jal, is_jalr, is_mret, condition, rd, rs1, rs2, imm, target, .. } = &row;
        let MisjumpRow { mepc, quotient, low, hi, carry, .. } = &row;
        let is_branch = &condition.is_branch();
        let is_computed = &(is_jalr + is_mret);
        let real = &(is_jal + is_computed + is_branch);
        super::booleans(b, &[is_jal.clone(), is_jalr.clone(), is_mret.clone(), real.clone()]);
        let op = condition.op()
            + is_jal * Op::Jal as u32
            + is_jalr * Op::Jalr as u32
            + is_mret * Op::Mret as u32
            + (is_jal + is_branch) * RAISES;
        let insn = Decoded {
            op,
            rd: rd.clone(),
            rs1: rs1.clone(),
            rs2: rs2.clone(),
            imm: imm.clone(),
            target: target.clone(),
        };
        step.fetch(b, real, insn);
        step.read(b, &(is_jalr + is_branch), rs1, RS1, &row.b);
        step.read(b, is_branch, rs2, RS2, &row.c);
        read_word(b, is_mret, Expr::of(map::MEPC >> 2), step.at(LOAD), mepc);
        let of_branch = |word: &[Expr<B::Raw>; 2]| std::array::from_fn(|i| is_branch * &word[i]);
        condition.constrain(b, &of_branch(&row.b.value), &of_branch(&row.c.value));
        b.zero("a branch that is not taken never raises", is_branch - &condition.is_taken);
        b.zero("mret in machine mode", is_mret * step.mode.not());
        super::half_words_known(b, imm);
        super::booleans(b, low);
        let low2 = &low[0] + &low[1] * 2;
        super::quarter(b, is_computed, quotient, low2.clone());
        b.known(quotient.clone(), 0x3fff);
        b.half(is_computed.clone(), hi.clone());
        let base = std::array::from_fn(|i| is_jalr * &row.b.value[i] + is_mret * &mepc.value[i]);
        let four = [is_jalr * &imm[0] + is_mret * 4, is_jalr * &imm[1]];
        let sum = [is_computed * (quotient * 4 + low2), is_computed * hi];
        super::sum(b, &base, &four, &sum, carry);
        b.zero("bit 1 of the target of jalr", is_jalr * low[1].not());
        b.zero("bit 0 or 1 of the target of mret", is_mret * low[0].not() * low[1].not());
        // ISA-11: bit 0 of the target of jalr is cleared.
        let lo = is_jalr * (quotient * 4 + 2) + is_mret * (quotient * 4 + &low[0] + &low[1] * 2);
        let is_direct = is_jal + is_branch;
        let addr = [&is_direct * &imm[0] + lo, is_direct * &imm[1] + is_computed * hi];
        let cause = Expr::of(Cause::InstructionAddressMisaligned.number());
        let [lo, hi] = addr;
        raise(b, real, [step.ts.clone(), step.pcw.clone(), step.mode.clone(), cause, lo, hi]);
    }
}
