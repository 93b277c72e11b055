//! A connection with what was read of it and not used yet.

use bytes::BytesMut;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes asked for in one read.
const READ: usize = 16 << 10;
/// How much of a request that was turned away is read and thrown away, so that its sender sees the answer: a connection that
/// is closed with bytes unread is reset, and a reset destroys what is under way.
const LINGER_BYTES: usize = 1 << 20;
const LINGER_TIME: Duration = Duration::from_secs(2);

/// Why nothing was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadEnd {
    Closed,
    Failed,
    Late,
}

pub(super) struct Wire<S> {
    io: S,
    pub(super) buffer: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire<S> {
    pub(super) fn new(io: S, buffer: BytesMut) -> Self {
        Wire { io, buffer }
    }

    /// Reads more into the buffer.
    pub(super) async fn read(&mut self, time: Duration) -> Result<(), ReadEnd> {
        self.buffer.reserve(READ);
        // A `BytesMut` takes as much as it has room for; the cap keeps memory in step with what is asked for.
        let mut room = (&mut self.io).take(READ as u64);
        match tokio::time::timeout(time, room.read_buf(&mut self.buffer)).await {
            Err(_) => Err(ReadEnd::Late),
            Ok(Ok(0)) => Err(ReadEnd::Closed),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(ReadEnd::Failed),
        }
    }

    /// Writes and flushes, within `time`.
    pub(super) async fn write(&mut self, parts: &[&[u8]], time: Duration) -> io::Result<()> {
        let writing = async {
            for part in parts {
                self.io.write_all(part).await?;
            }
            self.io.flush().await
        };
        tokio::time::timeout(time, writing).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Ends the connection in order.
    pub(super) async fn close(mut self) {
        let _ = tokio::time::timeout(LINGER_TIME, self.io.shutdown()).await;
    }

    /// Ends the connection when the client may still be sending.
    pub(super) async fn linger(mut self) {
        let rest = async {
            self.io.shutdown().await?;
            let mut thrown = 0;
            while thrown < LINGER_BYTES {
                self.buffer.clear();
                self.buffer.reserve(READ);
                match self.io.read_buf(&mut self.buffer).await? {
                    0 => break,
                    read => thrown += read,
                }
            }
            io::Result::Ok(())
        };
        // Whether the client listened cannot be known.
        let _ = tokio::time::timeout(LINGER_TIME, rest).await;
    }

    pub(super) fn into_parts(self) -> (S, BytesMut) {
        (self.io, self.buffer)
    }
}
