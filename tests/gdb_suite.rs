//! A suite of behaviours that any stub for a hart has to have: `tests/gdb/suite.txt`, each a session of a real gdb.

mod gdb;

use gdb::{check_text, debuggee, differences, serve};

const SUITE: &str = include_str!("gdb/suite.txt");

/// The rows of the table of features that no other test drives.
const TABLE: &str = include_str!("gdb/table.txt");

/// What the first line of a section begins with.
const SECTION: &str = "\n== ";

/// Every section of `text` is a session of its own, behind the lines at the beginning.
fn check_sections(text: &str) {
    let mut parts = text.split(SECTION);
    let beginning = parts.next().expect("there is a text before the first section");
    let elf = debuggee(0);
    let mut wrong = String::new();
    for part in parts {
        let (name, steps) = part.split_once('\n').expect("a section has lines");
        let (addr, _server) = serve(&elf);
        wrong += &differences(name, &format!("{beginning}\n{steps}"), addr, &elf);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_behaviour() {
    check_sections(SUITE);
}

#[test]
fn every_row_of_the_table() {
    check_sections(TABLE);
}

/// Checks the transcript of a session with the program that does not end.
fn check_endless(name: &str, script: &str) {
    const BEGINNING: &str = "\
> set sysroot
> file ELF
Reading symbols from ELF...
> target remote ADDR
Remote debugging using ADDR
_start () at {}debuggee.c:53
53	void _start(void) {
";
    let elf = debuggee(5);
    let (addr, _server) = serve(&elf);
    check_text(name, &[BEGINNING, script.trim_start()].concat(), addr, &elf);
}

/// The interrupt needs a program that does not end, and the EBREAK one that has it.
#[test]
fn a_running_program_is_interrupted_again_and_again() {
    let script = "\
> shell (sleep 0.5; kill -INT $PPID; sleep 0.5; kill -INT $PPID) &
> continue
Continuing.
Program received signal SIGINT, Interrupt.
{}fault (kind=5) at {}debuggee.c:37
37	            counter++;
> print $before = counter
$1 = {}
> continue
Continuing.
Program received signal SIGINT, Interrupt.
{}fault (kind=5) at {}debuggee.c:37
37	            counter++;
> print counter > $before
$2 = 1
";
    check_endless("interrupts", script);
}

/// A user who gave a step that is never reached gives it up by Ctrl-C, and goes on from where the program is.
#[test]
fn a_goto_without_end_is_given_up() {
    let script = r#"
> shell (sleep 1; kill -INT $PPID) &
> python said = ''
> python exec("try: gdb.execute('monitor goto 99999999999999', False, True)\nexcept KeyboardInterrupt: said = 'given up'")
> python print(said)
given up
> print counter
$1 = {}
> maintenance flush register-cache
Register cache flushed.
> print $instret > 100000
$2 = 1
> stepi
{}37	            counter++;
> reverse-stepi
{}37	            counter++;
> print fib(6)
$3 = 8
"#;
    check_endless("goto", script);
}

/// The suite is the one that was meant: a section that is lost is noticed.
#[test]
fn the_suite_has_all_its_sections() {
    assert!(SUITE.matches(SECTION).count() >= 27);
}

/// docs/gdb.md says what drives each feature; all of it exists.
#[test]
fn the_guide_names_tests_that_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("the file is readable");
    let guide = read("docs/gdb.md");
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | `"));
    let mut count = 0;
    for (file, name) in rows.filter_map(|(_, test)| test.split_once("`: ")) {
        let exists = match file.ends_with(".rs") {
            true => read(&format!("tests/{file}")).contains(&format!("fn {name}()")),
            false => read(&format!("tests/gdb/{file}")).contains(&format!("{SECTION}{name}\n")),
        };
        assert!(exists, "{file} has no {name}");
        count += 1;
    }
    assert!(count >= 25, "only {count} rows");
}
