//! I5: multipart bodies that recipients cut up in different ways, the odd part at each place.

use crate::attempt::{ATTACK, Attempt, Expected, MULTIPART, Whom, field, post};
use crate::row::Row;
use std::sync::LazyLock;

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    Row::of(
        "I5",
        "multipart: boundaries, line ends, headers, names, file names, codings, parts in parts; the odd part at each place",
        attempts(),
    )
});

/// Parts with something odd about them, `@` standing for the attack.
const PARTS: &[(&str, Expected)] = &[
    // Names.
    ("Content-Disposition: form-data; name=\"@\"\r\n\r\nv", Expected::Found),
    ("Content-Disposition: form-data; name=q\r\n\r\n@", Expected::Found),
    ("Content-Disposition: form-data; name=\"q\"; name=\"p\"\r\n\r\n@", Expected::FoundAndRefused),
    ("Content-Disposition: form-data; name=\"q\"; name=\"attack\"\r\n\r\nv", Expected::FoundAndRefused),
    ("Content-Disposition: form-data\r\n\r\n@", Expected::FoundAndRefused),
    ("Content-Disposition: form-data; name=\"\"\r\n\r\n@", Expected::Found),
    ("Content-Disposition: form-data; name=\"q\\\"x\"\r\n\r\n@", Expected::Found),
    ("Content-Disposition: form-data; name='q'\r\n\r\n@", Expected::FoundAndRefused),
    ("Content-Disposition: form-data; name=\"q\r\n\r\n@", Expected::FoundAndRefused),
    ("Content-Disposition: form-data; name=\"q\"x\r\n\r\n@", Expected::FoundAndRefused),
    ("Content-Disposition: form-data; name=\"q\" \"p\"\r\n\r\n@", Expected::FoundAndRefused),
    ("Content-Disposition: form-data; name*=utf-8''attack\r\n\r\nv", Expected::FoundAndRefused),
    ("Content-Disposition: form-data; name*0=att; name*1=ack\r\n\r\n@", Expected::FoundAndRefused),
    // The header.
    ("content-disposition:form-data;name=\"q\"\r\n\r\n@", Expected::Found),
    ("Content-Disposition : form-data; name=\"q\"\r\n\r\n@", Expected::FoundAndRefused),
    ("Content-Disposition: attachment; name=\"q\"\r\n\r\n@", Expected::FoundAndRefused),
    ("Content-Disposition: form-data name=\"q\"\r\n\r\n@", Expected::FoundAndRefused),
    ("Content-Disposition: form-data;\r\n name=\"q\"\r\n\r\n@", Expected::FoundAndRefused),
    ("Content-Disposition: form-data;\r\n\x0bname=\"q\"\r\n\r\n@", Expected::FoundAndRefused),
    ("X: y\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n@", Expected::Found),
    (
        "Content-Disposition: form-data; name=\"q\"\r\nContent-Disposition: form-data; name=\"p\"; filename=\"x\"\r\n\r\n@",
        Expected::FoundAndRefused,
    ),
    ("Content-Type: text/plain\r\n\r\n@", Expected::FoundAndRefused),
    ("\r\n@", Expected::FoundAndRefused),
    ("X\r\n\r\n@", Expected::FoundAndRefused),
    (": x\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n@", Expected::FoundAndRefused),
    ("\0: x\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n@", Expected::FoundAndRefused),
    ("X: a\rb\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n@", Expected::FoundAndRefused),
    (" X: y\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n@", Expected::FoundAndRefused),
    // Line ends.
    ("Content-Disposition: form-data; name=\"q\"\n\n@", Expected::FoundAndRefused),
    ("Content-Disposition: form-data; name=\"q\"\r\n\n@", Expected::FoundAndRefused),
    ("Content-Disposition: form-data; name=\"q\"\r\r\n\r\n@", Expected::FoundAndRefused),
    ("Content-Disposition: form-data; name=\"q\"\r\rx\r\n\r\n@", Expected::FoundAndRefused),
    // File names.
    ("Content-Disposition: form-data; name=\"f\"; filename=\"@\"\r\n\r\nv", Expected::Found),
    ("Content-Disposition: form-data; name=\"f\"; filename=attack\r\n\r\nv", Expected::Found),
    ("Content-Disposition: form-data; name=\"f\"; filename*=UTF-8''%61ttack\r\n\r\nv", Expected::Found),
    (
        "Content-Disposition: form-data; name=\"f\"; filename=\"x\"; filename*=UTF-8''attack.php\r\n\r\nv",
        Expected::Found,
    ),
    (
        "Content-Disposition: form-data; name=\"f\"; filename=\"x\"; filename=\"attack\"\r\n\r\nv",
        Expected::FoundAndRefused,
    ),
    ("Content-Disposition: form-data; name=\"f\"; filename*0=\"att\"; filename*1=\"ack\"\r\n\r\nv", Expected::Refused),
    ("Content-Disposition: form-data; name=\"f\"; filename=\"x\0attack\"\r\n\r\nv", Expected::FoundAndRefused),
    ("Content-Disposition: form-data; name=\"f\"; filename=\"x\\\"; filename=\\\"attack\"\r\n\r\nv", Expected::Found),
    // A form field to Go, a file to others.
    ("Content-Disposition: form-data; name=\"q\"; filename=\"\"\r\n\r\n@", Expected::Found),
    ("Content-Disposition: form-data; name=\"q\"; filename=\r\n\r\n@", Expected::Found),
    ("Content-Disposition: form-data; name=\"q\"; filename*=utf-8''\r\n\r\n@", Expected::Found),
    // What only some recipients undo.
    (
        "Content-Disposition: form-data; name=\"q\"\r\nContent-Transfer-Encoding: base64\r\n\r\nYXR0YWNr",
        Expected::Flagged,
    ),
    (
        "Content-Disposition: form-data; name=\"q\"\r\ncontent-transfer-encoding : quoted-printable\r\n\r\n=61ttack",
        Expected::Refused,
    ),
    (
        "Content-Disposition: form-data; name=\"q\"\r\nContent-Type: text/plain; charset=utf-7\r\n\r\n+ADw-script+AD4-",
        Expected::Flagged,
    ),
    (
        "Content-Disposition: form-data; name=\"q\"\r\nContent-Type: text/plain;\r\n charset=ibm037\r\n\r\nx",
        Expected::Refused,
    ),
    ("Content-Disposition: form-data; name=\"q\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n@", Expected::Found),
    (
        "Content-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\nContent-Type: multipart/mixed; boundary=C\r\n\r\n--C\r\n\
         Content-Disposition: form-data; name=\"q\"\r\n\r\n@\r\n--C--",
        Expected::Refused,
    ),
    // A boundary to recipients that take a CR for a line end, inside of what is a picture to others.
    (
        "Content-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\n\r\nx\r--B\r\n\
         Content-Disposition: form-data; name=\"q\"\r\n\r\n@\r--B--",
        Expected::Refused,
    ),
    // Lines that nearly are boundaries.
    (
        "Content-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; name=q\r\n\r\n@",
        Expected::Refused,
    ),
    (
        "Content-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\n\r\nx\r\n --B\r\nContent-Disposition: form-data; name=q\r\n\r\n@",
        Expected::Refused,
    ),
    (
        "Content-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\n\r\nx\r\n--Bx\r\nContent-Disposition: form-data; name=q\r\n\r\n@",
        Expected::Refused,
    ),
    (
        "Content-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\n\r\nx\r\n--B \r\nContent-Disposition: form-data; name=q\r\n\r\n@",
        Expected::FoundAndRefused,
    ),
    (
        "Content-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\n\r\nx\n--B\r\nContent-Disposition: form-data; name=q\r\n\r\n@",
        Expected::Found,
    ),
    // Harmless.
    ("Content-Disposition: form-data; name=\"q\"\r\n\r\na\r\nb--c\r", Expected::Nothing),
    (
        "Content-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: binary\r\n\r\n\u{1}\r\n\0",
        Expected::Nothing,
    ),
    (
        "Content-Disposition: form-data; name=\"f\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n",
        Expected::Nothing,
    ),
];

/// Boundary parameters of a body whose boundary is `B`, and whether the body can be read as it was meant.
const PARAMETERS: &[(&str, Expected)] = &[
    ("; boundary=B", Expected::Found),
    (";boundary=B", Expected::Found),
    ("; charset=utf-8; boundary=B", Expected::Found),
    ("; boundary=B; charset=utf-16", Expected::Flagged),
    ("; boundary=\"B\"", Expected::FoundAndRefused),
    ("; boundary= B", Expected::FoundAndRefused),
    ("; boundary =B", Expected::FoundAndRefused),
    ("; boundary=B ", Expected::FoundAndRefused),
    (" boundary=B", Expected::FoundAndRefused),
    (", boundary=B", Expected::FoundAndRefused),
    ("; BOUNDARY=B", Expected::FoundAndRefused),
    ("; boundary=B; boundary=C", Expected::FoundAndRefused),
    ("; boundary=C; boundary=B", Expected::Refused),
    ("; x=\"; boundary=C\"; boundary=B", Expected::Refused),
    ("; boundary=\"B", Expected::FoundAndRefused),
    ("; boundary=B\"", Expected::Refused),
    ("; boundary='B'", Expected::Refused),
    ("; boundary*=utf-8''B", Expected::Refused),
    ("; boundary*0=B", Expected::Refused),
    ("; boundary=B,x", Expected::Refused),
    ("; boundary=B x", Expected::Refused),
    ("; boundary=b", Expected::Refused),
    ("; boundary=\"\\B\"", Expected::Refused),
    ("; boundary=%42", Expected::Refused),
    ("; boundary=", Expected::Refused),
    ("; boundary", Expected::Refused),
    ("", Expected::Refused),
];

fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for (part, expected) in PARTS {
        let whom = match part {
            part if part.contains("filename=\"@") => Whom::ButCrs,
            part if part.contains("ttack") && !part.contains('@') => Whom::HandWritten,
            _ => Whom::All,
        };
        let part = part.replace('@', ATTACK);
        for count in [1, 2, 5] {
            for place in 0..count {
                let parts: String = (0..count)
                    .map(|at| if at == place { format!("--B\r\n{part}\r\n") } else { field(&format!("a{at}"), "v") })
                    .collect();
                let what = format!("part {place} of {count}: {part:?}");
                attempts.push(Attempt::new(what, post(MULTIPART, parts + "--B--\r\n"), *expected).to(whom));
            }
        }
    }
    let body = field("a", "1") + &field("q", ATTACK) + "--B--\r\n";
    for (parameter, expected) in PARAMETERS {
        for media_type in ["multipart/form-data", "Multipart/Form-Data"] {
            let content_type = format!("{media_type}{parameter}");
            attempts.push(Attempt::new(content_type.clone(), post(&content_type, body.as_bytes()), *expected));
        }
    }
    // What stands around the parts.
    let attack = field("q", ATTACK);
    for (what, body, expected) in [
        ("no final boundary", format!("{}{attack}", field("a", "1")), Expected::FoundAndRefused),
        ("a final boundary cut short", format!("{attack}--B-"), Expected::FoundAndRefused),
        ("no line end at the end", format!("{attack}--B--"), Expected::Found),
        ("LF alone", attack.replace("\r\n", "\n") + "--B--\n", Expected::FoundAndRefused),
        ("CR alone", attack.replace("\r\n", "\r") + "--B--\r", Expected::Refused),
        ("a preamble", format!("{ATTACK}\r\n{}--B--\r\n", field("a", "1")), Expected::Refused),
        ("a preamble that is a part", format!("{attack}--B--\r\n").replacen("--B", "--C", 1), Expected::Refused),
        ("an epilogue", format!("{}--B--\r\n{ATTACK}", field("a", "1")), Expected::Refused),
        ("an epilogue that is a body", format!("{}--B--\r\n{attack}--B--\r\n", field("a", "1")), Expected::Refused),
        (
            "a part behind a final boundary with junk",
            format!("{}--B--x\r\n{attack}--B--\r\n", field("a", "1")),
            Expected::Refused,
        ),
        ("headers that do not end", format!("--B\r\nX: {ATTACK}\r\n--B--\r\n"), Expected::Refused),
        (
            "headers too long",
            format!("--B\r\nX: {}\r\n{}", "x".repeat(20_000), attack.replacen("--B\r\n", "", 1)) + "--B--\r\n",
            Expected::FoundAndRefused,
        ),
        (
            "too many headers",
            format!("--B\r\n{}{}", "X: y\r\n".repeat(50), attack.replacen("--B\r\n", "", 1)) + "--B--\r\n",
            Expected::FoundAndRefused,
        ),
        ("no part at all", ATTACK.to_owned(), Expected::Refused),
        ("nothing but boundaries", "--B\r\n".repeat(100) + "--B--", Expected::Refused),
    ] {
        attempts.push(Attempt::new(what, post(MULTIPART, body), expected));
    }
    // Boundaries that recipients end at a comma or a blank, around parts hidden in what is a picture to us.
    for boundary in ["B,x", "B x", "B\tx"] {
        let hidden = format!("--B\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n{ATTACK}\r\n--B--");
        let body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\n\r\n{hidden}\r\n--{boundary}--\r\n"
        );
        let content_type = format!("multipart/form-data; boundary={boundary}");
        attempts.push(Attempt::new(content_type.clone(), post(&content_type, body), Expected::Refused));
    }
    for count in [1000, 1001, 10_000] {
        for place in [0, count / 2, count - 1] {
            let files: String = (0..count)
                .map(|at| {
                    let name = if at == place { "attack.php" } else { "a.jpg" };
                    format!(
                        "--B\r\nContent-Disposition: form-data; name=\"f{at}\"; filename=\"{name}\"\r\n\r\n{at}\r\n"
                    )
                })
                .collect();
            // More than 100 files are refused, and read all the same.
            let expected = if place < 1000 { Expected::FoundAndRefused } else { Expected::Refused };
            attempts.push(Attempt::new(
                format!("{count} files, the odd one at {place}"),
                post(MULTIPART, files + "--B--\r\n"),
                expected,
            ));
        }
    }
    attempts
}

#[test]
fn every_part_is_inspected_or_the_body_refused() {
    ROW.assert();
}
