//! The rulesets and the requests: those that come with the engine, and many that chance has made.

use crate::chance::Chance;
use crate::oracle::choices::Choices;
use crate::oracle::exchange::Exchange;
use crate::oracle::generate::{exchange, ruleset};
use fusewall::engine::FixedEnv;
use fusewall::plan::{bounds, cost, largest_proven};
use fusewall::{Limits, Transaction, Waf, WafBuilder};

/// How many rulesets are made by chance, and how many requests are sent to each.
const RULESETS: u64 = 240;
const REQUESTS: usize = 2;

const FORM: &str = "application/x-www-form-urlencoded";

/// All entries, one a line.
pub fn all() -> impl Iterator<Item = String> {
    builtin().into_iter().chain((0..RULESETS).flat_map(made))
}

pub fn build(rules: impl FnOnce(WafBuilder) -> WafBuilder) -> Waf {
    let builder = Waf::builder().env(FixedEnv::default()).allow_empty();
    rules(builder).build().unwrap_or_else(|report| panic!("{report}"))
}

/// A request of each kind, some of them attacks.
pub fn requests() -> Vec<(&'static str, Exchange)> {
    let with_host = |(name, request): (_, Exchange)| {
        (
            name,
            request
                .header("Host", "www.example")
                .header("Accept", "text/html")
                .header("User-Agent", "Mozilla/5.0 (X11)"),
        )
    };
    let page = "<html><body>ORA-00933: SQL command not properly ended</body></html>";
    let requests = vec![
        ("page", Exchange::get("/shop/list?page=2&sort=price")),
        ("answer", Exchange::get("/").header("Cookie", "id=7; theme=dark").answered(200, "text/html", page)),
        ("injection", Exchange::get("/?q=1%27%20UNION%20SELECT%20password%20FROM%20users--%20")),
        ("script", Exchange::post("/note", FORM, "text=%3Cscript%3Ealert(1)%3C/script%3E&to=a+b")),
        ("traversal", Exchange::get("/get?file=../../../../etc/passwd").header("Referer", "http://127.0.0.1/")),
        ("document", Exchange::post("/api", "application/json", r#"{"a":{"b":[1,2,{"c":"$(cat /etc/passwd)"}]}}"#)),
        ("markup", Exchange::post("/api", "text/xml", "<a b='c'><d>text</d><d>../../x</d></a>")),
        (
            "upload",
            Exchange::post(
                "/upload",
                "multipart/form-data; boundary=b",
                "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.php\"\r\n\r\n<?php 1;\r\n--b--\r\n",
            ),
        ),
        ("length", Exchange::post("/", FORM, format!("x={}", "word%20<b>%2520;".repeat(400)))),
    ];
    requests.into_iter().map(with_host).collect()
}

fn builtin() -> Vec<String> {
    let waf = build(|builder| builder.rules_builtin());
    let requests = requests();
    let verdicts = requests.iter().map(|(name, request)| verdict("built-in", name, &request.evaluate(&waf)));
    std::iter::once(certificate("built-in", &waf)).chain(verdicts).collect()
}

/// A ruleset of chance, and requests that fit it.
fn made(number: u64) -> Vec<String> {
    let mut chance = Chance::new(number);
    let mut bytes = |most: usize| (0..chance.below(most) + 8).map(|_| chance.next() as u8).collect::<Vec<u8>>();
    let text = ruleset(&mut Choices(&bytes(200)), 8);
    let waf = build(|builder| builder.rules_text("rules.conf", &text));
    let name = format!("chance {number}");
    let mut lines = vec![certificate(&name, &waf)];
    for request in 0..REQUESTS {
        let exchange = exchange(&mut Choices(&bytes(60)));
        lines.push(verdict(&name, &request.to_string(), &exchange.evaluate(&waf)));
    }
    lines
}

/// What a ruleset costs at most.
fn certificate(ruleset: &str, waf: &Waf) -> String {
    let loaded = waf.loaded();
    let (cost, bound) = (cost(loaded.program()), bounds(&loaded));
    let certified = [0, 1_000, 65_000].map(|bytes| bound(bytes).fuel.to_string()).join(" ");
    let dearest = bound(1_000).rules.first().map(|(rule, fuel)| format!("{rule} {fuel}")).unwrap_or_default();
    let proven = largest_proven(&loaded, &Limits::default());
    let (most, per_kib) = (cost.max_request_fuel, cost.fuel_per_kib);
    format!("{ruleset}\tcosts\t{most} {per_kib}\t{certified}\t{dearest}\t{proven:?}")
}

/// What a request has cost, and what came of it.
fn verdict(ruleset: &str, request: &str, transaction: &Transaction) -> String {
    let Some(verdict) = transaction.verdict() else { panic!("{ruleset}, {request}: no verdict") };
    let list = |ids: &mut dyn Iterator<Item = String>| ids.collect::<Vec<_>>().join(" ");
    let phases = list(&mut verdict.fuel_by_phase.iter().map(u64::to_string));
    let dearest = list(&mut verdict.dearest.iter().take(1).map(|(rule, fuel)| format!("{rule} {fuel}")));
    let rules = list(&mut verdict.rules.iter().map(ToString::to_string));
    format!("{ruleset}\t{request}\t{phases}\t{dearest}\t{rules}\t{}", verdict.uninspected.join(", "))
}
