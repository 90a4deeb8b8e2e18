//! From steps to rows: one function a chip.

use lockstep::ecall::{BIGINT, MAX_IO_BYTES, READ, TERMINATE, WRITE};
use lockstep::isa::{Class, Op, decode};
use lockstep::map::{KERNEL_START, Mode, SYSTEM_START, USER_START};
use p3_field::{Field, PrimeCharacteristicRing};

use super::replay::{
    Access, Call, Declined, Decoded, Event, Filled, Illegal, LAST_WORD, Refreshed, Taken, Unfetchable,
    destination_offset, is_taken, operands, source_offset,
};
use crate::air::F;
use crate::chips::add::{AddImmediateRow, AddRow};
use crate::chips::bitwise::BitwiseRow;
use crate::chips::branch::{BranchRow, Condition};
use crate::chips::constant::ConstantRow;
use crate::chips::decode::{DecodeRow, MISALIGNED, OPS};
use crate::chips::div::DivRow;
use crate::chips::ecall::{FillRow, IoRow, TerminateRow};
use crate::chips::fetch::{Fetch, IllegalRow, UnfetchableRow};
use crate::chips::forbidden::ForbiddenRow;
use crate::chips::jalr::JalrRow;
use crate::chips::less::{Compare, LessRow};
use crate::chips::load::{Address, LoadRow};
use crate::chips::misjump::MisjumpRow;
use crate::chips::mul::MulRow;
use crate::chips::refresh::RefreshRow;
use crate::chips::refused::{DeclinedRow, RefusedRow};
use crate::chips::shift::ShiftRow;
use crate::chips::step::{Read, Step, Write};
use crate::chips::store::StoreRow;
use crate::chips::system::{DispatchRow, FenceRow, MretRow};
use crate::chips::tables::{self, INVALID, PRIVILEGED, USER, kind, region};
use crate::chips::trap::{TrapRow, Vector};

/// A number below p as a cell.
pub fn cell(value: u32) -> F {
    F::from_u32(value)
}

/// A flag as a cell.
pub fn flag(value: bool) -> F {
    F::from_bool(value)
}

/// The half-words of `word`, low first.
pub fn halves(word: u32) -> [F; 2] {
    [cell(word & 0xffff), cell(word >> 16)]
}

/// The bytes of `word`, low first.
pub fn bytes(word: u32) -> [F; 4] {
    word.to_le_bytes().map(F::from_u8)
}

/// The inverse of `value`, or 0.
pub fn inverse(value: F) -> F {
    value.try_inverse().unwrap_or(F::ZERO)
}

fn is_privileged(hi: u32) -> F {
    flag(region(hi) == PRIVILEGED)
}

pub fn step(event: &Event) -> Step<F> {
    Step { ts: cell(event.ts), pcw: cell(event.pc >> 2), mode: cell(event.mode as u32), tag: cell(event.tag) }
}

/// A word that was read.
pub fn read(access: Access) -> Read<F> {
    Read { value: halves(access.old), t_prev: cell(access.t_prev) }
}

/// A word that was replaced.
pub fn write(access: Access) -> Write<F> {
    Write { old: halves(access.old), t_prev: cell(access.t_prev) }
}

fn rd(event: &Event) -> F {
    cell(destination_offset(event.insn.rd))
}

fn rs1(event: &Event) -> F {
    cell(source_offset(event.insn.rs1))
}

fn rs2(event: &Event) -> F {
    cell(source_offset(event.insn.rs2))
}

fn is(event: &Event, op: Op) -> F {
    flag(event.insn.op == op)
}

fn is_any(event: &Event, ops: &[Op]) -> F {
    flag(ops.contains(&event.insn.op))
}

/// Whether the second operand is the immediate, its register's offset, its value and its access's time.
fn second(event: &Event) -> (F, F, u32, F) {
    let [_, _, has_rs2] = operands(event.insn.op.format());
    if has_rs2 {
        (F::ZERO, rs2(event), event.rs2.old, cell(event.rs2.t_prev))
    } else {
        (F::ONE, F::ZERO, event.insn.imm as u32, F::ZERO)
    }
}

/// The carries of `x + y` out of the half-words.
fn carries(x: u32, y: u32) -> [F; 2] {
    let low = (x & 0xffff) + (y & 0xffff) > 0xffff;
    [flag(low), flag(x.checked_add(y).is_none())]
}

pub fn add(event: Event) -> AddRow<F> {
    let (x, y, a) = (event.rs1.old, event.rs2.old, event.rd.new);
    let is_sub = event.insn.op == Op::Sub;
    AddRow {
        step: step(&event),
        is_add: flag(!is_sub),
        is_sub: flag(is_sub),
        rd: rd(&event),
        rs1: rs1(&event),
        rs2: rs2(&event),
        b: read(event.rs1),
        c: read(event.rs2),
        write: write(event.rd),
        a: halves(a),
        carry: if is_sub { carries(a, y) } else { carries(x, y) },
    }
}

pub fn add_immediate(event: Event) -> AddImmediateRow<F> {
    let imm = event.insn.imm as u32;
    AddImmediateRow {
        step: step(&event),
        real: F::ONE,
        rd: rd(&event),
        rs1: rs1(&event),
        imm: halves(imm),
        b: read(event.rs1),
        write: write(event.rd),
        a: halves(event.rd.new),
        carry: carries(event.rs1.old, imm),
    }
}

pub fn bitwise(event: Event) -> BitwiseRow<F> {
    let (is_immediate, rs2, y, c_t_prev) = second(&event);
    BitwiseRow {
        step: step(&event),
        is_xor: is_any(&event, &[Op::Xor, Op::Xori]),
        is_or: is_any(&event, &[Op::Or, Op::Ori]),
        is_and: is_any(&event, &[Op::And, Op::Andi]),
        is_immediate,
        rd: rd(&event),
        rs1: rs1(&event),
        rs2,
        b_t_prev: cell(event.rs1.t_prev),
        c_t_prev,
        write: write(event.rd),
        b: bytes(event.rs1.old),
        c: bytes(y),
        and: bytes(event.rs1.old & y),
    }
}

fn compare(x: u32, y: u32, is_signed: bool) -> Compare<F> {
    let sign = |word: u32| flag(is_signed && word >> 31 == 1);
    let bias = if is_signed { 1 << 31 } else { 0 };
    let (bx, by) = (x ^ bias, y ^ bias);
    let difference = bx.wrapping_sub(by);
    Compare {
        sign: [sign(x), sign(y)],
        difference: halves(difference),
        borrow: flag(bx & 0xffff < by & 0xffff),
        is_less: flag(bx < by),
    }
}

pub fn less(event: Event) -> LessRow<F> {
    let (is_immediate, rs2, y, t_prev) = second(&event);
    let is_signed = [Op::Slt, Op::Slti].contains(&event.insn.op);
    LessRow {
        step: step(&event),
        is_slt: flag(is_signed),
        is_sltu: flag(!is_signed),
        is_immediate,
        rd: rd(&event),
        rs1: rs1(&event),
        rs2,
        b: read(event.rs1),
        c: Read { value: halves(y), t_prev },
        write: write(event.rd),
        compare: compare(event.rs1.old, y, is_signed),
    }
}

pub fn shift(event: Event) -> ShiftRow<F> {
    let (is_immediate, rs2, y, t_prev) = second(&event);
    let (x, amount) = (event.rs1.old, y & 31);
    let (bits, by) = (amount % 8, amount / 8);
    let is_left = [Op::Sll, Op::Slli].contains(&event.insn.op);
    let is_sra = is_any(&event, &[Op::Sra, Op::Srai]);
    let multiplier = if is_left { 1 << bits } else { 1 << (8 - bits) };
    let parts = x.to_le_bytes().map(|byte| u32::from(byte) * multiplier);
    ShiftRow {
        step: step(&event),
        is_sll: flag(is_left),
        is_srl: is_any(&event, &[Op::Srl, Op::Srli]),
        is_sra,
        is_immediate,
        rd: rd(&event),
        rs1: rs1(&event),
        rs2,
        b_t_prev: cell(event.rs1.t_prev),
        c: Read { value: halves(y), t_prev },
        write: write(event.rd),
        b: bytes(x),
        high: parts.map(|part| cell(part >> 8)),
        low: parts.map(|part| cell(part & 0xff)),
        bit: [0, 1, 2].map(|i| cell(bits >> i & 1)),
        by: [1, 2, 3].map(|i| flag(by == i)),
        power: cell(1 << bits),
        multiplier: cell(multiplier),
        sign: cell(x >> 31),
        fill: is_sra * cell(x >> 31),
        spill: is_sra * cell((x >> 31) * (256 - multiplier)),
        a: halves(event.rd.new),
    }
}

/// What fills up the shift chip: no shift, by no bits.
pub fn shift_padding() -> ShiftRow<F> {
    ShiftRow { power: F::ONE, ..ShiftRow::default() }
}

fn condition(event: &Event) -> Condition<F> {
    let (x, y) = (event.rs1.old, event.rs2.old);
    let is_signed = [Op::Blt, Op::Bge].contains(&event.insn.op);
    let compare = compare(x, y, is_signed);
    Condition {
        is_beq: is(event, Op::Beq),
        is_bne: is(event, Op::Bne),
        is_blt: is(event, Op::Blt),
        is_bge: is(event, Op::Bge),
        is_bltu: is(event, Op::Bltu),
        is_bgeu: is(event, Op::Bgeu),
        is_equal: flag(x == y),
        inverse: inverse(compare.difference[0] + compare.difference[1]),
        compare,
        is_taken: flag(is_taken(event.insn.op, x, y)),
    }
}

pub fn branch(event: Event) -> BranchRow<F> {
    BranchRow {
        step: step(&event),
        rs1: rs1(&event),
        rs2: rs2(&event),
        b: read(event.rs1),
        c: read(event.rs2),
        condition: condition(&event),
        target: target_cell(event.pc.wrapping_add(event.insn.imm as u32)),
    }
}

fn target_cell(target: u32) -> F {
    cell(if target & 2 == 0 { target >> 2 } else { MISALIGNED })
}

pub fn constant(event: Event) -> ConstantRow<F> {
    ConstantRow {
        step: step(&event),
        is_lui: is(&event, Op::Lui),
        is_auipc: is(&event, Op::Auipc),
        is_jal: is(&event, Op::Jal),
        rd: rd(&event),
        value: halves(event.rd.new),
        target: if event.insn.op == Op::Jal { cell(event.next_pc >> 2) } else { cell((event.pc >> 2) + 1) },
        write: write(event.rd),
    }
}

/// The upper half of pc + 4, which is 2^16 behind the last word.
fn link_cell(pc: u32) -> F {
    cell(((u64::from(pc) + 4) >> 16) as u32)
}

pub fn jalr(event: Event) -> JalrRow<F> {
    let imm = event.insn.imm as u32;
    let sum = event.rs1.old.wrapping_add(imm);
    JalrRow {
        step: step(&event),
        real: F::ONE,
        rd: rd(&event),
        rs1: rs1(&event),
        imm: halves(imm),
        b: read(event.rs1),
        write: write(event.rd),
        link_hi: cell(event.rd.new >> 16),
        link_wraps: flag(event.pc == LAST_WORD),
        quotient: cell((sum & 0xffff) >> 2),
        bit0: cell(sum & 1),
        hi: cell(sum >> 16),
        carry: carries(event.rs1.old, imm),
    }
}

fn address(event: &Event) -> (u32, Address<F>) {
    let imm = event.insn.imm as u32;
    let sum = event.rs1.old.wrapping_add(imm);
    let address = Address {
        quotient: cell((sum & 0xffff) >> 2),
        offset: [cell(sum & 1), cell(sum >> 1 & 1)],
        hi: cell(sum >> 16),
        carry: carries(event.rs1.old, imm),
        privileged: is_privileged(sum >> 16),
    };
    (sum, address)
}

/// The half-word of `word` at `addr`.
fn half_at(word: u32, addr: u32) -> u32 {
    word >> (8 * (addr & 2)) & 0xffff
}

pub fn load(event: Event) -> LoadRow<F> {
    let (addr, address) = address(&event);
    let half = half_at(event.mem.old, addr);
    let top = match event.insn.op {
        Op::Lb | Op::Lbu => half >> (8 * (addr & 1)) & 0xff,
        Op::Lh | Op::Lhu => half >> 8,
        _ => 0,
    };
    LoadRow {
        step: step(&event),
        is_lb: is(&event, Op::Lb),
        is_lh: is(&event, Op::Lh),
        is_lw: is(&event, Op::Lw),
        is_lbu: is(&event, Op::Lbu),
        is_lhu: is(&event, Op::Lhu),
        rd: rd(&event),
        rs1: rs1(&event),
        imm: halves(event.insn.imm as u32),
        b: read(event.rs1),
        write: write(event.rd),
        address,
        word: read(event.mem),
        from_code: flag(event.from_code),
        bytes: [cell(half & 0xff), cell(half >> 8)],
        top: cell(top),
        sign: cell(top >> 7),
        fill: is_any(&event, &[Op::Lb, Op::Lh]) * cell(top >> 7),
        a: halves(event.rd.new),
    }
}

pub fn store(event: Event) -> StoreRow<F> {
    let (addr, address) = address(&event);
    let (kept, value) = (half_at(event.mem.old, addr), event.rs2.old);
    let half = match event.insn.op {
        Op::Sb => half_at(event.mem.new, addr),
        Op::Sh => value & 0xffff,
        _ => 0,
    };
    StoreRow {
        step: step(&event),
        is_sb: is(&event, Op::Sb),
        is_sh: is(&event, Op::Sh),
        is_sw: is(&event, Op::Sw),
        rs1: rs1(&event),
        rs2: rs2(&event),
        imm: halves(event.insn.imm as u32),
        b: read(event.rs1),
        c: read(event.rs2),
        address,
        word: write(event.mem),
        kept: [cell(kept & 0xff), cell(kept >> 8)],
        bytes: [cell(value & 0xff), cell(value >> 8 & 0xff)],
        half: cell(half),
        new: halves(event.mem.new),
    }
}

/// The byte columns of the product of two words that extend to 64 bits.
fn byte_columns(x: u64, y: u64) -> [u64; 8] {
    let (x, y) = (x.to_le_bytes().map(u64::from), y.to_le_bytes().map(u64::from));
    std::array::from_fn(|k| (0..=k).map(|i| x[i] * y[k - i]).sum())
}

/// The half-words of the sum of byte columns and half-words, and the carries out of them.
fn half_columns(columns: [u64; 8], plus: [u64; 4]) -> ([F; 4], [F; 4]) {
    let (mut product, mut carry) = ([F::ZERO; 4], [F::ZERO; 4]);
    let mut sum = 0;
    for i in 0..4 {
        sum += columns[2 * i] + 256 * columns[2 * i + 1] + plus[i];
        product[i] = cell((sum & 0xffff) as u32);
        sum >>= 16;
        carry[i] = cell(sum as u32);
    }
    (product, carry)
}

/// `word` as 64 bits, with ones above it if `negative`.
fn extended(word: u32, negative: bool) -> u64 {
    u64::from(word) | if negative { 0xffff_ffff_0000_0000 } else { 0 }
}

pub fn mul(event: Event) -> MulRow<F> {
    let (x, y) = (event.rs1.old, event.rs2.old);
    let extend =
        [[Op::Mulh, Op::Mulhsu].contains(&event.insn.op) && x >> 31 == 1, event.insn.op == Op::Mulh && y >> 31 == 1];
    let (product, carry) = half_columns(byte_columns(extended(x, extend[0]), extended(y, extend[1])), [0; 4]);
    MulRow {
        step: step(&event),
        is_mul: is(&event, Op::Mul),
        is_mulh: is(&event, Op::Mulh),
        is_mulhsu: is(&event, Op::Mulhsu),
        is_mulhu: is(&event, Op::Mulhu),
        rd: rd(&event),
        rs1: rs1(&event),
        rs2: rs2(&event),
        b_t_prev: cell(event.rs1.t_prev),
        c_t_prev: cell(event.rs2.t_prev),
        write: write(event.rd),
        b: bytes(x),
        c: bytes(y),
        sign: [cell(x >> 31), cell(y >> 31)],
        extend: extend.map(flag),
        product,
        carry,
    }
}

/// The quotient and remainder of ISA-16.
fn divided(x: u32, y: u32, is_signed: bool) -> (u32, u32) {
    match (y, is_signed) {
        (0, _) => (u32::MAX, x),
        (_, false) => (x / y, x % y),
        (_, true) => ((x as i32).wrapping_div(y as i32) as u32, (x as i32).wrapping_rem(y as i32) as u32),
    }
}

pub fn div(event: Event) -> DivRow<F> {
    let (x, y) = (event.rs1.old, event.rs2.old);
    let is_signed = [Op::Div, Op::Rem].contains(&event.insn.op);
    let (q, r) = divided(x, y, is_signed);
    let sign = [x >> 31 == 1, y >> 31 == 1];
    let extend = sign.map(|sign| sign && is_signed);
    // Of -2^31 / -1 the quotient is 2^31, which is not negative.
    let q_negative = is_signed && y != 0 && q >> 31 == 1 && (sign[0] != sign[1]);
    let r_negative = extend[0] && r != 0;
    let magnitude = |word: u32, negative: bool| if negative { word.wrapping_neg() } else { word };
    let (c_abs, r_abs) = (magnitude(y, extend[1]), magnitude(r, r_negative));
    let gap = if y == 0 { 0 } else { c_abs.wrapping_sub(r_abs).wrapping_sub(1) };
    let borrow = y != 0 && c_abs & 0xffff < (r_abs & 0xffff) + 1;
    let high = if r_negative { 0xffff } else { 0 };
    let plus = [u64::from(r & 0xffff), u64::from(r >> 16), high, high];
    let (_, carry) = half_columns(byte_columns(extended(y, extend[1]), extended(q, q_negative)), plus);
    DivRow {
        step: step(&event),
        is_div: is(&event, Op::Div),
        is_divu: is(&event, Op::Divu),
        is_rem: is(&event, Op::Rem),
        is_remu: is(&event, Op::Remu),
        rd: rd(&event),
        rs1: rs1(&event),
        rs2: rs2(&event),
        b: read(event.rs1),
        c_t_prev: cell(event.rs2.t_prev),
        write: write(event.rd),
        c: bytes(y),
        q: bytes(q),
        r: halves(r),
        sign: sign.map(flag),
        extend: extend.map(flag),
        q_negative: flag(q_negative),
        r_negative: flag(r_negative),
        by_zero: flag(y == 0),
        c_abs: halves(c_abs),
        r_abs: halves(r_abs),
        c_carry: flag(extend[1] && y & 0xffff != 0),
        r_carry: flag(r_negative && r & 0xffff != 0),
        gap: halves(gap),
        borrow: flag(borrow),
        carry,
    }
}

pub fn fence(event: Event) -> FenceRow<F> {
    FenceRow { step: step(&event), real: F::ONE }
}

pub fn mret(event: Event) -> MretRow<F> {
    let mepc = event.mem.old;
    MretRow {
        step: step(&event),
        real: F::ONE,
        quotient: cell((mepc & 0xffff) >> 2),
        hi: cell(mepc >> 16),
        t_prev: cell(event.mem.t_prev),
    }
}

pub fn dispatch(event: Event) -> DispatchRow<F> {
    let vector = event.mem.old;
    DispatchRow {
        step: step(&event),
        real: F::ONE,
        quotient: cell((vector & 0xffff) >> 2),
        hi: cell(vector >> 16),
        t_prev: cell(event.mem.t_prev),
        pc_quotient: cell((event.pc & 0xffff) >> 2),
        pc_hi: cell(event.pc >> 16),
        mepc: write(event.rd),
    }
}

pub fn terminate(call: Call) -> TerminateRow<F> {
    TerminateRow {
        step: step(&call.event),
        real: F::ONE,
        a7_t_prev: cell(call.a7.t_prev),
        is_pause: cell(call.a0.old & 0xffff),
        wraps: flag(call.a0.old & 0xffff == 1 && call.event.pc == LAST_WORD),
        user_exit: cell(call.a0.old >> 16),
        a0_t_prev: cell(call.a0.t_prev),
    }
}

pub fn io(call: Call) -> IoRow<F> {
    let (pointer, len, count) = (call.a1.old, call.a2.old, call.a0.new);
    let is_read = call.a7.old == lockstep::ecall::READ;
    let last = if len == 0 { 0 } else { (pointer & 0xffff) + len - 1 };
    IoRow {
        step: step(&call.event),
        is_read: flag(is_read),
        is_write: flag(!is_read),
        a7_t_prev: cell(call.a7.t_prev),
        a0: write(call.a0),
        a1: read(call.a1),
        a2_t_prev: cell(call.a2.t_prev),
        len: cell(len),
        is_empty: flag(len == 0),
        len_inverse: inverse(cell(len)),
        count: cell(count),
        quotient: cell((pointer & 0xffff) >> 2),
        offset: [cell(pointer & 1), cell(pointer >> 1 & 1)],
        last_lo: cell(last & 0xffff),
        carry: cell(last >> 16),
        fills: flag(is_read && count != 0),
        count_inverse: inverse(cell(count)),
    }
}

pub fn fill(filled: Filled) -> FillRow<F> {
    let end = filled.start + filled.count;
    FillRow {
        ts: cell(filled.ts),
        waddr: cell(filled.waddr),
        start: [0, 1, 2, 3].map(|j| flag(j == filled.start)),
        left: cell(filled.left),
        is_final: flag(filled.left == filled.count),
        t_prev: cell(filled.access.t_prev),
        old: bytes(filled.access.old),
        new: bytes(filled.access.new),
        mask: [0, 1, 2, 3].map(|j| flag(j >= filled.start && j < end)),
    }
}

pub fn refresh(refreshed: Refreshed) -> RefreshRow<F> {
    let Refreshed { waddr, value, t_prev, t } = refreshed;
    RefreshRow {
        real: F::ONE,
        waddr: cell(waddr),
        value: halves(value),
        t_prev: cell(t_prev),
        t: halves(t),
        gap: halves(t - t_prev - 1),
    }
}

/// What fills up the decoder: no operation, of a word 0.
pub fn decode_padding() -> DecodeRow<F> {
    DecodeRow { is_zero: [F::ONE; 3], ..blank_decode() }
}

fn blank_decode() -> DecodeRow<F> {
    DecodeRow::take(&mut std::iter::repeat(F::ZERO))
}

fn fetch(decoded: Decoded) -> Fetch<F> {
    let Decoded { pc, mode, word, tag, t_prev, .. } = decoded;
    Fetch {
        is_dynamic: flag(tag != 0),
        tag: cell(tag),
        t_prev: cell(t_prev),
        mode: cell(mode as u32),
        pc_quotient: cell((pc & 0xffff) >> 2),
        pc_hi: cell(pc >> 16),
        privileged: is_privileged(pc >> 16),
        bit: std::array::from_fn(|i| cell(word >> i & 1)),
    }
}

pub fn decoded(decoded: Decoded) -> DecodeRow<F> {
    let Decoded { pc, word, count, raises, .. } = decoded;
    let insn = decode(word).expect("a word that executed is an instruction");
    let imm = insn.imm as u32;
    let is_relative = matches!(insn.op.class(), Class::Branch) || [Op::Auipc, Op::Jal].contains(&insn.op);
    let addend = if is_relative { imm } else { 0 };
    let sum = pc.wrapping_add(addend);
    let is_link = [Op::Jal, Op::Jalr].contains(&insn.op);
    let link = if is_link { pc.wrapping_add(4) } else { 0 };
    let value = match insn.op.class() {
        Class::Branch if raises => sum,
        Class::Branch | Class::System => 0,
        _ => match insn.op {
            Op::Auipc => sum,
            Op::Jal if raises => sum,
            Op::Jal => link,
            _ => imm,
        },
    };
    let target = match (insn.op.class(), insn.op) {
        (_, Op::Jalr) => link_cell(pc),
        (Class::Branch, _) | (_, Op::Jal) => target_cell(sum),
        (Class::Upper, _) => cell((pc >> 2) + 1),
        _ => F::ZERO,
    };
    let fields = [7, 15, 20].map(|low| word >> low & 31);
    let mut op = [F::ZERO; OPS];
    op[insn.op as usize] = F::ONE;
    DecodeRow {
        count: cell(count),
        fetch: fetch(decoded),
        raises: flag(raises),
        op,
        is_zero: fields.map(|field| flag(field == 0)),
        inverse: fields.map(|field| inverse(cell(field))),
        sum_quotient: cell((sum & 0xffff) >> 2),
        sum_low: [cell(sum & 1), cell(sum >> 1 & 1)],
        sum_hi: cell(sum >> 16),
        carry: carries(pc, addend),
        link_quotient: cell((link & 0xffff) >> 2),
        link_hi: cell(link >> 16),
        link_wraps: flag(is_link && pc == LAST_WORD),
        value: halves(value),
        target,
    }
}

pub fn unfetchable(fetch: Unfetchable) -> UnfetchableRow<F> {
    let Unfetchable { ts, pc, mode, wraps } = fetch;
    UnfetchableRow {
        real: F::ONE,
        ts: cell(ts),
        mode: cell(mode as u32),
        quotient: cell((pc & 0xffff) >> 2),
        hi: cell(pc >> 16),
        wraps: flag(wraps),
        is_invalid: flag(region(pc >> 16) == INVALID),
    }
}

pub fn illegal(illegal: Illegal) -> IllegalRow<F> {
    let word = illegal.decoded.word;
    let kind = kind((word & 0x7f) | (word >> 12 & 7) << 7);
    let is_kind = |other: u32| flag(kind == other);
    let row = IllegalRow {
        ts: cell(illegal.ts),
        fetch: fetch(illegal.decoded),
        is_unknown: is_kind(tables::ILLEGAL),
        is_funct7_0: is_kind(tables::FUNCT7_0),
        is_funct7_0_32: is_kind(tables::FUNCT7_0_32),
        is_funct7_0_1: is_kind(tables::FUNCT7_0_1),
        is_funct7_0_1_32: is_kind(tables::FUNCT7_0_1_32),
        is_system: is_kind(tables::SYSTEM),
        ..distances(word)
    };
    let distance = match kind {
        tables::FUNCT7_0 => cell(word >> 25),
        tables::FUNCT7_0_32 => row.from_0_32,
        tables::FUNCT7_0_1 => row.from_0_1,
        tables::FUNCT7_0_1_32 => row.from_0_1_32,
        tables::SYSTEM => row.from_mret,
        _ => F::ZERO,
    };
    IllegalRow { distance, inverse: inverse(distance), ..row }
}

/// How far `word` is from the words that are legal.
fn distances(word: u32) -> IllegalRow<F> {
    let (funct7, rest) = (cell(word >> 25), cell(word >> 7));
    let from_ebreak = rest * (rest - cell(0x0010_0073 >> 7));
    IllegalRow {
        from_0_1: funct7 * (funct7 - F::ONE),
        from_0_32: funct7 * (funct7 - cell(32)),
        from_0_1_32: funct7 * (funct7 - F::ONE) * (funct7 - cell(32)),
        from_ebreak,
        from_mret: from_ebreak * (rest - cell(0x3020_0073 >> 7)),
        ..illegal_padding()
    }
}

/// What fills up the chip of illegal words.
pub fn illegal_padding() -> IllegalRow<F> {
    IllegalRow::take(&mut std::iter::repeat(F::ZERO))
}

pub fn misjump(event: Event) -> MisjumpRow<F> {
    let (op, imm) = (event.insn.op, event.insn.imm as u32);
    let [has_rd, has_rs1, has_rs2] = operands(op.format());
    let offset = |has: bool, offset: F| if has { offset } else { F::ZERO };
    let direct = event.pc.wrapping_add(imm);
    let (x, y) = match op {
        Op::Jalr => (event.rs1.old, imm),
        Op::Mret => (event.mem.old, 4),
        _ => (0, 0),
    };
    let sum = x.wrapping_add(y);
    MisjumpRow {
        step: step(&event),
        is_jal: is(&event, Op::Jal),
        is_jalr: is(&event, Op::Jalr),
        is_mret: is(&event, Op::Mret),
        condition: if op.class() == Class::Branch { condition(&event) } else { Condition::default() },
        rd: offset(has_rd, rd(&event)),
        rs1: offset(has_rs1, rs1(&event)),
        rs2: offset(has_rs2, rs2(&event)),
        imm: match op {
            Op::Jalr => halves(imm),
            Op::Mret => [F::ZERO; 2],
            _ => halves(direct),
        },
        target: match op {
            Op::Jalr => link_cell(event.pc),
            Op::Mret => F::ZERO,
            _ => target_cell(direct),
        },
        b: read(event.rs1),
        c: read(event.rs2),
        mepc: read(event.mem),
        quotient: cell((sum & 0xffff) >> 2),
        low: [cell(sum & 1), cell(sum >> 1 & 1)],
        hi: cell(sum >> 16),
        carry: carries(x, y),
    }
}

pub fn forbidden(event: Event) -> ForbiddenRow<F> {
    let (sum, address) = address(&event);
    let op = event.insn.op;
    let [has_rd, _, has_rs2] = operands(op.format());
    let class = region(sum >> 16);
    let width = match op {
        Op::Lw | Op::Sw => 4,
        Op::Lh | Op::Lhu | Op::Sh => 2,
        _ => 1,
    };
    ForbiddenRow {
        step: step(&event),
        is_lb: is(&event, Op::Lb),
        is_lh: is(&event, Op::Lh),
        is_lw: is(&event, Op::Lw),
        is_lbu: is(&event, Op::Lbu),
        is_lhu: is(&event, Op::Lhu),
        is_sb: is(&event, Op::Sb),
        is_sh: is(&event, Op::Sh),
        is_sw: is(&event, Op::Sw),
        rd: if has_rd { rd(&event) } else { F::ZERO },
        rs1: rs1(&event),
        rs2: if has_rs2 { rs2(&event) } else { F::ZERO },
        imm: halves(event.insn.imm as u32),
        b: read(event.rs1),
        quotient: address.quotient,
        offset: address.offset,
        hi: address.hi,
        carry: address.carry,
        is_invalid: flag(class == INVALID),
        is_user: flag(class == USER),
        is_privileged: flag(class == PRIVILEGED),
        is_forbidden: flag(class == INVALID || (class == PRIVILEGED && event.mode == Mode::User)),
        is_odd: flag(sum & 3 != 0),
        is_misaligned: flag(sum & (width - 1) != 0),
    }
}

fn vector(word: Access) -> Vector<F> {
    let vector = word.old;
    let is_misaligned = !vector.is_multiple_of(4);
    let is_below = !is_misaligned && vector < KERNEL_START;
    let is_above = !is_misaligned && vector >= SYSTEM_START;
    Vector {
        quotient: cell((vector & 0xffff) >> 2),
        low: [cell(vector & 1), cell(vector >> 1 & 1)],
        hi: cell(vector >> 16),
        t_prev: cell(word.t_prev),
        is_valid: flag(!is_misaligned && !is_below && !is_above),
        is_misaligned: flag(is_misaligned),
        is_below: flag(is_below),
        is_above: flag(is_above),
    }
}

pub fn refused(event: Event) -> RefusedRow<F> {
    let is_ecall = event.insn.op == Op::Ecall;
    RefusedRow {
        step: step(&event),
        is_ebreak: is(&event, Op::Ebreak),
        is_mret: is(&event, Op::Mret),
        is_ecall: flag(is_ecall),
        vector: if is_ecall { vector(event.mem) } else { Vector::default() },
        quotient: cell((event.pc & 0xffff) >> 2),
        hi: cell(event.pc >> 16),
    }
}

pub fn declined(declined: Declined) -> DeclinedRow<F> {
    let Declined { event, a7, a0, a1, a2 } = declined;
    let (number, start, len) = (a7.old, a1.old, a2.old);
    let is_type = number == TERMINATE;
    let is_io = [READ, WRITE].contains(&number);
    let is_other = !is_type && !is_io;
    let is_unknown = is_other && number & 0xffff > BIGINT;
    let is_too_long = is_io && len > MAX_IO_BYTES;
    let is_long = is_too_long && len & 0xffff > MAX_IO_BYTES;
    let has_pointer = is_io && !is_too_long;
    let is_low = has_pointer && start < USER_START;
    let last = if has_pointer { (start & 0xffff) + len - 1 } else { 0 };
    let high = match (is_other && !is_unknown, is_too_long && !is_long) {
        (true, _) => number >> 16,
        (_, true) => len >> 16,
        _ => 0,
    };
    DeclinedRow {
        step: step(&event),
        is_unknown: flag(is_unknown),
        is_huge: flag(is_other && !is_unknown),
        is_type: flag(is_type),
        is_long: flag(is_long),
        is_endless: flag(is_too_long && !is_long),
        is_low: flag(is_low),
        is_high: flag(has_pointer && !is_low),
        is_write: flag(number == WRITE),
        a7: read(a7),
        a0: read(a0),
        a1: read(a1),
        a2: read(a2),
        inverse: inverse(cell(high)),
        last_lo: cell(last & 0xffff),
        carry: cell(last >> 16),
    }
}

pub fn trap(taken: Taken) -> TrapRow<F> {
    let Taken { ts, pc, mode, cause, addr, vector: word, mepc } = taken;
    TrapRow {
        real: F::ONE,
        ts: cell(ts),
        mode: cell(mode as u32),
        quotient: cell((pc & 0xffff) >> 2),
        hi: cell(pc >> 16),
        cause: cell(cause.number()),
        addr: halves(addr),
        vector: if mode == Mode::User { vector(word) } else { Vector::default() },
        mepc: write(mepc),
    }
}
