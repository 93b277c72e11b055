//! D12: telling of an error is work, too. When every request fails, it must not cost more than the failing.

use super::Drill;
use super::report::Findings;
use super::setting::{Setting, own};
use crate::cli::panics;
use crate::engine::{Answer, Reason, Resolver};
use crate::governor::thread_cpu_time;
use crate::waf::Waf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D12",
    outage: "Cloudflare, 18 November 2025: the reporting of errors ate the CPU that was left",
    injected: "requests that all fail inside of the engine, for 60 seconds (one if short)",
    must_hold: "each is answered with 500; reports are limited, and take 2 % of the CPU at most",
    run,
};

/// CPU time of reports, of all.
const SHARE: f64 = 0.02;

/// Reports in a second, and at once: what the limit is meant to be, and a little.
const PER_SECOND: f64 = 25.0;
const AT_ONCE: f64 = 70.0;

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let rules = "SecRule REMOTE_ADDR \"@rbl list.example\" \"id:1,phase:1,deny\"";
    let built = own(rules).resolver(Fails).build();
    let waf = built.map_err(|report| anyhow::anyhow!("rules of the drill do not load:\n{report}"))?;
    let spent = Arc::new(Spent::default());
    let log = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
    let log = Timed { log, spent: spent.clone() };

    let before = std::panic::take_hook();
    panics::report();
    let length = setting.size(Duration::from_secs(1), Duration::from_mins(1));
    let (begun, clock) = (thread_cpu_time(), Instant::now());
    let (mut failed, mut otherwise) = (0_u64, 0_u64);
    tracing::subscriber::with_default(log, || {
        while clock.elapsed() < length {
            if fails(&waf) { failed += 1 } else { otherwise += 1 }
        }
    });
    let (all, seconds) = (thread_cpu_time() - begun, clock.elapsed().as_secs_f64());
    std::panic::set_hook(before);

    let mut found = Findings::default();
    let reports = spent.reports.load(Ordering::Relaxed);
    let cpu = Duration::from_nanos(spent.nanos.load(Ordering::Relaxed));
    let share = cpu.as_secs_f64() / all.as_secs_f64().max(f64::MIN_POSITIVE);
    found.note("failed_requests", failed);
    found.note("reports", reports);
    found.note("cpu_share_of_reports", (share * 1e5).round() / 1e5);
    found.hold(failed > 0 && otherwise == 0, || format!("{otherwise} requests were answered with something else"));
    found.hold(reports > 0, || "nothing was reported at all".to_owned());
    found.hold(reports as f64 <= AT_ONCE + PER_SECOND * seconds, || format!("{reports} reports in {seconds:.1} s"));
    found.hold(share <= SHARE, || format!("reports take {:.1} % of the CPU", share * 100.0));
    Ok(found)
}

/// Whether a request is answered as one is on which the engine fails.
fn fails(waf: &Waf) -> bool {
    let mut transaction = waf.transaction();
    transaction.process_connection([203, 0, 113, 7].into(), 40000, [127, 0, 0, 1].into(), 80);
    transaction.process_request_line(b"GET", b"/", b"HTTP/1.1");
    let ended = transaction.process_request_headers();
    ended.is_some_and(|ended| ended.status == 500 && ended.reason == Reason::InternalError)
}

/// Fails inside of the engine.
struct Fails;

impl Resolver for Fails {
    fn answer(&self, _: &str) -> Answer {
        panic!("injected by a drill");
    }
}

/// What reports have taken.
#[derive(Default)]
struct Spent {
    reports: AtomicU64,
    nanos: AtomicU64,
}

/// A log that goes nowhere, and what writing it takes.
struct Timed<S> {
    log: S,
    spent: Arc<Spent>,
}

impl<S: Subscriber> Subscriber for Timed<S> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.log.enabled(metadata)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.log.new_span(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.log.record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.log.record_follows_from(span, follows);
    }

    fn event(&self, event: &Event<'_>) {
        let begun = thread_cpu_time();
        self.log.event(event);
        let nanos = u64::try_from((thread_cpu_time() - begun).as_nanos()).unwrap_or(u64::MAX);
        self.spent.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.spent.reports.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, span: &Id) {
        self.log.enter(span);
    }

    fn exit(&self, span: &Id) {
        self.log.exit(span);
    }
}
