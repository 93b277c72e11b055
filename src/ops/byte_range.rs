//! The parameter of `@validateByteRange`.

/// Reads numbers and ranges of bytes, separated by commas, blanks ignored: `9,10,13,32-126`. The table says for each byte
/// whether it is allowed.
///
/// ```
/// let allowed = fusewall::ops::byte_range::parse("10, 32-126")?;
/// assert!(allowed[usize::from(b'a')] && !allowed[0]);
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// What is wrong and what is expected, for the rule author. ModSecurity reads what is not a number as 0; a rule that allows a
/// byte by a typing error is refused here.
pub fn parse(text: &str) -> Result<Box<[bool; 256]>, String> {
    let mut allowed = Box::new([false; 256]);
    for item in text.split(',').map(str::trim) {
        let (first, last) = match item.split_once('-') {
            Some((first, last)) => (byte(first, item)?, byte(last, item)?),
            None => (byte(item, item)?, byte(item, item)?),
        };
        if first > last {
            return Err(format!("the range {item:?} ends before it begins"));
        }
        for flag in allowed.iter_mut().take(usize::from(last) + 1).skip(usize::from(first)) {
            *flag = true;
        }
    }
    Ok(allowed)
}

fn byte(text: &str, item: &str) -> Result<u8, String> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or_else(|| {
        format!("{item:?} is not a byte or a range of bytes; expected numbers from 0 to 255 like 9,10,13,32-126")
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_lists() {
        let allowed = parse("0, 9 ,32 - 34,255").unwrap();
        let listed: Vec<usize> = (0..256).filter(|&byte| allowed[byte]).collect();
        assert_eq!(listed, [0, 9, 32, 33, 34, 255]);
        assert!(parse("0-255").unwrap().iter().all(|&flag| flag));
    }

    #[test]
    fn refuses_what_is_no_byte() {
        for bad in ["", "xxx", "1,", "256", "0-256", "-5", "5-", "+5", "0x20"] {
            assert!(parse(bad).unwrap_err().contains("0 to 255"), "{bad}");
        }
        assert!(parse("9-1").unwrap_err().contains("ends before"));
    }
}
