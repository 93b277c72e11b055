//! What messages look like: descriptor sets, as `protoc --descriptor_set_out --include_imports` writes them.
//!
//! A set is a Protobuf message itself (`google/protobuf/descriptor.proto`): files with message types, which have fields and types
//! inside them, and services with methods. Of all that is kept what names the leaves of a body: the fields of each type, and the
//! type that each method takes.

use super::wire::{Varint, varint};
use std::collections::HashMap;
use std::sync::Arc;

/// Types of all sets together, more than any site has.
const MOST_TYPES: usize = 50_000;
/// Fields of all types together.
const MOST_FIELDS: usize = 500_000;
/// Bytes of a type's full name, and of a field's.
const MOST_NAME: usize = 512;
const MOST_FIELD_NAME: usize = 128;

/// A name, as sets write it.
type Name = Box<[u8]>;

/// A message type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TypeId(u32);

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A number of variable length.
    Varint,
    /// A number of so many bytes.
    Fixed(usize),
    /// Text.
    String,
    /// Bytes of any kind, messages of types that are not said here among them.
    Bytes,
    /// A message; `None`: of a type that no set has.
    Message(Option<TypeId>),
    /// A group, likewise.
    Group(Option<TypeId>),
}

#[derive(Debug, PartialEq, Eq)]
struct Field {
    number: u32,
    name: Name,
    shape: Shape,
}

/// The descriptions of messages.
///
/// ```
/// use fusewall::http::Descriptors;
/// // A file with the message type `Note`, whose field 1 is the string `text`.
/// let set = b"\x0a\x14\x22\x12\x0a\x04Note\x12\x0a\x0a\x04text\x18\x01\x28\x09";
/// let descriptors = Descriptors::parse([&set[..]]).expect("a descriptor set");
/// assert_eq!(descriptors.types(), 1);
/// assert!(Descriptors::parse([&b"no set"[..]]).is_err());
/// ```
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Descriptors {
    /// The fields of each type by number.
    types: Vec<Box<[Field]>>,
    /// Full names without a dot before them.
    names: HashMap<Name, TypeId>,
    /// `/package.Service/Method`, and the type that it takes.
    methods: HashMap<Name, TypeId>,
}

/// Why bytes are no descriptor set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptorError {
    /// They are no Protobuf message, or one inside them is none.
    #[error("this is no descriptor set: {0} is no message")]
    Broken(&'static str),
    /// A name is none that a .proto file can have.
    #[error("a {0} has an odd name: `{1}`")]
    Name(&'static str, String),
    /// There is more than memory should be spent on.
    #[error("more than {1} {0}")]
    TooMany(&'static str, usize),
}

/// A message whose type is known.
#[derive(Debug, Clone)]
pub struct Described {
    descriptors: Arc<Descriptors>,
    message: TypeId,
    certain: bool,
}

impl Described {
    pub(super) fn message(&self) -> TypeId {
        self.message
    }

    /// Whether the recipient reads the message as that type, so that other readings need not be feared.
    pub(super) fn certain(&self) -> bool {
        self.certain
    }

    /// The name of a field, and what it holds.
    pub(super) fn field(&self, of: TypeId, number: u32) -> Option<(&[u8], Shape)> {
        let fields = self.descriptors.types.get(of.0 as usize)?;
        let at = fields.binary_search_by_key(&number, |field| field.number).ok()?;
        fields.get(at).map(|field| (&*field.name, field.shape))
    }
}

impl Descriptors {
    /// Reads descriptor sets. Of types and methods that stand twice the first counts.
    ///
    /// # Errors
    /// [`DescriptorError`]: what is wrong with the first set that is none.
    pub fn parse<'a>(sets: impl IntoIterator<Item = &'a [u8]>) -> Result<Descriptors, DescriptorError> {
        let mut draft = Draft::default();
        for set in sets {
            draft.set(set)?;
        }
        Ok(draft.finish())
    }

    /// How many message types there are.
    pub fn types(&self) -> usize {
        self.types.len()
    }

    /// The message that a gRPC request with this path has, if the path is `/package.Service/Method`, exactly. Whoever serves the
    /// method reads the message as that type.
    pub fn of_path(self: &Arc<Self>, path: &[u8]) -> Option<Described> {
        let message = *self.methods.get(path)?;
        Some(Described { descriptors: Arc::clone(self), message, certain: true })
    }

    /// The message that a Content-Type names: the first parameter `messageType`, `type` or `proto` whose value is a type. The sender
    /// has chosen it: it gives names, and is believed in nothing else.
    pub fn of_content_type(self: &Arc<Self>, content_type: &[u8]) -> Option<Described> {
        let mut parameters = content_type.split(|&byte| byte == b';').skip(1);
        let message = parameters.find_map(|parameter| {
            let (name, value) = parameter.split_at_checked(memchr::memchr(b'=', parameter)?)?;
            let name = name.trim_ascii();
            let known = [&b"messagetype"[..], b"type", b"proto"].iter().any(|own| own.eq_ignore_ascii_case(name));
            let value = value.get(1..)?.trim_ascii();
            let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
            self.names.get(value.strip_prefix(b".").unwrap_or(value)).copied().filter(|_| known)
        })?;
        Some(Described { descriptors: Arc::clone(self), message, certain: false })
    }
}

/// A field whose type is not looked up yet.
struct DraftField {
    number: u32,
    name: Name,
    /// `FieldDescriptorProto.Type`.
    kind: u64,
    type_name: Name,
}

#[derive(Default)]
struct Draft {
    types: Vec<Vec<DraftField>>,
    names: HashMap<Name, TypeId>,
    methods: Vec<(Name, Name)>,
    fields: usize,
}

impl Draft {
    /// `FileDescriptorSet`: files are field 1.
    fn set(&mut self, set: &[u8]) -> Result<(), DescriptorError> {
        read(set, "the set", |number, value| match (number, value) {
            (1, Value::Bytes(file)) => self.file(file),
            _ => Ok(()),
        })
    }

    /// `FileDescriptorProto`: package 2, messages 4, services 6.
    fn file(&mut self, file: &[u8]) -> Result<(), DescriptorError> {
        let mut package: &[u8] = b"";
        let (mut messages, mut services) = (Vec::new(), Vec::new());
        read(file, "a file", |number, value| {
            match (number, value) {
                (2, Value::Bytes(name)) => package = name,
                (4, Value::Bytes(message)) => messages.push(message),
                (6, Value::Bytes(service)) => services.push(service),
                _ => {}
            }
            Ok(())
        })?;
        check_name("package", package, MOST_NAME, true)?;
        let mut open: Vec<(Name, &[u8])> = messages.into_iter().map(|message| (package.into(), message)).collect();
        while let Some((scope, message)) = open.pop() {
            let (name, inner) = self.message(&scope, message)?;
            open.extend(inner.into_iter().map(|message| (name.clone(), message)));
        }
        services.into_iter().try_for_each(|service| self.service(package, service))
    }

    /// `DescriptorProto`: name 1, fields 2, types inside it 3. Answers its full name and those types.
    fn message<'a>(&mut self, scope: &[u8], message: &'a [u8]) -> Result<(Name, Vec<&'a [u8]>), DescriptorError> {
        let mut name: &[u8] = b"";
        let (mut fields, mut inner) = (Vec::new(), Vec::new());
        read(message, "a message type", |number, value| {
            match (number, value) {
                (1, Value::Bytes(own)) => name = own,
                (2, Value::Bytes(field)) => fields.push(field),
                (3, Value::Bytes(message)) => inner.push(message),
                _ => {}
            }
            Ok(())
        })?;
        check_name("message type", name, MOST_NAME, false)?;
        let full = join(scope, name);
        check_name("message type", &full, MOST_NAME, true)?;
        self.fields += fields.len();
        if self.types.len() >= MOST_TYPES {
            return Err(DescriptorError::TooMany("message types", MOST_TYPES));
        }
        if self.fields > MOST_FIELDS {
            return Err(DescriptorError::TooMany("fields", MOST_FIELDS));
        }
        let mut own = fields.into_iter().map(field).collect::<Result<Vec<_>, _>>()?;
        own.sort_by_key(|field| field.number);
        own.dedup_by_key(|field| field.number);
        if !self.names.contains_key(&full) {
            self.names.insert(full.clone(), TypeId(self.types.len() as u32));
            self.types.push(own);
        }
        Ok((full, inner))
    }

    /// `ServiceDescriptorProto`: name 1, methods 2; of each its name 1 and the type that it takes 2.
    fn service(&mut self, package: &[u8], service: &[u8]) -> Result<(), DescriptorError> {
        let mut name: &[u8] = b"";
        let mut methods = Vec::new();
        read(service, "a service", |number, value| {
            match (number, value) {
                (1, Value::Bytes(own)) => name = own,
                (2, Value::Bytes(method)) => methods.push(method),
                _ => {}
            }
            Ok(())
        })?;
        check_name("service", name, MOST_NAME, false)?;
        for method in methods {
            let (mut own, mut takes): (&[u8], &[u8]) = (b"", b"");
            read(method, "a method", |number, value| {
                match (number, value) {
                    (1, Value::Bytes(name)) => own = name,
                    (2, Value::Bytes(name)) => takes = name,
                    _ => {}
                }
                Ok(())
            })?;
            check_name("method", own, MOST_NAME, false)?;
            if self.methods.len() >= MOST_TYPES {
                return Err(DescriptorError::TooMany("methods", MOST_TYPES));
            }
            let path = [b"/", &*join(package, name), b"/", own].concat();
            self.methods.push((path.into(), takes.into()));
        }
        Ok(())
    }

    /// Every name of a type becomes the type, now that all are known.
    fn finish(self) -> Descriptors {
        let names = self.names;
        let find = |name: &[u8]| names.get(name.strip_prefix(b".").unwrap_or(name)).copied();
        let shape = |field: &DraftField| match field.kind {
            1 | 6 | 16 => Shape::Fixed(8),
            2 | 7 | 15 => Shape::Fixed(4),
            9 => Shape::String,
            10 => Shape::Group(find(&field.type_name)),
            11 => Shape::Message(find(&field.type_name)),
            12 => Shape::Bytes,
            _ => Shape::Varint,
        };
        let whole = |field: DraftField| Field { number: field.number, shape: shape(&field), name: field.name };
        let types = self.types.into_iter().map(|fields| fields.into_iter().map(whole).collect()).collect();
        let mut methods = HashMap::new();
        for (path, takes) in self.methods {
            if let Some(message) = find(&takes) {
                methods.entry(path).or_insert(message);
            }
        }
        Descriptors { types, names, methods }
    }
}

/// `FieldDescriptorProto`: name 1, number 3, type 5, the name of the type 6.
fn field(field: &[u8]) -> Result<DraftField, DescriptorError> {
    let mut draft = DraftField { number: 0, name: Box::default(), kind: 0, type_name: Box::default() };
    read(field, "a field", |number, value| {
        match (number, value) {
            (1, Value::Bytes(name)) => draft.name = name.into(),
            (3, Value::Number(number)) => draft.number = u32::try_from(number).unwrap_or(0),
            (5, Value::Number(kind)) => draft.kind = kind,
            (6, Value::Bytes(name)) => draft.type_name = name.into(),
            _ => {}
        }
        Ok(())
    })?;
    check_name("field", &draft.name, MOST_FIELD_NAME, false)?;
    Ok(draft)
}

fn join(scope: &[u8], name: &[u8]) -> Name {
    if scope.is_empty() { name.into() } else { [scope, b".", name].concat().into() }
}

/// Letters, digits and underscores; dots in a full name, which may be empty.
fn check_name(what: &'static str, name: &[u8], most: usize, full: bool) -> Result<(), DescriptorError> {
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || full && *byte == b'.');
    if plain && name.len() <= most && (full || !name.is_empty()) {
        return Ok(());
    }
    let shown = name.get(..64.min(name.len())).unwrap_or_default().escape_ascii().to_string();
    Err(DescriptorError::Name(what, shown))
}

/// A field's value on the wire.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Gives out the fields of a message. Those of a fixed length are skipped, as descriptors have none; groups are none either.
fn read<'a>(
    mut bytes: &'a [u8],
    what: &'static str,
    mut take: impl FnMut(u64, Value<'a>) -> Result<(), DescriptorError>,
) -> Result<(), DescriptorError> {
    let number = |bytes: &mut &'a [u8]| match varint(bytes) {
        Varint::Is(value, len) => {
            *bytes = bytes.get(len..).unwrap_or_default();
            Ok(value)
        }
        Varint::Partial | Varint::Bad => Err(DescriptorError::Broken(what)),
    };
    while !bytes.is_empty() {
        let tag = number(&mut bytes)?;
        let len = match tag & 7 {
            0 => {
                let value = number(&mut bytes)?;
                take(tag >> 3, Value::Number(value))?;
                continue;
            }
            1 => 8,
            2 => usize::try_from(number(&mut bytes)?).unwrap_or(usize::MAX),
            5 => 4,
            _ => return Err(DescriptorError::Broken(what)),
        };
        let (value, rest) = bytes.split_at_checked(len).ok_or(DescriptorError::Broken(what))?;
        bytes = rest;
        if tag & 7 == 2 {
            take(tag >> 3, Value::Bytes(value))?;
        }
    }
    Ok(())
}
