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
    /// The first and the last byte stored to, relative to the register.
    pub stores: (u32, u32),
    reg: u8,
    range: (i32, i32),
    store_range: (i32, i32),
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
            stores: (0, 0),
            reg: op.rs1,
            range: (first, first + access.width as i32),
            store_range: (i32::MAX, i32::MIN),
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
            let (low, high) = (op.imm as i32, op.imm as i32 + access.width as i32 - 1);
            self.store_range = (self.store_range.0.min(low), self.store_range.1.max(high));
            self.stores = (self.store_range.0 as u32, self.store_range.1 as u32);
        }
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
