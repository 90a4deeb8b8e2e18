//! The verifier is built without the prover: `cargo tree` of the command with the feature `verify`.

use std::process::Command;

/// The packages and features that `lockstep` links when it verifies and does not prove.
fn tree() -> String {
    let args = ["tree", "-p", "lockstep-cli", "--no-default-features", "--features", "verify", "-e", "normal,features"];
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let output =
        Command::new(env!("CARGO")).args(args).args(["--prefix", "none", "--offline"]).current_dir(root).output();
    let output = output.expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Witness, row checker and prover are behind the feature `prover`; threads come with it alone.
#[test]
fn the_verifier_links_no_prover() {
    let tree = tree();
    assert!(tree.contains("lockstep-prove v"), "{tree}");
    for absent in ["lockstep-prove feature \"prover\"", "p3-maybe-rayon feature \"parallel\"", "rayon v"] {
        let found: Vec<&str> = tree.lines().filter(|line| line.starts_with(absent)).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}
