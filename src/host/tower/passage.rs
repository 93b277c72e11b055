//! One exchange through the layer. Its matches are logged however it ends.

use super::body::{InspectedBody, WafBody};
use super::{BoxError, Shared, ends};
use crate::governor::Shed;
use crate::host::exchange::{Chunk, Exchange, Refusal, ResponsePlan, Turn, Uninspected};
use crate::host::inspect::{BodySource, Fault, HELD, Share, Stop};
use crate::host::parts::{self, version};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) struct Passage {
    shared: Arc<Shared>,
    exchange: Exchange,
    closed: bool,
    /// What the client gets; 0: nothing.
    status: u16,
}

impl Passage {
    pub(super) fn new(shared: &Arc<Shared>, parts: &Parts) -> Result<Self, Shed> {
        let exchange = shared.inspector.exchange(ends(&parts.extensions), shared.policy)?;
        Ok(Passage { shared: Arc::clone(shared), exchange, closed: false, status: 0 })
    }

    /// Phases 1 and 2.
    pub(super) async fn request<B>(&mut self, parts: &Parts, body: B) -> Result<InspectedBody, Stop>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let Passage { shared, exchange, .. } = self;
        let (head, objection) = parts::head(parts);
        shared.inspector.head(exchange, &head).await?;
        if let Some(reason) = objection {
            return Err(Stop::Fault(Fault::Refuse(400, reason)));
        }
        if let Some(refusal) = exchange.check_coding(&head) {
            shared.journal.refused(exchange, 415, "The request body has a Content-Encoding, which is not decoded.");
            return Err(Stop::Refused(refusal));
        }
        let mut source = Source(body);
        let inspected = shared.inspector.request_body(exchange, &mut source, None).await?;
        Ok(InspectedBody::new(inspected.body, inspected.rest.then_some(source.0), inspected.share))
    }

    /// Phases 3 to 5, as far as they come before the response leaves.
    pub(super) async fn response<R>(mut self, response: Response<R>) -> Response<WafBody<R>>
    where
        R: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin,
    {
        let (parts, mut body) = response.into_parts();
        self.status = parts.status.as_u16();
        let fields = parts.headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
        self.exchange.response(parts.status.as_u16(), version(parts.version), fields);
        let inspector = self.shared.inspector.clone();
        if let Some(refusal) = inspector.run(&mut self.exchange).await {
            return self.turn_away(Stop::Refused(refusal)).await;
        }
        let field = |name| parts.headers.get(name).map(HeaderValue::as_bytes);
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            self.exchange.skipped(Uninspected::Tunnel);
        }
        let plan = self.exchange.response_plan(field(CONTENT_TYPE), field(CONTENT_ENCODING));
        if plan == ResponsePlan::Watch {
            return Response::from_parts(parts, WafBody::watched(body, self));
        }
        let mut held = VecDeque::new();
        let mut share = inspector.share();
        if plan == ResponsePlan::Hold
            && let Err(stop) = self.hold(&mut body, &mut held, &mut share).await
        {
            return self.turn_away(stop).await;
        }
        self.exchange.end_response_body();
        if let Some(refusal) = inspector.run(&mut self.exchange).await {
            return self.turn_away(Stop::Refused(refusal)).await;
        }
        self.close().await;
        Response::from_parts(parts, WafBody::held(held, body, share))
    }

    /// Reads a response body up to its end or its limit.
    async fn hold<R>(&mut self, body: &mut R, held: &mut VecDeque<Frame<Bytes>>, share: &mut Share) -> Result<(), Stop>
    where
        R: Body<Data = Bytes> + Unpin,
    {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Stop::Fault(Fault::Refuse(502, "The response broke off.")))?;
            let data = frame.data_ref().cloned().unwrap_or_default();
            held.push_back(frame);
            if !share.grow(data.len()) {
                return Err(Stop::Fault(HELD));
            }
            match self.exchange.response_body_chunk(&data) {
                Chunk::Taken => {}
                Chunk::Cut(_) => return Ok(()),
                Chunk::Refused(refusal) => return Err(Stop::Refused(refusal)),
            }
        }
        Ok(())
    }

    /// The answer to a refused exchange: a status and the incident id.
    pub(super) async fn turn_away<R>(mut self, stop: Stop) -> Response<WafBody<R>> {
        let refusal = match stop {
            Stop::Refused(refusal) => refusal,
            Stop::Fault(Fault::Refuse(status, reason)) => {
                self.shared.journal.refused(&self.exchange, status, reason);
                self.exchange.refuse(status)
            }
            Stop::Fault(Fault::Gone) => self.exchange.refuse(400),
        };
        let (status, location) = match refusal {
            Refusal::Page(status) => (status, None),
            Refusal::Redirect { status, location } => (status, HeaderValue::from_bytes(&location).ok()),
            // A service cannot close its connection.
            Refusal::Drop => (403, None),
        };
        self.status = status;
        self.close().await;
        let mut response = page(status, self.exchange.incident_id());
        if let Some(location) = location {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }

    async fn close(&mut self) {
        self.exchange.finish();
        let inspector = self.shared.inspector.clone();
        // Phase 5 never refuses.
        let _ = inspector.run(&mut self.exchange).await;
        self.log();
    }

    /// Shows a chunk of a watched response to the engine. `false`: no more of them are wanted.
    pub(super) fn watch(&mut self, data: &[u8]) -> Result<bool, BoxError> {
        match self.exchange.response_body_chunk(data) {
            Chunk::Taken => Ok(true),
            Chunk::Cut(_) => Ok(false),
            Chunk::Refused(_) => Err("the response was refused".into()),
        }
    }

    /// The watched response is at its end, or at its limit: starts phase 4.
    pub(super) fn end_watch(&mut self) {
        self.exchange.end_response_body();
    }

    /// Starts phase 5.
    pub(super) fn finish(&mut self) {
        self.exchange.finish();
    }

    /// One turn of the phase that runs; `None`: there is more to do.
    pub(super) fn turn(&mut self) -> Option<Result<(), BoxError>> {
        match self.shared.inspector.turn(&mut self.exchange) {
            Turn::Pending => None,
            Turn::Done(None) => Some(Ok(())),
            Turn::Done(Some(_)) => Some(Err("the response was refused".into())),
        }
    }

    fn log(&mut self) {
        if !self.closed {
            self.closed = true;
            self.shared.journal.close(&mut self.exchange, self.status);
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if !self.closed {
            self.shared.inspector.abandon(&mut self.exchange);
            self.log();
        }
    }
}

/// The answer to a request that is shed.
pub(super) fn shed<R>(shared: &Shared, shed: Shed) -> Response<WafBody<R>> {
    let id = shared.inspector.incident_id();
    shared.journal.shed(&shed, &id);
    let mut response = page(shed.status, &id);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(shed.retry_after_secs));
    response
}

/// What a client sees that is turned away: a status and the incident id.
fn page<R>(status: u16, incident_id: &str) -> Response<WafBody<R>> {
    let page = format!("The request was not answered. Incident id: {incident_id}\n");
    let mut response = Response::new(WafBody::page(Bytes::from(page)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

struct Source<B>(B);

impl<B> BodySource for Source<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin,
{
    async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            match self.0.frame().await {
                None => return Ok(None),
                Some(Err(_)) => return Err(Fault::Gone),
                // Trailers are not inspected and therefore not passed on.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return Ok(Some(data)),
                    Err(_) => continue,
                },
            }
        }
    }

    fn left(&self) -> Option<u64> {
        if self.0.is_end_stream() { Some(0) } else { self.0.size_hint().exact() }
    }
}
