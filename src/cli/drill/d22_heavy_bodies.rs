//! D22: bodies that are small for their server and took engines minutes: what their parsers make of them is many times as large.

use super::Drill;
use super::report::Findings;
use super::setting::{Setting, is_closed, own_rules, verdict};
use crate::cli::requests::Prepared;
use crate::governor::thread_cpu_time;
use crate::limits::Limits;
use crate::waf::Waf;
use std::time::Duration;

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D22",
    outage: "ModSecurity #2019, #2695 and CRS #1724: 83 s for a JSON body of 800 KB, 3 min for a form of 1 MB, 40 s for XML of 549 KB",
    injected: "such bodies, deep, flat and with long names, with the ruleset and with rules that allow any number of arguments; and where a \
               request may hold less than one of them",
    must_hold: "done, or a budget says that it is spent and lets nothing through; within the budget; twice the body for 2.3 times the fuel at \
                most; what there is no memory for is never done",
    run,
};

const JSON: (&str, usize) = ("application/json", 800_000);
const FORM: (&str, usize) = ("application/x-www-form-urlencoded", 1_000_000);
const XML: (&str, usize) = ("text/xml", 549_000);

/// What a body is, its media type and size, and how one of about so many bytes is made.
type Shape = (&'static str, (&'static str, usize), fn(usize) -> String);

const SHAPES: &[Shape] = &[
    ("JSON, lists in lists", JSON, |size| format!("{}{}", "[".repeat(size / 2), "]".repeat(size / 2))),
    ("JSON, objects in objects", JSON, |size| "{\"a\":".repeat(size / 5)),
    ("JSON, 500 deep again and again", JSON, |size| {
        let one = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        format!("[{}1]", format!("{one},").repeat(size / one.len()))
    }),
    ("JSON, many numbers", JSON, |size| format!("[{}1]", "1,".repeat(size / 2))),
    ("JSON, many names", JSON, |size| {
        let fields: Vec<_> = (0..size / 12).map(|at| format!("\"k{at:06}\":1")).collect();
        format!("{{{}}}", fields.join(","))
    }),
    ("JSON, a long path to many leaves", JSON, |size| {
        format!("{{\"{}\":[{}1]}}", "k".repeat(size / 2), "1,".repeat(size / 4))
    }),
    ("JSON, long names in each other", JSON, |size| format!("{{\"{}\":1,\"b\":", "k".repeat(90)).repeat(size / 101)),
    ("form, many arguments", FORM, |size| "a&".repeat(size / 2)),
    ("form, many names", FORM, |size| {
        let fields: Vec<_> = (0..size / 9).map(|at| format!("n{at:06}=1")).collect();
        fields.join("&")
    }),
    ("form, one long value of escapes", FORM, |size| format!("a={}", "%2525".repeat(size / 5))),
    ("XML, many elements", XML, |size| format!("<a>{}</a>", "<b>1</b>".repeat(size / 8))),
    ("XML, many attributes", XML, |size| format!("<a {}/>", "b='1' ".repeat(size / 6))),
    ("XML, elements in elements", XML, |size| "<abc>".repeat(size / 5)),
    ("XML, references", XML, |size| format!("<a>{}</a>", "&#65;".repeat(size / 5))),
];

/// No limit but the budget: every argument is inspected, by patterns and by what takes apart.
const OPEN: &str = r#"
SecArgumentsLimit 10000000
SecRequestBodyJsonDepthLimit 10000
SecRule REQUEST_HEADERS:Content-Type "@contains json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:Content-Type "@contains xml" "id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule ARGS|ARGS_NAMES|XML:/* "@rx (?i)(?:union\s+select|<script|\.\./)" "id:3,phase:2,deny,t:urlDecodeUni,t:lowercase"
SecRule ARGS|XML:/* "@detectSQLi" "id:4,phase:2,deny,t:none"
SecRule XML://@* "@rx ^evil" "id:5,phase:2,deny"
"#;

/// Bytes that a request may hold where memory is short: less than any of the bodies.
const SHORT: usize = 400_000;

/// How much more fuel twice the body may take.
const GROWTH: f64 = 2.3;
/// Over a budget goes one charge at most, and what phase 5 has for itself.
const ABOVE: u64 = 1_000_000 + 5_000_000;

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let rulesets =
        [(setting.ruleset_name(), setting.ruleset()?), ("open".to_owned(), own_rules(OPEN, Limits::default())?)];
    let (mut done, mut tripped, mut growth) = (0_u64, 0_u64, 0.0_f64);
    let mut slowest = (Duration::ZERO, "");
    let mut share = 0.0_f64;
    for (name, waf) in &rulesets {
        for (what, (media_type, size), shape) in SHAPES {
            let context = || format!("{what}, rules {name}");
            let take =
                |size| take(waf, Prepared::new((*what).to_owned(), "/", Some((media_type, shape(size).into_bytes()))));
            let (half, whole) = (take(size / 2)?, take(*size)?);
            if whole.tripped {
                tripped += 1;
                found.hold(whole.closed, || format!("{}: the budget is spent and the request let through", context()));
            } else {
                done += 1;
                let ratio = whole.fuel as f64 / half.fuel.max(1) as f64;
                growth = growth.max(ratio);
                found.hold(ratio <= GROWTH, || format!("{}: {} and {} fuel", context(), half.fuel, whole.fuel));
            }
            let most = whole.budget.saturating_add(ABOVE);
            found.hold(whole.fuel <= most, || format!("{}: {} of {} fuel", context(), whole.fuel, whole.budget));
            share = share.max(whole.fuel as f64 / whole.budget as f64);
            slowest = slowest.max((whole.cpu, what));
        }
    }
    let without_memory = short_of_memory(&mut found)?;
    found.note("rules", setting.ruleset_name());
    found.note("bodies", 2 * SHAPES.len());
    found.note("done", done);
    found.note("over_a_budget", tripped);
    found.note("over_a_small_memory", without_memory);
    found.note("fuel_growth", (growth * 100.0).round() / 100.0);
    found.note("largest_share_of_budget", (share * 1000.0).round() / 1000.0);
    found.note("slowest_cpu_ms", (slowest.0.as_secs_f64() * 1e4).round() / 10.0);
    found.note("slowest", slowest.1);
    Ok(found)
}

/// The same where there is not even memory for what is read of the body. Answers how many are told to be over that budget.
fn short_of_memory(found: &mut Findings) -> anyhow::Result<u64> {
    let waf = own_rules(OPEN, Limits { request_memory: SHORT, ..Limits::default() })?;
    let mut tripped = 0;
    for (what, (media_type, size), shape) in SHAPES {
        let body = shape(*size).into_bytes();
        let bytes = body.len();
        let taken = take(&waf, Prepared::new((*what).to_owned(), "/", Some((media_type, body))))?;
        let told = taken.tripped && taken.closed;
        tripped += u64::from(told);
        found.hold(told, || format!("{what}: done, although {bytes} bytes are more than the {SHORT} that it may hold"));
    }
    Ok(tripped)
}

/// What became of a request.
struct Taken {
    fuel: u64,
    budget: u64,
    tripped: bool,
    closed: bool,
    cpu: Duration,
}

fn take(waf: &Waf, request: Prepared) -> anyhow::Result<Taken> {
    let begun = thread_cpu_time();
    let (transaction, told) = verdict(waf, &request)?;
    let cpu = thread_cpu_time() - begun;
    let loaded = waf.loaded();
    let limits = &loaded.program().limits;
    Ok(Taken {
        fuel: told.fuel,
        budget: limits.budget(request.bytes()),
        tripped: told.exhausted.is_some(),
        closed: is_closed(&transaction, &told),
        cpu,
    })
}
