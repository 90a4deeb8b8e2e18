//! Poseidon2 over BabyBear, width 24, with RISC Zero's constants: a row is one permutation.
//!
//! Of each S-box x^7 the cube is a column, and of each full round the state behind it, so that no
//! constraint has a degree above 3: `cube = x^3`, `x^7 = cube^2 * x`.

use p3_field::PrimeCharacteristicRing;
use risc0_zkp::core::hash::poseidon2 as risc0;

use super::chip;
use crate::air::{Builder, Bus, F, Times, columns};
use crate::expr::Expr;

/// The permutation.
pub struct Poseidon2;

/// Cells of the state.
pub const CELLS: usize = risc0::CELLS;
/// Full rounds at each end.
const HALF_FULL: usize = risc0::ROUNDS_HALF_FULL;
/// Partial rounds between them.
const PARTIAL: usize = risc0::ROUNDS_PARTIAL;
/// Cells of all full rounds.
const FULL_CELLS: usize = 2 * HALF_FULL * CELLS;

columns! {
    /// A row is one permutation.
    Poseidon2Row {
        /// How often it is looked up.
        count,
        input[CELLS],
        /// The cubes and the states of the full rounds.
        cube[FULL_CELLS], state[FULL_CELLS],
        /// The cubes and the S-boxes of the partial rounds.
        partial_cube[PARTIAL], partial_sbox[PARTIAL],
    }
}

chip!(Poseidon2, "poseidon2", Poseidon2Row);

impl Poseidon2 {
    fn constrain<B: Builder>(b: &mut B, row: Poseidon2Row<Expr<B::Raw>>) {
        let mut state = row.input.clone();
        external(&mut state);
        for round in 0..HALF_FULL {
            full_round(b, &row, &mut state, round, round);
        }
        for round in 0..PARTIAL {
            let x = &state[0] + constant(HALF_FULL + round, 0);
            let (cube, sbox) = (&row.partial_cube[round], &row.partial_sbox[round]);
            b.zero("cube of a partial round", &x * &x * &x - cube);
            b.zero("S-box of a partial round", cube * cube * &x - sbox);
            state[0] = sbox.clone();
            internal(&mut state);
        }
        for round in HALF_FULL..2 * HALF_FULL {
            full_round(b, &row, &mut state, round, round + PARTIAL);
        }
        let output = row.input.iter().chain(&state[..8]).chain(&state[16..]).cloned();
        let mut cells = output;
        let tuple: [_; 40] = std::array::from_fn(|_| cells.next().expect("24 + 8 + 8 cells"));
        b.interact(Bus::Poseidon2, Times::Provide(row.count.clone()), tuple);
    }
}

/// Full round `full` of 8, round `round` of all.
fn full_round<B: Builder>(
    b: &mut B,
    row: &Poseidon2Row<Expr<B::Raw>>,
    state: &mut [Expr<B::Raw>; CELLS],
    full: usize,
    round: usize,
) {
    let mut sboxes: [_; CELLS] = std::array::from_fn(|i| {
        let x = &state[i] + constant(round, i);
        let cube = &row.cube[full * CELLS + i];
        b.zero("cube of a full round", &x * &x * &x - cube);
        cube * cube * x
    });
    external(&mut sboxes);
    for (i, sbox) in sboxes.into_iter().enumerate() {
        let after = &row.state[full * CELLS + i];
        b.zero("state behind a full round", sbox - after);
        state[i] = after.clone();
    }
}

/// RISC Zero's constant `cell` of round `round`.
fn constant(round: usize, cell: usize) -> u32 {
    risc0::ROUND_CONSTANTS[round * CELLS + cell].as_u32()
}

/// The matrix of the full rounds: circ(2 M, M, ..., M) with M the 4 by 4 matrix of the Poseidon2 paper.
fn external<X: PrimeCharacteristicRing>(state: &mut [Expr<X>; CELLS]) {
    for chunk in state.as_chunks_mut::<4>().0 {
        *chunk = four_by_four(chunk);
    }
    let sums: [Expr<X>; 4] = std::array::from_fn(|j| Expr::sum((0..CELLS / 4).map(|i| state[4 * i + j].clone())));
    for (i, cell) in state.iter_mut().enumerate() {
        *cell = &*cell + &sums[i % 4];
    }
}

fn four_by_four<X: PrimeCharacteristicRing>(x: &[Expr<X>; 4]) -> [Expr<X>; 4] {
    let t0 = &x[0] + &x[1];
    let t1 = &x[2] + &x[3];
    let t2 = &x[1] * 2 + &t1;
    let t3 = &x[3] * 2 + &t0;
    let t4 = &t1 * 4 + &t3;
    let t5 = &t0 * 4 + &t2;
    [&t3 + &t5, t5, &t2 + &t4, t4]
}

/// The matrix of the partial rounds: all ones, plus a diagonal.
fn internal<X: PrimeCharacteristicRing>(state: &mut [Expr<X>; CELLS]) {
    let sum = Expr::sum(state.iter().cloned());
    for (i, cell) in state.iter_mut().enumerate() {
        *cell = &*cell * risc0::M_INT_DIAG_HZN[i].as_u32() + &sum;
    }
}

/// The permutation of `state`, with the row that proves it, looked up `count` times.
pub fn fill(input: [F; CELLS], count: u32) -> Poseidon2Row<F> {
    let mut row = Poseidon2Row {
        count: F::from_u32(count),
        input,
        cube: [F::ZERO; FULL_CELLS],
        state: [F::ZERO; FULL_CELLS],
        partial_cube: [F::ZERO; PARTIAL],
        partial_sbox: [F::ZERO; PARTIAL],
    };
    let mut state = input.map(Expr);
    external(&mut state);
    for round in 0..HALF_FULL {
        fill_full(&mut row, &mut state, round, round);
    }
    for round in 0..PARTIAL {
        let x = state[0].0 + F::from_u32(constant(HALF_FULL + round, 0));
        row.partial_cube[round] = x.cube();
        row.partial_sbox[round] = x.cube().square() * x;
        state[0] = Expr(row.partial_sbox[round]);
        internal(&mut state);
    }
    for round in HALF_FULL..2 * HALF_FULL {
        fill_full(&mut row, &mut state, round, round + PARTIAL);
    }
    row
}

fn fill_full(row: &mut Poseidon2Row<F>, state: &mut [Expr<F>; CELLS], full: usize, round: usize) {
    for (i, cell) in state.iter_mut().enumerate() {
        let x = cell.0 + F::from_u32(constant(round, i));
        row.cube[full * CELLS + i] = x.cube();
        *cell = Expr(x.cube().square() * x);
    }
    external(state);
    for (i, cell) in state.iter().enumerate() {
        row.state[full * CELLS + i] = cell.0;
    }
}

/// The state that the row's permutation ends in.
pub fn output(row: &Poseidon2Row<F>) -> [F; CELLS] {
    std::array::from_fn(|i| row.state[FULL_CELLS - CELLS + i])
}

#[cfg(test)]
mod tests {
    use p3_field::PrimeField32;

    use super::*;

    /// The row's permutation is RISC Zero's.
    #[test]
    fn permutation_is_risc0s() {
        let mut cells: [_; CELLS] =
            std::array::from_fn(|i| risc0_zkp::field::baby_bear::BabyBearElem::new(i as u32 * 0x1234567));
        let row = fill(std::array::from_fn(|i| F::from_u32(i as u32 * 0x1234567)), 1);
        risc0::poseidon2_mix(&mut cells);
        let ours = output(&row).map(|cell| cell.as_canonical_u32());
        assert_eq!(ours, cells.map(|cell| cell.as_u32()));
    }
}
