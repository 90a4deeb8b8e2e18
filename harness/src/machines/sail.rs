//! The official Sail model's simulator: a program on PATH, driven by its command line.
//!
//! Two generations of options are known: one writes its trace unless told not to (`riscv_sim_rv32d` until June 2025 and
//! the first `sail_riscv_sim`), the other only what it is told to (`sail_riscv_sim` of 2026). The configuration changed
//! more often: ours is the simulator's own default with only those fields changed that it has.
//! The simulator runs an ELF file in machine mode and writes what it did; [`parse`] reads that.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lockstep::isa::Reg;
use lockstep::map::{Addr, Mode};
use lockstep::trace::{MemAccess, RegAccess, Retired};
use serde_json::{Value, json};
use xshell::{Shell, cmd};

use super::log::{Log, bare, hex, link};
use super::process::{Process, find_program, patience, run_to_end};
use super::rvfi::Client;
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
    /// What it says of its options.
    help: String,
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

/// How long a simulator may take to say what it is.
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
        let (code, version) = ask("--version")?;
        let has_version = code == Some(0) && version.contains(|c: char| c.is_ascii_digit());
        let (_, help) = ask("--help")?;
        // `--version` alone does not tell: a simulator of 2025 has it, and traces by default.
        let generation = match () {
            () if help.contains("--trace-instr") => Generation::New,
            () if help.contains("--no-trace") => Generation::Old,
            () if has_version => Generation::New,
            () => {
                return Err(Failure::Garbled("sail: neither --version nor --help tells which generation it is".into()));
            }
        };
        let version = if has_version { version } else { "of 2025 or before".into() };
        Ok(Sail { program, generation, version, help })
    }

    /// Runs `elf` for at most `limit` steps; `folder` takes the configuration and the trace.
    ///
    /// # Errors
    /// The simulator does not start, dies, hangs, or its trace cannot be read.
    pub fn run(&self, elf: &Path, entry: Addr, limit: u64, folder: &Path) -> Result<Run, Failure> {
        let io = |error: &dyn std::fmt::Display| Failure::Start(format!("sail: {}: {error}", folder.display()));
        let shell = Shell::new().map_err(|error| io(&error))?;
        let (config, trace) = (folder.join("sail.json"), folder.join("sail.trace"));
        let ours = self.configuration()?;
        shell.write_file(&config, ours.to_string()).map_err(|error| io(&error))?;
        let arguments = arguments(self.generation, &self.help, &config, &trace, limit);
        let program = &self.program;
        let mut command = Command::from(cmd!(shell, "{program} {arguments...} {elf}"));
        let finished = run_to_end("sail", &mut command, b"", patience())?;
        let said = String::from_utf8_lossy(&[finished.stdout, finished.stderr].concat()).into_owned();
        let text = shell.read_file(&trace).map_err(|_| {
            let last = said.lines().last().unwrap_or("nothing");
            Failure::Died(format!("sail wrote no trace; it ended with {:?} and said: {last}", finished.code))
        })?;
        let steps = parse(&text).map_err(|line| Failure::Garbled(format!("sail: {line}")))?;
        let mut log = Log::from_entry(steps.clone(), entry);
        if self.generation == Generation::New && steps.first().is_some_and(|step| step.pc == entry) {
            // No boot code: the registers of the boot protocol are set, a0 the hart's number, a1 the device tree.
            log.registers[Reg::new(11).index()] = device_tree(&ours);
        }
        Ok(Run { log, result: result(&said) })
    }

    /// Our machine in the simulator's words, over its own defaults.
    fn configuration(&self) -> Result<Value, Failure> {
        let mut command = Command::new(&self.program);
        command.arg("--print-default-config");
        if self.generation == Generation::New {
            command.arg("--rv32");
        }
        let finished = run_to_end("sail", &mut command, b"", PROBE_PATIENCE)?;
        let text = without_comments(&String::from_utf8_lossy(&finished.stdout));
        let defaults = serde_json::from_str(&text).unwrap_or_else(|_| json!({}));
        Ok(configured(defaults, self.generation))
    }

    /// Starts the simulator as a server that is told each instruction (`rvfi.rs`).
    ///
    /// # Errors
    /// It does not start, or does not listen.
    pub fn instructions(&self, folder: &Path) -> Result<(Process, Client), Failure> {
        let io = |error: std::io::Error| Failure::Start(format!("sail: {}: {error}", folder.display()));
        let config = folder.join("sail-rvfi.json");
        std::fs::write(&config, self.configuration()?.to_string()).map_err(io)?;
        // A port that was free a moment ago.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).map_err(io)?.port();
        let (take_config, listen) = match self.generation {
            Generation::Old => ("-c", "-r"),
            Generation::New => ("--config", "--rvfi-dii"),
        };
        let mut command = Command::new(&self.program);
        command.arg(take_config).arg(&config).arg(listen).arg(port.to_string());
        let process = Process::start("sail", &mut command, |_| None, PROBE_PATIENCE)?;
        let client = Client::connect("sail", port, PROBE_PATIENCE)?;
        Ok((process, client))
    }
}

/// Where the device tree would be.
fn device_tree(config: &Value) -> u32 {
    let at = &config["memory"]["dtb_address"];
    let text = at["value"].as_str().and_then(|text| hex(&text.replace('_', "")));
    text.or_else(|| at.as_u64().and_then(|at| at.try_into().ok())).unwrap_or(0)
}

/// JSON without the `//` comments that the simulator's own defaults have.
fn without_comments(text: &str) -> String {
    let (mut kept, mut in_string, mut rest) = (String::new(), false, text.chars().peekable());
    while let Some(c) = rest.next() {
        match c {
            '\\' if in_string => kept.extend([Some(c), rest.next()].into_iter().flatten()),
            '/' if !in_string && rest.peek() == Some(&'/') => {
                kept.push('\n');
                rest.by_ref().take_while(|c| *c != '\n').for_each(drop);
            }
            _ => {
                in_string ^= c == '"';
                kept.push(c);
            }
        }
    }
    kept
}

/// The options for a run of at most `limit` steps with its trace in a file, for the simulator whose `help` this is.
pub fn arguments(generation: Generation, help: &str, config: &Path, trace: &Path, limit: u64) -> Vec<String> {
    let (config, trace, limit) = (config.display().to_string(), trace.display().to_string(), limit.to_string());
    // Some releases have only the wider option.
    let or_wider =
        |option: &'static str, wider| if help.contains(wider) && !help.contains(option) { wider } else { option };
    let words = match generation {
        Generation::Old => vec!["-c", &config, "-l", &limit, "--trace-output", &trace],
        Generation::New => {
            let (registers, traps) =
                (or_wider("--trace-gpr", "--trace-reg"), or_wider("--trace-exception", "--trace-platform"));
            let what = ["--trace-instr", registers, "--trace-mem", traps];
            let how = ["--config", &config, "--inst-limit", &limit, "--trace-output", &trace];
            [&how[..], &what[..]].concat()
        }
    };
    words.into_iter().map(String::from).collect()
}

/// Our memory (MAP-2, MAP-3), and behind it room for devices that cannot be switched off.
const START: u64 = 0x0001_0000;
const SIZE: u64 = 0xFEFF_0000;
const DEVICES: u64 = START + SIZE;
const DEVICES_SIZE: u64 = 0x0100_0000;

/// `defaults` with our machine's map and instruction set: RV32IM, no misaligned access, memory from
/// 0x0001_0000 to 0xFEFF_FFFF. Only fields that are there are changed: a simulator refuses others.
pub fn configured(mut defaults: Value, generation: Generation) -> Value {
    if defaults.as_object().is_none_or(|fields| fields.is_empty()) {
        defaults = skeleton(generation);
    }
    only_our_extensions(&mut defaults);
    let clint = DEVICES + 0x1_0000;
    let changes = [
        ("/base/xlen", json!(32)),
        ("/base/writable_misa", json!(false)),
        ("/memory/pmp/count", json!(0)),
        ("/memory/pmp/usable_count", json!(0)),
        ("/memory/misaligned/supported", json!(false)),
        ("/memory/misaligned/exceptions/load_store", json!({ "Some": "AlignmentException" })),
        ("/platform/ram/base", json!(START)),
        ("/platform/ram/size", json!(SIZE)),
        ("/platform/rom/base", json!(0x1000)),
        ("/platform/rom/size", json!(0x1000)),
        ("/platform/clint/base", json!(clint)),
        ("/platform/clint/supported", json!(false)),
        ("/platform/plic/supported", json!(false)),
        ("/platform/uart/supported", json!(false)),
        ("/platform/simple_interrupt_generator/supported", json!(false)),
    ];
    for (path, value) in changes {
        if let Some(field) = defaults.pointer_mut(path) {
            *field = like(field, value);
        }
    }
    let regions = regions(&defaults);
    if let Some(field) = defaults.pointer_mut("/memory/regions") {
        *field = Value::Array(regions);
    }
    defaults
}

/// What has to be said to a simulator that does not print its defaults.
fn skeleton(generation: Generation) -> Value {
    match generation {
        Generation::Old => json!({
            "base": { "writable_misa": false },
            "memory": { "pmp": { "count": 0 }, "misaligned": { "supported": false } },
            "platform": { "ram": { "base": 0, "size": 0 }, "rom": { "base": 0, "size": 0 }, "clint": { "base": 0 } },
        }),
        Generation::New => json!({
            "base": { "xlen": 32, "writable_misa": false },
            "memory": {
                "pmp": { "count": 0 },
                "misaligned": { "exceptions": { "load_store": null } },
                "regions": [{ "base": 0, "size": 0, "attributes": { "mem_type": "MainMemory" } }],
            },
            "platform": { "clint": { "supported": false } },
        }),
    }
}

fn only_our_extensions(defaults: &mut Value) {
    let Some(extensions) = defaults.get_mut("extensions").and_then(Value::as_object_mut) else { return };
    for (name, extension) in extensions {
        let is_ours = ["M", "Zicsr", "U", "Svbare"].contains(&name.as_str());
        if extension.get("supported").is_some() {
            extension["supported"] = json!(is_ours);
        }
        // The vector extension has levels instead.
        if extension.get("support_level").is_some() {
            extension["support_level"] = json!("Disabled");
        }
    }
}

/// A number in the form of the old one: some releases write addresses as `{ "len": 64, "value": "0x1000" }`.
fn like(old: &Value, new: Value) -> Value {
    match (old.get("len"), new.as_u64()) {
        (Some(len), Some(number)) => json!({ "len": len, "value": format!("0x{number:x}") }),
        _ => new,
    }
}

/// Our memory with the attributes of the default's main memory; what lies below it, where the boot ROM is; and, if the
/// clock cannot be switched off, its devices behind our memory.
fn regions(config: &Value) -> Vec<Value> {
    let defaults = config["memory"]["regions"].as_array().cloned().unwrap_or_default();
    let flag = |region: &Value, name: &str| region["attributes"][name].as_bool().unwrap_or(false);
    let is_main = |region: &&Value| {
        region["attributes"]["mem_type"] == "MainMemory" || (flag(region, "executable") && flag(region, "writable"))
    };
    let at = |region: &Value, base: u64, size: u64| {
        let mut region = region.clone();
        (region["base"], region["size"]) = (like(&region["base"], json!(base)), like(&region["size"], json!(size)));
        region
    };
    let is_low = |region: &&Value| address(&region["base"]) + address(&region["size"]) <= START;
    let mut regions: Vec<Value> = defaults.iter().filter(is_low).filter(|region| !is_main(region)).cloned().collect();
    regions.extend(defaults.iter().find(is_main).map(|main| at(main, START, SIZE)));
    if config.pointer("/platform/clint/base").is_some() && config.pointer("/platform/clint/supported").is_none() {
        let is_device = |region: &&Value| !is_main(region) && !is_low(region);
        regions.extend(defaults.iter().find(is_device).map(|devices| at(devices, DEVICES, DEVICES_SIZE)));
    }
    regions
}

fn address(value: &Value) -> u64 {
    let digits = |text: &str| u64::from_str_radix(text.replace('_', "").trim_start_matches("0x"), 16).ok();
    value.as_u64().or_else(|| value["value"].as_str().and_then(digits)).unwrap_or(u64::MAX / 2)
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

/// `0x0B at priv M with tval 0x00000000`, or of late `m-call at priv M | tval=0x00000000 | tval2=...`.
fn trapped(text: &str) -> Option<Event> {
    let (cause, rest) = text.split_once(' ')?;
    let name = cause.trim_start_matches("software-").trim_start_matches("hardware-");
    let cause = hex(cause).or_else(|| NAMES.iter().position(|known| *known == name).map(|number| number as u32))?;
    let (_, value) = rest.split_once("tval").filter(|(_, value)| value.starts_with([' ', '=']))?;
    let value = value[1..].split([' ', '|']).next()?;
    Some(Event::Trap { cause, value: hex(value)? })
}

/// The simulator's names of the causes, by number.
const NAMES: [&str; 12] = [
    "misaligned-fetch",
    "fetch-access-fault",
    "illegal-instruction",
    "breakpoint",
    "misaligned-load",
    "load-access-fault",
    "misaligned-store/amo",
    "store/amo-access-fault",
    "u-call",
    "s-call",
    "vs-call",
    "m-call",
];
