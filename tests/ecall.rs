//! The machine ECALLs poseidon2, sha2 and bigint: known answers, costs, and what they refuse (ECALL-11 to ECALL-18).

use lockstep::ecall::{self, Call, NoHost, Served};
use lockstep::hart::Machine;
use lockstep::isa::Reg;
use lockstep::map::{self, Addr};
use lockstep::mem::Memory;

const CODE: Addr = 0xC000_0000;
const A: Addr = 0x0010_0000;
const B: Addr = 0x0010_1000;
const C: Addr = 0x0010_2000;
const D: Addr = 0x0010_3000;
/// The first address that no service may use.
const END: Addr = 0xFFFF_0000;

// Registers by their numbers.
const T0: u32 = 5;
const T1: u32 = 6;
const T2: u32 = 7;
const A0: u32 = 10;
const A1: u32 = 11;
const A2: u32 = 12;
const A3: u32 = 13;
const A4: u32 = 14;
const A7: u32 = 17;
const T3: u32 = 28;

fn machine() -> Machine {
    let mut memory = Memory::new();
    memory.set_word(map::SUSPEND_PC, CODE);
    memory.set_word(map::SUSPEND_MODE, 1);
    Machine::from_image(memory).expect("a good image")
}

/// Serves the call; a refusal gives its address, and must leave the machine as it was.
fn serve(machine: &mut Machine, registers: &[(u32, u32)]) -> Result<Call, u32> {
    for &(reg, value) in registers {
        machine.hart.set_x(Reg::new(reg), value);
    }
    let before = machine.digest();
    match ecall::serve(machine, &mut NoHost) {
        Ok(Served::Done(call)) => Ok(call),
        Ok(other) => panic!("{other:?}"),
        Err(trap) => {
            assert_eq!(machine.digest(), before, "a refused call changes nothing");
            Err(trap.addr)
        }
    }
}

fn put(machine: &mut Machine, addr: Addr, words: &[u32]) {
    for (i, word) in (0..).zip(words) {
        machine.set_word(addr + 4 * i, *word);
    }
}

fn get<const N: usize>(machine: &Machine, addr: Addr) -> [u32; N] {
    std::array::from_fn(|i| machine.word(addr + 4 * i as u32))
}

/// FIPS 180-4, 4.2.2.
#[rustfmt::skip]
const SHA256_K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];
/// FIPS 180-4, 5.3.3.
const SHA256_START: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

fn sha2_machine(blocks: &[u8]) -> Machine {
    let mut machine = machine();
    put(&mut machine, A, &SHA256_START.map(u32::swap_bytes));
    machine.write_bytes(C, blocks);
    put(&mut machine, D, &SHA256_K);
    machine
}

fn sha2(blocks: u32) -> Vec<(u32, u32)> {
    vec![(A7, 4), (A0, A), (A1, B), (A2, C), (A3, blocks), (A4, D)]
}

/// ECALL-13, TIME-2: "abc" and the two-block message of FIPS 180-2, appendix B.
#[test]
fn sha2_of_the_standards_examples() {
    let check = |message: &[u8], wanted: [u32; 8]| {
        let mut padded = [message, &[0x80]].concat();
        while padded.len() % 64 != 56 {
            padded.push(0);
        }
        padded.extend((message.len() as u64 * 8).to_be_bytes());
        let blocks = padded.len() as u32 / 64;
        let mut machine = sha2_machine(&padded);
        let call = serve(&mut machine, &sha2(blocks)).expect("it is served");
        assert_eq!(get(&machine, B), wanted.map(u32::swap_bytes));
        assert_eq!(call.extra_cycles, 5 + 68 * u64::from(blocks));
    };
    let abc = [0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223, 0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad];
    check(b"abc", abc);
    let two = [0x248d6a61, 0xd20638b8, 0xe5c02693, 0x0c3e6039, 0xa33ce459, 0x64ff2167, 0xf6ecedd4, 0x19db06c1];
    check(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", two);
}

/// ECALL-13: with no block the state is copied, and the table is not looked at.
#[test]
fn sha2_of_nothing_copies_the_state() {
    let mut machine = sha2_machine(&[]);
    put(&mut machine, D, &[0]);
    serve(&mut machine, &sha2(0)).expect("it is served");
    assert_eq!(get(&machine, B), SHA256_START.map(u32::swap_bytes));
}

/// ECALL-14, ECALL-18.
#[test]
fn sha2_refuses() {
    let check = |register, value, addr| {
        let mut machine = sha2_machine(&[0; 640]);
        let call = [sha2(10), vec![(register, value)]].concat();
        assert_eq!(serve(&mut machine, &call), Err(addr), "x{register} = {value:#x}");
    };
    check(A3, 11, 11);
    check(A4, D + 4, D + 4);
    for register in [A0, A1, A2, A4] {
        for bad in [0, 0xFFFC, A + 2, END - 28, END, 0xFFFF_FFFC] {
            check(register, bad, bad);
        }
    }
}

fn poseidon2(state: Addr, flags: u32) -> Vec<(u32, u32)> {
    vec![(A7, 3), (A0, state / 4), (A1, B / 4), (A2, C / 4), (A3, flags)]
}

const ELEMENTS: u32 = 0x8000_0000;
const CHECK: u32 = 0x4000_0000;

/// ECALL-11: a block of half-words is the block of elements with the same cells; the state carries cells 16 to 23.
#[test]
fn poseidon2_blocks_and_states() {
    let mut machine = machine();
    put(&mut machine, B, &[0x0002_0001, 0x0004_0003, 0, 0, 0, 0, 0, 0xffff_0000]);
    serve(&mut machine, &poseidon2(0, 1)).expect("it is served");
    let halves: [u32; 8] = get(&machine, C);
    put(&mut machine, B, &[1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xffff]);
    let call = serve(&mut machine, &poseidon2(0, ELEMENTS | 1)).expect("it is served");
    assert_eq!(get(&machine, C), halves);
    assert_eq!(call.extra_cycles, 2 + 11);

    // Two blocks at once, and one after the other with a state between, end in the same output.
    let blocks: Vec<u32> = (0..32).map(|i| i * 0x0101_0101).collect();
    put(&mut machine, B, &blocks);
    serve(&mut machine, &poseidon2(0, ELEMENTS | 2)).expect("it is served");
    let at_once: [u32; 8] = get(&machine, C);
    serve(&mut machine, &poseidon2(A, ELEMENTS | 1)).expect("it is served");
    put(&mut machine, B, &blocks[16..]);
    let call = serve(&mut machine, &poseidon2(A, ELEMENTS | 1)).expect("it is served");
    assert_eq!(get(&machine, C), at_once);
    assert_eq!(call.extra_cycles, 2 + 2 + 11);
}

/// ECALL-11: without a block the output is zeros and the state stays, though its words are not below p.
#[test]
fn poseidon2_of_nothing() {
    let mut machine = machine();
    put(&mut machine, A, &[u32::MAX; 8]);
    put(&mut machine, C, &[1; 8]);
    serve(&mut machine, &poseidon2(A, 0)).expect("it is served");
    assert_eq!((get(&machine, A), get(&machine, C)), ([u32::MAX; 8], [0; 8]));
}

/// ECALL-12, ECALL-18.
#[test]
fn poseidon2_refuses() {
    let mut machine = machine();
    put(&mut machine, B, &[7; 8]);
    serve(&mut machine, &poseidon2(0, 1)).expect("it is served");
    serve(&mut machine, &poseidon2(0, CHECK | 1)).expect("the output is what it should be");
    put(&mut machine, C, &[0]);
    assert_eq!(serve(&mut machine, &poseidon2(0, CHECK | 1)), Err(C));
    for register in [A0, A1, A2] {
        // Divided by 4: in the invalid page, at the end of what may be used, and beyond the address space.
        for bad in [1, 0x3FFF, END / 4 - 7, END / 4, 0x4000_0000, u32::MAX] {
            let call = [poseidon2(A, 1), vec![(register, bad)]].concat();
            assert_eq!(serve(&mut machine, &call), Err(bad), "x{register} = {bad:#x}");
        }
    }
    // 2,499 blocks of 10 cycles fit below 25,000, and 2,500 do not.
    serve(&mut machine, &poseidon2(0, 2499)).expect("it is served");
    assert_eq!(serve(&mut machine, &poseidon2(0, 2500)), Err(2500));
}

// Operations of a bigint program.
const CONSTANT: u64 = 0x2;
const LOAD: u64 = 0x3;
const STORE: u64 = 0x4;
const ADD: u64 = 0x8;
const SUB: u64 = 0x9;
const MUL: u64 = 0xA;
const REM: u64 = 0xB;
const QUO: u64 = 0xC;
const INV: u64 = 0xE;

/// The place of an arena: its register and unit.
const fn place(register: u64, unit: u64) -> u64 {
    register << 16 | unit
}

/// A program of `operations` (code, a, b) whose numbers have 16 bytes, with the constants 5 and 2^64 - 1.
fn program(operations: &[(u64, u64, u64)]) -> Vec<u32> {
    let mut words = vec![u32::from_le_bytes(*b"bibc"), 1, 0, 1, 2, operations.len() as u32];
    words.extend([16, 0, 0, 0, 0, 0, 0, 0]);
    words.extend([5, 0, u32::MAX, u32::MAX]);
    for (code, a, b) in operations {
        let operation = code | a << 16 | b << 40;
        words.extend([operation as u32, (operation >> 32) as u32]);
    }
    words
}

/// Loads two numbers from a1, applies `code`, and stores the result at a2.
fn binary(code: u64) -> Vec<u32> {
    program(&[(LOAD, place(11, 0), 0), (LOAD, place(11, 1), 0), (code, 0, 1), (STORE, place(12, 0), 2)])
}

fn bigint_machine(words: &[u32], numbers: [u128; 2]) -> Machine {
    let mut machine = machine();
    put(&mut machine, A, &[words.len() as u32, 20, 3]);
    put(&mut machine, B, words);
    machine.write_bytes(C, &[numbers[0].to_le_bytes(), numbers[1].to_le_bytes()].concat());
    machine
}

fn bigint() -> Vec<(u32, u32)> {
    vec![(A7, 5), (T0, 0), (A0, A), (T1, B), (T2, B + 4), (T3, B), (A1, C), (A2, D)]
}

fn result(machine: &Machine) -> u128 {
    let mut bytes = [0; 16];
    machine.read_bytes(D, &mut bytes);
    u128::from_le_bytes(bytes)
}

/// ECALL-15, ECALL-16, TIME-2.
#[test]
fn bigint_computes() {
    let check = |code, a: u128, b: u128, wanted: u128| {
        let mut machine = bigint_machine(&binary(code), [a, b]);
        let call = serve(&mut machine, &bigint()).expect("it is served");
        assert_eq!(result(&machine), wanted, "operation {code:#x} of {a} and {b}");
        assert_eq!(call.extra_cycles, 21);
    };
    let big = u128::MAX / 3;
    check(ADD, big, 7, big + 7);
    check(SUB, big, 7, big - 7);
    // The magnitude is stored.
    check(SUB, 7, big, big - 7);
    check(MUL, 1 << 63, (1 << 63) + 5, (1 << 63) * ((1 << 63) + 5));
    check(QUO, big, 1_000_007, big / 1_000_007);
    check(REM, big, 1_000_007, big % 1_000_007);
    // 3 * 5 = 1 modulo 7, and 10 is 3.
    check(INV, 3, 7, 5);
    check(INV, 10, 7, 5);
}

/// ECALL-15, ECALL-16: constants; remainders round towards zero; a program does not see its own stores.
#[test]
fn bigint_constants_signs_and_stores() {
    let check = |operations: &[(u64, u64, u64)], wanted| {
        let mut machine = bigint_machine(&program(operations), [17, 3]);
        serve(&mut machine, &bigint()).expect("it is served");
        assert_eq!(result(&machine), wanted);
    };
    check(&[(CONSTANT, 0, 2), (STORE, place(12, 0), 0)], 5 | u128::from(u64::MAX) << 64);
    // -(17 - 5) = -12; -12 / 5 is -2, so the remainder is -2.
    let negative = [(LOAD, place(11, 0), 0), (CONSTANT, 0, 1), (SUB, 1, 0), (REM, 2, 1), (STORE, place(12, 0), 3)];
    check(&negative, 2);
    // 5 goes where 17 was, and 17 is what the second load sees.
    let own = [(CONSTANT, 0, 1), (STORE, place(11, 0), 0), (LOAD, place(11, 0), 0), (STORE, place(12, 0), 2)];
    check(&own, 17);
}

/// ECALL-17, ECALL-18: registers that do not hold what they should.
#[test]
fn bigint_refuses_registers() {
    let check = |register, value, wanted: Result<(), u32>| {
        let mut machine = bigint_machine(&binary(ADD), [1, 2]);
        let call = [bigint(), vec![(register, value)]].concat();
        assert_eq!(serve(&mut machine, &call).map(|_| ()), wanted, "x{register} = {value:#x}");
    };
    check(T0, 1, Ok(()));
    check(T0, 2, Err(2));
    for register in [A0, T1, T3] {
        for bad in [0, 0xFFFC, A + 1, END - 4, 0xFFFF_FFFC] {
            check(register, bad, Err(bad));
        }
    }
    for bad in [0, 0x1_0000, A + 1, END, 0xFFFF_FFFC] {
        check(T2, bad, Err(bad));
    }
    // ECALL-16: an arena of the user ends before the kernel. The program is what names it.
    for bad in [0, 0xFFF0, C + 2, 0xBFFF_0000, 0xC000_0000] {
        check(A2, bad, Err(B));
    }
    check(A2, 0xBFFE_FFF0, Ok(()));
}

/// ECALL-17: programs that are none, or do what they must not.
#[test]
fn bigint_refuses_programs() {
    let refused = |words: &[u32], numbers| {
        let mut machine = bigint_machine(words, numbers);
        assert_eq!(serve(&mut machine, &bigint()), Err(B));
    };
    for code in [QUO, REM, INV] {
        refused(&binary(code), [1, 0]);
    }
    refused(&binary(INV), [6, 9]);
    refused(&binary(MUL), [u128::MAX, 2]);
    refused(&program(&[(0x1, 0, 0)]), [0, 0]);
    refused(&program(&[(ADD, 0, 0)]), [0, 0]);
    refused(&program(&[(CONSTANT, 1, 2)]), [0, 0]);
    refused(&program(&[(LOAD, place(32, 0), 0)]), [0, 0]);
    let mut no_type = program(&[(LOAD, place(11, 0), 0)]);
    *no_type.iter_mut().rev().nth(1).expect("an operation has two words") |= 1 << 4;
    refused(&no_type, [0, 0]);
    // 2^64 squared again and again passes 32,768 bits.
    let squares = (1..11).map(|i| (MUL, i - 1, i - 1));
    refused(&program(&[(CONSTANT, 1, 1)].into_iter().chain(squares).collect::<Vec<_>>()), [0, 0]);
    let good = binary(ADD);
    for (word, value) in [(0, 0), (1, 2), (2, u32::MAX), (3, u32::MAX), (4, u32::MAX), (5, u32::MAX)] {
        let mut bad = good.clone();
        bad[word] = value;
        refused(&bad, [0, 0]);
    }
    for words in 0..good.len() {
        refused(&good[..words], [0, 0]);
    }
}

/// ECALL-17, ECALL-18: sizes in the blob.
#[test]
fn bigint_refuses_sizes() {
    let check = |sizes: [u32; 2], wanted: Result<(), u32>| {
        let words = binary(ADD);
        let mut machine = bigint_machine(&words, [1, 2]);
        put(&mut machine, A, &[words.len() as u32 + sizes[0], sizes[1]]);
        assert_eq!(serve(&mut machine, &bigint()).map(|_| ()), wanted, "{sizes:?}");
    };
    check([0, 24_998], Ok(()));
    check([0, 24_999], Err(A));
    check([0, u32::MAX], Err(A));
    check([(10 << 20) / 4, 0], Err(A));
}
