//! What a host knows of a request before its body comes.

use std::net::SocketAddr;

/// The two ends of a connection as the engine shall see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Who sent the request: the peer, or whom a trusted proxy names.
    pub client: SocketAddr,
    /// Our own address.
    pub server: SocketAddr,
}

/// The head of a request, byte for byte as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestHead {
    /// Method, such as `GET`.
    pub method: Vec<u8>,
    /// Request target, undecoded.
    pub target: Vec<u8>,
    /// Version, such as `HTTP/1.1`.
    pub version: Vec<u8>,
    /// Header fields in order, names in the case in which they came.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl RequestHead {
    /// The values of all header fields called `name` (ASCII case-insensitive), in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        let named = move |(field, _): &&(Vec<u8>, Vec<u8>)| field.eq_ignore_ascii_case(name.as_bytes());
        self.headers.iter().filter(named).map(|(_, value)| value.as_slice())
    }
}
