//! Rules of contexts that stand in each other.

use fusewall::store::{RulePiece, RuleSource};
use fusewall::{Transaction, Waf};

fn layers(texts: &[&str]) -> Waf {
    let layer = |text: &&str| vec![RulePiece::Text { name: "rules.conf".into(), text: (*text).into() }];
    let source = RuleSource::Layers(texts.iter().map(layer).collect());
    Waf::builder().rules(source).build().unwrap_or_else(|report| panic!("{report}"))
}

fn ask(waf: &Waf) -> Transaction {
    let mut exchange = waf.transaction();
    exchange.process_request_line(b"GET", b"/", b"HTTP/1.1");
    exchange.process_request_headers();
    exchange
}

fn order(waf: &Waf) -> Vec<u64> {
    waf.loaded().program().ruleset.rules.iter().map(|rule| rule.id.0).collect()
}

#[test]
fn what_stands_further_inside_runs_first() {
    let waf = layers(&[
        "SecRuleEngine On\nSecAction id:1,phase:1,pass\nSecAction id:2,phase:1,pass",
        "SecAction id:3,phase:1,pass",
        "",
        "SecAction id:4,phase:1,pass\nSecAction id:5,phase:2,pass",
    ]);
    assert_eq!(order(&waf), [4, 5, 3, 1, 2]);
    assert_eq!(ask(&waf).records().iter().map(|record| record.rule.0).collect::<Vec<_>>(), [4, 3, 1, 2]);
}

/// Markers move with the rules among which they stand, and may be jumped to from further inside.
#[test]
fn markers_move_with_their_layer() {
    let outer = "SecRuleEngine On\nSecAction id:1,phase:1,pass,skipAfter:HERE\nSecAction id:2,phase:1,deny,status:402\nSecMarker HERE\n\
                 SecAction id:3,phase:1,pass\nSecMarker END\nSecAction id:4,phase:1,pass";
    let seen = |inner: &str| {
        let exchange = ask(&layers(&[outer, inner]));
        exchange.records().iter().map(|record| record.rule.0).collect::<Vec<_>>()
    };
    let inner = "SecAction id:11,phase:1,pass,skipAfter:HERE\nSecAction id:12,phase:1,deny,status:412\nSecMarker HERE\n\
                 SecAction id:13,phase:1,pass";
    assert_eq!(seen(inner), [11, 13, 1, 3, 4]);
    assert_eq!(seen("SecAction id:11,phase:1,pass,skipAfter:END\nSecAction id:12,phase:1,deny"), [11, 4]);
}

#[test]
fn what_is_said_further_inside_counts() {
    let outer = "SecRuleEngine On\nSecAction id:1,phase:1,deny,status:401\nSecAction id:2,phase:1,deny,status:402";
    let status = |inner: &str| ask(&layers(&[outer, inner])).interruption().map(|ended| ended.status);
    assert_eq!(status(""), Some(401));
    assert_eq!(status("SecRuleRemoveById 1"), Some(402));
    assert_eq!(status("SecRuleUpdateActionById 1 pass"), Some(402));
    assert_eq!(status("SecRuleEngine DetectionOnly"), None);
    assert_eq!(status("SecAction id:3,phase:1,allow"), None);
}
