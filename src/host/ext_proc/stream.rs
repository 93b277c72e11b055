//! One gRPC stream: reads messages, has them inspected, writes the answers.

use super::Site;
use super::counters::{Counters, Outcome};
use super::messages::{ProcessingRequest, ProcessingResponse};
use super::session::{Halt, Session};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tonic::codegen::tokio_stream::Stream;
use tonic::{Code, Status, Streaming};

/// Answers that may wait for Envoy to take them; more wait with the message that they are for.
const WAITING: usize = 8;

/// What Envoy reads.
pub(super) struct Answering(mpsc::Receiver<Result<ProcessingResponse, Status>>);

impl Stream for Answering {
    type Item = Result<ProcessingResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

/// Begins to serve a stream.
pub(super) fn serve(site: Arc<Site>, messages: Streaming<ProcessingRequest>) -> Answering {
    let (answers, answering) = mpsc::channel(WAITING);
    let running = Running::begin(&site.counters);
    tokio::spawn(async move {
        let outcome = run(&site, messages, &answers).await;
        running.end(outcome);
    });
    Answering(answering)
}

/// A stream that is counted, also if its task is dropped.
struct Running {
    counters: Arc<Counters>,
    outcome: Outcome,
}

impl Running {
    fn begin(counters: &Arc<Counters>) -> Running {
        counters.begin();
        Running { counters: Arc::clone(counters), outcome: Outcome::Abandoned }
    }

    fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.counters.end(self.outcome);
    }
}

type Sender = mpsc::Sender<Result<ProcessingResponse, Status>>;

async fn run(site: &Arc<Site>, mut messages: Streaming<ProcessingRequest>, answers: &Sender) -> Outcome {
    let mut session = Session::new(site);
    let timeouts = &site.config.site.timeouts;
    // For the whole of a request body that is held.
    let mut deadline = None;
    loop {
        let message = if session.awaits_body() {
            let now = Instant::now();
            let whole = *deadline.get_or_insert(now + timeouts.body_total);
            timeout_at(whole.min(now + timeouts.body), messages.message()).await
        } else {
            Ok(messages.message().await)
        };
        let taken = match message {
            Ok(Ok(Some(message))) => session.take(message).await,
            Ok(Ok(None)) => return ended(&session),
            Ok(Err(status)) => return broken(site, &session, &status),
            Err(_) => Err(session.late().await),
        };
        match taken {
            Ok(ready) => {
                for answer in ready {
                    if answers.send(Ok(answer)).await.is_err() {
                        return ended(&session);
                    }
                }
            }
            Err(Halt::TurnedAway(answer, outcome)) => {
                // Envoy that has gone needs no answer.
                let _ = answers.send(Ok(*answer)).await;
                return outcome;
            }
            Err(Halt::Protocol(why)) => {
                site.ledger.log.line(format!("Fusewall: a stream of Envoy is ended: {why}"));
                let _ = answers.send(Err(Status::failed_precondition(why))).await;
                return Outcome::Protocol;
            }
        }
    }
}

fn ended(session: &Session) -> Outcome {
    if session.complete() { Outcome::Passed } else { Outcome::Abandoned }
}

/// The stream was reset, or what came is no message.
fn broken(site: &Site, session: &Session, status: &Status) -> Outcome {
    match status.code() {
        // Too long; not Protobuf; compressed.
        Code::OutOfRange | Code::Internal | Code::Unimplemented | Code::DataLoss if is_ours(status) => {
            let why = status.message().escape_debug();
            site.ledger.log.line(format!("Fusewall: a stream of Envoy is ended: {why}"));
            Outcome::Protocol
        }
        _ => ended(session),
    }
}

/// Whether the message could not be read, rather than the stream was reset.
fn is_ours(status: &Status) -> bool {
    std::error::Error::source(status).is_none()
}
