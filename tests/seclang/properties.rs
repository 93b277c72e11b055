//! Printing and reading again is the identity, for every small ruleset.

use super::{comparable, try_load};
use fusewall::files::MemoryFiles;
use proptest::prelude::*;

/// A text of words that are awkward in one way or another, but have no special meaning where they are put.
fn words(awkward: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    prop::collection::vec(prop::sample::select(awkward), 1..4).prop_map(|words| words.concat())
}

fn value() -> impl Strategy<Value = String> {
    words(&[
        "a",
        "B c",
        "x,y",
        "it\\\\'s",
        "%{tx.k}",
        "%{REMOTE_ADDR}",
        "%",
        "{",
        "é",
        "|",
        ";",
        ":",
        "=",
        "#",
        "\\\\\\\\",
    ])
}

fn pattern() -> impl Strategy<Value = String> {
    words(&["a", "b+", "[^c]", "\\d", "(?:x|y)", "\\\"", "\\x5c", "'", "\\/", "z{2,3}", "%{2}", " ", ".*?"])
}

fn target() -> impl Strategy<Value = String> {
    let name = prop::sample::select(&["ARGS", "REQUEST_HEADERS", "TX", "REQUEST_COOKIES", "FILES"][..]);
    let key = words(&["a", "B", "-", "_1", ".", "[]"]);
    let quoted = words(&["a", " ", "|", ",", "\\\\'", "/x", ";", ":", "\\\\\\\\"]);
    let regex = words(&["^a", "\\w+", "b|c", "x{1,2}", "\\/", ":"]);
    (name, 0..6, key, quoted, regex, any::<bool>()).prop_map(|(name, form, key, quoted, regex, count)| {
        let sign = if count { "&" } else { "" };
        match form {
            0 => "XML:/*".to_owned(),
            1 => "XML://@*".to_owned(),
            2 => format!("{sign}{name}"),
            3 => format!("{sign}{name}:{key}"),
            4 => format!("{name}:'k{quoted}'"),
            _ => format!("{name}:/{regex}/"),
        }
    })
}

fn operator() -> impl Strategy<Value = String> {
    let by_text = prop::sample::select(&["streq", "contains", "beginsWith", "endsWith", "within", "containsWord"][..]);
    let word = words(&["a", "B", "|7c|", "|41 42|", "-", "é", "(", "\\\\\\\\"]);
    let range = prop::collection::vec((0u8..=255, 0u8..=255), 1..4).prop_map(|pairs| {
        let show = |(a, b): &(u8, u8)| format!("{}-{}", a.min(b), a.max(b));
        pairs.iter().map(show).collect::<Vec<_>>().join(",")
    });
    let nets = prop::collection::vec((any::<u32>(), 0u8..=32), 1..4).prop_map(|nets| {
        let show = |(address, prefix): &(u32, u8)| format!("{}/{prefix}", std::net::Ipv4Addr::from(*address));
        nets.iter().map(show).collect::<Vec<_>>().join(",")
    });
    prop_oneof![
        pattern().prop_map(|pattern| format!("@rx p{pattern}")),
        pattern().prop_map(|pattern| format!(" p{pattern}")),
        (by_text, value()).prop_map(|(name, value)| format!("@{name} v{value}").replace("\\\\'", "'")),
        prop::collection::vec(word.clone(), 1..4).prop_map(|words| format!("@pm {}", words.join(" "))),
        word.prop_map(|word| format!("@strmatch {word}")),
        range.prop_map(|range| format!("@validateByteRange {range}")),
        nets.prop_map(|nets| format!("@ipMatch {nets},::1,2001:db8::/33")),
        any::<i32>().prop_map(|number| format!("@ge {number}")),
        prop::sample::select(&["@detectSQLi", "@validateUtf8Encoding", "@unconditionalMatch", "@lt %{tx.n}"][..])
            .prop_map(str::to_owned),
    ]
}

fn action() -> impl Strategy<Value = String> {
    prop_oneof![
        value().prop_map(|value| format!("setvar:'tx.k_%{{rule.id}}=v{value}'")),
        value().prop_map(|value| format!("setvar:'ip.k=+{value}'")),
        value().prop_map(|value| format!("initcol:'ip=k{value}'")),
        value().prop_map(|value| format!("expirevar:'ip.k{value}=6%{{tx.{value}}}'")),
        value().prop_map(|value| format!("deprecatevar:'session.k=%{{tx.a}}{value}'")),
        value().prop_map(|value| format!("setenv:'e=v{value}'")),
        target()
            .prop_filter("one quoting is enough", |target| !target.contains('\\'))
            .prop_map(|target| format!("ctl:'ruleRemoveTargetByTag=^t;{}'", target.replace('\'', "\\\\'"))),
        prop::sample::select(
            &[
                "setvar:!tx.a",
                "setvar:tx.a",
                "t:none",
                "t:lowercase",
                "t:urlDecodeUni",
                "capture",
                "multiMatch",
                "ctl:ruleRemoveById=1-3",
                "ctl:auditLogParts=-EF",
                "ctl:requestBodyProcessor=XML",
                "ctl:ruleEngine=Off",
            ][..]
        )
        .prop_map(str::to_owned),
    ]
}

fn head() -> impl Strategy<Value = String> {
    let disruptive = prop::sample::select(
        &["deny", "block", "pass", "drop", "allow:request", "redirect:'http://%{tx.h}/a,b'", "deny,status:410"][..],
    );
    let log = prop::sample::select(&["log", "nolog", "nolog,auditlog", "log,noauditlog"][..]);
    let flow = prop::sample::select(&["skip:2", "skipAfter:END", "skipAfter:'E D'", "rev:1"][..]);
    (1u8..5, disruptive, log, flow, value(), value()).prop_map(|(phase, disruptive, log, flow, msg, tag)| {
        format!("phase:{phase},{disruptive},{log},{flow},msg:'{msg}',tag:'{tag}',severity:3,ver:'a b',maturity:4")
    })
}

fn condition() -> impl Strategy<Value = (String, String)> {
    let targets = prop::collection::vec((target(), any::<bool>()), 0..4).prop_map(|targets| {
        let show = |(target, excluded): &(String, bool)| format!("|{}{target}", if *excluded { "!" } else { "" });
        format!("ARGS_NAMES{}", targets.iter().map(show).collect::<String>())
    });
    let actions = prop::collection::vec(action(), 0..4).prop_map(|actions| actions.join(","));
    (targets, any::<bool>(), operator(), actions).prop_map(|(targets, negated, operator, actions)| {
        let sign = if negated && operator.starts_with('@') { "!" } else { "" };
        (format!("SecRule \"{targets}\" \"{sign}{operator}\" "), actions)
    })
}

fn rule() -> impl Strategy<Value = (String, Vec<(String, String)>)> {
    (head(), prop::collection::vec(condition(), 1..4))
}

fn text(rules: &[(String, Vec<(String, String)>)]) -> String {
    let mut out = "SecRuleEngine On\nSecDefaultAction \"phase:2,nolog,deny,t:trim\"\n".to_owned();
    for (index, (head, conditions)) in rules.iter().enumerate() {
        for (link, (rule, actions)) in conditions.iter().enumerate() {
            let mut list = if link == 0 { format!("id:{},{head},{actions}", index + 1) } else { actions.clone() };
            if link + 1 < conditions.len() {
                list.push_str(",chain");
            }
            out.push_str(&format!("{rule}\"{list}\"\n"));
        }
    }
    out + "SecMarker END\nSecAction id:99\nSecMarker \"E D\"\n"
}

proptest! {
    #[test]
    fn printing_and_reading_is_the_identity(rules in prop::collection::vec(rule(), 1..4)) {
        let text = text(&rules);
        let files = MemoryFiles::new();
        let (first, found, shown) = try_load(&text, &files);
        prop_assert_eq!(found.errors(), 0, "{}\n{}", text, shown);
        let printed = first.to_seclang();
        let (second, found, shown) = try_load(&printed, &files);
        prop_assert_eq!(found.errors(), 0, "{}\n{}", printed, shown);
        prop_assert_eq!(second.to_seclang(), printed);
        prop_assert_eq!(comparable(first), comparable(second));
    }
}
