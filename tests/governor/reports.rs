//! Every request fails: telling of it is limited.

use crate::broken::Broken;
use fusewall::Waf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Counts reports, and what they say was left out.
#[derive(Clone, Default)]
struct Counts {
    reports: Arc<AtomicU64>,
    left_out: Arc<AtomicU64>,
}

impl Visit for Counts {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "left_out" {
            self.left_out.fetch_add(value, Ordering::Relaxed);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl Subscriber for Counts {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        self.reports.fetch_add(1, Ordering::Relaxed);
        event.record(&mut self.clone());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn a_thousand_failing_requests_are_a_few_reports_and_none_is_forgotten() {
    // Drill D12 in short: what panics say themselves is the host's choice, `serve` limits it the same way.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let world = Broken::default();
    let rules = "SecRuleEngine On\nSecRule TIME_EPOCH \"@gt 5\" \"id:1,phase:1,deny\"";
    let waf = Waf::builder().rules_text("time.conf", rules).env(world.clone()).build().expect("the rules load");
    let counts = Counts::default();
    let (start, mut failed) = (Instant::now(), 0);
    tracing::subscriber::with_default(counts.clone(), || {
        while failed < 5_000 || start.elapsed() < Duration::from_millis(500) {
            world.set(false);
            let mut exchange = waf.transaction();
            world.set(true);
            exchange.process_request_line(b"GET", b"/", b"HTTP/1.1");
            assert_eq!(exchange.process_request_headers().expect("it fails").status, 500);
            failed += 1;
        }
    });
    std::panic::set_hook(usual);
    let (reports, left_out) = (counts.reports.load(Ordering::Relaxed), counts.left_out.load(Ordering::Relaxed));
    let most = 62 + 20 * start.elapsed().as_secs();
    assert!((1..=most + 20).contains(&reports), "{reports} reports of {failed} failures");
    assert!(reports + left_out <= failed);
    // All but those since the last report.
    assert!(reports < 60 || left_out > 0, "{left_out} of {failed}");
}
