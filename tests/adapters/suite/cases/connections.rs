//! Several requests on one connection, and several connections.

use super::request::{TAG, form, get, post};
use super::*;

/// A refused request, and a benign one on the same connection.
fn after(name: &'static str, request: request::Request) -> Case {
    let first = [Send(request), Get(Status(403)), Origin(Nothing)];
    let second = [Send(get("/next")), fine(), Origin(Same)];
    case(name, [first.as_slice(), &second].concat())
        .without(Ability::KeepAliveAfterRefusal, [first.as_slice(), &[Get(Answer::Closed)]].concat())
}

pub fn cases() -> Vec<Case> {
    let hidden = format!("GET /hidden HTTP/1.1\r\nHost: www.example\r\nX-Tag: {TAG}\r\n\r\n");
    let pipelined = format!(
        "GET /one HTTP/1.1\r\nHost: www.example\r\nX-Tag: {TAG}\r\n\r\n\
         GET /attack-head HTTP/1.1\r\nHost: www.example\r\nX-Tag: {TAG}\r\n\r\n"
    );
    vec![
        case(
            "a connection stays open",
            [passes(get("/one")), passes(form("/two", "a=b")), passes(get("/three"))].concat(),
        ),
        after("a connection stays open after a refused head", get("/attack-head")),
        after("a connection stays open after a refused body", form("/", "attack-body")),
        case(
            "a request in the body of a refused one is none",
            and_goes_on(vec![
                Send(post("/attack-head", "text/plain", hidden)),
                Get(Status(403)),
                Step::Pause,
                Origin(Nothing),
            ]),
        ),
        case(
            "requests that come together are judged one by one",
            [Raw(pipelined.into()), fine(), Get(Status(403)), Origin(Arrival::NothingOr(b""))],
        ),
        case("many clients at once get each their own verdicts", [Step::Crowd]),
    ]
}
