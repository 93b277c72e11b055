//! Ends that come too early, on either side.

use super::request::{form, get};
use super::upstream::EVENTS;
use super::*;

pub fn cases() -> Vec<Case> {
    let half = || form("/", "text=the+second+half+never+comes").without_its_body();
    let fails = |path| and_goes_on(vec![Send(get(path)), Get(Answer::Failure)]);
    vec![
        case(
            "a client goes away in the middle of its body",
            and_goes_on(vec![Send(half()), More(b"text=the+".to_vec()), Step::Pause, HangUp, Origin(NotWhole)]),
        ),
        case(
            "a client goes away in the middle of an event stream",
            and_goes_on(vec![Send(get("/events")), Get(Answer::Begins(EVENTS[0].into())), HangUp, Open]),
        ),
        case("a client goes away before its answer", and_goes_on(vec![Send(get("/page")), HangUp])),
        case("the origin hangs up without an answer", fails("/hangs-up")),
        case("the origin breaks off an answer that passes", fails("/breaks-off")),
        case("the origin breaks off an answer that is read", fails("/page-breaks-off")),
    ]
}
