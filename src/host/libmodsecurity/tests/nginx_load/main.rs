//! nginx for long: reloads under load, and everything at once that clients do. The long forms are for `.ci/full`:
//! `cargo test --release -p fusewall-libmodsecurity --test nginx_load -- --ignored --nocapture --test-threads 1`.

mod clients;
#[path = "../nginx/debian.rs"]
mod debian;
#[expect(dead_code, reason = "shared with the other tests of nginx")]
#[path = "../nginx/server.rs"]
mod server;

use clients::Load;
use server::{Running, Site, resident};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Requests are passed on to a server in the same nginx, so that bodies are read.
const HTTP: &str = r#"
modsecurity on;
modsecurity_rules_file HERE/main.conf;
error_log logs/requests.log crit;
client_body_buffer_size 16k;
client_max_body_size 20m;
send_timeout 5s;
server {
    listen LISTEN;
    location / { proxy_pass http://unix:HERE/origin; proxy_read_timeout 20s; }
    location /excepted/ {
        modsecurity_rules 'SecRuleRemoveById 942100';
        proxy_pass http://unix:HERE/origin;
    }
}
server { listen unix:HERE/origin; modsecurity off; client_max_body_size 20m; location / { return 200 "hello"; } }
"#;

/// nginx as an operator has it: the configuration that its package brings, and the Core Rule Set.
fn site() -> Option<Site> {
    let Some(debian) = debian::find() else {
        eprintln!("left out: Debian's nginx and libnginx-mod-http-modsecurity are not here and cannot be fetched");
        return None;
    };
    let Some(conformance) = std::env::var_os("FUSEWALL_CONFORMANCE_DIR").map(PathBuf::from) else {
        eprintln!("left out: the Core Rule Set (FUSEWALL_CONFORMANCE_DIR)");
        return None;
    };
    let site = Site::new(debian, HTTP);
    let own = |name: &str| std::fs::read_to_string(site.debian.rules.join(name)).expect("rules of the package");
    let here = site.path().display().to_string();
    site.write("modsecurity.conf", &own("modsecurity.conf").replace("/var/log/nginx", &format!("{here}/logs")));
    site.write("unicode.mapping", &own("unicode.mapping"));
    let crs = conformance.join("crs").display().to_string();
    site.write(
        "main.conf",
        &format!(
            "Include modsecurity.conf\nSecRuleEngine On\nSecAuditEngine Off\nInclude {crs}/crs-setup.conf.example\n\
             Include {crs}/rules/*.conf\n"
        ),
    );
    Some(site)
}

fn memory(nginx: &Running<'_>) -> (u64, Vec<u64>) {
    (resident(nginx.master()), nginx.workers().into_iter().map(resident).collect())
}

/// Reloads one after the other while clients ask; every request is answered as it should be, and memory stays where it was.
fn reload(times: usize) {
    let Some(site) = site() else { return };
    let nginx = site.start();
    site.wait_for("start worker process ", 2);
    let load = Load::of_whole_requests(site.address);
    let start = Instant::now();
    let mut first = None;
    for reload in 1..=times {
        nginx.reload();
        let answered = load.answered();
        site.wait_for("start worker process ", 2 + 2 * reload);
        // Somebody is served by those who have come.
        load.wait_for(answered + 8);
        // What every reload needs is there after some of them.
        if reload == times.min(50) {
            first = Some(memory(&nginx));
        }
    }
    let answered = load.end();
    // Those who were there before have ended when their last request has.
    let late = Instant::now();
    while nginx.workers().len() > 2 && late.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(50));
    }
    let ((master, workers), last) = (first.expect("there were reloads"), memory(&nginx));
    println!(
        "{times} reloads in {:.0} s, {answered} requests, none failed; KB in memory: master {master}, then {}; workers {workers:?}, \
         then {:?}",
        start.elapsed().as_secs_f64(),
        last.0,
        last.1
    );
    assert_eq!(last.1.len(), 2, "workers stay behind");
    assert!(last.0 < master + master / 10, "the master grows: {master} KB, then {} KB", last.0);
    let most = workers.iter().max().copied().unwrap_or(0);
    assert!(
        last.1.iter().all(|worker| *worker < most + most / 10),
        "workers grow: {workers:?} KB, then {:?} KB",
        last.1
    );
}

/// Everything at once that clients do.
fn mixed(time: Duration) {
    let Some(site) = site() else { return };
    let nginx = site.start();
    let load = Load::of_all_kinds(site.address);
    let mut first = None;
    let start = Instant::now();
    while start.elapsed() < time {
        sleep(Duration::from_millis(100));
        if first.is_none() && start.elapsed() > time / 5 {
            first = Some(memory(&nginx));
        }
        load.check();
    }
    let answered = load.end();
    let (first, last) = (first.expect("some time has passed"), memory(&nginx));
    println!(
        "{answered} requests in {:.0} s; KB in memory after a fifth of it: workers {:?}, then {:?}",
        start.elapsed().as_secs_f64(),
        first.1,
        last.1
    );
    drop(nginx);
    let log = site.log();
    // nginx says so when a worker has fallen; `drop` has looked for that.
    assert!(!log.contains("[alert]") && !log.contains("[emerg]") && !log.contains("panicked"), "{log}");
    assert!(answered > 0);
    if time >= Duration::from_secs(60) {
        let most = first.1.iter().max().copied().unwrap_or(0);
        assert!(last.1.iter().all(|worker| *worker < most * 2), "workers grow: {:?} KB, then {:?} KB", first.1, last.1);
    }
}

#[test]
fn some_reloads() {
    reload(5);
}

#[test]
fn some_seconds_of_everything() {
    mixed(Duration::from_secs(3));
}

#[test]
#[ignore = "minutes"]
fn a_thousand_reloads() {
    reload(1000);
}

#[test]
#[ignore = "ten minutes"]
fn ten_minutes_of_everything() {
    let seconds = std::env::var("FUSEWALL_LOAD_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(600);
    mixed(Duration::from_secs(seconds));
}
