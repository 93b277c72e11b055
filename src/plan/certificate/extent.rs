//! How many values, of how many bytes, a selection can find in a request of a given size.

use super::amount::{Amount, Origin};
use crate::http::{NAMES_CONSTANT, NAMES_PER_BYTE};
use crate::program::{CtlStep, KeyId, Link, Loaded, Program, Selection, SetStep, Source, Step, Text, TextPart, Which};
use crate::rule::{Variable, XmlIntoArgs};

/// Values and bytes of a selection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extent {
    /// Values, at most.
    pub(super) values: Amount,
    /// Bytes of all of them.
    pub(super) bytes: Amount,
}

impl Extent {
    /// So many values of so many bytes, whatever the request.
    pub(super) fn fixed(values: u128, bytes: u128) -> Extent {
        Extent { values: Amount::fixed(values), bytes: Amount::fixed(bytes) }
    }

    pub(super) fn and(self, other: Extent) -> Extent {
        Extent { values: self.values.plus(other.values), bytes: self.bytes.plus(other.bytes) }
    }
}

/// Bytes of a value that says a number, a date or an address.
const SHORT: u128 = 64;
/// Bytes of a number that rules write.
const NUMBER: u128 = 20;

/// What is known of requests of `bytes` bytes under a program.
#[derive(Debug)]
pub(super) struct Size<'p> {
    pub(super) program: &'p Program,
    pub(super) loaded: &'p Loaded,
    pub(super) bytes: u128,
    /// Entries of TX with keys that only a request tells, all that rules can write.
    written: Extent,
    /// For each TX key, how many bytes rules can write there; `None`: as many as a request brings.
    entries: Vec<Option<u128>>,
}

impl<'p> Size<'p> {
    pub(super) fn new(loaded: &'p Loaded, bytes: usize) -> Size<'p> {
        let program = loaded.program();
        let entries = entries(program);
        let mut size = Size { program, loaded, bytes: bytes as u128, written: Extent::default(), entries };
        let links = program.rules.iter().flat_map(|rule| &rule.links);
        let mut written = links.fold(Extent::default(), |sum, link| sum.and(size.written_by(link)));
        if written.values.most() > program.limits.tx_entries as u128 {
            written.values = Amount::fixed(program.limits.tx_entries as u128);
        }
        size.written = written;
        size
    }

    /// Arguments, at most: each takes a separator and something that it separates.
    pub(super) fn arguments(&self) -> u128 {
        (self.bytes / 2 + 1).min(self.program.limits.arguments as u128 + 1)
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
            true => Extent::fixed(1, NUMBER),
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

    /// So many values that take `each` bytes, and one more; together all bytes of these origins.
    fn pieces(&self, origins: &[Origin], each: u128, limit: usize) -> Extent {
        let (values, limit) = (self.bytes.div_ceil(each), limit as u128);
        // Few bytes bring as many values as a limit allows: the others may be elsewhere.
        let values = if values <= limit { Amount::of(origins, values).and(1) } else { Amount::fixed(limit + 1) };
        Extent { values, bytes: Amount::of(origins, self.bytes) }
    }

    /// Arguments of these origins, and what is decoded of documents in them.
    fn arguments_of(&self, origins: &[Origin]) -> Extent {
        let found = self.pieces(origins, 2, self.program.limits.arguments);
        let levels = self.program.ruleset.settings.nested_decoding as u128 + 1;
        Extent { values: found.values.times(levels), bytes: found.bytes.times(levels) }
    }

    /// Their names: those of the leaves of documents repeat the paths to them. A path takes bytes that leaves cannot have, and the
    /// reader has its limit.
    fn names_of(&self, origins: &[Origin]) -> Extent {
        let mut names = self.arguments_of(origins);
        let repeated = self.arguments() * self.bytes.saturating_sub(self.arguments());
        let (per_byte, constant) = (self.bytes * NAMES_PER_BYTE as u128, NAMES_CONSTANT as u128);
        // Any argument may hold a document, if those are looked for.
        let nested = self.program.ruleset.settings.nested_decoding > 0;
        let tree = |origin: &&Origin| nested || matches!(origin, Origin::Document | Origin::Xml);
        let trees: Vec<Origin> = origins.iter().filter(tree).copied().collect();
        let few = repeated <= per_byte + constant;
        names.bytes = names.bytes.plus(Amount::of(&trees, if few { repeated } else { per_byte }));
        if !few && !trees.is_empty() {
            names.bytes = names.bytes.and(constant);
        }
        names
    }

    /// Where arguments of the body come from.
    fn bodies(&self) -> &'static [Origin] {
        use Origin::{Document, Form, Line, Multipart, Xml};
        let settings = &self.program.ruleset.settings;
        let steps = self.program.rules.iter().flat_map(|rule| &rule.links).flat_map(|link| &link.actions);
        let on = |step: &Step| matches!(step, Step::Ctl(CtlStep::ParseXmlIntoArgs(mode)) if *mode != XmlIntoArgs::Off);
        match settings.xml_into_args == XmlIntoArgs::Off && !{ steps }.any(on) {
            true => &[Line, Form, Document, Multipart],
            false => &[Line, Form, Document, Multipart, Xml],
        }
    }

    /// All members of a variable.
    pub(super) fn variable(&self, variable: Variable) -> Extent {
        use Origin::{Headers, Line, Multipart, Xml};
        use Variable as V;
        let limits = &self.program.limits;
        let body = self.bodies().get(1..).unwrap_or_default();
        let once =
            |origins: &[Origin]| Extent { values: Amount::fixed(1), bytes: Amount::of(origins, self.bytes).and(SHORT) };
        let of_line = |names: bool| if names { self.names_of(&[Line]) } else { self.arguments_of(&[Line]) };
        let of_body = |names: bool| if names { self.names_of(body) } else { self.arguments_of(body) };
        // Cookies have no limit of their own, nor have parts of XML; a separator each.
        let none = usize::MAX;
        match variable {
            V::Args => of_line(false).and(of_body(false)),
            V::ArgsGet => of_line(false),
            V::ArgsPost => of_body(false),
            V::ArgsNames => of_line(true).and(of_body(true)),
            V::ArgsGetNames => of_line(true),
            V::ArgsPostNames => of_body(true),
            V::RequestHeaders | V::RequestHeadersNames => self.pieces(&[Headers], 4, limits.headers),
            V::RequestCookies | V::RequestCookiesNames => self.pieces(&[Headers], 2, none),
            V::RequestUri | V::RequestUriRaw | V::RequestLine | V::QueryString | V::RequestFilename => once(&[Line]),
            V::RequestBasename | V::PathInfo | V::RequestMethod | V::RequestProtocol => once(&[Line]),
            V::RequestBody | V::StreamInputBody => once(&Origin::BODIES),
            V::FullRequest | V::AuthType | V::RemoteUser | V::UserId | V::SessionId | V::ServerName => {
                once(&Origin::ALL)
            }
            V::ReqbodyErrorMsg => once(&Origin::ALL),
            V::Files | V::FilesNames | V::FilesTmpContent | V::MultipartFilename | V::MultipartName => {
                self.pieces(&[Multipart], 8, limits.multipart_parts)
            }
            V::MultipartPartHeaders => self.pieces(&[Multipart], 4, none),
            V::FilesSizes | V::FilesTmpNames => {
                let values = self.pieces(&[Multipart], 8, limits.multipart_parts).values;
                Extent { values, bytes: values.times(4 * SHORT) }
            }
            V::Xml | V::XmlAttributes => self.pieces(&[Xml], 4, none),
            V::MatchedVar | V::MatchedVarName => {
                let longest = self.names_of(&Origin::ALL).bytes;
                Extent { values: Amount::fixed(1), bytes: longest.and(SHORT) }
            }
            V::MatchedVars | V::MatchedVarsNames => {
                let most = limits.matched_vars as u128;
                let values = self.pieces(&Origin::ALL, 1, limits.matched_vars).values;
                Extent { values, bytes: self.names_of(&Origin::ALL).bytes.and(most.min(self.bytes + 1) * SHORT) }
            }
            V::Tx => self.tx(&Which::All),
            V::Env | V::Rule | V::Geo => Extent::fixed(64, 64 * 64 * SHORT),
            V::PerfRules => {
                let rules = self.program.rules.len() as u128;
                Extent::fixed(rules, rules * NUMBER)
            }
            persistent if persistent.is_persistent() => {
                Extent::fixed(limits.collection_entries as u128, limits.collection_record_bytes as u128)
            }
            // What an answer brings is no part of a request.
            _ => Extent::fixed(1, SHORT),
        }
    }

    /// TX: what rules write of what they see.
    fn tx(&self, which: &Which) -> Extent {
        let named = |at: usize| match self.entries.get(at).copied().flatten() {
            Some(bytes) => Extent::fixed(1, bytes),
            None => {
                let most = self.bytes.min(self.program.limits.tx_value_bytes as u128);
                Extent { values: Amount::fixed(1), bytes: Amount::of(&Origin::ALL, most).and(SHORT) }
            }
        };
        let found = match which {
            Which::Tx(key) => return named(key.index()),
            Which::Regex(pattern) => self.loaded.tx_names(*pattern),
            _ => &[],
        };
        let all = (0..self.entries.len()).filter(|at| found.get(*at).copied().unwrap_or(true));
        all.fold(self.written, |sum, at| sum.and(named(at)))
    }

    /// Entries with keys that only a request tells: one at each match.
    fn written_by(&self, link: &Link) -> Extent {
        let selection = link.look.and_then(|look| self.program.selections.get(look.selection.index()));
        let found = match selection {
            // Without a look, the action runs once; what is selected may be such entries, as many as there can be.
            None => Extent { values: Amount::fixed(1), bytes: Amount::of(&Origin::ALL, self.bytes) },
            Some(selection) if selection.targets.iter().any(|source| source.variable == Variable::Tx) => {
                let most = self.program.limits.tx_entries as u128;
                Extent { values: Amount::fixed(most), bytes: Amount::of(&Origin::ALL, most * self.bytes) }
            }
            Some(selection) => self.selection(selection, false),
        };
        let mut sum = Extent::default();
        for step in &link.actions {
            let Step::SetVar(Variable::Tx, _, right) = step else { continue };
            let bytes = match right {
                SetStep::Set(text) => self.expanded(text, &found),
                _ => found.values.times(NUMBER),
            };
            sum = sum.and(Extent { values: found.values, bytes });
        }
        sum
    }

    /// The bytes of a text, expanded at each of these values.
    fn expanded(&self, text: &Text, found: &Extent) -> Amount {
        text.parts.iter().fold(Amount::default(), |sum, part| {
            sum.plus(match part {
                TextPart::Literal(text) => found.values.times(text.len() as u128),
                TextPart::Variable(variable, _) if variable.name() == "MATCHED_VAR" => found.bytes,
                TextPart::Tx(key) if key.index() < 10 => found.bytes,
                TextPart::Tx(key) => found.values.times(self.entry(*key)),
                // Whatever the request brings, again and again.
                _ => found.values.times(self.longest_name()),
            })
        })
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
