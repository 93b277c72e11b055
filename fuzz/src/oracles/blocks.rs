//! Where blocks end: behind bytes that mean nothing a body is cut at other places, and what is in it stays the same.

use super::readers::{Read, read};
use fusewall::http::Processor;
use fusewall::http::body::BLOCK;

/// Puts so much before a body that a block ends `place` bytes into it: the same is read. Of a body with faults, or one that is too long,
/// that says nothing.
pub(super) fn end_anywhere(processor: Processor, content_type: &[u8], body: &[u8], place: usize, whole: &Read) {
    if body.is_empty() || whole.report.error || whole.is_cut() {
        return;
    }
    let place = place % (body.len() + 1);
    let Some((before, fields)) = filler(processor, body, whole, 2 * BLOCK - place % BLOCK) else { return };
    let cut = read(processor, content_type, &[&before, body].concat(), usize::MAX);
    if !cut.is_cut() {
        let same = (cut.fields.get(fields..), cut.report) == (Some(&whole.fields[..]), whole.report.clone());
        assert!(same, "a block ends at byte {place}: {:?}\ninstead of {whole:?}", cut.fields);
    }
}

/// So many bytes that may stand before a body, and the fields that they give.
fn filler(processor: Processor, body: &[u8], whole: &Read, len: usize) -> Option<(Vec<u8>, usize)> {
    Some(match processor {
        Processor::UrlEncoded => (vec![b'&'; len], 0),
        Processor::Json | Processor::Ndjson | Processor::GraphQl => (vec![b' '; len], 0),
        // Nothing stands before a byte order mark.
        Processor::Xml if body.starts_with(b"\xef\xbb\xbf") => return None,
        Processor::Xml => (format!("<!--{}-->", " ".repeat(len - 7)).into(), 0),
        Processor::Multipart => {
            let boundary = body
                .split(|&byte| byte == b'\n')
                .next()
                .filter(|line| line.ends_with(b"\r") && !line.ends_with(b"--\r"))?;
            (!whole.report.multipart.strict_error()).then_some(())?;
            let head = [boundary, b"\nContent-Disposition: form-data; name=x\r\n\r\n"].concat();
            (vec_of(&head, b"\r\n", len), 2)
        }
        // A field of NULs, which are no message.
        Processor::Protobuf => {
            let content = len - 3;
            let head = [15 << 3 | 2, 0x80 | content as u8, (content >> 7) as u8];
            (vec_of(&head, b"", len), 1)
        }
        // Each message is named by its number.
        Processor::Grpc => return None,
    })
}

/// `len` bytes that begin and end so, and NULs in between.
fn vec_of(head: &[u8], tail: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = head.to_vec();
    bytes.resize(len - tail.len(), 0);
    bytes.extend_from_slice(tail);
    bytes
}
