//! Accepts connections, keeps their number within bounds, finds out which HTTP they speak, and ends them when the proxy ends.

use super::descriptors;
use super::http1::{self, Link};
use super::http2;
use super::proxy::Proxy;
use bytes::BytesMut;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What an HTTP/2 client says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Pause after an accept that failed: out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Runs all listeners until `shutdown`, then waits for the connections.
pub(super) async fn run(
    listeners: Vec<TcpListener>,
    tls: Option<TlsAcceptor>,
    proxy: Arc<Proxy>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (down, watching) = watch::channel(false);
    let wanted = proxy.config.limits.connections.min(Semaphore::MAX_PERMITS);
    let places = descriptors::affordable(wanted);
    if places < wanted {
        tracing::warn!("limits.connections is {wanted}; the limit of open files (ulimit -n) allows for {places}");
    }
    let all = Arc::new(Semaphore::new(places));
    let clients = Arc::new(Clients::new(proxy.config.limits.connections_per_client));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        let door = Door {
            tls: tls.clone(),
            proxy: Arc::clone(&proxy),
            all: Arc::clone(&all),
            clients: Arc::clone(&clients),
            down: watching.clone(),
        };
        accepting.spawn(door.accept(listener));
    }
    shutdown.await;
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
    if tokio::time::timeout(proxy.config.timeouts.shutdown, open).await.is_err() {
        tracing::warn!("connections were cut: they did not end within timeouts.shutdown");
    }
}

struct Door {
    tls: Option<TlsAcceptor>,
    proxy: Arc<Proxy>,
    all: Arc<Semaphore>,
    clients: Arc<Clients>,
    down: watch::Receiver<bool>,
}

impl Door {
    /// Accepts until the proxy goes down; answers the connections that are open then.
    async fn accept(self, listener: TcpListener) -> JoinSet<()> {
        let mut connections = JoinSet::new();
        let mut down = self.down.clone();
        loop {
            while connections.try_join_next().is_some() {}
            let accepted = tokio::select! {
                biased;
                _ = down.wait_for(|&down| down) => return connections,
                accepted = self.place_and_accept(&listener) => accepted,
            };
            let (place, socket, peer) = match accepted {
                // On a socket for both families IPv4 addresses come in the form ::ffff:192.0.2.1, which no rule expects.
                Ok((place, socket, peer)) => (place, socket, SocketAddr::new(peer.ip().to_canonical(), peer.port())),
                // A connection that its client gave up before it was taken.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let seat = self.clients.seat(peer.ip());
            // Behind a trusted proxy there are many clients.
            if seat.is_none() && !self.proxy.config.trusted_proxies.contains(peer.ip()) {
                tracing::debug!(%peer, "closed: limits.connections_per_client");
                continue;
            }
            let (proxy, tls, down) = (Arc::clone(&self.proxy), self.tls.clone(), self.down.clone());
            connections.spawn(async move {
                let _held = (place, seat);
                serve(proxy, tls, socket, peer, down).await;
            });
        }
    }

    async fn place_and_accept(
        &self,
        listener: &TcpListener,
    ) -> io::Result<(tokio::sync::OwnedSemaphorePermit, TcpStream, SocketAddr)> {
        let place = Arc::clone(&self.all).acquire_owned().await.map_err(io::Error::other)?;
        let (socket, peer) = listener.accept().await?;
        Ok((place, socket, peer))
    }
}

async fn serve(
    proxy: Arc<Proxy>,
    tls: Option<TlsAcceptor>,
    socket: TcpStream,
    peer: SocketAddr,
    down: watch::Receiver<bool>,
) {
    let Ok(server) = socket.local_addr() else { return };
    let server = SocketAddr::new(server.ip().to_canonical(), server.port());
    // Without it small responses may wait for an acknowledgement; with an odd socket that refuses it they merely do.
    let _ = socket.set_nodelay(true);
    let link = Link { peer, server, secure: tls.is_some() };
    let time = proxy.config.timeouts.head;
    match tls {
        None => speak(proxy, socket, link, down).await,
        Some(tls) => match tokio::time::timeout(time, tls.accept(socket)).await {
            Ok(Ok(stream)) => speak(proxy, stream, link, down).await,
            Ok(Err(error)) => tracing::debug!(%error, %peer, "TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
        },
    }
}

/// Serves HTTP/2 to a client that begins with its preface, as one that negotiated it must, and HTTP/1 to all others.
async fn speak<S>(proxy: Arc<Proxy>, mut io: S, link: Link, mut down: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut read = BytesMut::new();
    let begin = async {
        while read.len() < PREFACE.len() && PREFACE.starts_with(&read) {
            match io.read_buf(&mut read).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    };
    tokio::select! {
        biased;
        _ = tokio::time::timeout(proxy.config.timeouts.head, begin) => {}
        _ = down.wait_for(|&down| down) => return,
    }
    if read.is_empty() {
        return;
    }
    if read.starts_with(PREFACE) {
        http2::serve(proxy, Rewound { read, io }, link, down).await;
    } else {
        http1::serve(proxy, io, read, link, down).await;
    }
}

/// A connection of which the first bytes were read already.
struct Rewound<S> {
    read: BytesMut,
    io: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.io).poll_read(context, buf);
        }
        let fits = buf.remaining().min(self.read.len());
        buf.put_slice(&self.read.split_to(fits));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

/// Open connections by client network.
struct Clients {
    open: Mutex<HashMap<IpAddr, usize>>,
    limit: usize,
}

impl Clients {
    fn new(limit: usize) -> Self {
        Clients { open: Mutex::default(), limit }
    }

    fn seat(self: &Arc<Self>, client: IpAddr) -> Option<Seat> {
        let client = network(client);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(client).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Seat { clients: Arc::clone(self), client })
    }
}

/// What counts as one client: an IPv4 address, or the IPv6 network of 64 bits that a subscriber has at the least.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (!0 << 64)).into(),
    }
}

/// One open connection of a client.
struct Seat {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.clients.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
        let clients = Arc::new(Clients::new(1));
        let seat = |address: &str| clients.seat(address.parse().unwrap());
        let first = seat("2001:db8:0:1::1");
        assert!(first.is_some() && seat("2001:db8:0:1:ffff::2").is_none(), "the same network");
        let others = [seat("2001:db8:0:2::1"), seat("192.0.2.1"), seat("192.0.2.2")];
        assert!(others.iter().all(Option::is_some) && seat("192.0.2.1").is_none());
        drop(first);
        assert!(seat("2001:db8:0:1:ffff::2").is_some(), "the seat is given back");
        drop(others);
        assert!(clients.open.lock().unwrap().is_empty());
    }
}
