//! Removals and updates of rules loaded before.

use super::{codes, load};
use fusewall::rule::{Disruptive, Selector, Variable};

const RULES: &str = "SecRule ARGS|REQUEST_URI a \"id:1,deny,tag:'attack-sqli',msg:'SQL found',chain\"\nSecRule ARGS b\n\
                     SecRule ARGS_NAMES c \"id:2,pass,tag:'other',t:lowercase\"\nSecAction \"id:3,pass,tag:'attack-xss'\"\n";

#[test]
fn removals_by_id_tag_and_message() {
    let left = |line: &str| load(&format!("{RULES}{line}")).rules.iter().map(|rule| rule.id.0).collect::<Vec<_>>();
    assert_eq!(left("SecRuleRemoveById 1-2"), [3]);
    assert_eq!(left("SecRuleRemoveById 3 \"1\""), [2]);
    assert_eq!(left("SecRuleRemoveByTag ^attack-"), [2]);
    assert_eq!(left("SecRuleRemoveByMsg \"SQL .ound\""), [2, 3]);
    assert_eq!(left("SecRuleRemoveById 2\nSecRule ARGS other id:2"), [1, 3, 2], "a removed id may be used again");
}

#[test]
fn they_act_on_what_is_loaded_so_far() {
    assert_eq!(codes("SecRuleRemoveById 1\nSecAction id:1"), ["W0705"]);
    assert_eq!(load("SecRuleUpdateTargetById 1 !ARGS:x\nSecRule ARGS a id:1").rules[0].conditions[0].exclusions, []);
}

#[test]
fn targets_are_added_excluded_and_replaced() {
    let conditions = |line: &str| load(&format!("{RULES}{line}")).rules[0].conditions.clone();
    let some =
        conditions("SecRuleUpdateTargetById 1 \"!ARGS:/^_ga(?:_\\w+)?$/|!ARGS:'a b',REQUEST_HEADERS:Host|ARGS\"");
    assert_eq!(some[0].exclusions.len(), 2);
    assert!(matches!(&some[0].exclusions[0].selector, Selector::Regex(regex) if &*regex.text == br"^_ga(?:_\w+)?$"));
    assert_eq!(some[0].targets.len(), 3, "ARGS was there already");
    assert_eq!(some[1].exclusions.len(), 2, "links of a chain are updated too");
    let replaced = conditions("SecRuleUpdateTargetByTag attack \"ARGS_GET|QUERY_STRING\" ARGS");
    let names: Vec<_> = replaced[0].targets.iter().map(|target| target.variable).collect();
    assert_eq!(names, [Variable::RequestUri, Variable::ArgsGet, Variable::QueryString]);
    assert_eq!(conditions("SecRuleUpdateTargetByMsg SQL !ARGS:'/.*y$/'")[0].exclusions.len(), 1);
    let unquoted = conditions("SecRuleUpdateTargetById 1 !ARGS:'a b'");
    assert_eq!(unquoted[0].exclusions[0].selector, Selector::Key(b"a b"[..].into()));
}

#[test]
fn actions_are_merged() {
    let rules = |line: &str| load(&format!("{RULES}{line}")).rules;
    let updated = rules("SecRuleUpdateActionById 2 \"deny,status:410,t:none,t:trim,tag:'more',nolog\"").remove(1);
    assert_eq!((updated.disruptive, updated.status, updated.log), (Disruptive::Deny, 410, false));
    assert_eq!((updated.conditions[0].pipeline.len(), updated.tags.len()), (1, 2));
    assert_eq!(rules("SecRuleUpdateActionById 1:1 t:trim")[0].conditions[1].pipeline.len(), 1);
    let block = "SecDefaultAction \"phase:2,deny\"\nSecRule ARGS a id:7,block\nSecRuleUpdateActionById 7 pass";
    assert_eq!(rules(block)[3].disruptive, Disruptive::Pass);
}
