//! The fields of rules as they are written, for drills that leave one out at a time.

use super::lexer::{Directive, directives};
use crate::diag::{Diagnostics, SourceMap, Span};
use std::ops::Range;

/// Rules one by one, each with the links of its chain and with everything that stands between two directives left out.
pub fn units(text: &str) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    let mut open = false;
    for directive in read(text) {
        let own = text.get(range(directive.span)).unwrap_or_default();
        match units.last_mut().filter(|_| open) {
            Some(unit) => *unit += own,
            None => units.push(own.to_owned()),
        }
        units.last_mut().into_iter().for_each(|unit| unit.push('\n'));
        let actions = directive.arguments.last().map(|word| word.text.show().into_owned()).unwrap_or_default();
        open = directive.name.is("SecRule") && actions.split(',').any(|action| action.trim() == "chain");
    }
    units
}

/// The text with one field less or blank, for each of its fields: arguments, targets and what selects in them, operators, actions and their
/// values.
pub fn lacking(text: &str) -> Vec<String> {
    let without = |range: Range<usize>, instead: &str| {
        let (before, behind) = (text.get(..range.start)?, text.get(range.end..)?);
        Some(format!("{before}{instead}{behind}"))
    };
    let mut all = Vec::new();
    for directive in read(text) {
        let is_rule = directive.name.is("SecRule");
        for (number, word) in directive.arguments.iter().enumerate() {
            let place = range(word.span);
            all.extend(without(place.clone(), ""));
            all.extend(without(place.clone(), "\"\""));
            for piece in pieces(text, place, is_rule && number == 1) {
                all.extend(without(piece.clone(), ""));
                // And what sets it apart from the one before.
                all.extend(without(piece.start.saturating_sub(1)..piece.end, ""));
            }
        }
    }
    all
}

fn read(text: &str) -> Vec<Directive> {
    let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(0));
    let source = sources.add("fields", text.as_bytes());
    directives(source, text.as_bytes(), &mut found)
}

fn range(span: Span) -> Range<usize> {
    span.start as usize..span.end as usize
}

/// The pieces of an argument. Of an operator only its name and all of its argument: what is in there is a language of its own.
fn pieces(text: &str, place: Range<usize>, is_operator: bool) -> Vec<Range<usize>> {
    let separates = |byte: u8| match is_operator {
        true => b"\"'@! \t\\\n".contains(&byte),
        false => b"\"'`|,:=;/&!%{} \t\\\n".contains(&byte),
    };
    let mut found = Vec::new();
    let mut at = place.start;
    while at < place.end {
        let rest = text.as_bytes().get(at..place.end).unwrap_or_default();
        let skipped = rest.iter().take_while(|byte| separates(**byte)).count();
        let len = rest.iter().skip(skipped).take_while(|byte| !separates(**byte)).count();
        let start = at + skipped;
        at = start + len;
        if len > 0 {
            // An operator's argument reaches to the end, blanks and all.
            let end = if is_operator && !found.is_empty() { place.end - 1 } else { at };
            found.push(start..end.max(at));
            at = at.max(end);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_left_out_once() {
        let rule = "SecRule ARGS:a|!ARGS:b \"@rx a b\" \"id:1,phase:2\"\n";
        let all = lacking(rule);
        for without in [
            "SecRule  \"@rx a b\" \"id:1,phase:2\"\n",
            "SecRule ARGS:a|!ARGS:b \"\" \"id:1,phase:2\"\n",
            "SecRule ARGS|!ARGS:b \"@rx a b\" \"id:1,phase:2\"\n",
            "SecRule ARGS:a|!ARGS:b \"@ a b\" \"id:1,phase:2\"\n",
            "SecRule ARGS:a|!ARGS:b \"@rx \" \"id:1,phase:2\"\n",
            "SecRule ARGS:a|!ARGS:b \"@rx a b\" \"id:,phase:2\"\n",
            "SecRule ARGS:a|!ARGS:b \"@rx a b\" \"id:1,phase\"\n",
        ] {
            assert!(all.iter().any(|one| one == without), "{without}{all:#?}");
        }
    }

    #[test]
    fn chains_stay_together() {
        let text = "# a\nSecRule A b \"id:1,chain\"\n  SecRule C d\n\nSecMarker E\n";
        assert_eq!(units(text), ["SecRule A b \"id:1,chain\"\nSecRule C d\n", "SecMarker E\n"]);
    }
}
