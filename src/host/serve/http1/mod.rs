//! HTTP/1 from clients: one connection, request after request, read by the strict front end so that the engine sees every byte.

mod body;
mod tunnel;
mod wire;
mod write;

use super::proxy::{Answer, AnswerBody, ClientRequest, Proxy};
use crate::host::exchange::RequestHead;
use crate::host::http1::{Framing, Head, HeadLimits, HeadReader, Parsed, Refused, cut_short};
use body::ClientBody;
use bytes::BytesMut;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use wire::{ReadEnd, Wire};
use write::Wrote;

/// A client connection's ends.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) peer: SocketAddr,
    pub(super) server: SocketAddr,
    pub(super) secure: bool,
}

/// What comes first on a connection, or next.
enum Next {
    Request(Head),
    Refused(Refused),
    Closed,
}

/// Serves a connection to its end. `read` is what was read of it already.
pub(super) async fn serve<S>(proxy: Arc<Proxy>, io: S, read: BytesMut, link: Link, mut shutdown: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let mut wire = Wire::new(io, read);
    loop {
        let head = match next(&mut wire, &proxy, &mut shutdown).await {
            Next::Closed => return,
            Next::Refused(refused) => {
                let request = client_request(*refused.head, link);
                let answer = proxy.refuse(request, refused.status, refused.reason).await;
                if let Some(answer) = answer {
                    let _ = write::answer(&mut wire, answer, false, false, proxy.config.timeouts.write).await;
                }
                wire.linger().await;
                return;
            }
            Next::Request(head) => head,
        };
        let chunked_answer = head.version != b"HTTP/1.0";
        let keep_alive = head.keep_alive;
        let mut body = ClientBody::new(&mut wire, &head, proxy.config.timeouts.body);
        let answer = proxy.handle(client_request(head, link), &mut body).await;
        let unread = !body.is_done();
        let Some(answer) = answer else { return };
        if let Answer { body: AnswerBody::Tunnel(_), .. } = answer {
            return tunnel(&proxy, wire, answer).await;
        }
        let keep_alive = keep_alive && !unread && !*shutdown.borrow();
        match write::answer(&mut wire, answer, keep_alive, chunked_answer, proxy.config.timeouts.write).await {
            Ok(Wrote::KeepAlive) => {}
            Ok(Wrote::Close) if unread => return wire.linger().await,
            Ok(Wrote::Close) => return wire.close().await,
            Err(_) => return,
        }
    }
}

/// Waits for a request and reads its head.
async fn next<S>(wire: &mut Wire<S>, proxy: &Proxy, shutdown: &mut watch::Receiver<bool>) -> Next
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let timeouts = &proxy.config.timeouts;
    let limits = head_limits(proxy);
    if wire.buffer.is_empty() {
        let first = tokio::select! {
            biased;
            read = wire.read(timeouts.idle) => read,
            _ = shutdown.wait_for(|&down| down) => return Next::Closed,
        };
        if first.is_err() {
            return Next::Closed;
        }
    }
    let mut reader = HeadReader::new(limits.clone());
    let whole = async {
        loop {
            match reader.read(&wire.buffer) {
                Ok(Parsed::Complete { head, consumed }) => {
                    let _ = wire.buffer.split_to(consumed);
                    return Ok(Next::Request(head));
                }
                Ok(Parsed::Partial) => wire.read(timeouts.head).await?,
                Err(refused) => return Ok(Next::Refused(refused)),
            }
        }
    };
    match tokio::time::timeout(timeouts.head, whole).await {
        Ok(Ok(next)) => next,
        Ok(Err(ReadEnd::Failed)) => Next::Closed,
        // Line ends alone are what some clients send behind a body; a connection may end with them.
        Ok(Err(ReadEnd::Closed | ReadEnd::Late)) | Err(_) if wire.buffer.iter().all(|byte| b"\r\n".contains(byte)) => {
            Next::Closed
        }
        Ok(Err(ReadEnd::Closed | ReadEnd::Late)) | Err(_) => Next::Refused(cut_short(&wire.buffer, &limits)),
    }
}

fn head_limits(proxy: &Proxy) -> HeadLimits {
    let mut limits = HeadLimits::default();
    limits.bytes = proxy.config.limits.head_bytes;
    limits.request_line = proxy.config.limits.request_line_bytes;
    limits.headers = proxy.config.limits.head_fields;
    limits
}

fn client_request(head: Head, link: Link) -> ClientRequest {
    let speaks = head.is_http1();
    let Head { method, target, version, headers, framing, upgrade, .. } = head;
    ClientRequest {
        head: RequestHead { method, target, version, headers },
        peer: link.peer,
        server: link.server,
        secure: link.secure,
        speaks,
        upgrade: upgrade && framing == Framing::None,
    }
}

/// Carries bytes both ways after an upgrade, until both sides are done or one breaks.
async fn tunnel<S>(proxy: &Proxy, mut wire: Wire<S>, answer: Answer)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let Answer { status, headers, body: AnswerBody::Tunnel(upgraded) } = answer else { return };
    let Ok(upstream) = upgraded.await else { return };
    if write::head(&mut wire, status, &headers, proxy.config.timeouts.write).await.is_err() {
        return;
    }
    let mut upstream = TokioIo::new(upstream);
    let (client, read) = wire.into_parts();
    // What came right behind the handshake belongs to the tunnel.
    if tokio::io::AsyncWriteExt::write_all(&mut upstream, &read).await.is_ok() {
        tunnel::carry(client, &mut upstream, proxy.config.timeouts.tunnel).await;
    }
}
