//! What is in service, and how it comes and goes.

use super::log::{logged, logged_if};
use super::site::{Site, builder, problem, rules};
use std::time::Duration;

fn site() -> Site {
    Site::with(|config| config.unsigned_uploads = true)
}

/// Uploads rules; answers their id.
fn staged(site: &Site, word: &str) -> String {
    site.text(&rules(word)).done()["id"].as_str().unwrap().to_owned()
}

fn expecting(generation: u64) -> String {
    format!("{{\"expected\":{generation}}}")
}

#[test]
fn what_is_staged_comes_into_service_and_goes_again() {
    let site = site();
    let upload = site.text(&rules("second"));
    assert_eq!(upload.status, 201);
    let upload = upload.json();
    assert_eq!((&upload["rules"], &upload["base"]), (&2.into(), &1.into()));
    assert!(upload["cost"]["max_request_fuel"].as_u64().unwrap() > 0);
    assert!(site.refuses("first1") && !site.refuses("second1"), "nothing in service has changed");
    let listed = site.get("/v1/rulesets").done();
    assert_eq!(listed["staged"][0]["id"], upload["id"]);

    let promote = format!("/v1/rulesets/{}/promote", upload["id"].as_str().unwrap());
    let promoted = site.post(&promote, &expecting(1)).done();
    assert_eq!((&promoted["generation"], &promoted["origin"]), (&2.into(), &"promoted".into()));
    assert_eq!(promoted["digest"], upload["digest"]);
    assert!(!site.refuses("first1") && site.refuses("second1"));
    logged(&["INFO", "admin: promoted", "from_generation=1 generation=2", "uid "]);
    let listed = site.get("/v1/rulesets").done();
    assert_eq!((&listed["in_service"]["generation"], &listed["previous"][0]["generation"]), (&2.into(), &1.into()));
    assert_eq!(listed["staged"], serde_json::json!([]));

    let back = site.post("/v1/rulesets/rollback", &expecting(2)).done();
    assert_eq!((&back["generation"], &back["origin"], &back["of"]), (&3.into(), &"rolled_back".into(), &1.into()));
    assert!(site.refuses("first1") && !site.refuses("second1"));
    logged(&["INFO", "admin: rolled back", "from_generation=2 generation=3"]);
}

#[test]
fn of_two_who_promote_at_once_one_does() {
    let site = site();
    for round in 1..=20 {
        let before = site.waf.generation().number;
        let ids = [staged(&site, &format!("one{round}x")), staged(&site, &format!("two{round}x"))];
        // The same one, and another one.
        let targets = [&ids[0], &ids[round % 2]].map(|id| format!("/v1/rulesets/{id}/promote"));
        let mut answers = std::thread::scope(|scope| {
            let asked: Vec<_> =
                targets.iter().map(|target| scope.spawn(|| site.post(target, &expecting(before)))).collect();
            asked.into_iter().map(|asked| asked.join().unwrap()).collect::<Vec<_>>()
        });
        answers.sort_by_key(|answer| answer.status);
        let current = answers[0].done()["generation"].clone();
        assert_eq!(answers[1].problem(), problem(409, "stale"));
        let late = answers[1].json();
        assert_eq!((&late["expected"], &late["current"]), (&before.into(), &current));
        assert_eq!(site.waf.generation().number, current.as_u64().unwrap());
    }
}

#[test]
fn of_two_who_roll_back_at_once_one_does() {
    let site = Site::of(builder().keep_generations(3).build().unwrap(), |config| config.unsigned_uploads = true);
    for (number, word) in ["second", "third"].into_iter().enumerate() {
        let id = staged(&site, word);
        site.post(&format!("/v1/rulesets/{id}/promote"), &expecting(number as u64 + 1)).done();
    }
    site.post("/v1/rulesets/rollback", &expecting(3)).done();
    let late = site.post("/v1/rulesets/rollback", &expecting(3));
    assert_eq!((late.problem(), &late.json()["current"]), (problem(409, "stale"), &4.into()));
    assert!(site.refuses("second1"), "it went back once");
    site.post("/v1/rulesets/rollback", &expecting(4)).done();
    assert_eq!(
        site.post("/v1/rulesets/rollback", &expecting(5)).problem(),
        problem(409, "refused"),
        "no more are kept"
    );
}

#[test]
fn rules_that_do_not_load_are_refused_with_all_findings_and_nothing_else_happens() {
    let site = site();
    let before = site.waf.generation();
    let reply = site.text("SecRuleEngine On\nSecRul ARGS x\nSecRule ARGS \"@rx (\" \"id:1,phase:1,deny\"\n");
    assert_eq!(reply.problem(), problem(422, "does-not-load"));
    let found = reply.json();
    assert_eq!(found["errors"], 2);
    assert_eq!(
        (&found["diagnostics"][0]["line"], &found["diagnostics"][0]["file"]),
        (&2.into(), &"upload.conf".into())
    );
    assert_eq!(site.waf.generation(), before);
    assert_eq!(site.get("/v1/rulesets").done()["staged"], serde_json::json!([]));
    logged_if(&["WARN", "admin: refused", "does-not-load", "2 errors"], || {
        site.text("SecRul\nSecRul\n").problem();
    });
}

#[test]
fn what_was_sent_does_not_reach_files_of_this_machine() {
    let site = site();
    let secret = site.folder.path().join("secret.conf");
    std::fs::write(&secret, "TheSecret is here").unwrap();
    for rule in [
        format!("Include {}", secret.display()),
        format!("SecRule ARGS \"@pmFromFile {}\" \"id:9,phase:1,deny\"", secret.display()),
    ] {
        let reply = site.text(&format!("{}{rule}\n", rules("x")));
        assert_eq!(reply.problem(), problem(422, "does-not-load"), "{rule}");
        assert!(!reply.text().contains("TheSecret"), "{}", reply.text());
    }
}

#[test]
fn few_wait_and_not_for_long() {
    let site = site();
    let ids: Vec<_> = ["a", "b", "c", "d", "e"].map(|word| staged(&site, word)).into();
    let waiting = || {
        let listed = site.get("/v1/rulesets").done();
        let staged = listed["staged"].as_array().unwrap();
        staged.iter().map(|staged| staged["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(waiting(), ids[1..].iter().rev().cloned().collect::<Vec<_>>(), "the latest first, the oldest gone");
    assert_eq!(
        site.post(&format!("/v1/rulesets/{}/promote", ids[0]), &expecting(1)).problem(),
        problem(404, "not-staged")
    );
    assert_eq!(site.send("DELETE", &format!("/v1/rulesets/{}", ids[4]), &[], b"").done()["id"], ids[4].as_str());
    assert_eq!(waiting().len(), 3);
    // The same again is no further one, and lasts anew.
    site.clock.advance(Duration::from_secs(3000).as_nanos() as u64);
    assert_eq!(staged(&site, "b"), ids[1]);
    assert_eq!(waiting().len(), 3);
    site.clock.advance(Duration::from_secs(1000).as_nanos() as u64);
    assert_eq!(waiting(), [ids[1].clone()]);
}

#[test]
fn the_configured_files_can_be_read_again() {
    let site = Site::start();
    let reload = site.post("/v1/rulesets/reload", "").done();
    assert!(!site.refuses("reloaded1"));
    site.post(&format!("/v1/rulesets/{}/promote", reload["id"].as_str().unwrap()), &expecting(1)).done();
    assert!(site.refuses("reloaded1"));
}
