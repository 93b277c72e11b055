//! Requests that are right or nearly.

use super::super::choices::Choices;
use super::site::{UPLOAD_BYTES, rules, signed};
use fusewall::host::admin::routes;

/// A request.
pub struct Request {
    pub method: String,
    pub path: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Its head says of the body what is right.
    pub whole: bool,
    pub bytes: Vec<u8>,
}

/// What requests may speak of: the generation in service, and what was staged before.
pub struct Known<'k> {
    pub generation: u64,
    pub staged: &'k [String],
}

/// A request that mostly means something.
pub fn request(from: &mut Choices<'_>, known: &Known<'_>) -> Request {
    let all: Vec<_> = routes().collect();
    let (method, form, _) = all[from.below(all.len())];
    let method = match from.one_in(16) {
        true => from.one(&["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "get"]),
        false => method,
    };
    let path = path(from, form, known);
    let mut fields = vec![("Host".to_owned(), from.one(&["admin", "admin", "admin:80", "", "www.example"]).to_owned())];
    if from.one_in(16) {
        let field =
            from.one(&["Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Authorization", "Cookie", "X-Forwarded-For"]);
        fields.push((field.to_owned(), "root".to_owned()));
    }
    let body = match (method, form) {
        ("POST", "/v1/rulesets") => upload(from, &mut fields),
        ("GET" | "HEAD", _) if !from.one_in(8) => Vec::new(),
        _ => json(from, form, known),
    };
    written(from, method, path, fields, body)
}

/// A path of this form, or nearly.
fn path(from: &mut Choices<'_>, form: &str, known: &Known<'_>) -> String {
    let id = known.staged.get(from.below(known.staged.len().max(1))).map_or("0123456789abcdef", |id| id);
    let name = match (form.starts_with("/v1/rulesets/"), from.below(8)) {
        (true, 0..=5) => id,
        (false, 0) => "1",
        (false, 1) => "2",
        (false, 2) => "word",
        (false, 3) => "WORD",
        (false, 4) => "a%2Fb%20c",
        (false, 5) => "18446744073709551616",
        (_, 6) => "%ff%0",
        _ => from.one(&["a%00b", "..", "%2e%2e", "{id}", "-1"]),
    };
    let path = form.replace("{id}", name).replace("{tag}", name);
    match from.below(24) {
        0 => format!("{path}/"),
        1 => format!("{path}?q=1#x"),
        2 => format!("http://admin{path}"),
        3 => path.to_uppercase(),
        4 => path.replacen("/v1", "/v1/..", 1),
        _ => path,
    }
}

/// A body that a route may want.
fn json(from: &mut Choices<'_>, form: &str, known: &Known<'_>) -> Vec<u8> {
    let now = known.generation;
    let expected = from.one(&[now, now, now, now + 1, 0, u64::MAX]);
    let id = known.staged.get(from.below(known.staged.len().max(1))).map_or("none", |id| id);
    let enabled = from.one(&["false", "false", "true", "1", "null"]);
    let mode = from.one(&["off", "detection_only", "on", "On"]);
    let right = match form {
        "/v1/mode" => match from.below(3) {
            0 => format!("{{\"mode\":\"{mode}\"}}"),
            1 => format!("{{\"mode\":\"{mode}\",\"for_seconds\":{}}}", from.one(&[60, 0, 86_400, 86_401])),
            _ => format!("{{\"mode\":\"{mode}\",\"for_seconds\":-1}}"),
        },
        "/v1/rollout" => {
            let plan = from.one(&["", ",\"plan\":{}", ",\"gates\":{}", ",\"waive_loosening\":true", ",\"plan\":[]"]);
            format!("{{\"id\":\"{id}\",\"expected\":{expected}{plan}}}")
        }
        "/v1/rollout/hold" => match from.one_in(3) {
            true => format!("{{\"generation\":{expected}}}"),
            false => format!("{{\"generation\":{expected},\"why\":\"an outage\"}}"),
        },
        _ if form.starts_with("/v1/rulesets") => format!("{{\"expected\":{expected}}}"),
        _ => format!("{{\"enabled\":{enabled}}}"),
    };
    let mut body = right.into_bytes();
    match from.below(16) {
        0 => body.truncate(from.below(body.len())),
        1 => {
            let count = from.below(32);
            body = from.bytes(count).to_vec();
        }
        2 => {
            let (at, byte) = (from.below(body.len()), from.byte());
            body[at] = byte;
        }
        3 => body.resize(from.one(&[4000, 256 << 10, (256 << 10) + 1, 300_000]), b' '),
        4 => body = b"[".repeat(5000),
        5 => body.extend_from_slice(b" {}"),
        _ => {}
    }
    body
}

/// A ruleset, and what its head says of it.
fn upload(from: &mut Choices<'_>, fields: &mut Vec<(String, String)>) -> Vec<u8> {
    let kinds = ["text/plain", "text/plain; charset=utf-8", "application/json", "", "application/octet-stream"];
    let (bundle, signature) = signed();
    let mut kind = from.one(&kinds);
    let mut body = match from.below(8) {
        0 => rules("second").into_bytes(),
        1 => rules("third").into_bytes(),
        2 => b"SecRule broken".to_vec(),
        3 => b"SecRuleEngine On\nInclude /etc/passwd\n".to_vec(),
        4 => format!("{:width$}", rules("long"), width = UPLOAD_BYTES + from.below(2)).into_bytes(),
        5 => {
            let count = from.below(64);
            from.bytes(count).to_vec()
        }
        _ => {
            kind = kinds[4];
            bundle.to_vec()
        }
    };
    fields.push(("Content-Type".to_owned(), kind.to_owned()));
    if kind == kinds[4] {
        let signature =
            from.one(&[signature, signature, signature, "", "AA==", "%%%", &signature[..signature.len() / 2]]);
        fields.push(("Fusewall-Signature".to_owned(), signature.to_owned()));
    }
    if from.one_in(4) && !body.is_empty() {
        let at = (from.below(256) << 8 | from.below(256)) % body.len();
        body[at] ^= 1 << from.below(8);
    }
    body
}

/// The bytes of a request, whose head may be wrong about the body.
fn written(
    from: &mut Choices<'_>,
    method: &str,
    path: String,
    mut fields: Vec<(String, String)>,
    body: Vec<u8>,
) -> Request {
    let mut sent = body.clone();
    let mut whole = true;
    let mut field = |name: &str, value: String| fields.push((name.to_owned(), value));
    match from.below(16) {
        0 => {
            field("Transfer-Encoding", "chunked".to_owned());
            let half = body.len() / 2;
            let chunks = [&body[..half], &body[half..]].into_iter().filter(|chunk| !chunk.is_empty());
            sent = chunks
                .flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat())
                .collect();
            sent.extend_from_slice(b"0\r\n\r\n");
        }
        1 => {
            // More is announced than comes.
            field("Content-Length", (body.len() + 1 + from.below(200)).to_string());
            whole = false;
        }
        2 => {
            // Another request behind this one.
            field("Content-Length", (body.len() / 2).to_string());
            whole = false;
        }
        3 => {
            field("Content-Length", body.len().to_string());
            field("Content-Length", from.one(&["0", "5", "x", "99999999999999999999"]).to_owned());
            whole = false;
        }
        4 => {
            field("Content-Length", body.len().to_string());
            (0..70).for_each(|at| field(&format!("X-{at}"), "y".to_owned()));
            whole = false;
        }
        5 => {
            field("Content-Length", body.len().to_string());
            field("X-Long", "x".repeat(from.one(&[8000, 16_000, 17_000, 40_000])));
            whole = false;
        }
        6 => {
            field("Content-Length", body.len().to_string());
            field("Expect", "100-continue".to_owned());
        }
        7 => whole = body.is_empty(),
        _ => field("Content-Length", body.len().to_string()),
    }
    let version = if from.one_in(16) { from.one(&["HTTP/1.0", "HTTP/2.0", "HTTP/1.2", ""]) } else { "HTTP/1.1" };
    whole &= version == "HTTP/1.1" && !["CONNECT", "HEAD"].contains(&method);
    let mut bytes = format!("{method} {path} {version}\r\n").into_bytes();
    fields.iter().for_each(|(name, value)| bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes()));
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&sent);
    Request { method: method.to_owned(), path, fields, body, whole, bytes }
}
