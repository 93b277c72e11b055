//! Protobuf messages: the wire format is walked, and what may be text becomes an argument.
//!
//! Without a description a field is named by the numbers of the fields it is in, `protobuf.1.3`. Numbers give their value as decimal
//! text (a varint as an unsigned number, a fixed one as an unsigned little-endian number). The wire does not tell strings from
//! messages, so a length-delimited field is read as both:
//!
//! - if its bytes are a message to the last of them, the leaves of that message are given out;
//! - if they are not, or if they are UTF-8 all the same, the bytes are given out as they are; those of a field that lies in no other are
//!   in any case.
//!
//! A field that says more bytes than the body has gives those that are there as they are, and is an error.
//!
//! So no byte of a string is hidden by a reading as a message, and bytes that are neither are one leaf. Long runs of printable
//! characters may be messages of many numbers by chance: when a limit is reached in a field whose bytes so far are printable, what it
//! gave is taken back, and if the rest of it is printable too, it is text and no error.
//!
//! A byte is read once, at the depth where it stands: fields are entered before it is known whether they are messages, and left, with
//! what they gave taken back, if they turn out not to be. What is given out twice has a budget.
//!
//! A description ([`Descriptors`]) names the fields. Where the recipient is certain to read the message as its type, it also says
//! which reading of a field is the right one.
//!
//! | file | holds |
//! |---|---|
//! | `message` | the machine that reads one message |
//! | `grpc` | the frames around messages |
//! | `descriptor` | what messages look like |
//! | `text` | whether bytes are text |
//! | `wire` | numbers |

mod descriptor;
mod grpc;
mod message;
#[cfg(test)]
mod tests;
mod text;
mod wire;

use super::coding;
use super::out::{LEAF_PER_BYTE, LEAF_PER_CALL, NAMES_CONSTANT};
use crate::meter::Price;
pub use descriptor::{Described, DescriptorError, Descriptors};
pub(super) use grpc::Grpc;
pub(super) use message::Message;

/// Fuel for one byte.
pub(super) const PER_BYTE: u64 = 4;
/// Fuel for one field.
const PER_FIELD: u64 = 14;
/// Bytes of fields given out as they are, for each byte read.
const COPIES_PER_BYTE: usize = 8;
/// Bytes that copying takes for one fuel.
const COPY_PER_FUEL: usize = 8;

/// A field takes two bytes or more. A leaf may be taken back and read again as a part of the field around it.
pub(super) const PRICE: Price = Price::per_byte(
    2 * LEAF_PER_CALL + (NAMES_CONSTANT / COPY_PER_FUEL) as u64 + PER_FIELD,
    PER_BYTE + 2 * LEAF_PER_BYTE + PER_FIELD + (COPIES_PER_BYTE / COPY_PER_FUEL) as u64 + 1,
);

/// Of a gRPC body a few bytes may be a message of as many bytes as the ratio of codings allows.
pub(super) const GRPC_PRICE: Price =
    Price::per_byte(PRICE.per_call + 200, 200 * (PRICE.per_kib / 1024)).plus(coding::price_in());
