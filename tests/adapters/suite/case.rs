//! What a script consists of.

use super::ability::Ability;
use super::request::Request;

/// One thing that every host must do.
pub struct Case {
    pub name: &'static str,
    /// What happens with a host that has every ability.
    pub steps: Vec<Step>,
    /// What happens instead with a host that lacks an ability; the first that it lacks counts.
    pub without: Vec<(Ability, Vec<Step>)>,
}

pub fn case(name: &'static str, steps: impl Into<Vec<Step>>) -> Case {
    Case { name, steps: steps.into(), without: Vec::new() }
}

impl Case {
    /// The case takes `ability`; a host without it does this instead.
    pub fn without(mut self, ability: Ability, steps: impl Into<Vec<Step>>) -> Self {
        self.without.push((ability, steps.into()));
        self
    }

    /// The script for a host that lacks these abilities.
    pub fn script(&self, lacks: &[Ability]) -> &[Step] {
        let instead = self.without.iter().find(|(ability, _)| lacks.contains(ability));
        instead.map_or(&self.steps, |(_, steps)| steps)
    }
}

/// One step of a script. A step that sends opens a connection if there is none.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends a request.
    Send(Request),
    /// Sends a head as it stands, but for the tag, and what comes after it.
    Raw(Vec<u8>),
    /// Sends more of the request that was begun.
    More(Vec<u8>),
    /// Lets what was sent arrive on its own.
    Pause,
    /// Reads an answer, or a part of one.
    Get(Answer),
    /// Nothing comes for a while.
    Silence,
    /// What the origin got of the last request.
    Origin(Arrival),
    /// Lets the origin go on with its answer to the last request.
    Open,
    /// Closes the connection.
    HangUp,
    /// Many clients at once, each of which sends benign requests and attacks by turns over one connection where it can.
    Crowd,
}

/// What a client gets. None of these but those that say so may show a byte of what the rules hold back.
#[derive(Debug, Clone)]
pub enum Answer {
    /// 200 with this body, to its end.
    Body(Vec<u8>),
    /// This status, to its end.
    Status(u16),
    /// An error of another status than this, to its end.
    ErrorBut(u16),
    /// A status of 400 or more, to its end.
    Error,
    /// The same, without `100 Continue` before it.
    ErrorAtOnce,
    /// An error, or the end of the connection.
    TurnedAway,
    /// An answer of 500 or more, or the end of the connection before the answer's.
    Failure,
    /// A redirect to this place.
    Redirect(&'static str),
    /// `100 Continue`.
    Continue,
    /// 200, and a body that begins like this; the rest is left for later steps.
    Begins(Vec<u8>),
    /// The rest of the body that has begun: as a whole it is this, and it comes to its end.
    Ends(Vec<u8>),
    /// The answer, or the rest of one that has begun, never comes to its end.
    Cut,
    /// The same, but that it may show what has left before the verdict.
    CutLate,
    /// The connection ends without another byte.
    Closed,
    /// `101 Switching Protocols` to WebSocket.
    Switched,
    /// These bytes, after a switch.
    Bytes(&'static [u8]),
    /// 200 with a body that shows what the rules would hold back, if they saw it.
    Unseen,
    /// Any answer, or the end of the connection.
    Any,
    /// This status, a field of this name, no body, and an open connection.
    NoBody(u16, &'static str),
}

/// What the origin got of a request.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// Not a byte, now and at the end of all cases.
    Nothing,
    /// Not all of it, now and at the end of all cases.
    NotWhole,
    /// Once; and method, target, fields and body are those that were sent.
    Same,
    /// Its head, while its body still comes.
    Begun,
    /// Nothing yet of a request whose body still comes.
    NotYet,
    /// Nothing, or once with this body: of framings that servers may refuse and may mend, but only in one way.
    NothingOr(&'static [u8]),
}
