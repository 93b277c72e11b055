//! Linear time: twice the input costs twice, for each parser, each transformation and the whole exchange.
//!
//! Fuel is exact and the same on every machine. Time is CPU time of the thread, the least of several runs on one and on sixteen times the
//! input, with room for memory that outgrows its caches: what is quadratic takes 256 times as long.

use crate::attempt::{FORM, JSON, MULTIPART, XML, get, post};
use crate::oracle::exchange::Exchange;
use crate::row::Row;
use crate::rulesets::{self, full};
use crate::transformations::SEEDS;
use fusewall::engine::FixedEnv;
use fusewall::governor::thread_cpu_time;
use fusewall::http::body::price;
use fusewall::http::coding::DecodeLimits;
use fusewall::http::{BodyParser, Fields, ParseLimits, Processor, Report, args, cookies};
use fusewall::meter::Meter;
use fusewall::transform::{Context, Transformation};
use fusewall::{Limits, Waf};
use std::sync::LazyLock;
use std::time::Duration;

/// How much more fuel and memory twice the input may take: twice, and a little for what the first half did not yet need.
const FUEL: f64 = 2.3;
/// How much more time sixteen times the input may take.
const TIME: f64 = 90.0;
/// Times below this are not compared: they are the clock's.
const CLOCK: Duration = Duration::from_micros(400);

const UNLIMITED: ParseLimits = ParseLimits {
    arguments: usize::MAX,
    json_depth: usize::MAX,
    graphql_depth: usize::MAX,
    protobuf_depth: usize::MAX,
    xml_depth: usize::MAX,
    multipart_parts: usize::MAX,
    multipart_header: usize::MAX,
    argument_separator: b'&',
    upload_files: usize::MAX,
    xml_into_args: true,
    xml_text: true,
    message: DecodeLimits { decoded: usize::MAX, ratio: usize::MAX, ratio_from: usize::MAX },
};

/// A body of about `size` bytes.
type Shape = fn(usize) -> String;

const SHAPES: &[(&str, Processor, Shape)] = &[
    ("many arguments", Processor::UrlEncoded, |size| "a&".repeat(size / 2)),
    ("many documents", Processor::Ndjson, |size| "1\n".repeat(size / 2)),
    ("many fields", Processor::GraphQl, |size| format!("{{{}}}", "a ".repeat(size / 2))),
    ("many brackets", Processor::GraphQl, |size| "{a".repeat(size / 2)),
    ("many lists", Processor::GraphQl, |size| format!("{{a(b:{}", "[1".repeat(size / 2))),
    ("many numbers", Processor::Protobuf, |size| "\x08\x01".repeat(size / 2)),
    ("many fields of text", Processor::Protobuf, |size| "\x0a\x01a".repeat(size / 3)),
    ("groups in groups", Processor::Protobuf, |size| "\x0b".repeat(size)),
    ("one long text of numbers", Processor::Protobuf, |size| "0".repeat(size)),
    ("many messages", Processor::Grpc, |size| "\0\0\0\0\x02\x08\x01".repeat(size / 7)),
    ("many empty names", Processor::UrlEncoded, |size| "=&".repeat(size / 2)),
    ("one long value", Processor::UrlEncoded, |size| format!("a={}", "x".repeat(size))),
    ("escapes", Processor::UrlEncoded, |size| "%41".repeat(size / 3)),
    ("broken escapes", Processor::UrlEncoded, |size| "%4%".repeat(size / 3)),
    ("a million leaves", Processor::Json, |size| format!("[{}1]", "1,".repeat(size / 2))),
    ("leaves without commas", Processor::Json, |size| "\"\"".repeat(size / 2)),
    ("one long string", Processor::Json, |size| format!("[\"{}\"]", "x".repeat(size))),
    ("one string of escapes", Processor::Json, |size| format!("[\"{}\"]", "\\u0041".repeat(size / 6))),
    ("one string of surrogates", Processor::Json, |size| format!("[\"{}\"]", "\\ud800".repeat(size / 6))),
    ("one long number", Processor::Json, |size| "1".repeat(size)),
    ("deep arrays", Processor::Json, |size| "[".repeat(size)),
    ("deep objects", Processor::Json, |size| "{\"a\":".repeat(size / 5)),
    ("deep and closed", Processor::Json, |size| format!("{}{}", "[".repeat(size / 2), "]".repeat(size / 2))),
    ("long path, many leaves", Processor::Json, |size| {
        format!("{{\"{}\":[{}1]}}", "k".repeat(size / 2), "1,".repeat(size / 4))
    }),
    ("nested long keys with leaves", Processor::Json, |size| {
        format!("{{\"{}\":1,\"b\":", "k".repeat(90)).repeat(size / 100)
    }),
    ("empty containers", Processor::Json, |size| format!("[{}[]]", "[],".repeat(size / 3))),
    ("colons", Processor::Json, |size| format!("{{{}", ":,".repeat(size / 2))),
    ("many parts", Processor::Multipart, |size| {
        let part = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n";
        part.repeat(size / part.len()) + "--B--"
    }),
    ("many boundaries", Processor::Multipart, |size| "--B\n\n".repeat(size / 5)),
    ("newlines", Processor::Multipart, |size| format!("--B\n\n{}", "\n".repeat(size))),
    ("near boundaries", Processor::Multipart, |size| format!("--B\n\n{}", "--\n".repeat(size / 3))),
    ("one long header", Processor::Multipart, |size| format!("--B\nX: {}", "x".repeat(size))),
    ("folded header", Processor::Multipart, |size| format!("--B\nX: y\n{}", " z\n".repeat(size / 3))),
    ("many headers", Processor::Multipart, |size| format!("--B\n{}", "a:\n".repeat(size / 3))),
    ("many names", Processor::Multipart, |size| {
        format!("--B\nContent-Disposition: form-data{}\n\nv", ";name=".repeat(size / 6))
    }),
    ("many file names", Processor::Multipart, |size| {
        format!("--B\nContent-Disposition: form-data{}\n\nv", ";filename=".repeat(size / 10))
    }),
    ("one boundary with long padding", Processor::Multipart, |size| format!("--B\n\n--B{}", " ".repeat(size))),
    ("one long line", Processor::Multipart, |size| format!("--B\n\n{}", "x".repeat(size))),
    ("preamble", Processor::Multipart, |size| "x\n".repeat(size / 2)),
    ("many elements", Processor::Xml, |size| format!("<a>{}</a>", "<b/>".repeat(size / 4))),
    ("many attributes", Processor::Xml, |size| format!("<a {}/>", "b='' ".repeat(size / 5))),
    ("text between attributes", Processor::Xml, |size| format!("<a>{}</a>", "<b c='d'>x</b>".repeat(size / 14))),
    ("attributes without value", Processor::Xml, |size| format!("<a {}>", "b ".repeat(size / 2))),
    ("less-thans", Processor::Xml, |size| "<".repeat(size)),
    ("deep elements", Processor::Xml, |size| "<a>".repeat(size / 3)),
    ("deep elements, long names", Processor::Xml, |size| format!("<{}>", "a".repeat(98)).repeat(size / 100)),
    ("end tags of another name", Processor::Xml, |size| {
        format!("<{}>{}", "a".repeat(size / 2), "</a>".repeat(size / 8))
    }),
    ("references", Processor::Xml, |size| format!("<a>{}</a>", "&#65;".repeat(size / 5))),
    ("unknown references", Processor::Xml, |size| format!("<a>{}</a>", "&x;".repeat(size / 3))),
    ("billion laughs", Processor::Xml, |size| {
        format!("<!DOCTYPE a [{}]><a>&z;</a>", "<!ENTITY z '&y;&y;'>".repeat(size / 20))
    }),
    ("one CDATA section", Processor::Xml, |size| format!("<a><![CDATA[{}]]></a>", "]".repeat(size))),
    ("comments", Processor::Xml, |size| "<!---->".repeat(size / 7)),
    ("line ends", Processor::Xml, |size| format!("<a>{}</a>", "\r\n\r".repeat(size / 3))),
    ("line ends in an attribute", Processor::Xml, |size| format!("<a b='{}'/>", "\r\n\t".repeat(size / 3))),
    ("different attributes", Processor::Xml, |size| {
        format!("<a {}/>", (0..size / 12).map(|at| format!("a{at:06}='' ")).collect::<String>())
    }),
    ("instructions", Processor::Xml, |size| format!("<a>{}</a>", "<?p i?>".repeat(size / 7))),
    ("one instruction", Processor::Xml, |size| format!("<?p {}?><a/>", "?".repeat(size))),
    ("CRs in a part", Processor::Multipart, |size| format!("--B\n\n{}", "\r--".repeat(size / 3))),
    ("parts that are multipart", Processor::Multipart, |size| {
        let part = "--B\nContent-Type: multipart/mixed\n\n\n";
        part.repeat(size / part.len())
    }),
];

/// Headers and queries of about `size` bytes.
const LINES: &[(&str, bool, Shape)] = &[
    ("many arguments", true, |size| "a&".repeat(size / 2)),
    ("escapes", true, |size| "a=%41%4%".repeat(size / 8)),
    ("equals", true, |size| "=".repeat(size)),
    ("cookies", false, |size| "a=b; ".repeat(size / 5)),
    ("semicolons", false, |size| ";".repeat(size)),
    ("one cookie", false, |size| format!("a={}", "x".repeat(size))),
    ("quotes that open", false, |size| "a=\"".repeat(size / 3)),
    ("quotes that open and escapes", false, |size| "a=\"\\\";".repeat(size / 6)),
    ("a quote that stays open", false, |size| format!("a=\"{}", ";b=\\\"".repeat(size / 5))),
    ("octal escapes", false, |size| format!("a=\"{}\"", "\\101".repeat(size / 4))),
];

/// What a body costs: fuel, memory.
fn read(processor: Processor, body: &[u8]) -> (u64, usize) {
    read_into(processor, body, &mut Fields::with_limit(1 << 30))
}

/// The same with memory of an earlier reading: to get memory from the system takes longer than to read.
fn read_into(processor: Processor, body: &[u8], fields: &mut Fields) -> (u64, usize) {
    fields.clear();
    let (mut report, mut meter) = (Report::default(), Meter::unlimited());
    let mut parser = BodyParser::new(processor, b"multipart/form-data; boundary=B", &UNLIMITED);
    parser.step(body, true, usize::MAX, fields, &mut report, &mut meter).expect("no budget");
    (meter.spent(), fields.memory())
}

/// What a query or a Cookie header costs.
fn read_line(is_query: bool, line: &[u8]) -> (u64, usize) {
    let (mut fields, mut report, mut meter) = (Fields::with_limit(1 << 30), Report::default(), Meter::unlimited());
    if is_query {
        args::parse_query(line, &UNLIMITED, &mut fields, &mut report, &mut meter).expect("no budget");
    } else {
        cookies::parse_cookies(line, 0, b';', &mut fields, &mut meter).expect("no budget");
    }
    (meter.spent(), fields.memory())
}

/// The least time of some runs.
fn time<T>(mut work: impl FnMut() -> T) -> Duration {
    let once = |work: &mut dyn FnMut() -> T| {
        let begun = thread_cpu_time();
        std::hint::black_box(work());
        thread_cpu_time() - begun
    };
    (0..4).map(|_| once(&mut work)).min().unwrap_or_default()
}

/// Whether sixteen times the work takes about sixteen times the time; asked again before a no, for the machine may be busy.
fn time_grows<T>(mut one: impl FnMut() -> T, mut more: impl FnMut() -> T) -> Result<(), String> {
    let mut shown = String::new();
    for _ in 0..4 {
        let (first, second) = (time(&mut one), time(&mut more));
        if second < CLOCK || second.as_secs_f64() <= TIME * first.as_secs_f64() {
            return Ok(());
        }
        shown = format!("{first:?} and {second:?}");
    }
    Err(shown)
}

fn ratio(two: u64, one: u64) -> f64 {
    two as f64 / one.max(1) as f64
}

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    let mut row = Row::new(
        "linear",
        "twice the input costs twice: every parser, every transformation, whole exchanges; in fuel, memory and time",
    );
    parsers(&mut row);
    transformations(&mut row);
    exchanges(&mut row);
    row
});

fn parsers(row: &mut Row) {
    let size = if full() { 4_000_000 } else { 200_000 };
    for (what, processor, shape) in SHAPES {
        let (one, two) = (shape(size).into_bytes(), shape(2 * size).into_bytes());
        let (first, second) = (read(*processor, &one), read(*processor, &two));
        row.hold(ratio(second.0, first.0) <= FUEL, || format!("{what}: fuel {} and {}", first.0, second.0));
        row.hold(ratio(second.1 as u64, first.1.max(1000) as u64) <= FUEL, || format!("{what}: {first:?} {second:?}"));
        row.hold(second.0 <= price(*processor).of(two.len()), || {
            format!("{what}: {} fuel is over the price", second.0)
        });
        row.hold(second.1 <= 50 * two.len() + 1000, || format!("{what}: {} bytes for {}", second.1, two.len()));
        let short = shape(size / 8).into_bytes();
        let (mut few, mut many) = (Fields::with_limit(1 << 30), Fields::with_limit(1 << 30));
        let grows = time_grows(|| read_into(*processor, &short, &mut few), || read_into(*processor, &two, &mut many));
        row.hold(grows.is_ok(), || format!("{what}: {grows:?}"));
    }
    for (what, is_query, shape) in LINES {
        let (one, two) = (shape(size).into_bytes(), shape(2 * size).into_bytes());
        let (first, second) = (read_line(*is_query, &one), read_line(*is_query, &two));
        row.hold(ratio(second.0, first.0) <= FUEL, || format!("{what}: fuel {} and {}", first.0, second.0));
        row.hold(second.1 <= 50 * two.len() + 1000, || format!("{what}: {} bytes for {}", second.1, two.len()));
        let limit = if *is_query { price(Processor::UrlEncoded) } else { cookies::PRICE }.of(two.len());
        row.hold(second.0 <= limit, || format!("{what}: {} fuel is over the price", second.0));
        let short = shape(size / 8).into_bytes();
        let grows = time_grows(|| read_line(*is_query, &short), || read_line(*is_query, &two));
        row.hold(grows.is_ok(), || format!("{what}: {grows:?}"));
    }
}

fn transformations(row: &mut Row) {
    let size = if full() {
        1 << 20
    } else if cfg!(debug_assertions) {
        16 << 10
    } else {
        64 << 10
    };
    for seed in SEEDS {
        let long: Vec<u8> = seed.iter().copied().cycle().take(2 * size).collect();
        let one = long.get(..size / 8).unwrap_or_default();
        for transformation in Transformation::ALL {
            let mut out = Vec::new();
            let mut other = Vec::new();
            let grows = time_grows(
                || transformation.apply(one, &mut out, &Context::default()),
                || transformation.apply(&long, &mut other, &Context::default()),
            );
            row.hold(grows.is_ok(), || format!("{} on {}: {grows:?}", transformation.name(), seed.escape_ascii()));
        }
    }
}

/// Makes a request of about `size` bytes.
type Request = fn(usize) -> Exchange;

const REQUESTS: &[(&str, Request)] = &[
    ("a long query", |size| get(&format!("/?q={}", "a+b%20".repeat(size / 6)))),
    ("a query of many arguments", |size| get(&format!("/?{}", "aa=b&".repeat(size / 5)))),
    ("a long path", |size| get(&"/../a".repeat(size / 5))),
    ("a long cookie", |size| get("/").header("Cookie", &format!("a={}", "x y".repeat(size / 3)))),
    ("many cookies", |size| get("/").header("Cookie", &"a=b;".repeat(size / 4))),
    ("a long header", |size| get("/").header("X", &"x'".repeat(size / 2))),
    ("a form of many arguments", |size| post(FORM, "aa=b&".repeat(size / 5))),
    ("a form of one argument", |size| post(FORM, format!("a={}", "%27+or+".repeat(size / 7)))),
    ("a JSON array", |size| post(JSON, format!("[{}1]", "12,".repeat(size / 3)))),
    ("a JSON string", |size| post(JSON, format!("[\"{}\"]", "<x \\u0041".repeat(size / 10)))),
    ("nested JSON", |size| post(JSON, "{\"key\":[1,".repeat(size / 10))),
    ("a JSON object", |size| post(JSON, format!("{{{}\"z\":1}}", "\"key\":\"v\",".repeat(size / 10)))),
    ("many parts", |size| post(MULTIPART, crate::attempt::field("a", "v").repeat(size / 55) + "--B--\r\n")),
    ("one part", |size| post(MULTIPART, crate::attempt::field("a", &"x\n".repeat(size / 2)) + "--B--\r\n")),
    ("XML text", |size| post(XML, format!("<a>{}</a>", "x &lt; y".repeat(size / 8)))),
    ("XML elements", |size| post(XML, format!("<a>{}</a>", "<b c='d'>x</b>".repeat(size / 14)))),
    ("text", |size| post("text/plain", "select 'x' ".repeat(size / 11))),
];

/// The hand-written rules without limits, and the built-in ones as they are.
fn exchanges(row: &mut Row) {
    let mut limits = Limits::default();
    (limits.fuel_base, limits.fuel_cap, limits.fuel_rule) = (u64::MAX, u64::MAX, u64::MAX);
    (limits.arguments, limits.header_bytes, limits.multipart_parts) = (10_000_000, 100 << 20, 10_000_000);
    (limits.xml_depth, limits.request_memory) = (10_000_000, 2 << 30);
    let text = format!("{}\nSecArgumentsLimit 10000000\nSecRequestBodyJsonDepthLimit 10000000\n", rulesets::SITE);
    let build = |builder: fusewall::WafBuilder| {
        builder.limits(limits.clone()).env(FixedEnv::default()).build().unwrap_or_else(|report| panic!("{report}"))
    };
    let own = build(Waf::builder().rules_text("site.conf", text));
    let builtin = build(Waf::builder().rules_builtin());
    for (what, request) in REQUESTS {
        let sizes = if cfg!(debug_assertions) { [20_000, 2_000] } else { [100_000, 2_000] };
        for ((name, waf), size) in [("hand-written", &own), ("built-in", &builtin)].into_iter().zip(sizes) {
            let (one, two) = (request(size), request(2 * size));
            let fuel = |exchange: &Exchange| exchange.evaluate(waf).verdict().map_or(0, |verdict| verdict.fuel);
            let (first, second) = (fuel(&one), fuel(&two));
            row.hold(ratio(second, first) <= FUEL, || format!("{what}, {name} rules: fuel {first} and {second}"));
            let short = request(size / 8);
            let grows = time_grows(|| fuel(&short), || fuel(&two));
            row.hold(grows.is_ok(), || format!("{what}, {name} rules: {grows:?}"));
        }
    }
}

#[test]
fn twice_the_input_costs_twice() {
    ROW.assert();
}
