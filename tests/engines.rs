//! Every engine gives the same promises (TIME-1, TIME-3): the plain engine says what is right, and the others
//! are stopped at random places, handed each other's machines, and compared in every register and byte.
//!
//! Programs are random and nasty on purpose: loops, faults at the edges of blocks and regions, stores to
//! code that is about to run, jumps to misaligned addresses, the registers' window, changes of mode.
//! A failure is shrunk, by quickcheck, to the instructions and the steps that it needs, and printed as a [`Case`].
//! `LOCKSTEP_SEED=<number>` starts from other cases; `make engines-long STEPS=<count>` tries more of them, until so many
//! steps were compared.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use lockstep::ecall::Host;
use lockstep::exec::{AnyEngine, Engine, EngineKind, Exit, Until, WatchRange};
use lockstep::hart::Machine;
use lockstep::isa::{Format, Insn, Op, Reg, encode};
use lockstep::map::{self, Addr, Mode};
use lockstep::mem::Memory;
use quickcheck::{Arbitrary, Gen, QuickCheck};

/// Choices that depend on a seed alone.
struct Random(Gen);

impl Random {
    fn new(seed: u64) -> Random {
        Random(Gen::from_size_and_seed(0, seed))
    }

    fn next(&mut self) -> u32 {
        u32::arbitrary(&mut self.0)
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.next() % bound
    }

    fn one_in(&mut self, odds: u32) -> bool {
        self.below(odds) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *self.0.choose(from).expect("there is something to choose from")
    }
}

/// Where the code begins: the edges of regions, and a page's end in the middle of the code.
const STARTS: [(Addr, Mode); 7] = [
    (0x0001_0000, Mode::User),
    (0x0001_0390, Mode::User),
    (0x0002_0000, Mode::Machine),
    (0xBFFF_FE00, Mode::User),
    (0xBFFF_FE00, Mode::Machine),
    (0xC000_0380, Mode::Machine),
    (0xFFFF_FE00, Mode::Machine),
];

/// Addresses that something special begins or ends at.
const EDGES: [Addr; 14] = [
    0x0000_0000,
    0x0000_FFFC,
    0x0001_0000,
    0x0001_03FC,
    0xBFFF_FFFC,
    0xC000_0000,
    0xFEFF_FFFC,
    0xFF00_0000,
    0xFFFE_FFFC,
    0xFFFF_0000,
    0xFFFF_0080,
    0xFFFF_0100,
    0xFFFF_0200,
    0xFFFF_FFFC,
];

const KERNEL: Addr = 0xC000_1000;
const DATA: Addr = 0x0003_0000;

/// Registers with a role in the random code; the others take what comes.
const CODE_POINTER: u32 = 8;
const DATA_POINTER: u32 = 9;
const EDGE_POINTER: u32 = 18;
const COUNTER: u32 = 19;
const INSN_WORD: u32 = 20;

/// A random program, what is left of it, and where it is stopped.
#[derive(Clone)]
struct Case {
    seed: u64,
    /// The numbers of instructions that were replaced by one that does nothing.
    removed: BTreeSet<u32>,
    /// The steps after which the program has shown what it can show.
    steps: u64,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept: Vec<u32> = (0..MOST_WORDS).filter(|i| !self.removed.contains(i)).collect();
        write!(f, "seed {}, {} steps, ", self.seed, self.steps)?;
        match self.removed.is_empty() {
            true => f.write_str("all instructions"),
            false => write!(f, "of the instructions {kept:?}"),
        }
    }
}

impl Case {
    fn without(&self, removed: impl IntoIterator<Item = u32>) -> Case {
        let mut case = self.clone();
        case.removed.extend(removed);
        case
    }
}

impl Arbitrary for Case {
    fn arbitrary(g: &mut Gen) -> Case {
        let steps = *g.choose(&[1_000, 6_000, 30_000, 100_000]).expect("there is something to choose from");
        Case { seed: u64::arbitrary(g), removed: BTreeSet::new(), steps }
    }

    /// Fewer steps, and fewer instructions: half of them, a quarter, down to a single one.
    fn shrink(&self) -> Box<dyn Iterator<Item = Case>> {
        let case = self.clone();
        let shorter = [self.steps / 2, self.steps * 7 / 8, self.steps - 1].into_iter().filter(|&steps| steps > 0);
        let shorter = shorter.map(move |steps| Case { steps, ..case.clone() });
        let case = self.clone();
        let left: Vec<u32> = (0..MOST_WORDS).filter(|i| !self.removed.contains(i)).collect();
        let sizes = std::iter::successors(Some(left.len() / 2), |size| Some(size / 2)).take_while(|&size| size > 0);
        let parts: Vec<Vec<u32>> = sizes.flat_map(|size| left.chunks(size).map(<[u32]>::to_vec)).collect();
        Box::new(shorter.chain(parts.into_iter().map(move |part| case.without(part))))
    }
}

const MOST_WORDS: u32 = 128;

struct Program {
    random: Random,
    start: Addr,
    words: u32,
}

impl Program {
    /// A machine at the start of the program of `case`.
    fn machine(case: &Case) -> Machine {
        let mut random = Random::new(case.seed);
        let (start, mode) = random.pick(&STARTS);
        let words = 40 + random.below(MOST_WORDS - 40);
        let mut program = Program { random, start, words };
        let mut mem = Memory::new();
        program.fill(&mut mem);
        for &i in case.removed.iter().filter(|&&i| i < words) {
            mem.set_word(start.wrapping_add(4 * i), insn(Op::Addi, 0, 0, 0, 0));
        }
        mem.set_word(map::SUSPEND_PC, start);
        mem.set_word(map::SUSPEND_MODE, mode as u32);
        if program.random.one_in(2) {
            program.install_kernel(&mut mem);
        }
        for mode in [map::MACHINE_REGS, map::USER_REGS] {
            program.fill_registers(&mut mem, mode);
        }
        Machine::from_image(mem).expect("the start is aligned and valid")
    }

    fn fill(&mut self, mem: &mut Memory) {
        for i in 0..self.words {
            let word = self.word(i);
            mem.set_word(self.start.wrapping_add(4 * i), word);
        }
        for i in 0..64 {
            let value = self.random.next();
            mem.set_word(DATA + 4 * i, value);
        }
    }

    fn fill_registers(&mut self, mem: &mut Memory, window: Addr) {
        for i in 1..32 {
            let value = match i {
                CODE_POINTER => self.start.wrapping_add(4 * self.random.below(self.words)),
                DATA_POINTER => DATA + 16 * self.random.below(16),
                EDGE_POINTER => self.random.pick(&EDGES),
                COUNTER => self.random.below(200),
                INSN_WORD => self.word(self.words / 2),
                _ if self.random.one_in(3) => self.random.pick(&[0, 1, 2, 31, 1 << 31, u32::MAX]),
                _ => self.random.next(),
            };
            mem.set_word(window + 4 * i, value);
        }
    }

    /// A kernel that looks at the user's registers, steps over the instruction that trapped and returns.
    fn install_kernel(&mut self, mem: &mut Memory) {
        let t0 = 5;
        let t1 = 6;
        let window = |offset: i32| insn(Op::Lw, t1, t0, 0, offset);
        let words = [
            insn(Op::Lui, t0, 0, 0, 0xFFFF_0000_u32 as i32),
            window(0x80 + 4 * 10),
            insn(Op::Addi, t1, t1, 0, 3),
            insn(Op::Sw, 0, t0, t1, 0x80 + 4 * 11),
            insn(Op::Sb, 0, t0, t1, 0x80 + 4 * 12 + 1),
            insn(Op::Sw, 0, t0, t1, 0x80),
            window(0x200),
            insn(Op::Mret, 0, 0, 0, 0),
        ];
        for (i, word) in words.into_iter().enumerate() {
            mem.set_word(KERNEL + 4 * i as u32, word);
        }
        mem.set_word(map::ECALL_VECTOR, KERNEL);
        mem.set_word(map::TRAP_VECTOR, if self.random.one_in(4) { KERNEL + 2 } else { KERNEL });
    }

    /// The instruction at place `i`.
    fn word(&mut self, i: u32) -> u32 {
        match self.random.below(40) {
            0..14 => self.arithmetic(),
            14..20 => self.access(&[Op::Lb, Op::Lh, Op::Lw, Op::Lbu, Op::Lhu, Op::Lw]),
            20..25 => self.access(&[Op::Sb, Op::Sh, Op::Sw, Op::Sw]),
            25..30 => self.branch(i),
            30..32 => self.count_down(i),
            32 => self.jump(i),
            33 => insn(Op::Jalr, self.pick_link(), CODE_POINTER, 0, 4 * (self.random.below(16) as i32 - 8)),
            34 => insn(Op::Auipc, self.any(), 0, 0, self.random.next() as i32 & !0xFFF),
            // Code that changes code.
            35 => insn(Op::Sw, 0, CODE_POINTER, INSN_WORD, 4 * (self.random.below(32) as i32 - 16)),
            36 => insn(Op::Addi, CODE_POINTER, CODE_POINTER, 0, 4 * (self.random.below(9) as i32 - 4)),
            37 => self.rare(),
            _ => self.arithmetic(),
        }
    }

    fn rare(&mut self) -> u32 {
        let any = self.any();
        match self.random.below(12) {
            0 => 0xFFFF_FFFF,
            1 => insn(Op::Ebreak, 0, 0, 0, 0),
            2 => insn(Op::Mret, 0, 0, 0, 0),
            3..6 => insn(Op::Ecall, 0, 0, 0, 0),
            6 => insn(Op::Jalr, any, CODE_POINTER, 0, self.random.below(8) as i32),
            7 => insn(Op::Jalr, any, EDGE_POINTER, 0, 0),
            8 => insn(Op::Lui, EDGE_POINTER, 0, 0, self.random.pick(&EDGES) as i32 & !0xFFF),
            9 => insn(Op::Addi, DATA_POINTER, EDGE_POINTER, 0, 8),
            _ => insn(Op::Fence, 0, 0, 0, 0),
        }
    }

    fn any(&mut self) -> u32 {
        // The registers with a role are changed only on purpose.
        self.random.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 31])
    }

    fn pick_link(&mut self) -> u32 {
        self.random.pick(&[0, 1, 1, 5, 10])
    }

    fn arithmetic(&mut self) -> u32 {
        let computes =
            |op: &&Op| matches!(op.format(), Format::R | Format::Shamt | Format::U) || op.mnemonic().ends_with('i');
        let ops: Vec<Op> = Op::ALL.iter().filter(computes).copied().collect();
        let op = self.random.pick(&ops);
        let imm = match op.format() {
            Format::Shamt => self.random.below(32) as i32,
            Format::U => self.random.next() as i32 & !0xFFF,
            _ => self.random.below(4096) as i32 - 2048,
        };
        insn(op, self.any(), self.random.below(32), self.random.below(32), imm)
    }

    fn access(&mut self, ops: &[Op]) -> u32 {
        let op = self.random.pick(ops);
        let pointer = self.random.pick(&[DATA_POINTER, DATA_POINTER, DATA_POINTER, CODE_POINTER, EDGE_POINTER]);
        let align = if self.random.one_in(12) { 1 } else { 4 };
        let offset = align * (self.random.below(16) as i32 - 4);
        insn(op, self.any(), pointer, self.random.below(32), offset)
    }

    fn branch(&mut self, i: u32) -> u32 {
        let op = self.random.pick(&[Op::Beq, Op::Bne, Op::Blt, Op::Bge, Op::Bltu, Op::Bgeu]);
        let offset = self.offset(i);
        insn(op, 0, self.random.below(32), self.random.below(32), offset)
    }

    /// A loop that ends: the counter is only ever counted down.
    fn count_down(&mut self, i: u32) -> u32 {
        match self.random.one_in(2) {
            true => insn(Op::Addi, COUNTER, COUNTER, 0, -1),
            false => insn(Op::Blt, 0, 0, COUNTER, -4 * self.random.below(i.min(12) + 1) as i32),
        }
    }

    fn jump(&mut self, i: u32) -> u32 {
        let offset = self.offset(i);
        insn(Op::Jal, self.pick_link(), 0, 0, offset)
    }

    /// To somewhere in the program, now and then to a misaligned place (ISA-13).
    fn offset(&mut self, i: u32) -> i32 {
        let target = self.random.below(self.words) as i32;
        4 * (target - i as i32) + if self.random.one_in(40) { 2 } else { 0 }
    }
}

fn insn(op: Op, rd: u32, rs1: u32, rs2: u32, imm: i32) -> u32 {
    encode(&Insn { op, rd: Reg::new(rd), rs1: Reg::new(rs1), rs2: Reg::new(rs2), imm })
}

/// A host whose answers depend on nothing but the question.
struct Echo;

impl Host for Echo {
    fn read(&mut self, order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        bytes.fill((order as u8).wrapping_add(fd as u8));
        bytes.len() as u32 / 2
    }

    fn write(&mut self, _order: u64, _fd: u32, bytes: &[u8]) -> u32 {
        bytes.len() as u32
    }
}

/// The engines under test; the compiler is made to compile what it sees twice, at once and in the background.
fn engines() -> Vec<AnyEngine> {
    let mut engines = vec![AnyEngine::new(EngineKind::Block)];
    #[cfg(feature = "jit")]
    for jit in [lockstep::exec::Jit::with_threshold(2), lockstep::exec::Jit::in_background(2)] {
        engines.extend(jit.map(|jit| AnyEngine::Jit(Box::new(jit))));
    }
    engines
}

/// Random programs, and how many steps were compared on them.
struct Campaign {
    /// Which engines were compared with the plain one, in words.
    what: &'static str,
    steps: AtomicU64,
}

impl Campaign {
    const fn of(what: &'static str) -> Campaign {
        Campaign { what, steps: AtomicU64::new(0) }
    }

    fn count(&self, steps: u64) {
        self.steps.fetch_add(steps, Ordering::Relaxed);
    }

    /// Tries `property` on 150 cases, or on so many times 150 that `LOCKSTEP_STEPS` steps were compared.
    fn check(&self, property: fn(Case)) {
        const CASES: u64 = 150;
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
        let (first, wanted) = (number("LOCKSTEP_SEED").unwrap_or(1), number("LOCKSTEP_STEPS").unwrap_or(0));
        let mut told = 0;
        for seed in first.. {
            if seed == first || self.steps.load(Ordering::Relaxed) >= told + wanted / 50 {
                told = self.steps.load(Ordering::Relaxed);
                println!("{}: {told} steps compared; going on with LOCKSTEP_SEED={seed}", self.what);
            }
            let random = Gen::from_size_and_seed(100, seed);
            QuickCheck::new().rng(random).tests(CASES).max_tests(CASES).quickcheck(property);
            let steps = self.steps.load(Ordering::Relaxed);
            if steps >= wanted {
                let cases = (seed - first + 1) * CASES;
                println!(
                    "{}: {steps} steps compared on {cases} programs, seeds {first} to {seed}: no difference",
                    self.what
                );
                return;
            }
        }
    }
}

/// Runs the program of `case` with the plain engine and with `pick`'s choice among the engines, stopping both at the same
/// random places; returns how many steps both made.
fn compare(case: &Case, engines: &mut [AnyEngine], mut pick: impl FnMut(&mut Random) -> usize) -> u64 {
    let mut random = Random::new(case.seed ^ 0xABCD);
    let mut expected = Program::machine(case);
    let mut machine = expected.clone();
    let mut plain = AnyEngine::new(EngineKind::Step);
    while expected.hart.instructions < case.steps {
        let stops = Stops::random(&mut random, &expected);
        let until = stops.until();
        let want = plain.run(&mut expected, &mut Echo, until, &mut ());
        let engine = &mut engines[pick(&mut random)];
        let got = engine.run(&mut machine, &mut Echo, until, &mut ());
        let name = engine.kind().name();
        assert_eq!(got, want, "{name}, {case:?}: {stops:?}");
        assert_eq!(machine.hart, expected.hart, "{name}, {case:?}: {want:?} {stops:?}");
        assert_eq!(machine.digest(), expected.digest(), "{name}, {case:?}: {want:?} {stops:?}");
        if matches!(want, Exit::Fault(_) | Exit::Terminated { .. }) {
            break;
        }
        disturb(&mut random, &mut expected, &mut machine);
    }
    expected.hart.instructions
}

/// What a debugger may do between two runs: change a word of code, or begin an interval of history.
fn disturb(random: &mut Random, expected: &mut Machine, machine: &mut Machine) {
    if random.one_in(8) {
        let addr = expected.hart.pc.wrapping_add(4 * random.below(8));
        let word = insn(Op::Addi, 10, 10, 0, random.below(100) as i32);
        expected.set_word(addr, word);
        machine.set_word(addr, word);
    }
    if random.one_in(8) {
        assert_eq!(expected.mem.written_pages(), machine.mem.written_pages());
        let (want, got) = (expected.mem.mark(), machine.mem.mark());
        let words =
            |saved: &[lockstep::mem::SavedPage]| saved.iter().map(|p| (p.page, p.words.clone())).collect::<Vec<_>>();
        assert_eq!(words(&got), words(&want), "the saved pages");
    }
}

/// Where to stop.
#[derive(Debug)]
struct Stops {
    order: u64,
    breakpoints: Option<BTreeSet<Addr>>,
    watch: Vec<WatchRange>,
}

impl Stops {
    fn random(random: &mut Random, machine: &Machine) -> Stops {
        let longest = random.pick(&[3, 40, 400, 4000]);
        let order = machine.hart.instructions + 1 + u64::from(random.below(longest));
        let near = |random: &mut Random| machine.hart.pc.wrapping_add(4 * random.below(24)).wrapping_sub(32);
        let breakpoints = random.one_in(3).then(|| (0..random.below(4)).map(|_| near(random)).collect());
        let count = if random.one_in(4) { random.pick(&[1, 1, 2, 3, 7, 40]) } else { 0 };
        let watch = (0..count).map(|_| random_range(random, DATA, 100, 64)).collect();
        Stops { order, breakpoints, watch }
    }

    fn until(&self) -> Until<'_> {
        Until { order: self.order, breakpoints: self.breakpoints.as_ref(), watch: &self.watch, interrupt: None }
    }
}

/// TIME-1, TIME-3, TRAP-2, TRAP-5, MEM-3 to MEM-6, MAP-5 to MAP-7, MODE-2 to MODE-6: an engine of its own for each program.
#[test]
fn engines_agree_with_the_plain_one() {
    static CAMPAIGN: Campaign = Campaign::of("block, jit, jit in the background");
    CAMPAIGN.check(|case| {
        for number in 0..engines().len() {
            CAMPAIGN.count(compare(&case, &mut engines(), |_| number));
        }
    });
}

/// Any of a set of engines may make the next steps of a machine.
#[test]
fn engines_can_be_switched_in_mid_run() {
    static CAMPAIGN: Campaign = Campaign::of("changing engines");
    CAMPAIGN.check(|case| {
        let mut engines = engines();
        engines.push(AnyEngine::new(EngineKind::Step));
        let count = engines.len() as u32;
        CAMPAIGN.count(compare(&case, &mut engines, |random| random.below(count) as usize));
    });
}

/// MEM-5: the store changes the next instruction, every time round a loop that is compiled by then.
#[test]
fn stores_to_code_are_seen_at_the_next_fetch() {
    let counting = [1, 2].map(|by| insn(Op::Addi, 10, 10, 0, by));
    let code = [
        insn(Op::Sw, 0, 8, 6, 8),
        insn(Op::Addi, 11, 11, 0, 1),
        counting[0],
        insn(Op::Xor, 6, 6, 7, 0),
        insn(Op::Bne, 0, 11, 12, -16),
        insn(Op::Ecall, 0, 0, 0, 0),
    ];
    let mut mem = Memory::new();
    for (i, word) in code.into_iter().enumerate() {
        mem.set_word(0x0002_0000 + 4 * i as u32, word);
    }
    mem.set_word(map::SUSPEND_PC, 0x0002_0000);
    mem.set_word(map::SUSPEND_MODE, 1);
    let rounds = 5000;
    for (reg, value) in [(8, 0x0002_0000), (6, counting[1]), (7, counting[0] ^ counting[1]), (12, rounds)] {
        mem.set_word(map::MACHINE_REGS + 4 * reg, value);
    }
    for mut engine in engines() {
        let mut machine = Machine::from_image(mem.clone()).unwrap();
        machine.hart.set_x(Reg::A0, 0);
        engine.run(&mut machine, &mut Echo, Until::order(5 * u64::from(rounds)), &mut ());
        // The first round adds 2, the second 1, and so on.
        assert_eq!(machine.hart.x(Reg::A0), 3 * rounds / 2, "{}", engine.kind().name());
    }
}

/// What the loop of [`every_watched_access_stops`] does to memory at x10 each time round: a store, a load, and accesses
/// that share a check, of more bytes than one look at what is watched takes in.
fn walks() -> [Vec<u32>; 3] {
    let mixed = [
        insn(Op::Lw, 13, 10, 0, 4),
        insn(Op::Sb, 0, 10, 11, -1),
        insn(Op::Lbu, 15, 10, 0, 3),
        insn(Op::Sw, 0, 10, 11, 60),
        insn(Op::Lh, 16, 10, 0, 66),
        insn(Op::Lb, 17, 10, 0, 131),
        insn(Op::Sh, 0, 10, 11, 134),
    ];
    [vec![insn(Op::Sh, 0, 10, 11, 2)], vec![insn(Op::Lhu, 13, 10, 0, 2)], mixed.to_vec()]
}

/// A loop that walks through memory, over and over, stops at each watched access and at no other, compiled or not, in the
/// state that the plain engine stops in.
#[test]
fn every_watched_access_stops() {
    const START: u32 = 0x0003_0000;
    for (walk, seed) in walks().into_iter().flat_map(|walk| (0..20).map(move |seed| (walk.clone(), seed))) {
        let back = -4 * (walk.len() as i32 + 1);
        let after = [
            insn(Op::Addi, 10, 10, 0, 4),
            insn(Op::Bltu, 0, 10, 12, back),
            insn(Op::Addi, 10, 14, 0, 0),
            insn(Op::Jal, 0, 0, 0, back - 8),
        ];
        let mut mem = Memory::new();
        for (i, word) in walk.into_iter().chain(after).enumerate() {
            mem.set_word(0x0002_0000 + 4 * i as u32, word);
        }
        mem.set_word(map::SUSPEND_PC, 0x0002_0000);
        for (reg, value) in [(10, START), (12, START + 4096), (14, START)] {
            mem.set_word(map::USER_REGS + 4 * reg, value);
        }
        let mut random = Random::new(seed);
        let count = 1 + random.below(7);
        let watch: Vec<WatchRange> = (0..count).map(|_| random_range(&mut random, START, 4100, 6)).collect();
        let until = Until { watch: &watch, ..Until::order(200_000) };
        let stops = |engine: &mut AnyEngine, machine: &mut Machine| {
            // Without a watch for a while, so that there is compiled code.
            engine.run(machine, &mut Echo, Until::order(100_000), &mut ());
            let mut stops = Vec::new();
            loop {
                let exit = engine.run(machine, &mut Echo, until, &mut ());
                stops.push((exit, machine.hart.clone()));
                if exit == Exit::Order {
                    return stops;
                }
            }
        };
        let machine = || Machine::from_image(mem.clone()).unwrap();
        let want = stops(&mut AnyEngine::new(EngineKind::Step), &mut machine());
        for mut engine in engines() {
            let got = stops(&mut engine, &mut machine());
            let differs = got.iter().zip(&want).position(|(got, want)| got != want);
            assert_eq!((differs, got.len()), (None, want.len()), "{}: {watch:x?}", engine.kind().name());
        }
    }
}

/// Watching loads does not keep code from being compiled.
#[test]
fn code_that_looks_at_loads_is_compiled() {
    let code = [insn(Op::Lw, 11, 10, 0, 0), insn(Op::Add, 12, 12, 11, 0), insn(Op::Jal, 0, 0, 0, -8)];
    let mut mem = Memory::new();
    for (i, word) in code.into_iter().enumerate() {
        mem.set_word(0x0002_0000 + 4 * i as u32, word);
    }
    mem.set_word(map::SUSPEND_PC, 0x0002_0000);
    mem.set_word(map::USER_REGS + 4 * 10, DATA);
    let watch = [WatchRange { first: DATA + 4, last: DATA + 7, on_read: true, on_write: true }];
    // Not every host has a compiler.
    let Some(mut engine) = AnyEngine::eager(EngineKind::Jit) else { return };
    let mut machine = Machine::from_image(mem).unwrap();
    let until = Until { watch: &watch, ..Until::order(1000) };
    assert_eq!(engine.run(&mut machine, &mut Echo, until, &mut ()), Exit::Order);
    assert!(engine.compiled() > 0);
}

/// A range of at most `longest` bytes that begins in the `bytes` from `start` on, watched for loads, for stores or for both.
fn random_range(random: &mut Random, start: Addr, bytes: u32, longest: u32) -> WatchRange {
    let first = start + random.below(bytes);
    let last = first + random.below(longest);
    let kind = random.below(3);
    WatchRange { first, last, on_read: kind != 0, on_write: kind != 1 }
}

/// TIME-1: a run may end at any step of a loop that is compiled, and goes on as if it had not.
#[test]
fn every_stop_is_exact() {
    let code = [insn(Op::Addi, 10, 10, 0, 1), insn(Op::Addi, 11, 11, 0, 2), insn(Op::Jal, 1, 0, 0, -8)];
    let mut mem = Memory::new();
    for (i, word) in code.into_iter().enumerate() {
        mem.set_word(0x0002_0000 + 4 * i as u32, word);
    }
    mem.set_word(map::SUSPEND_PC, 0x0002_0000);
    for mut engine in engines() {
        let mut machine = Machine::from_image(mem.clone()).unwrap();
        for order in (1..3000).chain((3000..100_000).step_by(977)) {
            assert_eq!(engine.run(&mut machine, &mut Echo, Until::order(order), &mut ()), Exit::Order);
            let (rounds, rest) = ((order / 3) as u32, order % 3);
            let want = (order, 0x0002_0000 + 4 * rest as u32, rounds + u32::from(rest > 0));
            assert_eq!((machine.hart.instructions, machine.hart.pc, machine.hart.x(Reg::A0)), want);
        }
    }
}

/// MEM-5: code that changes while it is compiled in the background is never run as it was.
#[cfg(feature = "jit")]
#[test]
fn code_that_changed_while_it_was_compiled_is_dropped() {
    let mut mem = Memory::new();
    mem.set_word(0x0002_0000, insn(Op::Addi, 10, 10, 0, 1));
    mem.set_word(0x0002_0004, insn(Op::Jal, 0, 0, 0, -4));
    mem.set_word(map::SUSPEND_PC, 0x0002_0000);
    let mut machine = Machine::from_image(mem).unwrap();
    let Some(mut engine) = lockstep::exec::Jit::in_background(2) else { return };
    for round in 1..=100 {
        let before = machine.hart.x(Reg::A0);
        // Ordered here, and changed before it can be there.
        let until = Until::order(machine.hart.instructions + 200);
        engine.run(&mut machine, &mut Echo, until, &mut ());
        assert_eq!(machine.hart.x(Reg::A0).wrapping_sub(before), 100 * round, "round {round}");
        machine.set_word(0x0002_0000, insn(Op::Addi, 10, 10, 0, round as i32 + 1));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}
