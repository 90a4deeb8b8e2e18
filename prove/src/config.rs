//! The parameters of the proof system: every number with its source.
//!
//! `tests/security.rs` computes what they are worth with p3-security and fails below 100 proven bits.

use p3_baby_bear::BabyBear;
use p3_blake3::Blake3;
use p3_challenger::{HashChallenger, SerializingChallenger32};
use p3_commit::ExtensionMmcs;
use p3_dft::Radix2DitParallel;
use p3_field::extension::BinomialExtensionField;
use p3_fri::{FriParameters, TwoAdicFriPcs};
use p3_merkle_tree::MerkleTreeMmcs;
use p3_uni_stark::StarkConfig;

use crate::air::F;
use crate::tree_hash::{DIGEST_BYTES, NodeHash, RowHash};

/// The degree of the extension that challenges come from: 155 bits. Degree 4 (124 bits) leaves LogUp
/// below 100 bits at 2^20 rows and 18 interactions.
pub const EXTENSION_DEGREE: usize = 5;

/// log2 of the blowup: 2, the least, since proving time is what we have least of; it allows constraints
/// up to degree 3.
pub const LOG_BLOWUP: usize = 1;

/// Queries: in the list-decoding regime each is worth a little less than half a bit at rate 1/2.
/// 170 and the grinding leave some two bits above the 100 that `tests/security.rs` asks for.
pub const QUERIES: usize = 170;

/// Bits of grinding at each site (queries, every folding, batching, out-of-domain point, lookups):
/// 2^18 hashes are some 10 ms.
pub const GRINDING_BITS: usize = 18;

/// log2 of the most values folded into one: 8 saves layers, hence hashes in the proof.
pub const LOG_FOLDING: usize = 3;

/// log2 of the length of the final polynomial: a constant.
pub const LOG_FINAL_LENGTH: usize = 0;

/// log2 of the most rows of a table.
pub const MAX_LOG_ROWS: usize = 22;

/// The most tables of one chip: several of falling height save padding.
pub const MAX_TABLES: usize = 3;

/// The most rows of all tables together. Times stay below `chips::refresh::MAX_TIME`: a step takes a row and four units.
pub const MAX_ROWS: usize = 1 << 25;

const _: () = assert!(MAX_ROWS * 4 + 8 <= crate::chips::refresh::MAX_TIME as usize);

/// log2 of the least rows of a table.
pub const MIN_LOG_ROWS: usize = 2;

/// What challenges are.
pub type Challenge = BinomialExtensionField<F, EXTENSION_DEGREE>;
type ValueMmcs = MerkleTreeMmcs<F, u8, RowHash, NodeHash, 2, DIGEST_BYTES>;
type ChallengeMmcs = ExtensionMmcs<F, Challenge, ValueMmcs>;
/// The Fiat-Shamir transcript.
pub type Challenger = SerializingChallenger32<F, HashChallenger<u8, Blake3, DIGEST_BYTES>>;
/// The commitment scheme.
pub type Pcs = TwoAdicFriPcs<F, Radix2DitParallel<F>, ValueMmcs, ChallengeMmcs>;
/// The proof system.
pub type Config = StarkConfig<Pcs, Challenge, Challenger>;

const _: () = assert!(crate::air::P == <BabyBear as p3_field::PrimeField32>::ORDER_U32);

/// The proof system, with a transcript that begins with `statement`.
pub fn config(statement: &[u8]) -> Config {
    let values = ValueMmcs::new(RowHash, NodeHash, 0);
    let fri = FriParameters {
        log_blowup: LOG_BLOWUP,
        log_final_poly_len: LOG_FINAL_LENGTH,
        max_log_arity: LOG_FOLDING,
        num_queries: QUERIES,
        batch_proof_of_work_bits: GRINDING_BITS,
        commit_proof_of_work_bits: GRINDING_BITS,
        query_proof_of_work_bits: GRINDING_BITS,
        mmcs: ChallengeMmcs::new(values),
    };
    let pcs = Pcs::new(Radix2DitParallel::default(), values, fri);
    let challenger = Challenger::from_hasher(statement.to_vec(), Blake3);
    Config::new(pcs, challenger)
        .with_lookup_proof_of_work_bits(GRINDING_BITS)
        .with_ood_proof_of_work_bits(GRINDING_BITS)
}
