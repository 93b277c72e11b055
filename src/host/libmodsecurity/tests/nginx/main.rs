//! Debian's nginx with Debian's ModSecurity module, both unmodified, with this library in place of libmodsecurity.

mod debian;
mod features;
mod http2;
#[expect(dead_code, reason = "shared with other programs")]
mod server;
mod upstream;

use debian::Debian;
use server::{Answer, Site, ask};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Left out where Debian's packages cannot be had.
fn debian() -> Option<Debian> {
    let found = debian::find();
    if found.is_none() {
        eprintln!("left out: Debian's nginx and libnginx-mod-http-modsecurity are not here and cannot be fetched");
    }
    found
}

/// As an operator has it: the rules of the server in a file, those of locations in the configuration.
const HTTP: &str = r#"
modsecurity on;
modsecurity_rules_file HERE/main.conf;
client_body_buffer_size 1k;
server {
    listen LISTEN;
    listen unix:HERE/socket;
    root HERE/html;
    location / {}
    location /watched/ { modsecurity_rules 'SecRuleEngine DetectionOnly'; }
    location /excepted/ {
        modsecurity_rules '
            SecRuleRemoveById 10
            SecRule ARGS:order "@rx ." "id:100,phase:1,pass,log,msg:\'of the location\'"
        ';
    }
    location /off/ { modsecurity off; }
    location /hidden/ { add_header X-Secret 1; return 200 "nothing"; }
    location /named/ { modsecurity_transaction_id "named-$request_id"; return 200 "named"; }
}
"#;

const MAIN: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html
SecAuditEngine RelevantOnly
SecAuditLogFormat JSON
SecAuditLog HERE/logs/audit.log
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQBODY_ERROR "!@eq 0" "id:2,phase:2,deny,status:400"
SecRule ARGS "@rx (?i)<script" "id:10,phase:2,deny,status:403,log,msg:'an attack',tag:'attack-xss',severity:CRITICAL,\
    logdata:'%{MATCHED_VAR_NAME}'"
SecRule REQUEST_HEADERS:User-Agent "@contains scanner" "id:11,phase:1,deny,status:405"
SecRule ARGS:away "@rx ." "id:12,phase:1,redirect:https://www.example/elsewhere"
SecRule ARGS:order "@rx ." "id:13,phase:1,pass,log,msg:'of the server'"
SecRule RESPONSE_HEADERS:X-Secret "@rx ." "id:14,phase:3,deny,status:503"
SecRule RESPONSE_BODY "@contains secret" "id:15,phase:4,deny,status:502"
"#;

fn site(debian: Debian) -> Site {
    let site = Site::new(debian, HTTP);
    site.write("main.conf", &MAIN.replace("HERE", &site.path().display().to_string()));
    site.write("html/secret.html", "the secret");
    site
}

fn get(site: &Site, target: &str) -> Answer {
    ask(site.address, "GET", target, "", b"").expect("an answer")
}

#[test]
fn requests_are_judged() {
    let Some(debian) = debian() else { return };
    let site = site(debian);
    let nginx = site.start();
    let status = |target: &str| get(&site, target).status;
    assert_eq!((status("/"), status("/?q=a"), status("/nowhere")), (200, 200, 404));
    assert_eq!((status("/?q=%3CSCRIPT%3E"), status("/off/?q=%3Cscript%3E")), (403, 404));
    assert_eq!((status("/watched/?q=<script>"), status("/excepted/?q=<script>")), (404, 404));
    let scanned = ask(site.address, "GET", "/", "X-A: 1\r\nUser-Agent: a scanner\r\n", b"").expect("an answer");
    assert_eq!(scanned.status, 405);
    let away = get(&site, "/?away=1");
    assert!(away.status == 302 && away.text.contains("\r\nLocation: https://www.example/elsewhere\r\n"), "{away:?}");
    assert_eq!((status("/hidden/"), status("/named/"), status("/named/?q=<script>")), (503, 200, 403));

    let post = |kind: &str, body: &str| {
        let headers = format!("Content-Type: {kind}\r\n");
        ask(site.address, "POST", "/nowhere", &headers, body.as_bytes()).expect("an answer").status
    };
    let (form, json) = ("application/x-www-form-urlencoded", "application/json");
    assert_eq!((post(form, "a=b&q=c"), post(form, "a=b&q=%3Cscript%3E")), (404, 403));
    assert_eq!((post(json, r#"{"a": "b"}"#), post(json, r#"{"a": ["<script>"]}"#), post(json, "{")), (404, 403, 400));
    // Longer than nginx keeps in memory: these come out of a file.
    let long = "x".repeat(100_000);
    assert_eq!((post(form, &format!("a={long}&q=c")), post(form, &format!("a={long}&q=%3Cscript%3E"))), (404, 403));

    // Its head has left when the body is inspected: nginx can only break off. As with libmodsecurity.
    let secret = ask(site.address, "GET", "/secret.html", "", b"");
    assert!(secret.as_ref().map_or(true, |answer| !answer.text.contains("the secret")), "{secret:?}");
    assert_eq!(status("/excepted/?order=1"), 404);
    // A client without an address.
    assert_eq!(["/", "/?q=<script>"].map(|target| site.ask_socket(target)), [200, 403]);
    drop(nginx);

    let log = site.log();
    let line = log.lines().find(|line| line.contains("[id \"10\"]")).expect("a line");
    let refused = "[client 127.0.0.1] ModSecurity: Access denied with code 403 (phase 2). Matched \"Operator `Rx' with parameter \
                   `(?i)<script' against variable `ARGS:q' (Value: `<SCRIPT>' ) [file \"";
    assert!(line.contains("[error]") && line.contains(refused), "{line}");
    let rest = "/main.conf\"] [line \"11\"] [id \"10\"] [rev \"\"] [msg \"an attack\"] [data \"ARGS:q\"] [severity \"2\"] [ver \"\"] \
                [maturity \"0\"] [accuracy \"0\"] [tag \"attack-xss\"] [hostname \"www.example\"] [uri \"/\"] [unique_id \"";
    assert!(line.contains(rest), "{line}");
    let warned = |text: &str| log.lines().find(|line| line.contains("[info]") && line.contains(text));
    assert!(warned("ModSecurity: Warning. ").is_some_and(|line| line.contains("[msg \"")));
    assert!(log.lines().any(|line| line.contains("[uri \"/watched/\"]") && line.contains("ModSecurity: Warning. ")));
    let place = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text}\n{log}"));
    assert!(place("[msg \"of the location\"]") < place("[msg \"of the server\"]"));
    assert!(log.contains("[unique_id \"named-"), "{log}");

    let audit = std::fs::read_to_string(site.path().join("logs/audit.log")).expect("an audit log");
    assert!(
        audit.contains(r#""connector":"ModSecurity-nginx v1.0.3""#) && audit.contains(r#""ruleId":"10""#),
        "{audit}"
    );
    assert!(audit.contains(r#""http_code":403"#) && !audit.contains(r"\u0000"), "{audit}");
}

#[test]
fn the_core_rule_set_as_an_operator_has_it() {
    let Some(debian) = debian() else { return };
    let Some(conformance) = std::env::var_os("FUSEWALL_CONFORMANCE_DIR").map(PathBuf::from) else {
        eprintln!("left out: the Core Rule Set (FUSEWALL_CONFORMANCE_DIR)");
        return;
    };
    // A hundred locations have the rules of the server: they are compiled once, or this would take very long.
    let locations: String = (0..100).map(|number| format!("location /{number}/ {{}}\n")).collect();
    let http = format!(
        "modsecurity on;\nmodsecurity_rules_file HERE/main.conf;\nserver {{ listen LISTEN; root HERE/html;\n{locations}}}"
    );
    let site = Site::new(debian, &http);
    // What the package brings, but for the place of the log.
    let own = |name: &str| std::fs::read_to_string(site.debian.rules.join(name)).expect("rules of the package");
    site.write(
        "modsecurity.conf",
        &own("modsecurity.conf").replace("/var/log/nginx", &format!("{}/logs", site.path().display())),
    );
    site.write("unicode.mapping", &own("unicode.mapping"));
    let crs = conformance.join("crs").display().to_string();
    let include = format!("Include modsecurity.conf\nSecRuleEngine On\nInclude {crs}/crs-setup.conf.example\n");
    site.write("main.conf", &format!("{include}Include {crs}/rules/*.conf\n"));
    let nginx = site.start();
    let status = |target: &str| get(&site, target).status;
    assert_eq!((status("/?id=17&name=smith"), status("/7/?page=two")), (200, 404));
    assert_eq!((status("/?id=1%27%20or%20%271%27=%271"), status("/7/?q=<script>alert(1)</script>")), (403, 403));
    let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
    let post = |body: &[u8]| ask(site.address, "POST", "/", headers, body).expect("an answer").status;
    assert_eq!((post(b"comment=nice+weather"), post(b"file=../../../../etc/passwd")), (405, 403));
    let log = site.log();
    assert!(log.contains("[id \"949110\"]") && log.contains("Access denied with code 403 (phase 2)"), "{log}");
    drop(nginx);
    let audit = std::fs::read_to_string(site.path().join("logs/modsec_audit.log")).expect("an audit log");
    assert!(audit.contains("[id \"941100\"]") && audit.contains("Host: www.example"), "{audit}");
}

/// Workers come and go, requests do not notice.
#[test]
fn reloads_under_load() {
    const RELOADS: usize = 20;
    let Some(debian) = debian() else { return };
    let site = site(debian);
    let nginx = site.start();
    site.wait_for("start worker process ", 2);
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for (target, status) in [("/", 200), ("/?q=<script>", 403)] {
                        let answer = ask(site.address, "GET", target, "", b"").map(|answer| answer.status);
                        assert_eq!(answer.expect("an answer"), status);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for reload in 1..=RELOADS {
            nginx.reload();
            site.wait_for("start worker process ", 2 + 2 * reload);
            // Somebody is served by those who have come.
            let before = answered.load(Ordering::Relaxed);
            while answered.load(Ordering::Relaxed) < before + 2 && !std::thread::panicking() {
                std::thread::yield_now();
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(answered.load(Ordering::Relaxed) >= 2 * RELOADS);
}

/// What became of requests is counted for all workers together, and goes on over a reload.
#[test]
fn requests_are_counted() {
    let Some(debian) = debian() else { return };
    let site = site(debian);
    let nginx = site.start();
    let ask_all = || {
        for target in ["/", "/?a=b", "/nowhere", "/?q=<script>", "/?away=1", "/off/?q=<script>"] {
            get(&site, target);
        }
    };
    ask_all();
    nginx.reload();
    site.wait_for("start worker process ", 4);
    ask_all();
    let counted = || std::fs::read_to_string(site.path().join("logs/metrics.prom")).expect("a file");
    let start = std::time::Instant::now();
    while !counted().contains("{action=\"pass\"} 6\n") && start.elapsed() < std::time::Duration::from_secs(30) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    drop(nginx);
    let counted = counted();
    for line in ["{action=\"pass\"} 6", "{action=\"deny\"} 2", "{action=\"redirect\"} 2", "{action=\"exhausted\"} 0"] {
        assert!(counted.contains(&format!("fusewall_requests_total{line}\n")), "{line}\n{counted}");
    }
    assert!(counted.contains("\nfusewall_request_bodies_cut_total 0\n"), "{counted}");
}

/// `nginx -t` says what is wrong and where, and a reload with broken rules leaves what is in service.
#[test]
fn broken_rules_are_named() {
    let Some(debian) = debian() else { return };
    let site = site(debian);
    let nginx = site.start();
    let check = || String::from_utf8_lossy(&site.check().stderr).into_owned();
    assert!(check().contains("test is successful"), "{}", check());
    let good = std::fs::read_to_string(site.path().join("main.conf")).expect("rules");
    site.write("main.conf", &format!("{good}SecRule ARGS \"@rx a(b\" \"id:16,phase:2,deny\"\n"));
    let said = check();
    assert!(said.contains("\"modsecurity_rules_file\" directive Rules error. File: "), "{said}");
    assert!(said.contains("/main.conf. Line: 18. Column: ") && said.contains("nginx.conf:"), "{said}");
    nginx.reload();
    site.wait_for("main.conf. Line: 18.", 1);
    assert_eq!(get(&site, "/?q=<script>").status, 403);
    site.write("main.conf", &good);
    site.configure(&HTTP.replace("SecRuleRemoveById 10", "SecAction id:10,phase:1,pass"));
    let said = check();
    assert!(said.contains("rule id 10 is taken"), "{said}");

    // What loads, and is probably not meant, is told once.
    site.configure(HTTP);
    site.write("main.conf", &format!("{good}SecRule REMOTE_ADDR \"@rbl list.example\" \"id:16,phase:1,deny\"\n"));
    let said = check();
    let warnings: Vec<_> = said.lines().filter(|line| line.starts_with("Fusewall: warning: File: ")).collect();
    assert!(
        said.contains("test is successful") && warnings.iter().all(|line| line.contains("/main.conf. Line: 18.")),
        "{said}"
    );
    assert!(!warnings.is_empty(), "{said}");
}
