//! The messages of `envoy.service.ext_proc.v3`, as far as they are read or written here.
//!
//! Names and numbers are those of Envoy's `external_processor.proto`, `processing_mode.proto`, `base.proto` and `http_status.proto` (API
//! version 3, Envoy 1.40), and of `struct.proto`. Fields that are not here are skipped when they are read. Why they are written out:
//! RATIONALE.md.

use bytes::Bytes;
use prost::{Enumeration, Message, Oneof};
use std::collections::BTreeMap;

/// What Envoy sends.
#[derive(Clone, PartialEq, Message)]
pub struct ProcessingRequest {
    /// Which part of the exchange it is.
    #[prost(oneof = "Request", tags = "2, 3, 4, 5, 6, 7")]
    pub request: Option<Request>,
    /// Values of `request_attributes` and `response_attributes`, below the name of the filter.
    #[prost(btree_map = "string, message", tag = "9")]
    pub attributes: BTreeMap<String, Struct>,
    /// Nobody waits for an answer.
    #[prost(bool, tag = "10")]
    pub observability_mode: bool,
    /// How the filter is configured; in the first message of a stream only.
    #[prost(message, optional, tag = "11")]
    pub protocol_config: Option<ProtocolConfiguration>,
}

/// The parts of an exchange.
#[derive(Clone, PartialEq, Oneof)]
pub enum Request {
    /// The request's head.
    #[prost(message, tag = "2")]
    RequestHeaders(HttpHeaders),
    /// The response's head.
    #[prost(message, tag = "3")]
    ResponseHeaders(HttpHeaders),
    /// The request's body, or a piece of it.
    #[prost(message, tag = "4")]
    RequestBody(HttpBody),
    /// The response's body, or a piece of it.
    #[prost(message, tag = "5")]
    ResponseBody(HttpBody),
    /// The request's trailers.
    #[prost(message, tag = "6")]
    RequestTrailers(HttpTrailers),
    /// The response's trailers.
    #[prost(message, tag = "7")]
    ResponseTrailers(HttpTrailers),
}

/// How the filter is configured.
#[derive(Clone, PartialEq, Message)]
pub struct ProtocolConfiguration {
    /// How request bodies come.
    #[prost(enumeration = "BodySendMode", tag = "1")]
    pub request_body_mode: i32,
    /// How response bodies come.
    #[prost(enumeration = "BodySendMode", tag = "2")]
    pub response_body_mode: i32,
}

/// How a body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum BodySendMode {
    /// Not at all.
    None = 0,
    /// In pieces, each of which waits for its answer.
    Streamed = 1,
    /// In one piece; one that is longer than Envoy's buffer is refused by Envoy.
    Buffered = 2,
    /// In one piece, as much as fits into Envoy's buffer.
    BufferedPartial = 3,
    /// In pieces; what goes on is what the answers hold, and nobody waits for a particular one.
    FullDuplexStreamed = 4,
    /// As messages of gRPC; not spoken here.
    Grpc = 5,
}

/// How heads and trailers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum HeaderSendMode {
    /// As configured.
    Default = 0,
    /// They come.
    Send = 1,
    /// They do not.
    Skip = 2,
}

/// What of an exchange comes, and how.
#[derive(Clone, PartialEq, Message)]
pub struct ProcessingMode {
    /// The request's head; ignored in an override.
    #[prost(enumeration = "HeaderSendMode", tag = "1")]
    pub request_header_mode: i32,
    /// The response's head.
    #[prost(enumeration = "HeaderSendMode", tag = "2")]
    pub response_header_mode: i32,
    /// The request's body.
    #[prost(enumeration = "BodySendMode", tag = "3")]
    pub request_body_mode: i32,
    /// The response's body.
    #[prost(enumeration = "BodySendMode", tag = "4")]
    pub response_body_mode: i32,
    /// The request's trailers.
    #[prost(enumeration = "HeaderSendMode", tag = "5")]
    pub request_trailer_mode: i32,
    /// The response's trailers.
    #[prost(enumeration = "HeaderSendMode", tag = "6")]
    pub response_trailer_mode: i32,
}

/// A head.
#[derive(Clone, PartialEq, Message)]
pub struct HttpHeaders {
    /// Pseudo headers and header fields.
    #[prost(message, optional, tag = "1")]
    pub headers: Option<HeaderMap>,
    /// Nothing comes after it.
    #[prost(bool, tag = "3")]
    pub end_of_stream: bool,
}

/// A body, or a piece of it.
#[derive(Clone, PartialEq, Message)]
pub struct HttpBody {
    /// Its bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub body: Bytes,
    /// Nothing comes after it.
    #[prost(bool, tag = "2")]
    pub end_of_stream: bool,
}

/// Trailers.
#[derive(Clone, PartialEq, Message)]
pub struct HttpTrailers {
    /// The fields.
    #[prost(message, optional, tag = "1")]
    pub trailers: Option<HeaderMap>,
}

/// Header fields in order.
#[derive(Clone, PartialEq, Message)]
pub struct HeaderMap {
    /// The fields.
    #[prost(message, repeated, tag = "1")]
    pub headers: Vec<HeaderValue>,
}

/// A header field.
#[derive(Clone, PartialEq, Message)]
pub struct HeaderValue {
    /// Its name, in lower case.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value, if it is UTF-8 and Envoy writes text.
    #[prost(string, tag = "2")]
    pub value: String,
    /// Its value; what Envoy writes since 1.27.
    #[prost(bytes = "bytes", tag = "3")]
    pub raw_value: Bytes,
}

/// `google.protobuf.Struct`
#[derive(Clone, PartialEq, Message)]
pub struct Struct {
    /// Values by name.
    #[prost(btree_map = "string, message", tag = "1")]
    pub fields: BTreeMap<String, Value>,
}

/// `google.protobuf.Value`, as far as attributes are read here.
#[derive(Clone, PartialEq, Message)]
pub struct Value {
    /// Which kind of value it is.
    #[prost(oneof = "Kind", tags = "2, 3")]
    pub kind: Option<Kind>,
}

/// Kinds of values.
#[derive(Clone, PartialEq, Oneof)]
pub enum Kind {
    /// A number.
    #[prost(double, tag = "2")]
    Number(f64),
    /// A text.
    #[prost(string, tag = "3")]
    Text(String),
}

/// What Envoy gets.
#[derive(Clone, PartialEq, Message)]
pub struct ProcessingResponse {
    /// Which part of the exchange it answers, or that the exchange ends.
    #[prost(oneof = "Response", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub response: Option<Response>,
    /// What is to come of the rest of the exchange; taken with answers to heads.
    #[prost(message, optional, tag = "9")]
    pub mode_override: Option<ProcessingMode>,
}

/// Answers.
#[derive(Clone, PartialEq, Oneof)]
pub enum Response {
    /// To a request's head.
    #[prost(message, tag = "1")]
    RequestHeaders(PartResponse),
    /// To a response's head.
    #[prost(message, tag = "2")]
    ResponseHeaders(PartResponse),
    /// To a piece of a request's body.
    #[prost(message, tag = "3")]
    RequestBody(PartResponse),
    /// To a piece of a response's body.
    #[prost(message, tag = "4")]
    ResponseBody(PartResponse),
    /// To a request's trailers.
    #[prost(message, tag = "5")]
    RequestTrailers(TrailersResponse),
    /// To a response's trailers.
    #[prost(message, tag = "6")]
    ResponseTrailers(TrailersResponse),
    /// The client gets this, and the exchange ends.
    #[prost(message, tag = "7")]
    ImmediateResponse(ImmediateResponse),
}

/// `HeadersResponse` and `BodyResponse`, which are equal.
#[derive(Clone, PartialEq, Message)]
pub struct PartResponse {
    /// What becomes of the part; nothing: it goes on as it is.
    #[prost(message, optional, tag = "1")]
    pub response: Option<CommonResponse>,
}

/// What becomes of a head or a piece of a body.
#[derive(Clone, PartialEq, Message)]
pub struct CommonResponse {
    /// 0: it goes on.
    #[prost(int32, tag = "1")]
    pub status: i32,
    /// Bytes in the place of those that came.
    #[prost(message, optional, tag = "3")]
    pub body_mutation: Option<BodyMutation>,
}

/// Bytes in the place of those that came.
#[derive(Clone, PartialEq, Message)]
pub struct BodyMutation {
    /// Which.
    #[prost(oneof = "Mutation", tags = "1, 2, 3")]
    pub mutation: Option<Mutation>,
}

/// Bytes in the place of others.
#[derive(Clone, PartialEq, Oneof)]
pub enum Mutation {
    /// These.
    #[prost(bytes = "bytes", tag = "1")]
    Body(Bytes),
    /// None.
    #[prost(bool, tag = "2")]
    ClearBody(bool),
    /// A piece in [`BodySendMode::FullDuplexStreamed`].
    #[prost(message, tag = "3")]
    StreamedResponse(HttpBody),
}

/// That trailers go on as they are.
#[derive(Clone, PartialEq, Message)]
pub struct TrailersResponse {}

/// An answer in the place of the upstream's.
#[derive(Clone, PartialEq, Message)]
pub struct ImmediateResponse {
    /// Its status.
    #[prost(message, optional, tag = "1")]
    pub status: Option<HttpStatus>,
    /// Its header fields.
    #[prost(message, optional, tag = "2")]
    pub headers: Option<HeaderMutation>,
    /// Its body.
    #[prost(bytes = "bytes", tag = "3")]
    pub body: Bytes,
    /// For Envoy's access log (`%RESPONSE_CODE_DETAILS%`).
    #[prost(string, tag = "5")]
    pub details: String,
}

/// A status.
#[derive(Clone, PartialEq, Message)]
pub struct HttpStatus {
    /// As a number.
    #[prost(int32, tag = "1")]
    pub code: i32,
}

/// Header fields to set.
#[derive(Clone, PartialEq, Message)]
pub struct HeaderMutation {
    /// Which.
    #[prost(message, repeated, tag = "1")]
    pub set_headers: Vec<HeaderValueOption>,
}

/// A header field to set.
#[derive(Clone, PartialEq, Message)]
pub struct HeaderValueOption {
    /// Which.
    #[prost(message, optional, tag = "1")]
    pub header: Option<HeaderValue>,
    /// 2: in the place of those of the same name.
    #[prost(int32, tag = "3")]
    pub append_action: i32,
}
