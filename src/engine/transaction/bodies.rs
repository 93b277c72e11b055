//! How bodies become values: their content codings are undone, then parsers read them.

use super::{Stage, Transaction};
use crate::engine::memory::{Body, Slice};
use crate::engine::missing;
use crate::engine::prepare;
use crate::engine::scratch::Scratch;
use crate::engine::upload::Writing;
use crate::http::coding::{self, DecodeLimits, Decoded, Decoding, End};
use crate::http::nested::{Nested, NestedLimits};
use crate::http::{self, BodyParser, Kind, Processor};
use crate::meter::Exhausted;
use crate::rule::{BodyProcessor, EngineMode, Phase, Variable, XmlIntoArgs};

/// Bytes that a parser or a decoder goes through between two chances to pause.
const QUANTUM: usize = 64 << 10;

impl Transaction {
    /// Notes that the host could not tell the request body, or not all of it: REQBODY_ERROR, with `why` as its message, and the
    /// verdict says that the body is not inspected. To be told before phase 2.
    pub fn fail_request_body(&mut self, why: &'static str) {
        if self.inspects_request_body() {
            self.scratch.report.fail(why);
            self.scratch.flags.note("request body");
        }
    }

    /// Starts on the body of phase 2 or 4.
    pub(super) fn begin_body(&mut self, phase: Phase) -> Result<(), Exhausted> {
        match self.decoding(phase) {
            Some(decoding) => {
                self.stage = Stage::Decode(phase, Box::new(decoding));
                Ok(())
            }
            None => self.read_body(phase),
        }
    }

    /// What undoes the codings of a body, if it has any.
    fn decoding(&mut self, phase: Phase) -> Option<Decoding> {
        let program = self.loaded.program();
        let (kind, limit) = match phase {
            Phase::RequestBody => (Kind::RequestHeader, self.scratch.state.request_body_limit),
            _ => (Kind::ResponseHeader, self.scratch.state.response_body_limit),
        };
        if self.body(phase).received.is_empty() || self.scratch.state.mode == EngineMode::Off {
            return None;
        }
        let fields = &self.scratch.memory.fields;
        let values = fields
            .items()
            .iter()
            .filter(|field| field.kind == kind && fields.bytes(field.name).eq_ignore_ascii_case(b"content-encoding"));
        let codings = coding::codings(values.map(|field| fields.bytes(field.value)), program.limits.content_codings);
        match codings {
            Ok(codings) if codings.is_empty() => None,
            Ok(codings) => {
                let limits = DecodeLimits {
                    decoded: usize::try_from(limit).unwrap_or(usize::MAX),
                    ratio: program.limits.coding_ratio,
                    ratio_from: program.limits.coding_ratio_from,
                };
                Some(Decoding::new(&codings, &limits))
            }
            // Whoever does not know the coding either reads the bytes as they are: so do the rules.
            Err(_) => {
                self.note_coded(phase);
                None
            }
        }
    }

    /// Decodes on.
    pub(super) fn decode(&mut self) -> Result<(), Exhausted> {
        let Stage::Decode(phase, decoding) = &mut self.stage else { return Ok(()) };
        let phase = *phase;
        let body = match phase {
            Phase::RequestBody => &mut self.scratch.memory.request_body,
            _ => &mut self.scratch.memory.response_body,
        };
        let before = body.decoded.len();
        let progress = decoding.step(&body.received, true, QUANTUM, &mut body.decoded, &mut self.meter)?;
        let (decoded, is_cut) = (body.decoded.len(), body.is_cut);
        // A header that lies must not hide a body: what cannot be decoded at all is read as it came.
        body.is_decoded = decoded > 0 || progress == Decoded::Done(End::Complete);
        self.grant(decoded - before);
        self.scratch.memory.admit(0)?;
        let Decoded::Done(end) = progress else { return Ok(()) };
        match end {
            End::Complete => {}
            // What is missing was cut off at the limit, and that is noted already.
            End::Truncated if is_cut => {}
            End::Limit if phase == Phase::RequestBody => self.request_body_over_limit(),
            End::Limit => self.response_body_over_limit(),
            End::Truncated | End::Broken | End::Ratio => {
                self.note_coded(phase);
                if phase == Phase::RequestBody {
                    self.scratch.report.fail_coding(end);
                }
            }
        }
        if self.scratch.state.interruption.is_some() {
            self.finished = phase.index() + 1;
            self.stage = Stage::Idle;
            return Ok(());
        }
        self.read_body(phase)
    }

    /// Goes on with a body that needs no decoding any more.
    fn read_body(&mut self, phase: Phase) -> Result<(), Exhausted> {
        if phase == Phase::RequestBody {
            if let Some(parser) = self.body_parser() {
                self.stage = Stage::Parse(boxed(parser, &mut self.scratch.parser));
                return Ok(());
            }
            return self.begin_nested();
        } else {
            let inspected = self.inspects_response_body();
            let program = self.loaded.program().clone();
            prepare::response_body(inspected, &program, &mut self.scratch, &mut self.meter)?;
        }
        self.enter_rules(phase);
        Ok(())
    }

    /// Parses on.
    pub(super) fn parse(&mut self) -> Result<(), Exhausted> {
        let Stage::Parse(parser) = &mut self.stage else { return Ok(()) };
        let scratch = &mut *self.scratch;
        let progress = parser.step(
            scratch.memory.request_body.inspected(),
            true,
            QUANTUM,
            &mut scratch.memory.fields,
            &mut scratch.report,
            &mut self.meter,
        )?;
        if progress == http::Progress::More {
            return Ok(());
        }
        if let Stage::Parse(mut place) = std::mem::replace(&mut self.stage, Stage::Idle) {
            // The room stays, not what the parser holds of this body.
            *place = BodyParser::new(Processor::UrlEncoded, b"", &prepare::parse_limits(self.loaded.program()));
            self.scratch.parser = Some(place);
        }
        self.begin_storing()
    }

    /// Goes on with the uploaded files, if they are stored.
    fn begin_storing(&mut self) -> Result<(), Exhausted> {
        let program = self.loaded.program();
        let multipart = self.scratch.state.processor == Some(BodyProcessor::Multipart);
        if program.stores_uploads && multipart && self.scratch.uploads.sink.is_some() {
            let writing = Writing::new(&program.ruleset.settings.uploads, program.limits.upload_bytes);
            self.stage = Stage::Store(Box::new(writing));
            return Ok(());
        }
        self.begin_nested()
    }

    /// Stores on.
    pub(super) fn store_uploads(&mut self) -> Result<(), Exhausted> {
        let Stage::Store(writing) = &mut self.stage else { return Ok(()) };
        let Scratch { uploads, memory, report, .. } = &mut *self.scratch;
        let done = writing.step(QUANTUM, uploads, &mut memory.fields, report, &mut self.meter)?;
        if self.scratch.uploads.failed.is_some() {
            self.scratch.flags.miss(missing::UPLOAD);
        }
        if done { self.begin_nested() } else { Ok(()) }
    }

    /// Goes on with the documents inside values, if they are read.
    fn begin_nested(&mut self) -> Result<(), Exhausted> {
        let nested = NestedLimits {
            depth: self.loaded.program().ruleset.settings.nested_decoding,
            only_graphql: self.scratch.state.processor == Some(BodyProcessor::GraphQl),
        };
        if (nested.depth > 0 || nested.only_graphql) && self.scratch.state.mode != EngineMode::Off {
            let limits = prepare::parse_limits(self.loaded.program());
            self.stage = Stage::Nested(boxed(Nested::new(&nested, &limits), &mut self.scratch.nested));
            return Ok(());
        }
        self.body_is_read()
    }

    /// Reads on in them.
    pub(super) fn read_nested(&mut self) -> Result<(), Exhausted> {
        let Stage::Nested(nested) = &mut self.stage else { return Ok(()) };
        let scratch = &mut *self.scratch;
        let progress = nested.step(QUANTUM, &mut scratch.memory.fields, &mut scratch.report, &mut self.meter)?;
        if progress == http::Progress::More {
            return Ok(());
        }
        if let Stage::Nested(place) = std::mem::replace(&mut self.stage, Stage::Idle) {
            self.scratch.nested = Some(place);
        }
        self.body_is_read()
    }

    /// Who reads the request body, if there is one to read.
    fn body_parser(&mut self) -> Option<BodyParser> {
        if self.scratch.memory.request_body.inspected().is_empty() || self.scratch.state.mode == EngineMode::Off {
            return None;
        }
        let processor = self.scratch.state.processor?.parser();
        let fields = &self.scratch.memory.fields;
        let content_type = fields.items().iter().find(|field| {
            field.kind == Kind::RequestHeader && fields.bytes(field.name).eq_ignore_ascii_case(b"content-type")
        });
        let content_type = content_type.map(|field| fields.bytes(field.value)).unwrap_or_default();
        let mut limits = prepare::parse_limits(self.loaded.program());
        limits.xml_into_args = self.scratch.state.xml_into_args != XmlIntoArgs::Off;
        limits.xml_text = self.scratch.state.xml_into_args != XmlIntoArgs::OnlyArgs;
        let described = self.scratch.descriptors.as_ref().and_then(|descriptors| match processor {
            Processor::Grpc => descriptors.of_path(self.target()),
            Processor::Protobuf => descriptors.of_content_type(content_type),
            _ => None,
        });
        let names_are_missing = matches!(processor, Processor::Grpc | Processor::Protobuf)
            && self.scratch.descriptors.is_some()
            && described.is_none();
        if names_are_missing {
            self.scratch.flags.miss(missing::MESSAGE_TYPE);
        }
        Some(BodyParser::described(processor, content_type, &limits, described))
    }

    /// The request target as received: whoever serves gRPC compares it byte for byte.
    fn target(&self) -> &[u8] {
        let target = self.scratch.values.scalar(Variable::RequestUriRaw).unwrap_or(Slice::EMPTY);
        self.scratch.memory.get(target)
    }

    fn body(&self, phase: Phase) -> &Body {
        match phase {
            Phase::RequestBody => &self.scratch.memory.request_body,
            _ => &self.scratch.memory.response_body,
        }
    }

    fn note_coded(&mut self, phase: Phase) {
        self.scratch.flags.note(match phase {
            Phase::RequestBody => "request body coding",
            _ => "response body coding",
        });
    }
}

/// Puts a value into the box of one before it, if there is one.
fn boxed<T>(value: T, spare: &mut Option<Box<T>>) -> Box<T> {
    match spare.take() {
        Some(mut place) => {
            *place = value;
            place
        }
        None => Box::new(value),
    }
}
