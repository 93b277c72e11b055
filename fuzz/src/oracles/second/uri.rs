//! Request targets.

/// The pieces of a target, each byte of it a character.
#[derive(Debug, PartialEq, Eq)]
pub struct Pieces {
    pub uri: String,
    pub path: String,
    pub query: String,
    pub fragment: String,
    pub has_query: bool,
    pub basename: String,
}

/// Each byte as a character.
pub fn characters(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// Splits a target.
pub fn split(target: &[u8]) -> Pieces {
    let target = characters(target);
    let (whole, fragment) = target.split_once('#').unwrap_or((&target, ""));
    let uri = match whole.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => rest.find(['/', '?', '\\']).map_or("", |at| &rest[at..]),
        _ => whole,
    };
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    Pieces {
        uri: uri.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        fragment: fragment.to_owned(),
        has_query: uri.contains('?'),
        basename: path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned(),
    }
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character))
}
