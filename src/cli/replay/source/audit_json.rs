//! Audit records in JSON, one a line: of libmodsecurity 3 and of ModSecurity 2.
//!
//! Sources: the reference manuals of both, `SecAuditLogFormat`, and the page "ModSecurity 2 Data Formats".

use super::audit::rule_id;
use super::json::Tree;
use super::lines::{Line, Lines};
use super::{Decided, EXCHANGE_BYTES, Lacks, Recorded, Sink, announces_body};
use crate::cli::requests::{NOBODY, Prepared, PreparedResponse};
use crate::rule::Field;
use std::io::BufRead;
use std::sync::Arc;

pub(super) fn read(input: impl BufRead, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let mut lines = Lines::new(input, EXCHANGE_BYTES);
    while let Some(line) = lines.next()? {
        let found = match line {
            Line::Whole(line) if line.trim_ascii().is_empty() => continue,
            Line::Whole(line) => record(line),
            Line::TooLong => Err(format!("a line of more than {EXCHANGE_BYTES} bytes")),
        };
        match found {
            Ok(mut recorded) => {
                if recorded.request.id.is_empty() {
                    recorded.request.id = sink.name(lines.number());
                }
                sink.add(recorded)?;
            }
            Err(reason) => sink.unread(lines.number(), reason),
        }
    }
    Ok(())
}

fn record(line: &[u8]) -> Result<Recorded, String> {
    let tree: Tree = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let transaction = tree.get("transaction").ok_or("no `transaction` in it: is that an audit log in JSON?")?;
    match transaction.get("request") {
        Some(request) => third(transaction, request),
        None => second(&tree, transaction),
    }
}

/// As libmodsecurity 3 writes it, and Fusewall.
fn third(transaction: &Tree, said: &Tree) -> Result<Recorded, String> {
    let mut lacks = Lacks::default();
    let response = transaction.get("response");
    let status = response.and_then(|response| response.text_of("http_code")).and_then(|status| status.parse().ok());
    let request = Prepared {
        id: transaction.text_of("unique_id").unwrap_or_default().to_owned(),
        method: said.needed("method")?.as_bytes().to_vec(),
        uri: said.needed("uri")?.as_bytes().to_vec(),
        version: version(said.text_of("http_version").unwrap_or("1.1")),
        headers: request_headers(said, &mut lacks),
        body: Vec::new(),
        client: transaction.text_of("client_ip").and_then(|text| text.parse().ok()).unwrap_or(NOBODY),
        response: None,
    };
    let request = with_bodies(request, said.get("body"), response, status, &mut lacks);
    let rules = transaction.get("messages").map(|messages| {
        let id = |message: &Tree| message.get("details")?.text_of("ruleId")?.parse().ok();
        messages.elements().iter().filter_map(id).collect()
    });
    let blocked = transaction.text_of("is_interrupted").map(|text| text == "true");
    let decided = status.map(|status| Decided { status, blocked, rules });
    Ok(Recorded { request, lacks, decided })
}

/// As ModSecurity 2 writes it.
fn second(tree: &Tree, transaction: &Tree) -> Result<Recorded, String> {
    let said = tree.get("request").ok_or("no `request` in it")?;
    let mut lacks = Lacks::default();
    let line = said.needed("request_line")?;
    let mut words = line.splitn(2, ' ');
    let (method, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (target, version) =
        rest.rsplit_once(' ').filter(|(_, version)| version.starts_with("HTTP/")).unwrap_or((rest, ""));
    if method.is_empty() || target.is_empty() {
        return Err(format!("no request line: `{line}`"));
    }
    let request = Prepared {
        id: transaction.text_of("transaction_id").unwrap_or_default().to_owned(),
        method: method.as_bytes().to_vec(),
        uri: target.as_bytes().to_vec(),
        version: version.as_bytes().to_vec(),
        headers: request_headers(said, &mut lacks),
        body: Vec::new(),
        client: transaction.text_of("remote_address").and_then(|text| text.parse().ok()).unwrap_or(NOBODY),
        response: None,
    };
    let response = tree.get("response");
    let status = response.and_then(|response| response.text_of("status")).and_then(|status| status.parse().ok());
    let request = with_bodies(request, said.get("body"), response, status, &mut lacks);
    let data = tree.get("audit_data");
    let messages = data.and_then(|data| data.get("messages")).map(Tree::elements).unwrap_or_default();
    let rules = data.map(|_| messages.iter().filter_map(Tree::text).filter_map(rule_id).collect());
    let action = data.map(|data| data.get("action").and_then(|action| action.text_of("intercepted")) == Some("true"));
    let decided = status.map(|status| Decided { status, blocked: action, rules });
    Ok(Recorded { request, lacks, decided })
}

/// The request with its body, and its response if there was one. Bodies are texts, or arrays of them.
fn with_bodies(
    mut request: Prepared,
    body: Option<&Tree>,
    response: Option<&Tree>,
    status: Option<u16>,
    lacks: &mut Lacks,
) -> Prepared {
    match body.and_then(text) {
        Some(text) => request.body = text,
        None if announces_body(&request.headers) => _ = lacks.fields.insert(Field::RequestBody),
        None => {}
    }
    let said = response.filter(|response| response.get("headers").is_some()).zip(status);
    request.response = said.map(|(said, status)| PreparedResponse {
        status,
        headers: headers(said),
        body: said.get("body").and_then(text).unwrap_or_default(),
    });
    match &request.response {
        None => lacks.fields.extend([Field::ResponseHeaders, Field::ResponseBody]),
        Some(response) if response.body.is_empty() => _ = lacks.fields.insert(Field::ResponseBody),
        Some(_) => {}
    }
    request
}

fn text(tree: &Tree) -> Option<Vec<u8>> {
    match tree {
        Tree::Text(text) => Some(text.as_bytes().to_vec()),
        Tree::Array(parts) => Some(parts.iter().filter_map(Tree::text).collect::<String>().into_bytes()),
        _ => None,
    }
}

fn version(number: &str) -> Vec<u8> {
    format!("HTTP/{}", number.trim_start_matches("HTTP/")).into_bytes()
}

/// Without them nothing was recorded that rules on headers could look at.
fn request_headers(said: &Tree, lacks: &mut Lacks) -> Vec<(Vec<u8>, Vec<u8>)> {
    if said.get("headers").is_none() {
        lacks.headers_but = Some(Arc::default());
        lacks.fields.insert(Field::RequestBody);
    }
    headers(said)
}

fn headers(said: &Tree) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = said.get("headers").map(Tree::members).unwrap_or_default();
    all.iter().filter_map(|(name, value)| Some((name.clone().into_bytes(), value.text()?.into()))).collect()
}
