//! Patterns: the one place where the PCRE reader is called.

use super::codes;
use super::reader::Reader;
use super::text::Text;
use crate::lang::pcre::{self, Finder, Parsed};
use crate::rule::Pattern;

/// Statuses 100-999 that a pattern finds.
pub(super) fn status_set(text: &Text, reader: &mut Reader<'_>) -> Option<Vec<u16>> {
    pcre::status_set(text.bytes()).map_err(|refusal| refuse(text, refusal, reader)).ok()
}

/// A pattern that was accepted.
pub(super) fn pattern(text: &Text, fold_case: bool, reader: &mut Reader<'_>) -> Option<Pattern> {
    let pattern = Pattern { text: text.bytes().into(), fold_case };
    let back_reference = match (reader.known)(&pattern) {
        Some(known) => known.back_reference,
        None => pcre::back_reference(&checked(text, fold_case, reader)?.constructs),
    };
    if let Some((offset, len)) = back_reference {
        let message = "no price per byte bounds a pattern with a back-reference, only the budget of the rule does";
        let help = "list the texts that can stand there; or capture the first in a chain and compare with `%{TX.1}`";
        reader.warn(codes::METERED, text.span_of(offset..offset + len), message, help);
    }
    Some(pattern)
}

/// A pattern to be used at load: `SecRuleRemoveByTag` and its like.
pub(super) fn finder(text: &Text, reader: &mut Reader<'_>) -> Option<Finder> {
    let parsed = checked(text, false, reader)?;
    let finder = Finder::new(&parsed, reader.limits);
    if finder.is_err() {
        reader.error(codes::PATTERN, text.span(), "the pattern is too large", "write a simpler one");
    }
    finder.ok()
}

fn checked(text: &Text, fold_case: bool, reader: &mut Reader<'_>) -> Option<Parsed> {
    if text.len() > reader.limits.pattern_bytes {
        let message = format!("the pattern has {} bytes, at most {} are read", text.len(), reader.limits.pattern_bytes);
        reader.error(codes::TOO_LONG, text.span(), message, "split the rule, or raise `pattern_bytes`");
        return None;
    }
    pcre::parse(text.bytes(), fold_case, reader.limits).map_err(|refusal| refuse(text, refusal, reader)).ok()
}

fn refuse(text: &Text, refusal: pcre::Error, reader: &mut Reader<'_>) {
    let span = text.span_of(refusal.offset..refusal.offset + refusal.len);
    reader.error(codes::PATTERN, span, refusal.message, refusal.help.unwrap_or_default());
}
