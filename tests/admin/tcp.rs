//! Mutual TLS: certificates on both sides, names that are configured, no browsers.

use super::log::logged;
use super::site::{PATIENCE, Reply, Site, problem};
use fusewall::host::admin::{AdminConfig, Caller, Match, Role, Roles};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A certificate and its key.
struct Shown {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Authority { certificate: params.self_signed(&key).unwrap(), issuer: Issuer::new(params, key) }
    }

    fn sign(&self, name: &str) -> Shown {
        let key = KeyPair::generate().unwrap();
        let signed = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        Shown { certificate: signed.der().clone(), pem: signed.pem(), key }
    }
}

struct Remote {
    site: Site,
    authority: Authority,
    deploy: Shown,
}

impl Remote {
    fn start() -> Remote {
        let authority = Authority::new();
        let (server, deploy) = (authority.sign("waf.example"), authority.sign("deploy"));
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let site = Site::with(|config: &mut AdminConfig| {
            config.tcp.listen = Some("127.0.0.1:0".parse().unwrap());
            config.tcp.certificate = file("cert.pem", &server.pem);
            config.tcp.key = file("key.pem", &server.key.serialize_pem());
            config.tcp.client_ca = file("ca.pem", &authority.certificate.pem());
            config.tcp.hosts = vec!["waf.example".to_owned(), "[::1]".to_owned()];
            let who = Match::Certificate(Sha256::digest(&deploy.certificate).into());
            config.callers.push(Caller { who, name: Some("deploy".into()), roles: Roles::of([Role::Kill]) });
        });
        Remote { site, authority, deploy }
    }

    /// What comes back for a request of whoever shows this certificate.
    fn ask(&self, shown: Option<&Shown>, request: &str) -> std::io::Result<Reply> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match shown {
            None => config.with_no_client_auth(),
            Some(shown) => {
                let key = PrivateKeyDer::try_from(shown.key.serialize_der()).unwrap();
                config.with_client_auth_cert(vec![shown.certificate.clone()], key).unwrap()
            }
        };
        let socket = TcpStream::connect(self.site.admin.as_ref().unwrap().address().unwrap())?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from("waf.example").unwrap();
        let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket);
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        let ended = stream.read_to_end(&mut answer);
        if answer.is_empty() {
            return Err(ended.err().unwrap_or_else(|| std::io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(Reply::parse(&answer))
    }

    fn get(&self, fields: &str) -> Reply {
        self.ask(Some(&self.deploy), &format!("GET /v1/mode HTTP/1.1\r\n{fields}\r\n")).expect("an answer")
    }
}

#[test]
fn a_certificate_has_the_roles_of_its_entry() {
    let remote = Remote::start();
    assert_eq!(remote.get("Host: waf.example\r\n").done()["mode"], "on");
    let put = |target: &str, body: &str| {
        let head =
            format!("PUT {target} HTTP/1.1\r\nHost: waf.example:443\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        remote.ask(Some(&remote.deploy), &head).expect("an answer")
    };
    put("/v1/rules/2", r#"{"enabled":false}"#).done();
    assert!(!remote.site.refuses("both"));
    logged(&["INFO", "deploy (certificate ", "rule 2: off"]);
    assert_eq!(put("/v1/mode", r#"{"mode":"off"}"#).problem(), problem(403, "role"));
}

#[test]
fn whoever_has_no_certificate_of_the_authority_does_not_get_as_far_as_http() {
    let remote = Remote::start();
    let request = "GET /healthz HTTP/1.1\r\nHost: waf.example\r\n\r\n";
    remote.ask(None, request).expect_err("no certificate");
    remote.ask(Some(&Authority::new().sign("deploy")), request).expect_err("another authority");
    let stranger = remote.authority.sign("deploy");
    let reply = remote.ask(Some(&stranger), request).expect("an answer");
    assert_eq!(reply.problem(), problem(403, "unknown-caller"), "the authority alone gives no role");
    // And without TLS there is nothing.
    let mut plain = TcpStream::connect(remote.site.admin.as_ref().unwrap().address().unwrap()).unwrap();
    plain.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn only_configured_names_lead_here() {
    let remote = Remote::start();
    for host in ["waf.example", "WAF.example:8443", "[::1]", "[::1]:1"] {
        remote.get(&format!("Host: {host}\r\n")).done();
    }
    for host in ["evil.example", "waf.example.evil", "localhost", "", "waf.example:x", "::1", "waf.example@evil"] {
        assert_eq!(remote.get(&format!("Host: {host}\r\n")).problem(), problem(421, "host"), "{host}");
    }
    assert_eq!(remote.get("").problem(), problem(421, "host"));
    assert_eq!(remote.get("Host: waf.example\r\nHost: evil.example\r\n").problem(), problem(421, "host"));
    let absolute = "GET http://waf.example/v1/mode HTTP/1.1\r\nHost: waf.example\r\n\r\n";
    assert_eq!(remote.ask(Some(&remote.deploy), absolute).unwrap().problem(), problem(421, "host"));
}

#[test]
fn pages_in_browsers_are_refused() {
    let remote = Remote::start();
    for field in ["Origin: https://waf.example", "Origin: null", "Sec-Fetch-Mode: no-cors", "sec-fetch-dest: empty"] {
        let reply = remote.get(&format!("Host: waf.example\r\n{field}\r\n"));
        assert_eq!(reply.problem(), problem(403, "browser"), "{field}");
    }
}
