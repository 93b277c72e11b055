//! I6: urlencoded text that is odd, in the query and in the body.

use crate::attempt::{ATTACK, Attempt, Expected, FORM, get, percent, post};
use crate::row::Row;
use std::sync::LazyLock;

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    Row::of("I6", "urlencoded oddities: broken and double escapes, %u, NUL, empty and repeated names", attempts())
});

/// `@` stands for the attack, every byte of it percent-encoded.
const TEXTS: &[(&str, Expected)] = &[
    ("q=@", Expected::Found),
    ("@", Expected::Found),
    ("@=", Expected::Found),
    ("=@", Expected::Found),
    ("q=%@", Expected::Found),
    ("q=@%", Expected::Found),
    ("q=%2&p=@", Expected::Found),
    ("q=%zz@", Expected::Found),
    ("q=%4%4%@", Expected::Found),
    ("q=%%%@", Expected::Found),
    ("q=%00@", Expected::Found),
    ("q=@%00", Expected::Found),
    ("%00=@", Expected::Found),
    ("q=+@+", Expected::Found),
    ("q==@", Expected::Found),
    ("q=a=@", Expected::Found),
    ("&&&q=@&&", Expected::Found),
    ("&=&=@", Expected::Found),
    ("q=%26p=@", Expected::Found),
    ("q=%3d@", Expected::Found),
    ("a;q=@", Expected::Found),
    ("a=1;q=@", Expected::Found),
    ("a=1%0d%0aq=@", Expected::Found),
    ("a=1\r\nq=@", Expected::Found),
    ("\u{feff}q=@", Expected::Found),
    ("q=%ff@", Expected::Found),
    // The parameter that a recipient takes may be the first, the last, or all of them.
    ("q=@&q=x", Expected::Found),
    ("q=x&q=@", Expected::Found),
    ("q=x&q=@&q=y", Expected::Found),
    ("q[]=x&q[]=@", Expected::Found),
    ("q[a][b]=@", Expected::Found),
    ("q[=@", Expected::Found),
    ("q.x=@&q_x=y", Expected::Found),
    ("Q=x&q=@", Expected::Found),
    ("%71=x&q=@", Expected::Found),
    (" q=@", Expected::Found),
    ("q =@", Expected::Found),
    ("q%00x=1&q=@", Expected::Found),
    // Harmless.
    ("q=a+b%20c&p=%C3%A9", Expected::Nothing),
    ("", Expected::Nothing),
    ("&", Expected::Nothing),
];

fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let both = |attempts: &mut Vec<Attempt>, text: &str, expected| {
        attempts.push(Attempt::new(format!("form {text}"), post(FORM, text), expected));
        let query = format!("/search?{text}");
        attempts.push(Attempt::new(format!("query {text}"), get(&query), expected));
        let spoken = format!("{FORM}; charset=UTF-8");
        attempts.push(Attempt::new(
            format!("form and query {text}"),
            crate::oracle::exchange::Exchange { target: query.into(), ..post(&spoken, text) },
            expected,
        ));
    };
    for (text, expected) in TEXTS {
        both(&mut attempts, &text.replace('@', &percent(ATTACK)), *expected);
        if *expected == Expected::Found {
            both(&mut attempts, &text.replace('@', &percent(ATTACK).to_lowercase()), *expected);
            both(&mut attempts, &text.replace('@', &percent(&percent(ATTACK))), *expected);
        }
    }
    let spelled = |form: &dyn Fn(u8) -> String| ATTACK.bytes().map(form).collect::<String>();
    let wide = |byte: u8| format!("%u{byte:04x}");
    let full = |byte: u8| if byte > b' ' { format!("%uff{:02x}", byte - 0x20) } else { format!("%{byte:02x}") };
    both(&mut attempts, &format!("q={}", spelled(&wide)), Expected::Found);
    both(&mut attempts, &format!("q={}", spelled(&full)), Expected::Found);
    // Longer forms than UTF-8 allows are for rules that ask for them.
    let overlong = |byte: u8| format!("%{:02x}%{:02x}", 0xC0 | byte >> 6, 0x80 | byte & 0x3F);
    let query = format!("/?q={}", spelled(&overlong));
    attempts.push(Attempt::new("overlong UTF-8", get(&query), Expected::ByRulesets));
    attempts
}

#[test]
fn odd_escapes_and_names_are_inspected() {
    ROW.assert();
}
