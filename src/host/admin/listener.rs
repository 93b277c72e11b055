//! Accepts connections, finds out who is at their other end, and lets each ask once.

use super::desk::Desk;
use super::limits::{CONNECTION_TIME, CONNECTIONS, HEAD_BYTES, HEAD_FIELDS, HEAD_TIME, STRANGERS};
use super::peers::{Identity, Peers};
use super::service::Line;
use super::socket::Socket;
use super::tcp;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// Pause after an accept that failed: out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often is looked for what has had its time.
const TICK: Duration = Duration::from_secs(1);

/// The doors of the API, open but with nobody behind them yet.
pub(super) struct Doors {
    pub(super) socket: Option<Socket>,
    pub(super) tcp: Option<(TcpListener, TlsAcceptor)>,
    pub(super) desk: Arc<Desk>,
    pub(super) peers: Arc<Peers>,
}

impl Doors {
    /// Lets callers in until `ending`; what is under way then is cut.
    pub(super) async fn serve(self, mut ending: watch::Receiver<bool>) {
        let Doors { socket, tcp, desk, peers } = self;
        let ticking = async {
            let mut ticks = tokio::time::interval(TICK);
            loop {
                ticks.tick().await;
                desk.tick();
            }
        };
        tokio::select! {
            // Whoever is gone without a word has ended as well.
            _ = ending.wait_for(|ending| *ending) => {}
            () = ticking => {}
            () = local(socket.as_ref(), &desk, &peers) => {}
            () = remote(tcp.as_ref(), &desk, &peers) => {}
        }
    }
}

/// Callers on the socket.
async fn local(socket: Option<&Socket>, desk: &Arc<Desk>, peers: &Arc<Peers>) {
    let Some(socket) = socket else { return std::future::pending().await };
    let (places, strangers) = (Arc::new(Semaphore::new(CONNECTIONS)), Arc::new(Semaphore::new(STRANGERS)));
    loop {
        let Some((stream, _)) = accepted(socket.listener.accept().await).await else { continue };
        let Ok(credentials) = stream.peer_cred() else { continue };
        let identity = Identity::Process { user: credentials.uid(), group: credentials.gid() };
        let peer = peers.know(identity);
        // Who may do nothing is told so, and takes no place of those who may.
        let place = if peer.is_some() { place(&places).await } else { strangers.clone().try_acquire_owned().ok() };
        let Some(place) = place else { continue };
        tokio::spawn(speak(stream, Line { desk: desk.clone(), identity, peer, by_name: false }, place));
    }
}

/// Callers over TCP, each with a certificate.
async fn remote(tcp: Option<&(TcpListener, TlsAcceptor)>, desk: &Arc<Desk>, peers: &Arc<Peers>) {
    let Some((listener, tls)) = tcp else { return std::future::pending().await };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Some(place) = place(&places).await else { return };
        let Some((stream, address)) = accepted(listener.accept().await).await else { continue };
        let (tls, desk, peers) = (tls.clone(), desk.clone(), peers.clone());
        tokio::spawn(async move {
            let stream = match tokio::time::timeout(HEAD_TIME, tls.accept(stream)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return tracing::debug!(%error, %address, "admin: TLS handshake failed"),
                Err(_) => return tracing::debug!(%address, "admin: TLS handshake took too long"),
            };
            let Some(fingerprint) = tcp::fingerprint(stream.get_ref().1) else { return };
            let identity = Identity::Certificate(fingerprint);
            let peer = peers.know(identity);
            speak(stream, Line { desk, identity, peer, by_name: true }, place).await;
        });
    }
}

/// A place for one more connection.
async fn place(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(places).acquire_owned().await.ok()
}

/// A connection, if it has come so far.
async fn accepted<T>(accepted: io::Result<T>) -> Option<T> {
    match accepted {
        Ok(accepted) => Some(accepted),
        Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => None,
        Err(error) => {
            tracing::warn!(%error, "admin: accept failed");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// One request, and its answer.
async fn speak<S>(stream: S, line: Line, _place: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| {
        let line = line.clone();
        async move { Ok::<_, Infallible>(line.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .half_close(true)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_FIELDS)
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service);
    // A caller that goes away, or does not speak HTTP, is no news.
    let _ = tokio::time::timeout(CONNECTION_TIME, connection).await;
}
