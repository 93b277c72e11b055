//! Rule texts: what is wrong is told with a place, what is right is printed and read back.

use super::super::generators::rules;
use super::super::oracle::generate::Choices;
use fusewall::Limits;
use fusewall::diag::{Diagnostics, SourceMap, Span, json, text};
use fusewall::files::MemoryFiles;
use fusewall::lang::seclang;
use fusewall::rule::Ruleset;

/// Findings that are kept.
const KEPT: usize = 20;

/// What reading a text comes to.
struct Read {
    rules: Ruleset,
    found: Diagnostics,
    sources: SourceMap,
}

fn read(rules: &[u8], files: &MemoryFiles) -> Read {
    let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(KEPT));
    let rules = seclang::load_text("t.conf", rules, files, &Limits::default(), &mut sources, &mut found);
    Read { rules, found, sources }
}

/// Any text as a rule file, or, if the first byte is odd, a generated one with a few changes.
pub fn seclang_parse(data: &[u8]) {
    let Some((&how, data)) = data.split_first() else { return };
    let written = if how & 1 == 1 { rules(&mut Choices(data)) } else { data.to_vec() };
    let files = MemoryFiles::new()
        .with("words.data", "# words\nunion\nselect\n")
        .with("nets.data", "192.0.2.0/24\n2001:db8::/32\n")
        .with("rules.conf", "SecRule ARGS \"@pmFromFile words.data\" \"id:9001,phase:2,deny\"\nSecRule broken\n")
        .with("more/a.conf", "SecMarker MORE\n");
    let first = read(&written, &files);
    places_are_there(&first);
    let again = read(&written, &files);
    assert!(first.rules == again.rules && first.found == again.found, "the same text, read twice");
    if first.found.errors() == 0 && std::str::from_utf8(&written).is_ok() {
        prints_and_reads_back(first.rules, &files);
    }
}

/// Each finding stands in the text that it is about, there are no more than asked for, and they can be shown.
fn places_are_there(read: &Read) {
    let stands = |span: Span| {
        let len = read.sources.text(span.source).len();
        assert!(span.start <= span.end && span.end as usize <= len, "{span:?} of {len} bytes");
    };
    assert!(read.found.iter().count() <= KEPT);
    for finding in read.found.iter() {
        finding.span.into_iter().for_each(stands);
        finding.related.iter().for_each(|(span, _)| stands(*span));
        assert!(!finding.message.is_empty() && finding.message.len() < 1 << 12, "{}", finding.message);
    }
    text::render(&read.found, &read.sources, false);
    let records = json::to_json(&read.found, &read.sources);
    assert_eq!(records.len(), read.found.iter().count());
}

fn prints_and_reads_back(rules: Ruleset, files: &MemoryFiles) {
    let first = without_places(rules);
    let printed = first.to_seclang();
    let second = read(printed.as_bytes(), files);
    let shown = || text::render(&second.found, &second.sources, false);
    assert_eq!(second.found.errors(), 0, "{printed}\n{}", shown());
    assert_eq!(second.rules.to_seclang(), printed);
    let second = without_places(second.rules);
    assert!(first == second, "{first:#?}\nis printed as\n{printed}\nand read as\n{second:#?}");
}

/// A ruleset without what printing cannot keep: places, the Unicode map, the list of removed rules.
fn without_places(mut rules: Ruleset) -> Ruleset {
    rules.settings.unicode_map = None;
    rules.settings.removed.clear();
    rules.markers.iter_mut().for_each(|marker| marker.span = None);
    for rule in &mut rules.rules {
        (rule.span, rule.file, rule.line) = (None, "".into(), 0);
        rule.conditions.iter_mut().for_each(|condition| condition.span = None);
    }
    rules
}
