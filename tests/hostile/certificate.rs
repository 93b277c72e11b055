//! The certificate is kept: no request costs more than its size can cost at most, with the budgets off.

use crate::attempt::{FORM, JSON, post};
use crate::oracle::exchange::Exchange;
use crate::padding::{Shape, form_value, sources};
use crate::rulesets::{SITE, conformance, full};
use crate::table::say;
use crate::traffic;
use fusewall::engine::FixedEnv;
use fusewall::plan::{bound, largest_proven};
use fusewall::{Limits, Transaction, Waf, WafBuilder};
use std::collections::HashMap;

/// Rules that run to their ends, whatever they cost.
fn unbounded(rules: impl FnOnce(WafBuilder) -> WafBuilder) -> Waf {
    let mut limits = Limits::default();
    (limits.fuel_base, limits.fuel_cap, limits.fuel_rule) = (u64::MAX, u64::MAX, u64::MAX);
    let builder = rules(Waf::builder().env(FixedEnv::default()).limits(limits));
    builder.build().unwrap_or_else(|report| panic!("{report}"))
}

/// What was measured so far, and what is certified for each size.
struct Check {
    waf: Waf,
    certified: HashMap<usize, u64>,
    requests: usize,
    /// The largest part of its bound that a request has spent, in thousandths; and the dearest for each byte.
    closest: (u64, String),
    dearest: (u64, String),
}

impl Check {
    fn new(waf: Waf) -> Check {
        Check { waf, certified: HashMap::new(), requests: 0, closest: Default::default(), dearest: Default::default() }
    }

    fn holds(&mut self, what: impl Fn() -> String, size: usize, transaction: &Transaction) {
        let verdict = transaction.verdict().unwrap_or_else(|| panic!("{} fails", what()));
        let decoded = transaction.decoded_request_body().len();
        let size = size + if decoded == transaction.request_body().len() { 0 } else { decoded };
        let loaded = self.waf.loaded();
        let most = *self.certified.entry(size).or_insert_with(|| bound(&loaded, size).fuel);
        assert!(verdict.fuel <= most, "{}: {} fuel for {size} bytes, certified {most}", what(), verdict.fuel);
        self.requests += 1;
        let (closest, dearest) = (verdict.fuel * 1000 / most, verdict.fuel / (size as u64).max(1));
        if closest > self.closest.0 {
            self.closest = (closest, format!("{}, {size} bytes, {} fuel", what(), verdict.fuel));
        }
        if size >= 4096 && dearest > self.dearest.0 {
            self.dearest = (dearest, format!("{}, {size} bytes", what()));
        }
    }

    fn exchange(&mut self, what: &str, exchange: &Exchange) {
        let headers: usize = exchange.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let size = exchange.method.len() + exchange.target.len() + headers + exchange.body.len() + 8;
        let transaction = exchange.evaluate(&self.waf);
        self.holds(|| what.to_owned(), size, &transaction);
    }

    fn corpus(&mut self, name: &str, step: usize) {
        for request in traffic::sampled(name, step).into_iter().flatten() {
            let transaction = request.evaluate(&self.waf);
            self.holds(|| format!("{name} {}", request.id), request.size(), &transaction);
        }
    }

    fn report(&self, name: &str) {
        let loaded = self.waf.loaded();
        let certified = |bytes: usize| bound(&loaded, bytes).fuel as f64 / bytes as f64;
        say(&format!(
            "{name}: {} requests, none over its bound; certified {:.0} fuel a byte at 64 KiB, {:.0} at 1 KiB",
            self.requests,
            certified(64 << 10),
            certified(1 << 10)
        ));
        say(&format!("  nearest to it, {:.1} %: {}", self.closest.0 as f64 / 10.0, self.closest.1));
        say(&format!("  dearest, {} fuel a byte: {}", self.dearest.0, self.dearest.1));
    }
}

/// Shapes that make parsers and selections work: many of everything, and names that repeat long paths.
fn shapes(size: usize) -> Vec<(&'static str, Exchange)> {
    let path = "k".repeat(size / 2);
    let leaves = "1,".repeat(size / 4);
    let keys = |count: usize| (0..count).map(|at| format!("\"{at}\":[[{at}]]")).collect::<Vec<_>>().join(",");
    let mut many = Exchange::get("/?a=1");
    for at in 0..size / 40 {
        many = many.header(&format!("X-{at}"), "some value that is not long");
    }
    let cookies = (0..size / 4).map(|at| format!("{}={}", at % 10, at % 7)).collect::<Vec<_>>().join(";");
    vec![
        ("many arguments", post(FORM, "a&".repeat(size / 2))),
        ("many names", post(FORM, "a=&".repeat(size / 3))),
        ("long names of leaves", post(JSON, format!("{{\"{path}\":[{leaves}1]}}"))),
        ("many containers", post(JSON, format!("{{{}}}", keys(size / 20)))),
        ("an array in an array", post(JSON, format!("{}1{}", "[".repeat(400), "]".repeat(400)))),
        ("many headers", many),
        ("many cookies", Exchange::get("/").header("Cookie", &cookies)),
        ("a long query", Exchange::get(&format!("/{}?{}", "a/".repeat(size / 8), "b=c&".repeat(size / 8)))),
        ("elements", post("application/xml", format!("<a>{}</a>", "<b c='d'>e</b>".repeat(size / 14)))),
        (
            "parts",
            post(
                "multipart/form-data; boundary=B",
                "--B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\nc\r\n".repeat(size / 75)
                    + "--B--\r\n",
            ),
        ),
    ]
}

fn check(name: &str, waf: Waf, hostile: usize) -> Check {
    let mut check = Check::new(waf);
    for size in [0, 40, 400, 4 << 10, 40 << 10] {
        for (what, exchange) in shapes(size) {
            check.exchange(&format!("{what} of {size}"), &exchange);
        }
    }
    let step = if full() { 1 } else { 23 };
    for corpus in ["attacks", "benign", "evasions", "bench/benign-form", "bench/benign-json", "bench/benign-multipart"]
    {
        check.corpus(corpus, step);
    }
    check.corpus("bench/long64", 5 * step);
    let loaded = check.waf.loaded();
    let sources = sources(loaded.program());
    let made = sources.iter().enumerate().flat_map(|(at, source)| Shape::ALL.map(|shape| (at, source, shape)));
    for (at, source, shape) in made.step_by(hostile) {
        let text = source.text(shape, 8 << 10, at as u64);
        let what = format!("{shape:?} of rule {}", source.rule);
        check.exchange(&what, &post(FORM, [b"x=", form_value(&text).as_slice()].concat()));
        check.exchange(&format!("{what} as a name"), &post(FORM, form_value(&text)));
        let path = crate::attempt::json_string(&String::from_utf8_lossy(&text));
        let body = format!("{{{path}:[{}1]}}", "1,".repeat(90));
        check.exchange(&format!("{what} as a path"), &post(JSON, body));
        let value: String = text.iter().map(|byte| char::from(byte.clamp(&b' ', &b'~').to_owned())).collect();
        check.exchange(&format!("{what} in a cookie"), &Exchange::get("/").header("Cookie", &format!("a={value}")));
    }
    check.report(name);
    check
}

#[test]
fn no_request_costs_more_than_is_certified() {
    check("hand-written rules", unbounded(|builder| builder.rules_text("site.conf", SITE)), 1);
    check("built-in rules", unbounded(|builder| builder.rules_builtin()), if cfg!(debug_assertions) { 97 } else { 11 });
    for level in [1, 4] {
        let file = conformance().join(format!("setup/crs-pl{level}.conf"));
        if cfg!(debug_assertions) || !file.is_file() {
            say("left out: CRS (needs a release build and FUSEWALL_CONFORMANCE_DIR)");
            return;
        }
        let step = if full() { 1 } else { 29 };
        check(&format!("CRS, level {level}"), unbounded(|builder| builder.rules_path(&file)), step);
        let waf = Waf::builder().rules_path(&file).build().unwrap_or_else(|report| panic!("{report}"));
        say(&match largest_proven(&waf.loaded(), &Limits::default()) {
            Some(bytes) => format!("  no request of {bytes} bytes or less can spend its budget"),
            None => "  of no size it is proven that a request cannot spend its budget".to_owned(),
        });
    }
}

/// The bound is that of the worst request, not of an ordinary one: it grows with the size, and is some multiple of what search finds.
#[test]
fn bounds_grow_with_the_size() {
    let waf = unbounded(|builder| builder.rules_text("site.conf", SITE));
    let loaded = waf.loaded();
    let fuel: Vec<_> = [0, 1, 100, 10_000, 1_000_000].map(|bytes| bound(&loaded, bytes).fuel).into();
    assert!(fuel.is_sorted(), "{fuel:?}");
    let bound = bound(&loaded, 10_000);
    assert!(bound.by_phase.iter().sum::<u64>() >= bound.fuel);
    assert!(!bound.rules.is_empty() && bound.rules.is_sorted_by(|a, b| a.1 >= b.1));
}
