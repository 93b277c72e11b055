//! A valid automaton that is not that of its pattern.

use super::*;
use fusewall::Verification;

/// Rules with one pattern. Words of one length make bundles that differ in the word and in what was compiled of it.
fn one(word: &str) -> MemoryFiles {
    let rule = format!("SecRuleEngine On\nSecRule ARGS \"@rx {word}[0-9]\" \"id:1,phase:1,deny\"\n");
    MemoryFiles::new().with("site/main.conf", rule)
}

/// What stands behind the pattern: its artefact.
fn artefact(bytes: &[u8], word: &str) -> usize {
    let pattern = format!("{word}[0-9]");
    bytes.windows(pattern.len()).rposition(|window| window == pattern.as_bytes()).unwrap() + pattern.len()
}

/// Rules that look for `attack`, with the automaton of rules that look for `absent`.
fn forged() -> Vec<u8> {
    let (rules, other) = (bundle_of(&one("attack")), bundle_of(&one("absent")));
    let mut bytes = rules[..artefact(&rules, "attack")].to_vec();
    bytes.extend_from_slice(&other[artefact(&other, "absent")..]);
    sealed(bytes)
}

#[test]
fn comparing_finds_it_and_the_rules_come_back() {
    let waf = from_bundle(signed(&forged())).unwrap();
    assert!(get(&waf, "attack1").interruption().is_none(), "the forgery works as long as nobody compares");
    let Verification::Different { from, patterns, replaced } = waf.verify() else { panic!("it was not found") };
    assert_eq!((from.to_str(), patterns), (Some("rules.fwb"), vec!["attack[0-9]".to_owned()]));
    assert_eq!(replaced.unwrap().unwrap(), 2);
    assert!(get(&waf, "attack1").interruption().is_some());
    assert!(matches!(waf.verify(), Verification::Nothing));
}

#[test]
fn it_stays_away_from_rules_that_came_later() {
    let files = signed(&forged()).with("later.conf", "SecAction \"id:9,phase:5,pass\"");
    let waf = from_bundle(files).unwrap();
    waf.replace(&RuleSource::Paths(vec!["later.conf".into()])).unwrap();
    assert!(matches!(waf.verify(), Verification::Nothing), "what is not in service is not compared");
    waf.roll_back().unwrap();
    assert!(matches!(waf.verify(), Verification::Different { replaced: Some(Ok(4)), .. }), "what comes back is");
    assert!(get(&waf, "attack1").interruption().is_some());
    waf.roll_back().expect_err("nobody goes back to wrong automata");
}

#[test]
fn a_forged_cache_is_found_and_removed() {
    let folder = super::cache::private_folder();
    let build = || builder().rules_path("site/main.conf").files(one("attack")).cache(folder.path()).build().unwrap();
    drop(build());
    let path = super::cache::files(folder.path()).pop().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let mut forged = bytes[..artefact(&bytes, "attack")].to_vec();
    let other = bundle_of(&one("absent"));
    forged.extend_from_slice(&other[artefact(&other, "absent")..]);
    std::fs::write(&path, sealed(forged)).unwrap();

    let waf = build();
    assert!(get(&waf, "attack1").interruption().is_none(), "the forgery works as long as nobody compares");
    assert!(matches!(waf.verify(), Verification::Different { replaced: Some(Ok(2)), .. }));
    assert!(get(&waf, "attack1").interruption().is_some());
    assert!(super::cache::files(folder.path()).is_empty());
    assert!(get(&build(), "attack1").interruption().is_some());
}
