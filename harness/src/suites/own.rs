//! Our own programs in `riscv-tests/own`: assembly whose comments say what must become of it.
//!
//! ```text
//! # clauses: MAP-1 TRAP-4            what it is evidence for
//! # kernel: none | user | both       default none: machine mode
//! # stdin: TEXT   # stdout: TEXT
//! # case NAME: END                   one program per case, compiled with -DCASE_NAME
//! END is  exit CODE | pause CODE | fault CAUSE ADDRESS MODE
//! ```
//! ADDRESS is a number or a label; pc of the report must be the label `here`, and the user pc the
//! label `culprit` where there is one. Without cases the end is `exit 0`.

use std::path::{Path, PathBuf};

use goblin::elf::Elf;
use lockstep::ecall::Halt;
use lockstep::map::{Addr, Mode};
use lockstep::trap::Cause;

use super::compile::{self, Source};
use super::{End, Error, Program, Test};

/// What the comments of a program say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// The clauses it cites.
    pub clauses: Vec<String>,
    /// Whether it is built for machine mode.
    pub is_for_machine: bool,
    /// Whether it is built for user mode under the default kernel.
    pub is_for_user: bool,
    /// Its standard input.
    pub stdin: Vec<u8>,
    /// The standard output it must have.
    pub stdout: Option<Vec<u8>>,
    /// Its cases, with the text of their ends.
    pub cases: Vec<(String, String)>,
}

/// The tests of `source`, compiled into `folder`.
///
/// # Errors
/// Comments that say nothing sensible, or a source that does not compile.
pub fn tests(root: &Path, suite: &str, source: &Path, folder: &Path) -> Result<Vec<Test>, Error> {
    let text = std::fs::read_to_string(source).map_err(|error| Error::file(source, error))?;
    let said = directives(&text).map_err(|problem| Error::file(source, problem))?;
    let stem = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut tests = Vec::new();
    for (case, end) in cases(&said) {
        for mode in modes(&said) {
            let name = test_name(&stem, case.as_deref(), mode, &said);
            let elf = folder.join(format!("{}.elf", name.replace('/', "-")));
            compile::compile(root, &plan(source, &elf, case.as_deref(), mode))?;
            let end = parse_end(&end, &elf).map_err(|problem| Error::file(source, problem))?;
            let program = match mode {
                Mode::Machine => Program::MachineElf(elf),
                Mode::User => Program::UserElf(elf),
            };
            let (stdin, stdout, clauses) = (said.stdin.clone(), said.stdout.clone(), said.clauses.clone());
            tests.push(Test { suite: suite.into(), name, program, end, stdin, stdout, clauses });
        }
    }
    Ok(tests)
}

fn cases(said: &Directives) -> Vec<(Option<String>, String)> {
    if said.cases.is_empty() {
        return vec![(None, "exit 0".into())];
    }
    said.cases.iter().map(|(name, end)| (Some(name.clone()), end.clone())).collect()
}

fn modes(said: &Directives) -> Vec<Mode> {
    let wanted = [(said.is_for_machine, Mode::Machine), (said.is_for_user, Mode::User)];
    wanted.into_iter().filter_map(|(is_wanted, mode)| is_wanted.then_some(mode)).collect()
}

fn test_name(stem: &str, case: Option<&str>, mode: Mode, said: &Directives) -> String {
    let case = case.map(|case| format!("/{case}")).unwrap_or_default();
    let suffix = if said.is_for_machine && mode == Mode::User { "-user" } else { "" };
    format!("{stem}{case}{suffix}")
}

fn plan(source: &Path, elf: &Path, case: Option<&str>, mode: Mode) -> Source {
    let mut defines: Vec<String> = case.map(|case| format!("CASE_{case}")).into_iter().collect();
    if mode == Mode::User {
        defines.push("LOCKSTEP_USER".into());
    }
    Source { source: source.into(), elf: elf.into(), includes: Vec::new(), defines, arch: compile::RV32IM }
}

/// Reads the comments of a program.
///
/// # Errors
/// A directive that is none, as a sentence.
pub fn directives(text: &str) -> Result<Directives, String> {
    let mut said = Directives { is_for_machine: true, ..Directives::default() };
    for line in text.lines().filter_map(|line| line.strip_prefix("# ")) {
        let Some((key, value)) = line.split_once(": ") else { continue };
        match key {
            "clauses" => said.clauses.extend(value.split_whitespace().map(String::from)),
            "kernel" => (said.is_for_machine, said.is_for_user) = kernels(value)?,
            "stdin" => said.stdin = value.into(),
            "stdout" => said.stdout = Some(value.into()),
            _ => {
                if let Some(name) = key.strip_prefix("case ") {
                    said.cases.push((name.into(), value.into()));
                }
            }
        }
    }
    if said.clauses.is_empty() {
        return Err("no line `# clauses: ...` says what it is evidence for".into());
    }
    Ok(said)
}

fn kernels(value: &str) -> Result<(bool, bool), String> {
    match value {
        "none" => Ok((true, false)),
        "user" => Ok((false, true)),
        "both" => Ok((true, true)),
        other => Err(format!("kernel is none, user or both, not {other}")),
    }
}

fn parse_end(text: &str, elf: &Path) -> Result<End, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let code = |word: &str| word.parse().map_err(|_| format!("{word} is no exit code from 0 to 65535"));
    match words[..] {
        ["exit", user_exit] => Ok(End::exit(code(user_exit)?)),
        ["pause", user_exit] => {
            Ok(End::Terminate { halt: Halt::Paused, user_exit: code(user_exit)?, registers: Vec::new() })
        }
        ["fault", cause, addr, mode] => fault(cause, addr, mode, elf),
        _ => Err(format!("`{text}` is no end; write exit CODE, pause CODE or fault CAUSE ADDRESS MODE")),
    }
}

fn fault(cause: &str, addr: &str, mode: &str, elf: &Path) -> Result<End, String> {
    let labels = Labels::of(elf)?;
    let cause =
        Cause::ALL.into_iter().find(|known| known.name() == cause).ok_or(format!("{cause} is no cause (TRAP-1)"))?;
    let pc = labels.address("here").ok_or("the label `here` is missing")?;
    let addr =
        number(addr).or_else(|| labels.address(addr)).ok_or(format!("{addr} is neither a number nor a label"))?;
    let (mode, user_pc) = match mode {
        "user" => (Mode::User, Some(pc)),
        "machine" => (Mode::Machine, labels.address("culprit")),
        other => return Err(format!("{other} is no mode")),
    };
    Ok(End::Fault { cause, addr, pc, mode, user_pc })
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The labels of an ELF file.
pub struct Labels(Vec<(String, Addr)>);

impl Labels {
    /// The labels of the file at `path`.
    ///
    /// # Errors
    /// It is no ELF file, as a sentence.
    pub fn of(path: &Path) -> Result<Labels, String> {
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        Labels::parse(&bytes)
    }

    /// The labels of an ELF file's bytes.
    ///
    /// # Errors
    /// It is no ELF file, as a sentence.
    pub fn parse(bytes: &[u8]) -> Result<Labels, String> {
        let elf = Elf::parse(bytes).map_err(|error| error.to_string())?;
        let named =
            |symbol: goblin::elf::Sym| Some((elf.strtab.get_at(symbol.st_name)?.to_string(), symbol.st_value as Addr));
        Ok(Labels(elf.syms.iter().filter_map(named).collect()))
    }

    /// The address of `name`.
    pub fn address(&self, name: &str) -> Option<Addr> {
        self.0.iter().find(|(label, _)| label == name).map(|(_, addr)| *addr)
    }
}

/// Where the programs lie.
pub fn folder(root: &Path) -> PathBuf {
    root.join("riscv-tests").join("own")
}
