//! Rule ids and ranges of them.

use super::codes;
use super::reader::Reader;
use super::text::{Text, is_blank};
use crate::rule::IdRange;

/// `1`, `1-5`, `1,3-5 9`; `None` after an error.
pub(super) fn ranges(text: &Text, reader: &mut Reader<'_>) -> Option<Vec<IdRange>> {
    let mut found = Vec::new();
    let mut bad = false;
    for entry in text.split(|byte| byte == b',' || is_blank(byte)) {
        let shown = entry.show();
        let (first, last) = shown.split_once('-').unwrap_or((&shown, &shown));
        match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(first), Ok(last)) if first <= last => found.push(IdRange { first, last }),
            _ => {
                bad = true;
                let message = format!("`{shown}` is not a rule id or a range of them");
                reader.error(codes::UPDATE, entry.span(), message, "write `942100` or `942100-942199`");
            }
        }
    }
    if found.is_empty() && !bad {
        reader.error(codes::UPDATE, text.span(), "no rule id", "write `942100` or `942100-942199`");
        bad = true;
    }
    (!bad).then_some(found)
}
