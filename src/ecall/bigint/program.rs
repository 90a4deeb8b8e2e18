//! Programs of big-number operations: their format, and what they compute (ECALL-15, ECALL-17).

use num_bigint::{BigInt, BigUint};
use num_traits::Zero;

/// "bibc", little-endian.
const MAGIC: u32 = u32::from_le_bytes(*b"bibc");
/// The version of the format.
const VERSION: u32 = 1;
/// Words of the header: magic, version, and the numbers of inputs, types, constants and operations.
const HEADER_WORDS: usize = 6;
/// Words of the description of an input, which execution does not need.
const INPUT_WORDS: usize = 4;
/// Words of a type: its number of coefficients, and bounds that execution does not need.
const TYPE_WORDS: usize = 8;
/// Words of a constant and of an operation.
const DOUBLE_WORDS: usize = 2;

/// The most operations (ECALL-17). A verify program of 25,000 words, v2's limit, has fewer.
const MAX_OPERATIONS: usize = 25_000;
/// The most bits of a number (ECALL-17): four times a product of two RSA-4096 numbers.
const MAX_BITS: u64 = 32_768;
/// A number is loaded and stored in multiples of this many bytes.
const PLACE_BYTES: u64 = 16;

/// A decoded program.
pub struct Program {
    /// The bytes of a number of each type.
    types: Vec<u64>,
    constants: Vec<u64>,
    operations: Vec<Operation>,
}

/// Where a number is loaded from or stored to.
pub struct Place {
    /// The register that holds the address of the arena.
    pub register: u32,
    /// The unit of 16 bytes within it.
    pub unit: u32,
    /// How many bytes: a multiple of 16, at most [`MAX_BITS`] / 8.
    pub bytes: u32,
}

/// Where numbers come from and go.
pub trait Arenas {
    /// The number at `place`; `None` if it may not be used.
    fn load(&mut self, place: &Place) -> Option<BigInt>;
    /// Stores the magnitude of `value` at `place`; `None` if it may not be used or has too little room.
    fn store(&mut self, place: &Place, value: &BigInt) -> Option<()>;
}

/// One operation: a code, the type of its result, and two operands.
#[derive(Clone, Copy)]
struct Operation(u64);

impl Operation {
    fn code(self) -> u64 {
        self.0 & 0xf
    }

    fn result_type(self) -> usize {
        (self.0 >> 4 & 0xfff) as usize
    }

    fn a(self) -> usize {
        (self.0 >> 16 & 0xff_ffff) as usize
    }

    fn b(self) -> usize {
        (self.0 >> 40) as usize
    }
}

impl Program {
    /// Decodes the words of a program; `None` if they are none.
    pub fn decode(words: &[u32]) -> Option<Program> {
        let (header, rest) = words.split_at_checked(HEADER_WORDS)?;
        let &[MAGIC, VERSION, inputs, types, constants, operations] = header else { return None };
        let (_inputs, rest) = section(rest, inputs, INPUT_WORDS)?;
        let (types, rest) = section(rest, types, TYPE_WORDS)?;
        let (constants, rest) = section(rest, constants, DOUBLE_WORDS)?;
        let (operations, _) = section(rest, operations, DOUBLE_WORDS)?;
        if operations.len() / DOUBLE_WORDS > MAX_OPERATIONS {
            return None;
        }
        Some(Program {
            types: types.chunks_exact(TYPE_WORDS).map(double).collect(),
            constants: constants.chunks_exact(DOUBLE_WORDS).map(double).collect(),
            operations: operations.chunks_exact(DOUBLE_WORDS).map(double).map(Operation).collect(),
        })
    }

    /// Runs the program; `None` if it does something that ECALL-17 refuses.
    pub fn run(&self, arenas: &mut impl Arenas) -> Option<()> {
        let mut results: Vec<BigInt> = Vec::with_capacity(self.operations.len());
        for &operation in &self.operations {
            let result = self.execute(operation, &results, arenas)?;
            if result.bits() > MAX_BITS {
                return None;
            }
            results.push(result);
        }
        Some(())
    }

    /// What `operation` computes; a store computes nothing, which later operations see as 0.
    fn execute(&self, operation: Operation, results: &[BigInt], arenas: &mut impl Arenas) -> Option<BigInt> {
        let operands = || Some((results.get(operation.a())?, results.get(operation.b())?));
        match operation.code() {
            0x2 => self.constant(operation),
            0x3 => arenas.load(&self.place(operation)?),
            0x4 => {
                let value = results.get(operation.b())?;
                arenas.store(&self.place(operation)?, value)?;
                Some(BigInt::ZERO)
            }
            0x8 => operands().map(|(a, b)| a + b),
            0x9 => operands().map(|(a, b)| a - b),
            0xA => operands().and_then(|(a, b)| product(a, b)),
            // Both round towards zero, and the remainder has the sign of the dividend.
            0xB => operands().and_then(|(a, b)| (!b.is_zero()).then(|| a % b)),
            0xC => operands().and_then(|(a, b)| (!b.is_zero()).then(|| a / b)),
            0xE => operands().and_then(|(a, b)| inverse(a.magnitude(), b.magnitude())),
            _ => None,
        }
    }

    fn constant(&self, operation: Operation) -> Option<BigInt> {
        let doubles = self.constants.get(operation.a()..operation.a().checked_add(operation.b())?)?;
        if doubles.len() as u64 > MAX_BITS / u64::from(u64::BITS) {
            return None;
        }
        let digits = doubles.iter().flat_map(|double| [*double as u32, (double >> 32) as u32]);
        Some(BigUint::new(digits.collect()).into())
    }

    fn place(&self, operation: Operation) -> Option<Place> {
        let coefficients = *self.types.get(operation.result_type())?;
        let bytes = coefficients.checked_next_multiple_of(PLACE_BYTES).filter(|bytes| bytes * 8 <= MAX_BITS)?;
        let (register, unit) = (operation.a() >> 16, operation.a() & 0xffff);
        Some(Place { register: register as u32, unit: unit as u32, bytes: bytes as u32 })
    }
}

/// The first `count` items of `words`, and the words behind them.
fn section(words: &[u32], count: u32, item_words: usize) -> Option<(&[u32], &[u32])> {
    words.split_at_checked((count as usize).checked_mul(item_words)?)
}

/// The first two words as one number.
fn double(words: &[u32]) -> u64 {
    u64::from(words[0]) | u64::from(words[1]) << 32
}

/// Checks the size first: a program can square a number in every operation.
fn product(a: &BigInt, b: &BigInt) -> Option<BigInt> {
    (a.bits() + b.bits() <= MAX_BITS + 1).then(|| a * b)
}

/// The inverse of `value` modulo `modulus`.
fn inverse(value: &BigUint, modulus: &BigUint) -> Option<BigInt> {
    if modulus.is_zero() || (value % modulus).is_zero() {
        return None;
    }
    value.modinv(modulus).map(BigInt::from)
}
