//! A regression case of libmodsecurity, as its JSON files write it.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// One case.
#[derive(Debug, Default)]
pub struct Case {
    /// The suite itself has switched it off.
    pub disabled: bool,
    pub title: String,
    /// What must be linked into libmodsecurity for the case to make sense.
    pub resource: Option<String>,
    pub rules: Lines,
    pub expected: Expected,
    pub client: End,
    pub server: End,
    pub request: Request,
    pub response: Response,
}

impl<'de> Deserialize<'de> for Case {
    /// By hand, because some cases have a key twice; the last one stands, but expectations add up.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Case, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Case;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a case")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Case, A::Error> {
                let mut case = Case::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "enabled" => case.disabled = map.next_value::<serde_json::Value>()? == 0,
                        "title" => case.title = map.next_value()?,
                        "resource" => case.resource = map.next_value()?,
                        "rules" => case.rules = map.next_value()?,
                        "expected" => case.expected.add(map.next_value()?),
                        "client" => case.client = map.next_value()?,
                        "server" => case.server = map.next_value()?,
                        "request" => case.request = map.next_value()?,
                        "response" => case.response = map.next_value()?,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(case)
            }
        }
        from.deserialize_map(Reader)
    }
}

/// What must come out. Texts are regular expressions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Expected {
    #[serde(deserialize_with = "number")]
    pub http_code: Option<u16>,
    pub parser_error: Option<String>,
    #[serde(alias = "audit_logs")]
    pub audit_log: Option<String>,
    #[serde(alias = "error_logs")]
    pub error_log: Option<String>,
    #[serde(alias = "debug_logs")]
    pub debug_log: Option<String>,
    #[serde(alias = "redirect_url")]
    pub redirect: Option<String>,
}

impl Expected {
    fn add(&mut self, other: Expected) {
        fn take<T>(place: &mut Option<T>, other: Option<T>) {
            if other.is_some() {
                *place = other;
            }
        }
        take(&mut self.http_code, other.http_code);
        take(&mut self.parser_error, other.parser_error);
        take(&mut self.audit_log, other.audit_log);
        take(&mut self.error_log, other.error_log);
        take(&mut self.debug_log, other.debug_log);
        take(&mut self.redirect, other.redirect);
    }
}

/// A number, in quotes or not.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u16>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(text.trim().parse().ok())
}

/// One end of the connection.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct End {
    pub ip: Option<String>,
    #[serde(deserialize_with = "number")]
    pub port: Option<u16>,
    pub hostname: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Request {
    pub headers: Headers,
    pub uri: String,
    pub method: String,
    pub http_version: Option<serde_json::Value>,
    pub body: Lines,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Response {
    pub headers: Headers,
    pub protocol: Option<String>,
    pub body: Lines,
}

impl Request {
    /// `1.1` if the case does not say.
    pub fn version(&self) -> String {
        match &self.http_version {
            None => "1.1".to_owned(),
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }
}

/// A text: given whole, or as a list of lines.
#[derive(Debug, Default, Clone)]
pub enum Lines {
    #[default]
    None,
    Whole(String),
    List(Vec<String>),
}

impl Lines {
    /// The text; the suite's own runner ends each line of a list with a line feed.
    pub fn text(&self) -> String {
        match self {
            Lines::None => String::new(),
            Lines::Whole(text) => text.clone(),
            Lines::List(lines) => lines.iter().flat_map(|line| [line, "\n"]).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Lines, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Lines;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of lines")
            }

            fn visit_str<E>(self, text: &str) -> Result<Lines, E> {
                Ok(Lines::Whole(text.to_owned()))
            }

            fn visit_unit<E>(self) -> Result<Lines, E> {
                Ok(Lines::None)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Lines, A::Error> {
                let mut lines = Vec::new();
                while let Some(line) = list.next_element::<serde_json::Value>()? {
                    lines.push(line.as_str().map_or_else(|| line.to_string(), str::to_owned));
                }
                Ok(Lines::List(lines))
            }
        }
        from.deserialize_any(Reader)
    }
}

/// Headers in order. The suite repeats keys of a JSON object to repeat a header.
#[derive(Debug, Default)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first header of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Headers, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of headers")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Headers, E> {
                if text.is_empty() { Ok(Headers::default()) } else { Err(E::custom("headers in one text")) }
            }

            fn visit_unit<E>(self) -> Result<Headers, E> {
                Ok(Headers::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, serde_json::Value>()? {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    headers.push((name, text));
                }
                Ok(Headers(headers))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(map) = list.next_element::<Headers>()? {
                    headers.extend(map.0);
                }
                Ok(Headers(headers))
            }
        }
        from.deserialize_any(Reader)
    }
}
