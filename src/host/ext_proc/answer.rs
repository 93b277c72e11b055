//! Answers as Envoy takes them.

use super::flow::Side;
use super::messages::{
    BodyMutation, BodySendMode, CommonResponse, HeaderMutation, HeaderValue, HeaderValueOption, HttpBody, HttpStatus,
    ImmediateResponse, Mutation, PartResponse, ProcessingMode, ProcessingResponse, Response, TrailersResponse,
};
use crate::host::exchange::Refusal;
use bytes::Bytes;

/// `HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD`
const OVERWRITE: i32 = 2;

/// The head goes on.
pub(super) fn head(side: Side) -> ProcessingResponse {
    let part = PartResponse::default();
    of(match side {
        Side::Request => Response::RequestHeaders(part),
        Side::Response => Response::ResponseHeaders(part),
    })
}

/// The trailers go on.
pub(super) fn trailers(side: Side) -> ProcessingResponse {
    of(match side {
        Side::Request => Response::RequestTrailers(TrailersResponse {}),
        Side::Response => Response::ResponseTrailers(TrailersResponse {}),
    })
}

/// The piece of the body goes on.
pub(super) fn piece(side: Side) -> ProcessingResponse {
    body(side, None)
}

/// Nothing goes on in the place of the piece.
pub(super) fn nothing(side: Side) -> ProcessingResponse {
    body(side, Some(Mutation::ClearBody(true)))
}

/// These bytes go on in the place of the piece.
pub(super) fn instead(side: Side, bytes: Bytes) -> ProcessingResponse {
    body(side, Some(Mutation::Body(bytes)))
}

/// These bytes go on: [`BodySendMode::FullDuplexStreamed`].
pub(super) fn streamed(side: Side, bytes: Bytes, end_of_stream: bool) -> ProcessingResponse {
    body(side, Some(Mutation::StreamedResponse(HttpBody { body: bytes, end_of_stream })))
}

fn body(side: Side, mutation: Option<Mutation>) -> ProcessingResponse {
    let response = mutation
        .map(|mutation| CommonResponse { status: 0, body_mutation: Some(BodyMutation { mutation: Some(mutation) }) });
    let part = PartResponse { response };
    of(match side {
        Side::Request => Response::RequestBody(part),
        Side::Response => Response::ResponseBody(part),
    })
}

fn of(response: Response) -> ProcessingResponse {
    ProcessingResponse { response: Some(response), mode_override: None }
}

/// The same answer with other modes for the bodies that are still to come.
pub(super) fn with_modes(
    answer: ProcessingResponse,
    request: BodySendMode,
    response: BodySendMode,
) -> ProcessingResponse {
    let mode = ProcessingMode {
        request_body_mode: request.into(),
        response_body_mode: response.into(),
        ..ProcessingMode::default()
    };
    ProcessingResponse { mode_override: Some(mode), ..answer }
}

/// What a client gets that is turned away, and with which status.
pub(super) fn refusal(
    refusal: &Refusal,
    incident_id: &str,
    retry_after_secs: Option<u64>,
) -> (u16, ProcessingResponse) {
    let (status, location) = match refusal {
        Refusal::Page(status) => (*status, None),
        Refusal::Redirect { status, location } => (*status, Some(location.as_slice())),
        // Envoy answers: it closes no connection for a processor.
        Refusal::Drop => (403, None),
    };
    // A status below 200 announces an answer, it is none; Envoy takes those that it knows.
    let status = if (200..600).contains(&status) { status } else { 403 };
    let mut headers = vec![set("content-type", b"text/plain; charset=utf-8"), set("cache-control", b"no-store")];
    // Whatever a macro of the rule has expanded to.
    if let Some(location) = location.filter(|location| http::HeaderValue::from_bytes(location).is_ok()) {
        headers.push(set("location", location));
    }
    if let Some(secs) = retry_after_secs {
        headers.push(set("retry-after", secs.to_string().as_bytes()));
    }
    let page = format!("The request was not answered. Incident id: {incident_id}\n");
    let response = ImmediateResponse {
        status: Some(HttpStatus { code: status.into() }),
        headers: Some(HeaderMutation { set_headers: headers }),
        body: Bytes::from(page),
        details: "fusewall".to_owned(),
    };
    (status, of(Response::ImmediateResponse(response)))
}

fn set(name: &str, value: &[u8]) -> HeaderValueOption {
    let raw_value = Bytes::copy_from_slice(value);
    let header = HeaderValue { key: name.to_owned(), value: String::new(), raw_value };
    HeaderValueOption { header: Some(header), append_action: OVERWRITE }
}
