//! What a host tells the engine: rules that look for anything else look in vain.

use super::Variable;
use std::collections::BTreeSet;
use std::fmt;

/// Something that a host tells of each exchange, or brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Field {
    /// Addresses and ports of both ends.
    Connection,
    /// The bodies of requests.
    RequestBody,
    /// Status and header fields of responses.
    ResponseHeaders,
    /// The bodies of responses.
    ResponseBody,
    /// Files for uploads, by name.
    StoredUploads,
    /// Answers of block lists.
    BlockLists,
    /// Environment variables, those that the host names.
    Environment,
}

impl Field {
    /// All of them.
    pub const ALL: [Field; 7] = [
        Field::Connection,
        Field::RequestBody,
        Field::ResponseHeaders,
        Field::ResponseBody,
        Field::StoredUploads,
        Field::BlockLists,
        Field::Environment,
    ];

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Field::Connection => "connection",
            Field::RequestBody => "request bodies",
            Field::ResponseHeaders => "response headers",
            Field::ResponseBody => "response bodies",
            Field::StoredUploads => "stored uploads",
            Field::BlockLists => "block lists",
            Field::Environment => "environment variables",
        }
    }

    /// The field without which a variable never has a value. `None`: it has one whatever the host does, or the rules give it one.
    pub const fn of(variable: Variable) -> Option<Field> {
        use Variable as V;
        Some(match variable {
            V::RemoteAddr | V::RemoteHost | V::RemotePort | V::ServerAddr | V::ServerPort | V::UserAgentIp => {
                Field::Connection
            }
            V::RequestBody | V::ArgsPost | V::ArgsPostNames | V::StreamInputBody | V::Xml | V::XmlAttributes => {
                Field::RequestBody
            }
            V::Files | V::FilesNames | V::FilesSizes | V::FilesTmpContent => Field::RequestBody,
            V::MultipartFilename | V::MultipartName | V::MultipartPartHeaders => Field::RequestBody,
            V::ResponseHeaders | V::ResponseHeadersNames | V::ResponseContentLength | V::ResponseContentType => {
                Field::ResponseHeaders
            }
            V::ResponseProtocol | V::ResponseStatus | V::StatusLine => Field::ResponseHeaders,
            V::ResponseBody | V::StreamOutputBody => Field::ResponseBody,
            V::FilesTmpNames => Field::StoredUploads,
            V::Env => Field::Environment,
            _ => return None,
        })
    }
}

/// The fields that a host supplies. All of them, unless it says otherwise; `serve` does supply them all.
///
/// ```
/// use fusewall::rule::{Field, Supplies};
/// let supplies = Supplies::all().without(Field::ResponseBody);
/// assert!(supplies.has(Field::Connection) && !supplies.has(Field::ResponseBody));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supplies {
    fields: BTreeSet<Field>,
    /// The environment variables, if they are known.
    environment: Option<Vec<Box<[u8]>>>,
    strict: bool,
}

impl Supplies {
    /// Everything.
    pub fn all() -> Supplies {
        Supplies { fields: Field::ALL.into(), environment: None, strict: false }
    }

    /// The same but for one field.
    #[must_use]
    pub fn without(mut self, field: Field) -> Supplies {
        self.fields.remove(&field);
        self
    }

    /// The same, and of the environment no other variables than these. Without this rules may name any.
    #[must_use]
    pub fn environment<N: Into<Box<[u8]>>>(mut self, names: impl IntoIterator<Item = N>) -> Supplies {
        self.environment = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The same; and rules that use anything else are not loaded. Otherwise they are warned of.
    #[must_use]
    pub fn strict(mut self) -> Supplies {
        self.strict = true;
        self
    }

    /// Whether this host supplies a field.
    pub fn has(&self, field: Field) -> bool {
        self.fields.contains(&field)
    }

    /// Whether this host supplies an environment variable. `None`: any of them.
    pub fn has_variable(&self, name: Option<&[u8]>) -> bool {
        let is_known = |names: &Vec<Box<[u8]>>| match name {
            Some(name) => names.iter().any(|known| **known == *name),
            None => !names.is_empty(),
        };
        self.has(Field::Environment) && self.environment.as_ref().is_none_or(is_known)
    }

    /// Whether it is known which environment variables there are.
    pub fn knows_environment(&self) -> bool {
        self.environment.is_some()
    }

    /// Whether rules that use anything else are not loaded.
    pub fn is_strict(&self) -> bool {
        self.strict
    }
}

impl Default for Supplies {
    fn default() -> Self {
        Supplies::all()
    }
}

/// The names of what is supplied.
impl fmt::Display for Supplies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.fields.is_empty() {
            return f.write_str("nothing but request line and headers");
        }
        for (number, field) in self.fields.iter().enumerate() {
            write!(f, "{}{}", if number > 0 { ", " } else { "" }, field.name())?;
        }
        if let Some(names) = self.environment.as_ref().filter(|_| self.has(Field::Environment)) {
            let names: Vec<_> = names.iter().map(|name| String::from_utf8_lossy(name)).collect();
            write!(f, " ({})", if names.is_empty() { "none".to_owned() } else { names.join(", ") })?;
        }
        Ok(())
    }
}
