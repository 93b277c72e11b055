//! The Core Rule Set over recorded traffic: planned, plain and interpreted.

use crate::oracle::compare::Forms;
use crate::oracle::exchange::Exchange;
use base64::Engine;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Requests that are compared unless `FUSEWALL_NAIVE_REQUESTS` asks for more.
const SAMPLE: usize = 300;

#[derive(Deserialize)]
struct Recorded {
    id: String,
    method: String,
    uri: String,
    #[serde(default)]
    version: Option<String>,
    headers: Vec<(String, String)>,
    body_b64: Option<String>,
    remote_addr: Option<IpAddr>,
    #[serde(default)]
    latin1: bool,
}

impl Recorded {
    fn exchange(self) -> Exchange {
        let bytes = |text: &str| match self.latin1 && text.chars().all(|c| c <= '\u{ff}') {
            true => text.chars().map(|c| c as u8).collect(),
            false => text.as_bytes().to_vec(),
        };
        let body = self.body_b64.unwrap_or_default();
        let plain = Exchange::default();
        Exchange {
            method: bytes(&self.method),
            target: bytes(&self.uri),
            version: self.version.as_deref().map_or(plain.version, bytes),
            headers: self.headers.iter().map(|(name, value)| (bytes(name), bytes(value))).collect(),
            body: base64::engine::general_purpose::STANDARD.decode(body).expect("the corpus holds Base64"),
            remote: self.remote_addr.unwrap_or(plain.remote),
            id: self.id,
            response: None,
            after: 0,
        }
    }
}

fn folder(variable: &str, default: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(default), PathBuf::from)
}

/// About `count` requests, evenly spread over the files.
fn requests(corpus: &Path, count: usize) -> Vec<Exchange> {
    let files = ["attacks.jsonl.gz", "benign.jsonl.gz", "evasions.jsonl.gz"];
    let mut all = Vec::new();
    for name in files {
        let file = File::open(corpus.join(name)).expect("a corpus file");
        let lines: Vec<String> = BufReader::new(MultiGzDecoder::new(file)).lines().map(|line| line.unwrap()).collect();
        let share = count.div_ceil(files.len());
        all.push((share, lines));
    }
    // What a small file cannot give the others do.
    all.sort_by_key(|(_, lines)| lines.len());
    let mut found = Vec::new();
    let mut owed = 0;
    for (share, lines) in all {
        let wanted = share + owed;
        let taken = wanted.min(lines.len());
        owed = wanted - taken;
        let at = (0..taken).map(|number| number * lines.len() / taken.max(1));
        found.extend(at.map(|at| serde_json::from_str::<Recorded>(&lines[at]).expect("a request").exchange()));
    }
    found
}

#[test]
fn the_core_rule_set_means_the_same_to_all() {
    let rules = folder("FUSEWALL_CONFORMANCE_DIR", "../shared/conformance").join("setup/crs-reference.conf");
    let corpus = folder("FUSEWALL_CORPUS_DIR", "../shared/corpus");
    if !rules.is_file() || !corpus.is_dir() {
        eprintln!("left out: {} over {}", rules.display(), corpus.display());
        return;
    }
    let count = std::env::var("FUSEWALL_NAIVE_REQUESTS").map_or(SAMPLE, |number| number.parse().expect("a number"));
    let forms = Forms::of_file(&rules).unwrap_or_else(|error| panic!("{error}"));
    let requests = requests(&corpus, count);
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
