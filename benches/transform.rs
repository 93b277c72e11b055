//! Every transformation: on text that it leaves alone or hardly changes, and on text made of escapes, whole and torn.

mod inputs;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fusewall::transform::{Changed, Context, Transformation};
use inputs::{escapes, prose};
use std::hint::black_box;

/// What some of them make of a text.
const KNOWN: &[(Transformation, &str, &str)] = &[
    (Transformation::UrlDecodeUni, "%41%u0042+", "AB "),
    (Transformation::HtmlEntityDecode, "&lt;&#x41;", "<A"),
    (Transformation::JsDecode, "\\x41\\u0042", "AB"),
    (Transformation::Lowercase, "SeLeCt", "select"),
    (Transformation::CompressWhitespace, "a \t b", "a b"),
    (Transformation::NormalizePath, "/a/../b", "/b"),
    (Transformation::CmdLine, "C^A\"T", "cat"),
    (Transformation::Length, "abc", "3"),
];

fn transform(criterion: &mut Criterion) {
    let context = Context { unicode_map: None };
    let mut out = Vec::new();
    for (transformation, input, expected) in KNOWN {
        assert_eq!(transformation.apply(input.as_bytes(), &mut out, &context), Changed::Yes, "{transformation:?}");
        assert_eq!(out, expected.as_bytes(), "{transformation:?}");
    }
    for (kind, input) in [("benign", prose(16 << 10)), ("hostile", escapes(16 << 10))] {
        let mut group = criterion.benchmark_group(format!("transform/{kind}"));
        group.throughput(Throughput::Bytes(input.len() as u64));
        for transformation in Transformation::ALL {
            let changed = transformation.apply(&input, &mut out, &context);
            assert!(
                changed == Changed::No || out != input,
                "{transformation:?} tells truly whether it changed anything"
            );
            assert!(out.len() <= transformation.max_output(input.len()), "{transformation:?}");
            let name = BenchmarkId::from_parameter(format!("{transformation:?}"));
            group.bench_with_input(name, &input, |bencher, input| {
                bencher.iter(|| black_box(transformation.apply(input, &mut out, &context)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, transform);
criterion_main!(benches);
