//! Completes classes that the corpus has too few requests of: benign content of the same kinds and sizes, the same in
//! every run and on every machine.

mod content;
mod random;

use crate::requests::Request;
use content::Content;
use std::net::{IpAddr, Ipv4Addr};

/// Bytes of a body of the class `long64`.
const LONG: usize = 65_536;

/// Appends generated requests until there are `least`; a class that no generator knows stays as it is.
pub fn complete(class: &str, mut requests: Vec<Request>, least: usize) -> Vec<Request> {
    let make: fn(&mut Content, usize) -> Request = match class {
        "benign-json" => json,
        "benign-multipart" => multipart,
        "long64" => long,
        _ => return requests,
    };
    let missing = least.saturating_sub(requests.len());
    requests.extend((0..missing).map(|at| {
        // A seed for each request: the first n are the same however many are asked for.
        let mut request = make(&mut Content::new(at as u64), at);
        request.id = format!("{class}-generated-{at}");
        request
    }));
    requests
}

/// An API call with a list of records, 2 to 32 KB.
fn json(content: &mut Content, _: usize) -> Request {
    let uri = content.random.pick(&["/api/v1/orders", "/api/v1/events", "/api/v1/items/batch"]);
    let size = content.random.between(1_500, 31_000);
    let body = records(content, size);
    post(content, uri, "application/json", "cors", body)
}

/// A form with three fields and one or two files, 8 to 49 KB.
fn multipart(content: &mut Content, _: usize) -> Request {
    let boundary = format!("----WebKitFormBoundary{}", content.token(16));
    let mut body = Vec::new();
    let (title, description) = (content.sentence(), content.prose(100, 2_000));
    let tags = (0..content.random.between(1, 4)).map(|_| content.word()).collect::<Vec<_>>().join(",");
    for (name, value) in [("title", title), ("description", description), ("tags", tags)] {
        body.extend(
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
        );
    }
    let files = content.random.between(1, 2);
    for at in 0..files {
        let size = content.random.between(4_000, 22_000);
        let (name, media_type, bytes) = match content.random.between(0, 2) {
            0 => ("photo.jpg", "image/jpeg", content.image(size)),
            1 => ("report.csv", "text/csv", content.table(size).into_bytes()),
            _ => ("cv.txt", "text/plain", content.prose(size, size).into_bytes()),
        };
        body.extend(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"file{at}\"; filename=\"{name}\"\r\n\
                 Content-Type: {media_type}\r\n\r\n"
            )
            .bytes(),
        );
        body.extend(bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").bytes());
    post(content, "/upload", &format!("multipart/form-data; boundary={boundary}"), "navigate", body)
}

/// A body of 64 KB: in turn a form of many fields, a form of one, JSON of many values, JSON of one.
fn long(content: &mut Content, at: usize) -> Request {
    let form = "application/x-www-form-urlencoded";
    let (media_type, body) = match at % 4 {
        0 => {
            let mut body = String::new();
            for field in 0.. {
                let value = form_encode(&content.prose(150, 400));
                let pair = format!("{}field{field}={value}", if field == 0 { "" } else { "&" });
                if body.len() + pair.len() > LONG {
                    break;
                }
                body.push_str(&pair);
            }
            (form, body.into_bytes())
        }
        1 => {
            let mut body = format!("text={}", form_encode(&content.prose(LONG, LONG)));
            body.truncate(LONG);
            // Not in the middle of an escape.
            let cut = body.rfind('%').filter(|at| body.len() - at < 3).unwrap_or(body.len());
            body.truncate(cut);
            (form, body.into_bytes())
        }
        2 => ("application/json", records(content, LONG - 600)),
        _ => ("application/json", format!("{{\"text\": \"{}\"}}", content.prose(LONG - 12, LONG - 12)).into_bytes()),
    };
    post(content, "/api/import", media_type, "cors", body)
}

/// A JSON document with a list of records, of about `size` bytes.
fn records(content: &mut Content, size: usize) -> Vec<u8> {
    let mut body = String::from("{\"page\": 1, \"items\": [");
    while body.len() < size {
        if !body.ends_with('[') {
            body.push_str(", ");
        }
        body.push_str(&content.record());
    }
    body.push_str("], \"meta\": {\"client\": \"web\", \"v\": \"3.2.1\"}}");
    body.into_bytes()
}

/// Text as a form field's value: words and a little punctuation are all that there is.
fn form_encode(text: &str) -> String {
    text.replace(' ', "+").replace(',', "%2C").replace('!', "%21").replace('?', "%3F")
}

/// A POST as a browser sends it.
fn post(content: &mut Content, uri: &str, media_type: &str, mode: &str, body: Vec<u8>) -> Request {
    let host = content.random.pick(&["www.example.com", "api.example.com", "app.example.net", "shop.example.org"]);
    let headers = [
        ("Host", host.to_owned()),
        ("User-Agent", content.browser().to_owned()),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8".to_owned()),
        ("Accept-Language", content.languages().to_owned()),
        ("Accept-Encoding", "gzip, deflate, br".to_owned()),
        ("Referer", format!("https://{host}/{}/{}", content.word(), content.word())),
        ("Connection", "keep-alive".to_owned()),
        ("Sec-Fetch-Dest", if mode == "navigate" { "document" } else { "empty" }.to_owned()),
        ("Sec-Fetch-Mode", mode.to_owned()),
        ("Sec-Fetch-Site", "same-origin".to_owned()),
        ("Cookie", content.cookies()),
        ("Content-Type", media_type.to_owned()),
        ("Content-Length", body.len().to_string()),
        ("Origin", format!("https://{host}")),
    ];
    Request {
        id: String::new(),
        method: "POST".to_owned(),
        uri: uri.to_owned(),
        version: "HTTP/1.1".to_owned(),
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body,
        client: IpAddr::V4(Ipv4Addr::new(203, 0, 113, content.random.between(1, 254) as u8)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FNV-1a over everything that an engine sees.
    fn digest(requests: &[Request]) -> u64 {
        let text = requests.iter().flat_map(|request| serde_json::to_vec(request).expect("JSON"));
        text.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    #[test]
    fn the_same_requests_every_time_and_however_many() {
        for class in ["benign-json", "benign-multipart", "long64"] {
            let (few, many) = (complete(class, Vec::new(), 3), complete(class, Vec::new(), 8));
            assert_eq!(few, many[..3], "{class}");
            assert_eq!(many.len(), 8);
            assert!(many.windows(2).all(|pair| pair[0].body != pair[1].body), "{class}");
        }
    }

    #[test]
    fn a_changed_generator_is_a_changed_benchmark() {
        let digests =
            ["benign-json", "benign-multipart", "long64"].map(|class| digest(&complete(class, Vec::new(), 8)));
        assert_eq!(digests, [3_884_026_896_951_360_517, 9_804_941_070_612_214_516, 6_192_299_079_938_786_155]);
    }

    #[test]
    fn full_classes_and_unknown_ones_stay_as_they_are() {
        let own = complete("long64", Vec::new(), 4);
        assert_eq!(complete("long64", own.clone(), 4), own);
        assert!(complete("benign-small", Vec::new(), 4).is_empty());
    }

    #[test]
    fn bodies_are_what_their_headers_say() {
        for request in complete("long64", Vec::new(), 8) {
            assert!((LONG - 600..=LONG + 600).contains(&request.body.len()), "{} {}", request.id, request.body.len());
        }
        for request in complete("benign-multipart", Vec::new(), 8) {
            assert!((4_000..50_000).contains(&request.body.len()), "{} {}", request.id, request.body.len());
        }
        for class in ["benign-json", "benign-multipart", "long64"] {
            for request in complete(class, Vec::new(), 8) {
                let field = |name: &str| &request.headers.iter().find(|(n, _)| n == name).expect("the field").1;
                assert_eq!(*field("Content-Length"), request.body.len().to_string());
                match field("Content-Type").as_str() {
                    "application/json" => {
                        serde_json::from_slice::<serde_json::Value>(&request.body).expect("JSON");
                    }
                    "application/x-www-form-urlencoded" => {
                        let text = std::str::from_utf8(&request.body).expect("ASCII");
                        assert!(text.split('%').skip(1).all(|rest| ["2C", "21", "3F"].contains(&&rest[..2])));
                    }
                    multipart => {
                        let boundary = multipart.strip_prefix("multipart/form-data; boundary=").expect("multipart");
                        assert!(request.body.starts_with(format!("--{boundary}\r\n").as_bytes()));
                        assert!(request.body.ends_with(format!("\r\n--{boundary}--\r\n").as_bytes()));
                    }
                }
            }
        }
    }
}
