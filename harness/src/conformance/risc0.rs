//! RISC Zero's executor: kernels, user mode, traps, ECALLs and paging, instruction by instruction.

use super::Column;
use crate::coverage::Coverage;
use crate::report::Cell;
use crate::suites::Test;

/// The column.
pub struct Risc0;

impl Column for Risc0 {
    fn name(&self) -> &str {
        "risc0"
    }

    fn about(&self) -> &str {
        "RISC Zero's executor, both modes and its count of cycles, before every instruction"
    }

    #[cfg(feature = "risc0")]
    fn version(&self) -> Result<String, String> {
        Ok("crate risc0-circuit-rv32im 4.0.5".into())
    }

    #[cfg(not(feature = "risc0"))]
    fn version(&self) -> Result<String, String> {
        Err(NOT_BUILT.into())
    }

    #[cfg(feature = "risc0")]
    fn run(&self, test: &Test, _: &mut Coverage) -> Cell {
        use super::judge::{STEP_LIMIT, TestHost};
        use lockstep::exec::{Engine, Exit, Step, Until};

        let machine = match test.machine() {
            Ok(machine) => machine,
            Err(error) => return Cell::fail(error.to_string(), 0),
        };
        let until = Until::order(STEP_LIMIT);
        if Step::new().run(&mut machine.clone(), &mut TestHost::of(test), until, &mut ()) == Exit::Order {
            return Cell::skip("does not end by itself".into());
        }
        match crate::machines::risc0::compare(&machine, TestHost::of(test)) {
            Ok(agreed) => Cell::pass(agreed.instructions),
            Err(difference) => Cell::fail(format!("{difference:#}"), 0),
        }
    }

    #[cfg(not(feature = "risc0"))]
    fn run(&self, _: &Test, _: &mut Coverage) -> Cell {
        Cell::skip(NOT_BUILT.into())
    }
}

#[cfg(not(feature = "risc0"))]
const NOT_BUILT: &str =
    "not in this build: `make conformance FEATURES=risc0-executor` builds it in (a large C++ library)";
