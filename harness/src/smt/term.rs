//! Terms of the theory of bit-vectors: built, evaluated, and printed as SMT-LIB.
//!
//! A term is a function applied to terms. Equal terms are one node of a table that belongs to the
//! thread, so a term is a copyable handle and a shared subterm is printed once.
//! Nothing is simplified but the constants of `not`, `and`, `or` and `ite` on truth values:
//! a solver sees what was built.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

/// A bit-vector or a truth value. Usable in the thread that made it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Term(u32);

/// What a term stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sort {
    /// True or false.
    Bool,
    /// A bit-vector of this many bits, 1 to 128.
    Bits(u32),
}

/// The functions of SMT-LIB that terms are made of. The names are SMT-LIB's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Fun {
    Var(String),
    Const(u128),
    Not,
    And,
    Or,
    Eq,
    Ite,
    BvNot,
    BvAnd,
    BvOr,
    BvXor,
    BvAdd,
    BvSub,
    BvMul,
    BvUdiv,
    BvUrem,
    BvSdiv,
    BvSrem,
    BvShl,
    BvLshr,
    BvAshr,
    BvUlt,
    BvUle,
    BvSlt,
    BvSle,
    Concat,
    Extract { high: u32, low: u32 },
    ZeroExtend(u32),
    SignExtend(u32),
}

/// Values of variables, by name.
pub type Values = BTreeMap<String, u128>;

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident $fun:ident;)*) => {
        $($(#[$doc])* pub fn $name(self, other: Term) -> Term {
            let width = self.same_width(other);
            apply(Fun::$fun, &[self, other], Sort::Bits(width))
        })*
    };
}

macro_rules! relation {
    ($($(#[$doc:meta])* $name:ident $fun:ident;)*) => {
        $($(#[$doc])* pub fn $name(self, other: Term) -> Term {
            self.same_width(other);
            apply(Fun::$fun, &[self, other], Sort::Bool)
        })*
    };
}

impl Term {
    /// The bit-vector variable `name`.
    pub fn var(name: &str, width: u32) -> Term {
        apply(Fun::Var(name.to_string()), &[], Sort::Bits(width))
    }

    /// The constant `value` modulo 2^`width`.
    pub fn bits(width: u32, value: u128) -> Term {
        assert!((1..=128).contains(&width), "bit-vectors have 1 to 128 bits");
        apply(Fun::Const(value & ones(width)), &[], Sort::Bits(width))
    }

    /// The constant true or false.
    pub fn truth(value: bool) -> Term {
        apply(Fun::Const(u128::from(value)), &[], Sort::Bool)
    }

    /// Bool, or the number of bits.
    pub fn sort(self) -> Sort {
        with_node(self, |node| node.sort)
    }

    /// The number of bits.
    ///
    /// # Panics
    /// For a truth value.
    pub fn width(self) -> u32 {
        match self.sort() {
            Sort::Bits(width) => width,
            Sort::Bool => panic!("a truth value has no width"),
        }
    }

    /// The value of a constant.
    pub fn constant(self) -> Option<u128> {
        with_node(self, |node| match node.fun {
            Fun::Const(value) => Some(value),
            _ => None,
        })
    }

    /// Negation of a truth value.
    #[allow(clippy::should_implement_trait, reason = "the name is SMT-LIB's, beside `and` and `or`")]
    pub fn not(self) -> Term {
        match self.constant() {
            Some(value) => Term::truth(value == 0),
            None => apply(Fun::Not, &[self], Sort::Bool),
        }
    }

    /// Conjunction of truth values.
    pub fn and(self, other: Term) -> Term {
        match (self.constant(), other.constant()) {
            (Some(0), _) | (_, Some(1)) => self,
            (_, Some(0)) | (Some(1), _) => other,
            _ => apply(Fun::And, &[self, other], Sort::Bool),
        }
    }

    /// Disjunction of truth values.
    pub fn or(self, other: Term) -> Term {
        match (self.constant(), other.constant()) {
            (Some(1), _) | (_, Some(0)) => self,
            (_, Some(1)) | (Some(0), _) => other,
            _ => apply(Fun::Or, &[self, other], Sort::Bool),
        }
    }

    /// Equality of two terms of one sort.
    pub fn equals(self, other: Term) -> Term {
        assert_eq!(self.sort(), other.sort(), "equality of different sorts");
        apply(Fun::Eq, &[self, other], Sort::Bool)
    }

    /// `yes` where this truth value is true, else `no`.
    pub fn ite(self, yes: Term, no: Term) -> Term {
        assert_eq!((self.sort(), yes.sort()), (Sort::Bool, no.sort()), "ill-sorted ite");
        match self.constant() {
            Some(value) => [no, yes][value as usize],
            None => apply(Fun::Ite, &[self, yes, no], yes.sort()),
        }
    }

    /// The truth value as one bit.
    pub fn to_bit(self) -> Term {
        self.ite(Term::bits(1, 1), Term::bits(1, 0))
    }

    /// Whether any bit is set.
    pub fn is_nonzero(self) -> Term {
        self.equals(Term::bits(self.width(), 0)).not()
    }

    /// Whether the sign bit is set.
    pub fn is_negative(self) -> Term {
        self.extract(self.width() - 1, self.width() - 1).is_nonzero()
    }

    /// Bitwise complement.
    pub fn bvnot(self) -> Term {
        apply(Fun::BvNot, &[self], self.sort())
    }

    binary! {
        /// Bitwise and.
        bvand BvAnd;
        /// Bitwise or.
        bvor BvOr;
        /// Bitwise exclusive or.
        bvxor BvXor;
        /// Sum modulo 2^width.
        bvadd BvAdd;
        /// Difference modulo 2^width.
        bvsub BvSub;
        /// Product modulo 2^width.
        bvmul BvMul;
        /// Unsigned quotient; all ones for the divisor 0.
        bvudiv BvUdiv;
        /// Unsigned remainder; the dividend for the divisor 0.
        bvurem BvUrem;
        /// Signed quotient, rounded towards zero; 1 or -1 for the divisor 0.
        bvsdiv BvSdiv;
        /// Signed remainder with the sign of the dividend; the dividend for the divisor 0.
        bvsrem BvSrem;
        /// Left shift; 0 for an amount of width or more.
        bvshl BvShl;
        /// Logical right shift; 0 for an amount of width or more.
        bvlshr BvLshr;
        /// Arithmetic right shift; copies of the sign for an amount of width or more.
        bvashr BvAshr;
    }

    relation! {
        /// Unsigned less than.
        bvult BvUlt;
        /// Unsigned at most.
        bvule BvUle;
        /// Signed less than.
        bvslt BvSlt;
        /// Signed at most.
        bvsle BvSle;
    }

    /// This bit-vector above `low`.
    pub fn concat(self, low: Term) -> Term {
        apply(Fun::Concat, &[self, low], Sort::Bits(self.width() + low.width()))
    }

    /// Bits `high` down to `low`.
    pub fn extract(self, high: u32, low: u32) -> Term {
        assert!(low <= high && high < self.width(), "bits outside the bit-vector");
        apply(Fun::Extract { high, low }, &[self], Sort::Bits(high - low + 1))
    }

    /// Widened to `width` bits with zeros.
    pub fn zero_extend_to(self, width: u32) -> Term {
        self.widen(width, Fun::ZeroExtend)
    }

    /// Widened to `width` bits with copies of the sign.
    pub fn sign_extend_to(self, width: u32) -> Term {
        self.widen(width, Fun::SignExtend)
    }

    fn widen(self, width: u32, fun: fn(u32) -> Fun) -> Term {
        match width.checked_sub(self.width()).expect("widening makes no narrower") {
            0 => self,
            more => apply(fun(more), &[self], Sort::Bits(width)),
        }
    }

    /// The shortest bit-vector that is known to give this one when sign-extended.
    pub fn signed_core(self) -> Term {
        match with_node(self, |node| (node.fun.clone(), node.args.clone())) {
            (Fun::SignExtend(_), args) => args[0],
            (Fun::ZeroExtend(_), args) => args[0].zero_extend_to(args[0].width() + 1),
            (Fun::Ite, args) => self.choice_of_cores(&args, Term::signed_core, Term::sign_extend_to),
            (Fun::Const(0), _) => Term::bits(1, 0),
            _ => self,
        }
    }

    /// The shortest bit-vector that is known to give this one when zero-extended.
    pub fn unsigned_core(self) -> Term {
        match with_node(self, |node| (node.fun.clone(), node.args.clone())) {
            (Fun::ZeroExtend(_), args) => args[0],
            (Fun::Ite, args) => self.choice_of_cores(&args, Term::unsigned_core, Term::zero_extend_to),
            (Fun::Const(0), _) => Term::bits(1, 0),
            _ => self,
        }
    }

    /// A choice between two words is as wide as the wider of them.
    fn choice_of_cores(self, args: &[Term], core: fn(Term) -> Term, widen: fn(Term, u32) -> Term) -> Term {
        let (yes, no) = (core(args[1]), core(args[2]));
        let width = yes.width().max(no.width());
        if width < self.width() { args[0].ite(widen(yes, width), widen(no, width)) } else { self }
    }

    /// What this was widened from.
    fn core(self) -> Term {
        match with_node(self, |node| (node.fun.clone(), node.args.clone())) {
            (Fun::SignExtend(_) | Fun::ZeroExtend(_), args) => args[0].core(),
            _ => self,
        }
    }

    fn same_width(self, other: Term) -> u32 {
        assert_eq!(self.width(), other.width(), "bit-vectors of different widths");
        self.width()
    }

    /// The value of the term; a truth value is 0 or 1. `None` when a variable has no value.
    pub fn eval(self, values: &Values) -> Option<u128> {
        let mut known = HashMap::new();
        for term in in_order(&[self]) {
            let node = with_node(term, Node::clone);
            let args: Vec<(u128, u32)> = node.args.iter().map(|arg| (known[arg], bit_count(*arg))).collect();
            let value = match &node.fun {
                Fun::Var(name) => *values.get(name)?,
                Fun::Const(value) => *value,
                fun => fun.value(&args) & ones(bit_count(term)),
            };
            known.insert(term, value);
        }
        known.get(&self).copied()
    }
}

impl std::fmt::Debug for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        with_node(*self, |node| match &node.fun {
            Fun::Var(name) => f.write_str(name),
            Fun::Const(value) => f.write_str(&literal(*value, node.sort)),
            fun => write!(f, "({} {})", fun.name(), join(node.args.iter().map(|arg| format!("{arg:?}")))),
        })
    }
}

/// SMT-LIB text that declares the variables of `roots` and defines every term in them,
/// one line each in the order of dependence; and the name of each root.
pub fn define(roots: &[Term]) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut names = HashMap::new();
    for (i, term) in in_order(roots).into_iter().enumerate() {
        let node = with_node(term, Node::clone);
        let name = match &node.fun {
            Fun::Var(name) => {
                let _ = writeln!(text, "(declare-const {name} {})", sort_name(node.sort));
                name.clone()
            }
            Fun::Const(value) => literal(*value, node.sort),
            fun => {
                let args = join(node.args.iter().map(|arg| &names[arg]));
                let _ = writeln!(text, "(define-fun t{i} () {} ({} {args}))", sort_name(node.sort), fun.name());
                format!("t{i}")
            }
        };
        names.insert(term, name);
    }
    (text, roots.iter().map(|root| names[root].clone()).collect())
}

/// `roots` with terms replaced by others of the same sort, wherever they occur.
pub fn replace(roots: &[Term], by: &BTreeMap<Term, Term>) -> Vec<Term> {
    let mut new: HashMap<Term, Term> = HashMap::new();
    for term in in_order(roots) {
        let node = with_node(term, Node::clone);
        let args: Vec<Term> = node.args.iter().map(|arg| new[arg]).collect();
        let rebuilt = if args == node.args { term } else { apply(node.fun, &args, node.sort) };
        new.insert(term, by.get(&term).copied().unwrap_or(rebuilt));
    }
    roots.iter().map(|root| new[root]).collect()
}

/// The quotients and remainders in `roots`, each with its dividend and divisor.
pub fn quotients(roots: &[Term]) -> Vec<(Term, [Term; 2])> {
    let node = |term: Term| (term, with_node(term, Node::clone));
    let nodes = in_order(roots).into_iter().map(node);
    let quotients = nodes.filter(|(_, node)| node.fun.is_quotient());
    quotients.map(|(term, node)| (term, [node.args[0], node.args[1]])).collect()
}

/// Whether the term is a remainder with the sign of the dividend.
pub fn is_signed_remainder(term: Term) -> bool {
    with_node(term, |node| node.fun == Fun::BvSrem)
}

/// Whether both terms apply the same function.
pub fn same_function(a: Term, b: Term) -> bool {
    with_node(a, |node| node.fun.clone()) == with_node(b, |node| node.fun.clone())
}

/// What is multiplied in `roots`, before it was widened. Constants and variables do not count.
pub fn factors(roots: &[Term]) -> Vec<Term> {
    let mut found = Vec::new();
    for term in in_order(roots) {
        let node = with_node(term, Node::clone);
        if node.fun == Fun::BvMul {
            found.extend(node.args.into_iter().map(Term::core));
        }
    }
    found.retain(|term| with_node(*term, |node| !node.args.is_empty()));
    found.sort_unstable();
    found.dedup();
    found
}

/// The variables in `roots`, by name.
pub fn variables(roots: &[Term]) -> BTreeMap<String, u32> {
    let named =
        |term: Term| with_node(term, |node| if let Fun::Var(name) = &node.fun { Some(name.clone()) } else { None });
    in_order(roots).into_iter().filter_map(|term| Some((named(term)?, term.width()))).collect()
}

impl Fun {
    fn is_quotient(&self) -> bool {
        matches!(self, Fun::BvUdiv | Fun::BvUrem | Fun::BvSdiv | Fun::BvSrem)
    }

    /// The head of the application in SMT-LIB.
    fn name(&self) -> String {
        let fixed = match self {
            Fun::Var(name) => name,
            Fun::Const(_) => "",
            Fun::Not => "not",
            Fun::And => "and",
            Fun::Or => "or",
            Fun::Eq => "=",
            Fun::Ite => "ite",
            Fun::BvNot => "bvnot",
            Fun::BvAnd => "bvand",
            Fun::BvOr => "bvor",
            Fun::BvXor => "bvxor",
            Fun::BvAdd => "bvadd",
            Fun::BvSub => "bvsub",
            Fun::BvMul => "bvmul",
            Fun::BvUdiv => "bvudiv",
            Fun::BvUrem => "bvurem",
            Fun::BvSdiv => "bvsdiv",
            Fun::BvSrem => "bvsrem",
            Fun::BvShl => "bvshl",
            Fun::BvLshr => "bvlshr",
            Fun::BvAshr => "bvashr",
            Fun::BvUlt => "bvult",
            Fun::BvUle => "bvule",
            Fun::BvSlt => "bvslt",
            Fun::BvSle => "bvsle",
            Fun::Concat => "concat",
            Fun::Extract { high, low } => return format!("(_ extract {high} {low})"),
            Fun::ZeroExtend(more) => return format!("(_ zero_extend {more})"),
            Fun::SignExtend(more) => return format!("(_ sign_extend {more})"),
        };
        fixed.to_string()
    }

    /// The function's value, before truncation to the width of the result, on `(value, width)` pairs.
    /// The definitions are those of the SMT-LIB theory FixedSizeBitVectors and logic QF_BV.
    fn value(&self, args: &[(u128, u32)]) -> u128 {
        let arg = |i: usize| args[i].0;
        let width = args.first().map_or(0, |first| first.1);
        let signed = |i: usize| signed(args[i].0, args[i].1);
        let (a, b) = (arg(0), args.get(1).map_or(0, |second| second.0));
        let shift = |shifted: u128| if b < u128::from(width) { shifted } else { 0 };
        match self {
            Fun::Var(_) | Fun::Const(_) => unreachable!("leaves are not applied"),
            Fun::Not => u128::from(a == 0),
            Fun::And | Fun::BvAnd => a & b,
            Fun::Or | Fun::BvOr => a | b,
            Fun::Eq => u128::from(a == b),
            Fun::Ite => arg(if a == 1 { 1 } else { 2 }),
            Fun::BvNot => !a,
            Fun::BvXor => a ^ b,
            Fun::BvAdd => a.wrapping_add(b),
            Fun::BvSub => a.wrapping_sub(b),
            Fun::BvMul => a.wrapping_mul(b),
            Fun::BvUdiv => a.checked_div(b).unwrap_or(u128::MAX),
            Fun::BvUrem => a.checked_rem(b).unwrap_or(a),
            Fun::BvSdiv if b == 0 => {
                if signed(0) < 0 {
                    1
                } else {
                    u128::MAX
                }
            }
            Fun::BvSdiv => signed(0).wrapping_div(signed(1)) as u128,
            Fun::BvSrem if b == 0 => a,
            Fun::BvSrem => signed(0).wrapping_rem(signed(1)) as u128,
            Fun::BvShl => shift(a.wrapping_shl(b as u32)),
            Fun::BvLshr => shift(a.wrapping_shr(b as u32)),
            Fun::BvAshr => (signed(0) >> b.min(u128::from(width - 1)) as u32) as u128,
            Fun::BvUlt => u128::from(a < b),
            Fun::BvUle => u128::from(a <= b),
            Fun::BvSlt => u128::from(signed(0) < signed(1)),
            Fun::BvSle => u128::from(signed(0) <= signed(1)),
            Fun::Concat => (a << args[1].1) | b,
            Fun::Extract { low, .. } => a >> low,
            Fun::ZeroExtend(_) => a,
            Fun::SignExtend(_) => signed(0) as u128,
        }
    }
}

/// The low `width` bits set.
fn ones(width: u32) -> u128 {
    u128::MAX >> (128 - width)
}

fn signed(value: u128, width: u32) -> i128 {
    let unused = 128 - width;
    (value << unused) as i128 >> unused
}

fn bit_count(term: Term) -> u32 {
    match term.sort() {
        Sort::Bool => 1,
        Sort::Bits(width) => width,
    }
}

fn literal(value: u128, sort: Sort) -> String {
    match sort {
        Sort::Bool => (value == 1).to_string(),
        Sort::Bits(width) if width % 4 == 0 => format!("#x{value:0digits$x}", digits = width as usize / 4),
        Sort::Bits(width) => format!("#b{value:0digits$b}", digits = width as usize),
    }
}

/// The name of `sort` in SMT-LIB.
pub fn sort_name(sort: Sort) -> String {
    match sort {
        Sort::Bool => "Bool".to_string(),
        Sort::Bits(width) => format!("(_ BitVec {width})"),
    }
}

fn join(words: impl Iterator<Item = impl AsRef<str>>) -> String {
    let mut text = String::new();
    for word in words {
        let space = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{space}{}", word.as_ref());
    }
    text
}

/// The terms that `roots` are made of, arguments before their functions.
/// A node is made after its arguments, so that the order of handles is such an order.
fn in_order(roots: &[Term]) -> Vec<Term> {
    let mut seen = std::collections::BTreeSet::new();
    let mut open = roots.to_vec();
    while let Some(term) = open.pop() {
        if seen.insert(term) {
            with_node(term, |node| open.extend(&node.args));
        }
    }
    seen.into_iter().collect()
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Node {
    fun: Fun,
    args: Vec<Term>,
    sort: Sort,
}

#[derive(Default)]
struct Table {
    nodes: Vec<Node>,
    handles: HashMap<Node, Term>,
}

thread_local! {
    static TABLE: RefCell<Table> = RefCell::default();
}

fn apply(fun: Fun, args: &[Term], sort: Sort) -> Term {
    TABLE.with_borrow_mut(|table| {
        let node = Node { fun, args: args.to_vec(), sort };
        if let Some(&term) = table.handles.get(&node) {
            return term;
        }
        let term = Term(table.nodes.len() as u32);
        table.nodes.push(node.clone());
        table.handles.insert(node, term);
        term
    })
}

fn with_node<T>(term: Term, read: impl FnOnce(&Node) -> T) -> T {
    TABLE.with_borrow(|table| read(&table.nodes[term.0 as usize]))
}
