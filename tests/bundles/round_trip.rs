//! A bundle is its rules, and nothing but them.

use super::*;
use fusewall::Verification;
use fusewall::files::{Files, RemoteRules, WithRemote};

#[test]
fn a_bundle_is_its_rules() {
    let (source, bundled) = (plain(), from_bundle(signed(&bundle())).unwrap());
    assert_alike(&source, &bundled);
    assert_eq!(source.report().render(false), bundled.report().render(false), "findings keep files and lines");
    assert!(source.report().render(false).contains("site/more/b.conf:1"), "{}", source.report());
    assert!(matches!(bundled.verify(), Verification::Same { patterns } if patterns >= 4));
    assert!(matches!(bundled.verify(), Verification::Nothing), "once is enough");
    assert!(matches!(source.verify(), Verification::Nothing));
    assert!(VALUES.iter().any(|value| get(&bundled, value).interruption().is_some()));
}

#[test]
fn the_same_rules_give_the_same_bytes() {
    assert_eq!(bundle(), bundle());
}

#[test]
fn a_bundle_of_a_bundle_is_the_bundle() {
    let first = bundle();
    let loading = fusewall::store::Loading { bundle_key: Some(key()), ..Default::default() };
    let source = RuleSource::Paths(vec!["rules.fwb".into()]);
    let second = compile(&source, &signed(&first), &loading).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(first, second.bytes);
    assert_eq!(second.files, 5);
}

#[test]
fn texts_and_the_built_in_rules_can_be_bundled() {
    let text = RuleSource::Text {
        name: "my.conf".into(),
        text: "SecRuleEngine On\nSecRule ARGS \"@rx a[bc]d\" \"id:1,phase:1,deny\"\n".into(),
    };
    let bytes = compile(&text, &MemoryFiles::new(), &Default::default()).unwrap().bytes;
    let waf = from_bundle(signed(&bytes)).unwrap();
    assert!(get(&waf, "acd").interruption().is_some());

    let piece = |text: &str| RulePiece::Text { name: "my.conf".into(), text: text.into() };
    let outer = vec![RulePiece::Path("outer.conf".into()), piece("SecAction id:2,phase:1,pass")];
    let layers = RuleSource::Layers(vec![outer, Vec::new(), vec![piece("SecAction id:3,phase:1,deny,status:409")]]);
    let files = MemoryFiles::new().with("outer.conf", "SecRuleEngine On\nSecAction id:1,phase:1,deny,status:401");
    let bytes = compile(&layers, &files, &Default::default()).unwrap().bytes;
    let waf = from_bundle(signed(&bytes)).unwrap();
    assert_eq!(get(&waf, "acd").interruption().unwrap().status, 409);

    let bytes = compile(&RuleSource::Builtin, &MemoryFiles::new(), &Default::default()).unwrap().bytes;
    let waf = from_bundle(signed(&bytes)).unwrap();
    let builtin = builder().build().unwrap();
    assert_eq!(builtin.loaded().program(), waf.loaded().program());
}

#[test]
fn a_bundle_replaces_rules_in_service() {
    let waf = builder()
        .rules_text("first.conf", "SecRuleEngine On")
        .allow_empty()
        .files(signed(&bundle()))
        .bundle_key(key())
        .build()
        .unwrap();
    assert!(get(&waf, "wicked").interruption().is_none());
    let (generation, _) = waf.replace(&RuleSource::Paths(vec!["rules.fwb".into()])).unwrap();
    assert_eq!(generation, 2);
    assert!(get(&waf, "wicked").interruption().is_some());
    assert!(matches!(waf.verify(), Verification::Same { .. }), "what comes later is compared, too");
}

#[test]
fn a_trace_of_a_bundle_is_no_matter_of_limits() {
    let spans = fusewall::plan::Options { spans: true, ..Default::default() };
    let build = builder().rules_path("rules.fwb").files(signed(&bundle())).bundle_key(key()).planner(spans).build();
    let waf = build.unwrap_or_else(|report| panic!("{report}"));
    assert!(!waf.report().diagnostics.has("W0909"), "{}", waf.report());
    let plain = builder().rules_path("site/main.conf").files(rules()).planner(spans).build().unwrap();
    assert_alike(&plain, &waf);
}

#[test]
fn nothing_outside_a_bundle_is_read() {
    // Beside the bundle are files that its rules name, and others that they could.
    let files = signed(&bundle())
        .with("site/words.data", "hello\n")
        .with("site/absent.conf", "SecRule ARGS \"@streq hello\" \"id:99,phase:1,deny\"\n")
        .with("site/more/c.conf", "SecRule ARGS \"@streq hello\" \"id:98,phase:1,deny\"\n");
    assert!(files.read("site/absent.conf".as_ref()).is_ok());
    let waf = from_bundle(files).unwrap();
    assert!(get(&waf, "hello").interruption().is_none());
    assert_alike(&plain(), &waf);
}

#[test]
fn other_limits_or_another_version_compile_again() {
    let bytes = bundle();
    let mut limits = fusewall::Limits::default();
    limits.dense_dfa_bytes = 64 << 10;
    let waf = builder()
        .rules_path("rules.fwb")
        .files(signed(&bytes))
        .bundle_key(key())
        .limits(limits.clone())
        .build()
        .unwrap();
    let plain = builder().rules_path("site/main.conf").files(rules()).limits(limits).build().unwrap();
    assert_alike(&plain, &waf);
    assert!(waf.report().diagnostics.has("W0909"), "{}", waf.report());
    assert!(waf.report().render(false).contains("under other limits"));
    assert!(matches!(waf.verify(), Verification::Nothing), "nothing ready-made was used");

    // The name of the engine stands at the start of the body, behind its length; what it says is part of the identity.
    let mut other = bytes;
    let name = usize::from(other[BODY]);
    let digit = (BODY + 1..BODY + 1 + name).find(|&at| other[at].is_ascii_digit()).unwrap();
    other[digit] = b'9';
    other[BODY + 1 + name] ^= 1;
    let waf = from_bundle(signed(&sealed(other))).unwrap();
    assert!(waf.report().render(false).contains("was compiled by `fusewall 9."), "{}", waf.report());
    assert_alike(&super::plain(), &waf);
}

struct Far;

impl RemoteRules for Far {
    fn fetch(&self, _url: &str, _key: &str, _most: usize) -> std::io::Result<Vec<u8>> {
        Ok(b"SecRule ARGS \"@rx ^far$\" \"id:50,phase:1,deny\"\n".to_vec())
    }
}

#[test]
fn fetched_rules_are_carried() {
    let text = "SecRuleEngine On\nSecRemoteRules secret https://rules.example/far.conf\n".to_owned();
    let source = RuleSource::Text { name: "my.conf".into(), text };
    let files = WithRemote { files: MemoryFiles::new(), remote: Box::new(Far) };
    let compiled = compile(&source, &files, &Default::default()).unwrap_or_else(|report| panic!("{report}"));
    // Nobody fetches anything here.
    let waf = from_bundle(signed(&compiled.bytes)).unwrap_or_else(|report| panic!("{report}"));
    assert!(get(&waf, "far").interruption().is_some());
    assert!(get(&waf, "near").interruption().is_none());
}
