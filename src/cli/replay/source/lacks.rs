//! What a source has not recorded, and how much of a rule's targets is left without it.

use crate::rule::{Field, Selector, Target, Variable};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// What was not recorded of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Lacks {
    /// Fields, as the contract between rules and hosts names them (`docs/missing-data.md`).
    pub fields: BTreeSet<Field>,
    /// The request headers that were recorded, in lower case, if others were not.
    pub headers_but: Option<Arc<BTreeSet<String>>>,
}

/// How much of what a rule looks at was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// Nothing.
    Nothing,
    /// Some of it.
    Part,
    /// All.
    All,
}

impl Lacks {
    /// These fields.
    pub fn of(fields: impl IntoIterator<Item = Field>) -> Lacks {
        Lacks { fields: fields.into_iter().collect(), headers_but: None }
    }

    /// Whether everything was recorded.
    pub fn is_nothing(&self) -> bool {
        self.fields.is_empty() && self.headers_but.is_none()
    }

    /// How much of a target was recorded. A number of members is one of all members or none.
    pub fn seen(&self, target: &Target) -> Seen {
        match self.members(target) {
            Seen::Part if target.count => Seen::Nothing,
            seen => seen,
        }
    }

    fn members(&self, target: &Target) -> Seen {
        use Variable as V;
        match target.variable {
            V::RequestHeaders | V::RequestHeadersNames => match &target.selector {
                Selector::Key(name) => self.header(&String::from_utf8_lossy(name)),
                _ if self.headers_but.as_ref().is_some_and(|known| known.is_empty()) => Seen::Nothing,
                _ if self.headers_but.is_some() => Seen::Part,
                _ => Seen::All,
            },
            V::RequestCookies | V::RequestCookiesNames | V::SessionId => self.header("cookie"),
            V::AuthType => self.header("authorization"),
            V::ServerName => self.header("host"),
            // Who reads a body follows from its media type; the rest is what that reader has found.
            V::ReqbodyProcessor => self.body().min(self.header("content-type")),
            V::ReqbodyError
            | V::ReqbodyErrorMsg
            | V::ReqbodyProcessorError
            | V::ReqbodyProcessorErrorMsg
            | V::RequestBodyLength
            | V::FilesCombinedSize
            | V::InboundDataError
            | V::MultipartBoundaryQuoted
            | V::MultipartBoundaryWhitespace
            | V::MultipartCrlfLfLines
            | V::MultipartDataAfter
            | V::MultipartDataBefore
            | V::MultipartFileLimitExceeded
            | V::MultipartHeaderFolding
            | V::MultipartInvalidHeaderFolding
            | V::MultipartInvalidPart
            | V::MultipartInvalidQuoting
            | V::MultipartLfLine
            | V::MultipartMissingSemicolon
            | V::MultipartStrictError
            | V::MultipartUnmatchedBoundary => self.body(),
            V::Args | V::ArgsNames => self.body().max(Seen::Part),
            V::ArgsCombinedSize | V::FullRequestLength => self.body(),
            V::FullRequest => match self.is_nothing() {
                true => Seen::All,
                false => Seen::Part,
            },
            V::OutboundDataError => self.field(Field::ResponseBody),
            other => Field::of(other).map_or(Seen::All, |field| self.field(field)),
        }
    }

    fn body(&self) -> Seen {
        self.field(Field::RequestBody)
    }

    fn field(&self, field: Field) -> Seen {
        if self.fields.contains(&field) { Seen::Nothing } else { Seen::All }
    }

    fn header(&self, name: &str) -> Seen {
        let is_missing = |known: &Arc<BTreeSet<String>>| !known.contains(&name.to_ascii_lowercase());
        if self.headers_but.as_ref().is_some_and(is_missing) { Seen::Nothing } else { Seen::All }
    }
}

/// What is missing, in words.
impl fmt::Display for Lacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = self.headers_but.as_ref().map(|known| match known.is_empty() {
            true => "request headers".to_owned(),
            false => format!("request headers but {}", known.iter().cloned().collect::<Vec<_>>().join(", ")),
        });
        let fields = self.fields.iter().map(|field| match field {
            Field::Connection => "addresses".to_owned(),
            other => other.name().to_owned(),
        });
        f.write_str(&headers.into_iter().chain(fields).collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(variable: Variable, key: Option<&str>, count: bool) -> Target {
        let selector = key.map_or(Selector::All, |key| Selector::Key(key.as_bytes().into()));
        Target { variable, selector, count }
    }

    #[test]
    fn a_target_is_seen_as_far_as_it_was_recorded() {
        let known = BTreeSet::from(["user-agent".to_owned()]);
        let log = Lacks { fields: [Field::RequestBody].into(), headers_but: Some(Arc::new(known)) };
        let seen = |variable, key, count| log.seen(&target(variable, key, count));
        assert_eq!(seen(Variable::RequestHeaders, Some("User-Agent"), false), Seen::All);
        assert_eq!(seen(Variable::RequestHeaders, Some("Host"), false), Seen::Nothing);
        assert_eq!(seen(Variable::RequestHeaders, None, false), Seen::Part);
        assert_eq!(seen(Variable::RequestHeaders, None, true), Seen::Nothing);
        assert_eq!(seen(Variable::RequestCookies, None, false), Seen::Nothing);
        assert_eq!(seen(Variable::Args, None, false), Seen::Part);
        assert_eq!(seen(Variable::ArgsGet, None, true), Seen::All);
        assert_eq!(seen(Variable::ReqbodyError, None, false), Seen::Nothing);
        assert_eq!(seen(Variable::Xml, None, false), Seen::Nothing);
        assert_eq!(seen(Variable::RequestUri, None, false), Seen::All);
        assert_eq!(log.to_string(), "request headers but user-agent; request bodies");
        assert_eq!(Lacks::default().seen(&target(Variable::RequestCookies, None, true)), Seen::All);
    }
}
