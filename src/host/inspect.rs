//! Drives an [`Exchange`] on a tokio runtime without stalling it.
//!
//! Inspection is pure computation. It is cut into turns of a fuel quantum, and between two turns the task yields, so that one
//! long body does not hold up the requests behind it. The first turns of every phase are free; a phase that needs more, or that
//! has a long body to look at, has to take a place in the *long lane*, which has fewer places than the runtime has threads. However many long bodies there are,
//! a thread stays free for short requests.
//!
//! A tenant well over its part of the CPU share may have many requests under way that were let in before that was known. They queue
//! twice. Of one site as many as there are processors are taken up, first come, first served; the turns of these go one after the
//! other through the *borrowers' lane* of the process. So those who are within their part meet as many turns of borrowers as there
//! are processors, however many requests these have, and those who borrow a little do not wait behind all that another one has.

use super::exchange::{BodyPolicy, Chunk, Ends, Exchange, Refusal, RequestHead, Turn};
use crate::governor::{Identity, Shed};
use crate::waf::Waf;
use bytes::{Bytes, BytesMut};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// There is no memory left for another body.
pub const HELD: Fault = Fault::Refuse(503, "Too many bodies are held for inspection.");

/// Turns that a phase gets before it has to queue for the long lane.
const SHORT_TURNS: u32 = 4;
/// A body of so many bytes is long from the start: a single step on it, such as a transformation of the whole, may take many
/// turns' time, and if every thread were in the middle of one, nothing else would run.
const LONG_BODY: usize = 256 << 10;
/// Turns that a phase gets with one place before it goes to the end of the queue.
const LONG_TURNS: u32 = 16;

/// The borrowers' lane: a place for each processor, so that CPU that nobody else wants is still theirs. One for the process, as
/// processors are.
static BORROWERS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(processors()));

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How much computing and memory all exchanges of a host may use together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectionLimits {
    /// Fuel of one turn. 100,000 fuel are about 0.15 ms.
    pub quantum: u64,
    /// Places in the long lane; 0: one less than the machine's processors, at least one.
    pub long_lane: usize,
    /// Bytes of request and response bodies held at one time, over all exchanges. Above it new bodies are refused with 503.
    pub held_bytes: usize,
}

impl Default for InspectionLimits {
    fn default() -> Self {
        InspectionLimits { quantum: 100_000, long_lane: 0, held_bytes: 1 << 30 }
    }
}

/// Where the bytes of a body come from.
pub trait BodySource: Send {
    /// The next bytes; `None` at the end.
    fn chunk(&mut self) -> impl Future<Output = Result<Option<Bytes>, Fault>> + Send;

    /// How many bytes are still to come, if that is known.
    fn left(&self) -> Option<u64>;
}

/// Why a host turns a request away on its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Something is wrong with it: the status to answer with, and why.
    Refuse(u16, &'static str),
    /// The peer has gone: there is nobody to answer.
    Gone,
}

/// A request body after its verdict.
#[derive(Debug)]
pub struct Inspected {
    /// What goes upstream.
    pub body: Bytes,
    /// The memory that the body takes of what all exchanges share; to be kept as long as the body.
    pub share: Share,
    /// Whether the source has more that was not and will not be inspected.
    pub rest: bool,
}

/// Why a request goes no further.
#[derive(Debug)]
pub enum Stop {
    /// A rule's or a limit's verdict.
    Refused(Refusal),
    /// The host's own reason.
    Fault(Fault),
}

/// The engine and what all exchanges share.
#[derive(Clone)]
pub struct Inspector {
    waf: Waf,
    quantum: u64,
    lane: Arc<Semaphore>,
    /// Where the site's requests wait that borrow.
    borrowing: Arc<Semaphore>,
    held: Arc<Held>,
}

impl Inspector {
    /// An inspector with places and memory of its own: one for each site.
    pub fn new(waf: Waf, limits: &InspectionLimits) -> Self {
        let places = match limits.long_lane {
            0 => processors().saturating_sub(1).max(1),
            places => places,
        };
        Inspector {
            waf,
            quantum: limits.quantum.max(1),
            lane: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            borrowing: Arc::new(Semaphore::new(processors())),
            held: Arc::new(Held { bytes: AtomicUsize::new(0), limit: limits.held_bytes }),
        }
    }

    /// The same for another site, which shares memory and the long lane with this one.
    #[cfg(feature = "spoa")]
    pub(crate) fn beside(&self, waf: Waf) -> Self {
        Inspector { waf, borrowing: Arc::new(Semaphore::new(processors())), ..self.clone() }
    }

    /// An exchange whose id the host may have chosen.
    #[cfg(feature = "serve")]
    pub(crate) fn exchange_with_id(
        &self,
        unique_id: Option<&str>,
        ends: Ends,
        policy: BodyPolicy,
    ) -> Result<Exchange, Shed> {
        Exchange::admit_with_id(&self.waf, unique_id, ends, policy)
    }

    /// A new exchange.
    ///
    /// # Errors
    /// Its tenant's part of the CPU share allows none: see [`Exchange::admit`].
    pub fn exchange(&self, ends: Ends, policy: BodyPolicy) -> Result<Exchange, Shed> {
        Exchange::admit(&self.waf, ends, policy)
    }

    /// The id of a request that was shed.
    pub fn incident_id(&self) -> Identity {
        self.waf.incident_id()
    }

    /// Runs the phase that was started to its end.
    pub async fn run(&self, exchange: &mut Exchange) -> Option<Refusal> {
        let mut short = if exchange.inspected_bytes() < LONG_BODY { SHORT_TURNS } else { 0 };
        let mut places = Places::default();
        loop {
            let turn_of_all = places.wait(self, exchange.borrows(), short == 0).await;
            let turn = exchange.step(self.quantum);
            drop(turn_of_all);
            match turn {
                Turn::Done(refusal) => return refusal,
                Turn::Pending => tokio::task::yield_now().await,
            }
            short = short.saturating_sub(1);
            places.turn_is_over();
        }
    }

    /// Ends an exchange whose task is gone: phase 5 without a pause, as far as the short turns go.
    pub fn abandon(&self, exchange: &mut Exchange) {
        if !exchange.finished() {
            exchange.finish();
        }
        for _ in 0..SHORT_TURNS {
            if let Turn::Done(_) = exchange.step(self.quantum) {
                return;
            }
        }
    }

    /// One turn of the phase that was started, for a host that cannot wait.
    pub fn turn(&self, exchange: &mut Exchange) -> Turn {
        exchange.step(self.quantum)
    }

    /// Phase 1.
    ///
    /// # Errors
    /// The request is refused: it goes no further.
    pub async fn head(&self, exchange: &mut Exchange, head: &RequestHead) -> Result<(), Stop> {
        exchange.begin(head);
        refused(self.run(exchange).await)
    }

    /// Reads the body, for at most `time`, and runs phase 2. Nothing may go upstream before this answers.
    ///
    /// # Errors
    /// The request is refused, or its body did not come: it goes no further.
    pub async fn request_body(
        &self,
        exchange: &mut Exchange,
        source: &mut impl BodySource,
        time: Option<Duration>,
    ) -> Result<Inspected, Stop> {
        let mut inspected = Inspected { body: Bytes::new(), share: self.share(), rest: false };
        let mut tail = Bytes::new();
        if exchange.inspects_request_body() {
            let read = read(exchange, source, &mut inspected);
            tail = match time {
                None => read.await?,
                Some(time) => match tokio::time::timeout(time, read).await {
                    Ok(read) => read?,
                    Err(_) => return Err(Stop::Fault(Fault::Refuse(408, "The request body took too long."))),
                },
            };
        } else {
            inspected.rest = source.left() != Some(0);
        }
        exchange.end_request_body();
        refused(self.run(exchange).await)?;
        inspected.body = match tail.is_empty() {
            true => Bytes::copy_from_slice(exchange.request_body()),
            false => {
                let mut body = BytesMut::with_capacity(exchange.request_body().len() + tail.len());
                body.extend_from_slice(exchange.request_body());
                body.extend_from_slice(&tail);
                body.freeze()
            }
        };
        Ok(inspected)
    }

    /// A share of the memory for bodies; given back when it is dropped.
    pub fn share(&self) -> Share {
        Share { held: Arc::clone(&self.held), bytes: 0 }
    }
}

/// The places that a phase has in the queues of its site, for some turns.
///
/// The semaphores are fair: whoever comes back waits behind those who wait already. They are never closed.
#[derive(Default)]
struct Places<'i> {
    borrowing: Option<SemaphorePermit<'i>>,
    long: Option<SemaphorePermit<'i>>,
    turns: u32,
}

impl<'i> Places<'i> {
    /// Waits for what the next turn needs; answers its place in the lane of all that borrow, which is held for one turn only.
    async fn wait(&mut self, inspector: &'i Inspector, borrows: bool, long: bool) -> Option<SemaphorePermit<'static>> {
        if !borrows {
            self.borrowing = None;
        } else if self.borrowing.is_none() {
            // Those that have a place here wait for one in the long lane: nobody waits the other way round.
            self.long = None;
            self.borrowing = inspector.borrowing.acquire().await.ok();
            self.turns = LONG_TURNS;
        }
        if long && self.long.is_none() {
            self.long = inspector.lane.acquire().await.ok();
            self.turns = LONG_TURNS;
        }
        if !borrows {
            return None;
        }
        let place = BORROWERS.acquire().await.ok();
        // A place is handed from one to the next, past everybody who has just let others run: these come first.
        tokio::task::yield_now().await;
        place
    }

    /// Gives the places back to those who wait when they have been held for long enough.
    fn turn_is_over(&mut self) {
        self.turns = self.turns.saturating_sub(1);
        if self.turns == 0 {
            *self = Places::default();
        }
    }
}

/// Shows a body to the engine; answers what was read of it past the limit.
async fn read(exchange: &mut Exchange, source: &mut impl BodySource, inspected: &mut Inspected) -> Result<Bytes, Stop> {
    while let Some(mut chunk) = source.chunk().await.map_err(Stop::Fault)? {
        if !inspected.share.grow(chunk.len()) {
            return Err(Stop::Fault(HELD));
        }
        match exchange.request_body_chunk(&chunk) {
            Chunk::Taken => {}
            Chunk::Refused(refusal) => return Err(Stop::Refused(refusal)),
            Chunk::Cut(taken) => {
                inspected.rest = true;
                return Ok(chunk.split_off(taken.min(chunk.len())));
            }
        }
    }
    Ok(Bytes::new())
}

fn refused(refusal: Option<Refusal>) -> Result<(), Stop> {
    match refusal {
        Some(refusal) => Err(Stop::Refused(refusal)),
        None => Ok(()),
    }
}

#[derive(Debug)]
struct Held {
    bytes: AtomicUsize,
    limit: usize,
}

/// What one exchange holds of the memory for bodies.
#[derive(Debug)]
pub struct Share {
    held: Arc<Held>,
    bytes: usize,
}

impl Share {
    /// Takes `more` bytes; false, and nothing taken, if that is more than there is.
    pub fn grow(&mut self, more: usize) -> bool {
        let before = self.held.bytes.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > self.held.limit {
            self.held.bytes.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.bytes += more;
        true
    }
}

#[cfg(feature = "spoa")]
impl Share {
    /// Takes over what another one of the same host holds.
    pub(crate) fn add(&mut self, other: Share) {
        let mut other = other;
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
