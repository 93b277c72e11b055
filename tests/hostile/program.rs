//! A program that came from elsewhere: each index in it that leads nowhere is found before it runs.

use fusewall::Waf;
use fusewall::engine::FixedEnv;
use fusewall::program::{self, Fate, Need, NodeId, PatternId, Program, RuleIx, Screen, SelectionId, Test, TestId};
use std::sync::Arc;

const RULES: &str = r#"
    SecRuleEngine On
    SecRule ARGS:x|TX:/^a/ "@rx (union|select).*from" "id:1,phase:1,pass,capture,t:lowercase,t:trim,setvar:tx.a=%{tx.b}"
    SecRule ARGS "@pm one two" "id:2,phase:1,pass,msg:'%{tx.a}',ctl:ruleRemoveTargetById=1-3;ARGS:y,skipAfter:END"
    SecRule TX:a "@streq %{tx.c}" "id:3,phase:1,pass,ctl:ruleRemoveById=1-2"
    SecMarker END
    SecRule ARGS "@rx [^a]x+" "id:4,phase:1,pass"
"#;

fn program() -> Program {
    let builder = Waf::builder().env(FixedEnv::default()).rules_text("rules.conf", RULES);
    let waf = builder.build().unwrap_or_else(|report| panic!("{report}"));
    Program::clone(&Arc::clone(waf.loaded().program()))
}

/// One thing in a program broken.
type Breakage = (&'static str, fn(&mut Program));

const FAR: usize = 1 << 20;

#[test]
fn every_broken_table_is_found() {
    let breakages: &[Breakage] = &[
        ("a rule too few", |p| drop(p.rules.pop())),
        ("a schedule with a rule that is not there", |p| p.schedule[0].push(RuleIx::new(FAR))),
        ("a schedule in another order", |p| p.schedule[0].reverse()),
        ("a schedule with a rule twice", |p| {
            let first = p.schedule[0][0];
            p.schedule[0].insert(0, first);
        }),
        ("a rule in another phase", |p| {
            let first = p.schedule[0].remove(0);
            p.schedule[1].push(first);
        }),
        ("a jump back", |p| p.rules[1].jump = Some(0)),
        ("a jump too far", |p| p.rules[1].jump = Some(FAR)),
        ("a live rule without links", |p| {
            p.rules[0].links.clear();
            p.rules[0].fate = Fate::Live;
        }),
        ("no such selection", |p| p.rules[0].links[0].look.as_mut().unwrap().selection = SelectionId::new(FAR)),
        ("no such node", |p| p.rules[0].links[0].look.as_mut().unwrap().node = NodeId::new(FAR)),
        ("no such operator", |p| p.rules[0].links[0].look.as_mut().unwrap().test = TestId::new(FAR)),
        ("no patterns", |p| p.patterns.clear()),
        ("an operator of another pattern", |p| p.tests.push(Test::Rx(PatternId::new(FAR)))),
        ("no phrases", |p| p.phrases.clear()),
        ("no literals", |p| p.literals.clear()),
        ("a literal that is not there", |p| {
            p.patterns[0].screens[0] = Some(Screen { need: Need::Any(vec![Need::Literal(1 << 20)]), ..Screen::OPEN })
        }),
        ("a node that hangs below itself", |p| {
            let own = NodeId::new(1);
            let step = p.nodes[1].step.as_ref().map(|(_, step)| *step);
            p.nodes[1].step = step.map(|step| (own, step));
        }),
        ("a path that leads elsewhere", |p| p.nodes[2].path.clear()),
        ("no TX keys", |p| p.tx_keys.clear()),
        ("TX keys in another order", |p| p.tx_keys.reverse()),
        ("a TX key too few", |p| drop(p.tx_keys.pop())),
        ("a rule set with a rule that is not there", |p| p.rule_sets[0].push(RuleIx::new(FAR))),
        ("a rule set in another order", |p| p.rule_sets[0].reverse()),
        ("no rule sets", |p| p.rule_sets.clear()),
    ];
    assert_eq!(program::verify(&program()), Ok(()));
    for (name, breakage) in breakages {
        let mut broken = program();
        breakage(&mut broken);
        assert!(program::verify(&broken).is_err(), "{name}");
    }
}
