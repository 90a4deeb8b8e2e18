//! The chips as Plonky3 sees them.

use p3_air::{Air, AirBuilder, BaseAir, WindowAccess};
use p3_batch_stark::config::PcsProverError;
use p3_batch_stark::{ProverData, ProvingError};
use p3_field::PrimeCharacteristicRing;
use p3_lookup::{Count, InteractionBuilder, LogUpGadget, LookupProtocol, Lookups};
use p3_matrix::dense::RowMajorMatrix;

use crate::air::{Builder, Bus, Chip, F, Fixed, Times};
use crate::chips::tables::{HALF_FACTS, OPCODE_FACTS};
use crate::config::{Challenge, Config, LOG_BLOWUP};
use crate::expr::Expr;
use crate::machine::AnyChip;
use crate::statics;

/// A chip with its fixed columns, if they are wanted.
#[derive(Clone)]
pub struct ChipAir {
    chip: AnyChip,
    fixed_width: usize,
    fixed: Option<RowMajorMatrix<F>>,
}

impl ChipAir {
    /// `chip` as the prover needs it.
    pub fn for_prover(chip: AnyChip) -> ChipAir {
        let fixed = chip.fixed().map(|Fixed { width, cells }| RowMajorMatrix::new(cells, width));
        ChipAir { chip, fixed_width: fixed.as_ref().map_or(0, |fixed| fixed.width), fixed }
    }

    /// `chip` as the verifier needs it: the fixed columns are known by their commitment.
    pub fn for_verifier(chip: AnyChip) -> ChipAir {
        ChipAir { chip, fixed_width: fixed_width(chip), fixed: None }
    }
}

/// What prover and verifier know of tables of `log_rows` rows: the commitment to their fixed columns, if `airs` have
/// them, and how interactions share columns.
///
/// # Errors
/// Plonky3's, for a table that cannot be committed to.
pub fn prover_data(config: &Config, airs: &[ChipAir], log_rows: &[usize]) -> Result<ProverData<Config>, DataError> {
    let budgets = vec![statics::MAX_DEGREE as usize; airs.len()];
    ProverData::from_airs_and_degrees_with_lookup_budgets(config, airs, log_rows, &budgets, LOG_BLOWUP)
}

/// How the interactions of `chip` share columns: what [`prover_data`] finds for its table, at a fourth of the work.
/// All chips have degree [`statics::MAX_DEGREE`] at most, so the quotient allows no more than that.
pub fn lookups(chip: AnyChip) -> Lookups<F> {
    let degree = |lookup: &_| LogUpGadget::new().constraint_degree(lookup);
    let alone = Lookups::from_air::<Challenge, _>(&ChipAir::for_verifier(chip));
    alone.pack_same_bus_with_degree(statics::MAX_DEGREE as usize, degree)
}

/// Why there is no [`ProverData`].
pub type DataError = ProvingError<PcsProverError<Config>>;

/// The number of fixed columns of `chip`.
pub fn fixed_width(chip: AnyChip) -> usize {
    match chip {
        AnyChip::Halves => HALF_FACTS,
        AnyChip::Opcodes => OPCODE_FACTS,
        _ => 0,
    }
}

impl BaseAir<F> for ChipAir {
    fn width(&self) -> usize {
        self.chip.width()
    }

    fn preprocessed_trace(&self) -> Option<RowMajorMatrix<F>> {
        self.fixed.clone()
    }

    fn preprocessed_width(&self) -> usize {
        self.fixed_width
    }

    fn main_next_row_columns(&self) -> Vec<usize> {
        if self.chip.reads_next() { (0..self.chip.width()).collect() } else { Vec::new() }
    }

    fn preprocessed_next_row_columns(&self) -> Vec<usize> {
        Vec::new()
    }

    fn num_public_values(&self) -> usize {
        self.chip.publics()
    }
}

impl<AB: InteractionBuilder + AirBuilder<F = F>> Air<AB> for ChipAir {
    fn eval(&self, builder: &mut AB) {
        let main = builder.main();
        self.chip.eval(&mut Adapter { inner: builder, main });
    }
}

/// Our builder over Plonky3's.
struct Adapter<'a, AB: AirBuilder> {
    inner: &'a mut AB,
    main: AB::MainWindow,
}

impl<AB: InteractionBuilder + AirBuilder<F = F>> Builder for Adapter<'_, AB> {
    type Raw = AB::Expr;

    fn local(&self, column: usize) -> Expr<AB::Expr> {
        Expr(self.main.current(column).expect("a column of the chip").into())
    }

    fn next(&self, column: usize) -> Expr<AB::Expr> {
        Expr(self.main.next(column).expect("a column of the chip").into())
    }

    fn fixed(&self, column: usize) -> Expr<AB::Expr> {
        Expr(self.inner.preprocessed().current(column).expect("a fixed column of the chip").into())
    }

    fn public(&self, index: usize) -> Expr<AB::Expr> {
        Expr(self.inner.public_values()[index].into())
    }

    fn is_first(&self) -> Expr<AB::Expr> {
        Expr(self.inner.is_first_row())
    }

    fn is_last(&self) -> Expr<AB::Expr> {
        Expr(self.inner.is_last_row())
    }

    fn is_transition(&self) -> Expr<AB::Expr> {
        Expr(self.inner.is_transition())
    }

    fn zero(&mut self, _name: &'static str, value: Expr<AB::Expr>) {
        self.inner.assert_zero(value.0);
    }

    fn interact<const N: usize>(&mut self, bus: Bus, times: Times<Expr<AB::Expr>>, tuple: [Expr<AB::Expr>; N]) {
        let count = match times {
            Times::Send(Expr(times)) => Count::bounded(times, 1),
            Times::Receive(Expr(times)) => Count::bounded(-times, 1),
            Times::Provide(Expr(times)) => Count::provided(AB::Expr::ZERO - times),
        };
        self.inner.push_interaction(bus.name(), tuple.map(|cell| cell.0), count);
    }
}

#[cfg(all(test, feature = "prover"))]
mod tests {
    use super::*;

    /// What the verifier knows of a chip is what the prover works with.
    #[test]
    fn lookups_are_those_of_the_prover() {
        for chip in AnyChip::ALL {
            let log_rows = chip.fixed().map_or(4, |fixed| (fixed.cells.len() / fixed.width).ilog2() as usize);
            let data = prover_data(&crate::config::config(&[]), &[ChipAir::for_prover(chip)], &[log_rows]).unwrap();
            let [prover] = &data.common.lookups[..] else { panic!("one table") };
            assert_eq!(format!("{:?}", lookups(chip)), format!("{prover:?}"), "{}", chip.name());
        }
    }
}
