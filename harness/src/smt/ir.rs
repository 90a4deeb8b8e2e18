//! From the compiler's optimised LLVM IR to solver terms.
//!
//! A value of the IR is a bit-vector that may be *poison*; a run of the function may have *undefined
//! behaviour* (UB). Both are part of what [`translate`] returns, so that a proof can demand that
//! neither occurs. The meaning of each construct is that of the LLVM Language Reference; wherever
//! the translator knows no meaning it stops with the line, and where the Reference leaves a choice
//! it takes the one that is harder to prove. What it takes for granted is listed in docs/formal.md.
//!
//! Covered: functions of integers without memory and without loops. Their blocks are visited in
//! order of dependence; a phi is a choice by the edge that was taken.

mod syntax;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::term::Term;
use syntax::{Block, Flags, Insn, Instruction, Label, Operand};
pub use syntax::{Function, Module};

/// A construct that the translator does not know, or text that is no IR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IrError {
    /// The line of the IR file, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
    /// The line itself.
    pub text: String,
}

impl fmt::Display for IrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of the IR: {}: `{}`", self.line, self.reason, self.text.trim())
    }
}

impl std::error::Error for IrError {}

/// A function as terms over its parameters.
#[derive(Clone, Debug)]
pub struct Translated {
    /// The variables that stand for the parameters, in order.
    pub params: Vec<Term>,
    /// What it returns.
    pub result: Term,
    /// Whether that is poison.
    pub is_poison: Term,
    /// Whether the run has undefined behaviour.
    pub is_undefined: Term,
}

/// A value of the IR.
#[derive(Clone, Copy)]
struct Value {
    bits: Term,
    is_poison: Term,
}

impl Value {
    fn sound(bits: Term) -> Value {
        Value { bits, is_poison: Term::truth(false) }
    }

    fn poison_if(self, condition: Term) -> Value {
        Value { is_poison: self.is_poison.or(condition), ..self }
    }
}

/// Translates `function`; parameter i becomes the variable `names[i]`.
///
/// # Errors
/// [`IrError`] at the first construct that is not covered.
pub fn translate(function: &Function, names: &[&str]) -> Result<Translated, IrError> {
    if names.len() != function.params.len() {
        let reason = format!("`{}` has {} parameters, not {}", function.name, function.params.len(), names.len());
        return Err(IrError { line: function.line, reason, text: function.name.clone() });
    }
    let params: Vec<Term> =
        function.params.iter().zip(names).map(|(param, name)| Term::var(name, param.width)).collect();
    let mut run = Run::new(function, &params);
    for block in in_dependence_order(function)? {
        run.block(block)?;
    }
    run.finish(params)
}

/// A symbolic run of one function.
struct Run<'a> {
    function: &'a Function,
    values: HashMap<&'a str, Value>,
    /// When control takes the edge from one block to another.
    edges: HashMap<(&'a str, &'a str), Term>,
    is_undefined: Term,
    /// The returns: when each is reached, and with what.
    returns: Vec<(Term, Value)>,
    freezes: usize,
}

impl<'a> Run<'a> {
    fn new(function: &'a Function, params: &[Term]) -> Run<'a> {
        let values = function.params.iter().zip(params).map(|(p, term)| (p.name.as_str(), Value::sound(*term)));
        Run {
            function,
            values: values.collect(),
            edges: HashMap::new(),
            is_undefined: Term::truth(false),
            returns: Vec::new(),
            freezes: 0,
        }
    }

    fn block(&mut self, block: &'a Block) -> Result<(), IrError> {
        let is_reached = self.is_reached(block);
        // All phis of a block read before any of them writes.
        let mut chosen = Vec::new();
        for instruction in block.instructions.iter() {
            match &instruction.insn {
                Insn::Phi { width, choices } => {
                    chosen.push((instruction, self.phi(block, instruction, *width, choices)?));
                }
                _ => break,
            }
        }
        let phi_count = chosen.len();
        for (instruction, value) in chosen {
            self.define(instruction, value)?;
        }
        for instruction in &block.instructions[phi_count..] {
            self.instruction(block, instruction, is_reached)?;
        }
        Ok(())
    }

    /// When control reaches `block`.
    fn is_reached(&self, block: &Block) -> Term {
        if std::ptr::eq(block, &self.function.blocks[0]) {
            return Term::truth(true);
        }
        let mut incoming: Vec<_> = self.edges.iter().filter(|((_, to), _)| *to == block.label).collect();
        incoming.sort_by_key(|((from, _), _)| *from);
        incoming.into_iter().fold(Term::truth(false), |any, (_, taken)| any.or(*taken))
    }

    fn phi(&self, block: &Block, at: &Instruction, width: u32, choices: &[(Operand, Label)]) -> Result<Value, IrError> {
        let mut merged: Option<Value> = None;
        for (operand, from) in choices {
            let value = self.value(at, operand, width)?;
            let Some(taken) = self.edges.get(&(from.as_str(), block.label.as_str())) else {
                return Err(at.error("a phi names a block that does not lead here"));
            };
            merged = Some(merged.map_or(value, |other| select(*taken, value, other)));
        }
        merged.ok_or_else(|| at.error("a phi without choices"))
    }

    fn define(&mut self, at: &'a Instruction, value: Value) -> Result<(), IrError> {
        let Some(name) = &at.result else { return Err(at.error("a value without a name")) };
        match self.values.insert(name, value) {
            None => Ok(()),
            Some(_) => Err(at.error("a name defined twice")),
        }
    }

    fn value(&self, at: &Instruction, operand: &Operand, width: u32) -> Result<Value, IrError> {
        let value = match operand {
            Operand::Constant(value) => Value::sound(Term::bits(width, *value)),
            Operand::Poison => Value { bits: Term::bits(width, 0), is_poison: Term::truth(true) },
            Operand::Name(name) => match self.values.get(name.as_str()) {
                Some(value) => *value,
                None => return Err(at.error(&format!("%{name} is used before it is defined"))),
            },
        };
        if value.bits.width() != width {
            return Err(at.error("an operand of another width than its type says"));
        }
        Ok(value)
    }

    fn instruction(&mut self, block: &'a Block, at: &'a Instruction, is_reached: Term) -> Result<(), IrError> {
        let pair = |a, b, width| Ok::<_, IrError>((self.value(at, a, width)?, self.value(at, b, width)?));
        let value = match &at.insn {
            Insn::Binary { op, flags, width, a, b } => {
                let (a, b) = pair(a, b, *width)?;
                self.undefined_if(is_reached, division_fault(op, a, b));
                binary(at, op, flags, a, b)?
            }
            Insn::Compare { predicate, flags, width, a, b } => {
                let (a, b) = pair(a, b, *width)?;
                compare(at, predicate, flags, a, b)?
            }
            Insn::Cast { op, flags, from, operand, to } => cast(at, op, flags, self.value(at, operand, *from)?, *to)?,
            Insn::Select { condition, width, yes, no } => {
                let condition = self.value(at, condition, 1)?;
                let (yes, no) = pair(yes, no, *width)?;
                select(condition.bits.is_nonzero(), yes, no).poison_if(condition.is_poison)
            }
            Insn::Freeze { width, operand } => {
                let value = self.value(at, operand, *width)?;
                self.freezes += 1;
                // Frozen poison is any fixed value: a variable that nothing constrains.
                let any = Term::var(&format!("frozen_{}", self.freezes), *width);
                Value::sound(value.is_poison.ite(any, value.bits))
            }
            Insn::Intrinsic { name, width, args, is_noundef } => {
                let args =
                    args.iter().map(|(width, arg)| self.value(at, arg, *width)).collect::<Result<Vec<_>, _>>()?;
                let value = intrinsic(at, name, *width, &args)?;
                self.undefined_if(is_reached, value.is_poison.and(Term::truth(*is_noundef)));
                value
            }
            Insn::Assume { condition } => {
                let condition = self.value(at, condition, 1)?;
                self.undefined_if(is_reached, condition.is_poison.or(condition.bits.is_nonzero().not()));
                return Ok(());
            }
            Insn::Phi { .. } => return Err(at.error("a phi behind other instructions")),
            Insn::Branch { .. } | Insn::Switch { .. } | Insn::Return { .. } | Insn::Unreachable => {
                return self.terminator(block, at, is_reached);
            }
        };
        self.define(at, value)
    }

    fn terminator(&mut self, block: &'a Block, at: &'a Instruction, is_reached: Term) -> Result<(), IrError> {
        match &at.insn {
            Insn::Branch { condition: None, yes, no: _ } => self.edge(block, yes, is_reached),
            Insn::Branch { condition: Some(condition), yes, no } => {
                let condition = self.value(at, condition, 1)?;
                self.undefined_if(is_reached, condition.is_poison);
                let taken = condition.bits.is_nonzero();
                self.edge(block, yes, is_reached.and(taken));
                self.edge(block, no, is_reached.and(taken.not()));
            }
            Insn::Switch { width, operand, default, cases } => {
                let value = self.value(at, operand, *width)?;
                self.undefined_if(is_reached, value.is_poison);
                let mut is_open = is_reached;
                for (constant, label) in cases {
                    let matches = value.bits.equals(Term::bits(*width, *constant));
                    self.edge(block, label, is_reached.and(matches));
                    is_open = is_open.and(matches.not());
                }
                self.edge(block, default, is_open);
            }
            Insn::Return { width, operand } => {
                let value = self.value(at, operand, *width)?;
                self.returns.push((is_reached, value));
            }
            Insn::Unreachable => self.undefined_if(is_reached, Term::truth(true)),
            _ => return Err(at.error("this ends no block")),
        }
        Ok(())
    }

    fn edge(&mut self, from: &'a Block, to: &'a str, is_taken: Term) {
        let edge = self.edges.entry((&from.label, to)).or_insert(Term::truth(false));
        *edge = edge.or(is_taken);
    }

    fn undefined_if(&mut self, is_reached: Term, condition: Term) {
        self.is_undefined = self.is_undefined.or(is_reached.and(condition));
    }

    fn finish(self, params: Vec<Term>) -> Result<Translated, IrError> {
        let Function { line, name, result, .. } = self.function;
        let error = |reason: &str| IrError { line: *line, reason: reason.to_string(), text: name.clone() };
        let mut returns = self.returns.into_iter().rev();
        let (_, last) = returns.next().ok_or_else(|| error("the function never returns"))?;
        let mut value = returns.fold(last, |other, (taken, value)| select(taken, value, other));
        if let Some((low, high)) = result.range {
            value = value.poison_if(in_range(value.bits, low, high).not());
        }
        for (param, term) in self.function.params.iter().zip(&params) {
            if param.is_returned {
                value = value.poison_if(value.bits.equals(*term).not());
            }
        }
        Ok(Translated { params, result: value.bits, is_poison: value.is_poison, is_undefined: self.is_undefined })
    }
}

fn select(condition: Term, yes: Value, no: Value) -> Value {
    Value { bits: condition.ite(yes.bits, no.bits), is_poison: condition.ite(yes.is_poison, no.is_poison) }
}

/// Whether `low <= value < high` on the circle of values: the `range` attribute.
fn in_range(value: Term, low: u128, high: u128) -> Term {
    let width = value.width();
    let (low, high) = (Term::bits(width, low), Term::bits(width, high));
    value.bvsub(low).bvult(high.bvsub(low))
}

/// Division by zero, of poison, by poison, or with a quotient that does not fit.
fn division_fault(op: &str, a: Value, b: Value) -> Term {
    let is_signed = matches!(op, "sdiv" | "srem");
    if !is_signed && !matches!(op, "udiv" | "urem") {
        return Term::truth(false);
    }
    let is_zero = b.bits.is_nonzero().not();
    let fault = a.is_poison.or(b.is_poison).or(is_zero);
    if is_signed { fault.or(quotient_overflows(a.bits, b.bits)) } else { fault }
}

fn quotient_overflows(a: Term, b: Term) -> Term {
    let width = a.width();
    let most_negative = Term::bits(width, 1 << (width - 1));
    a.equals(most_negative).and(b.equals(Term::bits(width, u128::MAX)))
}

fn binary(at: &Instruction, op: &str, flags: &Flags, a: Value, b: Value) -> Result<Value, IrError> {
    let (x, y) = (a.bits, b.bits);
    let width = Term::bits(x.width(), u128::from(x.width()));
    let (bits, allowed): (Term, &[&str]) = match op {
        "add" => (x.bvadd(y), &["nuw", "nsw"]),
        "sub" => (x.bvsub(y), &["nuw", "nsw"]),
        "mul" => (x.bvmul(y), &["nuw", "nsw"]),
        "and" => (x.bvand(y), &[]),
        "or" => (x.bvor(y), &["disjoint"]),
        "xor" => (x.bvxor(y), &[]),
        "shl" => (x.bvshl(y), &["nuw", "nsw"]),
        "lshr" => (x.bvlshr(y), &["exact"]),
        "ashr" => (x.bvashr(y), &["exact"]),
        "udiv" => (x.bvudiv(y), &["exact"]),
        "sdiv" => (x.bvsdiv(y), &["exact"]),
        "urem" => (x.bvurem(y), &[]),
        "srem" => (x.bvsrem(y), &[]),
        _ => return Err(at.error("an operation that is not covered")),
    };
    let mut is_poison = a.is_poison.or(b.is_poison);
    if matches!(op, "shl" | "lshr" | "ashr") {
        is_poison = is_poison.or(y.bvult(width).not());
    }
    for flag in flags.iter() {
        if !allowed.contains(&flag.as_str()) {
            return Err(at.error(&format!("the flag `{flag}` is not covered here")));
        }
        if matches!(op, "add" | "sub" | "mul") && exact_width(op, x, y) > MAX_WIDTH {
            return Err(at.error(&format!("the flag `{flag}` is not covered for numbers as wide as these")));
        }
        is_poison = is_poison.or(breaks_flag(op, flag, x, y, bits));
    }
    Ok(Value { bits, is_poison })
}

/// Whether `result` of `op` breaks the promise `flag`, which makes it poison.
fn breaks_flag(op: &str, flag: &str, x: Term, y: Term, result: Term) -> Term {
    let width = x.width();
    let holds = match (op, flag) {
        ("or", _) => x.bvand(y).is_nonzero().not(),
        // Nothing but zeros, or copies of the sign, is shifted out; for `exact` nothing but zeros.
        ("shl", "nuw") => result.bvlshr(y).equals(x),
        ("shl", _) => result.bvashr(y).equals(x),
        ("lshr" | "ashr", _) => result.bvshl(y).equals(x),
        ("udiv" | "sdiv", _) => result.bvmul(y).equals(x),
        // The exact result is the result.
        (_, "nuw") => {
            let (x, y) = (x.unsigned_core(), y.unsigned_core());
            let enough = exact_width(op, x, y).max(width);
            exact(op, x.zero_extend_to(enough), y.zero_extend_to(enough)).equals(result.zero_extend_to(enough))
        }
        _ => {
            let (x, y) = (x.signed_core(), y.signed_core());
            let enough = exact_width(op, x, y).max(width);
            exact(op, x.sign_extend_to(enough), y.sign_extend_to(enough)).equals(result.sign_extend_to(enough))
        }
    };
    holds.not()
}

/// The widest bit-vector of [`Term`].
const MAX_WIDTH: u32 = 128;

/// Bits in which `op` of numbers as wide as these does not overflow.
/// Solvers decide a product of 65 bits in a second, and not one of 128.
fn exact_width(op: &str, x: Term, y: Term) -> u32 {
    match op {
        "mul" => x.width() + y.width(),
        // One bit for the carry, and one for the sign of an unsigned difference.
        _ => x.width().max(y.width()) + 2,
    }
}

fn exact(op: &str, x: Term, y: Term) -> Term {
    match op {
        "add" => x.bvadd(y),
        "sub" => x.bvsub(y),
        _ => x.bvmul(y),
    }
}

fn compare(at: &Instruction, predicate: &str, flags: &Flags, a: Value, b: Value) -> Result<Value, IrError> {
    let (x, y) = (a.bits, b.bits);
    let holds = match predicate {
        "eq" => x.equals(y),
        "ne" => x.equals(y).not(),
        "ult" => x.bvult(y),
        "ule" => x.bvule(y),
        "ugt" => y.bvult(x),
        "uge" => y.bvule(x),
        "slt" => x.bvslt(y),
        "sle" => x.bvsle(y),
        "sgt" => y.bvslt(x),
        "sge" => y.bvsle(x),
        _ => return Err(at.error("a comparison that is not covered")),
    };
    let mut is_poison = a.is_poison.or(b.is_poison);
    for flag in flags.iter() {
        match flag.as_str() {
            "samesign" => is_poison = is_poison.or(x.is_negative().equals(y.is_negative()).not()),
            _ => return Err(at.error(&format!("the flag `{flag}` is not covered here"))),
        }
    }
    Ok(Value { bits: holds.to_bit(), is_poison })
}

fn cast(at: &Instruction, op: &str, flags: &Flags, a: Value, to: u32) -> Result<Value, IrError> {
    let (x, from) = (a.bits, a.bits.width());
    if (op == "trunc") != (to < from) || to == from {
        return Err(at.error("a cast in the wrong direction"));
    }
    let bits = match op {
        "zext" => x.zero_extend_to(to),
        "sext" => x.sign_extend_to(to),
        "trunc" => x.extract(to - 1, 0),
        _ => return Err(at.error("a cast that is not covered")),
    };
    let mut value = Value { bits, ..a };
    for flag in flags.iter() {
        value = value.poison_if(match (op, flag.as_str()) {
            ("zext", "nneg") => x.is_negative(),
            ("trunc", "nuw") => bits.zero_extend_to(from).equals(x).not(),
            ("trunc", "nsw") => bits.sign_extend_to(from).equals(x).not(),
            _ => return Err(at.error(&format!("the flag `{flag}` is not covered here"))),
        });
    }
    Ok(value)
}

fn intrinsic(at: &Instruction, name: &str, width: u32, args: &[Value]) -> Result<Value, IrError> {
    let is_poison = args.iter().fold(Term::truth(false), |any, arg| any.or(arg.is_poison));
    let args: Vec<Term> = args.iter().map(|arg| arg.bits).collect();
    let uncovered = || at.error("a call that is not covered");
    if let ("llvm.abs", &[a, is_poison_at_minimum]) = (name, args.as_slice()) {
        let negated = Term::bits(width, 0).bvsub(a);
        let value = Value { bits: a.is_negative().ite(negated, a), is_poison };
        // The most negative value is its own negation.
        let is_minimum = a.is_negative().and(negated.is_negative());
        return Ok(value.poison_if(is_minimum.and(is_poison_at_minimum.is_nonzero())));
    }
    if args.iter().any(|arg| arg.width() != width) {
        return Err(uncovered());
    }
    let bits = match (name, args.as_slice()) {
        ("llvm.umin", &[a, b]) => a.bvult(b).ite(a, b),
        ("llvm.umax", &[a, b]) => a.bvult(b).ite(b, a),
        ("llvm.smin", &[a, b]) => a.bvslt(b).ite(a, b),
        ("llvm.smax", &[a, b]) => a.bvslt(b).ite(b, a),
        ("llvm.uadd.sat", &[a, b]) => a.bvadd(b).bvult(a).ite(Term::bits(width, u128::MAX), a.bvadd(b)),
        ("llvm.usub.sat", &[a, b]) => a.bvult(b).ite(Term::bits(width, 0), a.bvsub(b)),
        ("llvm.fshl", &[high, low, amount]) => funnel(high, low, amount).0,
        ("llvm.fshr", &[high, low, amount]) => funnel(high, low, amount).1,
        _ => return Err(uncovered()),
    };
    Ok(Value { bits, is_poison })
}

/// The funnel shifts left and right of `high:low` by `amount` modulo the width.
fn funnel(high: Term, low: Term, amount: Term) -> (Term, Term) {
    let width = high.width();
    let both = high.concat(low);
    let amount = amount.bvurem(Term::bits(width, u128::from(width))).zero_extend_to(2 * width);
    (both.bvshl(amount).extract(2 * width - 1, width), both.bvlshr(amount).extract(width - 1, 0))
}

/// The blocks that control can reach, each behind all that lead to it.
fn in_dependence_order(function: &Function) -> Result<Vec<&Block>, IrError> {
    let by_label: BTreeMap<&str, &Block> = function.blocks.iter().map(|block| (block.label.as_str(), block)).collect();
    let mut order = Vec::new();
    let mut state: HashMap<&str, bool> = HashMap::new();
    visit(&function.blocks[0], &by_label, &mut state, &mut order)?;
    order.reverse();
    Ok(order)
}

/// Depth-first; `state` is false for a block on the way down and true for one that is done.
fn visit<'a>(
    block: &'a Block,
    by_label: &BTreeMap<&str, &'a Block>,
    state: &mut HashMap<&'a str, bool>,
    order: &mut Vec<&'a Block>,
) -> Result<(), IrError> {
    state.insert(&block.label, false);
    let Some(last) = block.instructions.last() else {
        return Err(IrError { line: block.line, reason: "an empty block".into(), text: block.label.clone() });
    };
    for label in last.successors() {
        match state.get(label) {
            Some(true) => {}
            Some(false) => return Err(last.error("a loop")),
            None => match by_label.get(label) {
                Some(next) => visit(next, by_label, state, order)?,
                None => return Err(last.error("a branch to no block")),
            },
        }
    }
    state.insert(&block.label, true);
    order.push(block);
    Ok(())
}

#[cfg(test)]
mod tests;
