//! Has cargo compile the wrappers of `cli/examples/exec_ops.rs` and finds their LLVM IR.
//!
//! Cargo builds the wrappers in the release profile against the same library `lockstep` as it
//! links into the command; a change of `src/exec/ops.rs` makes it compile both anew.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::FormalError;

/// The compiler whose IR the translator is written for: what `!llvm.ident` must begin with.
pub const COMPILER: &str = "rustc version 1.95.0 ";

/// The IR of the wrappers, compiled by the cargo of the current directory.
///
/// # Errors
/// [`FormalError::Extraction`] when cargo fails or leaves no IR.
pub fn compile() -> Result<String, FormalError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["rustc", "--quiet", "--release", "--package", "lockstep-cli", "--example", "exec_ops"])
        .args(["--message-format", "json-render-diagnostics", "--"])
        // One codegen unit gives one IR file.
        .args(["--emit", "llvm-ir", "-C", "codegen-units=1"])
        .output()
        .map_err(|error| FormalError::Extraction(format!("cargo cannot be run: {error}")))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_string();
        return Err(FormalError::Extraction(format!("cargo failed in the current directory: {words}")));
    }
    let path = ir_path(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| FormalError::Extraction("cargo named no artifact of exec_ops".to_string()))?;
    fs::read_to_string(&path).map_err(|error| {
        FormalError::Extraction(format!(
            "{}: {error}; `cargo clean --release -p lockstep-cli` makes cargo write it again",
            path.display()
        ))
    })
}

/// The IR lies beside `libexec_ops-HASH.rmeta`, which cargo names in its messages.
fn ir_path(messages: &str) -> Option<PathBuf> {
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut ours = artifacts.filter(|message| message["target"]["name"] == "exec_ops");
    let files = ours.next()?["filenames"].as_array()?.clone();
    files.iter().filter_map(|file| file.as_str()).map(PathBuf::from).find_map(|file| {
        let stem = file.file_stem()?.to_str()?.strip_prefix("lib")?;
        (file.extension()? == "rmeta").then(|| file.with_file_name(format!("{stem}.ll")))
    })
}
