//! What the API does, one file per subject. A handler gets a request that may be answered, and is one function.

pub(super) mod generation;
pub(super) mod health;
pub(super) mod metrics;
pub(super) mod mode;
pub(super) mod rollout;
pub(super) mod rules;
pub(super) mod rulesets;
pub(super) mod shelf;
