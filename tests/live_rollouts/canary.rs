//! A part of the clients, about whom both rulesets decide.

use super::*;
use fusewall::engine::{Answer, Resolver};
use fusewall::{Switch, limits::Limits};

/// A rollout in its canary, for half of the clients.
fn in_canary(waf: &Waf, words: &[&str], waive_loosening: bool) {
    let step = Step { share: Share::percent(50), least_millis: 0 };
    let plan = Plan { canary: vec![step], ..Plan::default() };
    let config = RolloutConfig { plan, waive_loosening, ..RolloutConfig::default() };
    waf.begin_rollout(staged(waf, words), config).expect("it begins");
    waf.approve_rollout().expect("it is under way");
    assert!(is_in_canary(&status(waf)));
}

/// One client that is in the canary, and one that is not.
fn in_and_out(waf: &Waf) -> (IpAddr, IpAddr) {
    let stage = |number: &u32| ask(waf, client(*number), "harmless").tried.map(|tried| tried.stage);
    let generation = |number: &u32| ask(waf, client(*number), "harmless").generation;
    let inside = (0..100).find(|number| stage(number) == Some("canary") && generation(number) == 2).expect("half are");
    let outside = (0..100).find(|number| generation(number) == 1).expect("half are not");
    (client(inside), client(outside))
}

#[test]
fn the_candidate_blocks_for_its_part_of_the_clients_and_loosens_for_nobody() {
    let waf = waf(&["old", "both"]);
    in_canary(&waf, &["new", "both"], false);
    let (inside, outside) = in_and_out(&waf);
    let decide = |client, word| {
        let verdict = ask(&waf, client, word);
        (blocks(&verdict), verdict.generation, logged(&verdict))
    };
    assert_eq!(decide(inside, "new"), (true, 2, vec![1]));
    assert_eq!(decide(inside, "both"), (true, 2, vec![2]));
    // What only the live ruleset blocks stays blocked, and the verdict is its.
    assert_eq!(decide(inside, "old"), (true, 1, vec![1]));
    assert_eq!(decide(inside, "none"), (false, 2, vec![]));
    assert_eq!(decide(outside, "new"), (false, 1, vec![]));
    assert_eq!(decide(outside, "old"), (true, 1, vec![1]));
}

#[test]
fn a_loosening_that_is_waived_in_passes() {
    let waf = waf(&["old"]);
    in_canary(&waf, &["new"], true);
    let (inside, outside) = in_and_out(&waf);
    assert!(!blocks(&ask(&waf, inside, "old")) && blocks(&ask(&waf, outside, "old")));
    assert!(blocks(&ask(&waf, inside, "new")) && !blocks(&ask(&waf, outside, "new")));
}

#[test]
fn what_one_of_the_two_refuses_early_the_other_still_gets_to_know() {
    // The candidate refuses by the header alone, the live ruleset by the body.
    let waf = waf(&["attack"]);
    let step = Step { share: Share::ALL, least_millis: 0 };
    let plan = Plan { canary: vec![step], ..Plan::default() };
    let early = "SecRuleEngine On\nSecRequestBodyAccess On\nSecRule REQUEST_URI \"@contains probe\" \"id:9,phase:1,deny,log,msg:'p'\"";
    let staged = waf.stage(&source(early.to_owned())).expect("it loads");
    waf.begin_rollout(staged, RolloutConfig { plan, ..RolloutConfig::default() }).expect("it begins");
    waf.approve_rollout().expect("it is under way");
    let send = |rest: bool| {
        let mut transaction = waf.transaction();
        transaction.process_connection(client(1), 4000, Ipv4Addr::LOCALHOST.into(), 80);
        transaction.process_request_line(b"POST", b"/probe", b"HTTP/1.1");
        transaction.add_request_header(b"Content-Type", b"application/x-www-form-urlencoded");
        transaction.add_request_header(b"Content-Length", b"8");
        assert!(transaction.process_request_headers().is_some());
        assert!(transaction.wants_rest());
        if rest {
            transaction.rest_of_request_body(b"x=attack");
        }
        transaction.process_logging();
    };
    send(true);
    let seen = wait_until(&waf, |status| status.comparison.requests == 1);
    assert_eq!((seen.comparison.changes, seen.incomplete), (0, 0), "both refuse it");
    send(false);
    let seen = wait_until(&waf, |status| status.incomplete == 1);
    assert_eq!(seen.comparison.requests, 1, "nobody knows what the other would have said");
}

#[test]
fn a_body_that_only_one_of_them_looks_at_is_kept_whole() {
    let without =
        "SecRuleEngine On\nSecRequestBodyAccess Off\nSecRule REQUEST_URI \"@contains probe\" \"id:9,phase:1,deny\"";
    for swapped in [false, true] {
        let texts = [rules(&["attack"]), without.to_owned()];
        let [live, candidate] = if swapped { [&texts[1], &texts[0]] } else { [&texts[0], &texts[1]] };
        let waf = Waf::builder().rules_text("r.conf", live.clone()).build().expect("it loads");
        let step = Step { share: Share::ALL, least_millis: 0 };
        let plan = Plan { canary: vec![step], ..Plan::default() };
        let staged = waf.stage(&source(candidate.clone())).expect("it loads");
        waf.begin_rollout(staged, RolloutConfig { plan, ..RolloutConfig::default() }).expect("it begins");
        waf.approve_rollout().expect("it is under way");
        let mut transaction = waf.transaction();
        transaction.process_connection(client(1), 4000, Ipv4Addr::LOCALHOST.into(), 80);
        transaction.process_request_line(b"POST", b"/", b"HTTP/1.1");
        transaction.add_request_header(b"Content-Type", b"application/x-www-form-urlencoded");
        assert!(transaction.process_request_headers().is_none() && transaction.inspects_request_body());
        transaction.write_request_body(b"x=attack");
        assert_eq!(transaction.request_body(), b"x=attack");
        assert!(transaction.process_request_body().is_some(), "either of them blocks, swapped: {swapped}");
    }
}

#[test]
fn in_pieces_or_at_once_both_come_to_the_same() {
    let waf = waf(&["old"]);
    in_canary(&waf, &["new"], false);
    let (inside, _) = in_and_out(&waf);
    for word in ["old", "new", "none"] {
        let whole = ask(&waf, inside, word);
        let mut transaction = waf.transaction();
        transaction.process_connection(inside, 4000, Ipv4Addr::LOCALHOST.into(), 80);
        transaction.process_request_line(b"POST", b"/", b"HTTP/1.1");
        transaction.add_request_header(b"Host", b"www.example");
        transaction.add_request_header(b"Content-Type", b"application/x-www-form-urlencoded");
        transaction.add_request_header(b"Content-Length", (2 + word.len()).to_string().as_bytes());
        let phases = [fusewall::rule::Phase::RequestHeaders, fusewall::rule::Phase::RequestBody];
        for phase in phases {
            if phase == fusewall::rule::Phase::RequestBody {
                transaction.write_request_body(format!("x={word}").as_bytes());
            }
            transaction.start(phase);
            while transaction.step(1) == fusewall::engine::Step::Pending {}
        }
        transaction.process_logging();
        assert_eq!(transaction.verdict().expect("no internal error"), whole, "{word}");
    }
}

#[test]
fn switches_reach_the_candidate_too() {
    let waf = waf(&["old"]);
    waf.switch_off(&Switch::Rule(RuleId(2)));
    in_canary(&waf, &["new", "other"], false);
    let (inside, _) = in_and_out(&waf);
    assert!(!blocks(&ask(&waf, inside, "other")), "it was off before");
    assert!(blocks(&ask(&waf, inside, "new")));
    waf.switch_off(&Switch::Tag("words".to_owned()));
    assert!(!blocks(&ask(&waf, inside, "new")) && !blocks(&ask(&waf, inside, "old")));
    waf.switch_on(&Switch::Tag("words".to_owned()));
    assert!(blocks(&ask(&waf, inside, "new")) && !blocks(&ask(&waf, inside, "other")));
}

/// A resolver that panics: what stands for a fault of the engine.
struct Faulty;

impl Resolver for Faulty {
    fn answer(&self, _: &str) -> Answer {
        panic!("injected")
    }
}

#[test]
fn a_candidate_that_fails_is_not_heard_and_holds_the_rollout() {
    let limits = Limits { block_lists: 1, ..Limits::default() };
    let waf = builder(&["old"]).limits(limits).resolver(Faulty).build().expect("it loads");
    let faulty = format!("{}SecRule REMOTE_ADDR \"@rbl list.example\" \"id:7,phase:2,deny\"", rules(&["new"]));
    let step = Step { share: Share::ALL, least_millis: 0 };
    let config = RolloutConfig { plan: Plan { canary: vec![step], ..Plan::default() }, ..quick() };
    waf.begin_rollout(waf.stage(&source(faulty)).expect("it loads"), config).expect("it begins");
    waf.approve_rollout().expect("it is under way");
    let verdict = ask(&waf, client(1), "none");
    assert_eq!((blocks(&verdict), verdict.generation), (false, 1), "the live ruleset decides");
    assert!(blocks(&ask(&waf, client(1), "old")));
    let ended = traffic_until(&waf, &["none"], |status| status.over);
    assert_eq!((ended.stage, waf.generation().number), (Stage::Refused, 1));
    assert!(ended.decisions.last().expect("a decision").to_string().contains("internal errors"));
}
