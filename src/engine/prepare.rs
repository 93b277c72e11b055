//! What each phase can see: values are made when their phase begins, every byte charged.

use super::memory::Slice;
use super::scratch::Scratch;
use super::selection::itoa;
use crate::http::coding::DecodeLimits;
use crate::http::{self, Kind, ParseLimits, Report};
use crate::meter::{Exhausted, Meter, Price};
use crate::program::Program;
use crate::rule::{BodyProcessor, Variable};

/// Splitting and copying bytes.
const COPY: Price = Price::new(32, 512);
/// Making ready for a request, whatever it is: its tables, its scalars, its phases.
const BEGIN: u64 = 1_500;
/// Taking in a header.
const HEADER: Price = Price::new(20, 128);

/// The limits of the inspection parsers, as rules and limits set them.
pub(super) fn parse_limits(program: &Program) -> ParseLimits {
    let settings = &program.ruleset.settings;
    ParseLimits {
        arguments: settings.arguments_limit,
        json_depth: settings.json_depth_limit,
        graphql_depth: program.limits.graphql_depth,
        protobuf_depth: program.limits.protobuf_depth,
        message: DecodeLimits {
            decoded: program.limits.grpc_message,
            ratio: program.limits.coding_ratio,
            ratio_from: program.limits.coding_ratio_from,
        },
        xml_depth: program.limits.xml_depth,
        multipart_parts: program.limits.multipart_parts,
        multipart_header: program.limits.multipart_header,
        argument_separator: settings.argument_separator,
        upload_files: settings.uploads.files,
        ..ParseLimits::default()
    }
}

/// Request line, query string, cookies: phase 1.
pub(super) fn request(program: &Program, scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    let limits = parse_limits(program);
    meter.charge(BEGIN + COPY.of(scalar(scratch, Variable::RequestUriRaw).len()))?;
    // What is stored next stands behind it in the same arena.
    let mut target = std::mem::take(&mut scratch.text);
    target.clear();
    target.extend_from_slice(scalar(scratch, Variable::RequestUriRaw));
    let split = request_target(&target, &limits, scratch, meter);
    scratch.text = target;
    split?;
    request_headers(program, scratch, meter)?;
    for (variable, text) in [
        (Variable::ReqbodyError, "0"),
        (Variable::ReqbodyErrorMsg, ""),
        (Variable::ReqbodyProcessorError, "0"),
        (Variable::ReqbodyProcessorErrorMsg, ""),
        (Variable::InboundDataError, "0"),
        (Variable::OutboundDataError, "0"),
        (Variable::RequestBodyLength, "0"),
        (Variable::FilesCombinedSize, "0"),
        (Variable::MscPcreLimitsExceeded, "0"),
        (Variable::MscPcreError, "0"),
        (Variable::SdbmDeleteError, "0"),
        (Variable::UriParseError, "0"),
        (Variable::ResBodyProcessor, ""),
        (Variable::ResBodyError, "0"),
        (Variable::ResBodyErrorMsg, ""),
        (Variable::ResBodyProcessorError, "0"),
        (Variable::ResBodyProcessorErrorMsg, ""),
        (Variable::ModsecBuild, "030000000"),
    ] {
        scratch.set_scalar(variable, Slice::Static(text.as_bytes()));
    }
    if let Some(id) = &program.ruleset.settings.web_app_id {
        keep(scratch, Variable::WebAppId, id.as_bytes())?;
    }
    multipart_flags(scratch);
    arguments(scratch, meter)?;
    full_request(program, scratch, meter)
}

/// The parts of the target: path and arguments.
fn request_target(
    target: &[u8],
    limits: &ParseLimits,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let uri = http::uri::split(target);
    keep(scratch, Variable::RequestUri, uri.uri)?;
    if uri.has_query {
        keep(scratch, Variable::QueryString, uri.query)?;
    }
    let mut path = std::mem::take(&mut scratch.name);
    path.clear();
    http::uri::decode_path(uri.path, &mut path);
    let kept = keep(scratch, Variable::RequestFilename, &path)
        .and_then(|()| keep(scratch, Variable::RequestBasename, http::uri::basename(&path)))
        .and_then(|()| keep(scratch, Variable::PathInfo, &path));
    scratch.name = path;
    kept?;
    if target.contains(&b'#') {
        // Recipients that know no fragments read on: the rest of the target is then path or arguments.
        scratch.flags.note("fragment of the request target");
    }
    http::args::parse_query(uri.query, limits, &mut scratch.memory.fields, &mut scratch.report, meter)
}

/// What headers say: cookies, the host, the user, the type of the body.
fn request_headers(program: &Program, scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    let mut content_type = None;
    let mut header_bytes = 0;
    // Cookies join the list behind the headers.
    for at in 0..scratch.memory.fields.items().len() {
        let Some(header) = scratch.memory.fields.items().get(at).copied() else { break };
        if header.kind != Kind::RequestHeader {
            continue;
        }
        meter.charge(HEADER.of(header.name.len() + header.value.len()))?;
        header_bytes += header.name.len() + header.value.len() + 4;
        let name = scratch.memory.fields.bytes(header.name);
        if name.eq_ignore_ascii_case(b"content-type") && content_type.is_none() {
            content_type = Some(header.value);
            continue;
        }
        let told = [&b"cookie"[..], b"host", b"authorization"].into_iter().find(|told| name.eq_ignore_ascii_case(told));
        let Some(told) = told else { continue };
        let mut value = std::mem::take(&mut scratch.text);
        value.clear();
        value.extend_from_slice(scratch.memory.fields.bytes(header.value));
        let taken = request_header(told, &value, program, scratch, meter);
        scratch.text = value;
        taken?;
    }
    scratch.state.processor = content_type.and_then(|value| processor_of(scratch.memory.fields.bytes(value)));
    let line = scalar(scratch, Variable::RequestLine).len();
    number(scratch, Variable::FullRequestLength, (line + 2 + header_bytes + 2) as u64)
}

/// What one of the headers says that more than itself is made of; `name` is in lower case.
fn request_header(
    name: &[u8],
    value: &[u8],
    program: &Program,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    match name {
        b"cookie" => {
            let settings = &program.ruleset.settings;
            let (format, separator) = (settings.cookie_format, settings.cookie_separator);
            if !http::cookies::parse_cookies(value, format, separator, &mut scratch.memory.fields, meter)? {
                scratch.flags.note("cookie without a name");
            }
        }
        b"host" => keep(scratch, Variable::ServerName, host_of(value))?,
        b"authorization" => {
            let scheme = value.split(|&byte| byte == b' ').next().unwrap_or_default();
            keep(scratch, Variable::AuthType, scheme)?;
            if let Some(user) = basic_user(value) {
                keep(scratch, Variable::RemoteUser, &user)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Marks a body whose part outside of files is longer than its limit. Whether it is. Of a multipart body headers and values of
/// parts count, of any other all of it.
pub(super) fn limit_without_files(
    program: &Program,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<bool, Exhausted> {
    let items = scratch.memory.fields.items();
    meter.charge(COPY.of(0) + items.len() as u64)?;
    let length = match scratch.state.processor {
        Some(BodyProcessor::Multipart) => {
            let counted = items.iter().filter(|field| matches!(field.kind, Kind::PartHeader | Kind::ArgPost));
            counted.map(|field| field.value.len()).sum()
        }
        _ => scratch.memory.request_body.inspected().len(),
    };
    let settings = &program.ruleset.settings;
    let over = scratch.state.request_body_access && length as u64 > settings.request_body_no_files_limit;
    if over && !scratch.report.error {
        scratch.report.error = true;
        scratch.report.error_message = "the request body without its files is over the limit".into();
    }
    Ok(over)
}

/// What the body parser found: phase 2.
pub(super) fn body(program: &Program, scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    let length = scratch.memory.request_body.inspected().len();
    meter.charge(COPY.of(0))?;
    number(scratch, Variable::RequestBodyLength, length as u64)?;
    let visible = match scratch.state.processor {
        Some(BodyProcessor::UrlEncoded) => true,
        Some(_) => false,
        None => scratch.state.force_request_body,
    };
    let streamed = program.ruleset.settings.stream_input_body && scratch.state.request_body_access;
    if streamed {
        scratch.set_scalar(Variable::StreamInputBody, Slice::RequestBody);
    }
    if visible && scratch.state.request_body_access {
        scratch.set_scalar(Variable::RequestBody, Slice::RequestBody);
    } else if !streamed && length > 0 && scratch.state.processor.is_none() {
        scratch.flags.note("request body");
    }
    if length > 0 {
        body_headers(scratch, meter)?;
    }
    let Report { error, error_message, files_combined_size, .. } = scratch.report.clone();
    let flag: &'static [u8] = if error { b"1" } else { b"0" };
    scratch.set_scalar(Variable::ReqbodyError, Slice::Static(flag));
    scratch.set_scalar(Variable::ReqbodyProcessorError, Slice::Static(flag));
    keep(scratch, Variable::ReqbodyErrorMsg, error_message.as_bytes())?;
    keep(scratch, Variable::ReqbodyProcessorErrorMsg, error_message.as_bytes())?;
    number(scratch, Variable::FilesCombinedSize, files_combined_size)?;
    multipart_flags(scratch);
    file_sizes(scratch, meter)?;
    arguments(scratch, meter)?;
    full_request(program, scratch, meter)
}

/// What the headers and the parser say about a body that rules cannot see as its recipient may.
fn body_headers(scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    let (fields, report, flags) = (&scratch.memory.fields, &mut scratch.report, &mut scratch.flags);
    let mut types = 0;
    meter.charge(fields.items().len() as u64)?;
    for field in fields.items() {
        let (name, value) = (fields.bytes(field.name), fields.bytes(field.value));
        if field.kind == Kind::ArgPost && name == b"_charset_" && !http::content::shows_ascii(value) {
            // RFC 7578, section 4.6: the character set of the fields.
            flags.note("request body charset");
        }
        if field.kind == Kind::RequestHeader && name.eq_ignore_ascii_case(b"content-type") {
            meter.charge(COPY.of(value.len()))?;
            types += 1;
            if http::content::hides_text(value) {
                flags.note("request body charset");
            }
        }
    }
    if types > 1 {
        report.fail("The request has more than one Content-Type");
    }
    if report.part_coded {
        flags.note("part-coded");
    }
    if report.part_charset {
        flags.note("part charset");
    }
    if report.xml_doctype {
        flags.note("document type declaration");
    }
    Ok(())
}

/// Status line and headers: phase 3. An unknown length is 0.
pub(super) fn response(scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    scratch.set_scalar(Variable::ResponseContentLength, Slice::Static(b"0"));
    for at in 0..scratch.memory.fields.items().len() {
        let Some(header) = scratch.memory.fields.items().get(at).copied() else { break };
        if header.kind != Kind::ResponseHeader {
            continue;
        }
        meter.charge(COPY.of(header.name.len()))?;
        let name = scratch.memory.fields.bytes(header.name);
        if name.eq_ignore_ascii_case(b"content-type") {
            let value = scratch.memory.fields.bytes(header.value);
            let mut media = std::mem::take(&mut scratch.text);
            media.clear();
            media.extend_from_slice(value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii());
            let kept = keep(scratch, Variable::ResponseContentType, &media);
            scratch.text = media;
            kept?;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            scratch.set_scalar(Variable::ResponseContentLength, Slice::Field(header.value));
        }
    }
    scratch.values.index(&scratch.memory.fields);
    Ok(())
}

/// The status that the client gets, when it is the engine's and not the application's: phase 5.
pub(super) fn logging(scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    let Some(status) = scratch.state.interruption.as_ref().map(|interruption| interruption.status) else {
        return Ok(());
    };
    meter.charge(COPY.of(0))?;
    number(scratch, Variable::ResponseStatus, u64::from(status))
}

/// The response body, if it is one to be inspected: phase 4.
pub(super) fn response_body(
    inspected: bool,
    program: &Program,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    meter.charge(COPY.of(0))?;
    if inspected {
        scratch.set_scalar(Variable::ResponseBody, Slice::ResponseBody);
        if program.ruleset.settings.stream_output_body {
            scratch.set_scalar(Variable::StreamOutputBody, Slice::ResponseBody);
        }
        number(scratch, Variable::ResponseContentLength, scratch.memory.response_body.inspected().len() as u64)?;
    }
    Ok(())
}

/// The processor that a content type chooses by itself; JSON and XML are chosen by rules.
fn processor_of(content_type: &[u8]) -> Option<BodyProcessor> {
    let content_type = content_type.trim_ascii_start();
    let starts =
        |prefix: &[u8]| content_type.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if starts(b"application/x-www-form-urlencoded") {
        Some(BodyProcessor::UrlEncoded)
    } else if starts(b"multipart/form-data") {
        Some(BodyProcessor::Multipart)
    } else {
        None
    }
}

/// ARGS_COMBINED_SIZE, and the flags of the argument parsers.
fn arguments(scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    scratch.values.index(&scratch.memory.fields);
    let mut size = 0;
    for field in scratch.memory.fields.items() {
        if matches!(field.kind, Kind::ArgGet | Kind::ArgPost) {
            size += (field.name.len() + field.value.len()) as u64;
        }
    }
    meter.charge(scratch.memory.fields.items().len() as u64)?;
    number(scratch, Variable::ArgsCombinedSize, size)?;
    let bad: &'static [u8] = if scratch.report.urlencoded_error { b"1" } else { b"0" };
    scratch.set_scalar(Variable::UrlencodedError, Slice::Static(bad));
    if scratch.report.nested_exceeded {
        scratch.flags.note("nested values");
    }
    if scratch.report.arguments_exceeded {
        scratch.flags.note("arguments over the limit");
    }
    Ok(())
}

/// FILES_SIZES.
fn file_sizes(scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    // The sizes join the list behind them.
    for at in 0..scratch.memory.fields.items().len() {
        let Some(content) = scratch.memory.fields.items().get(at).copied() else { break };
        if content.kind != Kind::FileContent {
            continue;
        }
        meter.charge(COPY.of(0))?;
        let size = scratch.memory.fields.store(itoa(content.value.len() as u64).as_bytes())?;
        scratch.memory.fields.push_stored(Kind::FileSize, content.name, size);
    }
    Ok(())
}

fn multipart_flags(scratch: &mut Scratch) {
    let flags = scratch.report.multipart;
    let strict = flags.strict_error();
    for (variable, on) in [
        (Variable::MultipartBoundaryQuoted, flags.boundary_quoted),
        (Variable::MultipartBoundaryWhitespace, flags.boundary_whitespace),
        (Variable::MultipartDataBefore, flags.data_before),
        (Variable::MultipartDataAfter, flags.data_after),
        (Variable::MultipartHeaderFolding, flags.header_folding),
        (Variable::MultipartLfLine, flags.lf_line),
        (Variable::MultipartCrlfLfLines, flags.crlf_lf_lines),
        (Variable::MultipartMissingSemicolon, flags.missing_semicolon),
        (Variable::MultipartInvalidQuoting, flags.invalid_quoting),
        (Variable::MultipartInvalidPart, flags.invalid_part),
        (Variable::MultipartInvalidHeaderFolding, flags.invalid_header_folding),
        (Variable::MultipartFileLimitExceeded, flags.file_limit_exceeded),
        (Variable::MultipartStrictError, strict),
    ] {
        scratch.set_scalar(variable, Slice::Static(if on { b"1" } else { b"0" }));
    }
    let unmatched: &'static [u8] = match flags.unmatched_boundary {
        0 => b"0",
        1 => b"1",
        _ => b"2",
    };
    scratch.set_scalar(Variable::MultipartUnmatchedBoundary, Slice::Static(unmatched));
}

/// FULL_REQUEST, for rulesets that look at it: it holds everything twice.
fn full_request(program: &Program, scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    if !program.full_request {
        return Ok(());
    }
    let mut text = scalar(scratch, Variable::RequestLine).to_vec();
    text.extend_from_slice(b"\r\n");
    for field in scratch.memory.fields.items() {
        if field.kind == Kind::RequestHeader {
            text.extend_from_slice(scratch.memory.fields.bytes(field.name));
            text.extend_from_slice(b": ");
            text.extend_from_slice(scratch.memory.fields.bytes(field.value));
            text.extend_from_slice(b"\r\n");
        }
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(scratch.memory.request_body.inspected());
    meter.charge(COPY.of(text.len()))?;
    number(scratch, Variable::FullRequestLength, text.len() as u64)?;
    keep(scratch, Variable::FullRequest, &text)
}

/// The bytes of a scalar; none if it has no value.
pub(super) fn scalar(scratch: &Scratch, variable: Variable) -> &[u8] {
    scratch.memory.get(scratch.values.scalar(variable).unwrap_or(Slice::EMPTY))
}

/// Stores a scalar's value.
pub(super) fn keep(scratch: &mut Scratch, variable: Variable, text: &[u8]) -> Result<(), Exhausted> {
    let bytes = scratch.memory.fields.store(text)?;
    scratch.set_scalar(variable, Slice::Field(bytes));
    Ok(())
}

/// Stores a scalar's value as decimal text.
pub(super) fn number(scratch: &mut Scratch, variable: Variable, number: u64) -> Result<(), Exhausted> {
    keep(scratch, variable, itoa(number).as_bytes())
}

/// The host of a Host header, without its port.
fn host_of(host: &[u8]) -> &[u8] {
    if host.first() == Some(&b'[') {
        let end = host.iter().position(|&byte| byte == b']').map_or(host.len(), |at| at + 1);
        return host.get(..end).unwrap_or(host);
    }
    host.split(|&byte| byte == b':').next().unwrap_or_default()
}

/// The user name of `Authorization: Basic ...`.
fn basic_user(value: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine;
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim_ascii()).ok()?;
    decoded.split(|&byte| byte == b':').next().map(<[u8]>::to_vec)
}
