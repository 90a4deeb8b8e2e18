use super::*;

/// ISA-1: 49 rows.
#[test]
fn the_table_has_49_rows() {
    assert_eq!(Op::ALL.len(), 49);
}

/// ISA-3: each row's own pattern is the row; a word outside every row is illegal.
#[test]
fn decode_inverts_encode() {
    for op in Op::ALL {
        let insn = decode(op.row().pattern).unwrap_or_else(|| panic!("{op:?} does not decode"));
        assert_eq!(insn.op, op);
        assert_eq!(decode(encode(&insn)), Some(insn), "{op:?}");
    }
}
