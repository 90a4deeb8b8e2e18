//! `lockstep cc`: a C program for the default kernel, with one command.
//!
//! A thin wrapper around `riscv64-unknown-elf-gcc` and picolibc, both from Debian's packages.
//! What is ours - start file, system calls, linker script, header - is in this binary, is built
//! once into a folder of the user's cache, and is handed to the compiler as a few flags.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::{env, fs, io, process};

use sha2::{Digest, Sha256};

use crate::error::Error;

/// The arguments of `lockstep cc`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Print the flags for riscv64-unknown-elf-gcc, for compiling and for linking, and stop
    #[arg(long)]
    print_flags: bool,

    /// Files and flags for riscv64-unknown-elf-gcc
    #[arg(value_name = "GCC ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  lockstep cc hello.c -o hello.elf            then: lockstep run hello.elf
  lockstep cc -O2 -Wall main.c table.c -lm -o table.elf
  make CC=riscv64-unknown-elf-gcc CFLAGS=\"$(lockstep cc --print-flags)\" hello

Programs are RV32IM with debug information (-g); `#include <lockstep.h>` for the journal.
The stack is what lies below the program: -Wl,--defsym=__program_start=0x4000000 makes it 64 MiB.
A program that brings its own start code needs no kit: riscv64-unknown-elf-gcc -march=rv32im
-mabi=ilp32 -nostdlib, any address from 0x10000 on, ECALL with a7 = 93 to exit (KERN-3).";

const COMPILER: &str = "riscv64-unknown-elf-gcc";
const ARCHIVER: &str = "riscv64-unknown-elf-ar";
const INSTALL: &str = "sudo apt-get install gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf";

/// The machine's instructions and calling convention (ISA-1).
const TARGET: [&str; 2] = ["-march=rv32im", "-mabi=ilp32"];

/// Runs the compiler, or prints its flags.
///
/// # Errors
/// Nothing to do; a compiler or a C library that is not installed; a cache that cannot be written.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    if args.arguments.is_empty() && !args.print_flags {
        return Err(Error::usage("no input files; for example: lockstep cc hello.c -o hello.elf"));
    }
    let kit = Kit::ready()?;
    if args.print_flags {
        println!("{}", flags_for_shell(&kit));
        return Ok(ExitCode::SUCCESS);
    }
    let status = Command::new(COMPILER).args(kit.flags(&args.arguments)).args(&args.arguments).status();
    let status = status.map_err(|error| Error::infrastructure(format!("{COMPILER}: {error}")))?;
    // A compiler without an exit code was killed.
    Ok(ExitCode::from(status.code().map_or(4, |code| code as u8)))
}

fn flags_for_shell(kit: &Kit) -> String {
    let flags: Vec<String> = kit.flags(&[]).iter().map(|flag| quoted(&flag.to_string_lossy())).collect();
    flags.join(" ")
}

/// `flag` as a shell reads it.
fn quoted(flag: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./+,:".contains(c);
    if flag.chars().all(is_plain) { flag.to_string() } else { format!("'{}'", flag.replace('\'', r"'\''")) }
}

/// The folder with the kit.
struct Kit {
    folder: PathBuf,
}

/// The files that the kit has as they are, with their places in its folder.
const FILES: [(&str, &str); 3] = [
    ("lockstep.specs", include_str!("../../../kit/lockstep.specs")),
    ("lockstep.ld", include_str!("../../../kit/lockstep.ld")),
    ("include/lockstep.h", include_str!("../../../kit/lockstep.h")),
];

/// The start file, which every program has.
const START: (&str, &str) = ("crt0.S", include_str!("../../../kit/crt0.S"));

/// The sources of the library; a program gets of it what it uses.
const LIBRARY: [(&str, &str); 3] = [
    ("syscalls.c", include_str!("../../../kit/syscalls.c")),
    ("stdio.c", include_str!("../../../kit/stdio.c")),
    ("fgets.c", include_str!("../../../kit/fgets.c")),
];

impl Kit {
    /// The kit for the installed compiler, built now if it was not built before.
    fn ready() -> Result<Kit, Error> {
        let compiler = compiler_version()?;
        check_picolibc()?;
        let cache = cache_folder()?;
        let kit = Kit { folder: cache.join(format!("kit-{}", fingerprint(&compiler))) };
        if !kit.folder.is_dir() {
            kit.build(&cache)?;
        }
        Ok(kit)
    }

    /// Builds beside the final place and moves there at once, so that no one sees half a kit.
    fn build(&self, cache: &Path) -> Result<(), Error> {
        let partial = Kit { folder: cache.join(format!("building-{}", process::id())) };
        let result = partial.write().and_then(|()| partial.compile()).and_then(|()| {
            match fs::rename(&partial.folder, &self.folder) {
                // Another process was faster, with the same content.
                Err(_) if self.folder.is_dir() => Ok(()),
                result => result.map_err(|error| cannot_write(&self.folder, &error)),
            }
        });
        if partial.folder.exists() {
            let _ = fs::remove_dir_all(&partial.folder);
        }
        result
    }

    fn write(&self) -> Result<(), Error> {
        let include = self.folder.join("include");
        fs::create_dir_all(&include).map_err(|error| cannot_write(&include, &error))?;
        for (name, text) in all_files() {
            let path = self.folder.join(name);
            fs::write(&path, text).map_err(|error| cannot_write(&path, &error))?;
        }
        Ok(())
    }

    fn compile(&self) -> Result<(), Error> {
        // Debug information for assembly would name the folder, which -ffile-prefix-map does not change there.
        self.tool(COMPILER, self.compile_command("crt0.S", "lockstep-crt0.o", &["-g0"]))?;
        let mut archive: Vec<OsString> = ["rcD", "liblockstep.a"].map(OsString::from).to_vec();
        for (source, _) in LIBRARY {
            let object = source.replace(".c", ".o");
            self.tool(COMPILER, self.compile_command(source, &object, &["-std=gnu11", "-Os", "-ffunction-sections"]))?;
            archive.push(object.into());
        }
        self.tool(ARCHIVER, archive)
    }

    fn compile_command(&self, source: &str, object: &str, more: &[&str]) -> Vec<OsString> {
        let mut command = self.flags(&[]);
        command.extend(more.iter().map(OsString::from));
        command.extend(["-c", source, "-o", object].map(OsString::from));
        command
    }

    /// Runs a tool in the kit's folder.
    fn tool(&self, name: &str, args: Vec<OsString>) -> Result<(), Error> {
        let output = Command::new(name).current_dir(&self.folder).args(&args).output();
        let output =
            output.map_err(|error| Error::infrastructure(format!("{name}: {error}; install it: {INSTALL}")))?;
        if output.status.success() {
            return Ok(());
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(Error::infrastructure(format!("{name} cannot build the guest kit: {}", errors.trim())))
    }

    /// What the compiler needs to know; `arguments` are the user's.
    fn flags(&self, arguments: &[OsString]) -> Vec<OsString> {
        let with = |prefix: &str, path: &Path| -> OsString {
            let mut flag = OsString::from(prefix);
            flag.push(path);
            flag
        };
        let mut flags: Vec<OsString> = TARGET.map(OsString::from).to_vec();
        flags.push(with("-B", &self.folder));
        flags.push("-specs=lockstep.specs".into());
        flags.push("-g".into());
        // The place of the cache is no part of a program: builds are the same for every user.
        let mut map = with("-ffile-prefix-map=", &self.folder);
        map.push("=/lockstep-kit");
        flags.push(map);
        if !arguments.iter().any(|argument| argument.to_string_lossy().starts_with("-T")) {
            flags.push(with("-T", &self.folder.join("lockstep.ld")));
        }
        flags
    }
}

fn all_files() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.into_iter().chain([START]).chain(LIBRARY)
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::infrastructure(format!("{}: {error}; set XDG_CACHE_HOME to a folder that can be written", path.display()))
}

/// A name for the kit: another compiler or another kit has another.
fn fingerprint(compiler: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(compiler);
    for (name, text) in all_files() {
        hash.update(name);
        hash.update([0]);
        hash.update(text);
        hash.update([0]);
    }
    // 8 bytes: enough that two of one user's kits never meet.
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first line of the compiler's `--version`, package version included.
fn compiler_version() -> Result<String, Error> {
    let text = ask(&["--version"])?;
    Ok(text.lines().next().unwrap_or_default().to_string())
}

fn check_picolibc() -> Result<(), Error> {
    let place = ask(&["-print-file-name=picolibc.specs"])?;
    // The compiler prints the bare name of a file that it does not have.
    if Path::new(place.trim()).is_absolute() {
        return Ok(());
    }
    Err(Error::infrastructure(format!(
        "picolibc, the C library, is not installed; it is in Debian's package picolibc-riscv64-unknown-elf: {INSTALL}"
    )))
}

/// What the compiler prints.
fn ask(args: &[&str]) -> Result<String, Error> {
    let output: Output = Command::new(COMPILER).args(args).output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::infrastructure(format!(
            "{COMPILER} is not installed; it is in Debian's package gcc-riscv64-unknown-elf: {INSTALL}"
        )),
        _ => Error::infrastructure(format!("{COMPILER}: {error}")),
    })?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The folder of Lockstep in the user's cache (XDG Base Directory Specification).
fn cache_folder() -> Result<PathBuf, Error> {
    let set = |name: &str| env::var_os(name).filter(|value| Path::new(value).is_absolute()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(OsStr::new(".cache"))));
    let folder = base.ok_or_else(|| {
        Error::infrastructure("there is no place for the guest kit: set HOME or XDG_CACHE_HOME to a folder")
    })?;
    let folder = folder.join("lockstep");
    fs::create_dir_all(&folder).map_err(|error| cannot_write(&folder, &error))?;
    Ok(folder)
}
