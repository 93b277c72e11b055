//! The circuit breakers of a ruleset in service.

use crate::broken::Broken;
use crate::simulation::address;
use fusewall::governor::{QuarantineConfig, Shed, ShedReason, State};
use fusewall::rule::RuleId;
use fusewall::store::RuleSource;
use fusewall::{Interruption, Waf, WafBuilder};

/// Rule 1 is dear on long values, rule 2 never, rule 3 is protected and as dear as rule 1.
const RULES: &str = r#"
SecRule ARGS:a "@rx ^(?:x|y|xy)*(z+)$" "id:1,phase:1,deny,capture"
SecRule ARGS:b "@streq bad" "id:2,phase:1,deny,status:403"
SecRule ARGS:a "@rx ^(?:x|y|xyx)*(z+)$" "id:3,phase:1,deny,capture,tag:'fusewall/critical'"
"#;

fn waf(mode: &str) -> Waf {
    let config = QuarantineConfig { dear_fuel: 4_000, most_off: 1.0, ..QuarantineConfig::default() };
    builder(&format!("SecRuleEngine {mode}\n{RULES}")).quarantine(config).build().expect("the rules load")
}

fn builder(rules: &str) -> WafBuilder {
    Waf::builder().rules_text("rules.conf", rules)
}

/// A request that makes rules 1 and 3 dear, and matches none.
fn dear() -> String {
    format!("/?a={}q", "z".repeat(8_000))
}

/// A request of a client; its outcome, and the rules that matched.
fn ask(waf: &Waf, client: u32, target: &str) -> (Option<Interruption>, Vec<u64>) {
    let mut exchange = waf.transaction();
    exchange.process_connection(address(client), 5000, address(0), 80);
    exchange.process_request_line(b"GET", target.as_bytes(), b"HTTP/1.1");
    let ended = exchange.process_request_headers();
    (ended, exchange.records().iter().map(|record| record.rule.0).collect())
}

#[test]
fn a_dear_rule_that_only_watches_goes_off_and_the_others_go_on() {
    let waf = waf("DetectionOnly");
    let hit = "/?a=xyz&b=bad";
    assert_eq!(ask(&waf, 0, hit).1, [1, 2, 3]);
    let dear = dear();
    for client in 0..400 {
        ask(&waf, client % 100, &dear);
    }
    assert_eq!(ask(&waf, 0, hit).1, [2, 3]);
    assert_eq!(waf.quarantined(), [(RuleId(1), State::Open)]);
    // Rules that come into service later have breakers of their own.
    let text = format!("SecRuleEngine DetectionOnly\n{RULES}");
    waf.replace(&RuleSource::Text { name: "rules.conf".into(), text }).expect("they load");
    assert_eq!(ask(&waf, 0, hit).1, [1, 2, 3]);
    for client in 0..400 {
        ask(&waf, client % 100, &dear);
    }
    assert_eq!(ask(&waf, 0, hit).1, [2, 3]);
}

#[test]
fn few_clients_and_enforcing_rules_change_nothing() {
    let dear = dear();
    for (mode, clients) in [("DetectionOnly", 5), ("On", 100)] {
        let waf = waf(mode);
        let mut exchange = waf.transaction();
        exchange.process_request_line(b"GET", dear.as_bytes(), b"HTTP/1.1");
        exchange.process_request_headers();
        assert!(exchange.dearest_rules(1).first().is_some_and(|(_, fuel)| *fuel > 4_000), "the request is dear");
        for client in 0..400 {
            assert_eq!(ask(&waf, client % clients, &dear), (None, Vec::new()));
        }
        assert_eq!(ask(&waf, 0, "/?a=xyz").1.first(), Some(&1), "{mode}");
    }
}

#[test]
fn a_rule_that_fails_for_many_counts_as_a_match_and_one_client_is_refused_instead() {
    let world = Broken::default();
    let rules = (1..=4).map(|id| {
        format!(
            "SecRule ARGS:a \"@streq {id}\" \"id:{id},phase:1,deny,status:403,chain\"\nSecRule TIME_EPOCH \"@gt 5\"\n"
        )
    });
    let rules = format!("SecRuleEngine On\n{}", rules.collect::<String>());
    let config = QuarantineConfig { most_off: 1.0, ..QuarantineConfig::default() };
    let waf = builder(&rules).env(world.clone()).quarantine(config).build().expect("the rules load");
    let fails = |client: u32, rule: u32| -> Result<Option<u16>, Shed> {
        world.set(false);
        let mut exchange = waf.admit(address(client))?;
        exchange.process_connection(address(client), 5000, address(0), 80);
        exchange.process_request_line(b"GET", format!("/?a={rule}").as_bytes(), b"HTTP/1.1");
        world.set(true);
        let status = exchange.process_request_headers().map(|ended| ended.status);
        world.set(false);
        Ok(status)
    };
    for rule in 1..=3 {
        assert_eq!(fails(7, rule), Ok(Some(500)));
    }
    let shed = fails(7, 4).expect_err("it is refused");
    assert_eq!((shed.status, shed.reason), (429, ShedReason::Faults));
    // No rule was touched: the next client sees the same.
    assert_eq!(fails(8, 1), Ok(Some(500)));
    let met: Vec<_> = (100..160).map(|client| fails(client, 1)).collect();
    assert_eq!(met.first(), Some(&Ok(Some(500))));
    assert_eq!(met.last(), Some(&Ok(Some(403))));
}
