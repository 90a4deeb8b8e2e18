//! From the manifest to the tests.

use std::fs;
use std::path::{Path, PathBuf};

use lockstep::isa::Reg;
use lockstep::map::Addr;

use super::compile::{self, Source};
use super::manifest::{Kind, Manifest, Package, Suite};
use super::{Bench, End, Error, Program, Test, ctg, directory, fetch, generated, hex, own, signature};

/// A suite with its tests.
#[derive(Clone, Debug)]
pub struct Collected {
    /// The suite as the manifest lists it.
    pub suite: Suite,
    /// The package it came from; none for our own.
    pub package: Option<Package>,
    /// Its tests, by name.
    pub tests: Vec<Test>,
    /// Files of it that are not run, with the reason.
    pub skipped: Vec<(String, String)>,
    /// Why it is incomplete, if it is: a package that cannot be had, a source that does not compile,
    /// fewer tests than pinned.
    pub problem: Option<Error>,
}

/// Every suite of the manifest, fetched, unpacked and compiled.
pub fn all(root: &Path, manifest: &Manifest) -> Vec<Collected> {
    manifest.suites.iter().map(|suite| one(root, manifest, suite)).collect()
}

/// One suite of the manifest. Never fails: what goes wrong is in [`Collected::problem`].
pub fn one(root: &Path, manifest: &Manifest, suite: &Suite) -> Collected {
    let package = suite.package.as_ref().map(|name| manifest.package(name).cloned());
    let (package, broken) = match package.transpose() {
        Ok(package) => (package, None),
        Err(error) => (None, Some(error)),
    };
    let mut collected =
        Collected { suite: suite.clone(), package, tests: Vec::new(), skipped: Vec::new(), problem: broken };
    if collected.problem.is_none() {
        collected.problem = fill(root, &mut collected).err();
    }
    collected.tests.sort_by(|a, b| a.name.cmp(&b.name));
    if collected.problem.is_none() && collected.tests.len() < suite.tests {
        let (found, pinned) = (collected.tests.len(), suite.tests);
        collected.problem = Some(Error::new(format!(
            "suite {}: {found} tests found, but riscv-tests/MANIFEST.json pins {pinned}",
            suite.name
        )));
    }
    collected
}

fn fill(root: &Path, collected: &mut Collected) -> Result<(), Error> {
    let files = match &collected.package {
        Some(package) => fetch::package(root, package)?,
        None => root.to_path_buf(),
    };
    let path = files.join(&collected.suite.path);
    let built = fetch::cache(root).join("built").join(&collected.suite.name);
    match collected.suite.kind {
        Kind::Risc0Elf => risc0(&path, &built, collected),
        Kind::RiscvTestsSource => sources(root, &path, &built, collected),
        Kind::RiscvTestsHex => riscv_tests_hex(&path, collected),
        Kind::ComplianceHex => compliance(&path, collected),
        Kind::Generated => {
            collected.tests = generated::tests(&collected.suite.name);
            Ok(())
        }
        Kind::Ctg => architectural(root, collected),
        Kind::Own => own_programs(root, &path, &built, collected),
    }
}

impl Collected {
    /// The files in `folder` whose names `is_test` accepts, in order, without those the manifest skips.
    fn files(&mut self, folder: &Path, is_test: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, Error> {
        let entries = fs::read_dir(folder).map_err(|error| Error::file(folder, error))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        paths.retain(|path| path.is_file() && is_test(&file_name(path)) && !self.leaves_out(&file_name(path)));
        Ok(paths)
    }

    fn leaves_out(&mut self, name: &str) -> bool {
        let reason = self.suite.skips(name).map(String::from);
        self.skipped.extend(reason.iter().map(|reason| (name.to_string(), reason.clone())));
        reason.is_some()
    }

    fn add(&mut self, name: String, program: Program, end: End) {
        let suite = self.suite.name.clone();
        self.tests.push(Test { suite, name, program, end, stdin: Vec::new(), stdout: None, clauses: Vec::new() });
    }
}

/// A tar file of ELF files. They pass by `li t0, 0; li a0, 0; li a1, 0x400; ecall` with a7 = 0,
/// and fail by an illegal instruction.
fn risc0(archive: &Path, built: &Path, collected: &mut Collected) -> Result<(), Error> {
    fs::create_dir_all(built).map_err(|error| Error::file(built, error))?;
    fetch::untar(archive, built)?;
    let t0 = Reg::new(5);
    let registers = vec![(t0, 0), (Reg::A0, 0), (Reg::A1, 0x400), (Reg::A7, 0)];
    let end = End::Terminate { halt: lockstep::ecall::Halt::Halted, user_exit: 0, registers };
    for path in collected.files(&built.join("riscv-tests"), |_| true)? {
        collected.add(file_name(&path), Program::MachineElf(path), end.clone());
    }
    Ok(())
}

/// Sources, each compiled twice: for machine mode and for user mode under the default kernel.
fn sources(root: &Path, folder: &Path, built: &Path, collected: &mut Collected) -> Result<(), Error> {
    let folder = &without_environment(folder, &built.join("sources"))?;
    for path in collected.files(folder, |name| name.ends_with(".S"))? {
        let plan = |elf: &Path, defines: Vec<String>| Source {
            source: path.clone(),
            elf: elf.to_path_buf(),
            includes: vec![folder.to_path_buf()],
            defines,
            arch: compile::RV32IM,
        };
        let stem = file_stem(&path);
        let machine = built.join(format!("{stem}.elf"));
        compile::compile(root, &plan(&machine, Vec::new()))?;
        collected.add(stem.clone(), Program::MachineElf(machine), End::exit(0));
        let user = built.join(format!("{stem}-user.elf"));
        compile::compile(root, &plan(&user, vec!["LOCKSTEP_USER".into()]))?;
        collected.add(format!("{stem}-user"), Program::UserElf(user), End::exit(0));
    }
    Ok(())
}

/// A copy of `folder` without the environment that came with it: `#include "riscv_test.h"` looks beside
/// the source first.
fn without_environment(folder: &Path, copy: &Path) -> Result<PathBuf, Error> {
    if copy.is_dir() {
        return Ok(copy.to_path_buf());
    }
    let failed = |error| Error::file(copy, error);
    let unfinished = copy.with_extension("unfinished");
    fs::create_dir_all(&unfinished).map_err(failed)?;
    for entry in fs::read_dir(folder).map_err(|error| Error::file(folder, error))?.flatten() {
        if entry.path().is_file() && entry.file_name() != "riscv_test.h" {
            fs::copy(entry.path(), unfinished.join(entry.file_name())).map_err(failed)?;
        }
    }
    fs::rename(&unfinished, copy).map_err(failed)?;
    Ok(copy.to_path_buf())
}

/// MRET, the last instruction of the official reset code.
const MRET: u32 = 0x3020_0073;

/// Official `-p-` builds. Their reset code needs CSRs and ends with an MRET to the instruction behind it:
/// they start there, and end at their ECALL, with x28 = 1 for a pass.
fn riscv_tests_hex(folder: &Path, collected: &mut Collected) -> Result<(), Error> {
    let is_test = |name: &str| name.starts_with("rv32ui-p-") || name.starts_with("rv32um-p-");
    for path in collected.files(folder, is_test)? {
        let bytes = fs::read(&path).map_err(|error| Error::file(&path, error))?;
        let memory = hex::memory(&bytes).map_err(|problem| Error::file(&path, problem))?;
        let mret = hex::find_word(&memory, MRET).ok_or_else(|| Error::file(&path, "no MRET ends its reset code"))?;
        let end = End::Ecall { registers: vec![(Reg::new(28), 1)] };
        let name = file_stem(&path);
        let listing = folder.with_file_name("asm").join(format!("{name}.dump"));
        let bench = Bench { entry: label(&listing, "_start")?, to_host: operand(&listing, "tohost")? };
        collected.add(name, Program::Hex { path, start: mret + 4, bench: Some(bench) }, end);
    }
    Ok(())
}

/// The programs of riscv-compliance, with the signatures that they must leave in memory.
fn compliance(folder: &Path, collected: &mut Collected) -> Result<(), Error> {
    const SUFFIX: &str = ".elf.hex";
    for path in collected.files(&folder.join("hex"), |name| name.ends_with(SUFFIX))? {
        let name = file_name(&path).trim_end_matches(SUFFIX).to_string();
        let listing = folder.join("asm").join(format!("{name}.elf.objdump"));
        let reference = folder.join("ref").join(format!("{name}.reference_output"));
        let end = compliance_end(&listing, &reference)?;
        let start = label(&listing, "_start")?;
        collected.add(name, Program::Hex { path, start, bench: None }, end);
    }
    Ok(())
}

fn compliance_end(listing: &Path, reference: &Path) -> Result<End, Error> {
    // The program ends with `lui a0; addi a0; sw zero, (a0)`: it is done when it reaches the store.
    const STORE: Addr = 8;
    let halt = label(listing, "complience_halt_break")? + STORE;
    let start = label(listing, "codasip_signature_start")?;
    let words = signature::words(reference)?;
    Ok(End::Signature { halt, start, words })
}

/// The address of a label in an objdump listing.
fn label(listing: &Path, name: &str) -> Result<Addr, Error> {
    find_address(listing, name, |line| {
        let (addr, rest) = line.split_once(' ')?;
        (rest == format!("<{name}>:")).then_some(addr)
    })
}

/// The address of a label that an objdump listing only names behind an instruction: `sw gp,-64(t5) # 80001000 <tohost>`.
fn operand(listing: &Path, name: &str) -> Result<Addr, Error> {
    find_address(listing, name, |line| line.strip_suffix(&format!(" <{name}>"))?.rsplit(' ').next())
}

fn find_address(listing: &Path, name: &str, in_line: impl Fn(&str) -> Option<&str>) -> Result<Addr, Error> {
    let text = fs::read_to_string(listing).map_err(|error| Error::file(listing, error))?;
    let found = text.lines().find_map(|line| Addr::from_str_radix(in_line(line)?, 16).ok());
    found.ok_or_else(|| Error::file(listing, format!("the label {name} is missing")))
}

/// Architectural tests, generated from a coverage file of ours. They end by our model's terminate in a state that must
/// be the specification's, their signature included; the columns of simulators compare the same memory.
fn architectural(root: &Path, collected: &mut Collected) -> Result<(), Error> {
    let folder = ctg::generate(root, &root.join(&collected.suite.path))?;
    for path in collected.files(&folder, |name| name.ends_with(".S"))? {
        let name = file_stem(&path);
        let source = directory::arch_source(root, &collected.suite.name, &path, &name, &folder.join("env"));
        compile::compile(root, &source)?;
        collected.add(name, Program::MachineElf(source.elf), End::SPEC);
    }
    Ok(())
}

fn own_programs(root: &Path, folder: &Path, built: &Path, collected: &mut Collected) -> Result<(), Error> {
    for path in collected.files(folder, |name| name.ends_with(".S"))? {
        let tests = own::tests(root, &collected.suite.name, &path, built)?;
        collected.tests.extend(tests);
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn file_stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
