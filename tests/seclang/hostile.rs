//! Rule text is untrusted: whatever it is, loading ends soon and without a panic.

use super::try_load;
use fusewall::Limits;
use fusewall::diag::{Diagnostics, SourceMap, text};
use fusewall::files::MemoryFiles;
use fusewall::lang::seclang;
use proptest::prelude::*;
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
    let (_, found, shown) = try_load(&text, &MemoryFiles::new());
    assert_eq!((found.errors(), found.iter().count()), (100_000, 50));
    assert!(shown.contains("... and 99950 more"));
}
