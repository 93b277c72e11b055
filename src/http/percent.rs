//! Percent decoding (RFC 3986, section 2.1), tolerant: what is not an escape stays as it is.

/// The value of a hexadecimal digit.
pub(super) const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The byte that two hexadecimal digits stand for.
pub(super) const fn hex_pair(high: u8, low: u8) -> Option<u8> {
    match (hex(high), hex(low)) {
        (Some(high), Some(low)) => Some(high << 4 | low),
        _ => None,
    }
}

/// Appends `input` to `out` with every `%XX` replaced; answers whether all `%` were escapes.
pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> bool {
    let mut valid = true;
    let mut rest = input;
    while let Some(at) = memchr::memchr(b'%', rest) {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain);
        let decoded = match escape {
            [_, high, low, ..] => hex_pair(*high, *low),
            _ => None,
        };
        match decoded {
            Some(byte) => out.push(byte),
            None => {
                out.push(b'%');
                valid = false;
            }
        }
        rest = escape.get(if decoded.is_some() { 3 } else { 1 }..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    valid
}

#[cfg(test)]
mod tests {
    #[test]
    fn keeps_what_is_not_an_escape() {
        for (input, output, valid) in [
            (&b"a%20b"[..], &b"a b"[..], true),
            (b"%", b"%", false),
            (b"%4", b"%4", false),
            (b"%zz%41", b"%zzA", false),
            (b"%%41+", b"%A+", false),
            (b"%00%fF", b"\x00\xff", true),
            (b"%u0041", b"%u0041", false),
        ] {
            let mut out = Vec::new();
            assert_eq!(super::decode(input, &mut out), valid, "{input:?}");
            assert_eq!(out, output);
        }
    }
}
