//! `make bench-gdb`: the debugger's server against QEMU's, in one run, with one client and one guest.
//!
//! Prints a table, and with `--json FILE` writes the figures. Ratios mean more than figures: both servers
//! share the machine with whatever else runs on it.
#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--echo", address] => echo(address),
        ["--spin"] => loop {
            std::hint::spin_loop();
        },
        ["--json", path] => compare(Some(path)),
        _ => compare(None),
    }
}

fn compare(path: Option<&str>) -> Result<(), Failure> {
    let elf = build_guest()?;
    let turns = turns(&elf)?;
    let lockstep = measure(Kind::Lockstep, &elf)?;
    let qemu = measure(Kind::Qemu, &elf)?;
    print_table(&lockstep, &qemu);
    println!(
        "\nA server that does nothing but answer OK makes {turns:.0} turns a second here: this client, this machine."
    );
    if let Some(path) = path {
        std::fs::write(path, json(turns, &lockstep, &qemu))?;
    }
    Ok(())
}

/// Which server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lockstep,
    Qemu,
    /// No debugger at all, see [`echo`].
    Echo,
}

/// A quantity, its unit, and its value where the server can do it.
struct Figure {
    name: &'static str,
    unit: &'static str,
    value: Option<f64>,
}

/// Addresses of the guest's labels, by `nm`.
struct Guest {
    path: String,
    round: u32,
    bnez: u32,
    hot: u32,
    same_page: u32,
    other_page: u32,
}

fn build_guest() -> Result<Guest, Failure> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/gdbsuite/bench.S");
    std::fs::create_dir_all("target/gdb")?;
    let path = "target/gdb/bench.elf".to_owned();
    // QEMU's virt machine has its memory at 0x8000_0000, which is user memory here (MAP-2).
    let status = Command::new("riscv64-unknown-elf-gcc")
        .args(["-march=rv32im", "-mabi=ilp32", "-nostdlib", "-Wl,-Ttext=0x80000000,--no-relax", source, "-o", &path])
        .status()?;
    if !status.success() {
        return Err("the guest does not assemble".into());
    }
    let names = String::from_utf8(Command::new("riscv64-unknown-elf-nm").arg(&path).output()?.stdout)?;
    let addr = |name: &str| -> Result<u32, Failure> {
        let line = names.lines().find(|line| line.ends_with(&format!(" {name}"))).ok_or("a label is missing")?;
        Ok(u32::from_str_radix(&line[..8], 16)?)
    };
    let round = addr("round")?;
    let (hot, same_page) = (addr("hot")?, addr("other_word_of_the_page")?);
    Ok(Guest { path, round, bnez: round + 16, hot, same_page, other_page: addr("other_page")? })
}

/// A client with no more to it than the protocol needs.
struct Client {
    stream: TcpStream,
    received: Vec<u8>,
    /// Where the system puts what arrives: made once, so that the client does not measure itself.
    buffer: Vec<u8>,
    server: Child,
}

impl Client {
    fn start(kind: Kind, guest: &Guest) -> Result<Client, Failure> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let mut command = match kind {
            Kind::Lockstep => {
                let mut command = Command::new("target/release/lockstep");
                command.args(["gdb", &guest.path, "--kernel", "none", "--listen", &address]);
                command
            }
            Kind::Qemu => {
                let mut command = Command::new("qemu-system-riscv32");
                command
                    .args(["-M", "virt", "-bios", "none", "-display", "none", "-serial", "none", "-monitor", "none"]);
                command.args(["-S", "-gdb", &format!("tcp:{address}"), "-kernel", &guest.path]);
                command
            }
            Kind::Echo => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["--echo", &address]);
                command
            }
        };
        let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut client = Client { stream: connect(&address)?, received: Vec::new(), buffer: vec![0; 1 << 18], server };
        client.stream.set_nodelay(true)?;
        client.ask("qSupported:swbreak+;hwbreak+")?;
        client.ask("QStartNoAckMode")?;
        if kind == Kind::Qemu {
            // The reset vector jumps to the guest.
            client.ask(&format!("P20={}", little_endian(0x8000_0000)))?;
        }
        Ok(client)
    }

    fn ask(&mut self, body: &str) -> Result<Vec<u8>, Failure> {
        self.say(body)?;
        self.hear()
    }

    fn say(&mut self, body: &str) -> Result<(), Failure> {
        let sum = body.bytes().fold(0_u8, u8::wrapping_add);
        Ok(self.stream.write_all(format!("${body}#{sum:02x}").as_bytes())?)
    }

    /// The body of the next packet that is no console output.
    fn hear(&mut self) -> Result<Vec<u8>, Failure> {
        let mut seen = 0;
        loop {
            let end = self.received[seen..].iter().position(|byte| *byte == b'#').map(|at| seen + at);
            if let Some(end) = end.filter(|end| self.received.len() >= end + 3) {
                let begin = self.received[..end].iter().position(|byte| *byte == b'$').ok_or("a packet without $")?;
                let body = self.received[begin + 1..end].to_vec();
                self.received.drain(..end + 3);
                return Ok(body);
            }
            seen = end.unwrap_or(self.received.len());
            let count = self.stream.read(&mut self.buffer)?;
            if count == 0 {
                return Err("the server hung up".into());
            }
            self.received.extend_from_slice(&self.buffer[..count]);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn connect(address: &str) -> Result<TcpStream, Failure> {
    let begin = Instant::now();
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return Ok(stream),
            Err(error) if begin.elapsed() > Duration::from_secs(10) => return Err(error.into()),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn little_endian(word: u32) -> String {
    word.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How often `action` can be done in a second.
fn rate(mut action: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    best(|| {
        let (begin, mut count) = (Instant::now(), 0_u32);
        while begin.elapsed() < Duration::from_millis(400) {
            action()?;
            count += 1;
        }
        Ok(f64::from(count) / begin.elapsed().as_secs_f64())
    })
}

/// The best of five rates: what else the machine does makes them smaller.
fn best(mut measure: impl FnMut() -> Result<f64, Failure>) -> Result<f64, Failure> {
    (0..5).try_fold(0.0, |best: f64, _| Ok(best.max(measure()?)))
}

/// Turns a second of this client and a server that does nothing: what a server could come to on this machine. A second
/// process keeps a processor awake meanwhile, as Lockstep's server does (`src/gdb/keeper.rs`).
fn turns(guest: &Guest) -> Result<f64, Failure> {
    let exe = std::env::current_exe()?;
    let mut keeper = Command::new("nice").args(["-n", "19"]).arg(exe).arg("--spin").spawn()?;
    let turns = Client::start(Kind::Echo, guest).and_then(|mut client| rate(|| client.ask("vCont;s").map(drop)));
    keeper.kill()?;
    keeper.wait()?;
    turns
}

/// Answers whatever one client says with OK, as soon as it has arrived.
fn echo(address: &str) -> Result<(), Failure> {
    let (mut stream, _) = TcpListener::bind(address)?.accept()?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer)? > 0 {
        stream.write_all(b"$OK#9a")?;
    }
    Ok(())
}

fn measure(kind: Kind, guest: &Guest) -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    let mut add = |name, unit, value| figures.push(Figure { name, unit, value });
    add("stepi", "/s", Some(steps(kind, guest)?));
    let (write, read) = random_bytes(kind, guest)?;
    add("read 16 MiB", "MB/s", Some(reads(kind, guest)?));
    add("... of random bytes", "MB/s", Some(read));
    add("write 16 MiB of random bytes", "MB/s", Some(write));
    add("breakpoint cycle (z, s, Z, c)", "/s", Some(breakpoint_cycles(kind, guest)?));
    add("false conditional hits", "/s", Some(false_hits(kind, guest)?));
    add("Ctrl-C, median", "ms", Some(interrupts(kind, guest)?));
    let plain = rounds(kind, guest, &[])?;
    let (same, other) = (guest.same_page, guest.other_page);
    add("run of 100 M instructions", "s", Some(plain));
    add("... watching another page", "x", Some(rounds(kind, guest, &[(WRITES, other)])? / plain));
    add("... watching the hot page", "x", Some(rounds(kind, guest, &[(WRITES, same)])? / plain));
    // The hot word lies between those that are watched.
    let around = [(WRITES, guest.hot - 4), (WRITES, same), (WRITES, other)];
    add("... watching before, in and behind the hot page", "x", Some(rounds(kind, guest, &around)? / plain));
    add("... watching loads from another page", "x", Some(rounds(kind, guest, &[(LOADS, other)])? / plain));
    add("... watching loads from the hot page", "x", Some(rounds(kind, guest, &[(LOADS, same)])? / plain));
    // What QEMU's server cannot do.
    let is_ours = kind == Kind::Lockstep;
    let (median, p99) = is_ours.then(|| reverse_steps(guest)).transpose()?.unzip();
    add("reverse-stepi at random after 1e9, median", "ms", median);
    add("reverse-stepi at random after 1e9, p99", "ms", p99);
    let back = is_ours.then(|| reverse_continue(guest)).transpose()?;
    add("reverse-continue through 1e9, breakpoint never hit", "s", back);
    let other = is_ours.then(|| where_written(guest, guest.other_page)).transpose()?;
    let same = is_ours.then(|| where_written(guest, guest.same_page)).transpose()?;
    add("nothing wrote it in 1e8, another page", "ms", other);
    add("nothing wrote it in 1e8, the hot page", "ms", same);
    Ok(figures)
}

fn steps(kind: Kind, guest: &Guest) -> Result<f64, Failure> {
    let mut client = Client::start(kind, guest)?;
    rate(|| client.ask("vCont;s").map(drop))
}

fn reads(kind: Kind, guest: &Guest) -> Result<f64, Failure> {
    let mut client = Client::start(kind, guest)?;
    best(|| read_all(&mut client, kind))
}

/// What is read and written: as much as this, from here on.
const AREA: Range<u32> = 0x8000_0000..0x8100_0000;

/// The bytes of one packet: QEMU takes packets of 4 KiB.
const fn packet_bytes(kind: Kind) -> usize {
    if matches!(kind, Kind::Qemu) { 0x7e0 } else { 0x1_0000 }
}

fn megabytes_per_second(begin: Instant) -> f64 {
    f64::from(AREA.end - AREA.start) / 1e6 / begin.elapsed().as_secs_f64()
}

fn read_all(client: &mut Client, kind: Kind) -> Result<f64, Failure> {
    let size = packet_bytes(kind);
    let begin = Instant::now();
    for addr in AREA.step_by(size) {
        client.ask(&format!("m{addr:x},{size:x}"))?;
    }
    Ok(megabytes_per_second(begin))
}

/// Megabytes a second of writing random bytes, and of reading them: nothing in them repeats.
fn random_bytes(kind: Kind, guest: &Guest) -> Result<(f64, f64), Failure> {
    let mut client = Client::start(kind, guest)?;
    let size = packet_bytes(kind);
    let mut random = 88_172_645_463_325_252;
    let digits: String = (0..size / 8).map(|_| format!("{:016x}", next_random(&mut random))).collect();
    let write = best(|| write_all(&mut client, size, &digits))?;
    Ok((write, best(|| read_all(&mut client, kind))?))
}

/// To write what is there already would be less work: every round makes its bytes its own.
fn write_all(client: &mut Client, size: usize, digits: &str) -> Result<f64, Failure> {
    for addr in AREA.step_by(size) {
        client.ask(&format!("M{addr:x},1:00"))?;
    }
    let begin = Instant::now();
    for addr in AREA.step_by(size) {
        client.ask(&format!("M{addr:x},{size:x}:{digits}"))?;
    }
    Ok(megabytes_per_second(begin))
}

/// A step of xorshift64.
fn next_random(random: &mut u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random
}

fn breakpoint_cycles(kind: Kind, guest: &Guest) -> Result<f64, Failure> {
    let mut client = Client::start(kind, guest)?;
    let (set, clear) = (format!("Z0,{:x},4", guest.round), format!("z0,{:x},4", guest.round));
    client.ask(&set)?;
    client.ask("vCont;c")?;
    rate(|| [clear.as_str(), "vCont;s", &set, "vCont;c"].iter().try_for_each(|body| client.ask(body).map(drop)))
}

/// A breakpoint in the loop whose condition never holds: `s2 != 0`.
fn false_hits(kind: Kind, guest: &Guest) -> Result<f64, Failure> {
    let mut client = Client::start(kind, guest)?;
    let (set, clear) = (format!("Z0,{:x},4", guest.bnez), format!("z0,{:x},4", guest.bnez));
    if kind == Kind::Qemu {
        // Without conditions in the server gdb stops, reads the register, steps over the breakpoint and goes on.
        client.ask(&set)?;
        client.ask("vCont;c")?;
        let cycle = ["p12", &clear, "vCont;s", &set, "vCont;c"];
        return rate(|| cycle.iter().try_for_each(|body| client.ask(body).map(drop)));
    }
    client.ask(&format!("{set};X4,26001227"))?;
    let before = instret(&mut client)?;
    client.say("vCont;c")?;
    let begin = Instant::now();
    std::thread::sleep(Duration::from_secs(2));
    client.stream.write_all(&[3])?;
    client.hear()?;
    let elapsed = begin.elapsed().as_secs_f64();
    Ok((instret(&mut client)? - before) as f64 / 5.0 / elapsed)
}

/// The number of the next step: register 36.
fn instret(client: &mut Client) -> Result<u64, Failure> {
    let digits = String::from_utf8(expanded(&client.ask("p24")?))?;
    let bytes: Result<Vec<u8>, _> = (0..8).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16)).collect();
    Ok(bytes?.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// `x*n` is x and then n - 29 times more.
fn expanded(body: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match (byte, out.last().copied(), bytes.clone().next()) {
            (b'*', Some(last), Some(count)) => {
                bytes.next();
                out.extend(vec![last; usize::from(count - 29)]);
            }
            _ => out.push(*byte),
        }
    }
    out
}

fn interrupts(kind: Kind, guest: &Guest) -> Result<f64, Failure> {
    let mut client = Client::start(kind, guest)?;
    let mut times = Vec::new();
    for _ in 0..40 {
        client.say("vCont;c")?;
        std::thread::sleep(Duration::from_millis(20));
        let begin = Instant::now();
        client.stream.write_all(&[3])?;
        client.hear()?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    Ok(percentile(&mut times, 50))
}

/// The packets of watchpoints for stores and for loads.
const WRITES: &str = "Z2";
const LOADS: &str = "Z3";

/// Seconds for the 20 million rounds, with watchpoints that are never hit: the least of three runs.
fn rounds(kind: Kind, guest: &Guest, watched: &[(&str, u32)]) -> Result<f64, Failure> {
    (0..3).try_fold(f64::INFINITY, |least, _| Ok(least.min(run_rounds(kind, guest, watched)?)))
}

fn run_rounds(kind: Kind, guest: &Guest, watched: &[(&str, u32)]) -> Result<f64, Failure> {
    let mut client = Client::start(kind, guest)?;
    assert_ne!(guest.hot, guest.same_page);
    client.ask(&format!("Z0,{:x},4", guest.bnez + 4))?;
    for (packet, addr) in watched {
        client.ask(&format!("{packet},{addr:x},4"))?;
    }
    let begin = Instant::now();
    client.ask("vCont;c")?;
    Ok(begin.elapsed().as_secs_f64())
}

/// Milliseconds of a reverse-stepi at random places of a run of 1e9 instructions: median and 99th percentile. Each step
/// back and the same step forward have to be the identity.
fn reverse_steps(guest: &Guest) -> Result<(f64, f64), Failure> {
    let mut client = Client::start(Kind::Lockstep, guest)?;
    monitor(&mut client, "goto 1000000000")?;
    let (mut times, mut random) = (Vec::new(), 88_172_645_463_325_252);
    for _ in 0..200 {
        monitor(&mut client, &format!("goto {}", next_random(&mut random) % 1_000_000_000))?;
        let before = state(&mut client, guest)?;
        let begin = Instant::now();
        client.ask("bs")?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        client.ask("vCont;s")?;
        let after = state(&mut client, guest)?;
        if after != before {
            return Err(format!("back and forth again is elsewhere: {before:?} and {after:?}").into());
        }
    }
    Ok((percentile(&mut times, 50), percentile(&mut times, 99)))
}

/// All registers, the clocks among them, and the only word that the guest changes.
fn state(client: &mut Client, guest: &Guest) -> Result<[Vec<u8>; 2], Failure> {
    Ok([client.ask("g")?, client.ask(&format!("m{:x},4", guest.hot))?])
}

/// Seconds of a search back to the beginning for a breakpoint behind the loop.
fn reverse_continue(guest: &Guest) -> Result<f64, Failure> {
    let mut client = Client::start(Kind::Lockstep, guest)?;
    monitor(&mut client, "goto 1000000000")?;
    // The second instruction behind the loop is never executed: the first jumps to the start.
    client.ask(&format!("Z0,{:x},4", guest.bnez + 8))?;
    let begin = Instant::now();
    client.ask("bc")?;
    Ok(begin.elapsed().as_secs_f64())
}

/// Milliseconds until `monitor where-written` says that nothing wrote `addr` in 1e8 instructions.
fn where_written(guest: &Guest, addr: u32) -> Result<f64, Failure> {
    let mut client = Client::start(Kind::Lockstep, guest)?;
    monitor(&mut client, "goto 100000000")?;
    let begin = Instant::now();
    monitor(&mut client, &format!("where-written {addr:#x}"))?;
    Ok(begin.elapsed().as_secs_f64() * 1e3)
}

fn monitor(client: &mut Client, command: &str) -> Result<(), Failure> {
    let hex: String = command.bytes().map(|byte| format!("{byte:02x}")).collect();
    client.say(&format!("qRcmd,{hex}"))?;
    while client.hear()? != b"OK" {}
    Ok(())
}

fn percentile(times: &mut [f64], percent: usize) -> f64 {
    times.sort_by(f64::total_cmp);
    times[(times.len() - 1) * percent / 100]
}

fn print_table(lockstep: &[Figure], qemu: &[Figure]) {
    println!("| quantity | unit | Lockstep | QEMU | ratio |\n|---|---|---|---|---|");
    for (ours, theirs) in lockstep.iter().zip(qemu) {
        let ratio = ours.value.zip(theirs.value).map(|(ours, theirs)| ours / theirs);
        println!("| {} | {} | {} | {} | {} |", ours.name, ours.unit, text(ours.value), text(theirs.value), text(ratio));
    }
}

fn text(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.2}"),
    }
}

fn json(turns: f64, lockstep: &[Figure], qemu: &[Figure]) -> String {
    let row = |(ours, theirs): (&Figure, &Figure)| serde_json::json!({"name": ours.name, "unit": ours.unit, "lockstep": ours.value, "qemu": theirs.value});
    let rows: Vec<serde_json::Value> = lockstep.iter().zip(qemu).map(row).collect();
    serde_json::json!({ "figures": rows, "turns_of_an_echo": turns }).to_string() + "\n"
}
