//! The numbers that can stop a parser, in one plain struct.

use super::coding::DecodeLimits;
use crate::limits::Limits;

/// What the parsers of one request may produce. Each number, when reached, sets a flag of the [`Report`](super::Report).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseLimits {
    /// Arguments of query and body together (`SecArgumentsLimit`).
    pub arguments: usize,
    /// Open objects and arrays of a JSON document (`SecRequestBodyJsonDepthLimit`).
    pub json_depth: usize,
    /// Open brackets of a GraphQL document.
    pub graphql_depth: usize,
    /// Messages of Protobuf inside each other.
    pub protobuf_depth: usize,
    /// What may come out of one compressed message of gRPC.
    pub message: DecodeLimits,
    /// Open elements of an XML document.
    pub xml_depth: usize,
    /// Parts of a multipart body.
    pub multipart_parts: usize,
    /// Bytes of the header block of one part.
    pub multipart_header: usize,
    /// The byte between arguments (`SecArgumentSeparator`).
    pub argument_separator: u8,
    /// Uploaded files of a multipart body (`SecUploadFileLimit`).
    pub upload_files: usize,
    /// The text of XML elements is arguments, named by path (`SecParseXmlIntoArgs`).
    pub xml_into_args: bool,
    /// All text of an XML document is one value, [`Kind::XmlText`](super::Kind::XmlText).
    pub xml_text: bool,
}

impl Default for ParseLimits {
    fn default() -> Self {
        let limits = Limits::default();
        ParseLimits {
            arguments: limits.arguments,
            json_depth: limits.json_depth,
            graphql_depth: limits.graphql_depth,
            protobuf_depth: limits.protobuf_depth,
            message: DecodeLimits {
                decoded: limits.grpc_message,
                ratio: limits.coding_ratio,
                ratio_from: limits.coding_ratio_from,
            },
            xml_depth: limits.xml_depth,
            multipart_parts: limits.multipart_parts,
            multipart_header: limits.multipart_header,
            argument_separator: b'&',
            upload_files: 100,
            xml_into_args: false,
            xml_text: true,
        }
    }
}
