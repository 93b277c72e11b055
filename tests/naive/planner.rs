//! What the planner must not take for granted: each ruleset here has a constant or a capture that is one on most ways through
//! the rules, and not on all.

use crate::oracle::compare::Forms;
use crate::oracle::exchange::Exchange;

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
