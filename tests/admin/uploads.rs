//! Uploaded bundles: whose they are, how old, how large.

use super::log::logged_if;
use super::site::{Site, bundle, problem, rules, signature};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

#[test]
fn a_signed_bundle_is_staged_with_its_serial() {
    let site = Site::start();
    let bytes = bundle("second");
    let upload = site.bundle(&bytes, &signature(&bytes, Some("serial:7"))).done();
    assert_eq!((&upload["serial"], &upload["rules"]), (&7.into(), &2.into()));
    let promote = format!("/v1/rulesets/{}/promote", upload["id"].as_str().unwrap());
    assert_eq!(site.post(&promote, r#"{"expected":1}"#).done()["serial"], 7);
    assert!(site.refuses("second1"));
}

#[test]
fn what_was_signed_before_cannot_be_brought_back() {
    let site = Site::start();
    let upload = |word: &str, comment: Option<&str>| {
        let bytes = bundle(word);
        site.bundle(&bytes, &signature(&bytes, comment))
    };
    let promote = |id: &serde_json::Value, expected: u64| {
        site.post(&format!("/v1/rulesets/{}/promote", id.as_str().unwrap()), &format!("{{\"expected\":{expected}}}"))
    };
    // Staged while it was still the newest.
    let old = upload("older", Some("serial:6")).done()["id"].clone();
    let new = upload("newer", Some("serial:7")).done()["id"].clone();
    promote(&new, 1).done();
    let replayed = upload("oldest", Some("serial:5"));
    assert_eq!(replayed.problem(), problem(409, "serial"));
    assert_eq!((&replayed.json()["serial"], &replayed.json()["in_service"]), (&5.into(), &7.into()));
    assert_eq!(promote(&old, 2).problem(), problem(409, "serial"), "it is too old by now");
    assert_eq!(upload("none", None).problem(), problem(409, "serial"), "what has none could be any");
    logged_if(&["WARN", "admin: refused", "POST /v1/rulesets", "its serial is 5, and 7 is in service"], || {
        upload("oldest", Some("serial:5")).problem();
    });
    // A pinned minimum counts as well.
    site.waf.pin_serial(9);
    assert_eq!(upload("eight", Some("serial:8")).problem(), problem(409, "serial"));
    upload("nine", Some("serial:9")).done();
    assert!(site.refuses("newer1") && site.waf.generation().number == 2);
}

#[test]
fn what_nobody_has_signed_is_refused() {
    let site = Site::start();
    let bytes = bundle("second");
    let good = signature(&bytes, None);
    let octets = [("Content-Type", "application/octet-stream")];
    assert_eq!(site.send("POST", "/v1/rulesets", &octets, &bytes).problem(), problem(403, "unsigned"), "no signature");
    let other = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let forged = minisign::sign(Some(&other.pk), &other.sk, &bytes[..], None, None).unwrap().to_string();
    assert_eq!(site.bundle(&bytes, &forged).problem(), problem(403, "unsigned"), "another key");
    for at in [0, 20, 60, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let reply = site.bundle(&damaged, &good);
        let expected = if at == 0 { problem(422, "no-bundle") } else { problem(403, "unsigned") };
        assert_eq!(reply.problem(), expected, "byte {at}");
    }
    for cut in [0, 8, 44, bytes.len() - 1] {
        assert!(site.bundle(&bytes[..cut], &good).status >= 400, "cut at {cut}");
    }
    for wrong in ["", "no signature", &good[..good.len() / 2]] {
        assert_eq!(site.bundle(&bytes, wrong).problem(), problem(403, "unsigned"), "{wrong}");
    }
    let base64 = [("Content-Type", "application/octet-stream"), ("Fusewall-Signature", "%%%")];
    assert_eq!(site.send("POST", "/v1/rulesets", &base64, &bytes).problem(), problem(400, "signature"));
    // Text in the place of a bundle is not read as rules, however it is signed.
    let text = rules("text");
    assert_eq!(site.bundle(text.as_bytes(), &signature(text.as_bytes(), None)).problem(), problem(422, "no-bundle"));
    assert_eq!(site.text(&text).problem(), problem(403, "unsigned"), "text is not taken at all");
    let unknown = site.send("POST", "/v1/rulesets", &[("Content-Type", "application/json")], b"{}");
    assert_eq!(unknown.problem(), problem(415, "media-type"));
    assert_eq!(site.get("/v1/rulesets").done()["staged"], serde_json::json!([]));
    assert_eq!(site.waf.generation().number, 1);
}

#[test]
fn too_large_an_upload_is_refused_before_it_is_read() {
    let site = Site::with(|config| {
        config.upload_bytes = 1000;
        config.unsigned_uploads = true;
    });
    let mut stream = UnixStream::connect(&site.socket).unwrap();
    let head = "POST /v1/rulesets HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 1001\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // Not one byte of the body is sent.
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("1000 bytes at most"), "{answer}");
    // Without a length it is counted.
    let chunk = format!("190\r\n{}\r\n", "#".repeat(400));
    let chunked =
        "POST /v1/rulesets HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = site.raw(format!("{chunked}{}0\r\n\r\n", chunk.repeat(3)).as_bytes());
    assert!(answer.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&answer));
    // What fits is read to its end.
    let fits = format!("{:1000}", rules("fits"));
    site.text(&fits).done();
}

#[test]
fn one_ruleset_is_loaded_at_a_time() {
    let site = Site::with(|config| config.unsigned_uploads = true);
    let mut first = UnixStream::connect(&site.socket).unwrap();
    let text = rules("first");
    let head = format!(
        "POST /v1/rulesets HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n",
        text.len()
    );
    // It says so once it waits for the body.
    first.write_all(format!("{head}Expect: 100-continue\r\n\r\n").as_bytes()).unwrap();
    let mut begun = [0; 25];
    first.read_exact(&mut begun).unwrap();
    assert!(begun.starts_with(b"HTTP/1.1 100"));
    let second = site.text(&rules("second"));
    assert_eq!((second.problem(), second.field("retry-after")), (problem(429, "busy"), Some("5")));
    assert_eq!(site.post("/v1/rulesets/reload", "").problem(), problem(429, "busy"));
    // Everything else goes on.
    site.put("/v1/rules/1", r#"{"enabled":false}"#).done();
    first.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("HTTP/1.1 201"), "{answer}");
    site.text(&rules("second")).done();
}
