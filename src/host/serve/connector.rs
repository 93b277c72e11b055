//! Opens connections to the upstream, with TLS if its URL says so.

use super::ServeError;
use super::config::Config;
use super::tls;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tower::Service;

#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: Option<TlsConnector>,
    timeout: Duration,
}

impl Connector {
    /// To the upstream. `secure`: its scheme is `https`.
    pub(super) fn new(config: &Config, secure: bool) -> Result<Self, ServeError> {
        let upstream = &config.upstream;
        Self::to(secure, upstream.ca.as_deref(), upstream.http2, config.timeouts.upstream_connect)
    }

    /// To any server: whom to trust with TLS, which HTTP to ask for, and how long a connection may take.
    pub(super) fn to(secure: bool, ca: Option<&Path>, http2: bool, timeout: Duration) -> Result<Self, ServeError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let tls = match secure {
            true => Some(TlsConnector::from(tls::client(ca, http2)?)),
            false => None,
        };
        Ok(Connector { tcp, tls, timeout })
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Boxed<io::Result<Self::Response>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_ready(context).map_err(io::Error::other)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let connecting = self.tcp.call(uri);
        let tls = self.tls.clone();
        let timeout = self.timeout;
        Box::pin(async move {
            let open = async move {
                let tcp = connecting.await.map_err(io::Error::other)?.into_inner();
                let Some(tls) = tls else { return Ok(Stream(Box::pin(tcp))) };
                let name = ServerName::try_from(host).map_err(io::Error::other)?;
                Ok(Stream(Box::pin(tls.connect(name, tcp).await?)))
            };
            let late = || io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
            let stream: io::Result<Stream> = tokio::time::timeout(timeout, open).await.map_err(|_| late())?;
            stream.map(TokioIo::new)
        })
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send {}
impl Duplex for TcpStream {}
impl Duplex for tokio_rustls::client::TlsStream<TcpStream> {}

/// A connection to the upstream, plain or TLS.
pub(super) struct Stream(Pin<Box<dyn Duplex>>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(context, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(context, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write_vectored(context, bufs)
    }
}
