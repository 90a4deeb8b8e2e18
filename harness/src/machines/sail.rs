//! The official Sail model's simulator: a program on PATH, driven by its command line.
//!
//! Two generations are known, which differ in their options, their configuration and a little in their
//! trace: that of June 2025 (`riscv_sim_rv32d`) and that of July 2026 (`sail_riscv_sim`).
//! The simulator runs an ELF file in machine mode and writes what it did; [`parse`] reads that.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lockstep::isa::Reg;
use lockstep::map::{Addr, Mode};
use lockstep::trace::{MemAccess, RegAccess, Retired};
use serde_json::{Value, json};
use xshell::{Shell, cmd};

use super::log::{Log, bare, hex, link};
use super::process::{find_program, run_to_end};
use crate::machine::{Failure, cause_of};

/// The programs that are looked for on PATH, the newest first.
pub const PROGRAMS: [&str; 4] = ["sail_riscv_sim", "riscv_sim_rv32d", "riscv_sim_RV32", "riscv_sim_rv32"];

/// Why the simulator is skipped where it is not.
pub const NOT_INSTALLED: &str = "sail_riscv_sim not installed";

/// How options are spelled, and what the configuration looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// June 2025: traces by default, short options.
    Old,
    /// July 2026: long options, the width from the configuration.
    New,
}

/// The simulator.
#[derive(Clone, Debug)]
pub struct Sail {
    program: PathBuf,
    /// Its generation.
    pub generation: Generation,
    /// What it says of its version.
    pub version: String,
}

/// What a run of the simulator came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its steps.
    pub log: Log,
    /// What the program reported by `tohost`: `Some(0)` success, `Some(n)` the number of a failed test,
    /// `None` when it reached the limit. (The exit code does not tell these apart.)
    pub result: Option<u32>,
}

/// Nothing that these simulators do with a short program takes this long.
const PATIENCE: Duration = Duration::from_secs(120);
const PROBE_PATIENCE: Duration = Duration::from_secs(10);

impl Sail {
    /// The simulator on PATH, if there is one.
    ///
    /// # Errors
    /// It is there and does not answer.
    pub fn find() -> Result<Option<Sail>, Failure> {
        PROGRAMS.iter().find_map(|name| find_program(name)).map(Sail::at).transpose()
    }

    /// The simulator `program`.
    ///
    /// # Errors
    /// It does not start, or is no generation that is known.
    pub fn at(program: PathBuf) -> Result<Sail, Failure> {
        let ask = |option: &str| {
            let finished = run_to_end("sail", Command::new(&program).arg(option), b"", PROBE_PATIENCE)?;
            let text = [finished.stdout, finished.stderr].concat();
            Ok::<_, Failure>((finished.code, String::from_utf8_lossy(&text).trim().to_string()))
        };
        if let (Some(0), version) = ask("--version")?
            && version.contains(|c: char| c.is_ascii_digit())
        {
            return Ok(Sail { program, generation: Generation::New, version });
        }
        let (_, help) = ask("--help")?;
        if help.contains("--no-trace") {
            return Ok(Sail { program, generation: Generation::Old, version: "of 2025 or before".into() });
        }
        Err(Failure::Garbled("sail: neither --version nor --help tells which generation it is".into()))
    }

    /// Runs `elf` for at most `limit` steps; `folder` takes the configuration and the trace.
    ///
    /// # Errors
    /// The simulator does not start, dies, hangs, or its trace cannot be read.
    pub fn run(&self, elf: &Path, entry: Addr, limit: u64, folder: &Path) -> Result<Run, Failure> {
        let io = |error: &dyn std::fmt::Display| Failure::Start(format!("sail: {}: {error}", folder.display()));
        let shell = Shell::new().map_err(|error| io(&error))?;
        let (config, trace) = (folder.join("sail.json"), folder.join("sail.trace"));
        shell.write_file(&config, self.configuration()?.to_string()).map_err(|error| io(&error))?;
        let arguments = arguments(self.generation, &config, &trace, limit);
        let program = &self.program;
        let mut command = Command::from(cmd!(shell, "{program} {arguments...} {elf}"));
        let finished = run_to_end("sail", &mut command, b"", PATIENCE)?;
        let said = String::from_utf8_lossy(&[finished.stdout, finished.stderr].concat()).into_owned();
        let text = shell.read_file(&trace).map_err(|_| {
            let last = said.lines().last().unwrap_or("nothing");
            Failure::Died(format!("sail wrote no trace; it ended with {:?} and said: {last}", finished.code))
        })?;
        let steps = parse(&text).map_err(|line| Failure::Garbled(format!("sail: {line}")))?;
        Ok(Run { log: Log::from_entry(steps, entry), result: result(&said) })
    }

    /// Our machine in the simulator's words, over its own defaults.
    fn configuration(&self) -> Result<Value, Failure> {
        let mut command = Command::new(&self.program);
        command.arg("--print-default-config");
        if self.generation == Generation::New {
            command.arg("--rv32");
        }
        let finished = run_to_end("sail", &mut command, b"", PROBE_PATIENCE)?;
        let defaults = serde_json::from_slice(&finished.stdout).unwrap_or_else(|_| json!({}));
        Ok(configured(defaults, self.generation))
    }
}

/// The options for a run of at most `limit` steps with its trace in a file.
pub fn arguments(generation: Generation, config: &Path, trace: &Path, limit: u64) -> Vec<String> {
    let (config, trace, limit) = (config.display().to_string(), trace.display().to_string(), limit.to_string());
    let words = match generation {
        Generation::Old => vec!["-c", &config, "-l", &limit, "--trace-output", &trace],
        Generation::New => {
            let what = ["--trace-instr", "--trace-gpr", "--trace-mem", "--trace-exception"];
            let how = ["--config", &config, "--inst-limit", &limit, "--trace-output", &trace];
            [&how[..], &what[..]].concat()
        }
    };
    words.into_iter().map(String::from).collect()
}

/// `defaults` with our machine's map and instruction set: RV32IM, no misaligned access, memory from
/// 0x0001_0000 to 0xFEFF_FFFF (MAP-2, MAP-3).
pub fn configured(mut defaults: Value, generation: Generation) -> Value {
    const START: u64 = 0x0001_0000;
    const SIZE: u64 = 0xFEFF_0000;
    if let Some(extensions) = defaults.get_mut("extensions").and_then(Value::as_object_mut) {
        for (name, extension) in extensions {
            let is_ours = ["M", "Zicsr", "U", "Svbare"].contains(&name.as_str());
            if extension.get("supported").is_some() {
                extension["supported"] = json!(is_ours);
            }
        }
    }
    let ours = match generation {
        Generation::Old => json!({
            "base": { "writable_misa": false },
            "memory": { "pmp": { "count": 0 }, "misaligned": { "supported": false } },
            "platform": {
                "ram": { "base": START, "size": SIZE },
                "rom": { "base": 0x1000, "size": 0x1000 },
                "clint": { "base": 0xFF01_0000_u64 },
            },
        }),
        Generation::New => json!({
            "base": { "xlen": 32, "writable_misa": false },
            "memory": {
                "pmp": { "count": 0 },
                "misaligned": { "exceptions": { "load_store": { "Some": "AlignmentException" } } },
                "regions": [region(&defaults, START, SIZE)],
            },
            "platform": { "clint": { "supported": false } },
        }),
    };
    merge(&mut defaults, ours);
    defaults
}

/// A region of main memory: the attributes of the default's first region of that type, with our bounds.
fn region(defaults: &Value, base: u64, size: u64) -> Value {
    let regions = defaults["memory"]["regions"].as_array();
    let main =
        regions.and_then(|regions| regions.iter().find(|region| region["attributes"]["mem_type"] == "MainMemory"));
    let mut region = main.cloned().unwrap_or_else(|| json!({ "attributes": { "mem_type": "MainMemory" } }));
    merge(&mut region, json!({ "base": base, "size": size }));
    region
}

/// Lays `over` over `value`: objects are merged, everything else is replaced.
fn merge(value: &mut Value, over: Value) {
    match (value.as_object_mut(), over) {
        (Some(fields), Value::Object(over)) => {
            for (name, over) in over {
                merge(fields.entry(name).or_insert(Value::Null), over);
            }
        }
        (_, over) => *value = over,
    }
}

/// What the program reported: `SUCCESS`, or `FAILURE: n`.
fn result(said: &str) -> Option<u32> {
    let failure = said.lines().find_map(|line| line.split_once("FAILURE: ")?.1.trim().parse().ok());
    failure.or_else(|| said.contains("SUCCESS").then_some(0))
}

/// The steps of a trace.
///
/// An instruction line is followed by what the instruction did; the fetch lines before it do not count.
/// A step that trapped has its cause; of a fetch that trapped there is no instruction line, and its pc is
/// that of the trap value.
///
/// # Errors
/// The first line that cannot be read.
pub fn parse(trace: &str) -> Result<Vec<Retired>, String> {
    let mut steps: Vec<Retired> = Vec::new();
    // Whether an instruction line came since the last trap: a second trap is that of a fetch.
    let mut is_open = false;
    for (number, line) in trace.lines().enumerate() {
        let wrong = || format!("line {}: {line}", number + 1);
        match event(line).map_err(|()| wrong())? {
            Event::Instruction { pc, insn, mode } => {
                steps.push(bare(pc, insn, mode));
                is_open = true;
            }
            Event::Register(rd) => last(&mut steps).ok_or_else(wrong)?.rd = Some(rd),
            Event::Memory(mem) => last(&mut steps).ok_or_else(wrong)?.mem = Some(mem),
            Event::Trap { cause, .. } if is_open => {
                last(&mut steps).ok_or_else(wrong)?.trap = cause_of(cause);
                is_open = false;
            }
            Event::Trap { cause, value } => {
                steps.push(Retired { trap: cause_of(cause), ..bare(value, 0, Mode::Machine) });
            }
            Event::Other => {}
        }
    }
    link(&mut steps);
    Ok(steps)
}

fn last(steps: &mut [Retired]) -> Option<&mut Retired> {
    steps.last_mut()
}

/// What one line of a trace says.
enum Event {
    Instruction { pc: Addr, insn: u32, mode: Mode },
    Register(RegAccess),
    Memory(MemAccess),
    Trap { cause: u32, value: u32 },
    Other,
}

/// Reads one line. Lines of other kinds (CSRs, the clock, fetches, blank ones) do not count.
fn event(line: &str) -> Result<Event, ()> {
    let line = line.trim_end();
    if line.starts_with('[') {
        return instruction(line).ok_or(());
    }
    if let Some(access) = line.strip_prefix("mem[R,").or(line.strip_prefix("mem[W,")) {
        return memory(access).map(Event::Memory).ok_or(());
    }
    if let Some(trap) = line.strip_prefix("handling exc#") {
        return trapped(trap).ok_or(());
    }
    match line.strip_prefix('x').and_then(|rest| rest.split_once(" <- ")) {
        Some((register, value)) => {
            let reg = register.parse().ok().filter(|&n: &u32| n < 32).map(Reg::new);
            let value = hex(value);
            reg.zip(value).map(|(reg, value)| Event::Register(RegAccess { reg, value })).ok_or(())
        }
        None => Ok(Event::Other),
    }
}

/// `[12] [M]: 0x0001001C (0x00642023) sw x6, 0x0(x8)`
fn instruction(line: &str) -> Option<Event> {
    let (head, rest) = line.split_once("]: ")?;
    let mode = if head.ends_with("[U") { Mode::User } else { Mode::Machine };
    let (pc, rest) = rest.split_once(" (")?;
    let (insn, _) = rest.split_once(')')?;
    Some(Event::Instruction { pc: hex(pc)?, insn: hex(insn)?, mode })
}

/// `0x000010110] <- 0x12345678`: the digits of the value tell the width.
fn memory(access: &str) -> Option<MemAccess> {
    let (addr, rest) = access.split_once("] ")?;
    let is_store = rest.starts_with("<-");
    let value = rest.strip_prefix("<- ").or(rest.strip_prefix("-> "))?;
    let mask = ((1u16 << ((value.len() - 2) / 2)) - 1) as u8;
    let (addr, data) = (hex(addr)?, hex(value)?);
    Some(match is_store {
        true => MemAccess { addr, wmask: mask, wdata: data, ..MemAccess::default() },
        false => MemAccess { addr, rmask: mask, rdata: data, ..MemAccess::default() },
    })
}

/// `0x0B at priv M with tval 0x00000000`
fn trapped(text: &str) -> Option<Event> {
    let (cause, rest) = text.split_once(' ')?;
    let (_, value) = rest.split_once("tval ")?;
    Some(Event::Trap { cause: hex(cause)?, value: hex(value)? })
}
