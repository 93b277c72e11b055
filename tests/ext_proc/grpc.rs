//! A gRPC client that sends what it is told to, in any order.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use fusewall::host::ext_proc::messages::{
    BodySendMode, HeaderMap, HeaderValue, HttpBody, HttpHeaders, HttpTrailers, ImmediateResponse, Kind, Mutation,
    ProcessingRequest, ProcessingResponse, ProtocolConfiguration, Request, Response, Struct, Value,
};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(20);
const PROCESS: &str = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";

/// A body that is sent while it is made.
pub struct Sent(mpsc::UnboundedReceiver<Bytes>);

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// A connection.
#[derive(Clone)]
pub struct Connection(http2::SendRequest<Sent>);

impl Connection {
    pub async fn open(to: SocketAddr) -> Connection {
        Self::over(TcpStream::connect(to).await.expect("it listens")).await
    }

    pub async fn over(io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static) -> Connection {
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.expect("a connection");
        tokio::spawn(connection);
        Connection(sender)
    }

    /// A call to any method.
    pub async fn call(&mut self, path: &str) -> Stream {
        let (send, body) = mpsc::unbounded_channel();
        self.made(path, Some(send), body).await
    }

    /// A call with one message, which is sent before an answer is waited for.
    pub async fn begin(&mut self, path: &str, message: &impl Message) -> Stream {
        let (send, body) = mpsc::unbounded_channel();
        let _ = send.send(framed(message));
        drop(send);
        self.made(path, None, body).await
    }

    async fn made(
        &mut self,
        path: &str,
        send: Option<mpsc::UnboundedSender<Bytes>>,
        body: mpsc::UnboundedReceiver<Bytes>,
    ) -> Stream {
        let request = http::Request::post(format!("http://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Sent(body))
            .expect("a request");
        let response = tokio::time::timeout(PATIENCE, self.0.send_request(request)).await.expect("in time");
        let (parts, body) = response.expect("an answer").into_parts();
        let status = grpc_status(&parts.headers);
        Stream { send, body, read: BytesMut::new(), status }
    }

    /// A stream to the processor.
    pub async fn process(&mut self) -> Stream {
        self.call(PROCESS).await
    }
}

fn framed(message: &impl Message) -> Bytes {
    let bytes = message.encode_to_vec();
    let mut framed = BytesMut::with_capacity(bytes.len() + 5);
    framed.put_u8(0);
    framed.put_u32(bytes.len() as u32);
    framed.put_slice(&bytes);
    framed.freeze()
}

fn grpc_status(headers: &http::HeaderMap) -> Option<u32> {
    headers.get("grpc-status").and_then(|status| status.to_str().ok()).and_then(|status| status.parse().ok())
}

/// A stream. Dropped, it is reset.
pub struct Stream {
    send: Option<mpsc::UnboundedSender<Bytes>>,
    body: Incoming,
    read: BytesMut,
    /// How it has ended.
    pub status: Option<u32>,
}

impl Stream {
    pub fn send(&self, part: Request) {
        self.message(&ProcessingRequest { request: Some(part), ..ProcessingRequest::default() });
    }

    pub fn message(&self, message: &impl Message) {
        self.raw(framed(message));
    }

    pub fn raw(&self, bytes: impl Into<Bytes>) {
        // A stream that has ended takes no more.
        let _ = self.send.as_ref().expect("it is open").send(bytes.into());
    }

    /// Nothing more comes.
    pub fn close(&mut self) {
        self.send = None;
    }

    /// The bytes of the next message; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.read.len() >= 5 {
                let length = u32::from_be_bytes([self.read[1], self.read[2], self.read[3], self.read[4]]) as usize;
                if self.read.len() >= 5 + length {
                    self.read.advance(5);
                    return Some(self.read.split_to(length).freeze());
                }
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("an answer in time");
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.read.extend_from_slice(&data),
                    Err(frame) => self.status = frame.trailers_ref().and_then(grpc_status).or(self.status),
                },
                Some(Err(_)) | None => return None,
            }
        }
    }

    pub async fn answer(&mut self) -> Option<ProcessingResponse> {
        self.next().await.map(|bytes| ProcessingResponse::decode(bytes).expect("an answer"))
    }

    pub async fn response(&mut self) -> Response {
        self.answer().await.and_then(|answer| answer.response).expect("an answer")
    }

    /// The end of the exchange.
    pub async fn refusal(&mut self) -> ImmediateResponse {
        match self.response().await {
            Response::ImmediateResponse(response) => response,
            other => panic!("no refusal: {other:?}"),
        }
    }

    /// Waits for the end, which has to be the next thing.
    pub async fn ended(&mut self) -> Option<u32> {
        assert_eq!(self.next().await, None);
        self.status
    }
}

pub fn status(refusal: &ImmediateResponse) -> i32 {
    refusal.status.as_ref().expect("a status").code
}

fn map(fields: &[(&str, &str)]) -> HeaderMap {
    let header = |&(key, value): &(&str, &str)| HeaderValue {
        key: key.to_owned(),
        value: String::new(),
        raw_value: Bytes::copy_from_slice(value.as_bytes()),
    };
    HeaderMap { headers: fields.iter().map(header).collect() }
}

pub fn request_head(fields: &[(&str, &str)], end_of_stream: bool) -> Request {
    Request::RequestHeaders(HttpHeaders { headers: Some(map(fields)), end_of_stream })
}

pub fn response_head(fields: &[(&str, &str)], end_of_stream: bool) -> Request {
    Request::ResponseHeaders(HttpHeaders { headers: Some(map(fields)), end_of_stream })
}

pub fn get(path: &str) -> Request {
    request_head(&[(":method", "GET"), (":path", path), (":authority", "www.example")], true)
}

pub fn form() -> Request {
    let kind = ("content-type", "application/x-www-form-urlencoded");
    request_head(&[(":method", "POST"), (":path", "/"), (":authority", "www.example"), kind], false)
}

pub fn body(bytes: impl Into<Bytes>, end_of_stream: bool) -> HttpBody {
    HttpBody { body: bytes.into(), end_of_stream }
}

pub fn trailers() -> HttpTrailers {
    HttpTrailers { trailers: Some(map(&[("x", "y")])) }
}

/// The first message of a stream, with what Envoy says of itself.
pub fn first(part: Request, modes: (BodySendMode, BodySendMode), source: &str) -> ProcessingRequest {
    let text = |text: &str| Value { kind: Some(Kind::Text(text.to_owned())) };
    let fields = BTreeMap::from([
        ("source.address".to_owned(), text(source)),
        ("request.protocol".to_owned(), text("HTTP/1.1")),
    ]);
    ProcessingRequest {
        request: Some(part),
        attributes: BTreeMap::from([("envoy.filters.http.ext_proc".to_owned(), Struct { fields })]),
        observability_mode: false,
        protocol_config: Some(ProtocolConfiguration {
            request_body_mode: modes.0.into(),
            response_body_mode: modes.1.into(),
        }),
    }
}

/// What an answer puts in the place of a piece; `None`: the piece goes on as it is.
pub fn mutation(response: Response) -> Option<Mutation> {
    let part = match response {
        Response::RequestBody(part) | Response::ResponseBody(part) => part,
        other => panic!("no answer to a body: {other:?}"),
    };
    part.response.and_then(|common| common.body_mutation).and_then(|body| body.mutation)
}
