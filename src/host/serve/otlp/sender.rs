//! Batches of records on their way to the collector.

use super::super::ServeError;
use super::super::config::OtlpConfig;
use super::super::connector::Connector;
use super::Tally;
use super::record::{Refused, request};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Records of one request to the collector.
const BATCH: usize = 512;
/// How long a batch waits to become full.
const GATHER: Duration = Duration::from_secs(1);
/// For a connection, and for an answer.
const TIME: Duration = Duration::from_secs(10);
/// Attempts to send a batch. Between them it waits, twice as long each time.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The collector may ask for a longer pause, but not for more than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

pub(super) struct Sender {
    client: Client<Connector, Full<Bytes>>,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    tally: Arc<Tally>,
}

/// Why a batch was not taken.
enum Refusal {
    /// It may be, later.
    Later(String, Option<Duration>),
    /// It never will.
    Never(String),
}

impl Sender {
    pub(super) fn new(endpoint: &str, config: &OtlpConfig, tally: Arc<Tally>) -> Result<Sender, ServeError> {
        let wrong = |problem: &str| ServeError::Otlp { problem: format!("`otlp.endpoint` {endpoint:?}: {problem}") };
        let uri: Uri = format!("{}/v1/logs", endpoint.trim_end_matches('/')).parse().map_err(|_| wrong("no URL"))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("expected http:// or https://")),
        };
        let connector = Connector::to(secure, config.ca.as_deref(), false, TIME)?;
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Sender { client, uri, headers: config.headers.clone(), tally })
    }

    /// Sends what comes, on a thread of its own, until nobody can hand over more.
    pub(super) fn start(
        self,
        mut waiting: mpsc::Receiver<Refused>,
        report: impl Fn(String) + Send + 'static,
    ) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = async move {
            let mut fails = false;
            while let Some(batch) = gather(&mut waiting).await {
                let sent = self.send(&batch).await;
                let counter = if sent.is_ok() { &self.tally.sent } else { &self.tally.failed };
                self.tally.count(counter, batch.len());
                match (&sent, fails) {
                    (Err(why), false) => report(format!("Fusewall: OTLP: records are lost: {why}")),
                    (Ok(()), true) => report("Fusewall: OTLP: the collector takes records again".to_owned()),
                    _ => {}
                }
                fails = sent.is_err();
            }
        };
        let thread = std::thread::Builder::new().name("fusewall-otlp".to_owned());
        thread.spawn(move || runtime.block_on(run)).map(drop)
    }

    /// Sends a batch, again if that may help.
    async fn send(&self, batch: &[Refused]) -> Result<(), String> {
        let body = Bytes::from(request(batch));
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            match self.attempt(body.clone()).await {
                Ok(()) => return Ok(()),
                Err(Refusal::Never(why)) => return Err(why),
                Err(Refusal::Later(why, _)) if attempt == ATTEMPTS => return Err(why),
                Err(Refusal::Later(_, wanted)) => tokio::time::sleep(wanted.unwrap_or(pause)).await,
            }
            attempt += 1;
            pause *= 2;
        }
    }

    async fn attempt(&self, body: Bytes) -> Result<(), Refusal> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let head = request.headers_mut();
        head.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        head.insert(USER_AGENT, HeaderValue::from_static(concat!("fusewall/", env!("CARGO_PKG_VERSION"))));
        head.extend(self.headers.iter().cloned());
        let answer = match tokio::time::timeout(TIME, self.client.request(request)).await {
            Err(_) => return Err(Refusal::Later("no answer in time".to_owned(), None)),
            Ok(Err(problem)) => return Err(Refusal::Later(problem.to_string(), None)),
            Ok(Ok(answer)) => answer,
        };
        let status = answer.status();
        let why = format!("the collector answers {status}");
        match status {
            _ if status.is_success() => Ok(()),
            // As the protocol says: these alone are worth another attempt.
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                Err(Refusal::Later(why, seconds.map(|wanted| Duration::from_secs(wanted).min(LONGEST_PAUSE))))
            }
            _ => Err(Refusal::Never(why)),
        }
    }
}

/// The next records, as many as come within a while; `None` at the end.
async fn gather(waiting: &mut mpsc::Receiver<Refused>) -> Option<Vec<Refused>> {
    let mut batch = vec![waiting.recv().await?];
    let full = async {
        while batch.len() < BATCH {
            match waiting.recv().await {
                Some(record) => batch.push(record),
                None => return,
            }
        }
    };
    // What has come until then is sent.
    let _ = tokio::time::timeout(GATHER, full).await;
    Some(batch)
}
