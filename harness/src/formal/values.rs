//! Words that tests of instructions are made of: corners, and random ones from a fixed seed.

/// Where behaviour changes: bytes, half-words, signs, shift amounts, and their neighbours.
pub const CORNERS: [u32; 28] = [
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    31,
    32,
    33,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x5555_5555,
    0xaaaa_aaaa,
    0x7fff_fffe,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_fffe,
    0xffff_ffff,
];

/// The seed of every random word in `lockstep formal`.
pub const SEED: u64 = 0x10C_57E9;

/// Random words: SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next word. One in four is a corner, one in four has few bits set or clear.
    pub fn word(&mut self) -> u32 {
        let bits = self.next();
        let word = (bits >> 32) as u32;
        match bits & 7 {
            0 | 1 => CORNERS[word as usize % CORNERS.len()],
            2 => word & (self.next() as u32) & (self.next() as u32),
            3 => word | (self.next() as u32) | (self.next() as u32),
            _ => word,
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
