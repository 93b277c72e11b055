//! What each construct means in the rule model.

use super::{codes, load, one, try_load};
use fusewall::files::MemoryFiles;
use fusewall::rule::{
    Action, AllowScope, Ctl, Disruptive, Flow, Macro, MacroPart, Operator, Pattern, Phase, RuleSeverity, Selector,
    SetOp, Variable,
};
use fusewall::transform::Transformation as T;

fn text(text: &str) -> Macro {
    Macro::text(text.as_bytes())
}

#[test]
fn lines_join_and_comments_may_stand_between() {
    let rule = one("SecRule ARGS \\\n    \"@rx a\\\n b\" \\\n# a comment\n    \"id:7,\\\n    phase:1,\\\n    deny\"\n");
    assert_eq!((rule.id.0, rule.phase, rule.line), (7, Phase::RequestHeaders, 1));
    let Operator::Rx(pattern) = &rule.conditions[0].test.as_ref().unwrap().operator else { panic!() };
    assert_eq!(&*pattern.text, b"a b");
}

#[test]
fn names_are_found_without_case_and_operators_after_a_blank() {
    let rule = one(r#"secrule args "! @CONTAINS x y " "ID:'5',PHASE:request,Deny,T:LowerCase""#);
    let condition = &rule.conditions[0];
    let test = condition.test.as_ref().unwrap();
    assert!(test.negated);
    assert_eq!(test.operator, Operator::Contains(text("x y ")));
    assert_eq!((rule.id.0, condition.pipeline.as_slice()), (5, &[T::Lowercase][..]));
}

#[test]
fn a_bare_pattern_is_rx() {
    let rule = one(r#"SecRule ARGS "!^\d+ \"x\"$" "id:1""#);
    let test = rule.conditions[0].test.as_ref().unwrap();
    assert!(test.negated);
    assert_eq!(test.operator, Operator::Rx(Pattern { text: b"^\\d+ \"x\"$"[..].into(), fold_case: false }));
    assert_eq!(rule.phase, Phase::RequestBody);
}

#[test]
fn targets_with_counts_exclusions_and_selectors() {
    let rule = one(
        r#"SecRule "ARGS|&REQUEST_COOKIES|!ARGS:'a, \'b|'|TX:/^Score_[|,]\/x/|XML:/*|XML://@*|HTTP_User-Agent|!XML|STATUS" "x" "id:1""#,
    );
    let condition = &rule.conditions[0];
    let shape: Vec<_> = condition.targets.iter().map(|t| (t.variable, t.count, t.selector.clone())).collect();
    let key = |key: &str| Selector::Key(key.as_bytes().into());
    assert_eq!(
        shape,
        [
            (Variable::Args, false, Selector::All),
            (Variable::RequestCookies, true, Selector::All),
            (Variable::Tx, false, Selector::Regex(Pattern { text: b"^Score_[|,]\\/x"[..].into(), fold_case: true })),
            (Variable::Xml, false, Selector::All),
            (Variable::XmlAttributes, false, Selector::All),
            (Variable::RequestHeaders, false, key("User-Agent")),
            (Variable::ResponseStatus, false, Selector::All),
        ]
    );
    let excluded: Vec<_> = condition.exclusions.iter().map(|t| (t.variable, t.selector.clone())).collect();
    assert_eq!(
        excluded,
        [(Variable::Args, key("a, 'b|")), (Variable::Xml, Selector::All), (Variable::XmlAttributes, Selector::All)]
    );
}

#[test]
fn regex_selectors_fold_case_and_keep_their_text() {
    let fold = |target: &str| {
        let rule = one(&format!("SecRule {target}:/^A/ x id:1"));
        let Selector::Regex(pattern) = &rule.conditions[0].targets[0].selector else { panic!() };
        (pattern.text.to_vec(), pattern.fold_case)
    };
    assert_eq!(fold("ARGS"), (b"^A".to_vec(), true));
    assert_eq!(fold("REQUEST_HEADERS"), (b"^A".to_vec(), true));
}

#[test]
fn t_none_clears_wherever_it_stands_and_links_inherit_nothing_from_the_head() {
    let rule = one("SecRule ARGS a \"id:1,t:lowercase,t:none,t:urlDecodeUni,t:normalisePath,chain\"\nSecRule ARGS b");
    assert_eq!(rule.conditions[0].pipeline, [T::UrlDecodeUni, T::NormalizePath]);
    assert!(rule.conditions[1].pipeline.is_empty());
    let set = load(
        "SecDefaultAction \"phase:2,pass,t:lowercase\"\nSecRule ARGS a \"id:1,t:trim\"\nSecRule ARGS a \"id:2,t:none,t:trim\"\n\
         SecRule ARGS a \"id:3,phase:1,t:trim\"\nSecRule ARGS a \"id:4,chain\"\nSecRule ARGS a t:trim\n",
    );
    let pipelines: Vec<_> = set.rules.iter().map(|rule| rule.conditions.last().unwrap().pipeline.clone()).collect();
    assert_eq!(pipelines, [vec![T::Lowercase, T::Trim], vec![T::Trim], vec![T::Trim], vec![T::Lowercase, T::Trim]]);
}

#[test]
fn block_and_defaults_are_those_of_the_phase_at_that_place() {
    let set = load(
        "SecRule ARGS a \"id:1,phase:1,block\"\n\
         SecDefaultAction \"phase:1,nolog,auditlog,deny,status:406\"\n\
         SecRule ARGS a \"id:2,phase:1,block\"\n\
         SecRule ARGS a \"id:3,phase:1,block,log\"\n\
         SecRule ARGS a \"id:4,phase:2,block,nolog\"\n\
         SecRule ARGS a \"id:5,phase:1,pass\"\n\
         SecRule ARGS a \"id:6,phase:1\"\n\
         SecDefaultAction \"phase:1,log,redirect:'http://x/%{tx.a}'\"\n\
         SecRule ARGS a \"id:7,phase:1,block,status:301\"\n\
         SecRule ARGS a \"id:8,phase:1,deny,block,noauditlog\"\n",
    );
    let facts: Vec<_> = set.rules.iter().map(|r| (&r.disruptive, r.status, r.log, r.auditlog)).collect();
    let redirect = set.rules[6].disruptive.clone();
    assert_eq!(
        facts,
        [
            (&Disruptive::Pass, 403, true, true),
            (&Disruptive::Deny, 406, false, true),
            (&Disruptive::Deny, 406, true, true),
            (&Disruptive::Pass, 403, false, false),
            (&Disruptive::Pass, 406, false, true),
            (&Disruptive::Deny, 406, false, true),
            (&redirect, 301, true, true),
            (&redirect, 302, true, false),
        ]
    );
    assert!(matches!(redirect, Disruptive::Redirect(url) if url.to_bytes() == b"http://x/%{TX.a}"));
}

#[test]
fn metadata_and_flow() {
    let rule = one(
        r"SecAction id:1,phase:logging,nolog,msg:'a, \'b\': %{MATCHED_VAR_NAME} %{tx.A-b}',tag:one,tag:'two/%{tx.x}',severity:'CRITICAL',ver:'v/1',rev:2,maturity:9,accuracy:8,skipAfter:'END X'
SecMarker 'END X'",
    );
    assert_eq!(rule.phase, Phase::Logging);
    let msg = rule.msg.unwrap();
    let part = |variable, key: Option<&str>| MacroPart::Variable { variable, key: key.map(|k| k.as_bytes().into()) };
    assert_eq!(msg.parts[0], MacroPart::Text(b"a, 'b': "[..].into()));
    assert_eq!(msg.parts[1], part(Variable::MatchedVarName, None));
    assert_eq!(msg.parts[3], part(Variable::Tx, Some("A-b")));
    assert_eq!((rule.tags.len(), rule.severity), (2, Some(RuleSeverity(2))));
    assert_eq!((rule.maturity, rule.accuracy), (Some(9), Some(8)));
    assert_eq!(rule.flow, Flow::SkipAfter("END X".into()));
    assert!(rule.conditions[0].targets.is_empty() && rule.conditions[0].test.is_none());
    assert_eq!(one("SecAction id:1,severity:0,skip:0").flow, Flow::Skip(1));
    assert_eq!(one("SecAction id:1,allow:phase").disruptive, Disruptive::Allow(AllowScope::Phase));
    assert_eq!(one("SecAction id:1,allow").disruptive, Disruptive::Allow(AllowScope::Transaction));
}

#[test]
fn setvar_in_all_its_forms() {
    let rule = one(
        r"SecAction id:1,nolog,setvar:tx.a=1,setvar:'TX.Score_%{rule.id}=+%{tx.b}',setvar:tx.c=-2,setvar:!tx.d,setvar:tx.e,setvar:'tx.f=GET POST, x',setvar:tx.g='it,is',setvar:ip.h=,setvar:tx.i==+x",
    );
    let found: Vec<_> = rule.conditions[0]
        .actions
        .iter()
        .map(|action| match action {
            Action::SetVar(set) => (set.collection, set.key.to_bytes(), set.op.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    let tx = |key: &str, op| (Variable::Tx, key.as_bytes().to_vec(), op);
    let b = Macro { parts: vec![MacroPart::Variable { variable: Variable::Tx, key: Some(b"b"[..].into()) }] };
    assert_eq!(
        found,
        [
            tx("a", SetOp::Set(text("1"))),
            tx("Score_%{RULE.id}", SetOp::Add(b)),
            tx("c", SetOp::Subtract(text("2"))),
            tx("d", SetOp::Unset),
            tx("e", SetOp::Set(text("1"))),
            tx("f", SetOp::Set(text("GET POST, x"))),
            tx("g", SetOp::Set(text("it,is"))),
            (Variable::Ip, b"h".to_vec(), SetOp::Set(text(""))),
            tx("i", SetOp::Set(text("=+x"))),
        ]
    );
}

#[test]
fn ctl_in_all_its_forms() {
    let rule = one(r"SecRule ARGS a id:900000
SecAction id:1,nolog,ctl:ruleEngine=detectionOnly,ctl:'ruleRemoveById=1,5-7 9',ctl:ruleRemoveByTag=^attack,ctl:ruleRemoveTargetById=900000;ARGS:a,ctl:ruleRemoveTargetByTag=x;ARGS:/a{1,2}/,ctl:ruleRemoveTargetByMsg=m;XML,ctl:ruleRemoveTargetById=900000-900001;ARGS:'b,c',ctl:requestBodyProcessor=json,ctl:auditLogParts=+E,ctl:forceRequestBodyVariable=On,ctl:requestBodyLimit=10,ctl:auditEngine=RelevantOnly,ctl:responseBodyAccess=Off
SecRuleRemoveById 900000");
    let shown: Vec<String> = rule.conditions[0]
        .actions
        .iter()
        .map(|action| match action {
            Action::Ctl(Ctl::RuleRemoveTargetByTag(tag, target)) => {
                format!("{} {:?}", tag.text.escape_ascii(), target.selector)
            }
            Action::Ctl(ctl) => format!("{ctl:?}"),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(shown.len(), 14, "XML stands for text and attributes");
    assert!(shown[1].contains("first: 5, last: 7") && shown[1].contains("first: 9"));
    assert!(shown[4].starts_with("x Regex") && shown[4].contains("123, 49, 44, 50, 125"));
    assert!(shown[7].contains("900001"));
}

#[test]
fn phrases_as_v2_reads_them() {
    let files = MemoryFiles::new()
        .with("words.data", "# list\n  Two Words \r\n\nFFI\\\\CData\nint|float\n|41 42|\ntwo words\n")
        .with("more.data", "last");
    let (set, found, shown) = try_load(
        "SecRule ARGS \"@pm a|41|b \\\"q\\\"  x|20|y A|41|B\" \"id:1\"\nSecRule ARGS \"@pmf words.data more.data\" \"id:2\"",
        &files,
    );
    assert_eq!(found.errors(), 0, "{shown}");
    let lists: Vec<Vec<String>> = set
        .rules
        .iter()
        .map(|rule| match &rule.conditions[0].test.as_ref().unwrap().operator {
            Operator::Pm(phrases) => phrases.list.iter().map(|p| p.escape_ascii().to_string()).collect(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(lists[0], ["aAb", "\\\"q\\\"", "x", "y"]);
    assert_eq!(lists[1], ["Two Words", "FFI\\\\CData", "int|float", "AB", "last"]);
    assert_eq!(found.iter().filter(|found| found.code == "N0802").count(), 2);
}

#[test]
fn chains_fold_into_their_head() {
    let set = load(
        "SecRule ARGS a \"id:1,deny,chain\"\n SecRule ARGS b \"chain,capture,setvar:tx.a=1\"\n SecAction multiMatch\n\
         SecMarker M\nSecRule ARGS c id:2\n",
    );
    assert_eq!(set.rules.iter().map(|rule| rule.conditions.len()).collect::<Vec<_>>(), [3, 1]);
    assert!(set.rules[0].conditions[1].capture && set.rules[0].conditions[2].multi_match);
    assert_eq!((set.markers[0].label.as_ref(), set.markers[0].before), ("M", 1));
}

#[test]
fn skip_after_a_rule_id_and_after_removed_rules() {
    let set = load(
        "SecAction id:1,skipAfter:3\nSecAction id:2\nSecAction id:3\nSecAction id:4,skipAfter:E\nSecAction id:5\nSecMarker E\n\
         SecAction id:6\nSecRuleRemoveById 2 5",
    );
    let places: Vec<_> = set.markers.iter().map(|marker| (marker.label.to_string(), marker.before)).collect();
    assert_eq!(places, [("3".into(), 2), ("E".into(), 3)]);
    assert_eq!(set.settings.removed.len(), 2);
}

#[test]
fn settings_of_the_recommended_configuration() {
    let files = MemoryFiles::new().with("u.map", "20127 (US-ASCII)\n00a0:20\n");
    let (set, found, shown) = try_load(
        "SecRuleEngine DetectionOnly\nSecRequestBodyAccess On\nSecRequestBodyLimit 5\nSecArgumentSeparator &\n\
         SecResponseBodyMimeType text/HTML;charset=x text/xml\nSecResponseBodyMimeType text/css\n\
         SecAuditLogRelevantStatus \"^(?:5|4(?!04))\"\nSecAuditLogParts abz\nSecUnicodeMapFile u.map 20127\n\
         SecComponentSignature \"A/1\"\n<IfModule security2_module>\nSecCookieFormat 1\n</IfModule>\n",
        &files,
    );
    assert_eq!(found.errors(), 0, "{shown}");
    let all = set.settings;
    assert_eq!((all.request_body_limit, all.cookie_format, all.audit.parts.to_string().as_str()), (5, 1, "ABZ"));
    assert_eq!(all.response_body_mime_types, ["text/html".into(), "text/xml".into(), "text/css".into()]);
    let statuses = all.audit.relevant_status.unwrap();
    assert!(statuses.contains(&403) && statuses.contains(&599) && !statuses.contains(&404) && statuses.len() == 199);
    assert_eq!(all.unicode_map.unwrap().map.len(), 1);
}

#[test]
fn literal_braces_are_no_macros_but_names_are() {
    assert!(codes(r#"SecRule ARGS "@rx %{2}%\{tx.a}%{foo}%{[#]" "id:1""#).is_empty());
    assert!(codes(r#"SecRule ARGS "@rx %{tx.a}" "id:1""#).is_empty());
    assert_eq!(codes(r#"SecRule ARGS "@rx %{tx.a}%{foo}" "id:1""#), ["E0407"]);
    assert_eq!(codes(r#"SecRule ARGS "@verifyCC \d{3}%{tx.a}" "id:1""#), ["E0403"]);
    assert_eq!(codes(r#"SecRule ARGS "@contains %{foo}" "id:1""#), ["E0407"]);
    assert_eq!(codes(r#"SecRule ARGS "@contains %{RESPONSE_ARGS.x}" "id:1""#), ["E0302"]);
    assert_eq!(codes(r#"SecRule ARGS "@contains %{REMOTE_ADDR.x}" "id:1""#), ["E0303"]);
    assert!(codes(r#"SecRule ARGS "@contains %{(#a}" "id:1""#).is_empty());
}

#[test]
fn includes_follow_folders_globs_and_places() {
    let files = MemoryFiles::new()
        .with("sub/b.conf", "SecRule ARGS \"@pmFromFile w.data\" id:2\n")
        .with("sub/a.conf", "Include inner/x.conf\nSecAction id:1\n")
        .with("sub/inner/x.conf", "SecAction id:3\n")
        .with("sub/w.data", "w\n")
        .with("sub/skip.txt", "nonsense");
    for include in ["Include sub/*.conf", "Include sub", "Include \"sub/[a-b].conf\"", "Include /none/*.conf"] {
        let (set, found, shown) = try_load(&format!("{include}\nSecAction id:9"), &files);
        let ids: Vec<_> = set.rules.iter().map(|rule| rule.id.0).collect();
        if include.contains("none") {
            assert_eq!((found.errors(), ids), (1, vec![9]), "{shown}");
        } else {
            assert_eq!((found.errors(), ids), (0, vec![3, 1, 2, 9]), "{shown}");
            assert_eq!(&*set.rules[0].file, "sub/inner/x.conf");
        }
    }
}
