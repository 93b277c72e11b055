//! Requests to the admin API, by a caller of any role, over its socket.
//!
//! | file | does |
//! |---|---|
//! | `site` | an engine with its API, and all that could be changed |
//! | `script` | requests that are right or nearly |
//! | `answer` | answers, read strictly |

mod answer;
mod script;
mod site;

use super::choices::Choices;
use super::panics;
use answer::Answer;
use fusewall::Switch;
use fusewall::host::admin::{Role, Roles, routes};
use fusewall::rule::{EngineMode, RuleId};
use script::{Known, Request};
use site::{Site, State, UPLOAD_BYTES};

/// Requests of one input.
const REQUESTS: usize = 8;
/// Bytes of a body that is no upload.
const JSON_BYTES: usize = 256 << 10;

/// By the first byte: who asks, and whether the rest is a request as it is or makes some.
pub fn admin_api(data: &[u8]) {
    let Some((&who, data)) = data.split_first() else { return };
    let roles = match who % 8 {
        0 => Roles::default(),
        1 => Roles::of([Role::Read]),
        2 => Roles::of([Role::Kill]),
        3 => Roles::of([Role::Promote]),
        4 => Roles::of([Role::Mode]),
        _ => Roles::ALL,
    };
    panics::none_in(|| {
        let site = Site::start(roles, who & 0x10 != 0);
        match who & 0x20 != 0 {
            true => any_bytes(&site, data),
            false => requests(&site, &mut Choices(data)),
        }
    });
}

/// Bytes as they are.
fn any_bytes(site: &Site, data: &[u8]) {
    let before = site.state();
    let answer = answer::read(&site.ask(data), data.starts_with(b"HEAD "));
    only_who_may(site, &before, answer.as_ref());
    site.state();
}

/// One request after the other; each connection has one.
fn requests(site: &Site, from: &mut Choices<'_>) {
    let mut staged = Vec::new();
    for _ in 0..REQUESTS {
        if from.0.is_empty() {
            break;
        }
        let before = site.state();
        let request = script::request(from, &Known { generation: before.generations[0].number, staged: &staged });
        let answer = answer::read(&site.ask(&request.bytes), request.method == "HEAD");
        only_who_may(site, &before, answer.as_ref());
        assert!(answer.is_some() || !request.whole, "no answer to {}", request.bytes.escape_ascii());
        let Some(answer) = answer else { continue };
        is_the_answer(site, &request, &answer);
        if answer.status == 201
            && let Some(id) = answer.json()["id"].as_str()
        {
            staged.push(id.to_owned());
        }
    }
}

/// Whatever has changed has changed because somebody with the role for it was told that it was done.
fn only_who_may(site: &Site, before: &State, answer: Option<&Answer>) {
    let after = site.state();
    let needed = before.needed(&after);
    let may = needed.iter().all(|role| site.roles.has(*role));
    assert!(may, "{needed:?} were not granted: {before:#?}\n{after:#?}");
    assert!(needed.is_empty() || answer.is_some_and(Answer::is_done), "{needed:?} of {answer:?}");
    assert!(needed.len() <= 1 || needed.iter().all(|role| *role == Role::Promote), "{needed:?} by one request");
}

/// What a request whose head is right comes to: as the table of routes says, and if it was done it is so.
fn is_the_answer(site: &Site, request: &Request, answer: &Answer) {
    let Request { method, path, body, .. } = request;
    let shown = || format!("{method} {path} by {:?}: {answer:?}", site.roles);
    let most = if path == "/v1/rulesets" { UPLOAD_BYTES } else { JSON_BYTES };
    assert!(!answer.is_done() || body.len() <= most || !request.whole, "{} bytes: {}", body.len(), shown());
    if !site.roles.has(Role::Read) {
        return assert!(
            matches!(answer.code().as_deref(), Some("unknown-caller") | None) && !answer.is_done(),
            "{}",
            shown()
        );
    }
    if !request.whole || path.contains(['%', '?', ':']) {
        return;
    }
    let browser = request.fields.iter().any(|(name, _)| name == "Origin" || name.starts_with("Sec-Fetch-"));
    let here: Vec<_> = routes().filter(|(_, form, _)| fits(form, path)).collect();
    let route = here.iter().find(|(own, ..)| own == method);
    let expected = match route {
        _ if browser => Some("browser"),
        None if here.is_empty() => Some("no-route"),
        None => Some("method"),
        Some((.., role)) if !site.roles.has(*role) => Some("role"),
        Some(_) => None,
    };
    let code = answer.code();
    match expected {
        Some(expected) => assert_eq!(code.as_deref(), Some(expected), "{}", shown()),
        None => {
            let refused = ["browser", "no-route", "method", "role", "unknown-caller"];
            assert!(code.is_none_or(|code| !refused.contains(&&code[..])), "{}", shown());
        }
    }
    if answer.is_done() && method == "PUT" {
        is_done(site, path, &answer.json());
    }
}

/// What was switched is as the answer says.
fn is_done(site: &Site, path: &str, answer: &serde_json::Value) {
    let (off, mode) = site.waf.switched_off();
    let switch = match path.strip_prefix("/v1/").and_then(|path| path.split_once('/')) {
        Some(("rules", id)) => Switch::Rule(RuleId(id.parse().expect("it was an id"))),
        Some((_, tag)) => Switch::Tag(tag.to_ascii_lowercase()),
        None if path == "/v1/ruleset" => Switch::Ruleset,
        None => {
            let name = match mode {
                EngineMode::On => "on",
                EngineMode::DetectionOnly => "detection_only",
                EngineMode::Off => "off",
            };
            return assert_eq!(answer["mode"], name);
        }
    };
    assert_eq!(answer["enabled"], !off.contains(&switch), "{switch:?} in {off:?}");
}

/// Whether a path is of this form, where `{...}` stands for any one part.
fn fits(form: &str, path: &str) -> bool {
    let (form, path): (Vec<_>, Vec<_>) = (form.split('/').collect(), path.split('/').collect());
    let part = |(form, part): (&&str, &&str)| form == part || form.starts_with('{') && !part.is_empty();
    form.len() == path.len() && form.iter().zip(&path).all(part)
}
