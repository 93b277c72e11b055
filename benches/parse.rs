//! The inspection parsers: bodies of every kind, query strings and cookies, ordinary and hostile.

mod inputs;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fusewall::http::body::price;
use fusewall::http::{Fields, ParseLimits, Report, args, cookies};
use fusewall::meter::Meter;
use inputs::{bodies, read, repeat};

fn bodies_of_every_kind(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse/body");
    let mut fields = Fields::with_limit(1 << 30);
    for body in bodies(64 << 10) {
        let mut meter = Meter::unlimited();
        assert_eq!(read(&body, &mut meter, &mut fields), body.sound, "{}", body.name);
        assert!(!body.sound || fields.items().len() > 100, "{}: {} fields", body.name, fields.items().len());
        assert!(meter.spent() <= price(body.processor).of(body.bytes.len()), "{}", body.name);
        group.throughput(Throughput::Bytes(body.bytes.len() as u64));
        group.bench_with_input(BenchmarkId::new(body.name, body.kind), &body, |bencher, body| {
            bencher.iter(|| read(body, &mut Meter::unlimited(), &mut fields));
        });
    }
    group.finish();
}

fn query(input: &[u8], fields: &mut Fields) -> usize {
    fields.clear();
    let limits = ParseLimits { arguments: usize::MAX, ..ParseLimits::default() };
    args::parse_query(input, &limits, fields, &mut Report::default(), &mut Meter::unlimited()).expect("unlimited");
    fields.items().len()
}

fn header(input: &[u8], fields: &mut Fields) -> usize {
    fields.clear();
    cookies::parse_cookies(input, 0, b';', fields, &mut Meter::unlimited()).expect("unlimited");
    fields.items().len()
}

fn lines(criterion: &mut Criterion) {
    type Read = fn(&[u8], &mut Fields) -> usize;
    let cases: [(&str, &str, Read, Vec<u8>, usize); 4] = [
        ("query", "benign", query, repeat("size=42&color=blue&", 1900), 200),
        ("query", "hostile", query, repeat("=%&", 1800), 600),
        ("cookies", "benign", header, repeat("theme=dark; ", 1200), 100),
        ("cookies", "hostile", header, repeat("a;", 1800), 900),
    ];
    let mut group = criterion.benchmark_group("parse/line");
    let mut fields = Fields::with_limit(1 << 30);
    for (name, kind, read, input, count) in cases {
        assert_eq!(read(&input, &mut fields), count, "{name}, {kind}");
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_with_input(BenchmarkId::new(name, kind), &input, |bencher, input| {
            bencher.iter(|| read(input, &mut fields));
        });
    }
    group.finish();
}

criterion_group!(benches, bodies_of_every_kind, lines);
criterion_main!(benches);
