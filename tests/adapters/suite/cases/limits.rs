//! Bodies that are long, and bodies that are too long.

use super::request::{Request, form, get};
use super::*;

/// A form of `length` bytes that ends with `end`.
fn long(length: usize, end: &str) -> Request {
    long_to("/long", length, end)
}

fn long_to(target: &str, length: usize, end: &str) -> Request {
    let text = "a+few+words+of+text+".repeat(length / 20 + 1);
    form(target, &format!("text={}{end}", text.get(..length - 5 - end.len()).unwrap_or_default()))
}

pub fn cases() -> Vec<Case> {
    let unread = || long_to("/unread", 2_000_000, "");
    vec![
        case("a body of 8 KB passes", passes(long(8_000, ""))),
        case("an attack at the end of 8 KB is refused", refused(long(8_000, "attack-body"))),
        case("a body of 1 MB passes", passes(long(1_000_000, "")))
            .without(Ability::LongRequestBodies, turned_away(long(1_000_000, ""))),
        case("a chunked body of 1 MB passes", passes(long(1_000_000, "").chunked(30_000)))
            .without(Ability::LongRequestBodies, turned_away(long(1_000_000, "").chunked(30_000))),
        case("an attack at the end of 1 MB is refused", refused(long(1_000_000, "attack-body")))
            .without(Ability::LongRequestBodies, turned_away(long(1_000_000, "attack-body"))),
        case(
            "an attack at the end of 1 MB in chunks is refused",
            refused(long(1_000_000, "attack-body").chunked(30_000)),
        )
        .without(Ability::LongRequestBodies, turned_away(long(1_000_000, "attack-body").chunked(30_000))),
        case("a body over the limit is refused", [Send(long(2_000_000, "")), Get(Status(413)), Origin(Nothing)])
            .without(Ability::LongRequestBodies, turned_away(long(2_000_000, "")))
            .without(Ability::RuleStatus, turned_away(long(2_000_000, ""))),
        case(
            "a chunked body over the limit is refused",
            [Send(long(2_000_000, "").chunked(30_000)), Get(Status(413)), Origin(Nothing)],
        )
        .without(Ability::LongRequestBodies, turned_away(long(2_000_000, "").chunked(30_000)))
        .without(Ability::RuleStatus, turned_away(long(2_000_000, "").chunked(30_000))),
        case("a body over the limit that the rules do not read passes", passes(unread())),
        case("a page over the limit passes whole", [Send(get("/long-page")), Get(Body(upstream::long_page().into()))]),
    ]
}
