//! Receipts that were changed: each field of claim and proof, and bytes of every kind. None verifies, none panics.

mod common;

use std::collections::BTreeMap;

use common::terminate;
use lockstep_prove::claim::End;
use lockstep_prove::machine::AnyChip;
use lockstep_prove::prover::prove;
use lockstep_prove::receipt::{FormatError, Receipt, VERSION};
use lockstep_prove::verifier::{Proof, VerifyError, verify, verify_receipt};
use serde_json::{Value, json};

fn receipt() -> Receipt {
    prove(&common::run(&terminate(0))).unwrap_or_else(|error| panic!("{error}"))
}

/// The error's name without what it carries.
fn name(error: &VerifyError) -> String {
    format!("{error:?}").split(['(', ' ']).next().unwrap_or_default().to_owned()
}

/// The places of the tree `value`, those in a list once: what is at the first, at the last.
fn places(value: &Value, path: String, found: &mut BTreeMap<String, Vec<String>>) {
    let visit = |key: String, child: &Value, found: &mut _| places(child, format!("{path}/{key}"), found);
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, child)| visit(key.clone(), child, found)),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, child)| visit(i.to_string(), child, found)),
        _ => {}
    }
    let shape: Vec<&str> = path.split('/').map(|key| if key.parse::<usize>().is_ok() { "*" } else { key }).collect();
    let at = found.entry(shape.join("/")).or_default();
    at.truncate(1);
    at.push(path);
}

/// What the place can be changed to: a number, a list, an option.
fn changes(value: &Value) -> Vec<Value> {
    match value {
        Value::Number(number) => match number.as_u64() {
            // A byte of a hash, the number of rows, a cell: 1 more or less is one of the same kind.
            Some(0) => vec![json!(1)],
            Some(number) => vec![json!(number - 1)],
            None => Vec::new(),
        },
        Value::Array(items) if !items.is_empty() => {
            let longer = items.iter().chain(items.last()).cloned().collect();
            vec![Value::Array(items[1..].to_vec()), Value::Array(longer), json!([])]
        }
        Value::Null => Vec::new(),
        _ => vec![Value::Null],
    }
}

/// Each field of the proof, at its first and its last place, changed once; lists shorter, longer and empty.
#[test]
fn every_field_of_the_proof_is_bound() {
    let receipt = receipt();
    let proof: Proof = postcard::from_bytes(&receipt.proof).expect("a proof");
    let tree = serde_json::to_value(&proof).expect("a proof as JSON");
    let mut found = BTreeMap::new();
    places(&tree, String::new(), &mut found);
    let (mut accepted, mut rejected, mut names) = (Vec::new(), 0, BTreeMap::<String, usize>::new());
    for path in found.values().flatten() {
        for change in changes(tree.pointer(path).expect("the place exists")) {
            let mut other = tree.clone();
            *other.pointer_mut(path).expect("the place exists") = change;
            // What is no proof of this shape cannot be in a receipt.
            let Ok(other) = serde_json::from_value::<Proof>(other) else { continue };
            let proof = postcard::to_stdvec(&other).expect("a proof as bytes");
            match verify_receipt(&Receipt { proof, ..receipt.clone() }) {
                Ok(()) => accepted.push(path),
                Err(error) => *names.entry(name(&error)).or_default() += 1,
            }
            rejected += 1;
        }
    }
    println!("{} kinds of places, {rejected} changes: {names:?}", found.len());
    assert!(accepted.is_empty(), "{accepted:?}");
    assert!(rejected > found.len() / 2, "{rejected}");
}

/// Each field of the claim changed once.
#[test]
fn every_field_of_the_claim_is_bound() {
    let receipt = receipt();
    let tree = serde_json::to_value(&receipt.claim).expect("a claim as JSON");
    let mut found = BTreeMap::new();
    places(&tree, String::new(), &mut found);
    for path in found.values().flatten() {
        let Some(number) = tree.pointer(path).and_then(Value::as_u64) else { continue };
        let mut other = tree.clone();
        *other.pointer_mut(path).expect("the place exists") = json!(number ^ 4);
        let claim = serde_json::from_value(other).expect("a claim");
        let error = verify_receipt(&Receipt { claim, ..receipt.clone() }).expect_err(path);
        assert!(matches!(error, VerifyError::Rejected(_) | VerifyError::Claim), "{path}: {error}");
    }
    let ends = [End::Continue, End::Halt(1), End::Pause(0), End::Fault { cause: 5, addr: 0 }];
    for end in ends {
        let mut other = receipt.clone();
        other.claim.end = end;
        assert!(matches!(verify_receipt(&other), Err(VerifyError::Rejected(_))), "{end}");
    }
    let out_of_range: [fn(&mut Receipt); 6] = [
        |receipt| receipt.claim.mode = 2,
        |receipt| receipt.claim.pc |= 2,
        |receipt| receipt.claim.pre[0] = u32::MAX,
        |receipt| receipt.claim.post[7] = 0x7800_0001,
        |receipt| receipt.claim.steps = u32::MAX,
        |receipt| receipt.claim.end = End::Fault { cause: 9, addr: 0 },
    ];
    for (i, change) in out_of_range.into_iter().enumerate() {
        let mut other = receipt.clone();
        change(&mut other);
        assert_eq!(verify_receipt(&other), Err(VerifyError::Claim), "change {i}");
    }
}

/// Proof shape, heights and absent chips have one source: the list of tables, which the transcript begins with.
#[test]
fn another_list_of_tables_is_rejected() {
    let receipt = receipt();
    let number = |chip: AnyChip| chip as u8;
    let without = |chip: AnyChip| receipt.chips.iter().copied().filter(|other| *other != number(chip)).collect();
    let with = |more: u8| {
        let mut chips = [&receipt.chips[..], &[more]].concat();
        chips.sort_unstable();
        chips
    };
    let mut backwards = receipt.chips.clone();
    backwards.reverse();
    let lists: [(&str, Vec<u8>); 7] = [
        ("no boundary", without(AnyChip::Boundary)),
        ("two boundaries", with(number(AnyChip::Boundary))),
        ("two page tables", with(number(AnyChip::Page))),
        ("two trees", with(number(AnyChip::Tree))),
        ("a chip that does not exist", with(u8::MAX)),
        ("another order", backwards),
        ("none", Vec::new()),
    ];
    for (what, chips) in lists {
        let error = verify_receipt(&Receipt { chips: chips.clone(), ..receipt.clone() }).expect_err(what);
        assert_eq!(error, VerifyError::Chips(chips), "{what}");
    }
    for chips in [with(number(AnyChip::Mul)), without(AnyChip::AddImmediate)] {
        assert_eq!(verify_receipt(&Receipt { chips, ..receipt.clone() }), Err(VerifyError::Proof));
    }
}

/// A xorshift generator: the tests have no other randomness.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn no_bytes_make_the_verifier_panic() {
    let receipt = receipt();
    let (bytes, id) = (receipt.to_bytes(), receipt.claim.image_id());
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut names = BTreeMap::<String, usize>::new();
    let mut reject = |bytes: &[u8]| {
        let error = verify(bytes, &id).expect_err("bytes that are no receipt of this image");
        *names.entry(name(&error)).or_default() += 1;
    };
    // Noise, alone and behind a good beginning.
    for length in 0..600 {
        let noise: Vec<u8> = (0..length).map(|_| random(&mut state) as u8).collect();
        reject(&noise);
        reject(&[&bytes[..8], &noise].concat());
        reject(&[&bytes[..length], &noise[..]].concat());
    }
    // Lengths that promise much and deliver nothing.
    for place in 8..200 {
        let mut other = bytes.clone();
        other.splice(place..place + 1, [0xff; 9].into_iter().chain([1]));
        reject(&other);
    }
    // Cut off and extended.
    for i in 1..40 {
        reject(&bytes[..bytes.len() * i / 40]);
        reject(&[&bytes[..], &vec![i as u8; i]].concat());
    }
    // A byte of the file changed; what says the system is for people.
    for _ in 0..300 {
        let place =
            8 + 1 + receipt.system.len() + random(&mut state) as usize % (bytes.len() - 9 - receipt.system.len());
        let mut other = bytes.clone();
        other[place] ^= 1 << (random(&mut state) % 8);
        reject(&other);
    }
    println!("{names:?}");
    assert_eq!(verify(&bytes, &id), Ok(receipt.claim));
}

#[test]
fn other_versions_and_images_are_named() {
    let receipt = receipt();
    let (bytes, id) = (receipt.to_bytes(), receipt.claim.image_id());
    let mut newer = bytes.clone();
    newer[4] += 1;
    let error = verify(&newer, &id).expect_err("a newer version");
    assert_eq!(error, VerifyError::Format(FormatError::Version(VERSION + 1)));
    assert!(error.to_string().contains("newer"), "{error}");
    assert_eq!(verify(&bytes, &[0; 32]), Err(VerifyError::ImageId { expected: [0; 32], found: id }));
    assert_eq!(verify(b"ELF", &id), Err(VerifyError::Format(FormatError::Magic)));
}
