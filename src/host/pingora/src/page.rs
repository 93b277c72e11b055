//! What a client gets that is turned away: a status and the incident id. Never a rule, a score or a reason.

use super::{WafContext, WafFilter};
use bytes::Bytes;
use fusewall::host::exchange::Refusal;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use pingora::http::ResponseHeader;
use pingora::proxy::{FailToProxy, Session};
use pingora::{Error, ErrorType, Result};

/// Answers a refused exchange.
pub(super) async fn turn_away(session: &mut Session, refusal: &Refusal, incident_id: &str) -> Result<()> {
    match refusal {
        Refusal::Page(status) => answer(session, *status, incident_id, None).await,
        Refusal::Redirect { status, location } => {
            let location = HeaderValue::from_bytes(location).ok().map(|location| (LOCATION, location));
            answer(session, *status, incident_id, location).await
        }
        Refusal::Drop => {
            cut(session).await;
            Ok(())
        }
    }
}

/// The answer to a request that is shed.
pub(super) async fn shed(session: &mut Session, status: u16, incident_id: &str, retry_after_secs: u64) -> Result<()> {
    answer(session, status, incident_id, Some((RETRY_AFTER, HeaderValue::from(retry_after_secs)))).await
}

/// Ends the connection, or the stream, so that the client sees an incomplete answer or none.
pub(super) async fn cut(session: &mut Session) {
    session.set_keepalive(None);
    session.downstream_session.shutdown().await;
}

async fn answer(
    session: &mut Session,
    status: u16,
    incident_id: &str,
    field: Option<(http::HeaderName, HeaderValue)>,
) -> Result<()> {
    let page = Bytes::from(format!("The request was not answered. Incident id: {incident_id}\n"));
    let mut head = ResponseHeader::build(status, Some(5))?;
    head.insert_header(CONTENT_TYPE, "text/plain; charset=utf-8")?;
    head.insert_header(CACHE_CONTROL, "no-store")?;
    head.insert_header(CONTENT_LENGTH, page.len())?;
    if let Some((name, value)) = field {
        head.insert_header(name, value)?;
    }
    // A body that was not read would be taken for the next request, or waited for.
    if !session.is_body_done() {
        session.set_keepalive(None);
    }
    let bodiless = session.req_header().method == http::Method::HEAD;
    session.write_response_header(Box::new(head), bodiless).await?;
    if !bodiless {
        session.write_response_body(Some(page), true).await?;
    }
    Ok(())
}

impl WafFilter {
    /// Answers if it was this filter that refused; `None`: the failure is another one. To be called first in `fail_to_proxy`.
    pub async fn fail_to_proxy(&self, session: &mut Session, context: &mut WafContext) -> Option<FailToProxy> {
        let passage = context.passage()?;
        let refusal = passage.unanswered.take()?;
        let written = session.response_written().is_some_and(|response| !response.status.is_informational());
        if written || turn_away(session, &refusal, passage.exchange.incident_id()).await.is_err() {
            cut(session).await;
        }
        let error_code = session.response_written().map_or(0, |response| response.status.as_u16());
        Some(FailToProxy { error_code, can_reuse_downstream: false })
    }
}

/// The error with which a filter stops a response.
pub(super) fn stopped(refusal: &Refusal) -> Box<Error> {
    let status = match refusal {
        Refusal::Page(status) | Refusal::Redirect { status, .. } => *status,
        Refusal::Drop => 403,
    };
    Error::explain(ErrorType::HTTPStatus(status), "the response was refused")
}
