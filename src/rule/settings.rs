//! Everything in a ruleset that is not a rule.

use super::RuleId;
use crate::http::Processor;
use crate::transform::UnicodeMap;
use std::sync::Arc;

/// `SecRuleEngine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EngineMode {
    /// Rules run and act.
    On,
    /// No rule runs.
    Off,
    /// Rules run and log; nothing disruptive happens.
    DetectionOnly,
}

/// What happens when a body is longer than its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitAction {
    /// Refuse (413 for requests, 500 for responses).
    Reject,
    /// Inspect what fits; the rest is flagged as not inspected.
    ProcessPartial,
}

/// Who reads a request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BodyProcessor {
    /// application/x-www-form-urlencoded.
    UrlEncoded,
    /// multipart/form-data.
    Multipart,
    /// JSON.
    Json,
    /// XML.
    Xml,
    /// A sequence of JSON documents.
    Ndjson,
    /// GraphQL.
    GraphQl,
    /// A Protobuf message.
    Protobuf,
    /// gRPC, gRPC-Web.
    Grpc,
}

impl BodyProcessor {
    /// All of them: the first four are ModSecurity's, the others Fusewall's own.
    pub const ALL: [BodyProcessor; 8] = [
        BodyProcessor::UrlEncoded,
        BodyProcessor::Multipart,
        BodyProcessor::Json,
        BodyProcessor::Xml,
        BodyProcessor::Ndjson,
        BodyProcessor::GraphQl,
        BodyProcessor::Protobuf,
        BodyProcessor::Grpc,
    ];

    /// The parser behind it.
    pub const fn parser(self) -> Processor {
        match self {
            BodyProcessor::UrlEncoded => Processor::UrlEncoded,
            BodyProcessor::Multipart => Processor::Multipart,
            BodyProcessor::Json => Processor::Json,
            BodyProcessor::Xml => Processor::Xml,
            BodyProcessor::Ndjson => Processor::Ndjson,
            BodyProcessor::GraphQl => Processor::GraphQl,
            BodyProcessor::Protobuf => Processor::Protobuf,
            BodyProcessor::Grpc => Processor::Grpc,
        }
    }

    /// The value of REQBODY_PROCESSOR.
    pub const fn name(self) -> &'static str {
        match self {
            BodyProcessor::UrlEncoded => "URLENCODED",
            BodyProcessor::Multipart => "MULTIPART",
            BodyProcessor::Json => "JSON",
            BodyProcessor::Xml => "XML",
            BodyProcessor::Ndjson => "NDJSON",
            BodyProcessor::GraphQl => "GRAPHQL",
            BodyProcessor::Protobuf => "PROTOBUF",
            BodyProcessor::Grpc => "GRPC",
        }
    }
}

/// `SecAuditEngine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditEngine {
    /// Every transaction.
    On,
    /// None.
    Off,
    /// Those with a match that logs, or with a relevant status.
    RelevantOnly,
}

/// The audit log's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// `SecAuditEngine`.
    pub engine: AuditEngine,
    /// `SecAuditLogParts`.
    pub parts: Box<str>,
    /// `SecAuditLogRelevantStatus`: statuses 100-999 that make a transaction relevant, evaluated at load.
    pub relevant_status: Option<Arc<[u16]>>,
    /// `SecAuditLog`, as written.
    pub path: Option<Box<str>>,
    /// `SecAuditLogFormat JSON` (true) or Native.
    pub json: bool,
}

/// The configuration of a ruleset.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `SecRuleEngine` (default Off, as in ModSecurity).
    pub engine: EngineMode,
    /// `SecRequestBodyAccess` (default off).
    pub request_body_access: bool,
    /// `SecResponseBodyAccess` (default off).
    pub response_body_access: bool,
    /// `SecRequestBodyLimit`, bytes.
    pub request_body_limit: u64,
    /// `SecRequestBodyNoFilesLimit`, bytes.
    pub request_body_no_files_limit: u64,
    /// `SecRequestBodyLimitAction`.
    pub request_body_limit_action: LimitAction,
    /// `SecResponseBodyLimit`, bytes.
    pub response_body_limit: u64,
    /// `SecResponseBodyLimitAction`.
    pub response_body_limit_action: LimitAction,
    /// `SecResponseBodyMimeType`, lower case, without parameters.
    pub response_body_mime_types: Vec<Box<str>>,
    /// `SecFusewallNestedDecoding`: levels of documents inside values that are read; 0: none.
    pub nested_decoding: usize,
    /// `SecRequestBodyJsonDepthLimit`.
    pub json_depth_limit: usize,
    /// `SecArgumentsLimit`.
    pub arguments_limit: usize,
    /// `SecArgumentSeparator` (default `&`).
    pub argument_separator: u8,
    /// `SecCookieFormat` 0 or 1.
    pub cookie_format: u8,
    /// `SecUploadFileLimit`.
    pub upload_file_limit: usize,
    /// `SecUnicodeMapFile`.
    pub unicode_map: Option<Arc<UnicodeMap>>,
    /// `SecComponentSignature`s in order.
    pub component_signatures: Vec<Box<str>>,
    /// `SecServerSignature`.
    pub server_signature: Option<Box<str>>,
    /// `SecWebAppId`.
    pub web_app_id: Option<Box<str>>,
    /// `SecSensorId`.
    pub sensor_id: Option<Box<str>>,
    /// `SecCollectionTimeout`, seconds.
    pub collection_timeout: u64,
    /// The audit log.
    pub audit: AuditSettings,
    /// Rules that a directive removed, kept for reports: id and the directive's name.
    pub removed: Vec<(RuleId, &'static str)>,
}

impl Default for Settings {
    fn default() -> Self {
        let limits = crate::limits::Limits::default();
        Settings {
            engine: EngineMode::Off,
            request_body_access: false,
            response_body_access: false,
            request_body_limit: limits.request_body,
            request_body_no_files_limit: limits.request_body_no_files,
            request_body_limit_action: LimitAction::Reject,
            response_body_limit: limits.response_body,
            response_body_limit_action: LimitAction::ProcessPartial,
            response_body_mime_types: vec!["text/plain".into(), "text/html".into()],
            nested_decoding: 0,
            json_depth_limit: limits.json_depth,
            arguments_limit: limits.arguments,
            argument_separator: b'&',
            cookie_format: 0,
            upload_file_limit: 100,
            unicode_map: None,
            component_signatures: Vec::new(),
            server_signature: None,
            web_app_id: None,
            sensor_id: None,
            collection_timeout: 3600,
            audit: AuditSettings {
                engine: AuditEngine::Off,
                parts: "ABIJDEFHZ".into(),
                relevant_status: None,
                path: None,
                json: true,
            },
            removed: Vec::new(),
        }
    }
}
