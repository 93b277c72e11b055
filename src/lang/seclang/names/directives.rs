//! The directives.

use super::Name;
use super::Support::{self, Ignored, NoEffect, OnlyOff, Refused, Yes};

/// The directives that do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lang::seclang) enum Kind {
    Action,
    ArgumentSeparator,
    ArgumentsLimit,
    AuditEngine,
    AuditLog,
    AuditLogFormat,
    AuditLogParts,
    AuditLogRelevantStatus,
    AuditLogType,
    CollectionTimeout,
    ComponentSignature,
    CookieFormat,
    CookieV0Separator,
    DefaultAction,
    Include,
    IncludeOptional,
    JsonDepthLimit,
    Marker,
    NestedDecoding,
    RequestBodyAccess,
    RequestBodyLimit,
    RequestBodyLimitAction,
    RequestBodyNoFilesLimit,
    ResponseBodyAccess,
    ResponseBodyLimit,
    ResponseBodyLimitAction,
    ResponseBodyMimeType,
    ResponseBodyMimeTypesClear,
    Rule,
    RuleEngine,
    RuleRemoveById,
    RuleRemoveByMsg,
    RuleRemoveByTag,
    RuleUpdateActionById,
    RuleUpdateTargetById,
    RuleUpdateTargetByMsg,
    RuleUpdateTargetByTag,
    SensorId,
    ServerSignature,
    UnicodeCodePage,
    UnicodeMapFile,
    UploadFileLimit,
    WebAppId,
}

const fn row(name: &'static str, support: Support<Kind>) -> Name<Kind> {
    Name { name, support }
}

const MEMORY: &str = "bodies are kept in memory, up to SecRequestBodyLimit";
const NO_FILES: &str = "uploaded files are inspected in memory and never stored";
const TRACING: &str = "the engine reports through `tracing`: the level is chosen by the host";
const AUDIT_SINK: &str = "audit records go to one place, the host's audit sink";
const HOST_READS: &str = "connections are the host's business";
const PDF: &str = "protection of PDF files is not supported: browsers no longer need it";
const HASHES: &str = "link hashing is not supported";

/// Every directive of the manuals, and Apache's `Include`.
pub(in crate::lang::seclang) const TABLE: &[Name<Kind>] = &[
    row("SecAction", Yes(Kind::Action)),
    row("SecArgumentSeparator", Yes(Kind::ArgumentSeparator)),
    row("SecArgumentsLimit", Yes(Kind::ArgumentsLimit)),
    row("SecAuditEngine", Yes(Kind::AuditEngine)),
    row("SecAuditLog", Yes(Kind::AuditLog)),
    row("SecAuditLog2", NoEffect(AUDIT_SINK)),
    row("SecAuditLogDirMode", NoEffect(AUDIT_SINK)),
    row("SecAuditLogFileMode", NoEffect(AUDIT_SINK)),
    row("SecAuditLogFormat", Yes(Kind::AuditLogFormat)),
    row("SecAuditLogParts", Yes(Kind::AuditLogParts)),
    row("SecAuditLogRelevantStatus", Yes(Kind::AuditLogRelevantStatus)),
    row("SecAuditLogStorageDir", NoEffect(AUDIT_SINK)),
    row("SecAuditLogType", Yes(Kind::AuditLogType)),
    row("SecCacheTransformations", Ignored("the planner shares transformations between rules")),
    row(
        "SecChrootDir",
        Refused("the engine does not change its process", "confine the host, for example with systemd or a container"),
    ),
    row("SecCollectionTimeout", Yes(Kind::CollectionTimeout)),
    row("SecComponentSignature", Yes(Kind::ComponentSignature)),
    row("SecConnEngine", OnlyOff(HOST_READS)),
    row("SecConnReadStateLimit", NoEffect(HOST_READS)),
    row("SecConnWriteStateLimit", NoEffect(HOST_READS)),
    row("SecContentInjection", OnlyOff("responses are inspected, never rewritten")),
    row("SecCookieFormat", Yes(Kind::CookieFormat)),
    row("SecCookieV0Separator", Yes(Kind::CookieV0Separator)),
    row("SecDataDir", Ignored("collections live for one transaction and need no folder")),
    row("SecDebugLog", Ignored(TRACING)),
    row("SecDebugLogLevel", Ignored(TRACING)),
    row("SecDefaultAction", Yes(Kind::DefaultAction)),
    row("SecDisableBackendCompression", NoEffect("the host decides which encodings it asks the backend for")),
    row("SecEncryptionEngine", OnlyOff(HASHES)),
    row("SecFusewallNestedDecoding", Yes(Kind::NestedDecoding)),
    row("SecGeoLookupDb", NoEffect("GEO and @geoLookup are not supported yet")),
    row("SecGeoLookupsDb", NoEffect("GEO and @geoLookup are not supported yet")),
    row("SecGsbLookupDb", NoEffect("@gsbLookup is not supported")),
    row("SecGuardianLog", Refused("piped log programs are not started", "read the audit log instead")),
    row("SecHashEngine", OnlyOff(HASHES)),
    row("SecHashKey", NoEffect(HASHES)),
    row("SecHashMethodPm", NoEffect(HASHES)),
    row("SecHashMethodRx", NoEffect(HASHES)),
    row("SecHashParam", NoEffect(HASHES)),
    row("SecHttpBlKey", NoEffect("@rbl is not supported yet")),
    row(
        "SecInterceptOnError",
        NoEffect("evaluation cannot fail: it ends, or its budget does, and then the budget's policy applies"),
    ),
    row("SecMarker", Yes(Kind::Marker)),
    row("SecPcreMatchLimit", Ignored("matching is linear in the input")),
    row("SecPcreMatchLimitRecursion", Ignored("matching is linear in the input and does not recurse")),
    row("SecParseXmlIntoArgs", OnlyOff("XML is inspected with XML:/* and XML://@*")),
    row("SecPdfProtect", OnlyOff(PDF)),
    row("SecPdfProtectMethod", NoEffect(PDF)),
    row("SecPdfProtectSecret", NoEffect(PDF)),
    row("SecPdfProtectTimeout", NoEffect(PDF)),
    row("SecPdfProtectTokenName", NoEffect(PDF)),
    row("SecReadStateLimit", NoEffect(HOST_READS)),
    row(
        "SecRemoteRules",
        Refused("rules are not fetched while loading", "fetch the file beforehand, check it, and Include it"),
    ),
    row("SecRemoteRulesFailAction", Ignored("SecRemoteRules is refused")),
    row("SecRequestBodyAccess", Yes(Kind::RequestBodyAccess)),
    row("SecRequestBodyInMemoryLimit", Ignored(MEMORY)),
    row("SecRequestBodyJsonDepthLimit", Yes(Kind::JsonDepthLimit)),
    row("SecRequestBodyLimit", Yes(Kind::RequestBodyLimit)),
    row("SecRequestBodyLimitAction", Yes(Kind::RequestBodyLimitAction)),
    row("SecRequestBodyNoFilesLimit", Yes(Kind::RequestBodyNoFilesLimit)),
    row(
        "SecRequestEncoding",
        Refused("bodies are inspected as bytes", "use t:urlDecodeUni, t:utf8toUnicode and @validateUtf8Encoding"),
    ),
    row("SecResponseBodyAccess", Yes(Kind::ResponseBodyAccess)),
    row("SecResponseBodyLimit", Yes(Kind::ResponseBodyLimit)),
    row("SecResponseBodyLimitAction", Yes(Kind::ResponseBodyLimitAction)),
    row("SecResponseBodyMimeType", Yes(Kind::ResponseBodyMimeType)),
    row("SecResponseBodyMimeTypesClear", Yes(Kind::ResponseBodyMimeTypesClear)),
    row("SecRule", Yes(Kind::Rule)),
    row("SecRuleEngine", Yes(Kind::RuleEngine)),
    row("SecRuleInheritance", NoEffect("a ruleset has no configuration contexts that could inherit")),
    row("SecRulePerfTime", Ignored("`fusewall bench` and `explain` show what each rule costs")),
    row("SecRuleRemoveById", Yes(Kind::RuleRemoveById)),
    row("SecRuleRemoveByMsg", Yes(Kind::RuleRemoveByMsg)),
    row("SecRuleRemoveByTag", Yes(Kind::RuleRemoveByTag)),
    row(
        "SecRuleScript",
        Refused("scripts cannot be metered", "express the condition with rules, or in the application"),
    ),
    row("SecRuleUpdateActionById", Yes(Kind::RuleUpdateActionById)),
    row("SecRuleUpdateTargetById", Yes(Kind::RuleUpdateTargetById)),
    row("SecRuleUpdateTargetByMsg", Yes(Kind::RuleUpdateTargetByMsg)),
    row("SecRuleUpdateTargetByTag", Yes(Kind::RuleUpdateTargetByTag)),
    row("SecSensorId", Yes(Kind::SensorId)),
    row("SecServerSignature", Yes(Kind::ServerSignature)),
    row("SecStatusEngine", Ignored("nothing is reported to third parties")),
    row("SecStreamInBodyInspection", OnlyOff("STREAM_INPUT_BODY is not supported; REQUEST_BODY holds the whole body")),
    row(
        "SecStreamOutBodyInspection",
        OnlyOff("STREAM_OUTPUT_BODY is not supported; RESPONSE_BODY holds the body up to its limit"),
    ),
    row("SecTmpDir", Ignored(NO_FILES)),
    row("SecTmpSaveUploadedFiles", NoEffect(NO_FILES)),
    row("SecUnicodeCodePage", Yes(Kind::UnicodeCodePage)),
    row("SecUnicodeMapFile", Yes(Kind::UnicodeMapFile)),
    row("SecUploadDir", Ignored(NO_FILES)),
    row("SecUploadFileLimit", Yes(Kind::UploadFileLimit)),
    row("SecUploadFileMode", Ignored(NO_FILES)),
    row("SecUploadKeepFiles", NoEffect(NO_FILES)),
    row("SecWebAppId", Yes(Kind::WebAppId)),
    row("SecWriteStateLimit", NoEffect(HOST_READS)),
    row("SecXmlExternalEntity", OnlyOff("external entities are never fetched")),
    row("Include", Yes(Kind::Include)),
    row("IncludeOptional", Yes(Kind::IncludeOptional)),
];

impl Kind {
    /// How many arguments the directive takes: least and most.
    pub const fn arity(self) -> (usize, usize) {
        match self {
            Kind::Rule | Kind::RuleUpdateTargetById | Kind::RuleUpdateTargetByMsg | Kind::RuleUpdateTargetByTag => {
                (2, 3)
            }
            Kind::RuleUpdateActionById => (2, 2),
            Kind::UnicodeMapFile => (1, 2),
            Kind::ResponseBodyMimeTypesClear => (0, 0),
            Kind::ResponseBodyMimeType | Kind::RuleRemoveById => (1, usize::MAX),
            _ => (1, 1),
        }
    }
}
