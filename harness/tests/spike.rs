//! Our machine beside Spike. Where Spike is not installed the tests say so and check nothing.

mod common;

use common::faulty::{Faulty, Plant};
use common::{DATA, START, ecall, i, machine, mixer, r, s, u, with_kernel};
use lockstep::ecall::{Host, NoHost};
use lockstep::exec::{Exit, Step};
use lockstep::hart::Machine;
use lockstep::isa::{Op, Reg};
use lockstep::map::Mode;
use lockstep::trace::Retired;
use lockstep_harness::lockstep::{Agreement, Depth, Verdict, run};
use lockstep_harness::machine::{Batch, Delta, Failure, Frame, Progress, Reference, Scope, State, Stop, Touched};
use lockstep_harness::machines::emulator::Emulator;
use lockstep_harness::machines::open;

const DEPTHS: [Depth; 3] = [Depth::Block(1_000_000), Depth::Block(777), Depth::Step];

fn main() -> std::process::ExitCode {
    common::with_simulator(
        "spike",
        &[
            ("agrees_with_spike", agrees_with_spike),
            ("agrees_with_spike_on_faults", agrees_with_spike_on_faults),
            ("agrees_with_spike_through_the_kernel", agrees_with_spike_through_the_kernel),
            ("a_store_to_code_is_an_expected_difference", a_store_to_code_is_an_expected_difference),
            ("finds_what_only_spike_sees", finds_what_only_spike_sees),
            ("finds_a_mistake_that_heals", finds_a_mistake_that_heals),
            ("records_of_spike", records_of_spike),
        ],
    )
}

fn spike() -> Box<dyn Reference> {
    open("spike").expect("main looked whether spike is here")
}

fn compare(machine: &Machine, spike: &mut dyn Reference, depth: Depth) -> Agreement {
    let mut leader = Emulator::new("step", Step::new, machine.clone());
    match run(&mut leader, spike, &mut NoHost, depth, u64::MAX).expect("spike works") {
        Verdict::Agreed(agreement) => agreement,
        Verdict::Diverged(divergence) => panic!("{depth:?}: {divergence}"),
    }
}

/// A program from start to terminate, at every depth (ISA-1).
fn agrees_with_spike() {
    let mut spike = spike();
    for depth in DEPTHS {
        let agreement = compare(&machine(Mode::Machine, &mixer(4_096)), &mut *spike, depth);
        assert!(matches!(agreement.exit, Some(Exit::Terminated { user_exit: 0, .. })), "{agreement:?}");
        assert_eq!((agreement.steps, agreement.carried), (4 + 16 * 4_096 + 3, 1));
    }
}

/// Every fault that Spike can judge, in both modes (TRAP-1, TRAP-5, MAP-1, MAP-5, ISA-2, ISA-13).
fn agrees_with_spike_on_faults() {
    let mut spike = spike();
    let at = |addr: i32, word| vec![u(Op::Lui, 5, addr), word];
    let programs = [
        vec![0],
        vec![0xffff_ffff],
        // fence.i, csrrw, rdcycle, wfi, sret, lr.w, c.nop
        vec![0x100f],
        vec![0x3000_1073],
        vec![0xc000_2573],
        vec![0x1050_0073],
        vec![0x1020_0073],
        vec![0x1000_202f],
        vec![0x0001],
        vec![u(Op::Ebreak, 0, 0)],
        vec![i(Op::Lw, 5, 0, 0)],
        vec![s(Op::Sh, 0, 0, 4)],
        at(0x2_0000, i(Op::Lw, 6, 5, 2)),
        at(0x2_0000, i(Op::Lh, 6, 5, 1)),
        at(0x2_0000, s(Op::Sw, 5, 0, 1)),
        at(0x2_0000, i(Op::Jalr, 1, 5, 2)),
        at(0x2_0000, i(Op::Lw, 6, 5, -4)),
        at(0x1_0000, i(Op::Lw, 6, 5, -4)),
        vec![i(Op::Jalr, 1, 0, 4)],
        vec![u(Op::Jal, 1, 6)],
        vec![s(Op::Beq, 0, 0, 2)],
        vec![i(Op::Addi, 17, 0, 9), ecall()],
    ];
    for program in programs {
        for mode in [Mode::User, Mode::Machine] {
            for depth in [Depth::Block(100), Depth::Step] {
                let agreement = compare(&machine(mode, &program), &mut *spike, depth);
                let is_fault = matches!(agreement.exit, Some(Exit::Fault(_)));
                assert!(is_fault, "{program:x?} {mode:?} {depth:?} {agreement:?}");
            }
        }
    }
}

/// User code may not touch kernel memory, kernel code may; Spike is told which (MAP-5, MODE-2, MODE-4).
fn agrees_with_spike_through_the_kernel() {
    let mut spike = spike();
    let kernel = [
        i(Op::Addi, 5, 5, 1),
        i(Op::Addi, 6, 0, 3),
        s(Op::Beq, 5, 6, 20),
        u(Op::Lui, 7, 0xC001_0000_u32.cast_signed()),
        s(Op::Sw, 7, 5, 0),
        u(Op::Lui, 8, 0xFFFF_0000_u32.cast_signed()),
        u(Op::Mret, 0, 0),
        ecall(),
    ];
    let mut program = mixer(50);
    program.truncate(program.len() - 3);
    program.extend([
        ecall(),
        u(Op::Lui, 5, 0xC000_0000_u32.cast_signed()),
        i(Op::Lw, 6, 5, 0),
        i(Op::Addi, 7, 7, 1),
        ecall(),
    ]);
    for depth in DEPTHS {
        let agreement = compare(&with_kernel(Mode::User, &program, &kernel), &mut *spike, depth);
        // ecall, mret, the load that traps, mret, ecall, terminate.
        assert_eq!(agreement.carried, 6, "{agreement:?}");
        assert!(matches!(agreement.exit, Some(Exit::Terminated { .. })));
    }
}

/// A store to code that ran already; Spike keeps what it decoded, and that is known (MEM-5).
fn a_store_to_code_is_an_expected_difference() {
    let mut spike = spike();
    // Runs `addi x6, x6, 1` twice; the second time it has become `addi x6, x6, 2`.
    let program = [
        u(Op::Lui, 5, START as i32),
        i(Op::Lw, 7, 5, 36),
        i(Op::Addi, 6, 6, 1),
        s(Op::Sw, 5, 7, 8),
        i(Op::Addi, 8, 8, 1),
        i(Op::Addi, 9, 0, 2),
        s(Op::Bne, 8, 9, -16),
        i(Op::Addi, 17, 0, 0),
        ecall(),
        i(Op::Addi, 6, 6, 2),
    ];
    for depth in DEPTHS {
        let agreement = compare(&machine(Mode::Machine, &program), &mut *spike, depth);
        assert!(matches!(agreement.exit, Some(Exit::Terminated { .. })), "{agreement:?}");
        let is_block = depth != Depth::Step;
        assert_eq!(agreement.expected.values().sum::<u64>(), u64::from(is_block), "{depth:?} {agreement:?}");
    }
}

/// A difference that arises on Spike's side is found at its step.
fn finds_what_only_spike_sees() {
    let mut spike = spike();
    let start = machine(Mode::Machine, &mixer(4_096));
    for depth in DEPTHS {
        let mut spoiled = Spoiled { inner: &mut *spike, order: 30_000, loaded: 0 };
        let mut leader = Emulator::new("step", Step::new, start.clone());
        let found = match run(&mut leader, &mut spoiled, &mut NoHost, depth, u64::MAX).expect("spike works") {
            Verdict::Diverged(divergence) => divergence,
            Verdict::Agreed(agreement) => panic!("not found: {agreement:?}"),
        };
        assert_eq!((found.order, found.steps), (30_000, 1), "{depth:?} {found}");
        assert!(found.differences.iter().any(|difference| difference.field == "x20 (s4)"), "{found}");
    }
}

/// A register that is wrong for one instruction only, in the middle of a batch: only the records tell.
fn finds_a_mistake_that_heals() {
    let program = [
        i(Op::Addi, 7, 7, 1),
        r(Op::Add, 6, 7, 0),
        r(Op::Add, 8, 6, 6),
        i(Op::Addi, 5, 5, -1),
        s(Op::Bne, 5, 0, -16),
        ecall(),
    ];
    let mut start = machine(Mode::Machine, &program);
    start.hart.set_x(Reg::new(5), 10_000);
    let order = 20_001;
    let make = move || Faulty { engine: Step::new(), order, plant: Plant::Register(Reg::new(6)) };
    let mut leader = Emulator::new("faulty", make, start);
    match run(&mut leader, &mut *spike(), &mut NoHost, Depth::Step, 50_000).expect("spike works") {
        Verdict::Diverged(found) => assert_eq!((found.order, found.steps), (order, 1), "{found}"),
        Verdict::Agreed(agreement) => panic!("not found: {agreement:?}"),
    }
}

/// A follower that loses a bit of x20 after one step.
struct Spoiled<'a> {
    inner: &'a mut dyn Reference,
    order: u64,
    loaded: u64,
}

impl Spoiled<'_> {
    fn spoil(&mut self) -> Result<(), Failure> {
        let mut state = self.inner.state()?;
        state.x[20] ^= 4;
        let delta = Delta { state, mode: Mode::Machine, stores: Vec::new() };
        self.inner.inject(&delta)
    }
}

type Answer<T> = Result<T, Failure>;

impl Reference for Spoiled<'_> {
    fn name(&self) -> &str {
        "spoiled"
    }
    fn scope(&self) -> Scope {
        self.inner.scope()
    }
    fn load(&mut self, machine: &Machine) -> Answer<()> {
        self.loaded = machine.hart.instructions;
        self.inner.load(machine)
    }
    fn run(&mut self, steps: u64, host: &mut dyn Host) -> Answer<Progress> {
        let before = (self.order + 1).saturating_sub(self.loaded).min(steps);
        let is_here = self.loaded <= self.order && self.loaded + steps > self.order;
        let mut progress = self.inner.run(if is_here { before } else { steps }, host)?;
        self.loaded += progress.steps;
        if is_here && progress.stop == Stop::Steps {
            self.spoil()?;
            let rest = self.inner.run(steps - before, host)?;
            self.loaded += rest.steps;
            progress = Progress { steps: progress.steps + rest.steps, stop: rest.stop };
        }
        Ok(progress)
    }
    fn trace(&mut self, steps: u64, host: &mut dyn Host, records: &mut Vec<Retired>) -> Answer<Progress> {
        let before = (self.order + 1).saturating_sub(self.loaded).min(steps);
        let is_here = self.loaded <= self.order && self.loaded + steps > self.order;
        let mut progress = self.inner.trace(if is_here { before } else { steps }, host, records)?;
        self.loaded += progress.steps;
        if is_here && progress.stop == Stop::Steps {
            self.spoil()?;
            let rest = self.inner.trace(steps - before, host, records)?;
            self.loaded += rest.steps;
            progress = Progress { steps: progress.steps + rest.steps, stop: rest.stop };
        }
        Ok(progress)
    }
    fn trace_batch(&mut self, steps: u64, host: &mut dyn Host, batch: &mut Batch) -> Answer<Progress> {
        let before = (self.order + 1).saturating_sub(self.loaded).min(steps);
        let is_here = self.loaded <= self.order && self.loaded + steps > self.order;
        let progress = self.inner.trace_batch(if is_here { before } else { steps }, host, batch)?;
        self.loaded += progress.steps;
        if is_here && progress.stop == Stop::Steps {
            self.spoil()?;
        }
        Ok(progress)
    }
    fn state(&mut self) -> Answer<State> {
        self.inner.state()
    }
    fn touched(&mut self) -> Answer<Touched> {
        self.inner.touched()
    }
    fn frame_hashes(&mut self, frames: &[Frame]) -> Answer<Vec<u64>> {
        self.inner.frame_hashes(frames)
    }
    fn word(&mut self, addr: u32) -> Answer<u32> {
        self.inner.word(addr)
    }
    fn inject(&mut self, delta: &Delta) -> Answer<()> {
        self.inner.inject(delta)
    }
}

/// Records of Spike hold what ours hold: every format once (ISA-14).
fn records_of_spike() {
    let mut spike = spike();
    let program = [
        u(Op::Lui, 5, DATA),
        i(Op::Addi, 6, 0, -2),
        s(Op::Sh, 5, 6, 6),
        i(Op::Lbu, 7, 5, 7),
        i(Op::Lb, 0, 5, 7),
        r(Op::Remu, 8, 6, 7),
        s(Op::Bltu, 7, 6, 8),
        0,
        u(Op::Jal, 1, 4),
    ];
    spike.load(&machine(Mode::Machine, &program)).expect("spike works");
    let mut records = Vec::new();
    spike.trace(8, &mut NoHost, &mut records).expect("spike works");
    let mem = |n: usize| records[n].mem.expect("an access");
    assert_eq!((mem(2).addr, mem(2).wmask, mem(2).wdata, mem(2).rmask), (0x4_0006, 3, 0xfffe, 0));
    assert_eq!((mem(3).addr, mem(3).rmask, mem(3).rdata), (0x4_0007, 1, 0xff));
    assert_eq!(records[3].rd.map(|rd| (rd.reg, rd.value)), Some((Reg::new(7), 0xff)));
    assert_eq!((records[6].pc, records[6].next_pc), (START + 24, START + 32));
    assert_eq!(records[7].rd.map(|rd| rd.value), Some(START + 36));
}
