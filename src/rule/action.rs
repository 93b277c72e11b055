//! What a match does.

use super::{
    AuditEngine, AuditParts, BodyProcessor, EngineMode, Macro, Pattern, Sanitise, Target, Variable, XmlIntoArgs,
};
use std::sync::Arc;

/// What a full match does to the transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Disruptive {
    /// Nothing.
    Pass,
    /// Refuse with the rule's status.
    Deny,
    /// Close the connection.
    Drop,
    /// Redirect to the expanded URL.
    Redirect(Macro),
    /// Stop inspecting.
    Allow(AllowScope),
}

/// How far `allow` reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AllowScope {
    /// All phases but logging.
    Transaction,
    /// To the end of phase 2.
    Request,
    /// This phase.
    Phase,
}

/// Where evaluation goes on after a full match.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Flow {
    /// With the next rule.
    Next,
    /// `skip:n`: leave out the next `n` rules of the phase (chains count as one).
    Skip(u32),
    /// `skipAfter:label`: with the first rule after the next marker of that name; without one the rest of the phase is skipped.
    SkipAfter(Arc<str>),
}

/// Ids `first..=last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdRange {
    /// First id.
    pub first: u64,
    /// Last id.
    pub last: u64,
}

impl IdRange {
    /// Whether `id` is in the range.
    pub const fn contains(self, id: u64) -> bool {
        self.first <= id && id <= self.last
    }
}

/// A non-disruptive action; runs at every match of its link.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// `setvar`.
    SetVar(SetVar),
    /// `ctl`.
    Ctl(Ctl),
    /// `initcol:collection=key`, and `setsid`, `setuid`, `setrsc` for SESSION, USER, RESOURCE.
    InitCollection {
        /// GLOBAL, IP, RESOURCE, SESSION or USER.
        collection: Variable,
        /// Which record.
        key: Macro,
    },
    /// `expirevar:collection.key=seconds`: the entry ends so long after this action.
    ExpireVar {
        /// A persistent collection.
        collection: Variable,
        /// The key, case-insensitive.
        key: Macro,
        /// Seconds.
        seconds: Macro,
    },
    /// `deprecatevar:collection.key=amount/seconds`: the number falls by `amount` for each whole period that has passed.
    DeprecateVar {
        /// A persistent collection.
        collection: Variable,
        /// The key, case-insensitive.
        key: Macro,
        /// `amount/seconds`.
        rate: Macro,
    },
    /// `setenv:name=value`: handed to the host.
    SetEnv {
        /// Name.
        name: Macro,
        /// Value.
        value: Macro,
    },
    /// `sanitise...`: hidden in logs.
    Sanitise(Sanitise),
}

/// `setvar:collection.key=value`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SetVar {
    /// TX, or a persistent collection.
    pub collection: Variable,
    /// The key, case-insensitive; may hold macros.
    pub key: Macro,
    /// What happens to it.
    pub op: SetOp,
}

/// The right side of `setvar`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SetOp {
    /// `=v`; without a value `1`.
    Set(Macro),
    /// `=+v`: adds the leading integer of `v`, 0 if it has none.
    Add(Macro),
    /// `=-v`.
    Subtract(Macro),
    /// `!collection.key`.
    Unset,
}

/// `ctl:...`: changes this transaction's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ctl {
    /// `ruleEngine`.
    RuleEngine(EngineMode),
    /// `ruleRemoveById`.
    RuleRemoveById(Vec<IdRange>),
    /// `ruleRemoveByTag`: rules with a tag that the pattern finds.
    RuleRemoveByTag(Pattern),
    /// `ruleRemoveByMsg`: rules whose msg the pattern finds.
    RuleRemoveByMsg(Pattern),
    /// `ruleRemoveTargetById`.
    RuleRemoveTargetById(Vec<IdRange>, Target),
    /// `ruleRemoveTargetByTag`.
    RuleRemoveTargetByTag(Pattern, Target),
    /// `ruleRemoveTargetByMsg`.
    RuleRemoveTargetByMsg(Pattern, Target),
    /// `requestBodyAccess`.
    RequestBodyAccess(bool),
    /// `responseBodyAccess`.
    ResponseBodyAccess(bool),
    /// `requestBodyLimit`, bytes.
    RequestBodyLimit(u64),
    /// `responseBodyLimit`, bytes.
    ResponseBodyLimit(u64),
    /// `requestBodyProcessor`.
    RequestBodyProcessor(BodyProcessor),
    /// `forceRequestBodyVariable`.
    ForceRequestBodyVariable(bool),
    /// `parseXmlIntoArgs`.
    ParseXmlIntoArgs(XmlIntoArgs),
    /// `auditEngine`.
    AuditEngine(AuditEngine),
    /// `auditLogParts`.
    AuditLogParts {
        /// Which.
        parts: AuditParts,
        /// `+E` adds, `-E` removes, `ABCZ` replaces.
        mode: PartsMode,
    },
}

/// How `ctl:auditLogParts` changes the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartsMode {
    /// The letters stand for all parts.
    Replace,
    /// `+`.
    Add,
    /// `-`.
    Remove,
}
