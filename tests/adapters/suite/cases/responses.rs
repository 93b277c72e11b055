//! Phases 3 and 4, and responses that have no body.

use super::request::{get, request};
use super::*;

/// What becomes of a page that the rules hold back for its body.
fn leaks(name: &'static str, path: &str) -> Case {
    case(name, [Send(get(path)), Get(Status(403))])
        .without(Ability::ResponseBodies, [Send(get(path)), Get(Answer::Unseen)])
        .without(Ability::JudgedPieces, [Send(get(path)), Get(Answer::CutLate)])
        .without(Ability::HeldResponses, [Send(get(path)), Get(Answer::Withheld)])
}

/// An answer without a body, and another one on the same connection: nobody waits for what does not come.
fn bodiless(name: &'static str, first: request::Request, answer: Answer) -> Case {
    case(name, [Send(first), Get(answer), Send(get("/next")), fine(), Origin(Same)])
}

pub fn cases() -> Vec<Case> {
    vec![
        case("a page passes", [Send(get("/page")), Get(Body(upstream::PAGE.into()))]),
        case("a chunked answer passes", [Send(get("/chunked")), fine()]),
        case("an answer that ends with its connection passes", [Send(get("/until-close")), fine()]),
        case("an error of the origin passes", [Send(get("/missing")), Get(Status(404)), Origin(Same)]),
        case("a response is refused for its status", [Send(get("/teapot")), Get(Status(403)), Origin(Same)]),
        case("a response is refused for a header field", [Send(get("/leak-header")), Get(Status(403)), Origin(Same)]),
        leaks("a response is refused for its body", "/leak"),
        leaks("a response is refused for the end of its body", "/leak-at-the-end"),
        leaks("a response is refused for what stands across its chunks", "/leak-in-chunks"),
        case(
            "a response is held until its body is judged",
            [Send(get("/leak-late")), Step::Silence, Open, Get(Status(403))],
        )
        .without(Ability::ResponseBodies, [Send(get("/leak-late")), Open, Get(Answer::Unseen)])
        .without(Ability::JudgedPieces, [Send(get("/leak-late")), Get(Answer::Head), Open, Get(Answer::CutLate)])
        .without(Ability::HeldResponses, [Send(get("/leak-late")), Get(Answer::Head), Open, Get(Answer::Cut)]),
        leaks("a response is refused for its coded body", "/leak-coded"),
        case("a body of a media type that is not read passes", [Send(get("/leak-unread")), Get(Answer::Unseen)]),
        bodiless("HEAD is answered without a body", request("HEAD", "/page"), Answer::NoBody(200, "content-type")),
        bodiless("204 has no body", get("/none"), Answer::NoBody(204, "x-kept")),
        bodiless("304 has no body", get("/not-modified"), Answer::NoBody(304, "etag")),
    ]
}
