//! Going back and forth along a run: every point is the same however it is reached (TIME-3).

mod gdb;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gdb::{Streams, compile};
use lockstep::exec::{Engine, Exit, Step, Until};
use lockstep::hart::{Hart, Machine};
use lockstep::isa::Reg;
use lockstep::loader::{self, Kernel};
use lockstep::timeline::{DEFAULT_BUDGET_BYTES, Timeline};
use quickcheck::{QuickCheck, TestResult};

/// The program that scatters its writes over `spread` words, compiled once.
fn scatter(spread: u32) -> &'static Path {
    static ELFS: [OnceLock<PathBuf>; 2] = [OnceLock::new(), OnceLock::new()];
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gdb/scatter.c");
    let slot = &ELFS[usize::from(spread > 1000)];
    slot.get_or_init(|| compile(&source, &format!("scatter{spread}"), &[&format!("-DSPREAD={spread}"), "-O1"]))
}

fn machine(spread: u32) -> Machine {
    let elf = std::fs::read(scatter(spread)).expect("the program was compiled");
    let image = loader::load(&elf, Kernel::None).expect("the program is valid");
    image.machine().expect("the image starts")
}

/// Input that differs from byte to byte.
fn streams() -> Streams {
    Streams { input: (0..1_000_000_u32).map(|i| (i * 7 + i / 251) as u8).collect(), ..Streams::default() }
}

fn timeline(spread: u32, budget_bytes: usize) -> Timeline {
    Timeline::new(machine(spread), Box::new(streams()), budget_bytes)
}

/// All that a point of a run is.
type Point = (Hart, [u8; 32]);

fn point(machine: &Machine) -> Point {
    (machine.hart.clone(), machine.digest())
}

/// What a plain engine without history is at each of `orders`.
fn expected(spread: u32, orders: impl IntoIterator<Item = u64>) -> BTreeMap<u64, Point> {
    let (mut machine, mut host, mut engine) = (machine(spread), streams(), Step::new());
    let mut points: BTreeMap<u64, Option<Point>> = orders.into_iter().map(|order| (order, None)).collect();
    for (order, place) in &mut points {
        assert_eq!(engine.run(&mut machine, &mut host, Until::order(*order), &mut ()), Exit::Order);
        *place = Some(point(&machine));
    }
    points.into_iter().filter_map(|(order, point)| Some((order, point?))).collect()
}

/// Visits `orders` in their order, each compared with the plain engine.
fn check_walk(spread: u32, budget_bytes: usize, orders: &[u64]) {
    let expected = expected(spread, orders.iter().copied());
    let mut timeline = timeline(spread, budget_bytes);
    for order in orders {
        assert_eq!(timeline.run_to(*order), Exit::Order);
        assert!(point(timeline.machine()) == expected[order], "step {order} of the walk {orders:?}");
    }
}

/// TIME-3, at random points, with a working set that is small.
#[test]
fn random_walks_reach_the_same_points() {
    fn walk(orders: Vec<u32>) -> TestResult {
        if orders.is_empty() {
            return TestResult::discard();
        }
        let orders: Vec<u64> = orders.iter().take(12).map(|order| u64::from(order % 6_000_000)).collect();
        check_walk(500, DEFAULT_BUDGET_BYTES, &orders);
        TestResult::passed()
    }
    QuickCheck::new().tests(8).quickcheck(walk as fn(Vec<u32>) -> TestResult);
}

/// TIME-3, with writes all over memory and a budget that holds one interval only.
#[test]
fn a_small_budget_changes_nothing_but_time() {
    let orders = [9_000_000, 100, 8_999_999, 3_000_001, 4_194_304, 0, 9_000_000, 5_000_000, 4_999_999];
    check_walk(1 << 20, 4 << 20, &orders);
}

#[test]
fn the_budget_bounds_the_history() {
    let mut timeline = timeline(500, 1 << 20);
    timeline.run_to(40_000_000);
    for order in (0..40).rev() {
        timeline.run_to(order * 1_000_000);
    }
    let (marks, bytes) = timeline.usage();
    assert!(bytes <= 1 << 20, "{marks} marks use {bytes} bytes");
    assert!(marks > 10, "{marks} marks");
}

/// A change in the past makes another future, which remembers the change on the way back and forth.
#[test]
fn changes_in_the_past_stay() {
    let mut timeline = timeline(500, DEFAULT_BUDGET_BYTES);
    timeline.run_to(5_000_000);
    timeline.run_to(2_000_000);
    timeline.edit(|machine| machine.set_word(0x0100_0000, 0x1234_5678));
    assert!(timeline.settle(), "there was a future");
    timeline.edit(|machine| machine.set_word(0x0200_0000, 0x9abc_def0));
    assert!(!timeline.settle(), "there was none");
    let edited = point(timeline.machine());
    timeline.run_to(6_000_000);
    let later = point(timeline.machine());
    assert_eq!(timeline.machine().word(0x0100_0000), 0x1234_5678);
    for order in [1_999_999, 0] {
        timeline.run_to(order);
        assert_eq!(timeline.machine().word(0x0100_0000), 0, "before the change, at {order}");
        timeline.run_to(2_000_000);
        assert!(point(timeline.machine()) == edited, "at the change");
        timeline.run_to(order);
        timeline.run_to(6_000_000);
        assert!(point(timeline.machine()) == later, "after the change");
    }
}

/// ECALL-8: input that a dropped future had read is read again.
#[test]
fn a_dropped_future_gives_its_input_back() {
    let mut timeline = timeline(500, DEFAULT_BUDGET_BYTES);
    timeline.run_to(3_000_000);
    timeline.run_to(1_000_000);
    timeline.edit(|_| {});
    assert!(timeline.settle());
    timeline.run_to(4_000_000);
    assert!(point(timeline.machine()) == expected(500, [4_000_000])[&4_000_000]);
}

/// What a call by a debugger leaves below the stack pointer the debugger reads afterwards (a returned structure), or
/// writes itself before it restores the registers; no later call there takes it away, and the history knows nothing of it.
#[test]
fn a_call_leaves_its_value_and_no_trace() {
    let mut timeline = timeline(500, DEFAULT_BUDGET_BYTES);
    timeline.run_to(3_000_000);
    let begin = quiet_place(&mut timeline, 1_000_000);
    let expected = expected(500, [begin, 3_000_000]);
    let sp = timeline.machine().hart.x(Reg::SP);
    let call = |timeline: &mut Timeline, room: u32, value: Option<u32>| {
        timeline.edit(|machine| machine.hart.set_x(Reg::SP, sp - room));
        timeline.run(Until::order(begin + QUIET_STEPS), &mut ());
        timeline.edit(|machine| value.into_iter().for_each(|value| machine.set_word(sp - room, value)));
        assert_eq!(timeline.come_back(), Some(()));
    };
    call(&mut timeline, 64, Some(0x1234_5678));
    call(&mut timeline, 32, Some(0x9abc_def0));
    call(&mut timeline, 16, None);
    let word = |timeline: &Timeline, room| timeline.machine().word(sp - room);
    assert_eq!((word(&timeline, 64), word(&timeline, 32)), (0x1234_5678, 0x9abc_def0));
    assert!(timeline.machine().hart == expected[&begin].0, "the registers");
    assert!(!timeline.settle(), "nothing of the program's was changed");
    assert!(point(timeline.machine()) == expected[&begin], "what was left is gone");
    timeline.run_to(3_000_000);
    assert!(point(timeline.machine()) == expected[&3_000_000], "the future is the one that was");
}

/// Steps of a call in the test above.
const QUIET_STEPS: u64 = 3;

/// Goes to a place at or behind `order` from where on so many steps neither store nor call.
fn quiet_place(timeline: &mut Timeline, order: u64) -> u64 {
    const STORE: u32 = 0x23;
    const SYSTEM: u32 = 0x73;
    let is_quiet = |timeline: &mut Timeline, order| {
        timeline.run_to(order);
        let machine = timeline.machine();
        !matches!(machine.word(machine.hart.pc) & 0x7f, STORE | SYSTEM)
    };
    let begin = (order..).find(|begin| (*begin..begin + QUIET_STEPS).all(|order| is_quiet(timeline, order)));
    timeline.run_to(begin.expect("the program does not only store"));
    timeline.now()
}
