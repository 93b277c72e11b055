//! Numbers as `@eq`, `@ge`, `@gt`, `@le` and `@lt` read them.

use crate::meter::Price;

/// What [`integer`] costs for the bytes of its text.
pub const PRICE: Price = Price::per_byte(10, 2);

/// The integer at the front of `text`, after blanks and an optional sign, as C's `strtol` reads it; 0 if there is none. What
/// follows the digits is ignored. Numbers that do not fit stop at [`i64::MIN`] and [`i64::MAX`].
///
/// ```
/// use fusewall::ops::numeric::integer;
/// assert_eq!(integer(b" -12abc"), -12);
/// assert_eq!(integer(b"abc"), 0);
/// ```
pub fn integer(text: &[u8]) -> i64 {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | 0x09..=0x0D)).count();
    let text = text.get(blanks..).unwrap_or_default();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let mut value = 0i64;
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0')) {
        // Counts down for negative numbers, because i64::MIN has no positive counterpart.
        let next = value.checked_mul(10).and_then(|tens| tens.checked_add(if negative { -digit } else { digit }));
        match next {
            Some(next) => value = next,
            None => return if negative { i64::MIN } else { i64::MAX },
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::integer;
    use proptest::prelude::*;

    #[test]
    fn reads_what_strtol_reads() {
        assert_eq!(integer(b""), 0);
        assert_eq!(integer(b"+7"), 7);
        assert_eq!(integer(b"\t\x0b 42 43"), 42);
        assert_eq!(integer(b"- 5"), 0);
        assert_eq!(integer(b"0x10"), 0);
        assert_eq!(integer(b"\xa05"), 0);
        assert_eq!(integer(b"99999999999999999999"), i64::MAX);
        assert_eq!(integer(b"-99999999999999999999x"), i64::MIN);
        assert_eq!(integer(&[b'0'; 1 << 16]), 0);
    }

    proptest! {
        #[test]
        fn every_number_survives_its_own_text(number: i64, tail in "[^0-9]?.{0,3}") {
            let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit());
            prop_assert_eq!(integer(format!("{number}{tail}").as_bytes()), number);
        }
    }
}
