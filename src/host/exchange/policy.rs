//! What a site or a route decides about bodies and budgets.

use crate::engine::{Policy, RulePolicy};

/// What is to be done with a body, or with a part of one, that the engine cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unread {
    /// Refuse the request.
    #[default]
    Refuse,
    /// Let it pass; the exchange counts it among [`Exchange::uninspected`](super::Exchange::uninspected).
    Pass,
}

/// The choices that a site or a route makes about request bodies, and about requests that spend their budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BodyPolicy {
    /// A body over `SecRequestBodyLimit`: 413, or inspect what fits and pass the rest.
    pub over_limit: Unread,
    /// A body with a `Content-Encoding` that cannot be decoded: 415, or inspect it as it is.
    pub coded: Unread,
    /// When the budget of the request is spent; `None`: what the [`Waf`](crate::Waf) says.
    pub exhausted: Option<Policy>,
    /// When the budget of a rule is spent; `None`: what the [`Waf`](crate::Waf) says.
    pub rule_exhausted: Option<RulePolicy>,
}
