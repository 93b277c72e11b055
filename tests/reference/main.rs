//! The rules that we log against those that libmodsecurity 3.0.9 logged for the same requests and the same Core Rule Set.
//!
//! The corpus is not part of the project: `FUSEWALL_CORPUS_DIR` and `FUSEWALL_CONFORMANCE_DIR` say where it and the rules are.
//! By default a sample is compared; `FUSEWALL_REFERENCE=full cargo test --release --test reference -- --nocapture` compares
//! everything, and `FUSEWALL_REFERENCE_SHOW=12` also prints so many requests that no cause explains.

mod causes;
mod corpus;
mod minimal;

use causes::{CAUSES, Difference, Facts};
use corpus::Request;
use fusewall::Waf;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Of how many requests with a reference the sample takes one.
const SAMPLE: usize = 57;

/// The least share of requests with equal sets of rules, in percent: as logged, and after the causes.
struct Least {
    raw: f64,
    argued: f64,
}

/// What was found for a set.
#[derive(Debug, Default)]
struct Count {
    requests: usize,
    equal: usize,
    explained: usize,
    /// Of these, the ones that this cause alone explains: equal too if it were decided as libmodsecurity does.
    alone: [usize; CAUSES.len()],
    /// Of these, the ones that the other causes explain: equal too if all but this cause were decided as libmodsecurity does.
    without: [usize; CAUSES.len()],
    /// Rules logged by both engines, and by either.
    common: usize,
    either: usize,
    failed: usize,
    /// Requests in which the cause explains at least one rule.
    causes: [usize; CAUSES.len()],
    /// Request and rules that nothing explains.
    unexplained: Vec<(String, Vec<String>)>,
}

impl Count {
    fn add(&mut self, request: &Request, ours: &corpus::Logged, theirs: &std::collections::BTreeSet<u64>) {
        self.requests += 1;
        self.failed += usize::from(ours.failed);
        self.common += ours.detection.intersection(theirs).count();
        self.either += ours.detection.union(theirs).count();
        if ours.detection == *theirs {
            self.equal += 1;
            return;
        }
        let facts = Facts::new(request, ours);
        let (mut found, mut open) = ([false; CAUSES.len()], Vec::new());
        for &id in ours.detection.symmetric_difference(theirs) {
            let difference = Difference { id, extra: ours.detection.contains(&id) };
            match causes::cause(&facts, difference) {
                Some(cause) => found[cause] = true,
                None => open.push(format!("{}{id}", if difference.extra { '+' } else { '-' })),
            }
        }
        for (count, found) in self.causes.iter_mut().zip(found) {
            *count += usize::from(found);
        }
        if open.is_empty() {
            self.explained += 1;
            for (cause, (alone, without)) in self.alone.iter_mut().zip(&mut self.without).enumerate() {
                *alone += usize::from(found.iter().enumerate().all(|(other, found)| *found == (other == cause)));
                *without += usize::from(!found[cause]);
            }
        } else {
            self.unexplained.push((request.id.clone(), open));
        }
    }

    fn merge(&mut self, other: Count) {
        self.requests += other.requests;
        self.equal += other.equal;
        self.explained += other.explained;
        self.common += other.common;
        self.either += other.either;
        self.failed += other.failed;
        let sums = self.causes.iter_mut().chain(&mut self.alone).chain(&mut self.without);
        for (count, other) in sums.zip(other.causes.into_iter().chain(other.alone).chain(other.without)) {
            *count += other;
        }
        self.unexplained.extend(other.unexplained);
    }

    fn raw(&self) -> f64 {
        100.0 * self.equal as f64 / self.requests as f64
    }

    fn argued(&self) -> f64 {
        100.0 * (self.equal + self.explained) as f64 / self.requests as f64
    }

    fn print(&self, set: &str, show: usize) {
        let share = |part: usize, whole: usize| 100.0 * part as f64 / whole as f64;
        println!("{set}: {} requests, {:.2} % equal as logged", self.requests, self.raw());
        println!("  {:.2} % after all causes, {} unexplained", self.argued(), self.unexplained.len());
        println!("  {:.2} % of {} rules logged are logged by both", share(self.common, self.either), self.either);
        println!("  requests, equal if decided as libmodsecurity does: this cause alone, all but this cause");
        for (cause, name) in CAUSES.iter().map(|cause| cause.name).enumerate().filter(|(at, _)| self.causes[*at] > 0) {
            let equal = |more: usize| share(self.equal + more, self.requests);
            let (alone, without) = (equal(self.alone[cause]), equal(self.without[cause]));
            println!("  {:5}  {alone:.2} %  {without:.2} %  {name}", self.causes[cause]);
        }
        for (id, rules) in self.unexplained.iter().take(show) {
            println!("  {id}: {}", rules.join(" "));
        }
    }
}

/// Compares a set on two threads.
fn compare(waf: &Waf, corpus: &std::path::Path, set: &str, step: usize) -> Count {
    let reference = corpus::reference(corpus, set);
    let lines = corpus::lines(&corpus.join(format!("{set}.jsonl.gz")));
    let requests = Mutex::new(lines.map(|line| serde_json::from_str::<Request>(&line).expect("a request")));
    let requests = Mutex::new(
        std::iter::from_fn(|| requests.lock().expect("no panic").next())
            .filter(|request| reference.contains_key(&request.id))
            .step_by(step),
    );
    let work = || {
        let mut count = Count::default();
        loop {
            let next = requests.lock().expect("no panic").next();
            let Some(request) = next else { return count };
            count.add(&request, &request.evaluate(waf), &reference[&request.id]);
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut count = work();
        count.merge(other.join().expect("no panic"));
        count
    })
}

#[test]
fn rules_logged_are_those_of_libmodsecurity() {
    let corpus = corpus::folder("FUSEWALL_CORPUS_DIR", "corpus");
    let rules = corpus::folder("FUSEWALL_CONFORMANCE_DIR", "conformance").join("setup/crs-reference.conf");
    if !corpus.join("reference.tsv.gz").is_file() || !rules.is_file() {
        println!("left out: the comparison with libmodsecurity (no corpus in {})", corpus.display());
        return;
    }
    let full = std::env::var("FUSEWALL_REFERENCE").is_ok_and(|how| how == "full");
    let show = std::env::var("FUSEWALL_REFERENCE_SHOW").ok().and_then(|most| most.parse().ok()).unwrap_or(0);
    let waf = Waf::builder().rules_path(rules).build().expect("the rules load");
    let least = BTreeMap::from([
        ("attacks", Least { raw: 93.0, argued: 99.0 }),
        ("evasions", Least { raw: 93.0, argued: 99.0 }),
        ("benign", Least { raw: 93.0, argued: 99.0 }),
    ]);
    for (set, least) in least {
        let count = compare(&waf, &corpus, set, if full { 1 } else { SAMPLE });
        count.print(set, show);
        assert!(count.requests > 0, "{set}");
        assert_eq!(count.failed, 0, "{set}: internal errors");
        assert!(!full || count.raw() >= least.raw, "{set}: {:.2} % equal", count.raw());
        assert!(count.argued() >= least.argued, "{set}: {:.2} % after the causes", count.argued());
    }
}
