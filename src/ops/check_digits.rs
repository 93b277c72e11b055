//! Check digits: `@verifyCC`, `@verifyCPF`, `@verifySSN`, `@verifySVNR`.
//!
//! Each function judges one candidate, the text that the operator's pattern has matched; bytes that are not digits (blanks,
//! dashes, what the pattern needs around the number) are passed over. Where a number has a fixed length, its first digits count.

use crate::meter::Price;

/// What each of the functions costs for the bytes of its candidate.
pub const PRICE: Price = Price::per_byte(40, 1);

/// `@verifyCC`: the digits pass the test of Luhn (ISO/IEC 7812-1). There must be one at least.
///
/// ```
/// use fusewall::ops::check_digits::luhn;
/// assert!(luhn(b"4417-1234-5678-9113"));
/// assert!(!luhn(b"4417-1234-5678-9112"));
/// ```
pub fn luhn(candidate: &[u8]) -> bool {
    let mut sum = 0u64;
    let mut count = 0usize;
    for digit in digits(candidate).rev() {
        // Every second digit from the right counts twice, by the sum of its own digits.
        let weighted = if count.is_multiple_of(2) { digit } else { digit * 2 / 10 + digit * 2 % 10 };
        sum += u64::from(weighted);
        count += 1;
    }
    count > 0 && sum.is_multiple_of(10)
}

/// `@verifyCPF`: a Brazilian taxpayer number. Eleven digits, the last two are check digits modulo 11; eleven times the same digit
/// and 01234567890 pass the sums but are never issued.
pub fn cpf(candidate: &[u8]) -> bool {
    let Some(number) = first_digits::<11>(candidate) else {
        return false;
    };
    if all_same(&number) || number == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0] {
        return false;
    }
    // Weights fall to 2 at the digit before the check digit.
    let check = |digits: &[u8]| {
        let sum: u32 = digits.iter().rev().zip(2u32..).map(|(&digit, weight)| u32::from(digit) * weight).sum();
        match sum % 11 {
            0 | 1 => 0,
            rest => 11 - rest,
        }
    };
    let [body @ .., first, second] = &number;
    let [body_and_first @ .., _] = &number;
    check(body) == u32::from(*first) && check(body_and_first) == u32::from(*second)
}

/// `@verifySSN`: a social security number of the United States as issued before 2011, when numbers had no check digit but areas:
/// nine digits; area 001 to 739 without 666, group and serial not zero, not all the same and not 123456789.
pub fn ssn(candidate: &[u8]) -> bool {
    let Some(number) = first_digits::<9>(candidate) else {
        return false;
    };
    let value = |digits: &[u8]| digits.iter().fold(0u32, |value, &digit| value * 10 + u32::from(digit));
    let [a, b, c, d, e, serial @ ..] = &number;
    let area = value(&[*a, *b, *c]);
    let rising = number.iter().zip(number.iter().skip(1)).all(|(left, right)| left + 1 == *right);
    !rising
        && !all_same(&number)
        && (1..740).contains(&area)
        && area != 666
        && value(&[*d, *e]) != 0
        && value(serial) != 0
}

/// `@verifySVNR`: an Austrian social insurance number. Ten digits, the fourth is a check digit modulo 11 over the others. A sum
/// that leaves 10 is taken for 0, as ModSecurity does; such numbers are not issued.
pub fn svnr(candidate: &[u8]) -> bool {
    const WEIGHTS: [u32; 10] = [3, 7, 9, 0, 5, 8, 4, 2, 1, 6];
    let Some(number) = first_digits::<10>(candidate) else {
        return false;
    };
    if all_same(&number) || number == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] || number == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0] {
        return false;
    }
    let [_, _, _, check, ..] = number;
    let sum: u32 = number.iter().zip(WEIGHTS).map(|(&digit, weight)| u32::from(digit) * weight).sum();
    sum % 11 % 10 == u32::from(check)
}

/// The digits of `text` as numbers.
fn digits(text: &[u8]) -> impl DoubleEndedIterator<Item = u8> + '_ {
    text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0')
}

/// The first `N` digits, if there are so many.
fn first_digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut found = [0; N];
    let mut source = digits(text);
    for place in &mut found {
        *place = source.next()?;
    }
    Some(found)
}

fn all_same(digits: &[u8]) -> bool {
    digits.iter().zip(digits.iter().skip(1)).all(|(left, right)| left == right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_catch_every_single_error() {
        type Check = fn(&[u8]) -> bool;
        for (valid, number) in
            [(luhn as Check, &b"5484605089158216"[..]), (cpf, b"529.982.247-25"), (svnr, b"1237 010180")]
        {
            assert!(valid(number));
            for at in (0..number.len()).filter(|&at| number[at].is_ascii_digit()) {
                let mut wrong = number.to_vec();
                wrong[at] = b'0' + (wrong[at] - b'0' + 1) % 10;
                assert!(!valid(&wrong), "{}", String::from_utf8_lossy(&wrong));
            }
        }
    }

    #[test]
    fn numbers_that_are_never_issued() {
        assert!(!luhn(b"") && !luhn(b"none") && luhn(b"0"));
        assert!(!cpf(b"111.111.111-11") && !cpf(b"012.345.678-90") && !cpf(b"529.982.247-2"));
        assert!(ssn(b"574-57-8065"));
        for bad in
            ["000-57-8065", "574-00-8065", "574-57-0000", "666-57-8065", "740-57-8065", "123456789", "111111111", "1"]
        {
            assert!(!ssn(bad.as_bytes()), "{bad}");
        }
        assert!(!svnr(b"0000000000") && !svnr(b"123701018"));
    }
}
