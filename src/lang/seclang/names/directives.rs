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
    AuditLog2,
    AuditLogDirMode,
    AuditLogFileMode,
    AuditLogFormat,
    AuditLogParts,
    AuditLogRelevantStatus,
    AuditLogStorageDir,
    AuditLogType,
    CollectionTimeout,
    ComponentSignature,
    CookieFormat,
    CookieV0Separator,
    DataDir,
    Dataset,
    DefaultAction,
    GeoLookupDb,
    HttpBlKey,
    Include,
    IncludeOptional,
    JsonDepthLimit,
    Marker,
    NestedDecoding,
    ParseXmlIntoArgs,
    RemoteRules,
    RemoteRulesFailAction,
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
    RulePerfTime,
    RuleRemoveById,
    RuleRemoveByMsg,
    RuleRemoveByTag,
    RuleUpdateActionById,
    RuleUpdateTargetById,
    RuleUpdateTargetByMsg,
    RuleUpdateTargetByTag,
    SensorId,
    ServerSignature,
    StreamInBodyInspection,
    StreamOutBodyInspection,
    UnicodeCodePage,
    UnicodeMapFile,
    TmpDir,
    TmpSaveUploadedFiles,
    UploadDir,
    UploadFileLimit,
    UploadFileMode,
    UploadKeepFiles,
    WebAppId,
}

const fn row(name: &'static str, support: Support<Kind>) -> Name<Kind> {
    Name { name, support }
}

const MEMORY: &str = "bodies are kept in memory, up to SecRequestBodyLimit";
const TRACING: &str = "the engine reports through `tracing`: the level is chosen by the host";
const HOST_READS: &str = "connections are the host's business";
const PDF: &str = "protection of PDF files is not supported: browsers no longer need it";
const HASHES: &str = "link hashing is not supported";

const APACHE: &str = "it configures Apache, not the rules";
const APACHE_HELP: &str = "keep it in Apache's configuration";
const NGINX: &str = "it configures nginx, not the rules";
const NGINX_HELP: &str = "name the rule file to Fusewall itself";

/// Every directive of the manuals, and Apache's `Include`.
pub(in crate::lang::seclang) const TABLE: &[Name<Kind>] = &[
    row("SecAction", Yes(Kind::Action)),
    row("SecArgumentSeparator", Yes(Kind::ArgumentSeparator)),
    row("SecArgumentsLimit", Yes(Kind::ArgumentsLimit)),
    row("SecAuditEngine", Yes(Kind::AuditEngine)),
    row("SecAuditLog", Yes(Kind::AuditLog)),
    row("SecAuditLog2", Yes(Kind::AuditLog2)),
    row("SecAuditLogDir", Yes(Kind::AuditLogStorageDir)),
    row("SecAuditLogDirMode", Yes(Kind::AuditLogDirMode)),
    row("SecAuditLogFileMode", Yes(Kind::AuditLogFileMode)),
    row("SecAuditLogFormat", Yes(Kind::AuditLogFormat)),
    row("SecAuditLogParts", Yes(Kind::AuditLogParts)),
    row("SecAuditLogRelevantStatus", Yes(Kind::AuditLogRelevantStatus)),
    row("SecAuditLogStorageDir", Yes(Kind::AuditLogStorageDir)),
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
    row("SecContentInjection", Ignored("only `append` and `prepend` inject, and they are refused")),
    row("SecCookieFormat", Yes(Kind::CookieFormat)),
    row("SecCookieV0Separator", Yes(Kind::CookieV0Separator)),
    row("SecDataDir", Yes(Kind::DataDir)),
    row("SecDataset", Yes(Kind::Dataset)),
    row("SecDebugLog", Ignored(TRACING)),
    row("SecDebugLogLevel", Ignored(TRACING)),
    row("SecDefaultAction", Yes(Kind::DefaultAction)),
    row("SecDisableBackendCompression", NoEffect("the host decides which encodings it asks the backend for")),
    row("SecEncryptionEngine", OnlyOff(HASHES)),
    row("SecEncryptionKey", NoEffect(HASHES)),
    row("SecEncryptionMethodPm", NoEffect(HASHES)),
    row("SecEncryptionMethodRx", NoEffect(HASHES)),
    row("SecEncryptionParam", NoEffect(HASHES)),
    row("SecFusewallNestedDecoding", Yes(Kind::NestedDecoding)),
    row("SecGeoLookupDb", Yes(Kind::GeoLookupDb)),
    row("SecGeoLookupsDb", Yes(Kind::GeoLookupDb)),
    row("SecGsbLookupDb", NoEffect("@gsbLookup is not supported")),
    row("SecGuardianLog", Refused("piped log programs are not started", "read the audit log instead")),
    row("SecHashEngine", OnlyOff(HASHES)),
    row("SecHashKey", NoEffect(HASHES)),
    row("SecHashMethodPm", NoEffect(HASHES)),
    row("SecHashMethodRx", NoEffect(HASHES)),
    row("SecHashParam", NoEffect(HASHES)),
    row("SecHttpBlKey", Yes(Kind::HttpBlKey)),
    row("SecIgnoreRuleCompilationErrors", OnlyOff("rules that cannot be compiled are never left out")),
    row(
        "SecInterceptOnError",
        NoEffect("evaluation cannot fail: it ends, or its budget does, and then the budget's policy applies"),
    ),
    row("SecMarker", Yes(Kind::Marker)),
    row("SecPcreMatchLimit", Ignored("every rule has a budget")),
    row("SecPcreMatchLimitRecursion", Ignored("every rule has a budget, and matching does not recurse")),
    row("SecParseXmlIntoArgs", Yes(Kind::ParseXmlIntoArgs)),
    row("SecPdfProtect", OnlyOff(PDF)),
    row("SecPdfProtectMethod", NoEffect(PDF)),
    row("SecPdfProtectSecret", NoEffect(PDF)),
    row("SecPdfProtectTimeout", NoEffect(PDF)),
    row("SecPdfProtectTokenName", NoEffect(PDF)),
    row("SecReadStateLimit", NoEffect(HOST_READS)),
    row("SecRemoteRules", Yes(Kind::RemoteRules)),
    row("SecRemoteRulesFailAction", Yes(Kind::RemoteRulesFailAction)),
    row("SecRequestBodyAccess", Yes(Kind::RequestBodyAccess)),
    row("SecRequestBodyInMemoryLimit", Ignored(MEMORY)),
    row("SecRequestBodyJsonDepthLimit", Yes(Kind::JsonDepthLimit)),
    row("SecRequestBodyLimit", Yes(Kind::RequestBodyLimit)),
    row("SecRequestBodyLimitAction", Yes(Kind::RequestBodyLimitAction)),
    row("SecRequestBodyNoFilesLimit", Yes(Kind::RequestBodyNoFilesLimit)),
    row(
        "SecRequestEncoding",
        NoEffect("requests are inspected as bytes; t:utf8toUnicode and @validateUtf8Encoding look at encodings"),
    ),
    row("SecResponseBodyAccess", Yes(Kind::ResponseBodyAccess)),
    row("SecResponseBodyLimit", Yes(Kind::ResponseBodyLimit)),
    row("SecResponseBodyLimitAction", Yes(Kind::ResponseBodyLimitAction)),
    row("SecResponseBodyMimeType", Yes(Kind::ResponseBodyMimeType)),
    row("SecResponseBodyMimeTypesClear", Yes(Kind::ResponseBodyMimeTypesClear)),
    row("SecRule", Yes(Kind::Rule)),
    row("SecRuleEngine", Yes(Kind::RuleEngine)),
    row("SecRuleInheritance", NoEffect("a ruleset has no configuration contexts that could inherit")),
    row("SecRulePerfTime", Yes(Kind::RulePerfTime)),
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
    row("SecStreamInBodyInspection", Yes(Kind::StreamInBodyInspection)),
    row("SecStreamOutBodyInspection", Yes(Kind::StreamOutBodyInspection)),
    row("SecTmpDir", Yes(Kind::TmpDir)),
    row("SecTmpSaveUploadedFiles", Yes(Kind::TmpSaveUploadedFiles)),
    row("SecUnicodeCodePage", Yes(Kind::UnicodeCodePage)),
    row("SecUnicodeMap", Refused("it is not of any manual", "write SecUnicodeMapFile")),
    row("SecUnicodeMapFile", Yes(Kind::UnicodeMapFile)),
    row("SecUploadDir", Yes(Kind::UploadDir)),
    row("SecUploadFileLimit", Yes(Kind::UploadFileLimit)),
    row("SecUploadFileMode", Yes(Kind::UploadFileMode)),
    row("SecUploadKeepFiles", Yes(Kind::UploadKeepFiles)),
    row("SecWebAppId", Yes(Kind::WebAppId)),
    row("SecWriteStateLimit", NoEffect(HOST_READS)),
    row("SecXmlExternalEntity", OnlyOff("external entities are never fetched")),
    row("LoadFile", Refused(APACHE, APACHE_HELP)),
    row("LoadModule", Refused(APACHE, APACHE_HELP)),
    row("modsecurity", Refused(NGINX, NGINX_HELP)),
    row("modsecurity_rules", Refused(NGINX, NGINX_HELP)),
    row("modsecurity_rules_file", Refused(NGINX, NGINX_HELP)),
    row("modsecurity_rules_remote", Refused(NGINX, NGINX_HELP)),
    row("modsecurity_transaction_id", Refused(NGINX, NGINX_HELP)),
    row("modsecurity_use_error_log", Refused(NGINX, NGINX_HELP)),
    row("Include", Yes(Kind::Include)),
    row("IncludeOptional", Yes(Kind::IncludeOptional)),
];

impl Kind {
    /// Whether the directive names a place on this machine, or another one, or decides what stays there and who may read it.
    /// Rules that were fetched do not choose that.
    pub const fn names_a_place(self) -> bool {
        matches!(
            self,
            Kind::AuditLog
                | Kind::AuditLog2
                | Kind::AuditLogStorageDir
                | Kind::DataDir
                | Kind::GeoLookupDb
                | Kind::Include
                | Kind::IncludeOptional
                | Kind::RemoteRules
                | Kind::RemoteRulesFailAction
                | Kind::UploadFileMode
                | Kind::UploadKeepFiles
                | Kind::TmpDir
                | Kind::UnicodeMapFile
                | Kind::UploadDir
        )
    }

    /// How many arguments the directive takes: least and most.
    pub const fn arity(self) -> (usize, usize) {
        match self {
            Kind::Rule | Kind::RuleUpdateTargetById | Kind::RuleUpdateTargetByMsg | Kind::RuleUpdateTargetByTag => {
                (2, 3)
            }
            Kind::RuleUpdateActionById | Kind::Dataset => (2, 2),
            Kind::RemoteRules => (2, 3),
            Kind::UnicodeMapFile => (1, 2),
            Kind::ResponseBodyMimeTypesClear => (0, 0),
            Kind::ResponseBodyMimeType | Kind::RuleRemoveById => (1, usize::MAX),
            _ => (1, 1),
        }
    }
}
