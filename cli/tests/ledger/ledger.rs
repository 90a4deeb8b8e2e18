//! A guest in Rust for RISC Zero's kernel that panics, to be debugged by its types (cli/tests/gdb.rs).
//!
//! The only Rust for RV32IM that needs nothing but the compiler at hand: without even `core`, and so with the few
//! items that the language itself asks for.
#![feature(no_core, lang_items, auto_traits)]
#![allow(internal_features)]
#![no_core]
#![no_main]

#[lang = "pointee_sized"]
pub trait PointeeSized {}
#[lang = "meta_sized"]
pub trait MetaSized: PointeeSized {}
#[lang = "sized"]
pub trait Sized: MetaSized {}
#[lang = "legacy_receiver"]
pub trait LegacyReceiver {}
impl<T: PointeeSized> LegacyReceiver for &T {}
#[lang = "copy"]
pub trait Copy {}
impl Copy for u32 {}
impl<T: PointeeSized> Copy for &T {}
#[lang = "unsize"]
pub trait Unsize<T: PointeeSized>: PointeeSized {}
#[lang = "coerce_unsized"]
pub trait CoerceUnsized<T> {}
impl<'a, T: PointeeSized + Unsize<U>, U: PointeeSized> CoerceUnsized<&'a U> for &'a T {}
#[lang = "freeze"]
pub auto trait Freeze {}

pub enum Amount {
    Coins(u32),
    Notes { value: u32, count: u32 },
    Nothing,
}

pub enum Maybe<T> {
    Some(T),
    None,
}

pub struct Entry<'a> {
    who: &'static str,
    amount: Amount,
    next: Maybe<&'a Entry<'a>>,
}

extern "C" {
    fn sys_panic(message: *const u8, len: u32);
}

#[inline(never)]
fn refuse(entry: &Entry<'_>) {
    let _refused = entry;
    unsafe { sys_panic(b"nothing to pay with" as *const [u8; 19] as *const u8, 19) }
}

/// Pays each entry from `entry` on.
#[inline(never)]
fn pay(entry: &Entry<'_>) {
    match entry.amount {
        Amount::Coins(_) => {}
        Amount::Notes { .. } => {}
        Amount::Nothing => refuse(entry),
    }
    match entry.next {
        Maybe::Some(next) => pay(next),
        Maybe::None => {}
    }
}

#[inline(never)]
fn settle(amount: &mut Amount) {
    *amount = Amount::Nothing;
}

#[no_mangle]
extern "C" fn main() {
    let mut carol = Entry { who: "carol", amount: Amount::Coins(5), next: Maybe::None };
    // The bug: settled before it was paid.
    settle(&mut carol.amount);
    let _due: &[u32] = &[5, 20];
    let alice = Entry { who: "alice", amount: Amount::Notes { value: 10, count: 2 }, next: Maybe::Some(&carol) };
    pay(&alice);
}
