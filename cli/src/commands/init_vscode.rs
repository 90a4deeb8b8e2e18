//! `lockstep init-vscode`: a launch.json for the C/C++ extension and CodeLLDB.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lockstep::risc0::Binary;
use serde_json::{Value, json};

use super::gdb::OUR_COMMANDS;
use crate::error::Error;

/// The arguments of `lockstep init-vscode`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The program to debug: an ELF file for RV32IM, or an R0BF file, whose program is written beside launch.json
    #[arg(value_name = "FILE")]
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
/// A launch.json that is there already, a folder that cannot be written, or an R0BF file that is none.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let folder = args.folder.join(".vscode");
    let path = folder.join("launch.json");
    if path.exists() && !args.force {
        return Err(Error::usage(format!("{} exists; --force replaces it", path.display())));
    }
    let packed = packed_program(&args.elf)?;
    let elf = packed.as_ref().map_or_else(|| args.elf.clone(), |_| folder.join(program_name(&args.elf)));
    let text = serde_json::to_string_pretty(&launch(&elf, args.port)).map_err(Error::infrastructure)?;
    let failed = |error| Error::infrastructure(format!("{}: {error}", folder.display()));
    fs::create_dir_all(&folder).map_err(failed)?;
    if let Some(program) = packed {
        fs::write(&elf, program).map_err(failed)?;
        println!("wrote {}", elf.display());
    }
    fs::write(&path, text + "\n").map_err(failed)?;
    println!("wrote {}", path.display());
    println!("start lockstep gdb {} --listen 127.0.0.1:{}, then press F5", args.elf.display(), args.port);
    Ok(ExitCode::SUCCESS)
}

/// The program in an R0BF file, which debuggers cannot read (ELF-11); `None` for any other file, and for one not built yet.
fn packed_program(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let file = fs::read(path).unwrap_or_default();
    if !Binary::is_binary(&file) {
        return Ok(None);
    }
    let binary = Binary::decode(&file).map_err(|problem| Error::usage(format!("{}: {problem}", path.display())))?;
    Ok(Some(binary.program.to_vec()))
}

/// What the program of the R0BF file at `path` is called.
fn program_name(path: &Path) -> PathBuf {
    PathBuf::from(path.file_name().unwrap_or_default()).with_extension("elf")
}

fn launch(elf: &Path, port: u16) -> Value {
    let elf = std::path::absolute(elf).unwrap_or_else(|_| elf.to_owned());
    let elf = elf.to_string_lossy();
    let address = format!("127.0.0.1:{port}");
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
                // goto, where-written and the others, behind `-exec` in the editor's console.
                "postRemoteConnectCommands": [{ "text": OUR_COMMANDS, "ignoreFailures": true }],
            },
            {
                "name": "Lockstep (CodeLLDB)",
                "type": "lldb",
                "request": "launch",
                "targetCreateCommands": [format!("target create \"{elf}\"")],
                "processCreateCommands": [format!("gdb-remote {address}")],
                "reverseDebugging": true,
            },
        ],
    })
}
