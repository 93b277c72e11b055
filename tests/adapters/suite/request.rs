//! Requests as bytes.

/// Stands in heads for the tag by which the origin knows the request again.
pub const TAG: &str = "#tag#";

/// A request that is framed as it should be.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: &'static str,
    pub target: String,
    version: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    framing: Framing,
    /// Into how many pieces the body is cut on its way.
    pub pieces: usize,
    /// Whether the body is left to later steps.
    held_back: bool,
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    None,
    Length,
    /// Chunks of so many bytes.
    Chunks(usize),
}

pub fn get(target: &str) -> Request {
    request("GET", target)
}

pub fn request(method: &'static str, target: &str) -> Request {
    Request {
        method,
        target: target.to_owned(),
        version: "HTTP/1.1",
        headers: Vec::new(),
        body: Vec::new(),
        framing: Framing::None,
        pieces: 1,
        held_back: false,
    }
}

pub fn post(target: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Request {
    let request = request("POST", target).header("Content-Type", content_type);
    Request { body: body.into(), framing: Framing::Length, ..request }
}

pub fn form(target: &str, body: &str) -> Request {
    post(target, "application/x-www-form-urlencoded", body)
}

pub fn json(target: &str, body: &str) -> Request {
    post(target, "application/json", body)
}

/// A form with a text field and a file.
pub fn multipart(target: &str, text: &str, file_name: &str, file: &[u8]) -> Request {
    let mut body = format!(
        "--part\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n{text}\r\n\
         --part\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file_name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--part--\r\n");
    post(target, "multipart/form-data; boundary=part", body)
}

/// A WebSocket handshake (RFC 6455, section 4.1).
pub fn websocket(target: &str) -> Request {
    get(target)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

impl Request {
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn body_is(self, body: Vec<u8>) -> Self {
        Request { body, ..self }
    }

    pub fn http10(mut self) -> Self {
        self.version = "HTTP/1.0";
        self
    }

    pub fn is_http10(&self) -> bool {
        self.version == "HTTP/1.0"
    }

    /// The body goes in chunks of `size` bytes.
    pub fn chunked(mut self, size: usize) -> Self {
        self.framing = Framing::Chunks(size);
        self
    }

    /// The body arrives in so many pieces.
    pub fn in_pieces(mut self, pieces: usize) -> Self {
        self.pieces = pieces;
        self
    }

    /// Only the head is sent.
    pub fn without_its_body(mut self) -> Self {
        self.held_back = true;
        self
    }

    pub fn head(&self) -> Vec<u8> {
        let mut head =
            format!("{} {} {}\r\nHost: www.example\r\nX-Tag: {TAG}\r\n", self.method, self.target, self.version);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        match self.framing {
            Framing::None => {}
            Framing::Length => head += &format!("Content-Length: {}\r\n", self.body.len()),
            Framing::Chunks(_) => head += "Transfer-Encoding: chunked\r\n",
        }
        (head + "\r\n").into_bytes()
    }

    /// The body as it goes over the wire.
    pub fn framed_body(&self) -> Vec<u8> {
        match self.framing {
            _ if self.held_back => Vec::new(),
            Framing::None | Framing::Length => self.body.clone(),
            Framing::Chunks(size) => {
                let mut framed = Vec::new();
                for chunk in self.body.chunks(size) {
                    framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    framed.extend_from_slice(chunk);
                    framed.extend_from_slice(b"\r\n");
                }
                framed.extend_from_slice(b"0\r\n\r\n");
                framed
            }
        }
    }
}
