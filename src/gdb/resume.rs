//! The packets that resume the program, brought into the one form that gdbstub is given.
//!
//! gdbstub does not know `C` and `S`, overlooks the address of `c` and `s`, refuses a third action of vCont, and takes
//! what is between `vCont` and the first `;` for nothing. Here is one thread, so that one action is left of each packet.

use super::wire::hex_number;
use crate::map::Addr;

/// How to resume, of a sound packet.
#[derive(Debug, PartialEq, Eq)]
pub struct Order {
    /// The packet for gdbstub.
    pub body: Vec<u8>,
    /// Where to go on, if not at pc.
    pub from: Option<Addr>,
}

/// The order in the packet `body`, `None` if it does not resume.
///
/// # Errors
/// A sentence, if it means to and cannot.
pub fn parse(body: &[u8]) -> Option<Result<Order, String>> {
    match body {
        b"bc" | b"bs" => Some(Ok(Order { body: body.to_vec(), from: None })),
        b"vCont?" => None,
        [b'v', b'C', b'o', b'n', b't', actions @ ..] => Some(order(first_for_us(actions), None)),
        [b'c' | b's', from @ ..] => Some(order(Some(&body[..1]), address(from))),
        [b'C' | b'S', rest @ ..] => {
            let mut parts = rest.splitn(2, |byte| *byte == b';');
            let signal = parts.next().map_or(0, <[u8]>::len);
            Some(order(Some(&body[..=signal]), parts.next().and_then(address)))
        }
        _ => None,
    }
    .map(|order| order.map_err(|why| format!("{why}: {}", String::from_utf8_lossy(body))))
}

fn order(action: Option<&[u8]>, from: Option<Result<Addr, String>>) -> Result<Order, String> {
    let action = action.ok_or("no action for the one thread, 1")?;
    let is_sound = match action {
        b"c" | b"s" => true,
        [b'C' | b'S', signal @ ..] => signal.len() <= 2 && hex_number(signal).is_some(),
        [b'r', range @ ..] => is_range(range),
        _ => false,
    };
    if !is_sound {
        return Err("not a way to go on".to_owned());
    }
    Ok(Order { body: [b"vCont;", action].concat(), from: from.transpose()? })
}

/// `start,end`, both in 32 bits.
fn is_range(range: &[u8]) -> bool {
    let fields: Vec<_> = range.split(|byte| *byte == b',').map(address).collect();
    matches!(fields[..], [Some(Ok(_)), Some(Ok(_))])
}

/// The address that `digits` spell, `None` if there are none.
fn address(digits: &[u8]) -> Option<Result<Addr, String>> {
    let addr = || Addr::try_from(hex_number(digits)?).ok();
    (!digits.is_empty()).then(|| addr().ok_or_else(|| "not an address in 32 bits".to_owned()))
}

/// Of `;action[:thread]...` the leftmost action that is for our thread, as GDB's manual has it ("Packets", vCont).
fn first_for_us(actions: &[u8]) -> Option<&[u8]> {
    let actions = actions.strip_prefix(b";")?;
    actions.split(|byte| *byte == b';').find_map(|action| {
        let mut parts = action.splitn(2, |byte| *byte == b':');
        let action = parts.next()?;
        parts.next().is_none_or(is_ours).then_some(action)
    })
}

/// Whether `thread` is the one there is: `1`, any (0), all (-1), with or without the process in front.
fn is_ours(thread: &[u8]) -> bool {
    let is_one = |id: &[u8]| id == b"-1" || matches!(hex_number(id), Some(0 | 1));
    match thread.strip_prefix(b"p") {
        Some(rest) => rest.splitn(2, |byte| *byte == b'.').all(is_one),
        None => is_one(thread),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &[u8], expected: &[u8], from: Option<Addr>) {
        assert_eq!(parse(body), Some(Ok(Order { body: expected.to_vec(), from })), "{}", body.escape_ascii());
    }

    #[test]
    fn every_form_is_one() {
        check(b"c", b"vCont;c", None);
        check(b"s20008", b"vCont;s", Some(0x2_0008));
        check(b"C0b", b"vCont;C0b", None);
        check(b"S05;20008", b"vCont;S05", Some(0x2_0008));
        check(b"vCont;s:p1.1;c:p1.-1", b"vCont;s", None);
        check(b"vCont;s:2;t:3;c;s", b"vCont;c", None);
        check(b"vCont;r20000,20008:1;c", b"vCont;r20000,20008", None);
        check(b"vCont;c:p-1", b"vCont;c", None);
        check(b"bs", b"bs", None);
    }

    #[test]
    fn what_is_none_is_refused() {
        let refused: [&[u8]; 12] = [
            b"vCont",
            b"vCont1;c",
            b"vCont;",
            b"vCont;q",
            b"vCont;t",
            b"vCont;s:2",
            b"vCont;Cxyz",
            b"vCont;C100",
            b"cxyz",
            b"s123456789",
            b"C05;zz",
            b"vCont;r1,2,3",
        ];
        refused.iter().for_each(|body| assert!(parse(body).is_some_and(|order| order.is_err()), "{body:?}"));
        assert_eq!((parse(b"vCont?"), parse(b"g"), parse(b"bx")), (None, None, None));
    }
}
