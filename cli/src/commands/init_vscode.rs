//! `lockstep init-vscode`: a launch.json for the C/C++ extension and CodeLLDB.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::error::Error;

/// The arguments of `lockstep init-vscode`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The program to debug: an ELF file for RV32IM
    #[arg(value_name = "ELF")]
    elf: PathBuf,

    /// The project's folder; its .vscode/launch.json is written
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// The port that `lockstep gdb --listen` is given
    #[arg(long, value_name = "PORT", default_value_t = 1234)]
    port: u16,

    /// Replace a launch.json that is there
    #[arg(long)]
    force: bool,
}

const EXAMPLES: &str = "\
Examples:
  lockstep init-vscode build/app.elf
  lockstep gdb build/app.elf --listen 127.0.0.1:1234      then press F5 in the editor";

/// Writes `.vscode/launch.json`.
///
/// # Errors
/// A launch.json that is there already, or a folder that cannot be written.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let folder = args.folder.join(".vscode");
    let path = folder.join("launch.json");
    if path.exists() && !args.force {
        return Err(Error::usage(format!("{} exists; --force replaces it", path.display())));
    }
    let text = serde_json::to_string_pretty(&launch(&args)).map_err(Error::infrastructure)?;
    let failed = |error| Error::infrastructure(format!("{}: {error}", path.display()));
    fs::create_dir_all(&folder).and_then(|()| fs::write(&path, text + "\n")).map_err(failed)?;
    println!("wrote {}", path.display());
    println!("start lockstep gdb {} --listen 127.0.0.1:{}, then press F5", args.elf.display(), args.port);
    Ok(ExitCode::SUCCESS)
}

fn launch(args: &Args) -> Value {
    let elf = std::path::absolute(&args.elf).unwrap_or_else(|_| args.elf.clone());
    let elf = elf.to_string_lossy();
    let address = format!("127.0.0.1:{}", args.port);
    json!({
        "version": "0.2.0",
        "configurations": [
            {
                "name": "Lockstep (gdb)",
                "type": "cppdbg",
                "request": "launch",
                "MIMode": "gdb",
                "miDebuggerPath": "gdb-multiarch",
                "miDebuggerServerAddress": address,
                "program": elf,
                "cwd": "${workspaceFolder}",
                "stopAtConnect": true,
                "useExtendedRemote": false,
            },
            {
                "name": "Lockstep (CodeLLDB)",
                "type": "lldb",
                "request": "launch",
                "targetCreateCommands": [format!("target create \"{elf}\"")],
                "processCreateCommands": [format!("gdb-remote {address}")],
            },
        ],
    })
}
