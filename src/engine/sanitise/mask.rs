//! The mask: what is covered, and how.

use super::pairs;
use super::search::{SHORTEST, Search, Secret};
use super::views::folded;
use super::{Mark, Place};
use crate::engine::record::{MatchRecord, Origin};
use crate::engine::scratch::Scratch;
use crate::http::Kind;
use crate::program::Program;
use crate::rule::Variable;
use std::ops::Range;

/// Covers what rules hide.
#[derive(Debug)]
pub(in crate::engine) struct Mask {
    /// Nothing may be shown.
    pub(super) all: bool,
    names: Vec<(Place, Box<[u8]>)>,
    pub(super) search: Option<Search>,
    /// Some value is too short to be looked for.
    pub(super) short: bool,
    /// Values of marked arguments of the body.
    pub(super) in_body: Vec<Secret>,
    pub(super) request_body: bool,
    pub(super) response_body: bool,
    pub(super) separator: u8,
    /// Names of the fields that are covered, as they were received.
    covered: Vec<(Place, Box<[u8]>)>,
}

impl Mask {
    /// The mask for a request; `None` if its rules hide nothing.
    /// `all`: nothing may be shown.
    pub(in crate::engine) fn new(program: &Program, scratch: &Scratch, all: bool) -> Option<Mask> {
        let list = &scratch.marks.list;
        let all = all || scratch.marks.all;
        if list.is_empty() && !all {
            return None;
        }
        let mut mask = Mask {
            all,
            names: Vec::new(),
            search: None,
            short: false,
            in_body: Vec::new(),
            request_body: all,
            response_body: all,
            separator: program.ruleset.settings.argument_separator,
            covered: Vec::new(),
        };
        let mut secrets = Vec::new();
        for mark in list {
            match mark {
                Mark::Named(place, name) => {
                    mask.names.push((*place, name.iter().map(|byte| folded(*byte)).collect()));
                }
                Mark::Bytes { text, first, last } => {
                    mask.short |= text.len() < SHORTEST;
                    secrets.push(Secret::new(text, *first, *last));
                }
                Mark::RequestBody => mask.request_body = true,
                Mark::ResponseBody => mask.response_body = true,
            }
        }
        mask.take_fields(scratch, &mut secrets);
        mask.search = Search::new(secrets);
        Some(mask)
    }

    /// Learns the values that the names stand for.
    fn take_fields(&mut self, scratch: &Scratch, secrets: &mut Vec<Secret>) {
        let fields = &scratch.memory.fields;
        for field in fields.items() {
            let place = match field.kind {
                Kind::ArgGet | Kind::ArgPost | Kind::FileContent => Place::Arg,
                Kind::Cookie => Place::Cookie,
                Kind::RequestHeader => Place::RequestHeader,
                Kind::ResponseHeader => Place::ResponseHeader,
                _ => continue,
            };
            let (name, value) = (fields.bytes(field.name), fields.bytes(field.value));
            if field.kind == Kind::FileContent {
                // A file in the place of an argument is not looked for: it may be anything.
                self.request_body |= self.names(place, name);
                continue;
            }
            if !self.names(place, name) {
                continue;
            }
            if !self.covered.iter().any(|known| known.0 == place && *known.1 == *name) {
                self.covered.push((place, name.into()));
            }
            if value.is_empty() {
                continue;
            }
            self.short |= value.len() < SHORTEST;
            let secret = Secret::new(value, 0, 0);
            if field.kind == Kind::ArgPost {
                self.in_body.push(secret.clone());
            }
            secrets.push(secret);
        }
    }

    /// Whether values of this name are covered in this place.
    pub(in crate::engine) fn names(&self, place: Place, name: &[u8]) -> bool {
        let is = |known: &[u8], name: &[u8]| {
            known.len() == name.len() && known.iter().zip(name).all(|(known, byte)| *known == folded(*byte))
        };
        // Members of JSON documents are arguments whose names begin so.
        let plain = name.strip_prefix(b"json.").unwrap_or(name);
        self.names.iter().any(|(marked, known)| match place {
            Place::Arg => *marked == place && (is(known, name) || is(known, plain)),
            // Who hides the header hides what is in it.
            Place::Cookie => {
                (*marked == place && is(known, name)) || (*marked == Place::RequestHeader && **known == *b"cookie")
            }
            _ => *marked == place && is(known, name),
        })
    }

    pub(super) fn has(&self, place: Place) -> bool {
        self.names.iter().any(|(marked, _)| *marked == place)
    }

    /// Names of covered fields, as they were received.
    pub(in crate::engine) fn covered(&self, place: Place) -> impl Iterator<Item = &[u8]> {
        self.covered.iter().filter(move |(other, _)| *other == place).map(|(_, name)| &**name)
    }

    /// Any text. `cut`: it is the beginning of a longer one.
    pub(in crate::engine) fn text(&self, text: &[u8], cut: bool) -> Vec<u8> {
        if self.all {
            return stars(text.len());
        }
        let mut ranges = self.search.as_ref().map(|search| search.find(text, cut)).unwrap_or_default();
        if self.has(Place::Arg) {
            ranges.extend(pairs::query_values(text, self.separator, &|name| self.names(Place::Arg, name)));
        }
        cover(text, &ranges)
    }

    /// The value of a header.
    pub(in crate::engine) fn header(&self, place: Place, name: &[u8], value: &[u8]) -> Vec<u8> {
        if self.all || self.names(place, name) {
            return stars(value.len());
        }
        let value = self.text(value, false);
        if place == Place::RequestHeader && name.eq_ignore_ascii_case(b"cookie") {
            // Cookies of version 1 may be separated by commas.
            let mut ranges = pairs::values(&value, b';', &|name| self.names(Place::Cookie, name));
            ranges.extend(pairs::values(&value, b',', &|name| self.names(Place::Cookie, name)));
            return cover(&value, &ranges);
        }
        value
    }

    /// The value of a form field.
    pub(in crate::engine) fn argument(&self, name: &[u8], value: &[u8]) -> Vec<u8> {
        if self.names(Place::Arg, name) { stars(value.len()) } else { self.text(value, false) }
    }

    /// Whether a user name from the Authorization header may be shown.
    pub(in crate::engine) fn shows_user(&self) -> bool {
        !self.all && !self.names(Place::RequestHeader, b"authorization")
    }

    /// A match record.
    pub(in crate::engine) fn record(&self, record: &MatchRecord) -> MatchRecord {
        let mut record = record.clone();
        if self.all || self.short || record.origins().iter().any(|origin| self.is_origin(origin)) {
            record.veil();
        }
        let text = |text: &mut String| {
            // Dots stand for what was cut.
            let (start, dots) = match text.strip_suffix("...") {
                Some(start) => (start, "..."),
                None => (text.as_str(), ""),
            };
            // Texts of records are printable ASCII, and so are asterisks.
            let start = self.text(start.as_bytes(), !dots.is_empty());
            *text = String::from_utf8_lossy(&start).into_owned() + dots;
        };
        record.tags.iter_mut().for_each(text);
        for place in [
            &mut record.message,
            &mut record.data,
            &mut record.variable,
            &mut record.value,
            &mut record.matched,
            &mut record.uri,
            &mut record.hostname,
        ] {
            text(place);
        }
        if let Some(action) = &mut record.action {
            text(action);
        }
        record
    }

    /// Whether a record's match may show a covered value, or a piece of one.
    fn is_origin(&self, origin: &Origin) -> bool {
        use Variable as V;
        let member = origin.member.as_deref().unwrap_or_default();
        match origin.variable {
            V::Args | V::ArgsGet | V::ArgsPost => self.names(Place::Arg, member),
            V::RequestCookies => self.names(Place::Cookie, member),
            V::RequestHeaders => {
                let cookies = self.has(Place::Cookie) && member.eq_ignore_ascii_case(b"cookie");
                cookies || self.names(Place::RequestHeader, member)
            }
            V::ResponseHeaders => self.names(Place::ResponseHeader, member),
            V::AuthType | V::RemoteUser => !self.shows_user(),
            V::RequestUri | V::RequestUriRaw | V::RequestLine | V::QueryString | V::FullRequest => true,
            V::RequestBody | V::Xml | V::XmlAttributes | V::FilesTmpContent | V::MultipartPartHeaders => true,
            V::ResponseBody | V::MatchedVar | V::MatchedVars => true,
            _ => false,
        }
    }
}

/// As many asterisks.
pub(super) fn stars(length: usize) -> Vec<u8> {
    vec![b'*'; length]
}

pub(super) fn cover(text: &[u8], ranges: &[Range<usize>]) -> Vec<u8> {
    let mut out = text.to_vec();
    for range in ranges {
        if let Some(place) = out.get_mut(range.clone()) {
            place.fill(b'*');
        }
    }
    out
}
