//! Why a connection ends, in the numbers of the protocol (`doc/SPOE.txt`, section 3.5).

/// The status of a DISCONNECT frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Status {
    /// Nothing is wrong.
    #[error("normal")]
    Normal,
    /// The connection broke.
    #[error("I/O error")]
    Io,
    /// The peer took too long.
    #[error("a timeout occurred")]
    Timeout,
    /// A frame, or a payload of several, is longer than agreed.
    #[error("frame is too big")]
    TooBig,
    /// A frame cannot be read, or comes out of order.
    #[error("invalid frame received")]
    Invalid,
    /// HELLO without `supported-versions`.
    #[error("version value not found")]
    NoVersion,
    /// HELLO without `max-frame-size`.
    #[error("max-frame-size value not found")]
    NoFrameSize,
    /// HELLO without `capabilities`.
    #[error("capabilities value not found")]
    NoCapabilities,
    /// The peer does not speak SPOP 2.0.
    #[error("unsupported version")]
    BadVersion,
    /// A `max-frame-size` below 256.
    #[error("max-frame-size too big or too small")]
    BadFrameSize,
    /// Pieces of two payloads on one connection.
    #[error("invalid interlaced frames")]
    Interlaced,
    /// There is no memory for it.
    #[error("resource allocation error")]
    Resources,
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 12] = [
        Status::Normal,
        Status::Io,
        Status::Timeout,
        Status::TooBig,
        Status::Invalid,
        Status::NoVersion,
        Status::NoFrameSize,
        Status::NoCapabilities,
        Status::BadVersion,
        Status::BadFrameSize,
        Status::Interlaced,
        Status::Resources,
    ];

    /// The number on the wire.
    pub const fn code(self) -> u32 {
        match self {
            Status::Normal => 0,
            Status::Io => 1,
            Status::Timeout => 2,
            Status::TooBig => 3,
            Status::Invalid => 4,
            Status::NoVersion => 5,
            Status::NoFrameSize => 6,
            Status::NoCapabilities => 7,
            Status::BadVersion => 8,
            Status::BadFrameSize => 9,
            Status::Interlaced => 11,
            Status::Resources => 13,
        }
    }

    /// A short name for metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Normal => "normal",
            Status::Io => "io",
            Status::Timeout => "timeout",
            Status::TooBig => "too_big",
            Status::Invalid => "invalid",
            Status::NoVersion => "no_version",
            Status::NoFrameSize => "no_frame_size",
            Status::NoCapabilities => "no_capabilities",
            Status::BadVersion => "bad_version",
            Status::BadFrameSize => "bad_frame_size",
            Status::Interlaced => "interlaced",
            Status::Resources => "resources",
        }
    }
}
