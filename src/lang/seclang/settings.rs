//! Directives that set one value each, and the readers of such values.

use super::lexer::Word;
use super::names::directives::Kind;
use super::reader::Reader;
use super::text::{Text, is_blank};
use super::{codes, data, pattern};
use crate::diag::Span;
use crate::geo::Database;
use crate::rule::{
    AuditEngine, AuditFormat, AuditParts, AuditType, EngineMode, KeepFiles, LimitAction, Settings, UploadSettings,
    XmlIntoArgs,
};
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

/// What several directives say together.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Media types were named: the built-in list is gone.
    media_types: bool,
    /// `SecUnicodeMapFile`; put together with the code page when everything is read.
    file: Option<(Text, Vec<u8>)>,
    code_page: Option<u32>,
    /// `SecRemoteRules` that were not fetched, and why; what that means is known in the end.
    pub not_fetched: Vec<(Span, String)>,
    /// `SecRemoteRulesFailAction Warn`.
    may_be_missing: bool,
    /// The directive that wants uploaded files stored, and the one that wants them to stay.
    stores: Option<Span>,
    keeps: Option<Span>,
}

impl Pending {
    /// What was named is put together, and what was not is missed.
    pub fn finish(self, settings: &mut Settings, reader: &mut Reader<'_>) {
        if let Some(span) = reader.looks_up_places.filter(|_| settings.geo.is_none()) {
            let message = "without a database `@geoLookup` never matches, and GEO stays empty";
            reader.warn(codes::NO_EFFECT, span, message, "name a database: `SecGeoLookupDb GeoLite2-City.mmdb`");
        }
        if let Some(span) = reader.asks_http_bl.filter(|_| settings.http_bl_key.is_none()) {
            let message = "this block list does not answer without a key";
            reader.warn(codes::NO_EFFECT, span, message, "name yours: `SecHttpBlKey abcdefghijkl`");
        }
        for (span, message) in &self.not_fetched {
            match self.may_be_missing {
                true => reader.warn(codes::NOT_FETCHED, *span, message, "the rules behind this URL are not in service"),
                false => {
                    let help = "write `SecRemoteRulesFailAction Warn` if the ruleset may go without them";
                    reader.error(codes::UNREADABLE, *span, message, help);
                }
            }
        }
        self.uploads(&settings.uploads, reader);
        self.unicode_map(settings, reader);
    }

    fn uploads(&self, uploads: &UploadSettings, reader: &mut Reader<'_>) {
        let keeps = self.keeps.filter(|_| uploads.keep != KeepFiles::Off);
        let wanted = keeps.or(self.stores.filter(|_| uploads.save)).or(reader.names_stored_uploads);
        if reader.limits.upload_bytes > 0 {
            if let Some(span) = keeps.filter(|_| uploads.dir.is_none()) {
                let help = "name it: `SecUploadDir /var/lib/uploads`";
                reader.error(codes::ARGUMENT, span, "files that stay need a folder of their own", help);
            }
        } else if let Some(span) = wanted {
            let message = "this host stores no uploaded files: FILES_TMPNAMES is empty, and nothing stays";
            let help = "FILES, FILES_NAMES, FILES_SIZES and FILES_TMP_CONTENT have values all the same";
            reader.warn(codes::NO_EFFECT, span, message, help);
        }
    }

    fn unicode_map(self, settings: &mut Settings, reader: &mut Reader<'_>) {
        let Some((name, bytes)) = self.file else { return };
        let Some(code_page) = self.code_page else {
            let help = "write `SecUnicodeMapFile unicode.mapping 20127`";
            reader.error(codes::ARGUMENT, name.span(), "the Unicode map needs a code page", help);
            return;
        };
        match data::unicode_map(&bytes, code_page) {
            Some(map) => settings.unicode_map = Some(Arc::new(map)),
            None => {
                let message = format!("`{}` has no code page {code_page}, or nothing in it", name.show());
                reader.error(codes::ARGUMENT, name.span(), message, "20127 is US-ASCII");
            }
        }
    }
}

/// Applies a directive that is neither a rule nor about rules nor an include.
pub(super) fn apply(kind: Kind, words: &[Word], all: &mut Settings, pending: &mut Pending, reader: &mut Reader<'_>) {
    // Directives without a value wrong in some way keep what stood before; the error was pushed.
    let _ = set(kind, words, all, pending, reader);
}

fn set(kind: Kind, words: &[Word], all: &mut Settings, pending: &mut Pending, reader: &mut Reader<'_>) -> Option<()> {
    let code = codes::ARGUMENT;
    if kind == Kind::ResponseBodyMimeTypesClear {
        all.response_body_mime_types.clear();
        pending.media_types = true;
        return Some(());
    }
    let value = &words.first()?.text;
    match kind {
        Kind::RuleEngine => all.engine = engine(value, code, reader)?,
        Kind::RequestBodyAccess => all.request_body_access = switch(value, code, reader)?,
        Kind::ResponseBodyAccess => all.response_body_access = switch(value, code, reader)?,
        Kind::RequestBodyLimit => all.request_body_limit = number(value, code, reader)?,
        Kind::RequestBodyNoFilesLimit => all.request_body_no_files_limit = number(value, code, reader)?,
        Kind::ResponseBodyLimit => all.response_body_limit = number(value, code, reader)?,
        Kind::RequestBodyLimitAction => all.request_body_limit_action = limit_action(value, reader)?,
        Kind::ResponseBodyLimitAction => all.response_body_limit_action = limit_action(value, reader)?,
        Kind::JsonDepthLimit => all.json_depth_limit = number(value, code, reader)?,
        Kind::NestedDecoding => {
            let levels = [("0", 0), ("1", 1), ("2", 2), ("3", 3), ("4", 4), ("5", 5)];
            all.nested_decoding = choice(value, &levels, code, reader)?;
        }
        Kind::ArgumentsLimit => all.arguments_limit = number(value, code, reader)?,
        Kind::UploadFileLimit => all.uploads.files = number(value, code, reader)?,
        Kind::RemoteRulesFailAction => {
            pending.may_be_missing = choice(value, &[("Abort", false), ("Warn", true)], code, reader)?;
        }
        Kind::UploadDir => all.uploads.dir = Some(value.show().into()),
        Kind::TmpDir => all.uploads.tmp_dir = Some(value.show().into()),
        Kind::UploadFileMode => all.uploads.mode = file_mode(value, UploadSettings::default().mode, reader)?,
        Kind::UploadKeepFiles => {
            let choices = [("On", KeepFiles::On), ("Off", KeepFiles::Off), ("RelevantOnly", KeepFiles::RelevantOnly)];
            all.uploads.keep = choice(value, &choices, code, reader)?;
            pending.keeps = value.span().into();
        }
        Kind::TmpSaveUploadedFiles => {
            all.uploads.save = switch(value, code, reader)?;
            pending.stores = value.span().into();
        }
        Kind::CollectionTimeout => all.collection_timeout = number(value, code, reader)?,
        Kind::DataDir => all.data_dir = Some(value.show().into()),
        Kind::CookieFormat => all.cookie_format = choice(value, &[("0", 0), ("1", 1)], code, reader)?,
        Kind::CookieV0Separator => all.cookie_separator = separator(value, "the usual separator is `;`", reader)?,
        Kind::ArgumentSeparator => all.argument_separator = separator(value, "the usual separator is `&`", reader)?,
        Kind::ParseXmlIntoArgs => all.xml_into_args = xml_into_args(value, code, reader)?,
        Kind::StreamInBodyInspection => all.stream_input_body = switch(value, code, reader)?,
        Kind::StreamOutBodyInspection => all.stream_output_body = switch(value, code, reader)?,
        Kind::RulePerfTime => all.rule_perf_time = number(value, code, reader)?,
        Kind::AuditEngine => all.audit.engine = audit_engine(value, code, reader)?,
        Kind::AuditLog => all.audit.path = Some(audit_path(value, reader)?),
        Kind::AuditLog2 => all.audit.second_path = Some(audit_path(value, reader)?),
        Kind::AuditLogStorageDir => all.audit.storage_dir = Some(value.show().into()),
        Kind::AuditLogDirMode => all.audit.dir_mode = file_mode(value, Settings::default().audit.dir_mode, reader)?,
        Kind::AuditLogFileMode => all.audit.file_mode = file_mode(value, Settings::default().audit.file_mode, reader)?,
        Kind::AuditLogFormat => {
            let choices = [("JSON", AuditFormat::Json), ("Native", AuditFormat::Native)];
            all.audit.format = choice(value, &choices, code, reader)?;
        }
        Kind::AuditLogParts => all.audit.parts = audit_parts(value, code, reader)?,
        Kind::AuditLogType => all.audit.kind = audit_log_type(value, reader)?,
        Kind::AuditLogRelevantStatus => {
            all.audit.relevant_status = Some(pattern::status_set(value, reader)?.into());
        }
        Kind::ComponentSignature => all.component_signatures.push(value.show().into()),
        Kind::ServerSignature => all.server_signature = Some(value.show().into()),
        Kind::WebAppId => all.web_app_id = Some(value.show().into()),
        Kind::SensorId => all.sensor_id = Some(value.show().into()),
        Kind::ResponseBodyMimeType => mime_types(words, all, pending),
        Kind::UnicodeCodePage => pending.code_page = Some(number(value, code, reader)?),
        Kind::HttpBlKey => all.http_bl_key = Some(http_bl_key(value, reader)?),
        Kind::GeoLookupDb => all.geo = Some(Arc::new(geo_database(value, reader)?)),
        Kind::UnicodeMapFile => {
            if let Some(page) = words.get(1) {
                pending.code_page = Some(number(&page.text, code, reader)?);
            }
            let (_, bytes) = reader.open_named(value)?;
            pending.file = Some((value.clone(), bytes));
        }
        // Rules, updates and includes are read elsewhere.
        _ => {}
    }
    Some(())
}

fn audit_log_type(value: &Text, reader: &mut Reader<'_>) -> Option<AuditType> {
    if value.is("HTTPS") {
        let message = "records are not sent over the network: a collector that is slow or down would hold them up";
        let help = "write `SecAuditLogType Serial` and `SecAuditLogFormat JSON`, and let a log shipper send the file";
        reader.error(codes::ARGUMENT, value.span(), message, help);
        return None;
    }
    let choices =
        [("Serial", AuditType::Serial), ("Concurrent", AuditType::Concurrent), ("Parallel", AuditType::Concurrent)];
    choice(value, &choices, codes::ARGUMENT, reader)
}

fn audit_path(value: &Text, reader: &mut Reader<'_>) -> Option<Box<str>> {
    if value.bytes().first() == Some(&b'|') {
        let help = "name a file, and let the program read that";
        reader.error(codes::ARGUMENT, value.span(), "piped log programs are not started", help);
        return None;
    }
    Some(value.show().into())
}

/// Permission bits in octal digits, or `default`.
fn file_mode(value: &Text, default: u32, reader: &mut Reader<'_>) -> Option<u32> {
    if value.is("default") {
        return Some(default);
    }
    match u32::from_str_radix(&value.show(), 8) {
        Ok(mode) if mode <= 0o777 => Some(mode),
        _ => {
            let message = format!("`{}` are no permissions", value.show());
            reader.error(codes::ARGUMENT, value.span(), message, "write octal digits, such as 0640, or `default`");
            None
        }
    }
}

/// Twelve letters.
fn http_bl_key(value: &Text, reader: &mut Reader<'_>) -> Option<Box<str>> {
    let key = value.show();
    if key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Some(key.into());
    }
    let message = format!("`{key}` is not a key of this block list");
    reader.error(codes::ARGUMENT, value.span(), message, "a key has twelve lower-case letters");
    None
}

fn geo_database(name: &Text, reader: &mut Reader<'_>) -> Option<Database> {
    let (path, bytes) = reader.open_within(name, reader.limits.geo_database_bytes, "geo_database_bytes")?;
    match Database::open(bytes) {
        Ok(database) => Some(database),
        Err(problem) => {
            let message = format!("`{}` is no geographic database: {problem}", name.show());
            let legacy = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("dat"));
            let help = match legacy {
                true => {
                    "the legacy format `.dat` is not read and no longer published: take the `.mmdb` of the same name"
                }
                false => "fetch it again: databases in the MaxMind DB format end in `.mmdb`",
            };
            reader.error(codes::ARGUMENT, name.span(), message, help);
            None
        }
    }
}

/// Media types in lower case, without parameters; the first directive replaces the built-in list (as in v2).
fn mime_types(words: &[Word], all: &mut Settings, pending: &mut Pending) {
    if !std::mem::replace(&mut pending.media_types, true) {
        all.response_body_mime_types.clear();
    }
    for name in words.iter().flat_map(|word| word.text.split(is_blank)) {
        let name = name.show().to_ascii_lowercase();
        let name: Box<str> = name.split(';').next().unwrap_or_default().into();
        if !name.is_empty() && !all.response_body_mime_types.contains(&name) {
            all.response_body_mime_types.push(name);
        }
    }
}

/// A value out of a list, without case.
pub(super) fn choice<T: Clone>(
    value: &Text,
    choices: &[(&str, T)],
    code: &'static str,
    reader: &mut Reader<'_>,
) -> Option<T> {
    let found = choices.iter().find(|(name, _)| value.is(name)).map(|(_, value)| value.clone());
    if found.is_none() {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let message = format!("`{}` is not one of {}", value.show(), names.join(", "));
        let help = match reader.nearest(value.bytes(), names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => String::new(),
        };
        reader.error(code, value.span(), message, help);
    }
    found
}

/// One byte.
fn separator(value: &Text, help: &str, reader: &mut Reader<'_>) -> Option<u8> {
    if let [byte] = value.bytes() {
        return Some(*byte);
    }
    let message = format!("`{}` is not a single byte", value.show());
    reader.error(codes::ARGUMENT, value.span(), message, help);
    None
}

/// `On`, `Off`, `OnlyArgs`.
pub(super) fn xml_into_args(value: &Text, code: &'static str, reader: &mut Reader<'_>) -> Option<XmlIntoArgs> {
    let choices = [("On", XmlIntoArgs::On), ("Off", XmlIntoArgs::Off), ("OnlyArgs", XmlIntoArgs::OnlyArgs)];
    choice(value, &choices, code, reader)
}

/// `On` or `Off`.
pub(super) fn switch(value: &Text, code: &'static str, reader: &mut Reader<'_>) -> Option<bool> {
    choice(value, &[("On", true), ("Off", false)], code, reader)
}

/// A plain number.
pub(super) fn number<T: FromStr<Err: Display>>(value: &Text, code: &'static str, reader: &mut Reader<'_>) -> Option<T> {
    match value.show().parse::<T>() {
        Ok(number) => Some(number),
        Err(problem) => {
            let message = format!("`{}` is not a number that fits here: {problem}", value.show());
            reader.error(code, value.span(), message, "write decimal digits only");
            None
        }
    }
}

/// `On`, `Off`, `DetectionOnly`.
pub(super) fn engine(value: &Text, code: &'static str, reader: &mut Reader<'_>) -> Option<EngineMode> {
    let choices = [("On", EngineMode::On), ("Off", EngineMode::Off), ("DetectionOnly", EngineMode::DetectionOnly)];
    choice(value, &choices, code, reader)
}

/// `On`, `Off`, `RelevantOnly`.
pub(super) fn audit_engine(value: &Text, code: &'static str, reader: &mut Reader<'_>) -> Option<AuditEngine> {
    let choices = [("On", AuditEngine::On), ("Off", AuditEngine::Off), ("RelevantOnly", AuditEngine::RelevantOnly)];
    choice(value, &choices, code, reader)
}

/// Letters A to K and Z.
pub(super) fn audit_parts(value: &Text, code: &'static str, reader: &mut Reader<'_>) -> Option<AuditParts> {
    let parts = AuditParts::parse(&value.show());
    if parts.is_none() {
        let message = format!("`{}` are not parts of an audit record", value.show());
        reader.error(code, value.span(), message, "parts are the letters A to K and Z: `ABIJDEFHZ`");
    }
    parts
}

fn limit_action(value: &Text, reader: &mut Reader<'_>) -> Option<LimitAction> {
    let choices = [("Reject", LimitAction::Reject), ("ProcessPartial", LimitAction::ProcessPartial)];
    choice(value, &choices, codes::ARGUMENT, reader)
}
