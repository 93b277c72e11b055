//! Bytes both ways after an upgrade, which end when both sides are done, when one breaks, or when both are silent for too long.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::time::Instant;

/// Carries bytes until the end. However that comes, there is nobody left to tell.
pub(super) async fn carry<C, U>(client: C, upstream: &mut U, idle: Duration)
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let activity = Activity { start: Instant::now(), last: AtomicU64::new(0) };
    let mut client = Watched { io: client, activity: &activity };
    tokio::select! {
        _ = copy_bidirectional(&mut client, upstream) => {}
        () = activity.silence(idle) => tracing::debug!("a tunnel was cut: timeouts.tunnel"),
    }
}

/// When the last byte passed.
struct Activity {
    start: Instant,
    /// Milliseconds from `start`.
    last: AtomicU64,
}

impl Activity {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Ready when no byte has passed for `idle`.
    async fn silence(&self, idle: Duration) {
        loop {
            let silent = Duration::from_millis(self.now().saturating_sub(self.last.load(Ordering::Relaxed)));
            match idle.checked_sub(silent).filter(|left| !left.is_zero()) {
                Some(left) => tokio::time::sleep(left).await,
                None => return,
            }
        }
    }
}

/// The client's side: every byte of a tunnel passes it, in one direction or the other.
struct Watched<'a, S> {
    io: S,
    activity: &'a Activity,
}

impl<S> Watched<'_, S> {
    fn note(&self, bytes: usize) {
        if bytes > 0 {
            self.activity.last.store(self.activity.now(), Ordering::Relaxed);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<'_, S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buf);
        self.note(buf.filled().len() - before);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<'_, S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, buf);
        if let Poll::Ready(Ok(bytes)) = written {
            self.note(bytes);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
