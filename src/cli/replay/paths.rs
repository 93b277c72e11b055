//! Where legitimate requests may be blocked: a rule that matches for many clients at the same path of a site is more often wrong
//! than right, an attacker comes alone.

use super::source::Recorded;
use super::summary::Example;
use crate::engine::MatchRecord;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// Paths that are counted one by one.
const PATHS: usize = 10_000;

/// Bytes of a path.
const PATH_BYTES: usize = 128;

/// Clients that are told from each other, for each path and rule.
const CLIENTS: usize = 64;

/// Places that matched, for each path.
const PLACES: usize = 64;

/// A rule and a place in the requests of a path for which it matches.
#[derive(Debug, Clone, Serialize)]
pub struct Candidate {
    /// The path; `*` stands for numbers and ids.
    pub path: String,
    /// The rule.
    pub rule: u64,
    /// What matched, such as `ARGS:q`.
    pub variable: String,
    /// Requests of that path that would be blocked, and for which it matched there.
    pub requests: u64,
    /// Requests of that path in all.
    pub of: u64,
    /// Their clients, 64 at most.
    pub clients: usize,
    /// The first of them.
    pub example: Example,
}

/// What is counted for each path.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    paths: HashMap<String, Path>,
    others: u64,
}

#[derive(Debug, Clone, Default)]
struct Path {
    requests: u64,
    places: HashMap<(u64, String), Place>,
}

#[derive(Debug, Clone)]
struct Place {
    requests: u64,
    clients: BTreeSet<IpAddr>,
    example: Example,
}

impl Paths {
    /// Counts a request; `suspect`: it would be blocked, and nobody has said that this is right.
    pub fn add(&mut self, recorded: &Recorded, logged: &[MatchRecord], suspect: bool) {
        let name = path(&recorded.request.uri);
        if !self.paths.contains_key(&name) && self.paths.len() >= PATHS {
            self.others += 1;
            return;
        }
        let path = self.paths.entry(name).or_default();
        path.requests += 1;
        // What looks at the score alone follows from the others.
        let is_cause = |record: &&MatchRecord| !record.variable.is_empty() && !record.variable.starts_with("TX:");
        for record in logged.iter().filter(|record| suspect && is_cause(record)) {
            let key = (record.rule.0, record.variable.clone());
            if path.places.len() >= PLACES && !path.places.contains_key(&key) {
                continue;
            }
            let place = path.places.entry(key).or_insert_with(|| Place {
                requests: 0,
                clients: BTreeSet::new(),
                example: Example::of(recorded),
            });
            place.requests += 1;
            if place.clients.len() < CLIENTS {
                place.clients.insert(recorded.request.client);
            }
        }
    }

    /// Requests of paths that are not counted one by one.
    pub fn others(&self) -> u64 {
        self.others
    }

    /// Those with most clients first.
    pub fn candidates(&self) -> Vec<Candidate> {
        let places = self.paths.iter().flat_map(|(name, path)| {
            path.places.iter().map(move |((rule, variable), place)| Candidate {
                path: name.clone(),
                rule: *rule,
                variable: variable.clone(),
                requests: place.requests,
                of: path.requests,
                clients: place.clients.len(),
                example: place.example.clone(),
            })
        });
        let mut all: Vec<_> = places.collect();
        all.sort_by(|a, b| {
            let order = |c: &Candidate| (std::cmp::Reverse((c.clients, c.requests)), c.rule);
            order(a).cmp(&order(b)).then_with(|| (&a.path, &a.variable).cmp(&(&b.path, &b.variable)))
        });
        all
    }
}

/// The path of a target, with `*` for the segments that name one thing of many: numbers, and long runs of hexadecimal digits.
fn path(target: &[u8]) -> String {
    let path = target.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
    let mut name = String::new();
    for (number, segment) in path.split(|&byte| byte == b'/').enumerate() {
        if number > 0 {
            name.push('/');
        }
        let hex = segment.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
        let is_id = !segment.is_empty() && (segment.iter().all(u8::is_ascii_digit) || hex && segment.len() >= 16);
        name.push_str(&if is_id { "*".to_owned() } else { segment.escape_ascii().to_string() });
        if name.len() > PATH_BYTES {
            name.truncate(PATH_BYTES);
            name.push_str("...");
            break;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn ids_in_paths_are_one() {
        assert_eq!(path(b"/users/17/posts/6f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0?x=1"), "/users/*/posts/*");
        assert_eq!((path(b"/"), path(b"/a%20b/\xff"), path(b"*")), ("/".into(), "/a%20b/\\xff".into(), "*".into()));
        assert_eq!(path(&b"/a".repeat(100)).len(), 131);
    }
}
