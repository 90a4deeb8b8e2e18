//! The shape of the house: which module may use which, and which package may depend on which.
//!
//! ARCHITECTURE.md draws the same picture; an edge that points the wrong way fails here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The modules of the emulator, each using only modules before it.
const ORDER: [&str; 16] = [
    "isa", "map", "mem", "trap", "hart", "ecall", "trace", "exec", "snapshot", "timeline", "segment", "kernel",
    "loader", "symbols", "risc0", "gdb",
];

/// What each of our packages may use of the others.
const PACKAGES: [(&str, &[&str]); 5] = [
    ("lockstep-vm", &[]),
    ("lockstep-spec", &[]),
    ("lockstep-prove", &["lockstep-vm"]),
    ("lockstep-harness", &["lockstep-vm", "lockstep-spec", "lockstep-prove"]),
    ("lockstep-cli", &["lockstep-vm", "lockstep-spec", "lockstep-prove", "lockstep-harness"]),
];

#[test]
fn modules_use_only_modules_before_them() {
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src")) {
        let Some(user) = module_of(&file) else { continue };
        let text = fs::read_to_string(&file).expect("a source file is readable");
        for used in crate_paths(&text) {
            if place(&used) > place(&user) {
                wrong.push(format!("{}: {user} uses {used}, which comes after it", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_engines_know_nothing_of_the_debugger() {
    for file in rust_files(&root().join("src/exec")) {
        let text = fs::read_to_string(&file).expect("a source file is readable");
        for word in ["gdb", "timeline", "segment"] {
            assert!(!text.contains(&format!("crate::{word}")), "{} names {word}", file.display());
        }
    }
}

#[test]
fn the_specification_depends_on_nothing() {
    assert_eq!(dependencies("lockstep-spec"), Vec::<String>::new());
}

#[test]
fn packages_depend_only_as_drawn() {
    for (package, allowed) in PACKAGES {
        for dependency in dependencies(package).iter().filter(|name| name.starts_with("lockstep-")) {
            assert!(allowed.contains(&dependency.as_str()), "{package} depends on {dependency}");
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The place of a module in [`ORDER`]; the crate root may use all.
fn place(module: &str) -> usize {
    ORDER.iter().position(|name| *name == module).unwrap_or_else(|| panic!("module {module} is not in ORDER"))
}

/// The module that a file belongs to; none for `lib.rs`.
fn module_of(file: &Path) -> Option<String> {
    let inside = file.strip_prefix(root().join("src")).expect("the file is in src");
    let first = inside.components().next()?.as_os_str().to_str()?;
    let module = first.strip_suffix(".rs").unwrap_or(first);
    (module != "lib").then(|| module.to_string())
}

/// The modules that the code of `text` names behind `crate::`, in plain and in grouped form; comments may name any.
fn crate_paths(text: &str) -> Vec<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let text = code.as_str();
    let mut names = Vec::new();
    for (at, _) in text.match_indices("crate::").filter(|(at, _)| !text[..*at].ends_with(is_name)) {
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let end = group.find('}').expect("a group is closed");
                let heads = group[..end].split(',').map(|path| path.trim());
                names.extend(heads.map(|path| path.chars().take_while(|c| is_name(*c)).collect()));
            }
            None => names.push(rest.chars().take_while(|c| is_name(*c)).collect()),
        }
    }
    names.retain(|name: &String| ORDER.contains(&name.as_str()));
    names
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The direct dependencies of `package`, those for tests left out.
fn dependencies(package: &str) -> Vec<String> {
    let args = ["tree", "--offline", "-p", package, "-e", "normal,build", "--depth", "1", "--prefix", "none"];
    let output = Command::new(env!("CARGO")).args(args).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo prints UTF-8");
    text.lines().skip(1).filter_map(|line| line.split(' ').next()).map(String::from).collect()
}
