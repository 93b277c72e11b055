//! Multipart bodies, and their fields.

use super::super::oracle::generate::Choices;
use super::{one, some};
use fusewall::http::Kind;

/// Pieces of contents: what may stand in one without being a boundary.
const CONTENT: &[&str] = &[
    "a",
    "value",
    "\r\n",
    "\n",
    "\r",
    "-",
    "--",
    "--X",
    "\0",
    "\u{e9}",
    "B",
    " ",
    "\t",
    "Content-Disposition: form-data",
    ":",
    "--\r\n",
    "\r\n-",
    "\r\r\n",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// Pieces of names.
const NAME: &[&str] =
    &["a", "b", "[]", " ", ";", "=", "\"", "\\", "'", "\u{e9}", "filename", ":", "%22", "x.php", "/", "C:"];

/// Headers that say nothing about names.
const HEADERS: &[&str] = &[
    "Content-Type: text/plain",
    "Content-Transfer-Encoding: binary",
    "X-A: b",
    "Content-Type:application/json; charset=utf-8",
];

/// A field as the reader gives it out.
type Field = (Kind, Vec<u8>, Vec<u8>);

/// A body whose boundary is `B`, and its fields in order.
pub fn multipart(from: &mut Choices<'_>) -> (Vec<u8>, Vec<Field>) {
    let (mut body, mut fields) = (Vec::new(), Vec::new());
    for _ in 0..1 + from.below(4) {
        part(from, &mut body, &mut fields);
    }
    body.extend_from_slice(b"--B--");
    body.extend_from_slice(one(from, &["\r\n", ""]).as_bytes());
    (body, fields)
}

fn part(from: &mut Choices<'_>, body: &mut Vec<u8>, fields: &mut Vec<Field>) {
    let name = some(from, NAME, 4);
    let file_name = from.one_in(2).then(|| some(from, NAME, 4));
    // A repeated piece makes contents that are longer than a block.
    let content = some(from, CONTENT, 6).repeat(one(from, &[1, 1, 1, 50])).replace("--B", "--C");
    let mut disposition = format!("{}: form-data", one(from, &["Content-Disposition", "content-disposition"]));
    parameter(from, "name", &name, &mut disposition);
    if let Some(file_name) = &file_name {
        parameter(from, "filename", file_name, &mut disposition);
    }
    let mut lines = vec![disposition];
    if from.one_in(2) {
        let place = from.below(2);
        lines.insert(place, one(from, HEADERS).to_owned());
    }
    body.extend_from_slice(format!("--B\r\n{}\r\n\r\n{content}\r\n", lines.join("\r\n")).as_bytes());
    let (name, content) = (name.into_bytes(), content.into_bytes());
    fields.extend(lines.into_iter().map(|line| (Kind::PartHeader, name.clone(), line.into_bytes())));
    // A part with a file name that is empty is a file to some and a field to others.
    let is_field = file_name.as_ref().is_none_or(|file_name| file_name.is_empty() && !content.is_empty());
    if let Some(file_name) = file_name {
        fields.push((Kind::File, name.clone(), file_name.into_bytes()));
        fields.push((Kind::FileContent, name.clone(), content.clone()));
    }
    if is_field {
        fields.push((Kind::ArgPost, name, content));
    }
}

/// A parameter, as a quoted string or, where it can be one, as a word.
fn parameter(from: &mut Choices<'_>, name: &str, value: &str, line: &mut String) {
    let is_word = !value.is_empty() && !value.contains([' ', ';', '"', '\'', '\\']);
    let value = match is_word && from.one_in(2) {
        true => value.to_owned(),
        false => format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\"")),
    };
    let space = one(from, &[" ", "", "  "]);
    line.push_str(&format!(";{space}{name}={value}"));
}
