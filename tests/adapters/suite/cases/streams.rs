//! What must pass while it comes: long answers, event streams, and tunnels.

use super::request::{get, websocket};
use super::upstream::{EVENTS, LARGE};
use super::*;

pub fn cases() -> Vec<Case> {
    let events = || Get(Answer::Begins(EVENTS[0].into()));
    vec![
        case(
            "a long answer that is not read is not held",
            [
                Send(get("/large")),
                Get(Answer::Begins(vec![b'l'; LARGE[0] / 2])),
                Open,
                Get(Answer::Ends(vec![b'l'; LARGE[0] + LARGE[1]])),
            ],
        ),
        case(
            "an event stream is not held",
            [Send(get("/events")), events(), Open, Get(Answer::Ends(EVENTS.concat().into()))],
        ),
        case("an event stream that leaks is cut", [Send(get("/events-leak")), events(), Open, Get(Answer::CutLate)])
            .without(Ability::ResponseBodies, [Send(get("/events-leak")), events(), Open, Get(Answer::Unseen)]),
        case("an attack does not get at an event stream", refused(get("/events?attack-head"))),
        case(
            "a WebSocket passes both ways",
            [
                Send(websocket("/websocket")),
                Get(Answer::Switched),
                More(b"hello\n".to_vec()),
                Get(Answer::Bytes(b"echo:hello\n")),
                More(b"attack-body\nagain\n".to_vec()),
                Get(Answer::Bytes(b"echo:attack-body\necho:again\n")),
            ],
        ),
        case("an attack does not get at a WebSocket", refused(websocket("/websocket?attack-head"))),
    ]
}
