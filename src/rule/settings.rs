//! Everything in a ruleset that is not a rule.

use super::{AuditSettings, RuleId, UploadSettings};
use crate::geo::Database;
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

/// `SecParseXmlIntoArgs`: whether the text of XML elements is arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum XmlIntoArgs {
    /// No: it is `XML:/*` only.
    #[default]
    Off,
    /// It is both.
    On,
    /// It is arguments only.
    OnlyArgs,
}

/// `SecDataset`: lines that operators name instead of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Its name.
    pub name: Box<str>,
    /// Its lines, without empty ones and comments.
    pub lines: Vec<Box<[u8]>>,
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
    /// `SecCookieV0Separator` (default `;`).
    pub cookie_separator: u8,
    /// `SecParseXmlIntoArgs`.
    pub xml_into_args: XmlIntoArgs,
    /// `SecStreamInBodyInspection`: STREAM_INPUT_BODY is the request body.
    pub stream_input_body: bool,
    /// `SecStreamOutBodyInspection`: STREAM_OUTPUT_BODY is the response body.
    pub stream_output_body: bool,
    /// `SecRulePerfTime`: PERF_RULES has the rules that took so many microseconds or more; 0 keeps it empty.
    pub rule_perf_time: u64,
    /// Uploaded files.
    pub uploads: UploadSettings,
    /// `SecDataset`s in order, kept for reports.
    pub datasets: Vec<Dataset>,
    /// `SecHttpBlKey`.
    pub http_bl_key: Option<Box<str>>,
    /// `SecGeoLookupDb`.
    pub geo: Option<Arc<Database>>,
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
    /// `SecDataDir`, as written: the folder in which a host keeps persistent collections.
    pub data_dir: Option<Box<str>>,
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
            cookie_separator: b';',
            xml_into_args: XmlIntoArgs::Off,
            stream_input_body: false,
            stream_output_body: false,
            rule_perf_time: 0,
            uploads: UploadSettings::default(),
            datasets: Vec::new(),
            http_bl_key: None,
            geo: None,
            unicode_map: None,
            component_signatures: Vec::new(),
            server_signature: None,
            web_app_id: None,
            sensor_id: None,
            collection_timeout: 3600,
            data_dir: None,
            audit: AuditSettings::default(),
            removed: Vec::new(),
        }
    }
}
