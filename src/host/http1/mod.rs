//! The strict HTTP/1 front end that `serve` and `ftw` share (RFC 9112).
//!
//! A firewall reads requests that no well-behaved library lets through: the rules must see the target byte for byte, with raw
//! `<`, `"` and bytes above 0x7F, odd methods and versions, header names in the case they came in. At the same time nothing may
//! pass whose end two servers could see in different places. So the bytes are kept as they are, and everything about framing is
//! strict: one way to end a line, one length, one transfer coding.
//!
//! What is refused is still described: [`Refused::head`] holds what could be read, so that a refused request becomes a
//! transaction with log records like any other.
//!
//! ```
//! use fusewall::host::http1::{BodyDecoder, Framing, HeadLimits, Parsed, parse_head};
//! let bytes = b"POST /a?b=<c> HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nx=1\r\n0\r\n\r\n";
//! let Ok(Parsed::Complete { head, consumed }) = parse_head(bytes, &HeadLimits::default()) else { panic!() };
//! assert_eq!((head.target.as_slice(), head.framing), (b"/a?b=<c>".as_slice(), Framing::Chunked));
//! let mut body = Vec::new();
//! let (_, done) = BodyDecoder::new(head.framing).decode(&bytes[consumed..], &mut body).unwrap();
//! assert!(done && body == b"x=1");
//! ```
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod authority;
mod body;
mod framing;
mod head;
mod request_line;
mod search;

#[cfg(feature = "serve")]
pub(crate) use authority::is_valid as is_authority;
pub use body::BodyDecoder;
pub use framing::Framing;
pub use head::{Head, HeadLimits, HeadReader, Parsed, Refused, cut_short, parse_head};

#[cfg(test)]
mod tests;
