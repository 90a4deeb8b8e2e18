//! Frames: `$body#checksum`, acknowledgements and the interrupt byte.
//!
//! Nothing in here knows what a packet means. Hostile bytes can make a packet be refused, never more:
//! a `$` always begins a new packet, junk between packets is dropped, a body has a largest size.

/// The most bytes of a packet body, both ways: what qSupported announces.
pub const PACKET_BYTES: usize = 0x2_0000;

/// The byte that interrupts the program, outside packets.
pub const INTERRUPT: u8 = 0x03;

/// What the bytes of a client amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole packet with the body as it was sent (escapes included).
    Packet {
        /// The bytes between `$` and `#`.
        body: Vec<u8>,
        /// Whether the checksum is that of the body.
        is_sound: bool,
    },
    /// A packet longer than [`PACKET_BYTES`], dropped while it arrived.
    TooLong,
    /// `+`.
    Ack,
    /// `-`: send the last packet again.
    Nack,
    /// The interrupt byte.
    Interrupt,
}

/// Cuts a stream of bytes into events.
#[derive(Debug, Default)]
pub struct Framer {
    state: State,
    body: Vec<u8>,
    is_too_long: bool,
    first_digit: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    Body,
    FirstDigit,
    SecondDigit,
}

impl Framer {
    /// Takes bytes up to the end of the next event; what is left of them, and the event if there was one.
    pub fn take<'a>(&mut self, mut bytes: &'a [u8]) -> (&'a [u8], Option<Event>) {
        while let [byte, rest @ ..] = bytes {
            bytes = rest;
            if let Some(event) = self.push(*byte) {
                return (bytes, Some(event));
            }
            if self.state == State::Body {
                let plain = bytes.iter().position(|byte| matches!(byte, b'$' | b'#')).unwrap_or(bytes.len());
                self.keep(&bytes[..plain]);
                bytes = &bytes[plain..];
            }
        }
        (bytes, None)
    }

    /// Takes one byte.
    pub fn push(&mut self, byte: u8) -> Option<Event> {
        match (self.state, byte) {
            // In a body `$` is escaped: an unescaped one is the next packet of a client that gave up on this one.
            (_, b'$') => self.begin(),
            (State::Between, b'+') => return Some(Event::Ack),
            (State::Between, b'-') => return Some(Event::Nack),
            (State::Between, INTERRUPT) => return Some(Event::Interrupt),
            (State::Between, _) => {}
            (State::Body, b'#') => self.state = State::FirstDigit,
            (State::Body, _) => self.keep(&[byte]),
            (State::FirstDigit, _) => {
                self.first_digit = byte;
                self.state = State::SecondDigit;
            }
            (State::SecondDigit, _) => return Some(self.end(byte)),
        }
        None
    }

    fn begin(&mut self) {
        self.body.clear();
        self.is_too_long = false;
        self.state = State::Body;
    }

    fn keep(&mut self, bytes: &[u8]) {
        match self.body.len() + bytes.len() <= PACKET_BYTES {
            true => self.body.extend_from_slice(bytes),
            false => self.is_too_long = true,
        }
    }

    fn end(&mut self, second_digit: u8) -> Event {
        self.state = State::Between;
        let body = std::mem::take(&mut self.body);
        if self.is_too_long {
            return Event::TooLong;
        }
        let sent = hex_digit(self.first_digit).zip(hex_digit(second_digit)).map(|(high, low)| high << 4 | low);
        Event::Packet { is_sound: sent == Some(checksum(&body)), body }
    }
}

/// The sum of `bytes` modulo 256.
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// The packet with `body`, which has its escapes already; runs of a byte are shortened.
pub fn frame(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 4);
    out.push(b'$');
    shorten(body, &mut out);
    let sum = checksum(&out[1..]);
    out.push(b'#');
    push_hex_byte(&mut out, sum);
    out
}

/// Run-length encoding: `x*n` is `x` and then n - 29 times more, n a printable character but `#`, `$`, `+`, `-`.
fn shorten(mut body: &[u8], out: &mut Vec<u8>) {
    while let Some(plain) = before_run(body) {
        let (before, run) = body.split_at(plain);
        out.extend_from_slice(before);
        let byte = run[0];
        let more = repeats(run);
        out.push(byte);
        // A repeat of an escaped byte would repeat half of a pair.
        let is_worth_it = byte != b'}' && !is_after_escape(out);
        let more = if is_worth_it { encodable(more) } else { 0 };
        if more > 0 {
            out.extend([b'*', more as u8 + RUN_BIAS]);
        }
        body = &run[1 + more..];
    }
    out.extend_from_slice(body);
}

/// How many bytes come before the first that is repeated often enough.
fn before_run(body: &[u8]) -> Option<usize> {
    let is_run = |four: &[u8; SHORTEST_RUN + 1]| four.iter().all(|byte| *byte == four[0]);
    let runless = runless_blocks(body) * BLOCK;
    body[runless..].array_windows().position(is_run).map(|at| runless + at)
}

/// How many blocks at the start of `body` hold the beginning of no run. Without a jump in it, the inner loop is one of
/// vector instructions: memory that does not repeat itself is looked through many bytes at a time.
fn runless_blocks(body: &[u8]) -> usize {
    let is_runless = |first: &usize| {
        let Some(block) = body.get(*first..*first + BLOCK + SHORTEST_RUN) else { return false };
        !(0..BLOCK).fold(false, |found, at| {
            found | ((block[at] == block[at + 1]) & (block[at] == block[at + 2]) & (block[at] == block[at + 3]))
        })
    };
    (0..body.len()).step_by(BLOCK).take_while(is_runless).count()
}

/// How often the first byte of `run` follows itself, up to [`LONGEST_RUN`] times.
fn repeats(run: &[u8]) -> usize {
    let run = &run[..run.len().min(LONGEST_RUN + 1)];
    let eight = [run[0]; 8];
    let whole = run.as_chunks().0.iter().take_while(|chunk| **chunk == eight).count() * eight.len();
    whole + run[whole..].iter().take_while(|byte| **byte == run[0]).count() - 1
}

fn is_after_escape(out: &[u8]) -> bool {
    out.len() >= 2 && out[out.len() - 2] == b'}'
}

/// The longest run up to `more` whose count is not one of the characters that frames use.
fn encodable(more: usize) -> usize {
    let is_reserved = |n: usize| matches!(n as u8 + RUN_BIAS, b'#' | b'$' | b'+' | b'-');
    (SHORTEST_RUN..=more).rev().find(|n| !is_reserved(*n)).unwrap_or(0)
}

/// The count's character is the count plus this.
const RUN_BIAS: u8 = 29;
/// Shorter runs are no longer than their encoding.
const SHORTEST_RUN: usize = 3;
/// Bytes that are looked through for a run at once.
const BLOCK: usize = 32;
/// `~` is the last printable character.
const LONGEST_RUN: usize = (b'~' - RUN_BIAS) as usize;

/// `bytes` with every byte escaped that has a meaning in a frame.
pub fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            b'#' | b'$' | b'}' | b'*' => out.extend([b'}', byte ^ 0x20]),
            _ => out.push(*byte),
        }
    }
}

/// The bytes that `body` stands for; a `}` at the very end stands for nothing.
pub fn unescape(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'}' => out.extend(bytes.next().map(|escaped| escaped ^ 0x20)),
            _ => out.push(*byte),
        }
    }
    out
}

/// The value of a hexadecimal digit.
pub fn hex_digit(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

/// The number that `digits` spell; `None` when they are none, or more than a number holds.
pub fn hex_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | u64::from(hex_digit(*digit)?)))
}

/// The bytes that pairs of `digits` spell.
pub fn hex_bytes(digits: &[u8]) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(hex_digit(pair[0])? << 4 | hex_digit(pair[1])?)).collect()
}

/// `bytes` as pairs of digits.
pub fn to_hex(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 2 * bytes.len()];
    for (pair, byte) in out.as_chunks_mut().0.iter_mut().zip(bytes) {
        *pair = hex_digits(*byte);
    }
    out
}

fn push_hex_byte(out: &mut Vec<u8>, byte: u8) {
    out.extend(hex_digits(byte));
}

/// The two digits of `byte`. By arithmetic and not by a table, so that many are made at once.
fn hex_digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|value| value + if value < 10 { b'0' } else { b'a' - 10 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(bytes: &[u8]) -> Vec<Event> {
        let (mut framer, mut rest, mut events) = (Framer::default(), bytes, Vec::new());
        while let (behind, Some(event)) = framer.take(rest) {
            rest = behind;
            events.push(event);
        }
        let mut framer = Framer::default();
        let singly: Vec<Event> = bytes.iter().filter_map(|byte| framer.push(*byte)).collect();
        assert_eq!(events, singly, "bytes at once and one by one");
        events
    }

    fn sound(body: &[u8]) -> Event {
        Event::Packet { body: body.to_vec(), is_sound: true }
    }

    #[test]
    fn cuts_packets_out_of_junk() {
        assert_eq!(events(b"junk$g#67+-\x03"), [sound(b"g"), Event::Ack, Event::Nack, Event::Interrupt]);
        assert_eq!(events(b"$?#3F"), [sound(b"?")]);
        assert_eq!(events(b"$m0,4$g#67"), [sound(b"g")]);
        assert_eq!(events(b"$g#$g#67"), [sound(b"g")]);
    }

    #[test]
    fn notices_bad_checksums() {
        let unsound = Event::Packet { body: b"g".to_vec(), is_sound: false };
        assert_eq!(events(b"$g#00").first(), Some(&unsound));
        assert_eq!(events(b"$g#zz"), [unsound]);
    }

    #[test]
    fn drops_packets_that_are_too_long() {
        let mut bytes = vec![b'A'; PACKET_BYTES + 1];
        bytes.insert(0, b'$');
        bytes.extend(b"#00$g#67");
        assert_eq!(events(&bytes), [Event::TooLong, sound(b"g")]);
    }

    #[test]
    fn shortens_runs() {
        let check = |body: &[u8], framed: &[u8]| assert_eq!(frame(body)[1..frame(body).len() - 3], *framed);
        check(b"000", b"000");
        check(b"0000", b"0* ");
        check(b"00000000", b"0*\"00");
        check(&[b'x'; 98], b"x*~");
        check(b"}]]]]]", b"}]]* ");
    }

    /// A run is found wherever it begins, whatever its length, and what a client makes of the frame is the body.
    #[test]
    fn runs_are_found_wherever_they_are() {
        for (before, length) in (0..2 * BLOCK + 2).flat_map(|before| (1..3 * LONGEST_RUN).map(move |n| (before, n))) {
            let mut body: Vec<u8> = (0..before).map(|at| b"abc"[at % 3]).collect();
            body.extend(std::iter::repeat_n(b'0', length));
            body.extend((0..BLOCK).map(|at| b"xyz"[at % 3]));
            let frame = frame(&body);
            let framed = &frame[1..frame.len() - 3];
            assert_eq!(lengthen(framed), body);
            assert_eq!(framed.contains(&b'*'), length > SHORTEST_RUN, "{}", framed.escape_ascii());
        }
    }

    /// The run-length encoding undone, as GDB's manual describes it ("Overview" of the remote protocol).
    fn lengthen(framed: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        let mut bytes = framed.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'*' => body.extend(vec![*body.last().unwrap(); usize::from(bytes.next().unwrap() - RUN_BIAS)]),
                _ => body.push(*byte),
            }
        }
        body
    }

    #[test]
    fn every_byte_has_its_digits() {
        (0..=255).for_each(|byte: u8| assert_eq!(to_hex(&[byte]), format!("{byte:02x}").into_bytes()));
    }

    #[test]
    fn escapes_are_undone() {
        let all: Vec<u8> = (0..=255).collect();
        let mut escaped = Vec::new();
        escape(&all, &mut escaped);
        assert_eq!(unescape(&escaped), all);
        assert_eq!(unescape(b"ab}"), b"ab");
    }
}
