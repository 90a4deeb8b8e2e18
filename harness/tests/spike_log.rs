//! Spike's command line: its log.

use lockstep_harness::machines::spike_cli::parse;

const LOG: &str = "\
core   0: 0x00001010 (0x00028067) jr      t0
core   0: 3 0x00001010 (0x00028067)
core   0: >>>>  _start
core   0: 0x00010000 (0x00742623) sw      t2, 12(s0)
core   0: 3 0x00010000 (0x00742623) mem 0x0001100c 0x00000123
core   0: 3 0x00010004 (0x00d40583) x11 0xffffff81 mem 0x0001100d
core   0: 3 0x00010008 (0x00741723) mem 0x0001100e 0x0123
core   0: 3 0x0001000c (0x30529073) c773_mtvec 0x00000004
core   0: exception trap_load_address_misaligned, epc 0x00010010
core   0:           tval 0x00011001
";

#[test]
fn parses_commits_and_exceptions() {
    let steps = parse(LOG).expect("the log can be read");
    let pcs: Vec<u32> = steps.iter().map(|step| step.pc).collect();
    assert_eq!(pcs, [0x1010, 0x1_0000, 0x1_0004, 0x1_0008, 0x1_000c, 0x1_0010]);
    let mem = |n: usize| steps[n].mem.expect("an access");
    assert_eq!((mem(1).addr, mem(1).wmask, mem(1).wdata), (0x1_100c, 15, 0x123));
    assert_eq!((mem(2).addr, mem(2).rmask, mem(2).wmask), (0x1_100d, 0, 0), "a load has no data in the log");
    assert_eq!(steps[2].rd.map(|rd| rd.value), Some(0xffff_ff81));
    assert_eq!((mem(3).wmask, steps[4].rd), (3, None));
    assert_eq!(steps[5].trap.map(|cause| cause.number()), Some(4));
    assert_eq!(steps[0].next_pc, 0x1_0000);
}

#[test]
fn names_the_line_that_cannot_be_read() {
    for wrong in
        ["core   0: 3 0x00010000 (nonsense)", "core   0: exception odd_name, epc 0x0", "core   0: 3 0x0 (0x0) x77 0x0"]
    {
        assert!(parse(&format!("\n{wrong}")).expect_err(wrong).starts_with("line 2: "));
    }
}
