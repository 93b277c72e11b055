//! One span for each request, with its outcome.

use fusewall::Waf;
use fusewall::host::exchange::{BodyPolicy, Ends, Exchange, RequestHead, Turn};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

type Fields = BTreeMap<String, String>;

/// Keeps the fields of all spans called `request` of a level.
#[derive(Clone)]
struct Keeper {
    level: Level,
    spans: Arc<Mutex<Vec<Fields>>>,
}

struct Into<'f>(&'f mut Fields);

impl Visit for Into<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.name() == "request" && *metadata.level() <= self.level
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        span.record(&mut Into(&mut fields));
        let mut spans = self.spans.lock().unwrap();
        spans.push(fields);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut spans = self.spans.lock().unwrap();
        values.record(&mut Into(&mut spans[span.into_u64() as usize - 1]));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The spans of two requests, of which one is refused, at a level.
fn spans(level: Level) -> Vec<Fields> {
    let keeper = Keeper { level, spans: Arc::default() };
    let spans = Arc::clone(&keeper.spans);
    tracing::subscriber::with_default(keeper, || {
        let rules = "SecRuleEngine On\nSecRule ARGS \"@contains evil\" \"id:7,phase:1,deny,status:406\"\n";
        let waf = Waf::builder().rules_text("a.conf", rules).build().unwrap();
        let ends = Ends { client: "192.0.2.1:5000".parse().unwrap(), server: "192.0.2.2:80".parse().unwrap() };
        for target in ["/?a=evil", "/?a=1"] {
            let mut exchange = Exchange::with_id(&waf, &format!("id-of-{target}"), ends, BodyPolicy::default());
            exchange.begin(&RequestHead {
                method: b"GET".to_vec(),
                target: target.into(),
                version: b"HTTP/1.1".to_vec(),
                headers: Vec::new(),
            });
            while exchange.step(100_000) == Turn::Pending {}
        }
    });
    let spans = spans.lock().unwrap();
    spans.clone()
}

#[test]
fn a_span_tells_id_action_rule_and_fuel() {
    let spans = spans(Level::DEBUG);
    assert_eq!(spans.len(), 2);
    let field = |span: usize, name: &str| spans[span].get(name).map(String::as_str);
    assert_eq!(field(0, "id"), Some("\"id-of-/?a=evil\""));
    assert_eq!(field(0, "client"), Some("192.0.2.1:5000"));
    assert_eq!((field(0, "action"), field(0, "rule"), field(0, "status")), (Some("\"deny\""), Some("7"), Some("406")));
    assert!(field(0, "fuel").unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!((field(1, "action"), field(1, "rule"), field(1, "status")), (Some("\"pass\""), None, None));
}

#[test]
fn nobody_who_does_not_ask_gets_one() {
    assert_eq!(spans(Level::INFO), []);
}
