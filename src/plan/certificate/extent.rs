//! How many values, of how many bytes, a selection can find in a request of a given size.

use crate::http::{NAMES_CONSTANT, NAMES_PER_BYTE};
use crate::program::{KeyId, Program, Selection, SetStep, Source, Step, TextPart, Which};
use crate::rule::Variable;

/// Where the bytes of a request are. The same byte cannot be in two of them, but in several variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the request line.
    Line,
    /// In the header fields.
    Headers,
    /// In the body.
    Body,
}

/// A quantity that is linear in the bytes of each origin: what it is if all bytes of a request are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ByOrigin(pub(super) [u128; 3]);

impl ByOrigin {
    pub(super) fn of(origins: &[Origin], amount: u128) -> ByOrigin {
        let mut all = ByOrigin::default();
        origins.iter().for_each(|origin| all.0[*origin as usize] += amount);
        all
    }

    pub(super) fn add(&mut self, other: ByOrigin, times: u128) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum = sum.saturating_add(more.saturating_mul(times)));
    }
}

/// Values and bytes of a selection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extent {
    /// Values, at most.
    pub(super) values: u128,
    /// Bytes of them that a request brings.
    pub(super) bytes: ByOrigin,
    /// Bytes of them that it does not.
    pub(super) fixed: u128,
}

impl Extent {
    fn new(values: u128, bytes: ByOrigin, fixed: u128) -> Extent {
        Extent { values, bytes, fixed }
    }

    pub(super) fn and(mut self, other: Extent) -> Extent {
        self.values += other.values;
        self.bytes.add(other.bytes, 1);
        self.fixed += other.fixed;
        self
    }
}

/// Bytes of a value that says a number, a date or an address.
const SHORT: u128 = 64;

/// What is known of requests of `bytes` bytes under a program.
#[derive(Debug)]
pub(super) struct Size<'p> {
    pub(super) program: &'p Program,
    pub(super) bytes: u128,
    /// `setvar`s with keys that only a request tells, as often as they can run.
    written: u128,
    /// For each TX key, how many bytes rules can write there; `None`: as many as a request brings.
    entries: Vec<Option<u128>>,
}

impl<'p> Size<'p> {
    pub(super) fn new(program: &'p Program, bytes: usize) -> Size<'p> {
        let steps = program.rules.iter().flat_map(|rule| &rule.links).flat_map(|link| &link.actions);
        let open = steps.filter(|step| matches!(step, Step::SetVar(Variable::Tx, ..))).count() as u128;
        let mut size = Size { program, bytes: bytes as u128, written: 0, entries: entries(program) };
        size.written = (open * size.arguments()).min(program.limits.tx_entries as u128);
        size
    }

    /// Arguments, at most: each takes a separator and something that it separates.
    pub(super) fn arguments(&self) -> u128 {
        (self.bytes / 2 + 1).min(self.program.limits.arguments as u128 + 1)
    }

    /// Bytes that the names of JSON leaves repeat the paths to them with: a path takes bytes that leaves cannot have, and the reader
    /// has its limit.
    fn names(&self) -> u128 {
        let repeated = self.arguments() * self.bytes.saturating_sub(self.arguments());
        repeated.min(self.bytes * NAMES_PER_BYTE as u128 + NAMES_CONSTANT as u128)
    }

    /// Bytes of the longest name, such as rules show it.
    pub(super) fn longest_name(&self) -> u128 {
        2 * self.bytes + SHORT
    }

    /// The most bytes that an entry of TX can have.
    pub(super) fn entry(&self, key: KeyId) -> u128 {
        let known = self.entries.get(key.index()).copied().flatten();
        known.unwrap_or_else(|| self.bytes.max(SHORT)).min(self.program.limits.tx_value_bytes as u128)
    }

    /// What a selection can find. `members`: all members of its variables, whatever it selects of them.
    pub(super) fn selection(&self, selection: &Selection, members: bool) -> Extent {
        let targets = selection.targets.iter().map(|source| match source.count && !members {
            true => Extent::new(1, ByOrigin::default(), 20),
            false => self.source(source),
        });
        targets.fold(Extent::default(), Extent::and)
    }

    fn source(&self, source: &Source) -> Extent {
        if source.variable == Variable::Tx {
            return self.tx(&source.which);
        }
        self.variable(source.variable)
    }

    /// All members of a variable.
    pub(super) fn variable(&self, variable: Variable) -> Extent {
        use Origin::{Body, Headers, Line};
        use Variable as V;
        let limits = &self.program.limits;
        let n = self.bytes;
        let once = |origins: &[Origin]| Extent::new(1, ByOrigin::of(origins, n), SHORT);
        let headers = (n / 4 + 1).min(limits.headers as u128 + 1);
        // Cookies have no limit of their own, nor have parts of XML; a separator each.
        let (cookies, pieces) = (n / 2 + 1, n / 4 + 1);
        let parts = (n / 8 + 1).min(limits.multipart_parts as u128 + 1);
        let names = |origins: &[Origin]| {
            let mut bytes = ByOrigin::of(origins, n);
            if origins.contains(&Body) {
                bytes.add(ByOrigin::of(&[Body], self.names()), 1);
            }
            bytes
        };
        match variable {
            V::Args => Extent::new(2 * self.arguments(), ByOrigin::of(&[Line, Body], n), 0),
            V::ArgsGet => Extent::new(self.arguments(), ByOrigin::of(&[Line], n), 0),
            V::ArgsPost => Extent::new(self.arguments(), ByOrigin::of(&[Body], n), 0),
            V::ArgsNames => Extent::new(2 * self.arguments(), names(&[Line, Body]), 0),
            V::ArgsGetNames => Extent::new(self.arguments(), names(&[Line]), 0),
            V::ArgsPostNames => Extent::new(self.arguments(), names(&[Body]), 0),
            V::RequestHeaders | V::RequestHeadersNames => Extent::new(headers, ByOrigin::of(&[Headers], n), 0),
            V::RequestCookies | V::RequestCookiesNames => Extent::new(cookies, ByOrigin::of(&[Headers], n), 0),
            V::RequestUri | V::RequestUriRaw | V::RequestLine | V::QueryString | V::RequestFilename => once(&[Line]),
            V::RequestBasename | V::PathInfo | V::RequestMethod | V::RequestProtocol => once(&[Line]),
            V::RequestBody | V::StreamInputBody => once(&[Body]),
            V::FullRequest => once(&[Line, Headers, Body]),
            V::AuthType | V::RemoteUser | V::UserId | V::SessionId | V::ServerName | V::ReqbodyErrorMsg => {
                once(&[Line, Headers, Body])
            }
            V::Files | V::FilesNames | V::FilesTmpContent | V::MultipartFilename | V::MultipartName => {
                Extent::new(parts, ByOrigin::of(&[Body], n), 0)
            }
            V::MultipartPartHeaders => Extent::new(pieces, ByOrigin::of(&[Body], n), 0),
            V::FilesSizes | V::FilesTmpNames => Extent::new(parts, ByOrigin::default(), parts * 4 * SHORT),
            V::Xml | V::XmlAttributes => Extent::new(pieces, ByOrigin::of(&[Body], n), 0),
            V::MatchedVar | V::MatchedVarName => Extent::new(1, names(&[Line, Headers, Body]), SHORT),
            V::MatchedVars | V::MatchedVarsNames => {
                let most = (limits.matched_vars as u128).min(4 * self.arguments() + headers + cookies);
                Extent::new(most, names(&[Line, Headers, Body]), most * SHORT)
            }
            V::Tx => self.tx(&Which::All),
            V::Env | V::Rule | V::Geo => Extent::new(64, ByOrigin::default(), 64 * 64 * SHORT),
            V::PerfRules => {
                let rules = self.program.rules.len() as u128;
                Extent::new(rules, ByOrigin::default(), rules * 20)
            }
            persistent if persistent.is_persistent() => {
                let entries = limits.collection_entries as u128;
                Extent::new(entries, ByOrigin::default(), limits.collection_record_bytes as u128)
            }
            // What an answer brings is no part of a request.
            _ => Extent::new(1, ByOrigin::default(), SHORT),
        }
    }

    /// TX: what rules write of what they see.
    fn tx(&self, which: &Which) -> Extent {
        let all = [Origin::Line, Origin::Headers, Origin::Body];
        if let Which::Tx(key) = which {
            return match self.entries.get(key.index()).copied().flatten() {
                Some(bytes) => Extent::new(1, ByOrigin::default(), bytes),
                None => Extent::new(1, ByOrigin::of(&all, self.entry(*key)), SHORT),
            };
        }
        let open = self.entries.iter().filter(|known| known.is_none()).count() as u128 + self.written;
        let fixed: u128 = self.entries.iter().flatten().sum();
        let largest = self.bytes.min(self.program.limits.tx_value_bytes as u128);
        let entries = self.entries.len() as u128 + self.written;
        Extent::new(entries, ByOrigin::of(&all, largest * open), fixed + open * SHORT)
    }
}

/// What is written to TX, whatever the request: texts and numbers, and entries of that kind.
fn entries(program: &Program) -> Vec<Option<u128>> {
    let steps: Vec<&Step> = program.rules.iter().flat_map(|rule| &rule.links).flat_map(|link| &link.actions).collect();
    // The ten groups hold what has matched; a key that is known in part may turn out to be any that begins so.
    let starts: Vec<Vec<u8>> = steps.iter().filter_map(|step| open_key(step)).collect();
    let groups = |at: usize| at < 10;
    let may_be = |key: &[u8]| starts.iter().any(|start| key.starts_with(start));
    let mut known: Vec<Option<u128>> =
        program.tx_keys.iter().enumerate().map(|(at, key)| (!groups(at) && !may_be(key)).then_some(20)).collect();
    // Texts that hold other entries are as long as those; a few rounds settle all but those that hold themselves.
    for round in 0..ROUNDS {
        let before = known.clone();
        for step in &steps {
            let Step::SetTx(key, SetStep::Set(text)) = step else { continue };
            let bytes = text.parts.iter().map(|part| match part {
                TextPart::Literal(text) => Some(text.len() as u128),
                TextPart::Tx(other) => before.get(other.index()).copied().flatten(),
                TextPart::Variable(..) | TextPart::Matching(..) => None,
            });
            let bytes: Option<u128> = bytes.sum();
            if let Some(place) = known.get_mut(key.index()) {
                *place = place.zip(bytes).map(|(place, bytes)| place.max(bytes));
            }
        }
        if known == before {
            break;
        }
        if round + 1 == ROUNDS {
            known.fill(None);
        }
    }
    known
}

/// Rounds of [`entries`].
const ROUNDS: usize = 16;

/// How a key begins that only a request tells.
fn open_key(step: &Step) -> Option<Vec<u8>> {
    let Step::SetVar(Variable::Tx, key, _) = step else { return None };
    Some(match key.parts.first() {
        Some(TextPart::Literal(start)) => start.to_ascii_lowercase(),
        _ => Vec::new(),
    })
}
