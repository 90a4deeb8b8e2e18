//! sb, sh and sw.

use lockstep::isa::Op;

use super::chip;
use super::load::Address;
use super::step::{Decoded, RD, RS1, RS2, Read, Step, Write, access};
use crate::air::{Builder, columns};
use crate::expr::Expr;

/// The three stores.
pub struct Store;

columns! {
    /// A row is one store that succeeds.
    StoreRow {
        step: Step,
        is_sb, is_sh, is_sw,
        rs1, rs2,
        imm[2],
        b: Read, c: Read,
        address: Address,
        /// The word that was there.
        word: Write,
        /// The bytes of the half-word that was at the address.
        kept[2],
        /// The bytes of the low half of rs2.
        bytes[2],
        /// The half-word at the address after sb or sh.
        half,
        /// The word that is there now.
        new[2],
    }
}

chip!(Store, "store", StoreRow);

impl Store {
    fn constrain<B: Builder>(b: &mut B, row: StoreRow<Expr<B::Raw>>) {
        let StoreRow { step, is_sb, is_sh, is_sw, rs1, rs2, imm, c, word, kept, bytes, half, new, address, .. } = &row;
        let real = &super::one_hot(b, [is_sb, is_sh, is_sw]);
        let op = is_sb * Op::Sb as u32 + is_sh * Op::Sh as u32 + is_sw * Op::Sw as u32;
        let insn = Decoded { rs1: rs1.clone(), rs2: rs2.clone(), imm: imm.clone(), ..Decoded::bare(op) };
        step.execute(b, real, insn, step.next_pcw(), step.mode.clone());
        step.read(b, real, rs1, RS1, &row.b);
        step.read(b, real, rs2, RS2, c);
        let waddr = address.constrain(b, real, &row.b.value, imm, &step.mode);
        // MEM-3.
        let offset = &address.offset;
        b.zero("a word is aligned", is_sw * (&offset[0] + &offset[1]));
        b.zero("a half-word is aligned", is_sh * &offset[0]);
        let old = &word.old;
        b.pair(real.clone(), kept[0].clone(), kept[1].clone());
        b.pair(real.clone(), bytes[0].clone(), bytes[1].clone());
        let held = &old[0] + &offset[1] * (&old[1] - &old[0]);
        b.integer_zero("bytes of the old half-word", held - &kept[0] - &kept[1] * 256);
        b.integer_zero("bytes of rs2", &c.value[0] - &bytes[0] - &bytes[1] * 256);
        // ISA-14: sb replaces one byte of the half-word and keeps the other.
        let even = &bytes[0] + &kept[1] * 256;
        let odd = &kept[0] + &bytes[0] * 256;
        b.when("half-word after sb", is_sb.clone(), &even + &offset[0] * (odd - &even) - half);
        b.when("half-word after sh", is_sh.clone(), &c.value[0] - half);
        let part = &(is_sb + is_sh);
        b.when("low half after a part", part.clone(), half + &offset[1] * (&old[0] - half) - &new[0]);
        b.when("high half after a part", part.clone(), &old[1] + &offset[1] * (half - &old[1]) - &new[1]);
        b.when("low half after sw", is_sw.clone(), &c.value[0] - &new[0]);
        b.when("high half after sw", is_sw.clone(), &c.value[1] - &new[1]);
        access(b, real, waddr, old, &word.t_prev, new.clone(), step.at(RD));
    }
}
