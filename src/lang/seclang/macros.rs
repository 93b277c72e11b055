//! `%{...}` in operators and actions.

use super::names::variables::{self, Lookup};
use super::reader::Reader;
use super::text::Text;
use super::{codes, pattern};
use crate::diag::Diagnostic;
use crate::rule::{Macro, MacroPart, Variable};
use std::ops::Range;

/// Something that has the form of a macro: `%{name}`, `%{name.key}` or `%{name:key}`.
struct Found {
    all: Range<usize>,
    name: Range<usize>,
    key: Option<Range<usize>>,
}

/// Finds what has the form of a macro, from left to right; each byte is looked at a bounded number of times.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next `}` from `at` on, once it was looked for.
    close: Option<Option<usize>>,
}

impl<'a> Scan<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Scan { bytes, at: 0, close: None }
    }

    fn close_after(&mut self, at: usize) -> Option<usize> {
        if self.close.is_none_or(|close| close.is_some_and(|close| close < at)) {
            self.close = Some(memchr::memchr(b'}', &self.bytes[at..]).map(|index| at + index));
        }
        self.close.flatten()
    }
}

impl Iterator for Scan<'_> {
    /// A macro, or the place of one that is never closed.
    type Item = Result<Found, Range<usize>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = self.at + memchr::memmem::find(self.bytes.get(self.at..)?, b"%{")?;
            let from = start + 2;
            let width = self.bytes[from..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
            let name = from..from + width;
            self.at = name.end;
            if width == 0 || self.bytes[from].is_ascii_digit() {
                continue;
            }
            let key_follows = match self.bytes.get(name.end) {
                Some(b'}') => false,
                Some(b'.' | b':') => true,
                None => return Some(Err(start..name.end)),
                Some(_) => continue,
            };
            let Some(close) = self.close_after(name.end) else {
                return Some(Err(start..name.end));
            };
            self.at = close + 1;
            let key = key_follows.then_some(name.end + 1..close);
            return Some(Ok(Found { all: start..close + 1, name, key }));
        }
    }
}

/// Reads text with macros. Unknown variables are errors; what has not the form of a macro stays text.
pub(super) fn read(text: &Text, reader: &mut Reader<'_>) -> Macro {
    let bytes = text.bytes();
    let mut parts = Vec::new();
    let mut done = 0;
    for found in Scan::new(bytes) {
        let found = match found {
            Ok(found) => found,
            Err(open) => {
                let message = "this macro is never closed and taken as it stands";
                reader.warn(codes::LITERAL, text.span_of(open), message, "close it with `}`");
                continue;
            }
        };
        let inner = found.key.clone().map(|key| &bytes[key]).and_then(|key| memchr::memmem::find(key, b"%{"));
        if inner.is_some() {
            let message = "a macro inside a macro is not expanded: this one ends at the first `}`";
            let help = "set a variable of a fixed name first, and name that one";
            reader.warn(codes::LITERAL, text.span_of(found.all.clone()), message, help);
        }
        push_text(&mut parts, &bytes[done..found.all.start]);
        done = found.all.end;
        parts.extend(part(text, &found, reader));
    }
    push_text(&mut parts, &bytes[done..]);
    Macro { parts }
}

fn push_text(parts: &mut Vec<MacroPart>, text: &[u8]) {
    if !text.is_empty() {
        parts.push(MacroPart::Text(text.into()));
    }
}

fn part(text: &Text, found: &Found, reader: &mut Reader<'_>) -> Option<MacroPart> {
    let bytes = text.bytes();
    let name = &bytes[found.name.clone()];
    let span = text.span_of(found.name.clone());
    let shown = String::from_utf8_lossy(name).into_owned();
    let variable = match variables::lookup(name) {
        Lookup::Found(variable, remark) => {
            reader.remark(&shown, remark, span);
            variable
        }
        Lookup::Refused(why, help) => {
            reader.error(codes::REFUSED_VARIABLE, span, format!("`{shown}` is not supported: {why}"), help);
            return None;
        }
        Lookup::Unknown => {
            let found =
                Diagnostic::error(codes::MACRO_VARIABLE, span, format!("unknown variable `{shown}` in a macro"));
            reader.out.push(match reader.nearest(name, variables::offered()) {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found.help("a macro is `%{VARIABLE}` or `%{COLLECTION.key}`, for example `%{tx.score}`"),
            });
            return None;
        }
    };
    let key = found.key.clone().map(|range| &bytes[range]).filter(|key| !key.is_empty());
    match (variable, key) {
        (Variable::Xml, Some(b"//@*")) => Some(MacroPart::Variable { variable: Variable::XmlAttributes, key: None }),
        (Variable::Xml, Some(b"/*") | None) => Some(MacroPart::Variable { variable, key: None }),
        (_, Some(_)) if !variable.is_collection() || variable == Variable::Xml => {
            let message = format!("`{}` has no members", variable.name());
            reader.error(codes::NO_MEMBERS, text.span_of(found.all.clone()), message, format!("write `%{{{shown}}}`"));
            None
        }
        (_, Some([b'/', inner @ .., b'/'])) if !inner.is_empty() => {
            let key = found.key.clone()?;
            let pattern = pattern::pattern(&text.slice(key.start + 1..key.end - 1), true, reader)?;
            Some(MacroPart::Matching { variable, pattern })
        }
        (_, key) => Some(MacroPart::Variable { variable, key: key.map(Into::into) }),
    }
}

/// The first macro of a supported variable in a text whose operator cannot expand any.
pub(super) fn first(bytes: &[u8]) -> Option<Range<usize>> {
    let known = |found: &Found| !matches!(variables::lookup(&bytes[found.name.clone()]), Lookup::Unknown);
    Scan::new(bytes).filter_map(Result::ok).find(known).map(|found| found.all)
}
