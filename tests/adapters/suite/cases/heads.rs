//! What stands in the head of a request: phases 1 and 2, and what rules do about it.

use super::request::{get, request};
use super::*;

pub fn cases() -> Vec<Case> {
    let odd = get("/a%2fb//c;d=1/%2e%2e?x=%27&y=+&z=%C3%A9&empty=")
        .header("X-Sent", "as \"it\" is; ,")
        .header("Cookie", "a=1; b=%20")
        .header("User-Agent", "suite/1");
    vec![
        case("a benign request reaches the origin as it was sent", passes(odd)),
        case("an attack in the target is refused", refused(get("/attack-head?a=1"))),
        case("an attack in the query is refused", refused(get("/?a=attack-head"))),
        case("an attack in a header field is refused", refused(get("/").header("X-Sent", "attack-head"))),
        case("an attack in a cookie is refused", refused(get("/").header("Cookie", "a=attack-head"))),
        case(
            "a second field of the same name is read",
            refused(get("/").header("X-A", "1").header("X-A", "attack-head")),
        ),
        case("an encoded attack in an argument is refused in phase 2", refused(get("/?q=attack%2dbod%79"))),
        case("rules know the method", refused(request("PATCH", "/"))),
        case("rules know the version", refused(get("/old-only"))),
        case("HTTP/1.0 is spoken", passes(get("/old-only").http10()))
            .without(Ability::Http10, turned_away(get("/old-only").http10())),
        case("HTTP/1.0 gets no chunks", [Send(get("/chunked").http10()), fine()])
            .without(Ability::Http10, turned_away(get("/chunked").http10())),
        case("a rule's status is the client's", [Send(get("/status")), Get(Status(429)), Origin(Nothing)])
            .without(Ability::RuleStatus, [Send(get("/status")), Get(Answer::ErrorBut(429)), Origin(Nothing)]),
        case(
            "a rule redirects",
            [Send(get("/redirect")), Get(Answer::Redirect("https://elsewhere.example/why")), Origin(Nothing)],
        ),
        case("a rule drops the connection", [Send(get("/drop")), Get(Answer::Closed), Origin(Nothing)])
            .without(Ability::Drop, turned_away(get("/drop"))),
        case(
            "a head of 600 KB is refused",
            [Send(get("/").header("X-Long", &"a".repeat(600_000))), Get(Answer::TurnedAway), Origin(Nothing)],
        ),
    ]
}
