//! `/metrics`, `/healthz` and `/readyz` for monitoring, over plain HTTP.
//!
//! It answers on a thread of its own, whatever the threads that inspect requests are doing. There is nothing behind it that could be
//! changed, and nothing that clients have sent.

use crate::governor::MEDIA_TYPE;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Open connections.
const CONNECTIONS: usize = 64;
/// For a connection, from its beginning to its end.
const TIME: Duration = Duration::from_secs(10);
/// Bytes of a request.
const HEAD_BYTES: usize = 16 << 10;
/// Pause after an accept that failed: out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is read: makes the text of `/metrics`.
type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// A listener for monitoring. Dropping it ends it.
///
/// ```
/// use fusewall::host::scrape::Scrape;
/// use std::io::{Read, Write};
///
/// let scrape = Scrape::start("127.0.0.1:0".parse().unwrap(), || "up 1\n".to_owned()).unwrap();
/// let mut stream = std::net::TcpStream::connect(scrape.address()).unwrap();
/// stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
/// let mut answer = String::new();
/// stream.read_to_string(&mut answer).unwrap();
/// assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nup 1\n"), "{answer}");
/// ```
#[derive(Debug)]
pub struct Scrape {
    address: SocketAddr,
    ending: Arc<AtomicBool>,
    ended: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Scrape {
    /// Listens.
    ///
    /// # Errors
    /// The address is taken, or the system has no thread to give.
    pub fn start(address: SocketAddr, metrics: impl Fn() -> String + Send + Sync + 'static) -> io::Result<Scrape> {
        // Whoever starts it may be in the middle of a runtime of its own.
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (ended, mut wait) = watch::channel(false);
        let ending = Arc::new(AtomicBool::new(false));
        let page = Page { metrics: Arc::new(metrics), ending: ending.clone() };
        let serve = async move {
            tokio::select! {
                // Whoever is gone without a word has ended as well.
                _ = wait.wait_for(|ended| *ended) => {}
                problem = accept(listener, page) => tracing::error!(%problem, "metrics: nobody listens any more"),
            }
        };
        let thread = std::thread::Builder::new().name("fusewall-metrics".to_owned());
        let thread = thread.spawn(|| match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(serve),
            Err(problem) => tracing::error!(%problem, "metrics: there is no runtime"),
        })?;
        Ok(Scrape { address, ending, ended, thread: Some(thread) })
    }

    /// The address, with the port that was taken for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process is about to end: `/readyz` answers 503 from now on.
    pub fn ending(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }
}

impl Drop for Scrape {
    fn drop(&mut self) {
        self.ended.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // One that has panicked has ended as well.
            let _ = thread.join();
        }
    }
}

#[derive(Clone)]
struct Page {
    metrics: Metrics,
    ending: Arc<AtomicBool>,
}

async fn accept(listener: std::net::TcpListener, page: Page) -> io::Error {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(problem) => return problem,
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = match places.clone().acquire_owned().await {
            Ok(place) => place,
            Err(closed) => return io::Error::other(closed),
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let page = page.clone();
                tokio::spawn(async move {
                    speak(stream, page).await;
                    drop(place);
                });
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "metrics: accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One request, and its answer.
async fn speak(stream: TcpStream, page: Page) {
    let service = service_fn(|request| {
        let answer = page.answer(&request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .half_close(true)
        .max_buf_size(HEAD_BYTES)
        .header_read_timeout(TIME)
        .serve_connection(TokioIo::new(stream), service);
    // A caller that goes away, or does not speak HTTP, is no news.
    let _ = tokio::time::timeout(TIME, connection).await;
}

impl Page {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let text = "text/plain; charset=utf-8";
        let (status, kind, body) = match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => (StatusCode::OK, MEDIA_TYPE, (self.metrics)()),
            (&Method::GET, "/healthz") => (StatusCode::OK, text, "ok\n".to_owned()),
            (&Method::GET, "/readyz") if self.ending.load(Ordering::Relaxed) => {
                (StatusCode::SERVICE_UNAVAILABLE, text, "ending\n".to_owned())
            }
            (&Method::GET, "/readyz") => (StatusCode::OK, text, "ready\n".to_owned()),
            (&Method::GET, _) => (StatusCode::NOT_FOUND, text, "/metrics, /healthz, /readyz\n".to_owned()),
            _ => (StatusCode::METHOD_NOT_ALLOWED, text, "GET alone\n".to_owned()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
