//! `lockstep gdb` on RISC Zero's published guests: a real gdb, symbols of both sides, ECALLs by name, the way back.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use common::{log_builder, loop_guest};

/// What gdb and the program print when `lockstep gdb` starts gdb on `program` with these `commands`.
fn session(program: &Path, args: &[&str], commands: &[&str]) -> String {
    // Both streams in one, in the order in which they were written.
    let mut lockstep = Command::new("sh");
    lockstep.args(["-c", "exec \"$0\" \"$@\" 2>&1", env!("CARGO_BIN_EXE_lockstep")]);
    lockstep.arg("gdb").arg(program).args(args).arg("--gdb-arg=-batch");
    for command in commands {
        lockstep.arg("--gdb-arg=-ex").arg(format!("--gdb-arg={command}"));
    }
    let output = lockstep.output().expect("the command runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether `text` has all of `parts`, in this order.
fn check_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part);
        assert!(at.is_some(), "{part} is missing, or not in its place:\n{text}");
        rest = &rest[at.unwrap_or(0) + part.len()..];
    }
}

/// A file of these bytes in the tests' own folder.
fn input(name: &str, bytes: &[u8]) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).expect("the file can be written");
    path.to_string_lossy().into_owned()
}

/// ELF-11: the program in the file comes over the wire, and its kernel beside it.
#[test]
fn both_sides_of_an_r0bf_file_have_symbols() {
    let said = session(
        &log_builder(),
        &["--input", "/dev/null"],
        &["info symbol main", "info symbol ecall_software", "tbreak ecall_software", "continue", "info threads"],
    );
    check_order(
        &said,
        &[
            "main in section .text",
            "ecall_software in section .text of target:/lockstep/",
            "\"kernel\"",
            "ecall_software",
        ],
    );
}

/// HOST-2: system calls by the names that RISC Zero gives them, forwards and backwards; an ECALL is one step.
#[test]
fn ecalls_are_caught_by_name() {
    let commands = [
        "catch-ecall read sys_getenv",
        "continue",
        "backtrace 3",
        "stepi",
        "continue",
        "reverse-continue",
        "monitor kernel on",
        "stepi",
        "print $mode",
        "monitor kernel off",
        "ecalls",
    ];
    let said = session(&log_builder(), &["--input", "/dev/null"], &commands);
    check_order(
        &said,
        &[
            "about to execute SYS_READ (t0 = 2) (0x0, 0x4, 0x1)",
            "#0  0x",
            "in sys_read_words ()",
            "risc0_zkvm::guest::env::read_frame",
            "in sys_read_words ()",
            "about to execute SYS_GETENV",
            "about to execute SYS_READ",
            "target:/lockstep/kernel-of-file.elf",
            "= machine",
            "SYS_RANDOM",
            "sys_rand",
        ],
    );
}

/// From a panic back to its cause: the debugger opens at the ECALL that ended the guest, with its own frames; the
/// result that was unwrapped came from a read of no bytes.
#[test]
fn a_panicking_guest_is_debugged_back_to_the_cause() {
    let commands =
        ["monitor fault", "backtrace", "catch-ecall read", "reverse-continue", "backtrace 2", "stepi", "print $a0"];
    let said = session(&log_builder(), &["--at-fault", "--input", "/dev/null"], &commands);
    check_order(
        &said,
        &[
            "in sys_panic ()",
            "machine ECALL refused",
            "user pc",
            "sys_panic",
            "#0  ",
            "in sys_panic ()",
            "core::result::unwrap_failed",
            "risc0_zkvm::guest::env::read_frame",
            "about to execute SYS_READ",
            "in sys_read_words ()",
            "read_frame",
            "= 0",
        ],
    );
    assert!(said.contains("guest panicked: called `Result::unwrap()`"), "{said}");
}

/// A guest in Rust with debugging information; without `core`, it needs nothing but the compiler and the linker.
fn ledger() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ledger");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let [object, elf] = ["ledger.o", "ledger.elf"].map(|name| folder.join(name));
    let flags = ["--edition=2021", "--crate-type=lib", "--emit=obj", "-g", "-Cpanic=abort", "-Awarnings"];
    let mut rustc = Command::new("rustc");
    // The items of the language that it declares are unstable, but those of the pinned compiler.
    rustc.env("RUSTC_BOOTSTRAP", "1").current_dir(&source).arg("--target=riscv32im-unknown-none-elf").args(flags);
    assert!(rustc.arg("ledger.rs").arg("-o").arg(&object).status().expect("rustc runs").success());
    let mut link = Command::new("riscv64-unknown-elf-gcc");
    link.args(["-march=rv32im", "-mabi=ilp32", "-nostdlib", "-Wl,-Ttext=0x00200800,-N,--no-warn-rwx-segments"]);
    let status = link.arg(source.join("start.s")).arg(&object).arg("-o").arg(&elf).status();
    assert!(status.expect("riscv64-unknown-elf-gcc runs; `make setup` installs it").success());
    elf
}

/// From a panic to the line that wrote the wrong value, and forwards again, with Rust's types: structs, variants,
/// text and references. The compiler's own printers for its library's types load, too.
#[test]
fn rust_types_lead_from_a_panic_to_its_cause() {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc runs").stdout;
    let sysroot = String::from_utf8(sysroot).expect("the path is UTF-8");
    let printers = format!("source {}/lib/rustlib/etc/gdb_load_rust_pretty_printers.py", sysroot.trim());
    let commands = [
        "backtrace",
        "frame function ledger::refuse",
        "print *entry",
        "frame function ledger::main",
        "print alice",
        &printers,
        "print _due",
        "watch -location carol.amount",
        "reverse-continue",
        "backtrace",
        "reverse-continue",
        "continue",
        "continue",
    ];
    let said = session(&ledger(), &["--kernel", "v1compat", "--at-fault"], &commands);
    check_order(
        &said,
        &[
            "in sys_panic ()",
            "in ledger::refuse (entry=",
            "in ledger::pay (entry=",
            "in ledger::pay (entry=",
            "in ledger::main () at ",
            "= ledger::Entry {who: \"carol\", amount: ledger::Amount::Nothing, next: ledger::Maybe<&ledger::Entry>::None}",
            "= ledger::Entry {who: \"alice\", amount: ledger::Amount::Notes{value: 10, count: 2}, next: ledger::Maybe<&ledger::Entry>::Some(0x",
            "= &[u32](size=2) = {5, 20}",
            "Old value = ledger::Amount::Nothing",
            "*amount = Amount::Nothing;",
            "in ledger::settle (amount=",
            "in ledger::main () at ",
            "New value = ledger::Amount::Coins(5)",
            "New value = ledger::Amount::Nothing",
        ],
    );
    assert!(said.contains("guest panicked: nothing to pay with"), "{said}");
}

/// The numbers of `RISC Zero: U user cycles, P paging, T total`, everywhere in `text`.
fn costs(text: &str) -> Vec<(u64, u64, u64)> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("RISC Zero: "));
    let numbers = lines.map(|line| {
        let numbers = line.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
        numbers.collect::<Vec<u64>>()
    });
    numbers.map(|numbers| (numbers[0], numbers[1], numbers[2])).collect()
}

/// COST-1 to COST-4: `monitor cycles` counts what `run --stats` counts, also after going back.
#[test]
fn cycles_are_those_of_a_run() {
    let count = input("count-1000", &1000_u32.to_le_bytes());
    let args = ["--kernel", "v1compat", "--input", &count];
    let commands = [
        "monitor stop-at-exit on",
        "monitor goto 1000",
        "monitor cycles",
        "monitor goto 800",
        "monitor cycles",
        "monitor goto 1000",
        "monitor cycles",
        "continue",
        "monitor cycles",
    ];
    let said = session(&loop_guest(), &args, &commands);
    let costs_on_the_way = costs(&said);
    let [at_1000, at_800, again, before_exit] = costs_on_the_way[..] else { panic!("{said}") };
    // A turn of the loop is two instructions of one cycle each.
    assert_eq!((at_1000.0 - at_800.0, at_1000), (200, again));
    let run =
        Command::new(env!("CARGO_BIN_EXE_lockstep")).arg("run").arg(loop_guest()).args(args).arg("--stats").output();
    let run = run.expect("the command runs");
    let [of_run] = costs(&String::from_utf8_lossy(&run.stderr))[..] else { panic!("one line of cycles") };
    // COST-2: the last step, terminate, takes two cycles.
    assert_eq!((before_exit.0 + 2, before_exit.1, before_exit.2), of_run);
}

/// Rust's types are shown as rust-gdb shows them, if the toolchain that is installed knows how.
#[test]
fn a_program_in_rust_has_its_printers() {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc builds this").stdout;
    let folder = Path::new(String::from_utf8_lossy(&sysroot).trim()).join("lib/rustlib/etc");
    let said = session(&log_builder(), &["--input", "/dev/null"], &["info pretty-printer"]);
    assert_eq!(said.contains("StdVec"), folder.join("gdb_lookup.py").is_file(), "{said}");
}

/// What the two extensions ask of a launch.json: their documentation names these properties as required.
fn check_launch(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join(".vscode/launch.json")).expect("launch.json was written");
    let launch: serde_json::Value = serde_json::from_str(&text).expect("launch.json is JSON");
    assert_eq!(launch["version"], "0.2.0");
    let configurations = launch["configurations"].as_array().expect("configurations are a list");
    let of_type = |name: &str| configurations.iter().find(|one| one["type"] == name).expect("both have one");
    for one in configurations {
        assert!(one["name"].is_string() && one["request"] == "launch", "{one}");
    }
    let (gdb, lldb) = (of_type("cppdbg"), of_type("lldb"));
    for property in ["program", "MIMode", "miDebuggerPath", "miDebuggerServerAddress", "cwd"] {
        assert!(gdb[property].is_string(), "{property}: {gdb}");
    }
    let commands = |name: &str| {
        let list = lldb[name].as_array().unwrap_or_else(|| panic!("{name}: {lldb}"));
        list.iter().map(|command| command.as_str().expect("a command is text").to_owned()).collect::<Vec<_>>()
    };
    let program = gdb["program"].as_str().expect("a path").to_owned();
    assert_eq!(commands("targetCreateCommands"), [format!("target create \"{program}\"")]);
    assert_eq!(
        commands("processCreateCommands"),
        [format!("gdb-remote {}", gdb["miDebuggerServerAddress"].as_str().expect("an address"))]
    );
    program
}

/// A debugger cannot read an R0BF file: the program in it is written where the editor finds it.
#[test]
fn an_editor_debugs_the_program_of_an_r0bf_file() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("vscode-{}", std::process::id()));
    let init = |file: &Path| {
        let mut lockstep = Command::new(env!("CARGO_BIN_EXE_lockstep"));
        lockstep.arg("init-vscode").arg(file).arg("--force").arg("--folder").arg(&folder);
        assert!(lockstep.status().expect("the command runs").success());
        check_launch(&folder)
    };
    let program = std::fs::read(init(&log_builder())).expect("the program was written");
    // An ELF file of 32 bits for RISC-V (machine 243).
    assert_eq!((&program[..5], program[18]), (&b"\x7fELF\x01"[..], 243));
    assert_eq!(init(Path::new("/not/built/yet.elf")), "/not/built/yet.elf");
}

/// A gdb that speaks its machine interface, as an editor's extension drives it.
struct Mi {
    gdb: Child,
    said: BufReader<ChildStdout>,
    count: u32,
}

impl Mi {
    fn new(gdb: &str) -> Mi {
        let mut gdb = Command::new(gdb);
        let gdb = gdb.args(["-nx", "--interpreter=mi"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut gdb = gdb.spawn().expect("gdb-multiarch is installed (make setup)");
        let said = BufReader::new(gdb.stdout.take().expect("stdout is a pipe"));
        Mi { gdb, said, count: 1000 }
    }

    /// What gdb says to `command`, up to its result, and up to the next stop if it resumed the program.
    fn ask(&mut self, command: &str) -> String {
        self.count += 1;
        let stdin = self.gdb.stdin.as_mut().expect("stdin is a pipe");
        writeln!(stdin, "{}{command}", self.count).expect("gdb reads its commands");
        let (mut text, mut is_running) = (String::new(), false);
        for line in self.said.by_ref().lines() {
            let line = line.expect("gdb's output is text");
            let result = line.strip_prefix(&format!("{}^", self.count)).map(str::to_owned);
            text += &(line + "\n");
            is_running |= result.as_ref().is_some_and(|result| result.starts_with("running"));
            if text.lines().last().is_some_and(|line| line.starts_with("*stopped")) && is_running
                || result.is_some() && !is_running
            {
                break;
            }
        }
        text
    }

    fn check(&mut self, command: &str, parts: &[&str]) {
        let said = self.ask(command);
        parts.iter().for_each(|part| assert!(said.contains(part), "{command}: no {part} in\n{said}"));
    }
}

impl Drop for Mi {
    fn drop(&mut self) {
        let _ = self.gdb.kill();
        let _ = self.gdb.wait();
    }
}

/// A program for the editor: a sum in a loop, and its ELF file.
fn summing() -> PathBuf {
    let source = "volatile int total;\nint add(int more) {\n    total += more;\n    return total;\n}\n\
                  void _start(void) {\n    for (int i = 1; i < 5; i++)\n        add(i);\n    for (;;)\n        ;\n}\n";
    let [c, elf] = ["summing.c", "summing.elf"].map(|name| Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    std::fs::write(&c, source).expect("the source can be written");
    let mut gcc = Command::new("riscv64-unknown-elf-gcc");
    gcc.args(["-g", "-O0", "-march=rv32im", "-mabi=ilp32", "-nostdlib", "-Wl,-Ttext=0x20000"])
        .arg(&c)
        .arg("-o")
        .arg(&elf);
    assert!(gcc.status().expect("riscv64-unknown-elf-gcc runs; `make setup` installs it").success());
    elf
}

/// What the C/C++ extension does with the launch.json that we write, command by command over gdb's machine interface:
/// connecting, breakpoints, frames, variables, memory, disassembly, steps in both directions.
#[test]
fn an_editor_drives_gdb_by_our_launch_json() {
    let (elf, folder) = (summing(), Path::new(env!("CARGO_TARGET_TMPDIR")).join("vscode-mi"));
    let mut server = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    let server = server.arg("gdb").arg(&elf).args(["--listen", "127.0.0.1:0"]).stderr(Stdio::piped());
    let mut server = server.spawn().expect("the command runs");
    let mut line = String::new();
    BufReader::new(server.stderr.take().expect("a pipe")).read_line(&mut line).expect("the server says its address");
    let port = line.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(':').next()).expect("a port");

    let mut init = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    init.arg("init-vscode").arg(&elf).args(["--force", "--port", port, "--folder"]).arg(&folder);
    assert!(init.status().expect("the command runs").success());
    check_launch(&folder);
    let text = std::fs::read_to_string(folder.join(".vscode/launch.json")).expect("launch.json was written");
    let launch: serde_json::Value = serde_json::from_str(&text).expect("launch.json is JSON");
    let launch = &launch["configurations"][0];
    let word = |name: &str| launch[name].as_str().unwrap_or_else(|| panic!("{name}: {launch}"));

    let mut mi = Mi::new(word("miDebuggerPath"));
    mi.check("-interpreter-exec console \"set pagination off\"", &["^done"]);
    mi.check("-gdb-set stop-on-solib-events 1", &["^done"]);
    mi.check(&format!("-file-exec-and-symbols {}", word("program")), &["^done"]);
    mi.check("-break-insert -f summing.c:3", &["^done", "func=\"add\"", "line=\"3\""]);
    let mode = if launch["useExtendedRemote"] == true { "extended-remote" } else { "remote" };
    let connected = ["^connected", "func=\"_start\"", "arch=\"riscv:rv32\""];
    mi.check(&format!("-target-select {mode} {}", word("miDebuggerServerAddress")), &connected);
    for command in launch["postRemoteConnectCommands"].as_array().expect("a list") {
        let text = command["text"].as_str().expect("a command").replace('"', "\\\"");
        mi.check(&format!("-interpreter-exec console \"{text}\""), &["^done"]);
    }
    mi.check("-list-target-features", &["\"reverse\""]);
    let at = |more: u32| format!("args=[{{name=\"more\",value=\"{more}\"}}]");
    mi.check("-exec-continue", &["reason=\"breakpoint-hit\"", &at(1)]);
    mi.check("-exec-continue", &["reason=\"breakpoint-hit\"", &at(2)]);
    mi.check("-thread-info", &["name=\"user\"", "state=\"stopped\""]);
    mi.check("-stack-list-frames 0 1000", &["level=\"0\"", "func=\"add\"", "level=\"1\"", "func=\"_start\""]);
    mi.check("-stack-list-variables --thread 1 --frame 1 --simple-values", &["name=\"i\",type=\"int\",value=\"2\""]);
    mi.check("-var-create - * total", &["^done", "value=\"1\""]);
    mi.check("-exec-next", &["reason=\"end-stepping-range\"", "line=\"4\""]);
    mi.check("-var-update --all-values *", &["value=\"3\""]);
    mi.check("-data-read-memory-bytes &total 4", &["contents=\"03000000\""]);
    mi.check("-data-disassemble -s $pc -e \"$pc + 8\" -- 2", &["func-name=\"add\"", "opcodes="]);
    mi.check("-data-list-register-names", &["\"ra\"", "\"pc\"", "\"instret\""]);
    mi.check("-exec-next --reverse", &["reason=\"breakpoint-hit\"", &at(2)]);
    mi.check("-exec-continue --reverse", &["reason=\"breakpoint-hit\"", &at(1)]);
    mi.check("-data-evaluate-expression total", &["value=\"0\""]);
    mi.check("-exec-step-instruction --reverse", &["reason=\"end-stepping-range\"", "line=\"2\""]);
    mi.check("-interpreter-exec console \"goto 0\"", &["_start"]);
    mi.check("-break-watch total", &["wpt={number=\"2\",exp=\"total\"}"]);
    mi.check("-break-delete 1", &["^done"]);
    mi.check("-exec-continue", &["reason=\"watchpoint-trigger\"", "value={old=\"0\",new=\"1\"}"]);
    mi.check("-exec-finish", &["reason=\"function-finished\"", "gdb-result-var", "value=\"1\""]);
    mi.check("-gdb-exit", &["^exit"]);
    drop(mi);
    let _ = server.kill();
    let _ = server.wait();
}

/// Bad arguments are sentences, and nothing is served.
#[test]
fn a_busy_port_and_no_history_are_refused() {
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = busy.local_addr().expect("the socket has an address").to_string();
    let refused = |args: &[&str]| {
        let mut lockstep = Command::new(env!("CARGO_BIN_EXE_lockstep"));
        let output = lockstep.arg("gdb").arg(log_builder()).args(args).output().expect("the command runs");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = refused(&["--listen", &address]);
    assert!(said.contains(&address) && said.contains("choose another port"), "{said}");
    let said = refused(&["--history-budget", "0"]);
    assert!(said.contains("--history-budget") && said.contains("1.."), "{said}");
}
