//! What a conversation has to come to: the protocol as a state machine over all bytes that a peer sends, however they arrive.

use super::wire::{self, ABORT, FIN, Frame, Typed};

/// The longest first frame.
const HELLO_BYTES: usize = 4096;
/// A frame is no shorter than its head.
const LEAST_BYTES: usize = 7;
/// Messages in one payload.
const MOST_MESSAGES: usize = 64;
/// The longest payload that the agent was told to take.
pub const MESSAGE_BYTES: u32 = 1 << 20;

/// What becomes of a connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Course {
    /// What both agree on, if they do.
    pub frame_size: Option<u32>,
    /// Stream, number and payload of what is to be answered.
    pub answered: Vec<(u64, u64, Vec<u8>)>,
    /// The status that the agent says at last; none if the peer has gone before.
    pub status: Option<u32>,
}

/// Why there is nothing more to read: the peer has gone, or this is said.
type End = Option<u32>;

const TOO_BIG: End = Some(3);
const INVALID: End = Some(4);
const INTERLACED: End = Some(11);

/// The course that these bytes take.
pub fn course(mut sent: &[u8]) -> Course {
    let mut course = Course { frame_size: None, answered: Vec::new(), status: None };
    let (size, only_looks) = match hello(&mut sent) {
        Ok(hello) => hello,
        Err(end) => return Course { status: end, ..course },
    };
    let size = size.min(MESSAGE_BYTES);
    course.frame_size = Some(size);
    if only_looks {
        return course;
    }
    // A payload that has begun: its stream, its number, and what has come of it.
    let mut open: Option<(u64, u64, Vec<u8>)> = None;
    course.status = loop {
        let frame = match frame(&mut sent, size as usize) {
            Ok(frame) => frame,
            Err(end) => break end,
        };
        let (ends, aborted) = (frame.flags & FIN != 0, frame.flags & ABORT != 0);
        let begun = match (frame.kind, open.take()) {
            (1, _) => break INVALID,
            (2, _) => break Some(0),
            (3, None) => (frame.stream, frame.number, frame.payload),
            (0, Some((stream, number, mut payload))) if (stream, number) == (frame.stream, frame.number) => {
                if !aborted && payload.len() + frame.payload.len() > MESSAGE_BYTES as usize {
                    break TOO_BIG;
                }
                payload.extend(frame.payload);
                (stream, number, payload)
            }
            (0 | 3, _) => break INTERLACED,
            (_, before) => {
                open = before;
                continue;
            }
        };
        match (aborted, ends) {
            (true, _) => {}
            (false, false) => open = Some(begun),
            (false, true) => match wire::messages(&begun.2) {
                Some(messages) if messages.len() <= MOST_MESSAGES => course.answered.push(begun),
                _ => break INVALID,
            },
        }
    };
    course
}

/// The next frame of at most so many bytes.
fn frame(sent: &mut &[u8], most: usize) -> Result<Frame, End> {
    let (length, rest) = sent.split_first_chunk().ok_or(None)?;
    let length = u32::from_be_bytes(*length) as usize;
    if length > most {
        return Err(TOO_BIG);
    }
    if length < LEAST_BYTES {
        return Err(INVALID);
    }
    let (frame, rest) = rest.split_at_checked(length).ok_or(None)?;
    *sent = rest;
    Frame::read(frame).ok_or(INVALID)
}

/// The size that the peer offers, and whether it only looks if somebody is there.
fn hello(sent: &mut &[u8]) -> Result<(u32, bool), End> {
    let frame = frame(sent, HELLO_BYTES)?;
    let pairs = wire::pairs(&frame.payload).filter(|_| frame.kind == 1 && frame.flags & FIN != 0).ok_or(INVALID)?;
    // Of two of one name the later one counts.
    let last = |name: &[u8]| pairs.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.clone());
    let text = |name: &[u8]| match last(name) {
        Some(Typed::Text(text) | Typed::Binary(text)) => Some(text),
        _ => None,
    };
    let versions = text(b"supported-versions").ok_or(Some(5))?;
    let Some(Typed::Number(size)) = last(b"max-frame-size") else { return Err(Some(6)) };
    text(b"capabilities").ok_or(Some(7))?;
    if !versions.split(|byte| *byte == b',').any(|version| version.trim_ascii_start().starts_with(b"2.")) {
        return Err(Some(8));
    }
    let size = u32::try_from(size).ok().filter(|size| *size >= 256).ok_or(Some(9))?;
    Ok((size, last(b"healthcheck") == Some(Typed::Bool(true))))
}
