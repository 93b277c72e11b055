//! Phases 1 and 2.

use super::context::Passage;
use super::replayed::Replayed;
use super::{WafContext, WafFilter, page};
use bytes::Bytes;
use fusewall::host::exchange::Ends;
use fusewall::host::inspect::{BodySource, Fault, Inspected, Stop};
use fusewall::host::parts;
use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, UPGRADE};
use pingora::Result;
use pingora::http::RequestHeader;
use pingora::protocols::http::ServerSession;
use pingora::proxy::Session;
use std::net::SocketAddr;

impl WafFilter {
    /// Phases 1 and 2. `true`: the request was refused and is answered; the proxy's `request_filter` has to return that, too.
    /// To be called before anything else that trusts the request.
    ///
    /// # Errors
    /// The client has gone.
    pub async fn request_filter(&self, session: &mut Session, context: &mut WafContext) -> Result<bool> {
        let ends = ends(session, context.client);
        let inspector = &self.shared.inspector;
        let exchange = match inspector.exchange(ends, self.shared.policy) {
            Ok(exchange) => exchange,
            Err(shed) => {
                let id = inspector.incident_id();
                self.shared.journal.shed(&shed, &id);
                page::shed(session, shed.status, &id, shed.retry_after_secs).await?;
                return Ok(true);
            }
        };
        let passage = context.begin(Passage::new(&self.shared, exchange));
        let refusal = match self.inspect(session, passage).await {
            Ok(()) => return Ok(false),
            Err(Stop::Refused(refusal)) => refusal,
            Err(Stop::Fault(Fault::Refuse(status, reason))) => {
                self.shared.journal.refused(&passage.exchange, status, reason);
                passage.exchange.refuse(status)
            }
            Err(Stop::Fault(Fault::Gone)) => passage.exchange.refuse(400),
        };
        page::turn_away(session, &refusal, passage.exchange.incident_id()).await?;
        Ok(true)
    }

    async fn inspect(&self, session: &mut Session, passage: &mut Passage) -> Result<(), Stop> {
        let inspector = &self.shared.inspector;
        let exchange = &mut passage.exchange;
        let (mut head, objection) = parts::head(session.req_header());
        if session.req_header().version < http::Version::HTTP_2 {
            // What goes upstream, even where no URI may look like that.
            head.target = session.req_header().raw_path().to_vec();
        }
        inspector.head(exchange, &head).await?;
        if let Some(reason) = objection {
            return Err(Stop::Fault(Fault::Refuse(400, reason)));
        }
        if let Some(refusal) = exchange.check_coding(&head) {
            self.shared.journal.refused(
                exchange,
                415,
                "The request body has a Content-Encoding, which is not decoded.",
            );
            return Err(Stop::Refused(refusal));
        }
        keep_to_websocket(session);
        if exchange.inspects_request_body() {
            // What is read here, Pingora finds in this buffer when it sends the request on.
            session.as_mut().enable_retry_buffering();
            let expected = session.req_header().headers.contains_key(EXPECT) && !session.as_mut().is_body_empty();
            if expected && session.write_continue_response().await.is_err() {
                return Err(Stop::Fault(Fault::Gone));
            }
        }
        let Inspected { body, share, .. } = inspector.request_body(exchange, &mut Source(session), None).await?;
        passage.share = share;
        if session.as_ref().retry_buffer_truncated() {
            Replayed::put_before(session, body);
        }
        Ok(())
    }

    /// Takes out what means this hop only: the expectation that was answered, and content codings if the response is to be read. To
    /// be called from `upstream_request_filter`.
    ///
    /// # Errors
    /// None at present.
    pub fn upstream_request_filter(&self, request: &mut RequestHeader, context: &mut WafContext) -> Result<()> {
        let Some(passage) = context.passage() else { return Ok(()) };
        if passage.exchange.inspects_request_body() {
            request.remove_header(&EXPECT);
        }
        if passage.exchange.may_inspect_response_body() {
            request.insert_header(ACCEPT_ENCODING, "identity")?;
        }
        Ok(())
    }
}

/// Only to WebSocket may a connection be upgraded, and never by a request with a body: that would be bytes that two servers
/// could read in two ways.
fn keep_to_websocket(session: &mut Session) {
    let upgrade = session.req_header().headers.get(UPGRADE);
    let other = upgrade.is_some_and(|protocol| !protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if other || (upgrade.is_some() && !session.as_mut().is_body_empty()) {
        let head = session.req_header_mut();
        head.remove_header(&UPGRADE);
        head.remove_header(&CONNECTION);
    }
}

/// Who speaks to whom.
fn ends(session: &Session, client: Option<SocketAddr>) -> Ends {
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let inet =
        |address: Option<&pingora::protocols::l4::socket::SocketAddr>| address.and_then(|it| it.as_inet()).copied();
    Ends {
        client: client.or_else(|| inet(session.client_addr())).unwrap_or(nowhere),
        server: inet(session.server_addr()).unwrap_or(nowhere),
    }
}

struct Source<'s>(&'s mut Session);

impl BodySource for Source<'_> {
    async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        let session: &mut ServerSession = self.0.as_mut();
        let broken = Fault::Refuse(400, "The request body broke off or is malformed.");
        session.read_request_body().await.map_err(|_| broken)
    }

    fn left(&self) -> Option<u64> {
        let head = self.0.req_header();
        let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        match head.headers.contains_key(http::header::TRANSFER_ENCODING) {
            true => None,
            false => length.or(Some(0)),
        }
    }
}
