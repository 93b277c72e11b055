//! A body of GraphQL: a document, or the JSON around one.

use super::Document;
use crate::http::json::Json;
use crate::http::{Fields, ParseLimits, Report};
use crate::meter::{Exhausted, Meter};

/// The machine. A document may begin with `{`, but no document goes on with a string there, and none begins with `[`: the first
/// two bytes that are no white space tell.
#[derive(Debug)]
pub(in crate::http) enum Body {
    /// Not known yet. After a `{`: its offset.
    Unknown(Option<usize>, Box<ParseLimits>),
    Document(Box<Document>),
    Json(Box<Json>),
}

impl Body {
    pub(in crate::http) fn new(limits: &ParseLimits) -> Self {
        Body::Unknown(None, Box::new(*limits))
    }

    /// Reads the next block, which starts at byte `offset`; answers whether to go on.
    pub(in crate::http) fn feed(
        &mut self,
        block: &[u8],
        offset: usize,
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<bool, Exhausted> {
        let (mut rest, mut at) = (block, offset);
        if let Body::Unknown(brace, limits) = self {
            let mut json = None;
            while let Some((&byte, after)) = rest.split_first() {
                match (byte, &brace) {
                    (b' ' | b'\t' | b'\r' | b'\n', _) => {}
                    (b'{', None) => *brace = Some(at),
                    _ => {
                        json = Some(byte == if brace.is_some() { b'"' } else { b'[' });
                        break;
                    }
                }
                rest = after;
                at += 1;
            }
            let Some(json) = json else { return Ok(true) };
            let brace = *brace;
            *self = if json {
                Body::Json(Box::new(Json::new(limits)))
            } else {
                Body::Document(Box::new(Document::new(limits)))
            };
            if let Some(brace) = brace {
                self.read(b"{", brace, fields, report, meter)?;
            }
        }
        self.read(rest, at, fields, report, meter)
    }

    fn read(
        &mut self,
        block: &[u8],
        offset: usize,
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<bool, Exhausted> {
        match self {
            Body::Unknown(..) => Ok(true),
            Body::Document(document) => document.feed(block, offset, fields, report, meter),
            Body::Json(json) => json.feed(block, offset, fields, report, meter),
        }
    }

    /// Ends what is open when the body ends after `len` bytes.
    pub(in crate::http) fn finish(
        &mut self,
        len: usize,
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        if let Body::Unknown(brace, limits) = self {
            let brace = *brace;
            *self = Body::Document(Box::new(Document::new(limits)));
            if let Some(brace) = brace {
                self.read(b"{", brace, fields, report, meter)?;
            }
        }
        match self {
            Body::Unknown(..) => Ok(()),
            Body::Document(document) => document.finish(len, fields, report, meter),
            Body::Json(json) => json.finish(len, fields, report, meter),
        }
    }
}
