//! What a run costs in RISC Zero: user cycles, paging cycles, and segments (COST-1 to COST-4).
//!
//! ```text
//!   total = sum over segments of 2^po2 = user + paging + reserved
//! ```
//! Paging is charged a segment at a time: a page and the nodes above it are loaded at their first use and
//! stored if they were written.

use crate::ecall::{self, Call};
use crate::isa::{Op, decode};
use crate::map::{self, Addr, Mode};
use crate::mem::{PAGE_BYTES, PAGE_COUNT, PageNo};
use crate::trace::{Retired, Sink};
use crate::trap::Cause;

/// The size of a segment, as a power of two, if nothing else is said.
pub const DEFAULT_SEGMENT_PO2: u32 = 20;

// COST-3: hashing a page takes 32 blocks of 10 cycles and 2 around them, hashing a node one block of 11 and 2.
const PAGE_CYCLES: u64 = 322;
const NODE_CYCLES: u64 = 13;
/// Loading and storing the root, resuming and suspending.
const SEGMENT_PAGING_CYCLES: u64 = 10;
/// COST-4: the lookup tables of a segment, and its last row.
const RESERVED_CYCLES: u64 = (256 + 65_536) / 16 + 1;
/// COST-4: a segment ends when less than the most expensive instruction is left.
const LARGEST_CALL_CYCLES: u64 = ecall::MAX_CALL_CYCLES;
/// The same for segments below 2^15.
const LARGEST_CALL_CYCLES_SMALL: u64 = 2_000;
const SMALL_SEGMENT_PO2: u32 = 15;

/// The cycles of a run in RISC Zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cycles {
    /// What instructions and ECALLs cost.
    pub user: u64,
    /// What loading and storing pages cost.
    pub paging: u64,
    /// All, with what rounding each segment up to a power of two adds.
    pub total: u64,
    /// The power of two of each segment.
    pub segments: Vec<u32>,
}

/// Watches a run and charges what RISC Zero would.
pub struct Cost {
    segment_po2: u32,
    done: Cycles,
    /// User cycles of the segment under way.
    user: u64,
    /// Paging cycles of the segment under way.
    paging: u64,
    pages: Pages,
    /// The machine ECALL of the step about to be shown.
    call: Option<Call>,
}

impl Default for Cost {
    fn default() -> Self {
        Cost::new(DEFAULT_SEGMENT_PO2)
    }
}

impl Cost {
    /// The cost of a run cut into segments of at most 2^`segment_po2` cycles (14 to 24).
    pub fn new(segment_po2: u32) -> Cost {
        let pages = Pages::new();
        let mut cost = Cost { segment_po2, done: Cycles::default(), user: 0, paging: 0, pages, call: None };
        cost.resume();
        cost
    }

    /// The cost so far, with the segment under way as if it ended here.
    pub fn cycles(&self) -> Cycles {
        let used = self.segment_cycles().next_power_of_two();
        let mut cycles = self.done.clone();
        cycles.user += self.user;
        cycles.paging += self.paging;
        cycles.total += used;
        cycles.segments.push(used.ilog2());
        cycles
    }

    fn segment_cycles(&self) -> u64 {
        self.user + self.paging + RESERVED_CYCLES
    }

    /// COST-4: a new segment before an instruction that might not fit.
    fn split_if_full(&mut self) {
        let small = self.segment_po2 < SMALL_SEGMENT_PO2;
        let largest = if small { LARGEST_CALL_CYCLES_SMALL } else { LARGEST_CALL_CYCLES };
        let room = 1 << self.segment_po2;
        if self.segment_cycles() > room - largest {
            self.done.user += self.user;
            self.done.paging += self.paging;
            self.done.total += room;
            self.done.segments.push(self.segment_po2);
            self.user = 0;
            self.pages.forget();
            self.resume();
        }
    }

    /// Each segment reads the suspend words and writes the input digest, which share a page.
    fn resume(&mut self) {
        self.paging = SEGMENT_PAGING_CYCLES;
        self.touch(map::SUSPEND_PC, map::SUSPEND_PC, true);
    }

    fn touch(&mut self, first: Addr, last: Addr, is_write: bool) {
        for page in PageNo::of(first).0..=PageNo::of(last).0 {
            self.paging += self.pages.touch(page, is_write);
        }
    }

    fn charge_call(&mut self, call: &Call) {
        self.user += call_cycles(call);
        // v2's write looks at memory without loading it.
        if call.number != ecall::WRITE {
            for span in &call.spans {
                self.touch(span.first, span.last, span.is_write);
            }
        }
    }

    fn charge_trap(&mut self, cause: Cause) {
        let vector = match cause {
            Cause::UserEcall => map::ECALL_VECTOR,
            cause => map::TRAP_VECTOR + cause.number() * map::WORD_BYTES,
        };
        // COST-1: a user ECALL is an instruction, a fault is none.
        self.user += u64::from(cause == Cause::UserEcall);
        self.touch(vector, vector, false);
    }

    fn charge_instruction(&mut self, step: &Retired) {
        let is_terminate = step.mode == Mode::Machine && decode(step.insn).is_some_and(|insn| insn.op == Op::Ecall);
        self.user += if is_terminate { TERMINATE_CYCLES } else { 1 };
        if let Some(mem) = step.mem {
            self.touch(mem.addr, mem.addr, mem.wmask != 0);
        }
    }
}

impl Sink for Cost {
    fn called(&mut self, call: &Call) {
        self.call = Some(call.clone());
    }

    fn retired(&mut self, step: &Retired) {
        self.split_if_full();
        self.touch(step.pc, step.pc, false);
        match (self.call.take(), step.trap) {
            (Some(call), _) => self.charge_call(&call),
            (None, Some(cause)) => self.charge_trap(cause),
            (None, None) => self.charge_instruction(step),
        }
    }
}

/// COST-2: terminate takes a cycle to dispatch and one to end; write likewise.
const TERMINATE_CYCLES: u64 = 2;
const WRITE_CYCLES: u64 = 2;
const READ_SETUP_CYCLES: u64 = 2;

/// The user cycles of a machine ECALL (COST-2).
pub(super) fn call_cycles(call: &Call) -> u64 {
    match call.number {
        ecall::READ => call.spans.first().map_or(READ_SETUP_CYCLES, |span| {
            READ_SETUP_CYCLES + transfer_cycles(span.first, span.last - span.first + 1)
        }),
        ecall::WRITE => WRITE_CYCLES,
        // TIME-2 has their costs from v2.
        _ => 1 + call.extra_cycles,
    }
}

/// COST-2: bytes up to a word boundary one a cycle, then up to four words a cycle, then bytes again.
fn transfer_cycles(start: Addr, bytes: u32) -> u64 {
    const WORDS_A_CYCLE: u32 = 4;
    let prefix = (start.wrapping_neg() % map::WORD_BYTES).min(bytes);
    let words = (bytes - prefix) / map::WORD_BYTES;
    let suffix = (bytes - prefix) % map::WORD_BYTES;
    u64::from(prefix + words.div_ceil(WORDS_A_CYCLE) + suffix)
}

/// What the segment under way did with each node of the Merkle tree; the pages are its leaves.
struct Pages {
    /// By node: the root is 1, the children of n are 2n and 2n + 1.
    states: Vec<NodeState>,
    touched: Vec<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum NodeState {
    Unloaded,
    Loaded,
    Dirty,
}

const _: () = assert!(PAGE_BYTES == 1024 && PAGE_COUNT == 1 << 22, "COST-3 is about this tree");

impl Pages {
    fn new() -> Pages {
        Pages { states: vec![NodeState::Unloaded; 2 * PAGE_COUNT], touched: Vec::new() }
    }

    fn forget(&mut self) {
        for node in self.touched.drain(..) {
            self.states[node as usize] = NodeState::Unloaded;
        }
    }

    /// The cycles that an access to `page` adds.
    fn touch(&mut self, page: u32, is_write: bool) -> u64 {
        let leaf = PAGE_COUNT as u32 + page;
        let goal = if is_write { NodeState::Dirty } else { NodeState::Loaded };
        if self.states[leaf as usize] >= goal {
            return 0;
        }
        let mut cycles = self.raise(leaf, goal, PAGE_CYCLES);
        let mut node = leaf / 2;
        while node != 0 {
            cycles += self.raise(node, goal, NODE_CYCLES);
            node /= 2;
        }
        cycles
    }

    /// COST-3: loading a node costs its hash once, storing it once more.
    fn raise(&mut self, node: u32, goal: NodeState, hash_cycles: u64) -> u64 {
        let state = &mut self.states[node as usize];
        let steps = (goal as u64).saturating_sub(*state as u64);
        if *state == NodeState::Unloaded && steps > 0 {
            self.touched.push(node);
        }
        *state = goal.max(*state);
        steps * hash_cycles
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::MemSpan;

    /// COST-2: bytes to a word boundary, groups of four words, bytes behind them, and two cycles around.
    #[test]
    fn reads_cost_by_alignment() {
        let check = |first: Addr, bytes: u32, wanted: u64| {
            let spans = match bytes {
                0 => vec![],
                _ => vec![MemSpan { first, last: first + (bytes - 1), is_write: true }],
            };
            let call = Call { number: ecall::READ, extra_cycles: 0, spans };
            assert_eq!(call_cycles(&call), 2 + wanted, "{bytes} bytes at {first:#x}");
        };
        check(0x10000, 0, 0);
        check(0x10000, 3, 3);
        check(0x10000, 4, 1);
        check(0x10000, 20, 2);
        check(0x10000, 64, 4);
        check(0x10001, 2, 2);
        check(0x10001, 6, 3 + 3);
        check(0x10003, 1 + 16 + 2, 1 + 1 + 2);
    }

    /// COST-3: a page and the 22 nodes above it, once to load and once to store; what is shared is paid once.
    #[test]
    fn pages_cost_their_path() {
        let (page, path) = (322, 322 + 22 * 13);
        let mut pages = Pages::new();
        assert_eq!(pages.touch(8, false), path);
        assert_eq!(pages.touch(8, false), 0);
        assert_eq!(pages.touch(9, false), page);
        assert_eq!(pages.touch(8, true), path);
        assert_eq!(pages.touch(9, true), page);
        // The neighbour of their parent: its own parent is new, all above is there.
        assert_eq!(pages.touch(10, true), 2 * (page + 13));
        pages.forget();
        assert_eq!(pages.touch(10, true), 2 * path);
    }
}
