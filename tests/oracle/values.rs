//! The values of each variable, with their names, as far as the phase knows them.

use super::exchange::{CLIENT_PORT, SERVER, SERVER_PORT};
use super::request::{Named, header};
use super::run::Run;
use fusewall::http::Kind;
use fusewall::rule::{Macro, MacroPart, Phase, Selector, Target, Variable};

/// A member of a variable: its key, if it has one, and its value.
pub type Member = (Option<Vec<u8>>, Vec<u8>);

const ARGUMENTS: &[Kind] = &[Kind::ArgGet, Kind::ArgPost];

/// The values that a target names, each as `NAME:key` and value. A count is one value that always exists; it is logged under
/// the bare name.
pub fn of_target(run: &Run<'_>, target: &Target) -> Vec<Named> {
    let selected: Vec<Member> =
        members(run, target.variable).into_iter().filter(|(key, _)| is_selected(run, target, key.as_deref())).collect();
    if target.count {
        let name = log_name(target.variable).into();
        return vec![(name, selected.len().to_string().into_bytes())];
    }
    selected.into_iter().map(|(key, value)| (name(target.variable, key.as_deref()), value)).collect()
}

/// Whether a target's selector takes a member of its variable.
pub fn is_selected(run: &Run<'_>, target: &Target, key: Option<&[u8]>) -> bool {
    match (&target.selector, key) {
        (Selector::All, _) => true,
        (Selector::Key(wanted), Some(key)) if target.variable.folds_case() => wanted.eq_ignore_ascii_case(key),
        (Selector::Key(wanted), Some(key)) => **wanted == *key,
        (Selector::Regex(pattern), Some(key)) => run.patterns.finds(pattern, key),
        (_, None) => false,
    }
}

/// `VARIABLE` or `VARIABLE:key`.
pub fn name(variable: Variable, key: Option<&[u8]>) -> Vec<u8> {
    match key {
        Some(key) => [log_name(variable).as_bytes(), b":", key].concat(),
        None => log_name(variable).into(),
    }
}

/// The name as rules know it: both XML targets are `XML`.
fn log_name(variable: Variable) -> &'static str {
    if variable == Variable::XmlAttributes { "XML" } else { variable.name() }
}

/// All members of a variable. A scalar has one or, while it does not exist, none.
pub fn members(run: &Run<'_>, variable: Variable) -> Vec<Member> {
    let (exchange, request, state) = (run.exchange, &run.request, &run.state);
    let report = &request.report;
    let multipart = &report.multipart;
    let one = |value: &[u8]| vec![(None, value.to_vec())];
    let number = |value: u64| one(value.to_string().as_bytes());
    let flag = |value: bool| one(if value { b"1" } else { b"0" });
    let maybe = |value: Option<&[u8]>| value.map(|value| (None, value.to_vec())).into_iter().collect();
    let keyed = |fields: &[Kind]| request.of(fields).map(|(name, value)| (Some(name.clone()), value.clone())).collect();
    let names = |fields: &[Kind]| request.of(fields).map(|(name, _)| (Some(name.clone()), name.clone())).collect();
    let listed = |list: &[Named]| list.iter().map(|(name, value)| (Some(name.clone()), value.clone())).collect();
    let list_names = |list: &[Named]| list.iter().map(|(name, _)| (Some(name.clone()), name.clone())).collect();
    let response = exchange.response.as_ref().filter(|_| run.knows_response());
    let response_headers = response.map(|response| response.headers.as_slice()).unwrap_or_default();
    match variable {
        Variable::Args => keyed(ARGUMENTS),
        Variable::ArgsGet => keyed(&[Kind::ArgGet]),
        Variable::ArgsPost => keyed(&[Kind::ArgPost]),
        Variable::ArgsNames => names(ARGUMENTS),
        Variable::ArgsGetNames => names(&[Kind::ArgGet]),
        Variable::ArgsPostNames => names(&[Kind::ArgPost]),
        Variable::ArgsCombinedSize => {
            number(request.of(ARGUMENTS).map(|(name, value)| (name.len() + value.len()) as u64).sum())
        }
        Variable::Files => keyed(&[Kind::File]),
        Variable::FilesNames => names(&[Kind::File]),
        Variable::FilesSizes => request
            .of(&[Kind::FileContent])
            .map(|(name, content)| (Some(name.clone()), content.len().to_string().into()))
            .collect(),
        Variable::FilesTmpContent => keyed(&[Kind::FileContent]),
        Variable::FilesTmpNames => keyed(&[Kind::FileTmpName]),
        Variable::FilesCombinedSize => number(report.files_combined_size),
        Variable::MultipartFilename => keyed(&[Kind::File]),
        Variable::MultipartName => names(&[Kind::File]),
        Variable::MultipartPartHeaders => keyed(&[Kind::PartHeader]),
        Variable::Xml => request.of(&[Kind::XmlText]).map(|(_, text)| (None, text.clone())).collect(),
        Variable::XmlAttributes => keyed(&[Kind::XmlAttribute]),

        Variable::RequestHeaders => listed(&exchange.headers),
        Variable::RequestHeadersNames => list_names(&exchange.headers),
        Variable::RequestCookies => keyed(&[Kind::Cookie]),
        Variable::RequestCookiesNames => names(&[Kind::Cookie]),
        Variable::RequestMethod => one(&exchange.method),
        Variable::RequestProtocol => one(&exchange.version),
        Variable::RequestLine => one(&[&*exchange.method, b" ", &exchange.target, b" ", &exchange.version].concat()),
        Variable::RequestUriRaw => one(&exchange.target),
        Variable::RequestUri => one(&request.uri),
        Variable::RequestFilename => one(&request.filename),
        Variable::RequestBasename => one(&request.basename),
        Variable::QueryString => maybe(request.query.as_deref()),
        Variable::UrlencodedError => flag(report.urlencoded_error),

        Variable::RequestBody => maybe(run.request_body()),
        Variable::StreamInputBody => maybe(run.inspected_body().filter(|_| run.ruleset.settings.stream_input_body)),
        Variable::RequestBodyLength => number(run.inspected_body().map_or(0, |body| body.len() as u64)),
        Variable::ReqbodyProcessor => one(state.processor.map_or("", |processor| processor.name()).as_bytes()),
        Variable::ReqbodyError => flag(run.knows_body() && report.error),
        Variable::ReqbodyErrorMsg => one(if run.knows_body() { report.error_message.as_bytes() } else { b"" }),
        Variable::ReqbodyProcessorError => flag(run.knows_body() && report.error),
        Variable::ReqbodyProcessorErrorMsg => one(if run.knows_body() { report.error_message.as_bytes() } else { b"" }),
        Variable::MultipartBoundaryQuoted => flag(multipart.boundary_quoted),
        Variable::MultipartBoundaryWhitespace => flag(multipart.boundary_whitespace),
        Variable::MultipartCrlfLfLines => flag(multipart.crlf_lf_lines),
        Variable::MultipartDataAfter => flag(multipart.data_after),
        Variable::MultipartDataBefore => flag(multipart.data_before),
        Variable::MultipartFileLimitExceeded => flag(multipart.file_limit_exceeded),
        Variable::MultipartHeaderFolding => flag(multipart.header_folding),
        Variable::MultipartInvalidHeaderFolding => flag(multipart.invalid_header_folding),
        Variable::MultipartInvalidPart => flag(multipart.invalid_part),
        Variable::MultipartInvalidQuoting => flag(multipart.invalid_quoting),
        Variable::MultipartLfLine => flag(multipart.lf_line),
        Variable::MultipartMissingSemicolon => flag(multipart.missing_semicolon),
        Variable::MultipartStrictError => flag(multipart.strict_error()),
        Variable::MultipartUnmatchedBoundary => number(u64::from(multipart.unmatched_boundary)),
        Variable::Uninspected => one(request.unseen.join(", ").as_bytes()),
        Variable::BudgetExhausted | Variable::CollectionLimit => one(b""),
        Variable::SessionId | Variable::UserId => maybe(state.named.get(&variable).map(Vec::as_slice)),
        Variable::WebAppId => maybe(run.ruleset.settings.web_app_id.as_ref().map(|id| id.as_bytes())),
        Variable::InboundDataError | Variable::OutboundDataError | Variable::MscPcreLimitsExceeded => flag(false),
        Variable::MscPcreError | Variable::SdbmDeleteError | Variable::UriParseError => flag(false),
        Variable::ResBodyError | Variable::ResBodyProcessorError => flag(false),
        Variable::ResBodyErrorMsg | Variable::ResBodyProcessor | Variable::ResBodyProcessorErrorMsg => one(b""),

        Variable::RemoteAddr | Variable::RemoteHost | Variable::UserAgentIp => {
            one(exchange.remote.to_string().as_bytes())
        }
        Variable::RemotePort => number(u64::from(CLIENT_PORT)),
        Variable::ServerAddr => one(SERVER.to_string().as_bytes()),
        Variable::ServerPort => number(u64::from(SERVER_PORT)),
        Variable::UniqueId => one(exchange.id.as_bytes()),

        Variable::ResponseStatus if run.phase == Phase::Logging && state.interruption.is_some() => {
            number(state.interruption.as_ref().map_or(0, |(_, status)| u64::from(*status)))
        }
        Variable::ResponseStatus => {
            response.map(|response| (None, response.status.to_string().into())).into_iter().collect()
        }
        Variable::ResponseProtocol => maybe(response.map(|_| exchange.version.as_slice())),
        Variable::ResponseHeaders => listed(response_headers),
        Variable::ResponseHeadersNames => list_names(response_headers),
        Variable::ResponseContentType => maybe(header(response_headers, b"content-type")),
        Variable::ResponseBody => maybe(run.response_body_access.then_some(&*run.response_body)),
        Variable::StreamOutputBody => {
            let seen = run.response_body_access && run.ruleset.settings.stream_output_body;
            maybe(seen.then_some(&*run.response_body))
        }

        Variable::Tx => listed(state.tx.all()),
        Variable::Global | Variable::Ip | Variable::Resource | Variable::Session | Variable::User => {
            state.opened(variable).map(|opened| listed(&opened.all())).unwrap_or_default()
        }
        Variable::MatchedVar => maybe(state.matched.as_ref().map(|matched| &*matched.value)),
        Variable::MatchedVarName => maybe(state.matched.as_ref().map(|matched| &*matched.name)),
        Variable::MatchedVars => {
            state.matched_vars.iter().map(|matched| (Some(matched.name.clone()), matched.value.clone())).collect()
        }
        Variable::MatchedVarsNames => {
            state.matched_vars.iter().map(|matched| (Some(matched.name.clone()), matched.name.clone())).collect()
        }
        Variable::Geo => {
            let members = state.geo.iter().flat_map(|place| place.members());
            members.map(|(name, value)| (Some(name.into()), value.to_vec())).collect()
        }
        Variable::HighestSeverity => number(u64::from(state.highest_severity)),
        Variable::Rule => run.rule_members(),
        // Clocks, hosts and what is not compared: see the module's documentation.
        _ => Vec::new(),
    }
}

impl Run<'_> {
    /// Errors of the query too are told when the body is: as in ModSecurity the variables belong to the body.
    fn knows_body(&self) -> bool {
        self.reached_body
    }

    pub fn knows_response(&self) -> bool {
        self.phase >= Phase::ResponseHeaders && self.reached_response
    }

    /// Whether there is access to the response body, and its media type is one of those to be inspected.
    pub fn inspects_response_body(&self) -> bool {
        let Some(response) = &self.exchange.response else { return false };
        let content_type = header(&response.headers, b"content-type").unwrap_or_default();
        let media_type = content_type.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        let types = &self.ruleset.settings.response_body_mime_types;
        self.state.response_body_access && types.iter().any(|wanted| wanted.as_bytes().eq_ignore_ascii_case(media_type))
    }

    /// The request body, from phase 2 on, if there is access to it.
    fn inspected_body(&self) -> Option<&[u8]> {
        self.body_access.then_some(self.body.as_slice())
    }

    /// REQUEST_BODY: urlencoded bodies, and those that no processor reads when it is forced.
    fn request_body(&self) -> Option<&[u8]> {
        self.body_is_variable.then_some(self.body.as_slice())
    }

    fn rule_members(&self) -> Vec<Member> {
        let Some(rule) = self.rule else { return Vec::new() };
        let text = |text: &Option<Box<str>>| text.as_ref().map(|text| text.as_bytes().to_vec());
        // A message may name itself: its macros are left out.
        let literal =
            |text: &Option<Macro>| text.as_ref().map(|text| text.parts.iter().flat_map(literal_part).collect());
        let members = [
            ("id", Some(rule.id.to_string().into_bytes())),
            ("severity", rule.severity.map(|severity| severity.0.to_string().into_bytes())),
            ("rev", text(&rule.revision)),
            ("ver", text(&rule.version)),
            ("msg", literal(&rule.msg)),
            ("logdata", literal(&rule.logdata)),
        ];
        members.into_iter().filter_map(|(key, value)| Some((Some(key.into()), value?))).collect()
    }
}

fn literal_part(part: &MacroPart) -> Vec<u8> {
    match part {
        MacroPart::Text(text) => text.to_vec(),
        MacroPart::Variable { .. } | MacroPart::Matching { .. } => Vec::new(),
    }
}
