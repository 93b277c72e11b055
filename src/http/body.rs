//! The body parser: one resumable machine for every kind of body.
//!
//! A body is read in blocks of [`BLOCK`] bytes at absolute offsets, each charged before it is read; a block that is not complete
//! waits until it is, or until the body ends. The machines below therefore see the same blocks however the body arrives, so
//! fields, report and fuel cannot depend on it.

use super::args::{self, Pairs};
use super::graphql;
use super::json::{self, Json};
use super::multipart::{self, Multipart};
use super::out::{NAMES_CONSTANT, Out};
use super::protobuf::{self, Described, Grpc, Message};
use super::xml::{self, Xml};
use super::{Fields, Kind, ParseLimits, Report};
use crate::meter::{Exhausted, Meter, Price};

/// Bytes that are charged and read at once.
pub const BLOCK: usize = 4096;
/// Fuel for a reader, however little it reads: the tables that it begins with.
pub(super) const START: u64 = 256;

/// Who reads a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Processor {
    /// application/x-www-form-urlencoded.
    UrlEncoded,
    /// multipart/form-data (RFC 7578).
    Multipart,
    /// JSON (RFC 8259).
    Json,
    /// XML 1.0.
    Xml,
    /// A sequence of JSON documents: NDJSON, JSON Lines, RFC 7464.
    Ndjson,
    /// A GraphQL document, or the JSON around one.
    GraphQl,
    /// A Protobuf message.
    Protobuf,
    /// Messages of gRPC or gRPC-Web.
    Grpc,
}

/// What a body of any content can cost at most under the processor.
///
/// ```
/// use fusewall::http::{body::price, Processor};
/// assert!(price(Processor::Json).of(1 << 20) < 50_000_000);
/// ```
pub const fn price(processor: Processor) -> Price {
    let reading = match processor {
        Processor::UrlEncoded => args::PRICE,
        Processor::Multipart => multipart::PRICE,
        Processor::Json | Processor::Ndjson => json::PRICE,
        Processor::Xml => xml::PRICE,
        Processor::GraphQl => graphql::PRICE,
        Processor::Protobuf => protobuf::PRICE,
        Processor::Grpc => protobuf::GRPC_PRICE,
    };
    Price::new(START, 0).plus(reading)
}

/// Why a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Progress {
    /// The quantum is used up: call again.
    More,
    /// All whole blocks so far are read: call again with a longer body, or with `last`.
    NeedInput,
    /// The body is read, or a limit (see the report) ended the reading.
    Done,
}

/// Reads one body.
///
/// ```
/// use fusewall::http::{BodyParser, Fields, ParseLimits, Processor, Progress, Report};
/// use fusewall::meter::Meter;
/// let (mut fields, mut report, mut meter) = (Fields::with_limit(1 << 20), Report::default(), Meter::unlimited());
/// let mut parser = BodyParser::new(Processor::Json, b"application/json", &ParseLimits::default());
/// let progress = parser.step(br#"{"a": [1, "x"]}"#, true, 1 << 16, &mut fields, &mut report, &mut meter).unwrap();
/// assert_eq!(progress, Progress::Done);
/// assert_eq!(fields.bytes(fields.items()[1].name), b"json.a.1");
/// ```
#[derive(Debug)]
pub struct BodyParser {
    machine: Machine,
    /// Bytes read.
    at: usize,
    /// Whether it has been charged for having begun.
    begun: bool,
    done: bool,
}

#[derive(Debug)]
enum Machine {
    UrlEncoded(Pairs),
    Multipart(Box<Multipart>),
    Json(Box<Json>),
    Xml(Box<Xml>),
    GraphQl(graphql::Body),
    Protobuf(Box<Message>),
    Grpc(Box<Grpc>),
}

impl BodyParser {
    /// A parser for one body. `content_type` is the value of the Content-Type header; multipart bodies need it for the boundary, XML for the
    /// character set.
    pub fn new(processor: Processor, content_type: &[u8], limits: &ParseLimits) -> BodyParser {
        Self::described(processor, content_type, limits, None)
    }

    /// The same for a body whose messages are described: Protobuf and gRPC name their fields by it.
    pub fn described(
        processor: Processor,
        content_type: &[u8],
        limits: &ParseLimits,
        described: Option<Described>,
    ) -> BodyParser {
        let machine = match processor {
            Processor::UrlEncoded => Machine::UrlEncoded(Pairs::new(Kind::ArgPost, limits)),
            Processor::Multipart => Machine::Multipart(Box::new(Multipart::new(content_type, limits))),
            Processor::Json => Machine::Json(Box::new(Json::new(limits))),
            Processor::Xml => Machine::Xml(Box::new(Xml::new(content_type, limits))),
            Processor::Ndjson => Machine::Json(Box::new(Json::sequence(limits))),
            Processor::GraphQl => Machine::GraphQl(graphql::Body::new(limits)),
            Processor::Protobuf => {
                Machine::Protobuf(Box::new(Message::new(b"protobuf", NAMES_CONSTANT, limits, described.as_ref())))
            }
            Processor::Grpc => Machine::Grpc(Box::new(Grpc::new(content_type, limits, described))),
        };
        BodyParser { machine, at: 0, begun: false, done: false }
    }

    /// Reads on in `body` for about `quantum` bytes (at least one block).
    ///
    /// `body` is the whole body received so far, always from its start; it may grow from call to call. `last` says that no more
    /// will come.
    ///
    /// # Errors
    /// [`Exhausted`] when a budget is spent; what was parsed stays, the parser must not be used again.
    pub fn step(
        &mut self,
        body: &[u8],
        last: bool,
        quantum: usize,
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<Progress, Exhausted> {
        let stop_at = self.at.saturating_add(quantum.max(1));
        while !self.done {
            let left = body.len().saturating_sub(self.at);
            if left < BLOCK && !last {
                return Ok(Progress::NeedInput);
            }
            if !self.begun {
                self.begun = true;
                meter.charge(START)?;
            }
            if left > 0 {
                if self.at >= stop_at {
                    return Ok(Progress::More);
                }
                let start = self.at;
                let seen = body.get(..start + left.min(BLOCK)).unwrap_or_default();
                self.at = seen.len();
                self.done = !self.machine.feed(seen, start, fields, report, meter)?;
            } else {
                self.done = true;
                self.machine.finish(body, fields, report, meter)?;
            }
        }
        Ok(Progress::Done)
    }
}

impl Machine {
    /// Charges and reads the bytes of `seen` from `start` on; answers whether to go on.
    fn feed(
        &mut self,
        seen: &[u8],
        start: usize,
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<bool, Exhausted> {
        let block = seen.get(start..).unwrap_or_default();
        let per_byte = match self {
            Machine::UrlEncoded(_) => args::PER_BYTE,
            Machine::Multipart(_) => multipart::PER_BYTE,
            Machine::Json(_) => json::PER_BYTE,
            Machine::Xml(_) => xml::PER_BYTE,
            Machine::GraphQl(_) => graphql::PER_BYTE,
            Machine::Protobuf(_) | Machine::Grpc(_) => protobuf::PER_BYTE,
        };
        meter.charge(per_byte * block.len() as u64)?;
        match self {
            Machine::UrlEncoded(pairs) => pairs.feed(block, start, fields, report, meter),
            Machine::Multipart(multipart) => multipart.feed(seen, fields, report, meter),
            Machine::Json(json) => json.feed(block, start, fields, report, meter),
            Machine::Xml(xml) => xml.feed(block, start, fields, report, meter),
            Machine::GraphQl(body) => body.feed(block, start, fields, report, meter),
            Machine::Protobuf(_) | Machine::Grpc(_) => self.read_messages(seen, false, fields, report, meter),
        }
    }

    /// Ends what is open when the body ends.
    fn finish(
        &mut self,
        body: &[u8],
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        match self {
            Machine::UrlEncoded(pairs) => pairs.finish(fields, report, meter),
            Machine::Multipart(multipart) => multipart.finish(body, fields, report, meter),
            Machine::Json(json) => json.finish(body.len(), fields, report, meter),
            Machine::Xml(xml) => xml.finish(body.len(), fields, report, meter),
            Machine::GraphQl(document) => document.finish(body.len(), fields, report, meter),
            Machine::Protobuf(_) | Machine::Grpc(_) => {
                self.read_messages(body, true, fields, report, meter).map(|_| ())
            }
        }
    }

    /// Reads on in `seen`, all of the body if `last`; answers whether to go on.
    fn read_messages(
        &mut self,
        seen: &[u8],
        last: bool,
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<bool, Exhausted> {
        let mut out = Out::new("Protobuf", 0, fields, report, meter);
        match self {
            Machine::Protobuf(message) => message.read(seen, last, &mut out)?,
            Machine::Grpc(grpc) => grpc.read(seen, last, &mut out)?,
            _ => {}
        }
        Ok(!out.stop)
    }
}
