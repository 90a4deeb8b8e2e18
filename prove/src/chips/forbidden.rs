//! Loads and stores that raise: where the mode may not go, or misaligned (MAP-5, MEM-3, MEM-4).

use lockstep::isa::Op;
use lockstep::trap::Cause;

use super::chip;
use super::step::{Decoded, RS1, Read, Step};
use super::tables::{PRIVILEGED, USER};
use super::trap::raise;
use crate::air::{Builder, Bus, Times, columns};
use crate::expr::Expr;

/// Forbidden accesses.
pub struct Forbidden;

columns! {
    /// A row is one load or store that raises.
    ForbiddenRow {
        step: Step,
        is_lb, is_lh, is_lw, is_lbu, is_lhu, is_sb, is_sh, is_sw,
        rd, rs1, rs2,
        imm[2],
        b: Read,
        /// The address: its bits 2 to 15, 0 and 1, 16 to 31, and the carries of the sum.
        quotient, offset[2], hi, carry[2],
        /// Its region; kernel and system memory are privileged.
        is_invalid, is_user, is_privileged,
        /// Whether the mode may not go there.
        is_forbidden,
        /// Whether bit 0 or bit 1 is set.
        is_odd,
        /// Whether the address is no multiple of the width.
        is_misaligned,
    }
}

chip!(Forbidden, "forbidden", ForbiddenRow);

const _: () = assert!(
    Cause::LoadAccessFault.number() == Cause::LoadAddressMisaligned.number() + 1
        && Cause::StoreAddressMisaligned.number() == Cause::LoadAddressMisaligned.number() + 2
        && Cause::StoreAccessFault.number() == Cause::LoadAddressMisaligned.number() + 3
);

impl Forbidden {
    fn constrain<B: Builder>(b: &mut B, row: ForbiddenRow<Expr<B::Raw>>) {
        let ForbiddenRow { step, is_lb, is_lh, is_lw, is_lbu, is_lhu, is_sb, is_sh, is_sw, .. } = &row;
        let ForbiddenRow { rd, rs1, rs2, imm, quotient, offset, hi, carry, is_invalid, is_user, .. } = &row;
        let ForbiddenRow { is_privileged, is_forbidden, is_odd, is_misaligned, .. } = &row;
        let real = &super::one_hot(b, [is_lb, is_lh, is_lw, is_lbu, is_lhu, is_sb, is_sh, is_sw]);
        let ops = [Op::Lb, Op::Lh, Op::Lw, Op::Lbu, Op::Lhu, Op::Sb, Op::Sh, Op::Sw];
        let flags = [is_lb, is_lh, is_lw, is_lbu, is_lhu, is_sb, is_sh, is_sw];
        let op = Expr::sum(flags.iter().zip(ops).map(|(flag, op)| *flag * op as u32));
        let insn =
            Decoded { rd: rd.clone(), rs1: rs1.clone(), rs2: rs2.clone(), imm: imm.clone(), ..Decoded::bare(op) };
        step.fetch(b, real, insn);
        step.read(b, real, rs1, RS1, &row.b);
        super::booleans(b, offset);
        let low2 = &offset[0] + &offset[1] * 2;
        super::quarter(b, real, quotient, low2.clone());
        b.known(quotient.clone(), 0x3fff);
        let regions = super::one_hot(b, [is_invalid, is_user, is_privileged]);
        b.zero("an address lies in one region", regions - real);
        b.interact(Bus::Region, Times::Send(real.clone()), [hi.clone(), is_user * USER + is_privileged * PRIVILEGED]);
        b.known(hi.clone(), 0xffff);
        super::half_words_known(b, imm);
        let addr = [quotient * 4 + low2, hi.clone()];
        super::sum(b, &row.b.value, imm, &addr, carry);
        b.zero("where the mode may not go", is_invalid + is_privileged * step.mode.not() - is_forbidden);
        b.zero("bit 0 or bit 1", &offset[0] + &offset[1] - &offset[0] * &offset[1] - is_odd);
        let of_half = (is_lh + is_lhu + is_sh) * &offset[0];
        b.zero("no multiple of the width", (is_lw + is_sw) * is_odd + of_half - is_misaligned);
        b.zero("what is not forbidden is misaligned", (real - is_forbidden) * is_misaligned.not());
        let is_store = is_sb + is_sh + is_sw;
        let cause = real * Cause::LoadAddressMisaligned.number() + is_forbidden + is_store * 2;
        let [lo, hi] = addr;
        raise(b, real, [step.ts.clone(), step.pcw.clone(), step.mode.clone(), cause, lo, hi]);
    }
}
