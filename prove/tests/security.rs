//! What the parameters of `config.rs` are worth, computed by p3-security for the largest proof.

use lockstep_prove::air::Chip;
use lockstep_prove::backend::{ChipAir, prover_data};
use lockstep_prove::config::{
    Challenge, EXTENSION_DEGREE, GRINDING_BITS, LOG_BLOWUP, LOG_FINAL_LENGTH, LOG_FOLDING, MAX_LOG_ROWS, MAX_TABLES,
    QUERIES, config,
};
use lockstep_prove::machine::AnyChip;
use p3_lookup::Lookups;
use p3_security::fri::FriRegime;
use p3_security::grinding::GrindingSites;
use p3_security::logup::{LogUpAir, security_term};
use p3_security::shape::{InstanceShape, StarkAirParams};
use p3_security::stark::{conjectured_security_report, proven_security_report};

/// As many tables of every chip as there may be at their largest, all in one proof: no receipt is worth less.
#[test]
fn proofs_have_100_proven_bits() {
    let fri = FriRegime {
        log_blowup: LOG_BLOWUP,
        num_queries: QUERIES,
        log_final_poly_len: LOG_FINAL_LENGTH,
        max_log_arity: LOG_FOLDING,
        commit_pow_bits: GRINDING_BITS,
        query_pow_bits: GRINDING_BITS,
    };
    let grinding = GrindingSites {
        out_of_domain: GRINDING_BITS,
        batch_combination: GRINDING_BITS,
        lookup_challenge: GRINDING_BITS,
    };
    let total = Totals::of_all_chips();
    // log2 of BabyBear's order is 30.9; the bits of the extension are counted downwards.
    let modulus_bits = (30.906 * EXTENSION_DEGREE as f64) as usize;
    let shape = InstanceShape {
        log_trace_length: MAX_LOG_ROWS,
        modulus_bits,
        // Blake3's 256 bits.
        collision_resistance: 128,
        num_batched_functions: total.openings,
    };
    let air = StarkAirParams {
        num_constraints: total.constraints,
        max_constraint_degree: 3,
        num_quotient_chunks: 2,
        max_combo: 2,
    };
    let lookups = LogUpAir { num_interactions: total.interactions, max_message_width: total.widest };
    let extras: Vec<_> = security_term(&lookups, &shape, &grinding).into_iter().collect();
    let proven = proven_security_report(&fri, &air, &shape, &extras, &grinding);
    let conjectured = conjectured_security_report(&fri, &air, &shape, &extras, &grinding);
    println!(
        "proven {:.1} bits ({:?}), conjectured {:.1} bits",
        proven.security_bits(),
        proven.binding(),
        conjectured.security_bits()
    );
    println!("unique decoding {:?}", proven.udr.terms());
    println!("list decoding {:?}", proven.ldr.as_ref().map(|report| report.terms().to_vec()));
    println!(
        "{} constraints, {} openings, {} interactions a row in all",
        total.constraints, total.openings, total.interactions
    );
    assert!(proven.security_bits() >= 100.0, "{:.1} proven bits", proven.security_bits());
}

struct Totals {
    constraints: usize,
    openings: usize,
    interactions: usize,
    widest: usize,
}

impl Totals {
    fn of_all_chips() -> Totals {
        let mut total = Totals { constraints: 0, openings: 0, interactions: 0, widest: 0 };
        let chips = AnyChip::ALL.into_iter().flat_map(|chip| [chip; MAX_TABLES]);
        let airs: Vec<ChipAir> = chips.clone().map(ChipAir::for_verifier).collect();
        let degrees = vec![MAX_LOG_ROWS; airs.len()];
        let data = prover_data(&config(&[]), &airs, &degrees).unwrap();
        for ((chip, air), packed) in chips.zip(&airs).zip(&data.common.lookups) {
            let lookups = Lookups::from_air::<Challenge, ChipAir>(air);
            total.interactions += lookups.len();
            let widths = lookups.iter().flat_map(|lookup| lookup.elements.iter().map(Vec::len));
            total.widest = total.widest.max(widths.max().unwrap_or(0));
            // Each fraction column has a constraint, the accumulator three.
            total.constraints += constraints(chip) + packed.len() + 3;
            let next = if chip.reads_next() { 2 } else { 1 };
            let fixed = lockstep_prove::backend::fixed_width(chip);
            total.openings += next * chip.width() + fixed + 2 * EXTENSION_DEGREE;
            total.openings += 2 * (packed.len() + 1) * EXTENSION_DEGREE;
        }
        total
    }
}

fn constraints(chip: AnyChip) -> usize {
    use p3_air::symbolic::AirLayout;
    let layout = AirLayout::from_air(&ChipAir::for_verifier(chip));
    let builder = p3_lookup::InteractionSymbolicBuilder::<lockstep_prove::air::F, Challenge>::from_air(
        &ChipAir::for_verifier(chip),
        layout,
    );
    builder.base_constraints().len()
}
