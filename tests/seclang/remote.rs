//! `SecRemoteRules` as the language sees it: who fetches is a trait.

use fusewall::diag::{Diagnostics, SourceMap, text};
use fusewall::files::{MemoryFiles, RemoteRules, WithRemote};
use fusewall::lang::seclang;
use fusewall::{Limits, rule::Ruleset};
use std::io;

struct Shelf;

impl RemoteRules for Shelf {
    fn fetch(&self, url: &str, key: &str, most: usize) -> io::Result<Vec<u8>> {
        let text = match url {
            "https://a.example/rules" => format!("SecAction \"id:10,pass,msg:'{key}'\"\n").into_bytes(),
            "https://a.example/phrases" => b"SecRule ARGS \"@pmFromFile words.txt\" \"id:11,pass\"\n".to_vec(),
            "https://a.example/empty" => b" \n".to_vec(),
            "https://a.example/asks" => b"SecRule ARGS \"@rbl x.example\" \"id:11,pass\"\n".to_vec(),
            "https://a.example/long" => vec![b'#'; most + 1],
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(text)
    }
}

fn read(rules: &str) -> (Ruleset, String) {
    let files = WithRemote { files: MemoryFiles::new().with("etc/words.txt", "word"), remote: Box::new(Shelf) };
    let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(100));
    let limits = Limits::default();
    let ruleset = seclang::load_text("etc/local.conf", rules.as_bytes(), &files, &limits, &mut sources, &mut found);
    (ruleset, text::render(&found, &sources, false))
}

#[test]
fn fetched_rules_stand_where_the_directive_stands() {
    let (ruleset, found) = read(
        "SecAction \"id:1,pass\"\nSecRemoteRules 'my key' https://a.example/rules\nSecAction \"id:20,pass\"\n\
         SecRuleUpdateActionById 10 \"status:404\"\n",
    );
    assert_eq!(found, "");
    assert_eq!(ruleset.rules.iter().map(|rule| rule.id.0).collect::<Vec<_>>(), [1, 10, 20]);
}

#[test]
fn fetched_rules_read_no_files_here() {
    assert!(read("SecRule ARGS \"@pmFromFile words.txt\" \"id:11,pass\"\n").1.is_empty());
    let (_, found) =
        read("SecRemoteRules k https://a.example/phrases\nSecRule ARGS \"@pmFromFile words.txt\" \"id:12,pass\"\n");
    assert!(found.contains("error[E0108]") && found.contains("https://a.example/phrases:1"), "{found}");
    assert_eq!(found.matches("error").count(), 1, "the file after it reads on as before: {found}");
}

#[test]
fn a_fetched_text_is_limited_like_a_file() {
    assert!(read("SecRemoteRules k https://a.example/long\n").1.contains("E0106"));
}

#[test]
fn no_finding_shows_the_key() {
    for rules in [
        "SecRemoteRules s3cr3t https://a.example/none\n",
        "SecRemoteRules s3cr3t http://a.example/none\n",
        "SecRemoteRules crypto s3cr3t https://a.example/none\n",
    ] {
        let found = read(rules).1;
        assert!(found.contains("error") && !found.contains("s3cr3t"), "{found}");
    }
}

#[test]
fn an_empty_answer_is_a_missing_one() {
    assert!(read("SecRemoteRules k https://a.example/empty\n").1.contains("error[E0101]"));
}

#[test]
fn fetched_rules_ask_no_server() {
    let found = read("SecRemoteRules k https://a.example/asks\n").1;
    assert!(found.contains("error[E0108]"), "{found}");
}

#[test]
fn a_reload_without_fetched_rules_leaves_those_in_service() {
    let text = "SecRemoteRulesFailAction Warn\nSecRemoteRules k https://a.example/";
    let builder = |path: &str| {
        fusewall::Waf::builder().remote_rules(Shelf).allow_empty().rules_text("r.conf", format!("{text}{path}\n"))
    };
    let waf = builder("none").build().expect("a start goes without them");
    let source =
        |path: &str| fusewall::store::RuleSource::Text { name: "r.conf".into(), text: format!("{text}{path}\n") };
    let report = waf.replace(&source("none")).expect_err("a reload does not");
    assert!(report.to_string().contains("W0717"), "{report}");
    assert!(waf.replace(&source("rules")).is_ok());
    // Nor does one with more findings than a report keeps.
    let many = "SecRuleRemoveById 999\n".repeat(5000) + text + "none\n";
    let source = fusewall::store::RuleSource::Text { name: "r.conf".into(), text: many };
    assert!(waf.replace(&source).is_err());
}

#[test]
fn rules_that_are_missing_are_an_error_or_a_warning_wherever_that_is_said() {
    let remote = "SecRemoteRules k https://a.example/none\n";
    assert!(read(remote).1.contains("error[E0101]"));
    for rules in
        [format!("SecRemoteRulesFailAction Warn\n{remote}"), format!("{remote}SecRemoteRulesFailAction Warn\n")]
    {
        let found = read(&rules).1;
        assert!(found.contains("warning[W0717]") && !found.contains("error"), "{found}");
    }
    assert!(read("SecRemoteRulesFailAction Perhaps\n").1.contains("E0204"));
}
