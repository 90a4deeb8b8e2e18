use super::*;
use crate::smt::term::Values;

/// The function `f` with this body; parameters %a, %b and %c of 32 bits.
fn translated(header: &str, body: &str) -> Result<Translated, IrError> {
    let params = "i32 noundef %a, i32 noundef %b, i32 noundef %c";
    let text = format!("define noundef {header} @_ZN1m1f17h0123456789abcdefE({params}) #0 {{\nstart:\n{body}\n}}\n");
    translate(&Module::parse(&text).function("m::f")?, &["a", "b", "c"])
}

/// The value (`None` for poison or undefined behaviour) of `body` at a, b and c.
fn value(header: &str, body: &str, [a, b, c]: [u32; 3]) -> Option<u128> {
    let function = translated(header, body).unwrap_or_else(|error| panic!("{error}"));
    let values: Values =
        [("a", a), ("b", b), ("c", c)].iter().map(|(name, value)| (name.to_string(), u128::from(*value))).collect();
    let is_set = |term: Term| term.eval(&values) == Some(1);
    let is_defined = !is_set(function.is_poison) && !is_set(function.is_undefined);
    is_defined.then(|| function.result.eval(&values)).flatten()
}

/// `%r = instruction`, `ret`, at a and b; expected.
fn check(instruction: &str, a: u32, b: u32, expected: Option<u32>) {
    let body = format!("  %r = {instruction}\n  ret i32 %r");
    assert_eq!(value("i32", &body, [a, b, 5]), expected.map(u128::from), "{instruction} of {a:#x}, {b:#x}");
}

const MIN: u32 = 0x8000_0000;
const MINUS_1: u32 = u32::MAX;

#[test]
fn arithmetic_wraps_unless_it_promises_not_to() {
    check("add i32 %a, %b", MINUS_1, 1, Some(0));
    check("add nuw i32 %a, %b", MINUS_1, 1, None);
    check("add nsw i32 %a, %b", MINUS_1, 1, Some(0));
    check("add nsw i32 %a, %b", 0x7fff_ffff, 1, None);
    check("sub nuw i32 %a, %b", 0, 1, None);
    check("sub nsw i32 %a, %b", MIN, 1, None);
    check("mul nuw i32 %a, %b", 0x1_0000, 0x1_0000, None);
    check("mul nsw i32 %a, %b", MINUS_1, MINUS_1, Some(1));
    check("mul nsw i32 %a, %b", 0x1_0000, 0x8000, None);
    check("or disjoint i32 %a, %b", 1, 2, Some(3));
    check("or disjoint i32 %a, %b", 3, 2, None);
}

#[test]
fn shifts_by_the_width_are_poison() {
    check("shl i32 %a, %b", 1, 31, Some(MIN));
    check("shl i32 %a, %b", 1, 32, None);
    check("lshr i32 %a, %b", MIN, 32, None);
    check("ashr i32 %a, %b", MIN, 31, Some(MINUS_1));
    check("shl nuw i32 %a, %b", 3, 31, None);
    check("shl nsw i32 %a, %b", 1, 31, None);
    check("lshr exact i32 %a, %b", 6, 2, None);
    check("ashr exact i32 %a, %b", 8, 3, Some(1));
}

#[test]
fn division_faults_are_undefined() {
    check("udiv i32 %a, %b", 7, 2, Some(3));
    check("udiv i32 %a, %b", 7, 0, None);
    check("sdiv i32 %a, %b", MIN, MINUS_1, None);
    check("srem i32 %a, %b", MIN, MINUS_1, None);
    check("srem i32 %a, %b", MINUS_1, 2, Some(MINUS_1));
    check("udiv exact i32 %a, %b", 7, 2, None);
}

#[test]
fn casts_keep_their_promises() {
    let low_byte = |cast: &str| format!("  %t = {cast}\n  %r = zext i8 %t to i32\n  ret i32 %r");
    assert_eq!(value("i32", &low_byte("trunc i32 %a to i8"), [0x1ff, 0, 0]), Some(0xff));
    assert_eq!(value("i32", &low_byte("trunc nuw i32 %a to i8"), [0x1ff, 0, 0]), None);
    assert_eq!(value("i32", &low_byte("trunc nsw i32 %a to i8"), [0xff, 0, 0]), None);
    assert_eq!(value("i32", &low_byte("trunc nsw i32 %a to i8"), [MINUS_1, 0, 0]), Some(0xff));
    let widened = "  %t = trunc i32 %a to i8\n  %r = zext nneg i8 %t to i32\n  ret i32 %r";
    assert_eq!(value("i32", widened, [0x80, 0, 0]), None);
}

#[test]
fn a_select_is_poison_only_by_the_arm_it_takes() {
    let body = "  %p = shl i32 %a, %b\n  %k = icmp eq i32 %c, 0\n  %r = select i1 %k, i32 %p, i32 %a\n  ret i32 %r";
    assert_eq!(value("i32", body, [1, 32, 0]), None);
    assert_eq!(value("i32", body, [1, 32, 1]), Some(1));
}

#[test]
fn a_phi_follows_the_edge_taken_and_its_faults() {
    let body = "  %z = icmp eq i32 %b, 0\n  br i1 %z, label %join, label %divide\n\
                divide:\n  %q = udiv i32 %a, %b\n  br label %join\n\
                join:\n  %r = phi i32 [ -1, %start ], [ %q, %divide ]\n  ret i32 %r";
    assert_eq!(value("i32", body, [7, 0, 0]), Some(u128::from(MINUS_1)));
    assert_eq!(value("i32", body, [7, 2, 0]), Some(3));
}

#[test]
fn a_switch_takes_its_case_or_the_default() {
    let body = "  switch i32 %a, label %other [\n    i32 1, label %one\n    i32 -1, label %one\n  ]\n\
                one:\n  br label %join\nother:\n  br label %join\n\
                join:\n  %r = phi i32 [ 10, %one ], [ 20, %other ]\n  ret i32 %r";
    assert_eq!(value("i32", body, [1, 0, 0]), Some(10));
    assert_eq!(value("i32", body, [MINUS_1, 0, 0]), Some(10));
    assert_eq!(value("i32", body, [2, 0, 0]), Some(20));
}

#[test]
fn unreachable_assume_and_branches_on_poison_are_undefined_where_reached() {
    let unreachable = "  %z = icmp eq i32 %a, 0\n  br i1 %z, label %dead, label %live\n\
                       dead:\n  unreachable\nlive:\n  ret i32 %a";
    assert_eq!(value("i32", unreachable, [0, 0, 0]), None);
    assert_eq!(value("i32", unreachable, [1, 0, 0]), Some(1));
    let assume = "  %z = icmp ne i32 %a, 0\n  call void @llvm.assume(i1 %z)\n  ret i32 %a";
    assert_eq!(value("i32", assume, [0, 0, 0]), None);
    let poison = "  %s = shl i32 1, %b\n  %z = icmp eq i32 %s, 0\n  br i1 %z, label %x, label %y\n\
                  x:\n  ret i32 1\ny:\n  ret i32 2";
    assert_eq!(value("i32", poison, [0, 40, 0]), None);
    assert_eq!(value("i32", poison, [0, 4, 0]), Some(2));
}

/// `undef` may be any value; as poison it is harder to prove and never easier.
#[test]
fn undef_is_taken_as_poison() {
    let body = "  %z = icmp eq i32 %a, 0\n  %r = select i1 %z, i32 %b, i32 undef\n  ret i32 %r";
    assert_eq!(value("i32", body, [0, 3, 0]), Some(3));
    assert_eq!(value("i32", body, [1, 3, 0]), None);
}

#[test]
fn words_of_128_bits_are_packed() {
    let body = "  %x = zext i32 %a to i128\n  %y = shl nuw i128 %x, 96\n  %z = zext i32 %b to i128\n\
                \x20 %r = or disjoint i128 %y, %z\n  %s = lshr i128 %r, 96\n  %t = trunc i128 %s to i32\n  ret i32 %t";
    assert_eq!(value("i32", body, [MINUS_1, 7, 0]), Some(u128::from(MINUS_1)));
}

#[test]
fn a_range_of_the_result_is_a_promise() {
    assert_eq!(value("range(i32 0, 2) i32", "  ret i32 %a", [1, 0, 0]), Some(1));
    assert_eq!(value("range(i32 0, 2) i32", "  ret i32 %a", [2, 0, 0]), None);
    assert_eq!(value("range(i32 -1, 1) i32", "  ret i32 %a", [MINUS_1, 0, 0]), Some(u128::from(MINUS_1)));
}

#[test]
fn intrinsics_compute_what_their_names_say() {
    check("tail call i32 @llvm.fshl.i32(i32 %a, i32 %a, i32 8)", 0x1234_5678, 0, Some(0x3456_7812));
    check("call i32 @llvm.umin.i32(i32 %a, i32 %b)", 1, MINUS_1, Some(1));
    check("call i32 @llvm.smin.i32(i32 %a, i32 %b)", 1, MINUS_1, Some(MINUS_1));
    check("call i32 @llvm.uadd.sat.i32(i32 %a, i32 %b)", MINUS_1, 2, Some(MINUS_1));
    check("call i32 @llvm.abs.i32(i32 %a, i1 false)", MIN, 0, Some(MIN));
    check("call i32 @llvm.abs.i32(i32 %a, i1 true)", MIN, 0, None);
}

#[test]
fn what_is_not_covered_is_an_error_that_names_the_line() {
    let reason = |body: &str| translated("i32", body).expect_err(body);
    for (line, body) in [
        (3, "  %r = load i32, ptr %a\n  ret i32 %r"),
        (3, "  %r = call i32 @strange(i32 %a)\n  ret i32 %r"),
        (3, "  %r = add fast i32 %a, %b\n  ret i32 %r"),
        (3, "  %r = and nuw i32 %a, %b\n  ret i32 %r"),
        (3, "  %r = add nuw i128 %a, %b\n  ret i32 %r"),
        (3, "  %r = add i32 %a, %unknown\n  ret i32 %r"),
        (3, "  %r = add i32 %a, %b, !range !3\n  ret i32 %r"),
        (3, "  %r = add i129 %a, %b\n  ret i32 %r"),
        (4, "  %r = add i32 %a, %b\n  ret i64 %r"),
        (3, "  br label %start"),
    ] {
        assert_eq!(reason(body).line, line, "{body}: {}", reason(body));
    }
}

#[test]
fn a_parameter_that_may_be_poison_is_an_error() {
    let text = "define i32 @_ZN1m1f17h0123456789abcdefE(i32 %a) {\nstart:\n  ret i32 %a\n}\n";
    let error = Module::parse(text).function("m::f").expect_err("no noundef");
    assert!(error.reason.contains("may be poison"), "{error}");
}
