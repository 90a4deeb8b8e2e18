//! The solvers: processes that read SMT-LIB text, from pinned packages in a virtual environment.
//!
//! An answer is kept under the hash of its query, the solver's name and its version, and is not
//! asked for again. Nothing but `sat` and `unsat` is an answer.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::query::Query;
use super::term::Values;

/// A solver and its version, as pinned in requirements.txt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solver {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// The solvers that decide bit-vectors.
pub const SOLVERS: [Solver; 3] = [
    Solver { name: "bitwuzla", version: "0.9.1" },
    Solver { name: "cvc5", version: "1.4.2" },
    Solver { name: "z3", version: "5.4.0.0" },
];

/// What a solver says about a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The solver's name.
    pub solver: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the query.
    pub query_sha256: String,
    /// Whether the probe is satisfiable, and the outputs there; `None` if the solver did not say.
    pub probe: Option<Values>,
    /// The verdict.
    pub verdict: Verdict,
    /// CPU seconds of the solver's process, with its start.
    pub cpu_seconds: f64,
    /// Whether the answer was kept from an earlier run.
    #[serde(skip)]
    pub is_cached: bool,
}

/// What came of the search for a counterexample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// There is none.
    Unsat,
    /// There is one: the values of the variables.
    Sat(Values),
    /// The solver did not decide: `unknown`, a timeout, or an error, in its own words.
    Undecided(String),
}

/// The solvers could not be run.
#[derive(Debug)]
pub enum SolverError {
    /// The virtual environment is missing or has other versions.
    Setup(String),
    /// A file could not be read or written.
    Io(PathBuf, io::Error),
}

impl fmt::Display for SolverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SolverError::Setup(reason) => {
                write!(f, "the solvers cannot be run ({reason}); `make formal-setup` installs them")
            }
            SolverError::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for SolverError {}

/// Where the solvers, the queries and the answers are.
#[derive(Clone, Debug)]
pub struct Workshop {
    python: PathBuf,
    dir: PathBuf,
    limit_s: u32,
    uses_cache: bool,
}

const DRIVER: &str = include_str!("solve.py");

impl Workshop {
    /// The workshop in `dir`, whose `venv` has the pinned solvers.
    ///
    /// # Errors
    /// [`SolverError`] when it has not.
    pub fn open(dir: &Path, limit_s: u32, uses_cache: bool) -> Result<Workshop, SolverError> {
        let dir = dir.to_path_buf();
        let workshop = Workshop { python: dir.join("venv/bin/python"), dir, limit_s, uses_cache };
        workshop.check_versions()?;
        let cache = workshop.dir.join("cache");
        fs::create_dir_all(&cache).map_err(|error| SolverError::Io(cache, error))?;
        Ok(workshop)
    }

    fn check_versions(&self) -> Result<(), SolverError> {
        let output = Command::new(&self.python).args(["-c", DRIVER, "--version"]).output();
        let output = output.map_err(|error| SolverError::Setup(format!("{}: {error}", self.python.display())))?;
        let installed = String::from_utf8_lossy(&output.stdout).into_owned();
        for Solver { name, version } in SOLVERS {
            if !installed.lines().any(|line| line == format!("{name} {version}")) {
                return Err(SolverError::Setup(format!(
                    "{name} {version} is not in {}",
                    self.dir.join("venv").display()
                )));
            }
        }
        Ok(())
    }

    /// Writes `query` to `name`.smt2.
    ///
    /// # Errors
    /// [`SolverError`] when the file cannot be written.
    pub fn publish(&self, name: &str, query: &Query) -> Result<(), SolverError> {
        write(&self.query_path(name), &query.text)
    }

    fn query_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.smt2"))
    }

    /// Has `solver` answer the query published as `name`.
    ///
    /// # Errors
    /// [`SolverError`] when the solver cannot be run; that it does not decide is an answer.
    pub fn ask(&self, solver: Solver, name: &str, query: &Query) -> Result<Answer, SolverError> {
        let path = self.query_path(name);
        let kept = self.cache_path(solver, query);
        if let Some(answer) = self.recall(&kept) {
            return Ok(answer);
        }
        let mut answer = self.run(solver, &path, query)?;
        if answer.verdict == Verdict::Sat(Values::new()) {
            // The values are asked for apart, because `get-value` is an error after `unsat`.
            let path = self.query_path(&format!("{name}.counterexample-{}", solver.name));
            write(&path, &query.with_values())?;
            answer = self.run(solver, &path, query)?;
        }
        if !matches!(answer.verdict, Verdict::Undecided(_)) {
            write(&kept, &serde_json::to_string_pretty(&answer).expect("an answer is plain data"))?;
        }
        Ok(answer)
    }

    fn cache_path(&self, solver: Solver, query: &Query) -> PathBuf {
        self.dir.join(format!("cache/{}-{}-{}.json", query.sha256(), solver.name, solver.version))
    }

    fn recall(&self, path: &Path) -> Option<Answer> {
        let text = self.uses_cache.then(|| fs::read_to_string(path).ok())??;
        let answer: Answer = serde_json::from_str(&text).ok()?;
        Some(Answer { is_cached: true, ..answer })
    }

    fn run(&self, solver: Solver, path: &Path, query: &Query) -> Result<Answer, SolverError> {
        let mut command = Command::new(&self.python);
        command.args(["-c", DRIVER, solver.name]).arg(path).arg(self.limit_s.to_string());
        let output = command.output().map_err(|error| SolverError::Io(self.python.clone(), error))?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let (probe, verdict, cpu_seconds) = read_answer(&stdout, query);
        let verdict = match (verdict, cpu_seconds) {
            (Some(verdict), Some(_)) => verdict,
            _ => Verdict::Undecided(self.excuse(&stdout, &output.stderr)),
        };
        Ok(Answer {
            solver: solver.name.to_string(),
            version: solver.version.to_string(),
            query_sha256: query.sha256(),
            probe,
            verdict,
            cpu_seconds: cpu_seconds.unwrap_or(f64::from(self.limit_s)),
            is_cached: false,
        })
    }

    fn excuse(&self, stdout: &str, stderr: &[u8]) -> String {
        let stderr = String::from_utf8_lossy(stderr);
        let words = stdout.lines().chain(stderr.lines()).rfind(|line| !line.trim().is_empty());
        format!("no verdict within {} CPU seconds; its last words: {}", self.limit_s, words.unwrap_or("none"))
    }
}

/// The probe's outputs, the verdict, and the CPU seconds.
fn read_answer(stdout: &str, query: &Query) -> (Option<Values>, Option<Verdict>, Option<f64>) {
    let mut probe = None;
    let mut verdict = None;
    let mut cpu_seconds = None;
    let mut section = String::new();
    let mut verdicts = 0;
    for line in stdout.lines().map(str::trim) {
        match line {
            "sat" | "unsat" if verdicts == 0 => {
                verdicts = 1;
                probe = (line == "sat").then(Values::new);
            }
            "sat" | "unsat" => {
                verdicts += 1;
                probe = probe.map(|_| values(&section));
                section.clear();
                verdict = Some(if line == "sat" { Verdict::Sat(Values::new()) } else { Verdict::Unsat });
            }
            _ => match line.strip_prefix("cpu ") {
                Some(seconds) => cpu_seconds = seconds.parse().ok(),
                None => section.push_str(line),
            },
        }
    }
    if let Some(Verdict::Sat(found)) = &mut verdict {
        found.extend(values(&section).into_iter().filter(|(name, _)| query.inputs.contains(name)));
    }
    (probe, verdict.filter(|_| verdicts == 2), cpu_seconds)
}

/// The pairs of a `get-value` answer: `((a #x0000002a) (b true))`.
fn values(text: &str) -> Values {
    let mut pairs = Values::new();
    let spaced = text.replace(['(', ')'], " ");
    let mut words = spaced.split_whitespace();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        let parsed = match value.split_at_checked(2) {
            Some(("#x", digits)) => u128::from_str_radix(digits, 16).ok(),
            Some(("#b", digits)) => u128::from_str_radix(digits, 2).ok(),
            _ => ["false", "true"].iter().position(|truth| *truth == value).map(|i| i as u128),
        };
        if let Some(value) = parsed {
            pairs.insert(name.to_string(), value);
        }
    }
    pairs
}

fn write(path: &Path, text: &str) -> Result<(), SolverError> {
    fs::write(path, text).map_err(|error| SolverError::Io(path.to_path_buf(), error))
}
