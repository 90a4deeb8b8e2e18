//! The ends of a segment: the boundary row, the pages and the tree, and the claim.

use lockstep::ecall::Halt;
use lockstep::exec::Exit;
use lockstep::map::{self, Mode};
use lockstep::mem::{PAGE_WORDS, PageNo};
use p3_field::PrimeCharacteristicRing;

use super::replay::{Access, Call, Event, PageCells, Replay};
use super::rows::{self, cell, flag};
use super::{Trace, WitnessError, sha2};
use crate::air::F;
use crate::chips::boundary::BoundaryRow;
use crate::chips::page::{PAGE_ROWS, PageRow};
use crate::chips::poseidon2::{self, CELLS, Poseidon2Row};
use crate::chips::tables::{PRIVILEGED, region};
use crate::chips::tree::{DEPTH, TreeRow};
use crate::claim::{Claim, End};
use crate::machine::AnyChip;
use crate::pages::{Digest, PageTree, Permutations, block, first, input, last, parents};
use crate::segment::Segment;

/// The claim of the segment, and the tables of every chip but the lookup tables.
pub fn finish(segment: &Segment, mut replay: Replay<'_>) -> Result<(Claim, Vec<Trace>), WitnessError> {
    let (pc, mode) = (segment.after.hart.pc, segment.after.hart.mode);
    let end = match segment.exit {
        Exit::Terminated { halt: Halt::Halted, user_exit } => End::Halt(user_exit),
        Exit::Terminated { halt: Halt::Paused, user_exit } => End::Pause(user_exit),
        Exit::Fault(fault) => End::Fault { cause: fault.cause.number() as u8, addr: fault.addr },
        Exit::Order | Exit::Breakpoint | Exit::Interrupted | Exit::Watch(_) => End::Continue,
    };
    // terminate is a step with a row of its own.
    let ts = replay.ts;
    let suspend =
        [(map::SUSPEND_PC, pc), (map::SUSPEND_MODE, mode as u32)].map(|(addr, word)| replay.write(addr >> 2, word, ts));
    let output: [Access; 8] = std::array::from_fn(|i| replay.read((map::OUTPUT_DIGEST >> 2) + i as u32, ts));
    let mut permutations = Permutations::default();
    let before = PageTree::new(pages(segment).iter().map(|(number, page)| (*number, page)));
    let mut after = before.clone();
    after.update(replay.pages.iter().map(|page| (page.number, &page.now)));
    let claim = Claim {
        pre: before.root(),
        post: after.root(),
        end,
        pc,
        mode: mode as u8,
        steps: segment.steps.len() as u32,
        input: replay.input.map(|word| word.old),
        output: output.map(|word| word.old),
    };
    let boundary = boundary(&claim, &replay, segment, suspend, output);
    let mut traces = vec![Trace::of(AnyChip::Boundary, &[boundary], BoundaryRow::default(), BoundaryRow::put)];
    traces.extend(execution(&replay));
    traces.push(page_trace(&mut replay.pages, &mut permutations));
    traces.push(tree_trace(&replay.pages, &before, &after, &mut permutations));
    let blank: Poseidon2Row<F> = poseidon2::fill([F::ZERO; CELLS], 0);
    let permutations = permutations.into_rows();
    traces.push(Trace::of(AnyChip::Poseidon2, &permutations, blank, Poseidon2Row::put));
    Ok((claim, traces))
}

/// The pages of the machine before the segment.
fn pages(segment: &Segment) -> Vec<(u32, lockstep::mem::Page)> {
    let registers = PageNo::of(map::MACHINE_REGS);
    let mut numbers: Vec<PageNo> = segment.before.mem.pages().map(|(number, _)| number).collect();
    numbers.push(registers);
    numbers.sort_unstable();
    numbers.dedup();
    numbers.into_iter().map(|number| (number.0, segment.before.page(number))).collect()
}

fn boundary(
    claim: &Claim,
    replay: &Replay<'_>,
    segment: &Segment,
    suspend: [Access; 2],
    output: [Access; 8],
) -> BoundaryRow<F> {
    let start = &segment.before.hart;
    BoundaryRow {
        real: F::ONE,
        is_continue: flag(claim.end == End::Continue),
        quotient: cell((start.pc & 0xffff) >> 2),
        hi: cell(start.pc >> 16),
        privileged: flag(region(start.pc >> 16) == PRIVILEGED),
        mode: flag(start.mode == Mode::Machine),
        pc_out: rows::write(suspend[0]),
        mode_out: rows::write(suspend[1]),
        end_quotient: cell((claim.pc & 0xffff) >> 2),
        end_hi: cell(claim.pc >> 16),
        output_t_prev: output.map(|word| cell(word.t_prev)),
        zero_t: replay.zero_times.map(cell),
    }
}

/// The tables of the chips that execute instructions.
fn execution(replay: &Replay<'_>) -> Vec<Trace> {
    let none = Vec::new();
    let table = |chip: AnyChip, padding: Vec<F>, put: fn(Event, &mut Vec<F>)| {
        Trace::of_events(chip, replay.events.get(&chip).unwrap_or(&none), &padding, put)
    };
    let (terminates, ios): (Vec<Call>, Vec<Call>) =
        replay.calls.iter().copied().partition(|call| call.a7.old == lockstep::ecall::TERMINATE);
    [
        table(AnyChip::Add, Vec::new(), |event, row| rows::add(event).put(row)),
        table(AnyChip::AddImmediate, Vec::new(), |event, row| rows::add_immediate(event).put(row)),
        table(AnyChip::Bitwise, Vec::new(), |event, row| rows::bitwise(event).put(row)),
        table(AnyChip::Less, Vec::new(), |event, row| rows::less(event).put(row)),
        table(AnyChip::Shift, padding(|row| rows::shift_padding().put(row)), |event, row| rows::shift(event).put(row)),
        table(AnyChip::Branch, Vec::new(), |event, row| rows::branch(event).put(row)),
        table(AnyChip::Constant, Vec::new(), |event, row| rows::constant(event).put(row)),
        table(AnyChip::Jalr, Vec::new(), |event, row| rows::jalr(event).put(row)),
        table(AnyChip::Load, Vec::new(), |event, row| rows::load(event).put(row)),
        table(AnyChip::Store, Vec::new(), |event, row| rows::store(event).put(row)),
        table(AnyChip::Mul, Vec::new(), |event, row| rows::mul(event).put(row)),
        table(AnyChip::Div, Vec::new(), |event, row| rows::div(event).put(row)),
        table(AnyChip::Fence, Vec::new(), |event, row| rows::fence(event).put(row)),
        table(AnyChip::Mret, Vec::new(), |event, row| rows::mret(event).put(row)),
        table(AnyChip::Dispatch, Vec::new(), |event, row| rows::dispatch(event).put(row)),
        table(AnyChip::Misjump, Vec::new(), |event, row| rows::misjump(event).put(row)),
        table(AnyChip::Forbidden, Vec::new(), |event, row| rows::forbidden(event).put(row)),
        table(AnyChip::Refused, Vec::new(), |event, row| rows::refused(event).put(row)),
        Trace::of_events(AnyChip::Unfetchable, &replay.unfetchable, &[], |fetch, row| {
            rows::unfetchable(fetch).put(row)
        }),
        Trace::of_events(
            AnyChip::Illegal,
            &replay.illegal,
            &padding(|row| rows::illegal_padding().put(row)),
            |illegal, row| rows::illegal(illegal).put(row),
        ),
        Trace::of_events(AnyChip::Declined, &replay.declined, &[], |declined, row| rows::declined(declined).put(row)),
        Trace::of_events(AnyChip::Trap, &replay.taken, &[], |taken, row| rows::trap(taken).put(row)),
        Trace::of_events(AnyChip::Terminate, &terminates, &[], |call, row| rows::terminate(call).put(row)),
        Trace::of_events(AnyChip::Io, &ios, &[], |call, row| rows::io(call).put(row)),
        Trace::of_events(AnyChip::Fill, &replay.filled, &[], |filled, row| rows::fill(filled).put(row)),
        Trace::of_events(AnyChip::Sha2, &replay.hashed.calls, &[], |call, row| sha2::call(call).put(row)),
        Trace::of_events(AnyChip::Sha2Block, &replay.hashed.blocks, &[], |block, row| sha2::block(block).put(row)),
        Trace::of_events(AnyChip::Sha2Round, &replay.hashed.rounds, &[], |round, row| sha2::round(round).put(row)),
        Trace::of_events(AnyChip::Refresh, &replay.refreshed, &[], |refreshed, row| rows::refresh(refreshed).put(row)),
        Trace::of_events(
            AnyChip::Decode,
            &replay.decoded,
            &padding(|row| rows::decode_padding().put(row)),
            |decoded, row| {
                rows::decoded(decoded).put(row);
            },
        ),
    ]
    .concat()
}

fn padding(put: impl FnOnce(&mut Vec<F>)) -> Vec<F> {
    let mut row = Vec::new();
    put(&mut row);
    row
}

/// The page chip's table. Pages are in order of their number.
fn page_trace(pages: &mut [PageCells], permutations: &mut Permutations) -> Trace {
    pages.sort_unstable_by_key(|page| page.number);
    let mut rows = Vec::with_capacity(pages.len() * PAGE_ROWS as usize);
    for page in pages.iter() {
        let mut capacity = [[F::ZERO; 8]; 2];
        for i in 0..PAGE_ROWS as usize {
            let row = page_row(page, i, capacity, permutations);
            capacity = [row.rest_pre, row.rest_post];
            rows.push(row);
        }
    }
    Trace::of(AnyChip::Page, &rows, PageRow::default(), PageRow::put)
}

fn page_row(page: &PageCells, i: usize, capacity: [Digest; 2], permutations: &mut Permutations) -> PageRow<F> {
    let [pre, post] = [&page.before, &page.now].map(|words| block(words, i));
    let mut hash = |block: [F; 16], capacity: Digest| {
        let mut state = [F::ZERO; CELLS];
        state[..16].copy_from_slice(&block);
        state[16..].copy_from_slice(&capacity);
        permutations.permute(state)
    };
    let [pre_state, post_state] = [hash(pre, capacity[0]), hash(post, capacity[1])];
    let words = |from: &[u32; PAGE_WORDS]| std::array::from_fn(|j| cell(from[8 * i + j]));
    PageRow {
        real: F::ONE,
        is_code: flag(page.is_code),
        page: cell(page.number),
        block: cell(i as u32),
        is_first: flag(i == 0),
        is_last: flag(i + 1 == PAGE_ROWS as usize),
        pre,
        post,
        t: words(&page.time),
        count: words(&page.count),
        capacity_pre: capacity[0],
        capacity_post: capacity[1],
        digest_pre: first(&pre_state),
        digest_post: first(&post_state),
        rest_pre: last(&pre_state),
        rest_post: last(&post_state),
    }
}

/// The tree chip's table: every node above a page of the segment.
fn tree_trace(pages: &[PageCells], before: &PageTree, after: &PageTree, permutations: &mut Permutations) -> Trace {
    let mut below: Vec<u32> = pages.iter().map(|page| page.number).collect();
    let mut rows = Vec::new();
    for level in (0..DEPTH).rev() {
        let indices = parents(&below);
        for &index in &indices {
            let touches = [2 * index, 2 * index + 1].map(|child| flag(below.binary_search(&child).is_ok()));
            rows.push(tree_row(level, index, touches, [before, after], permutations));
        }
        below = indices;
    }
    Trace::of(AnyChip::Tree, &rows, TreeRow::default(), TreeRow::put)
}

fn tree_row(
    level: u32,
    index: u32,
    touches: [F; 2],
    trees: [&PageTree; 2],
    permutations: &mut Permutations,
) -> TreeRow<F> {
    let child = |tree: &PageTree, side: u32| tree.node(level + 1, 2 * index + side);
    let [(left_pre, right_pre), (left_post, right_post)] = trees.map(|tree| (child(tree, 0), child(tree, 1)));
    let pre = permutations.permute(input(left_pre, right_pre));
    let post = permutations.permute(input(left_post, right_post));
    TreeRow {
        real: F::ONE,
        level: cell(level),
        index: cell(index),
        pre: first(&pre),
        post: first(&post),
        left_pre,
        right_pre,
        left_post,
        right_post,
        rest_pre: last(&pre),
        rest_post: last(&post),
        touches,
    }
}
