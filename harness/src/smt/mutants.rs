//! Planted errors. Each is a wrong version of a function of `lockstep::exec::ops`, at least two in
//! every family of instructions; a run in which the solver does not refute one of them has failed.
//!
//! They go the whole way that the real functions go: through the compiler, the translator and a
//! solver; and the counterexample must make the compiled mutant differ from the specification.

use lockstep::exec::probe;
use lockstep::isa::Op;

use super::arm::GIVEN;
use super::handlers::{Handler, given_words};
use super::obligations::Part;

/// Calls the macro `$with` with every planted error: `name of function(arguments) -> result`.
#[macro_export]
macro_rules! mutants {
    ($with:ident) => {
        $with! {
            // Alu
            add_without_carry of add(a, b) -> u32 { a ^ b }
            add_saturating of add(a, b) -> u32 { a.saturating_add(b) }
            sub_swapped of sub(a, b) -> u32 { b.wrapping_sub(a) }
            xor_as_or of xor(a, b) -> u32 { a | b }
            or_misses_bit_31 of or(a, b) -> u32 { a | (b & 0x7fff_ffff) }
            and_as_nand of and(a, b) -> u32 { !(a & b) }
            // Less
            slt_unsigned of slt(a, b) -> u32 { u32::from(a < b) }
            slt_by_difference of slt(a, b) -> u32 { a.wrapping_sub(b) >> 31 }
            sltu_or_equal of sltu(a, b) -> u32 { u32::from(a <= b) }
            sltu_signed of sltu(a, b) -> u32 { u32::from((a as i32) < b as i32) }
            // Shift
            sll_by_six_bits of sll(a, b) -> u32 { a.checked_shl(b & 63).unwrap_or(0) }
            sll_by_four_bits of sll(a, b) -> u32 { a << (b & 15) }
            srl_arithmetic of srl(a, b) -> u32 { (a as i32).wrapping_shr(b) as u32 }
            sra_logical of sra(a, b) -> u32 { a.wrapping_shr(b) }
            sra_rounds_to_zero of sra(a, b) -> u32 { (a as i32).wrapping_div(1i32.wrapping_shl(b)) as u32 }
            // Branch
            beq_low_half of beq(a, b) -> bool { a as u16 == b as u16 }
            bne_inverted of bne(a, b) -> bool { a == b }
            blt_unsigned of blt(a, b) -> bool { a < b }
            bge_strict of bge(a, b) -> bool { a as i32 > b as i32 }
            bltu_signed of bltu(a, b) -> bool { (a as i32) < b as i32 }
            bgeu_strict of bgeu(a, b) -> bool { a > b }
            pc_relative_to_next of pc_relative(pc, imm) -> u32 { pc.wrapping_add(imm).wrapping_add(4) }
            // Jump
            jalr_keeps_bit_0 of jalr_target(rs1, imm) -> u32 { rs1.wrapping_add(imm) }
            jalr_clears_imm_only of jalr_target(rs1, imm) -> u32 { rs1.wrapping_add(imm & !1) }
            jalr_clears_two_bits of jalr_target(rs1, imm) -> u32 { rs1.wrapping_add(imm) & !3 }
            next_pc_saturates of next_pc(pc) -> u32 { pc.saturating_add(4) }
            aligned_to_two of is_aligned_target(target) -> bool { target & 1 == 0 }
            // Upper
            lui_drops_bit_12 of lui(imm) -> u32 { imm & !0x1000 }
            lui_shifts_again of lui(imm) -> u32 { imm << 12 }
            auipc_masks_pc of auipc(pc, imm) -> u32 { (pc & !0xfff).wrapping_add(imm) }
            auipc_without_carry of auipc(pc, imm) -> u32 { pc | imm }
            // Load
            lb_zero_extends of lb(word, addr) -> u32 { word.wrapping_shr(8 * (addr & 3)) & 0xff }
            lb_big_endian of lb(word, addr) -> u32 { word.wrapping_shr(8 * (!addr & 3)) as u8 as i8 as u32 }
            lh_low_half_only of lh(word, _addr) -> u32 { word as i16 as u32 }
            lbu_sign_extends of lbu(word, addr) -> u32 { word.wrapping_shr(8 * (addr & 3)) as u8 as i8 as u32 }
            lhu_byte of lhu(word, addr) -> u32 { word.wrapping_shr(8 * (addr & 2)) & 0xff }
            lw_rotated of lw(word) -> u32 { word.rotate_left(8) }
            address_unsigned_offset of effective_address(rs1, imm) -> u32 { rs1.wrapping_add(imm & 0xfff) }
            // Store
            sb_clears_neighbours of sb(_word, addr, value) -> u32 { (value & 0xff).wrapping_shl(8 * (addr & 3)) }
            sb_value_unmasked of sb(word, addr, value) -> u32 {
                let shift = 8 * (addr & 3);
                (word & !0xff_u32.wrapping_shl(shift)) | value.wrapping_shl(shift)
            }
            sh_at_byte of sh(word, addr, value) -> u32 {
                let shift = 8 * (addr & 3);
                (word & !0xffff_u32.wrapping_shl(shift)) | (value & 0xffff).wrapping_shl(shift)
            }
            sw_low_half of sw(value) -> u32 { value & 0xffff }
            // Mul
            mul_of_low_halves of mul(a, b) -> u32 { (a & 0xffff).wrapping_mul(b) }
            mulh_unsigned of mulh(a, b) -> u32 { (u64::from(a).wrapping_mul(u64::from(b)) >> 32) as u32 }
            mulhsu_signed of mulhsu(a, b) -> u32 { (i64::from(a as i32).wrapping_mul(i64::from(b as i32)) >> 32) as u32 }
            mulhsu_swapped of mulhsu(a, b) -> u32 { (i64::from(b as i32).wrapping_mul(i64::from(a)) >> 32) as u32 }
            mulhu_signed of mulhu(a, b) -> u32 { (i64::from(a as i32).wrapping_mul(i64::from(b as i32)) >> 32) as u32 }
            // Div
            div_by_zero_is_zero of div(a, b) -> u32 { if b == 0 { 0 } else { (a as i32).wrapping_div(b as i32) as u32 } }
            div_overflow_is_zero of div(a, b) -> u32 {
                if b == 0 { u32::MAX } else { (a as i32).checked_div(b as i32).unwrap_or(0) as u32 }
            }
            divu_signed of divu(a, b) -> u32 { if b == 0 { u32::MAX } else { (a as i32).wrapping_div(b as i32) as u32 } }
            rem_by_zero_is_zero of rem(a, b) -> u32 { if b == 0 { 0 } else { (a as i32).wrapping_rem(b as i32) as u32 } }
            rem_sign_of_divisor of rem(a, b) -> u32 {
                if b == 0 { a } else { (a as i32).wrapping_rem_euclid(b as i32) as u32 }
            }
            remu_by_zero_is_zero of remu(a, b) -> u32 { a.checked_rem(b).unwrap_or(0) }
        }
    };
}

/// A planted error.
pub struct Mutant {
    /// The function it replaces.
    pub of: &'static str,
    /// The wrong function.
    pub function: Handler,
}

macro_rules! define {
    ($($name:ident of $handler:ident($($arg:ident),*) -> $result:ty $body:block)*) => {
        $(
            #[doc = concat!("A wrong `", stringify!($handler), "`.")]
            #[inline]
            pub fn $name($($arg: u32),*) -> $result $body
        )*

        /// Every planted error.
        pub const MUTANTS: &[Mutant] = &[$(Mutant {
            of: stringify!($handler),
            function: Handler {
                name: stringify!($name),
                arity: [$(stringify!($arg)),*].len(),
                run: |words| {
                    let mut words = words.iter().copied();
                    $(let $arg = words.next().expect("one word an argument");)*
                    u128::from($name($($arg),*))
                },
            },
        }),*];
    };
}
mutants!(define);

/// A promise that the compiler did not make, planted in the IR of a function: the proof that no
/// poison is reachable must fail. Such an error cannot be written in safe Rust.
pub struct FalsePromise {
    /// The function.
    pub of: &'static str,
    /// A part of its IR.
    pub truth: &'static str,
    /// What to put in its place.
    pub lie: &'static str,
}

/// Every planted promise.
pub const FALSE_PROMISES: &[FalsePromise] = &[
    FalsePromise { of: "add", truth: "add i32", lie: "add nsw i32" },
    FalsePromise { of: "sub", truth: "sub i32", lie: "sub nuw i32" },
    FalsePromise { of: "or", truth: "or i32", lie: "or disjoint i32" },
    FalsePromise { of: "slt", truth: "icmp slt", lie: "icmp samesign slt" },
    FalsePromise { of: "sltu", truth: "zext i1", lie: "zext nneg i1" },
    FalsePromise { of: "sll", truth: "shl i32", lie: "shl nuw i32" },
    FalsePromise { of: "sra", truth: "ashr i32", lie: "ashr exact i32" },
    FalsePromise { of: "beq", truth: "icmp eq", lie: "icmp samesign eq" },
    FalsePromise { of: "jalr_target", truth: "add i32", lie: "add nuw i32" },
    FalsePromise { of: "auipc", truth: "add i32", lie: "add nuw nsw i32" },
    FalsePromise { of: "lbu", truth: "range(i32 0, 256)", lie: "range(i32 0, 255)" },
    FalsePromise { of: "lb", truth: "range(i32 -128, 128)", lie: "range(i32 -128, 127)" },
    FalsePromise { of: "sb", truth: "shl nuw i32 255", lie: "shl nuw nsw i32 255" },
    FalsePromise { of: "mul", truth: "mul i32", lie: "mul nsw i32" },
    FalsePromise { of: "mulhu", truth: "mul nuw i64", lie: "mul nuw nsw i64" },
    FalsePromise { of: "div", truth: "sdiv i32", lie: "sdiv exact i32" },
    FalsePromise { of: "div", truth: "i32 %a, -2147483648", lie: "i32 %a, -2147483647" },
    FalsePromise { of: "divu", truth: "icmp eq i32 %b, 0", lie: "icmp eq i32 %b, 1" },
];

/// Calls the macro `$with` with every wrong arm: `name engine of Op => Op { what is given instead }`.
///
/// The right-hand side is what the arm would do if its `match` named another operation, or if it
/// read other operands.
#[macro_export]
macro_rules! arm_mutants {
    ($with:ident) => {
        $with! { g;
            step_sub_swapped step of Sub => Sub { rs1: g.rs2, rs2: g.rs1, x_rs1: g.x_rs2, x_rs2: g.x_rs1 }
            step_addi_of_rs2 step of Addi => Addi { imm: g.x_rs2 }
            step_or_to_rs1 step of Or => Or { rd: g.rs1 }
            step_slt_unsigned step of Slt => Sltu {}
            step_sltiu_signed step of Sltiu => Slti {}
            step_sra_logical step of Sra => Srl {}
            step_slli_of_rs2 step of Slli => Sll {}
            step_bge_inverted step of Bge => Blt {}
            step_beq_from_next_pc step of Beq => Beq { pc: g.pc.wrapping_add(4) }
            step_jal_without_link step of Jal => Jal { rd: 0 }
            step_jalr_of_rs2 step of Jalr => Jalr { rs1: g.rs2, x_rs1: g.x_rs2 }
            step_lui_relative step of Lui => Auipc {}
            step_auipc_absolute step of Auipc => Lui {}
            step_lb_unsigned step of Lb => Lbu {}
            step_lh_as_word step of Lh => Lw {}
            step_lw_without_offset step of Lw => Lw { imm: 0 }
            step_sb_as_half step of Sb => Sh {}
            step_sw_of_rs1 step of Sw => Sw { rs2: g.rs1, x_rs2: g.x_rs1 }
            step_mulhsu_unsigned step of Mulhsu => Mulhu {}
            step_mul_by_itself step of Mul => Mul { rs2: g.rs1, x_rs2: g.x_rs1 }
            step_div_unsigned step of Div => Divu {}
            step_remu_as_quotient step of Remu => Divu {}
            step_fence_traps step of Fence => Ebreak {}
            step_mret_stays step of Mret => Fence {}
            step_ecall_for_all step of Ecall => Ecall { mode: 1 }
            step_ebreak_behind step of Ebreak => Ebreak { pc: g.pc.wrapping_add(4) }
            block_sub_swapped block of Sub => Sub { rs1: g.rs2, rs2: g.rs1, x_rs1: g.x_rs2, x_rs2: g.x_rs1 }
            block_addi_of_rs2 block of Addi => Add {}
            block_slt_unsigned block of Slt => Sltu {}
            block_slti_as_sltiu block of Slti => Sltiu {}
            block_srai_logical block of Srai => Srli {}
            block_srl_left block of Srl => Sll {}
            block_bgeu_signed block of Bgeu => Bge {}
            block_bne_from_next_pc block of Bne => Bne { pc: g.pc.wrapping_add(4) }
            block_jal_links_rs1 block of Jal => Jal { rd: g.rs1 }
            block_jalr_without_offset block of Jalr => Jalr { imm: 0 }
            block_lui_relative block of Lui => Auipc {}
            block_auipc_of_next_pc block of Auipc => Auipc { pc: g.pc.wrapping_add(4) }
            block_lbu_signed block of Lbu => Lb {}
            block_lhu_as_byte block of Lhu => Lbu {}
            block_sh_as_byte block of Sh => Sb {}
            block_sw_of_rs1 block of Sw => Sw { rs2: g.rs1, x_rs2: g.x_rs1 }
            block_lw_as_machine block of Lw => Lw { mode: 1 }
            block_mulh_unsigned block of Mulh => Mulhu {}
            block_mul_high block of Mul => Mulhu {}
            block_rem_as_quotient block of Rem => Div {}
            block_divu_signed block of Divu => Div {}
            block_ecall_ignored block of Ecall => Fence {}
            block_fence_writes block of Fence => Addi {}
        }
    };
}

/// An error in an engine's arm.
pub struct ArmMutant {
    /// Whose arm: [`Part::Step`] or [`Part::Block`].
    pub engine: Part,
    /// The instruction.
    pub op: Op,
    /// The wrong arm.
    pub function: Handler,
}

macro_rules! define_arms {
    ($g:ident; $($name:ident $engine:ident of $op:ident => $other:ident { $($field:ident: $value:expr),* })*) => {
        $(
            #[doc = concat!("A wrong arm of `", stringify!($engine), "` for ", stringify!($op), ".")]
            #[inline(always)]
            pub fn $name(given: probe::Given) -> u128 {
                #[allow(unused_variables, reason = "some errors are in the choice of the operation")]
                let $g = given;
                #[allow(clippy::needless_update, reason = "the same macro makes errors of operands")]
                probe::$engine(Op::$other, probe::Given { $($field: $value,)* ..given })
            }
        )*

        /// Every wrong arm.
        pub const ARM_MUTANTS: &[ArmMutant] = &[$(ArmMutant {
            engine: engine_part(stringify!($engine)),
            op: Op::$op,
            function: Handler { name: stringify!($name), arity: GIVEN.len(), run: |words| $name(given_words(words)) },
        }),*];
    };
}
arm_mutants!(define_arms);

const fn engine_part(name: &str) -> Part {
    if name.len() == "step".len() { Part::Step } else { Part::Block }
}
