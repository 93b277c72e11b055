//! The inspection parsers: by example, by property and against ModSecurity's own cases.

mod coding;
mod conformance;
mod described;
mod json;
mod multipart;
mod properties;
mod protobuf;
mod xml;

use fusewall::http::{BodyParser, Fields, Kind, ParseLimits, Processor, Progress, Report};
use fusewall::meter::Meter;

/// What was read of a body.
struct Read {
    fields: Vec<(Kind, String, String)>,
    report: Report,
    fuel: u64,
}

impl Read {
    fn values(&self, kind: Kind) -> Vec<(&str, &str)> {
        self.fields.iter().filter(|field| field.0 == kind).map(|field| (&*field.1, &*field.2)).collect()
    }

    fn message(&self) -> &str {
        &self.report.error_message
    }
}

/// Reads a whole body at once.
fn read(processor: Processor, content_type: &str, body: impl AsRef<[u8]>, limits: ParseLimits) -> Read {
    let (mut fields, mut report, mut meter) = (Fields::with_limit(1 << 30), Report::default(), Meter::unlimited());
    let mut parser = BodyParser::new(processor, content_type.as_bytes(), &limits);
    let progress = parser.step(body.as_ref(), true, usize::MAX, &mut fields, &mut report, &mut meter).unwrap();
    assert_eq!(progress, Progress::Done);
    assert_eq!(report.error, !report.error_message.is_empty());
    let text = |span| String::from_utf8_lossy(fields.bytes(span)).into_owned();
    Read {
        fields: fields.items().iter().map(|f| (f.kind, text(f.name), text(f.value))).collect(),
        report,
        fuel: meter.spent(),
    }
}
