//! The pieces of bodies, and what ends them.

use super::answer;
use super::flow::{Flow, Hold, Side, duplex, pieces, whole};
use super::messages::{BodySendMode, HttpBody, ProcessingResponse};
use super::session::{Answers, ENDED, Session, Trouble, Upgrade};
use crate::host::exchange::{Chunk, Uninspected};
use crate::host::inspect::{Fault, HELD, Stop};
use bytes::Bytes;
use std::mem;

impl Session {
    /// A piece of a body, or all of it.
    pub(super) async fn piece(&mut self, side: Side, message: HttpBody) -> Result<Answers, Trouble> {
        let HttpBody { body, end_of_stream: last } = message;
        match self.flow(side) {
            Flow::Expected => Err(Trouble::Protocol("A body comes before its head.")),
            Flow::Over => Err(Trouble::Protocol("A body goes on after its end.")),
            Flow::Held(_) => self.hold(side, body, last).await,
            Flow::Watched => {
                self.watch(&body, last).await?;
                Ok(vec![self.as_is(side, body, last)])
            }
            Flow::Passing => {
                let early = side == Side::Request && matches!(self.upgrade, Upgrade::Asked | Upgrade::Connect);
                if early && !body.is_empty() {
                    return Err(Stop::Fault(Fault::Refuse(400, EARLY)).into());
                }
                self.went_by(side, last);
                Ok(vec![self.as_is(side, body, last)])
            }
            Flow::Withheld => {
                self.went_by(side, last);
                Ok(vec![self.instead(side, Bytes::new(), last)])
            }
        }
    }

    /// Trailers end a body. They are not inspected, and go on as they are.
    pub(super) async fn trailers(&mut self, side: Side) -> Result<Answers, Trouble> {
        let mode = self.modes.at(side);
        let mut answers = Answers::new();
        match mem::replace(self.flow_mut(side), Flow::Over) {
            Flow::Expected => return Err(Trouble::Protocol("Trailers come before their head.")),
            Flow::Over => return Err(Trouble::Protocol("Trailers come after the end.")),
            Flow::Held(hold) => {
                if hold.len() > 0 && !duplex(mode) {
                    return Err(Stop::Fault(Fault::Refuse(400, LOST)).into());
                }
                self.judge(side).await?;
                if duplex(mode) {
                    answers.push(answer::head(side));
                    answers.extend(
                        pieces(hold.release(Bytes::new())).map(|(piece, _)| answer::streamed(side, piece, false)),
                    );
                }
            }
            Flow::Watched => self.judge(side).await?,
            Flow::Passing | Flow::Withheld => {}
        }
        answers.push(answer::trailers(side));
        Ok(answers)
    }

    /// A body that goes on after its verdict.
    async fn hold(&mut self, side: Side, body: Bytes, last: bool) -> Result<Answers, Trouble> {
        let mode = self.modes.at(side);
        let Flow::Held(hold) = self.flow_mut(side) else { return Ok(Answers::new()) };
        if !hold.admit(&body) {
            return Err(Stop::Fault(HELD).into());
        }
        let came = (hold.len() + body.len()) as u64;
        let cut = self.show(side, &body)?;
        if mode == BodySendMode::BufferedPartial && !last && self.declared[side as usize] != Some(came) {
            self.cut_by_envoy(side)?;
        }
        if !(last || cut || whole(mode)) {
            if let Flow::Held(hold) = self.flow_mut(side) {
                hold.keep(&body);
            }
            return Ok(if duplex(mode) { Answers::new() } else { vec![answer::nothing(side)] });
        }
        self.judge(side).await?;
        let ended = if last { Flow::Over } else { Flow::Passing };
        let Flow::Held(hold) = mem::replace(self.flow_mut(side), ended) else { return Ok(Answers::new()) };
        Ok(self.release(side, hold, body, last))
    }

    /// What goes on of a body that has passed.
    fn release(&self, side: Side, hold: Hold, body: Bytes, last: bool) -> Answers {
        if !duplex(self.modes.at(side)) {
            return vec![if hold.len() == 0 { answer::piece(side) } else { answer::instead(side, hold.release(body)) }];
        }
        let mut answers = vec![answer::head(side)];
        let pieces = pieces(hold.release(body));
        answers.extend(pieces.map(|(piece, end)| answer::streamed(side, piece, end && last)));
        answers
    }

    /// A response body that goes on at once.
    async fn watch(&mut self, body: &Bytes, last: bool) -> Result<(), Trouble> {
        let cut = self.show(Side::Response, body)?;
        self.watched += body.len() as u64;
        // Envoy may tell the end of a body of known length in a piece of its own, which would be too late.
        let whole = self.declared[Side::Response as usize] == Some(self.watched);
        if last || cut || whole {
            self.judge(Side::Response).await?;
            self.response = if last { Flow::Over } else { Flow::Passing };
        }
        Ok(())
    }

    /// Shows a piece to the engine; whether it wants no more.
    fn show(&mut self, side: Side, body: &Bytes) -> Result<bool, Trouble> {
        let exchange = &mut self.incident.as_mut().ok_or(ENDED)?.exchange;
        let chunk = match side {
            Side::Request => exchange.request_body_chunk(body),
            Side::Response => exchange.response_body_chunk(body),
        };
        match chunk {
            Chunk::Taken => Ok(false),
            Chunk::Cut(_) => Ok(true),
            Chunk::Refused(refusal) => Err(Stop::Refused(refusal).into()),
        }
    }

    /// Envoy's buffer was too small for the body: the rest goes on without having been here, if the rules let it.
    fn cut_by_envoy(&mut self, side: Side) -> Result<(), Trouble> {
        let exchange = &mut self.incident.as_mut().ok_or(ENDED)?.exchange;
        match side {
            Side::Request => {
                exchange.fail_request_body("The body is longer than Envoy's buffer.");
                exchange.skipped(Uninspected::RequestBodyRest);
            }
            Side::Response => exchange.skipped(Uninspected::ResponseBodyRest),
        }
        Ok(())
    }

    fn went_by(&mut self, side: Side, last: bool) {
        if last {
            *self.flow_mut(side) = Flow::Over;
        }
    }

    /// The piece itself goes on.
    fn as_is(&self, side: Side, body: Bytes, last: bool) -> ProcessingResponse {
        if duplex(self.modes.at(side)) { answer::streamed(side, body, last) } else { answer::piece(side) }
    }

    /// Other bytes go on.
    fn instead(&self, side: Side, bytes: Bytes, last: bool) -> ProcessingResponse {
        match duplex(self.modes.at(side)) {
            true => answer::streamed(side, bytes, last),
            false => answer::nothing(side),
        }
    }

    fn flow(&self, side: Side) -> &Flow {
        match side {
            Side::Request => &self.request,
            Side::Response => &self.response,
        }
    }

    fn flow_mut(&mut self, side: Side) -> &mut Flow {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }
}

/// Nothing can be put in the place of trailers but trailers.
const LOST: &str = "A streamed body ends with trailers; FULL_DUPLEX_STREAMED has a place for them.";
/// They would be a body, or another request, to an upstream that does not agree.
const EARLY: &str = "Bytes come before the upgrade is agreed to.";
