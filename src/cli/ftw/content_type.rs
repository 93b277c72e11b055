//! The media type of a body, as the WHATWG MIME Sniffing Standard tells it and Go's servers do when none is given.

/// Tags that make a document HTML when a space or `>` follows (section 7.1 of the standard).
const HTML_TAGS: [&str; 16] = [
    "<!DOCTYPE HTML",
    "<HTML",
    "<HEAD",
    "<SCRIPT",
    "<IFRAME",
    "<H1",
    "<DIV",
    "<FONT",
    "<TABLE",
    "<A",
    "<STYLE",
    "<TITLE",
    "<B",
    "<BODY",
    "<BR",
    "<P",
];

/// First bytes that settle the type.
const SIGNATURES: [(&[u8], &str); 15] = [
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"\xfe\xff", "text/plain; charset=utf-16be"),
    (b"\xff\xfe", "text/plain; charset=utf-16le"),
    (b"\xef\xbb\xbf", "text/plain; charset=utf-8"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"BM", "image/bmp"),
    (b"OggS\0", "application/ogg"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"Rar!\x1a\x07", "application/x-rar-compressed"),
    (b"\0asm", "application/wasm"),
];

/// The type of a body by its first 512 bytes.
pub(super) fn sniff(body: &[u8]) -> &'static str {
    let body = &body[..body.len().min(512)];
    let blank = |byte: &u8| b"\t\n\x0c\r ".contains(byte);
    let text = &body[body.iter().position(|byte| !blank(byte)).unwrap_or(body.len())..];
    let is_tag = |tag: &str| {
        let (start, next) = (text.get(..tag.len()), text.get(tag.len()));
        start.is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes())) && matches!(next, Some(b' ' | b'>'))
    };
    if HTML_TAGS.iter().any(|tag| is_tag(tag)) || text.starts_with(b"<!--") {
        return "text/html; charset=utf-8";
    }
    if text.starts_with(b"<?xml") {
        return "text/xml; charset=utf-8";
    }
    if let Some((_, media_type)) = SIGNATURES.iter().find(|(signature, _)| body.starts_with(signature)) {
        return media_type;
    }
    let is_binary = |byte: &u8| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    if body.iter().any(is_binary) { "application/octet-stream" } else { "text/plain; charset=utf-8" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_their_first_bytes() {
        for (body, media_type) in [
            (&b"hello"[..], "text/plain; charset=utf-8"),
            (b"<?php echo 1 ?>", "text/plain; charset=utf-8"),
            (b"\n <!doctype html>", "text/html; charset=utf-8"),
            (b"<b>x</b>", "text/html; charset=utf-8"),
            (b"<blink>", "text/plain; charset=utf-8"),
            (b"<html", "text/plain; charset=utf-8"),
            (b"<!-- x", "text/html; charset=utf-8"),
            (b"<?xml version", "text/xml; charset=utf-8"),
            (b"\x1f\x8b\x08\0", "application/x-gzip"),
            (b"a\0b", "application/octet-stream"),
        ] {
            assert_eq!(sniff(body), media_type, "{}", body.escape_ascii());
        }
    }
}
