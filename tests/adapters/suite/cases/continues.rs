//! Verdicts before the body has come, and `Expect: 100-continue` (RFC 9110, section 10.1.1).

use super::request::form;
use super::*;

pub fn cases() -> Vec<Case> {
    let attack = || form("/attack-head", "text=nothing").without_its_body();
    let expects = |target| form(target, "text=nothing").header("Expect", "100-continue").without_its_body();
    let body = || More(b"text=nothing".to_vec());
    vec![
        case("phase 1 is judged before the body comes", [Send(attack()), Get(Status(403)), Origin(Nothing)])
            .without(Ability::EarlyVerdict, [Send(attack()), Step::Silence, body(), Get(Status(403)), Origin(Nothing)]),
        case(
            "a body that is expected is asked for and inspected",
            [Send(expects("/")), Get(Answer::Continue), body(), fine(), Origin(Same)],
        ),
        case(
            "an attack in an expected body is refused",
            [
                Send(form("/", "attack-body!").header("Expect", "100-continue").without_its_body()),
                Get(Answer::Continue),
                More(b"attack-body!".to_vec()),
                Get(Status(403)),
                Origin(Nothing),
            ],
        ),
        case(
            "no body is asked for that is refused in advance",
            [Send(expects("/attack-head")), Get(Answer::ErrorAtOnce), Origin(Nothing)],
        )
        .without(
            Ability::LateContinue,
            [Send(expects("/attack-head")), Get(Answer::Continue), body(), Get(Status(403)), Origin(Nothing)],
        ),
    ]
}
