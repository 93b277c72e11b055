//! The regression suite of the Core Rule Set through Debian's nginx with this library, judged by nginx's error log.

#[expect(dead_code, reason = "shared with the other tests of nginx")]
#[path = "../nginx/debian.rs"]
mod debian;
#[expect(dead_code, reason = "shared with the other tests of nginx")]
#[path = "../nginx/server.rs"]
mod server;

use fusewall::cli::ftw::live::{MARKING_RULE, origin};
use fusewall::cli::ftw::{FtwArgs, run_live};
use server::Site;
use std::path::{Path, PathBuf};

/// nginx as it comes, but for what makes it wait, and for header names such as `X_Filename`, which it would drop. The one worker writes its log in the order of the requests.
const HTTP: &str = "
modsecurity on;
modsecurity_rules_file HERE/main.conf;
keepalive_timeout 0;
underscores_in_headers on;
client_header_timeout 1s;
client_body_timeout 1s;
lingering_timeout 1s;
large_client_header_buffers 4 64k;
server { listen LISTEN; location / { proxy_pass http://BACKEND; } }
";

#[test]
fn the_core_rule_set_is_what_it_is_elsewhere() {
    let Some(debian) = debian::find() else {
        eprintln!("left out: Debian's nginx and libnginx-mod-http-modsecurity are not here and cannot be fetched");
        return;
    };
    let Some(conformance) = std::env::var_os("FUSEWALL_CONFORMANCE_DIR").map(PathBuf::from) else {
        eprintln!("left out: the Core Rule Set (FUSEWALL_CONFORMANCE_DIR)");
        return;
    };
    let backend = origin::start(([127, 0, 0, 1], 0).into()).expect("a backend");
    let site = Site::with_workers(1, debian, &HTTP.replace("BACKEND", &backend.to_string()));
    let rules = format!("{MARKING_RULE}\nInclude {}\n", conformance.join("setup/crs-ftw.conf").display());
    site.write("main.conf", &rules);
    let nginx = site.start();
    let args = FtwArgs {
        tests: conformance.join("crs/tests/regression/tests"),
        target: Some(format!("http://{}", site.address)),
        log: Some(site.path().join("logs/error.log")),
        overrides: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crs_suite/differences.yaml")),
        ..FtwArgs::default()
    };
    let report = run_live(&args).expect("every stage has an answer");
    drop(nginx);
    println!("{report}");
    assert!(report.is_clean(), "{report}");
    // What nginx refuses by itself no rule can see. Of the rest all but these few are as on the server that the suite is written for.
    let stages = report.engine.stages + report.front_end.stages;
    let judged = stages - report.refused.len();
    let differ = report.overrides.iter().filter(|overridden| !report.refused.contains(&overridden.test)).count();
    println!("{stages} stages; nginx refuses {}; of {judged} others {differ} differ", report.refused.len());
    assert!(stages > 4000 && report.refused.len() < stages / 100 && differ * 100 <= judged, "{report}");
}
