//! The proofs: the functions of `lockstep::exec::ops`, as compiled, against the specification.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use lockstep::exec::probe::tag;
use lockstep::isa::Op;

use super::report::{Entry, Layer, Method, Mutants, Outcome, Proof};
use super::{FormalError, Options};
use crate::smt::cut::{OPERANDS, cut};
use crate::smt::handlers::{BLOCKS, Handler, STEPS, handler};
use crate::smt::ir::{Module, Translated, translate};
use crate::smt::mutants::{ARM_MUTANTS, FALSE_PROMISES, MUTANTS};
use crate::smt::obligations::{Claim, Part, Use, all_uses, arms, claim};
use crate::smt::query::{OUTPUTS, Query, claim_term};
use crate::smt::solver::{Answer, SOLVERS, Solver, Verdict, Workshop};
use crate::smt::term::{Term, Values};
use crate::smt::word::SmtWord;

/// Proves every use of a function, and refutes every planted error.
///
/// # Errors
/// [`FormalError`] when a solver cannot be run. What cannot be translated or decided is an entry that failed.
pub fn check(options: &Options, workshop: &Workshop, ir: &str) -> Result<Vec<Entry>, FormalError> {
    let (mut checks, mut entries) = obligations(options, ir);
    checks.extend(planted(options, ir, &mut entries));
    for check in &checks {
        workshop.publish(&check.name, &check.query).map_err(FormalError::Solver)?;
    }
    let answers = solve(&checks, options, workshop)?;
    let judged: Vec<Entry> = checks.iter().zip(&answers).map(|(check, answers)| check.judge(answers)).collect();
    entries.extend(judged);
    count_mutants(&mut entries);
    Ok(entries)
}

/// A question, and what is needed to judge the answers.
struct Check {
    name: String,
    instructions: Vec<String>,
    function: Handler,
    of: Use,
    expectation: Expectation,
    translated: Translated,
    query: Query,
    solvers: Vec<Solver>,
}

/// What a solver must say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expectation {
    /// No counterexample.
    Proof,
    /// A counterexample, where the mutant run natively differs from the specification.
    WrongValue,
    /// A counterexample, where the IR is poison, undefined, or another value.
    Poison,
}

/// The obligations that are asked for; those that cannot be translated as failed entries.
fn obligations(options: &Options, ir: &str) -> (Vec<Check>, Vec<Entry>) {
    let module = Module::parse(ir);
    let mut checks: BTreeMap<String, Check> = BTreeMap::new();
    let mut failed = Vec::new();
    let wanted = |of: &Use| options.wants(layer(of.part), &[&name(of), &of.name(), of.op.mnemonic(), of.function]);
    for of in all_uses().into_iter().chain(arms()).filter(wanted) {
        let path = format!("exec_ops::{}::{}", of.part.module(), of.function);
        let check = Check::new(&module, &path, &of, function_of(&of), Expectation::Proof);
        match check {
            Err(reason) => failed.push(untranslated(&name(&of), layer(of.part), &of, reason)),
            Ok(check) => share(&mut checks, check),
        }
    }
    (checks.into_values().collect(), failed)
}

/// The compiled function that `of` is about, to be run natively.
pub(super) fn function_of(of: &Use) -> Handler {
    let arm = |arms: &[Handler]| arms.iter().find(|arm| arm.name == of.function).copied();
    let function = match of.part {
        Part::Step => arm(STEPS),
        Part::Block => arm(BLOCKS),
        _ => handler(of.function).copied(),
    };
    function.expect("every use is of a function in the lists")
}

fn layer(part: Part) -> Layer {
    match part {
        Part::Step | Part::Block => Layer::Arm,
        _ => Layer::Handler,
    }
}

/// The name of the question about `of`.
fn name(of: &Use) -> String {
    match of.part {
        Part::Step | Part::Block => format!("arm.{}.{}", of.part.name(), of.function),
        part => format!("{}-{}.{}", of.function, of.args.join("-"), part.name()),
    }
}

/// Uses that give the same question share it: `next_pc` of every instruction.
fn share(checks: &mut BTreeMap<String, Check>, check: Check) {
    let op = check.of.op.mnemonic().to_string();
    match checks.get_mut(&check.name) {
        Some(same) if same.query.text == check.query.text => same.instructions.push(op),
        Some(_) => {
            let name = format!("{}.{op}", check.name);
            checks.insert(name.clone(), Check { name, ..check });
        }
        None => {
            checks.insert(check.name.clone(), check);
        }
    }
}

/// The planted errors that are asked for.
fn planted(options: &Options, ir: &str, failed: &mut Vec<Entry>) -> Vec<Check> {
    let module = Module::parse(ir);
    let first_use = |of: &str| all_uses().into_iter().find(|used| used.function == of);
    let wanted = |name: &str, of: &Use| options.wants(Layer::Mutant, &[name, of.op.mnemonic(), of.function]);
    let mut checks = Vec::new();
    for mutant in MUTANTS {
        let of = first_use(mutant.of).expect("a mutant is of a function that is used");
        let name = format!("mutant.{}", mutant.function.name);
        if wanted(&name, &of) {
            let path = format!("exec_ops::mutant::{}", mutant.function.name);
            match Check::new(&module, &path, &of, mutant.function, Expectation::WrongValue) {
                Ok(check) => checks.push(Check { name, ..check }),
                Err(reason) => failed.push(untranslated(&name, Layer::Mutant, &of, reason)),
            }
        }
    }
    for mutant in ARM_MUTANTS {
        let is_mutated = |of: &Use| of.part == mutant.engine && of.op == mutant.op;
        let of = arms().into_iter().find(is_mutated).expect("every instruction has an arm");
        let name = format!("mutant.{}", mutant.function.name);
        if wanted(&name, &of) {
            let path = format!("exec_ops::wrong_arm::{}", mutant.function.name);
            match Check::new(&module, &path, &of, mutant.function, Expectation::WrongValue) {
                Ok(check) => checks.push(Check { name, ..check }),
                Err(reason) => failed.push(untranslated(&name, Layer::Mutant, &of, reason)),
            }
        }
    }
    for promise in FALSE_PROMISES {
        let of = first_use(promise.of).expect("a promise is of a function that is used");
        let name = format!("mutant.{}.{}", promise.of, promise.lie.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
        if wanted(&name, &of) {
            match false_promise(&module, promise.truth, promise.lie, &of) {
                Ok(check) => checks.push(Check { name, ..check }),
                Err(reason) => failed.push(untranslated(&name, Layer::Mutant, &of, reason)),
            }
        }
    }
    checks
}

fn false_promise(module: &Module, truth: &str, lie: &str, of: &Use) -> Result<Check, String> {
    let path = format!("exec_ops::handler::{}", of.function);
    let text = module.function(&path).map_err(|error| error.to_string())?.text;
    if !text.contains(truth) {
        return Err(format!("the IR of {} has no `{truth}` to replace", of.function));
    }
    let function = *handler(of.function).expect("every use is of a function in the list");
    let lying = Module::parse(&format!("{}\n}}\n", text.replacen(truth, lie, 1)));
    Check::new(&lying, &path, of, function, Expectation::Poison)
}

fn untranslated(name: &str, layer: Layer, of: &Use, reason: String) -> Entry {
    let claim = format!("{} of {} as in the specification", of.part.name(), of.op.mnemonic());
    let entry = Entry::new(layer, name, &claim, Method::Proved, 0.0, Outcome::Fail(reason));
    Entry { instructions: vec![of.op.mnemonic().to_string()], ..entry }
}

impl Check {
    fn new(
        module: &Module,
        path: &str,
        of: &Use,
        function: Handler,
        expectation: Expectation,
    ) -> Result<Check, String> {
        let read = module.function(path).map_err(|error| error.to_string())?;
        let translated = translate(&read, of.args).map_err(|error| error.to_string())?;
        let expected = claim(of.op, of.part, SmtWord::var).ok_or_else(|| {
            format!("the specification's effect of {} has no part `{}`", of.op.mnemonic(), of.part.name())
        })?;
        if claim_term(&expected).sort() != translated.result.sort() {
            return Err(format!("{} returns another type than the specification", function.name));
        }
        let comment = format!("{}.\nThe function, as compiled:\n{}", claim_text(of, function.name), read.text);
        let is_arm = matches!(of.part, Part::Step | Part::Block);
        let cut = if is_arm { cut(&translated, &expected) } else { None };
        Ok(Check {
            name: name(of),
            instructions: vec![of.op.mnemonic().to_string()],
            function,
            of: *of,
            expectation,
            query: match cut.filter(|_| expectation == Expectation::Proof) {
                Some(cut) => Query::halves(&comment, &cut, &probe_of(of)),
                None => Query::equality(&comment, &translated, &expected, &probe_of(of)),
            },
            solvers: solvers_for(of, expectation),
            translated,
        })
    }

    fn judge(&self, answers: &[Answer]) -> Entry {
        let finding = answers.iter().find_map(|answer| self.finding(answer).or_else(|| self.probe_finding(answer)));
        let (layer, method) = match self.expectation {
            Expectation::Proof => (layer(self.of.part), Method::Proved),
            _ => (Layer::Mutant, Method::Refuted),
        };
        let cpu_seconds = answers.iter().filter(|answer| !answer.is_cached).map(|answer| answer.cpu_seconds).sum();
        let entry = Entry::new(layer, &self.name, &self.claim(), method, cpu_seconds, Outcome::from_finding(finding));
        Entry {
            instructions: self.instructions.clone(),
            proofs: answers.iter().map(|answer| proof(&self.name, answer)).collect(),
            vacuity: Some("satisfiable at the probe, with the values of the compiled code".to_string())
                .filter(|_| answers.iter().all(|answer| self.probe_finding(answer).is_none())),
            ..entry
        }
    }

    fn claim(&self) -> String {
        match self.expectation {
            Expectation::Proof => claim_text(&self.of, self.of.function),
            _ => format!("{} is found not to be {}", self.name, name(&self.of)),
        }
    }

    /// What is wrong with the verdict, if anything is.
    fn finding(&self, answer: &Answer) -> Option<String> {
        let solver = &answer.solver;
        match (&answer.verdict, self.expectation) {
            (Verdict::Unsat, Expectation::Proof) => None,
            (Verdict::Unsat, _) => Some(format!("{solver} found nothing wrong with this planted error")),
            (Verdict::Undecided(reason), _) => Some(format!("{solver} did not decide: {reason}")),
            (Verdict::Sat(values), expectation) => {
                let replay = self.replay(values);
                let is_replayed = match expectation {
                    Expectation::Proof => false,
                    Expectation::WrongValue => !replay.is_allowed,
                    Expectation::Poison => {
                        replay.is_poison || replay.is_undefined || replay.translated != Some(replay.expected)
                    }
                };
                (!is_replayed).then(|| format!("{solver}: {}", replay.describe(self)))
            }
        }
    }

    /// The probe must be satisfiable, and give what the native code and the specification give there.
    fn probe_finding(&self, answer: &Answer) -> Option<String> {
        let Some(outputs) = &answer.probe else {
            return Some(format!("{}: the definitions alone have no model: the proof would be vacuous", answer.solver));
        };
        let replay = self.replay(&self.query.probe);
        // An arm that leaves everything to the plain engine would prove nothing.
        if self.expectation == Expectation::Proof && replay.is_left && can_run_as_block(&self.of) {
            return Some("the block engine leaves this instruction to the plain engine at the probe".to_string());
        }
        let native = if self.expectation == Expectation::Poison { replay.translated } else { Some(replay.native) };
        let flags = [replay.is_poison, replay.is_undefined].map(|flag| Some(u128::from(flag)));
        let ours = [native, Some(replay.expected), flags[0], flags[1]];
        let theirs = OUTPUTS.map(|name| outputs.get(name).copied());
        // Poison has no value to compare.
        let first = usize::from(replay.is_poison) * 2;
        (ours[first..] != theirs[first..])
            .then(|| format!("{} and the compiled code differ at the probe: {theirs:x?} and {ours:x?}", answer.solver))
    }

    /// Runs the function and the specification on `values`.
    ///
    /// Where the question was cut, the values are those of its second half unless they replay as they are.
    fn replay(&self, values: &Values) -> Replay {
        let replay = self.replay_at(values);
        let [Some(first), Some(second)] = OPERANDS.map(|name| values.get(name).copied()) else { return replay };
        if !replay.is_allowed {
            return replay;
        }
        let mut values = values.clone();
        for (name, value) in [("rs1", 5), ("rs2", 6), ("x_rs1", first), ("x_rs2", second)] {
            values.insert(name.to_string(), value);
        }
        self.replay_at(&values)
    }

    fn replay_at(&self, values: &Values) -> Replay {
        let word = |name: &str| values.get(name).copied().unwrap_or(0) as u32;
        let args: Vec<u32> = self.of.args.iter().map(|name| word(name)).collect();
        let claim = claim(self.of.op, self.of.part, word);
        let native = (self.function.run)(&args);
        let evaluate = |term: Term| term.eval(values);
        Replay {
            args: self.of.args.iter().zip(&args).map(|(name, value)| format!("{name} = 0x{value:08x}")).collect(),
            native,
            expected: claim.as_ref().map_or(0, Claim::value),
            is_allowed: claim.as_ref().is_some_and(|claim| claim.allows(native)),
            is_left: self.of.part == Part::Block && native & u128::from(tag::LEFT) != 0,
            translated: evaluate(self.translated.result),
            is_poison: evaluate(self.translated.is_poison) == Some(1),
            is_undefined: evaluate(self.translated.is_undefined) == Some(1),
        }
    }
}

/// The answer of a solver about the query `name`, for the report.
pub(super) fn proof(name: &str, answer: &Answer) -> Proof {
    Proof {
        solver: answer.solver.clone(),
        version: answer.version.clone(),
        query: format!("{name}.smt2"),
        query_sha256: answer.query_sha256.clone(),
        verdict: match answer.verdict {
            Verdict::Unsat => "unsat",
            Verdict::Sat(_) => "sat",
            Verdict::Undecided(_) => "undecided",
        },
        cpu_seconds: answer.cpu_seconds,
        is_cached: answer.is_cached,
    }
}

/// A counterexample on concrete values.
struct Replay {
    args: Vec<String>,
    /// The compiled function, run.
    native: u128,
    /// The specification, run on `u32`.
    expected: u128,
    /// Whether the specification allows what the function gives.
    is_allowed: bool,
    /// Whether a block is left before the instruction.
    is_left: bool,
    /// The translated IR, evaluated.
    translated: Option<u128>,
    is_poison: bool,
    is_undefined: bool,
}

impl Replay {
    fn describe(&self, check: &Check) -> String {
        let at = format!("with {}", self.args.join(", "));
        let show = |value| match check.of.part {
            Part::Step | Part::Block => describe_after(value),
            _ => format!("0x{value:08x}"),
        };
        let (native, expected, name) = (show(self.native), show(self.expected), check.function.name);
        if !self.is_allowed {
            format!("{at}: {name} gives {native}, the specification says {expected} (replayed)")
        } else if self.is_undefined || self.is_poison {
            let what = if self.is_undefined { "has undefined behaviour" } else { "is poison" };
            format!("{at}: the compiled {name} {what} (replayed on its IR)")
        } else {
            format!(
                "{at}: a counterexample that does not replay: both give {native}; the command may be older than the source (`make formal` builds both), or the translator or the solver is wrong"
            )
        }
    }
}

/// The state after an arm, in words.
fn describe_after(packed: u128) -> String {
    let [next_pc, value, addr, tags] = [96, 64, 32, 0].map(|shift| (packed >> shift) as u32);
    let field = |unit: u32, bits: u32| (tags / unit) & ((1 << bits) - 1);
    let cause = field(tag::TRAP, 4);
    if tags & tag::LEFT != 0 {
        return "a block that is left to the plain engine".to_string();
    }
    if cause > 0 {
        return format!("trap {} at 0x{addr:08x}", cause - 1);
    }
    let mut text = format!("next pc 0x{next_pc:08x} in mode {}", field(tag::MODE, 1));
    if let Some(register) = field(tag::REGISTER, 6).checked_sub(1) {
        text += &format!(", x{register} = 0x{value:08x}");
    }
    if field(tag::WORD_WRITES, 2) > 0 {
        text += &format!(", the word at 0x{addr:08x} = 0x{value:08x}");
    }
    if tags & tag::ASKED != 0 {
        text += ", the host asked";
    }
    text
}

/// The claim that `function` is what the engines use it for, as a sentence without a full stop.
fn claim_text(of: &Use, function: &str) -> String {
    let op = of.op.mnemonic();
    match of.part {
        Part::Step => format!(
            "the plain engine's arm for {op} changes pc, mode, registers and memory or raises as the specification says, for all operands and values"
        ),
        Part::Block => format!(
            "a block of {op} alone changes pc, registers and memory as the specification says or is left to the plain engine unchanged, for all operands and values, if memory notes only plain pages"
        ),
        part => format!(
            "exec::ops::{function}({}) is the specification's `{}`, and neither poison nor undefined, for all inputs",
            of.args.join(", "),
            part.name()
        ),
    }
}

/// Whether the block engine runs the instruction itself.
fn can_run_as_block(of: &Use) -> bool {
    of.part == Part::Block && !matches!(of.op, Op::Ecall | Op::Ebreak | Op::Mret)
}

/// The values at the probe of an arm: an instruction that neither raises nor leaves the block.
fn probe_of(of: &Use) -> Values {
    let plain = [("pc", 0x0002_0000), ("imm", 8), ("x_rs1", 0x0003_0000), ("place", 0x0003_0008), ("note", 3)];
    let registers = [("rd", 7), ("rs1", 5), ("rs2", 6), ("x_rs2", 0x1234_5678)];
    match of.part {
        Part::Step | Part::Block => plain.iter().chain(&registers).map(|(name, v)| (name.to_string(), *v)).collect(),
        _ => Values::new(),
    }
}

/// Two solvers for every proof, of different makers, that decide it in seconds: docs/formal.md has
/// the times. A planted error needs one counterexample only, because it is replayed.
fn solvers_for(of: &Use, expectation: Expectation) -> Vec<Solver> {
    let [bitwuzla, cvc5, z3] = SOLVERS;
    match (expectation, of.function) {
        // That the product of a signed and an unsigned word fits 64 bits takes bitwuzla 7 s.
        (Expectation::Proof, "mulhsu") => vec![cvc5, z3],
        (Expectation::Proof, _) => vec![bitwuzla, z3],
        _ => vec![bitwuzla],
    }
}

/// The answers to each check, in order.
fn solve(checks: &[Check], options: &Options, workshop: &Workshop) -> Result<Vec<Vec<Answer>>, FormalError> {
    // Terms stay in their thread; what travels is text.
    let jobs: Vec<(&str, &Query, Solver)> = checks
        .iter()
        .flat_map(|check| check.solvers.iter().map(|solver| (check.name.as_str(), &check.query, *solver)))
        .collect();
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((name, query, solver)) = jobs.get(index) else { break };
                    let answer = workshop.ask(*solver, name, query);
                    answers.lock().unwrap_or_else(PoisonError::into_inner).insert(index, answer);
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner).into_values();
    checks
        .iter()
        .map(|check| {
            answers.by_ref().take(check.solvers.len()).collect::<Result<Vec<_>, _>>().map_err(FormalError::Solver)
        })
        .collect()
}

/// Enters at each proved function how many of its planted errors were found.
fn count_mutants(entries: &mut [Entry]) {
    let mut counts: BTreeMap<String, Mutants> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.layer == Layer::Mutant) {
        let of = mutated_function(&entry.name);
        let count = counts.entry(of).or_default();
        count.total += 1;
        count.killed += usize::from(entry.outcome == Outcome::Pass);
    }
    for entry in entries.iter_mut().filter(|entry| matches!(entry.layer, Layer::Handler | Layer::Arm)) {
        let function = entry.name.split('-').next().unwrap_or_default();
        entry.mutants = counts.get(function).copied();
    }
}

fn mutated_function(entry: &str) -> String {
    let name = entry.trim_start_matches("mutant.");
    let planted = MUTANTS.iter().find(|mutant| mutant.function.name == name).map(|mutant| mutant.of.to_string());
    let arm = || {
        let arm = ARM_MUTANTS.iter().find(|mutant| mutant.function.name == name)?;
        Some(format!("arm.{}.{}", arm.engine.name(), arm.op.mnemonic()))
    };
    planted.or_else(arm).unwrap_or_else(|| name.split('.').next().unwrap_or_default().to_string())
}
