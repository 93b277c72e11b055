//! The way through the stages, and out of them.

use super::*;
use fusewall::store::journal;
use fusewall::store::rollout::{Finding, Gate, Must, Why};
use fusewall::{NotBegun, Probe, Recorded};

#[test]
fn in_the_shadow_the_candidate_is_asked_and_decides_nothing() {
    let waf = waf(&["old"]);
    let config = RolloutConfig { every_request: true, ..RolloutConfig::default() };
    let contest = waf.begin_rollout(staged(&waf, &["new"]), config).expect("it begins");
    assert_eq!((contest.live, contest.candidate), (1, 2));
    let old = ask(&waf, client(1), "old");
    assert!(blocks(&old) && !blocks(&ask(&waf, client(2), "new")) && !blocks(&ask(&waf, client(3), "none")));
    let tried = old.tried.expect("it says so");
    assert_eq!((old.generation, tried.stage, tried.beside), (1, "shadow", 2));
    let seen = wait_until(&waf, |status| status.comparison.requests == 3).comparison;
    assert_eq!((seen.changes, seen.newly_blocked, seen.newly_passed), (2, 1, 1));
    let status = status(&waf);
    assert_eq!((status.figures.newly_blocked, status.figures.newly_passed, status.left_out), (1, 1, 0));
    assert_eq!(waf.generation().number, 1);
}

#[test]
fn a_candidate_that_changes_nothing_comes_through_all_stages_under_its_number() {
    let waf = waf(&["attack"]);
    let contest = waf.begin_rollout(staged(&waf, &["attack", "rare"]), quick()).expect("it begins");
    traffic_until(&waf, &["a", "b", "attack"], |status| status.stage == Stage::Promoted);
    let about = waf.generation();
    assert_eq!(about.number, contest.candidate);
    assert!(blocks(&ask(&waf, client(1), "rare")), "the candidate decides");
    let decisions = status(&waf).decisions;
    let stages: Vec<_> = decisions.iter().map(|decision| (decision.to.name(), decision.why == Why::Passed)).collect();
    assert_eq!(stages, [("canary", true), ("canary", true), ("promoted", true)]);
    assert_eq!(waf.roll_back().expect("the one before is kept").origin, fusewall::store::Origin::RolledBack(1));
    let ended = wait_until(&waf, |status| status.over);
    assert!(ended.problem.is_some_and(|problem| problem.contains("generation 3")), "somebody went back by hand");
}

#[test]
fn whoever_reads_that_it_is_promoted_finds_it_in_service() {
    let waf = waf(&["old"]);
    for _ in 0..100 {
        let contest = waf.begin_rollout(staged(&waf, &["new"]), RolloutConfig::default()).expect("it begins");
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let told = wait_until(&waf, |status| status.stage == Stage::Promoted);
                (waf.generation().number, told.decisions.last().map(|decision| decision.to))
            });
            while status(&waf).stage != Stage::Promoted {
                waf.approve_rollout().expect("it is under way");
            }
            assert_eq!(reader.join().expect("it ends"), (contest.candidate, Some(Stage::Promoted)));
        });
        waf.abort_rollout().expect("it is under way");
    }
}

#[test]
fn a_candidate_that_blocks_what_passes_is_refused_in_the_shadow() {
    let waf = waf(&["attack"]);
    waf.begin_rollout(staged(&waf, &["attack", "a"]), quick()).expect("it begins");
    let ended = traffic_until(&waf, &["a", "b", "a"], |status| status.over);
    assert_eq!((ended.stage, waf.generation().number), (Stage::Refused, 1));
    let decision = ended.decisions.last().expect("it was decided");
    assert_eq!(decision.why, Why::Failed);
    let failed = |gate| decision.gates.iter().any(|judged| judged.gate == gate && judged.finding == Finding::Failed);
    assert!(failed(Gate::NewlyBlocked) && failed(Gate::RuleShare(2)), "{decision}");
    let after = ask(&waf, client(1), "a");
    assert!(!blocks(&after) && after.tried.is_none(), "nobody is asked any longer");
}

#[test]
fn what_does_harm_after_its_promotion_is_rolled_back() {
    let waf = waf(&["attack"]);
    waf.begin_rollout(staged(&waf, &["attack", "later"]), quick()).expect("it begins");
    for _ in 0..3 {
        waf.approve_rollout().expect("it is under way").expect("it goes on");
    }
    assert_eq!((status(&waf).stage, waf.generation().number), (Stage::Promoted, 2));
    let watched = ask(&waf, client(1), "harmless").tried.expect("it is watched");
    assert_eq!((watched.stage, watched.beside), ("promoted", 1));
    let ended = traffic_until(&waf, &["later", "b", "later"], |status| status.over);
    assert_eq!(ended.stage, Stage::RolledBack);
    assert_eq!(waf.generation().origin, fusewall::store::Origin::RolledBack(1));
    assert!(!blocks(&ask(&waf, client(1), "later")));
}

#[test]
fn requests_of_ones_own_decide_at_once() {
    let request = |word: &str| {
        let mut request = Recorded::new(client(1));
        request.line(b"POST", b"/", b"HTTP/1.1");
        request.header(b"Host", b"www.example");
        request.header(b"Content-Type", b"application/x-www-form-urlencoded");
        request.body(format!("x={word}").as_bytes());
        request
    };
    let probe = |word: &str, must| Probe { id: word.to_owned(), must, request: request(word) };
    let probes = vec![probe("attack", Must::Block), probe("benign", Must::Pass)];
    let waf = waf(&["attack"]);
    let try_words = |words: &[&str]| {
        let config = RolloutConfig { probes: probes.clone(), ..RolloutConfig::default() };
        waf.begin_rollout(staged(&waf, words), config).expect("it begins");
        status(&waf)
    };
    let ended = try_words(&["benign", "attack"]);
    assert!(ended.decisions[0].to_string().starts_with("refused: it blocks the benign request benign"));
    let ended = try_words(&["other"]);
    assert!(ended.decisions[0].to_string().starts_with("refused: it lets the attack attack pass"));
    assert!(!try_words(&["attack"]).over);
}

#[test]
fn one_at_a_time_and_only_against_what_is_in_service() {
    let waf = waf(&["attack"]);
    let [first, second, late] = [1, 2, 3].map(|_| staged(&waf, &["attack", "b"]));
    waf.begin_rollout(first, quick()).expect("it begins");
    assert!(matches!(waf.begin_rollout(second, RolloutConfig::default()), Err(NotBegun::UnderWay(_))));
    waf.replace(&source(rules(&["c"]))).expect("whoever wants may replace what is in service");
    assert!(!blocks(&ask(&waf, client(1), "b")) && ask(&waf, client(1), "b").tried.is_none());
    let ended = wait_until(&waf, |status| status.over);
    assert_eq!(ended.stage, Stage::Refused);
    assert!(ended.problem.expect("it says why").contains("generation 3"));
    assert!(matches!(waf.begin_rollout(late, RolloutConfig::default()), Err(NotBegun::Refused(_))));
    assert!(waf.approve_rollout().is_err() && waf.abort_rollout().is_err());
}

#[test]
fn without_a_generation_to_go_back_to_nothing_begins() {
    let waf = builder(&["attack"]).keep_generations(0).build().expect("it loads");
    assert!(matches!(waf.begin_rollout(staged(&waf, &["b"]), quick()), Err(NotBegun::NothingKept)));
}

#[test]
fn a_journal_leads_to_the_same_decisions() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rollout.jsonl");
    let waf = waf(&["attack"]);
    let config = || RolloutConfig { journal: Some(path.clone()), ..quick() };
    waf.begin_rollout(staged(&waf, &["attack", "a"]), config()).expect("it begins");
    let ended = traffic_until(&waf, &["a", "b", "attack"], |status| status.over);
    assert_eq!(journal::replay(&path).expect("it reads"), ended.decisions);
    assert!(ended.problem.is_none());
    // What is there is not written over.
    assert!(matches!(waf.begin_rollout(staged(&waf, &["attack"]), config()), Err(NotBegun::Io { .. })));
    // A process that ends in the middle of a line leaves the rest readable; a line in the middle that is none is an error.
    let text = std::fs::read_to_string(&path).expect("a journal");
    std::fs::write(&path, &text[..text.len() - 10]).expect("it is cut");
    assert!(journal::replay(&path).is_ok());
    std::fs::write(&path, text.replacen("\"event\"", "\"even\"", 1)).expect("it is damaged");
    let problem = journal::replay(&path).expect_err("it is damaged").to_string();
    assert!(problem.contains("line 2"), "{problem}");
}
