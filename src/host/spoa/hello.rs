//! What both sides agree on before anything else.

use super::frames::{FIN, Frame, Kind, Reader, Value};
use super::status::Status;

/// The least size of a frame that the protocol admits.
const LEAST_FRAME: u64 = 256;

/// What HAProxy says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// The longest frame that HAProxy sends or takes, bytes.
    pub max_frame_size: u32,
    /// It only looks whether somebody answers, and closes the connection then.
    pub healthcheck: bool,
}

impl Hello {
    /// Reads HAPROXY-HELLO.
    ///
    /// # Errors
    /// Another frame, one that lacks something, a version other than 2.x, a size below 256.
    pub fn read(frame: &Frame<'_>) -> Result<Hello, Status> {
        if frame.kind != Kind::Hello || frame.flags & FIN == 0 {
            return Err(Status::Invalid);
        }
        let (mut versions, mut size, mut capabilities, mut healthcheck) = (None, None, None, false);
        let mut reader = Reader::new(frame.payload);
        while !reader.is_empty() {
            match reader.pair()? {
                (b"supported-versions", value) => versions = value.bytes(),
                (b"max-frame-size", value) => size = value.integer(),
                (b"capabilities", value) => capabilities = value.bytes(),
                (b"healthcheck", value) => healthcheck = value == Value::Bool(true),
                _ => {}
            }
        }
        let versions = versions.ok_or(Status::NoVersion)?;
        let size = size.ok_or(Status::NoFrameSize)?;
        capabilities.ok_or(Status::NoCapabilities)?;
        // Whoever speaks 2.1 speaks 2.0 as well.
        if !versions.split(|&byte| byte == b',').any(|version| version.trim_ascii().starts_with(b"2.")) {
            return Err(Status::BadVersion);
        }
        let max_frame_size = u32::try_from(size).ok().filter(|_| size >= LEAST_FRAME).ok_or(Status::BadFrameSize)?;
        Ok(Hello { max_frame_size, healthcheck })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(payload: &[u8]) -> Result<Hello, Status> {
        Hello::read(&Frame { kind: Kind::Hello, flags: FIN, stream: 0, frame: 0, payload })
    }

    #[test]
    fn what_haproxy_says_is_read_and_what_it_leaves_out_is_named() {
        const VERSIONS: &[u8] = b"\x12supported-versions\x08\x08 1.0,2.0";
        const SIZE: &[u8] = b"\x0emax-frame-size\x03\xfc\xf0\x06";
        const CAPABILITIES: &[u8] = b"\x0ccapabilities\x08\x10pipelining,async";
        const CHECK: &[u8] = b"\x0bhealthcheck\x11\x09engine-id\x08\x01e";
        let whole = hello(&[VERSIONS, SIZE, CAPABILITIES, CHECK].concat());
        assert_eq!(whole, Ok(Hello { max_frame_size: 16_380, healthcheck: true }));
        assert_eq!(hello(&[SIZE, CAPABILITIES].concat()), Err(Status::NoVersion));
        assert_eq!(hello(&[VERSIONS, CAPABILITIES].concat()), Err(Status::NoFrameSize));
        assert_eq!(hello(&[VERSIONS, SIZE].concat()), Err(Status::NoCapabilities));
        let old = b"\x12supported-versions\x08\x031.0";
        assert_eq!(hello(&[old, SIZE, CAPABILITIES].concat()), Err(Status::BadVersion));
        let small = b"\x0emax-frame-size\x03\xef";
        assert_eq!(hello(&[VERSIONS, small, CAPABILITIES].concat()), Err(Status::BadFrameSize));
        let notify = Frame { kind: Kind::Notify, flags: FIN, stream: 0, frame: 0, payload: b"" };
        assert_eq!(Hello::read(&notify), Err(Status::Invalid));
    }
}
