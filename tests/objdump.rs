//! The disassembler and the decoder against GNU objdump, on random words (ISA-1 to ISA-4).
//!
//! For every 32-bit word w at address a, one of these holds:
//! * w is an instruction of ours, and objdump prints the same text, its `# comment` aside;
//! * w is a FENCE with reserved fields set, which the machine executes (ISA-4) and objdump does not name;
//! * w is a shift by an immediate of 32 to 63, which only RV64 has (ISA-3) and objdump prints all the same;
//! * w is illegal, and objdump does not know it either, or names an instruction of an extension that the
//!   machine lacks (ISA-2): a mnemonic that is not in our table.
//!
//! Words whose low bits announce another length than 32 bits must be illegal, and are not shown to objdump,
//! which would read on from the middle of the next word.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use lockstep::isa::{Format, Op, decode, disassemble};

/// Random words of each kind; the run takes some seconds.
const WORDS: usize = 60_000;
const SEED: u64 = 0x10c5_7e90_0000_0001;

#[test]
fn disassembly_is_that_of_objdump() {
    let words = words();
    let theirs = objdump(&words);
    assert_eq!(theirs.len(), words.len(), "objdump did not print a line a word");
    assert!(words.len() > 100_000, "only {} words have 32 bits", words.len());
    let mut seen = BTreeSet::new();
    for (index, (&word, theirs)) in words.iter().zip(&theirs).enumerate() {
        let addr = 4 * index as u32;
        if let Err(problem) = compare(word, addr, theirs) {
            panic!("word 0x{word:08x} at {addr:#x}, seed {SEED:#x}: {problem}");
        }
        seen.extend(decode(word).map(|insn| insn.op));
    }
    assert_eq!(seen.len(), Op::ALL.len(), "an instruction never came up");
}

/// ISA-3: nothing but 32-bit encodings is legal.
#[test]
fn words_of_other_lengths_are_illegal() {
    let mut random = Random(SEED);
    for _ in 0..100_000 {
        let word = random.word();
        if !has_32_bits(word) {
            assert_eq!(decode(word), None, "0x{word:08x}");
        }
    }
}

fn compare(word: u32, addr: u32, theirs: &str) -> Result<(), String> {
    let Some(insn) = decode(word) else {
        let mnemonic = theirs.split(' ').next().unwrap_or_default();
        let is_ours = Op::ALL.iter().any(|op| op.mnemonic() == mnemonic);
        return if is_ours && !is_rv64_shift(word) {
            Err(format!("illegal for us, but objdump says `{theirs}`"))
        } else {
            Ok(())
        };
    };
    let ours = disassemble(word, addr);
    let is_reserved_fence = insn.op.format() == Format::Fence && theirs.starts_with('.');
    if ours == theirs || is_reserved_fence { Ok(()) } else { Err(format!("`{ours}` is `{theirs}` for objdump")) }
}

/// SLLI, SRLI or SRAI with bit 5 of the shift amount set.
fn is_rv64_shift(word: u32) -> bool {
    const SHIFT_BIT_5: u32 = 1 << 25;
    let on_rv32 = decode(word & !SHIFT_BIT_5);
    word & SHIFT_BIT_5 != 0 && on_rv32.is_some_and(|insn| insn.op.format() == Format::Shamt)
}

/// Legal words, words that differ from a legal one in one bit, and any words.
fn words() -> Vec<u32> {
    let mut random = Random(SEED);
    let mut words = Vec::new();
    for _ in 0..WORDS {
        let row = Op::ALL[random.word() as usize % Op::ALL.len()].row();
        let legal = (random.word() & !row.mask) | row.pattern;
        words.extend([legal, legal ^ (1 << (random.word() % 32)), random.word() | 3]);
    }
    words.retain(|word| has_32_bits(*word));
    words
}

/// Manual, "Expanded Instruction-Length Encoding": bits 1..0 are 11 and bits 4..2 are not 111.
fn has_32_bits(word: u32) -> bool {
    word & 3 == 3 && word & 0x1c != 0x1c
}

/// What objdump says of each word: mnemonic, a space, operands.
fn objdump(words: &[u32]) -> Vec<String> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("objdump-words.bin");
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    fs::write(&file, bytes).expect("the target folder can be written");
    let output = Command::new("riscv64-unknown-elf-objdump")
        .args(["-D", "-z", "-b", "binary", "-m", "riscv:rv32", "-M", "no-aliases"])
        .arg(&file)
        .output()
        .expect("riscv64-unknown-elf-objdump runs; install the Debian package binutils-riscv64-unknown-elf");
    assert!(output.status.success(), "objdump failed: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().filter_map(instruction).collect()
}

/// `   4:\t00a50533          \tadd\ta0,a0,a0 # comment`, less address, word, comment.
fn instruction(line: &str) -> Option<String> {
    let mut fields = line.split('\t');
    fields.next()?.trim().strip_suffix(':')?;
    fields.next()?;
    let text = fields.collect::<Vec<_>>().join(" ");
    let text = text.split(" #").next().unwrap_or_default();
    Some(text.split(" <").next().unwrap_or_default().trim().to_string())
}

/// SplitMix64: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn word(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z >> 32) as u32
    }
}
