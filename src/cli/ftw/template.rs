//! The Go templates that test data may use.
//!
//! Tests use them for one thing, long strings: `{{ "1" | repeat 64200 }}`. Pipelines of string literals and the functions below
//! are expanded; anything else is an error of the test and never sent as it stands.

use anyhow::{Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// Bytes that one expansion may yield.
const LONGEST: usize = 64 << 20;

/// Expands all `{{ .. }}` of a text.
///
/// # Errors
/// On an action that is not closed or not understood.
pub(super) fn expand(text: &str) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, action)) = rest.split_once("{{") {
        let Some(end) = end_of(action) else { bail!("a template action is not closed") };
        let (inner, after) = (&action[..end], &action[end + 2..]);
        // A dash inside the braces eats the white space outside.
        let (before, inner) = match inner.strip_prefix("- ") {
            Some(inner) => (before.trim_end(), inner),
            None => (before, inner),
        };
        let (inner, after) = match inner.strip_suffix(" -") {
            Some(inner) => (inner, after.trim_start()),
            None => (inner, after),
        };
        out.push_str(before);
        out.push_str(&evaluate(inner)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Where the `}}` of an action is, string literals skipped.
fn end_of(action: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, byte) in action.bytes().enumerate() {
        match (quote, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(b'"'), b'\\') => escaped = true,
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'`') => quote = Some(byte),
            (None, b'}') if action[at..].starts_with("}}") => return Some(at),
            (None, _) => {}
        }
    }
    None
}

#[derive(Debug, Clone, PartialEq)]
enum Word {
    Text(String),
    Number(usize),
    Name(String),
    Pipe,
}

fn evaluate(action: &str) -> Result<String> {
    let words = words(action)?;
    let mut piped: Option<String> = None;
    for command in words.split(|word| *word == Word::Pipe) {
        let mut command = command.to_vec();
        command.extend(piped.take().map(Word::Text));
        piped = Some(match command.as_slice() {
            [Word::Text(text)] => text.clone(),
            [Word::Number(number)] => number.to_string(),
            [Word::Name(name), Word::Number(count), Word::Text(text)] if name == "repeat" => {
                if count.saturating_mul(text.len()) > LONGEST {
                    bail!("a template yields more than {LONGEST} bytes");
                }
                text.repeat(*count)
            }
            [Word::Name(name), Word::Text(text)] => match name.as_str() {
                "upper" => text.to_uppercase(),
                "lower" => text.to_lowercase(),
                "trim" => text.trim().to_owned(),
                "b64enc" => BASE64_STANDARD.encode(text),
                "b64dec" => String::from_utf8(BASE64_STANDARD.decode(text)?)?,
                _ => bail!("the template function `{name}` is not known"),
            },
            _ => bail!("the template action `{}` is not understood", action.trim()),
        });
    }
    Ok(piped.unwrap_or_default())
}

fn words(action: &str) -> Result<Vec<Word>> {
    let mut words = Vec::new();
    let mut rest = action.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '|' => {
                words.push(Word::Pipe);
                1
            }
            '"' | '`' => {
                let (text, end) = literal(rest)?;
                words.push(Word::Text(text));
                end
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "|\"`".contains(c)).unwrap_or(rest.len());
                let word = &rest[..end];
                words.push(word.parse().map_or_else(|_| Word::Name(word.to_owned()), Word::Number));
                end
            }
        };
        rest = rest[end..].trim_start();
    }
    Ok(words)
}

/// The text of a quoted or raw literal at the start, and its length in the source.
fn literal(source: &str) -> Result<(String, usize)> {
    if let Some(raw) = source.strip_prefix('`') {
        let Some(end) = raw.find('`') else { bail!("a literal is not closed") };
        return Ok((raw[..end].to_owned(), end + 2));
    }
    let mut text = String::new();
    let mut chars = source.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((text, at + 1)),
            '\\' => match chars.next().map(|(_, escape)| escape) {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some(c @ ('"' | '\\')) => text.push(c),
                _ => bail!("an escape in a template literal is not known"),
            },
            _ => text.push(c),
        }
    }
    bail!("a literal is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_strings_are_repeated() {
        assert_eq!(expand("a{{ \"1\" | repeat 3 }}b").unwrap(), "a111b");
        assert_eq!(expand("{{repeat 2 `x\\`}}-{{\"}}\"}}").unwrap(), "x\\x\\-}}");
        assert_eq!(expand("{{ \"a\\tb\" | repeat 2 | upper }}").unwrap(), "A\tBA\tB");
        assert_eq!(expand("a {{- 7 -}} b").unwrap(), "a7b");
        assert_eq!(expand("no } template { here").unwrap(), "no } template { here");
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in [
            "{{ 7*7 }}",
            "{{ .Name }}",
            "{{ \"a\" | env }}",
            "{{ \"a\"",
            "{{ \"a }}",
            "{{ \"a\" | repeat 999999999999 }}",
        ] {
            assert!(expand(text).is_err(), "{text}");
        }
    }
}
