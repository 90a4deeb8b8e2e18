//! The situations themselves.

use std::fmt;

use lockstep::hart::Machine;
use lockstep::isa::{Class, Format, Insn, Op, Reg};
use lockstep::map::{self, Addr, Mode};
use lockstep::trace::Retired;
use lockstep::trap::Cause;

/// One situation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// The instruction retired in this mode.
    Ran(Op, Mode),
    /// It used this register as this operand.
    Register(Op, Role, u8),
    /// Its operands were these registers, compared with each other.
    Same(Op, SameRegisters),
    /// rs1 and rs2 held these values.
    Corners(Op, Corner, Corner),
    /// rs1 held this value and the immediate was this.
    ImmCorners(Op, Corner, i32),
    /// This operand had only this bit set (or, with `false`, only this bit clear).
    Bit(Op, Role, u8, bool),
    /// It shifted by this much.
    Shift(Op, u8),
    /// It accessed the byte at this offset of a word and, a load, delivered a value with this sign bit.
    Lane(Op, u8, bool),
    /// The branch or jump was taken or not, forwards or backwards.
    Jumped(Op, bool, bool),
    /// It raised this in this mode.
    Trap(Op, Cause, Mode),
    /// An access at an edge of the map, in this mode, allowed or not.
    Edge(Access, Addr, Mode, bool),
    /// A load or store of this width at a cell of system memory.
    Cell(Addr, u8, bool),
}

/// An operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the manual's names")]
pub enum Role {
    Rd,
    Rs1,
    Rs2,
}

/// Which of rd, rs1 and rs2 are the same register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SameRegisters {
    None,
    RdRs1,
    RdRs2,
    Rs1Rs2,
    All,
}

/// A value at which arithmetic changes its ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Corner(pub u32);

/// 0, 1, -1, the most positive and the most negative word.
pub const CORNERS: [Corner; 5] = [Corner(0), Corner(1), Corner(u32::MAX), Corner(0x7fff_ffff), Corner(0x8000_0000)];
/// The same of a 12-bit immediate.
pub const IMM_CORNERS: [i32; 5] = [0, 1, -1, 2047, -2048];

/// What kind of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Of an instruction.
    Fetch,
    /// Of data.
    Load,
    /// Of data.
    Store,
}

/// The addresses on both sides of each edge of the map (MAP-1 to MAP-4).
pub const ACCESS_EDGES: [Addr; 8] =
    [0, 0x0000_FFFF, 0x0001_0000, 0xBFFF_FFFF, 0xC000_0000, 0xFEFF_FFFF, 0xFF00_0000, 0xFFFF_FFFF];

/// Cells of system memory that are accessed in every width (MAP-6 to MAP-14).
pub const CELLS: [Addr; 12] = [
    map::MACHINE_REGS,
    map::MACHINE_REGS + 4 * 9,
    map::USER_REGS,
    map::USER_REGS + 4 * 31,
    map::MACHINE_SINK,
    map::USER_SINK,
    map::MEPC,
    map::SUSPEND_PC,
    map::OUTPUT_DIGEST,
    map::VERSION_WORD,
    map::ECALL_VECTOR,
    map::TRAP_VECTOR,
];

/// Every situation that a run must have seen.
pub fn points() -> Vec<Point> {
    let mut points = Vec::new();
    for op in Op::ALL {
        points.extend(modes(op).into_iter().map(|mode| Point::Ran(op, mode)));
        points.extend(registers(op));
        points.extend(same(op).into_iter().map(|same| Point::Same(op, same)));
        points.extend(values(op));
        points.extend(shape(op));
        points.extend(traps(op).into_iter().map(|(cause, mode)| Point::Trap(op, cause, mode)));
    }
    points.extend(edges());
    for cell in CELLS {
        points
            .extend([1, 2, 4].into_iter().flat_map(|width| [true, false].map(|store| Point::Cell(cell, width, store))));
    }
    points
}

const BOTH: [Mode; 2] = [Mode::User, Mode::Machine];

/// The modes in which the instruction can retire.
fn modes(op: Op) -> Vec<Mode> {
    match op {
        Op::Ebreak => vec![],
        // A user ECALL is a trap (MODE-2).
        Op::Mret | Op::Ecall => vec![Mode::Machine],
        _ => BOTH.to_vec(),
    }
}

fn roles(op: Op) -> &'static [Role] {
    match op.format() {
        Format::R => &[Role::Rd, Role::Rs1, Role::Rs2],
        Format::I | Format::Shamt => &[Role::Rd, Role::Rs1],
        Format::S | Format::B => &[Role::Rs1, Role::Rs2],
        Format::U | Format::J => &[Role::Rd],
        Format::Fence | Format::Bare => &[],
    }
}

/// Every register in every place; a load or store from x0 can reach nothing that it may access.
fn registers(op: Op) -> impl Iterator<Item = Point> {
    let is_access = matches!(op.class(), Class::Load | Class::Store);
    let can_be = move |role: Role, index: u8| !(is_access && role == Role::Rs1 && index == 0);
    let every = roles(op).iter().flat_map(|role| (0..32).map(move |index| (*role, index)));
    every.filter(move |(role, index)| can_be(*role, *index)).map(move |(role, index)| Point::Register(op, role, index))
}

fn same(op: Op) -> Vec<SameRegisters> {
    use SameRegisters::{All, None, RdRs1, RdRs2, Rs1Rs2};
    match roles(op) {
        [Role::Rd, Role::Rs1, Role::Rs2] => vec![None, RdRs1, RdRs2, Rs1Rs2, All],
        [Role::Rd, Role::Rs1] => vec![None, RdRs1],
        [Role::Rs1, Role::Rs2] => vec![None, Rs1Rs2],
        _ => vec![],
    }
}

/// Corners crossed, and walking ones and zeros.
fn values(op: Op) -> Vec<Point> {
    let bits = |role| (0..32).flat_map(move |bit| [true, false].map(|one| Point::Bit(op, role, bit, one)));
    let crossed = CORNERS.into_iter().flat_map(|a| CORNERS.map(|b| Point::Corners(op, a, b)));
    let with_imm = CORNERS.into_iter().flat_map(|a| IMM_CORNERS.map(|imm| Point::ImmCorners(op, a, imm)));
    match (op.format(), op.class()) {
        (Format::R | Format::B, _) => crossed.chain(bits(Role::Rs1)).chain(bits(Role::Rs2)).collect(),
        (Format::I, Class::Alu | Class::Less) => with_imm.chain(bits(Role::Rs1)).collect(),
        (Format::Shamt, _) => bits(Role::Rs1).collect(),
        (Format::S, _) => bits(Role::Rs2).collect(),
        _ => Vec::new(),
    }
}

/// What belongs to the instruction's family.
fn shape(op: Op) -> Vec<Point> {
    match op.class() {
        Class::Shift => (0..32).map(|amount| Point::Shift(op, amount)).collect(),
        Class::Load => lanes(op).flat_map(|lane| [false, true].map(|sign| Point::Lane(op, lane, sign))).collect(),
        Class::Store => lanes(op).map(|lane| Point::Lane(op, lane, false)).collect(),
        Class::Branch => [(true, true), (true, false), (false, true), (false, false)]
            .map(|(taken, back)| Point::Jumped(op, taken, back))
            .to_vec(),
        Class::Jump => [false, true].map(|back| Point::Jumped(op, true, back)).to_vec(),
        Class::Alu | Class::Less | Class::Upper | Class::Mul | Class::Div | Class::System => Vec::new(),
    }
}

fn lanes(op: Op) -> impl Iterator<Item = u8> {
    (0..4).step_by(usize::from(width(op)))
}

/// The bytes that a load or store moves.
pub fn width(op: Op) -> u8 {
    match op {
        Op::Lb | Op::Lbu | Op::Sb => 1,
        Op::Lh | Op::Lhu | Op::Sh => 2,
        _ => 4,
    }
}

/// Every trap that the instruction can raise.
fn traps(op: Op) -> Vec<(Cause, Mode)> {
    let both = |causes: &[Cause]| causes.iter().flat_map(|cause| BOTH.map(|mode| (*cause, mode))).collect();
    match op.class() {
        Class::Branch | Class::Jump => both(&[Cause::InstructionAddressMisaligned]),
        Class::Load if width(op) == 1 => both(&[Cause::LoadAccessFault]),
        Class::Load => both(&[Cause::LoadAccessFault, Cause::LoadAddressMisaligned]),
        Class::Store if width(op) == 1 => both(&[Cause::StoreAccessFault]),
        Class::Store => both(&[Cause::StoreAccessFault, Cause::StoreAddressMisaligned]),
        Class::System => match op {
            Op::Ebreak => both(&[Cause::Breakpoint]),
            Op::Ecall => vec![(Cause::UserEcall, Mode::User), (Cause::MachineEcall, Mode::Machine)],
            Op::Mret => {
                vec![(Cause::IllegalInstruction, Mode::User), (Cause::InstructionAddressMisaligned, Mode::Machine)]
            }
            _ => Vec::new(),
        },
        Class::Alu | Class::Less | Class::Shift | Class::Upper | Class::Mul | Class::Div => Vec::new(),
    }
}

/// Each edge, by byte loads and stores, and by fetches of the word there.
fn edges() -> Vec<Point> {
    let mut points = Vec::new();
    for mode in BOTH {
        for addr in ACCESS_EDGES {
            let is_allowed = mode.may_access(addr);
            points.extend([Access::Load, Access::Store].map(|access| Point::Edge(access, addr, mode, is_allowed)));
            points.push(Point::Edge(Access::Fetch, addr & !3, mode, is_allowed));
        }
    }
    points
}

impl Access {
    /// How the instruction accesses data, if it does.
    pub fn of(op: Op) -> Option<Access> {
        match op.class() {
            Class::Load => Some(Access::Load),
            Class::Store => Some(Access::Store),
            _ => None,
        }
    }
}

/// The data access that `insn` would make in the current state.
pub fn edge_access(machine: &Machine, insn: Insn) -> Option<(Access, Addr)> {
    let addr = machine.hart.x(insn.rs1).wrapping_add(insn.imm as u32);
    Access::of(insn.op).map(|access| (access, addr))
}

/// Shows `see` every situation that a step which retired was.
pub fn of_step(insn: Insn, step: &Retired, see: &mut impl FnMut(Point)) {
    let op = insn.op;
    see(Point::Ran(op, step.mode));
    see(Point::Edge(Access::Fetch, step.pc, step.mode, true));
    for role in roles(op) {
        let reg = match role {
            Role::Rd => insn.rd,
            Role::Rs1 => insn.rs1,
            Role::Rs2 => insn.rs2,
        };
        see(Point::Register(op, *role, reg.index() as u8));
    }
    if let Some(same) = compare(op, insn) {
        see(Point::Same(op, same));
    }
    of_values(insn, step, see);
    if let Some(mem) = step.mem {
        let is_negative = mem.rmask != 0 && mem.rdata >> (8 * u32::from(width(op)) - 1) & 1 == 1;
        see(Point::Lane(op, (mem.addr & 3) as u8, is_negative));
        see(Point::Cell(mem.addr & !3, width(op), mem.wmask != 0));
        if let Some(access) = Access::of(op) {
            see(Point::Edge(access, mem.addr, step.mode, true));
        }
    }
    match op.class() {
        Class::Branch => see(Point::Jumped(op, step.next_pc != step.pc.wrapping_add(4), insn.imm < 0)),
        Class::Jump => see(Point::Jumped(op, true, step.next_pc <= step.pc)),
        _ => {}
    }
}

fn of_values(insn: Insn, step: &Retired, see: &mut impl FnMut(Point)) {
    let op = insn.op;
    let (a, b) = (step.rs1.map(|rs1| rs1.value), step.rs2.map(|rs2| rs2.value));
    for (role, value) in [(Role::Rs1, a), (Role::Rs2, b)] {
        let Some(value) = value else { continue };
        if value.is_power_of_two() {
            see(Point::Bit(op, role, value.trailing_zeros() as u8, true));
        }
        if (!value).is_power_of_two() {
            see(Point::Bit(op, role, (!value).trailing_zeros() as u8, false));
        }
    }
    match (a, b) {
        (Some(a), Some(b)) => see(Point::Corners(op, Corner(a), Corner(b))),
        (Some(a), None) => see(Point::ImmCorners(op, Corner(a), insn.imm)),
        _ => {}
    }
    if op.class() == Class::Shift {
        see(Point::Shift(op, (b.unwrap_or(insn.imm as u32) & 31) as u8));
    }
}

fn compare(op: Op, insn: Insn) -> Option<SameRegisters> {
    let (rd, rs1, rs2) = (insn.rd, insn.rs1, insn.rs2);
    let two = |a: Reg, b: Reg, same| if a == b { same } else { SameRegisters::None };
    match roles(op) {
        [Role::Rd, Role::Rs1, Role::Rs2] => Some(match (rd == rs1, rd == rs2, rs1 == rs2) {
            (true, true, _) => SameRegisters::All,
            (true, false, _) => SameRegisters::RdRs1,
            (false, true, _) => SameRegisters::RdRs2,
            (false, false, true) => SameRegisters::Rs1Rs2,
            (false, false, false) => SameRegisters::None,
        }),
        [Role::Rd, Role::Rs1] => Some(two(rd, rs1, SameRegisters::RdRs1)),
        [Role::Rs1, Role::Rs2] => Some(two(rs1, rs2, SameRegisters::Rs1Rs2)),
        _ => None,
    }
}

impl Point {
    /// The instruction or part of the machine that it belongs to.
    pub fn group(&self) -> String {
        match self {
            Point::Ran(op, ..)
            | Point::Register(op, ..)
            | Point::Same(op, ..)
            | Point::Corners(op, ..)
            | Point::ImmCorners(op, ..)
            | Point::Bit(op, ..)
            | Point::Shift(op, ..)
            | Point::Lane(op, ..)
            | Point::Jumped(op, ..)
            | Point::Trap(op, ..) => op.mnemonic().into(),
            Point::Edge(..) => "map".into(),
            Point::Cell(..) => "cells".into(),
        }
    }

    /// The situation in words.
    pub fn situation(&self) -> String {
        let side = |one: &bool| if *one { "one" } else { "zero" };
        match self {
            Point::Ran(_, mode) => format!("retires in {mode:?} mode"),
            Point::Register(_, role, index) => format!("{role:?} = x{index}"),
            Point::Same(_, same) => format!("same registers: {same:?}"),
            Point::Corners(_, a, b) => format!("rs1 = {:#x}, rs2 = {:#x}", a.0, b.0),
            Point::ImmCorners(_, a, imm) => format!("rs1 = {:#x}, imm = {imm}", a.0),
            Point::Bit(_, role, bit, one) => format!("{role:?} has one {} at bit {bit}", side(one)),
            Point::Shift(_, amount) => format!("shifts by {amount}"),
            Point::Lane(_, lane, sign) => format!("byte {lane} of a word, sign bit {}", u8::from(*sign)),
            Point::Jumped(_, taken, back) => {
                let (taken, way) =
                    (if *taken { "taken" } else { "not taken" }, if *back { "backwards" } else { "forwards" });
                format!("{taken}, {way}")
            }
            Point::Trap(_, cause, mode) => format!("{cause} in {mode:?} mode"),
            Point::Edge(access, addr, mode, is_allowed) => {
                let verdict = if *is_allowed { "allowed" } else { "denied" };
                format!("{access:?} at 0x{addr:08x} in {mode:?} mode, {verdict}")
            }
            Point::Cell(addr, width, is_store) => {
                format!("{} of {width} at 0x{addr:08x}", if *is_store { "store" } else { "load" })
            }
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.group(), self.situation())
    }
}
