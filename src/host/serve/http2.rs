//! HTTP/2 from clients, read by hyper. Requests that hyper itself refuses (a malformed `:path`, a broken frame) are answered with a
//! stream or connection error and never become transactions; a connection that ends for such a reason leaves a line in the log.

use super::channel::{self, Channel};
use super::http1::Link;
use super::incident::quoted;
use super::proxy::{Answer, AnswerBody, ClientRequest, Proxy};
use crate::host::exchange::RequestHead;
use crate::host::http1::is_authority;
use crate::host::inspect::{BodySource, Fault};
use crate::host::parts;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

type AnswerBytes = Either<Full<Bytes>, Channel>;

/// Serves a connection to its end.
pub(super) async fn serve<S>(proxy: Arc<Proxy>, io: S, link: Link, mut shutdown: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let idle = proxy.config.timeouts.idle;
    let head_bytes = u32::try_from(proxy.config.limits.head_bytes).unwrap_or(u32::MAX);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(proxy.config.limits.streams)
        .max_header_list_size(head_bytes)
        .keep_alive_interval(Some(idle))
        .keep_alive_timeout(proxy.config.timeouts.write);
    let activity = Arc::new(Activity::default());
    let service = service_fn(|request| respond(Arc::clone(&proxy), Arc::clone(&activity), link, request));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
    let mut ending = false;
    let mut seen = 0;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    log_end(&proxy, link.peer, &error);
                }
                return;
            }
            _ = shutdown.wait_for(|&down| down), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep(idle) => {
                if activity.running() > 0 || std::mem::replace(&mut seen, activity.begun()) != activity.begun() {
                    continue;
                }
                if ending {
                    return;
                }
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Logs that a connection ended because of what the client sent: requests that the library refused, and those that were cut with
/// them, have no other trace. A client that merely goes away is no news.
fn log_end(proxy: &Proxy, peer: SocketAddr, error: &hyper::Error) {
    match std::error::Error::source(error) {
        Some(cause) if !cause.is::<io::Error>() => {
            let cause = quoted(cause.to_string().as_bytes());
            proxy.ledger.log.line(format!("[client {}] Fusewall: HTTP/2 connection ended: {cause}", peer.ip()));
        }
        _ => tracing::debug!(%error, %peer, "HTTP/2 connection ended"),
    }
}

/// Requests of one connection.
#[derive(Default)]
struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Activity {
    fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    fn running(&self) -> u64 {
        self.begun().saturating_sub(self.ended.load(Ordering::Relaxed))
    }
}

/// One request that runs.
struct Running(Arc<Activity>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// The stream is to be reset.
#[derive(Debug, thiserror::Error)]
#[error("the request was dropped")]
struct Dropped;

async fn respond(
    proxy: Arc<Proxy>,
    activity: Arc<Activity>,
    link: Link,
    request: Request<Incoming>,
) -> Result<Response<AnswerBytes>, Dropped> {
    activity.begun.fetch_add(1, Ordering::Relaxed);
    let running = Running(activity);
    let (parts, body) = request.into_parts();
    let mut body = StreamBody { body, time: proxy.config.timeouts.body };
    let (head, objection) = parts::head(&parts);
    let objection = objection.map(|reason| (400, reason)).or_else(|| unreadable(&head, &proxy));
    let request =
        ClientRequest { head, peer: link.peer, server: link.server, secure: link.secure, speaks: true, upgrade: false };
    let answer = match objection {
        None => proxy.handle(request, &mut body).await,
        Some((status, reason)) => proxy.refuse(request, status, reason).await,
    };
    let Answer { status, mut headers, body } = answer.ok_or(Dropped)?;
    let body = match body {
        AnswerBody::None { length } => {
            if let Some(length) = length {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            Either::Left(Full::default())
        }
        AnswerBody::Page(page) => Either::Left(Full::new(page)),
        AnswerBody::Stream { mut body, length } => {
            let (sender, channel) = channel::channel(length);
            let time = proxy.config.timeouts.write;
            tokio::spawn(async move {
                let _running = running;
                loop {
                    let frame = match body.next().await {
                        Ok(Some(frame)) => Ok(frame),
                        Ok(None) => return,
                        Err(_) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
                    };
                    let last = frame.is_err();
                    // A receiver that is gone or does not take bytes: the stream is over, and dropping the sender says so.
                    match tokio::time::timeout(time, sender.send(frame)).await {
                        Ok(Ok(())) if !last => {}
                        _ => return,
                    }
                }
            });
            Either::Right(channel)
        }
        AnswerBody::Tunnel(_) => return Err(Dropped),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// What the HTTP/1 front end would refuse too: status and reason.
fn unreadable(head: &RequestHead, proxy: &Proxy) -> Option<(u16, &'static str)> {
    match head.values("host").next() {
        None => return Some((400, "The request names no host.")),
        Some(host) if !is_authority(host) => return Some((400, "Host is not a host.")),
        Some(_) => {}
    }
    (head.headers.len() > proxy.config.limits.head_fields).then_some((431, "There are too many header fields."))
}

struct StreamBody {
    body: Incoming,
    time: Duration,
}

impl BodySource for StreamBody {
    async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            match tokio::time::timeout(self.time, self.body.frame()).await {
                Err(_) => return Err(Fault::Refuse(408, "The request body paused for too long.")),
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) => return Err(Fault::Gone),
                // Trailers are not inspected and therefore not sent on.
                Ok(Some(Ok(frame))) => match Frame::into_data(frame) {
                    Ok(data) => return Ok(Some(data)),
                    Err(_) => continue,
                },
            }
        }
    }

    fn left(&self) -> Option<u64> {
        match self.body.is_end_stream() {
            true => Some(0),
            false => self.body.size_hint().exact(),
        }
    }
}
