//! One request from its head to its answer: who asks, how, for what, and with how much; only then its handler runs.

use super::call::{Answer, Call};
use super::desk::Desk;
use super::handlers::rulesets;
use super::limits;
use super::peers::{Identity, Peer};
use super::problem::Problem;
use super::routes::{self, Route, Runs, Takes};
use super::trail;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A connection: who is at its other end, and by which names they may call this server.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) desk: Arc<Desk>,
    pub(super) identity: Identity,
    /// What the configuration grants them, if anything.
    pub(super) peer: Option<Peer>,
    /// Over TCP; on the socket there are no names.
    pub(super) by_name: bool,
}

impl Line {
    /// Answers a request, whatever it is.
    pub(super) async fn answer(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let what = format!("{} {}", head.method, head.uri.path());
        let answer = match self.admit(&head) {
            Err(problem) => Err(problem),
            Ok((route, name, peer)) => self.clone().take(route, name, peer, head.headers, body, &what).await,
        };
        let answer = answer.unwrap_or_else(|problem| {
            trail::refused(&self, &what, &problem);
            Answer::from(problem)
        });
        respond(answer)
    }

    /// Whether the head is one of somebody who may ask this.
    fn admit(&self, head: &http::request::Parts) -> Result<(&'static Route, String, Peer), Problem> {
        let peer = self.peer.clone().ok_or_else(|| {
            let detail =
                format!("{} has no role here: `[[admin.callers]]` in the configuration says who has", self.identity);
            Problem::new(403, "unknown-caller", detail)
        })?;
        no_browser(&head.headers)?;
        if self.by_name {
            self.named(head)?;
        }
        let (route, name) = routes::find(head.method.as_str(), head.uri.path())?;
        if !peer.roles.has(route.role) {
            let role = route.role.name();
            return Err(Problem::new(403, "role", format!("this takes the role `{role}`, which {peer} does not have"))
                .with("role", role));
        }
        if route.takes == Takes::Upload {
            rulesets::may_upload(&self.desk, &head.headers)?;
        }
        Ok((route, name, peer))
    }

    /// Refuses a name that somebody else has made lead here.
    fn named(&self, head: &http::request::Parts) -> Result<(), Problem> {
        let given = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name = given.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        let name = name.map_or(given, |(name, _)| name);
        let hosts = &self.desk.config.tcp.hosts;
        let several = head.headers.get_all(HOST).iter().count() > 1 || head.uri.authority().is_some();
        if several || !hosts.iter().any(|host| host.eq_ignore_ascii_case(name)) {
            let detail = format!("Host `{given:.200}` is not one of `admin.tcp.hosts`");
            return Err(Problem::new(421, "host", detail));
        }
        Ok(())
    }

    /// Reads the body and runs the handler.
    async fn take(
        self,
        route: &'static Route,
        name: String,
        peer: Peer,
        head: HeaderMap,
        body: Incoming,
        what: &str,
    ) -> Result<Answer, Problem> {
        let most = match route.takes {
            Takes::Nothing => 0,
            Takes::Json => limits::JSON_BYTES,
            Takes::Upload => self.desk.config.upload_bytes,
        };
        // Before the body: what waits would wait with megabytes.
        let _turn = (route.takes == Takes::Upload).then(|| rulesets::turn(&self.desk)).transpose()?;
        let body = limits::body(&head, body, most).await?;
        let call = Call { peer, name, head, body };
        let what = what.to_owned();
        match route.runs {
            Runs::Here => Ok(self.run(route, &call, &what)),
            // It goes on to its end and is logged, whether somebody waits for the answer or not.
            Runs::Aside => tokio::task::spawn_blocking(move || self.run(route, &call, &what)).await.map_err(broken),
        }
    }

    fn run(&self, route: &'static Route, call: &Call, what: &str) -> Answer {
        let before = self.desk.waf.generation().number;
        let outcome = catch_unwind(AssertUnwindSafe(|| (route.handler)(&self.desk, call)));
        match outcome.unwrap_or_else(|_| Err(broken("a handler has failed"))) {
            Ok(answer) => {
                trail::done(self, what, before, &answer);
                answer
            }
            Err(problem) => {
                trail::refused(self, what, &problem);
                Answer::from(problem)
            }
        }
    }
}

/// Pages of other sites must not reach this through a browser that could: browsers say so themselves (Fetch, section 3.2, and
/// Fetch Metadata).
fn no_browser(head: &HeaderMap) -> Result<(), Problem> {
    let told = head.keys().find(|name| **name == ORIGIN || name.as_str().starts_with("sec-fetch-"));
    match told {
        Some(name) => {
            Err(Problem::new(403, "browser", format!("`{name}` says that a browser asks: browsers are refused")))
        }
        None => Ok(()),
    }
}

fn broken(problem: impl std::fmt::Display) -> Problem {
    Problem::new(500, "internal", format!("internal error, nothing else is known: {problem}"))
}

fn respond(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = answer.status;
    let head = response.headers_mut();
    head.insert(CONTENT_TYPE, HeaderValue::from_static(answer.media_type));
    head.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(allow) = answer.allow.and_then(|allow| HeaderValue::from_str(&allow).ok()) {
        head.insert(ALLOW, allow);
    }
    if answer.status == StatusCode::TOO_MANY_REQUESTS {
        head.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}
