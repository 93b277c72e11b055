//! Lists of targets: `ARGS|!ARGS:x|&ARGS:'a b'|TX:/^score_/|XML://@*`.

use super::codes;
use super::lexer::closing;
use super::names::variables::{self, Lookup};
use super::pattern;
use super::reader::Reader;
use super::text::{Text, is_blank};
use crate::diag::{Diagnostic, Span};
use crate::rule::{Selector, Target, Variable};
use std::ops::Range;

/// One entry of a list.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub target: Target,
    /// `!`.
    pub excluded: bool,
    pub span: Span,
}

/// Reads a list; findings are pushed and their entries left out.
pub(super) fn list(text: &Text, reader: &mut Reader<'_>) -> Vec<Listed> {
    let mut found = Vec::new();
    for range in entries(text.bytes()) {
        if found.len() >= reader.limits.targets {
            too_many(text.span(), reader);
            break;
        }
        entry(&text.slice(range).trimmed(), false, reader, &mut found);
    }
    found
}

/// Reports more targets than a rule can have.
pub(super) fn too_many(span: Span, reader: &mut Reader<'_>) {
    let message = format!("more than {} targets and exclusions in one rule", reader.limits.targets);
    reader.error(codes::TOO_LONG, span, message, "use a regex selector, or raise `targets`");
}

/// The entries between `|` and `,`, minding quotes and slashes.
fn entries(bytes: &[u8]) -> Vec<Range<usize>> {
    let separates = |byte: u8| byte == b'|' || byte == b',';
    let until_separator =
        |from: usize| bytes[from..].iter().position(|b| separates(*b)).map_or(bytes.len(), |n| from + n);
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if separates(bytes[at]) || is_blank(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        let name_end = bytes[at..].iter().position(|b| separates(*b) || *b == b':').map_or(bytes.len(), |n| at + n);
        at = match (bytes.get(name_end), bytes.get(name_end + 1)) {
            (Some(b':'), Some(b'\'')) => closing(bytes, name_end + 2, b'\'').map_or(bytes.len(), until_separator),
            (Some(b':'), Some(b'/')) if !is_xml(&bytes[start..name_end]) => regex_end(bytes, name_end + 2),
            _ => until_separator(name_end),
        };
        found.push(start..at);
    }
    found
}

fn is_xml(name: &[u8]) -> bool {
    let name: Vec<u8> = name.iter().copied().filter(|byte| !is_blank(*byte) && !b"!&".contains(byte)).collect();
    name.eq_ignore_ascii_case(b"XML")
}

/// Behind the slash that closes a regex selector: one that no backslash escapes, with a separator or the end after it.
fn regex_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'/' if bytes.get(at + 1).is_none_or(|next| b"|,".contains(next) || is_blank(*next)) => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn entry(text: &Text, always_excluded: bool, reader: &mut Reader<'_>, out: &mut Vec<Listed>) {
    let span = text.span();
    let bytes = text.bytes();
    let sign = bytes.first() == Some(&b'!');
    let excluded = sign || always_excluded;
    let blanks = |at: usize| bytes[at..].iter().take_while(|byte| is_blank(**byte)).count();
    let mut at = usize::from(sign);
    at += blanks(at);
    let count = bytes.get(at) == Some(&b'&');
    at += usize::from(count);
    at += blanks(at);
    let name_end = memchr::memchr(b':', &bytes[at..]).map_or(bytes.len(), |n| at + n);
    let name = text.slice(at..name_end).trimmed();
    let selector = (name_end < bytes.len()).then(|| text.slice(name_end + 1..bytes.len()));
    let header = name.bytes().get(..5).is_some_and(|start| start == b"HTTP_") && name.len() > 5 && selector.is_none();
    let (variable, selector) = if header {
        (Variable::RequestHeaders, Some(name.slice(5..name.len())))
    } else {
        match variable(&name, reader) {
            Some(variable) => (variable, selector),
            None => return,
        }
    };
    if variable == Variable::Xml {
        let Some(variables) = xml(&name, selector.as_ref(), excluded, reader) else { return };
        let target = |&variable: &Variable| Target { variable, selector: Selector::All, count };
        out.extend(variables.iter().map(|variable| Listed { target: target(variable), excluded, span }));
        return;
    }
    if !variable.is_collection() && (count || selector.is_some()) {
        let what = if count { "so `&` has nothing to count" } else { "so a selector names nothing" };
        let message = format!("`{}` has no members, {what}", variable.name());
        let help = format!("write `{}{}`", if excluded { "!" } else { "" }, variable.name());
        reader.error(codes::NO_MEMBERS, span, message, help);
        return;
    }
    let selector = match selector {
        None => Selector::All,
        Some(text) => match read_selector(&text, reader) {
            Some(selector) => selector,
            None => return,
        },
    };
    out.push(Listed { target: Target { variable, selector, count }, excluded, span });
}

/// Looks a variable up and reports what is wrong with it.
pub(super) fn variable(name: &Text, reader: &mut Reader<'_>) -> Option<Variable> {
    let shown = name.show().into_owned();
    match variables::lookup(name.bytes()) {
        Lookup::Found(variable, remark) => {
            reader.remark(&shown, remark, name.span());
            Some(variable)
        }
        Lookup::Refused(why, help) => {
            let message = format!("variable `{shown}` is not supported: {why}");
            reader.error(codes::REFUSED_VARIABLE, name.span(), message, help);
            None
        }
        Lookup::Unknown => {
            let found = Diagnostic::error(codes::UNKNOWN_VARIABLE, name.span(), format!("unknown variable `{shown}`"));
            reader.out.push(match reader.nearest(name.bytes(), variables::offered()) {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found
                    .help("targets are separated by `|`; quote selectors that hold `|`, `,` or blanks: `ARGS:'a b'`"),
            });
            None
        }
    }
}

/// `XML:/*` and `XML://@*`; an exclusion of `XML` means both.
fn xml(name: &Text, selector: Option<&Text>, excluded: bool, reader: &mut Reader<'_>) -> Option<&'static [Variable]> {
    match selector.map(|text| text.unquoted()) {
        Some(path) if path.bytes() == b"/*" => Some(&[Variable::Xml]),
        Some(path) if path.bytes() == b"//@*" => Some(&[Variable::XmlAttributes]),
        None if excluded => Some(&[Variable::Xml, Variable::XmlAttributes]),
        other => {
            let span = other.as_ref().map_or(name.span(), Text::span);
            let message = match other {
                Some(path) => format!("XPath `{}` is not supported", path.show()),
                None => "`XML` alone is a document, not a value".to_owned(),
            };
            let help = "`XML:/*` is all text and `XML://@*` are all attribute values";
            reader.error(codes::XPATH, span, message, help);
            None
        }
    }
}

fn read_selector(text: &Text, reader: &mut Reader<'_>) -> Option<Selector> {
    let quoted = text.bytes().first() == Some(&b'\'');
    if quoted && closing(text.bytes(), 1, b'\'') != Some(text.len() - 1) {
        let help = "write `NAME:'a key'`, with `\\'` for a quote inside";
        reader.error(codes::SELECTOR, text.span(), "the quoted selector does not end with its closing quote", help);
        return None;
    }
    let key = if quoted { text.unquoted() } else { text.clone() };
    match key.bytes() {
        [] => {
            let help = "name a member, or leave the colon out for all members";
            reader.error(codes::SELECTOR, text.span(), "the selector is empty", help);
            None
        }
        [b'/', inner @ .., b'/'] if !inner.is_empty() => {
            let inner = key.slice(1..key.len() - 1);
            // v2 and v3 find names without case, whatever the variable.
            pattern::pattern(&inner, true, reader).map(Selector::Regex)
        }
        [b'/', ..] if !quoted => {
            let help = "write `NAME:/regex/`, with `\\/` for a slash inside, or quote a key that starts with a slash: `NAME:'/x'`";
            reader.error(codes::SELECTOR, text.span(), "the regex selector does not end with `/`", help);
            None
        }
        bytes => Some(Selector::Key(bytes.into())),
    }
}

/// The targets of `ctl:ruleRemoveTarget...`: what they name is excluded, with or without `!`.
pub(super) fn list_to_remove(text: &Text, reader: &mut Reader<'_>) -> Vec<Target> {
    let mut found = Vec::new();
    for range in entries(text.bytes()) {
        entry(&text.slice(range).trimmed(), true, reader, &mut found);
    }
    if found.is_empty() && text.is_empty() {
        reader.error(codes::SELECTOR, text.span(), "no target", "write for example `ARGS:password`");
    }
    found.into_iter().map(|listed| listed.target).collect()
}
