//! The scripts.

mod aborts;
mod bodies;
mod connections;
mod continues;
mod framing;
mod heads;
mod limits;
mod responses;
mod streams;

use super::ability::Ability;
use super::case::{Answer, Arrival, Case, Step, case};
use super::request;
use super::upstream::{self, FINE};
use Answer::{Body, Error, Status};
use Arrival::{NotWhole, Nothing, Same};
use Step::{Get, HangUp, More, Open, Origin, Raw, Send};

/// All of them. The order does not matter.
pub fn all() -> Vec<Case> {
    [
        heads::cases(),
        continues::cases(),
        bodies::cases(),
        limits::cases(),
        responses::cases(),
        streams::cases(),
        connections::cases(),
        aborts::cases(),
        framing::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The request passes and is answered.
fn passes(request: request::Request) -> Vec<Step> {
    vec![Send(request), fine(), Origin(Same)]
}

/// The request is refused by a rule.
fn refused(request: request::Request) -> Vec<Step> {
    vec![Send(request), Get(Status(403)), Origin(Nothing)]
}

/// The request is refused with whatever error.
fn turned_away(request: request::Request) -> Vec<Step> {
    vec![Send(request), Get(Error), Origin(Nothing)]
}

/// The plain answer of the origin.
fn fine() -> Step {
    Get(Body(FINE.into()))
}

/// The script, and after it a benign request on a connection of its own: the host still works.
fn and_goes_on(mut steps: Vec<Step>) -> Vec<Step> {
    steps.push(HangUp);
    steps.extend(passes(request::get("/afterwards")));
    steps
}
