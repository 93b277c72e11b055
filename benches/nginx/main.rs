//! What inspection adds to a request in Debian's nginx: CPU of the worker and time until the answer, with this library, with Debian's
//! libmodsecurity, and without the module, in one run over the same requests and the same rules.
//!
//! `cargo bench -p fusewall-libmodsecurity --bench nginx` prints the tables of `benches/record/nginx.md`. `-- --rounds N` says how many
//! rounds count (5); `-- --test` asserts the verdicts and measures nothing. `FUSEWALL_PEER_DIR` names the folder with Debian's
//! `libmodsecurity.so.3` and what that needs; without it the script `fetch` gets them.

#[path = "../../src/host/libmodsecurity/tests/nginx/debian.rs"]
mod debian;
mod measure;
mod peer;
#[expect(dead_code, reason = "shared with the tests of nginx")]
#[path = "../../src/host/libmodsecurity/tests/nginx/server.rs"]
mod server;
#[path = "../../tests/traffic/mod.rs"]
mod traffic;

use measure::{Arm, Sample};
use server::Site;
use std::path::PathBuf;
use traffic::Request;

/// The classes: requests of the corpus that every arm lets pass.
const CLASSES: [&str; 2] = ["benign-small", "benign-json"];

/// Requests are passed on to a server in the same nginx: inspection stands before a real hop, and bodies are read.
const HTTP: &str = r#"
MODSECURITY
error_log logs/requests.log error;
keepalive_requests 1000000;
client_body_buffer_size 1m;
server { listen LISTEN; location / { proxy_pass http://unix:HERE/origin; } }
server { listen unix:HERE/origin; modsecurity off; location / { return 200 "hello"; } }
"#;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let only_test = arguments.iter().any(|argument| argument == "--test");
    let rounds = arguments.iter().position(|argument| argument == "--rounds").and_then(|at| arguments.get(at + 1));
    let rounds = rounds.map_or(5, |rounds| rounds.parse().expect("a number of rounds"));
    let (Some(conformance), true) = (std::env::var_os("FUSEWALL_CONFORMANCE_DIR"), debian::find().is_some()) else {
        println!("left out: needs FUSEWALL_CONFORMANCE_DIR, FUSEWALL_CORPUS_DIR, and Debian's nginx and its module");
        return;
    };
    let conformance = PathBuf::from(conformance);
    let classes: Vec<(&str, Vec<Request>)> =
        CLASSES.into_iter().filter_map(|class| Some((class, traffic::recorded(&format!("bench/{class}"))?))).collect();

    // Three servers at once; only one of them ever has something to do.
    let sites: Vec<(&str, Site)> = [Some(("without", None)), Some(("Fusewall", None)), peer_arm()]
        .into_iter()
        .flatten()
        .map(|(name, libraries)| {
            let modsecurity = match name {
                "without" => "",
                _ => "modsecurity on;\nmodsecurity_rules_file HERE/main.conf;",
            };
            let http = HTTP.replace("MODSECURITY", modsecurity);
            let http = if name == "without" { http.replace("modsecurity off;", "") } else { http };
            let site = Site::with_workers(1, debian::find().expect("found before"), &http);
            site.write("main.conf", &rules(&site, &conformance));
            if let Some(libraries) = libraries {
                site.load_from(&libraries);
            }
            (name, site)
        })
        .collect();
    let running: Vec<_> = sites.iter().map(|(_, site)| site.start()).collect();
    let mut arms: Vec<Arm<'_>> =
        sites.iter().zip(&running).map(|((name, site), nginx)| Arm::new(name, site, nginx)).collect();

    for arm in &mut arms {
        let attack = Request::get("/?id=1%27%20or%20%271%27=%271");
        assert_eq!(arm.send(&attack).status, if arm.name == "without" { 200 } else { 403 }, "{}", arm.name);
    }
    for (class, requests) in &classes {
        let samples = samples(&mut arms, class, requests, if only_test { 0 } else { rounds });
        if !only_test {
            print!("{}", measure::table(class, requests.len(), rounds, &samples));
        }
    }
}

/// Every request of a class, `rounds` times by each arm: the arms take turns, and another one begins each time. A round before those
/// warms up.
fn samples<'a>(arms: &mut [Arm<'a>], class: &str, requests: &[Request], rounds: usize) -> Vec<(&'a str, Vec<Sample>)> {
    let mut samples: Vec<_> = arms.iter().map(|arm| (arm.name, Vec::new())).collect();
    for round in 0..=rounds {
        for turn in 0..arms.len() {
            let at = (round + turn) % arms.len();
            let sample = arms[at].round(class, requests);
            if round > 0 {
                samples[at].1.push(sample);
            }
        }
    }
    samples
}

fn peer_arm() -> Option<(&'static str, Option<PathBuf>)> {
    let Some(folder) = peer::find() else {
        println!("left out: Debian's libmodsecurity3 is not in FUSEWALL_PEER_DIR and cannot be fetched");
        return None;
    };
    Some(("libmodsecurity", Some(folder)))
}

/// What the package of the module brings, with the engine on, and the Core Rule Set at its first level.
fn rules(site: &Site, conformance: &std::path::Path) -> String {
    let own = |name: &str| std::fs::read_to_string(site.debian.rules.join(name)).expect("rules of the package");
    let here = site.path().display().to_string();
    site.write("modsecurity.conf", &own("modsecurity.conf").replace("/var/log/nginx", &format!("{here}/logs")));
    site.write("unicode.mapping", &own("unicode.mapping"));
    let crs = conformance.join("crs").display().to_string();
    let include = format!("Include {here}/modsecurity.conf\nSecRuleEngine On\n");
    format!("{include}Include {crs}/crs-setup.conf.example\nInclude {crs}/rules/*.conf\n")
}
