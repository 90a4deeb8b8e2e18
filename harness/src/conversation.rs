//! What holds of every conversation with the debugger's server, whatever its clients say: GDB.md's properties of the
//! function from bytes to replies, for a fuzzer (`examples/fuzz_gdb.rs`) and for the conversations it once found.
//!
//! A conversation is lines. A line is the body of a packet from the client that controls, which is framed for it; else
//! its first byte says what it is:
//!
//! ```text
//!   <bytes   these bytes, as they are       &body   a packet from a client that observes
//!   ~        the controller goes, and another comes
//! ```

use std::cell::LazyCell;

use lockstep::ecall::Host;
use lockstep::exec::{Engine, Step, Until};
use lockstep::gdb::{ClientId, Event, Framer, Inferior, PACKET_BYTES, Program, Session, Stop};
use lockstep::hart::{Hart, Machine};
use lockstep::kernel;
use lockstep::loader::{self, Kernel};
use lockstep::map::Mode;

/// Checks all properties of the conversation `input`.
///
/// # Errors
/// The property that does not hold, and the line at which it was seen.
pub fn check(input: &[u8]) -> Result<(), String> {
    let (whole, singly) = (Talk::of(input, usize::MAX)?, Talk::of(input, 1)?);
    if whole.said != singly.said || whole.state() != singly.state() {
        return Err(format!(
            "replies depend on how the bytes arrive:\n  at once {}\n  singly  {}",
            whole.said.escape_ascii(),
            singly.said.escape_ascii()
        ));
    }
    whole.is_where_the_steps_lead()?;
    whole.goes_there_and_back()
}

/// The most lines of a conversation that are said.
const MOST_LINES: usize = 64;
/// Steps of a slice, and the slices that a resumed program has before it is interrupted.
const SLICE_STEPS: u64 = 997;
const MOST_SLICES: u32 = 40;
/// Steps of the way there and back.
const THERE_AND_BACK: usize = 5;
/// History that a session may keep.
const BUDGET_BYTES: usize = 4 << 20;

/// A conversation that is being held.
struct Talk {
    session: Session,
    controller: ClientId,
    observer: Option<ClientId>,
    /// All that was said to the clients.
    said: Vec<u8>,
    /// Bytes are delivered so many at once.
    piece_bytes: usize,
    /// Whether a client may have changed the program.
    is_edited: bool,
}

impl Talk {
    /// Holds the conversation `input`, in which bytes arrive `piece_bytes` at once.
    fn of(input: &[u8], piece_bytes: usize) -> Result<Talk, String> {
        let mut session = Session::new(inferior());
        let controller = session.connect();
        let mut talk = Talk { session, controller, observer: None, said: Vec::new(), piece_bytes, is_edited: false };
        for line in input.split(|byte| *byte == b'\n').take(MOST_LINES) {
            talk.say(line).map_err(|why| format!("{}: {why}", line.escape_ascii()))?;
            if talk.session.is_over() {
                return Ok(talk);
            }
        }
        talk.is_alive()?;
        Ok(talk)
    }

    fn say(&mut self, line: &[u8]) -> Result<(), String> {
        match line.split_first() {
            Some((b'<', bytes)) => self.raw(bytes),
            Some((b'&', body)) => self.observe(body),
            Some((b'~', _)) => {
                self.replace_controller();
                Ok(())
            }
            _ => self.packet(line).map(drop),
        }
    }

    /// Bytes as they are: at most one reply for each event in them.
    fn raw(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.is_edited = true;
        let events = events(bytes);
        self.send(self.controller, bytes);
        let replies = self.replies(self.controller)?.len();
        self.run()?;
        let replies = replies + self.replies(self.controller)?.len();
        // One more for a packet whose `#` came before, and one for the interrupt of a program that did not stop by itself.
        if replies > events + 2 { Err(format!("{replies} replies to {events} packets")) } else { Ok(()) }
    }

    /// A packet from the controller: one reply, before it was resumed or when it stops.
    fn packet(&mut self, body: &[u8]) -> Result<Vec<u8>, String> {
        if body.contains(&b'#') || body.contains(&b'$') {
            return self.raw(&framed(body)).map(|()| Vec::new());
        }
        self.is_edited |= may_edit(body);
        self.send(self.controller, &framed(body));
        let mut replies = self.replies(self.controller)?;
        if self.session.is_running() && !replies.is_empty() {
            return Err(format!("a reply before the stop: {}", replies[0].escape_ascii()));
        }
        self.run()?;
        replies.extend(self.replies(self.controller)?);
        let reply = replies.pop();
        if !replies.is_empty() || reply.is_none() && !matches!(body, [b'k' | b'R', ..]) {
            return Err(format!("{} replies", replies.len() + usize::from(reply.is_some())));
        }
        if self.session.is_gone(self.controller) {
            self.replace_controller();
        }
        Ok(reply.unwrap_or_default())
    }

    /// A packet from the observer: one reply at most, and the program is as it was.
    fn observe(&mut self, body: &[u8]) -> Result<(), String> {
        let observer = *self.observer.get_or_insert_with(|| self.session.connect());
        // It may have followed the controller to a stop.
        self.replies(observer)?;
        let before = self.state();
        self.send(observer, &framed(body));
        let replies = self.replies(observer)?.len();
        let events = events(&framed(body));
        if replies > events {
            return Err(format!("{replies} replies to {events} packets of an observer"));
        }
        if self.session.is_running() || before != self.state() {
            return Err("an observer changed the program".to_owned());
        }
        if self.session.is_gone(observer) {
            self.session.disconnect(observer);
            self.observer = None;
        }
        Ok(())
    }

    /// The controller goes, and another client comes. The observers stay what they are.
    fn replace_controller(&mut self) {
        self.session.disconnect(self.controller);
        self.controller = self.session.connect();
    }

    fn send(&mut self, client: ClientId, bytes: &[u8]) {
        bytes.chunks(self.piece_bytes.min(bytes.len()).max(1)).for_each(|piece| self.session.receive(client, piece));
    }

    /// Runs the program until it stops; one that goes on and on is interrupted.
    fn run(&mut self) -> Result<(), String> {
        for _ in 0..MOST_SLICES {
            if !self.session.is_running() {
                return Ok(());
            }
            self.session.run(SLICE_STEPS);
        }
        self.session.receive(self.controller, b"\x03");
        if self.session.is_running() { Err("an interrupt is ignored".to_owned()) } else { Ok(()) }
    }

    /// The replies that are there for `client`, console output excluded: sound frames of a bounded size.
    fn replies(&mut self, client: ClientId) -> Result<Vec<Vec<u8>>, String> {
        let bytes = self.session.outbox(client);
        self.said.extend(&bytes);
        let (mut framer, mut replies) = (Framer::default(), Vec::new());
        for event in bytes.iter().filter_map(|byte| framer.push(*byte)) {
            match event {
                Event::Packet { body, is_sound: true } => replies.push(expanded(&body)?),
                Event::Ack | Event::Nack => {}
                other => return Err(format!("said {other:?}")),
            }
        }
        if let Some(long) = replies.iter().find(|body| body.len() > PACKET_BYTES) {
            return Err(format!("a reply of {} bytes", long.len()));
        }
        let (_, kept_bytes) = self.session.inferior().timeline.usage();
        if kept_bytes > BUDGET_BYTES + BUDGET_BYTES / 2 {
            return Err(format!("{kept_bytes} bytes of history"));
        }
        replies.retain(|body| body.first() != Some(&b'O') || body == b"OK");
        Ok(replies)
    }

    /// A controller that asks for the registers gets them, whatever was said before.
    fn is_alive(&mut self) -> Result<(), String> {
        self.run()?;
        let registers = self.packet(b"g").map_err(|why| format!("g at the end: {why}"))?;
        // 32 registers and pc, mode, mepc, segment of 4 bytes, cycle and instret of 8.
        if registers.len() != 2 * (36 * 4 + 2 * 8) && !self.session.inferior().is_over() {
            return Err(format!("g at the end: {}", registers.escape_ascii()));
        }
        Ok(())
    }

    fn state(&self) -> (Hart, [u8; 32]) {
        let machine = self.session.inferior().machine();
        (machine.hart.clone(), machine.digest())
    }

    /// Without a debugger, as many steps lead to the same place, if no client changed anything.
    fn is_where_the_steps_lead(&self) -> Result<(), String> {
        if self.is_edited {
            return Ok(());
        }
        let mut machine = MACHINE.with(|machine| Machine::clone(machine));
        let now = self.session.inferior().timeline.now();
        Step::new().run(&mut machine, &mut Counting::default(), Until::order(now), &mut ());
        if self.state() != (machine.hart.clone(), machine.digest()) {
            return Err(format!("step {now} is another without a debugger"));
        }
        Ok(())
    }

    /// Some steps there and as many back are the identity.
    fn goes_there_and_back(mut self) -> Result<(), String> {
        let inferior = self.session.inferior();
        // From the kernel, one step back is the ECALL that led there: to the program they are one step.
        if inferior.is_over() || inferior.machine().hart.mode == Mode::Machine && !inferior.steps_into_kernel {
            return Ok(());
        }
        self.replace_controller();
        let (mut path, begin) = (Vec::new(), self.state());
        for _ in 0..THERE_AND_BACK {
            let before = self.hart().clone();
            self.packet(b"vCont;s")?;
            let stop = self.session.inferior().last_stop;
            if stop.is_end() {
                return Ok(());
            }
            if before == *self.hart() {
                break;
            }
            path.push(before);
            if stop != Stop::Stepped {
                break;
            }
        }
        while let Some(before) = path.pop() {
            self.packet(b"bs")?;
            if before != *self.hart() {
                let now = self.hart().instructions;
                return Err(format!("a step and back from {} leads to {now}", before.instructions));
            }
        }
        if begin == self.state() { Ok(()) } else { Err("there and back, memory is another".to_owned()) }
    }

    fn hart(&self) -> &Hart {
        &self.session.inferior().machine().hart
    }
}

/// How many replies the bytes may lead to: to packets, interrupts, and wishes to hear the last again.
fn events(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| b"#\x03-".contains(byte)).count()
}

/// Whether the packet may change the program or how it goes on (`c` and `s` may set pc).
fn may_edit(body: &[u8]) -> bool {
    matches!(body, [b'P' | b'G' | b'M' | b'X' | b'k' | b'R' | b'D', ..] | [b'c' | b's' | b'C' | b'S', _, ..])
        || [&b"QRestore"[..], b"vRun", b"vKill"].iter().any(|prefix| body.starts_with(prefix))
}

fn framed(body: &[u8]) -> Vec<u8> {
    let sum = body.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    [b"$", body, format!("#{sum:02x}").as_bytes()].concat()
}

/// `x*n` is x and then n - 29 times more (GDB's manual, "Overview" of the remote protocol).
fn expanded(body: &[u8]) -> Result<Vec<u8>, String> {
    let (mut out, mut bytes) = (Vec::new(), body.iter());
    while let Some(byte) = bytes.next() {
        if *byte != b'*' {
            out.push(*byte);
            continue;
        }
        let last = *out.last().ok_or("a run of nothing")?;
        let count = bytes.next().and_then(|count| count.checked_sub(29)).ok_or("a run without a length")?;
        out.extend(vec![last; count.into()]);
    }
    Ok(out)
}

/// A host with as many bytes on standard input as one likes, each one more than the one before. There are no arguments.
#[derive(Default)]
struct Counting(u8);

impl Host for Counting {
    fn read(&mut self, _order: u64, fd: u32, bytes: &mut [u8]) -> u32 {
        if fd != 0 {
            return 0;
        }
        for byte in &mut *bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        bytes.len() as u32
    }

    fn write(&mut self, _order: u64, _fd: u32, bytes: &[u8]) -> u32 {
        bytes.len() as u32
    }
}

thread_local! {
    /// The program on the default kernel, before its first instruction.
    static MACHINE: LazyCell<Machine> = LazyCell::new(|| {
        let image = loader::load(&elf(), Kernel::Default).expect("the program is valid");
        let machine = image.machine().expect("the image starts");
        let mut inferior = Inferior::new(Program::default(), machine, Box::<Counting>::default(), BUDGET_BYTES);
        inferior.start_at(image.entry);
        inferior.machine().clone()
    });
}

/// The program, before its first instruction.
fn inferior() -> Inferior {
    let kernel = Some(("/kernel".to_owned(), kernel::DEFAULT.to_vec()));
    let program = Program { path: "/program".to_owned(), elf: elf(), kernel, ..Program::default() };
    let machine = MACHINE.with(|machine| Machine::clone(machine));
    let mut inferior = Inferior::new(program, machine, Box::<Counting>::default(), BUDGET_BYTES);
    inferior.start_at(START);
    inferior
}

/// Thirty times: a load and two stores, a call, two bytes read and written by ECALLs; then exit with 7.
const PROGRAM: [u32; 22] = [
    0x0003_04b7, // lui s1, 0x30
    0x01e0_0413, // li s0, 30
    0x0004_a283, // round: lw t0, 0(s1)
    0x0012_8293, // addi t0, t0, 1
    0x0054_a023, // sw t0, 0(s1)
    0x0054_82a3, // sb t0, 5(s1)
    0x0180_00ef, // jal copy
    0xfff4_0413, // addi s0, s0, -1
    0xfe04_14e3, // bnez s0, round
    0x0070_0513, // li a0, 7
    0x05d0_0893, // li a7, 93 (exit)
    0x0000_0073, // ecall
    0x0000_0513, // copy: li a0, 0
    0x0084_8593, // addi a1, s1, 8
    0x0020_0613, // li a2, 2
    0x03f0_0893, // li a7, 63 (read)
    0x0000_0073, // ecall
    0x0005_0613, // mv a2, a0
    0x0010_0513, // li a0, 1
    0x0400_0893, // li a7, 64 (write)
    0x0000_0073, // ecall
    0x0000_8067, // ret
];
/// Where it lies.
const START: u32 = 0x2_0000;

/// The program as an ELF file: a header, one PT_LOAD segment, the code.
fn elf() -> Vec<u8> {
    const HEADER_BYTES: u32 = 52 + 32;
    const CODE_BYTES: u32 = 4 * PROGRAM.len() as u32;
    let mut file = b"\x7fELF\x01\x01\x01".to_vec();
    file.resize(16, 0);
    // e_type ET_EXEC and e_machine EM_RISCV, e_version, e_entry, e_phoff, e_shoff, e_flags, then pairs of half-words:
    // e_ehsize and e_phentsize, e_phnum and e_shentsize, e_shnum and e_shstrndx.
    let header = [243 << 16 | 2, 1, START, 52, 0, 0, 32 << 16 | 52, 1, 0];
    // PT_LOAD: p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_flags (RWX), p_align.
    let segment = [1, HEADER_BYTES, START, START, CODE_BYTES, CODE_BYTES, 7, 4];
    let words = header.iter().chain(&segment).chain(&PROGRAM);
    words.for_each(|word| file.extend(word.to_le_bytes()));
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_ends_as_it_says() {
        let mut session = Session::new(inferior());
        let client = session.connect();
        session.receive(client, &framed(b"vCont;c"));
        while session.is_running() {
            session.run(SLICE_STEPS);
        }
        assert_eq!(session.inferior().last_stop, Stop::Exited(7));
    }
}
