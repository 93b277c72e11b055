//! `name=value` pairs between `&`.

use super::Pair;

/// The pairs, and whether a `%` stands in them that is no escape.
pub fn pairs(text: &[u8]) -> (Vec<Pair>, bool) {
    let mut broken = false;
    let pieces = text.split(|&byte| byte == b'&').filter(|piece| !piece.is_empty());
    let pairs = pieces.map(|piece| {
        let mut halves = piece.splitn(2, |&byte| byte == b'=');
        let mut next = || decoded(halves.next().unwrap_or_default(), true, &mut broken);
        (next(), next())
    });
    (pairs.collect(), broken)
}

/// `%XX` is a byte, `+` a blank if it is `plus` that means one. A `%` that begins no escape stays, and is told of.
pub fn decoded(text: &[u8], plus: bool, broken: &mut bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let digits = text.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let escape = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match (text[at], escape) {
            (b'%', Some(digits)) => {
                out.push(u8::from_str_radix(digits, 16).expect("two digits"));
                at += 3;
                continue;
            }
            (b'%', None) => {
                *broken = true;
                out.push(b'%');
            }
            (b'+', _) if plus => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    out
}
