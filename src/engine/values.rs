//! The values that rules can look at: scalars, and the members of collections by kind.

use super::buffers::Cell;
use super::memory::Slice;
use crate::http::{Bytes, Field, Fields, Kind};
use crate::rule::Variable;

/// A list of fields that one or more variables show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Args,
    ArgsGet,
    ArgsPost,
    Cookies,
    RequestHeaders,
    ResponseHeaders,
    Files,
    FileContents,
    FileSizes,
    FileTmpNames,
    PartHeaders,
    XmlText,
    XmlAttributes,
}

const GROUPS: usize = Group::XmlAttributes as usize + 1;

/// Which half of a field a variable shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Value,
    Name,
}

impl Part {
    pub(super) fn cell(self, field: u32) -> Cell {
        match self {
            Part::Value => Cell::Value(field),
            Part::Name => Cell::Name(field),
        }
    }

    pub(super) fn of(self, field: &Field) -> Bytes {
        match self {
            Part::Value => field.value,
            Part::Name => field.name,
        }
    }
}

/// What a variable shows of the fields; `None` for scalars and for what rules write.
pub(super) fn shows(variable: Variable) -> Option<(Group, Part)> {
    Some(match variable {
        Variable::Args => (Group::Args, Part::Value),
        Variable::ArgsNames => (Group::Args, Part::Name),
        Variable::ArgsGet => (Group::ArgsGet, Part::Value),
        Variable::ArgsGetNames => (Group::ArgsGet, Part::Name),
        Variable::ArgsPost => (Group::ArgsPost, Part::Value),
        Variable::ArgsPostNames => (Group::ArgsPost, Part::Name),
        Variable::RequestCookies => (Group::Cookies, Part::Value),
        Variable::RequestCookiesNames => (Group::Cookies, Part::Name),
        Variable::RequestHeaders => (Group::RequestHeaders, Part::Value),
        Variable::RequestHeadersNames => (Group::RequestHeaders, Part::Name),
        Variable::ResponseHeaders => (Group::ResponseHeaders, Part::Value),
        Variable::ResponseHeadersNames => (Group::ResponseHeaders, Part::Name),
        Variable::Files | Variable::MultipartFilename => (Group::Files, Part::Value),
        Variable::FilesNames | Variable::MultipartName => (Group::Files, Part::Name),
        Variable::FilesTmpContent => (Group::FileContents, Part::Value),
        Variable::FilesTmpNames => (Group::FileTmpNames, Part::Value),
        Variable::FilesSizes => (Group::FileSizes, Part::Value),
        Variable::MultipartPartHeaders => (Group::PartHeaders, Part::Value),
        Variable::Xml => (Group::XmlText, Part::Value),
        Variable::XmlAttributes => (Group::XmlAttributes, Part::Value),
        _ => return None,
    })
}

/// Length, first and last byte of a name without regard to letter case: equal names have equal tags.
pub(super) fn tag(name: &[u8]) -> u32 {
    let end = |byte: Option<&u8>| u32::from(byte.copied().unwrap_or_default().to_ascii_lowercase());
    (name.len() as u32) << 16 | end(name.first()) << 8 | end(name.last())
}

/// Scalars and members.
#[derive(Debug, Default)]
pub(super) struct Values {
    scalars: Vec<Option<Slice>>,
    groups: [Vec<u32>; GROUPS],
    /// For each entry of the groups: the tag of its name.
    tags: [Vec<u32>; GROUPS],
    indexed: usize,
}

impl Values {
    pub(super) fn clear(&mut self) {
        self.scalars.clear();
        self.scalars.resize(Variable::ALL.len(), None);
        self.groups.iter_mut().chain(&mut self.tags).for_each(Vec::clear);
        self.indexed = 0;
    }

    /// Gives back what is not in use beyond about `bytes` for each list.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        self.groups.iter_mut().chain(&mut self.tags).for_each(|list| list.shrink_to(bytes / size_of::<u32>()));
    }

    pub(super) fn set(&mut self, variable: Variable, slice: Slice) {
        if let Some(place) = self.scalars.get_mut(variable as usize) {
            *place = Some(slice);
        }
    }

    pub(super) fn scalar(&self, variable: Variable) -> Option<Slice> {
        self.scalars.get(variable as usize).copied().flatten()
    }

    pub(super) fn members(&self, group: Group) -> &[u32] {
        self.groups.get(group as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// The tags of their names.
    pub(super) fn tags(&self, group: Group) -> &[u32] {
        self.tags.get(group as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes in the fields that have come since the last call.
    pub(super) fn index(&mut self, fields: &Fields) {
        for (at, field) in fields.items().iter().enumerate().skip(self.indexed) {
            let (group, also) = match field.kind {
                Kind::ArgGet => (Group::ArgsGet, Some(Group::Args)),
                Kind::ArgPost => (Group::ArgsPost, Some(Group::Args)),
                Kind::Cookie => (Group::Cookies, None),
                Kind::RequestHeader => (Group::RequestHeaders, None),
                Kind::ResponseHeader => (Group::ResponseHeaders, None),
                Kind::File => (Group::Files, None),
                Kind::FileContent => (Group::FileContents, None),
                Kind::FileSize => (Group::FileSizes, None),
                Kind::FileTmpName => (Group::FileTmpNames, None),
                Kind::PartHeader => (Group::PartHeaders, None),
                Kind::XmlText => (Group::XmlText, None),
                Kind::XmlAttribute => (Group::XmlAttributes, None),
            };
            let tag = tag(fields.bytes(field.name));
            for group in [Some(group), also].into_iter().flatten() {
                if let Some(list) = self.groups.get_mut(group as usize) {
                    list.push(at as u32);
                }
                if let Some(tags) = self.tags.get_mut(group as usize) {
                    tags.push(tag);
                }
            }
        }
        self.indexed = fields.items().len();
    }
}
