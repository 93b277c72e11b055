//! The swap protocol in many interleavings: what must hold in each of them, whoever is faster.
//!
//! `shuttle` runs the threads of a test one step at a time and decides whose turn it is, at random and with few changes in unlikely
//! places; a deadlock is a failure, too. It takes the locks and pointers of `src/sync.rs`, so this wants a build of its own:
//! `RUSTFLAGS="--cfg fusewall_model" cargo test --target-dir target/model --test swap_model`. `.ci/full` runs it.
//! `FUSEWALL_MODEL_RUNS` says how many interleavings of each kind each test goes through (default 2,000). A failure prints its
//! schedule, which `shuttle::replay` goes through again.
#![cfg(fusewall_model)]

mod faults;
mod held;
mod rollouts;
mod slot;
mod switches;

use fusewall::engine::FixedEnv;
use fusewall::files::MemoryFiles;
use fusewall::rule::RuleId;
use fusewall::store::{Loading, Release, Releases, RuleSource, prepare};
use fusewall::{Staged, Transaction, Waf, WafBuilder};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::thread::{JoinHandle, spawn};
use shuttle::{Config, Runner};
use std::sync::{Arc, LazyLock};

/// Changes of turn that PCT chooses the places of: enough for all that is known to go wrong here.
const DEPTH: usize = 4;

/// Goes through interleavings of the threads that `test` starts.
fn in_every_order(test: impl Fn() + Send + Sync + 'static) {
    let runs = std::env::var("FUSEWALL_MODEL_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(2000);
    let test = Arc::new(test);
    let go_through = |scheduler: Box<dyn Scheduler + Send>| {
        let mut config = Config::new();
        config.stack_size = 1 << 20;
        config.silence_warnings = true;
        let test = test.clone();
        Runner::new(scheduler, config).run(move || test());
    };
    go_through(Box::new(RandomScheduler::new(runs)));
    go_through(Box::new(PctScheduler::new(DEPTH, runs)));
}

/// Rules that refuse `evil`, by rule 1, and `word`, by rule 2.
fn rules(word: &str) -> String {
    let rule = |id: u32, word: &str| format!("SecRule ARGS \"@streq {word}\" \"id:{id},phase:1,deny,tag:'word'\"\n");
    format!("SecRuleEngine On\n{}{}", rule(1, "evil"), rule(2, word))
}

fn source(word: &str) -> RuleSource {
    RuleSource::Text { name: "rules.conf".into(), text: rules(word) }
}

/// What all runs share: the automata are compiled once.
static LOADING: LazyLock<Loading> =
    LazyLock::new(|| Loading { releases: Some(Arc::new(Releases::new())), ..Loading::default() });

/// Keeps them in use.
static KEPT: LazyLock<Vec<(&'static str, Arc<Release>)>> =
    LazyLock::new(|| ["a", "b", "c"].map(|word| (word, Arc::new(load(word)))).into());

/// The rules that refuse that word, as a release of their own.
fn load(word: &str) -> Release {
    prepare(&source(word), &MemoryFiles::new(), &LOADING, false).expect("it loads").release
}

/// The rules that refuse that word.
fn release(word: &str) -> Arc<Release> {
    KEPT.iter().find(|(other, _)| *other == word).map(|(_, release)| release.clone()).expect("it is kept")
}

fn builder() -> WafBuilder {
    LazyLock::force(&KEPT);
    let builder = Waf::builder().env(FixedEnv::default()).keep_generations(2);
    let builder = LOADING.releases.iter().fold(builder, |builder, domain| builder.releases(domain.clone()));
    builder.rules_text("rules.conf", rules("a"))
}

/// Generation 1 has the rules of `a`.
fn waf() -> Waf {
    builder().build().expect("it loads")
}

fn staged(waf: &Waf, word: &str) -> Staged {
    waf.stage(&source(word)).expect("it loads")
}

/// A thread that does something with it.
fn beside<T: Send + 'static>(waf: &Waf, work: impl FnOnce(&Waf) -> T + Send + 'static) -> JoinHandle<T> {
    let waf = waf.clone();
    spawn(move || work(&waf))
}

fn join<T>(threads: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
}

/// Whether an exchange that has begun refuses that word.
fn refuses(mut exchange: Transaction, word: &str) -> bool {
    exchange.process_request_line(b"GET", format!("/?x={word}").as_bytes(), b"HTTP/1.1");
    exchange.add_request_header(b"Host", b"www.example");
    exchange.process_request_headers().is_some()
}

const EVIL: RuleId = RuleId(1);
