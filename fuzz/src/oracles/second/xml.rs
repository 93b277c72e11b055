//! XML, as quick-xml reads it.

use super::Pair;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// What is in a document: its attributes and instructions, and its text.
#[derive(Debug, PartialEq, Eq)]
pub struct Document {
    pub attributes: Vec<Pair>,
    pub text: Vec<u8>,
}

/// Reads a document. `None` if it is none, or if it has what is read elsewhere: a document type, entities of its own, a
/// declaration that says more than version and encoding.
pub fn document(body: &[u8]) -> Option<Document> {
    // XML 1.0, section 2.11.
    let body = std::str::from_utf8(body).ok()?.replace("\r\n", "\n").replace('\r', "\n");
    let body = body.strip_prefix('\u{feff}').unwrap_or(&body);
    let mut reader = Reader::from_str(body);
    reader.config_mut().enable_all_checks(true);
    let (mut found, mut depth, mut elements) = (Document { attributes: Vec::new(), text: Vec::new() }, 0usize, 0);
    loop {
        let before = found.text.len();
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                attributes(&tag, &mut found.attributes)?;
                (depth, elements) = (depth + 1, elements + usize::from(depth == 0));
            }
            Event::Empty(tag) => {
                attributes(&tag, &mut found.attributes)?;
                elements += usize::from(depth == 0);
            }
            Event::End(_) => depth = depth.checked_sub(1)?,
            Event::Text(text) => found.text.extend_from_slice(text.as_bytes()),
            Event::CData(text) => found.text.extend_from_slice(text.as_bytes()),
            Event::GeneralRef(reference) => {
                let text = format!("&{};", &*reference);
                found.text.extend_from_slice(quick_xml::escape::unescape(&text).ok()?.as_bytes());
            }
            Event::PI(instruction) => {
                let (target, data) = (instruction.target(), instruction.content());
                found.attributes.push((target.into(), data.as_bytes().trim_ascii().to_vec()));
            }
            Event::Comment(_) => {}
            Event::Decl(declaration) => {
                let encoding = declaration.encoding().map(|name| name.ok()).unwrap_or(Some("utf-8".into()))?;
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" \t\n._-='\"".contains(&byte);
                (encoding.eq_ignore_ascii_case("utf-8") && declaration.bytes().all(plain)).then_some(())?;
            }
            Event::DocType(_) => return None,
            Event::Eof => break,
        }
        // Nothing but white space stands outside of the root element.
        let outside = depth == 0 && !found.text[before..].trim_ascii().is_empty();
        (!outside).then_some(())?;
    }
    (depth == 0 && elements == 1).then_some(found)
}

/// The attributes of a tag, but for namespaces whose names are addresses.
fn attributes(tag: &BytesStart<'_>, found: &mut Vec<Pair>) -> Option<()> {
    for attribute in tag.attributes() {
        let attribute = attribute.ok()?;
        let name = attribute.key.as_ref().to_owned();
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
        let address = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
        let declares = (name == "xmlns" || name.starts_with("xmlns:")) && value.bytes().all(address);
        if !declares {
            found.push((name.into(), value.as_bytes().to_vec()));
        }
    }
    Some(())
}
