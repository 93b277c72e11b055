//! An engine with its admin API, and a client that sends what it is told to.

use fusewall::engine::FixedEnv;
use fusewall::governor::ManualClock;
use fusewall::host::admin::{Admin, AdminConfig};
use fusewall::store::{BundleKey, RuleSource, compile};
use fusewall::{Transaction, Waf, WafBuilder};
use minisign::KeyPair;
use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tempfile::TempDir;

/// Nothing in these tests takes longer than this unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Who signs bundles.
pub static SIGNER: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate_unencrypted_keypair().expect("a key pair"));

pub struct Site {
    pub waf: Waf,
    pub clock: Arc<ManualClock>,
    pub socket: PathBuf,
    pub admin: Option<Admin>,
    pub folder: TempDir,
}

/// Rules that refuse one word.
pub fn rules(word: &str) -> String {
    format!(
        "SecRuleEngine On\n\
         SecRule ARGS \"@rx ^{word}[0-9]+$\" \"id:1,phase:1,deny,tag:'word',tag:'OWASP/Word List'\"\n\
         SecRule ARGS \"@streq both\" \"id:2,phase:1,deny,tag:'word'\"\n"
    )
}

pub fn builder() -> WafBuilder {
    let key = BundleKey::parse(&SIGNER.pk.to_box().expect("a key").to_string()).expect("a key as minisign writes it");
    Waf::builder().env(FixedEnv::default()).rules_text("first.conf", rules("first")).bundle_key(key)
}

impl Site {
    pub fn start() -> Site {
        Site::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut AdminConfig)) -> Site {
        Site::of(builder().build().expect("the rules load"), change)
    }

    pub fn of(waf: Waf, change: impl FnOnce(&mut AdminConfig)) -> Site {
        super::log::listen();
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("admin.sock");
        let mut config = AdminConfig { socket: Some(socket.clone()), ..AdminConfig::default() };
        change(&mut config);
        let clock = Arc::new(ManualClock::default());
        let reload = folder.path().join("site.conf");
        std::fs::write(&reload, rules("reloaded")).unwrap();
        let builder = Admin::builder(config, waf.clone()).clock(clock.clone());
        let admin = builder.source(RuleSource::Paths(vec![reload])).start().expect("it listens");
        Site { waf, clock, socket, admin: Some(admin), folder }
    }

    /// What comes back for these bytes.
    pub fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // What is refused may not be read to its end.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    pub fn send(&self, method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: admin\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in fields {
            request += &format!("{name}: {value}\r\n");
        }
        let mut bytes = (request + "\r\n").into_bytes();
        bytes.extend_from_slice(body);
        Reply::parse(&self.raw(&bytes))
    }

    pub fn get(&self, target: &str) -> Reply {
        self.send("GET", target, &[], b"")
    }

    pub fn put(&self, target: &str, body: &str) -> Reply {
        self.send("PUT", target, &[], body.as_bytes())
    }

    pub fn post(&self, target: &str, body: &str) -> Reply {
        self.send("POST", target, &[], body.as_bytes())
    }

    /// Uploads rules as text.
    pub fn text(&self, text: &str) -> Reply {
        self.send("POST", "/v1/rulesets", &[("Content-Type", "text/plain")], text.as_bytes())
    }

    /// Uploads a bundle with this signature.
    pub fn bundle(&self, bytes: &[u8], signature: &str) -> Reply {
        use base64::Engine;
        let signature = base64::engine::general_purpose::STANDARD.encode(signature);
        let fields = [("Content-Type", "application/octet-stream"), ("Fusewall-Signature", &signature)];
        self.send("POST", "/v1/rulesets", &fields, bytes)
    }

    pub fn refuses(&self, value: &str) -> bool {
        get(&self.waf, value).interruption().is_some()
    }
}

pub fn get(waf: &Waf, value: &str) -> Transaction {
    let mut transaction = waf.transaction();
    transaction.process_request_line(b"GET", format!("/?x={value}").as_bytes(), b"HTTP/1.1");
    transaction.process_request_headers();
    transaction
}

/// The bundle of [`rules`].
pub fn bundle(word: &str) -> Vec<u8> {
    let source = RuleSource::Text { name: "rules.conf".into(), text: rules(word) };
    compile(&source, &fusewall::files::MemoryFiles::new(), &Default::default()).expect("it compiles").bytes
}

/// The text of a `.minisig` file.
pub fn signature(bytes: &[u8], comment: Option<&str>) -> String {
    minisign::sign(Some(&SIGNER.pk), &SIGNER.sk, bytes, comment, None).expect("a signature").to_string()
}

/// An HTTP/1 response.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn parse(bytes: &[u8]) -> Reply {
        let end = memchr::memmem::find(bytes, b"\r\n\r\n")
            .unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head, body: bytes[end + 4..].to_vec() }
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.into_iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The answer, which is one of success.
    #[track_caller]
    pub fn done(&self) -> Value {
        assert!(self.status < 300, "{} {}", self.status, self.text());
        self.json()
    }

    /// Status and code of a problem.
    #[track_caller]
    pub fn problem(&self) -> (u16, String) {
        let problem = self.json();
        assert_eq!(self.field("content-type"), Some("application/problem+json"), "{problem}");
        assert_eq!(problem["status"], self.status);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{problem}");
        (self.status, problem["code"].as_str().unwrap().to_owned())
    }
}

/// What [`Reply::problem`] answers.
pub fn problem(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
