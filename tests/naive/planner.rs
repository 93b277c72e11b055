//! What the planner must not take for granted: each ruleset here has a constant or a capture that is one on most ways through
//! the rules, and not on all.

use crate::oracle::compare::Forms;
use crate::oracle::exchange::Exchange;
use fusewall::program::RuleIx;

/// The ids that are logged, alike in all forms.
fn logged(rules: &str, exchange: &Exchange) -> Vec<u64> {
    let text = format!("SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n{rules}");
    let forms = Forms::of_text(&text).unwrap_or_else(|error| panic!("{error}"));
    forms.agree(exchange).unwrap_or_else(|difference| panic!("{difference}\n{text}\n{}", exchange.show())).logged
}

fn get(target: &str) -> Exchange {
    Exchange::get(target)
}

#[test]
fn a_phase_that_allow_skips_sets_nothing() {
    let rules = |scope: &str, phase: u8| {
        format!(
            r#"
            SecRule ARGS:x "@streq a" "id:1,phase:{phase},{scope},nolog"
            SecAction "id:2,phase:2,nolog,pass,setvar:tx.x=1"
            SecRule &TX:x "@eq 0" "id:3,phase:3,pass"
            SecRule TX:x "@eq 1" "id:4,phase:3,pass"
        "#
        )
    };
    let answered = |target: &str| get(target).answered(200, "text/html", "");
    assert_eq!(logged(&rules("allow:request", 1), &answered("/?x=a")), [3]);
    assert_eq!(logged(&rules("allow:request", 1), &answered("/?x=b")), [4]);
    assert_eq!(logged(&rules("allow:request", 2), &answered("/?x=a")), [3]);
    assert_eq!(logged(&rules("allow:phase", 1), &answered("/?x=a")), [4]);
    assert_eq!(logged(&rules("allow", 1), &answered("/?x=a")), [0u64; 0]);
}

#[test]
fn actions_that_feed_each_other_run_once_for_each_match() {
    let rules = r#"
        SecAction "id:1,phase:1,nolog,pass,setvar:tx.a=1,setvar:tx.b=1,setvar:tx.c=1,setvar:tx.d=1"
        SecRule ARGS "@rx a" "id:2,phase:1,nolog,pass,setvar:tx.a=%{tx.b},setvar:tx.b=%{tx.c},setvar:tx.c=%{tx.d},setvar:tx.d=0"
        SecRule TX:a "@eq 0" "id:3,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/?x=a&x=a&x=a")), [0u64; 0]);
    assert_eq!(logged(rules, &get("/?x=a&x=a&x=a&x=a")), [3]);
    assert_eq!(logged(rules, &get("/?x=a&x=a&x=a&x=a&x=a")), [3]);
}

#[test]
fn groups_are_kept_for_a_rule_that_reads_them_before_its_own_capture() {
    let rules = r#"
        SecRule ARGS:x "@rx (a)(b)" "id:1,phase:1,nolog,pass,capture"
        SecRule TX:2 "@streq b" "id:2,phase:1,pass,capture"
    "#;
    assert_eq!(logged(rules, &get("/?x=ab")), [2]);
    let rules = r#"
        SecRule ARGS:x "@rx (a)(5)" "id:1,phase:1,nolog,pass,capture"
        SecRule ARGS:x "@rx 5" "id:2,phase:1,nolog,pass,setvar:tx.2=+1,setvar:tx.n=%{tx.2}"
        SecRule TX:n "@eq 6" "id:3,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/?x=a5")), [3], "a sum reads what it adds to");
    let rules = r#"
        SecRule ARGS:x "@rx (a)(b)" "id:1,phase:1,nolog,pass,capture"
        SecRule ARGS:x "@rx b" "id:2,phase:1,nolog,pass,setvar:tx.s=%{tx.2},chain"
        SecRule ARGS:x "@rx a" "capture"
        SecRule TX:s "@streq b" "id:3,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/?x=ab")), [3], "a link before the one that captures");
}

#[test]
fn a_value_that_is_cut_is_no_constant() {
    let long = "a".repeat(70_000);
    let rules = format!(
        r#"
        SecAction "id:1,phase:1,nolog,pass,setvar:'tx.x={long}b'"
        SecRule TX:x "@endsWith b" "id:2,phase:1,pass"
        SecRule TX:x "@endsWith a" "id:3,phase:1,pass"
        SecRule TX:x "@eq 65536" "id:4,phase:1,pass,t:length"
    "#
    );
    let text = format!("SecRuleEngine On\n{rules}");
    // The interpreter knows no such limit; the two plans must agree all the same.
    let forms = Forms::of_text(&text).unwrap_or_else(|error| panic!("{error}"));
    for waf in [&forms.plain, &forms.planned] {
        assert_eq!(forms.engine(waf, &get("/"), &Default::default()).logged, [3, 4]);
    }
}

#[test]
fn a_rule_that_a_ctl_may_remove_sets_nothing_for_certain() {
    let rules = |ctl: &str| {
        format!(
            r#"
            SecRule ARGS:x "@streq a" "id:1,phase:1,nolog,pass,{ctl}"
            SecAction "id:2,phase:1,nolog,pass,tag:t,setvar:tx.x=1"
            SecRule &TX:x "@eq 0" "id:3,phase:1,pass"
            SecRule TX:x "@eq 1" "id:4,phase:1,pass,tag:t"
        "#
        )
    };
    assert_eq!(logged(&rules("ctl:ruleRemoveById=2"), &get("/?x=a")), [3]);
    assert_eq!(logged(&rules("ctl:ruleRemoveById=2"), &get("/?x=b")), [4]);
    assert_eq!(logged(&rules("ctl:ruleRemoveByTag=^t$"), &get("/?x=a")), [3]);
    assert_eq!(
        logged(&rules("ctl:ruleRemoveTargetById=3-4;&TX:x,ctl:ruleRemoveTargetByTag=t;TX"), &get("/?x=a")),
        [0u64; 0]
    );
}

#[test]
fn behind_a_gate_that_was_removed_what_was_removed_with_it_does_not_run() {
    let rules = |ctl: &str| {
        format!(
            r#"
            SecRule ARGS:x "@streq a" "id:1,phase:1,nolog,pass,{ctl}"
            SecAction "id:2,phase:1,nolog,pass,tag:t,tag:u,skipAfter:END"
            SecRule ARGS "@rx ." "id:3,phase:1,pass,tag:t"
            SecRule ARGS "@rx ." "id:4,phase:1,pass"
            SecMarker END
            SecRule ARGS "@rx ." "id:5,phase:1,pass"
        "#
        )
    };
    assert_eq!(logged(&rules("ctl:ruleRemoveByTag=^t$"), &get("/?x=a")), [4, 5]);
    assert_eq!(logged(&rules("ctl:ruleRemoveByTag=^t$"), &get("/?x=b")), [5]);
    assert_eq!(logged(&rules("ctl:ruleRemoveById=2"), &get("/?x=a")), [3, 4, 5]);
    let two = "ctl:ruleRemoveByTag=^t$,ctl:ruleRemoveByTag=^u$";
    assert_eq!(logged(&rules(two), &get("/?x=a")), [4, 5]);
    assert_eq!(logged(&rules("ctl:ruleRemoveByTag=^u$"), &get("/?x=a")), [3, 4, 5]);
    // Rules that are removed with their gates need not be planned.
    let planned = |ctl: &str| {
        let forms =
            Forms::of_text(&format!("SecRuleEngine On\n{}", rules(ctl))).unwrap_or_else(|error| panic!("{error}"));
        let loaded = forms.planned.loaded();
        let program = loaded.program();
        let ids = |rule: &RuleIx| program.source(*rule).map(|rule| rule.id.0);
        program.schedule.iter().flatten().filter_map(ids).collect::<Vec<_>>()
    };
    assert_eq!(planned("ctl:ruleRemoveByTag=^t$"), [1, 2, 4, 5]);
    assert_eq!(planned("ctl:ruleRemoveByTag=^u$"), [1, 2, 3, 4, 5]);
}

#[test]
fn what_stands_behind_an_allow_is_not_certain_in_the_next_phase() {
    let rules = |scope: &str| {
        format!(
            r#"
            SecRule ARGS:x "@streq a" "id:1,phase:1,{scope},nolog"
            SecAction "id:2,phase:1,nolog,pass,setvar:tx.x=1"
            SecRule &TX:x "@eq 0" "id:3,phase:2,pass"
            SecRule &TX:x "@eq 0" "id:4,phase:3,pass"
        "#
        )
    };
    let answered = get("/?x=a").answered(200, "text/html", "");
    assert_eq!(logged(&rules("allow:phase"), &answered), [3, 4]);
    assert_eq!(logged(&rules("allow:request"), &answered), [4]);
    assert_eq!(logged(&rules("pass"), &answered), [0u64; 0]);
}

#[test]
fn a_jump_that_is_always_taken_still_jumps_over_what_others_reach() {
    let rules = r#"
        SecRule ARGS:x "@streq a" "id:1,phase:1,nolog,pass,skipAfter:M1"
        SecAction "id:2,phase:1,nolog,pass,skipAfter:M2"
        SecMarker M1
        SecRule ARGS "@rx ." "id:3,phase:1,pass"
        SecMarker M2
        SecRule ARGS "@rx ." "id:4,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/?x=a")), [3, 4]);
    assert_eq!(logged(rules, &get("/?x=b")), [4]);
}

#[test]
fn exclusions_count_where_values_are_constants() {
    let rules = r#"
        SecAction "id:1,phase:1,nolog,pass,setvar:tx.x=1"
        SecRule TX:x|TX:y|!TX:x "@eq 1" "id:2,phase:1,pass"
        SecRule &TX:x|!&TX:x "@eq 1" "id:3,phase:1,pass"
        SecRule TX:x|!TX:/^y/ "@eq 1" "id:4,phase:1,pass"
        SecRule TX:x|!TX:x "@eq 1" "id:5,phase:1,nolog,pass,setvar:tx.z=1"
        SecRule &TX:z "@eq 0" "id:6,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/")), [4, 6]);
}

#[test]
fn a_pattern_that_rules_share_finds_all_that_any_of_them_wants() {
    let rules = r#"
        SecRule ARGS:x "@rx (a)(b)" "id:1,phase:1,pass"
        SecRule ARGS:x "@rx (a)(b)" "id:2,phase:1,pass,capture,chain"
        SecRule TX:0 "@streq ab" "t:none"
        SecRule ARGS:x "@rx (a)(b)" "id:3,phase:1,pass,capture,chain"
        SecRule TX:2 "@streq b" "t:none"
    "#;
    assert_eq!(logged(rules, &get("/?x=xab")), [1, 2, 3]);
}

#[test]
fn a_scalar_that_a_phase_changes_is_looked_at_anew() {
    let rules = r#"
        SecAction "id:9,phase:1,nolog,pass,ctl:requestBodyProcessor=JSON"
        SecRule REQBODY_ERROR|REQUEST_BODY_LENGTH|ARGS_COMBINED_SIZE "@rx ^[1-9]" "id:1,phase:1,pass,t:trim"
        SecRule REQBODY_ERROR|REQUEST_BODY_LENGTH|ARGS_COMBINED_SIZE "@rx ^[1-9]" "id:2,phase:2,pass,t:trim,setvar:tx.n=+1"
        SecRule TX:n "@eq 3" "id:3,phase:2,pass"
    "#;
    assert_eq!(logged(rules, &Exchange::post("/", "application/json", "{\"ab\":1,}")), [2, 3]);
}

#[test]
fn repeats_without_end_may_turn_more_often_than_the_literals_say() {
    let rules = r#"
        SecRule ARGS "@rx xy(?:ab){2,}cd" "id:1,phase:1,pass"
        SecRule ARGS "@rx wx(?:ab){9}cd" "id:2,phase:1,pass"
        SecRule ARGS "@rx uv(?:select|)+w" "id:3,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/?x=xyabababcd")), [1]);
    assert_eq!(logged(rules, &get("/?x=wxababababababababababcd")), [0u64; 0]);
    assert_eq!(logged(rules, &get("/?x=wxababababababababab*cd&y=wxabababababababababcd")), [2]);
    assert_eq!(logged(rules, &get("/?x=uvw&y=uvselectselectw")), [3]);
}

#[test]
fn what_rules_switch_is_looked_at_each_time() {
    let rules = r#"
        SecRule REQBODY_PROCESSOR "@streq JSON" "id:1,phase:1,pass"
        SecRule HIGHEST_SEVERITY "@lt 3" "id:2,phase:1,pass"
        SecRule ARGS "@rx a" "id:3,phase:1,pass,severity:CRITICAL,ctl:requestBodyProcessor=JSON"
        SecRule REQBODY_PROCESSOR "@streq JSON" "id:4,phase:1,pass"
        SecRule HIGHEST_SEVERITY "@lt 3" "id:5,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/?x=a")), [3, 4, 5]);
}

#[test]
fn what_a_rule_removes_from_itself_it_still_looks_at() {
    let rules = r#"
        SecRule ARGS "@rx a" "id:1,phase:1,pass,setvar:tx.n=+1,ctl:ruleRemoveTargetById=1-2;ARGS,ctl:ruleRemoveById=1"
        SecRule ARGS|REQUEST_METHOD "@rx a" "id:2,phase:1,pass"
        SecRule TX:n "@eq 2" "id:3,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/?x=a&y=a")), [1, 3]);
}

#[test]
fn folded_rules_still_match_where_matches_are_read() {
    let rules = r#"
        SecAction "id:1,phase:1,nolog,pass,setvar:tx.x=1"
        SecRule TX:x "@eq 1" "id:2,phase:1,nolog,pass,setvar:tx.s=%{MATCHED_VAR_NAME}"
        SecRule TX:s "@streq TX:x" "id:3,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/")), [3]);
    let rules = r#"
        SecAction "id:1,phase:1,nolog,pass,setvar:tx.x=1"
        SecRule TX:x "@eq 1" "id:2,phase:1,nolog,pass,chain"
        SecRule TX:x "@eq 2" "t:none"
        SecRule MATCHED_VAR_NAME "@streq TX:x" "id:3,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/")), [3]);
}

#[test]
fn the_links_before_a_false_one_have_acted() {
    let rules = r#"
        SecAction "id:1,phase:1,nolog,pass,setvar:tx.x=1"
        SecRule TX:x "@eq 1" "id:2,phase:1,nolog,pass,setvar:tx.n=5,chain"
        SecRule TX:x "@eq 2" "t:none"
        SecRule ARGS "@rx ^5$" "id:3,phase:1,pass,chain"
        SecRule ARGS "@streq %{tx.n}" "t:none"
    "#;
    assert_eq!(logged(rules, &get("/?x=5")), [3]);
}

#[test]
fn a_negated_test_captures_nothing_and_leaves_the_groups_of_others() {
    let rules = r#"
        SecRule ARGS:x "@rx (a)(b)" "id:1,phase:1,nolog,pass,capture"
        SecRule ARGS:x "!@rx z" "id:2,phase:1,nolog,pass,capture,setvar:tx.s=%{tx.2}"
        SecRule TX:s "@streq b" "id:3,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/?x=ab")), [3]);
}

#[test]
fn a_key_that_a_request_spells_may_be_any_that_begins_so() {
    let rules = r#"
        SecAction "id:1,phase:1,nolog,pass,setvar:tx.limit=1,setvar:'tx.li%{ARGS.k}=2',setvar:'!tx.o%{ARGS.k}'"
        SecRule TX:limit "@eq 2" "id:2,phase:1,pass"
        SecRule TX:limit "@eq 1" "id:3,phase:1,pass"
        SecRule &TX:lines "@eq 0" "id:4,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/?k=mit")), [2, 4]);
    assert_eq!(logged(rules, &get("/?k=nes")), [3]);
}

/// What stands at the start of a ruleset and never differs is done at once: alike where each rule is paused, where one of them is
/// removed, and where other rules have set the same entries before.
#[test]
fn rules_that_set_constants_act_at_once_as_they_do_one_by_one() {
    let rules = r#"
        SecRule ARGS:first "@rx ." "id:1,phase:1,nolog,pass,setvar:tx.longer=%{ARGS.first},setvar:tx.made_%{ARGS.first}=1"
        SecRule ARGS:without "@rx ." "id:2,phase:1,nolog,pass,ctl:ruleRemoveById=11"
        SecRule ARGS:off "@rx ." "id:3,phase:1,nolog,pass,ctl:ruleEngine=Off"
        SecAction "id:10,phase:1,nolog,pass,setvar:tx.a=1,setvar:tx.longer=no"
        SecAction "id:11,phase:1,nolog,pass,setvar:tx.a=2,setvar:tx.b=two_words,setvar:tx.a=3"
        SecAction "id:12,phase:1,nolog,pass,setvar:tx.made_x=0,setvar:tx.c=4"
        SecRule TX:/./ "@rx ." "id:20,phase:1,pass,nolog,setvar:tx.all=%{tx.all}|%{MATCHED_VAR_NAME}=%{MATCHED_VAR}"
        SecRule &MATCHED_VARS "!@eq 0" "id:21,phase:1,pass"
        SecRule TX:a "@eq 3" "id:22,phase:2,pass,nolog,setvar:tx.a=+10,setvar:tx.longer=%{tx.all}"
        SecRule TX:a "@eq 13" "id:23,phase:2,pass"
    "#;
    for (target, expected) in [
        ("/", &[23][..]),
        ("/?first=x", &[23]),
        ("/?first=a+long+value+of+many+words", &[23]),
        ("/?without=1", &[]),
        ("/?off=1", &[]),
        ("/?first=x&without=1", &[]),
    ] {
        assert_eq!(logged(rules, &get(target)), expected, "{target}");
        let text = format!("SecRuleEngine On\n{rules}");
        let forms = Forms::of_text(&text).unwrap_or_else(|error| panic!("{error}"));
        let whole = get(target).evaluate(&forms.planned);
        for fuel in [1, 40, 77, 150, 1000] {
            let paused = get(target).evaluate_paused(&forms.planned, &mut || fuel, &mut || 1);
            assert_eq!(whole.verdict(), paused.verdict(), "{target}, in turns of {fuel} fuel");
        }
    }
}

#[test]
fn patterns_that_need_no_automaton_find_what_they_should() {
    let rules = r#"
        SecRule ARGS:x "@rx ^[a-c]{2,4}$" "id:1,phase:1,pass,capture,setvar:tx.whole=%{tx.0}"
        SecRule ARGS:x "!@rx ^.*$" "id:2,phase:1,pass"
        SecRule ARGS:x "@rx ^[0-9]+$" "id:3,phase:1,pass"
        SecRule ARGS:/^PRE_/ "@rx ." "id:4,phase:1,pass"
        SecRule ARGS|!ARGS:/^pre_\d$/ "@streq p" "id:5,phase:1,pass"
        SecRule TX:/^who/ "@streq abca" "id:6,phase:1,pass"
    "#;
    for (target, expected) in [
        ("/?x=abca", &[1, 6][..]),
        ("/?x=a", &[]),
        ("/?x=abcab", &[]),
        ("/?x=ab%0a", &[]),
        ("/?x=", &[]),
        ("/?x=12", &[3]),
        ("/?x=12%0a", &[]),
        ("/?pre_1=p", &[4]),
        ("/?Pre_a=p", &[4, 5]),
        ("/?pre=p", &[5]),
    ] {
        assert_eq!(logged(rules, &get(target)), expected, "{target}");
    }
}
