//! The Core Rule Set over recorded traffic: planned, plain and interpreted.

use crate::oracle::compare::Forms;
use crate::oracle::exchange::Exchange;
use crate::traffic::{self, Request};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Requests that are compared unless `FUSEWALL_NAIVE_REQUESTS` asks for more.
const SAMPLE: usize = 300;

impl From<Request> for Exchange {
    fn from(request: Request) -> Exchange {
        let Request { id, method, target, version, headers, body, client } = request;
        Exchange { id, method, target, version, headers, body, remote: client, response: None, after: 0 }
    }
}

/// About `count` requests, evenly spread over the files; `None` if they are not there.
fn requests(count: usize) -> Option<Vec<Exchange>> {
    let files = ["attacks", "benign", "evasions"];
    let share = count.div_ceil(files.len());
    let mut all: Vec<_> = files.iter().map(|name| Some((share, traffic::lines(name)?))).collect::<Option<_>>()?;
    // What a small file cannot give the others do.
    all.sort_by_key(|(_, lines)| lines.len());
    let mut found = Vec::new();
    let mut owed = 0;
    for (share, lines) in all {
        let wanted = share + owed;
        let taken = wanted.min(lines.len());
        owed = wanted - taken;
        let at = (0..taken).map(|number| number * lines.len() / taken.max(1));
        found.extend(at.map(|at| Exchange::from(traffic::parse(&lines[at]))));
    }
    Some(found)
}

#[test]
fn the_core_rule_set_means_the_same_to_all() {
    let Some(rules) = traffic::setup("crs-reference") else { return };
    let count = std::env::var("FUSEWALL_NAIVE_REQUESTS").map_or(SAMPLE, |number| number.parse().expect("a number"));
    let Some(requests) = requests(count) else { return };
    let forms = Forms::of_file(&rules).unwrap_or_else(|error| panic!("{error}"));
    let (next, logged) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let differences = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(exchange) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match forms.agree(exchange) {
                        Ok(outcome) => {
                            logged.fetch_add(outcome.logged.len(), Ordering::Relaxed);
                        }
                        Err(difference) => differences.lock().unwrap().push((exchange.id.clone(), difference)),
                    }
                }
            });
        }
    });
    let differences = differences.into_inner().unwrap();
    println!(
        "compared {} requests: {} log records alike, {} requests differ",
        requests.len(),
        logged.into_inner(),
        differences.len()
    );
    for (id, difference) in differences.iter().take(40) {
        println!("{id}: {difference}");
    }
    assert!(differences.is_empty(), "{} of {} requests differ", differences.len(), requests.len());
}
