//! A response body on its way to the client.

use super::incident::Incident;
use super::proxy::Proxy;
use super::upstream;
use crate::governor::Report;
use crate::host::exchange::Chunk;
use crate::host::inspect::Share;
use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The response must end here, visibly incomplete: the upstream broke off, or a verdict came when the head had left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut;

pub(super) struct ResponseBody {
    proxy: Arc<Proxy>,
    incident: Incident,
    held: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    upstream: Option<upstream::ResponseBody>,
    watch: bool,
    _share: Share,
}

impl ResponseBody {
    pub(super) fn new(
        proxy: &Arc<Proxy>,
        incident: Incident,
        held: VecDeque<Bytes>,
        trailers: Option<HeaderMap>,
        upstream: Option<upstream::ResponseBody>,
        watch: bool,
        share: Share,
    ) -> Self {
        ResponseBody { proxy: Arc::clone(proxy), incident, held, trailers, upstream, watch, _share: share }
    }

    /// The next frame; `None` at the end, when the exchange is closed and logged.
    pub(super) async fn next(&mut self) -> Result<Option<Frame<Bytes>>, Cut> {
        if let Some(data) = self.held.pop_front() {
            return Ok(Some(Frame::data(data)));
        }
        if let Some(upstream) = &mut self.upstream {
            if let Some(frame) = frame(upstream, self.proxy.config.timeouts.upstream_idle).await? {
                if let Some(data) = frame.data_ref().filter(|_| self.watch) {
                    match self.incident.exchange.response_body_chunk(data) {
                        Chunk::Taken => {}
                        Chunk::Cut(_) => self.judge().await?,
                        Chunk::Refused(_) => return Err(self.cut().await),
                    }
                }
                return Ok(Some(frame));
            }
            self.upstream = None;
        }
        if self.watch {
            self.judge().await?;
        }
        if let Some(trailers) = self.trailers.take() {
            return Ok(Some(Frame::trailers(trailers)));
        }
        self.incident.close().await;
        Ok(None)
    }

    /// Phase 4 of a body that was watched while it passed.
    async fn judge(&mut self) -> Result<(), Cut> {
        self.watch = false;
        self.incident.exchange.end_response_body();
        match self.proxy.ledger.inspector.run(&mut self.incident.exchange).await {
            None => Ok(()),
            Some(_) => Err(self.cut().await),
        }
    }

    async fn cut(&mut self) -> Cut {
        self.upstream = None;
        self.incident.close().await;
        Cut
    }
}

/// The next frame of an upstream's body.
pub(super) async fn frame(body: &mut upstream::ResponseBody, idle: Duration) -> Result<Option<Frame<Bytes>>, Cut> {
    match tokio::time::timeout(idle, body.frame()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(frame))) => Ok(Some(frame)),
        Ok(Some(Err(error))) => {
            if let Some(left_out) = Report::Upstream.admit() {
                tracing::warn!(%error, left_out = left_out.count(), "the upstream's response broke off");
            }
            Err(Cut)
        }
        Err(_) => {
            if let Some(left_out) = Report::Upstream.admit() {
                let left_out = left_out.count();
                tracing::warn!(left_out, "the upstream's response paused for longer than timeouts.upstream_idle");
            }
            Err(Cut)
        }
    }
}
