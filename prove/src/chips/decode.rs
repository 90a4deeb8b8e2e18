//! The decoder: a row for each distinct pc of the segment, and one for each fetch from a data page.
//!
//! The word is split into bits. Exactly one flag names the operation, and each field that the
//! instruction table fixes for it has the value of the table, so the constraints are generated from
//! the table. What depends on pc and the word alone is computed here, once a pc: the sum of auipc,
//! the link of jal, the targets of jal and of branches.

use lockstep::isa::{Format, Op};

use super::chip;
use super::fetch::Fetch;
use super::step::{SINK_OFFSET, ZERO_OFFSET};
use crate::air::{Builder, Bus, Times, columns};
use crate::expr::Expr;

/// The decoder.
pub struct Decode;

/// The number of operations.
pub const OPS: usize = Op::ALL.len();

/// What stands for a target that is not divisible by 4: no address, so nothing executes there (ISA-13).
pub const MISALIGNED: u32 = (1 << 30) + 1;

/// What is added to the number of a jump or branch whose target comes in place of the immediate.
pub const RAISES: u32 = OPS.next_power_of_two() as u32;

columns! {
    /// A row is one decoded word.
    DecodeRow {
        /// How many steps execute it.
        count,
        /// The word, where it is and who fetches it.
        fetch: Fetch,
        /// Whether the row is for a jump or taken branch that raises: the chip misjump wants the target.
        raises,
        /// The operation.
        op[OPS],
        /// Whether the register fields are 0, and the inverses of the others.
        is_zero[3], inverse[3],
        /// pc + the immediate of auipc, jal or a branch: the quotient by 4, the rest, the upper half.
        sum_quotient, sum_low[2], sum_hi,
        carry[2],
        /// pc + 4 of jal and jalr: its bits 2 to 15 and its upper half.
        link_quotient, link_hi,
        /// What the execution chip gets as immediate.
        value[2],
        /// What it gets as target.
        target,
    }
}

chip!(Decode, "decode", DecodeRow);

impl Decode {
    fn constrain<B: Builder>(b: &mut B, row: DecodeRow<Expr<B::Raw>>) {
        super::booleans(b, &row.op);
        let real = &Expr::sum(row.op.iter().cloned());
        b.boolean("at most one operation", real.clone());
        row.fetch.constrain(b, real);
        row.identify(b);
        row.constants(b, real);
        let registers = row.registers(b);
        row.offer(b, real, registers);
    }
}

impl<X: p3_field::PrimeCharacteristicRing> DecodeRow<Expr<X>> {
    fn bits(&self, low: usize, count: usize) -> Expr<X> {
        self.fetch.bits(low, count)
    }

    /// The number of flags set among the operations that satisfy `has`.
    fn any(&self, has: impl Fn(Op) -> bool) -> Expr<X> {
        Expr::sum(Op::ALL.iter().filter(|op| has(**op)).map(|op| self.op[*op as usize].clone()))
    }

    fn is(&self, op: Op) -> &Expr<X> {
        &self.op[op as usize]
    }

    /// Each field that the table fixes for the operation has the table's value.
    fn identify<B: Builder<Raw = X>>(&self, b: &mut B) {
        for (name, low, count) in FIELDS {
            let mask = ((1 << count) - 1) << low;
            let fixed = |op: Op| op.row().mask & mask == mask;
            debug_assert!(Op::ALL.iter().all(|op| [0, mask].contains(&(op.row().mask & mask))));
            let wanted =
                Op::ALL.iter().filter(|op| fixed(**op)).map(|op| self.is(*op) * ((op.row().pattern & mask) >> low));
            b.zero(name, self.any(fixed) * self.bits(low as usize, count as usize) - Expr::sum(wanted));
        }
    }

    /// What depends on pc and the word alone.
    fn constants<B: Builder<Raw = X>>(&self, b: &mut B, real: &Expr<X>) {
        let has = |format: Format| self.any(move |op| op.format() == format);
        let is_branch = &has(Format::B);
        let (is_jal, is_jalr, is_auipc) = (self.is(Op::Jal), self.is(Op::Jalr), self.is(Op::Auipc));
        let sign = &self.fetch.bit[31];
        let imm_i = [self.bits(20, 11) + sign * 0xf800, sign * 0xffff];
        let imm_shamt = self.bits(20, 5);
        let imm_s = [self.bits(7, 5) + self.bits(25, 6) * 32 + sign * 0xf800, sign * 0xffff];
        let imm_b =
            [self.bits(8, 4) * 2 + self.bits(25, 6) * 32 + &self.fetch.bit[7] * 0x800 + sign * 0xf000, sign * 0xffff];
        let imm_u = [self.bits(12, 4) * 0x1000, self.bits(16, 16)];
        let imm_j = [
            self.bits(21, 10) * 2 + &self.fetch.bit[20] * 0x800 + self.bits(12, 4) * 0x1000,
            self.bits(16, 4) + sign * 0xfff0,
        ];
        // pc + immediate.
        super::booleans(b, &self.sum_low);
        super::booleans(b, &self.carry);
        let low2 = &self.sum_low[0] + &self.sum_low[1] * 2;
        super::quarter(b, real, &self.sum_quotient, low2.clone());
        b.known(self.sum_quotient.clone(), 0x3fff);
        b.half(real.clone(), self.sum_hi.clone());
        let addend: [Expr<X>; 2] =
            std::array::from_fn(|i| is_auipc * &imm_u[i] + is_jal * &imm_j[i] + is_branch * &imm_b[i]);
        addend.iter().for_each(|half| b.known(half.clone(), 0xffff));
        let sum = [&self.sum_quotient * 4 + low2, self.sum_hi.clone()];
        super::sum(b, &[&self.fetch.pc_quotient * 4, self.fetch.pc_hi.clone()], &addend, &sum, &self.carry);
        // pc + 4.
        super::quarter(b, real, &self.link_quotient, Expr::zero());
        b.known(self.link_quotient.clone(), 0x3fff);
        b.half(real.clone(), self.link_hi.clone());
        let link = &self.link_hi * 0x4000 + &self.link_quotient;
        b.when("link is pc + 4", is_jal + is_jalr, self.fetch.pcw() + 1 - link);
        // Of a jump that raises the target takes the place of the immediate.
        let raises = &self.raises;
        b.boolean("raises is boolean", raises.clone());
        b.zero("only jal and branches raise here", raises * (is_jal + is_branch).not());
        b.zero("a target that raises is misaligned", raises * self.sum_low[1].not());
        let value = |i: usize| {
            raises * &sum[i]
                + has(Format::S) * &imm_s[i]
                + self.any(|op| op.format() == Format::I) * &imm_i[i]
                + self.is(Op::Lui) * &imm_u[i]
                + is_auipc * &sum[i]
                + (is_jal - is_jal * raises) * if i == 0 { &self.link_quotient * 4 } else { self.link_hi.clone() }
        };
        b.zero("low half of the immediate", value(0) + has(Format::Shamt) * imm_shamt - &self.value[0]);
        b.zero("high half of the immediate", value(1) - &self.value[1]);
        // ISA-13: a misaligned target is where nothing executes. Bit 0 of a target is 0 already.
        let target = &sum[1] * 0x4000 + &self.sum_quotient;
        let target = &target + &self.sum_low[1] * (-target.clone() + MISALIGNED);
        let next = self.fetch.pcw() + 1;
        b.zero(
            "target",
            (is_branch + is_jal) * target + is_jalr * &self.link_hi + (self.is(Op::Lui) + is_auipc) * next
                - &self.target,
        );
    }

    /// Where the registers are, from x0's cell; 0 for one that the format lacks.
    fn registers<B: Builder<Raw = X>>(&self, b: &mut B) -> [Expr<X>; 3] {
        let fields = [(7, SINK_OFFSET), (15, ZERO_OFFSET), (20, ZERO_OFFSET)];
        let lacks: [fn(Format) -> bool; 3] = [
            |format| matches!(format, Format::S | Format::B | Format::Fence | Format::Bare),
            |format| matches!(format, Format::U | Format::J | Format::Fence | Format::Bare),
            |format| !matches!(format, Format::R | Format::S | Format::B),
        ];
        std::array::from_fn(|i| {
            let (low, offset) = fields[i];
            let number = self.bits(low, 5);
            b.zero("is_zero of a register field that is not 0", &number * &self.is_zero[i]);
            b.zero("is_zero of a register field that is 0", &number * &self.inverse[i] - self.is_zero[i].not());
            self.any(|op| !lacks[i](op.format())) * (number + &self.is_zero[i] * offset)
        })
    }

    /// Offers the instruction to the chip of its family.
    fn offer<B: Builder<Raw = X>>(&self, b: &mut B, real: &Expr<X>, registers: [Expr<X>; 3]) {
        b.zero("padding offers nothing", &self.count * real.not());
        b.zero("a dynamic fetch is for one step", &self.fetch.is_dynamic * (&self.count - 1));
        let op = Expr::sum(Op::ALL.iter().map(|op| self.is(*op) * *op as u32)) + &self.raises * RAISES;
        let ([rd, rs1, rs2], [lo, hi]) = (registers, self.value.clone());
        let tuple = [
            self.fetch.tag.clone(),
            self.fetch.pcw(),
            self.fetch.mode.clone(),
            op,
            rd,
            rs1,
            rs2,
            lo,
            hi,
            self.target.clone(),
        ];
        b.interact(Bus::Program, Times::Provide(self.count.clone()), tuple);
    }
}

/// The fields of a word by which it is identified: a message, the lowest bit, the number of bits.
const FIELDS: [(&str, u32, u32); 6] = [
    ("opcode is the table's", 0, 7),
    ("rd is the table's", 7, 5),
    ("funct3 is the table's", 12, 3),
    ("rs1 is the table's", 15, 5),
    ("rs2 is the table's", 20, 5),
    ("funct7 is the table's", 25, 7),
];
