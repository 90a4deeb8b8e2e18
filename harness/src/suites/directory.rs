//! A suite of the user's own: a checkout of riscv-tests or riscv-arch-test, or a folder of ELF files.

use std::fs;
use std::path::{Path, PathBuf};

use goblin::elf::Elf;

use super::collect::Collected;
use super::compile::{self, Source};
use super::manifest::{Kind, Suite};
use super::own::Labels;
use super::{End, Error, Program, Test, bench_elf, fetch, signature};

/// The tests in `folder`, whatever form they have.
///
/// # Errors
/// There are none in a form that is known.
pub fn collect(root: &Path, folder: &Path) -> Result<Vec<Collected>, Error> {
    let folder = &folder.canonicalize().map_err(|error| Error::file(folder, error))?;
    let found = [riscv_tests(root, folder), arch_tests(root, folder), act_tests(root, folder), elf_files(folder)];
    let mut found: Vec<Collected> =
        found.into_iter().filter(|found| !(found.tests.is_empty() && found.skipped.is_empty())).collect();
    // A run of nothing must not look clean.
    if found.iter().all(|found| found.tests.is_empty())
        && let Some(Collected { skipped, problem, .. }) = found.first_mut()
    {
        let (name, reason) = &skipped[0];
        problem.get_or_insert_with(|| Error::new(format!("nothing here can run: {name} {reason}")));
    }
    if found.is_empty() {
        return Err(Error::file(
            folder,
            "no tests here: neither isa/rv32ui (riscv-tests), nor riscv-test-suite/rv32i_m or tests/rv32i (riscv-arch-test), nor a 32-bit RISC-V ELF file",
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

/// Sources of riscv-arch-test (I and M) until 2025 or of riscv-ctg, whose state at the end must be the specification's
/// and whose signature that of the reference model, where it is there.
fn arch_tests(root: &Path, folder: &Path) -> Collected {
    let mut collected = empty(
        "arch-test-checkout",
        "sources of riscv-arch-test or riscv-ctg, against the specification and the signatures that came with them",
        folder,
        Kind::Generated,
    );
    let suite = folder.join("riscv-test-suite");
    let checkout = ["I", "M"].map(|group| (suite.join("rv32i_m").join(group), suite.join("env"), group));
    for (folder, env, group) in checkout.into_iter().filter(|(_, env, _)| env.join("arch_test.h").is_file()) {
        for path in files(&folder.join("src"), "S") {
            let reference = folder.join("references").join(format!("{}.reference_output", stem(&path)));
            add_arch_test(root, &mut collected, &path, group, &env, &reference);
        }
    }
    if folder.join("env").join("arch_test.h").is_file() {
        for path in files(folder, "S") {
            let reference = path.with_extension("reference_output");
            add_arch_test(root, &mut collected, &path, "ctg", &folder.join("env"), &reference);
        }
    }
    collected
}

fn add_arch_test(root: &Path, collected: &mut Collected, path: &Path, group: &str, env: &Path, reference: &Path) {
    let name = format!("{group}-{}", stem(path));
    let source = arch_source(root, "arch-test-checkout", path, &name, env);
    let elf = source.elf.clone();
    if add(root, collected, name.clone(), Some(&source), Program::MachineElf(elf.clone()), End::SPEC)
        && reference.is_file()
    {
        let read = Labels::of(&elf).map_err(Error::new).and_then(|labels| signature::read(reference, &labels));
        match (read, collected.tests.last_mut()) {
            (Ok(signature), Some(test)) => test.end = End::Spec { halt: None, signature: Some(signature) },
            (Err(error), _) => drop_last(collected, name, error),
            (_, None) => {}
        }
    }
}

/// How a source of the framework until 2025 is compiled, into the cache's folder `place`.
pub fn arch_source(root: &Path, place: &str, path: &Path, name: &str, env: &Path) -> Source {
    let defines = ["XLEN=32", "TEST_CASE_1=True"].map(String::from).to_vec();
    let elf = fetch::cache(root).join("built").join(place).join(format!("{name}.elf"));
    Source { source: path.to_path_buf(), elf, includes: vec![env.to_path_buf()], defines, arch: compile::RV32IM_ZICSR }
}

fn drop_last(collected: &mut Collected, name: String, error: Error) {
    collected.tests.pop();
    collected.skipped.push((name, error.to_string()));
    collected.problem.get_or_insert(error);
}

/// What the framework gives the compiler for a program that writes a signature; the two devices are not touched.
const ACT_DEFINES: [&str; 5] = [
    "SIGNATURE",
    "XLEN=32",
    "TEST_FLEN=32",
    "SAIL_CLINT_BASE_ADDRESS=0x2000000",
    "SAIL_SIMPLE_INTERRUPT_GENERATOR_BASE_ADDRESS=0xc000000",
];

/// Sources of today's riscv-arch-test (ACT 4): built to write their signatures, as they are for a reference model, with
/// a configuration of ours; what they come to must be the specification's.
fn act_tests(root: &Path, folder: &Path) -> Collected {
    let mut collected =
        empty("act-checkout", "sources of today's riscv-arch-test, against the specification", folder, Kind::Generated);
    let env = folder.join("tests").join("env");
    if !env.join("riscv_arch_test.h").is_file() {
        return collected;
    }
    let ours = root.join("riscv-tests").join("env").join("act");
    let built = fetch::cache(root).join("built").join("act-checkout");
    for path in ["I", "M"].iter().flat_map(|group| files(&folder.join("tests").join("rv32i").join(group), "S")) {
        let name = stem(&path);
        let elf = built.join(format!("{name}.elf"));
        let mut defines: Vec<String> = ACT_DEFINES.map(String::from).to_vec();
        defines.push(format!("TEST_FILE=\"{name}.S\""));
        let includes = vec![ours.clone(), env.clone()];
        let source = Source { source: path.clone(), elf: elf.clone(), includes, defines, arch: compile::RV32IM_ZICSR };
        if add(root, &mut collected, name.clone(), Some(&source), Program::MachineElf(elf.clone()), End::SPEC) {
            let halt = Labels::of(&elf).ok().and_then(|labels| {
                ["exit_cleanup", "rvmodel_halt_pass", "write_tohost_pass"].iter().find_map(|at| labels.address(at))
            });
            match (halt, collected.tests.last_mut()) {
                (Some(halt), Some(test)) => test.end = End::Spec { halt: Some(halt), signature: None },
                _ => drop_last(&mut collected, name, Error::file(&path, "its program has no label exit_cleanup")),
            }
        }
    }
    collected
}

/// ELF files, each run as the test bench would that it was built for.
fn elf_files(folder: &Path) -> Collected {
    let mut collected = empty("elf-files", "ELF files of a folder", folder, Kind::Risc0Elf);
    for path in all_files(folder, DEPTH) {
        let Ok(bytes) = fs::read(&path) else { continue };
        let Some(is_64) = riscv(&bytes) else { continue };
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        let classified = if is_64 { Err(IS_64.into()) } else { bench_elf::classify(&path, &bytes) };
        match classified {
            Ok((program, end)) => drop(add(Path::new(""), &mut collected, name, None, program, end)),
            Err(reason) => collected.skipped.push((name, reason)),
        }
    }
    collected
}

const IS_64: &str = "is for RV64; the machine is RV32IM (ISA-1)";

/// `work/CONFIG/elfs/rv32i/I` and `riscof_work/rv32i_m/I/src/add-01.S/dut` lie this deep below a checkout, with room.
const DEPTH: usize = 8;

/// Whether a RISC-V ELF file is for 64 bits; `None` if it is no such file.
fn riscv(bytes: &[u8]) -> Option<bool> {
    const EM_RISCV: u16 = 243;
    let elf = bytes.starts_with(b"\x7fELF").then(|| Elf::parse(bytes).ok())??;
    (elf.header.e_machine == EM_RISCV).then_some(elf.is_64)
}

/// Adds a test, compiled first if it has a source; whether it is there.
fn add(
    root: &Path,
    collected: &mut Collected,
    name: String,
    source: Option<&Source>,
    program: Program,
    end: End,
) -> bool {
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
            true
        }
        Err(error) => {
            collected.skipped.push((name, error.to_string()));
            // The first that does not compile is the problem of the suite; the others are listed with it.
            collected.problem.get_or_insert(error);
            false
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
