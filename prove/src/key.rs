//! The verification key: the commitment to the fixed columns.

use p3_batch_stark::common::{GlobalPreprocessed, PreprocessedInstanceMeta};

use crate::backend::fixed_width;
use crate::chips::tables::{HALF_ROWS, KEYS};
use crate::config::Config;
use crate::machine::AnyChip;

/// The Merkle root of the fixed columns, as postcard has it; the test below recomputes it.
const ROOT: [u8; 33] = [
    0x01, 0xf4, 0x9a, 0x9b, 0x9f, 0x59, 0xc4, 0x9b, 0xfd, 0x3f, 0xc0, 0x0e, 0xa3, 0x4e, 0xd3, 0x80, 0x9a, 0x52, 0x30,
    0xa1, 0x2c, 0xd7, 0x3a, 0x8a, 0xfa, 0xab, 0x6e, 0x0b, 0x5e, 0x83, 0xe5, 0x7e, 0x37,
];

/// The commitment to the fixed columns of `chips`.
pub fn fixed_columns(chips: &[AnyChip]) -> GlobalPreprocessed<Config> {
    let commitment = postcard::from_bytes(&ROOT).expect("the root is well-formed");
    let mut matrix_to_instance = Vec::new();
    let mut instances = Vec::new();
    for (i, chip) in chips.iter().enumerate() {
        let rows = match chip {
            AnyChip::Halves => HALF_ROWS,
            AnyChip::Opcodes => KEYS as usize,
            _ => {
                instances.push(None);
                continue;
            }
        };
        let (matrix_index, degree_bits) = (matrix_to_instance.len(), rows.ilog2() as usize);
        instances.push(Some(PreprocessedInstanceMeta { matrix_index, width: fixed_width(*chip), degree_bits }));
        matrix_to_instance.push(i);
    }
    GlobalPreprocessed { commitment, instances, matrix_to_instance }
}

#[cfg(all(test, feature = "prover"))]
mod tests {
    use super::*;
    use crate::backend::ChipAir;
    use crate::verifier::hex;

    /// The root is that of the tables as they are.
    #[test]
    fn root_is_that_of_the_fixed_columns() {
        let airs = [AnyChip::Halves, AnyChip::Opcodes].map(ChipAir::for_prover);
        let config = crate::config::config(&[]);
        let data = crate::backend::prover_data(&config, &airs, &[16, 10]).unwrap();
        let commitment = data.common.preprocessed.expect("fixed columns").commitment;
        let root = postcard::to_stdvec(&commitment).unwrap();
        assert_eq!(hex(&root), hex(&ROOT), "the tables have changed: so must the root and the receipt's version");
    }
}
