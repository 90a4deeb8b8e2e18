//! The text of LLVM IR, as far as functions of integers need it.
//!
//! Nothing is skipped silently: an attribute, flag or metadata kind that is not listed here is an error.

use std::collections::BTreeMap;

use super::IrError;

/// An IR file: where its functions are. They are read when asked for.
pub struct Module {
    lines: Vec<String>,
    /// Mangled name to the index of its `define` line.
    defines: BTreeMap<String, usize>,
    aliases: BTreeMap<String, String>,
}

/// A function of integers.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its mangled name.
    pub name: String,
    /// The line of `define`, from 1.
    pub line: usize,
    /// Its text without metadata.
    pub text: String,
    pub(super) result: ResultType,
    pub(super) params: Vec<Param>,
    pub(super) blocks: Vec<Block>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct ResultType {
    pub width: u32,
    /// The `range` attribute: low (inclusive), high (exclusive).
    pub range: Option<(u128, u128)>,
}

#[derive(Clone, Debug)]
pub(super) struct Param {
    pub name: String,
    pub width: u32,
    pub is_returned: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Block {
    pub label: Label,
    pub line: usize,
    pub instructions: Vec<Instruction>,
}

#[derive(Clone, Debug)]
pub(super) struct Instruction {
    pub line: usize,
    pub text: String,
    pub result: Option<String>,
    pub insn: Insn,
}

pub(super) type Label = String;
pub(super) type Flags = Vec<String>;

#[derive(Clone, Debug)]
pub(super) enum Operand {
    Constant(u128),
    Poison,
    Name(String),
}

#[derive(Clone, Debug)]
pub(super) enum Insn {
    Binary {
        op: String,
        flags: Flags,
        width: u32,
        a: Operand,
        b: Operand,
    },
    Compare {
        predicate: String,
        flags: Flags,
        width: u32,
        a: Operand,
        b: Operand,
    },
    Cast {
        op: String,
        flags: Flags,
        from: u32,
        operand: Operand,
        to: u32,
    },
    Select {
        condition: Operand,
        width: u32,
        yes: Operand,
        no: Operand,
    },
    Phi {
        width: u32,
        choices: Vec<(Operand, Label)>,
    },
    Freeze {
        width: u32,
        operand: Operand,
    },
    /// `args` with their widths; `is_noundef` promises that the result is not poison.
    Intrinsic {
        name: String,
        width: u32,
        args: Vec<(u32, Operand)>,
        is_noundef: bool,
    },
    Assume {
        condition: Operand,
    },
    /// `no` is empty for an unconditional branch.
    Branch {
        condition: Option<Operand>,
        yes: Label,
        no: Label,
    },
    Switch {
        width: u32,
        operand: Operand,
        default: Label,
        cases: Vec<(u128, Label)>,
    },
    Return {
        width: u32,
        operand: Operand,
    },
    Unreachable,
}

impl Module {
    /// Finds the functions in the text of an IR file.
    pub fn parse(text: &str) -> Module {
        let lines: Vec<String> = text.lines().map(str::to_string).collect();
        let mut module = Module { defines: BTreeMap::new(), aliases: BTreeMap::new(), lines };
        for (index, line) in module.lines.iter().enumerate() {
            let name = line.split_once('@').map(|(_, rest)| symbol(rest));
            match name {
                Some(name) if line.starts_with("define ") => {
                    module.defines.insert(name, index);
                }
                Some(name) if line.starts_with('@') && line.contains(" alias ") => {
                    let target = line.rsplit_once('@').map_or(String::new(), |(_, rest)| symbol(rest));
                    module.aliases.insert(name, target);
                }
                _ => {}
            }
        }
        module
    }

    /// The compiler's own words about its version.
    pub fn compiler(&self) -> Option<&str> {
        let node = self.lines.iter().find_map(|line| line.strip_prefix("!llvm.ident = !{")?.strip_suffix('}'))?;
        let start = format!("{node} = !{{!\"");
        self.lines.iter().find_map(|line| line.strip_prefix(&start)?.strip_suffix("\"}"))
    }

    /// The paths of all functions, such as `exec_ops::handler::add`.
    pub fn paths(&self) -> Vec<String> {
        self.defines.keys().chain(self.aliases.keys()).filter_map(|name| demangle(name)).collect()
    }

    /// The function with this path.
    ///
    /// # Errors
    /// [`IrError`] if there is none, or something in it is not covered.
    pub fn function(&self, path: &str) -> Result<Function, IrError> {
        let names = self.defines.keys().chain(self.aliases.keys());
        let name = names.into_iter().find(|name| demangle(name).as_deref() == Some(path));
        let name = name.map(|name| self.aliases.get(name).unwrap_or(name));
        match name.and_then(|name| Some((name, *self.defines.get(name)?))) {
            Some((name, start)) => self.read(name, start),
            None => Err(IrError { line: 1, reason: format!("no function `{path}`"), text: String::new() }),
        }
    }

    fn read(&self, name: &str, start: usize) -> Result<Function, IrError> {
        let end = (start..self.lines.len()).find(|i| self.lines[*i] == "}").unwrap_or(self.lines.len());
        let body = &self.lines[start + 1..end];
        let (result, params) = Line::new(start + 1, &self.lines[start]).header()?;
        let text =
            std::iter::once(&self.lines[start]).chain(body).map(|line| without_metadata(line)).collect::<Vec<_>>();
        let blocks = read_blocks(start + 2, body)?;
        Ok(Function { name: name.to_string(), line: start + 1, text: text.join("\n"), result, params, blocks })
    }
}

impl Instruction {
    /// Says that this line is not covered.
    pub fn error(&self, reason: &str) -> IrError {
        IrError { line: self.line, reason: reason.to_string(), text: self.text.clone() }
    }

    /// The blocks that may come next.
    pub fn successors(&self) -> Vec<&str> {
        match &self.insn {
            Insn::Branch { condition: None, yes, .. } => vec![yes],
            Insn::Branch { yes, no, .. } => vec![yes, no],
            Insn::Switch { default, cases, .. } => {
                cases.iter().map(|(_, label)| label.as_str()).chain([default.as_str()]).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The path in a name mangled as rustc 1.95 does by default: `_ZN`, names after their lengths, a hash, `E`.
fn demangle(name: &str) -> Option<String> {
    let mut rest = name.strip_prefix("_ZN")?;
    let mut path = Vec::new();
    while rest != "E" {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let length: usize = rest[..digits].parse().ok()?;
        path.push(rest.get(digits..digits + length)?);
        rest = &rest[digits + length..];
    }
    path.pop();
    Some(path.join("::"))
}

fn symbol(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$')).collect()
}

fn without_metadata(line: &str) -> String {
    let line = line.split(" !dbg ").next().unwrap_or_default();
    line.trim_end_matches(',').to_string()
}

fn read_blocks(first_line: usize, body: &[String]) -> Result<Vec<Block>, IrError> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = body.iter().enumerate();
    while let Some((i, text)) = lines.next() {
        let number = first_line + i;
        let mut text = without_comment(text).to_string();
        if text.trim().is_empty() {
            continue;
        }
        if let Some(label) = text.strip_suffix(':') {
            let label = label.trim_matches('"').to_string();
            blocks.push(Block { label, line: number, instructions: Vec::new() });
            continue;
        }
        // A switch goes on until its closing bracket.
        while text.matches('[').count() > text.matches(']').count() {
            match lines.next() {
                Some((_, more)) => text.push_str(without_comment(more)),
                None => break,
            }
        }
        let instruction = Line::new(number, &text).instruction()?;
        match blocks.last_mut() {
            Some(block) => block.instructions.push(instruction),
            None => return Err(instruction.error("an instruction outside a block")),
        }
    }
    match blocks.is_empty() {
        true => Err(IrError { line: first_line, reason: "a function without blocks".into(), text: String::new() }),
        false => Ok(blocks),
    }
}

fn without_comment(line: &str) -> &str {
    line.split(';').next().unwrap_or_default().trim_end()
}

/// One line, being read from left to right.
struct Line<'a> {
    number: usize,
    text: &'a str,
    tokens: Vec<String>,
    next: usize,
}

impl<'a> Line<'a> {
    fn new(number: usize, text: &'a str) -> Line<'a> {
        Line { number, text, tokens: tokens(text), next: 0 }
    }

    fn error(&self, reason: &str) -> IrError {
        IrError { line: self.number, reason: reason.to_string(), text: self.text.to_string() }
    }

    fn peek(&self) -> &str {
        self.tokens.get(self.next).map_or("", String::as_str)
    }

    fn take(&mut self) -> String {
        let token = self.peek().to_string();
        self.next += 1;
        token
    }

    fn accept(&mut self, token: &str) -> bool {
        let is_it = self.peek() == token;
        self.next += usize::from(is_it);
        is_it
    }

    fn expect(&mut self, token: &str) -> Result<(), IrError> {
        match self.accept(token) {
            true => Ok(()),
            false => Err(self.error(&format!("expected `{token}` and found `{}`", self.peek()))),
        }
    }

    /// `define ATTRIBUTES TYPE @NAME(PARAMETERS) ATTRIBUTES {`
    fn header(&mut self) -> Result<(ResultType, Vec<Param>), IrError> {
        self.expect("define")?;
        let mut result = ResultType::default();
        loop {
            match self.peek() {
                "noundef" | "zeroext" | "signext" | "dso_local" | "internal" | "hidden" => {
                    self.take();
                }
                "range" => result.range = Some(self.range()?),
                _ => break,
            }
        }
        result.width = self.int_type()?;
        let name = self.take();
        if !name.starts_with('@') {
            return Err(self.error("an attribute of the result that is not covered"));
        }
        self.expect("(")?;
        let mut params = Vec::new();
        while !self.accept(")") {
            params.push(self.param()?);
            self.accept(",");
        }
        // What follows are attributes of the whole function, which promise its callers something;
        // the translator relies on none of them.
        Ok((result, params))
    }

    fn param(&mut self) -> Result<Param, IrError> {
        let width = self.int_type()?;
        let (mut is_noundef, mut is_returned) = (false, false);
        loop {
            match self.take().as_str() {
                "noundef" => is_noundef = true,
                "returned" => is_returned = true,
                "zeroext" | "signext" => {}
                name if name.starts_with('%') && is_noundef => {
                    return Ok(Param { name: name[1..].to_string(), width, is_returned });
                }
                name if name.starts_with('%') => return Err(self.error("a parameter that may be poison")),
                other => return Err(self.error(&format!("the parameter attribute `{other}` is not covered"))),
            }
        }
    }

    /// `range(i32 0, 256)`: reduced to the width.
    fn range(&mut self) -> Result<(u128, u128), IrError> {
        self.expect("range")?;
        self.expect("(")?;
        let width = self.int_type()?;
        let low = self.integer(width)?;
        self.expect(",")?;
        let high = self.integer(width)?;
        self.expect(")")?;
        Ok((low, high))
    }

    fn int_type(&mut self) -> Result<u32, IrError> {
        let token = self.take();
        let width = token.strip_prefix('i').and_then(|digits| digits.parse().ok());
        match width {
            // Terms have 128 bits at most; `exact_width` refuses promises that need more.
            Some(width) if (1..=128).contains(&width) => Ok(width),
            _ => Err(self.error(&format!("the type `{token}` is not covered"))),
        }
    }

    fn integer(&mut self, width: u32) -> Result<u128, IrError> {
        match self.operand(width)? {
            Operand::Constant(value) => Ok(value),
            _ => Err(self.error("expected a constant")),
        }
    }

    fn operand(&mut self, width: u32) -> Result<Operand, IrError> {
        let token = self.take();
        if let Some(name) = token.strip_prefix('%') {
            return Ok(Operand::Name(name.to_string()));
        }
        match (token.as_str(), token.parse::<i128>()) {
            ("true", _) => Ok(Operand::Constant(1)),
            ("false", _) => Ok(Operand::Constant(0)),
            // Where `undef` may be any value, poison is no value at all: harder to prove.
            ("poison" | "undef", _) => Ok(Operand::Poison),
            (_, Ok(value)) => Ok(Operand::Constant(value as u128 & (u128::MAX >> (128 - width)))),
            _ => Err(self.error(&format!("the operand `{token}` is not covered"))),
        }
    }

    fn label(&mut self) -> Result<Label, IrError> {
        self.expect("label")?;
        let token = self.take();
        token.strip_prefix('%').map(str::to_string).ok_or_else(|| self.error("expected a label"))
    }

    fn instruction(mut self) -> Result<Instruction, IrError> {
        let result = match (self.peek().strip_prefix('%').map(str::to_string), self.tokens.get(1)) {
            (Some(name), Some(equals)) if equals == "=" => {
                self.next = 2;
                Some(name)
            }
            _ => None,
        };
        let insn = self.insn()?;
        self.metadata()?;
        Ok(Instruction { line: self.number, text: self.text.to_string(), result, insn })
    }

    /// `, !dbg !12, !prof !3` to the end of the line: kinds that change no meaning.
    fn metadata(&mut self) -> Result<(), IrError> {
        while self.accept(",") {
            match self.take().as_str() {
                "!dbg" | "!prof" => self.next += 1,
                other => return Err(self.error(&format!("`{other}` is not covered"))),
            }
        }
        match self.peek() {
            "" => Ok(()),
            more => Err(self.error(&format!("`{more}` is not covered"))),
        }
    }

    fn insn(&mut self) -> Result<Insn, IrError> {
        let op = self.take();
        match op.as_str() {
            "add" | "sub" | "mul" | "and" | "or" | "xor" | "shl" | "lshr" | "ashr" | "udiv" | "sdiv" | "urem"
            | "srem" => self.binary(op),
            "icmp" => self.compare(),
            "zext" | "sext" | "trunc" => self.cast(op),
            "select" => self.select(),
            "phi" => self.phi(),
            "freeze" => {
                let width = self.int_type()?;
                Ok(Insn::Freeze { width, operand: self.operand(width)? })
            }
            "call" | "tail" => self.call(op == "tail"),
            "br" => self.branch(),
            "switch" => self.switch(),
            "ret" => {
                let width = self.int_type()?;
                Ok(Insn::Return { width, operand: self.operand(width)? })
            }
            "unreachable" => Ok(Insn::Unreachable),
            _ => Err(self.error(&format!("the instruction `{op}` is not covered"))),
        }
    }

    /// Words in front of the type.
    fn flags(&mut self) -> Flags {
        let mut flags = Vec::new();
        while matches!(self.peek(), "nuw" | "nsw" | "exact" | "disjoint" | "nneg" | "samesign") {
            flags.push(self.take());
        }
        flags
    }

    fn binary(&mut self, op: String) -> Result<Insn, IrError> {
        let flags = self.flags();
        let width = self.int_type()?;
        let a = self.operand(width)?;
        self.expect(",")?;
        Ok(Insn::Binary { op, flags, width, a, b: self.operand(width)? })
    }

    fn compare(&mut self) -> Result<Insn, IrError> {
        let flags = self.flags();
        let predicate = self.take();
        let width = self.int_type()?;
        let a = self.operand(width)?;
        self.expect(",")?;
        Ok(Insn::Compare { predicate, flags, width, a, b: self.operand(width)? })
    }

    fn cast(&mut self, op: String) -> Result<Insn, IrError> {
        let flags = self.flags();
        let from = self.int_type()?;
        let operand = self.operand(from)?;
        self.expect("to")?;
        Ok(Insn::Cast { op, flags, from, operand, to: self.int_type()? })
    }

    fn select(&mut self) -> Result<Insn, IrError> {
        self.expect("i1")?;
        let condition = self.operand(1)?;
        self.expect(",")?;
        let width = self.int_type()?;
        let yes = self.operand(width)?;
        self.expect(",")?;
        if self.int_type()? != width {
            return Err(self.error("a select between different types"));
        }
        Ok(Insn::Select { condition, width, yes, no: self.operand(width)? })
    }

    fn phi(&mut self) -> Result<Insn, IrError> {
        let width = self.int_type()?;
        let mut choices = Vec::new();
        while self.peek() == "[" || (self.peek() == "," && self.tokens.get(self.next + 1).is_some_and(|t| t == "[")) {
            self.accept(",");
            self.expect("[")?;
            let value = self.operand(width)?;
            self.expect(",")?;
            let label = self.take();
            let label = label.strip_prefix('%').ok_or_else(|| self.error("expected a label"))?.to_string();
            self.expect("]")?;
            choices.push((value, label));
        }
        Ok(Insn::Phi { width, choices })
    }

    /// `call i32 @llvm.umin.i32(i32 %a, i32 %b)`, `call void @llvm.assume(i1 %c)`.
    fn call(&mut self, is_tail: bool) -> Result<Insn, IrError> {
        if is_tail {
            self.expect("call")?;
        }
        if self.accept("void") {
            self.expect("@llvm.assume")?;
            self.expect("(")?;
            self.expect("i1")?;
            self.accept("noundef");
            let condition = self.operand(1)?;
            self.expect(")")?;
            return Ok(Insn::Assume { condition });
        }
        let is_noundef = self.accept("noundef");
        let width = self.int_type()?;
        let callee = self.take();
        let name = callee.strip_prefix('@').and_then(|name| name.strip_suffix(&format!(".i{width}")));
        let name = name.ok_or_else(|| self.error(&format!("the call of `{callee}` is not covered")))?.to_string();
        self.expect("(")?;
        let mut args = Vec::new();
        while !self.accept(")") {
            let width = self.int_type()?;
            args.push((width, self.operand(width)?));
            self.accept(",");
        }
        Ok(Insn::Intrinsic { name, width, args, is_noundef })
    }

    fn branch(&mut self) -> Result<Insn, IrError> {
        if self.peek() == "label" {
            return Ok(Insn::Branch { condition: None, yes: self.label()?, no: Label::new() });
        }
        self.expect("i1")?;
        let condition = Some(self.operand(1)?);
        self.expect(",")?;
        let yes = self.label()?;
        self.expect(",")?;
        Ok(Insn::Branch { condition, yes, no: self.label()? })
    }

    fn switch(&mut self) -> Result<Insn, IrError> {
        let width = self.int_type()?;
        let operand = self.operand(width)?;
        self.expect(",")?;
        let default = self.label()?;
        self.expect("[")?;
        let mut cases = Vec::new();
        while !self.accept("]") {
            if self.int_type()? != width {
                return Err(self.error("a case of another type"));
            }
            let value = self.integer(width)?;
            self.expect(",")?;
            cases.push((value, self.label()?));
        }
        Ok(Insn::Switch { width, operand, default, cases })
    }
}

/// Punctuation, and the words between; a quoted name loses its quotes.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut is_quoted = false;
    for c in text.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => word.push(c),
            ',' | '(' | ')' | '[' | ']' | '{' | '}' | '=' => {
                tokens.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                tokens.push(c.to_string());
            }
            _ if c.is_whitespace() => tokens.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            _ => word.push(c),
        }
    }
    tokens.extend((!word.is_empty()).then_some(word));
    tokens
}
