//! Character references of HTML, looked for at each ampersand.

use super::{Family, digits, replaced};
use fusewall::transform::Transformation as T;

pub const FAMILY: Family = Family {
    tokens: b"&|#|&#|&#x|&#X|;|x|&lt|&LT;|&gT;|&quot;|&amp;|&amp|&nbsp;|&nbsp|&colon;|&Tab;|&ltx|60|3c|0|9|f|g|\
        &#60;|&#x3c|&#0000000060|&#256;|&#x1003c;|&#18446744073709551676;|&#x1000000000000003c;|\xff|\0|\
        quot|text|&#9223372036854775807;|&#9223372036854775868;|&#x800000000000003c;|&#99999999999999999999;",
    members: &[(T::HtmlEntityDecode, decode)],
};

const NAMES: [(&str, u8); 5] = [("quot", b'"'), ("amp", b'&'), ("lt", b'<'), ("gt", b'>'), ("nbsp", 0xa0)];

fn decode(input: &[u8]) -> Vec<u8> {
    replaced(input, |text| {
        let (byte, width) = reference(text)?;
        let semicolon = text.get(width) == Some(&b';');
        Some((vec![byte], width + usize::from(semicolon)))
    })
}

/// The byte that a reference stands for, and its width without a semicolon.
fn reference(text: &[u8]) -> Option<(u8, usize)> {
    let rest = text.strip_prefix(b"&")?;
    if let Some(hex) = rest.strip_prefix(b"#x").or(rest.strip_prefix(b"#X")) {
        return Some((lowest(hex, 16)?, 3 + digits(hex, 16)));
    }
    if let Some(decimal) = rest.strip_prefix(b"#") {
        return Some((lowest(decimal, 10)?, 2 + digits(decimal, 10)));
    }
    let word = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let &(name, byte) = NAMES.iter().find(|(name, _)| rest[..word].eq_ignore_ascii_case(name.as_bytes()))?;
    Some((byte, 1 + name.len()))
}

/// The lowest byte of the number at the front as `strtol` reads it, which takes the largest it knows for all that are larger; `None`
/// without a digit.
fn lowest(text: &[u8], base: u32) -> Option<u8> {
    let digits = &text[..digits(text, base)];
    let value = |&digit: &u8| char::from(digit).to_digit(base).unwrap().into();
    let longer = |number: i64, digit| number.checked_mul(base.into())?.checked_add(value(digit));
    (!digits.is_empty()).then(|| digits.iter().try_fold(0, longer).unwrap_or(i64::MAX) as u8)
}
