//! Accepts Envoy's connections, over TCP or a unix socket, and serves HTTP/2 on them until the process ends.

use super::service::Services;
use crate::host::admin::socket::Socket;
use crate::host::serve::descriptors;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Pause after an accept that failed: out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes that a stream may send before they are read.
const STREAM_WINDOW: u32 = 64 << 10;
/// The same of a connection: so much that streams that wait for a processor do not hold up the others.
const CONNECTION_WINDOW: u32 = 4 << 20;

pub(super) enum Door {
    Tcp(TcpListener, Option<TlsAcceptor>),
    Unix(Socket),
}

/// A connection of any kind.
trait Link: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Link for T {}

/// Serves all doors until `shutdown`, then waits for the streams that run.
pub(super) async fn run(doors: Vec<Door>, services: Services, shutdown: impl Future<Output = ()> + Send) {
    let (down, watching) = watch::channel(false);
    let wanted = services.site.config.site.limits.connections.min(Semaphore::MAX_PERMITS);
    let places = descriptors::affordable(wanted);
    if places < wanted {
        tracing::warn!("limits.connections is {wanted}; the limit of open files (ulimit -n) allows for {places}");
    }
    let places = Arc::new(Semaphore::new(places));
    let mut accepting = JoinSet::new();
    for door in doors {
        accepting.spawn(accept(door, services.clone(), Arc::clone(&places), watching.clone()));
    }
    shutdown.await;
    services.ending().await;
    down.send_replace(true);
    let open = async {
        let mut connections = Vec::new();
        while let Some(ended) = accepting.join_next().await {
            connections.extend(ended);
        }
        for mut connections in connections {
            while connections.join_next().await.is_some() {}
        }
    };
    // Dropping a set of tasks aborts those that still run.
    if tokio::time::timeout(services.site.config.site.timeouts.shutdown, open).await.is_err() {
        tracing::warn!("streams were cut: they did not end within timeouts.shutdown");
    }
}

/// Accepts until the process goes down; answers the connections that are open then.
async fn accept(
    door: Door,
    services: Services,
    places: Arc<Semaphore>,
    mut down: watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((place, door.accept().await?))
        };
        let accepted = tokio::select! {
            biased;
            () = ending(&mut down) => return connections,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((place, link)) => {
                let (services, down) = (services.clone(), down.clone());
                connections.spawn(async move {
                    let _held = place;
                    serve(link, services, down).await;
                });
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn ending(down: &mut watch::Receiver<bool>) {
    // A sender that is gone is as good as the word.
    let _ = down.wait_for(|&down| down).await;
}

/// A connection that was accepted, and the TLS that it has to speak.
struct Accepted {
    link: Box<dyn Link>,
    tls: Option<TlsAcceptor>,
}

impl Door {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Door::Tcp(listener, tls) => {
                let (socket, _) = listener.accept().await?;
                // Without it small answers may wait for an acknowledgement; with an odd socket that refuses it they merely do.
                let _ = socket.set_nodelay(true);
                Ok(Accepted { link: Box::new(socket), tls: tls.clone() })
            }
            Door::Unix(socket) => Ok(Accepted { link: Box::new(socket.listener.accept().await?.0), tls: None }),
        }
    }
}

async fn serve(accepted: Accepted, services: Services, mut down: watch::Receiver<bool>) {
    let Accepted { link, tls } = accepted;
    let config = &services.site.config.site;
    let link: Box<dyn Link> = match tls {
        None => link,
        Some(tls) => match tokio::time::timeout(config.timeouts.head, tls.accept(link)).await {
            Ok(Ok(stream)) => Box::new(stream),
            Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => return tracing::debug!("TLS handshake took too long"),
        },
    };
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(config.limits.streams)
        .keep_alive_interval(Some(config.timeouts.idle))
        .keep_alive_timeout(config.timeouts.write);
    let service = service_fn(|request| services.clone().call(request));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(link), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ending(&mut down) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of Envoy ended");
    }
}
