//! A connection of HAProxy: frames in, frames out.
//!
//! One task reads, one writes, and each payload is judged by a task of its own, so many at one time; answers leave in the order in which
//! they are found. Nothing is read that there is no place for.

use super::agent::Shared;
use super::answers;
use super::frames::{Frame, Kind, Reader};
use super::hello::Hello;
use super::payload::{Assembly, Payload};
use super::status::Status;
use crate::host::inspect::Share;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;

/// The longest first frame. HAProxy's takes about 150 bytes.
const HELLO_BYTES: u32 = 4096;
/// A frame ends no sooner than its head: type, flags and two numbers.
const LEAST_BYTES: u32 = 7;
/// Bytes that are asked for at once: no frame takes memory before it is there.
const PIECE: usize = 64 << 10;
/// How long, and for how many bytes at most, a connection that the agent ends is still read from.
const LINGER: (Duration, u64) = (Duration::from_secs(1), 1 << 20);
/// Messages in one payload. HAProxy sends one for each `spoe-message` of an event.
const MOST_MESSAGES: usize = 64;

/// A frame for HAProxy.
struct Answer {
    bytes: Vec<u8>,
    /// The connection ends with it.
    last: bool,
}

impl Answer {
    fn more(bytes: Vec<u8>) -> Self {
        Answer { bytes, last: false }
    }
}

/// Why there is nothing more to read.
enum End {
    /// HAProxy has gone without a word.
    Gone,
    /// The agent says this, and closes.
    Say(Status),
    /// The agent ends: what runs is answered before.
    Down,
}

/// Serves a connection to its end.
pub(super) async fn serve(agent: Arc<Shared>, socket: TcpStream, mut down: watch::Receiver<bool>) {
    let (read, write) = socket.into_split();
    let mut line = Line { io: BufReader::new(read), agent: agent.clone() };
    let hello = tokio::select! {
        biased;
        _ = down.wait_for(|&down| down) => Err(End::Say(Status::Normal)),
        hello = line.hello() => hello,
    };
    let (answers, waiting) = mpsc::channel(agent.config.limits.pipelined);
    let writing = tokio::spawn(write_all(write, waiting, agent.config.timeouts.frame));
    let end = match hello {
        Err(end) => end,
        Ok(hello) => {
            let frame = hello.max_frame_size.min(agent.config.limits.message_bytes);
            // The writer ends with the connection, and then this does, too.
            let _ = answers.send(Answer::more(answers::hello(frame))).await;
            match hello.healthcheck {
                true => {
                    agent.counters.health_checks.add(1);
                    End::Gone
                }
                false => converse(&mut line, frame, &answers, &mut down).await,
            }
        }
    };
    let status = match end {
        End::Gone => None,
        End::Say(status) => Some(status),
        End::Down => Some(Status::Normal),
    };
    if let Some(status) = status {
        tell(&agent, status);
        let _ = answers.send(Answer { bytes: answers::disconnect(status), last: true }).await;
    }
    drop(answers);
    // A writer that has failed has ended as well.
    let _ = writing.await;
    if status.is_some() {
        line.linger().await;
    }
    agent.counters.ended.add(1);
}

fn tell(agent: &Shared, status: Status) {
    agent.counters.disconnect(status);
    if status != Status::Normal {
        agent.complain(|left_out| tracing::warn!(%status, left_out, "a connection of HAProxy is closed"));
    }
}

/// Judges payloads until one side ends the connection.
async fn converse(
    line: &mut Line,
    frame_size: u32,
    answers: &mpsc::Sender<Answer>,
    down: &mut watch::Receiver<bool>,
) -> End {
    let agent = line.agent.clone();
    let places = Arc::new(Semaphore::new(agent.config.limits.pipelined.min(Semaphore::MAX_PERMITS)));
    let mut assembly = Assembly::new(agent.config.limits.message_bytes as usize);
    let end = loop {
        let Ok(place) = places.clone().acquire_owned().await else { break End::Gone };
        let read = tokio::select! {
            biased;
            _ = down.wait_for(|&down| down) => break End::Down,
            () = answers.closed() => break End::Gone,
            read = line.payload(frame_size, &mut assembly) => read,
        };
        let payload = match read {
            Ok(payload) => payload,
            Err(end) => break end,
        };
        let (agent, answers) = (agent.clone(), answers.clone());
        tokio::spawn(async move {
            let answer = agent.answer(&payload, frame_size).await;
            // A connection that is gone wants no answer.
            let _ = answers.send(Answer::more(answer)).await;
            drop(place);
        });
    };
    if let End::Down = end {
        // Whoever is cut here is cut by the end of the runtime.
        let all = u32::try_from(agent.config.limits.pipelined).unwrap_or(u32::MAX);
        let _ = timeout(agent.config.timeouts.shutdown, places.acquire_many(all)).await;
    }
    end
}

/// The reading half.
struct Line {
    io: BufReader<OwnedReadHalf>,
    agent: Arc<Shared>,
}

impl Line {
    /// The first frame.
    async fn hello(&mut self) -> Result<Hello, End> {
        let time = self.agent.config.timeouts.hello;
        let (bytes, _share) = self.frame(HELLO_BYTES, time, Status::Timeout).await?;
        let hello = Frame::read(&bytes).and_then(|frame| Hello::read(&frame));
        hello.map_err(End::Say)
    }

    /// The next payload that is whole.
    async fn payload(&mut self, frame_size: u32, assembly: &mut Assembly) -> Result<Payload, End> {
        loop {
            let idle = self.agent.config.timeouts.idle;
            let (bytes, share) = self.frame(frame_size, idle, Status::Normal).await?;
            let frame = Frame::read(&bytes).map_err(End::Say)?;
            match frame.kind {
                Kind::Disconnect => return Err(End::Say(Status::Normal)),
                Kind::Hello => return Err(End::Say(Status::Invalid)),
                Kind::Other(_) => {}
                Kind::Notify | Kind::More => {
                    if let Some(payload) = assembly.take(&frame, &bytes, share).map_err(End::Say)? {
                        check(&payload.bytes).map_err(End::Say)?;
                        return Ok(payload);
                    }
                }
            }
        }
    }

    /// Takes what is still on its way, and forgets it. A socket that is closed over bytes nobody has read is reset, and then the peer
    /// loses what it has not read itself: the last answers, and why the connection ends (RFC 9293, section 3.6.1).
    async fn linger(&mut self) {
        let (time, bytes) = LINGER;
        let mut rest = (&mut self.io).take(bytes);
        let _ = timeout(time, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
    }

    /// The next frame, of at most so many bytes. It begins within `idle`; if not the connection ends with `late`.
    async fn frame(&mut self, most: u32, idle: Duration, late: Status) -> Result<(Bytes, Share), End> {
        let length = match timeout(idle, self.io.read_u32()).await {
            Err(_) => return Err(End::Say(late)),
            Ok(Err(_)) => return Err(End::Gone),
            Ok(Ok(length)) if length > most => return Err(End::Say(Status::TooBig)),
            Ok(Ok(length)) if length < LEAST_BYTES => return Err(End::Say(Status::Invalid)),
            Ok(Ok(length)) => length as usize,
        };
        let mut share = self.agent.memory.share();
        let mut bytes = BytesMut::new();
        let reading = async {
            while bytes.len() < length {
                let left = length - bytes.len();
                bytes.reserve(left.min(PIECE));
                let count = (&mut self.io).take(left as u64).read_buf(&mut bytes).await;
                match count {
                    Ok(0) | Err(_) => return Err(End::Gone),
                    Ok(count) if !share.grow(count) => return Err(End::Say(Status::Resources)),
                    Ok(_) => {}
                }
            }
            Ok(())
        };
        match timeout(self.agent.config.timeouts.frame, reading).await {
            Err(_) => Err(End::Say(Status::Timeout)),
            Ok(Err(end)) => Err(end),
            Ok(Ok(())) => Ok((bytes.freeze(), share)),
        }
    }
}

/// Whether a payload is messages from its beginning to its end.
fn check(payload: &[u8]) -> Result<(), Status> {
    let mut reader = Reader::new(payload);
    for _ in 0..MOST_MESSAGES {
        if reader.is_empty() {
            return Ok(());
        }
        reader.message()?;
    }
    if reader.is_empty() { Ok(()) } else { Err(Status::Invalid) }
}

/// Writes what is handed over, those that wait at once, until nobody is left who could hand over more.
async fn write_all(mut io: OwnedWriteHalf, mut waiting: mpsc::Receiver<Answer>, time: Duration) {
    while let Some(Answer { mut bytes, mut last }) = waiting.recv().await {
        while !last
            && bytes.len() < PIECE
            && let Ok(more) = waiting.try_recv()
        {
            bytes.extend_from_slice(&more.bytes);
            last = more.last;
        }
        if !matches!(timeout(time, io.write_all(&bytes)).await, Ok(Ok(()))) {
            return;
        }
        if last {
            break;
        }
    }
    // Whoever does not read to the end knows less.
    let _ = io.shutdown().await;
}
