//! One exchange through a proxy. It is logged however it ends.

use super::{Shared, WafFilter};
use bytes::Bytes;
use fusewall::host::exchange::{Exchange, Refusal};
use fusewall::host::inspect::Share;
use pingora::proxy::Session;
use std::net::SocketAddr;
use std::sync::Arc;
use sync_wrapper::SyncWrapper;

/// What belongs to one request: a part of the proxy's `CTX`, made by `WafContext::default()` in `new_ctx`.
pub struct WafContext {
    /// Who sent the request, if that is not the peer of the connection: to be set before
    /// [`request_filter`](WafFilter::request_filter) by a proxy behind another one that it trusts.
    pub client: Option<SocketAddr>,
    /// A passage belongs to one thread at a time, as the context does; Pingora asks for more.
    passage: SyncWrapper<Option<Passage>>,
}

impl Default for WafContext {
    fn default() -> Self {
        WafContext { client: None, passage: SyncWrapper::new(None) }
    }
}

impl WafContext {
    /// The id that the client's page and the log share; `None` before [`request_filter`](WafFilter::request_filter).
    pub fn incident_id(&mut self) -> Option<&str> {
        self.passage().map(|passage| passage.exchange.incident_id())
    }

    /// How the request or its response was refused, if it was.
    pub fn refusal(&mut self) -> Option<&Refusal> {
        self.passage().and_then(|passage| passage.exchange.refusal())
    }

    /// The exchange, if one has begun.
    pub(super) fn passage(&mut self) -> Option<&mut Passage> {
        self.passage.get_mut().as_mut()
    }

    pub(super) fn begin(&mut self, passage: Passage) -> &mut Passage {
        self.passage.get_mut().insert(passage)
    }
}

pub(super) struct Passage {
    pub(super) shared: Arc<Shared>,
    pub(super) exchange: Exchange,
    pub(super) stage: Stage,
    /// The refusal for which the client still waits.
    pub(super) unanswered: Option<Refusal>,
    /// Pieces of a response body that wait for the verdict.
    pub(super) held: Vec<Bytes>,
    /// The memory that bodies take of what all exchanges share.
    pub(super) share: Share,
    /// What the client got; 0: nothing.
    status: u16,
    closed: bool,
}

/// How far a response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// There is none yet.
    Awaited,
    /// Its body is held until the verdict.
    Holding,
    /// Its body passes and is shown to the engine.
    Watching,
    /// Phase 4 is over, or nothing is left to inspect.
    Judged,
}

impl Passage {
    pub(super) fn new(shared: &Arc<Shared>, exchange: Exchange) -> Self {
        Passage {
            shared: Arc::clone(shared),
            exchange,
            stage: Stage::Awaited,
            unanswered: None,
            held: Vec::new(),
            share: shared.inspector.share(),
            status: 0,
            closed: false,
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

impl WafFilter {
    /// Phase 5, and the log lines. To be called from `logging`.
    pub async fn logging(&self, session: &mut Session, context: &mut WafContext) {
        let Some(passage) = context.passage() else { return };
        passage.status = session.response_written().map_or(0, |response| response.status.as_u16());
        if passage.stage == Stage::Holding || passage.stage == Stage::Watching {
            // The response broke off, or had a length that no body followed.
            passage.exchange.end_response_body();
            let _ = self.shared.inspector.run(&mut passage.exchange).await;
        }
        passage.exchange.finish();
        // Phase 5 never refuses.
        let _ = self.shared.inspector.run(&mut passage.exchange).await;
        passage.log();
    }
}
