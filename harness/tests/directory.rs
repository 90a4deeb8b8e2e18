//! `--suite DIR`: folders laid out as the official checkouts and their builds are, with small programs of ours in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lockstep_harness::conformance::{self, Options};
use lockstep_harness::report::Verdict;
use lockstep_harness::suites::compile::COMPILER;
use lockstep_harness::suites::directory;

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("directory").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a folder");
    path
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

fn put(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, text).expect("a file");
    path
}

/// Compiles `text` to the ELF file `name`, as a bench elsewhere would: at 0x80000000, with CSRs known.
fn build(folder: &Path, name: &str, text: &str) {
    build_for(&["-march=rv32im_zicsr", "-mabi=ilp32"], folder, name, text);
}

fn build_for(machine: &[&str], folder: &Path, name: &str, text: &str) {
    let source = put(folder, &format!("{name}.text"), text);
    let status = Command::new(COMPILER)
        .args(machine)
        .args(["-nostdlib", "-static", "-x", "assembler-with-cpp"])
        .args(["-Wl,-Ttext-segment=0x80000000", "-Wl,-e,_start", "-Wl,--no-relax", "-Wl,--no-warn-rwx-segments", "-o"])
        .arg(folder.join(name))
        .arg(&source)
        .status();
    assert!(status.expect("the compiler").success(), "{name}");
    fs::remove_file(source).expect("it was there");
}

/// What the column `step` says of every test in `folder`: "pass", or the reason.
fn verdicts(folder: &Path) -> BTreeMap<String, String> {
    let options = Options {
        root: root(),
        directory: Some(folder.to_path_buf()),
        column: Some("step".into()),
        ..Options::default()
    };
    let report = conformance::run(&options, &|_, _| {}).expect("a report");
    let cell = |test: &lockstep_harness::report::TestReport| {
        let cell = &test.cells["step"];
        let said = cell.reason.clone().unwrap_or_default();
        let said = if cell.verdict == Verdict::Pass { "pass".into() } else { format!("{:?}: {said}", cell.verdict) };
        (format!("{}/{}", test.suite, test.name), said)
    };
    report.tests.iter().map(cell).collect()
}

fn expect(folder: &Path, wanted: &[(&str, &str)]) {
    let found = verdicts(folder);
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for (name, said) in wanted {
        let verdict = found.get(*name).unwrap_or_else(|| panic!("{name} is not in {found:#?}"));
        assert!(verdict.contains(said), "{name}: {verdict:?} does not say {said:?}");
    }
}

/// riscv-tests: the sources of RV32 include those of RV64.
#[test]
fn sources_of_riscv_tests() {
    let folder = folder("riscv-tests");
    let macros =
        "#define TESTNUM gp\n#define TEST_PASSFAIL bne x0, TESTNUM, pass; fail: RVTEST_FAIL; pass: RVTEST_PASS\n";
    put(&folder, "isa/macros/scalar/test_macros.h", macros);
    let add = "#include \"riscv_test.h\"\n#include \"test_macros.h\"\nRVTEST_RV64U\nRVTEST_CODE_BEGIN\n\
        li TESTNUM, 2\nli x7, RESULT\nli x5, 1\naddi x5, x5, 2\nbne x5, x7, fail\nTEST_PASSFAIL\nRVTEST_CODE_END\n\
        .data\nRVTEST_DATA_BEGIN\nRVTEST_DATA_END\n";
    put(&folder, "isa/rv64ui/add.S", add);
    let rv32 = "#include \"riscv_test.h\"\n#undef RVTEST_RV64U\n#define RVTEST_RV64U RVTEST_RV32U\n";
    put(&folder, "isa/rv32ui/add.S", &format!("{rv32}#define RESULT 3\n#include \"../rv64ui/add.S\"\n"));
    put(&folder, "isa/rv32um/mul.S", &format!("{rv32}#define RESULT 4\n#include \"../rv64ui/add.S\"\n"));
    expect(
        &folder,
        &[
            ("riscv-tests-checkout/rv32ui-add", "pass"),
            ("riscv-tests-checkout/rv32ui-add-user", "pass"),
            ("riscv-tests-checkout/rv32um-mul", "ended with Halted 5 (check 2)"),
            ("riscv-tests-checkout/rv32um-mul-user", "ended with Halted 5 (check 2)"),
        ],
    );
}

/// The framework until 2025: sources with the signatures of a reference model.
#[test]
fn sources_of_the_old_arch_tests_with_their_signatures() {
    let folder = folder("arch-old");
    let suite = folder.join("riscv-test-suite");
    let header = "#define RVTEST_CODE_BEGIN .globl rvtest_code_begin; rvtest_code_begin:\n\
        #define RVTEST_SIG_BEGIN RVMODEL_DATA_BEGIN\n#define RVTEST_SIG_END RVMODEL_DATA_END\n";
    put(&suite, "env/arch_test.h", header);
    let source = "#include \"model_test.h\"\n#include \"arch_test.h\"\n.section .text.init\n.globl rvtest_entry_point\n\
        rvtest_entry_point:\nRVMODEL_BOOT\nRVTEST_CODE_BEGIN\n#ifdef TEST_CASE_1\nla x1, begin_signature\nli x2, 40\n\
        addi x2, x2, 2\nsw x2, 0(x1)\n#endif\nRVMODEL_HALT\n.data\nRVTEST_SIG_BEGIN\n.fill 4, 4, 0xdeadbeef\nRVTEST_SIG_END\n";
    for name in ["add-01", "sub-01", "xor-01", "or-01"] {
        put(&suite, &format!("rv32i_m/I/src/{name}.S"), source);
    }
    let right = "0000002a\ndeadbeef\ndeadbeef\ndeadbeef\n";
    put(&suite, "rv32i_m/I/references/add-01.reference_output", right);
    put(&suite, "rv32i_m/I/references/sub-01.reference_output", "deadbeefdeadbeefdeadbeef0000002b\n");
    put(&suite, "rv32i_m/I/references/or-01.reference_output", "0000002a\n");
    expect(
        &folder,
        &[
            ("arch-test-checkout/I-add-01", "pass"),
            ("arch-test-checkout/I-sub-01", "is 0x0000002a instead of 0x0000002b"),
            ("arch-test-checkout/I-xor-01", "pass"),
        ],
    );
    let collected = directory::collect(&root(), &folder).expect("a suite");
    let problem = collected[0].problem.as_ref().expect("the signature of or-01 is short").to_string();
    assert!(problem.ends_with("or-01.reference_output: it has 1 words, the program's signature 4"), "{problem}");
}

/// Today's framework: sources that get a configuration of ours.
#[test]
fn sources_of_todays_arch_tests() {
    let folder = folder("act");
    let header = "#include \"rvtest_config.h\"\n#include \"rvmodel_macros.h\"\n#include \"dut_environment.h\"\n\
        #ifndef SIGNATURE\n#error\n#endif\n#if UDB_MXLEN != 32 || TEST_FLEN != 32\n#error\n#endif\n\
        .macro RVTEST_BEGIN\n.section .text.init\n.globl _start\n_start: la x2, signature_base\n.endm\n\
        .macro RVTEST_CODE_END\nexit_cleanup: RVMODEL_HALT_PASS\n.endm\n\
        .macro RVTEST_SIG_SETUP\n.data\nsignature_base: .word 0\nRVMODEL_DATA_SECTION\n.endm\n";
    put(&folder, "tests/env/riscv_arch_test.h", header);
    let source = "# MARCH: rv32i_zicsr_zifencei\n#define SIGUPD_COUNT 1\n#include \"riscv_arch_test.h\"\n\
        RVTEST_BEGIN\nli x3, 7\nsw x3, 0(x2)\nRVTEST_CODE_END\nRVTEST_SIG_SETUP\n";
    put(&folder, "tests/rv32i/I/I-add-00.S", source);
    put(&folder, "tests/rv32i/M/M-mul-00.S", source);
    put(&folder, "tests/rv32i/F/F-fadd-00.S", "not for us");
    expect(&folder, &[("act-checkout/I-add-00", "pass"), ("act-checkout/M-mul-00", "pass")]);
}

/// The parts of a self-checking program of today's framework: `BOOT`, `INIT` and `CHECK` differ.
fn self_checking(boot: &str, init: &str, check: &str) -> String {
    format!(
        ".equ UART_LSR, 0x10000005\n.text\n.globl _start\n_start: rvtest_entry_point: j rvmodel_boot\n\
        rvtest_code_begin: {check}\nj rvtest_code_end\n\
        rvtest_code_end: exit_cleanup: jal write_str\nrvmodel_halt_pass: li x1, 1\nj tell\n\
        failed: jal write_str\nrvmodel_halt_fail: li x1, 3\ntell: la t0, tohost\n1: sw x1, 0(t0)\nsw x0, 4(t0)\nj 1b\n\
        write_str: li x6, UART_LSR\n2: lbu x7, 0(x6)\nandi x7, x7, 0x20\nbeqz x7, 2b\nret\n\
        rvmodel_boot: {boot}\nrvtest_init_regs: {init}\ncanary_check: la x2, signature_base\nj rvtest_code_begin\n\
        .data\nsignature_base: begin_signature: .word 5\nend_signature:\n.balign 8\ntohost: .dword 0\n"
    )
}

const GOOD: &str = "li x3, 5\nlw x4, 0(x2)\nbne x3, x4, failed";
const BAD: &str = "li x3, 6\nlw x4, 0(x2)\nbne x3, x4, failed";

/// Today's framework, built elsewhere: for a bare machine, and for one with CSRs and floating point.
#[test]
fn self_checking_files_of_todays_arch_tests() {
    let folder = folder("act-elf");
    let elfs = folder.join("work/config/elfs/rv32i");
    for group in ["I", "M", "F"] {
        fs::create_dir_all(elfs.join(group)).expect("a folder");
    }
    build(&elfs, "I/I-add-00.elf", &self_checking("nop", "nop", GOOD));
    build(&elfs, "I/I-sub-00.elf", &self_checking("nop", "nop", BAD));
    // fmv.w.x f1, x1
    build(&elfs, "M/M-mul-00.elf", &self_checking("csrw mtvec, x0\nmret", ".word 0xf00080d3", GOOD));
    build(&elfs, "M/M-div-00.elf", &self_checking("csrw mtvec, x0\nmret", ".word 0xf00080d3", BAD));
    build(&elfs, "F/F-fadd-00.elf", &self_checking("nop", "nop", GOOD));
    build(&elfs, "I/I-xor-00.sig.elf", &self_checking("nop", "nop", "sw x0, 0(x2)"));
    expect(
        &folder,
        &[
            ("elf-files/work/config/elfs/rv32i/I/I-add-00.elf", "pass"),
            ("elf-files/work/config/elfs/rv32i/I/I-sub-00.elf", "says that it has failed"),
            ("elf-files/work/config/elfs/rv32i/M/M-mul-00.elf", "pass"),
            ("elf-files/work/config/elfs/rv32i/M/M-div-00.elf", "says that it has failed"),
        ],
    );
    let collected = directory::collect(&root(), &folder).expect("a suite");
    let skipped: Vec<&str> = collected[0].skipped.iter().map(|(_, reason)| reason.as_str()).collect();
    assert!(skipped.iter().any(|reason| reason.contains("extension F")), "{skipped:?}");
    assert!(skipped.iter().any(|reason| reason.contains("checks nothing")), "{skipped:?}");

    // With the model's signature beside it, the other half of a test runs, too.
    put(&elfs, "I/I-xor-00.sig", "00000000\n");
    assert_eq!(verdicts(&folder)["elf-files/work/config/elfs/rv32i/I/I-xor-00.sig.elf"], "pass");
}

/// Programs that have no label where they end, but tell their host; a character on the console is no end.
#[test]
fn programs_that_report_to_a_host() {
    let folder = folder("to-host");
    let program = |report: &str| {
        format!(
            ".globl _start\n_start: rvtest_code_begin: la t0, tohost\nli t1, 'E'\nsw t1, 0(t0)\nli t1, 0x01010000\n\
            sw t1, 4(t0)\n1: {report}\nj 1b\n.data\nsignature_base: .word 0\n.balign 8\ntohost: .dword 0\n"
        )
    };
    build(&folder, "one", &program("li t1, 1\nsw t1, 0(t0)\nsw x0, 4(t0)"));
    build(&folder, "old", &program("li t1, 1\nsw t1, 0(t0)"));
    build(&folder, "seven", &program("li t1, 7\nsw t1, 0(t0)\nsw x0, 4(t0)"));
    build(&folder, "silent", &program("nop"));
    expect(
        &folder,
        &[
            ("elf-files/one", "pass"),
            ("elf-files/old", "pass"),
            ("elf-files/seven", "reports failure 3 to its host"),
            ("elf-files/silent", "did not end within"),
        ],
    );
}

/// riscof's work folder, and a build of riscv-tests with all its targets.
#[test]
fn files_that_other_frameworks_built() {
    let folder = folder("elf");
    let dut = folder.join("riscof_work/rv32i_m/I/src/add-01.S/dut");
    fs::create_dir_all(&dut).expect("a folder");
    let program = ".globl _start\n_start: rvtest_entry_point: la x1, begin_signature\nli x2, 9\nsw x2, 0(x1)\n\
        li x3, 1\nla x4, tohost\nwrite_tohost: sw x3, 0(x4)\nj write_tohost\n.data\nbegin_signature: .word 0\n\
        end_signature:\n.balign 8\ntohost: .dword 0\n";
    build(&dut, "my.elf", program);
    put(&folder, "riscof_work/rv32i_m/I/src/add-01.S/ref/Reference-sail.signature", "00000008\n");
    let isa = folder.join("isa");
    fs::create_dir_all(&isa).expect("a folder");
    let environment = "csrw mtvec, x0\nla t0, 1f\ncsrw mepc, t0\nmret\n1: li gp, NUMBER\nli a7, 93\nli a0, 0\necall\n\
        .data\n.balign 64\ntohost: .dword 0\n";
    for (name, number) in [("rv32ui-p-add", 1), ("rv32um-p-div", 5), ("rv32ui-v-add", 1), ("rv32uc-p-rvc", 1)] {
        build(&isa, name, &format!("#define NUMBER {number}\n.globl _start\n_start: {environment}"));
    }
    expect(
        &folder,
        &[
            ("elf-files/isa/rv32ui-p-add", "pass"),
            ("elf-files/isa/rv32um-p-div", "gp = 0x5 at the end instead of 0x1"),
            ("elf-files/riscof_work/rv32i_m/I/src/add-01.S/dut/my.elf", "is 0x00000009 instead of 0x00000008"),
        ],
    );
}

/// What a build of everything leaves beside the tests is named or not looked at.
#[test]
fn files_for_64_bits_are_named_and_listings_are_not() {
    let folder = folder("rv64");
    let program = "csrw mepc, x0\nmret\nli gp, 1\necall\n.data\ntohost: .dword 0\n";
    let program = format!(".globl _start\n_start: {program}");
    build_for(&["-march=rv64im_zicsr", "-mabi=lp64"], &folder, "rv64ui-p-add", &program);
    let collected = directory::collect(&root(), &folder).expect("a suite");
    let problem = collected[0].problem.as_ref().expect("nothing can run").to_string();
    assert_eq!(problem, "nothing here can run: rv64ui-p-add is for RV64; the machine is RV32IM (ISA-1)");
    build(&folder, "rv32ui-p-add", &program);
    put(&folder, "rv32ui-p-add.dump", "80000000 <_start>:");
    let collected = directory::collect(&root(), &folder).expect("a suite");
    assert_eq!(collected[0].skipped.len(), 1);
    assert!(collected[0].problem.is_none(), "{:?}", collected[0].problem);
    expect(&folder, &[("elf-files/rv32ui-p-add", "pass")]);
}

#[test]
fn a_folder_without_tests_is_refused() {
    let folder = folder("empty");
    let error = directory::collect(&root(), &folder).expect_err("nothing is there").to_string();
    assert!(error.contains("no tests here"), "{error}");
}
