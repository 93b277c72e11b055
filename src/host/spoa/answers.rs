//! Frames of an agent, written.

use super::frames::FIN;
use super::status::Status;

const AGENT_HELLO: u8 = 101;
const AGENT_DISCONNECT: u8 = 102;
const ACK: u8 = 103;

const SET_VAR: u8 = 1;
/// Scope, name and value.
const SET_VAR_ARGUMENTS: u8 = 3;
/// Variables that live as long as the transaction: `txn.`.
const TRANSACTION: u8 = 2;

const UNSIGNED: u8 = 3;
const SIGNED_LONG: u8 = 4;
const TEXT: u8 = 8;

/// What the agent can do beyond the least (`doc/SPOE.txt`, section 3.2.1): payloads in several frames, and more frames before the first
/// is answered.
const CAPABILITIES: &[u8] = b"fragmentation,pipelining";

/// A variable of HAProxy's transaction, without scope and prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable<'v> {
    /// Its name.
    pub name: &'v str,
    /// What it is set to.
    pub value: Setting<'v>,
}

/// A value for a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting<'v> {
    /// A number.
    Number(u64),
    /// Text, of any bytes.
    Text(&'v [u8]),
}

/// AGENT-HELLO: what was agreed.
pub fn hello(max_frame_size: u32) -> Vec<u8> {
    frame(AGENT_HELLO, 0, 0, |out| {
        bytes(out, b"version");
        typed(out, b"2.0");
        bytes(out, b"max-frame-size");
        out.push(UNSIGNED);
        varint(out, max_frame_size.into());
        bytes(out, b"capabilities");
        typed(out, CAPABILITIES);
    })
}

/// AGENT-DISCONNECT: the last frame of a connection.
pub fn disconnect(status: Status) -> Vec<u8> {
    frame(AGENT_DISCONNECT, 0, 0, |out| {
        bytes(out, b"status-code");
        out.push(UNSIGNED);
        varint(out, status.code().into());
        bytes(out, b"message");
        typed(out, status.to_string().as_bytes());
    })
}

/// ACK: the answer to the NOTIFY with these numbers.
///
/// ```
/// use fusewall::host::spoa::answers::{Setting, Variable, ack};
/// let frame = ack(1, 2, &[Variable { name: "fail", value: Setting::Number(1) }]);
/// assert_eq!(frame, b"\0\0\0\x11\x67\0\0\0\x01\x01\x02\x01\x03\x02\x04fail\x04\x01");
/// ```
pub fn ack(stream: u64, frame_id: u64, variables: &[Variable<'_>]) -> Vec<u8> {
    frame(ACK, stream, frame_id, |out| {
        for variable in variables {
            out.extend([SET_VAR, SET_VAR_ARGUMENTS, TRANSACTION]);
            bytes(out, variable.name.as_bytes());
            match variable.value {
                Setting::Number(number) => {
                    out.push(SIGNED_LONG);
                    varint(out, number);
                }
                Setting::Text(text) => typed(out, text),
            }
        }
    })
}

fn frame(kind: u8, stream: u64, frame: u64, payload: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![0; super::frames::PREFIX_BYTES];
    out.push(kind);
    out.extend(FIN.to_be_bytes());
    varint(&mut out, stream);
    varint(&mut out, frame);
    payload(&mut out);
    // Whoever writes one keeps it below the size that was agreed, which is a number of 32 bits.
    let length = u32::try_from(out.len().saturating_sub(super::frames::PREFIX_BYTES)).unwrap_or(u32::MAX);
    if let Some(prefix) = out.first_chunk_mut() {
        *prefix = length.to_be_bytes();
    }
    out
}

/// Writes a number as [`Reader::varint`](super::frames::Reader::varint) reads it.
pub fn varint(out: &mut Vec<u8>, mut number: u64) {
    if number < 240 {
        return out.push(number as u8);
    }
    out.push(number as u8 | 240);
    number = (number - 240) >> 4;
    while number >= 128 {
        out.push(number as u8 | 128);
        number = (number - 128) >> 7;
    }
    out.push(number as u8);
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn typed(out: &mut Vec<u8>, text: &[u8]) {
    out.push(TEXT);
    bytes(out, text);
}
