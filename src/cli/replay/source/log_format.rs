//! What a line of an access log is made of, written as nginx's `log_format` writes it.
//!
//! Source: nginx documentation, module ngx_http_log_module. Apache's `common` and `combined` are the same lines.

use super::Lacks;
use crate::rule::Field;
use anyhow::ensure;
use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

/// nginx's predefined format, and Apache's.
const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;

/// The same without the two headers.
const COMMON: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent"#;

/// The form of the lines of an access log.
///
/// A line may have any of several: `combined` also takes lines in the common form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFormat(Vec<Form>);

/// One form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) pieces: Vec<Piece>,
    pub(super) lacks: Lacks,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// This very text.
    Text(String),
    /// The value of a variable.
    Value(Value),
}

/// What a variable tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// `$request`: the whole request line.
    RequestLine,
    /// `$request_method`.
    Method,
    /// `$request_uri`.
    Target,
    /// `$uri`, if there is nothing better: the path as nginx has normalised it.
    Path,
    /// `$args` or `$query_string`.
    Query,
    /// `$server_protocol`.
    Version,
    /// `$status`.
    Status,
    /// `$remote_addr` or `$realip_remote_addr`.
    Client,
    /// `$http_...`, `$host`, `$content_type`, `$content_length`: a request header, in lower case.
    Header(String),
    /// `$request_body`.
    Body,
    /// Anything that requests are not made of.
    Other,
}

impl LogFormat {
    pub(super) fn forms(&self) -> &[Form] {
        &self.0
    }
}

impl Default for LogFormat {
    fn default() -> Self {
        LogFormat([COMBINED, COMMON].into_iter().filter_map(|text| Form::parse(text).ok()).collect())
    }
}

/// `combined`, `common` or a text with variables.
impl FromStr for LogFormat {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<LogFormat> {
        match text {
            "combined" => Ok(LogFormat::default()),
            "common" => Ok(LogFormat(vec![Form::parse(COMMON)?])),
            text => Ok(LogFormat(vec![Form::parse(text)?])),
        }
    }
}

impl Form {
    fn parse(text: &str) -> anyhow::Result<Form> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(behind) = rest.strip_prefix('$') {
                let (name, behind) = name(behind);
                ensure!(!name.is_empty(), "a `$` without the name of a variable behind it, before `{behind}`");
                if let Some(Piece::Value(_)) = pieces.last() {
                    anyhow::bail!("nothing stands between `${name}` and the variable before it: where does that end?");
                }
                pieces.push(Piece::Value(value(name)));
                rest = behind;
            } else {
                let (text, behind) = rest.split_at(rest.find('$').unwrap_or(rest.len()));
                pieces.push(Piece::Text(text.to_owned()));
                rest = behind;
            }
        }
        let has = |value: &Value| pieces.contains(&Piece::Value(value.clone()));
        ensure!(
            has(&Value::RequestLine) || has(&Value::Target) || has(&Value::Path),
            "neither `$request` nor `$request_uri` is in it: there is no request in such a line (in a shell, quote the \
             format with apostrophes)"
        );
        let lacks = lacks(&pieces);
        Ok(Form { pieces, lacks })
    }
}

/// The name of a variable, `name` or `{name}`, and what stands behind it.
fn name(text: &str) -> (&str, &str) {
    if let Some((name, behind)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return (name, behind);
    }
    text.split_at(text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len()))
}

fn value(name: &str) -> Value {
    match name {
        "request" => Value::RequestLine,
        "request_method" => Value::Method,
        "request_uri" => Value::Target,
        "uri" | "document_uri" => Value::Path,
        "args" | "query_string" => Value::Query,
        "server_protocol" => Value::Version,
        "status" => Value::Status,
        "remote_addr" | "realip_remote_addr" => Value::Client,
        "request_body" => Value::Body,
        "host" | "content_type" | "content_length" => Value::Header(name.replace('_', "-")),
        _ => match name.strip_prefix("http_") {
            Some(header) => Value::Header(header.to_ascii_lowercase().replace('_', "-")),
            None => Value::Other,
        },
    }
}

/// What such lines leave out.
fn lacks(pieces: &[Piece]) -> Lacks {
    let mut fields =
        BTreeSet::from([Field::Connection, Field::RequestBody, Field::ResponseHeaders, Field::ResponseBody]);
    let mut headers = BTreeSet::new();
    for piece in pieces {
        match piece {
            Piece::Value(Value::Client) => _ = fields.remove(&Field::Connection),
            Piece::Value(Value::Body) => _ = fields.remove(&Field::RequestBody),
            Piece::Value(Value::Header(name)) => _ = headers.insert(name.clone()),
            _ => {}
        }
    }
    Lacks { fields, headers_but: Some(Arc::new(headers)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_say_what_they_leave_out() {
        let own =
            "$remote_addr|$host|$request_method ${request_uri}|$status|$http_x_forwarded_for|$request_body".parse();
        let LogFormat(forms) = own.expect("a format");
        assert_eq!(
            forms[0].lacks.to_string(),
            "request headers but host, x-forwarded-for; response headers; response bodies"
        );
        assert_eq!(
            LogFormat::default().0[1].lacks.to_string(),
            "request headers; request bodies; response headers; response bodies"
        );
    }

    #[test]
    fn a_format_without_a_request_or_with_variables_that_touch_is_refused() {
        for (format, why) in [
            ("$remote_addr $status", "neither `$request` nor `$request_uri`"),
            ("$remote_addr$request", "nothing stands between `$request`"),
            ("a $ b", "without the name"),
        ] {
            let error = format.parse::<LogFormat>().expect_err(format).to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
