//! Which loads and stores of a block can share a check.
//!
//! Accesses through the same register, unchanged between them, are at fixed distances of each other. One check of
//! the whole range is enough for all of them: function prologues and accesses to the fields of a structure.

use super::block_code::{BlockOp, Code};
use super::jit_region::Part;

/// A load or store.
#[derive(Clone, Copy)]
pub(super) struct Access {
    /// In bytes.
    pub width: u32,
    is_store: bool,
}

impl Access {
    /// The access of an operation that is one.
    pub fn of(code: Code) -> Option<Access> {
        let (width, is_store) = match code {
            Code::Lb | Code::Lbu => (1, false),
            Code::Lh | Code::Lhu => (2, false),
            Code::Lw => (4, false),
            Code::Sb => (1, true),
            Code::Sh => (2, true),
            Code::Sw => (4, true),
            _ => return None,
        };
        Some(Access { width, is_store })
    }
}

/// Accesses that share a check.
pub(super) struct Group {
    /// The operations, by their place in the block.
    pub accesses: Vec<usize>,
    /// The first of them.
    pub first: usize,
    /// The first store among them.
    pub first_store: Option<usize>,
    /// Where the range begins, relative to the register.
    pub low: u32,
    /// How long the range is.
    pub bytes: u32,
    /// What divides `register + low` if every access is aligned.
    pub align: u32,
    /// What is stored to.
    pub stores: Touched,
    /// What is loaded from.
    pub loads: Touched,
    reg: u8,
    range: (i32, i32),
}

/// Bytes at fixed distances from a register.
#[derive(Default)]
pub(super) struct Touched {
    /// The first and the last of each access, in no order.
    ranges: Vec<(i32, i32)>,
}

/// Bytes near each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// The first byte, relative to the register.
    pub first: u32,
    /// Bit i: whether the byte `first + i` is one of them. At most 57 bits, so that they can be moved by seven.
    pub mask: u64,
}

/// Longer ranges are split, so that the stores of a group touch two pages at most.
const MAX_BYTES: i32 = 1024;

/// The groups of a block.
pub(super) fn groups(ops: &[BlockOp]) -> Vec<Group> {
    let mut done = Vec::new();
    let mut open: Vec<Group> = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        if let Some(access) = Access::of(op.code) {
            match open.iter_mut().find(|group| group.reg == op.rs1 && group.admits(op, access)) {
                Some(group) => group.admit(at, op, access),
                None => open.push(Group::new(at, op, access)),
            }
        }
        let (closed, still_open) = open.into_iter().partition(|group| op.writes() >> group.reg & 1 != 0);
        done.extend::<Vec<Group>>(closed);
        open = still_open;
    }
    done.extend(open);
    done
}

impl Group {
    fn new(at: usize, op: &BlockOp, access: Access) -> Group {
        let first = op.imm as i32;
        let mut group = Group {
            accesses: Vec::new(),
            first: at,
            first_store: None,
            low: op.imm,
            bytes: access.width,
            align: access.width,
            stores: Touched::default(),
            loads: Touched::default(),
            reg: op.rs1,
            range: (first, first + access.width as i32),
        };
        group.admit(at, op, access);
        group
    }

    /// Whether the check is worth sharing.
    pub fn is_shared(&self) -> bool {
        self.accesses.len() > 1
    }

    /// Whether all would still be aligned, and near enough.
    fn admits(&self, op: &BlockOp, access: Access) -> bool {
        let (low, high) = self.range_with(op, access);
        high - low <= MAX_BYTES && op.imm.wrapping_sub(self.low).is_multiple_of(access.width.min(self.align))
            // A wider access than all before it would ask more of them than they need.
            && access.width <= self.align
    }

    fn range_with(&self, op: &BlockOp, access: Access) -> (i32, i32) {
        let low = op.imm as i32;
        // The check is at a multiple of the alignment below or at the lowest access.
        let distance = (low - self.range.0).rem_euclid(self.align as i32);
        (self.range.0.min(low - distance), self.range.1.max(low + access.width as i32))
    }

    fn admit(&mut self, at: usize, op: &BlockOp, access: Access) {
        self.range = self.range_with(op, access);
        (self.low, self.bytes) = (self.range.0 as u32, (self.range.1 - self.range.0) as u32);
        self.accesses.push(at);
        if access.is_store {
            self.first_store.get_or_insert(at);
        }
        let touched = if access.is_store { &mut self.stores } else { &mut self.loads };
        touched.add(op.imm, access.width);
    }
}

impl Touched {
    /// The `width` bytes at `offset` from a register.
    pub fn of(offset: u32, width: u32) -> Touched {
        let mut touched = Touched::default();
        touched.add(offset, width);
        touched
    }

    fn add(&mut self, offset: u32, width: u32) {
        let first = offset as i32;
        self.ranges.push((first, first + (width as i32 - 1)));
    }

    /// Whether one access touches all.
    pub fn is_one_access(&self) -> bool {
        self.ranges.len() == 1
    }

    /// The first and the last byte, relative to the register; `None` if there are none.
    pub fn ends(&self) -> Option<(u32, u32)> {
        let first = self.ranges.iter().map(|range| range.0).min()?;
        let last = self.ranges.iter().map(|range| range.1).max()?;
        Some((first as u32, last as u32))
    }

    /// The bytes in windows, as few as need be.
    pub fn windows(&self) -> Vec<Window> {
        const MOST_BYTES: i32 = 57;
        let mut ranges = self.ranges.clone();
        ranges.sort_unstable();
        let mut windows: Vec<Window> = Vec::new();
        for (first, last) in ranges {
            let from = windows.last().map_or(first, |window| window.first as i32);
            let is_near = !windows.is_empty() && last - from < MOST_BYTES;
            let start = if is_near { from } else { first };
            let mask = ((1 << (last - first + 1)) - 1) << (first - start);
            match windows.last_mut().filter(|_| is_near) {
                Some(window) => window.mask |= mask,
                None => windows.push(Window { first: start as u32, mask }),
            }
        }
        windows
    }
}

impl BlockOp {
    /// The registers that the operation writes, one bit each; x0 and its sink do not count.
    pub(super) fn writes(&self) -> u32 {
        let writes = match self.code {
            Code::Sb | Code::Sh | Code::Sw => false,
            Code::Beq | Code::Bne | Code::Blt | Code::Bge | Code::Bltu | Code::Bgeu => false,
            Code::Nop | Code::Next | Code::Step => false,
            _ => self.rd < 32,
        };
        u32::from(writes).checked_shl(self.rd.into()).unwrap_or(0)
    }
}

impl Part {
    /// The registers that the part writes, one bit each.
    pub(super) fn writes(&self) -> u32 {
        self.block.ops.iter().fold(0, |writes, op| writes | op.writes())
    }

    /// The registers that the part may read, one bit each.
    pub(super) fn reads(&self) -> u32 {
        self.block.ops.iter().fold(0, |reads, op| reads | 1 << op.rs1 | 1 << op.rs2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte is in exactly one window, in the order of their offsets, below 0 too.
    #[test]
    fn windows_hold_what_is_touched() {
        let mut touched = Touched::of(0xFFFF_FFFC, 4);
        [(0, 2), (52, 1), (53, 1), (56, 4), (1000, 4)]
            .into_iter()
            .for_each(|(offset, width)| touched.add(offset, width));
        let first = Window { first: 0xFFFF_FFFC, mask: 0b1111 | 0b11 << 4 | 1 << 56 };
        let second = Window { first: 53, mask: 1 | 0b1111 << 3 };
        assert_eq!(touched.windows(), [first, second, Window { first: 1000, mask: 0b1111 }]);
        assert_eq!((touched.ends(), Touched::default().ends()), (Some((0xFFFF_FFFC, 1003)), None));
    }
}
