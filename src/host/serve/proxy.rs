//! One request from its head to its answer: which phase runs when, and what each outcome means to the client.

use super::config::Config;
use super::forward::{self, Hop};
use super::incident::Incident;
use super::ledger::Ledger;
use super::log::ErrorLog;
use super::response::ResponseBody;
use super::upstream::{self, Upstream, UpstreamError};
use super::{ServeError, channel, page};
use crate::governor::Shed;
use crate::host::exchange::{Chunk, Ends, Refusal, RequestHead, ResponsePlan, Uninspected};
use crate::host::inspect::{BodySource, Fault, HELD, Inspected, Share, Stop};
use crate::host::parts::version;
use crate::waf::Waf;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, UPGRADE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame};
use hyper::upgrade::OnUpgrade;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// What all connections share.
pub(super) struct Proxy {
    pub(super) config: Config,
    pub(super) ledger: Arc<Ledger>,
    upstream: Upstream,
}

/// A request that is shed, and whose.
struct Shedding {
    shed: Shed,
    ends: Ends,
}

/// A request as a front end hands it over.
pub(super) struct ClientRequest {
    pub(super) head: RequestHead,
    pub(super) peer: SocketAddr,
    pub(super) server: SocketAddr,
    /// Whether it came over TLS.
    pub(super) secure: bool,
    /// Whether the version is one that the front end speaks.
    pub(super) speaks: bool,
    /// Whether the client asks to leave HTTP and the front end could.
    pub(super) upgrade: bool,
}

/// What the client gets.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Without `Content-Length` and without anything hop-by-hop, but for an upgrade.
    pub(super) headers: HeaderMap,
    pub(super) body: AnswerBody,
}

pub(super) enum AnswerBody {
    /// None, by the rules of HTTP; the length that a body would have had, if that is known.
    None { length: Option<u64> },
    /// A page of ours.
    Page(Bytes),
    /// The upstream's, and its length if that is known.
    Stream { body: Box<ResponseBody>, length: Option<u64> },
    /// No more HTTP on this connection.
    Tunnel(OnUpgrade),
}

/// A response that may leave.
struct Passed {
    response: Response<upstream::ResponseBody>,
    /// Its length, if known.
    length: Option<u64>,
    bodiless: bool,
    upgraded: Option<OnUpgrade>,
    watch: bool,
    /// What was read of the body before the verdict.
    held: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    /// Whether the body was read to its end.
    whole: bool,
    share: Share,
}

impl Proxy {
    pub(super) fn new(config: Config, waf: Waf, log: ErrorLog) -> Result<Self, ServeError> {
        let upstream = Upstream::new(&config)?;
        let ledger = Ledger::open(waf, &config.inspection.limits, config.audit.clone(), log);
        Ok(Proxy { config, ledger: ledger.map_err(ServeError::AuditLog)?, upstream })
    }

    fn incident(&self, request: &ClientRequest) -> Result<Incident, Shedding> {
        let client = forward::client(&self.config.trusted_proxies, request.peer, &request.head);
        let policy = self.config.body_policy(&request.head.target);
        let ends = Ends { client, server: request.server };
        self.ledger.incident(&request.head, ends, policy).map_err(|shed| Shedding { shed, ends })
    }

    /// The answer to a request that is shed.
    fn shed(&self, head: &RequestHead, Shedding { shed, ends }: Shedding) -> Option<Answer> {
        let id = self.ledger.shed(head, ends, &shed);
        let accept = head.values("accept").next().unwrap_or_default();
        let mut answer = page::refusal(&Refusal::Page(shed.status), &id, accept, head.method == b"HEAD")?;
        answer.headers.insert(RETRY_AFTER, HeaderValue::from(shed.retry_after_secs));
        Some(answer)
    }

    /// Answers a request; `None`: the connection is to be closed without an answer.
    pub(super) async fn handle(self: &Arc<Self>, request: ClientRequest, body: &mut impl BodySource) -> Option<Answer> {
        let mut incident = match self.incident(&request) {
            Ok(incident) => incident,
            Err(shedding) => return self.shed(&request.head, shedding),
        };
        match self.pass(&mut incident, &request, body).await {
            Ok(passed) => Some(self.answer(incident, passed).await),
            Err(stop) => self.turn_away(incident, &request.head, stop).await,
        }
    }

    /// A request that the front end refuses is a transaction like any other: rules see what could be read of it, and the log
    /// has it.
    pub(super) async fn refuse(&self, request: ClientRequest, status: u16, reason: &'static str) -> Option<Answer> {
        let mut incident = match self.incident(&request) {
            Ok(incident) => incident,
            Err(shedding) => return self.shed(&request.head, shedding),
        };
        let stop = match self.ledger.inspector.head(&mut incident.exchange, &request.head).await {
            Err(Stop::Refused(Refusal::Drop)) => Stop::Refused(Refusal::Drop),
            _ => Stop::Fault(Fault::Refuse(status, reason)),
        };
        self.turn_away(incident, &request.head, stop).await
    }

    async fn turn_away(&self, mut incident: Incident, head: &RequestHead, stop: Stop) -> Option<Answer> {
        let refusal = match stop {
            Stop::Refused(refusal) => refusal,
            Stop::Fault(Fault::Refuse(status, reason)) => {
                incident.refused(status, reason);
                incident.exchange.refuse(status)
            }
            Stop::Fault(Fault::Gone) => Refusal::Drop,
        };
        incident.answered(match &refusal {
            Refusal::Page(status) | Refusal::Redirect { status, .. } => *status,
            Refusal::Drop => 0,
        });
        incident.close().await;
        let accept = head.values("accept").next().unwrap_or_default();
        page::refusal(&refusal, incident.exchange.incident_id(), accept, head.method == b"HEAD")
    }

    /// Everything up to the moment when the response may leave.
    async fn pass(
        &self,
        incident: &mut Incident,
        request: &ClientRequest,
        body: &mut impl BodySource,
    ) -> Result<Passed, Stop> {
        let head = &request.head;
        let exchange = &mut incident.exchange;
        self.ledger.inspector.head(exchange, head).await?;
        if head.method == b"CONNECT" {
            return Err(fault(405, "CONNECT asks for a forward proxy."));
        }
        if !request.speaks {
            return Err(fault(505, "The HTTP version is not supported."));
        }
        if let Some(refusal) = exchange.check_coding(head) {
            incident.refused(415, "The request body has a Content-Encoding, which is not decoded.");
            return Err(Stop::Refused(refusal));
        }
        let upgrade = self.upgrade(request, body);
        let time = Some(self.config.timeouts.body_total);
        let inspected = self.ledger.inspector.request_body(exchange, body, time).await?;
        let hop = Hop {
            peer: request.peer.ip(),
            trusted: self.config.trusted_proxies.contains(request.peer.ip()),
            secure: request.secure,
            upgrade,
            preserve_host: self.config.upstream.preserve_host,
            plain_response: exchange.may_inspect_response_body(),
        };
        let forwarded = forward::request(head, &self.upstream, &hop).map_err(|reason| fault(400, reason))?;
        let mut response = self.send(forwarded, inspected, body).await?;
        let upgraded =
            (response.status() == StatusCode::SWITCHING_PROTOCOLS).then(|| hyper::upgrade::on(&mut response));
        if upgraded.is_some() && upgrade.is_none() {
            return Err(fault(502, "The upstream switched protocols unasked."));
        }
        self.inspect_response(incident, head, response, upgraded).await
    }

    /// The protocol that the request asks to upgrade to, if it is passed on: a body would be bytes that two servers could
    /// read in two ways.
    fn upgrade<'r>(&self, request: &'r ClientRequest, body: &impl BodySource) -> Option<&'r [u8]> {
        let asked = request.head.values("upgrade").next().filter(|_| request.upgrade)?;
        let known = self.config.upstream.upgrades.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(asked));
        (known && !self.upstream.http2() && body.left() == Some(0)).then_some(asked)
    }

    async fn send(
        &self,
        request: http::Request<()>,
        inspected: Inspected,
        body: &mut impl BodySource,
    ) -> Result<Response<upstream::ResponseBody>, Stop> {
        if !inspected.rest {
            return self.upstream.send(request, inspected.body).await.map_err(unanswered);
        }
        let length = body.left().map(|left| left.saturating_add(inspected.body.len() as u64));
        let (sender, streamed) = channel::channel(length);
        let time = self.config.timeouts.upstream_response;
        let mut sending = pin!(self.upstream.stream(request, streamed));
        let mut pumping = pin!(pump(sender, inspected.body, body, time));
        let early = tokio::select! {
            biased;
            response = &mut sending => Some(response),
            pumped = &mut pumping => {
                pumped?;
                None
            }
        };
        match early {
            Some(response) => {
                let response = response.map_err(unanswered)?;
                // An upstream that has answered may well leave the rest of the body alone.
                match pumping.await {
                    Ok(()) | Err(Stop::Fault(LATE)) => Ok(response),
                    Err(stop) => Err(stop),
                }
            }
            None => match tokio::time::timeout(time, sending).await {
                Ok(response) => response.map_err(unanswered),
                Err(_) => Err(unanswered(UpstreamError::Late)),
            },
        }
    }

    /// Phases 3 and 4, as far as they come before the response leaves.
    async fn inspect_response(
        &self,
        incident: &mut Incident,
        head: &RequestHead,
        response: Response<upstream::ResponseBody>,
        upgraded: Option<OnUpgrade>,
    ) -> Result<Passed, Stop> {
        let exchange = &mut incident.exchange;
        let status = response.status();
        let fields = response.headers().iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
        exchange.response(status.as_u16(), version(response.version()), fields);
        if let Some(refusal) = self.ledger.inspector.run(exchange).await {
            return Err(Stop::Refused(refusal));
        }
        let field = |name| response.headers().get(name).map(HeaderValue::as_bytes);
        let plan = match upgraded {
            Some(_) => {
                exchange.skipped(Uninspected::Tunnel);
                ResponsePlan::Pass
            }
            None => exchange.response_plan(field(CONTENT_TYPE), field(CONTENT_ENCODING)),
        };
        let bodiless = head.method == b"HEAD"
            || status.is_informational()
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED;
        let length = match bodiless {
            // Only an answer that stands for one with a body may say how long that is (RFC 9110, section 8.6).
            true if head.method != b"HEAD" && status != StatusCode::NOT_MODIFIED => None,
            true => field(CONTENT_LENGTH).and_then(|value| std::str::from_utf8(value).ok()?.parse().ok()),
            false => response.body().size_hint().exact(),
        };
        let mut passed = Passed {
            response,
            length,
            bodiless,
            upgraded,
            watch: plan == ResponsePlan::Watch && !bodiless,
            held: VecDeque::new(),
            trailers: None,
            whole: bodiless,
            share: self.ledger.inspector.share(),
        };
        if plan == ResponsePlan::Hold && !bodiless {
            self.hold(incident, &mut passed).await?;
        }
        if !passed.watch {
            incident.exchange.end_response_body();
            if let Some(refusal) = self.ledger.inspector.run(&mut incident.exchange).await {
                return Err(Stop::Refused(refusal));
            }
        }
        Ok(passed)
    }

    /// Reads a response body up to its end or its limit.
    async fn hold(&self, incident: &mut Incident, passed: &mut Passed) -> Result<(), Stop> {
        let idle = self.config.timeouts.upstream_idle;
        loop {
            let frame = super::response::frame(passed.response.body_mut(), idle).await;
            let frame = match frame.map_err(|_| fault(502, "The upstream's response broke off."))? {
                Some(frame) => frame,
                None => {
                    passed.whole = true;
                    return Ok(());
                }
            };
            let data = match frame.into_data() {
                Ok(data) => data,
                Err(frame) => {
                    passed.trailers = frame.into_trailers().ok();
                    continue;
                }
            };
            if !passed.share.grow(data.len()) {
                return Err(Stop::Fault(HELD));
            }
            let chunk = incident.exchange.response_body_chunk(&data);
            passed.held.push_back(data);
            match chunk {
                Chunk::Taken => {}
                Chunk::Cut(_) => return Ok(()),
                Chunk::Refused(refusal) => return Err(Stop::Refused(refusal)),
            }
        }
    }

    async fn answer(self: &Arc<Self>, mut incident: Incident, passed: Passed) -> Answer {
        let (mut parts, upstream) = passed.response.into_parts();
        incident.answered(parts.status.as_u16());
        if let Some(upgraded) = passed.upgraded {
            let protocol = parts.headers.get(UPGRADE).cloned();
            forward::response_headers(&mut parts.headers);
            parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            if let Some(protocol) = protocol {
                parts.headers.insert(UPGRADE, protocol);
            }
            incident.close().await;
            return Answer { status: parts.status, headers: parts.headers, body: AnswerBody::Tunnel(upgraded) };
        }
        forward::response_headers(&mut parts.headers);
        let body = match passed.bodiless {
            true => {
                incident.close().await;
                AnswerBody::None { length: passed.length }
            }
            false => {
                let upstream = (!passed.whole).then_some(upstream);
                let length = match passed.whole {
                    true if passed.trailers.is_none() => Some(passed.held.iter().map(|data| data.len() as u64).sum()),
                    true => None,
                    false => passed.length,
                };
                let body = ResponseBody::new(
                    self,
                    incident,
                    passed.held,
                    passed.trailers,
                    upstream,
                    passed.watch,
                    passed.share,
                );
                AnswerBody::Stream { body: Box::new(body), length }
            }
        };
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

/// Sends what was inspected, and then what will not be, to an upstream request's body. Ends early, without an error, when the
/// upstream wants no more.
async fn pump(sender: channel::Sender, first: Bytes, rest: &mut impl BodySource, time: Duration) -> Result<(), Stop> {
    let mut data = first;
    loop {
        match tokio::time::timeout(time, sender.send(Ok(Frame::data(data)))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ok(()),
            Err(_) => return Err(unanswered(UpstreamError::Late)),
        }
        data = match rest.chunk().await {
            Ok(Some(data)) => data,
            Ok(None) => return Ok(()),
            Err(fault) => {
                // The upstream must not take the beginning of a body for the whole; if it has gone already, it will not.
                let _ = sender.send(Err(std::io::Error::other("the client broke off"))).await;
                return Err(Stop::Fault(fault));
            }
        };
    }
}

const LATE: Fault = Fault::Refuse(504, "The upstream did not answer in time.");

fn fault(status: u16, reason: &'static str) -> Stop {
    Stop::Fault(Fault::Refuse(status, reason))
}

fn unanswered(error: UpstreamError) -> Stop {
    match error {
        UpstreamError::Broken => fault(502, "The upstream cannot be reached or broke off."),
        UpstreamError::Late => Stop::Fault(LATE),
    }
}
