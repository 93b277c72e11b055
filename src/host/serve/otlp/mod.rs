//! Refused requests as log records of OpenTelemetry, sent to a collector by OTLP over HTTP in its JSON encoding
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).
//!
//! A request leaves its record in a queue and goes on. A thread with a runtime of its own sends what has come together; what the
//! collector does not take now is tried again, and while it lasts the queue fills, records are dropped and counted.
//!
//! | file | does |
//! |---|---|
//! | `record` | a refused request as a log record |
//! | `sender` | batches, retries, the connection |

mod record;
mod sender;

pub(super) use record::{Refused, TraceContext};

use super::ServeError;
use super::config::OtlpConfig;
use crate::governor::Exposition;
use sender::Sender;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Where records are handed over. Cheap to clone; the thread ends with the last one.
#[derive(Debug, Clone)]
pub(super) struct Otlp {
    queue: mpsc::Sender<Refused>,
    tally: Arc<Tally>,
}

/// What has become of the records.
#[derive(Debug, Default)]
pub(super) struct Tally {
    taken: AtomicU64,
    sent: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

impl Otlp {
    /// `None` if no collector is configured. `report` gets a line when the collector begins to fail, and when it is over.
    pub(super) fn start(
        config: &OtlpConfig,
        report: impl Fn(String) + Send + 'static,
    ) -> Result<Option<Self>, ServeError> {
        let Some(endpoint) = &config.endpoint else { return Ok(None) };
        let tally = Arc::<Tally>::default();
        let (queue, waiting) = mpsc::channel(config.queue_records);
        let sender = Sender::new(endpoint, config, Arc::clone(&tally))?;
        sender.start(waiting, report).map_err(|source| ServeError::Otlp { problem: source.to_string() })?;
        Ok(Some(Otlp { queue, tally }))
    }

    /// Takes a record if there is room for it; `make` is only called then. Never waits.
    pub(super) fn send(&self, make: impl FnOnce() -> Refused) {
        match self.queue.try_reserve() {
            Ok(place) => {
                self.tally.count(&self.tally.taken, 1);
                place.send(make());
            }
            Err(_) => self.tally.count(&self.tally.dropped, 1),
        }
    }

    /// Waits until nothing waits any more, for at most `time`: before the process ends.
    pub(super) async fn flush(&self, time: Duration) {
        const PAUSE: Duration = Duration::from_millis(10);
        let Tally { taken, sent, failed, .. } = &*self.tally;
        let done = async {
            while sent.load(Ordering::Relaxed) + failed.load(Ordering::Relaxed) < taken.load(Ordering::Relaxed) {
                tokio::time::sleep(PAUSE).await;
            }
        };
        // What a collector that is gone has not taken until then is lost.
        let _ = tokio::time::timeout(time, done).await;
    }

    /// Writes down what has become of the records.
    pub(super) fn expose(&self, text: &mut Exposition) {
        let Tally { sent, dropped, failed, .. } = &*self.tally;
        let help = "Records of refused requests for the collector, by what became of them.";
        let mut records = text.family("fusewall_otlp_records_total", "counter", help);
        for (outcome, count) in [("sent", sent), ("over_queue", dropped), ("failed", failed)] {
            records.sample(&[("outcome", outcome)], count.load(Ordering::Relaxed));
        }
    }
}

impl Tally {
    fn count(&self, which: &AtomicU64, records: usize) {
        which.fetch_add(records as u64, Ordering::Relaxed);
    }
}
