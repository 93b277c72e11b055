//! I13: rule text is untrusted: whatever it is, loading ends soon and without a panic, and what rules do to variables is bounded.

use crate::attempt::get;
use crate::row::Row;
use fusewall::diag::{Diagnostics, SourceMap, text};
use fusewall::files::MemoryFiles;
use fusewall::lang::seclang;
use fusewall::{Limits, Waf};
use proptest::prelude::*;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

fn read(bytes: &[u8], limits: &Limits) -> (usize, Vec<&'static str>) {
    let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(200));
    let set = seclang::load_text("t.conf", bytes, &MemoryFiles::new(), limits, &mut sources, &mut found);
    let _ = text::render(&found, &sources, false);
    (set.rules.len(), found.iter().map(|found| found.code).collect())
}

/// Pieces that are likely to meet each other badly.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known: &[&[u8]] = &[
        b"SecRule ",
        b"SecAction ",
        b"SecMarker x\n",
        b"SecDefaultAction ",
        b"SecRuleUpdateTargetById 1 ",
        b"SecRuleRemoveById ",
        b"SecRuleUpdateActionById 1:1 ",
        b"ARGS",
        b"|",
        b"!",
        b"&",
        b":",
        b"'",
        b"\"",
        b"\\",
        b"\\\n",
        b"\n",
        b"\r\n",
        b"#",
        b"/",
        b"TX:/a/",
        b"XML:/*",
        b"@rx ",
        b"@pm ",
        b"@ipMatch 10.0.0.0/8",
        b"@validateByteRange 1-",
        b"%{",
        b"}",
        b"tx.a",
        b"%{tx.a}",
        b"id:1",
        b",",
        b"chain",
        b"phase:",
        b"setvar:",
        b"=+",
        b"ctl:ruleRemoveTargetById=1;",
        b"t:none",
        b"msg:'",
        b"deny",
        b"block",
        b" ",
        b"\xff",
        b"\0",
        b"(?:a",
        b"Include t.conf\n",
        b"<IfModule ",
        b"SecAuditLogRelevantStatus ",
    ];
    prop_oneof![
        8 => prop::sample::select(known).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes, &Limits::default());
    }

    #[test]
    fn arbitrary_pieces_never_panic(pieces in prop::collection::vec(piece(), 0..40)) {
        read(&pieces.concat(), &Limits::default());
    }

    #[test]
    fn mutated_rules_never_panic(at in 0usize..400, byte in any::<u8>(), cut in 0usize..400) {
        let mut rule = br#"SecRule REQUEST_COOKIES|!REQUEST_COOKIES:/__utm/|&ARGS:'a\'b'|XML:/* "!@rx (?i)a\"b[\s\x0b]+%{2}" "id:942130,phase:2,block,capture,t:none,t:urlDecodeUni,msg:'a \'%{TX.0}\' b',logdata:'%{MATCHED_VAR}',severity:'CRITICAL',ctl:ruleRemoveTargetById=942130;ARGS:/x,y/,setvar:'tx.score=+%{tx.critical}',chain"
    SecRule TX:/^a_/ "@within %{tx.list}" "setvar:!tx.x,skipAfter:END""#.to_vec();
        let at = at % rule.len();
        rule[at] = byte;
        rule.truncate(rule.len() - cut % rule.len());
        read(&rule, &Limits::default());
    }
}

/// Linear time, with room for a busy machine and an unoptimised build: what is quadratic takes minutes.
fn soon<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    done
}

#[test]
fn long_lines_of_anything_are_read_in_linear_time() {
    let fill = |unit: &str| unit.repeat((256 << 10) / unit.len());
    for unit in [
        "'", "\"", "\\", "%{", "%{tx.", ":'", ":/", ";:/", ",", "|", "a:'", "ARGS|", "id:1,", "\\\\'", "&", "#\\\n",
        "x\\\n", "(",
    ] {
        let long = fill(unit);
        soon(|| read(long.as_bytes(), &Limits::default()));
        soon(|| read(format!("SecRule {long} x id:1").as_bytes(), &Limits::default()));
        soon(|| read(format!("SecRule ARGS \"@contains {long}\" \"id:1\"").as_bytes(), &Limits::default()));
        soon(|| read(format!("SecAction \"id:1,{long}\"").as_bytes(), &Limits::default()));
        soon(|| read(format!("SecAction \"id:1,ctl:{long}\"").as_bytes(), &Limits::default()));
    }
}

#[test]
fn many_names_and_markers_are_compared_with_care() {
    let targets: Vec<_> = (0..100_000).map(|n| format!("ARGS:k{n}")).collect();
    let rule = format!("SecRule {} x id:1", targets.join("|"));
    assert_eq!(soon(|| read(rule.as_bytes(), &Limits::default())).1, ["E0406"]);
    let skips: String = (1..=10_000).map(|n| format!("SecAction id:{n},skipAfter:m{n}x\nSecMarker m{n}\n")).collect();
    soon(|| read(skips.as_bytes(), &Limits::default()));
    let updates = (1..=10_000).map(|n| format!("SecRuleUpdateTargetById 1 !ARGS:k{n}\n"));
    let rules: String = ["SecRule ARGS x id:1\n".to_owned()].into_iter().chain(updates).collect();
    assert!(soon(|| read(rules.as_bytes(), &Limits::default())).1.contains(&"E0406"));
}

#[test]
fn thirty_thousand_rules_load_soon() {
    let rule = |id: usize| {
        format!(
            "SecRule ARGS|REQUEST_HEADERS:x \"@rx a{id}b+[c-f]\" \\\n  \"id:{id},phase:2,deny,t:none,t:lowercase,tag:'x',\\\n  msg:'m %{{tx.0}}',skipAfter:END\"\n"
        )
    };
    let text: String = (1..=30_000).map(rule).chain(["SecMarker END\n".to_owned()]).collect();
    let (rules, found) = soon(|| read(text.as_bytes(), &Limits::default()));
    assert_eq!((rules, found), (30_000, vec![]));
}

#[test]
fn choices_within_choices_are_planned_soon() {
    // What each level needs must not be found out twice on the level above.
    let pattern = (0..60).fold("zzzzzz".to_owned(), |inner, level| {
        let word = |number: u8| format!("b{}c{}", char::from(b'b' + number % 20), char::from(b'g' + number / 20));
        format!("(?:{}|{}.*{inner})", word(level), word(level + 60))
    });
    let rules = format!("SecRule ARGS \"@rx {pattern}\" \"id:1,phase:2,deny\"");
    let built = soon(|| Waf::builder().rules_text("nested.conf", rules).build());
    assert!(built.is_ok());
}

#[test]
fn references_within_references_do_not_nest_without_end() {
    for (first, more) in [(4000, ""), (2000, "*")] {
        let groups = (1..first).fold(String::new(), |text, group| text + &format!("(\\{group}{more})"));
        let rules = format!("SecRule ARGS \"@rx \\g{{{first}}}(a){groups}\" \"id:1,phase:2,deny\"");
        // What matters is that there is an answer, and no overflow of the stack.
        let _ = soon(|| Waf::builder().rules_text("nested.conf", rules).build());
    }
}

#[test]
fn limits_end_in_findings() {
    let mut limits = Limits::default();
    limits.rules = 2;
    limits.pattern_bytes = 10;
    limits.list_entries = 2;
    assert_eq!(read(b"SecAction id:1\nSecAction id:2\nSecAction id:3\nSecAction id:4\n", &limits), (2, vec!["E0107"]));
    assert_eq!(read(b"SecRule ARGS 0123456789a id:1", &limits).1, ["E0406"]);
    assert_eq!(read(b"SecRule ARGS '@pm a b c' id:1", &limits).1, ["E0406"]);
    limits.targets = 3;
    assert_eq!(read(b"SecRule ARGS:a|ARGS:b|ARGS:c|ARGS:d x id:1", &limits).1, ["E0406"]);
    let update = b"SecRule ARGS:a|ARGS:b x id:1\nSecRuleUpdateTargetById 1 !ARGS:c\nSecRuleUpdateTargetById 1 !ARGS:d";
    assert_eq!(read(update, &limits).1, ["E0406"]);
    limits.rule_file_bytes = 5;
    assert_eq!(read(b"SecAction id:1", &limits).1, ["E0106"]);
}

#[test]
fn includes_cannot_multiply_without_end() {
    let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(10_000));
    let mut files = MemoryFiles::new();
    for depth in 0..20 {
        files = files.with(format!("{depth}.conf"), format!("Include {}.conf\n", depth + 1).repeat(10));
    }
    let mut limits = Limits::default();
    limits.rule_files = 500;
    soon(|| seclang::load(&["0.conf".into()], &files, &limits, &mut sources, &mut found));
    let codes: Vec<_> = found.iter().map(|found| found.code).collect();
    assert!(codes.contains(&"E0104") && codes.iter().filter(|code| **code == "E0105").count() == 1, "{codes:?}");
}

#[test]
fn a_long_report_stays_short() {
    let text = "Nonsense\n".repeat(100_000);
    let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(50));
    seclang::load_text("t.conf", text.as_bytes(), &MemoryFiles::new(), &Limits::default(), &mut sources, &mut found);
    assert_eq!((found.errors(), found.iter().count()), (100_000, 50));
    assert!(text::render(&found, &sources, false).contains("... and 99950 more"));
}

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    let mut row = Row::new(
        "I13",
        "rule files: what is unknown, missing or double; recursion; a million addresses; variables that double",
    );
    for (rules, code) in REFUSED {
        let found = read(rules.as_bytes(), &Limits::default()).1;
        row.hold(found.contains(code), || format!("{rules}: {found:?} without {code}"));
    }
    let files = MemoryFiles::new()
        .with("a.conf", "Include b.conf\n")
        .with("b.conf", "Include a.conf\n")
        .with("c.conf", "Include c.conf\n");
    for entry in ["Include a.conf", "Include c.conf", "Include *.conf"] {
        let loaded = Waf::builder().files(files.clone()).rules_text("t.conf", entry).build();
        row.hold(loaded.is_err(), || format!("{entry} loads"));
    }
    addresses(&mut row);
    growth(&mut row);
    row
});

/// Rules, and the code of what is wrong with them.
const REFUSED: &[(&str, &str)] = &[
    ("SecNothing On", "E0201"),
    ("SecRule ARGS x \"id:1,nothing\"", "E0501"),
    ("SecRule ARGS x \"phase:2\"", "E0505"),
    ("SecRule ARGS x id:1\nSecRule ARGS y id:1", "E0506"),
    ("SecRule ARGS \"@pmFromFile none.data\" id:1", "E0101"),
    ("SecRule ARGS \"@ipMatchFromFile none.data\" id:1", "E0101"),
    ("Include none.conf", "E0102"),
    ("SecRule NOTHING x id:1", "E0301"),
    ("SecRule ARGS \"@nothing x\" id:1", "E0401"),
    ("SecRule ARGS x \"id:1,t:nothing\"", "E0508"),
    ("SecRule ARGS x \"id:1,ctl:nothing=1\"", "E0509"),
    ("SecRule ARGS x \"id:1,chain\"", "W0716"),
];

/// A million addresses load; one more does not.
fn addresses(row: &mut Row) {
    let list = |count: u32| {
        (0..count).map(|at| format!("{}\n", std::net::Ipv4Addr::from(at * 2 + (1 << 24)))).collect::<String>()
    };
    let rule = "SecRuleEngine On\nSecRule REMOTE_ADDR \"@ipMatchFromFile ips.data\" \"id:1,phase:1,deny\"";
    let load = |count| {
        soon(|| {
            Waf::builder().files(MemoryFiles::new().with("ips.data", list(count))).rules_text("t.conf", rule).build()
        })
    };
    match load(1_000_000) {
        Err(report) => row.hold(false, || report.to_string()),
        Ok(waf) => {
            for (address, listed) in [
                ("1.0.0.0", true),
                ("1.0.0.1", false),
                ("1.30.132.126", true),
                ("1.30.132.127", false),
                ("9.9.9.9", false),
            ] {
                let mut exchange = get("/");
                exchange.remote = address.parse().expect("an address");
                let refused = exchange.evaluate(&waf).interruption().is_some();
                row.hold(refused == listed, || format!("{address}: {refused}"));
            }
        }
    }
    row.hold(load(1_000_001).is_err(), || "a million addresses and one".to_owned());
}

/// What grows with each rule or each match ends at a limit, and the verdict says so.
fn growth(row: &mut Row) {
    let double = (2..200)
        .map(|id| format!("SecAction \"id:{id},phase:1,pass,nolog,setvar:tx.a=%{{tx.a}}%{{tx.a}}\"\n"))
        .collect::<String>();
    let longer =
        "SecRule ARGS \"@unconditionalMatch\" \"id:2,phase:1,pass,nolog,setvar:tx.a=%{tx.a}%{MATCHED_VAR}%{tx.a}\"\n";
    let names = "SecRule ARGS \"@unconditionalMatch\" \"id:2,phase:1,pass,nolog,setvar:tx.%{MATCHED_VAR}=1,setvar:ip.%{MATCHED_VAR}=1\"\n";
    let logs = (2..3000)
        .map(|id| format!("SecAction \"id:{id},phase:1,pass,log,msg:'%{{REQUEST_URI}}'\"\n"))
        .collect::<String>();
    let many: Vec<_> = (0..20_000).map(|at| format!("a={at}")).collect();
    let target = format!("/?{}", many.join("&"));
    for (what, rules, flag) in [
        ("a value that doubles", double.as_str(), Some("macro")),
        ("a value that each match doubles", longer, Some("macro")),
        ("names that the request makes", names, Some("tx entries")),
        ("three thousand records", logs.as_str(), Some("match records")),
    ] {
        let text = format!(
            "SecRuleEngine On\nSecArgumentsLimit 100000\nSecAction \"id:1,phase:1,pass,nolog,setvar:tx.a=abcdefgh\"\n{rules}"
        );
        let waf = match Waf::builder().rules_text("t.conf", text).build() {
            Ok(waf) => waf,
            Err(report) => {
                row.hold(false, || report.to_string());
                continue;
            }
        };
        let transaction = soon(|| get(&target).evaluate(&waf));
        let verdict = transaction.verdict().expect("the engine does not fail");
        let longest = transaction.tx("a").map_or(0, <[u8]>::len);
        row.hold(longest <= Limits::default().tx_value_bytes, || format!("{what}: {longest} bytes"));
        let told = flag.is_none_or(|flag| verdict.uninspected.contains(&flag)) || verdict.exhausted.is_some();
        row.hold(told, || format!("{what}: {verdict:?}"));
        row.hold(transaction.records().len() <= Limits::default().match_records, || what.to_owned());
    }
}

#[test]
fn rule_files_load_or_tell_why_not() {
    ROW.assert();
}
