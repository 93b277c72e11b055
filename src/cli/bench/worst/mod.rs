//! `fusewall bench --worst`: a bounded search for the dearest request of a ruleset, held against its certificate.
//!
//! It begins with texts that pump the repetitions of each pattern, and goes on with what turns out to be dear: two texts one after the
//! other, other bytes where one is repeated, other places in the request. The fuel that a request takes is all it is told. The same
//! ruleset gives the same search.

mod crowds;

use crate::cli::drill::pumps::pumps;
use crate::cli::requests::Prepared;
use crate::cli::say;
use crate::http::{NAMES_CONSTANT, NAMES_PER_BYTE};
use crate::lang::pcre;
use crate::limits::Limits;
use crate::plan::{Bound, bounds, largest_proven};
use crate::waf::Waf;
use anyhow::Context;
use serde::Serialize;

/// Bytes of a text while it is searched for.
const SMALL: usize = 2 << 10;
/// Sizes of the texts that the best are made into at last, in bytes.
const SIZES: [usize; 2] = [16 << 10, 64 << 10];
/// Pumps that are tried of one pattern.
const PUMPS: usize = 12;
/// Texts of each place that others are made of.
const ELITE: usize = 8;
/// Fuel that the search takes at most, about ten seconds.
const FUEL: u64 = 6_000_000_000;
/// Texts that are tried at most, beyond the first ones.
const TRIES: usize = 3_000;

/// Where in a request a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The value of a form field.
    Value,
    /// The name of one.
    Name,
    /// Strings of a JSON document.
    Strings,
    /// The path to many leaves of a JSON document, whose names all repeat it.
    Path,
}

impl Place {
    const ALL: [Place; 4] = [Place::Value, Place::Name, Place::Strings, Place::Path];

    const fn name(self) -> &'static str {
        match self {
            Place::Value => "the value of a form field",
            Place::Name => "the name of a form field",
            Place::Strings => "strings of a JSON document",
            Place::Path => "the path to many leaves of a JSON document",
        }
    }

    fn request(self, text: &[u8]) -> Prepared {
        const FORM: &str = "application/x-www-form-urlencoded";
        const JSON: &str = "application/json";
        let quoted = |text: &[u8]| serde_json::Value::from(String::from_utf8_lossy(text)).to_string();
        let (kind, body) = match self {
            Place::Value => (FORM, [b"x=", escaped(text).as_slice()].concat()),
            Place::Name => (FORM, escaped(text)),
            Place::Strings => {
                let strings: Vec<_> = text.chunks(400).map(quoted).collect();
                (JSON, format!("[{}]", strings.join(",")).into_bytes())
            }
            Place::Path => {
                // As many leaves as the reader lets repeat the path: sixteen times the document, and something more.
                let leaves = (NAMES_PER_BYTE - 1 + (NAMES_CONSTANT - (4 << 10)) / text.len().max(1)).min(900);
                (JSON, format!("{{{}:[{}1]}}", quoted(text), "1,".repeat(leaves)).into_bytes())
            }
        };
        Prepared::new("worst".to_owned(), "/", Some((kind, body)))
    }
}

/// A form value, with the escapes that it must have.
fn escaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 8);
    for &byte in text {
        match byte {
            b'%' | b'&' | b'+' | b'=' | b'#' | b';' => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out
}

/// A text that can be made longer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Text {
    /// What is repeated.
    body: Vec<u8>,
    /// What stands behind it once.
    end: Vec<u8>,
}

impl Text {
    fn of(body: Vec<u8>) -> Text {
        Text { body, end: Vec::new() }
    }

    /// About `size` bytes of it.
    fn sized(&self, size: usize) -> Vec<u8> {
        let size = size.saturating_sub(self.end.len());
        let mut text = self.body.repeat(size / self.body.len().max(1) + 1);
        text.truncate(size);
        text.extend_from_slice(&self.end);
        text
    }
}

/// A text, and what a request with it takes.
#[derive(Debug, Clone)]
struct Found {
    place: Place,
    text: Text,
    bytes: usize,
    fuel: u64,
    rules: Vec<(u64, u64)>,
}

impl Found {
    fn per_byte(&self) -> f64 {
        self.fuel as f64 / self.bytes.max(1) as f64
    }
}

/// What the search has found.
#[derive(Debug, Serialize)]
pub struct Worst {
    /// Requests that were evaluated.
    requests: usize,
    /// The dearest for each size.
    dearest: Vec<Dearest>,
    /// The largest request, in bytes, that can be proven not to spend the default budget whatever is in it.
    largest_proven: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Dearest {
    bytes: usize,
    fuel: u64,
    fuel_per_byte: f64,
    /// What the certificate says of requests of this size.
    certified: u64,
    /// How many times that is what was found.
    certified_times: f64,
    /// The default budget of such a request.
    budget: u64,
    place: &'static str,
    /// How the text begins.
    text: String,
    rules: Vec<RuleFuel>,
}

#[derive(Debug, Serialize)]
struct RuleFuel {
    id: u64,
    fuel: u64,
}

struct Search<'w> {
    waf: &'w Waf,
    certified: &'w dyn Fn(usize) -> Bound,
    requests: usize,
    left: u64,
    elite: Vec<Found>,
    /// The state of the generator of chance.
    chance: u64,
}

/// Budgets that never trip: what a request takes is what is asked for.
pub fn unbounded() -> Limits {
    Limits { fuel_base: u64::MAX, fuel_cap: u64::MAX, fuel_rule: u64::MAX, ..Limits::default() }
}

/// Searches under rules that were loaded with [`unbounded`] limits.
///
/// # Errors
/// A request that the engine fails on, or that takes more than is certified: both are faults of the engine.
pub fn search(waf: &Waf) -> anyhow::Result<Worst> {
    let loaded = waf.loaded();
    let program = loaded.program();
    let certified = bounds(&loaded);
    let mut search =
        Search { waf, certified: &certified, requests: 0, left: FUEL, elite: Vec::new(), chance: 0x5EED_F05E };
    for plan in &program.patterns {
        let Ok(tree) = pcre::parse_tree(&plan.pattern.text, plan.pattern.fold_case, &program.limits) else { continue };
        for pump in pumps(&tree, PUMPS) {
            search.consider(Place::Value, Text::of(pump.text(SMALL)))?;
        }
    }
    for text in crowds::texts(&loaded) {
        for place in Place::ALL {
            search.consider(place, text.clone())?;
        }
    }
    for place in [Place::Name, Place::Strings, Place::Path] {
        for found in search.elite.clone() {
            search.consider(place, found.text)?;
        }
    }
    // The first texts may take half, however many patterns there are.
    search.left = FUEL / 2;
    for _ in 0..TRIES {
        if search.left == 0 || search.elite.is_empty() {
            break;
        }
        let (place, text) = search.changed();
        search.consider(place, text)?;
    }
    let mut dearest = Vec::new();
    for size in SIZES {
        let mut best: Option<Found> = None;
        let of_place = |place| search.elite.iter().filter(move |found| found.place == place).take(3).cloned();
        for found in Place::ALL.into_iter().flat_map(of_place).collect::<Vec<_>>() {
            let found = search.take(found.place, found.text, size)?;
            if best.as_ref().is_none_or(|best| found.per_byte() > best.per_byte()) {
                best = Some(found);
            }
        }
        dearest.extend(best.map(|found| search.told(&found)));
    }
    let usual = Limits::default();
    let largest_proven = largest_proven(&loaded, &usual);
    Ok(Worst { requests: search.requests, dearest, largest_proven })
}

impl Search<'_> {
    fn take(&mut self, place: Place, text: Text, size: usize) -> anyhow::Result<Found> {
        let request = place.request(&text.sized(size));
        let transaction = request.evaluate(self.waf);
        let verdict = transaction.verdict().context("the engine has failed on a request")?;
        let bytes = request.bytes();
        let certified = (self.certified)(bytes).fuel;
        let shown = text.body.escape_ascii();
        anyhow::ensure!(
            verdict.fuel <= certified,
            "a request of {bytes} bytes takes {} fuel, certified are {certified}: this is a fault of the engine ({}: {shown})",
            verdict.fuel,
            place.name()
        );
        self.requests += 1;
        self.left = self.left.saturating_sub(verdict.fuel);
        let rules = transaction.dearest_rules(5).into_iter().map(|(id, fuel)| (id.0, fuel)).collect();
        Ok(Found { place, text, bytes, fuel: verdict.fuel, rules })
    }

    /// Tries a text, and keeps it if it is among the dearest.
    fn consider(&mut self, place: Place, text: Text) -> anyhow::Result<()> {
        if self.left == 0 || text.body.is_empty() {
            return Ok(());
        }
        let size = text.body.len().clamp(SMALL, 2 * SMALL) + text.end.len();
        let found = self.take(place, text, size)?;
        let rank = self.elite.partition_point(|other| other.per_byte() >= found.per_byte());
        if self.elite.iter().any(|other| other.text == found.text && other.place == found.place) {
            return Ok(());
        }
        self.elite.insert(rank, found);
        // The places differ in how dear they are by themselves: each has its own.
        if self.elite.iter().filter(|other| other.place == place).count() > ELITE {
            let last = self.elite.iter().rposition(|other| other.place == place);
            last.map(|at| self.elite.remove(at));
        }
        Ok(())
    }

    /// A number below `most`, by a generator of Marsaglia's kind.
    fn below(&mut self, most: usize) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance % most.max(1) as u64) as usize
    }

    fn piece(&mut self, text: &[u8], longest: usize) -> Vec<u8> {
        let start = self.below(text.len());
        let end = (start + 1 + self.below(longest)).min(text.len());
        text.get(start..end).unwrap_or_default().to_vec()
    }

    /// A text made of the dearest so far.
    fn changed(&mut self) -> (Place, Text) {
        let (place, body, end) = self.changed_body();
        (place, Text { body, end })
    }

    fn changed_body(&mut self) -> (Place, Vec<u8>, Vec<u8>) {
        let one = self.below(self.elite.len());
        let other = self.below(self.elite.len());
        let place = self.elite.get(one).map_or(Place::Value, |found| found.place);
        let Text { body: text, end } = self.elite.get(one).map(|found| found.text.clone()).unwrap_or_default();
        let second = self.elite.get(other).map(|found| found.text.body.clone()).unwrap_or_default();
        let (place, body) = match self.below(6) {
            // The other place.
            0 => {
                let at = self.below(Place::ALL.len());
                (Place::ALL.get(at).copied().unwrap_or(place), text)
            }
            // Half of each.
            1 => {
                let first = text.get(..text.len() / 2).unwrap_or_default();
                (place, [first, second.get(..second.len() / 2).unwrap_or_default()].concat())
            }
            // The first bytes, and a piece again and again.
            2 => {
                let start = self.below(60);
                let piece = self.piece(&text, 40);
                let start = text.get(..start.min(text.len())).unwrap_or_default();
                (place, [start, &piece.repeat(SMALL / piece.len().max(1))].concat())
            }
            // Another byte where one is repeated.
            3 => {
                let bytes = b" a1\n\r\t'\"/\\.(<$;:-_@x";
                let (from, to) = (self.below(text.len()), self.below(bytes.len()));
                let (from, to) = (text.get(from).copied(), bytes.get(to).copied().unwrap_or(b' '));
                (place, text.iter().map(|byte| if Some(*byte) == from { to } else { *byte }).collect())
            }
            // Beginnings of both in turn.
            4 => {
                let (a, b) = (4 + self.below(60), 4 + self.below(60));
                let turn = [
                    text.get(..a.min(text.len())).unwrap_or(&text),
                    second.get(..b.min(second.len())).unwrap_or(&second),
                ]
                .concat();
                (place, turn.repeat(SMALL / turn.len().max(1)))
            }
            // A piece of the other somewhere in it.
            _ => {
                let (at, piece) = (self.below(text.len()), self.piece(&second, 120));
                let (head, tail) = text.split_at(at.min(text.len()));
                (place, [head, &piece, tail].concat())
            }
        };
        (place, body, end)
    }

    fn told(&self, found: &Found) -> Dearest {
        let certified = (self.certified)(found.bytes).fuel;
        let usual = Limits::default();
        Dearest {
            bytes: found.bytes,
            fuel: found.fuel,
            fuel_per_byte: found.per_byte(),
            certified,
            certified_times: certified as f64 / found.fuel.max(1) as f64,
            budget: usual.budget(found.bytes),
            place: found.place.name(),
            text: found.text.body.iter().take(120).flat_map(|byte| byte.escape_ascii()).map(char::from).collect(),
            rules: found.rules.iter().map(|&(id, fuel)| RuleFuel { id, fuel }).collect(),
        }
    }
}

impl Worst {
    /// Answers people.
    ///
    /// # Errors
    /// Standard output that cannot be written.
    pub fn print(&self) -> std::io::Result<()> {
        say(format_args!("{} requests tried; the dearest that were found, without a budget:", self.requests))?;
        for dearest in &self.dearest {
            say(format_args!(
                "{:>8} bytes  {:>14} fuel ({:.0} a byte)  certified {} ({:.1} times that), budget {}",
                dearest.bytes,
                dearest.fuel,
                dearest.fuel_per_byte,
                dearest.certified,
                dearest.certified_times,
                dearest.budget
            ))?;
            say(format_args!("                in {}: {}", dearest.place, dearest.text))?;
            let rules: Vec<_> = dearest.rules.iter().map(|rule| format!("{} {}", rule.id, rule.fuel)).collect();
            say(format_args!("                dearest rules: {}", rules.join(", ")))?;
        }
        match self.largest_proven {
            Some(bytes) => say(format_args!("no request of {bytes} bytes or less can spend the default budget")),
            None => say("no size is proven never to spend the default budget"),
        }
    }
}
