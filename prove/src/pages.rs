//! The page tree of an image: RISC Zero's Poseidon2 Merkle tree over pages of 1 KiB.

use std::collections::HashMap;

use lockstep::mem::{PAGE_WORDS, Page, ZERO_PAGE};
use p3_field::{PrimeCharacteristicRing, PrimeField32};

use crate::air::F;
use crate::chips::poseidon2::{self, CELLS, Poseidon2Row};
use crate::chips::tree::DEPTH;
use crate::claim::Root;

/// A digest: eight cells.
pub type Digest = [F; 8];

/// The permutations that a proof needs, each once.
#[derive(Default)]
pub struct Permutations {
    rows: Vec<Poseidon2Row<F>>,
    places: HashMap<[u32; CELLS], usize>,
}

impl Permutations {
    /// The permutation of `input`, counted once more.
    pub fn permute(&mut self, input: [F; CELLS]) -> [F; CELLS] {
        let key = input.map(|cell| cell.as_canonical_u32());
        let place = *self.places.entry(key).or_insert_with(|| {
            self.rows.push(poseidon2::fill(input, 0));
            self.rows.len() - 1
        });
        self.rows[place].count += F::ONE;
        poseidon2::output(&self.rows[place])
    }

    /// The rows of the chip.
    pub fn into_rows(self) -> Vec<Poseidon2Row<F>> {
        self.rows
    }
}

/// Half-words `16 i` to `16 i + 15` of `page`.
pub fn block(page: &Page, i: usize) -> [F; 16] {
    std::array::from_fn(|cell| F::from_u32(page[8 * i + cell / 2] >> (16 * (cell % 2)) & 0xffff))
}

/// The input of the permutation of the children `left` and `right`: RISC Zero takes the right one first.
pub fn input(left: Digest, right: Digest) -> [F; CELLS] {
    let mut cells = right.into_iter().chain(left).chain([F::ZERO; 8]);
    std::array::from_fn(|_| cells.next().expect("three times eight cells"))
}

/// The first eight cells of a state.
pub fn first(state: &[F; CELLS]) -> Digest {
    std::array::from_fn(|i| state[i])
}

/// The last eight cells of a state.
pub fn last(state: &[F; CELLS]) -> Digest {
    std::array::from_fn(|i| state[16 + i])
}

fn mix(input: [F; CELLS]) -> [F; CELLS] {
    use risc0_zkp::core::hash::poseidon2::poseidon2_mix;
    use risc0_zkp::field::baby_bear::BabyBearElem;
    let mut cells = input.map(|cell| BabyBearElem::new(cell.as_canonical_u32()));
    poseidon2_mix(&mut cells);
    cells.map(|cell| F::from_u32(cell.as_u32()))
}

fn page_digest(page: &Page) -> Digest {
    let mut state = [F::ZERO; CELLS];
    for i in 0..PAGE_WORDS / 8 {
        state[..16].copy_from_slice(&block(page, i));
        state = mix(state);
    }
    first(&state)
}

/// The tree: the nodes that are not those of zeros.
#[derive(Clone)]
pub struct PageTree {
    levels: Vec<HashMap<u32, Digest>>,
    /// The digest of a subtree of zeros at each level.
    zeros: Vec<Digest>,
}

impl PageTree {
    /// The tree over `pages`.
    pub fn new<'a>(pages: impl IntoIterator<Item = (u32, &'a Page)>) -> PageTree {
        let mut zeros = vec![page_digest(&ZERO_PAGE)];
        for _ in 0..DEPTH {
            let below = zeros[zeros.len() - 1];
            zeros.push(first(&mix(input(below, below))));
        }
        zeros.reverse();
        let mut tree = PageTree { levels: vec![HashMap::new(); DEPTH as usize + 1], zeros };
        tree.update(pages);
        tree
    }

    /// Replaces `pages` and every node above them.
    pub fn update<'a>(&mut self, pages: impl IntoIterator<Item = (u32, &'a Page)>) {
        let mut touched = Vec::new();
        for (number, page) in pages {
            self.levels[DEPTH as usize].insert(number, page_digest(page));
            touched.push(number);
        }
        for level in (0..DEPTH).rev() {
            touched = parents(&touched);
            for &index in &touched {
                let digest = first(&mix(self.children(level, index)));
                self.levels[level as usize].insert(index, digest);
            }
        }
    }

    /// The input of the hash of node `index` of `level`: its children.
    pub fn children(&self, level: u32, index: u32) -> [F; CELLS] {
        input(self.node(level + 1, 2 * index), self.node(level + 1, 2 * index + 1))
    }

    /// The digest of node `index` of `level`; level 0 is the root, level 22 the pages.
    pub fn node(&self, level: u32, index: u32) -> Digest {
        self.levels[level as usize].get(&index).copied().unwrap_or(self.zeros[level as usize])
    }

    /// The root.
    pub fn root(&self) -> Root {
        self.node(0, 0).map(|cell| cell.as_canonical_u32())
    }
}

/// The parents of the nodes `indices`, each once, in order.
pub fn parents(indices: &[u32]) -> Vec<u32> {
    let mut parents: Vec<u32> = indices.iter().map(|index| index / 2).collect();
    parents.sort_unstable();
    parents.dedup();
    parents
}
