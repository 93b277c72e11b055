//! Stages that come and go while requests are under way.

use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Rollouts that come and go.
const ROUNDS: u64 = if cfg!(debug_assertions) { 40 } else { 200 };

/// No gate ever fails: all networks may be hostile.
fn whatever_it_does() -> RolloutConfig {
    let gates = Gates { hostile_sources: 32_000, min_sources: 65_000, ..Gates::default() };
    RolloutConfig { gates, ..RolloutConfig::default() }
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Each ruleset blocks its own word and the common one. Whatever comes into service when: the common word is always blocked, and what
/// is blocked is explained by the rules of the generation that the verdict names.
#[test]
fn every_verdict_is_that_of_the_generation_it_names() {
    let words = |generation: u64| if generation.is_multiple_of(2) { ["even", "common"] } else { ["odd", "common"] };
    let waf = waf(&words(1));
    let parity = std::sync::Mutex::new(std::collections::BTreeMap::from([(1, 1_u64)]));
    let (stop, asked) = (AtomicBool::new(false), AtomicU64::new(0));

    std::thread::scope(|scope| {
        // The others end whatever becomes of this thread.
        let stopping = Stop(&stop);
        for thread in 0..4_u32 {
            let (waf, stop, asked, parity) = (&waf, &stop, &asked, &parity);
            scope.spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let client = client(thread * 1000 + number % 500);
                    let word = ["even", "odd", "common", "none"][number as usize % 4];
                    let verdict = ask(waf, client, word);
                    asked.fetch_add(1, Ordering::Relaxed);
                    let is_even = parity.lock().unwrap().get(&verdict.generation).map(|parity| parity % 2 == 0);
                    let is_even = is_even.expect("a generation that was announced");
                    let own = match word {
                        "common" => true,
                        "none" => false,
                        "even" => is_even,
                        _ => !is_even,
                    };
                    assert_eq!(blocks(&verdict), own, "{word} {verdict:?}");
                }
            });
        }
        for round in 0..ROUNDS {
            let current = waf.generation().number;
            let is_even = parity.lock().unwrap()[&current] % 2 == 0;
            let next = staged(&waf, &words(u64::from(!is_even) + 1));
            // The numbers that the candidate may get, and what a rollback may come to.
            let opposite = u64::from(!is_even) + 1;
            let mut known = parity.lock().unwrap();
            known.insert(current + 1, opposite);
            drop(known);
            let contest = waf.begin_rollout(next, whatever_it_does()).expect("it begins");
            assert_eq!(contest.candidate, current + 1);
            let steps = round % 5;
            for _ in 0..steps {
                waf.approve_rollout().expect("it is under way");
                std::thread::yield_now();
            }
            // Whatever a rollback brings back has the parity of what was there before.
            parity.lock().unwrap().insert(current + 2, u64::from(is_even) + 1);
            waf.abort_rollout().expect("it is under way");
            let now = waf.generation().number;
            assert_eq!(now, if steps >= 4 { current + 2 } else { current });
            // A number that was given to a candidate is never given again.
            if now == current {
                let again = staged(&waf, &words(u64::from(is_even) + 1));
                parity.lock().unwrap().insert(current + 2, u64::from(is_even) + 1);
                waf.promote(again).expect("nobody else is there");
            }
        }
        drop(stopping);
    });
    assert!(asked.load(Ordering::Relaxed) > 1000);
}
