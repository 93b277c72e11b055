//! Phases 3 and 4.

use super::context::{Passage, Stage};
use super::{WafContext, WafFilter, page};
use bytes::{Bytes, BytesMut};
use fusewall::host::exchange::{Chunk, Refusal, ResponsePlan, Turn, Uninspected};
use fusewall::host::parts::version;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeFlavor};

impl WafFilter {
    /// Phase 3, and phase 4 of a response without a body to inspect. To be called from `response_filter`, after what else changes
    /// the head.
    ///
    /// # Errors
    /// The response is refused: the proxy's filter has to return this error, and [`fail_to_proxy`](WafFilter::fail_to_proxy)
    /// answers.
    pub async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut WafContext,
    ) -> Result<()> {
        let Some(passage) = context.passage() else { return Ok(()) };
        let switched = response.status == StatusCode::SWITCHING_PROTOCOLS;
        if response.status.is_informational() && !switched {
            return Ok(());
        }
        let inspector = &self.shared.inspector;
        let exchange = &mut passage.exchange;
        let fields = response.headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
        exchange.response(response.status.as_u16(), version(response.version), fields);
        if let Some(refusal) = inspector.run(exchange).await {
            return Err(passage.stop(refusal));
        }
        let field = |name| response.headers.get(name).map(HeaderValue::as_bytes);
        let plan = match switched {
            true => {
                exchange.skipped(Uninspected::Tunnel);
                ResponsePlan::Pass
            }
            false => exchange.response_plan(field(CONTENT_TYPE), field(CONTENT_ENCODING)),
        };
        let bodiless = session.req_header().method == Method::HEAD
            || matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || field(CONTENT_LENGTH) == Some(b"0");
        passage.stage = match plan {
            ResponsePlan::Hold if !bodiless => Stage::Holding,
            ResponsePlan::Watch if !bodiless => Stage::Watching,
            _ => Stage::Judged,
        };
        if passage.stage == Stage::Judged {
            passage.exchange.end_response_body();
            if let Some(refusal) = inspector.run(&mut passage.exchange).await {
                return Err(passage.stop(refusal));
            }
        }
        Ok(())
    }

    /// Phase 4: holds the body until the verdict. To be called from `response_body_filter`.
    ///
    /// # Errors
    /// The response is refused: the proxy's filter has to return this error. The client sees an incomplete response.
    pub fn response_body_filter(
        &self,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut WafContext,
    ) -> Result<Option<Duration>> {
        let Some(passage) = context.passage() else { return Ok(None) };
        let mut last = end_of_stream;
        if let Some(chunk) = body.as_ref().filter(|_| matches!(passage.stage, Stage::Holding | Stage::Watching)) {
            match passage.exchange.response_body_chunk(chunk) {
                Chunk::Taken => {}
                Chunk::Cut(_) => last = true,
                Chunk::Refused(refusal) => return Err(passage.stop(refusal)),
            }
        }
        match passage.stage {
            Stage::Awaited | Stage::Judged => {}
            Stage::Watching => {
                if last {
                    passage.judge()?;
                }
            }
            Stage::Holding => {
                if let Some(chunk) = body.take() {
                    if !passage.share.grow(chunk.len()) {
                        let refusal = passage.exchange.refuse(503);
                        self.shared.journal.refused(&passage.exchange, 503, "Too many bodies are held for inspection.");
                        return Err(passage.stop(refusal));
                    }
                    passage.held.push(chunk);
                }
                if last {
                    passage.judge()?;
                    *body = Some(passage.release());
                }
            }
        }
        Ok(None)
    }
}

impl Passage {
    /// Notes that the client is to be told, and answers with what stops the proxy.
    fn stop(&mut self, refusal: Refusal) -> Box<pingora::Error> {
        self.stage = Stage::Judged;
        self.held.clear();
        let error = page::stopped(&refusal);
        self.unanswered = Some(refusal);
        error
    }

    /// Phase 4 in one go.
    fn judge(&mut self) -> Result<()> {
        self.stage = Stage::Judged;
        self.exchange.end_response_body();
        let many = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
        let refusal = if many { tokio::task::block_in_place(|| self.run()) } else { self.run() };
        refusal.map_or(Ok(()), |refusal| Err(self.stop(refusal)))
    }

    /// All turns of a phase. The budget of the rules bounds them.
    fn run(&mut self) -> Option<Refusal> {
        loop {
            if let Turn::Done(refusal) = self.shared.inspector.turn(&mut self.exchange) {
                return refusal;
            }
        }
    }

    /// What was held, in one piece.
    fn release(&mut self) -> Bytes {
        let mut held = std::mem::take(&mut self.held);
        if held.len() == 1 {
            return held.pop().unwrap_or_default();
        }
        let mut whole = BytesMut::with_capacity(held.iter().map(Bytes::len).sum());
        for chunk in held {
            whole.extend_from_slice(&chunk);
        }
        whole.freeze()
    }
}
