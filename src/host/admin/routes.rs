//! The table of routes. The OpenAPI document (`openapi.json`) says the same, and a test compares the two.

use super::call::{Answer, Call};
use super::desk::Desk;
use super::handlers::{health, metrics, mode, rollout, rules, rulesets};
use super::peers::Role;
use super::problem::Problem;

/// Where a handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runs {
    /// On the thread of the listener: it waits for nothing.
    Here,
    /// On a thread of its own: it compiles, or waits for a disk.
    Aside,
}

/// What a request may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Json,
    /// A ruleset; one at a time.
    Upload,
}

/// One route.
pub(super) struct Route {
    pub(super) method: &'static str,
    /// With at most one `{...}`, which stands for a whole segment.
    pub(super) path: &'static str,
    pub(super) role: Role,
    pub(super) takes: Takes,
    pub(super) runs: Runs,
    pub(super) handler: fn(&Desk, &Call) -> Result<Answer, Problem>,
}

macro_rules! routes {
    ($($method:ident $path:literal $role:ident $takes:ident $runs:ident $handler:expr;)*) => {
        /// Every route.
        pub(super) const ROUTES: &[Route] = &[$(Route {
            method: stringify!($method),
            path: $path,
            role: Role::$role,
            takes: Takes::$takes,
            runs: Runs::$runs,
            handler: $handler,
        }),*];
    };
}

routes! {
    GET    "/healthz"                      Read    Nothing Here  health::alive;
    GET    "/readyz"                       Read    Nothing Here  health::ready;
    GET    "/metrics"                      Read    Nothing Here  metrics::metrics;
    GET    "/v1/openapi.json"              Read    Nothing Here  health::document;
    GET    "/v1/rulesets"                  Read    Nothing Aside rulesets::list;
    POST   "/v1/rulesets"                  Promote Upload  Aside rulesets::upload;
    POST   "/v1/rulesets/reload"           Promote Nothing Aside rulesets::reload;
    POST   "/v1/rulesets/rollback"         Promote Json    Aside rulesets::roll_back;
    POST   "/v1/rulesets/{id}/promote"     Promote Json    Aside rulesets::promote;
    DELETE "/v1/rulesets/{id}"             Promote Nothing Here  rulesets::discard;
    GET    "/v1/switches"                  Read    Nothing Here  rules::list;
    PUT    "/v1/ruleset"                   Kill    Json    Here  rules::all;
    PUT    "/v1/rules/{id}"                Kill    Json    Here  rules::one;
    PUT    "/v1/tags/{tag}"                Kill    Json    Here  rules::tagged;
    GET    "/v1/rules/cost"                Read    Nothing Aside rules::cost;
    GET    "/v1/mode"                      Read    Nothing Here  mode::get;
    PUT    "/v1/mode"                      Mode    Json    Here  mode::set;
    GET    "/v1/rollout"                   Read    Nothing Aside rollout::get;
    POST   "/v1/rollout"                   Promote Json    Aside rollout::begin;
    POST   "/v1/rollout/approve"           Promote Nothing Aside rollout::approve;
    POST   "/v1/rollout/abort"             Promote Nothing Aside rollout::abort;
    POST   "/v1/rollout/hold"              Promote Json    Aside rollout::hold;
    DELETE "/v1/rollout/hold"              Promote Json    Aside rollout::release;
}

/// What a method and a path lead to, and what stands in the place of `{...}`.
pub(super) fn find(method: &str, path: &str) -> Result<(&'static Route, String), Problem> {
    let fitting = |route: &'static Route| Some((route, fit(route.path, path)?));
    let mut here = ROUTES.iter().filter_map(fitting);
    if let Some((route, name)) = here.clone().find(|(route, _)| route.method == method) {
        let name = name.map(|name| decoded(name).ok_or_else(|| unreadable(name))).transpose()?;
        return Ok((route, name.unwrap_or_default()));
    }
    match here.next() {
        None => {
            let detail = format!("there is no route {path:.200}: GET /v1/openapi.json lists them");
            Err(Problem::new(404, "no-route", detail))
        }
        Some(first) => {
            let allowed: Vec<_> = std::iter::once(first).chain(here).map(|(route, _)| route.method).collect();
            Err(Problem::wrong_method(method, &allowed))
        }
    }
}

/// Whether a path is of this form; what stands in the place of `{...}`, still encoded.
fn fit<'p>(form: &str, path: &'p str) -> Option<Option<&'p str>> {
    let (mut form, mut path) = (form.split('/'), path.split('/'));
    let mut name = None;
    loop {
        match (form.next(), path.next()) {
            (None, None) => return Some(name),
            (Some(place), Some(given)) if place.starts_with('{') && !given.is_empty() => name = Some(given),
            (Some(word), Some(given)) if word == given => {}
            _ => return None,
        }
    }
}

fn unreadable(name: &str) -> Problem {
    Problem::new(400, "path", format!("`{name:.200}` in the path: expected UTF-8 text, percent-encoded"))
}

/// Undoes percent-encoding (RFC 3986, section 2.1).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_one_route_or_says_what_is_wrong() {
        let found = |method, path| find(method, path).map(|(route, name)| (route.path, name));
        let problem = |method, path| find(method, path).map(|(route, _)| route.path).unwrap_err().status;
        assert_eq!(found("PUT", "/v1/rules/7"), Ok(("/v1/rules/{id}", "7".into())));
        assert_eq!(found("GET", "/v1/rules/cost"), Ok(("/v1/rules/cost", "".into())));
        let tag = found("PUT", "/v1/tags/capec%2F1000%2f66%20%C3%A9");
        assert_eq!(tag, Ok(("/v1/tags/{tag}", "capec/1000/66 é".into())));
        for path in ["/v1/tags/%", "/v1/tags/%4", "/v1/tags/%+1", "/v1/tags/%zz", "/v1/tags/%ff"] {
            assert_eq!(problem("PUT", path), 400, "{path}");
        }
        for path in ["", "/", "/v1", "/v1/", "/v1/rules/", "/v1/rules/7/", "/v1//rules/7", "/v1/tags/a/b", "/V1/mode"] {
            assert_eq!(problem("PUT", path), 404, "{path}");
        }
        assert_eq!(find("POST", "/v1/mode").err().and_then(|problem| problem.allow), Some("GET, PUT".into()));
        assert_eq!(problem("get", "/v1/mode"), 405, "methods have case");
    }
}
