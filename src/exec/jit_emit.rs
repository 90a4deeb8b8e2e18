//! A region as Cranelift's intermediate code.
//!
//! Every generated function has the signature of [`signature`]: it gets the context, the guest's
//! memory and how many steps it may make, and returns how many are left. Registers are SSA values from the entry
//! to an exit; an exit stores those that may have changed.

use cranelift_codegen::Context as Compilation;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{self, AbiParam, InstBuilder, MemFlagsData, SigRef, Signature, UserFuncName, Value};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Switch, Variable};

use super::block_arms::plain_span;
use super::block_code::{BlockOp, Code, place_of};
use super::jit::Slot;
use super::jit_access::{Access, Group, Touched, groups};
use super::jit_call::Context;
use super::jit_region::{Part, Region};
use crate::map::{self, Addr, SINK_INDEX};
use crate::mem::{NOTES_BYTES, PAGE_BYTES, note};

/// Why generated code stopped; [`Context::reason`].
pub(super) mod reason {
    /// The plain engine has to make the step at pc.
    pub const STEP: u32 = 0;
    /// There is no code for pc.
    pub const ELSEWHERE: u32 = 1;
    /// The budget ends in the block at pc.
    pub const BUDGET: u32 = 2;
}

/// The number of slots in the table that finds code by address.
pub(super) const SLOTS: usize = 4096;

/// The slot of an address.
pub(super) const fn slot_index(pc: Addr) -> usize {
    (pc >> 2) as usize % SLOTS
}

const SINK: usize = SINK_INDEX;

/// In a region with more steps than this, an exit stores only what its own part changed. Otherwise nearly every
/// exit stores nearly every register, and Cranelift takes twice as long; small loops are faster without the stores
/// at the ends of parts.
const WRITE_THROUGH_STEPS: u32 = 250;

/// Emits the code of one region.
pub(super) struct Emitter<'a> {
    b: FunctionBuilder<'a>,
    region: &'a Region,
    /// The address of the table of slots.
    slots: usize,
    /// Whether loads of what is watched are left to the plain engine.
    looks: bool,
    /// x1 to x31 at their index; that of x0 is not used.
    regs: Vec<Variable>,
    /// The steps that are left.
    left: Variable,
    context: Value,
    /// The guest's memory; the notes are in front of it.
    ram: Value,
    /// The signature of regions.
    sig: SigRef,
    /// The code of each part.
    blocks: Vec<ir::Block>,
    /// Leaves with (pc, left, reason).
    leave: ir::Block,
    /// Continues at (pc, left) in other generated code, or leaves.
    lookup: ir::Block,
    /// The registers that differ from the context at the place being emitted, one bit each.
    dirty: u32,
    /// Whether parts begin with every register in the context.
    is_written_through: bool,
}

/// The place being emitted: operation `at` of `part`.
#[derive(Clone, Copy)]
struct Spot<'a> {
    part: &'a Part,
    at: usize,
}

impl Spot<'_> {
    fn pc(&self) -> Addr {
        self.part.block.pc.wrapping_add(4 * self.at as u32)
    }

    /// The steps that were counted for the part but not made yet.
    fn unmade(&self) -> i64 {
        i64::from(self.part.block.steps) - self.at as i64
    }
}

/// The signature of every region: (context, memory, left) -> left.
fn signature() -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params.extend([AbiParam::new(I64); 3]);
    signature.returns.push(AbiParam::new(I64));
    signature
}

/// Emits the function through which the engine calls regions: the region's address first, then its arguments.
pub(super) fn emit_door(compilation: &mut Compilation, config: TargetFrontendConfig) {
    let mut functions = FunctionBuilderContext::new();
    let mut signature_of_door = Signature::new(config.default_call_conv);
    signature_of_door.params.extend([AbiParam::new(I64); 4]);
    signature_of_door.returns.push(AbiParam::new(I64));
    compilation.func = ir::Function::with_name_signature(UserFuncName::default(), signature_of_door);
    let mut b = FunctionBuilder::new(&mut compilation.func, &mut functions);
    let block = b.create_block();
    b.append_block_params_for_function_params(block);
    b.switch_to_block(block);
    let sig = b.import_signature(signature());
    let params = b.block_params(block).to_vec();
    let call = b.ins().call_indirect(sig, params[0], &params[1..]);
    let left = b.inst_results(call)[0];
    b.ins().return_(&[left]);
    b.seal_all_blocks();
    b.finalize(config);
}

impl<'a> Emitter<'a> {
    pub fn new(
        compilation: &'a mut Compilation,
        functions: &'a mut FunctionBuilderContext,
        region: &'a Region,
        slots: usize,
        looks: bool,
    ) -> Emitter<'a> {
        compilation.func = ir::Function::with_name_signature(UserFuncName::default(), signature());
        let mut b = FunctionBuilder::new(&mut compilation.func, functions);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let [context, ram, left_param] = [0, 1, 2].map(|i| b.block_params(entry)[i]);
        let regs = (0..32).map(|_| b.declare_var(I32)).collect();
        let left = b.declare_var(I64);
        b.def_var(left, left_param);
        let sig = b.import_signature(signature());
        let blocks = region.parts.iter().map(|_| b.create_block()).collect();
        let (leave, lookup) = (b.create_block(), b.create_block());
        let is_written_through = region.steps() > WRITE_THROUGH_STEPS;
        Emitter {
            b,
            region,
            slots,
            looks,
            regs,
            left,
            context,
            ram,
            sig,
            blocks,
            leave,
            lookup,
            dirty: 0,
            is_written_through,
        }
    }

    /// Emits everything.
    pub fn emit(mut self, config: TargetFrontendConfig) {
        self.load_registers();
        let first = self.blocks[0];
        self.b.ins().jump(first, &[]);
        let dirty = dirty_at_parts(self.region);
        for (number, dirty) in dirty.into_iter().enumerate() {
            self.dirty = if self.is_written_through { 0 } else { dirty };
            self.part(number);
        }
        self.emit_leave();
        self.emit_lookup();
        self.b.seal_all_blocks();
        self.b.finalize(config);
    }

    fn load_registers(&mut self) {
        let used = self.region.parts.iter().fold(0, |used, part| used | part.reads() | part.writes());
        for i in 1..32 {
            let value = match used >> i & 1 {
                0 => self.word(0),
                _ => self.b.ins().load(I32, MemFlagsData::trusted(), self.context, 4 * i),
            };
            self.b.def_var(self.regs[i as usize], value);
        }
    }

    fn part(&mut self, number: usize) {
        let part = &self.region.parts[number];
        self.b.switch_to_block(self.blocks[number]);
        self.charge(part);
        let groups = groups(&part.block.ops);
        for (at, op) in part.block.ops.iter().enumerate() {
            let spot = Spot { part, at };
            if let Some(group) = groups.iter().find(|group| group.first == at) {
                self.check_group(spot, op, group);
            }
            if let Some(group) = groups.iter().find(|group| group.first_store == Some(at) && group.is_shared()) {
                self.check_group_stores(spot, op, group);
            }
            if self.op(spot, *op, &groups) {
                break;
            }
        }
    }

    /// Counts the steps of `part`, or leaves before it.
    fn charge(&mut self, part: &Part) {
        if part.block.steps == 0 {
            return;
        }
        let left = self.b.use_var(self.left);
        let is_over = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, left, i64::from(part.block.steps));
        let (over, go) = (self.cold_block(), self.b.create_block());
        self.b.ins().brif(is_over, over, &[], go, &[]);
        self.begin(over);
        let pc = self.word(part.block.pc);
        self.exit(pc, left, reason::BUDGET);
        self.begin(go);
        // Not before the comparison: one register holds both, and the loop needs no move.
        let after = self.b.ins().iadd_imm_s(left, -i64::from(part.block.steps));
        self.b.def_var(self.left, after);
    }

    /// Emits an operation; `true` if it ends the part.
    fn op(&mut self, spot: Spot<'_>, op: BlockOp, groups: &[Group]) -> bool {
        let imm = op.imm;
        match op.code {
            Code::Add => self.alu(op, |b, x, y| b.ins().iadd(x, y)),
            Code::Sub => self.alu(op, |b, x, y| b.ins().isub(x, y)),
            Code::Xor => self.alu(op, |b, x, y| b.ins().bxor(x, y)),
            Code::Or => self.alu(op, |b, x, y| b.ins().bor(x, y)),
            Code::And => self.alu(op, |b, x, y| b.ins().band(x, y)),
            Code::Slt => self.alu(op, less(IntCC::SignedLessThan)),
            Code::Sltu => self.alu(op, less(IntCC::UnsignedLessThan)),
            // Cranelift's shifts take their amount modulo the width, as ISA-8 does.
            Code::Sll => self.alu(op, |b, x, y| b.ins().ishl(x, y)),
            Code::Srl => self.alu(op, |b, x, y| b.ins().ushr(x, y)),
            Code::Sra => self.alu(op, |b, x, y| b.ins().sshr(x, y)),
            Code::Addi => self.alu_imm(op, |b, x, y| b.ins().iadd(x, y)),
            Code::Xori => self.alu_imm(op, |b, x, y| b.ins().bxor(x, y)),
            Code::Ori => self.alu_imm(op, |b, x, y| b.ins().bor(x, y)),
            Code::Andi => self.alu_imm(op, |b, x, y| b.ins().band(x, y)),
            Code::Slti => self.alu_imm(op, less(IntCC::SignedLessThan)),
            Code::Sltiu => self.alu_imm(op, less(IntCC::UnsignedLessThan)),
            Code::Slli => self.alu_imm(op, |b, x, y| b.ins().ishl(x, y)),
            Code::Srli => self.alu_imm(op, |b, x, y| b.ins().ushr(x, y)),
            Code::Srai => self.alu_imm(op, |b, x, y| b.ins().sshr(x, y)),
            Code::Mul => self.alu(op, |b, x, y| b.ins().imul(x, y)),
            Code::Mulh => self.mul_high(op, true, true),
            Code::Mulhsu => self.mul_high(op, true, false),
            Code::Mulhu => self.mul_high(op, false, false),
            Code::Div => self.divide(op, |b, x, y| b.ins().sdiv(x, y), Quotient::Signed),
            Code::Divu => self.divide(op, |b, x, y| b.ins().udiv(x, y), Quotient::Unsigned),
            Code::Rem => self.divide(op, |b, x, y| b.ins().srem(x, y), Quotient::SignedRest),
            Code::Remu => self.divide(op, |b, x, y| b.ins().urem(x, y), Quotient::UnsignedRest),
            Code::Lb | Code::Lh | Code::Lw | Code::Lbu | Code::Lhu => self.load(op),
            Code::Sb | Code::Sh | Code::Sw => self.store(spot, op, groups),
            Code::Beq => return self.branch(spot, op, IntCC::Equal),
            Code::Bne => return self.branch(spot, op, IntCC::NotEqual),
            Code::Blt => return self.branch(spot, op, IntCC::SignedLessThan),
            Code::Bge => return self.branch(spot, op, IntCC::SignedGreaterThanOrEqual),
            Code::Bltu => return self.branch(spot, op, IntCC::UnsignedLessThan),
            Code::Bgeu => return self.branch(spot, op, IntCC::UnsignedGreaterThanOrEqual),
            Code::Jal => return self.jal(spot, op),
            Code::Jalr => return self.jalr(spot, op),
            Code::Set => {
                let value = self.word(imm);
                self.set(op.rd, value);
            }
            Code::Nop => {}
            Code::Next => {
                self.go(spot.part.block.targets[0]);
                return true;
            }
            _ => {
                // Step; pairs were taken apart, and a block that is gone is in no region.
                self.exit_here(spot);
                return true;
            }
        }
        false
    }

    // Registers.

    fn get(&mut self, reg: u8) -> Value {
        match reg {
            0 => self.word(0),
            reg => self.b.use_var(self.regs[usize::from(reg)]),
        }
    }

    fn set(&mut self, reg: u8, value: Value) {
        if usize::from(reg) == SINK {
            // MAP-7. Nothing in the region reads it: memory is the place for it.
            self.b.ins().store(MemFlagsData::trusted(), value, self.context, 4 * SINK as i32);
            return;
        }
        self.b.def_var(self.regs[usize::from(reg)], value);
        self.dirty |= 1 << reg;
    }

    fn word(&mut self, value: u32) -> Value {
        self.b.ins().iconst(I32, i64::from(value))
    }

    // Arithmetic.

    fn alu(&mut self, op: BlockOp, f: impl Fn(&mut FunctionBuilder<'_>, Value, Value) -> Value) {
        let (x, y) = (self.get(op.rs1), self.get(op.rs2));
        let value = f(&mut self.b, x, y);
        self.set(op.rd, value);
    }

    fn alu_imm(&mut self, op: BlockOp, f: impl Fn(&mut FunctionBuilder<'_>, Value, Value) -> Value) {
        let (x, y) = (self.get(op.rs1), self.word(op.imm));
        let value = f(&mut self.b, x, y);
        self.set(op.rd, value);
    }

    fn mul_high(&mut self, op: BlockOp, is_x_signed: bool, is_y_signed: bool) {
        let extend = |b: &mut FunctionBuilder<'_>, value, is_signed| match is_signed {
            true => b.ins().sextend(I64, value),
            false => b.ins().uextend(I64, value),
        };
        self.alu(op, |b, x, y| {
            let (x, y) = (extend(b, x, is_x_signed), extend(b, y, is_y_signed));
            let product = b.ins().imul(x, y);
            let high = b.ins().ushr_imm_u(product, 32);
            b.ins().ireduce(I32, high)
        });
    }

    /// ISA-16: the host's division traps where the guest's has a result, so it is given 1 to divide by there.
    fn divide(&mut self, op: BlockOp, f: impl Fn(&mut FunctionBuilder<'_>, Value, Value) -> Value, quotient: Quotient) {
        self.alu(op, |b, x, y| {
            let one = b.ins().iconst(I32, 1);
            let is_zero = b.ins().icmp_imm_u(IntCC::Equal, y, 0);
            let mut divisor = b.ins().select(is_zero, one, y);
            if matches!(quotient, Quotient::Signed | Quotient::SignedRest) {
                let is_least = b.ins().icmp_imm_u(IntCC::Equal, x, 1 << 31);
                let is_minus_one = b.ins().icmp_imm_u(IntCC::Equal, y, i64::from(u32::MAX));
                let is_overflow = b.ins().band(is_least, is_minus_one);
                // The least number by 1 is itself, rest 0: what ISA-16 says of the overflow.
                divisor = b.ins().select(is_overflow, one, divisor);
            }
            let result = f(b, x, divisor);
            let by_zero = match quotient {
                Quotient::Signed | Quotient::Unsigned => b.ins().iconst(I32, i64::from(u32::MAX)),
                Quotient::SignedRest | Quotient::UnsignedRest => x,
            };
            b.ins().select(is_zero, by_zero, result)
        });
    }

    // Memory.

    /// Leaves unless every access of `group` is aligned and in plain memory of the mode (MEM-3, MAP-5).
    ///
    /// A failed check is no fault: the plain engine makes the step and knows.
    fn check_group(&mut self, spot: Spot<'_>, op: &BlockOp, group: &Group) {
        if !group.is_shared() && group.first_store.is_some() {
            return;
        }
        let base = self.get(op.rs1);
        let offset = self.word(group.low.wrapping_sub(map::USER_START));
        let from_start = self.b.ins().iadd(base, offset);
        let shift = group.align.trailing_zeros();
        let rotated = self.rotate(from_start, shift);
        let bound = ((plain_span(self.region.mode) - group.bytes) >> shift) + 1;
        let bound = self.word(bound);
        let is_plain = self.b.ins().icmp(IntCC::UnsignedLessThan, rotated, bound);
        self.continue_if(is_plain, spot);
        if self.looks {
            self.check_group_loads(spot, base, &group.loads);
        }
    }

    /// Leaves if one of the loads is of a watched address. The one or two pages that they are on say whether to look.
    fn check_group_loads(&mut self, spot: Spot<'_>, base: Value, loads: &Touched) {
        let Some(notes) = self.notes_of(base, loads, |b, x, y| b.ins().bor(x, y)) else { return };
        let is_watched = self.b.ins().band_imm_u(notes, i64::from(note::WATCHED));
        let (ask, go) = (self.cold_block(), self.b.create_block());
        self.b.ins().brif(is_watched, ask, &[], go, &[]);
        self.begin(ask);
        let misses = self.is_unwatched(base, loads, std::mem::offset_of!(Context, watched_loads));
        self.continue_if(misses, spot);
        self.b.ins().jump(go, &[]);
        self.begin(go);
    }

    /// Leaves unless the one or two pages of the group's stores may be stored to.
    fn check_group_stores(&mut self, spot: Spot<'_>, op: &BlockOp, group: &Group) {
        let base = self.get(op.rs1);
        if let Some(notes) = self.notes_of(base, &group.stores, |b, x, y| b.ins().band(x, y)) {
            self.continue_if_noted(notes, spot, base, &group.stores);
        }
    }

    /// The notes of the one or two pages of `touched`, joined by `join`; `None` if nothing is touched.
    fn notes_of(
        &mut self,
        base: Value,
        touched: &Touched,
        join: impl Fn(&mut FunctionBuilder<'_>, Value, Value) -> Value,
    ) -> Option<Value> {
        let (first, last) = touched.ends()?;
        let notes = self.note_of(base, first);
        // The bytes of one access are on one page.
        if touched.is_one_access() {
            return Some(notes);
        }
        let others = self.note_of(base, last);
        Some(join(&mut self.b, notes, others))
    }

    fn note_of(&mut self, base: Value, offset: u32) -> Value {
        let offset = self.word(offset);
        let addr = self.b.ins().iadd(base, offset);
        let page = self.b.ins().ushr_imm_u(addr, i64::from(PAGE_BYTES.trailing_zeros()));
        self.note_at(page)
    }

    fn note_at(&mut self, index: Value) -> Value {
        let index = self.b.ins().uextend(I64, index);
        let place = self.b.ins().iadd(self.ram, index);
        self.b.ins().load(I8, MemFlagsData::trusted(), place, -(NOTES_BYTES as i32))
    }

    /// Leaves unless `notes` allow the `stores`, or allow those of nothing watched and they are such.
    fn continue_if_noted(&mut self, notes: Value, spot: Spot<'_>, base: Value, stores: &Touched) {
        let may_store = self.b.ins().band_imm_u(notes, i64::from(note::may_store(self.region.mode)));
        let (ask, look, fail) = (self.cold_block(), self.cold_block(), self.cold_block());
        let go = self.b.create_block();
        self.b.ins().brif(may_store, go, &[], ask, &[]);
        self.begin(ask);
        let may_store = self.b.ins().band_imm_u(notes, i64::from(note::may_store_beside(self.region.mode)));
        self.b.ins().brif(may_store, look, &[], fail, &[]);
        self.begin(look);
        let misses = self.is_unwatched(base, stores, std::mem::offset_of!(Context, watched_stores));
        self.b.ins().brif(misses, go, &[], fail, &[]);
        // One exit for both: exits are what takes Cranelift its time.
        self.begin(fail);
        self.exit_here(spot);
        self.begin(go);
    }

    /// Whether nothing of `touched` is watched, according to the bits whose address is at offset `bits` of the context.
    fn is_unwatched(&mut self, base: Value, touched: &Touched, bits: usize) -> Value {
        let bits = self.b.ins().load(I64, MemFlagsData::trusted(), self.context, bits as i32);
        let none = self.b.ins().iconst(I64, 0);
        let watched = touched.windows().into_iter().fold(none, |all, window| {
            let first = self.word(window.first);
            let addr = self.b.ins().iadd(base, first);
            let from_first = match touched.is_one_access() {
                true => self.bits_of_access(addr, bits),
                false => self.bits_from(addr, bits),
            };
            let watched = self.b.ins().band_imm_u(from_first, window.mask as i64);
            self.b.ins().bor(all, watched)
        });
        self.b.ins().icmp_imm_u(IntCC::Equal, watched, 0)
    }

    /// The bits of at least 57 bytes from `addr` on.
    fn bits_from(&mut self, addr: Value, bits: Value) -> Value {
        let index = self.b.ins().ushr_imm_u(addr, 3);
        let index = self.b.ins().uextend(I64, index);
        let shift = self.b.ins().band_imm_u(addr, 7);
        self.shifted_bits(bits, index, shift)
    }

    /// The bits of an aligned access at `addr`, which are in one of the words of 64.
    fn bits_of_access(&mut self, addr: Value, bits: Value) -> Value {
        let word = self.b.ins().ushr_imm_u(addr, 6);
        let word = self.b.ins().uextend(I64, word);
        let index = self.b.ins().ishl_imm_u(word, 3);
        // Cranelift's shifts take their amount modulo the width.
        self.shifted_bits(bits, index, addr)
    }

    fn shifted_bits(&mut self, bits: Value, index: Value, shift: Value) -> Value {
        let place = self.b.ins().iadd(bits, index);
        let eight = self.b.ins().load(I64, MemFlagsData::new().with_notrap(), place, 0);
        self.b.ins().ushr(eight, shift)
    }

    fn rotate(&mut self, value: Value, shift: u32) -> Value {
        if shift == 0 { value } else { self.b.ins().rotr_imm_u(value, i64::from(shift)) }
    }

    fn load(&mut self, op: BlockOp) {
        let base = self.get(op.rs1);
        let base = self.b.ins().uextend(I64, base);
        let place = self.b.ins().iadd(self.ram, base);
        let flags = MemFlagsData::trusted();
        let offset = op.imm as i32;
        let value = match op.code {
            Code::Lb => self.b.ins().sload8(I32, flags, place, offset),
            Code::Lbu => self.b.ins().uload8(I32, flags, place, offset),
            Code::Lh => self.b.ins().sload16(I32, flags, place, offset),
            Code::Lhu => self.b.ins().uload16(I32, flags, place, offset),
            _ => self.b.ins().load(I32, flags, place, offset),
        };
        self.set(op.rd, value);
    }

    fn store(&mut self, spot: Spot<'_>, op: BlockOp, groups: &[Group]) {
        let is_checked = groups.iter().any(|group| group.is_shared() && group.accesses.contains(&spot.at));
        let base = self.get(op.rs1);
        let (place, offset) = match is_checked {
            true => (self.b.ins().uextend(I64, base), op.imm as i32),
            false => (self.check_store(spot, op, base), 0),
        };
        let place = self.b.ins().iadd(self.ram, place);
        let value = self.get(op.rs2);
        let value = match Access::of(op.code).map_or(4, |access| access.width) {
            1 => self.b.ins().ireduce(I8, value),
            2 => self.b.ins().ireduce(I16, value),
            _ => value,
        };
        self.b.ins().store(MemFlagsData::trusted(), value, place, offset);
    }

    /// Leaves unless the store is aligned and its page may be stored to; its address, extended.
    fn check_store(&mut self, spot: Spot<'_>, op: BlockOp, base: Value) -> Value {
        let offset = self.word(op.imm);
        let addr = self.b.ins().iadd(base, offset);
        let width = Access::of(op.code).map_or(1, |access| access.width);
        let shift = width.trailing_zeros();
        // A misaligned address has a bit at the top after the rotation: behind the last page, where no note is.
        let rotated = self.rotate(addr, shift);
        let page = self.b.ins().ushr_imm_u(rotated, i64::from(PAGE_BYTES.trailing_zeros() - shift));
        let notes = self.note_at(page);
        self.continue_if_noted(notes, spot, base, &Touched::of(op.imm, width));
        self.b.ins().uextend(I64, addr)
    }

    // Control.

    fn branch(&mut self, spot: Spot<'_>, op: BlockOp, condition: IntCC) -> bool {
        self.write_through();
        let (x, y) = (self.get(op.rs1), self.get(op.rs2));
        let is_taken = self.b.ins().icmp(condition, x, y);
        let [behind, target] = spot.part.block.targets;
        let (taken, is_taken_here) = self.block_for(target);
        let (untaken, is_untaken_here) = self.block_for(behind);
        self.b.ins().brif(is_taken, taken, &[], untaken, &[]);
        for (block, is_here, pc) in [(taken, is_taken_here, target), (untaken, is_untaken_here, behind)] {
            if !is_here {
                self.begin(block);
                self.go(pc);
            }
        }
        true
    }

    /// The block of the part at `pc`, or a new one to leave in, and whether it is the former.
    fn block_for(&mut self, pc: Addr) -> (ir::Block, bool) {
        match self.region.part_at(pc) {
            Some(part) => (self.blocks[part], true),
            None => (self.cold_block(), false),
        }
    }

    fn jal(&mut self, spot: Spot<'_>, op: BlockOp) -> bool {
        let [behind, target] = spot.part.block.targets;
        let link = self.word(behind);
        self.set(op.rd, link);
        self.go(target);
        true
    }

    fn jalr(&mut self, spot: Spot<'_>, op: BlockOp) -> bool {
        let (base, offset) = (self.get(op.rs1), self.word(op.imm));
        let sum = self.b.ins().iadd(base, offset);
        let target = self.b.ins().band_imm_u(sum, 0xffff_fffe);
        let misaligned = self.b.ins().band_imm_u(target, 2);
        let is_aligned = self.b.ins().icmp_imm_u(IntCC::Equal, misaligned, 0);
        self.continue_if(is_aligned, spot);
        let link = self.word(spot.part.block.targets[0]);
        self.set(op.rd, link);
        self.write_through();
        let mut switch = Switch::new();
        for &guess in &spot.part.guesses {
            switch.set_entry(self.region.parts[guess].block.pc.into(), self.blocks[guess]);
        }
        let elsewhere = self.b.create_block();
        switch.emit(&mut self.b, target, elsewhere);
        self.b.switch_to_block(elsewhere);
        self.go_to(target);
        true
    }

    /// Continues at `pc`.
    fn go(&mut self, pc: Addr) {
        self.write_through();
        match self.region.part_at(pc) {
            Some(part) => {
                let block = self.blocks[part];
                self.b.ins().jump(block, &[]);
            }
            None => {
                let pc = self.word(pc);
                self.go_to(pc);
            }
        }
    }

    /// Continues at the address `pc` outside the region.
    fn go_to(&mut self, pc: Value) {
        self.save();
        let left = self.b.use_var(self.left);
        self.b.ins().jump(self.lookup, &[pc.into(), left.into()]);
    }

    /// Goes on emitting in `block`, which all that lead to it are known of.
    fn begin(&mut self, block: ir::Block) {
        self.b.switch_to_block(block);
        self.b.seal_block(block);
    }

    fn cold_block(&mut self) -> ir::Block {
        let block = self.b.create_block();
        self.b.set_cold_block(block);
        block
    }

    /// Leaves before the operation at `spot` unless `condition` is true.
    fn continue_if(&mut self, condition: Value, spot: Spot<'_>) {
        let (fail, go) = (self.cold_block(), self.b.create_block());
        self.b.ins().brif(condition, go, &[], fail, &[]);
        self.begin(fail);
        self.exit_here(spot);
        self.begin(go);
    }

    /// Leaves before the operation at `spot`, for the plain engine to execute it.
    fn exit_here(&mut self, spot: Spot<'_>) {
        let left = self.b.use_var(self.left);
        let left = self.b.ins().iadd_imm_s(left, spot.unmade());
        let pc = self.word(spot.pc());
        self.exit(pc, left, reason::STEP);
    }

    fn exit(&mut self, pc: Value, left: Value, reason: u32) {
        self.save();
        let reason = self.word(reason);
        self.b.ins().jump(self.leave, &[pc.into(), left.into(), reason.into()]);
    }

    /// At the end of a part of a large region: stores what changed in it, so that the exits of the next one need not.
    fn write_through(&mut self) {
        if self.is_written_through {
            self.save();
            self.dirty = 0;
        }
    }

    /// Stores the registers that may have changed.
    fn save(&mut self) {
        for i in (1..32).filter(|i| self.dirty >> i & 1 != 0) {
            let value = self.b.use_var(self.regs[i]);
            self.b.ins().store(MemFlagsData::trusted(), value, self.context, 4 * i as i32);
        }
    }

    fn emit_leave(&mut self) {
        let [pc, left, reason] = [I32, I64, I32].map(|ty| self.b.append_block_param(self.leave, ty));
        self.b.set_cold_block(self.leave);
        self.b.switch_to_block(self.leave);
        self.emit_return(pc, left, reason);
    }

    fn emit_return(&mut self, pc: Value, left: Value, reason: Value) {
        let (pc_place, reason_place) = (std::mem::offset_of!(Context, pc), std::mem::offset_of!(Context, reason));
        self.b.ins().store(MemFlagsData::trusted(), pc, self.context, pc_place as i32);
        self.b.ins().store(MemFlagsData::trusted(), reason, self.context, reason_place as i32);
        self.b.ins().return_(&[left]);
    }

    /// Goes on in the code that the table has for pc.
    fn emit_lookup(&mut self) {
        let [pc, left] = [I32, I64].map(|ty| self.b.append_block_param(self.lookup, ty));
        self.b.switch_to_block(self.lookup);
        let slots = self.b.ins().iconst(I64, self.slots as i64);
        // pc is a multiple of 4: the slot's index times 4.
        let index = self.b.ins().band_imm_u(pc, 4 * (SLOTS as i64 - 1));
        let index = self.b.ins().uextend(I64, index);
        let offset = self.b.ins().imul_imm_u(index, size_of::<Slot>() as i64 / 4);
        let slot = self.b.ins().iadd(slots, offset);
        let place = self.b.ins().load(I32, MemFlagsData::trusted(), slot, Slot::PLACE);
        let wanted = self.b.ins().bor_imm_u(pc, i64::from(place_of(self.region.mode, 0)));
        let is_there = self.b.ins().icmp(IntCC::Equal, place, wanted);
        let (there, elsewhere) = (self.b.create_block(), self.cold_block());
        self.b.ins().brif(is_there, there, &[], elsewhere, &[]);
        self.b.switch_to_block(there);
        let code = self.b.ins().load(I64, MemFlagsData::trusted(), slot, Slot::ENTRY);
        self.b.ins().return_call_indirect(self.sig, code, &[self.context, self.ram, left]);
        self.b.switch_to_block(elsewhere);
        let reason = self.word(reason::ELSEWHERE);
        self.emit_return(pc, left, reason);
    }
}

/// 1 where `condition` holds, else 0: what SLT and its kin compute.
fn less(condition: IntCC) -> impl Fn(&mut FunctionBuilder<'_>, Value, Value) -> Value {
    move |b, x, y| {
        let is_less = b.ins().icmp(condition, x, y);
        b.ins().uextend(I32, is_less)
    }
}

#[derive(Clone, Copy)]
enum Quotient {
    Signed,
    Unsigned,
    SignedRest,
    UnsignedRest,
}

/// For each part, the registers that may differ from the context when control arrives.
fn dirty_at_parts(region: &Region) -> Vec<u32> {
    let mut dirty = vec![0; region.parts.len()];
    let mut left = vec![0];
    let mut is_reached = vec![false; region.parts.len()];
    while let Some(number) = left.pop() {
        is_reached[number] = true;
        let after = dirty[number] | region.parts[number].writes();
        for next in region.successors(number) {
            if dirty[next] | after != dirty[next] || !is_reached[next] {
                dirty[next] |= after;
                left.push(next);
            }
        }
    }
    dirty
}
