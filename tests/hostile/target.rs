//! I7: request targets that servers split and decode in more than one way.

use crate::attempt::{ATTACK, Attempt, Expected, get, percent};
use crate::row::Row;
use std::sync::LazyLock;

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    Row::of(
        "I7",
        "request targets: dots, double slashes, encoded separators, path parameters, absolute form, fragments, 64 KB",
        attempts(),
    )
});

/// `@` stands for the attack, percent-encoded.
const TARGETS: &[(&str, Expected)] = &[
    ("/@", Expected::Found),
    ("/a/@/b", Expected::Found),
    ("//@", Expected::Found),
    ("///a//@", Expected::Found),
    ("/./@/.", Expected::Found),
    ("/%2e%2e/@", Expected::Found),
    ("/..;/@", Expected::Found),
    ("/a;x=@/b", Expected::Found),
    ("/a;jsessionid=@", Expected::Found),
    ("/a%3fq=@", Expected::Found),
    ("/a%3Fb?q=@", Expected::Found),
    ("/a%23b?q=@", Expected::Found),
    ("/a%2fb?q=@", Expected::Found),
    ("/a\\b\\@", Expected::Found),
    ("\\a?q=@", Expected::Found),
    ("/?q=@", Expected::Found),
    ("/??q=@", Expected::Found),
    ("/?a?q=@", Expected::Found),
    ("/?a/b?c&q=@", Expected::Found),
    ("/a?@", Expected::Found),
    ("?q=@", Expected::Found),
    ("?@", Expected::Found),
    ("q=@", Expected::Found),
    ("*?q=@", Expected::Found),
    ("http://www.example/a?q=@", Expected::Found),
    ("http://www.example?q=@", Expected::Found),
    ("HTTP://user:pass@www.example/@?q=@", Expected::Found),
    ("http://www.example/@", Expected::Found),
    ("http:///@", Expected::Found),
    ("http:/@", Expected::Found),
    ("javascript:@", Expected::Found),
    ("/a%00@", Expected::Found),
    ("/%@", Expected::Found),
    ("/%zz@", Expected::Found),
    ("/a%0d%0a@", Expected::Found),
    ("/a b@", Expected::Found),
    ("/\u{e9}@", Expected::Found),
    // What follows a # is for nobody, says the standard; servers that split no fragments off read it.
    ("/#@", Expected::Flagged),
    ("/#?q=@", Expected::Flagged),
    ("/?a=1#&q=@", Expected::Flagged),
    ("/?q=@#", Expected::Found),
    // Harmless.
    ("/a/b.html?x=1&y=2", Expected::Nothing),
    ("/caf%C3%A9/", Expected::Nothing),
];

fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let mut take = |target: String, expected| attempts.push(Attempt::new(target.clone(), get(&target), expected));
    for (target, expected) in TARGETS {
        for spelling in [percent(ATTACK), ATTACK.to_owned(), percent(&percent(ATTACK))] {
            // Userinfo has an @ of its own.
            take(target.replace("pass@", "pass%40").replace('@', &spelling), *expected);
        }
    }
    for length in [1 << 10, 8 << 10, 64 << 10] {
        take(format!("/{}/{}", "a".repeat(length), percent(ATTACK)), Expected::Found);
        take(format!("/{}?q={}", "a/../".repeat(length / 5), percent(ATTACK)), Expected::Found);
        take(
            format!("/?{}q={}", "a&".repeat(length / 2).get(..500).unwrap_or_default(), percent(ATTACK)),
            Expected::Found,
        );
    }
    // Ways up the tree: what is decoded and normalised is for rules with those transformations.
    for up in [
        "../",
        "..%2f",
        "%2e%2e/",
        "%2e%2e%2f",
        "..\\",
        "..%5c",
        "%252e%252e%252f",
        "..%c0%af",
        "..%255c",
        "%u002e%u002e/",
        "....//",
    ] {
        for around in ["/@etc/passwd", "/static/@etc/passwd", "/?file=@etc/passwd", "/?file=/@etc/passwd"] {
            let target = around.replace('@', &up.repeat(6));
            attempts.push(Attempt::new(target.clone(), get(&target), Expected::ByRulesets));
        }
    }
    attempts
}

#[test]
fn every_part_of_a_target_is_inspected() {
    ROW.assert();
}
