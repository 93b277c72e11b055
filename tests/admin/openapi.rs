//! The OpenAPI document, the table of routes and real answers say the same.

use super::site::{Site, bundle, signature};
use fusewall::host::admin::{OPENAPI, routes};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(OPENAPI).expect("it is JSON"));

/// Each operation: method, path, and what the document says.
fn operations() -> impl Iterator<Item = (String, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, says)| (method.to_uppercase(), path.as_str(), says))
    })
}

#[test]
fn it_has_every_route_with_its_role_and_no_other() {
    let table: BTreeSet<_> = routes().map(|(method, path, role)| (method.to_owned(), path, role.name())).collect();
    let document: BTreeSet<_> =
        operations().map(|(method, path, says)| (method, path, says["x-role"].as_str().unwrap())).collect();
    assert_eq!(table, document);
    let ids: BTreeSet<_> = operations().map(|(.., says)| says["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), table.len(), "operation ids are unique");
    for (method, path, says) in operations() {
        let named = path.split('/').filter(|part| part.starts_with('{')).count();
        let parameters = says["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert_eq!(parameters.iter().filter(|parameter| parameter["in"] == "path").count(), named, "{method} {path}");
    }
}

/// What of a value does not fit a schema: the part of JSON Schema that the document uses.
fn misfits(value: &Value, schema: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = DOCUMENT.pointer(&name[1..]).unwrap_or_else(|| panic!("{name} is not there"));
        return misfits(value, target, place, found);
    }
    let known = [
        "type",
        "description",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "minimum",
        "maximum",
    ];
    for key in schema.as_object().unwrap().keys() {
        assert!(known.contains(&key.as_str()), "this test does not know `{key}`");
    }
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("{other} is no type"),
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|one| is(one)) {
        found.push(format!("{place}: {value} is none of {types:?}"));
    }
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        found.push(format!("{place}: {value} is not in {}", schema["enum"]));
    }
    let number = value.as_f64();
    if number.zip(schema["minimum"].as_f64()).is_some_and(|(number, least)| number < least)
        || number.zip(schema["maximum"].as_f64()).is_some_and(|(number, most)| number > most)
    {
        found.push(format!("{place}: {value} is out of range"));
    }
    if let Some(object) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(name.as_str().unwrap()) {
                found.push(format!("{place}: {name} is missing"));
            }
        }
        for (name, value) in object {
            match schema["properties"].get(name) {
                Some(schema) => misfits(value, schema, &format!("{place}.{name}"), found),
                None if schema["additionalProperties"] == false => {
                    found.push(format!("{place}: {name} is not described"))
                }
                None => {}
            }
        }
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        misfits(item, &schema["items"], &format!("{place}[{at}]"), found);
    }
}

#[track_caller]
fn fits(value: &Value, schema: &Value, place: &str) {
    let mut found = Vec::new();
    misfits(value, schema, place, &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn its_examples_fit_its_schemas() {
    for (method, path, says) in operations() {
        let place = format!("{method} {path}");
        let bodies = says["requestBody"]["content"].as_object().into_iter().flatten();
        let answers = says["responses"].as_object().unwrap().values();
        let contents = answers.flat_map(|answer| answer["content"].as_object().into_iter().flatten());
        for (_, content) in bodies.chain(contents) {
            if let Some(example) = content.get("example") {
                fits(example, &content["schema"], &place);
            }
        }
        assert_eq!(says["responses"]["default"]["$ref"], "#/components/responses/Problem", "{place}");
    }
    let problem = &DOCUMENT["components"]["responses"]["Problem"]["content"]["application/problem+json"];
    fits(&problem["example"], &problem["schema"], "a problem");
}

/// The schema of a route's answer, and its media type.
fn described(method: &str, path: &str, status: u16) -> (&'static str, &'static Value) {
    let says = operations().find(|(of, at, _)| of == method && *at == path).unwrap().2;
    let content = says["responses"][status.to_string()]["content"]
        .as_object()
        .unwrap_or_else(|| panic!("{method} {path} {status}"));
    let (media_type, content) = content.iter().next().unwrap();
    (media_type, &content["schema"])
}

#[test]
fn every_route_answers_as_it_says() {
    let site = Site::start();
    let bytes = bundle("second");
    let upload = || site.bundle(&bytes, &signature(&bytes, Some("serial:1"))).done()["id"].as_str().unwrap().to_owned();
    let id = upload();
    let mut asked = BTreeSet::new();
    let mut ask = |method: &'static str, path: &'static str, target: &str, body: &str| {
        let reply = site.send(method, target, &[], body.as_bytes());
        assert!(reply.status < 300, "{method} {target}: {} {}", reply.status, reply.text());
        let (media_type, schema) = described(method, path, reply.status);
        assert!(reply.field("content-type").unwrap().starts_with(media_type), "{method} {path}");
        if media_type == "application/json" {
            fits(&reply.json(), schema, &format!("{method} {path}"));
        }
        asked.insert((method.to_owned(), path));
    };
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/openapi.json",
        "/v1/rulesets",
        "/v1/rules/cost",
        "/v1/mode",
        "/v1/rollout",
    ] {
        ask("GET", path, path, "");
    }
    ask("POST", "/v1/rulesets/{id}/promote", &format!("/v1/rulesets/{id}/promote"), r#"{"expected":1}"#);
    ask("GET", "/v1/rulesets", "/v1/rulesets", "");
    ask("POST", "/v1/rulesets/rollback", "/v1/rulesets/rollback", r#"{"expected":2}"#);
    ask("POST", "/v1/rulesets/reload", "/v1/rulesets/reload", "");
    let id = upload();
    ask("POST", "/v1/rollout", "/v1/rollout", &format!("{{\"id\":\"{id}\",\"expected\":3}}"));
    ask("GET", "/v1/rollout", "/v1/rollout", "");
    ask("POST", "/v1/rollout/approve", "/v1/rollout/approve", "");
    ask("POST", "/v1/rollout/abort", "/v1/rollout/abort", "");
    ask("GET", "/v1/rollout", "/v1/rollout", "");
    ask("POST", "/v1/rollout/hold", "/v1/rollout/hold", r#"{"generation":3,"why":"a test"}"#);
    ask("DELETE", "/v1/rollout/hold", "/v1/rollout/hold", r#"{"generation":3}"#);
    let id = upload();
    ask("GET", "/v1/rulesets", "/v1/rulesets", "");
    ask("DELETE", "/v1/rulesets/{id}", &format!("/v1/rulesets/{id}"), "");
    ask("PUT", "/v1/mode", "/v1/mode", r#"{"mode":"off","for_seconds":5}"#);
    ask("PUT", "/v1/rules/{id}", "/v1/rules/1", r#"{"enabled":false}"#);
    ask("PUT", "/v1/tags/{tag}", "/v1/tags/word", r#"{"enabled":false}"#);
    ask("PUT", "/v1/ruleset", "/v1/ruleset", r#"{"enabled":false}"#);
    ask("GET", "/v1/switches", "/v1/switches", "");
    let uploaded = site.bundle(&bytes, &signature(&bytes, None));
    fits(&uploaded.done(), described("POST", "/v1/rulesets", 201).1, "an upload");
    asked.insert(("POST".to_owned(), "/v1/rulesets"));
    let table: BTreeSet<_> = routes().map(|(method, path, _)| (method.to_owned(), path)).collect();
    assert_eq!(asked, table, "each was asked");
    let problem = &DOCUMENT["components"]["schemas"]["Problem"];
    for refused in [site.get("/nothing"), site.put("/v1/mode", "{}"), site.bundle(b"x", "y")] {
        fits(&refused.json(), problem, "a problem");
    }
    assert_eq!(site.get("/v1/openapi.json").done(), *DOCUMENT);
}
