//! Whole requests under the Core Rule Set: recorded ones, and ones made of its patterns. And what the table above cannot show: what a small
//! request takes when nothing of the ruleset is in the processor's caches.

use crate::inputs::repeat;
use crate::padding::{Shape, Source, form_value, sources};
use crate::rules::fuel;
use crate::table::{Table, rate};
use crate::texts::SIZE;
use crate::traffic::{self, Request};
use fusewall::Waf;
use fusewall::governor::thread_cpu_time;
use std::hint::black_box;

/// Where in a request a text is.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// One form field.
    One,
    /// Many form fields.
    Many,
    /// The names of as many.
    Names,
    /// The strings of a JSON document.
    Json,
    /// Cookies.
    Cookies,
    /// Header fields.
    Headers,
    /// Text of XML elements.
    Xml,
}

impl Place {
    const ALL: [Place; 7] =
        [Place::One, Place::Many, Place::Names, Place::Json, Place::Cookies, Place::Headers, Place::Xml];

    fn request(self, text: &[u8], pieces: usize) -> Request {
        const FORM: &str = "application/x-www-form-urlencoded";
        let chunks = || text.chunks(text.len().div_ceil(pieces).max(1));
        let form = |before: &[u8], after: &[u8]| {
            let body: Vec<u8> = chunks().flat_map(|piece| [before, &form_value(piece), after].concat()).collect();
            Request::post("/", FORM, body)
        };
        let words = |piece: &[u8]| String::from_utf8_lossy(&form_value(piece)).replace(['\r', '\n', '\0'], " ");
        match self {
            Place::One => Request::post("/", FORM, [b"x=", form_value(text).as_slice()].concat()),
            Place::Many => form(b"x=", b"&"),
            Place::Names => form(b"", b"=1&"),
            Place::Json => {
                let strings: Vec<_> = chunks().map(String::from_utf8_lossy).collect();
                Request::post("/", "application/json", serde_json::to_vec(&strings).expect("strings"))
            }
            Place::Cookies => {
                let cookies: String = chunks().take(500).map(|piece| format!("c={}; ", words(piece))).collect();
                Request::get("/").header("Cookie", &cookies)
            }
            Place::Headers => {
                chunks().take(100).fold(Request::get("/"), |request, piece| request.header("X-A", &words(piece)))
            }
            Place::Xml => {
                let text: String =
                    chunks().map(|piece| format!("<a>{}</a>", words(piece).replace(['<', '&'], " "))).collect();
                Request::post("/", "application/xml", format!("<r>{text}</r>"))
            }
        }
    }
}

pub fn rows(table: &mut Table) {
    for (name, file) in [("CRS 1", "crs-pl1"), ("CRS 4", "crs-pl4")] {
        let Some(path) = traffic::setup(file) else { continue };
        let waf = traffic::waf(&path);
        recorded(table, name, &waf);
        made(table, name, &waf);
        cold(table, name, &waf);
    }
    audited(table);
}

/// What the host asks for after the last phase, which is charged to nobody: said, not judged.
fn audited(table: &mut Table) {
    let rules = "SecRuleEngine On\nSecRequestBodyAccess On\nSecAuditEngine On\nSecAuditLogParts ABCDEFHIJKZ\nSecRule ARGS \"@rx .\" \"id:1,phase:2,pass,log\"";
    let waf = Waf::builder().rules_text("bench.conf", rules).build().unwrap_or_else(|report| panic!("{report}"));
    let form = "application/x-www-form-urlencoded";
    for (kind, body) in [
        ("a small request", repeat("a=1&", 40)),
        ("64 KB", repeat("a=1&", SIZE)),
        ("64 KB, unprintable", repeat("a=\u{1}&", SIZE)),
    ] {
        let transaction = Request::post("/", form, body).evaluate(&waf);
        let mut best = u128::MAX;
        for _ in 0..if table.once() { 1 } else { 20 } {
            let begun = thread_cpu_time();
            black_box(transaction.audit_record(200).map(|record| record.to_json()));
            best = best.min((thread_cpu_time() - begun).as_nanos());
        }
        if !table.once() {
            println!("audit record, {kind}: {:.1} us (charged to nobody)", best as f64 / 1000.0);
        }
    }
}

/// Requests of the corpora: all of each kind together, and the dearest by itself.
fn recorded(table: &mut Table, name: &str, waf: &Waf) {
    for (kind, step) in [
        ("bench/benign-small", 1),
        ("bench/benign-form", 1),
        ("bench/benign-json", 1),
        ("bench/benign-multipart", 1),
        ("bench/attacks", 3),
        ("evasions", 40),
        ("bench/long64", 1),
    ] {
        let Some(requests) = traffic::sampled(kind, step) else { continue };
        let requests: Vec<Request> = requests.into_iter().take(if table.once() { 3 } else { 120 }).collect();
        table.row(&format!("{name}, all recorded"), kind, || requests.iter().map(|request| fuel(request, waf)).sum());
        dearest(
            table,
            &format!("{name}, recorded"),
            waf,
            requests.into_iter().map(|request| (format!("{kind} {:.12}", request.id), request)),
        );
    }
}

/// The dearest of some requests is a row.
fn dearest(table: &mut Table, step: &str, waf: &Waf, requests: impl Iterator<Item = (String, Request)>) {
    let mut tried: Vec<(f64, String, Request)> = Vec::new();
    for (kind, request) in requests {
        let rate = if table.once() { (fuel(&request, waf), 0.0).1 } else { rate(2, &mut || fuel(&request, waf)) };
        tried.push((rate, kind, request));
        tried.sort_by(|a, b| b.0.total_cmp(&a.0));
        tried.truncate(3);
    }
    for (_, kind, request) in tried.iter().take(2) {
        table.row(step, kind, || fuel(request, waf));
    }
}

/// Requests made of the patterns of the ruleset.
fn made(table: &mut Table, name: &str, waf: &Waf) {
    let loaded = waf.loaded();
    let sources = sources(loaded.program());
    for (size, pieces, every) in [(300, 6, 7), (SIZE / 16, 60, 11), (SIZE, 500, 97), (2 * SIZE, 8000, 301)] {
        let every = if table.once() { every * 20 } else { every };
        let all = sources.iter().flat_map(|source| Shape::ALL.map(|shape| (source, shape)));
        let all = all.flat_map(|(source, shape)| Place::ALL.map(|place| (source, shape, place))).step_by(every);
        let made = |(source, shape, place): (&Source, Shape, Place)| {
            let kind = format!("{shape:?} of {} in {place:?}", source.rule);
            (kind, place.request(&source.text(shape, size, 11), pieces))
        };
        dearest(table, &format!("{name}, made, {size} bytes"), waf, all.map(made));
    }
    for (kind, pump) in [
        ("quotes", "'\""),
        ("brackets", "<(["),
        ("dots", "../"),
        ("letters", "a"),
        ("blanks", " \t"),
        ("escapes", "%25"),
    ] {
        let text = repeat(pump, SIZE / 4);
        dearest(
            table,
            &format!("{name}, {kind}"),
            waf,
            Place::ALL.into_iter().map(|place| (format!("in {place:?}"), place.request(&text, 4000))),
        );
    }
}

/// A small request when the processor's caches hold something else: said, not judged.
fn cold(table: &mut Table, name: &str, waf: &Waf) {
    if table.once() {
        return;
    }
    let request = Request::get("/index.html?id=17");
    let mut other = vec![1u8; 8 << 20];
    let mut times: Vec<u128> = Vec::new();
    let mut spent = 0;
    for _ in 0..60 {
        other.iter_mut().step_by(64).for_each(|byte| *byte = byte.wrapping_add(1));
        black_box(&other);
        let begun = thread_cpu_time();
        spent = fuel(&request, waf);
        times.push((thread_cpu_time() - begun).as_nanos());
    }
    times.sort_unstable();
    let [least, median] = [times[0], times[times.len() / 2]].map(|nanos| nanos as f64 / spent as f64);
    println!("{name}, a small GET in cold caches: {least:.2} to {median:.2} ns per fuel, {spent} fuel (not judged)");
}
