//! The actions, and the options of `ctl`.

use super::Name;
use super::Support::{self, Ignored, OnlyOff, Refused, Yes};

/// The actions that do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lang::seclang) enum Kind {
    Accuracy,
    Allow,
    AuditLog,
    Block,
    Capture,
    Chain,
    Ctl,
    Deny,
    DeprecateVar,
    Drop,
    ExpireVar,
    Id,
    InitCol,
    Log,
    LogData,
    Maturity,
    Msg,
    MultiMatch,
    NoAuditLog,
    NoLog,
    Pass,
    Phase,
    Redirect,
    Rev,
    SanitiseArg,
    SanitiseMatched,
    SanitiseMatchedBytes,
    SanitiseRequestHeader,
    SanitiseResponseHeader,
    SetEnv,
    SetRsc,
    SetSid,
    SetUid,
    SetVar,
    Severity,
    Skip,
    SkipAfter,
    Status,
    Transformation,
    Tag,
    Ver,
}

/// Whether an action takes an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lang::seclang) enum Argument {
    Never,
    Maybe,
    Always,
}

impl Kind {
    /// Whether it takes an argument.
    pub const fn argument(self) -> Argument {
        match self {
            Kind::AuditLog | Kind::Block | Kind::Capture | Kind::Chain | Kind::Deny | Kind::Drop => Argument::Never,
            Kind::Log | Kind::MultiMatch | Kind::NoAuditLog | Kind::NoLog | Kind::Pass => Argument::Never,
            Kind::SanitiseMatched => Argument::Never,
            Kind::Allow | Kind::SanitiseMatchedBytes => Argument::Maybe,
            _ => Argument::Always,
        }
    }
}

const fn row(name: &'static str, support: Support<Kind>) -> Name<Kind> {
    Name { name, support }
}

const NO_REWRITE: &str = "responses are inspected, never rewritten";
const NO_UPDATE: &str = "targets are added to rules at load only";

/// Every action of the manuals.
pub(in crate::lang::seclang) const TABLE: &[Name<Kind>] = &[
    row("accuracy", Yes(Kind::Accuracy)),
    row("allow", Yes(Kind::Allow)),
    row("append", Refused(NO_REWRITE, "rewrite in the host or the application")),
    row("auditlog", Yes(Kind::AuditLog)),
    row("block", Yes(Kind::Block)),
    row("capture", Yes(Kind::Capture)),
    row("chain", Yes(Kind::Chain)),
    row("ctl", Yes(Kind::Ctl)),
    row("deny", Yes(Kind::Deny)),
    row("deprecatevar", Yes(Kind::DeprecateVar)),
    row("drop", Yes(Kind::Drop)),
    row("exec", Refused("programs are not started from the request path", "watch the audit log and act on it outside")),
    row("expirevar", Yes(Kind::ExpireVar)),
    row("id", Yes(Kind::Id)),
    row("initcol", Yes(Kind::InitCol)),
    row("log", Yes(Kind::Log)),
    row("logdata", Yes(Kind::LogData)),
    row("maturity", Yes(Kind::Maturity)),
    row("msg", Yes(Kind::Msg)),
    row("multiMatch", Yes(Kind::MultiMatch)),
    row("noauditlog", Yes(Kind::NoAuditLog)),
    row("nolog", Yes(Kind::NoLog)),
    row("pass", Yes(Kind::Pass)),
    row(
        "pause",
        Refused(
            "requests are not held back: waiting costs the server more than the client",
            "use deny or drop, or a rate limit in the host",
        ),
    ),
    row("phase", Yes(Kind::Phase)),
    row("prepend", Refused(NO_REWRITE, "rewrite in the host or the application")),
    row(
        "proxy",
        Refused(
            "the engine does not choose the backend",
            "use redirect, or set a variable with setenv that the host reads",
        ),
    ),
    row("redirect", Yes(Kind::Redirect)),
    row("rev", Yes(Kind::Rev)),
    row("sanitiseArg", Yes(Kind::SanitiseArg)),
    row("sanitiseMatched", Yes(Kind::SanitiseMatched)),
    row("sanitiseMatchedBytes", Yes(Kind::SanitiseMatchedBytes)),
    row("sanitiseRequestHeader", Yes(Kind::SanitiseRequestHeader)),
    row("sanitiseResponseHeader", Yes(Kind::SanitiseResponseHeader)),
    row("sanitizeArg", Yes(Kind::SanitiseArg)),
    row("sanitizeMatched", Yes(Kind::SanitiseMatched)),
    row("sanitizeMatchedBytes", Yes(Kind::SanitiseMatchedBytes)),
    row("sanitizeRequestHeader", Yes(Kind::SanitiseRequestHeader)),
    row("sanitizeResponseHeader", Yes(Kind::SanitiseResponseHeader)),
    row("setenv", Yes(Kind::SetEnv)),
    row("setrsc", Yes(Kind::SetRsc)),
    row("setsid", Yes(Kind::SetSid)),
    row("setuid", Yes(Kind::SetUid)),
    row("setvar", Yes(Kind::SetVar)),
    row("severity", Yes(Kind::Severity)),
    row("skip", Yes(Kind::Skip)),
    row("skipAfter", Yes(Kind::SkipAfter)),
    row("status", Yes(Kind::Status)),
    row("t", Yes(Kind::Transformation)),
    row("tag", Yes(Kind::Tag)),
    row("ver", Yes(Kind::Ver)),
    row("xmlns", Ignored("XML:/* and XML://@* need no namespaces")),
];

/// The options of `ctl` that do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lang::seclang) enum CtlKind {
    AuditEngine,
    AuditLogParts,
    ForceRequestBodyVariable,
    ParseXmlIntoArgs,
    RequestBodyAccess,
    RequestBodyLimit,
    RequestBodyProcessor,
    ResponseBodyAccess,
    ResponseBodyLimit,
    RuleEngine,
    RuleRemoveById,
    RuleRemoveByMsg,
    RuleRemoveByTag,
    RuleRemoveTargetById,
    RuleRemoveTargetByMsg,
    RuleRemoveTargetByTag,
}

const fn ctl(name: &'static str, support: Support<CtlKind>) -> Name<CtlKind> {
    Name { name, support }
}

/// Every option of `ctl` in the manuals.
pub(in crate::lang::seclang) const CTL: &[Name<CtlKind>] = &[
    ctl("auditEngine", Yes(CtlKind::AuditEngine)),
    ctl("auditLogParts", Yes(CtlKind::AuditLogParts)),
    ctl("debugLogLevel", Ignored("the engine reports through `tracing`: the level is chosen by the host")),
    ctl("forceRequestBodyVariable", Yes(CtlKind::ForceRequestBodyVariable)),
    ctl("encryptionEnforcement", OnlyOff("link hashing is not supported")),
    ctl("encryptionEngine", OnlyOff("link hashing is not supported")),
    ctl("forceResponseBodyVariable", Ignored("RESPONSE_BODY holds every response body that is inspected")),
    ctl("hashEnforcement", OnlyOff("link hashing is not supported")),
    ctl("hashEngine", OnlyOff("link hashing is not supported")),
    ctl("parseXmlIntoArgs", Yes(CtlKind::ParseXmlIntoArgs)),
    ctl("requestBodyAccess", Yes(CtlKind::RequestBodyAccess)),
    ctl("requestBodyLimit", Yes(CtlKind::RequestBodyLimit)),
    ctl("requestBodyProcessor", Yes(CtlKind::RequestBodyProcessor)),
    ctl("responseBodyAccess", Yes(CtlKind::ResponseBodyAccess)),
    ctl("responseBodyLimit", Yes(CtlKind::ResponseBodyLimit)),
    ctl(
        "responseBodyProcessor",
        Refused("response bodies are inspected as text, no processor reads them", "use RESPONSE_BODY"),
    ),
    ctl("ruleEngine", Yes(CtlKind::RuleEngine)),
    ctl("ruleRemoveById", Yes(CtlKind::RuleRemoveById)),
    ctl("ruleRemoveByMsg", Yes(CtlKind::RuleRemoveByMsg)),
    ctl("ruleRemoveByTag", Yes(CtlKind::RuleRemoveByTag)),
    ctl("ruleRemoveTargetById", Yes(CtlKind::RuleRemoveTargetById)),
    ctl("ruleRemoveTargetByMsg", Yes(CtlKind::RuleRemoveTargetByMsg)),
    ctl("ruleRemoveTargetByTag", Yes(CtlKind::RuleRemoveTargetByTag)),
    ctl("ruleUpdateTargetById", Refused(NO_UPDATE, "use ctl:ruleRemoveTargetById, or SecRuleUpdateTargetById")),
    ctl("ruleUpdateTargetByMsg", Refused(NO_UPDATE, "use ctl:ruleRemoveTargetByMsg, or SecRuleUpdateTargetByMsg")),
    ctl("ruleUpdateTargetByTag", Refused(NO_UPDATE, "use ctl:ruleRemoveTargetByTag, or SecRuleUpdateTargetByTag")),
];
