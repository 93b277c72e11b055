//! `SecRemoteRules`: rules that stand on another server, fetched over TLS.

use fusewall::Waf;
use fusewall::files::RemoteRules;
use fusewall::host::serve::HttpsRules;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const RULE: &str = "SecRule ARGS \"@contains evil\" \"id:77,phase:1,deny,status:418\"\n";

/// A server of rules: its answer for each path, and what it was asked.
struct Server {
    port: u16,
    ca: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Server {
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, own.cert.pem()).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&asked);
        let (told, port) = std::sync::mpsc::channel();
        // A runtime of its own: the tests below wait for commands.
        std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(listener.local_addr().unwrap().port()).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => head.push(byte),
                            Err(_) => break,
                        }
                    }
                    let head = String::from_utf8(head).unwrap();
                    let answer = answer(head.split(' ').nth(1).unwrap_or_default());
                    all.lock().unwrap().push(head);
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            });
        });
        Server { port: port.recv().unwrap(), ca, asked, _folder: folder }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    fn rules(&self, path: &str) -> String {
        format!("SecRuleEngine On\nSecRemoteRules my-key {}\n", self.url(path))
    }

    fn waf(&self, rules: String) -> Result<Waf, String> {
        let remote = HttpsRules::trusting(&self.ca);
        let built = Waf::builder().rules_text("local.conf", rules).remote_rules(remote).allow_empty().build();
        built.map_err(|report| report.to_string())
    }
}

fn answer(path: &str) -> String {
    let whole = |text: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
    match path {
        "/rules" => whole(RULE),
        "/wrong" => whole("SecRuleEngine On\nSecRule ARGS\n"),
        "/files" => whole("Include /etc/passwd\nSecAuditLog /tmp/x\nSecRemoteRules k https://localhost/rules\n"),
        "/long" => whole(&"# a comment\n".repeat(10_000)),
        "/cut" => format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{RULE}"),
        "/moved" => "HTTP/1.1 302 Found\r\nLocation: http://localhost/rules\r\nContent-Length: 0\r\n\r\n".to_owned(),
        _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
    }
}

fn refused(waf: &Waf) -> bool {
    let mut transaction = waf.transaction();
    transaction.process_request_line(b"GET", b"/?a=evil", b"HTTP/1.1");
    transaction.process_request_headers().is_some_and(|ended| ended.status == 418)
}

#[test]
fn rules_are_fetched_with_their_key_and_nothing_else_about_us() {
    let server = Server::start();
    let waf = server.waf(server.rules("/rules")).unwrap();
    assert!(refused(&waf));
    let asked = server.asked.lock().unwrap()[0].to_ascii_lowercase();
    assert!(asked.starts_with("get /rules http/1.1\r\n"), "{asked}");
    assert!(asked.contains("\r\nmodsec-key: my-key\r\n"), "{asked}");
    assert!(asked.contains(&format!("\r\nhost: localhost:{}\r\n", server.port)), "{asked}");
    assert!(!asked.contains("modsec-unique-id") && !asked.contains("modsec-status"), "{asked}");
}

#[test]
fn findings_point_into_the_fetched_text() {
    let server = Server::start();
    let report = server.waf(server.rules("/wrong")).unwrap_err();
    assert!(report.contains(&format!("{}:2:1", server.url("/wrong"))), "{report}");
    let report = server.waf(server.rules("/files")).unwrap_err();
    assert_eq!(report.matches("they do not choose files, folders or servers").count(), 3, "{report}");
    assert_eq!(server.asked.lock().unwrap().len(), 2, "one fetch each");
}

#[test]
fn what_cannot_be_fetched_is_an_error_unless_the_rules_may_be_missing() {
    let server = Server::start();
    for (path, why) in [("/none", "404 Not Found"), ("/moved", "302 Found"), ("/cut", "cannot fetch")] {
        let report = server.waf(server.rules(path)).unwrap_err();
        assert!(report.contains(why) && report.contains("E0101"), "{path}: {report}");
        let waf = server.waf(format!("{}SecRemoteRulesFailAction Warn\n", server.rules(path))).unwrap();
        assert!(waf.report().to_string().contains("W0717"), "{path}");
        assert!(!refused(&waf));
        let abort = format!("SecRemoteRulesFailAction Abort\n{}", server.rules(path));
        assert!(server.waf(abort).is_err(), "{path}");
    }
    for url in ["http://localhost/rules", "ftp://localhost/rules", "file:///etc/passwd", "https//x"] {
        let report = server.waf(format!("SecRemoteRules key {url}\nSecRemoteRulesFailAction Warn\n")).unwrap_err();
        assert!(report.contains("is not an https URL"), "{url}: {report}");
    }
    assert!(server.waf(format!("SecRemoteRules crypto key {}\n", server.url("/rules"))).is_err());
}

#[test]
fn certificates_are_checked_and_texts_are_limited() {
    let server = Server::start();
    let unknown = HttpsRules::new().fetch(&server.url("/rules"), "k", 1 << 20).unwrap_err();
    assert!(unknown.to_string().contains("certificate"), "{unknown}");
    let other_name = format!("https://127.0.0.1:{}/rules", server.port);
    let trusting = HttpsRules::trusting(&server.ca);
    assert!(trusting.fetch(&other_name, "k", 1 << 20).unwrap_err().to_string().contains("certificate"));
    let long = trusting.fetch(&server.url("/long"), "k", 1000).unwrap_err();
    assert!(long.to_string().contains("more than 1000 bytes"), "{long}");
    assert!(trusting.fetch(&server.url("/rules"), "a\nb", 1000).is_err());
    assert!(trusting.fetch(&format!("https://user@localhost:{}/rules", server.port), "k", 1000).is_err());
    assert_eq!(trusting.fetch(&server.url("/rules"), "k", 1000).unwrap(), RULE.as_bytes());
}

#[tokio::test]
async fn a_caller_in_a_runtime_may_fetch_too() {
    let server = Server::start();
    assert!(server.waf(server.rules("/rules")).is_ok());
}

#[test]
fn commands_fetch_only_if_they_are_told_to() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.conf");
    std::fs::write(&rules, server.rules("/rules")).unwrap();
    let run = |more: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fusewall"));
        command.args(["check", "--rules"]).arg(&rules).args(more).output().unwrap()
    };
    let refused = run(&[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--allow-remote-rules"));
    let allowed = run(&["--allow-remote-rules", "--remote-rules-ca", server.ca.to_str().unwrap()]);
    let output = String::from_utf8_lossy(&allowed.stdout);
    assert!(allowed.status.success() && output.contains("ok: 1 rules"), "{allowed:?}");
    let unknown = run(&["--allow-remote-rules"]);
    assert_eq!(unknown.status.code(), Some(1), "the certificate is not one of the roots");
    assert_eq!(server.asked.lock().unwrap().len(), 1);
}
