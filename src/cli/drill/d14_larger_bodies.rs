//! D14: a body limit that is raised. In December 2025 one went from 128 KB to 1 MB, on machines that were sized for the old one.

use super::Drill;
use super::report::Findings;
use super::setting::{Setting, own, resident_kilobytes};
use crate::store::RuleSource;
use crate::waf::{Transaction, Waf};
use anyhow::Context;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D14",
    outage: "Cloudflare, 5 December 2025: the limit of bodies raised from 128 KB to 1 MB",
    injected: "that limit raised by a swap under load, with bodies that are longer than either, in pieces",
    must_hold: "memory grows by no more than the difference for each request under way, and is given back",
    run,
};

const BEFORE: usize = 128 << 10;
const AFTER: usize = 1 << 20;
/// Requests under way.
const CONCURRENT: usize = 48;
/// What a host reads at once: no part of either limit, so that buffers which double would overshoot.
const PIECE: usize = 48 << 10;
/// What allocators and threads add to that.
const SLACK: f64 = 1.25;
/// Bytes of a transaction that rests: parts of a few dozen kilobytes.
const RESTING: usize = 512 << 10;

fn rules(limit: usize) -> String {
    format!(
        "SecRequestBodyLimit {limit}\nSecRequestBodyNoFilesLimit {limit}\nSecRequestBodyLimitAction ProcessPartial\n\
         SecRule REQUEST_BODY \"@contains needle\" \"id:1,phase:2,deny\"\n"
    )
}

/// A request whose body is inspected as far as the limit goes; it is not over yet.
fn under_way(waf: &Waf, piece: &[u8]) -> anyhow::Result<Transaction> {
    let mut transaction = waf.transaction();
    transaction.process_connection([203, 0, 113, 7].into(), 40000, [127, 0, 0, 1].into(), 80);
    transaction.process_request_line(b"POST", b"/upload", b"HTTP/1.1");
    transaction.add_request_header(b"Host", b"www.example");
    transaction.add_request_header(b"Content-Type", b"application/octet-stream");
    transaction.process_request_headers();
    for _ in 0..=AFTER / PIECE {
        transaction.write_request_body(piece);
    }
    transaction.process_request_body();
    anyhow::ensure!(
        transaction.verdict().is_some_and(|verdict| verdict.exhausted.is_none()),
        "internal error, or no budget"
    );
    Ok(transaction)
}

/// What the requests under way hold, and what the process does meanwhile.
struct Held {
    bytes: usize,
    most: usize,
    resident: Option<u64>,
}

fn hold(waf: &Waf, piece: &[u8]) -> anyhow::Result<Held> {
    let requests = (0..CONCURRENT).map(|_| under_way(waf, piece)).collect::<anyhow::Result<Vec<_>>>()?;
    let bytes = requests.iter().map(Transaction::memory);
    Ok(Held { bytes: bytes.clone().sum(), most: bytes.max().unwrap_or_default(), resident: resident_kilobytes() })
}

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let piece = vec![b'x'; PIECE];
    let built = own(&rules(BEFORE)).build();
    let waf = built.map_err(|report| anyhow::anyhow!("rules of the drill do not load:\n{report}"))?;
    let text = format!("SecRuleEngine On\nSecRequestBodyAccess On\n{}", rules(AFTER));
    let raised = RuleSource::Text { name: "drill.conf".into(), text };

    // Warm: what pools keep anyway is there.
    hold(&waf, &piece)?;
    let before = hold(&waf, &piece)?;
    let (stop, done, failed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let load = || {
        while !stop.load(Ordering::Relaxed) {
            let counter = if under_way(&waf, &piece).is_ok() { &done } else { &failed };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    };
    let after = std::thread::scope(|scope| -> anyhow::Result<Held> {
        scope.spawn(load);
        let swapped = (|| -> anyhow::Result<Held> {
            // A request that has begun keeps its limit.
            let begun = under_way(&waf, &piece)?;
            waf.replace(&raised).map_err(|report| anyhow::anyhow!("the higher limit does not load:\n{report}"))?;
            found.hold(begun.request_body().len() == BEFORE, || "a request under way has changed its limit".to_owned());
            let mut after = hold(&waf, &piece)?;
            for _ in 0..setting.size(1, 20) {
                let again = hold(&waf, &piece)?;
                after = Held {
                    bytes: again.bytes.max(after.bytes),
                    most: again.most.max(after.most),
                    resident: again.resident,
                };
            }
            Ok(after)
        })();
        stop.store(true, Ordering::Relaxed);
        swapped
    })?;
    let grown = after.bytes.saturating_sub(before.bytes);
    let bound = CONCURRENT * (AFTER - BEFORE);
    found.note("concurrent", CONCURRENT);
    found.note("requests_of_the_load", done.load(Ordering::Relaxed));
    found.note("bytes_before", before.bytes);
    found.note("bytes_after", after.bytes);
    found.note("growth_of_the_bound", (100.0 * grown as f64 / bound as f64).round() / 100.0);
    found.hold(failed.load(Ordering::Relaxed) == 0, || "requests of the load failed".to_owned());
    found.hold(grown <= bound, || {
        format!("memory of {CONCURRENT} requests grew by {grown} bytes, {bound} are the difference")
    });
    found.hold(grown >= bound / 2, || format!("memory grew by {grown} bytes only: the limit was not raised"));
    if let (Some(early), Some(late)) = (before.resident, after.resident) {
        // One more is the load's own.
        let (grown, bound) = (late.saturating_sub(early) << 10, (CONCURRENT + 1) * (AFTER - BEFORE));
        found.note("resident_growth_bytes", grown);
        found.hold(grown as f64 <= bound as f64 * SLACK, || {
            format!("the process grew by {grown} bytes, {bound} are the difference")
        });
    }

    // What rests keeps no long body, and with the limit before everything is as it was.
    let resting = waf.transaction().memory();
    found.note("resting_bytes", resting);
    found.hold(resting <= RESTING, || format!("a transaction that rests keeps {resting} bytes"));
    waf.roll_back().context("the limit before is kept")?;
    let back = hold(&waf, &piece)?;
    found
        .hold(back.bytes <= before.bytes, || format!("{} bytes after going back, {} before", back.bytes, before.bytes));
    Ok(found)
}
