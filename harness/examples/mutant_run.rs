//! Runs the suites on the core of this build, of which one mutant may be on; prints what each suite found.
//! `make mutants` builds this in the instrumented copy; the argument is the root of the real checkout.

use std::path::Path;
use std::process::ExitCode;

use lockstep_harness::mutants;

fn main() -> ExitCode {
    let root = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    let hunt = mutants::hunt(Path::new(&root));
    match hunt
        .map_err(|error| error.to_string())
        .and_then(|hunt| serde_json::to_string(&hunt).map_err(|e| e.to_string()))
    {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(4)
        }
    }
}
