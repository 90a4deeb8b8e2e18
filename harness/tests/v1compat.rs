//! The system calls of RISC Zero's guests, each through its kernel (HOST-1 to HOST-4).

#[path = "common/v1compat.rs"]
mod v1compat;

use lockstep::ecall::{Halt, fd};
use lockstep::exec::Exit;
use lockstep::hart::Machine;
use lockstep::map::Addr;
use lockstep::risc0::Risc0Host;
use lockstep::trap::Cause;
use v1compat::*;

/// What a program left behind.
struct Ended {
    machine: Machine,
    host: Risc0Host<Streams>,
}

impl Ended {
    fn word(&self, addr: Addr) -> u32 {
        self.machine.word(addr)
    }

    fn written(&self, file: u32) -> String {
        String::from_utf8_lossy(self.host.streams.written.get(&file).map_or(&[], |bytes| bytes)).into_owned()
    }
}

/// Ends `guest` with 0 and runs it.
fn finish(guest: Guest, input: &[u8]) -> Ended {
    let (mut machine, mut host) = (guest.halt(0), host(input));
    let exit = run(&mut machine, &mut host);
    assert_eq!(exit, Exit::Terminated { halt: Halt::Halted, user_exit: 0 }, "{:?}", host.refusal());
    Ended { machine, host }
}

/// Why the host ended `guest`. The fault is the kernel's, and the report knows the user's pc (TRAP-6).
fn refusal(guest: Guest) -> String {
    let (mut machine, mut host) = (guest.halt(0), host(&[]));
    let Exit::Fault(fault) = run(&mut machine, &mut host) else { panic!("the host refuses") };
    assert_eq!(fault.cause, Cause::MachineEcall);
    let user_pc = fault.user_pc.expect("the kernel works for the user");
    assert_eq!(machine.word(user_pc), 0x73);
    host.refusal().expect("it says why").to_owned()
}

const NOTHING: (Addr, u32) = (0, 0);

#[test]
fn argc_and_argv() {
    let mut guest = Guest::new();
    guest.software(1, "SYS_ARGC", NOTHING, &[]);
    let count = guest.keep(A0);
    let mut args = Vec::new();
    // With room for all, for a part, and for nothing but the length.
    for (index, words) in [(0, 2), (1, 1), (1, 0)] {
        let buffer = guest.words(&[0xeeee_eeee; 4]);
        guest.software(2, "SYS_ARGV", (buffer, words), &[index]);
        args.push((buffer, guest.keep(A0)));
    }
    let ended = finish(guest, &[]);
    assert_eq!(ended.word(count), 2);
    let arg = |i: usize| (ended.word(args[i].1), bytes_at(&ended.machine, args[i].0, 9));
    assert_eq!(arg(0), (3, b"one\0\0\0\0\0\xee".to_vec()));
    assert_eq!(arg(1), (4, b"zwei\xee\xee\xee\xee\xee".to_vec()));
    assert_eq!(arg(2), (4, vec![0xee; 9]));

    let mut guest = Guest::new();
    guest.software(2, "SYS_ARGV", NOTHING, &[2]);
    assert_eq!(refusal(guest), "SYS_ARGV: the guest asked for argument 2 of 2");
}

#[test]
fn getenv() {
    let mut guest = Guest::new();
    let mut ask = |name: &[u8]| {
        let (name_at, buffer) = (guest.bytes(name), guest.room(8));
        guest.software(6, "SYS_GETENV", (buffer, 2), &[name_at, name.len() as u32]);
        (buffer, guest.keep(A0))
    };
    let (found, missing) = (ask(b"NAME"), ask(b"NAM"));
    let ended = finish(guest, &[]);
    assert_eq!((ended.word(found.1), bytes_at(&ended.machine, found.0, 5)), (5, b"value".to_vec()));
    assert_eq!(ended.word(missing.1), u32::MAX);
    let mut guest = Guest::new();
    let name = guest.bytes(&[0xff; 4]);
    guest.software(6, "SYS_GETENV", NOTHING, &[name, 4]);
    assert_eq!(refusal(guest), "SYS_GETENV: the name is not UTF-8");
}

/// Words, the bytes behind the last word, a call of more than the machine's 1024 bytes, and the end of the input.
#[test]
fn read() {
    let input: Vec<u8> = (0..3000u32).map(|i| (i % 251) as u8).collect();
    let sizes = [8, 7, 2500, 1000, 4];
    let mut guest = Guest::new();
    let mut reads = Vec::new();
    for size in sizes {
        let buffer = guest.room(size);
        guest.software(12, "SYS_READ", (buffer, size), &[fd::STDIN, size]);
        reads.push((buffer, guest.keep(A0)));
    }
    let ended = finish(guest, &input);
    let mut rest = &input[..];
    for ((buffer, count), size) in reads.into_iter().zip(sizes) {
        let (wanted, behind) = rest.split_at(rest.len().min(size as usize));
        assert_eq!(ended.word(count) as usize, wanted.len(), "{size} bytes");
        assert_eq!(bytes_at(&ended.machine, buffer, wanted.len()), wanted, "{size} bytes");
        rest = behind;
    }
}

/// A host whose input comes in small pieces, as a terminal's does, gives the guest the same.
#[test]
fn read_waits_for_all() {
    let mut guest = Guest::new();
    let buffer = guest.room(20);
    guest.software(12, "SYS_READ", (buffer, 19), &[fd::STDIN, 19]);
    let count = guest.keep(A0);
    let (mut machine, mut host) = (guest.halt(0), host(b"nineteen bytes here, and more"));
    host.streams.at_once = Some(3);
    run(&mut machine, &mut host);
    assert_eq!((machine.word(count), bytes_at(&machine, buffer, 19)), (19, b"nineteen bytes here".to_vec()));
    assert_eq!(host.streams.input, b", and more");
}

#[test]
fn write_and_journal() {
    let mut guest = Guest::new();
    let long = vec![b'x'; 100_000];
    let (text, much) = (guest.bytes(b"text"), guest.bytes(&long));
    for (file, addr, len) in [(fd::STDOUT, text, 4), (fd::STDERR, text, 3), (fd::JOURNAL, much, 100_000)] {
        guest.software(16, "SYS_WRITE", NOTHING, &[file, addr, len]);
    }
    guest.software(16, "SYS_WRITE", NOTHING, &[fd::JOURNAL, text, 2]);
    let ended = finish(guest, &[]);
    assert_eq!((ended.written(fd::STDOUT), ended.written(fd::STDERR)), ("text".into(), "tex".into()));
    assert_eq!(ended.written(fd::JOURNAL).into_bytes(), [&long[..], b"te"].concat());

    for (arguments, why) in [
        ([0, text, 4], "SYS_WRITE: file descriptor 0 is not open for writing, or full"),
        ([9, text, 0], "SYS_WRITE: file descriptor 9 is not open for writing, or full"),
        ([1, 0xffff_fff0, 0x20], "SYS_WRITE: 32 bytes from 0xfffffff0 on wrap around"),
    ] {
        let mut guest = Guest::new();
        guest.software(16, "SYS_WRITE", NOTHING, &arguments);
        assert_eq!(refusal(guest), why);
    }
}

/// HOST-3: SHA-256 of seed and counter, so that a seed is a run. The kernel asks for at most 1024 bytes at once.
#[test]
fn random() {
    use sha2::{Digest, Sha256};
    const WORDS: u32 = 300;
    let program = || {
        let mut guest = Guest::new();
        let buffer = guest.room(4 * WORDS);
        guest.software(11, "SYS_RANDOM", (buffer, WORDS), &[]);
        (guest, buffer)
    };
    let (guest, buffer) = program();
    let ended = finish(guest, &[]);
    let block = |counter: u64| Sha256::digest([7u64.to_le_bytes(), counter.to_le_bytes()].concat());
    let wanted: Vec<u8> = (0..).flat_map(block).take(4 * WORDS as usize).collect();
    assert_eq!(bytes_at(&ended.machine, buffer, wanted.len()), wanted);

    let (guest, _) = program();
    let mut machine = guest.halt(0);
    run(&mut machine, &mut Risc0Host::new(Streams::default(), vec![], vec![], 8));
    assert_ne!(bytes_at(&machine, buffer, wanted.len()), wanted, "another seed, another run");
}

/// HOST-3, ECALL-8: random numbers are recorded, so that a run goes again without the host.
#[test]
fn random_is_recorded() {
    use lockstep::ecall::{NoHost, replay::Recorder};
    let mut guest = Guest::new();
    let buffer = guest.room(64);
    guest.software(11, "SYS_RANDOM", (buffer, 16), &[]);
    let start = guest.halt(0);
    let (mut first, mut recorder) = (start.clone(), Recorder::new(host(&[])));
    let exit = run(&mut first, &mut recorder);
    let (mut again, mut replay) = (start, Recorder { host: NoHost, log: recorder.log });
    assert_eq!(run(&mut again, &mut replay), exit);
    assert_eq!(again.digest(), first.digest());
}

/// Two calls apart by a counted number of instructions: RISC Zero's user cycles, high and low.
#[test]
fn cycle_count() {
    const NOP: u32 = 0x13;
    let difference = |nops: u32| {
        let mut guest = Guest::new();
        let mut ask = || {
            guest.software(3, "SYS_CYCLE_COUNT", NOTHING, &[]);
            (guest.keep(A0), guest.keep(A1))
        };
        let first = ask();
        (0..nops).for_each(|_| guest.emit(NOP));
        guest.software(3, "SYS_CYCLE_COUNT", NOTHING, &[]);
        let second = (guest.keep(A0), guest.keep(A1));
        let ended = finish(guest, &[]);
        assert_eq!((ended.word(first.0), ended.word(second.0)), (0, 0));
        ended.word(second.1) - ended.word(first.1)
    };
    assert_eq!(difference(100), difference(0) + 100);
}

#[test]
fn log() {
    let mut guest = Guest::new();
    let text = guest.bytes(b"hello");
    guest.software(8, "SYS_LOG", NOTHING, &[text, 5]);
    let line = finish(guest, &[]).written(fd::STDOUT);
    let cycle = line.strip_prefix("R0VM[").and_then(|rest| rest.strip_suffix("] hello\n"));
    assert!(cycle.is_some_and(|cycle| cycle.parse::<u64>().is_ok_and(|cycle| cycle > 0)), "{line:?}");
}

/// ECALL-19: the message is the host's word, and [`refusal`] looks at the user's pc.
#[test]
fn panic() {
    let mut guest = Guest::new();
    let text = guest.bytes(b"no such luck");
    guest.software(9, "SYS_PANIC", NOTHING, &[text, 12]);
    assert_eq!(refusal(guest), "guest panicked: no such luck");
    // As many bytes as are kept, of a length that no memory has; and bytes that are no text.
    let mut guest = Guest::new();
    let text = guest.bytes(&[0xff]);
    guest.software(9, "SYS_PANIC", NOTHING, &[text, u32::MAX]);
    assert_eq!(refusal(guest).chars().filter(|char| *char == '\u{fffd}').count(), 1);
}

/// The permutation of FIPS 202 of all zeros, and of that: the first lanes of the reference's KeccakF-1600-IntermediateValues.
#[test]
fn keccak() {
    let mut guest = Guest::new();
    let (zeros, once, twice) = (guest.room(200), guest.room(200), guest.room(200));
    guest.software(7, "SYS_KECCAK", (once, 50), &[0, zeros]);
    let status = guest.keep(A0);
    guest.software(7, "SYS_KECCAK", (twice, 50), &[0, once]);
    // A request for a proof of the two.
    guest.software(7, "SYS_KECCAK", NOTHING, &[1, zeros, zeros]);
    let ended = finish(guest, &[]);
    let lane = |addr| u64::from_le_bytes(bytes_at(&ended.machine, addr, 8).try_into().expect("eight bytes"));
    assert_eq!((lane(once), lane(once + 8)), (0xF125_8F79_40E1_DDE7, 0x84D5_CCF9_33C0_478A));
    assert_eq!((lane(twice), lane(twice + 8)), (0x2D5C_954D_F96E_CB3C, 0x6A33_2CD0_7057_B56D));
    assert_eq!(ended.word(status), 0);

    for (words, mode, why) in
        [(49, 0, "SYS_KECCAK: 196 bytes for a state of 200"), (50, 2, "SYS_KECCAK: there is no mode 2")]
    {
        let mut guest = Guest::new();
        let state = guest.room(200);
        guest.software(7, "SYS_KECCAK", (state, words), &[mode, state]);
        assert_eq!(refusal(guest), why);
    }
}

/// RISC Zero proves 2^17 / 200 = 655 permutations at once: the last one says so, and none comes after it.
#[test]
fn keccak_asks_for_a_proof() {
    let program = |permutations: u32| {
        let mut guest = Guest::new();
        let state = guest.room(200);
        let mut statuses = Vec::new();
        for _ in 0..permutations {
            guest.software(7, "SYS_KECCAK", (state, 50), &[0, state]);
            statuses.push(guest.keep(A0));
        }
        (guest, statuses)
    };
    let (guest, statuses) = program(655);
    let ended = finish(guest, &[]);
    let full: Vec<usize> = (0..655).filter(|i| ended.word(statuses[*i]) == 1).collect();
    assert_eq!(full, [654]);
    assert_eq!(refusal(program(656).0), "SYS_KECCAK: 655 permutations without a request to prove them");
}

/// What goes in comes out, in order; an empty pipe gives nothing.
#[test]
fn pipe() {
    let mut guest = Guest::new();
    let (fds, text, buffer) = (guest.room(8), guest.bytes(b"through the pipe"), guest.room(32));
    guest.software(10, "SYS_PIPE", (fds, 2), &[]);
    let status = guest.keep(A0);
    // The first pipe has the first free file descriptor at both ends.
    const PIPE: u32 = 4;
    guest.software(16, "SYS_WRITE", NOTHING, &[PIPE, text, 10]);
    guest.software(16, "SYS_WRITE", NOTHING, &[PIPE, text + 10, 6]);
    let counts = [(buffer, 8), (buffer + 8, 20), (buffer + 28, 4)].map(|(addr, len)| {
        guest.software(12, "SYS_READ", (addr, len), &[PIPE, len]);
        guest.keep(A0)
    });
    let ended = finish(guest, b"standard input");
    assert_eq!((ended.word(status), ended.word(fds), ended.word(fds + 4)), (0, PIPE, PIPE));
    assert_eq!(counts.map(|count| ended.word(count)), [8, 8, 0]);
    assert_eq!(bytes_at(&ended.machine, buffer, 16), b"through the pipe");
    let mut guest = Guest::new();
    guest.software(12, "SYS_READ", (DATA, 4), &[PIPE, 4]);
    assert_eq!(refusal(guest), "SYS_READ: file descriptor 4 is not open for reading");
}

/// HOST-2: the kernel passes fork, exit and any other name on, and the host refuses them, as RISC Zero's does.
#[test]
fn fork_exit_and_others_are_refused() {
    for (number, name) in [(4, "SYS_EXIT"), (5, "SYS_FORK"), (13, "SYS_NONE"), (13, "")] {
        let mut guest = Guest::new();
        guest.software(number, name, NOTHING, &[]);
        let wanted = format!("system call risc0_zkvm_platform::syscall::nr::{name} is not served (HOST-2)");
        assert_eq!(refusal(guest), wanted);
    }
}

/// A number that the kernel does not know: the kernel's own panic, with its message.
#[test]
fn an_unknown_number_is_the_kernels_panic() {
    let mut guest = Guest::new();
    guest.software(99, "SYS_ARGC", NOTHING, &[]);
    let (mut machine, mut host) = (guest.halt(0), host(&[]));
    let Exit::Fault(fault) = run(&mut machine, &mut host) else { panic!("the kernel gives up") };
    assert_eq!(fault.cause, Cause::IllegalInstruction);
    assert!(fault.user_pc.is_some());
    assert!(host.kernel_message().contains("not implemented"), "{}", host.kernel_message());
}

/// HOST-4: in order, by both names.
#[test]
fn verify_integrity() {
    let mut guest = Guest::new();
    let digests: Vec<u8> = (0..64).collect();
    let buffer = guest.bytes(&digests);
    guest.software(14, "SYS_VERIFY_INTEGRITY", NOTHING, &[buffer, 64]);
    let status = guest.keep(A0);
    let other = guest.bytes(&[9; 64]);
    guest.software(15, "SYS_VERIFY_INTEGRITY2", NOTHING, &[other, 64]);
    let ended = finish(guest, &[]);
    assert_eq!(ended.word(status), 0);
    let [one, two] = ended.host.assumptions() else { panic!("two assumptions") };
    assert_eq!((&one.claim[..], &one.control_root[..]), (&digests[..32], &digests[32..]));
    assert_eq!((two.claim, two.control_root), ([9; 32], [9; 32]));
}

/// The kernel's own ECALL for the input digest, and the exit code and digest of halt.
#[test]
fn input_and_halt() {
    let mut guest = Guest::new();
    guest.ecall(INPUT, &[(A0, 3)]);
    let word = guest.keep(A0);
    let digest = guest.words(&[1, 2, 3, 4, 5, 6, 7, 8]);
    guest.ecall(HALT, &[(A0, 42 << 8), (A1, digest)]);
    let mut machine = guest.machine();
    assert_eq!(run(&mut machine, &mut host(&[])), Exit::Terminated { halt: Halt::Halted, user_exit: 42 });
    assert_eq!(machine.word(word), 0);
    let output: Vec<u32> = (0..8).map(|i| machine.word(lockstep::map::OUTPUT_DIGEST + 4 * i)).collect();
    assert_eq!(output, [1, 2, 3, 4, 5, 6, 7, 8]);
}
