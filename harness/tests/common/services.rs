//! Programs that use the services of the machine through RISC Zero's kernel, and what they must compute.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;

use dashu_int::UBig;
use dashu_int::ops::BitTest;
use lockstep::hart::Machine;
use lockstep::map::Addr;
use lockstep::mem::{Memory, Page};

use super::v1compat::*;

/// A program with the bytes that it must leave in memory.
pub struct Case {
    pub name: String,
    pub machine: Machine,
    pub wanted: Vec<(Addr, Vec<u8>)>,
}

/// `base` to the `exponent`, modulo `modulus`.
fn power(base: &UBig, exponent: &UBig, modulus: &UBig) -> UBig {
    let mut result = UBig::ONE;
    for i in (0..exponent.bit_len()).rev() {
        result = &result * &result % modulus;
        if exponent.bit(i) {
            result = result * base % modulus;
        }
    }
    result
}

/// Fermat: the inverse of `value` modulo a prime is its power of prime - 2.
fn inverse(value: &UBig, prime: &UBig) -> UBig {
    power(value, &(prime - UBig::from(2u8)), prime)
}

fn number(hex: &str) -> UBig {
    UBig::from_str_radix(hex, 16).expect("it is hex")
}

/// Random numbers: xorshift64.
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Of at most `bits` bits.
    fn number(&mut self, bits: usize) -> UBig {
        let bytes: Vec<u8> = (0..bits / 64).flat_map(|_| self.word().to_le_bytes()).collect();
        UBig::from_le_bytes(&bytes)
    }

    /// Below `modulus`, often at an end of the range.
    fn below(&mut self, modulus: &UBig, bits: usize) -> UBig {
        match self.word() % 8 {
            0 => UBig::ZERO,
            1 => UBig::ONE,
            2 => modulus - UBig::ONE,
            _ => self.number(bits) % modulus,
        }
    }
}

fn bytes(number: &UBig, bits: usize) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    assert!(bytes.len() <= bits / 8, "{number} has more than {bits} bits");
    bytes.resize(bits / 8, 0);
    bytes
}

/// How many operands of each operation.
const ROUNDS: usize = 20;

/// Of two numbers and a modulus.
type Operation = fn(&UBig, &UBig, &UBig) -> UBig;

/// The modular operations of the crate risc0-bigint2, whose program `blob` returns (mode 0).
pub fn modular(blob: &impl Fn(&str) -> Vec<u8>) -> Vec<Case> {
    let add: Operation = |a, b, m| (a + b) % m;
    let sub: Operation = |a, b, m| (a + m - b) % m;
    let mul: Operation = |a, b, m| a * b % m;
    let operations = [
        ("modadd_256", 256, add),
        ("modadd_384", 384, add),
        ("modsub_256", 256, sub),
        ("modsub_384", 384, sub),
        ("modmul_256", 256, mul),
        ("modmul_384", 384, mul),
        ("modmul_4096", 4096, mul),
    ];
    let mut cases: Vec<Case> =
        operations.iter().map(|(name, bits, wanted)| binary(name, &blob(name), *bits, *wanted)).collect();
    cases.extend([("modinv_256", &SECP256K1), ("modinv_384", &SECP384R1)].map(|(name, curve)| {
        let (mut guest, mut random, mut wanted) = (Guest::new(), Random(1), Vec::new());
        let prime = curve.prime();
        for _ in 0..ROUNDS {
            let value = random.number(curve.bits) % (&prime - UBig::ONE) + UBig::ONE;
            let arenas = [&value, &prime].map(|number| guest.bytes(&bytes(number, curve.bits)));
            let result = guest.room(curve.bits as u32 / 8);
            guest.bigint2(&blob(name), &[arenas[0], arenas[1], result]);
            wanted.push((result, bytes(&inverse(&value, &prime), curve.bits)));
        }
        Case { name: name.into(), machine: guest.halt(0), wanted }
    }));
    cases
}

fn binary(name: &str, blob: &[u8], bits: usize, compute: Operation) -> Case {
    let (mut guest, mut random, mut wanted) = (Guest::new(), Random(name.len() as u64), Vec::new());
    for _ in 0..ROUNDS {
        let modulus = random.number(bits) | (UBig::ONE << (bits - 1)) | UBig::ONE;
        let (a, b) = (random.below(&modulus, bits), random.below(&modulus, bits));
        let arenas = [&a, &b, &modulus].map(|number| guest.bytes(&bytes(number, bits)));
        let result = guest.room(bits as u32 / 8);
        guest.bigint2(blob, &[arenas[0], arenas[1], arenas[2], result]);
        wanted.push((result, bytes(&compute(&a, &b, &modulus), bits)));
    }
    Case { name: name.into(), machine: guest.halt(0), wanted }
}

/// A product of elements of an extension field: coefficients below `modulus` from the constant on, where x^d is
/// `power`[0] + `power`[1] x + ... . (risc0-bigint2 calls them the irreducible polynomial; its tests have x^2 + 1 as -1.)
fn product(a: &[UBig], b: &[UBig], power: &[UBig], modulus: &UBig) -> Vec<UBig> {
    let degree = power.len();
    let mut sums = vec![UBig::ZERO; 2 * degree - 1];
    for (i, a) in a.iter().enumerate() {
        b.iter().enumerate().for_each(|(j, b)| sums[i + j] += a * b);
    }
    while sums.len() > degree {
        let top = sums.pop().expect("it is longer than the degree") % modulus;
        let start = sums.len() - degree;
        sums[start..].iter_mut().zip(power).for_each(|(sum, coefficient)| *sum += &top * coefficient);
    }
    sums.iter().map(|sum| sum % modulus).collect()
}

/// How a program of an extension field is called and what it computes.
#[derive(Clone, Copy)]
enum Extension {
    /// Of two elements and the modulus.
    Sum,
    Difference,
    /// Of two elements, what x^d is, and the modulus.
    Product,
    /// With x^2 = -1: of two elements, the modulus and its square.
    GaussianProduct,
}

/// The operations in extension fields of the crate risc0-bigint2 (mode 0).
pub fn extensions(blob: &impl Fn(&str) -> Vec<u8>) -> Vec<Case> {
    use Extension::*;
    let operations = [
        ("extfield_deg2_add_256", 2, 256, Sum),
        ("extfield_deg2_add_384", 2, 384, Sum),
        ("extfield_deg2_sub_256", 2, 256, Difference),
        ("extfield_deg2_sub_384", 2, 384, Difference),
        ("extfield_deg2_mul_256", 2, 256, Product),
        ("extfield_deg4_mul_256", 4, 256, Product),
        ("extfield_xxone_mul_256", 2, 256, GaussianProduct),
        ("extfield_xxone_mul_384", 2, 384, GaussianProduct),
    ];
    operations.map(|(name, degree, bits, kind)| extension(name, &blob(name), (degree, bits), kind)).into()
}

fn extension(name: &str, blob: &[u8], (degree, bits): (usize, usize), kind: Extension) -> Case {
    let (mut guest, mut random, mut wanted) = (Guest::new(), Random(name.len() as u64), Vec::new());
    for _ in 0..ROUNDS {
        let modulus = random.number(bits) | (UBig::ONE << (bits - 1)) | UBig::ONE;
        let mut element = || (0..degree).map(|_| random.below(&modulus, bits)).collect::<Vec<_>>();
        let (a, b, power) = (element(), element(), element());
        let each = |compute: fn(&UBig, &UBig, &UBig) -> UBig| {
            a.iter().zip(&b).map(|(a, b)| compute(a, b, &modulus)).collect::<Vec<_>>()
        };
        let gaussian = [&modulus - UBig::ONE, UBig::ZERO];
        let (result, more) = match kind {
            Extension::Sum => (each(|a, b, m| (a + b) % m), vec![]),
            Extension::Difference => (each(|a, b, m| (a + m - b) % m), vec![]),
            Extension::Product => (product(&a, &b, &power, &modulus), vec![&power[..]]),
            Extension::GaussianProduct => (product(&a, &b, &gaussian, &modulus), vec![]),
        };
        let flat = |numbers: &[UBig]| numbers.iter().flat_map(|number| bytes(number, bits)).collect::<Vec<_>>();
        let inputs: Vec<&[UBig]> = [&a[..], &b].into_iter().chain(more).collect();
        let mut arenas: Vec<Addr> = inputs.into_iter().map(|numbers| guest.bytes(&flat(numbers))).collect();
        arenas.push(guest.bytes(&bytes(&modulus, bits)));
        if matches!(kind, Extension::GaussianProduct) {
            arenas.push(guest.bytes(&bytes(&(&modulus * &modulus), 2 * bits)));
        }
        let place = guest.room((degree * bits / 8) as u32);
        arenas.push(place);
        guest.bigint2(blob, &arenas);
        wanted.push((place, flat(&result)));
    }
    Case { name: name.into(), machine: guest.halt(0), wanted }
}

/// A curve y^2 = x^3 + ax + b with a point, in hex.
pub struct Curve {
    bits: usize,
    prime: &'static str,
    a: &'static str,
    b: &'static str,
    x: &'static str,
    y: &'static str,
}

/// SEC 2, 2.4.1.
pub const SECP256K1: Curve = Curve {
    bits: 256,
    prime: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
    a: "0",
    b: "7",
    x: "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    y: "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
};
/// SEC 2, 2.5.1.
pub const SECP384R1: Curve = Curve {
    bits: 384,
    prime: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
    a: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000fffffffc",
    b: "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
    x: "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
    y: "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
};

type Point = [UBig; 2];

impl Curve {
    fn prime(&self) -> UBig {
        number(self.prime)
    }

    fn subtract(&self, a: &UBig, b: &UBig) -> UBig {
        (a + self.prime() - b) % self.prime()
    }

    fn quotient(&self, a: &UBig, b: &UBig) -> UBig {
        a * inverse(b, &self.prime()) % self.prime()
    }

    /// The third point on the line through `p` with this slope, mirrored.
    fn reflect(&self, [x, y]: &Point, other_x: &UBig, slope: &UBig) -> Point {
        let third_x = self.subtract(&self.subtract(&(slope * slope % self.prime()), x), other_x);
        let third_y = self.subtract(&(slope * self.subtract(x, &third_x) % self.prime()), y);
        [third_x, third_y]
    }

    fn add(&self, p: &Point, q: &Point) -> Point {
        let slope = self.quotient(&self.subtract(&q[1], &p[1]), &self.subtract(&q[0], &p[0]));
        self.reflect(p, &q[0], &slope)
    }

    fn double(&self, p: &Point) -> Point {
        let rise = &p[0] * &p[0] * UBig::from(3u8) + number(self.a);
        self.reflect(p, &p[0], &self.quotient(&rise, &(&p[1] + &p[1])))
    }

    fn holds(&self, [x, y]: &Point) -> bool {
        let cubic = (x * x + number(self.a)) * x + number(self.b);
        y * y % self.prime() == cubic % self.prime()
    }

    fn bytes(&self, numbers: &[UBig]) -> Vec<u8> {
        numbers.iter().flat_map(|number| bytes(number, self.bits)).collect()
    }

    /// G, 2G, 4G ... by the program for doubling, and G + 2G, 2G + 4G ... by that for adding.
    fn case(&self, name: &str, add: &[u8], double: &[u8]) -> Case {
        let (mut guest, mut wanted) = (Guest::new(), Vec::new());
        let parameters = guest.bytes(&self.bytes(&[self.prime, self.a, self.b].map(number)));
        let mut point: Point = [self.x, self.y].map(number);
        let mut place = guest.bytes(&self.bytes(&point));
        for _ in 0..ROUNDS {
            let doubled = self.double(&point);
            let sum = self.add(&point, &doubled);
            assert!([&point, &doubled, &sum].iter().all(|point| self.holds(point)), "a constant is wrong");
            let results = [0; 2].map(|_| guest.room(self.bits as u32 / 4));
            guest.bigint2(double, &[place, parameters, results[0]]);
            guest.bigint2(add, &[place, results[0], parameters, results[1]]);
            wanted.extend([(results[0], self.bytes(&doubled)), (results[1], self.bytes(&sum))]);
            (point, place) = (doubled, results[0]);
        }
        Case { name: name.into(), machine: guest.halt(0), wanted }
    }
}

/// The elliptic curves of the crate risc0-bigint2 (mode 0).
pub fn curves(blob: &impl Fn(&str) -> Vec<u8>) -> Vec<Case> {
    let case = |curve: &Curve, bits: &str| {
        let blobs = ["ec_add", "ec_double"].map(|name| blob(&format!("{name}_{bits}")));
        curve.case(&format!("curve of {bits} bits"), &blobs[0], &blobs[1])
    };
    vec![case(&SECP256K1, "256"), case(&SECP384R1, "384")]
}

/// The kernel's own products, with and without a modulus (mode 1).
pub fn products() -> Case {
    let (mut guest, mut random, mut wanted) = (Guest::new(), Random(3), Vec::new());
    for round in 0..ROUNDS {
        // Without a modulus the product must fit.
        let bits = if round % 2 == 0 { 128 } else { 256 };
        let (a, b) = (random.number(bits), random.number(bits));
        let modulus = if round % 2 == 0 { UBig::ZERO } else { random.number(256) | (UBig::ONE << 255) };
        let product = if modulus.is_zero() { &a * &b } else { &a * &b % &modulus };
        let result = guest.room(32);
        let arenas = [&a, &b, &modulus].map(|number| guest.bytes(&bytes(number, 256)));
        guest.ecall(BIGINT, &[(A0, result), (A1, 0), (A2, arenas[0]), (A3, arenas[1]), (A4, arenas[2])]);
        wanted.push((result, bytes(&product, 256)));
    }
    Case { name: "products of the kernel".into(), machine: guest.halt(0), wanted }
}

/// SHA-256 of `message`, in calls of up to 1000 blocks.
pub fn sha256_of(name: &str, message: &[u8], wanted: &str) -> Case {
    let mut guest = Guest::new();
    let digest = guest.sha256(message);
    let wanted = vec![(digest, number(wanted).to_be_bytes().to_vec())];
    Case { name: name.into(), machine: guest.halt(0), wanted }
}

/// Messages with the digests that the standard prints for them.
pub fn known_digests() -> Vec<Case> {
    vec![
        sha256_of("no bytes", b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        sha256_of("abc", b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        sha256_of(
            "two blocks",
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
    ]
}

/// FIPS 180-4, 5.3.3.
const SHA256_START: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

impl Guest {
    /// The digest of `message`, by the kernel's ECALL; returns its place.
    fn sha256(&mut self, message: &[u8]) -> Addr {
        let message_at = self.bytes(&padded(message));
        self.sha256_of(message_at, padded(message).len() as u32 / 64)
    }

    fn sha256_of(&mut self, message: Addr, blocks: u32) -> Addr {
        const BLOCKS_A_CALL: u32 = 1000;
        let (start, state) = (self.words(&SHA256_START.map(u32::swap_bytes)), self.room(32));
        for first in (0..blocks).step_by(BLOCKS_A_CALL as usize) {
            let from = if first == 0 { start } else { state };
            let (data, count) = (message + 64 * first, BLOCKS_A_CALL.min(blocks - first));
            self.ecall(SHA, &[(A0, state), (A1, from), (A2, data), (A3, data + 32), (A4, count)]);
        }
        state
    }

    fn copy(&mut self, from: Addr, to: Addr, words: u32) {
        let [source, target, value] = [28, 29, 30];
        self.set(source, from);
        self.set(target, to);
        for offset in (0..4 * words).step_by(4) {
            self.emit(offset << 20 | source << 15 | 2 << 12 | value << 7 | 0x03);
            self.emit((offset >> 5) << 25 | value << 20 | target << 15 | 2 << 12 | (offset & 31) << 7 | 0x23);
        }
    }
}

fn padded(message: &[u8]) -> Vec<u8> {
    let mut padded = [message, &[0x80]].concat();
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    padded
}

/// A guest that computes the image ID of `memory` itself: the Merkle tree by poseidon2, the rest by sha2.
pub fn image_id_by_guest(memory: &Memory, wanted: &[u8]) -> Case {
    let pages = memory.pages().map(|(number, page)| (number.0, *page)).collect();
    let mut tree = Tree { guest: Guest::new(), pages, zeros: Vec::new() };
    tree.hash_zeros();
    let root = tree.guest.room(32);
    tree.hash(TREE_LEVELS, 0, root);

    // SHA-256 of: the digest of the name, the root, a pc of 0, and the number of digests (1) in 16 bits.
    let mut guest = tree.guest;
    let name = guest.sha256(b"risc0.SystemState");
    let content = guest.bytes(&padded(&[&[0; 68][..], &[1, 0]].concat()));
    guest.copy(name, content, 8);
    guest.copy(root, content + 32, 8);
    let id = guest.sha256_of(content, 2);
    Case { name: "image ID by the guest".into(), machine: guest.halt(0), wanted: vec![(id, wanted.to_vec())] }
}

/// Pages are the leaves.
const TREE_LEVELS: u32 = 22;
/// Input of poseidon2: elements, not half-words.
const ELEMENTS: u32 = 0x8000_0000;

/// The program that hashes a tree of pages.
struct Tree {
    guest: Guest,
    pages: BTreeMap<u32, Page>,
    /// Digests of all-zero trees, by level.
    zeros: Vec<Addr>,
}

impl Tree {
    fn hash_zeros(&mut self) {
        let page = self.guest.room(1024);
        let mut zero = self.guest.room(32);
        self.poseidon2(page, zero, 32);
        for _ in 0..TREE_LEVELS {
            self.zeros.push(zero);
            let (pair, next) = (self.guest.room(64), self.guest.room(32));
            self.guest.copy(zero, pair, 8);
            self.guest.copy(zero, pair + 32, 8);
            self.poseidon2(pair, next, ELEMENTS | 1);
            zero = next;
        }
    }

    /// The digest of the tree of `level` levels that is the `index`th of its size, at `out`.
    fn hash(&mut self, level: u32, index: u32, out: Addr) {
        let pages = index << level..=(index << level) + ((1 << level) - 1);
        match self.pages.range(pages).next() {
            None => self.guest.copy(self.zeros[level as usize], out, 8),
            Some((_, page)) if level == 0 => {
                let page = *page;
                let input = self.guest.words(&page);
                self.poseidon2(input, out, 32);
            }
            Some(_) => {
                let pair = self.guest.room(64);
                // The right one comes first.
                self.hash(level - 1, 2 * index + 1, pair);
                self.hash(level - 1, 2 * index, pair + 32);
                self.poseidon2(pair, out, ELEMENTS | 1);
            }
        }
    }

    fn poseidon2(&mut self, input: Addr, out: Addr, flags: u32) {
        self.guest.ecall(POSEIDON2, &[(A0, 0), (A1, input / 4), (A2, out / 4), (A3, flags)]);
    }
}
