//! I8, cookies: what frameworks read that is not what browsers send.

use crate::attempt::{ATTACK, Attempt, Expected, get};

/// `@` stands for the attack.
const HEADERS: &[(&str, Expected)] = &[
    ("a=@", Expected::Found),
    ("a=b; c=@", Expected::Found),
    ("a=b;c=@;", Expected::Found),
    ("a=b;;;c=@", Expected::Found),
    ("@", Expected::Found),
    ("@=b", Expected::Found),
    ("a=x; a=@", Expected::Found),
    ("a=@; a=x", Expected::Found),
    ("a=x; A=@", Expected::Found),
    ("a=b=@", Expected::Found),
    ("a = @", Expected::Found),
    (" \t a=@", Expected::Found),
    ("a=\"@\"", Expected::Found),
    ("a=\"x; y=@\"", Expected::Found),
    ("a=b, c=@", Expected::Found),
    ("$Version=1; a=\"@\"; $Path=/", Expected::Found),
    ("$Version=1; a=b; $Path=@", Expected::Found),
    ("a=%3C; b=@", Expected::Found),
    ("a\0=@", Expected::Found),
    // A value that has no name is nothing in REQUEST_COOKIES, and something to some recipients.
    ("=@", Expected::Flagged),
    ("a=b; =@", Expected::Flagged),
    // Harmless.
    ("session=abc; lang=en; empty=; flag", Expected::Nothing),
    ("a=\"quoted\"", Expected::Nothing),
    ("", Expected::Nothing),
];

pub fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    // What recipients undo inside of quotes: octal escapes (Python), backslashes (RFC 2109).
    let octal: String = ATTACK.bytes().map(|byte| format!("\\{byte:03o}")).collect();
    let slashed: String = ATTACK.chars().map(|char| format!("\\{char}")).collect();
    for (header, expected) in HEADERS {
        for spelling in [ATTACK.to_owned(), percent_plain(), format!("\"{octal}\""), format!("\"{slashed}\"")] {
            let quoted = spelling.starts_with('"');
            // Only a value as a whole is a quoted string.
            if quoted && !(header.ends_with("=@") && *expected == Expected::Found && !header.contains("b=@")) {
                continue;
            }
            let value = header.replace('@', &spelling);
            attempts.push(Attempt::new(format!("Cookie: {value}"), get("/").header("Cookie", &value), *expected));
            let second = get("/").header("Cookie", "first=1").header("cookie", &value);
            attempts.push(Attempt::new(format!("a second Cookie: {value}"), second, *expected));
        }
    }
    attempts.dedup_by(|a, b| a.what == b.what);
    attempts
}

fn percent_plain() -> String {
    crate::attempt::percent(ATTACK)
}
