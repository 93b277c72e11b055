//! `fusewall crs install`: releases that are installed, upgraded and refused.

use super::{Setting, text};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const EXAMPLE: &str = "SecDefaultAction \"phase:1,log,pass\"\n# SecAction \"id:900000,setvar:tx.level=1\"\n";
const RULE: &str = "SecRule ARGS \"@contains attack\" \"id:942100,phase:2,deny,status:403,log,msg:'an attack'\"\n";

/// A release with these files beside those that each has.
fn release(version: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let initialization = format!(
        "# ver:OWASP_CRS/3.0.0 was before\nSecAction \"id:901001,phase:1,pass,nolog,ver:'OWASP_CRS/{version}'\"\n"
    );
    let files = [
        ("crs-setup.conf.example", EXAMPLE),
        ("rules/REQUEST-901-INITIALIZATION.conf", &initialization),
        ("rules/REQUEST-942-SQLI.conf", RULE),
        ("plugins/empty-before.conf", ""),
        ("tests/regression.yaml", "x"),
    ];
    let files = files.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| name != other));
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, text) in files.chain(more.iter().copied()) {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, format!("coreruleset-{version}/{name}"), text.as_bytes()).expect("memory");
    }
    builder.into_inner().expect("memory").finish().expect("memory")
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Setting {
    fn install(&self, archive: &[u8], more: &[&str]) -> Output {
        self.write("release.tar.gz", archive);
        let digest = digest(archive);
        let all = ["crs", "install", "--into", "crs", "--from", "release.tar.gz", "--sha256", &digest];
        self.command(&[&all, more].concat())
    }
}

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

#[test]
fn a_release_is_laid_out_and_its_directives_load() {
    let setting = Setting::new(&[]);
    let output = setting.install(&release("4.1.0", &[]), &[]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(said.contains("CRS 4.1.0 is in") && said.contains("2 rules, checked"), "{said}");
    assert_eq!(setting.read("crs/crs-setup.conf"), EXAMPLE);
    assert!(setting.read("crs/VERSION").starts_with("4.1.0\nrelease.tar.gz\nSHA-256"));
    assert!(!setting.path("crs/tests").exists());
    // What it prints is a configuration.
    let include = said.split_once("limits:\n\n").expect("directives").1;
    setting.write("site.conf", format!("SecRuleEngine On\n{include}"));
    let checked = setting.command(&["check", "--rules", "site.conf"]);
    assert!(checked.status.success(), "{}", text(&checked.stdout));
    let sums = Command::new("sha256sum").args(["--quiet", "-c", "MANIFEST"]).current_dir(setting.path("crs")).status();
    assert!(sums.map_or(true, |status| status.success()));
}

#[test]
fn an_upgrade_keeps_what_is_the_operators_and_says_what_changes() {
    let setting = Setting::new(&[]);
    assert!(setting.install(&release("4.1.0", &[("rules/REQUEST-910-GONE.conf", "")]), &[]).status.success());
    let own = "SecAction \"id:900000,phase:1,pass,nolog,setvar:tx.level=3\"\n";
    setting.write("crs/crs-setup.conf", own);
    setting.write("crs/rules/REQUEST-900-EXCLUSIONS.conf", "# mine\n");
    setting.write("crs/plugins/wordpress-config.conf", "# mine as well\n");
    setting.write("crs/rules/REQUEST-950-NEW.conf", "# a name that CRS takes later\n");
    let example = EXAMPLE.replace("tx.level=1", "tx.level=2,setvar:tx.fresh=1");
    let next = release("4.2.0", &[("crs-setup.conf.example", &example), ("rules/REQUEST-950-NEW.conf", "# theirs\n")]);
    let found = answer(&setting.install(&next, &["--json"]));
    assert_eq!(found["version"], "4.2.0");
    assert_eq!(found["settings"]["new"]["tx.fresh"], "1");
    assert_eq!(found["settings"]["changed"]["tx.level"], serde_json::json!(["1", "2"]));
    assert_eq!(setting.read("crs/crs-setup.conf"), own);
    assert_eq!(setting.read("crs/rules/REQUEST-900-EXCLUSIONS.conf"), "# mine\n");
    assert_eq!(setting.read("crs/plugins/wordpress-config.conf"), "# mine as well\n");
    assert!(setting.read("crs/rules/REQUEST-950-NEW.conf").contains("later"));
    assert_eq!(setting.read("crs/rules/REQUEST-950-NEW.conf.new"), "# theirs\n");
    assert!(!setting.path("crs/rules/REQUEST-910-GONE.conf").exists());
    // The way back is a rename.
    assert!(setting.read("crs.previous/VERSION").starts_with("4.1.0"));
    assert!(!setting.path("crs.new").exists());
    // What was found beside yours is not taken for yours the next time.
    assert!(setting.install(&next, &[]).status.success());
    assert_eq!(setting.read("crs/crs-setup.conf"), own);
}

#[test]
fn files_of_the_release_that_were_changed_are_not_lost_without_a_word() {
    let setting = Setting::new(&[]);
    assert!(setting.install(&release("4.1.0", &[]), &[]).status.success());
    setting.write("crs/rules/REQUEST-942-SQLI.conf", "# I have commented it out\n");
    let refused = setting.install(&release("4.2.0", &[]), &[]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("rules/REQUEST-942-SQLI.conf"), "{}", text(&refused.stderr));
    assert!(setting.read("crs/VERSION").starts_with("4.1.0"));
    assert!(setting.install(&release("4.2.0", &[]), &["--discard-changes"]).status.success());
    assert_eq!(setting.read("crs/rules/REQUEST-942-SQLI.conf"), RULE);
}

#[test]
fn whatever_is_wrong_with_a_release_leaves_the_one_before() {
    let setting = Setting::new(&[]);
    let first = release("4.1.0", &[]);
    assert!(setting.install(&first, &[]).status.success());
    let refused = |archive: &[u8], more: &[&str], why: &str| {
        let output = setting.install(archive, more);
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(why), "{why}: {said}");
        assert!(setting.read("crs/VERSION").starts_with("4.1.0"));
    };
    refused(&release("4.2.0", &[("rules/REQUEST-942-SQLI.conf", "SecRule ARGS\n")]), &[], "the rules do not load");
    refused(&first[..first.len() / 2], &[], "release.tar.gz");
    refused(&release("4.2.0", &[]), &["4.3.0"], "holds release 4.2.0, not 4.3.0");
    refused(&release("", &[]), &[], "does not name its release");
    // Another digest than the one that was given; and none at all.
    setting.write("release.tar.gz", release("4.2.0", &[]));
    let all = ["crs", "install", "--into", "crs", "--from", "release.tar.gz"];
    let output = setting.command(&[&all[..], &["--sha256", &digest(&first)]].concat());
    assert!(text(&output.stderr).contains("this is not the archive"), "{}", text(&output.stderr));
    assert_eq!(setting.command(&all).status.code(), Some(2));
    assert!(setting.read("crs/VERSION").starts_with("4.1.0"));
}

#[test]
fn rules_of_others_are_not_touched() {
    let setting = Setting::new(&[("crs/rules/mine.conf", RULE)]);
    let output = setting.install(&release("4.1.0", &[]), &[]);
    assert!(text(&output.stderr).contains("cannot tell yours from those of CRS"), "{}", text(&output.stderr));
    assert_eq!(setting.read("crs/rules/mine.conf"), RULE);
    // Settings alone are the operator's.
    let setting = Setting::new(&[("crs/crs-setup.conf", "# mine\n")]);
    assert!(setting.install(&release("4.1.0", &[]), &[]).status.success());
    assert_eq!(setting.read("crs/crs-setup.conf"), "# mine\n");
}

#[test]
fn a_signature_is_checked_by_gpgv() {
    let setting = Setting::new(&[("release.tar.gz", "")]);
    setting.write("release.tar.gz", release("4.1.0", &[]));
    let home = setting.path("home");
    std::fs::create_dir(&home).expect("a folder");
    std::os::unix::fs::symlink(&home, setting.path("h")).expect("a link");
    let gpg = |arguments: &[&str]| {
        let mut gpg = Command::new("gpg");
        gpg.args(["--homedir", "h", "--batch", "--quiet", "--yes", "--passphrase", "", "--pinentry-mode", "loopback"]);
        gpg.args(arguments).current_dir(setting.folder.path()).output().is_ok_and(|output| output.status.success())
    };
    let has_gpgv = Command::new("gpgv").arg("--version").output().is_ok();
    if !has_gpgv || !gpg(&["--quick-generate-key", "crs@example.org", "ed25519", "sign", "never"]) {
        eprintln!("left out: gpg and gpgv are not here");
        return;
    }
    assert!(gpg(&["--output", "key.gpg", "--export", "crs@example.org"]));
    assert!(gpg(&["--armor", "--output", "release.tar.gz.asc", "--detach-sign", "release.tar.gz"]));
    let _ = Command::new("gpgconf").args(["--homedir"]).arg(&home).args(["--kill", "all"]).output();
    let install = ["crs", "install", "--into", "crs", "--from", "release.tar.gz", "--keyring", "key.gpg"];
    let output = setting.command(&install);
    assert!(text(&output.stdout).contains("Good signature from"), "{}", text(&output.stderr));
    setting.write("release.tar.gz", release("4.2.0", &[]));
    let output = setting.command(&install);
    assert!(!output.status.success() && text(&output.stderr).contains("the signature is not good"));
    assert!(setting.read("crs/VERSION").starts_with("4.1.0"));
}

/// A server on the loopback interface with a certificate of its own, which `ca.pem` of the folder has.
fn server(folder: &Path, archive: Vec<u8>) -> u16 {
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    std::fs::write(folder.join("ca.pem"), own.cert.pem()).expect("a file");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (told, port) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            told.send(listener.local_addr().expect("an address").port()).expect("a reader");
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { break };
                    head.push(byte);
                }
                let head = text(&head);
                let answer = match head.split(' ').nth(1).unwrap_or_default() {
                    "/release" => {
                        [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", archive.len()).as_bytes(), &archive]
                            .concat()
                    }
                    "/moved" => b"HTTP/1.1 302 Found\r\nLocation: /release\r\nContent-Length: 0\r\n\r\n".to_vec(),
                    "/plain" => {
                        b"HTTP/1.1 302 Found\r\nLocation: http://localhost/x\r\nContent-Length: 0\r\n\r\n".to_vec()
                    }
                    "/round" => b"HTTP/1.1 302 Found\r\nLocation: /round\r\nContent-Length: 0\r\n\r\n".to_vec(),
                    _ => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
                };
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            }
        });
    });
    port.recv().expect("a port")
}

#[test]
fn a_release_is_fetched_over_tls_alone() {
    let setting = Setting::new(&[]);
    let archive = release("4.1.0", &[]);
    let port = server(setting.folder.path(), archive.clone());
    let digest = digest(&archive);
    let install = |path: &str, more: &[&str]| {
        let url = format!("https://localhost:{port}{path}");
        setting.command(&[&["crs", "install", "--into", "crs", "--from", &url, "--sha256", &digest], more].concat())
    };
    let ca = ["--ca", "ca.pem"];
    let output = install("/moved", &ca);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(setting.read("crs/VERSION").starts_with("4.1.0\nhttps://localhost"));
    for (path, more, why) in [
        ("/release", &[][..], "certificate"),
        ("/plain", &ca[..], "not an https URL"),
        ("/round", &ca[..], "more than 5 redirections"),
        ("/none", &ca[..], "the server answers 404"),
    ] {
        let output = install(path, more);
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(why), "{path}: {said}");
    }
}
