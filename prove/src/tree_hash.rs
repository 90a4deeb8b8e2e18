//! The hashes of a Merkle tree: Blake3 of a row's cells, and of two nodes.
//!
//! The digests are those of Plonky3's `SerializingHasher<Blake3>` and `CompressionFunctionFromHasher<Blake3, ..>`. What
//! differs is how one row or one pair of nodes gets to Blake3: in one piece, so that the kilobytes of a row are hashed
//! side by side, and a pair without the ado of a message of unknown length. A verifier has one row and one pair at a
//! time, and spends a third of its time there otherwise.

use p3_blake3::Blake3;
use p3_field::RawDataSerializable;
use p3_symmetric::{CryptographicHasher, PseudoCompressionFunction, SerializingHasher};

use crate::air::F;

/// The bytes of a digest.
pub const DIGEST_BYTES: usize = 32;

type Digest = [u8; DIGEST_BYTES];

/// Hashes the cells of a row.
#[derive(Clone, Copy, Debug)]
pub struct RowHash;

/// Hashes two nodes.
#[derive(Clone, Copy, Debug)]
pub struct NodeHash;

/// Several rows of one length side by side: Plonky3's way is the quick one.
const ROWS: SerializingHasher<Blake3> = SerializingHasher::new(Blake3);

impl CryptographicHasher<F, Digest> for RowHash {
    const LANES: usize = <SerializingHasher<Blake3> as CryptographicHasher<F, Digest>>::LANES;

    fn hash_iter<I: IntoIterator<Item = F>>(&self, cells: I) -> Digest {
        let mut bytes = Vec::new();
        cells.into_iter().for_each(|cell| bytes.extend(cell.into_bytes()));
        hash(&bytes)
    }

    fn hash_iter_slices<'a, I: IntoIterator<Item = &'a [F]>>(&self, slices: I) -> Digest {
        let mut bytes = Vec::new();
        for slice in slices {
            bytes.reserve(slice.len() * F::NUM_BYTES);
            slice.iter().for_each(|cell| bytes.extend(cell.into_bytes()));
        }
        hash(&bytes)
    }

    fn hash_many(&self, rows: &[F], digests: &mut [Digest]) {
        ROWS.hash_many(rows, digests);
    }
}

impl PseudoCompressionFunction<Digest, 2> for NodeHash {
    const LANES: usize = Blake3::LANES;

    fn compress(&self, nodes: [Digest; 2]) -> Digest {
        hash(nodes.as_flattened())
    }

    fn compress_many(&self, nodes: &[[Digest; 2]], digests: &mut [Digest]) {
        Blake3.hash_many(nodes.as_flattened().as_flattened(), digests);
    }
}

/// One message, in one piece.
fn hash(message: &[u8]) -> Digest {
    let mut digest = [[0; DIGEST_BYTES]];
    Blake3.hash_many(message, &mut digest);
    let [digest] = digest;
    digest
}

#[cfg(test)]
mod tests {
    use p3_field::PrimeCharacteristicRing;
    use p3_symmetric::CompressionFunctionFromHasher;

    use super::*;
    use crate::air::P;

    /// Rows around the lengths at which Blake3 changes its ways: a block has 16 cells, a chunk 256.
    #[test]
    fn digests_are_plonky3s() {
        for cells in [0_u32, 1, 15, 16, 17, 255, 256, 257, 1024, 1601] {
            let row: Vec<F> = (0..cells).map(|i| F::from_u32((i + 1).wrapping_mul(0x9e37_79b9) % P)).collect();
            let expected: Digest = ROWS.hash_iter(row.iter().copied());
            assert_eq!(RowHash.hash_iter(row.iter().copied()), expected, "{cells} cells");
            let (front, back) = row.split_at(row.len() / 3);
            assert_eq!(RowHash.hash_iter_slices([front, back]), expected, "{cells} cells in two slices");
        }
    }

    #[test]
    fn nodes_are_plonky3s() {
        let nodes = [[0; DIGEST_BYTES], [0xa5; DIGEST_BYTES], std::array::from_fn(|i| i as u8)];
        let pairs = [[nodes[0], nodes[1]], [nodes[1], nodes[2]], [nodes[2], nodes[2]]];
        let mut digests = [nodes[0]; 3];
        NodeHash.compress_many(&pairs, &mut digests);
        for (pair, digest) in pairs.into_iter().zip(digests) {
            let expected: Digest = CompressionFunctionFromHasher::<_, 2, DIGEST_BYTES>::new(Blake3).compress(pair);
            assert_eq!((NodeHash.compress(pair), digest), (expected, expected));
        }
    }
}
