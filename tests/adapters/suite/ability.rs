//! What a host may lack by its nature.

/// An ability that not every proxy leaves to a filter. Each has at least one case that says what happens with it and without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Phase 1 is judged before the request's body has come. Without: a verdict on the head waits for the body.
    EarlyVerdict,
    /// `100 Continue` comes only after phase 1 has passed. Without: it comes to requests that are then refused.
    LateContinue,
    /// Request bodies up to `SecRequestBodyLimit` are inspected. Without: bodies above a bound of the host (at least 8 KB, below
    /// 100 KB) are a body error, which the rules refuse.
    LongRequestBodies,
    /// A request body that the rules do not read goes upstream while it still comes. Without: when it is complete.
    StreamedRequests,
    /// The status that a rule names is what the client gets. Without: another one of an error.
    RuleStatus,
    /// `drop` closes the connection without an answer. Without: the client gets an error.
    Drop,
    /// Response bodies are inspected. Without: phase 4 sees none and they pass.
    ResponseBodies,
    /// A response is held until the verdict on its body. Without: its head leaves at once, and it is broken off if its body is
    /// refused.
    HeldResponses,
    /// Nothing of a response leaves before it is judged, but its head. Without: it is broken off when it is refused, and pieces that were
    /// under way may have arrived. Who lacks this lacks `HeldResponses`, too.
    JudgedPieces,
    /// The connection stays open after a refusal. Without: it is closed after the answer.
    KeepAliveAfterRefusal,
    /// Clients may speak HTTP/1.0. Without: they get an error.
    Http10,
}

impl Ability {
    pub const ALL: [Ability; 11] = [
        Ability::EarlyVerdict,
        Ability::LateContinue,
        Ability::LongRequestBodies,
        Ability::StreamedRequests,
        Ability::RuleStatus,
        Ability::Drop,
        Ability::ResponseBodies,
        Ability::HeldResponses,
        Ability::JudgedPieces,
        Ability::KeepAliveAfterRefusal,
        Ability::Http10,
    ];
}
