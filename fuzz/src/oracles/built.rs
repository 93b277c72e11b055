//! Bodies that are made together with what is in them: exactly that is found.

use super::super::generators;
use super::super::oracle::generate::Choices;
use super::readers::arrives;
use fusewall::http::{Kind, Processor};

/// The size of pieces, by the first byte, and what decides about the body.
fn piece_and_choices(data: &[u8]) -> (usize, Choices<'_>) {
    let (piece, choices) = data.split_at(data.len().min(1));
    (1 + piece.iter().map(|&byte| usize::from(byte) * 19).sum::<usize>(), Choices(choices))
}

/// A multipart body of parts without fault.
pub fn multipart_built(data: &[u8]) {
    let (piece, mut choices) = piece_and_choices(data);
    let (body, fields) = generators::multipart(&mut choices);
    let read = arrives(Processor::Multipart, b"multipart/form-data; boundary=B", &body, piece);
    assert_eq!(read.fields, fields, "{}", body.escape_ascii());
    assert!(!read.report.error, "{}: {}", read.report.error_message, body.escape_ascii());
    assert!(!read.report.multipart.strict_error(), "{:?}: {}", read.report.multipart, body.escape_ascii());
    let sizes = fields.iter().filter(|field| field.0 == Kind::FileContent).map(|field| field.2.len() as u64);
    assert_eq!(read.report.files_combined_size, sizes.sum::<u64>());
}

/// A GraphQL document that is one.
pub fn graphql_built(data: &[u8]) {
    let (piece, mut choices) = piece_and_choices(data);
    let (document, leaves) = generators::graphql(&mut choices);
    let read = arrives(Processor::GraphQl, b"application/graphql", document.as_bytes(), piece);
    if read.report.arguments_exceeded {
        return;
    }
    let leaves: Vec<_> =
        leaves.into_iter().map(|(name, value)| (Kind::ArgPost, name.into_bytes(), value.into_bytes())).collect();
    assert_eq!(read.fields, leaves, "{document}");
    assert!(!read.report.error, "{}: {document}", read.report.error_message);
}
