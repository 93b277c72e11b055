//! Names that need a host or a look at the whole ruleset: environment, performance, datasets in print.

use fusewall::diag::{Diagnostics, SourceMap};
use fusewall::engine::{Answer, Resolver};
use fusewall::files::MemoryFiles;
use fusewall::governor::SystemEnv;
use fusewall::lang::seclang;
use fusewall::rule::Ruleset;
use fusewall::{Limits, Waf};

fn logged(waf: &Waf) -> Vec<u64> {
    let mut exchange = waf.transaction();
    exchange.process_request_line(b"GET", b"/?x=1", b"HTTP/1.1");
    exchange.process_request_headers();
    exchange.process_request_body();
    exchange.process_logging();
    exchange.verdict().unwrap().rules.iter().map(|rule| rule.0).collect()
}

#[test]
fn rules_see_the_environment_that_the_host_names_and_what_they_set_themselves() {
    let rules = r#"SecRuleEngine On
        SecRule ENV:STAGE "@streq test" "id:1,phase:1,pass"
        SecRule ENV:PATH "@unconditionalMatch" "id:2,phase:1,pass"
        SecAction "id:3,phase:1,pass,nolog,setenv:STAGE=changed"
        SecRule ENV:STAGE "@streq changed" "id:4,phase:1,pass"
        SecRule REMOTE_USER|ENV "@streq %{ENV.STAGE}" "id:5,phase:1,pass"
        SecRule &ENV "@eq 1" "id:6,phase:1,pass""#;
    let waf = Waf::builder().rules_text("a.conf", rules).env(SystemEnv::with_variables([("STAGE", "test")])).build();
    assert_eq!(logged(&waf.unwrap()), [1, 4, 5, 6]);
    let waf = Waf::builder().rules_text("a.conf", rules).build();
    assert_eq!(logged(&waf.unwrap()), [4, 5, 6]);
}

#[test]
fn a_macro_finds_the_variable_of_the_environment_that_it_names() {
    let rules = r#"SecRuleEngine On
        SecAction "id:1,phase:1,pass,nolog,setenv:FIRST=one,setenv:SECOND=two"
        SecRule ENV:SECOND "@streq %{ENV.SECOND}" "id:2,phase:1,pass"
        SecRule ENV:FIRST "@streq %{ENV.SECOND}" "id:3,phase:1,pass"
        SecRule ENV:STAGE "@streq %{ENV.STAGE}" "id:4,phase:1,pass""#;
    let env = SystemEnv::with_variables([("ROOM", "1"), ("STAGE", "test")]);
    assert_eq!(logged(&Waf::builder().rules_text("a.conf", rules).env(env).build().unwrap()), [2, 4]);
}

#[test]
fn performance_is_told_by_the_meter() {
    let rules = r#"SecRuleEngine On
        SecRulePerfTime 1
        SecRule PERF_PHASE1 "@eq 0" "id:1,phase:1,pass"
        SecRule PERF_PHASE1 "@ge 1" "id:2,phase:5,pass"
        SecRule PERF_COMBINED "@ge %{PERF_PHASE1}" "id:3,phase:5,pass"
        SecRule ARGS "@rx (?:a|b)+c" "id:4,phase:1,pass,multiMatch,t:urlDecodeUni,t:htmlEntityDecode,t:jsDecode,t:cssDecode"
        SecRule PERF_ALL "@rx ^combined=[1-9]\d*, p1=\d+, .*gc=0$" "id:5,phase:5,pass"
        SecRule PERF_GC|PERF_SREAD "@eq 0" "id:6,phase:5,pass"
        SecRule PERF_RULES:1 "@unconditionalMatch" "id:7,phase:5,pass"
        SecRule PERF_RULES "@ge 1" "id:8,phase:5,pass""#;
    let waf = Waf::builder().rules_text("a.conf", rules).build().unwrap();
    let first = logged(&waf);
    assert!([1, 2, 3, 5, 6, 8].iter().all(|id| first.contains(id)), "{first:?}");
    assert_eq!(first, logged(&waf));
}

fn read(text: &str) -> (Ruleset, Diagnostics) {
    let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(10));
    let rules = seclang::load_text(
        "a.conf",
        text.as_bytes(),
        &MemoryFiles::new(),
        &Limits::default(),
        &mut sources,
        &mut found,
    );
    (rules, found)
}

#[test]
fn what_is_printed_reads_back() {
    let text = r#"SecCookieV0Separator ,
SecParseXmlIntoArgs OnlyArgs
SecStreamInBodyInspection On
SecStreamOutBodyInspection On
SecRulePerfTime 10
SecDataset words `
one "two"
`
SecRule ARGS "@pmFromDataset words" "id:1,ctl:parseXmlIntoArgs=On"
"#;
    let (rules, found) = read(text);
    assert_eq!(found.errors(), 0);
    let printed = rules.to_seclang();
    let (again, found) = read(&printed);
    assert_eq!(found.errors(), 0, "{printed}");
    assert_eq!(again.to_seclang(), printed);
    assert_eq!((again.settings, again.rules.len()), (rules.settings, 1));
}

#[test]
fn datasets_are_complete_and_named_once() {
    for text in [
        "SecDataset a `\nx\n",
        "SecRule ARGS \"@pmFromDataset a\" \"id:1\"",
        "SecDataset a `\nx\n`\nSecDataset a `\ny\n`",
        "SecDataset a `\nnot an address\n`\nSecRule REMOTE_ADDR \"@ipMatchFromDataset a\" \"id:1\"",
    ] {
        assert_eq!(read(text).1.errors(), 1, "{text}");
    }
}

#[test]
fn what_is_no_database_is_told_and_a_look_up_without_one_warns() {
    let files = MemoryFiles::new().with("GeoIPCity.dat", "old").with("places.mmdb", "cut off");
    let load = |text: &str| {
        let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(10));
        seclang::load_text("a.conf", text.as_bytes(), &files, &Limits::default(), &mut sources, &mut found);
        fusewall::diag::text::render(&found, &sources, false)
    };
    assert!(load("SecGeoLookupDb GeoIPCity.dat").contains("the legacy format `.dat` is not read"));
    assert!(load("SecGeoLookupDb places.mmdb").contains("not a MaxMind DB file"));
    assert!(load("SecGeoLookupDb nowhere.mmdb").contains("cannot read"));
    let found = load("SecRule REMOTE_ADDR \"@geoLookup\" \"id:1\"");
    assert!(found.starts_with("warning[W0701]") && found.contains("never matches"), "{found}");
    assert!(load("SecRule REMOTE_ADDR \"@geoLookup\" \"id:1\"\nSecGeoLookupDb places.mmdb").contains("E0204"));
}

/// A resolver that knows one listed address, and has not heard of another yet.
struct Known;

impl Resolver for Known {
    fn answer(&self, name: &str) -> Answer {
        match name {
            "7.113.0.203.bl.example" => Answer::Listed([127, 0, 0, 2].into()),
            "9.113.0.203.bl.example" => Answer::Unknown,
            _ => Answer::NotListed,
        }
    }
}

#[test]
fn block_lists_answer_from_what_is_known() {
    let rules = r#"SecRuleEngine On
        SecRule REMOTE_ADDR "@rbl bl.example" "id:1,phase:1,deny"
        SecRule REMOTE_ADDR "!@rbl BL.example." "id:2,phase:1,pass""#;
    let waf = Waf::builder().rules_text("a.conf", rules).resolver(Known).build().unwrap();
    assert!(waf.report().diagnostics.is_empty());
    let ask = |waf: &Waf, last: u8| {
        let mut exchange = waf.transaction();
        exchange.process_connection([203, 0, 113, last].into(), 4000, [192, 0, 2, 1].into(), 80);
        exchange.process_request_line(b"GET", b"/", b"HTTP/1.1");
        exchange.process_request_headers();
        let verdict = exchange.verdict().unwrap();
        (verdict.rules.iter().map(|rule| rule.0).collect::<Vec<_>>(), verdict.uninspected)
    };
    assert_eq!(ask(&waf, 7), (vec![1], vec![]));
    assert_eq!(ask(&waf, 8), (vec![2], vec![]));
    assert_eq!(ask(&waf, 9), (vec![2], vec!["name look-up"]));
    let waf = Waf::builder().rules_text("a.conf", rules).build().unwrap();
    assert!(waf.report().render(false).contains("name look-ups are off"));
    assert_eq!(ask(&waf, 7), (vec![2], vec!["name look-up failed"]));
}
