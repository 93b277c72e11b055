//! The small languages inside operator arguments and data files: phrases, addresses, byte ranges, the Unicode map.

use super::codes;
use super::lexer::Word;
use super::reader::Reader;
use super::text::{Text, is_blank};
use crate::diag::{Diagnostic, Span};
use crate::net::IpSet;
use crate::ops::byte_range;
use crate::rule::{Dataset, Phrases, Settings};
use crate::transform::UnicodeMap;
use std::collections::HashSet;

/// Decodes what ModSecurity takes over from Snort: `|hex bytes|`, and `\` before `\`, `:`, `;` and `"`. A text with any other
/// escape stands as it is (as in v2), and so does one whose `|...|` is not hexadecimal (v2 garbles it).
pub(super) fn snort(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        match first {
            b'|' => {
                let close = memchr::memchr(b'|', after)?;
                let digits: Option<Vec<u8>> = after[..close].iter().filter(|b| **b != b' ').map(|b| hex(*b)).collect();
                let digits = digits.filter(|digits| !digits.is_empty() && digits.len() % 2 == 0)?;
                out.extend(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]));
                rest = &after[close + 1..];
            }
            b'\\' => {
                let byte = *after.first().filter(|byte| b"\\:;\"".contains(byte))?;
                out.push(byte);
                rest = &after[1..];
            }
            byte => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    Some(out)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// The phrases of `@pm`: decoded, then split at blanks (in this order, as in v2).
pub(super) fn phrases(text: &Text, reader: &mut Reader<'_>) -> Option<Phrases> {
    let inner = match text.bytes() {
        [b'"', inner @ .., b'"'] => inner,
        bytes => bytes,
    };
    let decoded = snort(inner);
    if decoded.is_none() {
        let message = "this is not `|hex|` or an escape of `@pm`: the phrases are taken as they stand";
        reader.warn(codes::LITERAL, text.span(), message, "write `|5c|` for a backslash and `|7c|` for a bar");
    }
    let decoded = decoded.unwrap_or_else(|| inner.to_vec());
    let list = decoded.split(|byte| is_blank(*byte)).filter(|phrase| !phrase.is_empty()).map(Into::into).collect();
    finish(list, None, text.span(), reader)
}

/// The phrases of the files that `@pmFromFile` names.
pub(super) fn phrase_files(text: &Text, reader: &mut Reader<'_>) -> Option<Phrases> {
    let mut list: Vec<Box<[u8]>> = Vec::new();
    for name in text.split(is_blank) {
        let (_, bytes) = reader.open_named(&name)?;
        for line in bytes.split(|byte| *byte == b'\n') {
            let decoded = memchr::memchr2(b'|', b'\\', line).and_then(|_| snort(line));
            let phrase = decoded.as_deref().unwrap_or(line).trim_ascii();
            if !phrase.is_empty() && phrase[0] != b'#' {
                list.push(phrase.into());
            }
        }
    }
    finish(list, Some(text.show().into()), text.span(), reader)
}

/// `SecDataset name` and its lines: trimmed, without empty ones and comments.
pub(super) fn dataset(words: &[Word], settings: &mut Settings, reader: &mut Reader<'_>) {
    let [name, lines] = words else { return };
    let name: Box<str> = name.text.show().into();
    let kept: Vec<Box<[u8]>> = lines
        .text
        .bytes()
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty() && line[0] != b'#')
        .map(Into::into)
        .collect();
    if reader.datasets.insert(name.clone(), kept.clone()).is_some() {
        let message = format!("the dataset `{name}` stands twice");
        reader.error(codes::ARGUMENT, words[0].span, message, "rename one of them");
    }
    settings.datasets.push(Dataset { name, lines: kept });
}

/// The lines of the dataset that an operator names.
fn lines_of(text: &Text, reader: &mut Reader<'_>) -> Option<Vec<Box<[u8]>>> {
    let name = text.trimmed();
    let found = reader.datasets.get(name.show().as_ref()).cloned();
    if found.is_none() {
        let message = format!("no dataset `{}` stands before this rule", name.show());
        reader.error(
            codes::OPERATOR_ARGUMENT,
            text.span(),
            message,
            "write `SecDataset name` with its lines between backticks",
        );
    }
    found
}

/// The phrases of `@pmFromDataset`: its lines as they stand.
pub(super) fn phrase_dataset(text: &Text, reader: &mut Reader<'_>) -> Option<Phrases> {
    let lines = lines_of(text, reader)?;
    let phrases = finish(lines, None, text.span(), reader)?;
    Some(Phrases { dataset: Some(text.trimmed().show().into()), ..phrases })
}

/// The addresses and networks of `@ipMatchFromDataset`.
pub(super) fn address_dataset(text: &Text, reader: &mut Reader<'_>) -> Option<IpSet> {
    let mut ranges = Vec::new();
    let mut bad = false;
    for line in lines_of(text, reader)? {
        match IpSet::parse_entry(&String::from_utf8_lossy(&line)) {
            Ok(range) => ranges.push(range),
            Err(problem) => {
                bad = true;
                reader.error(codes::OPERATOR_ARGUMENT, text.span(), problem, "");
            }
        }
    }
    bad |= !short_enough(ranges.len(), text.span(), reader);
    warn_of_none(&ranges, bad, text, reader);
    (!bad).then(|| IpSet::from_ranges(ranges))
}

/// A list that somebody else writes may be empty for a day; that it is because it got lost should be seen.
fn warn_of_none<R>(ranges: &[R], bad: bool, text: &Text, reader: &mut Reader<'_>) {
    if ranges.is_empty() && !bad {
        let message = format!("`{}` holds no address: it never matches", text.show());
        reader.warn(codes::NO_EFFECT, text.span(), message, "look where the list has gone");
    }
}

/// The zone of `@rbl`.
pub(super) fn block_list(text: &Text, reader: &mut Reader<'_>) -> Option<Box<str>> {
    if reader.fetched {
        let message = "`@rbl` in fetched rules: they do not choose files, folders or servers";
        reader.error(codes::REMOTE_FILE, text.span(), message, "write the rule in a file on this machine");
        return None;
    }
    let zone: Box<str> = text.trimmed().show().trim_end_matches('.').to_ascii_lowercase().into();
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if zone.is_empty() || zone.len() > 200 || !zone.bytes().all(letter) {
        let message = format!("`{}` is not the name of a block list", text.show());
        reader.error(codes::OPERATOR_ARGUMENT, text.span(), message, "write for example `@rbl bl.example.org`");
        return None;
    }
    if zone.ends_with("httpbl.org") {
        reader.asks_http_bl.get_or_insert(text.span());
    }
    let (asked, most) = (reader.block_lists.len(), reader.limits.block_lists);
    if most == 0 {
        let message = "name look-ups are off: `@rbl` never matches";
        let help = "a host turns them on with a resolver (`WafBuilder::resolver`); or use @ipMatchFromFile";
        reader.warn(codes::NO_EFFECT, text.span(), message, help);
    } else if asked >= most && !reader.block_lists.contains(&zone) {
        let message = format!("more than {most} block lists");
        reader.error(codes::TOO_LONG, text.span(), message, "ask fewer, or raise `block_lists`");
    }
    reader.block_lists.insert(zone.clone());
    Some(zone)
}

fn finish(list: Vec<Box<[u8]>>, file: Option<Box<str>>, span: Span, reader: &mut Reader<'_>) -> Option<Phrases> {
    if list.is_empty() {
        let message = "the list holds no phrase, so it can never match";
        reader.error(codes::OPERATOR_ARGUMENT, span, message, "add a phrase, or remove the rule");
        return None;
    }
    if !short_enough(list.len(), span, reader) {
        return None;
    }
    let all = list.len();
    let mut seen: HashSet<Vec<u8>> = HashSet::with_capacity(all);
    // Without this guard D10 must be seen to fail.
    let mut is_new = |phrase: &[u8]| seen.insert(phrase.to_ascii_lowercase()) || cfg!(fusewall_without = "duplicates");
    let list: Vec<_> = list.into_iter().filter(|phrase| is_new(phrase)).collect();
    let removed = all - list.len();
    if removed > 0 {
        let message = format!("{removed} of {all} phrases stand twice (phrases are compared without case)");
        reader.out.push(Diagnostic::note(codes::DUPLICATE_PHRASES, span, message));
    }
    Some(Phrases { list: list.into(), file, dataset: None })
}

fn short_enough(entries: usize, span: Span, reader: &mut Reader<'_>) -> bool {
    let limit = reader.limits.list_entries;
    // Without this guard D10 must be seen to fail.
    let is_short_enough = entries <= limit || cfg!(fusewall_without = "entries");
    if !is_short_enough {
        let message = format!("the list has {entries} entries, at most {limit} are taken");
        reader.error(codes::TOO_LONG, span, message, "split it, or raise `list_entries`");
    }
    is_short_enough
}

/// The addresses and networks of `@ipMatch`.
pub(super) fn addresses(text: &Text, reader: &mut Reader<'_>) -> Option<IpSet> {
    let mut ranges = Vec::new();
    let entries = text.split(|byte| byte == b',' || is_blank(byte));
    if entries.is_empty() {
        reader.error(
            codes::OPERATOR_ARGUMENT,
            text.span(),
            "no address",
            "write addresses or networks: `127.0.0.1,::1`",
        );
        return None;
    }
    let mut bad = !short_enough(entries.len(), text.span(), reader);
    for entry in entries {
        match IpSet::parse_entry(&entry.show()) {
            Ok(range) => ranges.push(range),
            Err(problem) => {
                bad = true;
                reader.error(codes::OPERATOR_ARGUMENT, entry.span(), problem, "");
            }
        }
    }
    (!bad).then(|| IpSet::from_ranges(ranges))
}

/// The addresses and networks of the files that `@ipMatchFromFile` names, one a line; `#` starts a comment.
pub(super) fn address_files(text: &Text, reader: &mut Reader<'_>) -> Option<IpSet> {
    let mut ranges = Vec::new();
    let mut bad = false;
    for name in text.split(is_blank) {
        let (path, bytes) = reader.open_named(&name)?;
        let mut source = None;
        let mut at = 0;
        for line in bytes.split(|byte| *byte == b'\n') {
            let code = line.split(|byte| *byte == b'#').next().unwrap_or(line);
            let indent = code.len() - code.trim_ascii_start().len();
            let entry = String::from_utf8_lossy(code.trim_ascii());
            match IpSet::parse_entry(&entry) {
                _ if entry.is_empty() => {}
                Ok(range) => ranges.push(range),
                Err(problem) => {
                    bad = true;
                    // The text joins the map with the first finding in it: most data files never need to.
                    let add = || reader.sources.add(path.display().to_string(), bytes.as_slice());
                    let id = *source.get_or_insert_with(add);
                    let start = at + indent;
                    let span = Span::new(id, start, start + code.trim_ascii().len());
                    reader.error(codes::OPERATOR_ARGUMENT, span, problem, "");
                }
            }
            at += line.len() + 1;
        }
    }
    bad |= !short_enough(ranges.len(), text.span(), reader);
    warn_of_none(&ranges, bad, text, reader);
    (!bad).then(|| IpSet::from_ranges(ranges))
}

/// The bytes that `@validateByteRange` allows: `9,10,32-126`.
pub(super) fn byte_range(text: &Text, reader: &mut Reader<'_>) -> Option<Box<[bool; 256]>> {
    let entries = text.split(|byte| byte == b',');
    let mut allowed = Box::new([false; 256]);
    let mut bad = entries.is_empty();
    if bad {
        reader.error(codes::OPERATOR_ARGUMENT, text.span(), "no byte value", "write values and ranges: `9,10,32-126`");
    }
    for entry in entries.iter().map(Text::trimmed) {
        match byte_range::parse(&entry.show()) {
            Ok(more) => allowed.iter_mut().zip(more.iter()).for_each(|(flag, more)| *flag |= more),
            Err(problem) => {
                bad = true;
                reader.error(codes::OPERATOR_ARGUMENT, entry.span(), problem, "");
            }
        }
    }
    (!bad).then_some(allowed)
}

/// The section of a code page in a Unicode map file: its number, perhaps a name in parentheses, then `code point:byte` pairs in
/// hexadecimal, up to the next word that is no pair.
pub(super) fn unicode_map(bytes: &[u8], code_page: u32) -> Option<UnicodeMap> {
    let text = String::from_utf8_lossy(bytes);
    let mut words = text.split_ascii_whitespace();
    words.find(|word| word.parse() == Ok(code_page))?;
    let mut map = UnicodeMap::default();
    let section = words.skip_while(|word| !word.contains(':')).map_while(|word| word.split_once(':'));
    map.map.extend(
        section.filter_map(|(point, byte)| {
            Some((u16::from_str_radix(point, 16).ok()?, u8::from_str_radix(byte, 16).ok()?))
        }),
    );
    // A section without a pair is as good as none.
    Some(map).filter(|map| !map.map.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snort_syntax() {
        assert_eq!(snort(b"a|41 42|b\\:\\\\").unwrap(), b"aABb:\\");
        for literal in [&b"int|float|bool"[..], b"a\\nb", b"x|4|", b"||", b"a\\", b"|41"] {
            assert_eq!(snort(literal), None, "{}", literal.escape_ascii());
        }
    }

    #[test]
    fn unicode_sections() {
        let file = b"1250 (A)\n00a1:21\n\n20127 (US-ASCII)\n00a0:20 00b2:32\nff01:21\n\n20261 (T)\n00a0:21\n";
        let map = unicode_map(file, 20127).unwrap().map;
        assert_eq!(map.into_iter().collect::<Vec<_>>(), [(0xa0, b' '), (0xb2, b'2'), (0xff01, b'!')]);
        assert!(unicode_map(file, 1).is_none());
        let map = unicode_map(b"1251 0434:64 043e:6f\n", 1251).unwrap().map;
        assert_eq!(map.into_iter().collect::<Vec<_>>(), [(0x434, b'd'), (0x43e, b'o')]);
    }
}
