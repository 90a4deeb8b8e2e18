//! A suite of the user's own: a checkout of riscv-tests or riscv-arch-test, or a folder of ELF files.

use std::fs;
use std::path::{Path, PathBuf};

use goblin::elf::Elf;
use lockstep::ecall::Halt;
use lockstep::isa::Reg;
use lockstep::loader::{self, Kernel};

use super::collect::Collected;
use super::compile::{self, Source};
use super::manifest::{Kind, Suite};
use super::own::Labels;
use super::{End, Error, Program, Test, fetch, hex};

/// The tests in `folder`, whatever form they have.
///
/// # Errors
/// There are none in a form that is known.
pub fn collect(root: &Path, folder: &Path) -> Result<Vec<Collected>, Error> {
    let folder = &folder.canonicalize().map_err(|error| Error::file(folder, error))?;
    let found = [riscv_tests(root, folder), arch_tests(root, folder), elf_files(folder)];
    let found: Vec<Collected> =
        found.into_iter().filter(|found| !found.tests.is_empty() || found.problem.is_some()).collect();
    if found.is_empty() {
        return Err(Error::file(
            folder,
            "no tests here: neither isa/rv32ui (riscv-tests), nor riscv-test-suite/rv32i_m (riscv-arch-test), nor a 32-bit RISC-V ELF file",
        ));
    }
    Ok(found)
}

/// Sources of riscv-tests, compiled with our environment for machine and for user mode.
fn riscv_tests(root: &Path, folder: &Path) -> Collected {
    let mut collected =
        empty("riscv-tests-checkout", "sources of a checkout of riscv-tests", folder, Kind::RiscvTestsSource);
    let isa = folder.join("isa");
    let macros = isa.join("macros").join("scalar");
    let testnum = testnum(&macros.join("test_macros.h"));
    let built = fetch::cache(root).join("built").join("riscv-tests-checkout");
    for group in ["rv32ui", "rv32um"] {
        for path in files(&isa.join(group), "S") {
            let stem = format!("{group}-{}", stem(&path));
            for (suffix, is_user) in [("", false), ("-user", true)] {
                let elf = built.join(format!("{stem}{suffix}.elf"));
                let mut defines = vec![format!("TESTNUM={testnum}")];
                defines.extend(is_user.then(|| "LOCKSTEP_USER".into()));
                let includes = vec![macros.clone()];
                let source =
                    Source { source: path.clone(), elf: elf.clone(), includes, defines, arch: compile::RV32IM_ZICSR };
                let program = if is_user { Program::UserElf(elf) } else { Program::MachineElf(elf) };
                add(root, &mut collected, format!("{stem}{suffix}"), Some(&source), program, End::exit(0));
            }
        }
    }
    collected
}

/// Old releases use x3 for values; today's keep the number of the test there.
fn testnum(macros: &Path) -> &'static str {
    let text = fs::read_to_string(macros).unwrap_or_default();
    let uses_x3 = text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "x3");
    if uses_x3 { "x28" } else { "gp" }
}

/// Sources of riscv-arch-test (I and M) or of riscv-ctg, whose state at the end must be the specification's.
fn arch_tests(root: &Path, folder: &Path) -> Collected {
    let mut collected = empty(
        "arch-test-checkout",
        "sources of riscv-arch-test or riscv-ctg, against the specification",
        folder,
        Kind::Generated,
    );
    let suite = folder.join("riscv-test-suite");
    let built = fetch::cache(root).join("built").join("arch-test-checkout");
    let checkout = ["I", "M"].map(|group| (suite.join("rv32i_m").join(group).join("src"), suite.join("env"), group));
    let generated = (folder.to_path_buf(), folder.join("env"), "ctg");
    for (sources, env, group) in
        checkout.into_iter().chain([generated]).filter(|(_, env, _)| env.join("arch_test.h").is_file())
    {
        for path in files(&sources, "S") {
            let name = format!("{group}-{}", stem(&path));
            let elf = built.join(format!("{name}.elf"));
            let defines = ["XLEN=32", "TEST_CASE_1=True"].map(String::from).to_vec();
            let source = Source {
                source: path,
                elf: elf.clone(),
                includes: vec![env.clone()],
                defines,
                arch: compile::RV32IM_ZICSR,
            };
            add(root, &mut collected, name, Some(&source), Program::MachineElf(elf), End::Spec { halt: None });
        }
    }
    collected
}

/// ELF files: official `-p-` builds, RISC Zero's, arch-tests built for another model, or any that ends by itself.
fn elf_files(folder: &Path) -> Collected {
    let mut collected = empty("elf-files", "ELF files of a folder", folder, Kind::Risc0Elf);
    for path in all_files(folder, 4) {
        let Ok(bytes) = fs::read(&path) else { continue };
        if !is_rv32(&bytes) {
            continue;
        }
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        match classify(&path, &bytes) {
            Ok((program, end)) => add(Path::new(""), &mut collected, name, None, program, end),
            Err(reason) => collected.skipped.push((name, reason)),
        }
    }
    collected
}

fn is_rv32(bytes: &[u8]) -> bool {
    const EM_RISCV: u16 = 243;
    Elf::parse(bytes).is_ok_and(|elf| !elf.is_64 && elf.header.e_machine == EM_RISCV)
}

/// How to start an ELF file and how it ends.
fn classify(path: &Path, bytes: &[u8]) -> Result<(Program, End), String> {
    const MRET: u32 = 0x3020_0073;
    let labels = Labels::parse(bytes)?;
    let image = loader::load(bytes, Kernel::None).map_err(|error| error.to_string())?;
    // Reset code with CSRs ends with an MRET to the instruction behind it: start there.
    let start = hex::find_word(&image.memory, MRET).map_or(image.entry, |mret| mret + 4);
    let program = Program::ElfFrom { path: path.to_path_buf(), start };
    let is_arch_test = labels.address("begin_signature").is_some() && labels.address("rvtest_entry_point").is_some();
    if is_arch_test {
        let halt = labels.address("write_tohost").or_else(|| labels.address("_write_tohost"));
        return Ok((Program::ElfFrom { path: path.to_path_buf(), start: image.entry }, End::Spec { halt }));
    }
    if labels.address("tohost").is_some() {
        // Today's environment: `li gp, 1; li a7, 93; li a0, 0; ecall`.
        return Ok((program, End::Ecall { registers: vec![(Reg::new(3), 1)] }));
    }
    let registers = Vec::new();
    Ok((Program::MachineElf(path.to_path_buf()), End::Terminate { halt: Halt::Halted, user_exit: 0, registers }))
}

fn add(root: &Path, collected: &mut Collected, name: String, source: Option<&Source>, program: Program, end: End) {
    let compiled = source.map_or(Ok(()), |source| compile::compile(root, source));
    match compiled {
        Ok(()) => {
            let suite = collected.suite.name.clone();
            collected.tests.push(Test {
                suite,
                name,
                program,
                end,
                stdin: Vec::new(),
                stdout: None,
                clauses: Vec::new(),
            });
        }
        Err(error) => {
            collected.skipped.push((name, error.to_string()));
            // The first that does not compile is the problem of the suite; the others are listed with it.
            collected.problem.get_or_insert(error);
        }
    }
}

fn empty(name: &str, about: &str, folder: &Path, kind: Kind) -> Collected {
    let path = folder.display().to_string();
    let suite = Suite { name: name.into(), about: about.into(), kind, package: None, path, skip: Vec::new(), tests: 0 };
    Collected { suite, package: None, tests: Vec::new(), skipped: Vec::new(), problem: None }
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

fn all_files(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    let nested =
        |path: &PathBuf| if path.is_dir() && depth > 0 { all_files(path, depth - 1) } else { vec![path.clone()] };
    entries.iter().flat_map(nested).filter(|path| path.is_file()).collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
